//! Operating the daemon: faults at Google that come and go, dead letters, stopping, a second
//! daemon, what `status` shows, and what must never be logged.

use nuncio_tests::World;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A plugin host that tells when a guest writes.
const TELL_WRITES: &str = "info,nuncio_plugin_host=trace";

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// The ids of the user's messages at Google, newest first as the truth lists them.
fn message_ids(world: &World, user: &str) -> Vec<String> {
    let truth = world.google("truth", &json!({ "user": user }));
    let messages = truth["messages"].as_array().unwrap();
    messages
        .iter()
        .map(|message| text(&message["id"]).to_owned())
        .collect()
}

fn insert(world: &World, user: &str, subject: &str) -> String {
    let mail = format!("From: a@b.example\r\nSubject: {subject}\r\n\r\n{subject}\r\n");
    let inserted = world.google("gmail.insert", &json!({ "user": user, "text": mail }));
    text(&inserted["id"]).to_owned()
}

fn is_delivered(world: &World, status: &Value) -> bool {
    let sinks = status["sinks"].as_array().unwrap();
    let users = world.users();
    sinks.iter().all(|sink| sink["pending"] == 0)
        && users.iter().all(|user| {
            world.shown_user(status, user)["state"] == "live" && world.holds_all_mail(user, user)
        })
}

/// All lines of the sink `jsonl`, file by file.
fn lines(world: &World) -> Vec<Value> {
    let mut lines = Vec::new();
    for entry in std::fs::read_dir(world.path("jsonl")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'), "a torn line");
        lines.extend(
            text.lines()
                .map(|line| serde_json::from_str::<Value>(line).unwrap()),
        );
    }
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_delegation_disables_that_user_only_and_heals_when_granted_again() {
    let mut world = World::start(3, 60, 31).await;
    world.configure();
    let users = world.users();
    world.start_daemon();
    world
        .wait("the first sync", |status| is_delivered(&world, status))
        .await;
    // Google takes tokens until they end, then refuses new ones.
    world.google("delegation.revoke", &json!({ "user": users[1] }));
    world.google("tokens.expire", &json!({ "user": users[1] }));
    let status = world
        .wait("the user is disabled", |status| {
            world.shown_user(status, &users[1])["state"] == "disabled"
        })
        .await;
    let feed = &world.shown_user(&status, &users[1])["accounts"][0]["feeds"][0];
    assert_eq!(feed["error"]["code"], "AUTH010", "{feed}");
    assert!(
        text(&feed["error"]["hint"]).contains("grant domain-wide delegation"),
        "{feed}"
    );
    assert!(feed["next_try"].is_string(), "{feed}");
    for user in &users {
        insert(&world, user, "while one is disabled");
    }
    let status = world
        .wait("the others go on", |_| {
            [&users[0], &users[2]]
                .iter()
                .all(|user| world.holds_all_mail(user, user))
        })
        .await;
    assert_eq!(world.shown_user(&status, &users[1])["state"], "disabled");
    world.google("delegation.grant", &json!({ "user": users[1] }));
    let status = world
        .wait("it heals by itself", |status| is_delivered(&world, status))
        .await;
    let feed = &world.shown_user(&status, &users[1])["accounts"][0]["feeds"][0];
    assert!(
        feed["error"].is_null() && feed["next_try"].is_null(),
        "{feed}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_end_early_are_replaced_without_a_word() {
    let mut world = World::start(2, 40, 32).await;
    world.configure();
    let users = world.users();
    world.start_daemon();
    world
        .wait("the first sync", |status| is_delivered(&world, status))
        .await;
    for round in 0..3 {
        let expired = world.google("tokens.expire", &json!({}));
        assert_ne!(expired["expired"], 0, "round {round}");
        for user in &users {
            insert(&world, user, "after the tokens ended");
        }
        world
            .wait("new mail with new tokens", |status| {
                is_delivered(&world, status)
            })
            .await;
    }
    let stats = world.google("stats", &json!({}));
    let n_tokens = |user: &String| stats["calls"][user]["oauth.token"].as_u64().unwrap();
    assert!(
        users.iter().all(|user| (4..=8).contains(&n_tokens(user))),
        "a new token each time, and no storm: {stats:#}"
    );
    let log = world.log();
    assert!(!log.contains(" WARN ") && !log.contains(" ERROR "), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_listed_let_the_lane_go_on_and_are_delivered_once_the_cause_is_gone() {
    let mut world = World::start(2, 30, 33).await;
    let user = world.users()[1].clone();
    let bad = insert(&world, &user, "the target refuses this");
    world.configure();
    let refusing = format!("do = \"outcomes\", reject_key = \"/{bad}\", code = \"too-large\"");
    let settings = |what: &str| format!("{{ {what}, log_records = true }}");
    world.append_config(&world.hostile_lines("picky", &settings(&refusing)));
    world.start_daemon();
    let n_mails: usize = world
        .users()
        .iter()
        .map(|user| message_ids(&world, user).len())
        .sum();
    let status = world
        .wait("all but one are delivered", |status| {
            is_delivered(&world, status) && world.shown_sink(status, "picky")["dead_letters"] == 1
        })
        .await;
    let picky = world.shown_sink(&status, "picky");
    assert_eq!(
        (&picky["state"], &picky["delivered"]),
        (&json!("running"), &json!(n_mails - 1))
    );
    assert_eq!(world.shown_sink(&status, "archive")["dead_letters"], 0);
    let later = insert(&world, &user, "behind it in the same lane");
    world
        .wait("the lane goes on", |status| {
            world.shown_sink(status, "picky")["delivered"] == n_mails
        })
        .await;
    assert!(
        world.log().contains(&format!("/{later}")),
        "it was delivered to picky too"
    );

    let (exit, out, _) = world.run(&["deadletters", "list", "--json"]);
    let letters: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (exit, letters.as_array().unwrap().len()),
        (0, 1),
        "{letters:#}"
    );
    let letter = &letters[0];
    assert!(text(&letter["key"]).starts_with("gmail/") && text(&letter["key"]).ends_with(&bad));
    assert_eq!(
        (&letter["sink"], &letter["code"]),
        (&json!("picky"), &json!("too-large"))
    );
    assert_eq!(
        (&letter["change"], &letter["n_attempts"]),
        (&json!("created"), &json!(1))
    );
    assert!(
        letter["at"].is_string() && letter["revision"].is_u64(),
        "{letter}"
    );
    let (exit, out, said) = world.run(&["deadletters", "list", "--sink", "picky"]);
    assert_eq!(exit, 0);
    assert!(
        out.contains(&bad) && out.contains("too-large: rejected as asked"),
        "{out}"
    );
    assert!(said.contains("1 open dead letter"), "{said}");
    let (_, out, _) = world.run(&["deadletters", "list", "--sink", "archive"]);
    assert_eq!(out, "");
    let (exit, _, said) = world.run(&["deadletters", "list", "--sink", "piky"]);
    assert_eq!(exit, 1);
    assert!(
        said.contains("there is no sink `piky`") && said.contains("picky"),
        "{said}"
    );

    // The cause is still there: it is tried and comes back as a new letter.
    let (exit, _, said) = world.run(&["deadletters", "retry", "--all"]);
    assert_eq!(exit, 0, "{said}");
    assert!(said.contains("1 dead letter will be sent again"), "{said}");
    let first = letter["id"].as_u64().unwrap();
    let (mut second, mut n_looks) = (first, 0);
    while second == first {
        assert!(n_looks < 600, "the letter was not tried again");
        n_looks += 1;
        tokio::time::sleep(Duration::from_millis(100)).await;
        let (_, out, _) = world.run(&["deadletters", "list", "--json"]);
        let letters: Value = serde_json::from_str(&out).unwrap();
        second = letters[0]["id"].as_u64().unwrap_or(first);
    }
    assert_eq!(world.stop_daemon().await, 0);
    world.change_config(&settings(&refusing), &settings("do = \"ok\""));
    world.start_daemon();
    world
        .wait("the letter is still there", |status| {
            world.shown_sink(status, "picky")["dead_letters"] == 1
        })
        .await;
    let before = world.log().len();
    let (exit, _, said) = world.run(&["deadletters", "retry", &second.to_string()]);
    assert_eq!(exit, 0, "{said}");
    let status = world
        .wait("it is delivered", |status| {
            let picky = world.shown_sink(status, "picky");
            picky["dead_letters"] == 0 && picky["pending"] == 0
        })
        .await;
    assert_eq!(world.shown_sink(&status, "picky")["delivered"], n_mails + 1);
    let log = world.log();
    let delivered: Vec<&str> = log[before..]
        .lines()
        .filter(|line| line.contains("nuncio::guest"))
        .collect();
    assert_eq!(delivered.len(), 1, "{delivered:#?}");
    assert!(delivered[0].contains(&format!("/{bad}")), "{delivered:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_in_the_middle_loses_nothing_and_nothing_acknowledged_comes_again() {
    let mut world = World::start_with(|options| {
        (options.users, options.messages, options.seed) = (3, 900, 34);
        options.latency = Duration::from_millis(100);
    })
    .await;
    world.configure();
    let (mut n_before, mut n_in_the_middle) = (0, 0);
    for _ in 0..3 {
        world.start_daemon();
        let status = world
            .wait("some are delivered", |status| {
                world.shown_sink(status, "jsonl")["delivered"]
                    .as_u64()
                    .unwrap()
                    > n_before + 20
            })
            .await;
        n_in_the_middle += usize::from(!is_delivered(&world, &status));
        n_before = world.shown_sink(&status, "jsonl")["delivered"]
            .as_u64()
            .unwrap();
        assert_eq!(world.stop_daemon().await, 0, "{}", world.log());
        assert!(
            !world.path("admin.sock").exists(),
            "the socket goes with the daemon"
        );
        let log = world.log();
        assert!(!log.contains("cut off") && log.contains("stopped"), "{log}");
    }
    assert!(n_in_the_middle > 0, "no round stopped in the middle");
    world.start_daemon();
    let status = world
        .wait("all are delivered", |status| is_delivered(&world, status))
        .await;
    let mut revisions: BTreeMap<(String, u64), u64> = BTreeMap::new();
    for line in lines(&world) {
        let revision = line["revision"].as_u64().unwrap();
        *revisions
            .entry((text(&line["key"]).to_owned(), revision))
            .or_default() += 1;
    }
    let twice: Vec<_> = revisions.iter().filter(|(_, n)| **n > 1).collect();
    assert!(twice.is_empty(), "delivered again: {twice:#?}");
    assert_eq!(
        world.shown_sink(&status, "jsonl")["delivered"],
        revisions.len()
    );
    let keys: BTreeSet<&String> = revisions.keys().map(|(key, _)| key).collect();
    let n_mails: usize = world
        .users()
        .iter()
        .map(|user| message_ids(&world, user).len())
        .sum();
    assert_eq!(keys.len(), n_mails);
}

/// A world whose sink `stuck` hangs in its first call.
async fn stuck_world(seed: u64) -> World {
    let mut world = World::start(1, 10, seed).await;
    world.configure();
    world.append_config(&world.hostile_lines("stuck", "{ do = \"slow\", ms = 500000 }"));
    world.start_daemon_logging(TELL_WRITES);
    world.wait_for_log("guest write begins sink=stuck").await;
    world
        .wait("the other sinks have all", |status| {
            let user = &world.users()[0];
            world.holds_all_mail(user, user) && world.shown_sink(status, "jsonl")["pending"] == 0
        })
        .await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_sink_is_cut_off_at_the_deadline_and_gets_its_records_again() {
    let mut world = stuck_world(35).await;
    assert_eq!(world.stop_daemon().await, 0, "{}", world.log());
    let log = world.log();
    assert!(log.contains("tasks cut off at the deadline"), "{log}");
    assert!(
        !world.path("admin.sock").exists(),
        "the rest ended in order"
    );
    world.change_config("do = \"slow\", ms = 500000", "do = \"ok\"");
    world.start_daemon();
    let n_mails = message_ids(&world, &world.users()[0]).len();
    world
        .wait("what was cut is delivered", |status| {
            let stuck = world.shown_sink(status, "stuck");
            stuck["pending"] == 0 && stuck["delivered"] == n_mails
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_a_daemon_that_waits_for_a_sink_at_once() {
    for second in ["TERM", "INT"] {
        let mut world = stuck_world(36).await;
        world.signal("TERM");
        world.wait_for_log("stopping").await;
        assert!(world.daemon_runs(), "it waits for the sink");
        world.signal(second);
        // 0 would mean that it waited for the deadline.
        assert_eq!(world.ended().await, 143, "{}", world.log());
        assert!(world.log().contains("cut off by a second signal"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hang_up_does_not_end_the_daemon_but_reloads() {
    let mut world = World::start(1, 5, 37).await;
    world.configure();
    world.start_daemon();
    world
        .wait("the first sync", |status| is_delivered(&world, status))
        .await;
    world.append_config("[snks.a]\n");
    world.signal("HUP");
    world.wait_for_log("unknown key `snks`").await;
    assert!(world.daemon_runs() && world.status().is_some());
}

/// The names of an object's members.
fn names(value: &Value) -> BTreeSet<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn status_shows_what_the_design_says_to_scripts_and_to_people() {
    let mut world = World::start(2, 40, 38).await;
    world.configure();
    let users = world.users();
    world.append_config("[[users]]\nemail = \"off@example.com\"\nsync = false\n");
    world.start_daemon();
    world
        .wait("the first sync", |status| is_delivered(&world, status))
        .await;
    // Records go on coming, so that there is a rate above 0.
    let mut n_inserted = 0;
    let status = loop {
        insert(&world, &users[0], "one more");
        n_inserted += 1;
        assert!(n_inserted < 200, "no rate came up");
        tokio::time::sleep(Duration::from_millis(100)).await;
        let status = world.status().unwrap();
        let sinks = status["sinks"].as_array().unwrap();
        if sinks
            .iter()
            .all(|sink| sink["rate"].as_f64().is_some_and(|rate| rate > 0.0))
        {
            break status;
        }
    };
    let top = [
        "config",
        "domain_feeds",
        "failed_items",
        "quota",
        "sinks",
        "summary",
        "users",
    ];
    assert_eq!(names(&status), BTreeSet::from(top));
    assert_eq!(
        names(&status["config"]),
        BTreeSet::from([
            "credentials",
            "hash",
            "held",
            "last_reload",
            "loaded_at",
            "stale"
        ])
    );
    assert_eq!(status["config"]["stale"], false);
    assert_eq!(text(&status["config"]["hash"]).len(), 64);
    assert!(text(&status["config"]["loaded_at"]).ends_with('Z'));
    let user = world.shown_user(&status, &users[0]);
    assert_eq!(names(user), BTreeSet::from(["accounts", "email", "state"]));
    let account = &user["accounts"][0];
    assert_eq!(
        names(account),
        BTreeSet::from(["address", "feeds", "granted_by", "key"])
    );
    let feed = &account["feeds"][0];
    let of_feed = [
        "collection",
        "error",
        "items",
        "lag_seconds",
        "last_success",
        "poll_seconds",
        "source",
        "state",
        "walk",
    ];
    assert_eq!(names(feed), BTreeSet::from(of_feed));
    assert_eq!(
        (&feed["source"], &feed["state"]),
        (&json!("gmail"), &json!("live"))
    );
    assert!(feed["walk"].is_null() && feed["error"].is_null(), "{feed}");
    assert_eq!(world.shown_user(&status, "off@example.com")["state"], "off");
    let sink = world.shown_sink(&status, "archive");
    let of_sink = [
        "dead_letters",
        "delivered",
        "error",
        "name",
        "pending",
        "plugin",
        "rate",
        "state",
    ];
    assert_eq!(names(sink), BTreeSet::from(of_sink));
    assert_eq!(
        names(&sink["plugin"]),
        BTreeSet::from(["name", "sha256", "version"])
    );

    let (exit, human, _) = world.run(&["status"]);
    assert_eq!(exit, 0);
    let says = |part: &str| assert!(human.contains(part), "{part} is not in:\n{human}");
    says("3 users, 0 not well; 2 sinks, ");
    says(&format!(
        "  {}  live\n    {}  gmail  live  ",
        users[0], users[0]
    ));
    says("  off@example.com  off");
    says(" items  heard from Google ");
    let line = human
        .lines()
        .find(|line| line.starts_with("  archive  running  "))
        .unwrap();
    assert!(
        line.contains(" delivered (") && line.contains("/s), "),
        "{line}"
    );
    assert!(line.ends_with(" 0 dead letters"), "{line}");

    // A comment is another file as well, and changes nothing else.
    let before = status["config"]["hash"].clone();
    world.append_config("# changed\n");
    world
        .wait("the file is taken up", |status| {
            status["config"]["hash"] != before && status["config"]["stale"] == false
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_daemon_is_refused_and_a_dead_ones_socket_is_not_in_the_way() {
    let mut world = World::start(1, 10, 39).await;
    world.configure();
    world.start_daemon();
    world
        .wait("the first sync", |status| is_delivered(&world, status))
        .await;
    let (state, socket) = (world.path("state"), world.path("admin.sock"));
    let run = |state: &std::path::Path, socket: &std::path::Path| {
        let output = world.nuncio_at(state, socket).arg("run").output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (exit, said) = run(&state, &world.path("other.sock"));
    assert_eq!(exit, Some(70), "{said}");
    let shown = state.display().to_string();
    for part in [
        "error[SPL002]",
        &shown,
        "in use by another process",
        "stop the other daemon",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let (exit, said) = run(&world.path("other-state"), &socket);
    assert_eq!(exit, Some(1), "{said}");
    let shown = socket.display().to_string();
    for part in [
        "error[ADM002]",
        &shown,
        "another daemon answers",
        "--socket",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let file = world.path("notes.txt");
    std::fs::write(&file, "not a socket").unwrap();
    let (exit, said) = run(&world.path("other-state"), &file);
    assert_eq!(exit, Some(1), "{said}");
    assert!(said.contains("notes.txt exists and is no socket"), "{said}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "not a socket");
    let status = world.status().unwrap();
    assert_eq!(
        status["users"][0]["state"], "live",
        "the first one was not disturbed"
    );

    world.kill_daemon();
    assert!(socket.exists(), "a killed daemon leaves its socket");
    let (exit, _, said) = world.run(&["status"]);
    assert_eq!(exit, 1, "{said}");
    assert!(
        said.contains("error[ADM001]") && said.contains("is `nuncio run` up"),
        "{said}"
    );
    let user = world.users()[0].clone();
    insert(&world, &user, "after the kill");
    world.start_daemon();
    world
        .wait("the next one takes the socket over", |status| {
            is_delivered(&world, status)
        })
        .await;
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&socket).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o660);
}

#[tokio::test(flavor = "multi_thread")]
async fn completions_and_manual_name_every_command() {
    let world = World::start(1, 1, 1).await;
    let commands = [
        "run",
        "check",
        "status",
        "user",
        "deadletters",
        "completions",
    ];
    for shell in ["bash", "zsh", "fish"] {
        let (exit, script, said) = world.run(&["completions", shell]);
        assert_eq!(exit, 0, "{said}");
        for command in commands {
            assert!(script.contains(command), "{shell} does not know {command}");
        }
        assert!(
            script.contains("accept-deletes"),
            "{shell} does not know options"
        );
    }
    let (exit, _, said) = world.run(&["completions", "cmd.exe"]);
    assert_eq!(exit, 2);
    assert!(said.contains("possible values: bash"), "{said}");

    let (exit, page, said) = world.run(&["man"]);
    assert_eq!(exit, 0, "{said}");
    assert!(page.contains(".TH nuncio 1"), "{page}");
    for command in commands {
        assert!(page.contains(&format!("nuncio\\-{command}(1)")), "{page}");
    }
    let dir = world.path("man");
    std::fs::create_dir(&dir).unwrap();
    let (exit, ..) = world.run(&["man", "--dir", &dir.display().to_string()]);
    assert_eq!(exit, 0);
    let page = std::fs::read_to_string(dir.join("nuncio-deadletters-retry.1")).unwrap();
    assert!(page.contains("Numbers as listed"), "{page}");
    let (exit, _, said) = world.run(&["man", "--dir", "/nowhere/man"]);
    assert_eq!(exit, 1);
    assert!(said.contains("cannot be written to /nowhere/man"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_cannot_work_from_the_start_is_shown_so_before_the_first_record() {
    let mut world = World::start(1, 10, 5).await;
    world.configure();
    world.append_config(&world.hostile_lines("early", "{ do = \"open_unavailable\" }"));
    world.append_config(&world.hostile_lines("broken", "{ do = \"open_fatal\" }"));
    // Nobody to sync: no record comes that would show it.
    let config = std::fs::read_to_string(world.path("nuncio.toml")).unwrap();
    let idle = config.replace("[[users]]\n", "[[users]]\nsync = false\n");
    std::fs::write(world.path("nuncio.toml"), idle).unwrap();
    world.start_daemon();
    let shown = |status: &Value, name: &str| {
        let sink = world.shown_sink(status, name);
        (text(&sink["state"]).to_owned(), !sink["error"].is_null())
    };
    world
        .wait("both say what is wrong", |status| {
            shown(status, "early") == ("paused".to_owned(), true)
                && shown(status, "broken") == ("failed".to_owned(), true)
                && shown(status, "archive") == ("running".to_owned(), false)
        })
        .await;
}
