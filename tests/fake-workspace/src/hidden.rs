//! Changes that no change log tells of: what the control port's `feed.hide` does, so that a test can
//! make a client's copy wrong without the client's fault. The state, and with it every listing and
//! get, shows them as any other change.

use std::cell::Cell;

thread_local! {
    /// An operation runs on one thread from its beginning to its end, so nobody else's changes hide.
    static IS_HIDING: Cell<bool> = const { Cell::new(false) };
}

/// Does `act`; what it changes stays out of history, increments and changes.
pub(crate) fn during<T>(act: impl FnOnce() -> T) -> T {
    let before = IS_HIDING.replace(true);
    let result = act();
    IS_HIDING.set(before);
    result
}

/// Whether the change that is being made is to stay out of the logs.
pub(crate) fn is_on() -> bool {
    IS_HIDING.get()
}
