//! What a sink's delivery says of itself.

use crate::Throughput;

/// A sink's state, shown as a bare lower-case word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Its plugin is being loaded.
    Starting,
    /// It takes records.
    Running,
    /// Its target is not there or limits.
    Paused,
    /// It cannot work until something is changed.
    Failed,
}

impl State {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Starting => "starting",
            State::Running => "running",
            State::Paused => "paused",
            State::Failed => "failed",
        }
    }
}

/// A sink's health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// The state.
    pub state: State,
    /// Code and reason of what does not work. The reason is untrusted text.
    pub error: Option<(String, String)>,
    /// How fast it takes records; none before delivery began.
    pub throughput: Option<Throughput>,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            state: State::Starting,
            error: None,
            throughput: None,
        }
    }
}
