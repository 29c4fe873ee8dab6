//! Names of fields, so that a mask which asks for one that does not exist is refused, as Google does.
//! Only the first level of `files`, and of lists of them, is known here.
//!
//! See <https://developers.google.com/workspace/drive/api/guides/fields-parameter>.

use crate::call::Call;
use crate::error::ApiError;
use crate::fields::Mask;

#[rustfmt::skip]
const FILE: [&str; 65] = [
    "appProperties", "capabilities", "clientEncryptionDetails", "contentHints", "contentRestrictions",
    "copyRequiresWriterPermission", "createdTime", "description", "downloadRestrictions", "driveId",
    "explicitlyTrashed", "exportLinks", "fileExtension", "folderColorRgb", "fullFileExtension",
    "hasAugmentedPermissions", "hasThumbnail", "headRevisionId", "iconLink", "id", "imageMediaMetadata",
    "inheritedPermissionsDisabled", "isAppAuthorized", "kind", "labelInfo", "lastModifyingUser",
    "linkShareMetadata", "md5Checksum", "mimeType", "modifiedByMe", "modifiedByMeTime", "modifiedTime",
    "name", "originalFilename", "ownedByMe", "owners", "parents", "permissionIds", "permissions",
    "properties", "quotaBytesUsed", "resourceKey", "sha1Checksum", "sha256Checksum", "shared",
    "sharedWithMeTime", "sharingUser", "shortcutDetails", "size", "spaces", "starred", "teamDriveId",
    "thumbnailLink", "thumbnailVersion", "trashed", "trashedTime", "trashingUser", "version",
    "videoMediaMetadata", "viewedByMe", "viewedByMeTime", "viewersCanCopyContent", "webContentLink",
    "webViewLink", "writersCanShare",
];
const FILE_LIST: [&str; 4] = ["kind", "incompleteSearch", "nextPageToken", "files"];
const CHANGE_LIST: [&str; 4] = ["kind", "newStartPageToken", "nextPageToken", "changes"];
const CHANGE: [&str; 10] = [
    "kind",
    "type",
    "changeType",
    "time",
    "removed",
    "fileId",
    "file",
    "driveId",
    "drive",
    "teamDriveId",
];

/// Refuses a mask with unknown names; a mask that is none is refused elsewhere.
pub(super) fn check(call: &Call) -> Result<(), ApiError> {
    let Some(mask) = call.query.first("fields").and_then(Mask::parse) else {
        return Ok(());
    };
    let path: Vec<&str> = call
        .segments
        .iter()
        .map(String::as_str)
        .skip_while(|segment| *segment != "v3")
        .skip(1)
        .collect();
    match (call.method.as_str(), path.as_slice()) {
        ("GET", ["files"]) => {
            known(&mask, &FILE_LIST)?;
            mask.inner("files")
                .map_or(Ok(()), |mask| known(mask, &FILE))
        }
        ("GET", ["changes"]) => {
            known(&mask, &CHANGE_LIST)?;
            let Some(change) = mask.inner("changes") else {
                return Ok(());
            };
            known(change, &CHANGE)?;
            change
                .inner("file")
                .map_or(Ok(()), |mask| known(mask, &FILE))
        }
        (_, ["files", "generateIds" | "trash"]) => Ok(()),
        (_, ["files"] | ["files", _] | ["files", _, "copy"]) => known(&mask, &FILE),
        _ => Ok(()),
    }
}

fn known(mask: &Mask, names: &[&str]) -> Result<(), ApiError> {
    let unknown = mask
        .names()
        .find(|name| *name != "*" && !names.contains(name));
    let Some(name) = unknown else {
        return Ok(());
    };
    let message = format!("Invalid field selection {name}");
    let mut error = ApiError::new(400, "invalidParameter", message);
    error.extra.location = Some(("parameter", "fields"));
    Err(error)
}
