//! What a feed says of itself: one value, replaced at each change, read by status and metrics.
//! It holds no lock over anything and no record content.

/// A feed's state, shown as a bare lower-case word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedState {
    /// Not connected yet.
    New,
    /// Its first walk is under way; live changes come beside it.
    Walking,
    /// Live.
    Live,
    /// Comparing by listing after a lost position.
    Resync,
    /// A resync would delete suspiciously much and waits for an operator.
    Held,
    /// The spool has no room for walks.
    Paused,
    /// Google refuses this account.
    Disabled,
    /// Waits for Google, the network or the spool.
    Waiting,
    /// It belongs to the domain and nobody who is synced can read it any more.
    Orphaned,
}

impl FeedState {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            FeedState::New => "new",
            FeedState::Walking => "walking",
            FeedState::Live => "live",
            FeedState::Resync => "resync",
            FeedState::Held => "held",
            FeedState::Paused => "paused",
            FeedState::Disabled => "disabled",
            FeedState::Waiting => "waiting",
            FeedState::Orphaned => "orphaned",
        }
    }
}

/// How far a walk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalkProgress {
    /// Items seen.
    pub done: u64,
    /// Items to see, about, where known.
    pub total: Option<u64>,
}

/// Why a feed does not get on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedError {
    /// Stable code.
    pub code: String,
    /// What happened.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// A feed's health. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedHealth {
    /// The state.
    pub state: FeedState,
    /// The account's frozen key, once known.
    pub account_key: Option<String>,
    /// What a domain feed is called; the calendar's or shared drive's name.
    pub name: Option<String>,
    /// The feed's number, once known.
    pub feed: Option<u64>,
    /// The walk under way.
    pub walk: Option<WalkProgress>,
    /// Items in the index.
    pub items: u64,
    /// The time between two polls.
    pub poll_interval: Option<std::time::Duration>,
    /// When Google last answered well.
    pub last_success: Option<i64>,
    /// When it tries again.
    pub next_try: Option<i64>,
    /// Why it does not get on.
    pub error: Option<FeedError>,
}

impl Default for FeedHealth {
    fn default() -> Self {
        Self {
            state: FeedState::New,
            account_key: None,
            name: None,
            feed: None,
            walk: None,
            items: 0,
            poll_interval: None,
            last_success: None,
            next_try: None,
            error: None,
        }
    }
}
