//! Bad input: each mistake in key, config, plugin or user gets its code, a message that names the
//! thing and says the remedy, and stops nobody else.

use nuncio_tests::{World, foreign_key, plugin};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// A key that Google's service accounts never have.
const EC_KEY: &str = include_str!("../data/ec-key.pem");

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Runs `check` and `run` on the world's config; both must refuse it as a bad config and say the
/// code and all of `says`.
fn refused(world: &World, code: &str, says: &[&str]) {
    for command in ["check", "run"] {
        let (exit, out, said) = world.run(&[command]);
        assert_eq!(exit, 78, "{command}: {said}");
        assert_eq!(out, "", "{command} prints no data");
        assert!(
            said.contains(&format!("error[{code}]")),
            "{command}: {said}"
        );
        for part in says {
            assert!(said.contains(part), "{command}: `{part}` is not in: {said}");
        }
        let key = std::fs::read_to_string(world.workspace.key_path()).unwrap();
        let key: Value = serde_json::from_str(&key).unwrap();
        for line in text(&key["private_key"]).lines() {
            assert!(!said.contains(line), "{command} quotes the key: {said}");
        }
    }
    let (exit, out, _) = world.run(&["check", "--json"]);
    let answer: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((exit, &answer["ok"]), (78, &json!(false)));
    assert_eq!(answer["errors"][0]["code"], code, "{answer}");
    assert_ne!(answer["errors"][0]["hint"], "", "{answer}");
}

/// The world's key file with a change.
fn changed_key(world: &World, change: impl FnOnce(&mut Value)) -> String {
    let text = std::fs::read_to_string(world.workspace.key_path()).unwrap();
    let mut key = serde_json::from_str(&text).unwrap();
    change(&mut key);
    key.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_key_file_is_a_bad_config_that_names_file_and_remedy() {
    let world = World::start(1, 1, 1).await;
    let path = world.path("key.json");
    let shown = path.display().to_string();
    let config = world.config_without_users("");
    world.write_config(&config);
    world.change_config(&world.workspace.key_path().display().to_string(), &shown);
    let hint = format!("hint: put the file at {shown}");
    refused(&world, "CFG050", &[&format!("cannot read {shown}"), &hint]);

    let whole = changed_key(&world, |_| ());
    let other_type = |name: &str| changed_key(&world, |key| key["type"] = json!(name));
    let pem = |text: &str| changed_key(&world, |key| key["private_key"] = json!(text));
    let cut_pem: String = serde_json::from_str::<Value>(&whole).unwrap()["private_key"]
        .as_str()
        .unwrap()
        .lines()
        .take(9)
        .chain(["-----END PRIVATE KEY-----"])
        .map(|line| format!("{line}\n"))
        .collect();
    let cases = [
        (
            "CFG053",
            String::new(),
            "is empty",
            "the key's JSON from Google",
        ),
        (
            "AUTH001",
            whole[..200].to_owned(),
            "is not JSON",
            "exactly as the Cloud console gave it",
        ),
        (
            "AUTH001",
            "[]".to_owned(),
            "holds no JSON object",
            "exactly as the Cloud console gave it",
        ),
        (
            "AUTH002",
            other_type("authorized_user"),
            "authorized_user, not service_account",
            "JSON key of a service account",
        ),
        (
            "AUTH002",
            r#"{"installed":{"client_secret":"s"}}"#.to_owned(),
            "OAuth client, not service_account",
            "JSON key of a service account",
        ),
        (
            "AUTH003",
            changed_key(&world, |key| key["client_email"] = Value::Null),
            "client_email",
            "exactly as the Cloud console gave it",
        ),
        (
            "AUTH004",
            pem("none"),
            "not a private key in PEM",
            "make a new key",
        ),
        (
            "AUTH005",
            pem(&cut_pem),
            "cannot be read as a key",
            "make a new key",
        ),
        (
            "AUTH006",
            pem(EC_KEY),
            "is not an RSA key",
            "JSON key of a service account",
        ),
        (
            "AUTH007",
            changed_key(&world, |key| {
                key["token_uri"] = json!("https://evil.example/token")
            }),
            "https://evil.example/token",
            "go to Google only",
        ),
    ];
    for (code, content, says, remedy) in cases {
        std::fs::write(&path, content).unwrap();
        chmod(&path, 0o600);
        refused(&world, code, &[&shown, says, remedy]);
    }

    std::fs::write(&path, &whole).unwrap();
    chmod(&path, 0o644);
    let remedy = format!("chmod 0640 {shown}");
    refused(
        &world,
        "CFG051",
        &[&shown, "readable by everybody (mode 0644)", &remedy],
    );
    chmod(&path, 0o600);
    let (exit, _, said) = world.run(&["check"]);
    assert_eq!(exit, 0, "the same key with proper rights is good: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_systemd_did_not_hand_over_is_said_to_be_so() {
    let world = World::start(1, 1, 1).await;
    world.configure();
    let file = format!("file:{}", world.workspace.key_path().display());
    world.change_config(&file, "credential:service-account");
    let (exit, _, said) = world.run(&["run"]);
    assert_eq!(exit, 78, "{said}");
    for part in [
        "error[CFG052]",
        "\"service-account\"",
        "LoadCredential=service-account:",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    // An administrator's shell has no credentials: that is no error of the file.
    let (exit, _, said) = world.run(&["check"]);
    assert_eq!(exit, 0, "{said}");
    assert!(
        said.contains("credential:service-account is handed over by systemd"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_google_does_not_know_is_shown_at_each_user_and_heals_when_replaced() {
    let mut world = World::start(2, 20, 21).await;
    let foreign: Value = serde_json::from_str(&foreign_key(&world.path("elsewhere"))).unwrap();
    let path = world.path("key.json");
    // As after a mix-up of two projects: our account's name with another key.
    let mixed = changed_key(&world, |key| {
        key["private_key"] = foreign["private_key"].clone()
    });
    std::fs::write(&path, mixed).unwrap();
    chmod(&path, 0o600);
    world.configure();
    let own = world.workspace.key_path().display().to_string();
    world.change_config(&own, &path.display().to_string());
    let (exit, _, said) = world.run(&["check"]);
    assert_eq!(
        exit, 0,
        "only Google can tell that the key is wrong: {said}"
    );
    world.start_daemon();
    let users = world.users();
    let status = world
        .wait("all users are refused", |status| {
            let shown = |user: &String| world.shown_user(status, user)["state"] == "disabled";
            users.iter().all(shown)
        })
        .await;
    for user in &users {
        let error = error_of(&world, &status, user);
        assert_eq!(error["code"], "AUTH018", "{error}");
        assert!(text(&error["message"]).contains(user), "{error}");
        assert!(text(&error["hint"]).contains("replace the file"), "{error}");
    }
    assert_eq!(world.stop_daemon().await, 0);
    std::fs::copy(world.workspace.key_path(), &path).unwrap();
    world.start_daemon();
    world
        .wait("both are synced", |_| {
            users.iter().all(|user| world.holds_all_mail(user, user))
        })
        .await;
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// The error of the user's first feed.
fn error_of<'a>(world: &World, status: &'a Value, user: &str) -> &'a Value {
    &world.shown_user(status, user)["accounts"][0]["feeds"][0]["error"]
}

#[tokio::test(flavor = "multi_thread")]
async fn all_mistakes_in_a_config_come_at_once_each_with_place_and_hint() {
    let world = World::start(1, 1, 1).await;
    let ana = "ana@example.com";
    world.write_config(&format!(
        "[google]\nservice_account_key = \"file:{}\"\n\
         [sync]\npol_interval = \"60s\"\nsince = \"soon\"\n\
         [[users]]\nemail = \"{ana}\"\naliases = [\"sales@example.com\"]\n\
         [[users]]\nemail = \"ben@example.com\"\naliases = [\"sales@example.com\"]\n\
         [admin]\nlisten = \"off\"\n",
        world.workspace.key_path().display()
    ));
    let file = world.path("nuncio.toml").display().to_string();
    let expected = [
        (
            "CFG010",
            format!("{file}:4:1"),
            "unknown key `pol_interval` in [sync]",
            "did you mean `poll_interval`?",
        ),
        (
            "CFG016",
            format!("{file}:5:9"),
            "\"soon\" is neither a duration nor",
            "\"90d\"",
        ),
        (
            "CFG030",
            format!("{file}:11:12"),
            "`sales@example.com` is an alias of `ana@example.com` at",
            "keep it at one of the two places",
        ),
        (
            "CFG011",
            format!("{file}:12:2"),
            "`[admin]` is not built yet in this release",
            "see CHANGELOG",
        ),
    ];
    for command in ["check", "run"] {
        let (exit, _, said) = world.run(&[command]);
        assert_eq!(exit, 78, "{said}");
        assert_eq!(said.matches("error[").count(), expected.len(), "{said}");
        let blocks: Vec<&str> = said.split("error[").skip(1).collect();
        for (block, (code, place, says, hint)) in blocks.iter().zip(&expected) {
            let begin = format!("{code}]: {place}: ");
            assert!(block.starts_with(&begin), "{begin}: {block}");
            assert!(block.contains(says), "{says}: {block}");
            assert!(
                block.contains("hint: ") && block.contains(hint),
                "{hint}: {block}"
            );
        }
        // The other place of the alias.
        assert!(said.contains(&format!("{file}:8:12")), "{said}");
    }
    let (exit, out, _) = world.run(&["check", "--json"]);
    let answer: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(exit, 78);
    let first = &answer["errors"][0];
    assert_eq!(
        (&first["line"], &first["col"]),
        (&json!(4), &json!(1)),
        "{answer}"
    );
    assert_eq!(answer["errors"].as_array().unwrap().len(), expected.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_codes_tell_usage_from_failure_from_bad_config() {
    let world = World::start(1, 1, 1).await;
    world.configure();
    let cases: [(&[&str], i32, &str); 9] = [
        (&["check"], 0, ": good (1 user, 2 sinks)"),
        (&["status"], 1, "error[ADM001]: no daemon answers at"),
        (&["deadletters", "list"], 1, "is `nuncio run` up"),
        (
            &["deadletters", "retry"],
            2,
            "name dead letters, or all with --all",
        ),
        (&["plan"], 3, "1 user added, 2 sinks added"),
        (&["reload", "--wait"], 1, "error[ADM001]: no daemon answers"),
        (&["tap"], 2, "`nuncio tap` is not built yet in this release"),
        (&["chekc"], 2, "there is no command `chekc`"),
        (&["check", "--jsno"], 2, "--jsno"),
    ];
    for (arguments, expected, says) in cases {
        let (exit, _, said) = world.run(arguments);
        assert_eq!(exit, expected, "{arguments:?}: {said}");
        assert!(said.contains(says), "{arguments:?}: {said}");
    }
    std::fs::remove_file(world.path("nuncio.toml")).unwrap();
    refused(
        &world,
        "CFG001",
        &[&world.path("nuncio.toml").display().to_string()],
    );
}

/// Changes each `from` to `to`, of the same length, in a copy of a plugin.
fn patched(original: &Path, copy: &Path, from: &str, to: &str) {
    assert_eq!(from.len(), to.len());
    let mut bytes = std::fs::read(original).unwrap();
    let mut n_changed = 0;
    for at in 0..bytes.len().saturating_sub(from.len()) {
        if bytes[at..].starts_with(from.as_bytes()) {
            bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
            n_changed += 1;
        }
    }
    assert!(n_changed > 0, "{} has no {from}", original.display());
    std::fs::write(copy, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_plugins_are_named_by_check_and_fail_alone_in_a_run() {
    let mut world = World::start(2, 30, 22).await;
    let file = |name: &str| world.path(&format!("{name}.wasm"));
    std::fs::write(file("text"), "#!/bin/sh\n").unwrap();
    let whole = std::fs::read(plugin("jsonl")).unwrap();
    std::fs::write(file("cut"), &whole[..whole.len() / 2]).unwrap();
    std::fs::write(file("core"), b"\0asm\x01\0\0\0").unwrap();
    patched(
        &plugin("jsonl"),
        &file("world"),
        "nuncio:sink/",
        "nuncio:sing/",
    );
    // The version stands behind each interface's name, so each is changed with its name.
    std::fs::copy(plugin("jsonl"), file("old")).unwrap();
    for interface in ["lifecycle", "writer"] {
        let name = |version: &str| format!("nuncio:sink/{interface}@{version}");
        patched(&file("old"), &file("old"), &name("0.1.0"), &name("0.9.0"));
    }
    world.configure();
    let bad = [
        (
            "missing",
            "PLG001",
            "missing.wasm cannot be read",
            "check the path in `plugin`",
        ),
        (
            "text",
            "PLG002",
            "text.wasm is not a plugin: it is text",
            "copy or build the plugin's .wasm file again",
        ),
        (
            "cut",
            "PLG003",
            "cut.wasm is damaged or incomplete",
            "copy or build the plugin's .wasm file again",
        ),
        (
            "core",
            "PLG002",
            "it is a WebAssembly core module",
            "build the plugin for the target wasm32-wasip2",
        ),
        (
            "world",
            "PLG004",
            "world.wasm is a WebAssembly component, but no nuncio sink",
            "nuncio-sdk",
        ),
        (
            "old",
            "PLG005",
            "old.wasm was built for contract version 0.9.0, this nuncio speaks 0.1.0",
            "get a build of the plugin for contract version 0.1.0",
        ),
        (
            "settings",
            "PLG009",
            "/do",
            "correct `settings` of [sinks.settings]",
        ),
        (
            "right",
            "PLG010",
            "dir-write /out",
            "[sinks.right.grants]\ndirs = [{ guest = \"/out\"",
        ),
        ("folder", "PLG011", "/nowhere/out", "create the folder"),
    ];
    for (name, ..) in &bad[..6] {
        world.append_config(&format!(
            "[sinks.{name}]\nplugin = \"{}\"\n",
            file(name).display()
        ));
    }
    world.append_config(&world.hostile_lines("settings", "{ do = \"sing\" }"));
    world.append_config(&format!(
        "[sinks.right]\nplugin = \"{}\"\n",
        plugin("jsonl").display()
    ));
    world.append_config(
        "[sinks.folder]\nplugin = \"jsonl.wasm\"\n[sinks.folder.grants]\n\
         dirs = [{ guest = \"/out\", host = \"/nowhere/out\", mode = \"rw\" }]\n",
    );

    let (exit, _, said) = world.run(&["check"]);
    assert_eq!(exit, 78, "{said}");
    let blocks: Vec<&str> = said.split("error[").skip(1).collect();
    assert_eq!(blocks.len(), bad.len(), "{said}");
    for (name, code, says, hint) in bad {
        let begin = format!("{code}]: sink {name}: ");
        let block = blocks.iter().find(|block| block.starts_with(&begin));
        let block = block.unwrap_or_else(|| panic!("{begin} is not in: {said}"));
        assert!(block.contains(says), "{says}: {block}");
        assert!(block.contains(hint), "{hint}: {block}");
    }

    world.start_daemon();
    let users = world.users();
    let status = world
        .wait(
            "the good sinks have all, the bad ones are failed",
            |status| {
                let is_failed = |name: &str| world.shown_sink(status, name)["state"] == "failed";
                bad.iter().all(|(name, ..)| is_failed(name))
                    && users.iter().all(|user| world.holds_all_mail(user, user))
            },
        )
        .await;
    for (name, code, says, hint) in bad {
        let sink = world.shown_sink(&status, name);
        assert_eq!(sink["error"]["code"], code, "{sink}");
        assert!(text(&sink["error"]["message"]).contains(says), "{sink}");
        assert!(text(&sink["error"]["hint"]).contains(hint), "{sink}");
        assert_ne!(sink["pending"], 0, "its records wait: {sink}");
        assert_eq!(sink["delivered"], 0, "{sink}");
    }
    for name in ["archive", "jsonl"] {
        assert_eq!(
            world.shown_sink(&status, name)["state"],
            "running",
            "{status:#}"
        );
    }
    for user in &users {
        assert_eq!(
            world.shown_user(&status, user)["state"],
            "live",
            "{status:#}"
        );
    }
    let log = world.log();
    assert!(log.contains("sink cannot start; its records wait"), "{log}");
}

/// The user's aliases at Google.
fn aliases(world: &World, email: &str) -> Vec<String> {
    let answer = world.google("users", &json!({}));
    let users = answer["users"].as_array().unwrap();
    let user = users.iter().find(|user| user["email"] == email).unwrap();
    let aliases = user["aliases"].as_array().unwrap();
    aliases.iter().map(|alias| text(alias).to_owned()).collect()
}

/// A user with an alias at Google that is not the administrator.
fn user_with_alias(world: &World) -> (String, String) {
    let users = world.users();
    let found = users.iter().skip(1).find_map(|user| {
        let alias = aliases(world, user).first()?.clone();
        Some((user.clone(), alias))
    });
    found.expect("the seed gives one")
}

#[tokio::test(flavor = "multi_thread")]
async fn users_that_google_refuses_are_told_apart_and_the_others_go_on() {
    let mut world = World::start(7, 140, 23).await;
    let (ana, alias) = user_with_alias(&world);
    let others: Vec<String> = world
        .users()
        .into_iter()
        .filter(|user| *user != ana)
        .collect();
    let (suspended, no_mailbox, unreached) = (&others[1], &others[2], &others[3]);
    let domain = ana.rsplit_once('@').unwrap().1;
    let unknown = format!("nobody.at.all@{domain}");
    world.google("user.suspend", &json!({ "user": suspended }));
    world.google(
        "user.mailbox",
        &json!({ "user": no_mailbox, "enabled": false }),
    );
    world.google("delegation.revoke", &json!({ "user": unreached }));
    let well = [&others[0], &others[4], &others[5]];

    let mut config = world.config_without_users("");
    config.push_str(&format!(
        "[[users]]\nemail = \"{ana}\"\naliases = [\"{alias}\"]\naccounts = [\"{alias}\"]\n"
    ));
    for user in others.iter().chain([&unknown]) {
        config.push_str(&format!("[[users]]\nemail = \"{user}\"\n"));
    }
    config.push_str(&world.sink_lines("archive"));
    world.write_config(&config);
    world.start_daemon();
    let refused = [
        (
            &unknown,
            "AUTH015",
            &unknown,
            "there is no such user at Google",
        ),
        (suspended, "GGL009", suspended, "suspended"),
        (
            no_mailbox,
            "GGL008",
            no_mailbox,
            "give the user a Gmail licence",
        ),
        (
            unreached,
            "AUTH010",
            unreached,
            "grant domain-wide delegation",
        ),
        (
            &ana,
            "AUTH016",
            &alias,
            "name the user's primary address in the config",
        ),
    ];
    let status = world
        .wait("the others are live", |status| {
            refused
                .iter()
                .all(|(user, ..)| world.shown_user(status, user)["state"] == "disabled")
                && well.iter().all(|user| {
                    world.shown_user(status, user)["state"] == "live"
                        && world.holds_all_mail(user, user)
                })
        })
        .await;
    for (user, code, address, hint) in refused {
        let error = error_of(&world, &status, user);
        assert_eq!(error["code"], code, "{user}: {error}");
        assert!(text(&error["hint"]).contains(hint), "{user}: {error}");
        let account = &world.shown_user(&status, user)["accounts"][0];
        assert_eq!(text(&account["address"]), address, "{account}");
    }
    // The other remedy, where the Directory may be asked.
    let hint = text(&error_of(&world, &status, &ana)["hint"]);
    assert!(hint.contains("admin.directory.user.readonly"), "{hint}");
    let (_, human, _) = world.run(&["status"]);
    for (_, code, _, hint) in refused {
        assert!(human.contains(&format!("{code}: ")), "{human}");
        assert!(human.contains(hint), "{human}");
    }
    assert!(human.contains("5 not well"), "{human}");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_directory_an_alias_is_resolved_and_two_names_of_a_mailbox_are_one() {
    let mut world = World::start(4, 60, 24).await;
    let (ana, alias) = user_with_alias(&world);
    let admin = world.users()[0].clone();
    let others: Vec<String> = world
        .users()
        .into_iter()
        .filter(|user| *user != ana)
        .collect();
    let unknown = format!("nobody.at.all@{}", ana.rsplit_once('@').unwrap().1);
    let mut config = world.config_without_users(&format!("admin = \"{admin}\""));
    config.push_str(&format!(
        "[[users]]\nemail = \"{ana}\"\naliases = [\"{alias}\"]\naccounts = [\"{alias}\"]\n"
    ));
    for user in others.iter().chain([&unknown]) {
        config.push_str(&format!("[[users]]\nemail = \"{user}\"\n"));
    }
    config.push_str(&world.sink_lines("archive"));
    world.write_config(&config);
    world.start_daemon();
    let status = world
        .wait("all that exist are live", |status| {
            let is_live = |user: &String| world.shown_user(status, user)["state"] == "live";
            is_live(&ana) && others.iter().all(is_live)
        })
        .await;
    let known = world.google("users", &json!({}));
    let known = known["users"].as_array().unwrap();
    for user in others.iter().chain([&ana]) {
        let id = &known
            .iter()
            .find(|known| known["email"] == user.as_str())
            .unwrap()["id"];
        let key = &world.shown_user(&status, user)["accounts"][0]["key"];
        assert_eq!(key, id, "the key is the Directory's id");
    }
    let key = text(&world.shown_user(&status, &ana)["accounts"][0]["key"]).to_owned();
    world
        .wait("the alias's mailbox is archived", |_| {
            world.holds_all_mail(&key, &ana)
        })
        .await;
    let status = world
        .wait("the unknown user is told", |status| {
            world.shown_user(status, &unknown)["state"] == "disabled"
        })
        .await;
    let error = error_of(&world, &status, &unknown);
    assert_eq!(error["code"], "SRC001", "{error}");
    assert_eq!(error["message"], format!("Google knows no user {unknown}"));
    assert!(
        text(&error["hint"]).contains("check the spelling"),
        "{error}"
    );

    // Both names as accounts: one mailbox, read once.
    assert_eq!(world.stop_daemon().await, 0);
    world.change_config(
        &format!("accounts = [\"{alias}\"]"),
        &format!("accounts = [\"{ana}\", \"{alias}\"]"),
    );
    world.start_daemon();
    let status = world
        .wait("one name reads the mailbox", |status| {
            let accounts = world.shown_user(status, &ana)["accounts"]
                .as_array()
                .unwrap();
            let state = |account: &Value| text(&account["feeds"][0]["state"]).to_owned();
            let mut states: Vec<String> = accounts.iter().map(state).collect();
            states.sort();
            states == ["disabled", "live"]
        })
        .await;
    let accounts = world.shown_user(&status, &ana)["accounts"]
        .as_array()
        .unwrap();
    let feeds = accounts.iter().map(|account| &account["feeds"][0]);
    let errors: Vec<&Value> = feeds
        .map(|feed| &feed["error"])
        .filter(|error| !error.is_null())
        .collect();
    assert_eq!(errors.len(), 1, "{accounts:#?}");
    assert_eq!(errors[0]["code"], "SRC004");
    for name in [&ana, &alias] {
        assert!(
            text(&errors[0]["message"]).contains(name.as_str()),
            "{}",
            errors[0]
        );
    }
    assert!(
        text(&errors[0]["hint"]).contains("out of `accounts`"),
        "{}",
        errors[0]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_config_that_others_may_change_is_refused() {
    let world = World::start(1, 1, 1).await;
    world.configure();
    chmod(&world.path("nuncio.toml"), 0o666);
    let file = world.path("nuncio.toml").display().to_string();
    refused(&world, "CFG002", &[&file, "writable by everybody", "chmod"]);
}
