//! The body of files.create, update and copy as typed values; what cannot be written is refused here.

use super::errors;
use super::model::Rare;
use crate::error::ApiError;
use serde_json::Value;
use std::collections::BTreeMap;

/// Fields that only Google writes.
const READ_ONLY: [&str; 30] = [
    "capabilities",
    "driveId",
    "explicitlyTrashed",
    "exportLinks",
    "fileExtension",
    "fullFileExtension",
    "hasAugmentedPermissions",
    "hasThumbnail",
    "headRevisionId",
    "iconLink",
    "isAppAuthorized",
    "lastModifyingUser",
    "md5Checksum",
    "modifiedByMe",
    "ownedByMe",
    "owners",
    "permissionIds",
    "permissions",
    "quotaBytesUsed",
    "sha1Checksum",
    "sha256Checksum",
    "shared",
    "sharedWithMeTime",
    "sharingUser",
    "size",
    "spaces",
    "trashingUser",
    "version",
    "viewedByMe",
    "webViewLink",
];

/// New values of a file; what is absent stays.
#[derive(Debug, Default)]
pub(crate) struct Patch {
    pub(crate) id: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) mime_type: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) parents: Option<Vec<String>>,
    pub(crate) target: Option<String>,
    pub(crate) starred: Option<bool>,
    pub(crate) trashed: Option<bool>,
    pub(crate) limited: Option<bool>,
    pub(crate) copy_requires_writer: Option<bool>,
    pub(crate) writers_can_share: Option<bool>,
    pub(crate) created: Option<i64>,
    pub(crate) modified: Option<i64>,
    pub(crate) viewed: Option<i64>,
    pub(crate) folder_color: Option<String>,
    pub(crate) original_filename: Option<String>,
    /// A null value takes the key away.
    pub(crate) properties: BTreeMap<String, Option<String>>,
    pub(crate) app_properties: BTreeMap<String, Option<String>>,
    /// The reason of a read-only restriction, or its end.
    pub(crate) read_only: Option<Option<String>>,
}

impl Patch {
    pub(crate) fn parse(body: &Value) -> Result<Self, ApiError> {
        let members = body.as_object().ok_or_else(errors::parse_error)?;
        if members
            .keys()
            .any(|name| READ_ONLY.contains(&name.as_str()))
        {
            return Err(errors::not_writable(
                "The resource body includes fields which are not directly writable.",
            ));
        }
        Ok(Self {
            id: string(body, "id")?,
            name: string(body, "name")?,
            mime_type: string(body, "mimeType")?,
            description: string(body, "description")?,
            parents: strings(body, "parents")?,
            target: string(&body["shortcutDetails"], "targetId")?,
            starred: flag(body, "starred")?,
            trashed: flag(body, "trashed")?,
            limited: flag(body, "inheritedPermissionsDisabled")?,
            copy_requires_writer: flag(body, "copyRequiresWriterPermission")?,
            writers_can_share: flag(body, "writersCanShare")?,
            created: time(body, "createdTime")?,
            modified: time(body, "modifiedTime")?,
            viewed: time(body, "viewedByMeTime")?,
            folder_color: string(body, "folderColorRgb")?,
            original_filename: string(body, "originalFilename")?,
            properties: map(body, "properties")?,
            app_properties: map(body, "appProperties")?,
            read_only: restriction(&body["contentRestrictions"][0])?,
        })
    }

    /// Whether the file itself is changed, rather than how one user sees it.
    pub(crate) fn edits(&self) -> bool {
        self.name.is_some()
            || self.description.is_some()
            || self.folder_color.is_some()
            || self.original_filename.is_some()
            || self.mime_type.is_some()
            || !self.properties.is_empty()
            || !self.app_properties.is_empty()
    }
}

fn mistyped() -> ApiError {
    ApiError::new(
        400,
        "invalid",
        "Invalid value for a field of the resource body",
    )
}

fn string(body: &Value, name: &str) -> Result<Option<String>, ApiError> {
    match &body[name] {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        _ => Err(mistyped()),
    }
}

fn strings(body: &Value, name: &str) -> Result<Option<Vec<String>>, ApiError> {
    match &body[name] {
        Value::Null => Ok(None),
        Value::Array(items) => items
            .iter()
            .map(|item| item.as_str().map(str::to_owned))
            .collect::<Option<_>>()
            .map(Some)
            .ok_or_else(mistyped),
        _ => Err(mistyped()),
    }
}

fn flag(body: &Value, name: &str) -> Result<Option<bool>, ApiError> {
    match &body[name] {
        Value::Null => Ok(None),
        Value::Bool(value) => Ok(Some(*value)),
        _ => Err(mistyped()),
    }
}

fn time(body: &Value, name: &str) -> Result<Option<i64>, ApiError> {
    string(body, name)?
        .map(|text| {
            text.parse::<jiff::Timestamp>()
                .map(|time| time.as_millisecond())
                .map_err(|_| mistyped())
        })
        .transpose()
}

fn map(body: &Value, name: &str) -> Result<BTreeMap<String, Option<String>>, ApiError> {
    match &body[name] {
        Value::Null => Ok(BTreeMap::new()),
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| match value {
                Value::Null => Ok((key.clone(), None)),
                Value::String(text) => Ok((key.clone(), Some(text.clone()))),
                _ => Err(mistyped()),
            })
            .collect(),
        _ => Err(mistyped()),
    }
}

fn restriction(value: &Value) -> Result<Option<Option<String>>, ApiError> {
    Ok(flag(value, "readOnly")?.map(|read_only| {
        read_only.then(|| value["reason"].as_str().unwrap_or_default().to_owned())
    }))
}

/// Applies new and removed keys.
pub(crate) fn merge(
    target: impl Fn(&mut Rare) -> &mut BTreeMap<String, String>,
    rare: &mut Rare,
    changes: &BTreeMap<String, Option<String>>,
) {
    for (key, value) in changes {
        match value {
            Some(value) => {
                target(rare).insert(key.clone(), value.clone());
            }
            None => {
                target(rare).remove(key);
            }
        }
    }
}
