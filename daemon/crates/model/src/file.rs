//! The `file` payload: metadata and permissions of a Drive file or folder. Field for field the
//! record `file` of the contract; how it is made from Google's answer is in the Drive source.

use crate::Participant;
use crate::flag_set::flag_set;
use serde::{Deserialize, Serialize};

/// A Drive file or folder. Times are milliseconds since 1970-01-01T00:00:00Z, sizes are bytes.
/// Google's fields: <https://developers.google.com/workspace/drive/api/reference/rest/v3/files>.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct File {
    /// Drive's file id (`id`).
    pub id: String,
    /// Name (`name`).
    pub name: String,
    /// Media type (`mimeType`); folders and Google documents have Google's own.
    pub mime_type: String,
    /// Description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Name of the shared drive; absent in My Drive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drive_name: Option<String>,
    /// Ids of the parent folders; at most one today (`parents`).
    pub parents: Vec<String>,
    /// Path from the drive's root, where all folders are visible; a snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Owners; none in a shared drive (`owners`).
    pub owners: Vec<Participant>,
    /// Who changed it last (`lastModifyingUser`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified_by: Option<Participant>,
    /// Who shared it with the user (`sharingUser`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sharing_user: Option<Participant>,
    /// When it was made (`createdTime`).
    pub created: i64,
    /// When its content changed (`modifiedTime`).
    pub modified: i64,
    /// When it was shared with the user (`sharedWithMeTime`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_with_me_at: Option<i64>,
    /// Size; absent for folders (`size`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// MD5 of the content, lower-case hex; absent for Google documents (`md5Checksum`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub md5: Option<String>,
    /// SHA-256 of the content, lower-case hex (`sha256Checksum`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Yes and no.
    pub flags: FileFlags,
    /// Who put it into the bin (`trashingUser`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trashed_by: Option<Participant>,
    /// Where a shortcut points (`shortcutDetails`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shortcut: Option<Shortcut>,
    /// Link to it in the web interface (`webViewLink`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Who may do what (`permissions`).
    pub permissions: Vec<Permission>,
}

flag_set! {
    /// Yes and no of a file.
    FileFlags {
        /// In the bin, itself or a folder above it (`trashed`).
        TRASHED = 0, "trashed";
        /// Starred by the user (`starred`).
        STARRED = 1, "starred";
        /// Shared with anybody at all (`shared`).
        SHARED = 2, "shared";
        /// Owned by the user (`ownedByMe`).
        OWNED_BY_ME = 3, "owned_by_me";
    }
}

/// Where a shortcut points.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shortcut {
    /// Target's id.
    pub target_id: String,
    /// Target's media type, as it was when the shortcut was made.
    pub target_mime_type: String,
}

/// One permission of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permission {
    /// Drive's id of it.
    pub id: String,
    /// Google's `type`: `user`, `group`, `domain`, `anyone` (may grow).
    pub kind: String,
    /// Google's `role`: `owner`, `organizer`, `fileOrganizer`, `writer`, `commenter`, `reader`
    /// (may grow).
    pub role: String,
    /// Address of a user or group, or a domain's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grantee: Option<String>,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<i64>,
    /// Comes from a folder above.
    pub inherited: bool,
    /// Not accepted yet.
    pub pending: bool,
}
