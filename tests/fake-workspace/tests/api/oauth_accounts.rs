//! The life of accounts as delegation, Gmail and the Directory show it, and the slow spread of delegation.

use crate::client::{DIRECTORY, FULL, Fake, READONLY, now_secs, text};
use serde_json::{Value, json};

const PROFILE: &str = "/gmail/v1/users/me/profile";

/// `error` and `error_description` of an attempt to act for `sub`; empty if it worked.
async fn refusal(fake: &Fake, sub: &str, scope: &str) -> (String, String) {
    let answer = fake
        .exchange(&fake.assertion(&fake.claims(sub, scope)))
        .await;
    let body = answer.json();
    let word = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    (word("error"), word("error_description"))
}

fn words(error: &str, description: &str) -> (String, String) {
    (error.to_owned(), description.to_owned())
}

async fn status(fake: &Fake, token: &str) -> u16 {
    fake.send("GET", PROFILE, Some(token), "").await.status
}

async fn directory(fake: &Fake, path: &str) -> Value {
    let token = fake.token(&fake.server.admin_user(), DIRECTORY).await;
    let path = format!("/admin/directory/v1/users{path}");
    fake.send("GET", &path, Some(&token), "").await.json()
}

#[tokio::test]
async fn renamed_user_keeps_tokens_and_the_old_address_is_an_alias() {
    let fake = Fake::start().await;
    let user = fake.server.users()[1].clone();
    let token = fake.token(&user, READONLY).await;
    let before = directory(&fake, &format!("/{user}")).await;
    fake.admin(
        "user.rename",
        json!({ "user": user, "email": "new@example.com" }),
    );
    let profile = fake.send("GET", PROFILE, Some(&token), "").await.json();
    assert_eq!(profile["emailAddress"], "new@example.com");
    assert_eq!(
        refusal(&fake, &user, READONLY).await,
        words(
            "invalid_request",
            "Invalid impersonation prn email address."
        )
    );
    assert_eq!(
        refusal(&fake, "new@example.com", READONLY).await,
        words("", "")
    );
    let after = directory(&fake, &format!("/{user}")).await;
    assert_eq!(after["id"], before["id"]);
    assert_ne!(after["etag"], before["etag"]);
    assert_eq!(after["primaryEmail"], "new@example.com");
    assert!(
        after["aliases"]
            .as_array()
            .expect("a list")
            .contains(&json!(user))
    );
    // And back again: the alias becomes the address.
    let back = fake.admin(
        "user.rename",
        json!({ "user": "new@example.com", "email": user }),
    );
    assert_eq!(back["email"], user);
    assert_eq!(refusal(&fake, &user, READONLY).await, words("", ""));
    for (name, email) in [
        ("taken", fake.server.users()[2].as_str()),
        ("no address", "x"),
    ] {
        let input = json!({ "user": user, "email": email });
        assert!(fake.server.admin("user.rename", &input).is_err(), "{name}");
    }
}

#[tokio::test]
async fn deleted_user_is_gone_until_brought_back() {
    let fake = Fake::start().await;
    let user = fake.server.users()[1].clone();
    let token = fake.token(&user, READONLY).await;
    fake.admin("user.delete", json!({ "user": user }));
    assert_eq!(status(&fake, &token).await, 401);
    assert_eq!(
        refusal(&fake, &user, READONLY).await,
        words("invalid_grant", "Invalid email or User ID")
    );
    assert!(!fake.server.users().contains(&user));
    let found = directory(&fake, &format!("/{user}")).await;
    assert_eq!(found["error"]["code"], 404);
    let listed = directory(&fake, "?customer=my_customer").await;
    assert!(!listed.to_string().contains(&user));
    let deleted = directory(&fake, "?customer=my_customer&showDeleted=true").await;
    assert_eq!(deleted["users"][0]["primaryEmail"], user);
    assert!(deleted["users"][0]["deletionTime"].is_string());
    fake.admin("user.undelete", json!({ "user": user }));
    assert_eq!(refusal(&fake, &user, READONLY).await, words("", ""));
    let input = json!({ "user": user });
    assert!(fake.server.admin("user.undelete", &input).is_err());
}

#[tokio::test]
async fn recreated_user_is_another_account_with_an_empty_mailbox() {
    let fake = Fake::start().await;
    let user = fake.server.users()[1].clone();
    let token = fake.token(&user, FULL).await;
    let before = directory(&fake, &format!("/{user}")).await;
    fake.admin("user.recreate", json!({ "user": user }));
    assert_eq!(status(&fake, &token).await, 401);
    let after = directory(&fake, &format!("/{user}")).await;
    assert_ne!(after["id"], before["id"]);
    assert_eq!(after["primaryEmail"], user);
    let mailbox = fake.mailbox(1).await;
    let profile = mailbox.json("profile").await;
    assert_eq!(profile["messagesTotal"], 0);
    let answer = mailbox.json("messages").await;
    assert_eq!(answer, json!({ "resultSizeEstimate": 0 }));
    // It works like any other.
    mailbox
        .insert("Subject: first\r\n\r\nhello\r\n", &["INBOX"])
        .await;
    assert_eq!(mailbox.list("").await.len(), 1);
}

#[tokio::test]
async fn suspended_and_archived_users_list_but_give_no_mail() {
    let fake = Fake::start().await;
    let user = fake.server.users()[1].clone();
    let mailbox = fake.mailbox(1).await;
    let id = mailbox.list("maxResults=1").await[0].clone();
    let path = format!("messages/{id}");
    for operation in ["user.suspend", "user.archive"] {
        fake.admin(operation, json!({ "user": user }));
        assert_eq!(mailbox.get(&path).await.status, 403, "{operation}");
        assert_eq!(mailbox.get("messages").await.status, 200);
        assert_eq!(refusal(&fake, &user, READONLY).await, words("", ""));
        let shown = directory(&fake, &format!("/{user}")).await;
        assert_eq!(shown["suspended"], operation == "user.suspend");
        assert_eq!(shown["archived"], operation == "user.archive");
        fake.admin("user.restore", json!({ "user": user }));
        assert_eq!(mailbox.get(&path).await.status, 200);
    }
    fake.admin("user.restrict", json!({ "user": user, "restricted": true }));
    assert_eq!(
        refusal(&fake, &user, READONLY).await,
        words("access_denied", "Account restricted")
    );
}

#[tokio::test]
async fn aliases_come_and_go_and_belong_to_one_user() {
    let fake = Fake::start().await;
    let user = fake.server.users()[1].clone();
    let add = json!({ "user": user, "alias": "sales@example.com" });
    fake.admin("alias.add", add.clone());
    assert!(fake.server.admin("alias.add", &add).is_err(), "taken");
    let other = json!({ "user": fake.server.users()[2], "alias": "SALES@example.com" });
    assert!(fake.server.admin("alias.add", &other).is_err(), "taken");
    let shown = directory(&fake, "/sales@example.com").await;
    assert_eq!(shown["primaryEmail"], user);
    assert_eq!(
        refusal(&fake, "sales@example.com", READONLY).await,
        words(
            "invalid_request",
            "Invalid impersonation prn email address."
        )
    );
    fake.admin("alias.remove", add.clone());
    assert!(fake.server.admin("alias.remove", &add).is_err());
    assert_eq!(
        refusal(&fake, "sales@example.com", READONLY).await,
        words("invalid_grant", "Invalid email or User ID")
    );
}

/// During the roll-out some users work and others do not; each changes once and for good.
#[tokio::test]
async fn delegation_spreads_user_by_user() {
    let fake = Fake::with(|options| options.users = 30).await;
    let users = fake.server.users();
    let working = async |skew: i64| {
        fake.admin("clock.skew", json!({ "seconds": skew }));
        let mut working = Vec::new();
        for user in &users {
            let mut claims = fake.claims(user, READONLY);
            let now = now_secs() + skew;
            (claims["iat"], claims["exp"]) = (json!(now), json!(now + 3600));
            let answer = fake.exchange(&fake.assertion(&claims)).await;
            if answer.status == 200 {
                working.push(user.clone());
            } else {
                assert_eq!(answer.json()["error"], "unauthorized_client");
            }
        }
        working
    };
    let slow = json!({ "scope": READONLY, "within_seconds": 36_000 });
    fake.admin("delegation.revoke", slow.clone());
    let early = working(6_000).await;
    let late = working(24_000).await;
    assert!(
        early.len() < users.len() && !late.is_empty(),
        "{early:?} {late:?}"
    );
    assert!(late.len() < early.len());
    assert!(late.iter().all(|user| early.contains(user)));
    assert_eq!(working(36_001).await.len(), 0);
    fake.admin("delegation.grant", slow);
    let partly = working(36_001 + 18_000).await.len();
    assert!((1..users.len()).contains(&partly), "{partly}");
    assert_eq!(working(72_010).await.len(), users.len());
    // Without a length a change is there at once.
    fake.admin("delegation.revoke", json!({ "scope": READONLY }));
    assert_eq!(working(72_010).await.len(), 0);
}

#[tokio::test]
async fn policy_and_disabled_clients_refuse_the_service_account_too() {
    let fake = Fake::start().await;
    let user = fake.server.users()[1].clone();
    fake.admin("oauth.policy", json!({ "blocked": [READONLY] }));
    assert_eq!(
        refusal(&fake, &user, READONLY).await.0,
        "admin_policy_enforced"
    );
    assert_eq!(refusal(&fake, &user, FULL).await.0, "");
    fake.admin("oauth.policy", json!({ "blocked": [] }));
    for (state, error) in [
        ("disabled", "disabled_client"),
        ("deleted", "deleted_client"),
        ("org_internal", "org_internal"),
        ("ok", ""),
    ] {
        let input = json!({ "client": "service_account", "state": state });
        fake.admin("oauth.client", input);
        assert_eq!(refusal(&fake, &user, READONLY).await.0, error);
    }
}

/// What a new account at an old address finds, and what is left for others.
#[tokio::test]
async fn recreated_user_has_no_events_and_no_files() {
    let fake = Fake::with(|options| (options.files, options.events) = (120, 60)).await;
    let user = fake.server.users()[1].clone();
    let start = "2026-12-01T10:00:00Z";
    let event =
        json!({ "summary": "x", "start": { "dateTime": start }, "end": { "dateTime": start } });
    fake.admin("calendar.insert", json!({ "user": user, "event": event }));
    let kept = fake.admin(
        "drive.create",
        json!({ "user": fake.server.admin_user(), "name": "shared" }),
    );
    fake.admin(
        "drive.share",
        json!({ "user": fake.server.admin_user(), "id": kept["id"], "email": user, "role": "writer" }),
    );
    let drive = "https://www.googleapis.com/auth/drive";
    fake.admin("delegation.grant", json!({ "scope": drive }));
    let everything = format!("https://www.googleapis.com/auth/calendar {drive}");
    let get = async |path: &str| {
        let token = fake.token(&user, &everything).await;
        fake.send("GET", path, Some(&token), "").await
    };
    let events = "/calendar/v3/calendars/primary/events?maxResults=2500";
    let files = "/drive/v3/files?pageSize=1000&corpora=user";
    let before = get(events).await.json();
    let next = text(&before["nextSyncToken"]);
    let changes = get("/drive/v3/changes/startPageToken").await.json();
    let changes = text(&changes["startPageToken"]);
    assert!(
        before["items"]
            .as_array()
            .is_some_and(|items| items.len() > 3)
    );
    assert!(
        !get(files).await.json()["files"]
            .as_array()
            .is_some_and(Vec::is_empty)
    );

    fake.admin("user.recreate", json!({ "user": user }));

    assert_eq!(get(events).await.json()["items"], json!([]));
    assert_eq!(get(files).await.json()["files"], json!([]));
    let stale = format!("{events}&syncToken={next}");
    assert_eq!(get(&stale).await.status, 410);
    let stale = format!("/drive/v3/changes?pageToken={changes}");
    assert_eq!(get(&stale).await.status, 400);
    let lists = get("/calendar/v3/users/me/calendarList").await.json();
    let lists = lists["items"].as_array().cloned().unwrap_or_default();
    assert_eq!(lists.len(), 2, "{lists:?}");
    // The account works: it can write, and the owner of what was shared still has it.
    fake.admin("calendar.insert", json!({ "user": user, "event": event }));
    fake.admin("drive.create", json!({ "user": user, "name": "new" }));
    assert_eq!(get(files).await.json()["files"][0]["name"], "new");
    let truth = fake.admin(
        "truth",
        json!({ "user": fake.server.admin_user(), "source": "drive" }),
    );
    let files = truth["files"].as_array().cloned().unwrap_or_default();
    let shared = files.iter().find(|file| file["id"] == kept["id"]);
    assert_eq!(shared.map(|file| &file["shared"]), Some(&json!(false)));
}

/// Calendars and files follow the account to its new address.
#[tokio::test]
async fn renamed_user_keeps_events_and_files() {
    let fake = Fake::with(|options| (options.files, options.events) = (120, 60)).await;
    let user = fake.server.users()[1].clone();
    let count = |user: &str| {
        let calendars = fake.admin("truth", json!({ "user": user, "source": "calendar" }));
        let drive = fake.admin("truth", json!({ "user": user, "source": "drive" }));
        let events = calendars["calendars"].as_array().and_then(|calendars| {
            let mut primary = calendars.iter().filter(|own| own["primary"] == true);
            let primary = primary.next()?;
            Some((text(&primary["id"]), primary["events"].as_array()?.len()))
        });
        (
            events.unwrap_or_default(),
            drive["files"].as_array().map(Vec::len),
        )
    };
    let before = count(&user);
    fake.admin(
        "user.rename",
        json!({ "user": user, "email": "new@example.com" }),
    );
    let after = count("new@example.com");
    assert_eq!(
        (before.0.0.as_str(), before.0.1),
        (user.as_str(), after.0.1)
    );
    assert_eq!(after.0.0, "new@example.com");
    assert!(before.0.1 > 0 && before.1 == after.1);
}

#[tokio::test]
async fn bad_input_of_the_control_port_is_refused() {
    let fake = Fake::start().await;
    let user = text(&json!(fake.server.users()[1]));
    for (operation, input) in [
        ("user.rename", json!({ "user": user })),
        ("user.suspend", json!({ "user": "nobody@example.com" })),
        ("user.mailbox", json!({ "user": user })),
        ("user.undelete", json!({ "user": user })),
        ("truth", json!({ "user": user, "source": "x" })),
        ("churn", json!({ "user": user, "source": 1 })),
        ("alias.add", json!({ "user": user, "alias": "@" })),
        ("clock.skew", json!({})),
        ("clock.skew", json!({ "seconds": 1e300 })),
        ("key.rotate", json!({ "grace_seconds": -1 })),
        ("key.delete", json!({ "key_id": "x" })),
        ("oauth.client", json!({ "state": "x" })),
        ("oauth.consent", json!({ "mode": "x" })),
        ("oauth.policy", json!({})),
        (
            "delegation.grant",
            json!({ "scope": "x", "within_seconds": "y" }),
        ),
        ("quota.on", json!({ "api": "x" })),
        ("quota.set", json!({ "nonsense": 1 })),
        ("quota.set", json!({ "limit": "user_minute" })),
        ("quota.set", json!({ "time_scale": 0 })),
        (
            "quota.spend",
            json!({ "api": "gmail", "limit": "x", "units": 1 }),
        ),
        ("quota.shut", json!({ "user": user })),
    ] {
        let error = fake.server.admin(operation, &input);
        assert!(error.is_err(), "{operation} {input}");
    }
}
