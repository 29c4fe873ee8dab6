//! Which lanes of a sink have something to deliver, and when: a small scheduler over rows, no IO.
//! A lane that has been delivered to stays known with its position, so that a late note of an
//! append cannot make it start again before that.

use nuncio_model::FeedId;
use std::collections::{BTreeSet, HashMap, VecDeque};
use tokio::time::Instant;

/// A lane that had pending records.
#[derive(Debug, Clone)]
pub(crate) struct Lane {
    /// The last settled record.
    pub position: u64,
    /// The newest record.
    pub newest: u64,
    /// Attempts of the record that comes next.
    pub n_attempts: u32,
    /// Up to here records go one by one, since one of them broke a call.
    pub alone_until: u64,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Ready,
    Waiting(Instant),
    InFlight,
}

/// The lanes of one sink.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    by_feed: HashMap<FeedId, Lane>,
    /// First come, first served, so that no lane starves.
    ready: VecDeque<FeedId>,
    waiting: BTreeSet<(Instant, FeedId)>,
}

impl Lanes {
    /// A record was appended. Whether the lane is known; else its position is needed first.
    pub(crate) fn note(&mut self, feed: FeedId, newest: u64) -> bool {
        let Some(lane) = self.by_feed.get_mut(&feed) else {
            return false;
        };
        lane.newest = lane.newest.max(newest);
        if lane.state == State::Idle && lane.newest > lane.position {
            lane.state = State::Ready;
            self.ready.push_back(feed);
        }
        true
    }

    /// A lane as the spool has it, with attempts and a wait from before a restart.
    pub(crate) fn restore(
        &mut self,
        feed: FeedId,
        newest: u64,
        position: u64,
        n_attempts: u32,
        not_before: Option<Instant>,
    ) {
        if self.note(feed, newest) {
            return;
        }
        let state = match not_before {
            Some(until) => {
                self.waiting.insert((until, feed));
                State::Waiting(until)
            }
            None => {
                self.ready.push_back(feed);
                State::Ready
            }
        };
        self.by_feed.insert(
            feed,
            Lane {
                position,
                newest,
                n_attempts,
                alone_until: 0,
                state,
            },
        );
    }

    /// Moves lanes whose wait is over to the ready ones.
    pub(crate) fn wake(&mut self, now: Instant) {
        while let Some((until, feed)) = self.waiting.first().copied()
            && until <= now
        {
            self.waiting.remove(&(until, feed));
            if let Some(lane) = self.by_feed.get_mut(&feed) {
                lane.state = State::Ready;
                self.ready.push_back(feed);
            }
        }
    }

    /// When the next wait is over.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        self.waiting.first().map(|(until, _)| *until)
    }

    /// Whether a lane could be sent now.
    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Takes the next ready lane; it is in flight until [`Lanes::settled`].
    pub(crate) fn take(&mut self) -> Option<(FeedId, Lane)> {
        let feed = self.ready.pop_front()?;
        let lane = self.by_feed.get_mut(&feed)?;
        lane.state = State::InFlight;
        Some((feed, lane.clone()))
    }

    /// A lane comes back from its call, with its new position and perhaps a wait.
    pub(crate) fn settled(
        &mut self,
        feed: FeedId,
        position: Option<u64>,
        n_attempts: u32,
        until: Option<Instant>,
    ) {
        let Some(lane) = self.by_feed.get_mut(&feed) else {
            return;
        };
        lane.position = position.unwrap_or(lane.position);
        lane.n_attempts = n_attempts;
        if lane.position >= lane.newest {
            lane.state = State::Idle;
            return;
        }
        match until {
            Some(until) => {
                lane.state = State::Waiting(until);
                self.waiting.insert((until, feed));
            }
            None => {
                lane.state = State::Ready;
                self.ready.push_back(feed);
            }
        }
    }

    /// Up to `seq` the lane's records go one by one.
    pub(crate) fn isolate(&mut self, feed: FeedId, seq: u64) {
        if let Some(lane) = self.by_feed.get_mut(&feed) {
            lane.alone_until = lane.alone_until.max(seq);
        }
    }

    /// The spool had nothing for the lane up to its newest known record.
    pub(crate) fn empty(&mut self, feed: FeedId) {
        if let Some(lane) = self.by_feed.get_mut(&feed) {
            lane.position = lane.position.max(lane.newest);
            lane.state = State::Idle;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn a_lane_is_in_one_call_at_a_time_and_comes_back() {
        let mut lanes = Lanes::default();
        lanes.restore(FeedId(1), 10, 0, 0, None);
        let (feed, lane) = lanes.take().unwrap();
        assert_eq!((feed, lane.position, lane.newest), (FeedId(1), 0, 10));
        assert!(lanes.note(FeedId(1), 11));
        assert!(!lanes.has_ready(), "in flight");
        lanes.settled(feed, Some(10), 0, None);
        assert!(lanes.has_ready(), "a record came in between");
        let (feed, lane) = lanes.take().unwrap();
        assert_eq!(lane.position, 10);
        lanes.settled(feed, Some(12), 0, None);
        assert!(!lanes.has_ready());
        assert!(lanes.note(FeedId(1), 12));
        assert!(!lanes.has_ready(), "a late note of what was delivered");
        assert!(lanes.note(FeedId(1), 13));
        assert!(lanes.has_ready());
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiting_lane_holds_nobody_else() {
        let mut lanes = Lanes::default();
        lanes.restore(FeedId(1), 5, 0, 0, None);
        lanes.restore(FeedId(2), 6, 0, 0, None);
        assert!(!lanes.note(FeedId(3), 7), "not known");
        let now = Instant::now();
        let (first, _) = lanes.take().unwrap();
        lanes.settled(first, None, 1, Some(now + Duration::from_secs(9)));
        assert_eq!(lanes.take().unwrap().0, FeedId(2));
        assert!(lanes.take().is_none());
        lanes.wake(now + Duration::from_secs(9));
        assert_eq!(lanes.take().unwrap().1.n_attempts, 1);
    }
}
