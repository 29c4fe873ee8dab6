//! The walk: lists the feed page by page, for the first time or to compare. It never moves the
//! live position. A page of a listing holds whole files, so its steps and the place where the
//! listing goes on are one append; after a crash it goes on there.

use super::files::Below;
use super::normalize::FOLDER;
use super::position::Position;
use super::view::Place;
use super::{DriveFeed, Open};
use crate::error::Error;
use nuncio_google::ListFiles;
use nuncio_model::{ItemId, Op, Origin, Walk, WalkPhase};

/// A folder's change is no order for the files in it, and no file's version is comparable with
/// another's: no row is too new to be compared.
const BASELINE: u64 = u64::MAX;

/// Why a feed is compared. As text it is stored with the walk and shown to operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reason {
    /// A folder went or closed, so what was in it may have gone.
    Folder,
    /// A shared drive is read by another member, who could not go on where the first one was.
    OtherMember,
    /// A listing did not show files that can be opened; it is made once more.
    NotListed,
    /// The same, of a comparison because of a folder.
    NotListedInFolder,
    /// Anything else.
    Other(String),
}

impl Reason {
    const FOLDER: &str = "a folder went or was closed, and changes tell nothing of what is in it";
    const OTHER_MEMBER: &str =
        "another member reads the shared drive and could not go on where the first one was";
    const NOT_LISTED: &str = "a listing had left out files that can be opened";
    const NOT_LISTED_IN_FOLDER: &str =
        "a listing after a folder's change had left out files that can be opened";

    /// The reason of a stored walk.
    pub(crate) fn of(walk: &Walk) -> Option<Self> {
        Some(match walk.reason.as_deref()? {
            Self::FOLDER => Self::Folder,
            Self::OTHER_MEMBER => Self::OtherMember,
            Self::NOT_LISTED => Self::NotListed,
            Self::NOT_LISTED_IN_FOLDER => Self::NotListedInFolder,
            other => Self::Other(other.to_owned()),
        })
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Folder => Self::FOLDER,
            Self::OtherMember => Self::OTHER_MEMBER,
            Self::NotListed => Self::NOT_LISTED,
            Self::NotListedInFolder => Self::NOT_LISTED_IN_FOLDER,
            Self::Other(text) => text,
        }
    }

    /// Whether Google told that something went, so that many deletions are no surprise.
    pub(crate) fn is_told(&self) -> bool {
        matches!(self, Self::Folder | Self::NotListedInFolder)
    }

    /// Whether an earlier listing left out the same files.
    pub(crate) fn is_second_listing(&self) -> bool {
        matches!(self, Self::NotListed | Self::NotListedInFolder)
    }
}

/// How far the names of all folders were listed. A first walk begins with that, for files come
/// in no order that would have folders before what is in them. Lost in a crash: then folders
/// are asked for one by one.
#[derive(Debug, Default)]
pub(crate) struct Names {
    is_done: bool,
    page: Option<String>,
}

impl Names {
    pub(crate) fn forget_page(&mut self) {
        self.page = None;
    }
}

impl DriveFeed {
    /// Begins a walk, replacing one under way; all changes from `token` on, or from now on if it
    /// is none, come through the change log, all before through the listing.
    pub(super) async fn begin_walk(
        &self,
        open: &mut Open,
        origin: Origin,
        reason: Option<Reason>,
        token: Option<String>,
    ) -> Result<(), Error> {
        let token = match token {
            Some(token) => token,
            None => {
                open.is_fresh = true;
                open.drive.start_token(open.view.drive_id()).await?
            }
        };
        let generation = self.desk.store.next_generation(open.feed.id).await?;
        if let Some(reason) = &reason {
            tracing::warn!(
                account = %self.desk.name,
                source = "drive",
                reason = reason.as_str(),
                "comparing all files with Google"
            );
        }
        let walk = Walk {
            origin,
            reason: reason.map(|reason| reason.as_str().to_owned()),
            generation,
            baseline: BASELINE,
            phase: WalkPhase::List,
            page: None,
            done: 0,
            total: None,
        };
        // The listing covers what was owed; the search for drives is no part of it.
        let position = Position {
            token,
            search: open.position.search.clone(),
            reader: open.position.reader.clone(),
            ..Position::default()
        };
        let cursor = Some(position.to_cursor());
        self.desk
            .append(&mut open.feed, Vec::new(), cursor, Some(Some(walk)))
            .await?;
        open.position = position;
        open.forget_pages();
        open.folder_names = Names {
            is_done: origin != Origin::Backfill,
            page: None,
        };
        Ok(())
    }

    /// Reads the walk's next page.
    pub(super) async fn list_on(&self, open: &mut Open) -> Result<(), Error> {
        let Some(walk) = open.feed.walk.clone() else {
            return Ok(());
        };
        if !open.folder_names.is_done {
            return self.list_names(open).await;
        }
        let list = ListFiles {
            drive_id: open.view.drive_id().map(str::to_owned),
            q: String::new(),
            names_only: false,
            page_size: open.page_size,
            page_token: walk.page.clone(),
        };
        let page = match open.drive.list_files(&list).await {
            Ok(page) => page,
            Err(error) if open.is_too_large(&error) => return Ok(()),
            // A page token lives some hours. What was listed already is only marked again.
            Err(error) if walk.page.is_some() && Open::is_stale_page(&error) => {
                tracing::info!(
                    account = %self.desk.name,
                    source = "drive",
                    "Google took a page token back, the walk lists again from its beginning"
                );
                let restarted = Walk {
                    page: None,
                    done: 0,
                    ..walk
                };
                return self.store_walk(open, Some(restarted)).await;
            }
            Err(error) => return Err(error.into()),
        };
        if page.incomplete {
            tracing::warn!(
                account = %self.desk.name,
                source = "drive",
                "Google says that its listing may leave something out"
            );
        }
        let mut ops = self.failures(&page.bad, "an entry of a listing")?;
        let n_listed = (page.files.len() + page.bad.len()) as u64;
        let files: Vec<_> = page
            .files
            .into_iter()
            .filter(|file| open.view.place(file) == Place::Here)
            .collect();
        let files = self.without_gone(open, files).await?;
        let items = files.iter().map(|file| ItemId::new(&file.id)).collect();
        let rows = self.rows_of(open, items).await?;
        let mut taken: Vec<Op> = self
            .take(open, files, &rows, walk.origin, Below::Listed)
            .await?;
        ops.append(&mut taken);
        let is_last = page.next_page.is_none();
        let next = Walk {
            done: walk.done + n_listed,
            page: page.next_page,
            ..walk
        };
        let next = match (is_last, next.origin) {
            (false, _) => Some(next),
            (true, Origin::Backfill) => None,
            (true, Origin::Resync | Origin::Live | Origin::Replay) => Some(Walk {
                phase: WalkPhase::Sweep { accepted: false },
                ..next
            }),
        };
        if next.is_none() {
            open.folders.rest();
        }
        self.desk
            .append(&mut open.feed, ops, None, Some(next))
            .await
    }

    /// One page of the names of all folders. 100 units for each 1,000 folders.
    async fn list_names(&self, open: &mut Open) -> Result<(), Error> {
        let list = ListFiles {
            drive_id: open.view.drive_id().map(str::to_owned),
            q: format!("mimeType = '{FOLDER}'"),
            names_only: true,
            page_size: open.page_size,
            page_token: open.folder_names.page.clone(),
        };
        let page = match open.drive.list_files(&list).await {
            Ok(page) => page,
            Err(error) if open.is_too_large(&error) => return Ok(()),
            Err(error) if open.folder_names.page.is_some() && Open::is_stale_page(&error) => {
                open.folder_names.page = None;
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        for folder in &page.files {
            open.folders.learn(folder);
        }
        open.folder_names.is_done = page.next_page.is_none();
        open.folder_names.page = page.next_page;
        Ok(())
    }

    /// Stores the walk's state alone.
    pub(super) async fn store_walk(
        &self,
        open: &mut Open,
        walk: Option<Walk>,
    ) -> Result<(), Error> {
        self.desk
            .append(&mut open.feed, Vec::new(), None, Some(walk))
            .await
    }
}
