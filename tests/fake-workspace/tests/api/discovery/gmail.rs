//! Every method of Gmail, in the states in which its answers look different. The client checks each answer.

use super::Person;
use crate::client::{Fake, encode, text};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use serde_json::{Value, json};

const ME: &str = "/gmail/v1/users/me";
const MULTIPART: &str = "Subject: parts\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
    --b\r\nContent-Type: text/plain; charset=UTF-8\r\n\r\nGr\u{fc}\u{df}e\r\n\
    --b\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Disposition: attachment; filename=a.pdf\r\n\
    Content-Transfer-Encoding: base64\r\n\r\nJVBERi0xLjQK\r\n--b--\r\n";

fn raw(mail: &str) -> Value {
    json!({ "raw": URL_SAFE.encode(mail), "labelIds": ["INBOX", "UNREAD"] })
}

/// All pages of a list, one item each.
async fn page_through(me: &Person<'_>, path: &str) {
    let sign = if path.contains('?') { '&' } else { '?' };
    let mut token = String::new();
    for _ in 0..200 {
        let page = me.get(&format!("{path}{sign}maxResults=1{token}")).await;
        match page["nextPageToken"].as_str() {
            Some(next) => token = format!("&pageToken={}", encode(next)),
            None => return,
        }
    }
    panic!("{path} does not end");
}

#[tokio::test]
async fn every_method_of_gmail_answers_as_described() {
    let fake = Fake::with(|options| options.messages = 30).await;
    let me = Person::gmail(&fake).await;
    let start = text(&me.get(&format!("{ME}/profile")).await["historyId"]);
    reading(&me).await;
    uploads(&me).await;
    changing(&me).await;
    labels(&me).await;
    drafts(&me).await;
    settings_and_watch(&fake, &me).await;
    for type_ in [
        "",
        "messageAdded",
        "messageDeleted",
        "labelAdded",
        "labelRemoved",
    ] {
        let filter = if type_.is_empty() {
            String::new()
        } else {
            format!("&historyTypes={type_}")
        };
        page_through(&me, &format!("{ME}/history?startHistoryId={start}{filter}")).await;
    }
    fake.seen.assert_complete("gmail");
}

async fn reading(me: &Person<'_>) {
    let made = me.post(&format!("{ME}/messages"), raw(MULTIPART)).await;
    let sent = json!({ "raw": URL_SAFE.encode("To: a@x.example\r\nSubject: s\r\n\r\nx\r\n") });
    let sent = me.post(&format!("{ME}/messages/send"), sent).await;
    let listed = me
        .get(&format!(
            "{ME}/messages?includeSpamTrash=true&maxResults=500"
        ))
        .await;
    let mut ids: Vec<String> = listed["messages"]
        .as_array()
        .expect("messages")
        .iter()
        .map(|message| text(&message["id"]))
        .collect();
    ids.extend([text(&made["id"]), text(&sent["id"])]);
    for id in &ids {
        for format in ["minimal", "metadata", "full", "raw"] {
            me.get(&format!("{ME}/messages/{id}?format={format}")).await;
        }
    }
    let id = text(&made["id"]);
    let full = me.get(&format!("{ME}/messages/{id}")).await;
    let attachment = text(&full["payload"]["parts"][1]["body"]["attachmentId"]);
    me.get(&format!("{ME}/messages/{id}/attachments/{attachment}"))
        .await;
    me.get(&format!(
        "{ME}/messages/{id}?format=metadata&metadataHeaders=Subject"
    ))
    .await;
    for mask in ["id", "payload(headers/name,parts(body/size))", "*"] {
        me.get(&format!("{ME}/messages/{id}?fields={mask}")).await;
    }
    me.get(&format!("{ME}/messages?q=subject:nothing-has-this"))
        .await;
    page_through(me, &format!("{ME}/messages")).await;
    page_through(me, &format!("{ME}/threads?q=in:anywhere")).await;
    let threads = me.get(&format!("{ME}/threads")).await;
    for thread in threads["threads"].as_array().expect("threads") {
        for format in ["minimal", "metadata", "full"] {
            let id = text(&thread["id"]);
            me.get(&format!("{ME}/threads/{id}?format={format}")).await;
        }
    }
}

async fn uploads(me: &Person<'_>) {
    let mail = "To: b@x.example\r\nSubject: up\r\n\r\nx\r\n";
    let upload = async |method: &str, path: &str| {
        let url = format!("/upload{ME}/{path}?uploadType=media");
        me.ok(method, &url, "message/rfc822", mail.as_bytes()).await
    };
    for path in ["messages", "messages/import", "messages/send"] {
        upload("POST", path).await;
    }
    me.post(&format!("{ME}/messages/import"), raw(mail)).await;
    let draft = text(&upload("POST", "drafts").await["id"]);
    upload("PUT", &format!("drafts/{draft}")).await;
    let body = format!(
        "--b\r\nContent-Type: application/json\r\n\r\n{{\"id\":\"{draft}\"}}\r\n\
         --b\r\nContent-Type: message/rfc822\r\n\r\n{mail}\r\n--b--\r\n"
    );
    let url = format!("/upload{ME}/drafts/send?uploadType=multipart");
    me.ok(
        "POST",
        &url,
        "multipart/related; boundary=b",
        body.as_bytes(),
    )
    .await;
    uploads_in_pieces(me, mail).await;
}

/// Each upload as a resumable one, begun at both of its places.
async fn uploads_in_pieces(me: &Person<'_>, mail: &str) {
    for prefix in ["/upload", "/resumable/upload"] {
        let upload = async |method: &str, path: &str, metadata: Value| {
            let url = format!("{prefix}{ME}/{path}?uploadType=resumable");
            let place = me.begin_upload(method, &url, metadata).await;
            me.ok("PUT", &place, "message/rfc822", mail.as_bytes())
                .await
        };
        for path in ["messages", "messages/import", "messages/send"] {
            upload("POST", path, json!({})).await;
        }
        let draft = upload("POST", "drafts", json!({})).await;
        let path = format!("drafts/{}", text(&draft["id"]));
        upload("PUT", &path, json!({})).await;
        upload("POST", "drafts/send", json!({ "id": draft["id"] })).await;
    }
}

async fn changing(me: &Person<'_>) {
    for kind in ["messages", "threads"] {
        let made = me
            .post(&format!("{ME}/messages"), raw("Subject: c\r\n\r\nx\r\n"))
            .await;
        let id = text(&made["id"]);
        let change = json!({ "addLabelIds": ["STARRED"], "removeLabelIds": ["UNREAD"] });
        me.post(&format!("{ME}/{kind}/{id}/modify"), change).await;
        me.post(&format!("{ME}/{kind}/{id}/trash"), json!({})).await;
        me.get(&format!("{ME}/messages/{id}")).await;
        me.post(&format!("{ME}/{kind}/{id}/untrash"), json!({}))
            .await;
        me.delete(&format!("{ME}/{kind}/{id}")).await;
    }
    let made = me
        .post(&format!("{ME}/messages"), raw("Subject: d\r\n\r\nx\r\n"))
        .await;
    let ids = json!([made["id"]]);
    let change = json!({ "ids": ids, "removeLabelIds": ["INBOX", "UNREAD"] });
    me.post(&format!("{ME}/messages/batchModify"), change).await;
    // A mail without any label.
    me.get(&format!("{ME}/messages/{}", text(&made["id"])))
        .await;
    me.post(&format!("{ME}/messages/batchDelete"), json!({ "ids": ids }))
        .await;
}

async fn labels(me: &Person<'_>) {
    let color = json!({ "textColor": "#ffffff", "backgroundColor": "#000000" });
    let made = me
        .post(
            &format!("{ME}/labels"),
            json!({ "name": "L", "color": color }),
        )
        .await;
    let path = format!("{ME}/labels/{}", text(&made["id"]));
    me.json(
        "PATCH",
        &path,
        json!({ "labelListVisibility": "labelHide" }),
    )
    .await;
    me.json("PUT", &path, json!({ "id": made["id"], "name": "M" }))
        .await;
    let list = me.get(&format!("{ME}/labels")).await;
    for label in list["labels"].as_array().expect("labels") {
        me.get(&format!("{ME}/labels/{}", text(&label["id"]))).await;
    }
    me.delete(&path).await;
}

async fn drafts(me: &Person<'_>) {
    let message = |subject: &str| {
        let mail = format!("To: c@x.example\r\nSubject: {subject}\r\n\r\nx\r\n");
        json!({ "message": { "raw": URL_SAFE.encode(mail) } })
    };
    let made = me.post(&format!("{ME}/drafts"), message("one")).await;
    let path = format!("{ME}/drafts/{}", text(&made["id"]));
    me.json("PUT", &path, message("two")).await;
    for format in ["minimal", "metadata", "full", "raw"] {
        me.get(&format!("{path}?format={format}")).await;
    }
    let other = me.post(&format!("{ME}/drafts"), message("three")).await;
    page_through(me, &format!("{ME}/drafts")).await;
    me.post(&format!("{ME}/drafts/send"), json!({ "id": made["id"] }))
        .await;
    me.delete(&format!("{ME}/drafts/{}", text(&other["id"])))
        .await;
    me.get(&format!("{ME}/drafts")).await;
}

async fn settings_and_watch(fake: &Fake, me: &Person<'_>) {
    fake.admin(
        "gmail.sendAs",
        json!({ "user": me.address, "email": "desk@example.org", "name": "Desk", "status": "pending" }),
    );
    let list = me.get(&format!("{ME}/settings/sendAs")).await;
    for one in list["sendAs"].as_array().expect("addresses") {
        let address = text(&one["sendAsEmail"]);
        me.get(&format!("{ME}/settings/sendAs/{address}")).await;
    }
    fake.admin(
        "pubsub.setup",
        json!({ "topic": "mail", "publisher": true, "subscription": "s" }),
    );
    let topic =
        json!({ "topicName": "projects/fake-workspace/topics/mail", "labelIds": ["INBOX"] });
    me.post(&format!("{ME}/watch"), topic).await;
    me.post(&format!("{ME}/stop"), json!({})).await;
}
