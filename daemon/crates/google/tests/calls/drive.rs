//! What is sent to Drive, and how refusals of it are read. What its answers look like is tested
//! beside the code that reads them.

use crate::fixture::{address, google, limits, ok, refusal, shown, token};
use crate::server::{Reply, Seen, Server};
use nuncio_google::{Drive, Error, Fault, ListFiles, NextChanges};
use nuncio_model::AccountKey;
use serde_json::json;

async fn drive(calls: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> (Server, Drive) {
    let server = Server::start(move |seen| {
        let reply = if seen.path == "/token" {
            token()
        } else {
            calls(&seen)
        };
        async { reply }
    })
    .await;
    let drive = google(&server, limits()).drive(&AccountKey::new("a"), &address("ana@example.com"));
    (server, drive)
}

#[tokio::test]
async fn changes_name_their_log_and_their_tokens() {
    let (server, drive) = drive(|_| {
        ok(&json!({"newStartPageToken": "9", "changes": [
            {"changeType": "file", "fileId": "f", "file": {"id": "f", "version": "1"}}]}))
    })
    .await;
    let page = drive.changes("p+/=", Some("0A"), 0).await.unwrap();
    assert_eq!(page.next, NextChanges::End("9".into()));
    drive.changes("7", None, 5_000).await.unwrap();
    let calls = server.calls();
    let sent: Vec<_> = calls
        .iter()
        .filter(|seen| seen.path == "/drive/v3/changes")
        .map(|seen| &seen.query)
        .collect();
    for query in &sent {
        for (name, value) in [
            ("pageSize", "1000"),
            ("includeRemoved", "true"),
            ("includeItemsFromAllDrives", "true"),
            ("supportsAllDrives", "true"),
            ("includeCorpusRemovals", "true"),
        ] {
            assert_eq!(query[name], value, "{name}");
        }
        assert!(query["fields"].starts_with("nextPageToken,newStartPageToken,"));
    }
    assert_eq!(
        (sent[0]["driveId"].as_str(), sent[0]["pageToken"].as_str()),
        ("0A", "p+/=")
    );
    assert!(!sent[1].contains_key("driveId"));
}

#[tokio::test]
async fn listings_name_their_corpus() {
    let (server, drive) = drive(|_| ok(&json!({"files": []}))).await;
    let list = ListFiles {
        drive_id: Some("0A".into()),
        q: "'x' in parents".into(),
        page_size: 10,
        page_token: Some("t".into()),
        names_only: true,
    };
    drive.list_files(&list).await.unwrap();
    drive.list_files(&ListFiles::default()).await.unwrap();
    let found = drive.list_drive_ids(None).await.unwrap();
    assert_eq!(found.next_page, None);
    let calls = server.calls();
    let sent: Vec<_> = calls
        .iter()
        .filter(|seen| seen.path == "/drive/v3/files")
        .map(|seen| &seen.query)
        .collect();
    assert_eq!(
        (sent[0]["corpora"].as_str(), sent[0]["driveId"].as_str()),
        ("drive", "0A")
    );
    assert_eq!(
        (sent[0]["q"].as_str(), sent[0]["pageSize"].as_str()),
        ("'x' in parents", "10")
    );
    assert_eq!((sent[0]["pageToken"].as_str()), "t");
    assert_eq!(
        (sent[1]["corpora"].as_str(), sent[1]["pageSize"].as_str()),
        ("user", "1000")
    );
    assert_eq!(sent[2]["corpora"], "allDrives");
    for query in sent {
        assert_eq!(query["includeItemsFromAllDrives"], "true");
        assert_eq!(query["supportsAllDrives"], "true");
        assert!(!query.contains_key("orderBy"), "it makes listings slow");
        assert!(query["fields"].starts_with("nextPageToken,incompleteSearch,"));
    }
}

#[tokio::test]
async fn drives_are_told_of_members_only() {
    let (_server, drive) = drive(|_| {
        ok(
            &json!({"incompleteSearch": true, "nextPageToken": "n", "files": [
            {"id": "1", "driveId": "0B", "capabilities": {"canReadDrive": true}},
            {"id": "2", "driveId": "0A"}, {"id": "3"}, 7,
            {"id": "4", "driveId": "0B", "capabilities": {"canReadDrive": true}},
            {"id": "5", "driveId": "0C", "capabilities": {"canReadDrive": false}}]}),
        )
    })
    .await;
    let found = drive.list_drive_ids(None).await.unwrap();
    assert_eq!(found.drives, ["0A", "0B"]);
    assert_eq!(
        (found.next_page.as_deref(), found.incomplete),
        (Some("n"), true)
    );
}

#[tokio::test]
async fn permissions_come_in_pages() {
    let (_server, drive) = drive(|seen| match seen.query.get("pageToken") {
        None => ok(&json!({"nextPageToken": "n", "permissions": [{"id": "1"}, {"role": "x"}]})),
        Some(_) => ok(&json!({"permissions": [{"id": "2"}]})),
    })
    .await;
    let (first, next) = drive.permissions("f", None).await.unwrap();
    assert_eq!((first.len(), next.as_deref()), (1, Some("n")));
    let (second, end) = drive.permissions("f", next.as_deref()).await.unwrap();
    assert_eq!((second[0].id.as_str(), end), ("2", None));
}

#[tokio::test]
async fn ids_stay_in_their_segment_and_a_missing_file_is_not_found() {
    let (server, drive) = drive(|_| refusal(404, "notFound", "File not found: planted.")).await;
    let error = drive.file("../a?b").await.unwrap_err();
    assert!(
        matches!(&error, Error::Status(status) if status.fault == Fault::NotFound),
        "{error}"
    );
    assert_eq!(
        server.calls().last().unwrap().path,
        "/drive/v3/files/..%2Fa%3Fb"
    );
    let error = drive.file("..").await.unwrap_err();
    assert!(matches!(error, Error::Request { .. }), "{}", shown(&error));
}

#[tokio::test]
async fn an_answer_without_what_was_asked_for_is_refused() {
    let (_server, drive) = drive(|_| ok(&json!({"planted": "planted"}))).await;
    for error in [
        drive.about().await.unwrap_err(),
        drive.start_token(None).await.unwrap_err(),
        drive.changes("1", None, 0).await.unwrap_err(),
        drive.file("f").await.unwrap_err(),
    ] {
        assert!(matches!(error, Error::Decode { .. }), "{}", shown(&error));
    }
    assert!(
        drive
            .list_files(&ListFiles::default())
            .await
            .unwrap()
            .files
            .is_empty()
    );
}
