//! Drafts: an id that stays, a message that is replaced, and what becomes of it when it is sent.

use crate::client::{Fake, Mailbox, decode, encode, text};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use serde_json::{Value, json};

fn message(raw: &str) -> Value {
    json!({ "message": { "raw": URL_SAFE.encode(raw) } })
}

async fn create(mailbox: &Mailbox<'_>, raw: &str) -> Value {
    let answer = mailbox.post("drafts", &message(raw)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

async fn update(mailbox: &Mailbox<'_>, id: &str, body: &Value) -> Value {
    let answer = mailbox
        .call("PUT", &format!("drafts/{id}"), &body.to_string())
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

#[tokio::test]
async fn each_edit_makes_a_new_message_and_keeps_the_draft() {
    let fake = Fake::start().await;
    let mailbox = fake.mailbox(0).await;
    let created = create(&mailbox, "Subject: plan\r\n\r\none\r\n").await;
    let id = text(&created["id"]);
    let (old, thread) = (
        text(&created["message"]["id"]),
        text(&created["message"]["threadId"]),
    );
    assert_eq!(created["message"]["labelIds"], json!(["DRAFT"]));
    let start = mailbox.history_id().await;

    let updated = update(&mailbox, &id, &message("Subject: Re: plan\r\n\r\ntwo\r\n")).await;
    let new = text(&updated["message"]["id"]);
    assert_eq!(updated["id"], id);
    assert_ne!(new, old);
    assert_eq!(
        updated["message"]["threadId"], thread,
        "the subject is the same"
    );
    assert_eq!(mailbox.get(&format!("messages/{old}")).await.status, 404);
    let raw = mailbox.json(&format!("drafts/{id}?format=raw")).await;
    assert_eq!(
        decode(&text(&raw["message"]["raw"])),
        b"Subject: Re: plan\r\n\r\ntwo\r\n"
    );
    assert_eq!(
        mailbox.json(&format!("drafts/{id}")).await["message"]["payload"],
        mailbox.json(&format!("messages/{new}")).await["payload"]
    );
    let history = mailbox
        .json(&format!(
            "history?startHistoryId={start}&historyTypes=messageAdded&historyTypes=messageDeleted"
        ))
        .await;
    assert_eq!(
        history["history"][0]["messagesDeleted"][0]["message"]["id"],
        old
    );
    assert_eq!(
        history["history"][0]["messagesDeleted"][0]["message"]["labelIds"],
        json!(["DRAFT"])
    );
    assert_eq!(
        history["history"][1]["messagesAdded"][0]["message"]["id"],
        new
    );

    let other = update(&mailbox, &id, &message("Subject: other\r\n\r\nthree\r\n")).await;
    assert_ne!(
        other["message"]["threadId"], thread,
        "another subject, another thread"
    );
}

#[tokio::test]
async fn drafts_are_listed_searched_and_deleted() {
    let fake = Fake::with(|options| options.messages = 600).await;
    let mailbox = fake.mailbox(0).await;
    create(&mailbox, "Subject: needle\r\n\r\nx\r\n").await;
    let listed = async |query: &str| {
        let mut found = Vec::new();
        let mut token = String::new();
        loop {
            let page = mailbox
                .json(&format!("drafts?maxResults=1{query}{token}"))
                .await;
            found.extend(page["drafts"].as_array().cloned().unwrap_or_default());
            match page["nextPageToken"].as_str() {
                Some(next) => token = format!("&pageToken={next}"),
                None => return found,
            }
        }
    };
    let drafts = listed("").await;
    let ids: Vec<String> = drafts.iter().map(|d| text(&d["message"]["id"])).collect();
    assert!(ids.len() > 1, "generated mailboxes have drafts");
    assert_eq!(
        ids,
        mailbox.list(&format!("q={}", encode("in:draft"))).await
    );
    let found = listed("&q=subject:needle").await;
    assert_eq!(found.len(), 1);
    let id = text(&found[0]["id"]);
    assert_eq!(
        mailbox
            .call("DELETE", &format!("drafts/{id}"), "")
            .await
            .status,
        204
    );
    assert_eq!(listed("").await.len(), drafts.len() - 1);
    // A draft that is deleted as a message is gone as a draft too.
    let message = text(&drafts[1]["message"]["id"]);
    mailbox
        .call("DELETE", &format!("messages/{message}"), "")
        .await;
    for (method, path, body, status) in [
        (
            "GET",
            format!("drafts/{}", text(&drafts[1]["id"])),
            json!({}),
            404,
        ),
        ("GET", format!("drafts/{id}"), json!({}), 404),
        ("DELETE", format!("drafts/{id}"), json!({}), 404),
        (
            "PUT",
            format!("drafts/{id}"),
            message_of("Subject: x\r\n\r\n"),
            404,
        ),
        ("POST", "drafts/send".to_owned(), json!({ "id": id }), 404),
        ("POST", "drafts/send".to_owned(), json!({}), 400),
        ("POST", "drafts".to_owned(), json!({}), 400),
        (
            "POST",
            "drafts".to_owned(),
            json!({ "message": { "raw": "***" } }),
            400,
        ),
        ("POST", "drafts".to_owned(), json!({ "message": [] }), 400),
        ("GET", "drafts/r9".to_owned(), json!({}), 404),
        ("GET", "drafts/%00".to_owned(), json!({}), 404),
    ] {
        let answer = mailbox.call(method, &path, &body.to_string()).await;
        assert_eq!(answer.status, status, "{method} {path} {}", answer.text);
        assert!(!answer.reason().is_empty());
    }
}

fn message_of(raw: &str) -> Value {
    message(raw)
}

#[tokio::test]
async fn sending_a_draft_ends_it_and_delivers_the_mail() {
    let fake = Fake::start().await;
    let (mailbox, other) = (fake.mailbox(0).await, fake.mailbox(1).await);
    let mail = format!("To: {}\r\nSubject: final\r\n\r\nx\r\n", other.address);
    let draft = create(&mailbox, &mail).await;
    let id = text(&draft["id"]);
    // Without a recipient it stays a draft.
    let bad = json!({ "id": id, "message": message("Subject: final\r\n\r\nx\r\n")["message"] });
    let refused = mailbox.post("drafts/send", &bad).await;
    assert_eq!(refused.status, 400);
    assert_eq!(
        refused.json()["error"]["message"],
        "Recipient address required"
    );
    assert_eq!(mailbox.get(&format!("drafts/{id}")).await.status, 200);

    let sent = mailbox
        .post("drafts/send", &json!({ "id": id }))
        .await
        .json();
    assert_eq!(sent["labelIds"], json!(["SENT"]));
    assert_ne!(sent["id"], draft["message"]["id"]);
    assert_eq!(sent["threadId"], draft["message"]["threadId"]);
    assert_eq!(mailbox.get(&format!("drafts/{id}")).await.status, 404);
    let received = other
        .list(&format!("q={}", encode("subject:final from:me")))
        .await;
    assert!(received.is_empty(), "the reader is not the author");
    assert_eq!(other.list("q=subject:final").await.len(), 1);

    // What comes along with the call is sent instead of what was saved.
    let draft = create(&mailbox, &mail).await;
    let last = mail.replace("final", "last");
    let body = json!({ "id": draft["id"], "message": message(&last)["message"] });
    assert_eq!(mailbox.post("drafts/send", &body).await.status, 200);
    assert_eq!(other.list("q=subject:last").await.len(), 1);
}
