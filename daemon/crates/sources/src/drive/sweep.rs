//! The end of a comparison: what the listing did not show is asked for, one by one, and only
//! deleted if Google does not know it; 5 units each. A file that can be opened but is not
//! listed is of two kinds: the listing was behind, or only a link leads to it, so that it is in
//! nobody's view. The user's own files are always in view. Of others a second listing decides.
//!
//! In a shared drive a second member is asked as well, before anything is deleted: what one
//! member cannot see another may.

use super::files::{Answer, Below, ask_all};
use super::live::Witness;
use super::members::Reader;
use super::view::{Place, View};
use super::walk::Reason;
use super::{DriveFeed, Open};
use crate::desk::is_mass_deletion;
use crate::error::Error;
use nuncio_google::DriveFile;
use nuncio_model::{DeleteCause, IndexRow, Op, Origin, Walk, WalkPhase};

/// Missing files dealt with in one step.
const N_SWEEP: u32 = 100;

/// What is to become of a missing row.
enum Fate {
    /// It is there after all.
    Stays(Box<DriveFile>),
    /// It is known to be there, but not how it looks to the reader.
    Unchanged,
    Deleted(DeleteCause),
    /// Another listing decides.
    Undecided,
    Failed(nuncio_google::Error),
}

impl DriveFeed {
    /// One step of the sweep.
    pub(super) async fn sweep(
        &self,
        open: &mut Open,
        accepted: bool,
        witnesses: &[Reader],
    ) -> Result<(), Error> {
        // The live catch-up: what came since the listing is not missing.
        while self.poll(open).await? {}
        let Some(walk) = open.feed.walk.clone() else {
            return Ok(());
        };
        if !matches!(walk.phase, WalkPhase::Sweep { .. }) {
            return Ok(()); // The catch-up found the position lost again.
        }
        let (feed, store) = (open.feed.id, &self.desk.store);
        let n_missing = store
            .count_unmarked(feed, walk.generation, walk.baseline)
            .await?;
        if n_missing == 0 {
            return self.store_walk(open, None).await;
        }
        let reason = Reason::of(&walk);
        let is_told = reason.as_ref().is_some_and(Reason::is_told);
        let n_items = store.count_items(feed).await?;
        let is_mass = !is_told && is_mass_deletion(n_missing, n_items);
        // After a change of readers one member alone is no proof.
        let is_unproven = reason == Some(Reason::OtherMember) && witnesses.is_empty();
        if !accepted && (is_mass || is_unproven) {
            tracing::warn!(
                account = %self.desk.name,
                source = "drive",
                n_missing,
                n_items,
                is_unproven,
                "the deletion of items that are missing at Google is held"
            );
            let phase = WalkPhase::Held {
                deletions: n_missing,
            };
            return self.store_walk(open, Some(Walk { phase, ..walk })).await;
        }
        let rows = store
            .unmarked(feed, walk.generation, walk.baseline, N_SWEEP)
            .await?;
        let is_second = reason.as_ref().is_some_and(Reason::is_second_listing);
        let fates = self.fates(open, &rows, witnesses, is_second).await?;
        let (mut ops, mut files) = (Vec::new(), Vec::new());
        let mut is_undecided = false;
        for (row, fate) in rows.iter().zip(fates) {
            let item = row.item.clone();
            match fate {
                Fate::Stays(file) => files.push(*file),
                Fate::Unchanged => ops.push(Op::Mark { item }),
                Fate::Deleted(cause) => {
                    open.folders.forget(item.as_str());
                    ops.push(open.scribe.delete(row, cause, Origin::Resync));
                }
                Fate::Undecided => is_undecided = true,
                Fate::Failed(error) => {
                    ops.push(self.failure(item, error.code(), error.to_string(), 0));
                }
            }
        }
        let rows = rows
            .into_iter()
            .map(|row| (row.item.clone(), row))
            .collect();
        let mut taken = self
            .take(open, files, &rows, Origin::Resync, Below::Look)
            .await?;
        ops.append(&mut taken);
        // Once begun, the rest is not held: the share shrinks with every step.
        let phase = WalkPhase::Sweep { accepted: true };
        let cursor = Some(open.position.to_cursor());
        let walk = Some(Some(Walk { phase, ..walk }));
        self.desk.append(&mut open.feed, ops, cursor, walk).await?;
        if is_undecided {
            let token = Some(open.position.token.clone());
            let reason = if is_told {
                Reason::NotListedInFolder
            } else {
                Reason::NotListed
            };
            return self
                .begin_walk(open, Origin::Resync, Some(reason), token)
                .await;
        }
        Ok(())
    }

    async fn fates(
        &self,
        open: &Open,
        rows: &[IndexRow],
        witnesses: &[Reader],
        is_second: bool,
    ) -> Result<Vec<Fate>, Error> {
        let items: Vec<_> = rows.iter().map(|row| row.item.clone()).collect();
        let answers = ask_all(&open.drive, &items).await?;
        let mut fates = Vec::with_capacity(rows.len());
        for (answer, item) in answers.into_iter().zip(&items) {
            let mut fate = fate(&open.view, answer, is_second);
            if matches!(fate, Fate::Deleted(_)) && open.view.drive_id().is_some() {
                let seen = self.seen_by_another(open, witnesses, item).await?;
                if let Witness::Sees(file) = seen {
                    fate = Fate::Stays(file);
                }
            }
            fates.push(fate);
        }
        Ok(fates)
    }

    /// An operator accepts what a held comparison would delete.
    pub(super) async fn accept_deletes(&self, open: &mut Open) -> Result<(), Error> {
        let Some(walk) = open.feed.walk.clone() else {
            return Ok(());
        };
        if matches!(walk.phase, WalkPhase::Held { .. }) {
            let phase = WalkPhase::Sweep { accepted: true };
            self.store_walk(open, Some(Walk { phase, ..walk })).await?;
        }
        Ok(())
    }
}

/// What becomes of a row that a listing did not show, by what Google says of the file itself.
fn fate(view: &View, answer: Answer, is_second: bool) -> Fate {
    let is_account = view.drive_id().is_none();
    match answer {
        Answer::File(file) if view.place(&file) != Place::Here => {
            Fate::Deleted(DeleteCause::OutOfScope)
        }
        // What is in a shared drive is the drive's, however it is found.
        Answer::File(file) if !is_account || file.owned_by_me => Fate::Stays(file),
        Answer::Missing => Fate::Deleted(DeleteCause::Removed),
        Answer::Forbidden if !is_account => Fate::Unchanged,
        Answer::File(_) | Answer::Forbidden if is_second => Fate::Deleted(DeleteCause::OutOfScope),
        Answer::File(_) | Answer::Forbidden => Fate::Undecided,
        Answer::Failed(error) => Fate::Failed(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> View {
        View::Account {
            root: "root".into(),
            members: Vec::new(),
        }
    }

    fn drive() -> View {
        View::Drive { id: "d".into() }
    }

    fn file(drive: Option<&str>, owned_by_me: bool) -> Answer {
        Answer::File(Box::new(DriveFile {
            id: "f".into(),
            drive_id: drive.map(str::to_owned),
            owned_by_me,
            ..DriveFile::default()
        }))
    }

    #[test]
    fn what_can_be_opened_is_deleted_by_two_listings_only() {
        let first = fate(&account(), file(None, false), false);
        assert!(matches!(first, Fate::Undecided));
        let second = fate(&account(), file(None, false), true);
        assert!(matches!(second, Fate::Deleted(DeleteCause::OutOfScope)));
        for is_second in [false, true] {
            let own = fate(&account(), file(None, true), is_second);
            assert!(matches!(own, Fate::Stays(_)));
            let in_drive = fate(&drive(), file(Some("d"), false), is_second);
            assert!(matches!(in_drive, Fate::Stays(_)));
            let gone = fate(&account(), Answer::Missing, is_second);
            assert!(matches!(gone, Fate::Deleted(DeleteCause::Removed)));
            let moved = fate(&drive(), file(None, false), is_second);
            assert!(matches!(moved, Fate::Deleted(DeleteCause::OutOfScope)));
            let closed = fate(&drive(), Answer::Forbidden, is_second);
            assert!(matches!(closed, Fate::Unchanged));
        }
    }
}
