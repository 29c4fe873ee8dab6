//! Drive's reads for one user, metadata only. The scope refuses `drives.list` and `drives.get`,
//! so which shared drives there are shows in changes and in the `driveId` of files. Every list
//! names its page tokens in `fields`: without them Drive gives the first page and no sign that
//! there are more. <https://developers.google.com/workspace/drive/api/reference/rest/v3>

use super::SCOPES_DRIVE;
use super::decode::{self, BadItem};
use super::drive_file::{self, DriveFile, DrivePermission, file_fields};
use crate::Error;
use crate::endpoint::Api;
use crate::http::{CallContext, Get, Transport, segment};
use crate::quota::Purpose;
use bytes::Bytes;
use nuncio_model::{AccountKey, Address, ItemId};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::sync::Arc;

/// Drive takes no more for files and changes.
/// <https://developers.google.com/workspace/drive/api/reference/rest/v3/changes/list>
const LARGEST_PAGE: u16 = 1_000;

/// Drive takes no more for permissions.
/// <https://developers.google.com/workspace/drive/api/reference/rest/v3/permissions/list>
const LARGEST_PERMISSIONS_PAGE: &str = "100";

const ABOUT: &str = "drive.about.get";
const START: &str = "drive.changes.getStartPageToken";
const CHANGES: &str = "drive.changes.list";
const LIST: &str = "drive.files.list";
const FILE: &str = "drive.files.get";
const PERMISSIONS: &str = "drive.permissions.list";

const FIELDS_CHANGES: &str = concat!(
    "nextPageToken,newStartPageToken,changes(changeType,removed,fileId,driveId,drive(name),file(",
    file_fields!(),
    "))"
);
const FIELDS_FILES: &str = concat!("nextPageToken,incompleteSearch,files(", file_fields!(), ")");
const FIELDS_NAMES: &str = "nextPageToken,incompleteSearch,files(id,version,name,mimeType,parents)";
const FIELDS_DRIVE_IDS: &str =
    "nextPageToken,incompleteSearch,files(id,driveId,capabilities(canReadDrive))";
const FIELDS_PERMISSIONS: &str = "nextPageToken,permissions(id,type,role,emailAddress,domain,\
expirationTime,pendingOwner,permissionDetails(inherited))";

/// The client of one user. Clones are cheap.
#[derive(Clone)]
pub struct Drive {
    transport: Arc<Transport>,
    account: AccountKey,
    address: Address,
}

/// A page of changes. Each tells the state of now, not what happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangePage {
    /// The changes, oldest first.
    pub changes: Vec<DriveChange>,
    /// What could not be read.
    pub bad: Vec<BadItem>,
    /// The position after this page, and whether there are more pages.
    pub next: NextChanges,
}

/// How a change log goes on. The reference promises exactly one of the two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextChanges {
    /// There are more changes at this token.
    More(String),
    /// This is the end; changes to come are at this token.
    End(String),
}

/// One entry of a change log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DriveChange {
    /// A file or folder.
    File {
        /// The file.
        id: ItemId,
        /// Gone from this log: deleted, or out of the user's sight, or in another drive.
        removed: bool,
        /// Its state; also of a removed one that the user can still open.
        file: Option<Box<DriveFile>>,
    },
    /// A shared drive itself: the user's membership or role, the drive's name.
    Drive {
        /// The drive.
        id: String,
        /// The user is no member any more, or the drive is gone.
        removed: bool,
        /// Its name, where it is told.
        name: Option<String>,
    },
}

/// Which files to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListFiles {
    /// The shared drive; none: what is the user's own or was shared with the user
    /// (`corpora=user`).
    pub drive_id: Option<String>,
    /// Drive's search words; empty is all, trashed files included.
    pub q: String,
    /// Only id, version, name, type and parents of each, to save bytes.
    pub names_only: bool,
    /// Items per page, 1 to 1,000; 0 is 1,000.
    pub page_size: u16,
    /// From the page before; lives some hours.
    pub page_token: Option<String>,
}

/// A page of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePage {
    /// The files.
    pub files: Vec<DriveFile>,
    /// What could not be read.
    pub bad: Vec<BadItem>,
    /// How to ask for the next page; none on the last one.
    pub next_page: Option<String>,
    /// Drive did not search everything. It says nothing of further pages.
    pub incomplete: bool,
}

/// A page of the search for shared drives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriveIdPage {
    /// Shared drives of which the user is a member, as this page's files show them; sorted.
    pub drives: Vec<String>,
    /// How to ask for the next page; none on the last one.
    pub next_page: Option<String>,
    /// Drive did not search everything.
    pub incomplete: bool,
}

/// What the user may do with the top folder of a shared drive; the roles differ by it.
/// <https://developers.google.com/workspace/drive/api/guides/ref-roles>
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RootRights {
    /// `canDeleteChildren`: managers.
    pub can_delete_children: bool,
    /// `canTrashChildren`: content managers, too.
    pub can_trash_children: bool,
    /// `canAddChildren`: contributors, too.
    pub can_add_children: bool,
    /// `canComment`: commenters, too.
    pub can_comment: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListWire<'a> {
    #[serde(borrow)]
    files: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    changes: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    permissions: Option<Vec<&'a RawValue>>,
    next_page_token: Option<String>,
    new_start_page_token: Option<String>,
    incomplete_search: Option<bool>,
}

impl ListWire<'_> {
    fn next_page(&self) -> Option<String> {
        self.next_page_token
            .clone()
            .filter(|token| !token.is_empty())
    }
}

impl Drive {
    pub(crate) fn new(transport: Arc<Transport>, account: AccountKey, address: Address) -> Self {
        Self {
            transport,
            account,
            address,
        }
    }

    /// The user's primary address, as Google writes it.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn about(&self) -> Result<String, Error> {
        let query = [("fields", "user(emailAddress)")];
        let value = self.value(ABOUT, "about", &query).await?;
        let address = value["user"]["emailAddress"].as_str();
        address.map(str::to_owned).ok_or_else(|| Error::Decode {
            method: ABOUT,
            what: "it has no user.emailAddress".into(),
        })
    }

    /// The position of now in the user's log, or in that of a shared drive.
    ///
    /// # Errors
    /// See [`Error`]; for who is no member, [`crate::Fault::NotFound`] or
    /// [`crate::Fault::Forbidden`].
    pub async fn start_token(&self, drive_id: Option<&str>) -> Result<String, Error> {
        let mut query = vec![("fields", "startPageToken"), ("supportsAllDrives", "true")];
        query.extend(drive_id.map(|id| ("driveId", id)));
        let value = self.value(START, "changes/startPageToken", &query).await?;
        let token = value["startPageToken"]
            .as_str()
            .filter(|token| !token.is_empty());
        token.map(str::to_owned).ok_or_else(|| Error::Decode {
            method: START,
            what: "it has no startPageToken".into(),
        })
    }

    /// One page of the user's log, or of a shared drive's, from `token` on. What left the log
    /// but can still be opened comes with its state (`includeCorpusRemovals`).
    ///
    /// # Errors
    /// See [`Error`]; a token that Google does not take is 400, 404 or 410.
    pub async fn changes(
        &self,
        token: &str,
        drive_id: Option<&str>,
        page_size: u16,
    ) -> Result<ChangePage, Error> {
        let page_size = size(page_size);
        let mut query = vec![
            ("fields", FIELDS_CHANGES),
            ("pageToken", token),
            ("pageSize", page_size.as_str()),
            ("includeRemoved", "true"),
            ("includeItemsFromAllDrives", "true"),
            ("supportsAllDrives", "true"),
            ("includeCorpusRemovals", "true"),
        ];
        query.extend(drive_id.map(|id| ("driveId", id)));
        let body = self.get(CHANGES, "changes", &query).await?;
        read_changes(&body)
    }

    /// One page of files. An answer lists all of a page or is an error.
    ///
    /// # Errors
    /// See [`Error`]; a page token that is too old is 400.
    pub async fn list_files(&self, list: &ListFiles) -> Result<FilePage, Error> {
        let page_size = size(list.page_size);
        let fields = if list.names_only {
            FIELDS_NAMES
        } else {
            FIELDS_FILES
        };
        let mut query = vec![
            ("fields", fields),
            ("pageSize", page_size.as_str()),
            ("includeItemsFromAllDrives", "true"),
            ("supportsAllDrives", "true"),
        ];
        match &list.drive_id {
            Some(id) => query.extend([("corpora", "drive"), ("driveId", id.as_str())]),
            None => query.push(("corpora", "user")),
        }
        if !list.q.is_empty() {
            query.push(("q", &list.q));
        }
        query.extend(list.page_token.as_deref().map(|token| ("pageToken", token)));
        let body = self.get(LIST, "files", &query).await?;
        read_files(&body)
    }

    /// One page of a search over all that the user can find which is not the user's own, for
    /// nothing but the shared drives in it.
    ///
    /// # Errors
    /// See [`Error`]; a page token that is too old is 400.
    pub async fn list_drive_ids(&self, page_token: Option<&str>) -> Result<DriveIdPage, Error> {
        let mut query = vec![
            ("fields", FIELDS_DRIVE_IDS),
            ("pageSize", "1000"),
            ("corpora", "allDrives"),
            ("includeItemsFromAllDrives", "true"),
            ("supportsAllDrives", "true"),
            ("q", "not 'me' in owners"),
        ];
        query.extend(page_token.map(|token| ("pageToken", token)));
        let body = self.get(LIST, "files", &query).await?;
        let text = decode::text(&body);
        let wire: ListWire<'_> = decode::whole(LIST, &text)?;
        let files = values(wire.files.as_deref().unwrap_or_default());
        let of_member = |file: &Value| {
            let member = file["capabilities"]["canReadDrive"] != Value::Bool(false);
            let id = file["driveId"].as_str().filter(|_| member)?;
            Some(id.to_owned())
        };
        let mut drives: Vec<String> = files.iter().filter_map(of_member).collect();
        drives.sort_unstable();
        drives.dedup();
        Ok(DriveIdPage {
            drives,
            next_page: wire.next_page(),
            incomplete: wire.incomplete_search.unwrap_or(false),
        })
    }

    /// One file; `root` is the top folder of the user's My Drive, a shared drive's id its own.
    ///
    /// # Errors
    /// See [`Error`]; a file that is gone or out of sight is [`crate::Fault::NotFound`].
    pub async fn file(&self, id: &str) -> Result<DriveFile, Error> {
        let value = self.one(id, file_fields!()).await?;
        drive_file::file(&value, 0).map_err(|bad| Error::Decode {
            method: FILE,
            what: bad.reason,
        })
    }

    /// What the user may do with the top folder of a shared drive.
    ///
    /// # Errors
    /// See [`Error`]; for who does not see it, [`crate::Fault::NotFound`].
    pub async fn root_rights(&self, drive_id: &str) -> Result<RootRights, Error> {
        const FIELDS: &str =
            "capabilities(canDeleteChildren,canTrashChildren,canAddChildren,canComment)";
        let value = self.one(drive_id, FIELDS).await?;
        let can = |name: &str| value["capabilities"][name] == Value::Bool(true);
        Ok(RootRights {
            can_delete_children: can("canDeleteChildren"),
            can_trash_children: can("canTrashChildren"),
            can_add_children: can("canAddChildren"),
            can_comment: can("canComment"),
        })
    }

    /// One page of a file's permissions, and how to ask for the next. One without an id is left
    /// out.
    ///
    /// # Errors
    /// See [`Error`]; who may not list them gets [`crate::Fault::Forbidden`].
    pub async fn permissions(
        &self,
        id: &str,
        page_token: Option<&str>,
    ) -> Result<(Vec<DrivePermission>, Option<String>), Error> {
        let segment = path_of(PERMISSIONS, id)?;
        let mut query = vec![
            ("fields", FIELDS_PERMISSIONS),
            ("pageSize", LARGEST_PERMISSIONS_PAGE),
            ("supportsAllDrives", "true"),
        ];
        query.extend(page_token.map(|token| ("pageToken", token)));
        let body = self
            .get(PERMISSIONS, &format!("{segment}/permissions"), &query)
            .await?;
        let text = decode::text(&body);
        let wire: ListWire<'_> = decode::whole(PERMISSIONS, &text)?;
        let permissions = values(wire.permissions.as_deref().unwrap_or_default());
        let permissions = permissions.iter().filter_map(drive_file::permission);
        Ok((permissions.collect(), wire.next_page()))
    }

    async fn one(&self, id: &str, fields: &str) -> Result<Value, Error> {
        let path = path_of(FILE, id)?;
        let query = [("fields", fields), ("supportsAllDrives", "true")];
        self.value(FILE, &path, &query).await
    }

    async fn value(
        &self,
        method: &'static str,
        path: &str,
        query: &[(&'static str, &str)],
    ) -> Result<Value, Error> {
        let body = self.get(method, path, query).await?;
        decode::whole(method, &decode::text(&body))
    }

    async fn get(
        &self,
        method: &'static str,
        path: &str,
        query: &[(&'static str, &str)],
    ) -> Result<Bytes, Error> {
        let context = CallContext {
            method,
            mailbox: self.account.as_str(),
            subject: Some(self.address.as_str()),
            scopes: SCOPES_DRIVE,
            // Only walks list files; whoever keeps up reads changes.
            purpose: match method {
                LIST => Purpose::Walk,
                _ => Purpose::Live,
            },
        };
        let get = Get {
            api: Api::Drive,
            path: &format!("drive/v3/{path}"),
            query,
        };
        self.transport.get(&context, &get).await
    }
}

impl std::fmt::Debug for Drive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Drive({})", self.address)
    }
}

fn path_of(method: &'static str, id: &str) -> Result<String, Error> {
    let segment = segment(id).ok_or(Error::Request {
        method,
        what: "the file id is unusable",
    })?;
    Ok(format!("files/{segment}"))
}

fn size(wanted: u16) -> String {
    let size = match wanted {
        0 => LARGEST_PAGE,
        wanted => wanted.min(LARGEST_PAGE),
    };
    size.to_string()
}

/// Each item by itself; one that is no JSON is null.
fn values(items: &[&RawValue]) -> Vec<Value> {
    let read = |item: &&RawValue| serde_json::from_str(item.get()).unwrap_or_default();
    items.iter().map(read).collect()
}

/// Reads a page of files.
pub(super) fn read_files(body: &[u8]) -> Result<FilePage, Error> {
    let text = decode::text(body);
    let wire: ListWire<'_> = decode::whole(LIST, &text)?;
    let (mut files, mut bad) = (Vec::new(), Vec::new());
    let items = values(wire.files.as_deref().unwrap_or_default());
    for (position, item) in items.iter().enumerate() {
        match drive_file::file(item, position) {
            Ok(file) => files.push(file),
            Err(item) => bad.push(item),
        }
    }
    Ok(FilePage {
        files,
        bad,
        next_page: wire.next_page(),
        incomplete: wire.incomplete_search.unwrap_or(false),
    })
}

/// Reads a page of changes.
pub(super) fn read_changes(body: &[u8]) -> Result<ChangePage, Error> {
    let text = decode::text(body);
    let wire: ListWire<'_> = decode::whole(CHANGES, &text)?;
    let start = wire.new_start_page_token.clone();
    let end = start
        .filter(|token| !token.is_empty())
        .map(NextChanges::End);
    let next = wire.next_page().map(NextChanges::More).or(end);
    let next = next.ok_or_else(|| Error::Decode {
        method: CHANGES,
        what: "it has no nextPageToken and no newStartPageToken".into(),
    })?;
    let (mut changes, mut bad) = (Vec::new(), Vec::new());
    let items = values(wire.changes.as_deref().unwrap_or_default());
    for (position, item) in items.iter().enumerate() {
        match change(item, position) {
            Ok(change) => changes.push(change),
            Err(item) => bad.push(item),
        }
    }
    Ok(ChangePage { changes, bad, next })
}

fn change(item: &Value, position: usize) -> Result<DriveChange, BadItem> {
    let text = |name: &str| {
        let text = item[name].as_str().filter(|text| !text.is_empty());
        text.map(str::to_owned)
    };
    let removed = item["removed"] == Value::Bool(true);
    let is_of_drive = item["changeType"] == "drive";
    match (text("fileId"), text("driveId")) {
        (Some(id), _) if !is_of_drive => {
            let file = match &item["file"] {
                Value::Null => None,
                // What cannot be read of a file that is gone is not missed.
                file => match drive_file::file(file, position) {
                    Ok(file) => Some(Box::new(file)),
                    Err(_) if removed => None,
                    Err(bad) => {
                        return Err(BadItem {
                            id: Some(ItemId::new(id)),
                            ..bad
                        });
                    }
                },
            };
            Ok(DriveChange::File {
                id: ItemId::new(id),
                removed,
                file,
            })
        }
        (None, Some(id)) | (Some(_), Some(id)) => Ok(DriveChange::Drive {
            id,
            removed,
            name: item["drive"]["name"].as_str().map(str::to_owned),
        }),
        _ => Err(BadItem {
            position,
            reason: "the change names no file and no shared drive".to_owned(),
            id: None,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn changes_are_read_one_by_one() {
        let body = json!({
            "newStartPageToken": "9",
            "changes": [
                {"changeType": "file", "removed": false, "fileId": "a", "file": {"id": "a", "version": "2"}},
                {"changeType": "file", "removed": true, "fileId": "b"},
                {"changeType": "file", "removed": true, "fileId": "c", "file": {"id": "c", "version": "2", "driveId": "0A"}},
                {"changeType": "drive", "removed": false, "driveId": "0A", "drive": {"name": "Team"}},
                {"changeType": "drive", "removed": true, "driveId": "0B"},
                {"changeType": "file", "fileId": "d", "file": {"id": "d", "version": "planted"}},
                {"changeType": "comet"},
                7,
            ]
        });
        let page = read_changes(body.to_string().as_bytes()).unwrap();
        assert_eq!(page.next, NextChanges::End("9".into()));
        assert_eq!(page.changes.len(), 5);
        assert!(
            matches!(&page.changes[2], DriveChange::File { removed: true, file: Some(file), .. }
                if file.drive_id.as_deref() == Some("0A"))
        );
        assert!(
            matches!(&page.changes[3], DriveChange::Drive { removed: false, name, .. }
                if name.as_deref() == Some("Team"))
        );
        let bad: Vec<_> = page
            .bad
            .iter()
            .map(|bad| (bad.position, bad.id.clone()))
            .collect();
        assert_eq!(bad, [(5, Some(ItemId::new("d"))), (6, None), (7, None)]);
    }

    #[test]
    fn a_page_that_does_not_say_how_to_go_on_is_refused() {
        let read = |body: &Value| read_changes(body.to_string().as_bytes());
        assert!(read(&json!({"changes": []})).is_err());
        assert!(read(&json!({"newStartPageToken": ""})).is_err());
        let both = read(&json!({"nextPageToken": "n", "newStartPageToken": "s"})).unwrap();
        assert_eq!(both.next, NextChanges::More("n".into()));
    }

    #[test]
    fn an_incomplete_search_still_has_pages() {
        let body = br#"{"incompleteSearch": true, "nextPageToken": "n", "files": [{"id": "f", "version": "1"}, {"id": "g"}]}"#;
        let page = read_files(body).unwrap();
        assert!(page.incomplete);
        assert_eq!(page.next_page.as_deref(), Some("n"));
        assert_eq!((page.files.len(), page.bad.len()), (1, 1));
    }

    #[test]
    fn each_list_asks_for_its_tokens() {
        for fields in [
            FIELDS_FILES,
            FIELDS_NAMES,
            FIELDS_CHANGES,
            FIELDS_DRIVE_IDS,
            FIELDS_PERMISSIONS,
        ] {
            assert!(fields.starts_with("nextPageToken,"), "{fields}");
            assert!(!fields.contains(char::is_whitespace), "{fields}");
        }
        assert!(FIELDS_CHANGES.contains(",newStartPageToken,"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(body in prop::collection::vec(any::<u8>(), 0..200)) {
            drop(read_changes(&body));
            drop(read_files(&body));
        }
    }
}
