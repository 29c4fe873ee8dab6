//! Gmail messages and labels against the truth of the store.

use crate::client::{Fake, decode, encode, now_secs, text};
use rsa::sha2::{Digest, Sha256};
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[tokio::test]
async fn listing_is_complete_newest_first_and_paged() {
    let fake = Fake::with(|options| options.messages = 300).await;
    let mut total = 0;
    for number in 0..3 {
        let mailbox = fake.mailbox(number).await;
        let truth = mailbox.truth(true);
        let messages = truth["messages"].as_array().unwrap();
        total += messages.len();
        let profile = mailbox.json("profile").await;
        assert_eq!(profile["messagesTotal"], messages.len());
        assert_eq!(profile["emailAddress"], mailbox.address);
        assert_eq!(profile["historyId"], truth["historyId"]);
        let threads: BTreeSet<String> = messages
            .iter()
            .map(|message| text(&message["threadId"]))
            .collect();
        assert_eq!(profile["threadsTotal"], threads.len());
        let expected: Vec<String> = messages
            .iter()
            .map(|message| text(&message["id"]))
            .collect();
        for size in [1, 7, 500] {
            let listed = mailbox
                .list(&format!("includeSpamTrash=true&maxResults={size}"))
                .await;
            assert_eq!(listed, expected, "pages of {size}");
        }
        let visible: Vec<String> = mailbox.truth(false)["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|message| text(&message["id"]))
            .collect();
        assert!(visible.len() < expected.len(), "some mail is hidden");
        let query = encode("-in:chats -is:chat -in:draft");
        assert_eq!(
            mailbox.list(&format!("q={query}&maxResults=11")).await,
            visible
        );
        // A page is cut at 500 however much is asked for.
        assert_eq!(
            mailbox
                .list("includeSpamTrash=true&maxResults=100000")
                .await,
            expected
        );
    }
    assert_eq!(total, 300);
}

#[tokio::test]
async fn changes_between_pages_lose_nothing_and_repeat_nothing() {
    let fake = Fake::with(|options| options.messages = 150).await;
    let mailbox = fake.mailbox(1).await;
    let before = mailbox.list("").await;
    let first = mailbox.json("messages?maxResults=10").await;
    mailbox
        .insert("Subject: new\r\n\r\nx\r\n", &["INBOX"])
        .await;
    mailbox
        .call("DELETE", &format!("messages/{}", before[9]), "")
        .await;
    let token = text(&first["nextPageToken"]);
    let rest = mailbox.list_from("maxResults=10", Some(token)).await;
    assert_eq!(rest, before[10..]);
}

#[tokio::test]
async fn search_agrees_with_the_truth() {
    let fake = Fake::with(|options| options.messages = 400).await;
    let mailbox = fake.mailbox(2).await;
    let truth = mailbox.truth(true)["messages"].as_array().unwrap().clone();
    let date = |message: &Value| text(&message["internalDate"]).parse::<i64>().unwrap();
    let size = |message: &Value| message["sizeEstimate"].as_u64().unwrap();
    let has = |message: &Value, label: &str| {
        message["labelIds"]
            .as_array()
            .unwrap()
            .contains(&json!(label))
    };
    let hidden = |message: &Value| has(message, "SPAM") || has(message, "TRASH");
    let middle = date(&truth[truth.len() / 2]) / 1000;
    type Wanted<'a> = Box<dyn Fn(&Value) -> bool + 'a>;
    let cases: Vec<(String, Wanted<'_>)> = vec![
        (
            format!("after:{middle}"),
            Box::new(|m| date(m) >= middle * 1000),
        ),
        (
            format!("before:{middle}"),
            Box::new(|m| date(m) < middle * 1000),
        ),
        (
            format!("-after:{middle}"),
            Box::new(|m| date(m) < middle * 1000),
        ),
        ("larger:10K".to_owned(), Box::new(|m| size(m) > 10 << 10)),
        ("smaller:4K".to_owned(), Box::new(|m| size(m) < 4 << 10)),
        ("-larger:10K".to_owned(), Box::new(|m| size(m) <= 10 << 10)),
        ("larger:5M".to_owned(), Box::new(|_| false)),
        (
            "is:unread in:inbox".to_owned(),
            Box::new(|m| has(m, "UNREAD") && has(m, "INBOX")),
        ),
        (
            "label:clients-northwind".to_owned(),
            Box::new(|m| has(m, "Label_2")),
        ),
        ("is:chat".to_owned(), Box::new(|m| has(m, "CHAT"))),
        ("-in:sent".to_owned(), Box::new(|m| !has(m, "SENT"))),
    ];
    for (query, wanted) in &cases {
        let expected: Vec<String> = truth
            .iter()
            .filter(|message| !hidden(message) && wanted(message))
            .map(|message| text(&message["id"]))
            .collect();
        let listed = mailbox
            .list(&format!("maxResults=33&q={}", encode(query)))
            .await;
        assert_eq!(listed, expected, "{query}");
    }
    let spam: Vec<String> = truth
        .iter()
        .filter(|message| has(message, "SPAM"))
        .map(|message| text(&message["id"]))
        .collect();
    assert!(!spam.is_empty());
    assert_eq!(mailbox.list("q=in:spam").await, spam);
    assert_eq!(mailbox.list("labelIds=SPAM").await, spam);

    let by_id = format!(
        "q={}",
        encode(&format!("rfc822msgid:{}", text(&truth[0]["message_id"])))
    );
    assert!(
        mailbox
            .list(&format!("includeSpamTrash=true&{by_id}"))
            .await
            .contains(&text(&truth[0]["id"]))
    );
    let nothing = mailbox.json("messages?q=before:1000000").await;
    assert_eq!(nothing, json!({ "resultSizeEstimate": 0 }));
}

#[tokio::test]
async fn raw_is_what_the_truth_hashes() {
    let fake = Fake::with(|options| options.messages = 120).await;
    let mailbox = fake.mailbox(0).await;
    let mut n_padded = 0;
    for expected in mailbox.truth(true)["messages"].as_array().unwrap() {
        let id = text(&expected["id"]);
        let message = mailbox.json(&format!("messages/{id}?format=raw")).await;
        assert!(message.get("payload").is_none());
        let raw = text(&message["raw"]);
        assert_eq!(raw.len() % 4, 0, "{id}");
        n_padded += usize::from(raw.ends_with('='));
        let bytes = decode(&raw);
        let hash: String = Sha256::digest(&bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(hash, text(&expected["sha256"]));
        assert_eq!(expected["raw_size"], bytes.len());
        assert_eq!(message["sizeEstimate"], bytes.len());
        for name in ["threadId", "internalDate", "historyId"] {
            assert_eq!(message[name], expected[name]);
        }
        let labels = message.get("labelIds").cloned().unwrap_or(json!([]));
        assert_eq!(labels, expected["labelIds"]);
        let parsed = mail_parser::MessageParser::new().parse(&bytes).unwrap();
        assert_eq!(parsed.message_id().unwrap(), text(&expected["message_id"]));
        assert_eq!(id.len(), 16);
    }
    assert!(n_padded > 0);
}

#[tokio::test]
async fn padding_of_base64_can_be_left_out() {
    let fake = Fake::start().await;
    let mailbox = fake.mailbox(0).await;
    let id = mailbox.insert("Subject: x\r\n\r\nbody!", &[]).await;
    let look = async || {
        let raw = mailbox.json(&format!("messages/{id}?format=raw")).await;
        let full = mailbox.json(&format!("messages/{id}")).await;
        let data = text(&full["payload"]["body"]["data"]);
        (text(&raw["raw"]), data)
    };
    let (raw, data) = look().await;
    assert!(raw.ends_with('=') && data.ends_with('='), "{raw} {data}");
    let policy = fake.admin("gmail.policy", json!({ "unpadded": true }));
    assert_eq!(
        policy,
        json!({ "replace_message_id": false, "unpadded": true })
    );
    let (bare_raw, bare_data) = look().await;
    assert_eq!(bare_raw, raw.trim_end_matches('='));
    assert_eq!(bare_data, data.trim_end_matches('='));
}

#[tokio::test]
async fn resumable_uploads_take_pieces_and_go_on_after_a_break() {
    const MIB: usize = 1 << 20;
    let fake = Fake::start().await;
    let mailbox = fake.mailbox(0).await;
    let mail = format!("Subject: long\r\n\r\n{}", "line\r\n".repeat(MIB / 6));
    let send = async |method: &str, url: &str, headers: &[(&str, String)], body: &str| {
        let mut request = http::Request::builder()
            .method(method)
            .uri(url)
            .header("authorization", format!("Bearer {}", mailbox.token));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let body = http_body_util::Full::new(body.to_owned().into());
        fake.request(request.body(body).unwrap()).await.unwrap()
    };
    let base = format!("{}/resumable/upload/gmail/v1", fake.server.base());
    let begun = send(
        "POST",
        &format!("{base}/users/me/messages?uploadType=resumable&internalDateSource=dateHeader"),
        &[("x-upload-content-length", mail.len().to_string())],
        r#"{"labelIds":["STARRED"]}"#,
    )
    .await;
    assert_eq!((begun.status, begun.text.as_str()), (200, ""));
    let location = begun.headers["location"].to_str().unwrap().to_owned();
    let range = |from: usize, to: usize| {
        [(
            "content-range",
            format!("bytes {from}-{}/{}", to - 1, mail.len()),
        )]
    };

    let piece = send("PUT", &location, &range(0, MIB / 2), &mail[..MIB / 2]).await;
    assert_eq!(piece.status, 308);
    assert_eq!(piece.headers["range"], format!("bytes=0-{}", MIB / 2 - 1));
    let early = send("PUT", &location, &range(MIB - 6, MIB), &mail[MIB - 6..MIB]).await;
    assert_eq!(early.status, 400);
    let state = [("content-range", format!("bytes */{}", mail.len()))];
    assert_eq!(send("PUT", &location, &state, "").await.status, 308);
    assert!(
        mailbox
            .list("labelIds=STARRED&q=subject:long")
            .await
            .is_empty()
    );

    let rest = range(MIB / 2, mail.len());
    let done = send("PUT", &location, &rest, &mail[MIB / 2..]).await;
    assert_eq!(done.status, 200, "{}", done.text);
    let id = text(&done.json()["id"]);
    let message = mailbox.json(&format!("messages/{id}?format=raw")).await;
    assert_eq!(decode(&text(&message["raw"])), mail.as_bytes());
    assert_eq!(message["labelIds"], json!(["STARRED"]));
    // Asked again, it tells what came of it, and makes no second mail.
    assert_eq!(send("PUT", &location, &state, "").await.json(), done.json());
    assert_eq!(mailbox.list("q=subject:long").await, [id]);
    let lost = send("PUT", &format!("{location}x"), &rest, "").await;
    assert_eq!((lost.status, lost.reason().as_str()), (404, "notFound"));
}

#[tokio::test]
async fn formats_show_what_they_should() {
    let fake = Fake::with(|options| options.messages = 300).await;
    let mailbox = fake.mailbox(2).await;
    let mut n_attachments = 0;
    for id in mailbox.list("").await.iter() {
        let minimal = mailbox.json(&format!("messages/{id}?format=minimal")).await;
        assert!(minimal.get("payload").is_none() && minimal.get("raw").is_none());
        assert!(text(&minimal["internalDate"]).parse::<i64>().is_ok());
        let path =
            format!("messages/{id}?format=metadata&metadataHeaders=subject&metadataHeaders=From");
        let metadata = mailbox.json(&path).await;
        let names: Vec<String> = metadata["payload"]["headers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|header| text(&header["name"]))
            .collect();
        assert_eq!(names, ["From", "Subject"]);
        assert!(metadata["payload"].get("parts").is_none());
        let full = mailbox.json(&format!("messages/{id}")).await;
        assert_eq!(full["snippet"], minimal["snippet"]);
        assert_eq!(full["payload"]["partId"], "");
        let mut parts = vec![full["payload"].clone()];
        while let Some(part) = parts.pop() {
            parts.extend(part["parts"].as_array().into_iter().flatten().cloned());
            let body = &part["body"];
            if let Some(data) = body["data"].as_str() {
                assert_eq!(body["size"], decode(data).len());
            } else if let Some(attachment) = body["attachmentId"].as_str() {
                n_attachments += 1;
                assert_ne!(part["filename"], "");
                let found = mailbox
                    .json(&format!("messages/{id}/attachments/{attachment}"))
                    .await;
                assert_eq!(found["size"], body["size"]);
                assert_eq!(decode(&text(&found["data"])).len(), body["size"]);
            } else {
                assert_eq!(body["size"], 0, "a container has no body");
            }
        }
        let again = mailbox.json(&format!("messages/{id}")).await;
        if full["payload"]["parts"][1]["body"]["attachmentId"].is_string() {
            assert_ne!(
                full["payload"], again["payload"],
                "attachment ids are new at each look"
            );
        }
    }
    assert!(n_attachments > 0);
    let id = &mailbox.list("").await[0];
    for attachment in ["x", "ANGjdJ", "ANGjdJAAAA"] {
        let answer = mailbox
            .get(&format!("messages/{id}/attachments/{attachment}"))
            .await;
        assert_eq!(answer.status, 400);
        assert_eq!(
            answer.json()["error"]["message"],
            "Invalid attachment token"
        );
    }
}

#[tokio::test]
async fn threads_begin_with_their_first_mail_and_take_replies() {
    let fake = Fake::with(|options| options.messages = 200).await;
    let mailbox = fake.mailbox(0).await;
    let truth = mailbox.truth(true);
    let ids: BTreeSet<String> = truth["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| text(&m["id"]))
        .collect();
    for message in truth["messages"].as_array().unwrap() {
        assert!(
            ids.contains(&text(&message["threadId"])),
            "a thread is named by a mail of it"
        );
    }
    let first = mailbox
        .insert(
            "Subject: a\r\nMessage-ID: <one@x.example>\r\n\r\nb\r\n",
            &["INBOX"],
        )
        .await;
    let second = mailbox
        .insert("Subject: Re: a\r\nMessage-ID: <two@x.example>\r\nIn-Reply-To: <one@x.example>\r\n\r\nb\r\n", &[])
        .await;
    let message = mailbox
        .json(&format!("messages/{second}?format=minimal"))
        .await;
    assert_eq!(message["threadId"], first);
    assert!(message.get("labelIds").is_none(), "no labels, no member");
}

#[tokio::test]
async fn writes_do_what_they_say() {
    let fake = Fake::start().await;
    let mailbox = fake.mailbox(0).await;
    let before = now_secs() * 1000;
    let id = mailbox
        .insert(
            "Date: Tue, 1 Jan 2019 00:00:00 +0000\r\nSubject: a\r\n\r\nb\r\n",
            &["INBOX", "UNREAD"],
        )
        .await;
    let labels = async |id: &str| {
        mailbox.json(&format!("messages/{id}?format=minimal")).await["labelIds"].clone()
    };
    let received = mailbox.json(&format!("messages/{id}")).await;
    assert!(text(&received["internalDate"]).parse::<i64>().unwrap() >= before);

    let modified = mailbox
        .post(
            &format!("messages/{id}/modify"),
            &json!({ "addLabelIds": ["STARRED", "Label_1"], "removeLabelIds": ["UNREAD"] }),
        )
        .await;
    assert_eq!(
        modified.json()["labelIds"],
        json!(["INBOX", "Label_1", "STARRED"])
    );
    assert_eq!(
        mailbox
            .post(&format!("messages/{id}/trash"), &json!({}))
            .await
            .status,
        200
    );
    assert_eq!(labels(&id).await, json!(["Label_1", "STARRED", "TRASH"]));
    assert!(!mailbox.list("").await.contains(&id));
    assert_eq!(
        mailbox
            .post(&format!("messages/{id}/untrash"), &json!({}))
            .await
            .status,
        200
    );
    assert_eq!(labels(&id).await, json!(["Label_1", "STARRED"]));
    assert_eq!(
        mailbox
            .post(
                "messages/batchModify",
                &json!({ "ids": [id], "addLabelIds": ["INBOX"] })
            )
            .await
            .status,
        204
    );
    assert_eq!(labels(&id).await, json!(["INBOX", "Label_1", "STARRED"]));

    for (path, body, message) in [
        (
            format!("messages/{id}/modify"),
            json!({}),
            "No label add or removes specified",
        ),
        (
            format!("messages/{id}/modify"),
            json!({ "addLabelIds": ["Label_99"] }),
            "Invalid label: Label_99",
        ),
        (
            format!("messages/{id}/modify"),
            json!({ "removeLabelIds": ["SENT"] }),
            "Invalid label: SENT",
        ),
        (
            "messages/zzz/trash".to_owned(),
            json!({}),
            "Invalid id value",
        ),
        (
            "messages".to_owned(),
            json!({ "raw": "***" }),
            "Invalid value at 'message.raw'",
        ),
        ("messages".to_owned(), json!({}), "'raw' RFC822 payload"),
        (
            "messages/batchDelete".to_owned(),
            json!({ "ids": [] }),
            "No message ids specified",
        ),
    ] {
        let answer = mailbox.post(&path, &body).await;
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (400, "invalidArgument"),
            "{path} {body}"
        );
        let actual = text(&answer.json()["error"]["message"]);
        assert!(actual.starts_with(message), "{actual}");
    }
    assert_eq!(
        mailbox.call("POST", "messages", "{nonsense").await.reason(),
        "parseError"
    );

    assert_eq!(
        mailbox
            .call("DELETE", &format!("messages/{id}"), "")
            .await
            .status,
        204
    );
    for (method, path) in [
        ("GET", format!("messages/{id}")),
        ("DELETE", format!("messages/{id}")),
        ("POST", format!("messages/{id}/trash")),
    ] {
        let answer = mailbox.call(method, &path, "").await;
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (404, "notFound"),
            "{method}"
        );
    }
}

#[tokio::test]
async fn uploads_keep_the_bytes() {
    let fake = Fake::start().await;
    let mailbox = fake.mailbox(0).await;
    let mail = "Date: Tue, 1 Jan 2019 00:00:00 +0000\r\nSubject: up\r\n\r\nbody\r\n\r\n";
    let send = async |query: &str, kind: &str, body: String| {
        let request = http::Request::post(format!(
            "{}/upload/gmail/v1/users/me/messages?{query}",
            fake.server.base()
        ))
        .header("authorization", format!("Bearer {}", mailbox.token))
        .header("content-type", kind)
        .body(http_body_util::Full::new(body.into()))
        .unwrap();
        fake.request(request).await.unwrap()
    };
    let media = send(
        "uploadType=media&internalDateSource=dateHeader",
        "message/rfc822",
        mail.to_owned(),
    )
    .await;
    let body = format!(
        "--xx\nContent-Type: application/json\n\n{{\"labelIds\":[\"INBOX\"]}}\n--xx\nContent-Type: message/rfc822\n\n{mail}\n--xx--\n"
    );
    let multipart = send(
        "uploadType=multipart&internalDateSource=dateHeader",
        "multipart/related; boundary=\"xx\"",
        body,
    )
    .await;
    for answer in [&media, &multipart] {
        assert_eq!(answer.status, 200, "{}", answer.text);
        let message = mailbox
            .json(&format!(
                "messages/{}?format=raw",
                text(&answer.json()["id"])
            ))
            .await;
        assert_eq!(decode(&text(&message["raw"])), mail.as_bytes());
        assert_eq!(message["internalDate"], "1546300800000");
    }
    assert_eq!(multipart.json()["labelIds"], json!(["INBOX"]));
    for (query, kind) in [
        ("uploadType=resumable", "x/y"),
        ("", "x/y"),
        ("uploadType=multipart", "multipart/related"),
    ] {
        let answer = send(query, kind, mail.to_owned()).await;
        assert_eq!(answer.status, 400, "{query}");
    }
}

#[tokio::test]
async fn labels_are_counted_only_one_by_one() {
    let fake = Fake::with(|options| options.messages = 200).await;
    let mailbox = fake.mailbox(1).await;
    let truth = mailbox.truth(true);
    let listed = mailbox.json("labels").await;
    let listed = listed["labels"].as_array().unwrap();
    assert_eq!(listed.len(), truth["labels"].as_object().unwrap().len());
    for label in listed {
        let id = text(&label["id"]);
        assert_eq!(truth["labels"][&id], label["name"]);
        assert!(label.get("messagesTotal").is_none());
        let counted = mailbox.json(&format!("labels/{id}")).await;
        let own = |message: &&Value| message["labelIds"].as_array().unwrap().contains(&json!(id));
        let messages = truth["messages"].as_array().unwrap();
        assert_eq!(
            counted["messagesTotal"],
            messages.iter().filter(own).count(),
            "{id}"
        );
        let unread = messages
            .iter()
            .filter(own)
            .filter(|m| m["labelIds"].as_array().unwrap().contains(&json!("UNREAD")));
        assert_eq!(counted["messagesUnread"], unread.count(), "{id}");
    }
    assert!(
        listed
            .iter()
            .any(|label| text(&label["name"]).contains('/')),
        "nested names occur"
    );
    assert_eq!(mailbox.get("labels/Label_77").await.status, 404);
}

#[tokio::test]
async fn suspended_user_lists_but_does_not_get() {
    let fake = Fake::with(|options| options.suspended = 1).await;
    assert_eq!(fake.server.suspended(), [fake.server.users()[2].clone()]);
    let mailbox = fake.mailbox(2).await;
    let ids = mailbox.list("").await;
    let answer = mailbox
        .get(&format!("messages/{}?format=raw", ids[0]))
        .await;
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (403, "forbidden")
    );
    fake.admin("user.restore", json!({ "user": mailbox.address }));
    assert_eq!(
        mailbox.get(&format!("messages/{}", ids[0])).await.status,
        200
    );
    fake.admin(
        "user.mailbox",
        json!({ "user": mailbox.address, "enabled": false }),
    );
    let answer = mailbox.get("profile").await;
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (400, "failedPrecondition")
    );
    assert_eq!(
        answer.json()["error"]["message"],
        "Mail service not enabled"
    );
}

#[tokio::test]
async fn garbage_is_refused_and_never_breaks_the_server() {
    let fake = Fake::start().await;
    let mailbox = fake.mailbox(0).await;
    for path in [
        "messages?maxResults=x",
        "messages?maxResults=0",
        "messages?pageToken=%00%ff",
        "messages?labelIds=NOPE",
        "messages/%F0%9F%92%A9",
        "messages/00000000000000000000000000000001",
        "messages/-1",
        "messages?fields=(((",
    ] {
        assert_eq!(mailbox.get(path).await.status, 400, "{path}");
    }
    let id = mailbox.list("").await[0].clone();
    assert_eq!(
        mailbox
            .get(&format!("messages/{id}?format=xml"))
            .await
            .status,
        400
    );
    for raw in [
        "\u{0}",
        "\n",
        "no colon",
        "Content-Type: multipart/mixed; boundary=a\n\n--a\n--a--",
        "Subject: =?x?Q?=?=\n\n",
    ] {
        let id = mailbox.insert(raw, &["INBOX"]).await;
        for format in ["minimal", "metadata", "full", "raw"] {
            assert_eq!(
                mailbox
                    .get(&format!("messages/{id}?format={format}"))
                    .await
                    .status,
                200,
                "{raw:?}"
            );
        }
    }
    let nested = (0..300)
        .map(|at| format!("Content-Type: multipart/mixed; boundary=b{at}\n\n--b{at}\n"))
        .collect::<String>();
    let id = mailbox.insert(&nested, &[]).await;
    assert_eq!(mailbox.get(&format!("messages/{id}")).await.status, 200);
    let fields = mailbox
        .json("messages?maxResults=2&fields=messages/id")
        .await;
    assert_eq!(
        fields.as_object().unwrap().len(),
        1,
        "no nextPageToken unless it is asked for"
    );
}

#[tokio::test]
async fn same_seed_gives_the_same_domain() {
    let shape = async |seed: u64| {
        let fake = Fake::with(|options| options.seed = seed).await;
        let users = fake.admin("users", json!({}));
        let labels: Vec<Value> = fake
            .server
            .users()
            .iter()
            .map(|user| {
                let truth = fake.admin("truth", json!({ "user": user, "all": true }));
                truth["messages"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|m| m["labelIds"].clone())
                    .collect()
            })
            .collect();
        (users, labels)
    };
    let first = shape(5).await;
    assert_eq!(first, shape(5).await);
    assert_ne!(first, shape(6).await);
}

#[tokio::test]
async fn mail_folder_is_spread_over_the_last_sixty_days() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("deep")).unwrap();
    for number in 0..9 {
        let path = if number % 2 == 0 {
            format!("deep/{number}.eml")
        } else {
            format!("{number}.msg")
        };
        let mail = format!(
            "Date: Tue, 1 Jan 2002 00:00:00 +0000\nSubject: {number}\n\n\u{0}bytes {number}\n"
        );
        std::fs::write(folder.path().join(path), mail).unwrap();
    }
    std::fs::write(folder.path().join("README.txt"), "no mail").unwrap();
    let fake = Fake::with(|options| {
        options.messages = 0;
        options.mail = Some(folder.path().to_owned());
    })
    .await;
    let mut n_found = 0;
    for number in 0..3 {
        let mailbox = fake.mailbox(number).await;
        let truth = mailbox.truth(true);
        n_found += truth["messages"].as_array().unwrap().len();
        for message in truth["messages"].as_array().unwrap() {
            let age = now_secs() - text(&message["internalDate"]).parse::<i64>().unwrap() / 1000;
            assert!((0..=60 * 86_400).contains(&age));
            let raw = mailbox
                .json(&format!("messages/{}?format=raw", text(&message["id"])))
                .await;
            assert!(
                decode(&text(&raw["raw"]))
                    .windows(6)
                    .any(|part| part == b"\0bytes")
            );
        }
    }
    assert_eq!(n_found, 9);
}
