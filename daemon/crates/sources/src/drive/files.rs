//! From files as they were read to the steps of an append: what is known already is only
//! marked, permissions are asked for where they are wanted, paths are made, and folders whose
//! contents have to be looked at are noted.

use super::folders::Path;
use super::normalize::inherits_differ;
use super::scribe::{State, is_closed, is_folder};
use super::{DriveFeed, Open, Permissions};
use crate::desk::next_try;
use crate::error::{Error, is_not_found, status};
use futures_util::{StreamExt, TryStreamExt};
use nuncio_google::{BadItem, Drive, DriveFile, DrivePermission, Fault};
use nuncio_model::{Failure, IndexRow, ItemId, Next, Op, Origin};
use std::collections::HashMap;

/// Calls asked for at once; how many really run is up to the governor.
const N_AT_ONCE: usize = 4;

/// Folders that are asked for in one step to make paths; beyond, files have none.
const MAX_ASKED: usize = 100;

/// Pages of permissions of one file; a record shows no more.
const MAX_PERMISSION_PAGES: usize = 10;

/// Whether folders that differ have to be looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Below {
    /// Only the folder itself was told of.
    Look,
    /// Everything is being listed anyway.
    Listed,
}

/// Rows of the index by item.
pub(crate) type Rows = HashMap<ItemId, IndexRow>;

/// What became of asking for one file.
pub(crate) enum Answer {
    /// It is here.
    File(Box<DriveFile>),
    /// Google knows no such file, or the user may not know of it.
    Missing,
    /// It is refused to the user.
    Forbidden,
    /// It could not be had although Google answers otherwise.
    Failed(nuncio_google::Error),
}

/// Asks for one file.
///
/// # Errors
/// What is not the file's own fault.
pub(crate) async fn ask(drive: &Drive, id: &str) -> Result<Answer, Error> {
    match drive.file(id).await {
        Ok(file) => Ok(Answer::File(Box::new(file))),
        Err(error) if is_not_found(&error) => Ok(Answer::Missing),
        Err(error) if status(&error).is_some_and(|s| s.fault == Fault::Forbidden) => {
            Ok(Answer::Forbidden)
        }
        Err(error) if is_of_one_file(&error) => Ok(Answer::Failed(error)),
        Err(error) => Err(error.into()),
    }
}

/// Asks for several files; the answers in the same order.
///
/// # Errors
/// See [`ask`].
pub(crate) async fn ask_all(drive: &Drive, ids: &[ItemId]) -> Result<Vec<Answer>, Error> {
    futures_util::stream::iter(ids.to_vec())
        .map(|id| {
            let drive = drive.clone();
            async move { ask(&drive, id.as_str()).await }
        })
        .buffered(N_AT_ONCE)
        .try_collect()
        .await
}

/// A file's own trouble: Google answered, but not with the file. The transport has tried again
/// before.
fn is_of_one_file(error: &nuncio_google::Error) -> bool {
    match error {
        nuncio_google::Error::Status(status) => {
            matches!(status.fault, Fault::Server | Fault::Refused)
                && !matches!(status.next(), Next::RetryAfter(_))
        }
        nuncio_google::Error::CutBody { .. }
        | nuncio_google::Error::TooLarge { .. }
        | nuncio_google::Error::Decode { .. }
        | nuncio_google::Error::Request { .. } => true,
        _ => false,
    }
}

impl DriveFeed {
    /// The rows of these items that are in the index.
    pub(crate) async fn rows_of(&self, open: &Open, items: Vec<ItemId>) -> Result<Rows, Error> {
        let rows = self.desk.store.lookup(open.feed.id, items).await?;
        let rows = rows.into_iter().flatten();
        Ok(rows.map(|row| (row.item.clone(), row)).collect())
    }

    /// The steps that bring the index to these states of files that belong here, and what they
    /// make the feed owe.
    pub(crate) async fn take(
        &self,
        open: &mut Open,
        mut files: Vec<DriveFile>,
        rows: &Rows,
        origin: Origin,
        below: Below,
    ) -> Result<Vec<Op>, Error> {
        let mut ops = Vec::with_capacity(files.len());
        if self.permissions == Permissions::Full {
            self.add_permissions(open, &mut files, &mut ops).await?;
        }
        let mut states = Vec::new();
        for file in files {
            open.folders.learn(&file);
            let state = open.scribe.state(file);
            let known = rows.get(&state.row.item);
            if below == Below::Look && is_folder(&state.row) {
                owe(open, known, &state);
            }
            match known {
                Some(row) if state.is_known_as(row) => ops.push(Op::Mark {
                    item: row.item.clone(),
                }),
                _ => states.push(state),
            }
        }
        self.add_folders(open, &states).await?;
        for state in states {
            let path = match open.folders.path(&state.raw) {
                Path::Whole(path) => Some(path),
                Path::UpTo(_) | Path::Hidden => None,
            };
            ops.push(open.scribe.upsert(state, path, origin));
        }
        if open.feed.walk.is_none() {
            open.folders.rest();
        }
        Ok(ops)
    }

    /// Failed items of what could not be read.
    ///
    /// # Errors
    /// [`Error::Unreadable`] where it is not even known what it was.
    pub(crate) fn failures(&self, bad: &[BadItem], what: &'static str) -> Result<Vec<Op>, Error> {
        bad.iter()
            .map(|bad| {
                let item = bad.id.clone().ok_or(Error::Unreadable { what })?;
                Ok(self.failure(item, "SRC003", bad.reason.clone(), 0))
            })
            .collect()
    }

    pub(crate) fn failure(&self, item: ItemId, code: &str, message: String, n_attempts: u32) -> Op {
        Op::Fail(Failure {
            item,
            code: code.to_owned(),
            message,
            next_try: next_try(self.desk.clock.now_ms(), n_attempts),
        })
    }

    /// Asks for the permissions of files that do not tell them; files whose permissions cannot
    /// be had become failed items.
    pub(crate) async fn add_permissions(
        &self,
        open: &Open,
        files: &mut Vec<DriveFile>,
        ops: &mut Vec<Op>,
    ) -> Result<(), Error> {
        let asked = std::mem::take(files);
        let mut answers = futures_util::stream::iter(asked)
            .map(|file| {
                let drive = open.drive.clone();
                async move {
                    let permissions = permissions(&drive, &file).await;
                    (file, permissions)
                }
            })
            .buffered(N_AT_ONCE);
        while let Some((mut file, permissions)) = answers.next().await {
            match permissions {
                Ok(Some(all)) => file.permissions = Some(all),
                Ok(None) => {}
                Err(error) if is_not_found(&error) => {} // It goes; its own change tells.
                Err(error) if is_of_one_file(&error) => {
                    let item = ItemId::new(&file.id);
                    ops.push(self.failure(item, error.code(), error.to_string(), 0));
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
            files.push(file);
        }
        Ok(())
    }

    /// Asks for the folders above these files that are not known yet. 5 units each; they are
    /// remembered for a while.
    async fn add_folders(&self, open: &mut Open, states: &[State]) -> Result<(), Error> {
        let mut n_asked = 0;
        for state in states {
            while let Path::UpTo(folder) = open.folders.path(&state.raw) {
                if n_asked >= MAX_ASKED {
                    return Ok(());
                }
                n_asked += 1;
                match ask(&open.drive, &folder).await? {
                    Answer::File(file) if file.id == folder => open.folders.learn(&file),
                    _ => open.folders.hide(&folder),
                }
                if open.folders.path(&state.raw) == Path::UpTo(folder) {
                    break; // There is no room for it, or it is no folder.
                }
            }
        }
        Ok(())
    }
}

/// Notes what a folder's new state makes the feed owe. A folder that appears, or in which
/// something else is inherited now, says nothing of what is in it.
fn owe(open: &mut Open, known: Option<&IndexRow>, state: &State) {
    let id = state.row.item.as_str();
    let Some(row) = known else {
        open.position.look_below(id);
        return;
    };
    if row.order > state.row.order {
        return;
    }
    if !is_closed(row) && is_closed(&state.row) {
        open.position.compare_all();
    } else if is_closed(row) != is_closed(&state.row) || inherits_differ(row.hash, state.row.hash) {
        open.position.look_below(id);
    }
}

/// All permissions of a file; none where the listing told them or the user may not list them.
async fn permissions(
    drive: &Drive,
    file: &DriveFile,
) -> Result<Option<Vec<DrivePermission>>, nuncio_google::Error> {
    if file.permissions.is_some() || (file.drive_id.is_none() && file.can_share == Some(false)) {
        return Ok(None);
    }
    let (mut all, mut page) = (Vec::new(), None);
    for _ in 0..MAX_PERMISSION_PAGES {
        let listed = drive.permissions(&file.id, page.as_deref()).await;
        let (mut permissions, next) = match listed {
            Ok(listed) => listed,
            Err(error) if status(&error).is_some_and(|s| s.fault == Fault::Forbidden) => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        all.append(&mut permissions);
        page = next;
        if page.is_none() {
            break;
        }
    }
    Ok(Some(all))
}
