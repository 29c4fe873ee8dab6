//! What Google is shown: the service account's key, which may be rotated while nuncio runs; users'
//! own consents; and the way from one to the other without losing or repeating anything.

use nuncio_tests::{World, foreign_key, is_idle};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const CONNECT: &str = "gmail.users.labels.list";

/// Puts a file in the place of another, as those who rotate keys should.
fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::rename(new, path).unwrap();
}

/// A config in which users consent, with `google` as further lines of its section.
fn per_user(world: &World, google: &str, users: &[String]) -> String {
    let google = format!(
        "{google}\n[google.per_user]\nclient = \"file:{}\"",
        world.workspace.client_path().display()
    );
    let mut text = world.config_without_users(&google);
    for user in users {
        text.push_str(&format!("[[users]]\nemail = \"{user}\"\n"));
    }
    for sink in ["archive", "jsonl"] {
        text.push_str(&world.sink_lines(sink));
    }
    text
}

fn save(world: &World, text: &str) {
    let new = world.path(".nuncio.toml.new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, world.path("nuncio.toml")).unwrap();
}

fn credentials(status: &Value) -> &Value {
    &status["config"]["credentials"]
}

/// The first feed of a user in `status`.
fn feed<'a>(world: &World, status: &'a Value, user: &str) -> &'a Value {
    &world.shown_user(status, user)["accounts"][0]["feeds"][0]
}

/// Whose word opens a user's account.
fn granted_by<'a>(world: &World, status: &'a Value, user: &str) -> Option<&'a str> {
    world.shown_user(status, user)["accounts"][0]["granted_by"].as_str()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_key_is_tried_taken_up_and_otherwise_refused() {
    let mut world = World::start(2, 20, 91).await;
    let users = world.users();
    let key = world.path("key.json");
    let first = std::fs::read_to_string(world.workspace.key_path()).unwrap();
    replace(&key, &first);
    world.configure();
    let named = world.workspace.key_path().display().to_string();
    world.change_config(&named, &key.display().to_string());
    world.start_daemon();
    let status = world.wait("all is live", is_idle).await;
    let first_id = credentials(&status)["key_id"].as_str().unwrap().to_owned();
    assert!(first.contains(&first_id));
    world.forget_calls();

    // A key of somebody else, a damaged file, an open one: each is told, and the old key goes on.
    let stranger = foreign_key(&world.path("stranger"));
    let mut stranger: Value = serde_json::from_str(&stranger).unwrap();
    stranger["token_uri"] = json!("https://oauth2.googleapis.com/token");
    let stranger = stranger.to_string();
    for (text, code) in [(stranger.as_str(), "AUTH018"), ("{", "AUTH001")] {
        replace(&key, text);
        world
            .wait(code, |status| {
                status["config"]["last_reload"]["ok"] == false && world.log().contains(code)
            })
            .await;
        let (exit, _, said) = world.run(&["reload", "--wait"]);
        assert_eq!(exit, 78, "{said}");
        assert!(said.contains(code), "{said}");
    }
    world.insert(&users[0], "by-the-old-key");
    world.wait_settled().await;

    // A new one of the same account, and the old one is deleted at Google.
    let rotated = world.google("key.rotate", &json!({ "grace_seconds": 0 }));
    let new = std::fs::read_to_string(rotated["key"].as_str().unwrap()).unwrap();
    let (_, planned, _) = world.run(&["plan", "--json"]);
    assert!(planned.contains("AUTH001"), "{planned}");
    replace(&key, &new);
    let status = world
        .wait("the new key is in force", |status| {
            credentials(status)["key_id"] == rotated["key_id"]
                && status["config"]["last_reload"]["ok"] == true
        })
        .await;
    assert!(credentials(&status)["key_changed_at"].is_string());
    world.google("tokens.expire", &json!({}));
    world.insert(&users[1], "by-the-new-key");
    world.wait_settled().await;
    for user in &users {
        assert_eq!(world.calls(user, CONNECT), 0, "{user} never connected anew");
    }
    assert!(world.log().contains("Google is shown other credentials"));
    assert!(!world.log().contains("PRIVATE KEY"));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_behind_links_and_open_to_others_are_refused() {
    let world = World::start(1, 1, 92).await;
    let key = std::fs::read_to_string(world.workspace.key_path()).unwrap();
    let named = world.workspace.key_path().display().to_string();
    let (real, link) = (world.path("real.json"), world.path("link.json"));
    replace(&real, &key);
    std::os::unix::fs::symlink(&real, &link).unwrap();
    world.configure();
    world.change_config(&named, &link.display().to_string());
    let (code, _, said) = world.run(&["check"]);
    assert_eq!(code, 78);
    assert!(
        said.contains("CFG054") && said.contains("symbolic link"),
        "{said}"
    );
    world.change_config("link.json", "real.json");
    let (code, _, said) = world.run(&["check"]);
    assert_eq!(code, 0, "{said}");
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o644)).unwrap();
    let (code, _, said) = world.run(&["check"]);
    assert_eq!(code, 78);
    assert!(said.contains("CFG051") && said.contains("chmod"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn users_log_in_one_by_one_and_a_revoked_one_stops_nobody() {
    let mut world = World::start(3, 30, 93).await;
    let users = world.users();
    let [ana, bob, cid] = [&users[0], &users[1], &users[2]];
    save(&world, &per_user(&world, "mode = \"per_user\"", &users));
    world.start_daemon();
    let disabled = |status: &Value, user: &str, code: &str| {
        let feed = feed(&world, status, user);
        feed["state"] == "disabled" && feed["error"]["code"] == code
    };
    let status = world
        .wait("nobody has logged in", |status| {
            users.iter().all(|user| disabled(status, user, "AUTH029"))
        })
        .await;
    let hint = feed(&world, &status, ana)["error"]["hint"]
        .as_str()
        .unwrap();
    assert_eq!(hint, format!("nuncio login {ana}"));

    // One by a browser here, one by pasting; both are read at once.
    world.google("oauth.consent", &json!({ "mode": "auto" }));
    let browser = world.login(ana, false);
    assert_eq!(browser.code, 0, "{browser:?}");
    assert!(browser.out.contains(ana.as_str()), "{browser:?}");
    let pasted = world.login(bob, true);
    assert_eq!(pasted.code, 0, "{pasted:?}");
    let status = world
        .wait("two are read", |status| {
            [ana, bob]
                .iter()
                .all(|user| feed(&world, status, user)["state"] == "live")
                && [ana, bob]
                    .iter()
                    .all(|user| world.holds_all_mail(user, user))
        })
        .await;
    assert_eq!(granted_by(&world, &status, ana), Some("consent"));
    assert!(disabled(&status, cid, "AUTH029"), "{status:#}");

    // A no, and somebody else's yes: nothing is kept.
    world.google("oauth.consent", &json!({ "mode": "deny" }));
    let denied = world.login(cid, false);
    assert_eq!(denied.code, 1, "{denied:?}");
    assert!(denied.said.contains("access_denied"), "{denied:?}");
    world.google("oauth.consent", &json!({ "mode": "page" }));
    let other = world.login_as(cid, ana);
    assert_eq!(other.code, 1, "{other:?}");
    assert!(other.said.contains("AUTH032"), "{other:?}");
    let (code, _, said) = world.run(&["login", "nobody@example.org"]);
    assert_eq!(code, 1);
    assert!(said.contains("no user of the config"), "{said}");
    assert!(disabled(&world.status().unwrap(), cid, "AUTH029"));

    // The consent is taken back: that user stands still with the remedy, the others go on.
    world.google("user.revoke", &json!({ "user": ana }));
    let status = world
        .wait("ana stands still", |status| {
            disabled(status, ana, "AUTH028")
        })
        .await;
    let hint = feed(&world, &status, ana)["error"]["hint"]
        .as_str()
        .unwrap();
    assert!(hint.ends_with(&format!("nuncio login {ana}")), "{hint}");
    world.insert(bob, "bob-goes-on");
    world.insert(ana, "missed-by-nobody");
    world
        .wait("bob goes on", |_| world.holds_all_mail(bob, bob))
        .await;
    world.google("oauth.consent", &json!({ "mode": "auto" }));
    assert_eq!(world.login(ana, false).code, 0);
    world
        .wait("ana goes on where it stood", |_| {
            world.holds_all_mail(ana, ana)
        })
        .await;

    // The address goes to another account; the consent still opens the old one, which must not be
    // taken for it.
    let (_, domain) = bob.split_once('@').unwrap();
    let renamed = format!("renamed@{domain}");
    world.google("user.rename", &json!({ "user": bob, "email": renamed }));
    world.google("tokens.expire", &json!({ "user": renamed }));
    world
        .wait("bob is another one", |status| {
            disabled(status, bob, "AUTH032")
        })
        .await;
    let folder = world.path("state/consents");
    let mode = std::fs::metadata(&folder).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    assert!(!world.log().contains("1//0"), "no refresh token in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_goes_over_to_the_delegation_and_back_amid_changes() {
    let mut world = World::start(20, 200, 94).await;
    let users = world.users();
    let uncovered = &users[..3];
    world.google("oauth.consent", &json!({ "mode": "auto" }));
    save(&world, &per_user(&world, "mode = \"per_user\"", &users));
    for user in &users {
        let login = world.login(user, false);
        assert_eq!(login.code, 0, "{login:?}");
    }
    world.start_daemon();
    world.wait_settled().await;
    for user in uncovered {
        world.google("delegation.revoke", &json!({ "user": user }));
    }
    world.forget_calls();
    let churn = |round: &str| {
        for (n, user) in users.iter().enumerate() {
            let id = world.insert(user, &format!("{round} {n}"));
            let ids = world.ids(user);
            let old = &ids[ids.len() - 1];
            match n % 3 {
                0 => world.relabel(user, &id, &["STARRED"], &[]),
                1 => world.relabel(user, old, &["IMPORTANT"], &[]),
                _ => world.delete(user, old),
            }
        }
    };

    // Without the fallback nothing is found wrong with most, since the first that is tried settles
    // it only if it is good: here the first three are the uncovered ones, so it is held.
    let delegated = per_user(&world, "", &users);
    save(&world, &delegated);
    let status = world
        .wait("it is held", |status| status["config"]["held"] == true)
        .await;
    let why = status["config"]["last_reload"]["error"].as_str().unwrap();
    assert!(why.contains("opened none of the users"), "{why}");

    churn("before");
    let with_fallback = per_user(&world, "fallback = \"per_user\"", &users);
    save(&world, &with_fallback);
    churn("amid");
    let status = world
        .wait("the delegation is in force", |status| {
            credentials(status)["mode"] == "service_account"
                && uncovered
                    .iter()
                    .all(|user| granted_by(&world, status, user) == Some("consent"))
        })
        .await;
    churn("after");
    world.wait_settled().await;
    let shown = world.shown_user(&status, &uncovered[0]);
    let why = &shown["accounts"][0]["not_delegated"];
    assert_eq!(why["code"], "AUTH010", "{shown:#}");
    assert_eq!(granted_by(&world, &status, &users[5]), Some("delegation"));
    let (_, text, _) = world.run(&["status"]);
    assert!(text.contains("read by the user's own consent"), "{text}");

    // The delegation reaches them.
    for user in uncovered {
        world.google("delegation.grant", &json!({ "user": user }));
        let (code, _, said) = world.run(&["user", "start", user]);
        assert_eq!(code, 0, "{said}");
    }
    world.google("tokens.expire", &json!({}));
    churn("covered");
    world
        .wait("all are covered", |status| {
            users
                .iter()
                .all(|user| granted_by(&world, status, user) == Some("delegation"))
        })
        .await;

    // And back.
    save(&world, &per_user(&world, "mode = \"per_user\"", &users));
    churn("back");
    world
        .wait("consents are in force", |status| {
            credentials(status)["mode"] == "per_user"
        })
        .await;
    churn("at the end");
    world.wait_settled().await;
    for user in &users {
        assert_eq!(world.calls(user, CONNECT), 0, "{user} never connected anew");
        let told = world.lines(user).into_iter();
        let mut revisions: Vec<u64> = told.filter_map(|line| line["revision"].as_u64()).collect();
        let n_told = revisions.len();
        revisions.sort_unstable();
        revisions.dedup();
        assert_eq!(revisions.len(), n_told, "{user} was told something twice");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_google_signs_for_the_workload() {
    let mut world = World::start(2, 20, 95).await;
    let key: Value =
        serde_json::from_slice(&std::fs::read(world.workspace.key_path()).unwrap()).unwrap();
    world.configure();
    let named = format!(
        "service_account_key = \"file:{}\"",
        world.workspace.key_path().display()
    );
    world.change_config(&named, "");
    world.change_config(
        "[sync]",
        &format!(
            "[google.keyless]\nservice_account = {}\n[sync]",
            key["client_email"]
        ),
    );
    world.google("iam.revoke", &json!({}));
    world.start_daemon();
    let users = world.users();
    world
        .wait("Google does not sign", |status| {
            users
                .iter()
                .all(|user| feed(&world, status, user)["error"]["code"] == "AUTH034")
        })
        .await;
    world.google("iam.grant", &json!({}));
    for user in &users {
        world.run(&["user", "start", user]);
    }
    let status = world.wait_settled().await;
    assert_eq!(credentials(&status)["key_id"], Value::Null);
    assert_eq!(credentials(&status)["service_account"], key["client_email"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn budgets_change_while_it_runs() {
    let mut world = World::start(1, 20, 96).await;
    world.configure();
    world.change_config("quota = \"off\"", "quota = \"2026-05\"");
    world.start_daemon();
    world.wait_settled().await;
    let of = |status: &Value, scope: &str| {
        let quota = status["quota"].as_array().unwrap().clone();
        let mut gmail = quota
            .into_iter()
            .filter(|one| one["api"] == "gmail" && one["scope"] == scope);
        gmail.next().unwrap_or_default()
    };
    let before = of(&world.status().unwrap(), "project_day");
    world.change_config(
        "[sync]",
        "[google.quota_override]\ngmail_project_day = 12345678\n[sync]",
    );
    let status = world
        .wait("the new budget is in force", |status| {
            of(status, "project_day")["limit"] == 12_345_678
        })
        .await;
    assert!(
        of(&status, "project_day")["used"].as_u64() >= before["used"].as_u64(),
        "what was spent of the day stays spent"
    );
    let user = world.users()[0].clone();
    world.insert(&user, "within-the-new-budget");
    world.wait_settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_user_stays_stopped_and_misses_nothing() {
    let mut world = World::start(2, 20, 97).await;
    world.configure();
    let users = world.users();
    let [ana, bob] = [&users[0], &users[1]];
    world.start_daemon();
    world.wait_settled().await;
    let (code, _, said) = world.run(&["user", "stop", ana, "--why", "on leave"]);
    assert_eq!(code, 0, "{said}");
    let status = world.status().unwrap();
    let shown = world.shown_user(&status, ana);
    assert_eq!(shown["state"], "stopped");
    assert_eq!(shown["stopped"]["why"], "on leave");
    world.kill_daemon();
    world.start_daemon();
    let n_told = world.lines(ana).len();
    world.insert(ana, "while-stopped");
    world.insert(bob, "goes-on");
    world
        .wait("bob goes on", |_| world.holds_all_mail(bob, bob))
        .await;
    let status = world.status().unwrap();
    assert_eq!(world.shown_user(&status, ana)["state"], "stopped");
    assert_eq!(world.lines(ana).len(), n_told);
    let (code, planned, _) = world.run(&["plan"]);
    assert_eq!(code, 0, "{planned}");
    assert!(
        planned.contains(&format!("= user {ana} stays stopped, by"))
            && planned.contains("on leave"),
        "{planned}"
    );
    for command in [["user", "resync"], ["user", "verify"]] {
        let (code, _, said) = world.run(&[command[0], command[1], ana]);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("user start"), "{said}");
    }
    let (code, _, said) = world.run(&["user", "stop", "nobody@example.org"]);
    assert_eq!(code, 1);
    assert!(said.contains("no user nobody@example.org"), "{said}");
    let (code, _, said) = world.run(&["user", "start", ana]);
    assert_eq!(code, 0, "{said}");
    world.wait_settled().await;
    assert_eq!(world.lines(ana).len(), n_told + 1, "one, and nothing twice");
    world.change_config(
        &format!("email = \"{bob}\"\n"),
        &format!("email = \"{bob}\"\nsync = false\n"),
    );
    world
        .wait("bob is off", |status| {
            world.shown_user(status, bob)["state"] == "off"
        })
        .await;
    let (code, _, said) = world.run(&["user", "start", bob]);
    assert_eq!(code, 1);
    assert!(said.contains("sync = false"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_says_who_would_fail_and_why_before_anything_runs() {
    let world = World::start(4, 10, 98).await;
    let users = world.users();
    world.configure();
    world.change_config("sources = [\"gmail\"]", "sources = [\"gmail\", \"drive\"]");
    let doctor = |more: &[&str]| {
        let (code, out, said) = world.run(&[&["check", "--online"], more].concat());
        (code, out, said)
    };
    let (code, out, said) = doctor(&[]);
    assert_eq!(code, 0, "{out}{said}");
    assert_eq!(out, "PASS  gmail  4 accounts\nPASS  drive  4 accounts\n");

    world.google("user.suspend", &json!({ "user": users[1] }));
    let drive = "https://www.googleapis.com/auth/drive.metadata.readonly";
    world.google("delegation.revoke", &json!({ "scope": drive }));
    let (code, out, said) = doctor(&[]);
    assert_eq!(code, 1, "{said}");
    assert!(out.contains("FAIL  gmail  1 of 4 accounts"), "{out}");
    assert!(out.contains("FAIL  drive  4 of 4 accounts"), "{out}");
    assert!(out.contains(&users[1]) && out.contains("AUTH010"), "{out}");
    let (code, out, _) = doctor(&["--json", "--user", &users[0]]);
    assert_eq!(code, 1);
    let told: Value = serde_json::from_str(&out).unwrap();
    let findings = told["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 2);
    assert_eq!(findings[0]["ok"], true);
    assert_eq!(findings[1]["error"]["code"], "AUTH010");

    // Another key, as before a rotation.
    world.google("delegation.grant", &json!({ "scope": drive }));
    let stranger = foreign_key(&world.path("stranger"));
    let mut stranger: Value = serde_json::from_str(&stranger).unwrap();
    stranger["token_uri"] = json!("https://oauth2.googleapis.com/token");
    let path = world.path("stranger.json");
    replace(&path, &stranger.to_string());
    let path = path.display().to_string();
    let (code, out, _) = doctor(&["--key", &path, "--user", &users[0]]);
    assert_eq!(code, 1);
    assert!(out.contains("AUTH018"), "{out}");
    let (code, _, said) = doctor(&["--user", "nobody@example.org"]);
    assert_eq!(code, 1);
    assert!(said.contains("ADM011"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn setup_tells_the_steps_with_the_values_of_this_config() {
    let world = World::start(1, 1, 99).await;
    world.configure();
    let key: Value =
        serde_json::from_slice(&std::fs::read(world.workspace.key_path()).unwrap()).unwrap();
    let client_id = key["client_id"].as_str().unwrap();
    let (code, out, said) = world.run(&["setup"]);
    assert_eq!(code, 0, "{said}");
    let scope = "https://www.googleapis.com/auth/gmail.readonly";
    let filled_in = format!("clientIdToAdd={client_id}&clientScopeToAdd={scope}\n");
    assert!(out.contains(&filled_in), "{out}");
    assert!(
        !out.contains("calendar"),
        "no more than the config uses: {out}"
    );
    let (_, out, _) = world.run(&["setup", "--json"]);
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(told["scopes"], json!([scope]));
    let (code, out, _) = world.run(&["setup", "--systemd"]);
    assert_eq!(code, 0);
    let folder = world.path("archive").display().to_string();
    assert!(out.contains(&format!("ReadWritePaths={folder}\n")), "{out}");
}
