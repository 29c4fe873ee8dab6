//! The JSON Schema beside the reader: whole files that both accept, and files of a wrong shape
//! that both refuse.

use crate::{GOOGLE, parse};
use boon::{Compiler, Draft, Schemas};
use serde_json::Value;

const MINIMAL: &str = include_str!("../../../../../config/minimal.toml");
const EXAMPLE: &str = include_str!("../../../../../config/example.toml");

/// What the schema has against a file, if anything.
fn objection(text: &str) -> Option<String> {
    let config: Value = toml::from_str(text).expect("the file is TOML");
    let mut compiler = Compiler::new();
    compiler.set_default_draft(Draft::V7);
    let schema = nuncio_config::schema();
    compiler
        .add_resource("urn:config", schema)
        .expect("it is a schema");
    let mut schemas = Schemas::new();
    let index = compiler.compile("urn:config", &mut schemas);
    let index = index.expect("it is a schema");
    let verdict = schemas.validate(&config, index);
    verdict.err().map(|error| format!("{error:#}"))
}

#[test]
fn the_shipped_files_are_accepted_by_the_schema() {
    assert_eq!(objection(MINIMAL), None);
    assert_eq!(objection(EXAMPLE), None);
}

#[test]
fn the_example_names_the_schema_that_lies_beside_it() {
    let first = EXAMPLE.lines().next();
    assert_eq!(first, Some("#:schema ./nuncio.schema.json"));
}

#[test]
fn files_of_a_wrong_shape_are_refused_by_both() {
    for wrong in [
        "colour = \"blue\"",
        "sync = []",
        "log = \"json\"",
        "users = {}",
        "users = [\"ana@example.com\"]",
        "[admin]\nlisten = \"off\"",
        "[users]\nemail = \"ana@example.com\"",
        "[sync]\nsorces = [\"gmail\"]",
        "[sync]\nsources = []",
        "[sync]\nsources = \"gmail\"",
        "[sync]\nsources = [\"gmail\", \"gmail\"]",
        "[sync]\nsources = [\"mail\"]",
        "[sync]\nsince = 90",
        "[sync]\nsince = \"soon\"",
        "[sync]\npoll_interval = \"60\"",
        "[sync]\ninclude_drafts = \"yes\"",
        "[[users]]\nname = \"Ana\"",
        "[[users]]\nemail = \"ana\"",
        "[[users]]\nemail = \"ana@example.com\"\nid = \"7\"",
        "[[users]]\nemail = \"ana@example.com\"\naliases = \"a@example.com\"",
        "[[users]]\nemail = \"ana@example.com\"\naccounts = []",
        "[[users]]\nemail = \"ana@example.com\"\naccounts = [3]",
        "[[users]]\nemail = \"ana@example.com\"\naccounts = [{ key = \"7\" }]",
        "[[users]]\nemail = \"ana@example.com\"\naccounts = [{ address = \"ana@example.com\", key = \"a b\" }]",
        "[sinks]\nsearch = \"search.wasm\"",
        "[sinks.Search]\nplugin = \"a.wasm\"",
        "[sinks.\"../etc\"]\nplugin = \"a.wasm\"",
        "[sinks.a]",
        "[sinks.a]\nplugin = \"search\"",
        "[sinks.a]\nplugin = \"../search.wasm\"",
        "[sinks.a]\nplugin = \"a.wasm\"\nfilter = \"\"",
        "[sinks.a]\nplugin = \"a.wasm\"\nstart = \"backfill\"",
        "[sinks.a]\nplugin = \"a.wasm\"\nsettings = [1]",
        "[sinks.a]\nplugin = \"a.wasm\"\nbatch = { records = 0 }",
        "[sinks.a]\nplugin = \"a.wasm\"\nbatch = { bytes = 512 }",
        "[sinks.a]\nplugin = \"a.wasm\"\nlimits = { log = \"200/day\" }",
        "[sinks.a]\nplugin = \"a.wasm\"\nlimits = { cpu = 1 }",
        "[sinks.a]\nplugin = \"a.wasm\"\ngrants = { dirs = [\"/out\"] }",
        "[sinks.a]\nplugin = \"a.wasm\"\ngrants = { kv = \"1MiB\" }",
        "[sinks.a.grants]\ndirs = [{ guest = \"/out\", host = \"/srv\", mode = \"r\" }]",
        "[spool]\nmax_bytes = \"10\"",
        "[spool]\nmax_bytes = \"5%\"",
        "[plugins]\ndir = \"plugins\"",
        "[log]\nlevel = \"debug\"",
    ] {
        let file = format!("{wrong}\n{GOOGLE}");
        assert!(parse(&file).is_err(), "accepted: {wrong}");
        assert!(objection(&file).is_some(), "not a matter of shape: {wrong}");
    }
    let whole = [
        "",
        "[google]",
        "google = 1",
        "[google]\nservice_account_key = \"hunter2\"",
        "[google]\nservice_account_key = \"file:key.json\"",
        "[google]\nservice_account_key = \"credential:a/b\"",
        "[google]\nservice_account_key = \"file:/k\"\nmode = \"per_user\"",
        "[google]\nservice_account_key = \"file:/k\"\nquota = \"off\"",
        "[google]\nservice_account_key = \"file:/k\"\nquota_share = 0",
        "[google]\nservice_account_key = \"file:/k\"\nquota_share = 1.5",
        "[google]\nservice_account_key = \"file:/k\"\nquota_override = { gmail_hour = 5 }",
        "[google]\nservice_account_key = \"file:/k\"\ndomains = [\"localhost\"]",
        "[google]\nservice_account_key = \"file:/k\"\nendpoint = \"http://example.com\"",
        "[google]\nservice_account_key = \"file:/k\"\nendpoint = \"https://a/b\"",
    ];
    for wrong in whole {
        assert!(parse(wrong).is_err(), "accepted: {wrong}");
        assert!(objection(wrong).is_some(), "not a matter of shape: {wrong}");
    }
}

#[test]
fn quota_off_with_an_endpoint_is_accepted_by_both() {
    let right = "[google]\nservice_account_key = \"file:/k\"\nquota = \"off\"\n\
                 endpoint = \"http://127.0.0.1:1\"\n";
    assert!(parse(right).is_ok());
    assert_eq!(objection(right), None);
}
