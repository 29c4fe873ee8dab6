//! Drive, as a client sees it. Expectations are Google's documentation, not the code beside it.

mod changes;
mod drives;
mod files;
mod follow;
mod garbage;
mod search;
mod sharing;
mod uploads;

use crate::client::{Answer, Fake, encode, text};
use bytes::Bytes;
use fake_workspace::Options;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};

const FULL: &str = "https://www.googleapis.com/auth/drive";
const FILE: &str = "https://www.googleapis.com/auth/drive.file";
const READONLY: &str = "https://www.googleapis.com/auth/drive.readonly";
const METADATA: &str = "https://www.googleapis.com/auth/drive.metadata";
const METADATA_READONLY: &str = "https://www.googleapis.com/auth/drive.metadata.readonly";
const FOLDER: &str = "application/vnd.google-apps.folder";
const DOCUMENT: &str = "application/vnd.google-apps.document";
const SHORTCUT: &str = "application/vnd.google-apps.shortcut";
/// What reaches shared drives as well.
const ALL: &str = "supportsAllDrives=true&includeItemsFromAllDrives=true";

/// A domain with nothing in its Drive, and all scopes delegated.
async fn empty() -> Fake {
    with(|options| options.files = 0).await
}

async fn with(change: impl FnOnce(&mut Options)) -> Fake {
    let fake = Fake::with(|options| {
        options.messages = 0;
        change(options);
    })
    .await;
    for scope in [FULL, FILE, READONLY, METADATA] {
        fake.admin("delegation.grant", json!({ "scope": scope }));
    }
    fake
}

/// One user's Drive.
struct Person<'a> {
    fake: &'a Fake,
    address: String,
    token: String,
}

impl Fake {
    async fn person(&self, number: usize) -> Person<'_> {
        self.person_with(number, FULL).await
    }

    async fn person_with(&self, number: usize, scope: &str) -> Person<'_> {
        let address = self.server.users()[number].clone();
        let token = self.token(&address, scope).await;
        Person {
            fake: self,
            address,
            token,
        }
    }
}

impl Person<'_> {
    /// `path` comes after `/drive/v3/`.
    async fn call(&self, method: &str, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let path = format!("/drive/v3/{path}");
        self.fake
            .send(method, &path, Some(&self.token), &body)
            .await
    }

    async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, &Value::Null).await
    }

    /// A get that has to work.
    async fn json(&self, path: &str) -> Value {
        ok(self.get(path).await)
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        ok(self.call("POST", path, &body).await)
    }

    async fn patch(&self, path: &str, body: Value) -> Value {
        ok(self.call("PATCH", path, &body).await)
    }

    async fn delete(&self, path: &str) {
        let answer = self.call("DELETE", path, &Value::Null).await;
        assert_eq!(answer.status, 204, "{}", answer.text);
    }

    /// Status and reason of a call that has to be refused.
    async fn refused(&self, method: &str, path: &str, body: Value) -> (u16, String) {
        let answer = self.call(method, path, &body).await;
        assert!(answer.status >= 400, "{path}: {}", answer.text);
        (answer.status, answer.reason())
    }

    /// Any request to the server, with headers.
    async fn send(&self, method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let url = if url.starts_with('/') {
            format!("{}{url}", self.fake.server.base())
        } else {
            url.to_owned()
        };
        let mut request = Request::builder()
            .method(method)
            .uri(url)
            .header("authorization", format!("Bearer {}", self.token));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = Full::new(Bytes::copy_from_slice(body));
        let request = request.body(body).expect("the request is well-formed");
        self.fake
            .request(request)
            .await
            .expect("an answer comes back whole")
    }

    /// Creates a file without content and returns its id.
    async fn create(&self, body: Value) -> String {
        text(&self.post("files?supportsAllDrives=true", body).await["id"])
    }

    async fn folder(&self, name: &str, parent: &str) -> String {
        self.create(json!({ "name": name, "mimeType": FOLDER, "parents": [parent] }))
            .await
    }

    async fn text_file(&self, name: &str, parent: &str) -> String {
        self.create(json!({ "name": name, "mimeType": "text/plain", "parents": [parent] }))
            .await
    }

    async fn file(&self, id: &str) -> Value {
        self.json(&format!("files/{id}?supportsAllDrives=true&fields=*"))
            .await
    }

    /// All pages of a list, in their order.
    async fn pages(&self, path: &str, items: &str) -> Vec<Value> {
        let mut found = Vec::new();
        let mut token = String::new();
        loop {
            let page = self.json(&format!("{path}{token}")).await;
            found.extend(page[items].as_array().expect("a list").clone());
            assert!(found.len() <= 10_000, "paging does not end");
            match page["nextPageToken"].as_str() {
                Some(next) => token = format!("&pageToken={}", encode(next)),
                None => return found,
            }
        }
    }

    /// Names of what files.list finds, sorted.
    async fn names(&self, query: &str) -> Vec<String> {
        let path = format!("files?fields=nextPageToken,files(name)&{query}");
        let mut names: Vec<String> = self
            .pages(&path, "files")
            .await
            .iter()
            .map(|file| text(&file["name"]))
            .collect();
        names.sort();
        names
    }

    async fn find(&self, q: &str) -> Vec<String> {
        self.names(&format!("q={}", encode(q))).await
    }

    async fn share(&self, id: &str, with: &Person<'_>, role: &str) -> String {
        let body = json!({ "type": "user", "emailAddress": with.address, "role": role });
        let path = format!("files/{id}/permissions?supportsAllDrives=true");
        text(&self.post(&path, body).await["id"])
    }

    async fn start_token(&self, query: &str) -> String {
        let path = format!("changes/startPageToken?{query}");
        text(&self.json(&path).await["startPageToken"])
    }

    /// All changes since a token, and the next token.
    async fn changes(&self, token: &str, query: &str) -> (Vec<Value>, String) {
        let mut found = Vec::new();
        let mut token = token.to_owned();
        loop {
            let path = format!("changes?fields=*&pageToken={}&{query}", encode(&token));
            let page = self.json(&path).await;
            found.extend(page["changes"].as_array().expect("changes").clone());
            match (
                page["nextPageToken"].as_str(),
                page["newStartPageToken"].as_str(),
            ) {
                (Some(next), None) => token = next.to_owned(),
                (None, Some(start)) => return (found, start.to_owned()),
                other => panic!("a page has one of the tokens, not {other:?}"),
            }
        }
    }
}

/// The body of an answer that has to be good.
fn ok(answer: Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

/// Ids and whether they were removed, in the order of the log.
fn outline(changes: &[Value]) -> Vec<(String, bool)> {
    changes
        .iter()
        .map(|change| {
            let id = match change["changeType"].as_str() {
                Some("drive") => &change["driveId"],
                _ => &change["fileId"],
            };
            (text(id), change["removed"] == json!(true))
        })
        .collect()
}
