//! Who is who: an account keeps its key whatever it is called, another account never gets it, and
//! the addresses of a user are found in the config, the Directory and the send-as settings.

use nuncio_tests::World;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A config of mail alone for `users`, where the Directory can be asked if `admin`.
fn configure(world: &World, users: &str, admin: bool) {
    let plain = world.config_without_users("");
    let mut text = plain.clone();
    if admin {
        let admin = world.workspace.admin_user();
        text = plain.replacen("[google]\n", &format!("[google]\nadmin = \"{admin}\"\n"), 1);
        assert_ne!(text, plain);
    }
    text.push_str(users);
    text.push_str(&world.sink_lines("jsonl"));
    text.push_str(&world.sink_lines("archive"));
    world.write_config(&text);
}

fn user_lines(email: &str, aliases: &[&str]) -> String {
    format!(
        "[[users]]\nemail = \"{email}\"\naliases = {}\n",
        json!(aliases)
    )
}

fn shown(world: &World, user: &str) -> Value {
    let (code, out, said) = world.run(&["user", "show", user, "--json"]);
    assert_eq!(code, 0, "{said}");
    serde_json::from_str(&out).unwrap()
}

fn records(world: &World) -> Vec<Value> {
    let files = std::fs::read_dir(world.path("jsonl")).unwrap();
    files
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap_or_default())
        .flat_map(|text| {
            let lines: Vec<Value> = text
                .lines()
                .filter_map(|line| serde_json::from_str(line).ok())
                .collect();
            lines
        })
        .collect()
}

/// The messages that were told of, by account key.
fn by_key(world: &World) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for record in records(world) {
        let key = record["key"].as_str().unwrap();
        let parts: Vec<&str> = key.split('/').collect();
        let messages = found.entry(parts[1].to_owned()).or_default();
        messages.insert(parts[2].to_owned());
    }
    found
}

fn ids(world: &World, user: &str) -> BTreeSet<String> {
    world.ids(user).into_iter().collect()
}

fn google_id(world: &World, user: &str) -> String {
    let users = world.google("users", &json!({}));
    let users = users["users"].as_array().unwrap();
    let user = users.iter().find(|one| one["email"] == user).unwrap();
    user["id"].as_str().unwrap().to_owned()
}

/// The users that are not the administrator, whose address the config names.
fn plain_users(world: &World) -> Vec<String> {
    let admin = world.workspace.admin_user();
    let mut users = world.users();
    users.retain(|user| *user != admin);
    users
}

/// Waits until exactly these messages were told of under these keys.
async fn wait_keys(world: &World, what: &str, expected: &BTreeMap<String, BTreeSet<String>>) {
    world
        .wait(what, |status| {
            status["summary"].as_str().unwrap().contains(", 0 records")
                && by_key(world) == *expected
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_account_keeps_its_key() {
    let mut world = World::start(2, 60, 95).await;
    let users = plain_users(&world);
    let ana = users[0].as_str();
    configure(&world, &user_lines(ana, &[]), true);
    let key = google_id(&world, ana);
    world.start_daemon();
    let mut expected = BTreeMap::from([(key.clone(), ids(&world, ana))]);
    wait_keys(&world, "the first sync", &expected).await;
    let renamed = format!("renamed.{ana}");
    world.google("user.rename", &json!({ "user": ana, "email": renamed }));
    world.google("tokens.expire", &json!({ "user": renamed }));
    let new = world.insert(&renamed, "after");
    expected.get_mut(&key).unwrap().insert(new.clone());
    wait_keys(&world, "the new mail comes under the old key", &expected).await;
    let told = shown(&world, ana);
    assert_eq!(told["accounts"][0]["key"], key.as_str());
    assert_eq!(told["parked"], json!([]));
    let all = records(&world);
    let key = format!("gmail/{key}/{new}");
    let last = all
        .iter()
        .find(|record| record["key"] == key.as_str())
        .unwrap();
    assert_eq!(last["account"], renamed.as_str());
    assert_eq!(last["user"], ana);
    // After a restart, and by the new name in the config, it is the same account.
    world.kill_daemon();
    configure(&world, &user_lines(&renamed, &[ana]), true);
    world.start_daemon();
    let new = world.insert(&renamed, "after the restart");
    expected.values_mut().next().unwrap().insert(new);
    wait_keys(&world, "still the same key", &expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_account_keeps_its_key_without_the_directory() {
    let mut world = World::start(2, 60, 94).await;
    let users = world.users();
    let (ana, ben) = (users[0].as_str(), users[1].as_str());
    configure(
        &world,
        &(user_lines(ana, &[]) + &user_lines(ben, &[])),
        false,
    );
    world.start_daemon();
    let mut expected = BTreeMap::from([
        (ana.to_owned(), ids(&world, ana)),
        (ben.to_owned(), ids(&world, ben)),
    ]);
    wait_keys(&world, "the first sync", &expected).await;
    world.kill_daemon();
    let n_records = records(&world).len();
    let renamed = format!("renamed.{ana}");
    world.google("user.rename", &json!({ "user": ana, "email": renamed }));
    configure(
        &world,
        &(user_lines(&renamed, &[ana]) + &user_lines(ben, &[])),
        false,
    );
    let new = world.insert(&renamed, "after");
    expected.get_mut(ana).unwrap().insert(new);
    world.start_daemon();
    wait_keys(&world, "the new mail comes under the old key", &expected).await;
    assert_eq!(
        records(&world).len(),
        n_records + 1,
        "nothing is told again"
    );
    let told = shown(&world, &renamed);
    assert_eq!(told["accounts"][0]["key"], ana);
    assert_eq!(told["accounts"][0]["address"], renamed.as_str());
}

/// An account that was connected before the Directory could be asked has its address for a key.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_before_the_directory_is_kept_when_the_account_is_renamed() {
    let mut world = World::start(2, 40, 101).await;
    let ana = plain_users(&world).remove(0);
    configure(&world, &user_lines(&ana, &[]), false);
    world.start_daemon();
    let mut expected = BTreeMap::from([(ana.clone(), ids(&world, &ana))]);
    wait_keys(&world, "the first sync", &expected).await;
    assert_eq!(world.stop_daemon().await, 0);
    // From now on its id is known.
    configure(&world, &user_lines(&ana, &[]), true);
    world.start_daemon();
    let new = world.insert(&ana, "with the Directory");
    expected.get_mut(&ana).unwrap().insert(new);
    wait_keys(&world, "the same key", &expected).await;
    assert_eq!(world.stop_daemon().await, 0);
    let renamed = format!("renamed.{ana}");
    world.google("user.rename", &json!({ "user": ana, "email": renamed }));
    configure(&world, &user_lines(&renamed, &[]), true);
    world.start_daemon();
    let new = world.insert(&renamed, "after");
    expected.get_mut(&ana).unwrap().insert(new);
    wait_keys(&world, "still the same key", &expected).await;
    assert_eq!(shown(&world, &renamed)["accounts"][0]["key"], ana.as_str());
}

/// The config can give an account the key that it had in a spool that was lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_the_config_is_the_accounts_key() {
    for (seed, with_directory) in [(102, false), (103, true)] {
        let mut world = World::start(2, 40, seed).await;
        let ana = plain_users(&world).remove(0);
        let accounts = format!("accounts = [{{ address = \"{ana}\", key = \"kept\" }}]\n");
        configure(&world, &(user_lines(&ana, &[]) + &accounts), with_directory);
        world.start_daemon();
        let expected = BTreeMap::from([("kept".to_owned(), ids(&world, &ana))]);
        wait_keys(&world, "the first sync", &expected).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_got_the_address_is_another_one() {
    let mut world = World::start(3, 60, 96).await;
    let users = plain_users(&world);
    let (ana, other) = (users[0].as_str(), users[1].as_str());
    configure(&world, &user_lines(ana, &[]), true);
    let (key, other_key) = (google_id(&world, ana), google_id(&world, other));
    let (first, second) = (ids(&world, ana), ids(&world, other));
    world.start_daemon();
    let mut expected = BTreeMap::from([(key.clone(), first)]);
    wait_keys(&world, "the first sync", &expected).await;
    world.kill_daemon();
    let moved = format!("moved.{ana}");
    world.google("user.rename", &json!({ "user": ana, "email": moved }));
    world.google("alias.remove", &json!({ "user": moved, "alias": ana }));
    world.google("user.rename", &json!({ "user": other, "email": ana }));
    world.start_daemon();
    expected.insert(other_key.clone(), second);
    wait_keys(&world, "the other account by its own key", &expected).await;
    let told = shown(&world, ana);
    assert_eq!(told["accounts"][0]["key"], other_key.as_str());
    assert_eq!(told["parked"][0]["key"], key.as_str(), "{told:#}");
    assert_eq!(told["parked"].as_array().unwrap().len(), 1);
    assert!(
        records(&world)
            .iter()
            .all(|record| record["change"] != "deleted")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_that_was_made_anew_is_another_account_at_once() {
    let mut world = World::start(2, 60, 97).await;
    let ana = world.users().remove(0);
    configure(&world, &user_lines(&ana, &[]), true);
    let key = google_id(&world, &ana);
    world.start_daemon();
    let mut expected = BTreeMap::from([(key.clone(), ids(&world, &ana))]);
    wait_keys(&world, "the first sync", &expected).await;
    world.google("user.recreate", &json!({ "user": ana }));
    let new_key = google_id(&world, &ana);
    assert_ne!(new_key, key);
    let new = world.insert(&ana, "the first of the new mailbox");
    expected.insert(new_key, BTreeSet::from([new]));
    wait_keys(&world, "the new mailbox by its own key", &expected).await;
    assert_eq!(shown(&world, &ana)["parked"][0]["key"], key.as_str());
    assert!(
        records(&world)
            .iter()
            .all(|record| record["change"] != "deleted")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn several_accounts_of_a_user_and_an_alias_as_account() {
    let mut world = World::start(3, 40, 98).await;
    let users = world.users();
    let (ana, second) = (users[0].as_str(), users[1].as_str());
    let alias = format!("alias.{second}");
    world.google("alias.add", &json!({ "user": second, "alias": alias }));
    let lines = |world: &World, admin: bool| {
        let text =
            user_lines(ana, &[second, &alias]) + &format!("accounts = {}\n", json!([ana, alias]));
        configure(world, &text, admin);
    };
    lines(&world, false);
    world.start_daemon();
    let refused = world
        .wait("Google refuses an alias", |status| {
            let feed = &status["users"][0]["accounts"][1]["feeds"][0];
            feed["state"] == "disabled"
        })
        .await;
    let hint = refused["users"][0]["accounts"][1]["feeds"][0]["error"]["hint"].to_string();
    assert!(hint.contains("primary"), "{hint}");
    wait_keys(
        &world,
        "the other account goes on",
        &BTreeMap::from([(ana.to_owned(), ids(&world, ana))]),
    )
    .await;
    world.kill_daemon();
    lines(&world, true);
    world.start_daemon();
    // The key of the first was frozen as its address, and stays.
    let expected = BTreeMap::from([
        (ana.to_owned(), ids(&world, ana)),
        (google_id(&world, second), ids(&world, second)),
    ]);
    wait_keys(&world, "both accounts", &expected).await;
    assert!(records(&world).iter().all(|record| record["user"] == ana));
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_are_found_in_config_directory_and_send_as() {
    let mut world = World::start(3, 10, 99).await;
    let users = world.users();
    let [ana, ben, eve] = [0, 1, 2].map(|at| users[at].as_str());
    let domain = ana.split('@').nth(1).unwrap();
    let named = |name: &str| format!("{name}@{domain}");
    let send_as = |user: &str, email: &str, status: &str| {
        world.google(
            "gmail.sendAs",
            &json!({ "user": user, "email": email, "status": status }),
        );
    };
    world.google(
        "alias.add",
        &json!({ "user": ana, "alias": named("directory") }),
    );
    send_as(ana, "ana@elsewhere.example", "accepted");
    send_as(ana, "pending@elsewhere.example", "pending");
    send_as(ana, &named("info"), "accepted");
    send_as(ben, &named("info"), "accepted");
    send_as(ben, "ana@old-brand.example", "accepted");
    let text =
        user_lines(ana, &["ana@old-brand.example"]) + &user_lines(ben, &[]) + &user_lines(eve, &[]);
    configure(&world, &text, true);
    world.start_daemon();
    let is_known = |world: &World| {
        users
            .iter()
            .all(|user| world.calls(user, "gmail.users.settings.sendAs.list") == 1)
            && world
                .status()
                .is_some_and(|status| world.is_settled(&status))
    };
    world.wait("all is known", |_| is_known(&world)).await;
    let mail = |world: &World, from: &str, id: &str| {
        let to = format!("{ana}, {ben}, {eve}");
        let text = format!(
            "From: X <{from}>\r\nTo: {to}\r\nMessage-ID: <{id}@b.example>\r\n\
             Date: Tue, 03 Nov 2026 10:00:00 +0000\r\n\r\n{id}\r\n"
        );
        for user in &users {
            world.google("gmail.insert", &json!({ "user": user, "text": text }));
        }
    };
    let cases = [
        (
            "directory",
            named("Directory+tag"),
            json!({ "alias_of": ana }),
        ),
        (
            "send-as",
            "ANA@elsewhere.example".to_owned(),
            json!({ "alias_of": ana }),
        ),
        (
            "config",
            "ana@old-brand.example".to_owned(),
            json!({ "alias_of": ana }),
        ),
        (
            "pending",
            "pending@elsewhere.example".to_owned(),
            json!("external"),
        ),
        ("shared", named("info"), json!("internal")),
        ("primary", ben.to_owned(), json!("user")),
    ];
    for (id, from, _) in &cases {
        mail(&world, from, id);
    }
    let found = |world: &World, id: &str| -> Vec<Value> {
        let mut all = records(world);
        let id = format!("{id}@b.example");
        all.retain(|record| {
            record["email"]["message_id"]
                .as_str()
                .is_some_and(|own| own.contains(&id))
        });
        all
    };
    world
        .wait("all mails are told", |_| {
            cases.iter().all(|(id, _, _)| found(&world, id).len() == 3)
        })
        .await;
    for (id, _, who) in &cases {
        let sightings = found(&world, id);
        let keys: BTreeSet<String> = sightings
            .iter()
            .map(|record| record["email"]["message_key"].to_string())
            .collect();
        assert_eq!(keys.len(), 1, "one mail has one key, whoever got it");
        for record in &sightings {
            assert_eq!(record["email"]["from"]["who"], *who, "{id}: {record:#}");
        }
    }
    let told = shown(&world, ana);
    let place = |name: &str| {
        let aliases = told["aliases"].as_array().unwrap();
        let alias = aliases.iter().find(|alias| alias["address"] == name);
        alias.map_or(Value::Null, |alias| alias["place"].clone())
    };
    assert_eq!(
        place(&named("directory")),
        format!("Directory of {ana}"),
        "{told:#}"
    );
    assert_eq!(place("ana@elsewhere.example"), format!("send-as of {ana}"));
    let config = place("ana@old-brand.example").to_string();
    assert!(config.contains("nuncio.toml:"), "{config}");
    let contests = told["contests"].as_array().unwrap();
    let contest = |name: &str| contests.iter().find(|one| one["address"] == name).unwrap();
    assert_eq!(contest("ana@old-brand.example")["holder"], ana);
    assert_eq!(contest(&named("info"))["holder"], Value::Null);
    let claims = contest("ana@old-brand.example")["claims"].to_string();
    assert!(
        claims.contains("nuncio.toml:") && claims.contains(&format!("send-as of {ben}")),
        "{claims}"
    );

    // In order, so that what was found is kept.
    world.signal("TERM");
    assert_eq!(world.ended().await, 0);
    world.forget_calls();
    world.start_daemon();
    let from = named("directory");
    mail(&world, &from, "restarted");
    world
        .wait("told after a restart", |_| {
            found(&world, "restarted").len() == 3
        })
        .await;
    for record in found(&world, "restarted") {
        assert_eq!(record["email"]["from"]["who"], json!({ "alias_of": ana }));
    }
    for user in &users {
        assert_eq!(world.calls(user, "gmail.users.settings.sendAs.list"), 0);
    }
}
