//! Uploads: media, multipart, resumable.

use super::{METADATA, empty};
use crate::client::text;
use serde_json::json;

const FILES: &str = "/upload/drive/v3/files";

#[tokio::test]
async fn media_upload_is_the_content() {
    let fake = empty().await;
    let ana = fake.person(0).await;
    let url = format!("{FILES}?uploadType=media&fields=*");
    let made = super::ok(
        ana.send(
            "POST",
            &url,
            &[("content-type", "text/csv; charset=utf-8")],
            b"a,b",
        )
        .await,
    );
    assert_eq!(
        (&made["mimeType"], &made["size"], &made["name"]),
        (&json!("text/csv"), &json!("3"), &json!("Untitled"))
    );
    let id = text(&made["id"]);
    let url = format!("{FILES}/{id}?uploadType=media&fields=*");
    let changed = super::ok(
        ana.send("PATCH", &url, &[("content-type", "text/csv")], b"a,b,c")
            .await,
    );
    assert_eq!(changed["size"], "5");
    assert_ne!(changed["headRevisionId"], made["headRevisionId"]);
    assert_eq!(
        ana.get(&format!("files/{id}?alt=media")).await.text,
        "a,b,c"
    );
    let metadata = fake.person_with(0, METADATA).await;
    assert_eq!(metadata.send("PATCH", &url, &[], b"x").await.status, 403);
}

#[tokio::test]
async fn multipart_comes_with_any_line_end_and_base64() {
    let fake = empty().await;
    let ana = fake.person(0).await;
    for (eol, encoding, sent) in [
        ("\n", "", "one\ntwo"),
        ("\r\n", "", "one\ntwo"),
        ("\r\n", "Content-Transfer-Encoding: base64", "b25lCnR3bw=="),
    ] {
        let headers: Vec<&str> = ["Content-Type: text/plain", encoding]
            .into_iter()
            .filter(|line| !line.is_empty())
            .collect();
        let body = [
            "--==b",
            "Content-Type: application/json",
            "",
            "{\"name\":\"n.txt\"}",
            "--==b",
            &headers.join(eol),
            "",
            sent,
            "--==b--",
            "",
        ]
        .join(eol);
        let url = format!("{FILES}?uploadType=multipart&fields=*");
        let made = super::ok(
            ana.send(
                "POST",
                &url,
                &[("content-type", "multipart/related; boundary=\"==b\"")],
                body.as_bytes(),
            )
            .await,
        );
        assert_eq!(
            (&made["name"], &made["size"]),
            (&json!("n.txt"), &json!("7"))
        );
        let id = text(&made["id"]);
        assert_eq!(
            ana.get(&format!("files/{id}?alt=media")).await.text,
            "one\ntwo"
        );
    }
    for (content_type, body) in [
        ("multipart/related", "--b\n\n{}\n--b--"),
        ("multipart/related; boundary=b", "--b\n\n{}\n--b--"),
        ("multipart/related; boundary=b", ""),
        (
            "multipart/related; boundary=b",
            "--b\n\nnonsense\n--b\n\nx\n--b--",
        ),
        (
            "multipart/related; boundary=b",
            "--b\n\n{}\n--b\nContent-Transfer-Encoding: base64\n\n???\n--b--",
        ),
    ] {
        let url = format!("{FILES}?uploadType=multipart");
        let answer = ana
            .send(
                "POST",
                &url,
                &[("content-type", content_type)],
                body.as_bytes(),
            )
            .await;
        assert_eq!(answer.status, 400, "{body}");
    }
    assert_eq!(ana.send("POST", FILES, &[], b"x").await.status, 400);
}

#[tokio::test]
async fn resumable_upload_takes_chunks_and_tells_how_far_it_got() {
    let fake = empty().await;
    let ana = fake.person(0).await;
    let content: Vec<u8> = (0..600 * 1024).map(|at| b'a' + (at % 26) as u8).collect();
    let total = content.len();
    let metadata = json!({ "name": "big.txt" }).to_string();
    let start = ana
        .send(
            "POST",
            &format!("{FILES}?uploadType=resumable&fields=id,size"),
            &[
                ("content-type", "application/json"),
                ("x-upload-content-type", "text/plain"),
                ("x-upload-content-length", &total.to_string()),
            ],
            metadata.as_bytes(),
        )
        .await;
    assert_eq!((start.status, start.text.as_str()), (200, ""));
    let session = start.headers["location"].to_str().unwrap().to_owned();
    let status = format!("bytes */{total}");
    let ask = async || {
        ana.send("PUT", &session, &[("content-range", status.as_str())], b"")
            .await
    };
    let empty = ask().await;
    assert_eq!(empty.status, 308);
    assert!(!empty.headers.contains_key("range"));

    let chunk = 256 * 1024;
    // The odd end of a piece is not kept.
    let range = format!("bytes 0-{}/{total}", chunk + 9);
    let first = ana
        .send(
            "PUT",
            &session,
            &[("content-range", &range)],
            &content[..chunk + 10],
        )
        .await;
    assert_eq!(
        (first.status, first.headers["range"].to_str().unwrap()),
        (308, format!("bytes=0-{}", chunk - 1).as_str())
    );
    assert_eq!(ask().await.headers["range"], first.headers["range"]);
    // A gap is refused.
    let gap = format!("bytes {}-{}/{total}", 2 * chunk, total - 1);
    assert_eq!(
        ana.send(
            "PUT",
            &session,
            &[("content-range", &gap)],
            &content[2 * chunk..]
        )
        .await
        .status,
        400
    );
    assert_eq!(
        ana.send("PUT", &session, &[("content-range", "nonsense")], b"x")
            .await
            .status,
        400
    );
    assert!(
        ana.names("").await.is_empty(),
        "nothing is there before the end"
    );

    let range = format!("bytes {chunk}-{}/{total}", total - 1);
    let last = ana
        .send(
            "PUT",
            &session,
            &[("content-range", &range)],
            &content[chunk..],
        )
        .await;
    let made = super::ok(last);
    assert_eq!(made["size"], json!(total.to_string()));
    assert_eq!(
        made.as_object().unwrap().len(),
        2,
        "the mask of the first request holds"
    );
    let id = text(&made["id"]);
    assert_eq!(
        ana.get(&format!("files/{id}?alt=media"))
            .await
            .text
            .as_bytes(),
        content
    );
    // Asking again after the end gives the file again, and no second one.
    assert_eq!(super::ok(ask().await)["id"], json!(id));
    assert_eq!(ana.names("").await, ["big.txt"]);
}

#[tokio::test]
async fn resumable_update_without_known_length() {
    let fake = empty().await;
    let ana = fake.person(0).await;
    let id = ana.text_file("a.txt", "root").await;
    let start = ana
        .send(
            "PATCH",
            &format!("{FILES}/{id}?uploadType=resumable"),
            &[],
            b"{\"name\":\"b.txt\"}",
        )
        .await;
    let session = start.headers["location"].to_str().unwrap().to_owned();
    let chunk = vec![b'x'; 256 * 1024];
    let part = ana
        .send(
            "PUT",
            &session,
            &[("content-range", "bytes 0-262143/*")],
            &chunk,
        )
        .await;
    assert_eq!(part.status, 308);
    let done = super::ok(
        ana.send(
            "PUT",
            &session,
            &[("content-range", "bytes 262144-262145/262146")],
            b"yz",
        )
        .await,
    );
    assert_eq!((&done["id"], &done["name"]), (&json!(id), &json!("b.txt")));
    assert_eq!(ana.file(&id).await["size"], "262146");

    let whole = ana
        .send("POST", &format!("{FILES}?uploadType=resumable"), &[], b"{}")
        .await;
    let session = whole.headers["location"].to_str().unwrap().to_owned();
    assert_eq!(
        ana.send("PUT", &session, &[], b"all at once").await.status,
        200
    );
    let bruno = fake.person(1).await;
    assert_eq!(bruno.send("PUT", &session, &[], b"x").await.status, 404);
    assert_eq!(
        ana.send("PUT", &format!("{FILES}?upload_id=none"), &[], b"x")
            .await
            .status,
        404
    );
}
