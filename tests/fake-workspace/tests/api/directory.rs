//! Directory users.list and users.get.

use crate::client::{Answer, DIRECTORY, Fake, encode, text};
use serde_json::json;

async fn get(fake: &Fake, token: &str, path: &str) -> Answer {
    fake.send(
        "GET",
        &format!("/admin/directory/v1/users{path}"),
        Some(token),
        "",
    )
    .await
}

#[tokio::test]
async fn pages_hold_every_user_once() {
    let fake = Fake::with(|options| {
        options.users = 7;
        options.suspended = 2;
    })
    .await;
    let token = fake.token(&fake.server.admin_user(), DIRECTORY).await;
    let mut seen = Vec::new();
    let mut next = String::new();
    loop {
        let answer = get(
            &fake,
            &token,
            &format!("?customer=my_customer&maxResults=3{next}"),
        )
        .await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let page = answer.json();
        for user in page["users"].as_array().expect("a page has users") {
            seen.push(text(&user["primaryEmail"]));
        }
        match page["nextPageToken"].as_str() {
            Some(token) => next = format!("&pageToken={token}"),
            None => break,
        }
    }
    let mut expected = fake.server.users();
    expected.sort();
    assert_eq!(seen, expected);

    for (query, count) in [
        ("isSuspended=true", 2),
        ("isSuspended=false", 5),
        ("isAdmin=true", 1),
    ] {
        let path = format!("?domain=example.com&query={}", encode(query));
        let users = get(&fake, &token, &path).await.json()["users"].clone();
        assert_eq!(users.as_array().expect("users").len(), count, "{query}");
    }
}

#[tokio::test]
async fn user_is_found_by_address_alias_and_id() {
    let fake = Fake::with(|options| options.users = 6).await;
    let token = fake.token(&fake.server.admin_user(), DIRECTORY).await;
    let users = fake.admin("users", json!({}))["users"].clone();
    let user = users
        .as_array()
        .expect("users are a list")
        .iter()
        .find(|user| user["aliases"][0].is_string())
        .expect("somebody has an alias");
    for key in [&user["email"], &user["aliases"][0], &user["id"]] {
        let found = get(&fake, &token, &format!("/{}", encode(&text(key))))
            .await
            .json();
        assert_eq!(found["primaryEmail"], user["email"]);
        assert_eq!(found["aliases"], user["aliases"]);
        assert_eq!(found["isMailboxSetup"], true);
        assert_eq!(found["suspended"], false);
    }
    fake.admin("user.suspend", json!({ "user": user["email"] }));
    let found = get(&fake, &token, &format!("/{}", text(&user["id"])))
        .await
        .json();
    assert_eq!(
        (&found["suspended"], &found["suspensionReason"]),
        (&json!(true), &json!("ADMIN"))
    );

    let answer = get(&fake, &token, "/nobody@example.com").await;
    assert_eq!(answer.status, 404);
    assert_eq!(
        answer.json()["error"]["message"],
        "Resource Not Found: userKey"
    );
}

#[tokio::test]
async fn bad_questions_and_plain_members_are_refused() {
    let fake = Fake::start().await;
    let admin = fake.token(&fake.server.admin_user(), DIRECTORY).await;
    for path in [
        "",
        "?customer=my_customer&domain=example.com",
        "?customer=my_customer&maxResults=501",
        "?customer=my_customer&maxResults=0",
        "?customer=my_customer&pageToken=!!",
        "?customer=my_customer&query=nonsense",
        "?customer=my_customer&query=isSuspended%3Dmaybe",
    ] {
        let answer = get(&fake, &admin, path).await;
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (400, "invalid"),
            "{path}"
        );
        assert!(
            answer.json()["error"]["message"]
                .as_str()
                .expect("text")
                .starts_with("Invalid Input")
        );
    }
    let member = fake.token(&fake.server.users()[1], DIRECTORY).await;
    let answer = get(&fake, &member, "?customer=my_customer").await;
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (403, "forbidden")
    );
    assert_eq!(
        answer.json()["error"]["message"],
        "Not Authorized to access this resource/api"
    );
}
