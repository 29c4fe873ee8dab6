//! The discovery service: documents of a folder, as they are, and nothing beside them.

use crate::client::Fake;

const DOCUMENT: &str =
    "{\n \"id\": \"gmail:v1\",\n \"rootUrl\": \"https://gmail.googleapis.com/\"\n}\n";

async fn fake(folder: &std::path::Path) -> Fake {
    Fake::with(|options| options.discovery = Some(folder.to_owned())).await
}

async fn status_of(fake: &Fake, path: &str) -> u16 {
    fake.send("GET", path, None, "").await.status
}

#[tokio::test]
async fn a_document_comes_as_it_is_and_needs_no_token() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("gmail.v1.json"), DOCUMENT).expect("a file");
    let fake = fake(folder.path()).await;
    let answer = fake
        .send("GET", "/discovery/v1/apis/gmail/v1/rest", None, "")
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.text, DOCUMENT);
    assert_eq!(
        answer.headers["content-type"],
        "application/json; charset=UTF-8"
    );
}

#[tokio::test]
async fn what_is_no_document_is_not_found() {
    let outer = tempfile::tempdir().expect("a temporary folder");
    let folder = outer.path().join("documents");
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::write(outer.path().join("gmail.v1.json"), DOCUMENT).expect("a file");
    let with = fake(&folder).await;
    for path in [
        "/discovery/v1/apis/gmail/v1/rest",
        "/discovery/v1/apis/..%2Fgmail/v1/rest",
        "/discovery/v1/apis/%2E%2E%2Fgmail/v1/rest",
    ] {
        assert_eq!(status_of(&with, path).await, 404, "{path}");
    }
    let without = Fake::start().await;
    let path = "/discovery/v1/apis/gmail/v1/rest";
    assert_eq!(status_of(&without, path).await, 404);
}
