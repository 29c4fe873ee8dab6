//! Batch endpoints: one body, many calls, each with a status of its own.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::client::{Answer, FULL, Fake, READONLY, text};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use http_body_util::Full;
use serde_json::{Value, json};

/// One part of an answer.
#[derive(Debug)]
pub(crate) struct Part {
    content_id: String,
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Part {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("the body is JSON")
    }

    /// The same as if it had come by itself.
    pub(crate) fn into_answer(self) -> Answer {
        Answer {
            status: self.status,
            headers: self.headers,
            text: self.body,
        }
    }
}

/// Takes an answer apart by its own boundary, strictly with CRLF.
pub(crate) fn parts(answer: &Answer) -> Vec<Part> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let kind = answer.headers["content-type"].to_str().unwrap();
    let boundary = kind.strip_prefix("multipart/mixed; boundary=").unwrap();
    let text = answer
        .text
        .strip_suffix(&format!("--{boundary}--\r\n"))
        .unwrap();
    let mut found = Vec::new();
    for part in text.split(&format!("--{boundary}\r\n")).skip(1) {
        let (outer, rest) = part.split_once("\r\n\r\n").unwrap();
        assert!(outer.starts_with("Content-Type: application/http"));
        let (head, body) = rest.split_once("\r\n\r\n").unwrap();
        let status = head.strip_prefix("HTTP/1.1 ").unwrap()[..3]
            .parse()
            .unwrap();
        let id = outer
            .lines()
            .find_map(|line| line.strip_prefix("Content-ID: "));
        let headers = head.lines().skip(1).map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            (
                name.parse::<HeaderName>().unwrap(),
                value.parse::<HeaderValue>().unwrap(),
            )
        });
        found.push(Part {
            headers: headers.collect(),
            content_id: id.unwrap_or_default().to_owned(),
            status,
            body: body.strip_suffix("\r\n").unwrap().to_owned(),
        });
    }
    found
}

async fn post(fake: &Fake, path: &str, token: Option<&str>, kind: &str, body: String) -> Answer {
    let mut request =
        Request::post(format!("{}{path}", fake.server.base())).header("content-type", kind);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request = request.body(Full::new(Bytes::from(body))).unwrap();
    fake.request(request).await.unwrap()
}

/// A body in which each call is one part with its number as its id.
fn body(calls: &[String], eol: &str) -> String {
    let mut body = String::new();
    for (at, call) in calls.iter().enumerate() {
        body.push_str(
            &[
                "--b1",
                "Content-Type: application/http",
                &format!("Content-ID: <item{at}+1>"),
                "",
                call,
                "",
            ]
            .join("\n"),
        );
    }
    body.push_str("--b1--\n");
    body.replace('\n', eol)
}

const MIXED: &str = "multipart/mixed; boundary=\"b1\"";

#[tokio::test]
async fn parts_are_answered_in_their_order_with_either_line_break() {
    let fake = Fake::start().await;
    let mailbox = fake.mailbox(0).await;
    let ids = mailbox.list("").await;
    for eol in ["\n", "\r\n"] {
        for path in ["/batch", "/batch/gmail/v1"] {
            let mut calls: Vec<String> = ids
                .iter()
                .take(9)
                .map(|id| format!("GET /gmail/v1/users/me/messages/{id}?format=minimal&alt=json HTTP/1.1\naccept: application/json\n\n"))
                .collect();
            calls.insert(3, "GET /gmail/v1/users/me/messages/123\n\n".to_owned());
            let change = json!({ "addLabelIds": ["STARRED"] }).to_string();
            calls.push(format!(
                "POST /gmail/v1/users/me/messages/{}/modify HTTP/1.1\nContent-Type: application/json\nContent-Length: {}\n\n{change}",
                ids[0], change.len()
            ));
            let answer = post(&fake, path, Some(&mailbox.token), MIXED, body(&calls, eol)).await;
            let parts = parts(&answer);
            assert_eq!(parts.len(), 11);
            for (at, part) in parts.iter().enumerate() {
                assert_eq!(part.content_id, format!("<response-item{at}+1>"));
                assert_eq!(part.status, if at == 3 { 404 } else { 200 }, "{part:?}");
            }
            assert_eq!(parts[0].json()["id"], ids[0]);
            assert_eq!(parts[4].json()["id"], ids[3]);
            assert_eq!(parts[3].json()["error"]["errors"][0]["reason"], "notFound");
            assert!(
                parts[10].json()["labelIds"]
                    .as_array()
                    .unwrap()
                    .contains(&json!("STARRED"))
            );
        }
    }
    let calls = &fake.admin("stats", json!({}))["calls"][&mailbox.address];
    assert_eq!(
        calls["gmail.users.messages.get"],
        4 * 10,
        "every part is a call"
    );
    assert_eq!(calls["gmail.users.messages.modify"], 4);
}

#[tokio::test]
async fn parts_may_have_their_own_credentials() {
    let fake = Fake::start().await;
    let (first, second) = (fake.mailbox(0).await, fake.mailbox(1).await);
    let calls = [
        "GET /gmail/v1/users/me/profile HTTP/1.1\n\n".to_owned(),
        format!(
            "GET /gmail/v1/users/me/profile HTTP/1.1\nAuthorization: Bearer {}\n\n",
            second.token
        ),
        "GET /gmail/v1/users/me/profile HTTP/1.1\nAuthorization: Bearer nonsense\n\n".to_owned(),
    ];
    let parts_with = parts(
        &post(
            &fake,
            "/batch",
            Some(&first.token),
            MIXED,
            body(&calls, "\n"),
        )
        .await,
    );
    assert_eq!(parts_with[0].json()["emailAddress"], first.address);
    assert_eq!(parts_with[1].json()["emailAddress"], second.address);
    assert_eq!(parts_with[2].status, 401);
    let without = parts(&post(&fake, "/batch", None, MIXED, body(&calls, "\n")).await);
    assert_eq!(without[0].status, 401);
    assert_eq!(without[1].json()["emailAddress"], second.address);
    // Outer parameters apply to parts that do not say otherwise.
    let outer = parts(
        &post(
            &fake,
            "/batch?fields=historyId",
            Some(&first.token),
            MIXED,
            body(&calls[..1], "\n"),
        )
        .await,
    );
    assert_eq!(outer[0].json().as_object().unwrap().len(), 1);
}

#[tokio::test]
async fn too_many_parts_are_refused_as_a_whole() {
    let fake = Fake::start().await;
    let token = fake.token(&fake.server.users()[0], READONLY).await;
    let calls = vec!["GET /gmail/v1/users/me/labels HTTP/1.1\n\n".to_owned(); 101];
    let answer = post(
        &fake,
        "/batch",
        Some(&token),
        MIXED,
        body(&calls[..100], "\r\n"),
    )
    .await;
    assert_eq!(parts(&answer).len(), 100);
    fake.admin("stats", json!({ "reset": true }));
    for path in ["/batch", "/batch/gmail/v1"] {
        let answer = post(&fake, path, Some(&token), MIXED, body(&calls, "\r\n")).await;
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (400, "badRequest")
        );
        assert_eq!(
            answer.json()["error"]["message"],
            "Inner request count exceeds the limit. Received: 101, Limit: 100"
        );
    }
    assert_eq!(
        fake.admin("stats", json!({}))["calls"],
        json!({}),
        "nothing was called"
    );
}

#[tokio::test]
async fn broken_parts_fail_alone_and_broken_batches_whole() {
    let fake = Fake::start().await;
    let token = fake.token(&fake.server.users()[0], FULL).await;
    let good = "GET /gmail/v1/users/me/profile HTTP/1.1\n\n";
    let broken = [
        ("", 400),
        ("GET\n\n", 400),
        ("\u{1} / HTTP/1.1\n\n", 400),
        (
            "GET https://gmail.googleapis.com/gmail/v1/users/me/profile HTTP/1.1\n\n",
            400,
        ),
        ("GET /x y z HTTP/1.1\n\n", 400),
        (
            "GET /gmail/v1/users/me/profile HTTP/1.1\nbad header: x\n\n",
            400,
        ),
        ("POST /batch HTTP/1.1\n\n", 400),
        (
            "POST /upload/gmail/v1/users/me/messages?uploadType=media HTTP/1.1\n\nx",
            400,
        ),
        ("GET /calendar/v3/users/me/calendarList HTTP/1.1\n\n", 404),
        (
            "POST /gmail/v1/users/me/messages HTTP/1.1\n\n{nonsense",
            400,
        ),
        ("BREW /gmail/v1/users/me/profile HTTP/1.1\n\n", 404),
    ];
    let mut calls: Vec<String> = broken.iter().map(|(call, _)| (*call).to_owned()).collect();
    calls.push(good.to_owned());
    let found = parts(
        &post(
            &fake,
            "/batch/gmail/v1",
            Some(&token),
            MIXED,
            body(&calls, "\r\n"),
        )
        .await,
    );
    assert_eq!(found.len(), broken.len() + 1);
    for ((call, status), part) in broken.iter().zip(&found) {
        assert_eq!(part.status, *status, "{call:?} {part:?}");
        assert!(part.json()["error"]["message"].is_string());
    }
    assert_eq!(found[broken.len()].status, 200, "the good one is answered");
    // A part of another kind, and one without any headers.
    let odd = format!("--b1\nContent-Type: text/plain\n\n{good}\n--b1\n\n--b1--\n");
    let odd = parts(&post(&fake, "/batch", Some(&token), MIXED, odd).await);
    assert_eq!(
        odd.iter().map(|part| part.status).collect::<Vec<_>>(),
        [400, 400]
    );
    for (kind, text) in [
        ("application/json", body(&[good.to_owned()], "\n")),
        ("multipart/mixed", body(&[good.to_owned()], "\n")),
        (
            "multipart/form-data; boundary=b1",
            body(&[good.to_owned()], "\n"),
        ),
        (
            "multipart/mixed; boundary=other",
            body(&[good.to_owned()], "\n"),
        ),
        (MIXED, String::new()),
        (MIXED, "--b1--".to_owned()),
    ] {
        let answer = post(&fake, "/batch", Some(&token), kind, text).await;
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (400, "badRequest"),
            "{kind}"
        );
    }
    assert_eq!(
        fake.send("GET", "/batch", Some(&token), "").await.status,
        404
    );
    assert_eq!(
        fake.send("POST", "/batch/gmail", Some(&token), "")
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn faults_hit_single_parts_or_the_whole() {
    let fake = Fake::start().await;
    let mailbox = fake.mailbox(0).await;
    let calls: Vec<String> = (0..10)
        .map(|_| "GET /gmail/v1/users/me/profile HTTP/1.1\n\n".to_owned())
        .collect();
    let send = async || {
        post(
            &fake,
            "/batch",
            Some(&mailbox.token),
            MIXED,
            body(&calls, "\r\n"),
        )
        .await
    };
    fake.admin("fault.on", json!({
        "method": "gmail.users.getProfile", "status": 429, "message": "Too many concurrent requests for user", "count": 4,
    }));
    let found = parts(&send().await);
    let refused: Vec<&Part> = found.iter().filter(|part| part.status == 429).collect();
    assert_eq!(refused.len(), 4);
    assert_eq!(
        refused[0].json()["error"]["message"],
        "Too many concurrent requests for user"
    );
    fake.admin(
        "fault.on",
        json!({ "method": "gmail.users.getProfile", "body": "cut", "count": 1 }),
    );
    let cut = parts(&send().await);
    let broken = cut
        .iter()
        .filter(|part| serde_json::from_str::<Value>(&part.body).is_err());
    assert_eq!(broken.count(), 1);
    fake.admin(
        "fault.on",
        json!({ "method": "batch", "status": 503, "body": "html", "count": 1 }),
    );
    assert_eq!(send().await.status, 503);
    assert_eq!(send().await.status, 200);
    assert_eq!(
        text(&parts(&send().await)[9].json()["emailAddress"]),
        mailbox.address
    );
}

/// Refused parts cost nothing and the batch itself is no call.
#[tokio::test]
async fn each_part_is_charged_as_the_call_it_is() {
    for (prices, get) in [
        (fake_workspace::PriceList::May2026, 20),
        (fake_workspace::PriceList::Legacy, 5),
    ] {
        let fake = Fake::with(|options| options.quota = prices).await;
        let mailbox = fake.mailbox(1).await;
        let page = mailbox.json("messages?maxResults=1").await;
        let id = text(&page["messages"][0]["id"]);
        let calls = [
            "GET /gmail/v1/users/me/profile\n\n".to_owned(),
            format!("GET /gmail/v1/users/me/messages/{id}?format=minimal\n\n"),
            "GET /gmail/v1/users/me/messages\n\n".to_owned(),
            format!("GET /gmail/v1/users/me/messages/{id}?format=raw\n\n"),
        ];
        let batch = || {
            post(
                &fake,
                "/batch/gmail/v1",
                Some(&mailbox.token),
                MIXED,
                body(&calls, "\r\n"),
            )
        };
        let statuses = |answer: &Answer| -> Vec<u16> {
            parts(answer).iter().map(|part| part.status).collect()
        };
        let units = || {
            let quota = fake.admin("stats", json!({}))["quota"].clone();
            quota["units_by_user"][&mailbox.address]["gmail"]
                .as_u64()
                .unwrap()
        };
        let before = units();
        assert_eq!(statuses(&batch().await), [200; 4]);
        let cost = 1 + get + 5 + get;
        assert_eq!(units(), before + cost);
        if get == 20 {
            // Room for the profile and the list, but for no get, in whatever order they run.
            fake.admin(
                "quota.spend",
                json!({ "api": "gmail", "limit": "user_minute", "user": mailbox.address, "units": 6_000 - before - cost - 9 }),
            );
            assert_eq!(statuses(&batch().await), [200, 403, 200, 403]);
            assert_eq!(units(), before + cost + 6);
        }
    }
}
