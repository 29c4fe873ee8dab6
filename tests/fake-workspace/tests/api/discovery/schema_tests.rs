//! The check itself has to fail where it should: bodies that are almost right, each wrong in one way.

use super::schema::{Alphabet, Schemas};
use serde_json::{Value, json};

fn schemas(alphabet: Alphabet) -> Schemas {
    let by_name = json!({
        "Thing": {
            "type": "object",
            "properties": {
                "kind": { "type": "string", "default": "test#thing" },
                "text": { "type": "string" },
                "choice": { "type": "string", "enum": ["a", "b"] },
                "small": { "type": "integer", "format": "int32" },
                "count": { "type": "integer", "format": "uint32" },
                "large": { "type": "string", "format": "int64" },
                "huge": { "type": "string", "format": "uint64" },
                "bytes": { "type": "string", "format": "byte" },
                "day": { "type": "string", "format": "date" },
                "time": { "type": "string", "format": "date-time" },
                "utc": { "type": "string", "format": "google-datetime" },
                "wait": { "type": "string", "format": "google-duration" },
                "mask": { "type": "string", "format": "google-fieldmask" },
                "share": { "type": "number", "format": "double" },
                "flag": { "type": "boolean" },
                "anything": { "type": "any" },
                "others": { "type": "array", "items": { "$ref": "Thing" } },
                "free": { "type": "object", "additionalProperties": { "type": "string" } },
                "lost": { "$ref": "Nothing" },
                "odd": { "type": "string", "format": "odd" },
                "strange": { "type": "strange" },
            },
        },
    });
    Schemas {
        by_name: by_name.as_object().expect("an object").clone(),
        alphabet,
    }
}

fn violations(value: &Value) -> Vec<String> {
    schemas(Alphabet::Url).violations(&json!({ "$ref": "Thing" }), value)
}

#[test]
fn a_right_value_passes() {
    let value = json!({
        "kind": "test#thing", "text": "", "choice": "b", "small": -2_147_483_648, "count": 4_294_967_295_u32,
        "large": "-9223372036854775808", "huge": "18446744073709551615", "bytes": "_-8",
        "day": "2028-02-29", "time": "2026-11-30T23:59:59.5+05:30", "utc": "2026-11-30T00:00:00Z",
        "wait": "604800s", "mask": "files.name,kind", "share": 1, "flag": false, "anything": [null],
        "others": [{ "kind": "test#thing", "others": [] }], "free": { "x": "y" },
    });
    assert_eq!(violations(&value), Vec::<String>::new());
}

#[test]
fn each_wrong_value_is_found_once_and_by_its_place() {
    for (name, wrong) in [
        ("kind", json!("test#other")),
        ("text", json!(1)),
        ("text", json!(null)),
        ("choice", json!("c")),
        ("choice", json!("A")),
        ("small", json!("1")),
        ("small", json!(1.5)),
        ("small", json!(2_147_483_648_i64)),
        ("count", json!(-1)),
        ("large", json!(1)),
        ("large", json!("1.0")),
        ("large", json!("+1")),
        ("large", json!("9223372036854775808")),
        ("huge", json!("-1")),
        ("huge", json!("01")),
        ("bytes", json!("+/8=")),
        ("bytes", json!("a b")),
        ("day", json!("2026-02-29")),
        ("day", json!("2026-2-9")),
        ("day", json!("20260209")),
        ("day", json!("2026-11-30T00:00:00Z")),
        ("time", json!("2026-11-30")),
        ("time", json!("2026-11-30T10:00:00")),
        ("time", json!("2026-11-30T10:00Z")),
        ("time", json!("2026-11-30 10:00:00Z")),
        ("time", json!("2026-11-30T25:00:00Z")),
        ("time", json!("2026-11-30T10:00:00+0100")),
        ("time", json!(1_764_460_800)),
        ("utc", json!("2026-11-30T10:00:00+01:00")),
        ("wait", json!("10")),
        ("wait", json!("10m")),
        ("wait", json!("s")),
        ("mask", json!("a,,b")),
        ("mask", json!("a b")),
        ("share", json!("0.5")),
        ("flag", json!("true")),
        ("others", json!({})),
        ("free", json!([])),
        ("lost", json!({})),
        ("odd", json!("x")),
        ("strange", json!("x")),
        ("unknown", json!("x")),
    ] {
        let found = violations(&json!({ "kind": "test#thing", name: wrong }));
        assert_eq!(found.len(), 1, "{name} = {wrong}: {found:?}");
        assert!(found[0].starts_with(&format!(".{name}: ")), "{found:?}");
    }
    assert_eq!(violations(&json!([])).len(), 1);
    assert_eq!(violations(&json!(null)).len(), 1);
}

#[test]
fn wrong_values_are_found_at_any_depth() {
    let value = json!({ "others": [{}, { "others": [{ "small": "1" }] }], "free": { "x": 1 } });
    let found = violations(&value);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().any(|text| text.starts_with(".free.x: ")));
    assert!(
        found
            .iter()
            .any(|text| text.starts_with(".others[1].others[0].small: "))
    );
}

#[test]
fn encoded_bytes_have_the_alphabet_of_their_service() {
    let standard = schemas(Alphabet::Standard);
    let check =
        |text: &str| standard.violations(&json!({ "$ref": "Thing" }), &json!({ "bytes": text }));
    assert!(check("+/8=").is_empty());
    assert_eq!(check("_-8=").len(), 1);
    assert_eq!(check("+/8").len(), 1, "padding is a must");
}
