//! What is accepted, and which values it gives: defaults, every key, the shipped examples.

use crate::{parse, with_google};
use nuncio_config::{
    DirMode, DrivePermissions, LogFormat, Mode, PriceList, Rate, RecordKind, SecretSource,
    ServiceAccount, Since,
};
use nuncio_model::{Content, Source, Who};
use std::path::{Path, PathBuf};
use std::time::Duration;

const MINIMAL: &str = include_str!("../../../../../config/minimal.toml");
const EXAMPLE: &str = include_str!("../../../../../config/example.toml");

#[test]
fn what_is_not_said_has_the_documented_default() {
    let text = with_google(
        r#"
[[users]]
email = "Ana@Example.com"
[sinks.search]
plugin = "search.wasm"
"#,
    );
    let config = parse(&text).unwrap();
    let key = SecretSource::File(PathBuf::from("/etc/nuncio/key.json"));
    assert_eq!(config.google.mode, Mode::ServiceAccount);
    assert_eq!(
        config.google.service_account,
        Some(ServiceAccount::Key(key))
    );
    assert_eq!(config.google.oauth_client, None);
    assert!(!config.google.falls_back);
    assert_eq!(config.google.admin, None);
    assert_eq!(config.google.domains, ["example.com"]);
    let quota = &config.google.quota;
    assert_eq!((quota.list, quota.share), (PriceList::May2026, 1.0));
    assert_eq!(quota.overrides, []);
    assert_eq!(config.google.endpoint, None);

    let ninety_days = Since::Within(Duration::from_secs(90 * 86_400));
    let all = [Source::Gmail, Source::Calendar, Source::Drive];
    assert_eq!(config.sync.sources, all);
    assert_eq!(config.sync.since, ninety_days);
    assert_eq!(config.sync.poll_interval, Duration::from_secs(60));
    assert!(!config.sync.include_spam_trash);
    assert!(!config.sync.include_drafts);
    assert!(config.sync.subscribed_calendars);
    assert!(!config.sync.holiday_calendars);
    assert_eq!(config.sync.drive_permissions, DrivePermissions::Listed);

    let [ana] = config.users.as_slice() else {
        panic!("one user: {:?}", config.users)
    };
    assert_eq!(ana.email.as_str(), "ana@example.com");
    assert_eq!(
        (ana.name.as_deref(), ana.aliases.len(), ana.sync),
        (None, 0, true)
    );
    assert_eq!(
        (ana.sources.as_slice(), ana.since),
        (all.as_slice(), ninety_days)
    );
    let [account] = ana.accounts.as_slice() else {
        panic!("one account: {:?}", ana.accounts)
    };
    assert_eq!((&account.address, &account.key), (&ana.email, &None));

    let [search] = config.sinks.as_slice() else {
        panic!("one sink: {:?}", config.sinks)
    };
    assert_eq!(search.name.as_str(), "search");
    assert_eq!(
        search.plugin,
        Path::new("/usr/lib/nuncio/plugins/search.wasm")
    );
    assert_eq!(
        search.records,
        [RecordKind::Email, RecordKind::Event, RecordKind::File]
    );
    assert_eq!(search.content, None);
    assert_eq!(search.settings, serde_json::json!({}));
    assert_eq!(search.batch.records.get(), 100);
    assert_eq!(search.batch.bytes, 512 * 1024);
    assert_eq!(search.batch.delay, Duration::from_millis(200));
    assert_eq!(search.limits.memory_bytes, 64 * 1024 * 1024);
    assert_eq!(search.limits.call_time, Duration::from_secs(30));
    assert_eq!(search.limits.in_flight.get(), 4);
    assert_eq!(
        search.limits.log,
        Rate {
            count: 200,
            per: Duration::from_secs(60)
        }
    );
    assert_eq!(search.retry.max_attempts.get(), 10);
    assert_eq!(search.retry.max_delay, Duration::from_secs(300));
    assert!(search.grants.dirs.is_empty());

    assert_eq!(config.spool.max_bytes, 10 << 30);
    assert_eq!(config.plugins.dir, Path::new("/usr/lib/nuncio/plugins"));
    assert_eq!(config.log.format, LogFormat::Auto);
}

#[test]
fn every_built_key_is_read() {
    let config = parse(
        r#"
[google]
mode = "service_account"
service_account_key = "credential:service-account"
admin = "it@example.com"
domains = ["Old-Brand.example", "example.com", "example.com"]
quota = "off"
endpoint = "http://127.0.0.1:8087"
[sync]
sources = ["gmail"]
since = "36h"
poll_interval = "200ms"
include_spam_trash = true
include_drafts = true
subscribed_calendars = false
holiday_calendars = true
drive_permissions = "full"
[[users]]
email = "ana@example.com"
name = "Ana"
aliases = ["ana.souza@example.com", "ana@old-brand.example"]
accounts = ["ana@example.com", { address = "ana@old-brand.example", key = "117" }]
sync = false
sources = ["gmail"]
since = "all"
[[users]]
email = "bob@example.com"
[sinks.search]
plugin = "/opt/search.wasm"
records = ["email"]
content = "html"
start = "retained"
batch = { records = 1_000, bytes = "1MiB", delay = "0s" }
limits = { memory = "128MiB", call_time = "5s", in_flight = 0x10, log = "3/s" }
retry = { max_attempts = 1, max_delay = "24h" }
[sinks.search.settings]
url = "http://127.0.0.1:9200"
since = 2026-05-01T00:00:00Z
nested = { n = -3, f = 0.5, on = true, list = [1, "a"] }
[sinks.search.grants]
dirs = [
  { guest = "/in", host = "/srv/in", mode = "ro" },
  { guest = "/out", host = "/srv/out", mode = "rw" },
]
[sinks.archive]
plugin = "archive.wasm"
[spool]
max_bytes = "16MiB"
[plugins]
dir = "/srv/plugins"
[log]
format = "json"
"#,
    )
    .unwrap();
    let key = SecretSource::Credential("service-account".into());
    assert_eq!(
        config.google.service_account,
        Some(ServiceAccount::Key(key))
    );
    assert_eq!(
        config.google.admin.as_ref().map(|admin| admin.as_str()),
        Some("it@example.com")
    );
    assert_eq!(config.google.domains, ["example.com", "old-brand.example"]);
    assert_eq!(config.google.quota.list, PriceList::Off);
    let endpoint = config
        .google
        .endpoint
        .as_ref()
        .map(|endpoint| endpoint.as_str());
    assert_eq!(endpoint, Some("http://127.0.0.1:8087"));
    assert_eq!(config.sync.poll_interval, Duration::from_millis(200));
    assert!(config.sync.include_spam_trash);
    assert!(config.sync.include_drafts);
    assert!(!config.sync.subscribed_calendars);
    assert!(config.sync.holiday_calendars);
    assert_eq!(config.sync.drive_permissions, DrivePermissions::Full);

    let [ana, bob] = config.users.as_slice() else {
        panic!("two users: {:?}", config.users)
    };
    assert_eq!(
        (ana.name.as_deref(), ana.sync, ana.since),
        (Some("Ana"), false, Since::All)
    );
    let accounts: Vec<_> = ana
        .accounts
        .iter()
        .map(|account| {
            (
                account.address.as_str(),
                account.key.as_ref().map(|key| key.as_str()),
            )
        })
        .collect();
    assert_eq!(
        accounts,
        [
            ("ana@example.com", None),
            ("ana@old-brand.example", Some("117"))
        ]
    );
    assert_eq!(
        bob.since,
        Since::Within(Duration::from_secs(36 * 3600)),
        "the default of [sync]"
    );

    let [archive, search] = config.sinks.as_slice() else {
        panic!("two sinks")
    };
    assert_eq!(archive.plugin, Path::new("/srv/plugins/archive.wasm"));
    assert_eq!(search.plugin, Path::new("/opt/search.wasm"));
    assert_eq!(search.content, Some(Content::Html));
    assert_eq!(
        search.settings,
        serde_json::json!({
            "url": "http://127.0.0.1:9200",
            "since": "2026-05-01T00:00:00Z",
            "nested": { "n": -3, "f": 0.5, "on": true, "list": [1, "a"] },
        })
    );
    assert_eq!(
        (search.batch.records.get(), search.batch.delay),
        (1000, Duration::ZERO)
    );
    assert_eq!(
        (search.limits.in_flight.get(), search.limits.memory_bytes),
        (16, 128 << 20)
    );
    assert_eq!(
        search.limits.log,
        Rate {
            count: 3,
            per: Duration::from_secs(1)
        }
    );
    assert_eq!(search.retry.max_attempts.get(), 1);
    let dirs: Vec<_> = search
        .grants
        .dirs
        .iter()
        .map(|dir| (dir.guest.as_str(), dir.host.as_path(), dir.mode))
        .collect();
    assert_eq!(
        dirs,
        [
            ("/in", Path::new("/srv/in"), DirMode::ReadOnly),
            ("/out", Path::new("/srv/out"), DirMode::ReadWrite),
        ]
    );
    assert_eq!(config.spool.max_bytes, 16 << 20);
    assert_eq!(config.log.format, LogFormat::Json);
}

#[test]
fn people_are_resolved_with_the_domains_of_all_addresses() {
    let text = with_google(
        r#"
[[users]]
email = "ana@example.com"
aliases = ["ana@old-brand.example"]
"#,
    );
    let config = parse(&text).unwrap();
    assert_eq!(config.google.domains, ["example.com", "old-brand.example"]);
    let people = config.people();
    assert_eq!(people.who("ana@example.com"), Who::User);
    assert_eq!(
        people.who("ana@old-brand.example"),
        Who::AliasOf("ana@example.com".into())
    );
    assert_eq!(people.who("zoe@old-brand.example"), Who::Internal);
    assert_eq!(people.who("zoe@elsewhere.example"), Who::External);
}

#[test]
fn no_user_and_no_sink_is_a_config() {
    let config = parse(&with_google("")).unwrap();
    assert!(config.users.is_empty() && config.sinks.is_empty());
}

#[test]
fn the_shipped_files_are_accepted() {
    let minimal = parse(MINIMAL).unwrap_or_else(|errors| panic!("minimal.toml:\n{errors}"));
    assert_eq!((minimal.users.len(), minimal.sinks.len()), (1, 1));
    parse(EXAMPLE).unwrap_or_else(|errors| panic!("example.toml:\n{errors}"));
}

#[test]
fn what_the_example_comments_out_is_accepted_too() {
    // A commented key looks like `#key = value`, a remark like `# Words`, and `#:` tells editors.
    let uncommented: String = EXAMPLE
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if !rest.starts_with([' ', '#', ':']) && !rest.is_empty() => {
                format!("{rest}\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    assert_ne!(uncommented.trim(), EXAMPLE.trim());
    // The two exclude each other.
    let key = "service_account_key = \"file:/etc/nuncio/service-account.json\"\n";
    let keyless = "[google.keyless]\nservice_account = \"nuncio@project.iam.gserviceaccount.com\"\n\
                   source = \"metadata\"\n";
    for one in [key, keyless] {
        assert!(uncommented.contains(one), "{one}");
        let text = uncommented.replace(one, "");
        parse(&text).unwrap_or_else(|errors| panic!("example.toml, uncommented:\n{errors}"));
    }
}

#[test]
fn consents_fallback_and_signing_without_a_key_are_read() {
    let per_user =
        "[google]\nmode = \"per_user\"\n[google.per_user]\nclient = \"credential:oauth-client\"\n";
    let google = parse(per_user).unwrap().google;
    assert_eq!(google.mode, Mode::PerUser);
    assert_eq!(google.service_account, None);
    let client = SecretSource::Credential("oauth-client".into());
    assert_eq!(google.oauth_client, Some(client));
    let both = "[google]\nservice_account_key = \"file:/k\"\nfallback = \"per_user\"\n\
                [google.per_user]\nclient = \"file:/c\"\n";
    let google = parse(both).unwrap().google;
    assert_eq!(google.mode, Mode::ServiceAccount);
    assert!(google.falls_back);
    assert_eq!(google.files(), [PathBuf::from("/k"), PathBuf::from("/c")]);
    for (source, external) in [
        ("", None),
        ("source = \"metadata\"\n", None),
        (
            "source = \"file:/x.json\"\n",
            Some(PathBuf::from("/x.json")),
        ),
    ] {
        let text = format!(
            "[google.keyless]\nservice_account = \"N@p.iam.gserviceaccount.com\"\n{source}"
        );
        let google = parse(&text).unwrap().google;
        let Some(ServiceAccount::Keyless(keyless)) = google.service_account else {
            panic!("{source}");
        };
        assert_eq!(keyless.external_account, external);
        assert_eq!(
            keyless.service_account.as_str(),
            "n@p.iam.gserviceaccount.com"
        );
    }
}
