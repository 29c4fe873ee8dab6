//! The processor time of this process, over all of its threads: on a busy machine it says more
//! than the wall clock.

use std::time::Duration;

/// Ticks a second in `/proc` (`USER_HZ`); the same on every Linux that Rust supports.
const TICKS_PER_SECOND: u64 = 100;

/// User and system time so far, in steps of 10 ms (`proc_pid_stat(5)`, fields 14 and 15). None
/// where there is no `/proc`.
pub fn cpu_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program, in brackets, may hold spaces.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis(
        (user + system) * 1_000 / TICKS_PER_SECOND,
    ))
}
