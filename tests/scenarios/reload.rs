//! The config changes while the daemon runs: exactly what differs is carried out, all of it or
//! nothing, and it is told beforehand, held where it takes much away, and kept.

use nuncio_tests::{World, is_idle};
use serde_json::{Value, json};
use std::time::Duration;

const CONNECT: &str = "gmail.users.labels.list";

/// The lines of one user.
fn user(email: &str, more: &str) -> String {
    format!("[[users]]\nemail = \"{email}\"\n{more}\n")
}

/// Writes a config with these users and both sinks, in one step, as editors do.
fn configure(world: &World, users: &str) {
    let text = config(world, users);
    replace(world, &text);
}

fn config(world: &World, users: &str) -> String {
    let mut text = world.config_without_users("");
    text.push_str(users);
    for sink in ["archive", "jsonl"] {
        text.push_str(&world.sink_lines(sink));
    }
    text
}

fn replace(world: &World, text: &str) {
    let new = world.path(".nuncio.toml.new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, world.path("nuncio.toml")).unwrap();
}

/// What `nuncio plan` says of the file on disk: exit code and answer.
fn plan(world: &World) -> (i32, Value) {
    let (code, said, error) = world.run(&["plan", "--json"]);
    (code, serde_json::from_str(&said).expect(&error))
}

/// `nuncio reload --wait`: exit code and answer.
fn reload(world: &World) -> (i32, Value) {
    let (code, said, error) = world.run(&["reload", "--wait", "--json"]);
    (code, serde_json::from_str(&said).expect(&error))
}

fn state<'a>(status: &'a Value, email: &str) -> Option<&'a str> {
    let users = status["users"].as_array()?;
    let user = users.iter().find(|user| user["email"] == email)?;
    user["state"].as_str()
}

/// The subjects that were told of a user, in order.
fn subjects(world: &World, user: &str) -> Vec<String> {
    let lines = world.lines(user).into_iter();
    lines
        .filter_map(|line| Some(line["email"]["subject"].as_str()?.to_owned()))
        .collect()
}

fn log_has(world: &World, text: &str) -> bool {
    world.log().contains(text)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_comes_pauses_and_goes_and_nothing_else_is_touched() {
    let mut world = World::start(4, 80, 71).await;
    let users = world.users();
    let three: String = users[..3].iter().map(|email| user(email, "")).collect();
    configure(&world, &three);
    world.start_daemon();
    world.wait("three are live", is_idle).await;
    let told: Vec<usize> = users.iter().map(|user| world.lines(user).len()).collect();
    assert_eq!(told[3], 0);
    world.forget_calls();

    // One comes.
    let four: String = users.iter().map(|email| user(email, "")).collect();
    configure(&world, &four);
    world.wait_settled().await;
    assert!(!world.lines(&users[3]).is_empty());

    // One pauses, and misses something.
    let paused = three.clone() + &user(&users[3], "sync = false");
    configure(&world, &paused);
    world
        .wait("it is off", |status| {
            state(status, &users[3]) == Some("off")
        })
        .await;
    let before = world.lines(&users[3]).len();
    world.insert(&users[3], "missed");
    world.insert(&users[0], "others-go-on");
    world
        .wait("the others go on", |_| {
            subjects(&world, &users[0]).last().map(String::as_str) == Some("others-go-on")
        })
        .await;
    assert_eq!(world.lines(&users[3]).len(), before);

    // It comes back where it stood.
    configure(&world, &four);
    world.wait_settled().await;
    let after = subjects(&world, &users[3]);
    assert_eq!(after.last().map(String::as_str), Some("missed"));
    assert_eq!(world.lines(&users[3]).len(), before + 1, "nothing twice");

    // It goes.
    configure(&world, &three);
    world
        .wait("it is gone", |status| state(status, &users[3]).is_none())
        .await;
    world.insert(&users[3], "unseen");
    world.insert(&users[1], "still-here");
    world
        .wait("the others go on", |_| {
            subjects(&world, &users[1]).last().map(String::as_str) == Some("still-here")
        })
        .await;
    assert_eq!(world.lines(&users[3]).len(), before + 1);
    for (at, user) in users[..3].iter().enumerate() {
        assert_eq!(world.calls(user, CONNECT), 0, "{user} never connected anew");
        let n_new = usize::from(at < 2);
        assert_eq!(world.lines(user).len(), told[at] + n_new);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_tells_what_a_reload_then_does() {
    let mut world = World::start(3, 30, 72).await;
    let users = world.users();
    let two: String = users[..2].iter().map(|email| user(email, "")).collect();
    configure(&world, &two);
    let (code, planned) = plan(&world);
    assert_eq!(code, 3, "without a daemon");
    assert_eq!(planned["diff"]["users"].as_array().unwrap().len(), 2);
    world.start_daemon();
    world.wait("two are live", is_idle).await;
    let (code, planned) = plan(&world);
    assert_eq!((code, &planned["outcome"]), (0, &json!("planned")));
    // A candidate that is not in force.
    let text = config(
        &world,
        &(user(&users[0], "sources = [\"gmail\"]\nname = \"A\"") + &user(&users[2], "")),
    );
    std::fs::write(world.path("candidate.toml"), &text).unwrap();
    let (code, said, error) = world.run_with("candidate.toml", &["plan", "--json"]);
    assert_eq!(code, 3, "{error}");
    let planned: Value = serde_json::from_str(&said).unwrap();
    let kinds: Vec<&str> = planned["diff"]["users"]
        .as_array()
        .unwrap()
        .iter()
        .map(|user| user["change"].as_str().unwrap())
        .collect();
    let mut sorted = kinds.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, ["added", "changed", "removed"]);
    assert_eq!(
        state(&world.status().unwrap(), &users[2]),
        None,
        "only looked at"
    );
    replace(&world, &text);
    let (code, done) = reload(&world);
    assert_eq!(code, 0, "{done}");
    // The watch may have been quicker.
    if done["outcome"] == "applied" {
        assert_eq!(done["diff"], planned["diff"]);
    }
    assert_eq!(done["hash"], planned["hash"]);
    let (code, said, _) = world.run(&["config", "history", "--json"]);
    assert_eq!(code, 0);
    let history: Value = serde_json::from_str(&said).unwrap();
    let entries = history.as_array().unwrap();
    assert_eq!(entries.len(), 2, "{history}");
    assert_eq!(entries[1]["hash"], done["hash"]);
    assert!(
        entries[1]["summary"]
            .as_str()
            .unwrap()
            .contains("1 user added")
    );
    let (code, said, _) = world.run(&["config", "show"]);
    assert!(code == 0 && said.contains(&users[2]), "{said}");
    let first = entries[0]["hash"].as_str().unwrap();
    let (code, said, _) = world.run(&["config", "diff", &first[..12]]);
    assert!(
        code == 0 && said.contains(&format!("+ user {} added", users[2])),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_changes_nothing_and_is_told_until_it_is_good() {
    let mut world = World::start(2, 20, 73).await;
    let users = world.users();
    let one = user(&users[0], "");
    configure(&world, &one);
    world.start_daemon();
    world.wait("it is live", is_idle).await;
    let good = world.status().unwrap()["config"]["hash"].clone();
    replace(&world, &config(&world, "[[users]\nemail = 1\n"));
    let status = world
        .wait("it is told", |status| {
            status["config"]["last_reload"]["ok"] == false
        })
        .await;
    assert_eq!(status["config"]["stale"], true);
    assert_eq!(status["config"]["hash"], good);
    assert!(log_has(&world, "CFG005"));
    let (code, _, said) = world.run(&["reload", "--wait"]);
    assert_eq!(code, 78, "{said}");
    assert!(
        said.contains("error[CFG005]") && said.contains('^'),
        "{said}"
    );
    let (_, said, _) = world.run(&["status"]);
    assert!(said.contains("error"), "{said}");
    // All goes on meanwhile.
    world.insert(&users[0], "meanwhile");
    world
        .wait("mail goes on", |_| {
            subjects(&world, &users[0]).last().map(String::as_str) == Some("meanwhile")
        })
        .await;
    // Also what is TOML but wrong in several places is refused as a whole.
    configure(
        &world,
        &(user(&users[1], "") + "[[users]]\nemail = \"x\"\n[snks.a]\n"),
    );
    let (code, _, said) = world.run(&["reload", "--wait"]);
    assert_eq!(code, 78);
    assert_eq!(said.matches("error[CFG").count(), 2, "{said}");
    assert_eq!(state(&world.status().unwrap(), &users[1]), None);
    // A plugin that cannot be loaded as well.
    let text = config(&world, &one) + "[sinks.new]\nplugin = \"missing.wasm\"\n";
    replace(&world, &text);
    let (code, _, said) = world.run(&["reload", "--wait"]);
    assert_eq!(code, 78, "{said}");
    assert!(said.contains("sink new"), "{said}");
    // And what cannot change while it runs.
    let text = config(&world, &one) + "[log]\nformat = \"json\"\n";
    replace(&world, &text);
    let (code, _, said) = world.run(&["reload", "--wait"]);
    assert_eq!(code, 78);
    assert!(
        said.contains("CFG060") && said.contains("[log] format"),
        "{said}"
    );
    configure(&world, &(one + &user(&users[1], "")));
    let status = world
        .wait("it is good again", |status| {
            status["config"]["last_reload"]["ok"] == true
        })
        .await;
    assert_eq!(
        (&status["config"]["stale"], &status["config"]["held"]),
        (&json!(false), &json!(false))
    );
    world.wait_settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_many_users_away_is_held_until_it_is_approved() {
    let mut world = World::start(8, 40, 74).await;
    let users = world.users();
    let all: String = users.iter().map(|email| user(email, "")).collect();
    configure(&world, &all);
    world.start_daemon();
    world.wait("all are live", is_idle).await;
    configure(&world, &user(&users[0], ""));
    let status = world
        .wait("it is held", |status| status["config"]["held"] == true)
        .await;
    assert_eq!(status["users"].as_array().unwrap().len(), 8);
    let (code, planned) = plan(&world);
    assert_eq!(code, 3);
    assert_eq!(planned["held_because"], json!(["takes 7 of 8 users away"]));
    let (code, _, said) = world.run(&["reload", "--wait"]);
    assert_eq!(code, 1);
    assert!(said.contains("CFG061"), "{said}");
    let (code, _, said) = world.run(&["reload", "--approve", "0123"]);
    assert_eq!(code, 1, "another one: {said}");
    let hash = planned["hash"].as_str().unwrap();
    let (code, _, said) = world.run(&["reload", "--approve", hash]);
    assert_eq!(code, 0, "{said}");
    let status = world.status().unwrap();
    assert_eq!(status["users"].as_array().unwrap().len(), 1);
    assert_eq!(status["config"]["held"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_with_a_broken_file_goes_on_with_the_last_good_one() {
    let mut world = World::start(2, 20, 75).await;
    let users = world.users();
    configure(&world, &user(&users[0], ""));
    world.start_daemon();
    world.wait("it is live", is_idle).await;
    assert_eq!(world.stop_daemon().await, 0);
    replace(&world, "colour = 1\n");
    let (code, _, said) = world.run(&["run", "--strict"]);
    assert_eq!(code, 78, "{said}");
    world.start_daemon();
    let status = world.wait("it runs", is_idle).await;
    assert_eq!(
        (
            &status["config"]["stale"],
            &status["config"]["last_reload"]["ok"]
        ),
        (&json!(true), &json!(false))
    );
    assert!(log_has(&world, "CFG062") && log_has(&world, "error[CFG010]"));
    world.insert(&users[0], "on-the-last-good-one");
    world
        .wait("mail goes on", |_| {
            subjects(&world, &users[0]).last().map(String::as_str) == Some("on-the-last-good-one")
        })
        .await;
    configure(&world, &(user(&users[0], "") + &user(&users[1], "")));
    world
        .wait("it is good again", |status| {
            status["config"]["last_reload"]["ok"] == true
        })
        .await;
    world.wait_settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sinks_come_change_and_go_and_keep_their_place() {
    let mut world = World::start(1, 30, 76).await;
    let users = world.users();
    let one = user(&users[0], "");
    configure(&world, &one);
    world.start_daemon();
    world.wait_settled().await;
    let n_lines = world.lines(&users[0]).len();
    // Another batch size: the sink goes on where it stood.
    let text = config(&world, &one).replace(
        "[sinks.jsonl]\n",
        "[sinks.jsonl]\nbatch = { records = 7, bytes = \"64KiB\", delay = \"10ms\" }\n",
    );
    replace(&world, &text);
    let (code, done) = reload(&world);
    assert_eq!(code, 0, "{done}");
    world.insert(&users[0], "after-the-change");
    world.wait_settled().await;
    assert_eq!(
        world.lines(&users[0]).len(),
        n_lines + 1,
        "nothing twice, nothing lost"
    );
    // More content is a wider right; a new sink is not.
    std::fs::create_dir_all(world.path("other")).unwrap();
    let other = world
        .sink_lines("jsonl")
        .replace("sinks.jsonl", "sinks.other")
        .replace(
            &world.path("jsonl").display().to_string(),
            &world.path("other").display().to_string(),
        );
    replace(
        &world,
        &(text.clone() + &other.replace("plugin", "content = \"metadata\"\nplugin")),
    );
    world
        .wait("the new one is open", |status| {
            let sinks = status["sinks"].as_array().unwrap();
            sinks
                .iter()
                .any(|sink| sink["name"] == "other" && sink["plugin"] != Value::Null)
        })
        .await;
    world.insert(&users[0], "for-both");
    world
        .wait("both have it", |status| {
            let sinks = status["sinks"].as_array().unwrap();
            sinks
                .iter()
                .all(|sink| sink["pending"] == 0 && sink["delivered"].as_u64() > Some(0))
        })
        .await;
    replace(&world, &(text.clone() + &other));
    let status = world
        .wait("it is held", |status| status["config"]["held"] == true)
        .await;
    let why = status["config"]["last_reload"]["error"].as_str().unwrap();
    assert!(
        why.contains("widens the sink other: content metadata -> what the plugin asks"),
        "{why}"
    );
    // It goes.
    replace(&world, &text);
    world
        .wait("it is gone", |status| {
            status["sinks"].as_array().unwrap().len() == 2
        })
        .await;
    world.insert(&users[0], "for-one");
    world.wait_settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_user_keeps_its_history() {
    let mut world = World::start(2, 30, 77).await;
    let users = world.users();
    let [ana, ben] = [&users[0], &users[1]];
    configure(&world, &(user(ana, "") + &user(ben, "")));
    world.start_daemon();
    world.wait_settled().await;
    let n_lines = world.lines(ana).len();
    let (_, domain) = ana.split_once('@').unwrap();
    let new = format!("renamed@{domain}");
    world.google("user.rename", &json!({ "user": ana, "email": new }));
    let renamed = user(&new, &format!("aliases = [\"{ana}\"]"));
    configure(&world, &(renamed + &user(ben, "")));
    world
        .wait("the new name is live", |status| {
            state(status, &new) == Some("live")
        })
        .await;
    world.insert(&new, "under-the-new-name");
    world
        .wait("mail goes on", |_| {
            subjects(&world, &new) == ["under-the-new-name"]
        })
        .await;
    assert_eq!(world.lines(ana).len(), n_lines, "nothing is told again");
    let key = |lines: Vec<Value>| {
        let key = lines.last().unwrap()["key"].as_str().unwrap().to_owned();
        key.rsplit_once('/').unwrap().0.to_owned()
    };
    assert_eq!(
        key(world.lines(&new)),
        key(world.lines(ana)),
        "the same account"
    );
    let entries = world.run(&["config", "history"]).1;
    assert!(entries.contains("1 user renamed"), "{entries}");
}

#[tokio::test(flavor = "multi_thread")]
async fn drop_ins_links_and_a_hundred_saves_end_at_the_last_one() {
    let mut world = World::start(3, 30, 78).await;
    let users = world.users();
    configure(&world, &user(&users[0], ""));
    world.start_daemon();
    world.wait("it is live", is_idle).await;
    // A folder of drop-ins that was not there, and a file in it.
    std::fs::create_dir(world.path("conf.d")).unwrap();
    std::fs::write(world.path("conf.d/50-more.toml"), user(&users[1], "")).unwrap();
    world
        .wait("the drop-in is read", |status| {
            state(status, &users[1]).is_some()
        })
        .await;
    // A hundred saves, in place, the last of which counts.
    for n in 0..100 {
        let more = if n == 99 {
            user(&users[2], "")
        } else {
            format!("# {n}\n")
        };
        std::fs::write(
            world.path("nuncio.toml"),
            config(&world, &(user(&users[0], "") + &more)),
        )
        .unwrap();
    }
    world
        .wait("the last one is in force", |status| {
            state(status, &users[2]).is_some() && status["config"]["stale"] == false
        })
        .await;
    // SIGHUP does the same.
    std::fs::remove_file(world.path("conf.d/50-more.toml")).unwrap();
    world.signal("HUP");
    world
        .wait("the drop-in is gone", |status| {
            state(status, &users[1]).is_none()
        })
        .await;
    // Removed and made again.
    let text = std::fs::read_to_string(world.path("nuncio.toml")).unwrap();
    std::fs::remove_file(world.path("nuncio.toml")).unwrap();
    world
        .wait("its loss is told", |status| {
            status["config"]["last_reload"]["ok"] == false
        })
        .await;
    assert!(state(&world.status().unwrap(), &users[2]).is_some());
    std::fs::write(world.path("nuncio.toml"), text).unwrap();
    world
        .wait("it is back", |status| {
            status["config"]["last_reload"]["ok"] == true
        })
        .await;
}

/// A reload in the middle of a walk, with a kill right after it.
#[tokio::test(flavor = "multi_thread")]
async fn reloads_and_kills_amid_a_walk_lose_nothing() {
    let mut world = World::start_with(|options| {
        (options.users, options.messages, options.seed) = (3, 600, 79);
        options.latency = Duration::from_millis(5);
    })
    .await;
    let users = world.users();
    for round in 0..6 {
        let drafts = if round % 2 == 0 {
            "include_drafts = true\n"
        } else {
            ""
        };
        let all: String = users.iter().map(|email| user(email, "")).collect();
        let text = config(&world, &all).replace("[sync]\n", &format!("[sync]\n{drafts}"));
        if round == 0 {
            replace(&world, &text);
            world.start_daemon();
        }
        world
            .wait("something is read", |status| {
                status["sinks"][1]["delivered"].as_u64() > Some(round * 20)
            })
            .await;
        replace(&world, &text);
        let (code, done) = reload(&world);
        assert_eq!(code, 0, "{done}");
        if round % 3 == 2 {
            world.kill_daemon();
            world.start_daemon();
        }
    }
    world.wait_settled().await;
}
