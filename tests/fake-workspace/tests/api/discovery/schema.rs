//! Checks a JSON value against a schema of a discovery document, member by member and strictly.
//! Which schema belongs to which answer is decided in `mod.rs`.
//!
//! See <https://developers.google.com/discovery/v1/type-format>.

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};

/// Which signs encoded bytes are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alphabet {
    /// `+` and `/`, padded: the JSON form of protocol buffers.
    Standard,
    /// `-` and `_`: what Gmail, Drive and Directory document.
    Url,
}

/// All schemas of a document.
#[derive(Debug)]
pub(crate) struct Schemas {
    pub(crate) by_name: Map<String, Value>,
    pub(crate) alphabet: Alphabet,
}

impl Schemas {
    /// What is wrong with `value` as an instance of `schema`, each with its place.
    pub(crate) fn violations(&self, schema: &Value, value: &Value) -> Vec<String> {
        let mut found = Vec::new();
        self.check(schema, value, "", &mut found);
        found
    }

    /// The schema itself, for one that is only a reference.
    pub(crate) fn resolve<'a>(&'a self, schema: &'a Value) -> Option<&'a Value> {
        match schema["$ref"].as_str() {
            Some(name) => self.by_name.get(name),
            None => Some(schema),
        }
    }

    fn check(&self, schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
        let Some(schema) = self.resolve(schema) else {
            found.push(format!("{place}: no such schema: {}", schema["$ref"]));
            return;
        };
        let mut say = |what: &str| found.push(format!("{place}: {what}: {}", short(value)));
        match schema["type"].as_str().unwrap_or_default() {
            "object" => match value.as_object() {
                Some(members) => self.check_members(schema, members, place, found),
                None => say("not an object"),
            },
            "array" => match value.as_array() {
                Some(items) => {
                    for (at, item) in items.iter().enumerate() {
                        self.check(&schema["items"], item, &format!("{place}[{at}]"), found);
                    }
                }
                None => say("not a list"),
            },
            "string" => match value.as_str() {
                Some(text) => {
                    if let Some(what) = self.text_violation(schema, text) {
                        say(&what);
                    }
                }
                None => say("not a string"),
            },
            "integer" => {
                let range = match schema["format"].as_str() {
                    Some("uint32") => 0..=i64::from(u32::MAX),
                    _ => i64::from(i32::MIN)..=i64::from(i32::MAX),
                };
                if !value.as_i64().is_some_and(|number| range.contains(&number)) {
                    say("not a whole number of 32 bits");
                }
            }
            "number" if !value.is_number() => say("not a number"),
            "boolean" if !value.is_boolean() => say("not true or false"),
            "number" | "boolean" | "any" => {}
            other => say(&format!("a type that this check does not know: {other}")),
        }
    }

    fn check_members(
        &self,
        schema: &Value,
        members: &Map<String, Value>,
        place: &str,
        found: &mut Vec<String>,
    ) {
        for (name, member) in members {
            let place = format!("{place}.{name}");
            let own = &schema["properties"][name];
            let own = if own.is_null() {
                &schema["additionalProperties"]
            } else {
                own
            };
            if own.is_null() {
                found.push(format!("{place}: no such field: {}", short(member)));
                continue;
            }
            self.check(own, member, &place, found);
            let default = &own["default"];
            if name == "kind" && default.is_string() && default != member {
                found.push(format!("{place}: not {default}: {member}"));
            }
        }
    }

    fn text_violation(&self, schema: &Value, text: &str) -> Option<String> {
        if let Some(values) = schema["enum"].as_array()
            && !values.iter().any(|value| value == text)
        {
            return Some(format!("not one of {}", schema["enum"]));
        }
        let format = schema["format"].as_str()?;
        let fits = match format {
            "int64" => is_canonical(text, text.parse::<i64>().ok()),
            "uint64" => is_canonical(text, text.parse::<u64>().ok()),
            "byte" => self.is_encoded(text),
            "date" => is_date(text),
            "date-time" => is_date_time(text),
            "google-datetime" => is_date_time(text) && text.ends_with('Z'),
            "google-duration" => is_duration(text),
            "google-fieldmask" => is_field_mask(text),
            _ => return Some(format!("a format that this check does not know: {format}")),
        };
        (!fits).then(|| format!("not a {format}"))
    }

    fn is_encoded(&self, text: &str) -> bool {
        let (alphabet, padding) = match self.alphabet {
            Alphabet::Standard => (STANDARD, DecodePaddingMode::RequireCanonical),
            // Readers are told to expect both.
            Alphabet::Url => (URL_SAFE, DecodePaddingMode::Indifferent),
        };
        let config = GeneralPurposeConfig::new().with_decode_padding_mode(padding);
        GeneralPurpose::new(&alphabet, config).decode(text).is_ok()
    }
}

/// A value in as few words as a message needs.
fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 120 {
        return text;
    }
    text.chars().take(120).chain("...".chars()).collect()
}

/// Whether a number is written as its reader would write it: no sign, zeros or spaces too many.
fn is_canonical<T: ToString>(text: &str, number: Option<T>) -> bool {
    number.is_some_and(|number| number.to_string() == text)
}

/// `2026-11-30`, a day that exists.
fn is_date(text: &str) -> bool {
    text.len() == 10
        && text.parse::<jiff::civil::Date>().is_ok()
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

/// RFC 3339 in capital letters: a date, `T`, a time with seconds, perhaps a fraction, and an offset or `Z`.
fn is_date_time(text: &str) -> bool {
    let Some((date, rest)) = text.split_once('T') else {
        return false;
    };
    let (time, zone) = match rest.find(['Z', '+', '-']) {
        Some(at) => rest.split_at(at),
        None => return false,
    };
    let zone_fits = zone == "Z"
        || zone.len() == 6
            && zone.as_bytes()[3] == b':'
            && [&zone[1..3], &zone[4..]]
                .iter()
                .all(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let fraction_fits =
        (1..=9).contains(&fraction.len()) && fraction.bytes().all(|byte| byte.is_ascii_digit());
    is_date(date)
        && zone_fits
        && clock.len() == 8
        && fraction_fits
        && text.parse::<jiff::Timestamp>().is_ok()
}

/// Seconds with up to nine digits of a fraction and an `s`.
fn is_duration(text: &str) -> bool {
    let Some(number) = text.strip_suffix('s') else {
        return false;
    };
    let number = number.strip_prefix('-').unwrap_or(number);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole) && digits(fraction) && fraction.len() <= 9
}

/// Names of fields, with points between levels and commas between fields.
fn is_field_mask(text: &str) -> bool {
    text.split([',', '.']).all(|name| {
        name.starts_with(|first: char| first.is_ascii_lowercase())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}
