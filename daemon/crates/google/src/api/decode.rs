//! Tolerant reading of answers: numbers as text or number, absent lists, either base64, pages
//! whose single items may be bad. serde's own messages quote values, which may be mail, so only
//! places are kept of them.

use crate::Error;
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use nuncio_model::ItemId;
use serde::de::{self, Deserializer, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// An item of a page that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadItem {
    /// Where in the page, from 0.
    pub position: usize,
    /// What is wrong and where; never a value.
    pub reason: String,
    /// The item's id, if at least that can be read.
    pub id: Option<ItemId>,
}

/// Padding is unreliable at Google: parts come with and without.
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Decodes base64 of either alphabet, padded or not, with or without white space. None if it is
/// none.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    if let Ok(bytes) = BASE64_URL.decode(text) {
        return Some(bytes);
    }
    let plain: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=')
        .map(|byte| match byte {
            b'+' => b'-',
            b'/' => b'_',
            other => other,
        })
        .collect();
    BASE64_URL.decode(plain).ok()
}

/// The body as text. Bytes that are no UTF-8 become U+FFFD rather than the loss of a page.
pub(super) fn text(body: &[u8]) -> Cow<'_, str> {
    // The plain check is much quicker than the lossy walk, and nearly always enough.
    match std::str::from_utf8(body) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(body),
    }
}

/// The place of a JSON error, without the value that serde would quote.
pub(super) fn place(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Eof => "ends too early",
        serde_json::error::Category::Data => "has an unexpected shape",
        serde_json::error::Category::Io | serde_json::error::Category::Syntax => "is not JSON",
    };
    format!("{what} at line {}, column {}", error.line(), error.column())
}

/// Reads a whole answer.
pub(super) fn whole<'a, T: de::Deserialize<'a>>(
    method: &'static str,
    text: &'a str,
) -> Result<T, Error> {
    object(text).map_err(|error| decode_error(method, &error))
}

/// Reads an object. serde would also take a list of its members' values in their order.
pub(super) fn object<'a, T: de::Deserialize<'a>>(text: &'a str) -> serde_json::Result<T> {
    if text.trim_start().starts_with('[') {
        return Err(de::Error::custom("a list"));
    }
    serde_json::from_str(text)
}

pub(super) fn decode_error(method: &'static str, error: &serde_json::Error) -> Error {
    Error::Decode {
        method,
        what: format!("it {}", place(error)),
    }
}

/// Reads the items of a page one by one, so that a bad one costs only itself.
pub(super) fn items<'a, T: de::Deserialize<'a>, U>(
    raw: &[&'a RawValue],
    convert: impl Fn(T) -> Result<U, &'static str>,
) -> (Vec<U>, Vec<BadItem>) {
    let mut good = Vec::with_capacity(raw.len());
    let mut bad = Vec::new();
    for (position, item) in raw.iter().enumerate() {
        let read = object::<T>(item.get())
            .map_err(|error| format!("the item {}", place(&error)))
            .and_then(|wire| convert(wire).map_err(str::to_owned));
        match read {
            Ok(item) => good.push(item),
            Err(reason) => bad.push(BadItem {
                position,
                reason,
                id: id_of(item),
            }),
        }
    }
    (good, bad)
}

/// The `id` of an item that cannot be read otherwise.
fn id_of(item: &RawValue) -> Option<ItemId> {
    let value: serde_json::Value = serde_json::from_str(item.get()).ok()?;
    value["id"].as_str().map(ItemId::new)
}

/// A 64-bit number: Google sends text, stand-ins and future versions a number.
pub(super) fn number<'de, D: Deserializer<'de>, N: TryFrom<i128>>(
    deserializer: D,
) -> Result<Option<N>, D::Error> {
    struct Number;
    impl Visitor<'_> for Number {
        type Value = Option<i128>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a number, maybe as text")
        }
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
            Ok(Some(value.into()))
        }
        fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
            Ok(Some(value.into()))
        }
        fn visit_str<E: de::Error>(self, value: &str) -> Result<Self::Value, E> {
            value.parse().map(Some).map_err(|_| E::custom("no number"))
        }
    }
    let Some(number) = deserializer.deserialize_any(Number)? else {
        return Ok(None);
    };
    N::try_from(number)
        .map(Some)
        .map_err(|_| de::Error::custom("number out of range"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    #[test]
    fn base64_is_read_in_all_its_forms() {
        for text in [
            "-_-_aGVsbA",
            "-_-_aGVsbA==",
            "+/+/aGVsbA==",
            "+/+/aGVsbA",
            "-_+/aGVs\r\nbA==",
            "-_-_aGVsbB",
        ] {
            assert_eq!(
                base64(text).as_deref(),
                Some(&b"\xfb\xff\xbfhell"[..]),
                "{text}"
            );
        }
        assert_eq!(base64(""), Some(vec![]));
        for bad in ["a", "aGVsb!", "ä"] {
            assert_eq!(base64(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_list_is_no_object_whatever_is_in_it() {
        #[derive(Debug, serde::Deserialize)]
        struct Wire {
            id: Option<String>,
        }
        let list = r#" ["planted"]"#;
        assert!(serde_json::from_str::<Wire>(list).is_ok(), "serde takes it");
        let error = whole::<Wire>("m", list).unwrap_err();
        assert!(error.to_string().contains("unexpected shape"), "{error}");
        let items: Vec<&RawValue> = serde_json::from_str(r#"[["a"],{"id":"b"}]"#).unwrap();
        let (good, bad) = super::items(&items, |wire: Wire| wire.id.ok_or("no id"));
        assert_eq!((good, bad.len()), (vec!["b".to_owned()], 1));
    }

    #[test]
    fn places_quote_nothing() {
        let error = serde_json::from_str::<u8>("\"planted\"").unwrap_err();
        assert_eq!(place(&error), "has an unexpected shape at line 1, column 9");
    }

    proptest! {
        #[test]
        fn base64_survives_any_text(text in ".*") {
            base64(&text);
        }

        #[test]
        fn base64_gives_back_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            for text in [STANDARD.encode(&bytes), URL_SAFE.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)] {
                prop_assert_eq!(base64(&text), Some(bytes.clone()));
            }
        }
    }
}
