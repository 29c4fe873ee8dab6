//! One calendar and where it stands: pages of events become appends, the position moves with the
//! last page of an increment, failed events are tried again. The walk is in `walk`, who reads
//! the calendar in `primary` and `shared`.
//!
//! Google gives a position (sync token) only at the end of a full listing. So the first walk
//! lists without one, and one listing by `updatedMin` then makes up for its length.

use super::fold::{self, Seen, Series, Step};
use super::occurrence::own_event;
use super::scribe::{Scribe, Sight};
use super::times;
use crate::desk::{Desk, next_try};
use crate::error::{Error, is_not_found, status};
use crate::{AccountOptions, Shared};
use nuncio_google::{BadItem, Calendar, EventPage, ListEvents, RawEvent};
use nuncio_model::{
    AccountKey, Cursor, DeleteCause, Failure, Feed, IndexRow, ItemId, Next, Op, Origin, Walk,
    WalkPhase,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Failed items tried at once.
const N_FAILURES: u32 = 20;

/// Rows read at once when the exceptions of a series are looked for.
const N_ROWS: u32 = 2_000;

/// A page whose answer is too large is asked for again with so many times fewer events.
const SHRINK: u16 = 8;

/// The stored position: Google's token is good for one account only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    /// Whose token it is.
    pub reader: AccountKey,
    /// The sync token; empty while there is none.
    pub token: String,
}

impl Position {
    /// The position of a feed; none if it has none or it cannot be read.
    pub(super) fn of(feed: &Feed) -> Option<Self> {
        serde_json::from_str(&feed.cursor.as_ref()?.0).ok()
    }

    pub(super) fn cursor(&self) -> Result<Cursor, Error> {
        let text = serde_json::to_string(self).map_err(|_| Error::Unreadable {
            what: "a sync token",
        })?;
        Ok(Cursor(text))
    }
}

/// A calendar that is being read.
pub(super) struct Reading {
    /// The client of the account that reads it.
    pub calendar: Calendar,
    /// As the API names it: `primary` or the id.
    pub id: String,
    /// Who reads it.
    pub reader: AccountKey,
    /// The feed's working place.
    pub desk: Desk,
    /// What is stored.
    pub feed: Feed,
    /// Writes its records.
    pub scribe: Scribe,
    /// The increment under way. Only in memory: after a crash it begins anew.
    pub increment: Option<Listing>,
    /// The walk's listing; its stored page may be behind it.
    pub listing: Option<Listing>,
    /// The listing that makes up for the walk's length.
    pub catch_up: CatchUp,
    /// Whose primary calendar it is; none in a feed of the domain.
    pub owner: Option<(Shared, AccountOptions)>,
    /// Events asked for in a page; 0 is as many as Google gives.
    page_size: u16,
}

/// A listing of several pages.
#[derive(Default)]
pub(super) struct Listing {
    /// The next page; none at the beginning.
    pub page: Option<String>,
    /// Which series it has seen.
    pub series: Series,
    /// Events that wait for their series.
    pub waiting: Vec<RawEvent>,
    /// Events of pages that are not counted in the stored walk.
    pub n_seen: u64,
}

/// How far the catch-up after a walk is. Only in memory: after a crash it begins anew.
pub(super) enum CatchUp {
    /// On its way, or still to begin.
    Under(Listing),
    /// Nothing is to be made up for.
    Done,
}

impl Reading {
    pub(super) fn new(
        calendar: Calendar,
        id: String,
        reader: AccountKey,
        desk: Desk,
        feed: Feed,
        scribe: Scribe,
    ) -> Self {
        Self {
            calendar,
            id,
            reader,
            desk,
            feed,
            scribe,
            increment: None,
            listing: None,
            catch_up: CatchUp::Under(Listing::default()),
            owner: None,
            page_size: 0,
        }
    }

    /// Reads and applies one page of changes; whether there are more.
    pub(super) async fn poll(&mut self) -> Result<bool, Error> {
        let token = Position::of(&self.feed).map_or_else(String::new, |position| position.token);
        if token.is_empty() {
            if self.feed.walk.is_none() {
                self.lose_position("the stored position cannot be read")
                    .await?;
            }
            return Ok(false);
        }
        let mut listing = self.increment.take().unwrap_or_default();
        let list = ListEvents {
            sync_token: Some(token),
            page_token: listing.page.clone(),
            ..ListEvents::default()
        };
        let page = match self.page(list).await {
            Ok(page) => page,
            // Perhaps only the page token is too old: then the increment begins anew.
            Err(error) if listing.page.is_some() && is_refused(&error) => return Ok(true),
            Err(error) if error.next() == Next::Resync || is_refused(&error) => {
                self.lose_position("Google's sync token had expired")
                    .await?;
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        };
        let next = next_page(&page, listing.page.as_deref())?;
        let token = page.next_sync_token.clone();
        let ops = self
            .ops_of_page(&mut listing, page, Sight::Present, Origin::Live)
            .await?;
        let cursor = match (&next, token) {
            (None, Some(token)) => Some(self.position(token).cursor()?),
            // Without a new one, the old token gives the same changes and more.
            (None, None) | (Some(_), _) => None,
        };
        if !ops.is_empty() || cursor.is_some() {
            self.append(ops, cursor, None).await?;
        }
        let is_more = next.is_some();
        listing.page = next;
        self.increment = is_more.then_some(listing);
        Ok(is_more)
    }

    /// Tries failed events again that are due.
    pub(super) async fn retry_failures(&mut self) -> Result<(), Error> {
        let now = self.desk.clock.now_ms();
        let due = self
            .desk
            .store
            .due_failures(self.feed.id, now, N_FAILURES)
            .await?;
        for failed in due {
            let mut ops = self.read_again(&failed.failure.item, Origin::Live).await?;
            for op in &mut ops {
                if let Op::Fail(failure) = op {
                    failure.next_try = next_try(now, failed.n_attempts);
                }
            }
            if ops.is_empty() {
                let item = failed.failure.item;
                ops.push(Op::Settle { item });
            }
            self.append(ops, None, None).await?;
        }
        Ok(())
    }

    /// What brings the index to the present state of one event; nothing if it does not belong.
    pub(super) async fn read_again(
        &mut self,
        item: &ItemId,
        origin: Origin,
    ) -> Result<Vec<Op>, Error> {
        match own_event(&self.calendar, &self.id, item).await {
            Ok(Some(event)) => self.ops_of_one(event, Sight::Present, origin).await,
            Ok(None) => {
                let items = vec![item.clone()];
                let rows = self.desk.store.lookup(self.feed.id, items).await?;
                let row = rows.into_iter().flatten().next();
                let cause = DeleteCause::Removed;
                Ok(row
                    .map(|row| self.scribe.delete(&row, None, cause, origin))
                    .into_iter()
                    .collect())
            }
            Err(error) if is_of_one_event(&error) => Ok(vec![Op::Fail(Failure {
                item: item.clone(),
                code: error.code().to_owned(),
                message: error.to_string(),
                next_try: next_try(self.desk.clock.now_ms(), 0),
            })]),
            Err(error) => Err(error.into()),
        }
    }

    /// What follows from one event that was asked for by itself.
    pub(super) async fn ops_of_one(
        &mut self,
        event: RawEvent,
        sight: Sight,
        origin: Origin,
    ) -> Result<Vec<Op>, Error> {
        let page = EventPage {
            events: vec![event],
            ..no_events()
        };
        let mut listing = Listing::default();
        self.ops_of_page(&mut listing, page, sight, origin).await
    }

    /// A page of this calendar, of fewer events where more make too large an answer.
    pub(super) async fn page(
        &mut self,
        list: ListEvents,
    ) -> Result<EventPage, nuncio_google::Error> {
        let mut list = ListEvents {
            calendar: self.id.clone(),
            max_results: self.page_size,
            ..list
        };
        loop {
            match self.calendar.events(&list).await {
                Err(nuncio_google::Error::TooLarge { .. }) if list.max_results != 1 => {
                    let size = match list.max_results {
                        0 => 2_500,
                        size => size,
                    };
                    list.max_results = (size / SHRINK).max(1);
                    self.page_size = list.max_results;
                }
                other => {
                    if let Ok(page) = &other {
                        self.rename(page);
                    }
                    return other;
                }
            }
        }
    }

    /// What follows from a page of a listing. At its last page nothing waits any longer.
    pub(super) async fn ops_of_page(
        &mut self,
        listing: &mut Listing,
        page: EventPage,
        sight: Sight,
        origin: Origin,
    ) -> Result<Vec<Op>, Error> {
        let is_end = page.next_page.is_none();
        let mut ops = self.bad_items(page.bad);
        let mut events: BTreeMap<ItemId, RawEvent> = BTreeMap::new();
        for event in listing.waiting.drain(..).chain(page.events) {
            if let Some(id) = event.id.clone() {
                events.insert(id, event);
            }
        }
        if events.is_empty() {
            return Ok(ops);
        }
        let mut rows = self.rows_of(&events).await?;
        if sight == Sight::Present {
            let (adopted, bad) = self.families(&events, &rows).await?;
            ops.append(&mut self.bad_items(bad));
            if !adopted.is_empty() {
                for event in adopted {
                    if let Some(id) = event.id.clone() {
                        events.entry(id).or_insert(event);
                    }
                }
                rows = self.rows_of(&events).await?;
            }
        }
        if let Some(generation) = self.shown_since(sight) {
            // A series that the listing does not show is about to be swept, and makes no holes.
            rows.retain(|item, row| events.contains_key(item) || row.generation >= generation);
        }
        let seen: Vec<Seen> = events
            .iter()
            .map(|(item, event)| self.seen(item, event))
            .collect();
        let steps = fold::fold(&seen, &rows, &mut listing.series, is_end);
        let gone: HashSet<&str> = fold::gone(&seen, &steps)
            .into_iter()
            .filter(|item| {
                rows.get(*item)
                    .is_some_and(|row| row.thread.as_str() == item.as_str())
            })
            .map(ItemId::as_str)
            .collect();
        let left = self.exceptions(&gone).await?.into_iter();
        let left = left.filter(|row| !events.contains_key(&row.item)).collect();
        ops.append(&mut self.follow(left, &events, origin).await?);
        let mut writes = Vec::new();
        for ((item, event), step) in events.into_iter().zip(steps) {
            match step {
                Step::Write => {
                    let row = rows.get(&item).cloned();
                    writes.push((item, event, row));
                }
                Step::Remove => {
                    if let Some(row) = rows.get(&item) {
                        let cause = DeleteCause::Cancelled;
                        ops.push(self.scribe.delete(row, Some(&event), cause, origin));
                    }
                }
                Step::Skip => {}
                Step::Wait => listing.waiting.push(event),
            }
        }
        ops.append(&mut self.write(writes, sight, origin).await?);
        Ok(ops)
    }

    /// Normalizes and hashes events, on a thread that may be busy.
    async fn write(
        &self,
        writes: Vec<(ItemId, RawEvent, Option<IndexRow>)>,
        sight: Sight,
        origin: Origin,
    ) -> Result<Vec<Op>, Error> {
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        let scribe = self.scribe.clone();
        let ops = tokio::task::spawn_blocking(move || {
            writes
                .iter()
                .map(|(item, event, row)| scribe.write(item, event, row.as_ref(), sight, origin))
                .collect::<Vec<_>>()
        })
        .await;
        ops.map_err(|panicked| {
            tracing::error!(
                account = %self.desk.name,
                error = %panicked,
                "normalizing events panicked, which is a bug"
            );
            Error::Unreadable { what: "an event" }
        })
    }

    fn seen(&self, item: &ItemId, event: &RawEvent) -> Seen {
        let cancelled = event.is_cancelled();
        Seen {
            item: item.clone(),
            master: event.master().map(ItemId::new),
            cancelled,
            reaches: !cancelled && times::reaches(event, self.scribe.floor),
        }
    }

    fn bad_items(&self, bad: Vec<BadItem>) -> Vec<Op> {
        let mut ops = Vec::new();
        for bad in bad {
            let (position, reason) = (bad.position, bad.reason.clone());
            match self.scribe.bad(bad) {
                Some(op) => ops.push(op),
                None => tracing::warn!(
                    account = %self.desk.name,
                    source = "calendar",
                    position,
                    %reason,
                    "an event that cannot be read has no id to ask for it again"
                ),
            }
        }
        ops
    }

    /// What the index knows of these events and their series.
    async fn rows_of(
        &self,
        events: &BTreeMap<ItemId, RawEvent>,
    ) -> Result<HashMap<ItemId, IndexRow>, Error> {
        let mut items: Vec<ItemId> = events.keys().cloned().collect();
        items.extend(
            events
                .values()
                .filter_map(RawEvent::master)
                .map(ItemId::new),
        );
        items.sort_unstable();
        items.dedup();
        let rows = self.desk.store.lookup(self.feed.id, items).await?;
        Ok(rows
            .into_iter()
            .flatten()
            .map(|row| (row.item.clone(), row))
            .collect())
    }

    /// The exceptions of series that are new here: one that comes back, out of the bin or into
    /// view, is listed alone, its exceptions having changed before. One call for each, also for
    /// series that were made just now, since nothing sure tells these apart.
    async fn families(
        &mut self,
        events: &BTreeMap<ItemId, RawEvent>,
        rows: &HashMap<ItemId, IndexRow>,
    ) -> Result<(Vec<RawEvent>, Vec<BadItem>), Error> {
        let back: Vec<String> = events
            .iter()
            .filter(|(item, event)| !rows.contains_key(*item) && is_series(event))
            .filter(|(_, event)| times::reaches(event, self.scribe.floor))
            .filter_map(|(_, event)| event.ical_uid.clone())
            .collect();
        let (mut families, mut bad) = (Vec::new(), Vec::new());
        for uid in back {
            let family = self.family(&uid).await?;
            families.extend(family.0);
            bad.extend(family.1);
        }
        Ok((families, bad))
    }

    /// All exceptions of a series, cancelled ones too.
    async fn family(&mut self, uid: &str) -> Result<(Vec<RawEvent>, Vec<BadItem>), Error> {
        let (mut family, mut bad) = (Vec::new(), Vec::new());
        let mut page_token = None;
        loop {
            let page = self
                .page(ListEvents {
                    ical_uid: Some(uid.to_owned()),
                    page_token: page_token.clone(),
                    ..ListEvents::default()
                })
                .await?;
            let next = next_page(&page, page_token.as_deref())?;
            let exceptions = page.events.into_iter();
            family.extend(exceptions.filter(|event| event.master().is_some()));
            bad.extend(page.bad);
            let Some(next) = next else {
                return Ok((family, bad));
            };
            page_token = Some(next);
        }
    }

    /// What becomes of exceptions whose series is gone. Most are gone with it, untold; but who is
    /// uninvited from a series may still be a guest of one occurrence. One call for a series
    /// whose deletion tells its uid, else one for each exception.
    async fn follow(
        &mut self,
        rows: Vec<IndexRow>,
        events: &BTreeMap<ItemId, RawEvent>,
        origin: Origin,
    ) -> Result<Vec<Op>, Error> {
        let mut ops = Vec::new();
        let mut families: HashMap<String, HashSet<ItemId>> = HashMap::new();
        for row in rows {
            let series = events.get(&ItemId::new(row.thread.as_str()));
            let is_there = if let Some(uid) = series.and_then(|event| event.ical_uid.clone()) {
                if !families.contains_key(&uid) {
                    let (family, bad) = self.family(&uid).await?;
                    let family = family.into_iter().filter(|event| !event.is_cancelled());
                    let ids = family.filter_map(|event| event.id);
                    let ids = ids.chain(bad.into_iter().filter_map(|bad| bad.id));
                    families.insert(uid.clone(), ids.collect());
                }
                families[&uid].contains(&row.item)
            } else {
                match own_event(&self.calendar, &self.id, &row.item).await {
                    Ok(event) => event.is_some_and(|event| !event.is_cancelled()),
                    Err(error) if is_of_one_event(&error) => {
                        ops.push(Op::Fail(Failure {
                            item: row.item.clone(),
                            code: error.code().to_owned(),
                            message: error.to_string(),
                            next_try: next_try(self.desk.clock.now_ms(), 0),
                        }));
                        continue;
                    }
                    Err(error) => return Err(error.into()),
                }
            };
            if !is_there {
                let cause = DeleteCause::Cancelled;
                ops.push(self.scribe.delete(&row, None, cause, origin));
            }
        }
        Ok(ops)
    }

    /// The generation of what the walk's listing has shown, where that decides what is there: in
    /// the listing itself and after it. Changes that are read beside it may be of anything.
    fn shown_since(&self, sight: Sight) -> Option<u64> {
        let walk = self.feed.walk.as_ref()?;
        let decides = sight == Sight::Listing || walk.phase != WalkPhase::List;
        decides.then_some(walk.generation)
    }

    /// The rows of exceptions of these series: a pass over the feed's rows, which only the end of
    /// a series costs.
    async fn exceptions(&self, series: &HashSet<&str>) -> Result<Vec<IndexRow>, Error> {
        let mut found = Vec::new();
        if series.is_empty() {
            return Ok(found);
        }
        let mut after = None;
        loop {
            let rows = self.desk.store.rows(self.feed.id, after, N_ROWS).await?;
            let Some(last) = rows.last() else {
                return Ok(found);
            };
            after = Some(last.item.clone());
            found.extend(rows.into_iter().filter(|row| {
                series.contains(row.thread.as_str()) && row.thread.as_str() != row.item.as_str()
            }));
        }
    }

    /// A position of the account that reads.
    pub(super) fn position(&self, token: String) -> Position {
        Position {
            reader: self.reader.clone(),
            token,
        }
    }

    /// One transaction of this feed.
    pub(super) async fn append(
        &mut self,
        ops: Vec<Op>,
        cursor: Option<Cursor>,
        walk: Option<Option<Walk>>,
    ) -> Result<(), Error> {
        self.desk.append(&mut self.feed, ops, cursor, walk).await
    }

    /// Takes the calendar's title from a listing.
    fn rename(&mut self, page: &EventPage) {
        if page.summary.is_empty() || page.summary == self.scribe.name {
            return;
        }
        self.scribe.name.clone_from(&page.summary);
        if self.feed.spec.account.as_str().is_empty() {
            let name = self.scribe.name.clone();
            self.desk
                .health
                .send_modify(|health| health.name = Some(name));
        }
    }
}

/// The token of the next page; one that leads back to this page would never end.
pub(super) fn next_page(page: &EventPage, this: Option<&str>) -> Result<Option<String>, Error> {
    if page.next_page.is_some() && page.next_page.as_deref() == this {
        return Err(Error::Unreadable {
            what: "the next page",
        });
    }
    Ok(page.next_page.clone())
}

/// Whether Google does not take the request as it is: a token that it gave itself.
pub(super) fn is_refused(error: &nuncio_google::Error) -> bool {
    status(error).is_some_and(|status| status.status == 400 || status.status == 410)
}

/// Whether Google says that there is no such event.
pub(super) fn is_gone(error: &nuncio_google::Error) -> bool {
    is_not_found(error) || status(error).is_some_and(|status| status.status == 410)
}

/// An event's own trouble: Google answers, but not with the event.
pub(super) fn is_of_one_event(error: &nuncio_google::Error) -> bool {
    match error {
        nuncio_google::Error::Status(status) => {
            matches!(status.next(), Next::Backoff | Next::Reject)
        }
        nuncio_google::Error::CutBody { .. }
        | nuncio_google::Error::TooLarge { .. }
        | nuncio_google::Error::Decode { .. }
        | nuncio_google::Error::Request { .. } => true,
        nuncio_google::Error::Auth { .. }
        | nuncio_google::Error::Network { .. }
        | nuncio_google::Error::Timeout { .. }
        | nuncio_google::Error::Paused { .. }
        | nuncio_google::Error::DayUsed { .. }
        | nuncio_google::Error::RootCertificates(_) => false,
    }
}

/// Whether an event is a living series.
fn is_series(event: &RawEvent) -> bool {
    let rules = event.recurrence.as_ref();
    rules.is_some_and(|rules| !rules.is_empty()) && !event.is_cancelled()
}

/// A page without anything.
fn no_events() -> EventPage {
    EventPage {
        events: Vec::new(),
        next_page: None,
        next_sync_token: None,
        summary: String::new(),
        updated: None,
        access_role: String::new(),
        bad: Vec::new(),
    }
}
