//! Threads: listed by their newest fitting mail, read and changed as a whole.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::client::{Fake, Mailbox, encode, text};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Thread ids of all pages, in their order.
async fn list(mailbox: &Mailbox<'_>, query: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut token = String::new();
    loop {
        let page = mailbox.json(&format!("threads?{query}{token}")).await;
        for thread in page["threads"].as_array().into_iter().flatten() {
            assert!(text(&thread["historyId"]).parse::<u64>().is_ok());
            assert!(thread["snippet"].is_string());
            ids.push(text(&thread["id"]));
        }
        assert!(ids.len() < 10_000, "paging does not end");
        match page["nextPageToken"].as_str() {
            Some(next) => token = format!("&pageToken={next}"),
            None => return ids,
        }
    }
}

/// Threads in the order of their newest mail among those that `fits` lets pass.
fn expected(truth: &Value, fits: impl Fn(&Value) -> bool) -> Vec<String> {
    let mut seen = BTreeSet::new();
    truth["messages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|message| fits(message))
        .map(|message| text(&message["threadId"]))
        .filter(|thread| seen.insert(thread.clone()))
        .collect()
}

fn has(message: &Value, label: &str) -> bool {
    message["labelIds"]
        .as_array()
        .unwrap()
        .contains(&json!(label))
}

#[tokio::test]
async fn threads_are_listed_once_each_by_their_newest_fitting_mail() {
    let fake = Fake::with(|options| options.messages = 300).await;
    let mailbox = fake.mailbox(1).await;
    let truth = mailbox.truth(true);
    let all = expected(&truth, |_| true);
    assert!(all.len() < truth["messages"].as_array().unwrap().len());
    for size in [1, 7, 500] {
        let query = format!("includeSpamTrash=true&maxResults={size}");
        assert_eq!(list(&mailbox, &query).await, all, "pages of {size}");
    }
    let open = |m: &Value| !has(m, "SPAM") && !has(m, "TRASH");
    assert_eq!(list(&mailbox, "maxResults=3").await, expected(&truth, open));
    assert_eq!(
        list(&mailbox, "labelIds=INBOX&labelIds=UNREAD&maxResults=4").await,
        expected(&truth, |m| open(m) && has(m, "INBOX") && has(m, "UNREAD"))
    );
    let query = format!("maxResults=2&q={}", encode("in:sent larger:2k"));
    let fits = |m: &Value| open(m) && has(m, "SENT") && m["sizeEstimate"].as_u64().unwrap() > 2048;
    let sent = expected(&truth, fits);
    assert!(sent.len() > 2, "the search has more than one page");
    assert_eq!(list(&mailbox, &query).await, sent);
    assert_eq!(
        mailbox.json("threads?q=before:1000000").await,
        json!({ "resultSizeEstimate": 0 })
    );
    assert_eq!(mailbox.get("threads?labelIds=NOPE").await.status, 400);
    assert_eq!(mailbox.get("threads?pageToken=%00").await.status, 400);
}

#[tokio::test]
async fn thread_holds_its_mails_oldest_first() {
    let fake = Fake::with(|options| options.messages = 200).await;
    let mailbox = fake.mailbox(0).await;
    let truth = mailbox.truth(true);
    let mut n_long = 0;
    for id in expected(&truth, |_| true) {
        let thread = mailbox.json(&format!("threads/{id}?format=minimal")).await;
        let messages = thread["messages"].as_array().unwrap();
        n_long += usize::from(messages.len() > 1);
        let own: Vec<&Value> = truth["messages"]
            .as_array()
            .unwrap()
            .iter()
            .rev()
            .filter(|message| message["threadId"] == id)
            .collect();
        assert_eq!(messages.len(), own.len());
        for (message, expected) in messages.iter().zip(&own) {
            let single = format!("messages/{}?format=minimal", text(&expected["id"]));
            assert_eq!(*message, mailbox.json(&single).await);
        }
        let newest = own
            .iter()
            .map(|m| text(&m["historyId"]).parse::<u64>().unwrap());
        assert_eq!(thread["historyId"], newest.max().unwrap().to_string());
    }
    assert!(n_long > 0);
    let id = text(&truth["messages"][0]["threadId"]);
    let metadata = format!("threads/{id}?format=metadata&metadataHeaders=Subject");
    let headers = &mailbox.json(&metadata).await["messages"][0]["payload"]["headers"];
    assert_eq!(headers.as_array().unwrap().len(), 1);
    assert!(
        mailbox.json(&format!("threads/{id}")).await["messages"][0]["payload"]["body"].is_object()
    );
    for (path, status) in [
        (format!("threads/{id}?format=raw"), 400),
        (format!("threads/{id}?format=x"), 400),
        ("threads/zzz".to_owned(), 400),
        ("threads/123".to_owned(), 404),
    ] {
        assert_eq!(mailbox.get(&path).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn changes_to_a_thread_reach_all_its_mails() {
    let fake = Fake::start().await;
    let mailbox = fake.mailbox(0).await;
    let first = "Subject: a\r\nMessage-ID: <one@x.example>\r\n\r\nb\r\n";
    let second = "Subject: Re: a\r\nIn-Reply-To: <one@x.example>\r\n\r\nb\r\n";
    let thread = mailbox.insert(first, &["INBOX"]).await;
    let reply = mailbox.insert(second, &["INBOX", "UNREAD"]).await;
    let labels = |answer: Value| -> Vec<Value> {
        let messages = answer["messages"].as_array().unwrap();
        messages.iter().map(|m| m["labelIds"].clone()).collect()
    };
    let path = |verb: &str| format!("threads/{thread}/{verb}");
    let change = json!({ "addLabelIds": ["STARRED"], "removeLabelIds": ["UNREAD"] });
    let answer = mailbox.post(&path("modify"), &change).await.json();
    assert_eq!(answer["id"], thread);
    assert_eq!(
        labels(answer),
        [json!(["INBOX", "STARRED"]), json!(["INBOX", "STARRED"])]
    );
    let trashed = mailbox.post(&path("trash"), &json!({})).await.json();
    assert_eq!(
        labels(trashed),
        [json!(["STARRED", "TRASH"]), json!(["STARRED", "TRASH"])]
    );
    assert!(!list(&mailbox, "").await.contains(&thread));
    let restored = mailbox.post(&path("untrash"), &json!({})).await.json();
    assert_eq!(labels(restored), [json!(["STARRED"]), json!(["STARRED"])]);

    for (body, message) in [
        (json!({}), "No label add or removes specified"),
        (json!({ "addLabelIds": ["DRAFT"] }), "Invalid label: DRAFT"),
    ] {
        let answer = mailbox.post(&path("modify"), &body).await;
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (400, "invalidArgument")
        );
        assert_eq!(answer.json()["error"]["message"], message);
    }
    assert_eq!(
        mailbox
            .call("DELETE", &format!("threads/{thread}"), "")
            .await
            .status,
        204
    );
    for id in [&thread, &reply] {
        assert_eq!(mailbox.get(&format!("messages/{id}")).await.status, 404);
    }
    for (method, path) in [
        ("GET", format!("threads/{thread}")),
        ("DELETE", format!("threads/{thread}")),
        ("POST", path("trash")),
    ] {
        assert_eq!(
            mailbox.call(method, &path, "").await.status,
            404,
            "{method} {path}"
        );
    }
}
