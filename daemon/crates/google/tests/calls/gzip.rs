//! Answers in gzip: asked for, inflated, and bounded after they are inflated.

use crate::fixture::{PROFILE_PATH, limits, mailbox, mailbox_with, profile, shown};
use crate::server::{Reply, Seen};
use flate2::Compression;
use flate2::write::GzEncoder;
use nuncio_google::{Error, Limits};
use nuncio_model::Next;
use serde_json::json;
use std::io::Write;

fn squeezed(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn in_gzip(body: impl Into<Vec<u8>>) -> Reply {
    Reply::new(200, body.into()).header("content-encoding", "gzip")
}

const PROFILE: &[u8] =
    br#"{"emailAddress": "ana@example.com", "messagesTotal": 3, "historyId": "42"}"#;

#[tokio::test]
async fn gzip_is_asked_for_in_both_headers_and_can_be_switched_off() {
    let (server, gmail) = mailbox(|_| in_gzip(squeezed(PROFILE))).await;
    assert_eq!(gmail.profile().await.unwrap().history_id, 42);
    let header = |seen: &Seen, name: &str| {
        let value = seen.headers.get(name);
        value.map(|value| value.to_str().unwrap().to_owned())
    };
    let seen = &server.calls()[0];
    assert_eq!(header(seen, "accept-encoding").as_deref(), Some("gzip"));
    assert!(header(seen, "user-agent").unwrap().contains("gzip"));

    let plain = Limits {
        gzip: false,
        ..limits()
    };
    let (server, gmail) = mailbox_with(plain, |_| profile()).await;
    assert_eq!(gmail.profile().await.unwrap().history_id, 42);
    assert_eq!(header(&server.calls()[0], "accept-encoding"), None);
}

/// A server need not do what it is asked for.
#[tokio::test]
async fn an_answer_that_is_not_in_gzip_is_taken() {
    let (_server, gmail) = mailbox(|_| profile()).await;
    assert_eq!(gmail.profile().await.unwrap().history_id, 42);
}

#[tokio::test]
async fn a_bomb_is_stopped_at_the_limit_and_not_tried_again() {
    let limits = Limits {
        max_body_bytes: 1 << 20,
        ..limits()
    };
    let bomb = squeezed(&vec![b' '; 64 << 20]);
    assert!(bomb.len() < 1 << 20, "it looks harmless: {}", bomb.len());
    let (server, gmail) = mailbox_with(limits, move |_| in_gzip(bomb.clone())).await;
    let error = gmail.profile().await.unwrap_err();
    assert!(
        matches!(error, Error::TooLarge { limit_bytes, .. } if limit_bytes == 1 << 20),
        "{}",
        shown(&error)
    );
    assert_eq!(error.next(), Next::Reject);
    assert_eq!(server.requests(PROFILE_PATH).len(), 1);
}

#[tokio::test]
async fn what_is_cut_or_broken_is_tried_again() {
    let whole = squeezed(PROFILE);
    let mut flipped = whole.clone();
    let n = flipped.len();
    flipped[n - 6] ^= 1; // the sum over all of it
    let cut = whole[..n - 12].to_vec();
    for bad in [cut, flipped, b"no gzip at all".to_vec(), Vec::new()] {
        let good = whole.clone();
        let (server, gmail) = mailbox(move |seen| match seen.n_before {
            0 => in_gzip(bad.clone()),
            _ => in_gzip(good.clone()),
        })
        .await;
        assert_eq!(gmail.profile().await.unwrap().history_id, 42);
        assert_eq!(server.requests(PROFILE_PATH).len(), 2);
    }
    let (server, gmail) = mailbox(move |seen| match seen.n_before {
        0 => in_gzip(squeezed(PROFILE)).cut(),
        _ => profile(),
    })
    .await;
    assert_eq!(gmail.profile().await.unwrap().history_id, 42);
    assert_eq!(server.requests(PROFILE_PATH).len(), 2);
}

#[tokio::test]
async fn a_refusal_in_gzip_is_understood() {
    let body = json!({"error": {"code": 404, "message": "gone",
        "errors": [{"domain": "global", "reason": "notFound", "message": "gone"}]}});
    let (_server, gmail) = mailbox(move |_| {
        Reply::new(404, squeezed(body.to_string().as_bytes())).header("content-encoding", "gzip")
    })
    .await;
    let Error::Status(status) = gmail.profile().await.unwrap_err() else {
        panic!("it is a refusal")
    };
    assert_eq!(status.fault, nuncio_google::Fault::NotFound);
}
