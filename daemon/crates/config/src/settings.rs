//! Turns a sink's `settings` into JSON for the plugin. Whether the plugin likes them is for its
//! own schema to say.

use crate::codes;
use crate::raw::{Table, Value};
use crate::report::Report;
use serde_json::{Map, Number, Value as Json};
use toml::de::DeValue;

/// The settings as JSON object; empty where absent. Dates and times become strings.
pub(crate) fn read(table: &Table<'_>, report: &mut Report<'_>) -> Json {
    let object = table
        .entries()
        .map(|(key, value)| {
            (
                key.value.to_owned(),
                json(value, &table.name_of(key.value), report),
            )
        })
        .collect();
    Json::Object(object)
}

fn json(value: &Value<'_>, name: &str, report: &mut Report<'_>) -> Json {
    match value.get_ref() {
        DeValue::String(text) => Json::String(text.clone().into_owned()),
        DeValue::Boolean(flag) => Json::Bool(*flag),
        DeValue::Datetime(time) => Json::String(time.to_string()),
        DeValue::Integer(integer) => {
            let digits = integer.as_str().replace('_', "");
            match i64::from_str_radix(&digits, integer.radix()) {
                Ok(number) => Json::Number(number.into()),
                Err(_) => refuse(value, name, "does not fit into 64 bits", report),
            }
        }
        DeValue::Float(float) => {
            let number = float
                .as_str()
                .replace('_', "")
                .parse()
                .ok()
                .and_then(Number::from_f64);
            match number {
                Some(number) => Json::Number(number),
                None => refuse(value, name, "is no number that JSON can hold", report),
            }
        }
        DeValue::Array(values) => Json::Array(
            values
                .iter()
                .map(|value| json(value, name, report))
                .collect(),
        ),
        DeValue::Table(entries) => {
            let members = entries.iter().map(|(key, value)| {
                let key = key.get_ref();
                (
                    key.clone().into_owned(),
                    json(value, &format!("{name}.{key}"), report),
                )
            });
            Json::Object(members.collect::<Map<_, _>>())
        }
    }
}

fn refuse(value: &Value<'_>, name: &str, problem: &str, report: &mut Report<'_>) -> Json {
    let message = format!("`{}` {problem}", nuncio_model::untrusted(name));
    report.add(
        codes::OUT_OF_BOUNDS,
        &value.span(),
        message,
        "use another number, or a string",
    );
    Json::Null
}
