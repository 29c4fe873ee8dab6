//! What changes made the feed owe, one bounded piece at a time: the search for shared drives, a
//! look into folders that appeared or changed, and at what was in folders that went.

use super::files::{Answer, Below as Looking, ask};
use super::view::Place;
use super::walk::Reason;
use super::{DriveFeed, Open};
use crate::error::{Error, is_not_found};
use nuncio_google::{DriveFile, ListFiles};
use nuncio_model::{ItemId, Origin};
use std::collections::HashSet;

/// Folders that one listing looks into. A search may be some kilobytes long.
const N_FOLDERS: usize = 50;

/// Rows looked at between two awaits.
const N_ROWS: u32 = 1_000;

/// Folders that are being looked into. Lost in a fault: then they are listed from the beginning.
#[derive(Debug, Default)]
pub(crate) struct Below {
    /// Which; empty before the first page.
    folders: Vec<String>,
    /// The next page of what is in them.
    page: Option<String>,
    /// One by one, since one of several cannot be looked into.
    singly: bool,
}

impl DriveFeed {
    /// Does one piece.
    pub(super) async fn settle_one(&self, open: &mut Open) -> Result<(), Error> {
        if open.position.search.is_some() {
            self.search_drives(open).await
        } else if !open.position.below.is_empty() {
            self.look_below(open).await
        } else if !open.position.gone.is_empty() {
            self.look_behind(open).await
        } else if open.position.compare && open.feed.walk.is_none() {
            let token = Some(open.position.token.clone());
            let reason = Some(Reason::Folder);
            self.begin_walk(open, Origin::Resync, reason, token).await
        } else {
            Ok(())
        }
    }

    /// One page of the search for shared drives that the account was a member of before its log
    /// was read. Drives without a single file stay unknown until the log tells of them.
    ///
    /// The price is 100 units for each 1,000 files that the account sees and does not own, once:
    /// a hundred thousand files cost 10,000 of the user's 325,000 units of a minute. Neither
    /// Drive's search words nor its order can pick one file of each drive.
    async fn search_drives(&self, open: &mut Open) -> Result<(), Error> {
        let Some(search) = &mut open.position.search else {
            return Ok(());
        };
        let page = match open.drive.list_drive_ids(search.page.as_deref()).await {
            Ok(page) => page,
            Err(error) if search.page.is_some() && Open::is_stale_page(&error) => {
                search.page = None;
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        if page.incomplete {
            tracing::info!(
                account = %self.desk.name,
                source = "drive",
                "Google did not search all shared drives; the others will be found as they change"
            );
        }
        for drive in &page.drives {
            if !open.is_member(drive) {
                self.member_of(open, drive, None, true).await?;
            }
        }
        match (page.next_page, &mut open.position.search) {
            (Some(next), Some(search)) => search.page = Some(next),
            _ => open.position.search = None,
        }
        self.append_live(open, Vec::new()).await
    }

    /// One page of what is in folders that appeared or changed. Of folders in them that are new
    /// or inherit something else now, what is in them is owed in turn.
    async fn look_below(&self, open: &mut Open) -> Result<(), Error> {
        if open.below.folders.is_empty() {
            let most = if open.below.singly { 1 } else { N_FOLDERS };
            let owed = open.position.below.iter().take(most);
            open.below.folders = owed.cloned().collect();
        }
        let n = open.below.folders.len();
        let list = ListFiles {
            drive_id: open.view.drive_id().map(str::to_owned),
            q: in_folders(&open.below.folders),
            page_size: open.page_size,
            page_token: open.below.page.clone(),
            names_only: false,
        };
        let page = match open.drive.list_files(&list).await {
            Ok(page) => page,
            Err(error) if open.is_too_large(&error) => return Ok(()),
            Err(error) if open.below.page.is_some() && Open::is_stale_page(&error) => {
                open.below = Below::default();
                return Ok(());
            }
            // A folder that cannot be seen any more; its own change tells.
            Err(error) if is_not_found(&error) && n > 1 => {
                open.below = Below {
                    singly: true,
                    ..Below::default()
                };
                return Ok(());
            }
            Err(error) if is_not_found(&error) && self.still_reads(open).await? => {
                let unseen = std::mem::take(&mut open.below).folders;
                open.position.below.retain(|owed| !unseen.contains(owed));
                return self.append_live(open, Vec::new()).await;
            }
            Err(error) => return Err(error.into()),
        };
        let mut ops = self.failures(&page.bad, "an entry of a listing")?;
        let files: Vec<_> = page
            .files
            .into_iter()
            .filter(|file| open.view.place(file) == Place::Here)
            .collect();
        let items = files.iter().map(|file| ItemId::new(&file.id)).collect();
        let rows = self.rows_of(open, items).await?;
        let files = self.without_gone(open, files).await?;
        let mut taken = self
            .take(open, files, &rows, Origin::Live, Looking::Look)
            .await?;
        ops.append(&mut taken);
        open.below.page = page.next_page;
        if open.below.page.is_none() {
            let done = std::mem::take(&mut open.below.folders);
            open.position.below.retain(|owed| !done.contains(owed));
        }
        self.append_live(open, ops).await
    }

    /// Whether anything that is known to be in folders that went is still there; then the feed
    /// is compared. Where Google told of each file by itself, nothing is left to be done.
    async fn look_behind(&self, open: &mut Open) -> Result<(), Error> {
        let gone: HashSet<String> = open.position.gone.drain(..).collect();
        let mut after = None;
        loop {
            let rows = self.desk.store.rows(open.feed.id, after, N_ROWS).await?;
            let Some(last) = rows.last() else { break };
            if rows.iter().any(|row| gone.contains(row.thread.as_str())) {
                open.position.compare_all();
                break;
            }
            after = Some(last.item.clone());
        }
        self.append_live(open, Vec::new()).await
    }

    /// Whether the reader of a shared drive is still a member: then what it did not find is not
    /// there, else it is the reader that is to be changed.
    async fn still_reads(&self, open: &Open) -> Result<bool, Error> {
        if let Some(drive) = open.view.drive_id() {
            open.drive.start_token(Some(drive)).await?;
        }
        Ok(true)
    }

    /// Leaves out listed files that the change log told had gone, unless they are there: a
    /// listing may be older than the log.
    pub(super) async fn without_gone(
        &self,
        open: &mut Open,
        files: Vec<DriveFile>,
    ) -> Result<Vec<DriveFile>, Error> {
        let mut there = Vec::with_capacity(files.len());
        for file in files {
            let item = ItemId::new(&file.id);
            if !open.went.contains(&item) {
                there.push(file);
                continue;
            }
            match ask(&open.drive, item.as_str()).await? {
                Answer::File(file) if open.view.place(&file) == Place::Here => {
                    open.went.remove(&item);
                    there.push(*file);
                }
                Answer::File(_) | Answer::Missing | Answer::Forbidden => {}
                Answer::Failed(_) => there.push(file),
            }
        }
        Ok(there)
    }
}

/// Search words for what is in any of these folders.
/// <https://developers.google.com/workspace/drive/api/guides/ref-search-terms>
fn in_folders(folders: &[String]) -> String {
    let quoted = folders.iter().map(|id| {
        let id = id.replace('\\', "\\\\").replace('\'', "\\'");
        format!("'{id}' in parents")
    });
    quoted.collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_cannot_break_out_of_search_words() {
        let folders = ["a".to_owned(), r"b' or \".to_owned()];
        assert_eq!(
            in_folders(&folders),
            r"'a' in parents or 'b\' or \\' in parents"
        );
    }
}
