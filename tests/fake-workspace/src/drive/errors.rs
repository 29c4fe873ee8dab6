//! Refusals in Drive's own words.
//!
//! See <https://developers.google.com/workspace/drive/api/guides/handle-errors>.

use crate::error::ApiError;

fn at(mut error: ApiError, place: &'static str) -> ApiError {
    error.extra.location = Some(("parameter", place));
    error
}

/// 404; also for what exists but is out of the caller's sight.
pub(super) fn file_not_found(id: &str) -> ApiError {
    at(
        ApiError::new(404, "notFound", format!("File not found: {id}.")),
        "fileId",
    )
}

pub(super) fn drive_not_found(id: &str) -> ApiError {
    at(
        ApiError::new(404, "notFound", format!("Shared drive not found: {id}")),
        "driveId",
    )
}

pub(super) fn permission_not_found(id: &str) -> ApiError {
    at(
        ApiError::new(404, "notFound", format!("Permission not found: {id}.")),
        "permissionId",
    )
}

pub(super) fn revision_not_found(id: &str) -> ApiError {
    at(
        ApiError::new(404, "notFound", format!("Revision not found: {id}.")),
        "revisionId",
    )
}

/// 400 for a parameter that cannot be read.
pub(super) fn invalid(place: &'static str) -> ApiError {
    at(ApiError::new(400, "invalid", "Invalid Value"), place)
}

pub(super) fn bad_request(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "badRequest", message)
}

pub(super) fn required(place: &'static str, message: impl Into<String>) -> ApiError {
    at(ApiError::new(400, "required", message), place)
}

pub(super) fn parse_error() -> ApiError {
    ApiError::new(400, "parseError", "Parse Error")
}

/// 403: the role is too small for what was asked.
pub(super) fn insufficient() -> ApiError {
    ApiError::new(
        403,
        "insufficientFilePermissions",
        "The user does not have sufficient permissions for this file.",
    )
}

pub(super) fn insufficient_parent() -> ApiError {
    ApiError::new(
        403,
        "insufficientParentPermissions",
        "Insufficient permissions for the specified parent.",
    )
}

pub(super) fn parent_not_a_folder() -> ApiError {
    ApiError::new(
        403,
        "parentNotAFolder",
        "The specified parent is not a folder.",
    )
}

pub(super) fn cannot_add_parent() -> ApiError {
    ApiError::new(
        403,
        "cannotAddParent",
        "Increasing the number of parents is not allowed",
    )
}

pub(super) fn not_writable(message: &str) -> ApiError {
    ApiError::new(403, "fieldNotWritable", message)
}

pub(super) fn membership_required() -> ApiError {
    ApiError::new(
        403,
        "teamDriveMembershipRequired",
        "The attempted action requires shared drive membership.",
    )
}

pub(super) fn drive_id_needs_corpora() -> ApiError {
    ApiError::new(
        403,
        "teamDriveIdRequiresTeamDriveCorpora",
        "The driveId parameter must be specified if and only if corpora is set to drive.",
    )
}

pub(super) fn include_required() -> ApiError {
    ApiError::new(
        403,
        "includeTeamDriveItemsRequired",
        "The includeItemsFromAllDrives parameter must be set to true when driveId is specified or \
         corpora contains drive or allDrives.",
    )
}

pub(super) fn support_required() -> ApiError {
    ApiError::new(
        403,
        "teamDrivesNotSupported",
        "The supportsAllDrives parameter must be set to true when includeItemsFromAllDrives is true \
         or driveId is specified.",
    )
}

pub(super) fn not_downloadable() -> ApiError {
    at(
        ApiError::new(
            403,
            "fileNotDownloadable",
            "Only files with binary content can be downloaded. Use Export with Docs Editors files.",
        ),
        "alt",
    )
}

pub(super) fn not_exportable() -> ApiError {
    ApiError::new(
        403,
        "fileNotExportable",
        "Export only supports Docs Editors files.",
    )
}

pub(super) fn invalid_sharing(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "invalidSharingRequest", message)
}
