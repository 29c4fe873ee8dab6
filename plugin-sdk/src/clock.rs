//! Time as the host tells it. Natively (tests) it is the machine's own clock, and a call's
//! time never runs out.

use std::time::Duration;

use crate::Timestamp;
use crate::bindings::nuncio::sink::clock as host;

/// Now, in milliseconds since 1970-01-01T00:00:00Z.
pub fn now_ms() -> Timestamp {
    if cfg!(target_family = "wasm") {
        return host::now();
    }
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::try_from(now.as_millis()).unwrap_or(Timestamp::MAX)
}

/// How long until this call is ended by force. Answer in time with `deferred` for the rest
/// of a batch rather than lose what is done.
pub fn remaining() -> Duration {
    if cfg!(target_family = "wasm") {
        Duration::from_millis(host::remaining())
    } else {
        Duration::MAX
    }
}
