//! The walk of a calendar: lists all events page by page, takes the position from the last page,
//! makes up for what changed meanwhile, and, where it compares, sweeps away what the listing did
//! not show, guarded by look-ups and by the hold on mass deletions.

use super::feed::{CatchUp, Listing, Position, Reading, is_of_one_event, is_refused, next_page};
use super::occurrence::own_event;
use super::scribe::Sight;
use crate::desk::{is_mass_deletion, next_try};
use crate::error::Error;
use crate::identity;
use nuncio_google::{Calendar, ListEvents};
use nuncio_model::{DeleteCause, Failure, IndexRow, ItemId, Op, Origin, Walk, WalkPhase};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The catch-up begins so long before the walk did: clocks and Google's replicas differ.
const CATCH_UP_BEFORE_MS: i64 = 60_000;

/// A calendar that did not change for longer than this says nothing of a difference of clocks.
const MAX_CLOCK_SKEW_MS: i64 = 24 * 60 * 60 * 1_000;

/// Missing events that are looked up before any is deleted.
const N_SAMPLE: usize = 10;

/// Deletions in one transaction.
const N_SWEEP: u32 = 500;

/// Rows of any order are swept: what was changed since the walk began was marked as seen.
const ANY_ORDER: u64 = i64::MAX as u64;

/// Reason of a resync that repeats one whose listing was not true. The second time in a row it
/// is held, so that it cannot go on for ever.
const LISTING_LEFT_OUT: &str = "a listing had left out events that are there";

impl Reading {
    /// Begins a walk because the position is lost. Nothing newer than what the walk will show can
    /// be known, so orders of before mean nothing: another reader may see other ones.
    pub(super) async fn lose_position(&mut self, reason: &str) -> Result<(), Error> {
        if let Some((shared, options)) = &self.owner {
            identity::same(shared, options, &self.reader).await?;
        }
        let origin = if self.feed.complete {
            Origin::Resync
        } else {
            Origin::Backfill
        };
        self.begin_walk(origin, Some(reason), true).await
    }

    /// Begins to compare at an operator's wish; what position there is stays.
    pub(super) async fn resync(&mut self, reason: &str) -> Result<(), Error> {
        let position = Position::of(&self.feed);
        let is_lost = position.is_none_or(|position| position.token.is_empty());
        self.begin_walk(Origin::Resync, Some(reason), is_lost).await
    }

    /// Begins a walk, replacing one under way; with the position, or, if that is lost, without.
    pub(super) async fn begin_walk(
        &mut self,
        origin: Origin,
        reason: Option<&str>,
        is_lost: bool,
    ) -> Result<(), Error> {
        let generation = self.desk.store.next_generation(self.feed.id).await?;
        let walk = Walk {
            origin,
            reason: reason.map(str::to_owned),
            generation,
            baseline: u64::try_from(self.desk.clock.now_ms()).unwrap_or(0),
            phase: WalkPhase::List,
            page: None,
            done: 0,
            total: None,
        };
        if let Some(reason) = reason {
            tracing::warn!(
                account = %self.desk.name,
                source = "calendar",
                reason,
                "comparing the whole calendar with Google"
            );
        }
        let (ops, cursor) = if is_lost {
            let position = self.position(String::new());
            (vec![Op::ForgetOrders], Some(position.cursor()?))
        } else {
            (Vec::new(), None)
        };
        self.increment = None;
        self.listing = None;
        self.catch_up = CatchUp::Under(Listing::default());
        self.append(ops, cursor, Some(Some(walk))).await
    }

    /// Lists the walk's next page.
    ///
    /// The stored page moves on only while nothing waits for its series: what waits is in memory,
    /// and after a crash must be listed again.
    pub(super) async fn walk_on(&mut self) -> Result<(), Error> {
        let Some(mut walk) = self.feed.walk.clone() else {
            return Ok(());
        };
        let mut listing = self.listing.take().unwrap_or_else(|| Listing {
            page: walk.page.clone(),
            ..Listing::default()
        });
        let list = ListEvents {
            page_token: listing.page.clone(),
            ..ListEvents::default()
        };
        let page = match self.page(list).await {
            Ok(page) => page,
            Err(error) if listing.page.is_some() && is_refused(&error) => {
                tracing::info!(
                    account = %self.desk.name,
                    source = "calendar",
                    "Google took a page token back, the walk lists again from its beginning"
                );
                let is_lost =
                    Position::of(&self.feed).is_none_or(|position| position.token.is_empty());
                let reason = walk.reason.clone();
                return self
                    .begin_walk(walk.origin, reason.as_deref(), is_lost)
                    .await;
            }
            Err(error) => {
                self.listing = Some(listing);
                return Err(error.into());
            }
        };
        if listing.page.is_none() {
            walk.baseline = catch_up_from(walk.baseline, page.updated);
        }
        let next = next_page(&page, listing.page.as_deref())?;
        let token = page.next_sync_token.clone();
        listing.n_seen += (page.events.len() + page.bad.len()) as u64;
        let ops = self
            .ops_of_page(&mut listing, page, Sight::Listing, walk.origin)
            .await?;
        let mut cursor = None;
        if next.is_none() {
            let token = token.ok_or(Error::Unreadable {
                what: "the sync token",
            })?;
            cursor = Some(self.position(token).cursor()?);
            walk.phase = WalkPhase::Sweep { accepted: false };
        }
        listing.page.clone_from(&next);
        if listing.waiting.is_empty() {
            walk.page = next.clone();
            walk.done += std::mem::take(&mut listing.n_seen);
        }
        self.append(ops, cursor, Some(Some(walk))).await?;
        self.listing = next.is_some().then_some(listing);
        if self.listing.is_none() {
            self.catch_up = CatchUp::Under(Listing::default());
            // An increment under way belongs to the token of before.
            self.increment = None;
        }
        Ok(())
    }

    /// One step of the end of a walk: a page of the catch-up, or a few deletions. `others` are
    /// the clients of further members, who are asked before anything is deleted.
    pub(super) async fn sweep(&mut self, accepted: bool, others: &[Calendar]) -> Result<(), Error> {
        let Some(walk) = self.feed.walk.clone() else {
            return Ok(());
        };
        let catch_up = std::mem::replace(&mut self.catch_up, CatchUp::Done);
        if let CatchUp::Under(listing) = catch_up {
            return self.catch_up(listing, &walk).await;
        }
        let (feed, generation) = (self.feed.id, walk.generation);
        let store = Arc::clone(&self.desk.store);
        let n_missing = store.count_unmarked(feed, generation, ANY_ORDER).await?;
        if n_missing == 0 {
            return self.append(Vec::new(), None, Some(None)).await;
        }
        let n_items = store.count_items(feed).await?;
        if !accepted && is_mass_deletion(n_missing, n_items) {
            tracing::warn!(
                account = %self.desk.name,
                source = "calendar",
                n_missing,
                n_items,
                "so many events are missing at Google that their deletion is held"
            );
            return self.hold(walk, n_missing).await;
        }
        let rows = store.unmarked(feed, generation, ANY_ORDER, N_SWEEP).await?;
        let Sampled { there, mut unclear } = self.sample(&rows).await?;
        let is_second = walk.reason.as_deref() == Some(LISTING_LEFT_OUT);
        match (there.is_empty(), is_second) {
            (true, _) => {}
            (false, false) => {
                return self
                    .begin_walk(walk.origin, Some(LISTING_LEFT_OUT), false)
                    .await;
            }
            // Once an operator has accepted that, what is there stays and the rest goes.
            (false, true) if !accepted => return self.hold(walk, n_missing).await,
            (false, true) => {}
        }
        let mut ops = Vec::with_capacity(rows.len());
        for row in &rows {
            ops.push(if let Some(failure) = unclear.remove(&row.item) {
                Op::Fail(failure)
            } else if there.contains(&row.item) {
                Op::Mark {
                    item: row.item.clone(),
                }
            } else if self.is_there_for(others, row).await? {
                tracing::info!(
                    account = %self.desk.name,
                    source = "calendar",
                    "another member still sees an event that the reader does not; it stays"
                );
                Op::Mark {
                    item: row.item.clone(),
                }
            } else {
                self.scribe
                    .delete(row, None, DeleteCause::Unknown, Origin::Resync)
            });
        }
        // Once begun, the rest is not held: the share shrinks with every step.
        let walk = Walk {
            phase: WalkPhase::Sweep { accepted: true },
            ..walk
        };
        self.append(ops, None, Some(Some(walk))).await
    }

    /// An operator accepts what a held walk would delete.
    pub(super) async fn accept_deletes(&mut self) -> Result<(), Error> {
        let Some(walk) = self.feed.walk.clone() else {
            return Ok(());
        };
        if !matches!(walk.phase, WalkPhase::Held { .. }) {
            return Ok(());
        }
        let walk = Walk {
            phase: WalkPhase::Sweep { accepted: true },
            ..walk
        };
        self.append(Vec::new(), None, Some(Some(walk))).await
    }

    async fn hold(&mut self, walk: Walk, deletions: u64) -> Result<(), Error> {
        let walk = Walk {
            phase: WalkPhase::Held { deletions },
            ..walk
        };
        self.append(Vec::new(), None, Some(Some(walk))).await
    }

    /// A page of what changed since the walk began.
    async fn catch_up(&mut self, mut listing: Listing, walk: &Walk) -> Result<(), Error> {
        let list = ListEvents {
            updated_min: i64::try_from(walk.baseline).ok(),
            page_token: listing.page.clone(),
            ..ListEvents::default()
        };
        let page = match self.page(list).await {
            Ok(page) => page,
            Err(error) if listing.page.is_some() && is_refused(&error) => {
                self.catch_up = CatchUp::Under(Listing::default());
                return Ok(());
            }
            // The walk took so long that Google does not tell any more.
            Err(error) if is_refused(&error) => {
                let reason = "the listing took too long";
                return self.begin_walk(walk.origin, Some(reason), false).await;
            }
            Err(error) => {
                self.catch_up = CatchUp::Under(listing);
                return Err(error.into());
            }
        };
        let next = next_page(&page, listing.page.as_deref())?;
        let ops = self
            .ops_of_page(&mut listing, page, Sight::Present, walk.origin)
            .await?;
        if !ops.is_empty() {
            self.append(ops, None, None).await?;
        }
        listing.page = next;
        self.catch_up = match listing.page {
            Some(_) => CatchUp::Under(listing),
            None => CatchUp::Done,
        };
        Ok(())
    }

    /// Looks up some of the missing events.
    async fn sample(&self, rows: &[IndexRow]) -> Result<Sampled, Error> {
        let mut sampled = Sampled::default();
        for row in rows.iter().take(N_SAMPLE) {
            match own_event(&self.calendar, &self.id, &row.item).await {
                Ok(Some(event)) if !event.is_cancelled() => {
                    sampled.there.insert(row.item.clone());
                }
                Ok(_) => {}
                Err(error) if is_of_one_event(&error) => {
                    let failure = Failure {
                        item: row.item.clone(),
                        code: error.code().to_owned(),
                        message: error.to_string(),
                        next_try: next_try(self.desk.clock.now_ms(), 0),
                    };
                    sampled.unclear.insert(row.item.clone(), failure);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(sampled)
    }

    /// Whether the first of `others` that can tell sees the event.
    pub(super) async fn is_there_for(
        &self,
        others: &[Calendar],
        row: &IndexRow,
    ) -> Result<bool, Error> {
        for other in others {
            match own_event(other, &self.id, &row.item).await {
                Ok(event) => return Ok(event.is_some_and(|event| !event.is_cancelled())),
                Err(error) => tracing::debug!(
                    account = %self.desk.name,
                    source = "calendar",
                    code = error.code(),
                    "a member cannot tell whether an event is there"
                ),
            }
        }
        Ok(false)
    }
}

/// What a look at missing events has shown.
#[derive(Debug, Default)]
struct Sampled {
    /// Those that are there after all.
    there: HashSet<ItemId>,
    /// Those that Google cannot tell of; they stay and are tried again.
    unclear: HashMap<ItemId, Failure>,
}

/// From when on changes are to be made up for, in milliseconds since 1970: the walk's beginning
/// by our clock, or by Google's (`updated` of the calendar at its first page) if that is earlier,
/// less a minute. Google refuses times long ago, so a calendar's own time counts up to a day.
fn catch_up_from(began: u64, updated: Option<i64>) -> u64 {
    let began = i64::try_from(began).unwrap_or(i64::MAX);
    let updated = updated.unwrap_or(began);
    let from = began
        .min(updated)
        .max(began.saturating_sub(MAX_CLOCK_SKEW_MS));
    u64::try_from(from.saturating_sub(CATCH_UP_BEFORE_MS)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catch_up_begins_early_enough_by_either_clock() {
        let hour = 3_600_000;
        let now = 1_000 * hour;
        let from = |updated: Option<u64>| catch_up_from(now, updated.map(|at| at as i64));
        assert_eq!(from(None), now - 60_000);
        assert_eq!(from(Some(now + hour)), now - 60_000, "our clock is slow");
        assert_eq!(
            from(Some(now - hour)),
            now - hour - 60_000,
            "our clock is fast"
        );
        assert_eq!(from(Some(0)), now - 24 * hour - 60_000);
        assert_eq!(catch_up_from(0, None), 0);
    }
}
