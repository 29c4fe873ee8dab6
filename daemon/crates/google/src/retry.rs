//! When to try again: waits of our own choice, and what servers ask for in headers and texts.
//! Whether to try again is `next()` of the errors; the loop that does is in `http.rs`.

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use std::time::Duration;

/// What a server asks for is believed up to a day: daily limits last until midnight.
const LONGEST_HINT: Duration = Duration::from_secs(24 * 60 * 60);

/// The words before an absolute time in the message of Gmail's per-mailbox limit.
const RETRY_AFTER_WORDS: &str = "retry after ";

/// The wait before repeat number `n_failed` (1 after the first failure): random between
/// `floor` and twice the former ceiling, at most `ceiling`.
pub(crate) fn backoff(
    n_failed: u32,
    floor: Duration,
    ceiling: Duration,
    random: &mut fastrand::Rng,
) -> Duration {
    let top = floor.saturating_mul(1 << n_failed.min(16)).min(ceiling);
    floor.min(ceiling) + top.saturating_sub(floor).mul_f64(random.f64())
}

/// How long the server asks us to wait: `Retry-After` (RFC 9110 section 10.2.3) or a time in
/// the message, the longer of the two. Times are compared with the server's own `Date`, so
/// that our clock does not matter; `now` is used where there is none.
pub(crate) fn hint(headers: &HeaderMap, message: &str, now: Timestamp) -> Option<Duration> {
    let now = date(headers).unwrap_or(now);
    let until = |time: Timestamp| Duration::try_from(time.duration_since(now)).ok();
    let header = headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| match text.trim().parse::<u64>() {
            Ok(seconds) => Some(Duration::from_secs(seconds)),
            Err(_) => http_date(text).and_then(until),
        });
    let in_message = absolute_time(message).and_then(until);
    header
        .max(in_message)
        .filter(|wait| !wait.is_zero())
        .map(|wait| wait.min(LONGEST_HINT))
}

/// The answer's `Date`.
pub(crate) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    http_date(headers.get(DATE)?.to_str().ok()?)
}

/// An HTTP date is an RFC 2822 date in GMT; the old forms are not sent by anyone.
fn http_date(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text.trim()).ok()
}

/// The time in `User-rate limit exceeded.  Retry after 2026-08-11T11:38:10.449Z`.
fn absolute_time(message: &str) -> Option<Timestamp> {
    let start = message.to_ascii_lowercase().find(RETRY_AFTER_WORDS)? + RETRY_AFTER_WORDS.len();
    let word = message[start..].split_whitespace().next()?;
    word.trim_end_matches(['.', ',', ')', ';']).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: &str = "2026-08-11T11:23:10Z";

    fn hint_of(headers: &[(&'static str, &str)], message: &str) -> Option<u64> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        hint(&map, message, NOW.parse().unwrap()).map(|wait| wait.as_secs())
    }

    #[test]
    fn hints_are_read_from_headers_and_texts() {
        assert_eq!(hint_of(&[("retry-after", "7")], ""), Some(7));
        assert_eq!(
            hint_of(&[("retry-after", "Tue, 11 Aug 2026 11:24:10 GMT")], ""),
            Some(60)
        );
        assert_eq!(
            hint_of(
                &[],
                "User-rate limit exceeded.  Retry after 2026-08-11T11:38:10.449Z"
            ),
            Some(900)
        );
        assert_eq!(
            hint_of(&[("retry-after", "7")], "RETRY AFTER 2026-08-11T11:38:10Z."),
            Some(900)
        );
    }

    #[test]
    fn absolute_times_are_compared_with_the_servers_clock() {
        let date = ("date", "Tue, 11 Aug 2026 11:38:00 GMT");
        assert_eq!(
            hint_of(&[date], "Retry after 2026-08-11T11:38:10Z"),
            Some(10)
        );
    }

    #[test]
    fn nonsense_is_no_hint_and_a_huge_one_is_clamped() {
        assert_eq!(hint_of(&[], ""), None);
        assert_eq!(
            hint_of(&[("retry-after", "soon")], "retry after lunch"),
            None
        );
        assert_eq!(hint_of(&[("retry-after", "0")], ""), None);
        assert_eq!(hint_of(&[], "Retry after 2020-01-01T00:00:00Z"), None);
        assert_eq!(hint_of(&[("retry-after", "99999999999")], ""), Some(86_400));
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in ".*", tail in ".*") {
            let mut headers = HeaderMap::new();
            if let Ok(value) = text.parse() {
                headers.insert(RETRY_AFTER, value);
            }
            let message = format!("{text} retry after {tail}");
            let wait = hint(&headers, &message, NOW.parse().unwrap());
            prop_assert!(wait.is_none_or(|wait| wait <= LONGEST_HINT));
        }

        #[test]
        fn waits_grow_within_their_bounds(n_failed in 1u32..100, seed in any::<u64>()) {
            let (floor, ceiling) = (Duration::from_secs(1), Duration::from_secs(32));
            let wait = backoff(n_failed, floor, ceiling, &mut fastrand::Rng::with_seed(seed));
            prop_assert!(wait >= floor && wait <= ceiling);
            prop_assert!(n_failed > 1 || wait <= floor * 2);
        }
    }
}
