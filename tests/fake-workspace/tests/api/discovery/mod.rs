//! Every answer of every test is held against Google's discovery documents: `client.rs` hands each over to [`Seen`].
//!
//! Here: which method an answer belongs to and what it has to be. `schema.rs` checks values, `table.rs` the table of
//! operations, the other files call every method in many states and with garbage.
//! The documents are in `documents/`, cut down by `trim.py`.

mod calendar;
mod directory;
mod drive;
mod garbage;
mod gmail;
mod person;
mod pubsub;
mod refusals;
mod schema;
mod schema_tests;
mod table;

use crate::client::Answer;
use bytes::Bytes;
use fake_workspace::{Served, operations};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
pub(crate) use person::Person;
use schema::{Alphabet, Schemas};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::{LazyLock, Mutex};

/// The beginning of method ids, the document, and how it encodes bytes.
const SOURCES: [(&str, &str, Alphabet); 6] = [
    (
        "gmail",
        include_str!("documents/gmail.v1.json"),
        Alphabet::Url,
    ),
    (
        "calendar",
        include_str!("documents/calendar.v3.json"),
        Alphabet::Url,
    ),
    (
        "drive",
        include_str!("documents/drive.v3.json"),
        Alphabet::Url,
    ),
    (
        "directory",
        include_str!("documents/admin.directory_v1.json"),
        Alphabet::Url,
    ),
    (
        "pubsub",
        include_str!("documents/pubsub.v1.json"),
        Alphabet::Standard,
    ),
    (
        "iamcredentials",
        include_str!("documents/iamcredentials.v1.json"),
        Alphabet::Standard,
    ),
];

/// Operations that no discovery document describes, by the beginning of their names.
const EXEMPT: [(&str, &str); 3] = [
    (
        "discovery.",
        "the discovery service gives the documents, which do not describe it",
    ),
    (
        "oauth.",
        "the authorization server speaks OAuth 2.0 and OpenID Connect; Google describes it in words",
    ),
    (
        "metadata.",
        "the metadata server is part of the virtual machine, not an API with a description",
    ),
];

/// One API as Google describes it.
struct Document {
    api: &'static str,
    service_path: String,
    /// Parameters of all methods.
    parameters: Vec<String>,
    methods: Map<String, Value>,
    schemas: Schemas,
}

static DOCUMENTS: LazyLock<Vec<Document>> = LazyLock::new(|| {
    let read = |(api, source, alphabet): &(&'static str, &str, Alphabet)| {
        let value: Value = serde_json::from_str(source).expect("a document is JSON");
        let object = |name: &str| value[name].as_object().expect("an object").clone();
        Document {
            api,
            service_path: value["servicePath"].as_str().expect("a path").to_owned(),
            parameters: texts(&value["parameters"]),
            methods: object("methods"),
            schemas: Schemas {
                by_name: object("schemas"),
                alphabet: *alphabet,
            },
        }
    };
    SOURCES.iter().map(read).collect()
});

/// Strings of a list; none if there is no list.
fn texts(list: &Value) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    items
        .map(|item| item.as_str().expect("a string").to_owned())
        .collect()
}

/// The document and the method that describe an operation.
fn described(name: &str) -> Option<(&'static Document, &'static Value)> {
    let api = name.split('.').next()?;
    let document = DOCUMENTS.iter().find(|document| document.api == api)?;
    Some((document, document.methods.get(name)?))
}

/// Methods of an API that answer in pages.
pub(crate) fn paged_methods(api: &str) -> BTreeSet<&'static str> {
    let document = DOCUMENTS.iter().find(|document| document.api == api);
    let methods = document.into_iter().flat_map(|document| &document.methods);
    methods
        .filter(|(_, method)| method["parameters"]["pageToken"].is_object())
        .map(|(name, _)| name.as_str())
        .collect()
}

fn is_exempt(name: &str) -> bool {
    EXEMPT.iter().any(|(start, _)| name.starts_with(start))
}

/// The row of the table that answers a call.
fn operation(method: &str, path: &str) -> Option<Served> {
    operations().find(|row| row.fits(method, path))
}

/// One request as far as its answer depends on it.
#[derive(Debug)]
pub(crate) struct Sent {
    method: String,
    path: String,
    query: String,
    /// Only of a batch.
    body: Bytes,
}

impl Sent {
    pub(crate) async fn of(request: &Request<Full<Bytes>>) -> Self {
        let path = request.uri().path().to_owned();
        let body = if path.starts_with("/batch") {
            let whole = request.body().clone().collect().await;
            whole.expect("bytes are there").to_bytes()
        } else {
            Bytes::new()
        };
        Self {
            method: request.method().to_string(),
            path,
            query: request.uri().query().unwrap_or_default().to_owned(),
            body,
        }
    }

    fn parameter(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    /// The calls in a batch, in their order.
    fn parts(&self) -> Vec<Self> {
        let text = String::from_utf8_lossy(&self.body);
        let calls = text.lines().filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let (method, target) = (words.next()?, words.next()?);
            let is_call = ["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&method)
                && target.starts_with('/');
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            is_call.then(|| Self {
                method: method.to_owned(),
                path: path.to_owned(),
                query: query.to_owned(),
                body: Bytes::new(),
            })
        });
        calls.collect()
    }
}

/// What a server has answered so far.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Methods and paths of the table that have been called with success.
    succeeded: Mutex<BTreeSet<(&'static str, &'static str)>>,
}

impl Seen {
    /// Checks one answer; a batch is taken apart.
    pub(crate) fn check(&self, sent: &Sent, answer: &Answer) {
        if sent.path.starts_with("/batch") && answer.status == 200 {
            let calls = sent.parts();
            let parts = crate::batch::parts(answer);
            // Where a test sends a broken part there are fewer calls, and nobody knows which.
            if calls.len() == parts.len() {
                for (call, part) in calls.iter().zip(parts) {
                    self.check_one(call, &part.into_answer());
                }
            }
        } else {
            self.check_one(sent, answer);
        }
    }

    fn check_one(&self, sent: &Sent, answer: &Answer) {
        let row = operation(&sent.method, &sent.path);
        let found = match &row {
            Some(row) if is_exempt(row.name) => Vec::new(),
            _ => violations(row.as_ref(), sent, answer),
        };
        assert!(
            found.is_empty(),
            "{} {}?{}: {} is not as Google describes it:\n{}\n{}",
            sent.method,
            sent.path,
            sent.query,
            answer.status,
            found.join("\n"),
            answer.text.chars().take(4_000).collect::<String>()
        );
        if let Some(row) = row
            && answer.status < 300
        {
            let mut succeeded = self.succeeded.lock().expect("no test panics in it");
            succeeded.insert((row.method, row.path));
        }
    }

    /// Fails for rows of an API that have not been called with success.
    pub(crate) fn assert_complete(&self, api: &str) {
        let succeeded = self.succeeded.lock().expect("no test panics in it");
        let missing: Vec<String> = operations()
            .filter(|row| row.name.split('.').next() == Some(api))
            .filter(|row| !succeeded.contains(&(row.method, row.path)))
            .map(|row| format!("{} ({} /{})", row.name, row.method, row.path))
            .collect();
        assert!(
            missing.is_empty(),
            "never called with success: {missing:#?}"
        );
        assert!(!succeeded.is_empty());
    }
}

/// What is wrong with an answer.
fn violations(row: Option<&Served>, sent: &Sent, answer: &Answer) -> Vec<String> {
    if answer.status >= 400 {
        return envelope_violations(answer);
    }
    let Some(row) = row else {
        return vec!["a good answer to a call that is in no table".to_owned()];
    };
    let Some((document, method)) = described(row.name) else {
        return vec![format!("{} is in no discovery document", row.name)];
    };
    let is_media = sent.parameter("alt").as_deref() == Some("media");
    let is_upload = row.path.starts_with("upload/");
    match answer.status {
        // The start of a resumable upload, and what is missing of one:
        // <https://developers.google.com/workspace/drive/api/guides/manage-uploads#resumable>.
        200 if is_upload && answer.headers.contains_key("location") => must_be_empty(answer),
        308 if is_upload => must_be_empty(answer),
        304 => must_be_empty(answer),
        // A part of a file: <https://developers.google.com/workspace/drive/api/guides/manage-downloads#partial_download>.
        206 if is_media => Vec::new(),
        200 if method["supportsMediaDownload"] == true
            && (is_media || method["response"].is_null()) =>
        {
            Vec::new()
        }
        204 if method["response"].is_null() => must_be_empty(answer),
        200 if method["response"].is_object() => {
            let mut found = body_violations(document, &method["response"], answer);
            if sent.parameter("fields").is_none() {
                found.extend(kind_violation(document, &method["response"], answer));
            }
            found
        }
        other => vec![format!("no answer to this method has the status {other}")],
    }
}

fn must_be_empty(answer: &Answer) -> Vec<String> {
    if answer.text.is_empty() {
        Vec::new()
    } else {
        vec!["there is a body where Google sends none".to_owned()]
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get("content-type")
        .is_some_and(|kind| kind == "application/json; charset=UTF-8")
}

fn body_violations(document: &Document, schema: &Value, answer: &Answer) -> Vec<String> {
    if !is_json(&answer.headers) {
        return vec!["the content type is not JSON".to_owned()];
    }
    match serde_json::from_str::<Value>(&answer.text) {
        Ok(value) => document.schemas.violations(schema, &value),
        Err(error) => vec![format!("not JSON: {error}")],
    }
}

/// Whole resources say of what kind they are, where their kind has a name.
fn kind_violation(document: &Document, schema: &Value, answer: &Answer) -> Option<String> {
    let kind = &document.schemas.resolve(schema)?["properties"]["kind"]["default"];
    let value: Value = serde_json::from_str(&answer.text).ok()?;
    (kind.is_string() && &value["kind"] != kind).then(|| format!(".kind: not {kind}"))
}

/// The names of canonical codes that go with each status.
///
/// See <https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto>.
const CODES: &[(u16, &[&str])] = &[
    (
        400,
        &["INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE"],
    ),
    (401, &["UNAUTHENTICATED"]),
    (403, &["PERMISSION_DENIED"]),
    (404, &["NOT_FOUND"]),
    (409, &["ABORTED", "ALREADY_EXISTS"]),
    (429, &["RESOURCE_EXHAUSTED"]),
    (500, &["INTERNAL", "UNKNOWN", "DATA_LOSS"]),
    (503, &["UNAVAILABLE"]),
    (504, &["DEADLINE_EXCEEDED"]),
];

/// The classic envelope: <https://developers.google.com/workspace/gmail/api/guides/handle-errors>;
/// `status` and `details` are those of <https://google.aip.dev/193>.
fn envelope_violations(answer: &Answer) -> Vec<String> {
    if !is_json(&answer.headers) {
        return vec!["the content type of an error is not JSON".to_owned()];
    }
    let Ok(value) = serde_json::from_str::<Value>(&answer.text) else {
        return vec!["an error is not JSON".to_owned()];
    };
    let mut found = Vec::new();
    let error = &value["error"];
    allow(&value, &["error"], "", &mut found);
    allow(
        error,
        &["code", "message", "errors", "status", "details"],
        ".error",
        &mut found,
    );
    if error["code"] != answer.status {
        found.push(format!(".error.code: not {}", answer.status));
    }
    if !error["message"].is_string() {
        found.push(".error.message: not a string".to_owned());
    }
    if let Some(status) = error["status"].as_str() {
        let known = CODES.iter().find(|(code, _)| *code == answer.status);
        if !known.is_none_or(|(_, names)| names.contains(&status)) {
            found.push(format!(".error.status: {status} does not go with it"));
        }
    }
    let errors = error["errors"].as_array().map_or(&[][..], Vec::as_slice);
    if errors.is_empty() {
        found.push(".error.errors: nothing in it".to_owned());
    }
    for one in errors {
        let place = ".error.errors[]";
        let names = [
            "domain",
            "reason",
            "message",
            "location",
            "locationType",
            "extendedHelp",
        ];
        allow(one, &names, place, &mut found);
        for name in ["domain", "reason", "message"] {
            if one[name].as_str().is_none_or(str::is_empty) {
                found.push(format!("{place}.{name}: no text"));
            }
        }
        if one["location"].is_null() != one["locationType"].is_null() {
            found.push(format!("{place}: half a location"));
        }
    }
    for detail in error["details"].as_array().into_iter().flatten() {
        if detail["@type"].as_str().is_none() {
            found.push(".error.details[]: no type".to_owned());
        }
    }
    found
}

fn allow(value: &Value, names: &[&str], place: &str, found: &mut Vec<String>) {
    match value.as_object() {
        None => found.push(format!("{place}: not an object")),
        Some(members) => {
            for name in members
                .keys()
                .filter(|name| !names.contains(&name.as_str()))
            {
                found.push(format!("{place}.{name}: no such field"));
            }
        }
    }
}

/// What a wrong answer has to run into.
#[test]
#[should_panic(expected = ".historyId: not a string: 7")]
fn a_wrong_answer_fails() {
    let sent = Sent {
        method: "GET".to_owned(),
        path: "/gmail/v1/users/me/profile".to_owned(),
        query: String::new(),
        body: Bytes::new(),
    };
    let mut answer = Answer {
        status: 200,
        headers: HeaderMap::new(),
        text: r#"{"emailAddress": "a@example.com", "historyId": "7"}"#.to_owned(),
    };
    let kind = http::HeaderValue::from_static("application/json; charset=UTF-8");
    answer.headers.insert("content-type", kind);
    let seen = Seen::default();
    seen.check(&sent, &answer);
    answer.text = answer.text.replace("\"7\"", "7");
    seen.check(&sent, &answer);
}
