//! The feed of a calendar that is no account's primary one: read once for the domain, by the
//! member with most rights, and by the next one when that member loses it. A sync token belongs
//! to one account, so a new reader compares by listing.

use super::SharedOptions;
use super::feed::{Position, Reading};
use super::scribe::Scribe;
use crate::desk::Desk;
use crate::error::{Error, status};
use crate::task::{Log, Task};
use crate::{FeedCommand, FeedHealth, Member, Shared};
use async_trait::async_trait;
use nuncio_google::{Calendar, Fault, ListEvents};
use nuncio_model::{
    AccountKey, Chain, Feed, FeedSpec, Next, Origin, Source, StoreError, WalkPhase,
};
use std::collections::HashSet;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Why a new reader compares.
const OTHER_READER: &str = "another member reads the calendar now";

/// Reads one calendar of the domain until `stop`.
///
/// # Errors
/// Only [`StoreError`]: then the process cannot go on. All that Google does is a state, shown in
/// `health`.
///
/// # Cancel safety
/// Appends are not cancelled half-way; between them it stops at any await.
pub async fn run_shared(
    options: SharedOptions,
    shared: Shared,
    health: watch::Sender<FeedHealth>,
    commands: &mut mpsc::Receiver<FeedCommand>,
    stop: CancellationToken,
) -> Result<(), StoreError> {
    let name = nuncio_model::untrusted(&options.calendar).to_string();
    let desk = Desk::new(Source::Calendar, name, &shared, health);
    let poll_interval = options.poll_interval;
    let log = SharedLog {
        told: shared.commons.changes(),
        options,
        shared,
        desk: desk.clone(),
        reading: None,
        lost: HashSet::new(),
    };
    Task::new(log, desk, poll_interval)
        .run(commands, stop)
        .await
}

pub(super) struct SharedLog {
    options: SharedOptions,
    pub(super) shared: Shared,
    desk: Desk,
    /// Changes of who sees what.
    told: watch::Receiver<u64>,
    pub(super) reading: Option<Box<Reading>>,
    /// Members that could not read it, since it last changed who sees what.
    lost: HashSet<AccountKey>,
}

#[async_trait]
impl Log for SharedLog {
    fn feed(&self) -> Option<&Feed> {
        self.reading.as_ref().map(|reading| &reading.feed)
    }

    /// Takes the first member that can read it. If none can, all are tried again later.
    async fn connect(&mut self) -> Result<(), Error> {
        self.shared.commons.all_answered(Source::Calendar).await;
        self.told.mark_unchanged();
        let spec = FeedSpec {
            account: AccountKey::new(""),
            source: Source::Calendar,
            collection: self.options.calendar.clone(),
        };
        let floor = self.desk.floor(self.options.since);
        let feed = self.desk.store.open_feed(spec, floor).await?;
        self.desk
            .health
            .send_modify(|health| health.feed = Some(feed.id.0));
        let position = Position::of(&feed);
        let reader = position.as_ref().map(|position| &position.reader);
        let mut refusal = None;
        while let Some(member) = choose(&self.members(), &self.lost, reader) {
            if Some(&member.account) == reader {
                return self.read(member, feed, position).await;
            }
            // Before a new reader compares: whether it can read at all.
            match self.probe(&member).await {
                Ok(()) => return self.read(member, feed, position).await,
                Err(error) if is_lost(&error) => {
                    self.lost.insert(member.account);
                    refusal = Some(error);
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.lost.clear();
        match refusal {
            // Not one of the calendar: all accounts are refused, or none can be asked.
            Some(error) if !is_of_calendar(&error) => Err(error.into()),
            _ => Err(Error::Orphaned {
                collection: self.desk.name.clone(),
            }),
        }
    }

    async fn poll(&mut self) -> Result<bool, Error> {
        if self.told.has_changed().unwrap_or(false) {
            self.told.mark_unchanged();
            // Who lost it may have it again; a look costs one call.
            self.lost.clear();
            if self.is_better_read_by_another() {
                self.reading = None;
                return Ok(false);
            }
        }
        let Some(reading) = &mut self.reading else {
            return Ok(false);
        };
        let polled = reading.poll().await;
        Ok(self.unless_lost(polled)?.unwrap_or(false))
    }

    async fn retry_failures(&mut self) -> Result<(), Error> {
        let Some(reading) = &mut self.reading else {
            return Ok(());
        };
        let tried = reading.retry_failures().await;
        self.unless_lost(tried).map(|_| ())
    }

    async fn walk(&mut self, phase: WalkPhase) -> Result<(), Error> {
        let others = self.others();
        let Some(reading) = &mut self.reading else {
            return Ok(());
        };
        let walked = match phase {
            // Calendars have no labels.
            WalkPhase::List | WalkPhase::Labels => reading.walk_on().await,
            WalkPhase::Sweep { accepted } => reading.sweep(accepted, &others).await,
            WalkPhase::Held { .. } => Ok(()),
        };
        self.unless_lost(walked).map(|_| ())
    }

    async fn resync(&mut self, reason: &str) -> Result<(), Error> {
        match &mut self.reading {
            Some(reading) => reading.resync(reason).await,
            None => Ok(()),
        }
    }

    async fn accept_deletes(&mut self) -> Result<(), Error> {
        match &mut self.reading {
            Some(reading) => reading.accept_deletes().await,
            None => Ok(()),
        }
    }

    fn forget_position(&mut self) {
        if let Some(reading) = &mut self.reading {
            reading.increment = None;
        }
    }

    fn n_done(&self) -> u64 {
        let listing = self
            .reading
            .as_ref()
            .and_then(|reading| reading.listing.as_ref());
        listing.map_or(0, |listing| listing.n_seen)
    }
}

impl SharedLog {
    fn members(&self) -> Vec<Member> {
        self.shared
            .commons
            .members(Source::Calendar, &self.options.calendar)
    }

    fn client(&self, member: &Member) -> Calendar {
        self.shared
            .google
            .calendar(&member.account, &member.address)
    }

    /// The clients of the members that do not read it.
    pub(super) fn others(&self) -> Vec<Calendar> {
        let reader = self.reading.as_ref().map(|reading| &reading.reader);
        let members = self.members();
        let others = members.iter().filter(|member| {
            Some(&member.account) != reader && !self.lost.contains(&member.account)
        });
        others.map(|member| self.client(member)).collect()
    }

    async fn probe(&self, member: &Member) -> Result<(), nuncio_google::Error> {
        let list = ListEvents {
            calendar: self.options.calendar.clone(),
            max_results: 1,
            ..ListEvents::default()
        };
        self.client(member).events(&list).await.map(|_| ())
    }

    async fn read(
        &mut self,
        member: Member,
        feed: Feed,
        position: Option<Position>,
    ) -> Result<(), Error> {
        tracing::info!(
            account = %self.desk.name,
            source = "calendar",
            reader = %member.address,
            "this member reads the calendar"
        );
        self.desk
            .health
            .send_modify(|health| health.name = Some(member.name.clone()));
        let scribe = Scribe {
            feed: feed.id,
            account: AccountKey::new(""),
            address: String::new(),
            user: String::new(),
            collection: self.options.calendar.clone(),
            name: member.name.clone(),
            identity: Arc::clone(&self.shared.identity),
            content: self.options.content,
            floor: feed.floor,
            clock: Arc::clone(&self.desk.clock),
        };
        let mut reading = Reading::new(
            self.client(&member),
            self.options.calendar.clone(),
            member.account.clone(),
            self.desk.clone(),
            feed,
            scribe,
        );
        match position {
            None if reading.feed.cursor.is_none() => {
                reading.begin_walk(Origin::Backfill, None, true).await?;
            }
            None => {
                reading
                    .lose_position("the stored position cannot be read")
                    .await?
            }
            Some(position) if position.reader != member.account => {
                reading.lose_position(OTHER_READER).await?;
            }
            Some(_) => {}
        }
        self.reading = Some(Box::new(reading));
        Ok(())
    }

    /// Whether the reader is no member any more, or another one has more rights.
    fn is_better_read_by_another(&self) -> bool {
        let Some(reading) = &self.reading else {
            return false;
        };
        let best = choose(&self.members(), &self.lost, Some(&reading.reader));
        best.is_none_or(|best| best.account != reading.reader)
    }

    /// What a step gave; `None` if the reader has lost the calendar, so that the next step looks
    /// for another one.
    pub(super) fn unless_lost<T>(&mut self, step: Result<T, Error>) -> Result<Option<T>, Error> {
        match step {
            Ok(value) => Ok(Some(value)),
            Err(Error::Google(error)) if is_lost(&error) => {
                if let Some(reading) = self.reading.take() {
                    tracing::warn!(
                        account = %self.desk.name,
                        source = "calendar",
                        code = error.code(),
                        error = %Chain(&error),
                        "the reader has lost the calendar, another member is looked for"
                    );
                    self.lost.insert(reading.reader);
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Who is to read: one with most rights among those that have not lost it; of several the
/// present reader, whose position is good.
fn choose(
    members: &[Member],
    lost: &HashSet<AccountKey>,
    reader: Option<&AccountKey>,
) -> Option<Member> {
    let mut able = members
        .iter()
        .filter(|member| !lost.contains(&member.account));
    let best = able.next()?;
    let same = able.find(|member| member.rank == best.rank && Some(&member.account) == reader);
    Some(same.unwrap_or(best).clone())
}

/// Whether this account cannot read the calendar, or anything: another one may.
fn is_lost(error: &nuncio_google::Error) -> bool {
    error.next() == Next::Reauthorize
        || status(error).is_some_and(|status| status.fault == Fault::NotFound)
}

/// Whether the refusal is one of the calendar alone.
fn is_of_calendar(error: &nuncio_google::Error) -> bool {
    status(error).is_some_and(|status| matches!(status.fault, Fault::NotFound | Fault::Forbidden))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nuncio_model::Address;

    #[test]
    fn most_rights_read_and_of_equals_the_present_reader() {
        let member = |name: &str, rank| {
            let address = Address::parse(&format!("{name}@example.com")).unwrap();
            Member {
                user: address.clone(),
                account: AccountKey::new(name),
                address,
                rank,
                name: "Team".into(),
            }
        };
        let members = [member("ana", 4), member("ben", 4), member("eve", 1)];
        let chosen = |lost: &[&str], reader: &str| {
            let lost = lost.iter().map(|name| AccountKey::new(*name)).collect();
            let reader = AccountKey::new(reader);
            choose(&members, &lost, Some(&reader)).map(|member| member.account.to_string())
        };
        assert_eq!(chosen(&[], "").as_deref(), Some("ana"));
        assert_eq!(chosen(&[], "ben").as_deref(), Some("ben"));
        assert_eq!(chosen(&[], "eve").as_deref(), Some("ana"));
        assert_eq!(chosen(&["ana", "ben"], "ana").as_deref(), Some("eve"));
        assert_eq!(chosen(&["ana", "ben", "eve"], "eve"), None);
    }
}
