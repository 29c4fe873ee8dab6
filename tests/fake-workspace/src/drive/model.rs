//! What Drive holds, as plain data: files, permissions, shared drives, contents. Rules of access are in `store.rs`,
//! changes in `edit.rs`, JSON in `view.rs`.

use super::access_list::AccessList;
use super::checksum::Checksums;
use crate::workspace::UserIndex;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

pub(crate) const FOLDER: &str = "application/vnd.google-apps.folder";
pub(crate) const SHORTCUT: &str = "application/vnd.google-apps.shortcut";
pub(crate) const DOCUMENT: &str = "application/vnd.google-apps.document";
pub(crate) const SPREADSHEET: &str = "application/vnd.google-apps.spreadsheet";
/// What the MIME types of Google's own editors and items begin with.
pub(crate) const NATIVE: &str = "application/vnd.google-apps.";

/// An opaque id: 33 characters for a file, 19 for a root or a shared drive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FileId(pub(crate) Arc<str>);

impl FileId {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for FileId {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

/// Lets maps be asked with the text of an id.
impl std::borrow::Borrow<str> for FileId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// What a permission allows, from least to most. `Owner` is for My Drive, the two above `Writer` for shared drives.
///
/// See <https://developers.google.com/workspace/drive/api/guides/ref-roles>.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Role {
    Reader,
    Commenter,
    Writer,
    FileOrganizer,
    Organizer,
    Owner,
}

impl Role {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Commenter => "commenter",
            Self::Writer => "writer",
            Self::FileOrganizer => "fileOrganizer",
            Self::Organizer => "organizer",
            Self::Owner => "owner",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [
            Self::Reader,
            Self::Commenter,
            Self::Writer,
            Self::FileOrganizer,
            Self::Organizer,
            Self::Owner,
        ]
        .into_iter()
        .find(|role| role.as_str() == text)
    }
}

/// Whom a permission is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Grantee {
    /// A user of the domain, under whatever address.
    Member(UserIndex),
    /// An address outside, in lower case.
    Outsider(Arc<str>),
    /// A group's address; groups have no members here.
    Group(Arc<str>),
    Domain(Arc<str>),
    Anyone,
}

/// One entry of the access list of one item; never an inherited one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Permission {
    pub(crate) grantee: Grantee,
    pub(crate) role: Role,
    /// For domains and anyone: found by search, or only through the link.
    pub(crate) discoverable: bool,
    /// Milliseconds since 1970.
    pub(crate) expires: Option<i64>,
    pub(crate) granted: i64,
    pub(crate) granted_by: Option<UserIndex>,
}

impl Permission {
    pub(crate) fn new(grantee: Grantee, role: Role, now: i64, by: Option<UserIndex>) -> Self {
        Self {
            grantee,
            role,
            discoverable: false,
            expires: None,
            granted: now,
            granted_by: by,
        }
    }

    pub(crate) fn owner(user: UserIndex, now: i64) -> Self {
        Self::new(Grantee::Member(user), Role::Owner, now, None)
    }
}

/// The bytes of a file; generated ones are made anew at each look.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    Stored(Bytes),
    Generated { seed: u64, size: u32 },
}

/// One state of a file's content.
#[derive(Debug, Clone)]
pub(crate) struct Revision {
    pub(crate) id: Arc<str>,
    pub(crate) content: Content,
    pub(crate) mime_type: Arc<str>,
    pub(crate) modified: i64,
    pub(crate) modified_by: Option<UserIndex>,
    pub(crate) keep_forever: bool,
    sums: Arc<OnceLock<Checksums>>,
}

impl Revision {
    pub(crate) fn new(
        id: Arc<str>,
        content: Content,
        mime_type: Arc<str>,
        now: i64,
        by: Option<UserIndex>,
    ) -> Self {
        Self {
            id,
            content,
            mime_type,
            modified: now,
            modified_by: by,
            keep_forever: false,
            sums: Arc::default(),
        }
    }

    pub(crate) fn bytes(&self) -> Bytes {
        match &self.content {
            Content::Stored(bytes) => bytes.clone(),
            Content::Generated { seed, size } => {
                crate::generate::drive::content(*seed, *size, &self.mime_type)
            }
        }
    }

    pub(crate) fn size(&self) -> usize {
        match &self.content {
            Content::Stored(bytes) => bytes.len(),
            Content::Generated { size, .. } => *size as usize,
        }
    }

    /// Computed at the first look.
    pub(crate) fn sums(&self) -> &Checksums {
        self.sums.get_or_init(|| Checksums::of(&self.bytes()))
    }
}

/// Where a shortcut leads.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) id: FileId,
    /// As it was when the shortcut was made.
    pub(crate) mime_type: Arc<str>,
}

/// A file, folder, shortcut, or the root of a drive.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) id: FileId,
    pub(crate) name: String,
    pub(crate) mime_type: Arc<str>,
    /// Absent for roots only.
    pub(crate) parent: Option<FileId>,
    /// The shared drive that it is in; absent in My Drive.
    pub(crate) drive: Option<FileId>,
    /// Absent in shared drives.
    pub(crate) owner: Option<UserIndex>,
    pub(crate) permissions: AccessList,
    /// A limited-access folder.
    pub(crate) limited: bool,
    pub(crate) explicitly_trashed: Option<Trashed>,
    pub(crate) created: i64,
    pub(crate) modified: i64,
    pub(crate) modified_by: Option<UserIndex>,
    pub(crate) version: u64,
    /// The last is the head; empty for folders and shortcuts.
    pub(crate) revisions: Vec<Revision>,
    pub(crate) target: Option<Target>,
    /// Made through the API, and so within reach of the scope drive.file.
    pub(crate) by_app: bool,
    pub(crate) description: Option<String>,
    /// Boxed, for most files have none of it.
    pub(crate) rare: Option<Box<Rare>>,
}

/// When and by whom a file was trashed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trashed {
    pub(crate) time: i64,
    pub(crate) by: Option<UserIndex>,
}

/// What few files have.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rare {
    pub(crate) starred: BTreeSet<UserIndex>,
    pub(crate) viewed: BTreeMap<UserIndex, i64>,
    pub(crate) modified_by_user: BTreeMap<UserIndex, i64>,
    pub(crate) properties: BTreeMap<String, String>,
    pub(crate) app_properties: BTreeMap<String, String>,
    pub(crate) folder_color: Option<String>,
    pub(crate) original_filename: Option<String>,
    pub(crate) copy_requires_writer: bool,
    pub(crate) writers_cannot_share: bool,
    /// The reason of a read-only restriction, by whom and when.
    pub(crate) read_only: Option<(String, UserIndex, i64)>,
}

impl File {
    pub(crate) fn is_folder(&self) -> bool {
        &*self.mime_type == FOLDER
    }

    pub(crate) fn is_root(&self) -> bool {
        self.parent.is_none()
    }

    /// Whether it is the root of a shared drive, whose permissions are the members.
    pub(crate) fn is_shared_root(&self) -> bool {
        self.is_root() && self.drive.is_some()
    }

    /// A document of Google's editors, a folder or a shortcut, rather than bytes.
    pub(crate) fn is_native(&self) -> bool {
        self.mime_type.starts_with(NATIVE)
    }

    pub(crate) fn head(&self) -> Option<&Revision> {
        self.revisions.last()
    }

    pub(crate) fn rare(&self) -> &Rare {
        static NOTHING: Rare = Rare {
            starred: BTreeSet::new(),
            viewed: BTreeMap::new(),
            modified_by_user: BTreeMap::new(),
            properties: BTreeMap::new(),
            app_properties: BTreeMap::new(),
            folder_color: None,
            original_filename: None,
            copy_requires_writer: false,
            writers_cannot_share: false,
            read_only: None,
        };
        self.rare.as_deref().unwrap_or(&NOTHING)
    }

    pub(crate) fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }
}

/// A shared drive; its members are the permissions of its root, which has the same id.
#[derive(Debug, Clone)]
pub(crate) struct SharedDrive {
    pub(crate) id: FileId,
    pub(crate) created: i64,
    pub(crate) hidden_by: BTreeSet<UserIndex>,
    pub(crate) theme: String,
    pub(crate) domain_users_only: bool,
    pub(crate) members_only: bool,
    pub(crate) copy_requires_writer: bool,
    pub(crate) sharing_folders_requires_organizer: bool,
}
