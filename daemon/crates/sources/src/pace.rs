//! How often feeds are polled: as wished, but never so often that all feeds of a source together
//! use up Google's budgets. The more feeds there are, the longer each one waits.

use nuncio_google::{ApiName, Google};
use nuncio_model::Source;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Counts the feeds of each source that poll.
#[derive(Debug, Default)]
pub struct Pace {
    n_feeds: [AtomicUsize; 3],
}

/// A feed that is counted while this lives.
#[derive(Debug)]
pub(crate) struct Counted {
    pace: Arc<Pace>,
    source: Source,
}

impl Pace {
    /// Counts one more feed.
    pub(crate) fn count(self: &Arc<Self>, source: Source) -> Counted {
        self.n_feeds[place(source)].fetch_add(1, Ordering::Relaxed);
        Counted {
            pace: Arc::clone(self),
            source,
        }
    }
}

impl Counted {
    /// The time between two polls of this feed, where `wished` is what the config says.
    pub(crate) fn interval(&self, google: &Google, wished: Duration) -> Duration {
        let n_feeds = self.pace.n_feeds[place(self.source)].load(Ordering::Relaxed);
        let api = match self.source {
            Source::Gmail => ApiName::Gmail,
            Source::Calendar => ApiName::Calendar,
            Source::Drive => ApiName::Drive,
        };
        wished.max(google.least_poll_interval(api, n_feeds))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.pace.n_feeds[place(self.source)].fetch_sub(1, Ordering::Relaxed);
    }
}

fn place(source: Source) -> usize {
    match source {
        Source::Gmail => 0,
        Source::Calendar => 1,
        Source::Drive => 2,
    }
}
