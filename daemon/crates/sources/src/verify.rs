//! Verification: compares what Google lists with the item index, item by item, and mends what is
//! wrong where an operator asks for that. One bounded step at a time in the feed's own loop, so
//! that it is ordered with live and walk, and the feed stays live meanwhile.
//!
//! How a source lists, looks up and mends is behind [`Inspect`]; what counts as wrong stands
//! here, and is the same for all:
//! - Nothing is judged before the change log was read to its end after the listing.
//! - What then still differs is looked up once by its id. It counts only if Google's answer
//!   differs from the row, and the change log, read to its end once more, has not moved that row.
//! - Until something is to be mended nothing is written.

use crate::desk::{Desk, is_mass_deletion};
use crate::error::Error;
use crate::task::Log;
use crate::{FeedError, FeedHealth, FeedState};
use async_trait::async_trait;
use nuncio_model::{DeleteCause, IndexRow, ItemId, Next, Origin, Walk, WalkPhase};
use std::collections::{HashSet, VecDeque};
use std::time::Duration;
use tokio::sync::watch;

/// Rows compared in one step.
const N_COMPARE: u32 = 500;

/// Items looked up, or mended, in one step.
const N_ASK: usize = 20;

/// Wrong items that are named; all are counted.
const MAX_NAMED: usize = 100;

/// Failed items that are known to a verification, so that they are not looked up.
const MAX_FAILED: u32 = 10_000;

/// Listings begun anew, because the feed itself had to compare or its reader changed, before a
/// verification gives up.
const MAX_RESTARTS: u32 = 5;

/// A verification does not outlast a longer wait for Google: nobody looks at it so long.
const MAX_WAIT: Duration = Duration::from_secs(120);

/// What an operator asks a feed to verify, and where it tells how far it is. When nobody listens
/// any more it stops.
#[derive(Debug, Clone)]
pub struct VerifyOrder {
    /// Whether what is wrong is to be made right.
    pub repair: bool,
    /// Where progress and result go.
    pub report: watch::Sender<Verified>,
}

/// What a verification is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VerifyPhase {
    /// Not begun: the feed has other steps to take first.
    #[default]
    Queued,
    /// Reads Google's listing.
    Listing,
    /// Compares the index with it.
    Comparing,
    /// Looks up what differs.
    Checking,
    /// Mends what is wrong.
    Repairing,
    /// Ended.
    Done,
    /// Ended before it knew.
    Unfinished,
}

impl VerifyPhase {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Listing => "listing",
            Self::Comparing => "comparing",
            Self::Checking => "checking",
            Self::Repairing => "repairing",
            Self::Done => "done",
            Self::Unfinished => "unfinished",
        }
    }

    /// Whether nothing comes after it.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Done | Self::Unfinished)
    }
}

/// In which way an item is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrongKind {
    /// At Google and in scope, not in the index.
    Missing,
    /// In the index, not at Google or not in scope.
    Extra,
    /// Known, but not as Google has it.
    Stale,
    /// Google does not give it.
    Failed,
}

impl WrongKind {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Extra => "extra",
            Self::Stale => "stale",
            Self::Failed => "failed",
        }
    }
}

/// What a verification has found so far. Counts, and the first hundred of what is wrong.
#[derive(Debug, Clone, Default)]
pub struct Verified {
    /// What it is doing.
    pub phase: VerifyPhase,
    /// Items of that phase that are done.
    pub n_done: u64,
    /// Items of that phase, where known.
    pub n_all: Option<u64>,
    /// At Google and in scope, not in the index.
    pub n_missing: u64,
    /// In the index, not at Google.
    pub n_extra: u64,
    /// Known, but other at Google.
    pub n_stale: u64,
    /// Failed items: Google does not give them.
    pub n_failed: u64,
    /// How many of all these are right now.
    pub n_repaired: u64,
    /// Deletions that were left to a resync, which holds them for an operator.
    pub n_held: u64,
    /// The first of what is wrong. Google's ids: untrusted text.
    pub wrong: Vec<(ItemId, WrongKind)>,
    /// Calls that it took, without those of the live feed.
    pub n_calls: u64,
    /// What these cost of the budget.
    pub n_units: u64,
    /// Why it stands still, or ended before it knew.
    pub trouble: Option<FeedError>,
}

impl Verified {
    /// One that does not begin.
    pub(crate) fn refused(trouble: FeedError) -> Self {
        Self {
            phase: VerifyPhase::Unfinished,
            trouble: Some(trouble),
            ..Self::default()
        }
    }

    fn note(&mut self, item: &ItemId, kind: WrongKind) {
        match kind {
            WrongKind::Missing => self.n_missing += 1,
            WrongKind::Extra => self.n_extra += 1,
            WrongKind::Stale => self.n_stale += 1,
            WrongKind::Failed => self.n_failed += 1,
        }
        if self.wrong.len() < MAX_NAMED {
            self.wrong.push((item.clone(), kind));
        }
    }
}

/// How a row looks beside the listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// As it is known, or not to be judged by the listing.
    Same,
    /// Otherwise.
    Differs,
    /// Not at all.
    Not,
}

/// What Google says of one item when asked for it by its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Truth {
    /// It is there as it is known.
    AsKnown,
    /// It is there and unknown, or other than it is known.
    Other,
    /// It is not there, or does not belong to the feed.
    Gone(DeleteCause),
    /// Newer than the live position, which will tell of it.
    Later,
    /// It can be opened but was not listed; another listing decides.
    Undecided,
    /// Google does not give it.
    Failed,
}

/// Something wrong, as it was found.
#[derive(Debug, Clone)]
pub(crate) struct Wrong {
    /// The item.
    pub item: ItemId,
    /// In which way.
    pub kind: WrongKind,
    /// Its row then.
    pub row: Option<IndexRow>,
    /// Why it is gone, if it is.
    pub cause: DeleteCause,
}

/// What calls have cost.
#[derive(Debug, Default)]
pub(crate) struct Cost {
    n_calls: u64,
    n_units: u64,
}

impl Cost {
    /// Adds a call of this method.
    pub(crate) fn add(&mut self, google: &nuncio_google::Google, method: &str) {
        self.n_calls += 1;
        self.n_units += google.price(method);
    }
}

/// How a source is verified. `None` in an answer: whoever reads was lost or changed, so that all
/// is to be begun anew.
#[async_trait]
pub(crate) trait Inspect: Send {
    /// What a listing has shown so far.
    type Survey: Default + Send + Sync;

    /// Reads one page more of Google's listing; whether that was the last.
    async fn list(
        &mut self,
        survey: &mut Self::Survey,
        cost: &mut Cost,
    ) -> Result<Option<bool>, Error>;

    /// How a row looks beside the finished listing.
    fn compare(survey: &Self::Survey, row: &IndexRow) -> Shown;

    /// All items that the listing showed as belonging to the feed.
    fn shown(survey: &Self::Survey) -> Vec<ItemId>;

    /// Forgets the listing but for the fact that one was made: what it left out and can be opened
    /// is gone if the next one leaves it out as well.
    fn list_again(survey: &mut Self::Survey) {
        *survey = Self::Survey::default();
    }

    /// Asks for one item.
    async fn ask(
        &mut self,
        survey: &Self::Survey,
        item: &ItemId,
        row: Option<&IndexRow>,
        cost: &mut Cost,
    ) -> Result<Option<Truth>, Error>;

    /// Reads these items again and appends what follows; deletes those that are extra.
    async fn mend(&mut self, wrong: &[Wrong], cost: &mut Cost) -> Result<(), Error>;
}

/// A verification under way.
pub(crate) struct Verification<S> {
    order: VerifyOrder,
    stage: Stage,
    survey: S,
    found: Verified,
    cost: Cost,
    failed: HashSet<ItemId>,
    suspects: VecDeque<(ItemId, Option<IndexRow>)>,
    /// Whether something was left to a second listing.
    is_undecided: bool,
    wrong: Vec<Wrong>,
    n_restarts: u32,
}

enum Stage {
    Begin,
    List,
    /// The row up to which rows were compared.
    Rows(Option<ItemId>),
    /// Listed items that are still to be looked for in the index.
    Items(VecDeque<ItemId>),
    Ask,
    /// How many of `wrong` were mended.
    Mend(usize),
    Retry,
    End,
}

impl<S: Default> Verification<S> {
    pub(crate) fn new(order: VerifyOrder) -> Self {
        let verification = Self {
            order,
            stage: Stage::Begin,
            survey: S::default(),
            found: Verified::default(),
            cost: Cost::default(),
            failed: HashSet::new(),
            suspects: VecDeque::new(),
            is_undecided: false,
            wrong: Vec::new(),
            n_restarts: 0,
        };
        verification.publish();
        verification
    }

    /// Whether nobody waits for it any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.order.report.is_closed()
    }

    /// Takes in that the feed could not take a step; whether this ends the verification.
    pub(crate) fn stumble(&mut self, error: &Error, shown: FeedError) -> bool {
        let is_end = match error.next() {
            Next::RetryAfter(wait) => wait > MAX_WAIT,
            Next::Reauthorize | Next::Reject => true,
            Next::Backoff | Next::Resync | Next::Stop => false,
        };
        self.found.trouble = Some(shown);
        if is_end {
            self.found.phase = VerifyPhase::Unfinished;
        }
        self.publish();
        is_end
    }

    /// Ends without a result.
    fn give_up(&mut self, code: &str, message: &str, hint: &str) {
        self.found.phase = VerifyPhase::Unfinished;
        self.found.trouble = Some(trouble(code, message, hint));
        self.stage = Stage::End;
    }

    fn publish(&self) {
        let mut found = self.found.clone();
        (found.n_calls, found.n_units) = (self.cost.n_calls, self.cost.n_units);
        // Nobody listens: the loop sees to that.
        drop(self.order.report.send(found));
    }

    fn enter(&mut self, phase: VerifyPhase, n_all: Option<u64>) {
        self.found.phase = phase;
        (self.found.n_done, self.found.n_all) = (0, n_all);
    }

    /// Begins anew, unless it had to too often.
    fn begin_again(&mut self) {
        self.n_restarts += 1;
        if self.n_restarts > MAX_RESTARTS {
            self.give_up(
                "SRC012",
                "the feed had to compare itself, or its reader changed, again and again",
                "try again when `nuncio status` shows it as live",
            );
            return;
        }
        self.survey = S::default();
        self.forget_findings();
        self.stage = Stage::Begin;
        self.enter(VerifyPhase::Queued, None);
    }

    fn forget_findings(&mut self) {
        self.suspects.clear();
        self.wrong.clear();
        self.is_undecided = false;
        let found = &mut self.found;
        found.wrong.clear();
        (
            found.n_missing,
            found.n_extra,
            found.n_stale,
            found.n_failed,
        ) = (0, 0, 0, 0);
    }

    /// Whether the verification goes on: a first walk or a held one says all there is to say, any
    /// other walk is waited for.
    pub(crate) fn may_go_on(&mut self, walk: Option<&Walk>) -> bool {
        let Some(walk) = walk else { return true };
        if matches!(self.stage, Stage::Retry) {
            return true; // It was handed to that walk.
        }
        match (walk.phase, walk.origin) {
            (WalkPhase::Held { .. }, _) => self.give_up(
                "SRC010",
                "a resync holds deletions and waits for an operator",
                "if they were really deleted: nuncio user resync EMAIL --accept-deletes",
            ),
            (_, Origin::Backfill) => self.give_up(
                "SRC011",
                "its first walk is not done, so that the index cannot be complete",
                "verify again when `nuncio status` shows it as live",
            ),
            _ if matches!(self.stage, Stage::Begin) => return false,
            _ => {
                self.begin_again();
                self.publish();
                return matches!(self.stage, Stage::End);
            }
        }
        self.publish();
        true
    }

    /// One bounded step; whether it was the last.
    pub(crate) async fn step<L>(&mut self, log: &mut L, desk: &Desk) -> Result<bool, Error>
    where
        L: Log + Inspect<Survey = S>,
    {
        self.found.trouble = match self.found.phase {
            VerifyPhase::Unfinished => self.found.trouble.take(),
            _ => None,
        };
        let Some(feed) = log.feed().map(|feed| feed.id) else {
            self.begin_again();
            return Ok(false);
        };
        match std::mem::replace(&mut self.stage, Stage::End) {
            Stage::Begin => {
                self.stage = Stage::Begin;
                if catch_up(log).await? {
                    self.stage = Stage::List;
                    let n_items = desk.store.count_items(feed).await?;
                    self.enter(VerifyPhase::Listing, Some(n_items));
                }
            }
            Stage::List => {
                self.stage = Stage::List;
                match log.list(&mut self.survey, &mut self.cost).await? {
                    None => self.begin_again(),
                    Some(false) => {
                        self.found.n_done = L::shown(&self.survey).len() as u64;
                    }
                    // The live catch-up: what came since the listing is not wrong.
                    Some(true) if catch_up(log).await? => {
                        let failed = desk.store.failed_items(feed, MAX_FAILED).await?;
                        for one in &failed {
                            self.found.note(&one.failure.item, WrongKind::Failed);
                        }
                        self.failed = failed.into_iter().map(|one| one.failure.item).collect();
                        let n_items = desk.store.count_items(feed).await?;
                        self.enter(VerifyPhase::Comparing, Some(n_items));
                        self.stage = Stage::Rows(None);
                    }
                    Some(true) => self.begin_again(),
                }
            }
            Stage::Rows(after) => {
                self.stage = Stage::Rows(after.clone());
                let rows = desk.store.rows(feed, after, N_COMPARE).await?;
                self.found.n_done += rows.len() as u64;
                self.stage = match rows.last() {
                    Some(last) => Stage::Rows(Some(last.item.clone())),
                    None => Stage::Items(L::shown(&self.survey).into()),
                };
                for row in rows {
                    if L::compare(&self.survey, &row) != Shown::Same {
                        self.suspect(row.item.clone(), Some(row));
                    }
                }
            }
            Stage::Items(mut items) => {
                let n = items.len().min(N_COMPARE as usize);
                let piece: Vec<ItemId> = items.iter().take(n).cloned().collect();
                let rows = desk.store.lookup(feed, piece.clone()).await;
                let rows = match rows {
                    Ok(rows) => rows,
                    Err(error) => {
                        self.stage = Stage::Items(items);
                        return Err(error.into());
                    }
                };
                items.drain(..n);
                for (item, row) in piece.into_iter().zip(rows) {
                    if row.is_none() {
                        self.suspect(item, None);
                    }
                }
                self.stage = if items.is_empty() {
                    self.enter(VerifyPhase::Checking, Some(self.suspects.len() as u64));
                    Stage::Ask
                } else {
                    Stage::Items(items)
                };
            }
            Stage::Ask => {
                self.stage = Stage::Ask;
                if self.suspects.is_empty() {
                    self.judged::<L>();
                } else {
                    self.check(log, desk).await?;
                }
            }
            Stage::Mend(n_done) => {
                self.stage = Stage::Mend(n_done);
                self.mend(n_done, log, desk).await?;
            }
            Stage::Retry => {
                self.stage = Stage::Retry;
                let now = desk.clock.now_ms();
                if desk.store.due_failures(feed, now, 1).await?.is_empty() {
                    let left = desk.store.failed_items(feed, MAX_FAILED).await?;
                    let left: HashSet<ItemId> =
                        left.into_iter().map(|one| one.failure.item).collect();
                    self.found.n_repaired += self.failed.difference(&left).count() as u64;
                    self.found.phase = VerifyPhase::Done;
                    self.stage = Stage::End;
                } else {
                    log.retry_failures().await?;
                }
            }
            Stage::End => {}
        }
        let is_end = matches!(self.stage, Stage::End);
        if is_end {
            tracing::info!(
                account = %desk.name,
                source = desk.source.as_str(),
                n_missing = self.found.n_missing,
                n_extra = self.found.n_extra,
                n_stale = self.found.n_stale,
                n_failed = self.found.n_failed,
                n_repaired = self.found.n_repaired,
                n_calls = self.cost.n_calls,
                phase = self.found.phase.as_str(),
                "verification ends"
            );
        }
        self.publish();
        Ok(is_end)
    }

    fn suspect(&mut self, item: ItemId, row: Option<IndexRow>) {
        if !self.failed.contains(&item) {
            self.suspects.push_back((item, row));
        }
    }

    /// Looks a few suspects up, reads the change log to its end, and judges.
    async fn check<L>(&mut self, log: &mut L, desk: &Desk) -> Result<(), Error>
    where
        L: Log + Inspect<Survey = S>,
    {
        let Some(feed) = log.feed().map(|feed| feed.id) else {
            self.begin_again();
            return Ok(());
        };
        let n = self.suspects.len().min(N_ASK);
        let asked: Vec<_> = self.suspects.iter().take(n).cloned().collect();
        let mut truths = Vec::with_capacity(n);
        for (item, row) in &asked {
            let truth = log.ask(&self.survey, item, row.as_ref(), &mut self.cost);
            let Some(truth) = truth.await? else {
                self.begin_again();
                return Ok(());
            };
            truths.push(truth);
        }
        if !catch_up(log).await? {
            self.begin_again();
            return Ok(());
        }
        let items = asked.iter().map(|(item, _)| item.clone()).collect();
        let rows = desk.store.lookup(feed, items).await?;
        self.suspects.drain(..n);
        self.found.n_done += n as u64;
        for (((item, before), truth), now) in asked.into_iter().zip(truths).zip(rows) {
            if !is_unmoved(before.as_ref(), now.as_ref()) {
                continue; // The live feed has dealt with it.
            }
            let (kind, cause) = match (truth, &now) {
                (Truth::Other, None) => (WrongKind::Missing, DeleteCause::Unknown),
                (Truth::Other, Some(_)) => (WrongKind::Stale, DeleteCause::Unknown),
                (Truth::Gone(cause), Some(_)) => (WrongKind::Extra, cause),
                (Truth::Failed, _) => (WrongKind::Failed, DeleteCause::Unknown),
                (Truth::Undecided, _) => {
                    self.is_undecided = true;
                    continue;
                }
                (Truth::AsKnown | Truth::Later, _) | (Truth::Gone(_), None) => continue,
            };
            self.found.note(&item, kind);
            self.wrong.push(Wrong {
                item,
                kind,
                row: now,
                cause,
            });
        }
        Ok(())
    }

    /// All suspects were looked up.
    fn judged<L: Inspect<Survey = S>>(&mut self) {
        if self.is_undecided {
            self.forget_findings();
            L::list_again(&mut self.survey);
            self.enter(VerifyPhase::Listing, self.found.n_all);
            self.stage = Stage::List;
        } else if self.order.repair {
            self.enter(VerifyPhase::Repairing, Some(self.wrong.len() as u64));
            self.stage = Stage::Mend(0);
        } else {
            self.found.phase = VerifyPhase::Done;
            self.stage = Stage::End;
        }
    }

    /// Mends a few of what is wrong. Deletions that look like too many are left to a resync,
    /// which holds them.
    async fn mend<L>(&mut self, n_done: usize, log: &mut L, desk: &Desk) -> Result<(), Error>
    where
        L: Log + Inspect<Survey = S>,
    {
        let Some(feed) = log.feed().map(|feed| feed.id) else {
            self.begin_again();
            return Ok(());
        };
        let n_items = desk.store.count_items(feed).await?;
        // The share of the whole, whatever was deleted of it already.
        let is_mass = n_done == 0 && is_mass_deletion(self.found.n_extra, n_items);
        if is_mass {
            self.wrong.retain(|wrong| wrong.kind != WrongKind::Extra);
            self.found.n_held = self.found.n_extra;
        }
        let n = (self.wrong.len() - n_done).min(N_ASK);
        let piece = &self.wrong[n_done..n_done + n];
        if n > 0 {
            log.mend(piece, &mut self.cost).await?;
            let items = piece.iter().map(|wrong| wrong.item.clone()).collect();
            let rows = desk.store.lookup(feed, items).await?;
            let n_right = piece
                .iter()
                .zip(&rows)
                .filter(|(wrong, row)| match (wrong.kind, row) {
                    (WrongKind::Extra, row) => row.is_none(),
                    (_, None) => false,
                    (_, Some(_)) => !is_unmoved(wrong.row.as_ref(), row.as_ref()),
                })
                .count();
            self.found.n_repaired += n_right as u64;
            self.found.n_done += n as u64;
            self.stage = Stage::Mend(n_done + n);
            return Ok(());
        }
        if self.found.n_held > 0 {
            log.resync("a verification found many items that are missing at Google")
                .await?;
        }
        // Those of long ago, tried at once. What failed just now is tried again in its own time.
        let now = desk.clock.now_ms();
        let failed = self.failed.iter().cloned().collect();
        desk.store.hasten_failures(feed, failed, now).await?;
        self.stage = Stage::Retry;
        Ok(())
    }
}

/// Reads the change log to its end; whether the feed stands as before: connected, without a walk.
async fn catch_up<L: Log>(log: &mut L) -> Result<bool, Error> {
    while log.poll().await? {}
    Ok(log.feed().is_some_and(|feed| feed.walk.is_none()))
}

/// Whether the live feed left a row as it was.
fn is_unmoved(before: Option<&IndexRow>, now: Option<&IndexRow>) -> bool {
    match (before, now) {
        (None, None) => true,
        (Some(before), Some(now)) => {
            (before.order, before.hash, &before.labels) == (now.order, now.hash, &now.labels)
        }
        (None, Some(_)) | (Some(_), None) => false,
    }
}

/// Why a feed in this state cannot be verified now; none if it can. `now` in milliseconds since
/// 1970.
pub(crate) fn obstacle(health: &FeedHealth, is_connected: bool, now: i64) -> Option<FeedError> {
    let longest = i64::try_from(MAX_WAIT.as_millis()).unwrap_or(i64::MAX);
    let is_far = health.next_try.is_some_and(|at| at - now > longest);
    let is_refused = matches!(health.state, FeedState::Disabled | FeedState::Orphaned);
    match &health.error {
        Some(error) if is_refused || is_far || !is_connected => Some(error.clone()),
        _ if is_connected => None,
        _ => Some(trouble(
            "SRC013",
            "the feed is not connected yet",
            "try again in a moment",
        )),
    }
}

/// Why a second verification of a feed does not begin.
pub(crate) fn is_under_way() -> FeedError {
    trouble(
        "SRC014",
        "another verification of this feed is under way",
        "wait for its end",
    )
}

fn trouble(code: &str, message: &str, hint: &str) -> FeedError {
    FeedError {
        code: code.to_owned(),
        message: message.to_owned(),
        hint: hint.to_owned(),
    }
}

#[cfg(test)]
mod tests;
