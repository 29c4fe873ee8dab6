//! What guests say, in nuncio's log: escaped, cut, with the sink's name, and no more a minute
//! than the sink's limit. All of it has the target `nuncio::guest`.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use nuncio_model::{SinkName, untrusted};
use tracing::Level;

/// Target of everything that guests say.
const TARGET: &str = "nuncio::guest";

/// Longest message that is looked at, in bytes; the escaper shows less.
pub(crate) const MAX_MESSAGE_BYTES: usize = 8 * 1024;

/// Most fields of a message.
const MAX_FIELDS: usize = 32;

const MINUTE: Duration = Duration::from_secs(60);

/// The log of one sink, shared by its instances.
pub(crate) struct GuestLog {
    sink: SinkName,
    per_minute: u32,
    window: Mutex<Window>,
}

/// The minute that runs.
struct Window {
    began: Instant,
    n_kept: u32,
    n_dropped: u64,
    n_dropped_ever: u64,
}

impl GuestLog {
    pub(crate) fn new(sink: SinkName, per_minute: u32) -> Self {
        let window = Window {
            began: Instant::now(),
            n_kept: 0,
            n_dropped: 0,
            n_dropped_ever: 0,
        };
        Self {
            sink,
            per_minute,
            window: Mutex::new(window),
        }
    }

    /// Whether messages of this level go anywhere.
    pub(crate) fn is_enabled(level: Level) -> bool {
        match level {
            Level::TRACE => tracing::enabled!(target: TARGET, Level::TRACE),
            Level::DEBUG => tracing::enabled!(target: TARGET, Level::DEBUG),
            Level::INFO => tracing::enabled!(target: TARGET, Level::INFO),
            Level::WARN => tracing::enabled!(target: TARGET, Level::WARN),
            Level::ERROR => tracing::enabled!(target: TARGET, Level::ERROR),
        }
    }

    /// Keeps a message, or counts it where the limit is reached.
    pub(crate) fn write(&self, level: Level, message: &str, fields: &[(String, String)]) {
        if !Self::is_enabled(level) || !self.may_write() {
            return;
        }
        let sink = &self.sink;
        let message = untrusted(cut(message, MAX_MESSAGE_BYTES));
        let fields = shown(fields);
        let fields = (!fields.is_empty()).then_some(fields);
        match level {
            Level::TRACE => tracing::trace!(target: TARGET, %sink, fields, "{message}"),
            Level::DEBUG => tracing::debug!(target: TARGET, %sink, fields, "{message}"),
            Level::INFO => tracing::info!(target: TARGET, %sink, fields, "{message}"),
            Level::WARN => tracing::warn!(target: TARGET, %sink, fields, "{message}"),
            Level::ERROR => tracing::error!(target: TARGET, %sink, fields, "{message}"),
        }
    }

    /// Messages that were counted and not kept, since the sink was opened.
    pub(crate) fn n_dropped_ever(&self) -> u64 {
        self.window
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .n_dropped_ever
    }

    /// Says how many were not kept, if any; at the end of a minute and of the sink.
    pub(crate) fn report_dropped(&self) {
        let n_dropped = {
            let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut window.n_dropped)
        };
        if n_dropped > 0 {
            let (sink, limit) = (&self.sink, self.per_minute);
            tracing::warn!(target: TARGET, %sink, n_dropped, limit, "messages beyond the sink's log limit were not kept");
        }
    }

    fn may_write(&self) -> bool {
        let minute_is_over = {
            let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
            let over = window.began.elapsed() >= MINUTE;
            if over {
                window.began = Instant::now();
                window.n_kept = 0;
            }
            over
        };
        if minute_is_over {
            self.report_dropped();
        }
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let may = window.n_kept < self.per_minute;
        if may {
            window.n_kept += 1;
        } else {
            window.n_dropped += 1;
            window.n_dropped_ever += 1;
        }
        may
    }
}

/// The first `max` bytes of a text, and whole characters only.
pub(crate) fn cut(text: &str, max: usize) -> &str {
    text.get(..text.floor_char_boundary(max)).unwrap_or(text)
}

fn shown(fields: &[(String, String)]) -> String {
    let fields = fields.iter().take(MAX_FIELDS);
    fields
        .map(|(name, value)| format!("{}={}", untrusted(name), untrusted(value)))
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_the_limit_is_counted() {
        let log = GuestLog::new(SinkName::new("s"), 3);
        let kept = (0..10).filter(|_| log.may_write()).count();
        assert_eq!((kept, log.n_dropped_ever()), (3, 7));
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(cut("aä", 2), "a");
        assert_eq!(cut("aä", 3), "aä");
        assert_eq!(cut("", 3), "");
        let many: Vec<_> = (0..40)
            .map(|n| (format!("f{n}"), "\u{1b}".to_owned()))
            .collect();
        let shown = shown(&many);
        assert!(
            shown.starts_with("f0=\\u{1b} f1=")
                && shown.contains("f31=")
                && !shown.contains("f32="),
            "{shown}"
        );
    }
}
