//! The schema and the readers say the same: of keys, required keys, defaults, names and bounds;
//! and what is accepted by the readers is accepted by the schema.

use super::*;
use crate::keys::SECTIONS;
use crate::{Config, Problem};
use boon::{Compiler, Draft, SchemaIndex, Schemas};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Every section, with what it must have and, of lists, an entry.
const LEAST: &str = r#"
[google]
service_account_key = "file:/etc/nuncio/key.json"
domains = ["example.com"]
[google.quota_override]
[google.per_user]
client = "file:/etc/nuncio/oauth-client.json"
[sync]
[[users]]
email = "ana@example.com"
aliases = ["a@example.com"]
accounts = [{ address = "ana@example.com" }]
[sinks.a]
plugin = "a.wasm"
[sinks.a.settings]
[sinks.a.batch]
[sinks.a.limits]
[sinks.a.retry]
[sinks.a.grants]
dirs = [{ guest = "/out", host = "/srv/out", mode = "rw" }]
[spool]
[plugins]
[log]
"#;

struct Judge {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Judge {
    fn new() -> Self {
        let mut compiler = Compiler::new();
        compiler.set_default_draft(Draft::V7);
        compiler.add_resource("urn:config", schema()).unwrap();
        let mut schemas = Schemas::new();
        let index = compiler.compile("urn:config", &mut schemas).unwrap();
        Self { schemas, index }
    }

    /// What the schema has against a config, if anything.
    fn objection(&self, config: &Value) -> Option<String> {
        let verdict = self.schemas.validate(config, self.index);
        verdict.err().map(|error| format!("{error:#}"))
    }
}

fn json_of(text: &str) -> Value {
    toml::from_str(text).unwrap()
}

fn read(config: &Value) -> Result<Config, Vec<Problem>> {
    let text = toml::to_string(config).unwrap();
    Config::parse("nuncio.toml", &text).map_err(crate::Errors::into_problems)
}

/// A node of the schema and where what it describes stands in [`LEAST`].
type Node = (Vec<String>, Value);

/// All nodes of the schema that describe a value.
fn nodes() -> Vec<Node> {
    fn collect(at: &[String], node: &Value, nodes: &mut Vec<Node>) {
        nodes.push((at.to_vec(), node.clone()));
        let below = |step: &str| [at, &[step.to_owned()]].concat();
        for (key, member) in node["properties"].as_object().into_iter().flatten() {
            collect(&below(key), member, nodes);
        }
        for (_, member) in node["patternProperties"].as_object().into_iter().flatten() {
            collect(&below("a"), member, nodes);
        }
        for member in node["items"]["anyOf"].as_array().into_iter().flatten() {
            collect(&below("0"), member, nodes);
        }
        let item = &node["items"];
        if item["properties"].is_object() || item["pattern"].is_string() {
            collect(&below("0"), item, nodes);
        }
    }
    let mut nodes = Vec::new();
    collect(&[], &schema(), &mut nodes);
    nodes
}

/// [`LEAST`], or, for what excludes a key, without that.
fn least_for(at: &[String]) -> Value {
    let mut config = json_of(LEAST);
    if at.get(1).is_some_and(|section| section == "keyless") {
        let google = config["google"].as_object_mut().unwrap();
        google.remove("service_account_key");
        let keyless = json!({ "service_account": "nuncio@project.example" });
        google.insert("keyless".to_owned(), keyless);
    }
    config
}

/// [`least_for`] a place, with a value put in there or, without one, taken out.
fn changed(at: &[String], value: Option<Value>) -> Value {
    let mut config = least_for(at);
    let (last, path) = at.split_last().unwrap();
    let mut place = &mut config;
    for step in path {
        place = match step.parse::<usize>() {
            Ok(index) => &mut place[index],
            Err(_) => &mut place[step.as_str()],
        };
    }
    match (place, value) {
        (Value::Array(list), Some(value)) => list[last.parse::<usize>().unwrap()] = value,
        (Value::Object(table), Some(value)) => drop(table.insert(last.clone(), value)),
        (Value::Object(table), None) => drop(table.remove(last)),
        (other, _) => panic!("{other} has no {last}"),
    }
    config
}

fn named(at: &[String]) -> String {
    at.join(".")
}

/// With an endpoint, so that what is allowed only with one is allowed.
fn with_endpoint(mut config: Value) -> Value {
    let google = config["google"].as_object_mut().unwrap();
    google
        .entry("endpoint")
        .or_insert_with(|| "http://127.0.0.1:8087".into());
    config
}

#[test]
fn the_shipped_file_is_the_schema() {
    let shipped = include_str!("../../../../../config/nuncio.schema.json");
    let made = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    assert!(
        shipped == made,
        "config/nuncio.schema.json is not what the sources say; make it anew: \
         nuncio schema > config/nuncio.schema.json"
    );
}

#[test]
fn the_schema_has_exactly_the_built_keys() {
    let of_readers: BTreeSet<BTreeSet<String>> = SECTIONS
        .iter()
        .map(|(_, keys)| keys.built.iter().map(ToString::to_string).collect())
        .collect();
    let of_schema: BTreeSet<BTreeSet<String>> = nodes()
        .iter()
        .filter_map(|(_, node)| Some(node["properties"].as_object()?.keys().cloned().collect()))
        .collect();
    assert_eq!(of_schema, of_readers);
}

#[test]
fn no_table_but_settings_takes_other_keys_and_each_key_is_described() {
    for (at, node) in nodes() {
        let is_settings = at.last().is_some_and(|key| key == "settings");
        if node["type"] == "object" && !is_settings {
            assert_eq!(node["additionalProperties"], false, "{}", named(&at));
        }
        assert!(node["description"].is_string(), "{}", named(&at));
        assert!(
            node["type"].is_string() || node["enum"].is_array(),
            "{} takes anything",
            named(&at)
        );
    }
}

#[test]
fn both_require_the_same_keys() {
    let judge = Judge::new();
    let least = json_of(LEAST);
    assert_eq!(judge.objection(&least), None, "it requires more");
    read(&least).unwrap();
    let mut n_required = 0;
    for (at, _) in nodes() {
        if at.last().is_none_or(|step| step == "0") {
            continue;
        }
        let without = changed(&at, None);
        let objection = judge.objection(&without);
        match read(&without) {
            Ok(_) => assert_eq!(objection, None, "without {}", named(&at)),
            Err(problems) => {
                assert!(objection.is_some(), "without {}", named(&at));
                assert_eq!(problems[0].code.as_str(), "CFG012", "{}", named(&at));
                n_required += 1;
            }
        }
    }
    assert!(n_required >= 8);
}

#[test]
fn the_defaults_are_those_of_the_readers() {
    let parts = |config: Config| {
        let Config {
            google,
            sync,
            users,
            sinks,
            spool,
            plugins,
            log,
            ..
        } = config;
        (google, sync, users, sinks, spool, plugins, log)
    };
    // Without the only grant, since none is the default.
    let dirs = ["sinks", "a", "grants", "dirs"].map(str::to_owned);
    let bare = changed(&dirs, None);
    let bare = parts(read(&bare).unwrap());
    let mut n_defaults = 0;
    for (at, node) in nodes() {
        let Some(default) = node.get("default") else {
            continue;
        };
        let config = changed(&at, Some(default.clone()));
        let said = parts(read(&config).unwrap());
        let least = parts(read(&least_for(&at)).unwrap());
        let unsaid = if at == dirs { &bare } else { &least };
        assert_eq!(&said, unsaid, "{} = {default}", named(&at));
        n_defaults += 1;
    }
    assert!(n_defaults >= 25);
}

#[test]
fn the_names_are_those_of_the_readers() {
    let judge = Judge::new();
    let mut n_choices = 0;
    for (at, node) in nodes() {
        let is_list = node["items"]["enum"].is_array();
        let names = if is_list { &node["items"] } else { &node }["enum"].clone();
        let Some(names) = names.as_array() else {
            continue;
        };
        let put = |name: Value| {
            let value = if is_list { json!([name]) } else { name };
            with_endpoint(changed(&at, Some(value)))
        };
        for name in names {
            let config = put(name.clone());
            assert_eq!(judge.objection(&config), None, "{} {name}", named(&at));
            assert!(read(&config).is_ok(), "{} {name}", named(&at));
        }
        // The reader lists what it takes.
        let wrong = put("xyzzy".into());
        assert!(judge.objection(&wrong).is_some(), "{}", named(&at));
        let problems = read(&wrong).unwrap_err();
        let listed: Vec<String> = names.iter().map(ToString::to_string).collect();
        let hint = format!("allowed: {}", listed.join(", "));
        assert_eq!(problems[0].hint, hint, "{}", named(&at));
        n_choices += 1;
    }
    assert!(n_choices >= 10);
}

#[test]
fn numbers_have_the_bounds_of_the_readers() {
    let judge = Judge::new();
    let mut n_numbers = 0;
    for (at, node) in nodes() {
        if node["type"] != "integer" {
            continue;
        }
        let bound = |name: &str| node[name].as_i64().unwrap();
        let (least, most) = (bound("minimum"), bound("maximum"));
        for (number, is_right) in [
            (least - 1, false),
            (least, true),
            (most, true),
            (most + 1, false),
        ] {
            let config = changed(&at, Some(number.into()));
            let what = format!("{} = {number}", named(&at));
            assert_eq!(judge.objection(&config).is_none(), is_right, "{what}");
            assert_eq!(read(&config).is_ok(), is_right, "{what}");
        }
        n_numbers += 1;
    }
    assert!(n_numbers >= 10);
}

#[test]
fn a_value_of_another_type_is_refused_by_both() {
    let judge = Judge::new();
    let types = [
        json!("text"),
        json!(7),
        json!(0.5),
        json!(true),
        json!([]),
        json!({}),
    ];
    for (at, node) in nodes() {
        if at.is_empty() || at.last().is_some_and(|step| step == "0") {
            continue;
        }
        let is_of = |value: &Value| match node["type"].as_str() {
            Some("string") | None => value.is_string(),
            Some("integer" | "number") => value.is_number(),
            Some("boolean") => value.is_boolean(),
            Some("array") => value.is_array(),
            Some("object") => value.is_object(),
            Some(other) => panic!("{other}"),
        };
        for value in types.iter().filter(|value| !is_of(value)) {
            let config = changed(&at, Some(value.clone()));
            let what = format!("{} = {value}", named(&at));
            assert!(judge.objection(&config).is_some(), "{what}");
            let problems = read(&config).expect_err(&what);
            let code = problems[0].code.as_str();
            let is_share = named(&at) == "google.quota_share";
            assert!(code == "CFG013" || is_share && code == "CFG015", "{what}");
        }
    }
}

/// Keys whose values have a form of their own.
fn patterned() -> Vec<Node> {
    let nodes = nodes().into_iter();
    let nodes: Vec<Node> = nodes
        .filter(|(_, node)| node["pattern"].is_string())
        .collect();
    assert!(nodes.len() >= 15);
    nodes
}

#[test]
fn what_can_be_written_in_several_ways_is_accepted_by_both() {
    let judge = Judge::new();
    let durations = "nanos nsec ns usec us µs millis msec ms seconds second secs sec s minutes \
                     minute min mins m hours hour hr hrs h days day d weeks week wk wks w months \
                     month M years year yr yrs y";
    let of_units = durations.split_whitespace().map(|unit| format!("1{unit}"));
    let others = ["1h30m", " 1 h  30 m ", "1.5h", "1 000 s", "90d", "all"];
    let since: Vec<String> = of_units.chain(others.map(str::to_owned)).collect();
    let spool = [
        "16MiB",
        "1 GiB",
        "1.5 gib",
        "20MB",
        "17000000B",
        "1g",
        "1TB",
    ];
    let rates = ["3/s", "200 / min", "+5/sec", "0/h"];
    let endpoints = [
        "http://127.0.0.1:8087",
        "http://127.9.9.9",
        "http://localhost:1",
        "http://[::1]:8087",
        "https://fake.example.com",
        "https://[2001:db8::1]:443",
    ];
    let addresses = [
        "Ana@Example.com",
        "o'hara+x@ex-ample.co.uk",
        "é@bücher.example",
    ];
    let keys = [
        "file:/a",
        "file:/a b/.c",
        "credential:a",
        "credential:A-b_c.9",
    ];
    let plugins = ["a.wasm", "a.b.wasm", "a b.wasm", "/a.wasm", "/a/.b/c.wasm"];
    let guests = ["/", "/a", "/a/b c"];
    let texts = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    for (at, values) in [
        ("sync.since", since),
        ("spool.max_bytes", texts(&spool)),
        ("sinks.a.limits.log", texts(&rates)),
        ("google.endpoint", texts(&endpoints)),
        ("google.admin", texts(&addresses)),
        ("google.service_account_key", texts(&keys)),
        ("sinks.a.plugin", texts(&plugins)),
        ("sinks.a.grants.dirs.0.guest", texts(&guests)),
    ] {
        let at: Vec<String> = at.split('.').map(str::to_owned).collect();
        for value in values {
            let config = changed(&at, Some(value.clone().into()));
            let what = format!("{} = {value}", named(&at));
            // Some of the times are too short, which is not a matter of form.
            match read(&config) {
                Ok(_) => {}
                Err(problems) => assert_eq!(problems[0].code.as_str(), "CFG015", "{what}"),
            }
            assert_eq!(judge.objection(&config), None, "{what}");
        }
    }
}

#[test]
fn what_has_no_form_at_all_is_refused_by_both() {
    let judge = Judge::new();
    for (at, node) in patterned() {
        for value in ["", " ", "\n", "?"] {
            let config = changed(&at, Some(value.into()));
            let what = format!("{} = {value:?}", named(&at));
            // One character that is no space names an account as well as any.
            let is_key = at.last().is_some_and(|key| key == "key") && value == "?";
            assert_eq!(judge.objection(&config).is_none(), is_key, "{what} {node}");
            assert_eq!(read(&config).is_ok(), is_key, "{what}");
        }
    }
}

proptest! {
    /// The promise to who goes by the schema alone: it never stands in the way.
    #[test]
    fn what_the_readers_accept_the_schema_accepts(
        (at, _) in prop::sample::select(patterned()),
        value in prop_oneof![
            "(file:|credential:|https?://|/)?[a-zA-Z0-9_.:/\\[\\]@ -]{0,12}(\\.wasm)?",
            "[+]?[0-9 .]{1,4} ?[a-zA-Zµ]{1,3}( ?[0-9]{1,2}[a-z]{1,3})?",
            "[0-9]{1,3} ?/ ?(s|sec|min|h|d)",
            "[a-z.é+'-]{1,5}@[a-z0-9.ü-]{1,8}",
            "\\PC{0,8}",
        ],
    ) {
        let config = changed(&at, Some(value.into()));
        if read(&with_endpoint(config.clone())).is_ok() {
            prop_assert_eq!(Judge::new().objection(&config), None);
        }
    }
}
