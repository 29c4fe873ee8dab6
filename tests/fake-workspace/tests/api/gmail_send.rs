//! messages.send, sendAs and what reaches the others of the domain.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::client::{Fake, Mailbox, decode, encode, text};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use serde_json::{Value, json};

async fn send(mailbox: &Mailbox<'_>, mail: &str) -> Value {
    let answer = mailbox
        .post("messages/send", &json!({ "raw": URL_SAFE.encode(mail) }))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

async fn raw(mailbox: &Mailbox<'_>, id: &str) -> String {
    let message = mailbox.json(&format!("messages/{id}?format=raw")).await;
    String::from_utf8(decode(&text(&message["raw"]))).unwrap()
}

async fn header(mailbox: &Mailbox<'_>, id: &str, name: &str) -> Option<String> {
    let path = format!("messages/{id}?format=metadata&metadataHeaders={name}");
    let message = mailbox.json(&path).await;
    message["payload"]["headers"][0]["value"]
        .as_str()
        .map(str::to_owned)
}

#[tokio::test]
async fn mail_reaches_everybody_in_the_domain_and_keeps_bcc_to_itself() {
    let fake = Fake::with(|options| options.users = 5).await;
    let (own, to, hidden) = (
        fake.mailbox(1).await,
        fake.mailbox(2).await,
        fake.mailbox(3).await,
    );
    let (local, domain) = to.address.split_once('@').unwrap();
    let mail = format!(
        "From: {}\r\nTo: {local}+tag@{domain}, far@elsewhere.example\r\nBcc: {}\r\nSubject: hello-all\r\n\r\nBcc: body\r\n",
        own.address, hidden.address
    );
    let sent = send(&own, &mail).await;
    let id = text(&sent["id"]);
    assert_eq!(sent["labelIds"], json!(["SENT"]));
    assert_eq!(sent["threadId"], sent["id"]);
    assert!(raw(&own, &id).await.contains("\r\nBcc: "));
    let message_id = header(&own, &id, "Message-ID").await.unwrap();
    assert!(header(&own, &id, "Date").await.is_some());
    for reader in [&to, &hidden] {
        let found = reader
            .list(&format!(
                "q={}",
                encode("subject:hello-all is:unread in:inbox")
            ))
            .await;
        assert_eq!(found.len(), 1, "{}", reader.address);
        let text = raw(reader, &found[0]).await;
        assert!(text.starts_with(&format!("Delivered-To: {}\r\n", reader.address)));
        assert!(!text.contains("\r\nBcc: ") || text.contains("\r\n\r\nBcc: body"));
        assert!(!text.contains(&hidden.address) || reader.address == hidden.address);
        assert_eq!(
            header(reader, &found[0], "Message-ID").await.unwrap(),
            message_id
        );
    }
    assert_eq!(
        fake.mailbox(4).await.list("q=subject:hello-all").await,
        Vec::<String>::new()
    );
    // To oneself it is one message, sent and received.
    let mail = format!("To: {}\r\nSubject: note\r\n\r\nx\r\n", own.address);
    assert_eq!(
        send(&own, &mail).await["labelIds"],
        json!(["INBOX", "SENT", "UNREAD"])
    );
}

#[tokio::test]
async fn foreign_sender_is_replaced_without_a_word() {
    let fake = Fake::start().await;
    let own = fake.mailbox(0).await;
    for (email, status) in [
        ("sales@brand.example", "accepted"),
        ("boss@brand.example", "pending"),
    ] {
        fake.admin(
            "gmail.sendAs",
            json!({ "user": own.address, "email": email, "name": "Sales", "status": status }),
        );
    }
    let listed = own.json("settings/sendAs").await;
    let listed = listed["sendAs"].as_array().unwrap();
    assert_eq!(listed[0]["sendAsEmail"], own.address);
    assert_eq!(listed[0]["isPrimary"], true);
    assert!(listed[0].get("verificationStatus").is_none());
    for entry in listed {
        let one = own
            .json(&format!("settings/sendAs/{}", text(&entry["sendAsEmail"])))
            .await;
        assert_eq!(one, *entry);
    }
    assert_eq!(
        own.get("settings/sendAs/nobody@x.example").await.status,
        404
    );
    let status = |email: &str| {
        let found = listed.iter().find(|entry| entry["sendAsEmail"] == email);
        found.unwrap()["verificationStatus"].clone()
    };
    assert_eq!(status("sales@brand.example"), "accepted");
    assert_eq!(status("boss@brand.example"), "pending");

    for (from, kept) in [
        ("sales@brand.example", true),
        (own.address.as_str(), true),
        ("boss@brand.example", false),
        ("stranger@x.example", false),
        ("", false),
    ] {
        let mail =
            format!("From: Some One\r\n <{from}>\r\nTo: a@x.example\r\nSubject: s\r\n\r\nx\r\n");
        let sent = send(&own, &mail).await;
        let actual = header(&own, &text(&sent["id"]), "From").await.unwrap();
        let expected = if kept { from } else { &own.address };
        assert!(
            actual.contains(&format!("<{expected}>")),
            "{from}: {actual}"
        );
        assert_eq!(actual.starts_with("Some One"), kept, "{from}: {actual}");
    }
}

#[tokio::test]
async fn replies_need_thread_and_subject() {
    let fake = Fake::start().await;
    let own = fake.mailbox(0).await;
    let first = send(&own, "To: a@x.example\r\nSubject: topic\r\n\r\nx\r\n").await;
    let thread = text(&first["threadId"]);
    for (subject, joins) in [
        ("Re: topic", true),
        ("Fwd: RE: Topic", true),
        ("other", false),
    ] {
        let mail = format!("To: a@x.example\r\nSubject: {subject}\r\n\r\nx\r\n");
        let body = json!({ "raw": URL_SAFE.encode(mail), "threadId": thread });
        let sent = own.post("messages/send", &body).await.json();
        assert_eq!(sent["threadId"] == thread, joins, "{subject}");
    }
    let body = json!({ "raw": URL_SAFE.encode("To: a@x.example\r\n\r\nx"), "threadId": "123" });
    assert_eq!(own.post("messages/send", &body).await.status, 404);
}

#[tokio::test]
async fn message_id_is_kept_or_replaced_as_the_policy_says() {
    let fake = Fake::start().await;
    let own = fake.mailbox(0).await;
    let mail = "To: a@x.example\r\nMessage-ID: <mine@x.example>\r\nSubject: s\r\n\r\nx\r\n";
    let kept = send(&own, mail).await;
    assert_eq!(
        own.list("q=rfc822msgid:mine@x.example").await,
        [text(&kept["id"])]
    );
    fake.admin("gmail.policy", json!({ "replace_message_id": true }));
    let id = text(&send(&own, mail).await["id"]);
    assert!(
        header(&own, &id, "Message-ID")
            .await
            .unwrap()
            .ends_with("@mail.gmail.com>")
    );
    assert_eq!(
        header(&own, &id, "X-Google-Original-Message-ID")
            .await
            .unwrap(),
        "<mine@x.example>"
    );
}

#[tokio::test]
async fn mail_without_a_good_recipient_is_refused() {
    let fake = Fake::with(|options| options.suspended = 1).await;
    let own = fake.mailbox(0).await;
    let before = own.truth(true);
    let crowd: Vec<String> = (0..501).map(|at| format!("u{at}@x.example")).collect();
    let crowd = format!("To: {}\r\n\r\nx", crowd.join(", "));
    for (mail, message) in [
        ("Subject: s\r\n\r\nx", "Recipient address required"),
        ("To: nobody\r\n\r\nx", "Invalid To header"),
        ("To: a@x.example\r\nCc: @x\r\n\r\nx", "Invalid Cc header"),
        (crowd.as_str(), "Too many recipients"),
        ("", "'raw' RFC822 payload"),
    ] {
        let answer = own
            .post("messages/send", &json!({ "raw": URL_SAFE.encode(mail) }))
            .await;
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (400, "invalidArgument"),
            "{mail}"
        );
        let actual = text(&answer.json()["error"]["message"]);
        assert!(actual.starts_with(message), "{mail}: {actual}");
    }
    assert_eq!(own.truth(true), before, "nothing was stored");
    // Mail to a suspended user goes out, and nowhere in.
    let suspended = fake.server.suspended()[0].clone();
    let count = || {
        fake.admin("truth", json!({ "user": suspended, "all": true }))["messages"]
            .as_array()
            .unwrap()
            .len()
    };
    let n_before = count();
    send(&own, &format!("To: {suspended}\r\n\r\nx\r\n")).await;
    assert_eq!(count(), n_before);
    // The narrow scope is enough for this and for nothing else.
    let token = fake
        .token(&own.address, "https://www.googleapis.com/auth/gmail.send")
        .await;
    let body = json!({ "raw": URL_SAFE.encode("To: a@x.example\r\n\r\nx") }).to_string();
    let path = "/gmail/v1/users/me/messages/send";
    assert_eq!(
        fake.send("POST", path, Some(&token), &body).await.status,
        200
    );
    assert_eq!(
        fake.send("GET", "/gmail/v1/users/me/drafts", Some(&token), "")
            .await
            .status,
        403
    );
}
