//! How files are verified: one listing of everything, 100 units for each 1,000 files, and a look at
//! each file that differs, 5 units. What can be opened though no listing shows it is of two
//! kinds, as in a sweep: only a second listing tells them apart.

use super::files::{Answer, Below, ask};
use super::live::Witness;
use super::members::Reader;
use super::scribe::is_folder;
use super::view::Place;
use super::{DriveFeed, DriveLog, Open, Permissions};
use crate::error::Error;
use crate::verify::{Cost, Inspect, Shown, Truth, Wrong, WrongKind};
use async_trait::async_trait;
use nuncio_google::{DriveFile, ListFiles};
use nuncio_model::{AccountKey, DeleteCause, IndexRow, ItemId, Op, Origin};
use std::collections::HashMap;

const LIST: &str = "drive.files.list";
const FILE: &str = "drive.files.get";
const PERMISSIONS: &str = "drive.permissions.list";

/// What the listing of a feed has shown.
#[derive(Default)]
pub(crate) struct Survey {
    /// Page tokens are one account's, and another one may see other files.
    reader: Option<AccountKey>,
    page: Option<String>,
    /// Files that belong; whether each looked as it is known.
    shown: HashMap<ItemId, bool>,
    /// Whether this is the second listing.
    is_second: bool,
}

#[async_trait]
impl Inspect for DriveLog {
    type Survey = Survey;

    async fn list(&mut self, survey: &mut Survey, cost: &mut Cost) -> Result<Option<bool>, Error> {
        let Some(open) = &mut self.open else {
            return Ok(None);
        };
        self.readers.choose(&self.feed, open).await?;
        let before = survey
            .reader
            .get_or_insert_with(|| open.reader.account.clone());
        if *before != open.reader.account {
            return Ok(None);
        }
        let listed = self.feed.survey(open, survey, cost).await;
        self.readers.judged(&self.feed, &open.reader, listed)
    }

    fn compare(survey: &Survey, row: &IndexRow) -> Shown {
        match survey.shown.get(&row.item) {
            None => Shown::Not,
            Some(true) => Shown::Same,
            Some(false) => Shown::Differs,
        }
    }

    fn shown(survey: &Survey) -> Vec<ItemId> {
        survey.shown.keys().cloned().collect()
    }

    fn list_again(survey: &mut Survey) {
        *survey = Survey {
            is_second: true,
            ..Survey::default()
        };
    }

    async fn ask(
        &mut self,
        survey: &Survey,
        item: &ItemId,
        row: Option<&IndexRow>,
        cost: &mut Cost,
    ) -> Result<Option<Truth>, Error> {
        let Some(open) = &mut self.open else {
            return Ok(None);
        };
        self.readers.choose(&self.feed, open).await?;
        let witnesses = self.readers.others(&self.feed.shared, open);
        let asked = Asked {
            item,
            row,
            is_shown: survey.shown.contains_key(item),
            is_second: survey.is_second,
        };
        let truth = self.feed.truth(open, &asked, &witnesses, cost).await;
        self.readers.judged(&self.feed, &open.reader, truth)
    }

    async fn mend(&mut self, wrong: &[Wrong], cost: &mut Cost) -> Result<(), Error> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        self.readers.choose(&self.feed, open).await?;
        let mended = self.feed.mend(open, wrong, cost).await;
        self.readers
            .judged(&self.feed, &open.reader, mended)
            .map(drop)
    }
}

/// A file that is asked for.
struct Asked<'a> {
    item: &'a ItemId,
    row: Option<&'a IndexRow>,
    is_shown: bool,
    is_second: bool,
}

impl DriveFeed {
    async fn survey(
        &self,
        open: &mut Open,
        survey: &mut Survey,
        cost: &mut Cost,
    ) -> Result<bool, Error> {
        cost.add(&self.shared.google, LIST);
        let list = ListFiles {
            drive_id: open.view.drive_id().map(str::to_owned),
            q: String::new(),
            names_only: false,
            page_size: open.page_size,
            page_token: survey.page.clone(),
        };
        let page = match open.drive.list_files(&list).await {
            Ok(page) => page,
            Err(error) if open.is_too_large(&error) => return Ok(false),
            Err(error) if survey.page.is_some() && Open::is_stale_page(&error) => {
                survey.page = None;
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        };
        let files: Vec<DriveFile> = page
            .files
            .into_iter()
            .filter(|file| open.view.place(file) == Place::Here)
            .collect();
        let items = files.iter().map(|file| ItemId::new(&file.id)).collect();
        let rows = self.rows_of(open, items).await?;
        for file in files {
            let item = ItemId::new(&file.id);
            let is_known = rows.get(&item).is_some_and(|row| match self.permissions {
                Permissions::Listed => open.scribe.state(file).tells_the_same(row),
                // A listing does not tell them; at the same version they are the same.
                Permissions::Full => row.order >= file.version,
            });
            survey.shown.insert(item, is_known);
        }
        for bad in page.bad {
            let what = "an entry of a listing";
            let item = bad.id.ok_or(Error::Unreadable { what })?;
            survey.shown.insert(item, false);
        }
        survey.page = page.next_page;
        Ok(survey.page.is_none())
    }

    async fn truth(
        &self,
        open: &mut Open,
        asked: &Asked<'_>,
        witnesses: &[Reader],
        cost: &mut Cost,
    ) -> Result<Truth, Error> {
        let is_account = open.view.drive_id().is_none();
        cost.add(&self.shared.google, FILE);
        let cause = match ask(&open.drive, asked.item.as_str()).await? {
            Answer::Failed(_) => return Ok(Truth::Failed),
            Answer::File(file) if open.view.place(&file) == Place::Here => {
                // What is in a shared drive is the drive's, however it is found.
                let is_in_view = asked.is_shown || !is_account || file.owned_by_me;
                match (is_in_view, asked.is_second) {
                    (true, _) => return self.look(open, *file, asked.row, cost).await,
                    (false, false) => return Ok(Truth::Undecided),
                    (false, true) => DeleteCause::OutOfScope,
                }
            }
            Answer::File(_) => DeleteCause::OutOfScope,
            Answer::Missing => DeleteCause::Removed,
            Answer::Forbidden if !is_account || asked.is_shown => return Ok(Truth::Later),
            Answer::Forbidden if !asked.is_second => return Ok(Truth::Undecided),
            Answer::Forbidden => DeleteCause::OutOfScope,
        };
        if !is_account
            && let Witness::Sees(file) = self.seen_by_another(open, witnesses, asked.item).await?
        {
            return self.look(open, *file, asked.row, cost).await;
        }
        Ok(Truth::Gone(cause))
    }

    /// Whether a file is as it is known.
    async fn look(
        &self,
        open: &mut Open,
        file: DriveFile,
        row: Option<&IndexRow>,
        cost: &mut Cost,
    ) -> Result<Truth, Error> {
        let Some(row) = row else {
            return Ok(Truth::Other);
        };
        let mut files = vec![file];
        if self.permissions == Permissions::Full {
            cost.add(&self.shared.google, PERMISSIONS);
            self.add_permissions(open, &mut files, &mut Vec::new())
                .await?;
        }
        let Some(file) = files.pop() else {
            return Ok(Truth::Failed);
        };
        let state = open.scribe.state(file);
        // A version that is newer without telling anything new is what Drive's own doings leave.
        Ok(if state.tells_the_same(row) {
            Truth::AsKnown
        } else {
            Truth::Other
        })
    }

    async fn mend(&self, open: &mut Open, wrong: &[Wrong], cost: &mut Cost) -> Result<(), Error> {
        let items = wrong.iter().map(|wrong| wrong.item.clone()).collect();
        let rows = self.rows_of(open, items).await?;
        let (mut ops, mut files) = (Vec::new(), Vec::new());
        for wrong in wrong {
            let item = &wrong.item;
            if let (WrongKind::Extra, Some(row)) = (wrong.kind, &wrong.row) {
                open.folders.forget(item.as_str());
                if is_folder(row) {
                    open.position.look_behind(item.as_str());
                }
                ops.push(open.scribe.delete(row, wrong.cause, Origin::Resync));
                continue;
            }
            cost.add(&self.shared.google, FILE);
            match ask(&open.drive, item.as_str()).await? {
                Answer::File(file) if open.view.place(&file) == Place::Here => files.push(*file),
                Answer::Failed(error) => {
                    ops.push(self.failure(item.clone(), error.code(), error.to_string(), 0));
                }
                // It went meanwhile: its own change tells.
                Answer::File(_) | Answer::Missing | Answer::Forbidden => {}
            }
        }
        let mut taken: Vec<Op> = self
            .take(open, files, &rows, Origin::Resync, Below::Look)
            .await?;
        ops.append(&mut taken);
        self.append_live(open, ops).await
    }
}
