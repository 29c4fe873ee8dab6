//! changes.getStartPageToken and changes.list: what entries of the logs show to who reads them.
//!
//! See <https://developers.google.com/workspace/drive/api/reference/rest/v3/changes>.

use super::list::check_member;
use super::log::{Entry, Log, Presence, Subject};
use super::model::{File, FileId};
use super::rules::{Caller, Seen};
use super::store::{Reach, Store};
use super::{asked, check_spaces, errors, flag, open, page_size, reply, view};
use crate::call::{Query, Reply};
use crate::error::ApiError;
use crate::fields::Selection;
use crate::routes::{Context, empty_page};
use crate::wire::{from_token, rfc3339, to_token};
use crate::workspace::Workspace;
use serde_json::{Value, json};

const MAX_PAGE: usize = 1000;
const DEFAULT_FIELDS: &str = "kind,nextPageToken,newStartPageToken,\
    changes(kind,type,changeType,time,removed,fileId,driveId,file(kind,id,name,mimeType),drive(kind,id,name))";

/// Which log is read.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Feed {
    User,
    Drive(FileId),
}

impl Feed {
    fn of(query: &Query, store: &Store, caller: &Caller) -> Result<Self, ApiError> {
        let Some(drive) = query
            .first("driveId")
            .or_else(|| query.first("teamDriveId"))
        else {
            return Ok(Self::User);
        };
        if !caller.all_drives {
            return Err(errors::support_required());
        }
        check_member(store, caller, drive)?;
        Ok(Self::Drive(drive.into()))
    }

    /// A token of one log says nothing to another.
    fn token(&self, number: u64) -> String {
        match self {
            Self::User => number.to_string(),
            Self::Drive(drive) => to_token(&json!([drive.as_str(), number])),
        }
    }

    fn number(&self, token: &str) -> Result<u64, ApiError> {
        let invalid = || errors::invalid("pageToken");
        match self {
            Self::User => token.parse().map_err(|_| invalid()),
            Self::Drive(drive) => {
                let value = from_token(token).ok_or_else(invalid)?;
                value[1]
                    .as_u64()
                    .filter(|_| value[0] == drive.as_str())
                    .ok_or_else(invalid)
            }
        }
    }
}

/// `changes.getStartPageToken`.
pub(super) fn start(context: &Context<'_>) -> Result<Reply, ApiError> {
    let (store, caller) = open(context)?;
    let feed = Feed::of(&context.call.query, &store, &caller)?;
    let number = match &feed {
        Feed::User => store.user_logs.get(&caller.user).map_or(0, Log::next),
        Feed::Drive(drive) => store.drive_logs.get(drive).map_or(0, Log::next),
    };
    Ok(Reply::json(json!({
        "kind": "drive#startPageToken",
        "startPageToken": feed.token(number),
    })))
}

/// What the query asks to see.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    removed: Removed,
    shared_drives: SharedDrives,
    tree: Tree,
    corpus_removals: CorpusRemovals,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Removed {
    Shown,
    Hidden,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SharedDrives {
    Included,
    LeftOut,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tree {
    MyDrive,
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CorpusRemovals {
    WithFile,
    IdOnly,
}

impl Wanted {
    fn of(query: &Query, caller: &Caller) -> Result<Self, ApiError> {
        let include = flag(query, "includeItemsFromAllDrives", "includeTeamDriveItems");
        if include && !caller.all_drives {
            return Err(errors::support_required());
        }
        Ok(Self {
            removed: match query.first("includeRemoved") {
                Some("false") => Removed::Hidden,
                _ => Removed::Shown,
            },
            shared_drives: if include {
                SharedDrives::Included
            } else {
                SharedDrives::LeftOut
            },
            tree: if query.flag("restrictToMyDrive") {
                Tree::MyDrive
            } else {
                Tree::All
            },
            corpus_removals: if query.flag("includeCorpusRemovals") {
                CorpusRemovals::WithFile
            } else {
                CorpusRemovals::IdOnly
            },
        })
    }
}

/// `changes.list`.
pub(super) fn list(context: &Context<'_>) -> Result<Reply, ApiError> {
    let (store, caller) = open(context)?;
    let query = &context.call.query;
    check_spaces(query)?;
    let size = page_size(query, 100, MAX_PAGE)?;
    let feed = Feed::of(query, &store, &caller)?;
    let wanted = Wanted::of(query, &caller)?;
    if feed != Feed::User && wanted.shared_drives == SharedDrives::LeftOut {
        return Err(errors::include_required());
    }
    let token = query
        .first("pageToken")
        .ok_or_else(|| errors::required("pageToken", "Required parameter: pageToken"))?;
    let number = feed.number(token)?;
    let log = match &feed {
        Feed::User => store.user_logs.get(&caller.user),
        Feed::Drive(drive) => store.drive_logs.get(drive),
    };
    let log = log
        .filter(|log| log.reaches(number))
        .ok_or_else(|| errors::invalid("pageToken"))?;
    if context.empty_page {
        return Ok(empty_page(
            json!({ "kind": "drive#changeList", "changes": [] }),
            token,
        ));
    }
    let mask = asked(context, DEFAULT_FIELDS);
    let reader = Reader {
        workspace: context.workspace,
        store: &store,
        caller: &caller,
        feed: &feed,
        wanted,
        shown: Selection::of(&mask).within("changes").within("file"),
    };
    let mut changes = Vec::new();
    let mut next = None;
    for (number, entry) in log.since(number) {
        if changes.len() == size {
            next = Some(number);
            break;
        }
        changes.extend(reader.show(entry));
    }
    let mut answer = json!({ "kind": "drive#changeList" });
    answer["changes"] = changes.into();
    match next {
        Some(number) => answer["nextPageToken"] = json!(feed.token(number)),
        None => answer["newStartPageToken"] = json!(feed.token(log.next())),
    }
    Ok(reply(context, answer, DEFAULT_FIELDS))
}

/// Turns entries into changes.
struct Reader<'a> {
    workspace: &'a Workspace,
    store: &'a Store,
    caller: &'a Caller,
    feed: &'a Feed,
    wanted: Wanted,
    /// What is shown of a file.
    shown: Selection<'a>,
}

impl Reader<'_> {
    /// The change that an entry shows, if it shows one.
    fn show(&self, entry: &Entry) -> Option<Value> {
        let change = match &entry.subject {
            Subject::File(id) => self.show_file(entry, id)?,
            Subject::Drive(id) => self.show_drive(entry, id)?,
        };
        (self.wanted.removed == Removed::Shown || change["removed"] == json!(false))
            .then_some(change)
    }

    fn show_file(&self, entry: &Entry, id: &FileId) -> Option<Value> {
        let me = self.caller.user;
        let mut change = json!({
            "kind": "drive#change",
            "type": "file",
            "changeType": "file",
            "time": rfc3339(entry.time),
            "removed": true,
            "fileId": id.as_str(),
        });
        let found = self.store.file(id.as_str());
        if self.caller.app_files_only && found.is_some_and(|file| !file.by_app) {
            return None;
        }
        let present = found.filter(|file| self.is_present(entry, file));
        if self.wanted.tree == Tree::MyDrive {
            let in_tree = match present {
                Some(file) => self.store.in_my_drive(me, file),
                None => entry.in_my_drive,
            };
            if !in_tree {
                return None;
            }
        }
        let left_out = self.wanted.shared_drives == SharedDrives::LeftOut;
        if left_out && present.is_some_and(|file| file.drive.is_some()) {
            return None;
        }
        change["removed"] = json!(present.is_none());
        let with_file = self.wanted.corpus_removals == CorpusRemovals::WithFile;
        Some(match present.or_else(|| found.filter(|_| with_file)) {
            Some(file) => self.with_file(change, file),
            None => change,
        })
    }

    fn with_file(&self, mut change: Value, file: &File) -> Value {
        let access = self.store.access(self.caller.user, file, Reach::Open);
        if let Some(access) = access
            && self.caller.reaches(file)
        {
            let seen = Seen {
                store: self.store,
                file,
                access,
            };
            change["file"] = view::file(self.workspace, self.caller, &seen, &self.shown);
        }
        change
    }

    /// Whether the file still belongs to the log.
    fn is_present(&self, entry: &Entry, file: &File) -> bool {
        let me = self.caller.user;
        let visible = self.store.access(me, file, Reach::Named).is_some();
        match self.feed {
            Feed::Drive(drive) => visible && file.drive.as_ref() == Some(drive),
            Feed::User if self.store.is_member_for(me, file) => {
                visible && entry.presence == Presence::In
            }
            Feed::User => visible,
        }
    }

    fn show_drive(&self, entry: &Entry, id: &FileId) -> Option<Value> {
        if self.wanted.shared_drives == SharedDrives::LeftOut || self.wanted.tree == Tree::MyDrive {
            return None;
        }
        let role = self.store.member_role(self.caller.user, id.as_str());
        let drive = self.store.drive(id.as_str()).filter(|_| role.is_some());
        let mut change = json!({
            "kind": "drive#change",
            "type": "drive",
            "changeType": "drive",
            "time": rfc3339(entry.time),
            "removed": drive.is_none(),
            "driveId": id.as_str(),
            "teamDriveId": id.as_str(),
        });
        if let Some(drive) = drive {
            change["drive"] = view::drive(self.store, self.caller, drive, role);
        }
        Some(change)
    }
}
