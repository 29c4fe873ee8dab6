//! The tree as the file has it, with places, and typed access to one table of it. A getter that
//! finds something wrong reports it and answers as if the key were absent, so that the walk goes
//! on and finds the rest. What a value means is not known here; see `values`.

use crate::codes;
use crate::keys::{DROP_IN, Keys, SECTIONS};
use crate::report::{Report, Span};
use crate::values::{self, Choice};
use nuncio_model::untrusted;
use std::ops::RangeInclusive;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value with its place.
pub(crate) type Value<'a> = Spanned<DeValue<'a>>;

/// A string with its place.
#[derive(Debug, Clone)]
pub(crate) struct Text<'a> {
    pub(crate) value: &'a str,
    pub(crate) span: Span,
}

/// One table of the file; a section that is absent reads as empty.
pub(crate) struct Table<'a> {
    /// How messages name it, such as `[sinks.search] batch`; empty for the top of the file.
    title: String,
    entries: Option<&'a DeTable<'a>>,
    /// Where a missing key is reported.
    span: Span,
}

impl<'a> Table<'a> {
    pub(crate) fn new(title: impl Into<String>, entries: &'a DeTable<'a>, span: Span) -> Self {
        Self {
            title: title.into(),
            entries: Some(entries),
            span,
        }
    }

    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    pub(crate) fn is_present(&self) -> bool {
        self.entries.is_some()
    }

    /// `[sync] since` in a section, `[sinks.search] batch.bytes` below one.
    pub(crate) fn name_of(&self, key: &str) -> String {
        match self.title.chars().last() {
            None => key.to_owned(),
            Some(']') => format!("{} {key}", self.title),
            Some(_) => format!("{}.{key}", self.title),
        }
    }

    /// All entries: key with place, value with place.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (Text<'a>, &'a Value<'a>)> + use<'a> {
        self.entries
            .into_iter()
            .flat_map(DeTable::iter)
            .map(|(key, value)| {
                (
                    Text {
                        value: key.get_ref().as_ref(),
                        span: key.span(),
                    },
                    value,
                )
            })
    }

    pub(crate) fn value(&self, key: &str) -> Option<&'a Value<'a>> {
        self.entries?.get(key)
    }

    /// Refuses every key that is not built.
    pub(crate) fn check_keys(&self, keys: &Keys, report: &mut Report<'_>) {
        for (key, value) in self.entries() {
            if keys.built.contains(&key.value) {
                continue;
            }
            // Whatever was meant, it may be a secret.
            hide_leaves(value, report);
            if keys.planned.contains(&key.value) {
                let message = format!(
                    "`{}` is not built yet in this release; remove it",
                    if self.title.is_empty() {
                        format!("[{}]", key.value)
                    } else {
                        self.name_of(key.value)
                    }
                );
                let hint = "it will be accepted by the release that builds it; see CHANGELOG";
                report.add(codes::NOT_BUILT, &key.span, message, hint);
                continue;
            }
            let place = if self.title.is_empty() {
                "at the top of the file"
            } else {
                "in"
            };
            let message = format!(
                "unknown key `{}` {place} {}",
                untrusted(key.value),
                self.title
            );
            let hint = unknown_key_hint(key.value, keys);
            report.add(codes::UNKNOWN_KEY, &key.span, message.trim_end(), hint);
        }
    }

    /// Refuses everything in a drop-in but users and sinks.
    pub(crate) fn check_drop_in(&self, report: &mut Report<'_>) {
        for (key, value) in self.entries() {
            if DROP_IN.contains(&key.value) {
                continue;
            }
            hide_leaves(value, report);
            let shown = untrusted(key.value);
            let message = format!("`{shown}` cannot stand in a drop-in");
            let hint = match values::nearest(key.value, DROP_IN.into_iter()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "drop-ins hold only [[users]] and [sinks.NAME]; move it into the main file"
                    .to_owned(),
            };
            report.add(codes::DROP_INS, &key.span, message, hint);
        }
    }

    /// The string at `key`.
    pub(crate) fn text(&self, key: &str, report: &mut Report<'_>) -> Option<Text<'a>> {
        text_of(self.value(key)?, &self.name_of(key), report)
    }

    /// The string at `key`; its absence is an error.
    pub(crate) fn required_text(
        &self,
        key: &str,
        hint: &str,
        report: &mut Report<'_>,
    ) -> Option<Text<'a>> {
        if self.value(key).is_none() && !self.is_mistyped(key) {
            let message = format!("`{}` is missing", self.name_of(key));
            report.add(codes::MISSING_KEY, &self.span, message, hint);
        }
        self.text(key, report)
    }

    /// Whether an unknown key here was meant to be `key`: reported as such, so not missing too.
    pub(crate) fn is_mistyped(&self, key: &str) -> bool {
        self.entries().any(|(typed, _)| {
            !SECTIONS.iter().any(|(_, keys)| keys.has(typed.value))
                && values::nearest(typed.value, std::iter::once(key)).is_some()
        })
    }

    /// The strings in the list at `key`.
    pub(crate) fn texts(&self, key: &str, report: &mut Report<'_>) -> Option<Vec<Text<'a>>> {
        let name = self.name_of(key);
        let values = self.list(key, report)?;
        Some(
            values
                .into_iter()
                .filter_map(|value| text_of(value, &name, report))
                .collect(),
        )
    }

    /// The elements of the list at `key`.
    pub(crate) fn list(&self, key: &str, report: &mut Report<'_>) -> Option<Vec<&'a Value<'a>>> {
        let value = self.value(key)?;
        match value.get_ref() {
            DeValue::Array(values) => Some(values.iter().collect()),
            _ => {
                let hint = match value.get_ref() {
                    DeValue::Table(_) if self.title.is_empty() => {
                        format!("write `[[{key}]]` with two brackets, once for each entry")
                    }
                    _ => format!("write `{key} = [...]`"),
                };
                wrong_type(value, &self.name_of(key), "a list", &hint, report);
                None
            }
        }
    }

    /// The table at `key`, empty where absent.
    pub(crate) fn table(&self, key: &str, report: &mut Report<'_>) -> Table<'a> {
        let title = if self.title.is_empty() {
            format!("[{key}]")
        } else {
            self.name_of(key)
        };
        let absent = |title| Table {
            title,
            entries: None,
            span: self.span.clone(),
        };
        let Some(value) = self.value(key) else {
            return absent(title);
        };
        match value.get_ref() {
            DeValue::Table(entries) => Table::new(title, entries, value.span()),
            _ => {
                let hint = if self.title.is_empty() {
                    format!("write a section `[{key}]`")
                } else {
                    format!("write `{key} = {{ ... }}`")
                };
                wrong_type(value, &self.name_of(key), "a table", &hint, report);
                absent(title)
            }
        }
    }

    pub(crate) fn flag(&self, key: &str, default: bool, report: &mut Report<'_>) -> bool {
        let Some(value) = self.value(key) else {
            return default;
        };
        match value.get_ref() {
            DeValue::Boolean(flag) => *flag,
            _ => {
                let hint = format!("write `{key} = true` or `{key} = false`, without quotes");
                wrong_type(value, &self.name_of(key), "true or false", &hint, report);
                default
            }
        }
    }

    pub(crate) fn number(
        &self,
        key: &str,
        default: u32,
        bounds: RangeInclusive<u32>,
        report: &mut Report<'_>,
    ) -> u32 {
        let Some(value) = self.value(key) else {
            return default;
        };
        let name = self.name_of(key);
        let DeValue::Integer(integer) = value.get_ref() else {
            let hint = format!("write a whole number, such as `{key} = {default}`");
            wrong_type(value, &name, "a whole number", &hint, report);
            return default;
        };
        match u32::from_str_radix(&integer.as_str().replace('_', ""), integer.radix()) {
            Ok(number) if bounds.contains(&number) => number,
            _ => {
                let message = format!("`{name}` is out of bounds");
                let hint = format!("use {} to {}", bounds.start(), bounds.end());
                report.add(codes::OUT_OF_BOUNDS, &value.span(), message, hint);
                default
            }
        }
    }

    pub(crate) fn duration(
        &self,
        key: &str,
        default: Duration,
        bounds: RangeInclusive<Duration>,
        report: &mut Report<'_>,
    ) -> Duration {
        self.measure(
            key,
            default,
            "a duration",
            "\"30s\"",
            report,
            |name, text, report| values::duration(name, text, bounds, report),
        )
    }

    /// A size in bytes.
    pub(crate) fn size(
        &self,
        key: &str,
        default: u64,
        bounds: RangeInclusive<u64>,
        report: &mut Report<'_>,
    ) -> u64 {
        self.measure(
            key,
            default,
            "a size",
            "\"64MiB\"",
            report,
            |name, text, report| values::size(name, text, bounds, report),
        )
    }

    /// A value with a unit, written as a string.
    pub(crate) fn measure<T>(
        &self,
        key: &str,
        default: T,
        what: &str,
        example: &str,
        report: &mut Report<'_>,
        parse: impl FnOnce(&str, &Text<'a>, &mut Report<'_>) -> Option<T>,
    ) -> T {
        let Some(value) = self.value(key) else {
            return default;
        };
        let name = self.name_of(key);
        let DeValue::String(text) = value.get_ref() else {
            let hint = format!("write it with its unit in quotes, such as {example}");
            wrong_type(value, &name, what, &hint, report);
            return default;
        };
        let text = Text {
            value: text.as_ref(),
            span: value.span(),
        };
        parse(&name, &text, report).unwrap_or(default)
    }

    /// One of `choices`; `None` where absent or refused.
    pub(crate) fn choice<T: Copy>(
        &self,
        key: &str,
        choices: &[(&str, Choice<T>)],
        report: &mut Report<'_>,
    ) -> Option<T> {
        let text = self.text(key, report)?;
        values::choice(&self.name_of(key), &text, choices, report)
    }

    /// A list of `choices` without repetition, not empty; `None` where absent or refused.
    pub(crate) fn choices<T: Copy + PartialEq>(
        &self,
        key: &str,
        choices: &[(&str, Choice<T>)],
        report: &mut Report<'_>,
    ) -> Option<Vec<T>> {
        let name = self.name_of(key);
        let texts = self.texts(key, report)?;
        let span = self.value(key)?.span();
        if self
            .value(key)?
            .get_ref()
            .as_array()
            .is_some_and(|array| array.is_empty())
        {
            let hint = format!("name at least one, or remove `{key}` for the default");
            report.add(
                codes::OUT_OF_BOUNDS,
                &span,
                format!("`{name}` is empty"),
                hint,
            );
            return None;
        }
        let mut chosen = Vec::new();
        for text in texts {
            let Some(choice) = values::choice(&name, &text, choices, report) else {
                continue;
            };
            if chosen.contains(&choice) {
                let message = format!("`{name}` names `{}` twice", text.value);
                report.add(
                    codes::REPEATED,
                    &text.span,
                    message,
                    "remove one of the two",
                );
            } else {
                chosen.push(choice);
            }
        }
        (!chosen.is_empty()).then_some(chosen)
    }
}

/// The string that `value` must be.
pub(crate) fn text_of<'a>(
    value: &'a Value<'a>,
    name: &str,
    report: &mut Report<'_>,
) -> Option<Text<'a>> {
    match value.get_ref() {
        DeValue::String(text) => Some(Text {
            value: text.as_ref(),
            span: value.span(),
        }),
        _ => {
            wrong_type(value, name, "a string", "write it in quotes", report);
            None
        }
    }
}

/// Reports a value of the wrong TOML type.
pub(crate) fn wrong_type(
    value: &Value<'_>,
    name: &str,
    expected: &str,
    hint: &str,
    report: &mut Report<'_>,
) {
    let found = match value.get_ref() {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    let message = format!("`{name}` must be {expected}, but is {found}");
    report.add(codes::WRONG_TYPE, &value.span(), message, hint);
}

/// Hides every value in `value` that may be a secret; the keys stay readable.
pub(crate) fn hide_leaves(value: &Value<'_>, report: &mut Report<'_>) {
    match value.get_ref() {
        DeValue::Table(entries) => entries
            .values()
            .for_each(|value| hide_leaves(value, report)),
        DeValue::Array(values) => values.iter().for_each(|value| hide_leaves(value, report)),
        DeValue::Boolean(_) => {}
        DeValue::String(_) | DeValue::Integer(_) | DeValue::Float(_) | DeValue::Datetime(_) => {
            report.hide(&value.span())
        }
    }
}

/// A near key here, else a section that has exactly this key, else what there is.
fn unknown_key_hint(key: &str, keys: &Keys) -> String {
    if let Some(near) = values::nearest(key, keys.built.iter().copied()) {
        return format!("did you mean `{near}`?");
    }
    match SECTIONS.iter().find(|(_, keys)| keys.built.contains(&key)) {
        Some((section, _)) => format!("`{key}` belongs to {section}"),
        None => format!("known here: {}", keys.built.join(", ")),
    }
}
