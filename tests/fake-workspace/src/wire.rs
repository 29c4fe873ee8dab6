//! What all APIs read and write alike: bodies, times, page tokens and entity tags.

use crate::error::ApiError;
use crate::oauth::BASE64URL;
use base64::Engine;
use serde_json::{Value, json};
use std::fmt::Display;

/// A time as Google writes it: RFC 3339 in UTC with milliseconds.
pub(crate) fn rfc3339(milliseconds: i64) -> String {
    jiff::Timestamp::from_millisecond(milliseconds)
        .map_or_else(|_| String::new(), |time| format!("{time:.3}"))
}

/// The same for what Google keeps in whole seconds.
pub(crate) fn rfc3339_seconds(milliseconds: i64) -> String {
    rfc3339(milliseconds.div_euclid(1000) * 1000)
}

/// The date in the header of a mail.
pub(crate) fn rfc2822(milliseconds: i64) -> String {
    jiff::Timestamp::from_second(milliseconds.div_euclid(1000))
        .ok()
        .and_then(|time| {
            let zoned = time.to_zoned(jiff::tz::TimeZone::UTC);
            jiff::fmt::rfc2822::to_string(&zoned).ok()
        })
        .unwrap_or_default()
}

/// A body that has to be a JSON object; an absent one counts as empty.
pub(crate) fn object(body: &[u8]) -> Result<Value, ApiError> {
    if body.trim_ascii().is_empty() {
        return Ok(json!({}));
    }
    serde_json::from_slice(body)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| ApiError::new(400, "parseError", "Parse Error"))
}

/// A token that means nothing to who gets it.
pub(crate) fn to_token(value: &Value) -> String {
    BASE64URL.encode(value.to_string())
}

/// What a token was made of, if it is one.
pub(crate) fn from_token(text: &str) -> Option<Value> {
    serde_json::from_slice(&BASE64URL.decode(text).ok()?).ok()
}

/// An entity tag: quoted, as it stands in bodies and in the headers `If-Match` and `If-None-Match`.
pub(crate) fn etag(state: impl Display) -> String {
    format!("\"{state}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_milliseconds_before_1970_too() {
        assert_eq!(rfc3339(1_700_000_000_120), "2023-11-14T22:13:20.120Z");
        assert_eq!(
            rfc3339_seconds(1_700_000_000_999),
            "2023-11-14T22:13:20.000Z"
        );
        assert_eq!(rfc3339_seconds(-1), "1969-12-31T23:59:59.000Z");
        assert_eq!(
            rfc2822(1_700_000_000_999),
            "Tue, 14 Nov 2023 22:13:20 +0000"
        );
    }

    #[test]
    fn a_body_is_an_object_or_nothing() {
        assert_eq!(object(b" \n").unwrap(), json!({}));
        assert_eq!(object(b"{\"a\":1}").unwrap(), json!({ "a": 1 }));
        for body in [&b"[]"[..], b"1", b"{", b"\xff"] {
            assert_eq!(object(body).unwrap_err().reason, "parseError");
        }
    }

    #[test]
    fn only_what_was_a_token_is_read() {
        let value = json!(["list", -3, u64::MAX]);
        assert_eq!(from_token(&to_token(&value)), Some(value));
        for text in ["", "%", "bGlzdA", "nonsense"] {
            assert_eq!(from_token(text), None, "{text}");
        }
    }
}
