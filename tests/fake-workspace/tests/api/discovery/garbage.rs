//! Nonsense for every operation of the table: paths, parameters, headers and bodies of no sense. The answer is an
//! error of the client or a right answer, never a 5xx and never a broken connection. A new operation is covered by itself.

use super::{DOCUMENTS, Person, described, is_exempt, texts};
use crate::client::{DIRECTORY, FULL, Fake, encode, text};
use fake_workspace::{Served, operations};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const CALENDAR: &str = "https://www.googleapis.com/auth/calendar";
const DRIVE: &str = "https://www.googleapis.com/auth/drive";
const CLOUD: &str = "https://www.googleapis.com/auth/cloud-platform";
/// Calls for each operation.
const N_CALLS: usize = 120;

const WORDS: [&str; 28] = [
    "",
    "0",
    "-1",
    "1",
    "true",
    "null",
    "*",
    "me",
    "root",
    "primary",
    "!",
    "'",
    "\"",
    "\\",
    "(",
    "{}",
    "[]",
    "é",
    "\u{0}",
    "\u{fffd}",
    "a/b",
    "..",
    "%",
    "99999999999999999999999",
    "18446744073709551615",
    "2026-02-30T25:61:00Z",
    "eyJhdCI6LTF9",
    "AAAA",
];
const KINDS: [&str; 7] = [
    "application/json",
    "text/plain",
    "",
    "multipart/related",
    "multipart/related; boundary=b",
    "message/rfc822",
    "application/x-www-form-urlencoded",
];

/// Identities, one of each kind, and what is there to be named.
struct World<'a> {
    people: Vec<(&'static str, Person<'a>)>,
    /// Ids and tokens that are good somewhere.
    known: Vec<String>,
    rng: fastrand::Rng,
}

impl<'a> World<'a> {
    async fn new(fake: &'a Fake, seed: u64) -> Self {
        fake.admin("delegation.grant", json!({ "scope": DRIVE }));
        let mut people = Vec::new();
        for (api, scope) in [
            ("gmail", FULL),
            ("calendar", CALENDAR),
            ("drive", DRIVE),
            ("directory", DIRECTORY),
        ] {
            people.push((api, Person::with(fake, 0, scope).await));
        }
        for api in ["pubsub", "iamcredentials"] {
            people.push((api, Person::account(fake, CLOUD).await));
        }
        let mut world = Self {
            people,
            known: Vec::new(),
            rng: fastrand::Rng::with_seed(seed),
        };
        world.learn().await;
        world
    }

    /// Collects every short text of some lists: ids and tokens of all kinds.
    async fn learn(&mut self) {
        let mut known = BTreeSet::new();
        for (api, path) in [
            ("gmail", "/gmail/v1/users/me/messages?maxResults=3"),
            ("gmail", "/gmail/v1/users/me/labels"),
            ("gmail", "/gmail/v1/users/me/profile"),
            (
                "calendar",
                "/calendar/v3/calendars/primary/events?maxResults=3",
            ),
            (
                "calendar",
                "/calendar/v3/calendars/primary/events?maxResults=2500&fields=nextSyncToken",
            ),
            ("calendar", "/calendar/v3/users/me/calendarList"),
            ("drive", "/drive/v3/files?pageSize=3&fields=*"),
            ("drive", "/drive/v3/changes/startPageToken"),
            (
                "directory",
                "/admin/directory/v1/users?customer=my_customer&maxResults=1",
            ),
        ] {
            collect(&self.person(api).get(path).await, &mut known);
        }
        self.known = known.into_iter().collect();
    }

    fn person(&self, api: &str) -> &Person<'a> {
        let found = self.people.iter().find(|(own, _)| *own == api);
        &found.unwrap_or(&self.people[0]).1
    }

    fn word(&mut self) -> String {
        match self.rng.u8(..4) {
            0 | 1 => self
                .rng
                .choice(&self.known)
                .expect("something is known")
                .clone(),
            2 => self.rng.choice(WORDS).expect("words").to_owned(),
            _ => (0..self.rng.usize(..40))
                .map(|_| self.rng.char(..))
                .collect(),
        }
    }

    /// A place that the row's pattern fits, most of the time.
    fn path(&mut self, row: &Served) -> String {
        let parts: Vec<String> = row
            .path
            .split('/')
            .map(
                |part| match part.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
                    None => part.to_owned(),
                    Some(("userId", verb)) if self.rng.u8(..8) > 0 => format!("me{verb}"),
                    Some(("calendarId", verb)) if self.rng.bool() => format!("primary{verb}"),
                    Some(("project", verb)) if self.rng.bool() => format!("fake-workspace{verb}"),
                    Some((_, verb)) => {
                        format!("{}{verb}", encode(&self.word()).replace('+', "%20"))
                    }
                },
            )
            .collect();
        format!("/{}", parts.join("/"))
    }

    /// Parameters of the method and of all methods, with any value.
    fn query(&mut self, row: &Served) -> String {
        let mut names: Vec<String> = [
            "pageToken",
            "uploadType",
            "upload_id",
            "alt",
            "quotaUser",
            "prettyPrint",
        ]
        .map(str::to_owned)
        .to_vec();
        if let Some((_, method)) = described(row.name) {
            names.extend(
                method["parameters"]
                    .as_object()
                    .expect("parameters")
                    .keys()
                    .cloned(),
            );
        }
        let n_pairs = self.rng.usize(..4);
        let pairs: Vec<String> = (0..n_pairs)
            .map(|_| {
                let name = self.rng.choice(&names).expect("a name").clone();
                let value = match (name.as_str(), self.rng.bool()) {
                    ("uploadType", true) => {
                        ["media", "multipart", "resumable"][self.rng.usize(..3)].to_owned()
                    }
                    ("alt", true) => "media".to_owned(),
                    ("fields", true) => ["*", "id", "files(", "a/b(c,d)", "items(id)"]
                        [self.rng.usize(..5)]
                    .to_owned(),
                    _ => self.word(),
                };
                format!("{name}={}", encode(&value))
            })
            .collect();
        pairs.join("&")
    }

    fn body(&mut self, row: &Served) -> Vec<u8> {
        let schema =
            described(row.name).map(|(document, method)| (&document.schemas, &method["request"]));
        match self.rng.u8(..12) {
            0 => Vec::new(),
            1 => b"{\"a\": \xff\xfe}".to_vec(),
            2 => "[".repeat(20_000).into_bytes(),
            3 => format!("{}1{}", "{\"a\":".repeat(5_000), "}".repeat(5_000)).into_bytes(),
            4 => self.word().into_bytes(),
            5 => format!(
                "--b\r\nContent-Type: application/json\r\n\r\n{}\r\n--b\r\n\r\n{}\r\n--b--",
                self.value(3),
                self.word()
            )
            .into_bytes(),
            6 => self.value(3).to_string().into_bytes(),
            _ => match schema {
                Some((schemas, schema)) if schema.is_object() => {
                    self.almost(schemas, schema, 4).to_string().into_bytes()
                }
                _ => self.value(2).to_string().into_bytes(),
            },
        }
    }

    /// Any JSON.
    fn value(&mut self, depth: usize) -> Value {
        match self.rng.u8(..if depth == 0 { 6 } else { 9 }) {
            0 => Value::Null,
            1 => json!(self.rng.bool()),
            2 => json!(self.rng.i64(..)),
            3 => json!(1e308 * (self.rng.f64() - 0.5)),
            4 | 5 => json!(self.word()),
            6 => (0..self.rng.usize(..4))
                .map(|_| self.value(depth - 1))
                .collect(),
            _ => (0..self.rng.usize(..4))
                .map(|_| (self.word(), self.value(depth - 1)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }

    /// A value that fits the schema but for some members.
    fn almost(&mut self, schemas: &super::schema::Schemas, schema: &Value, depth: usize) -> Value {
        let Some(schema) = schemas.resolve(schema) else {
            return Value::Null;
        };
        if depth == 0 || self.rng.u8(..8) == 0 {
            return self.value(2);
        }
        let choice = texts(&schema["enum"]);
        match schema["type"].as_str() {
            Some("object") => {
                let mut object = serde_json::Map::new();
                for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
                    if self.rng.u8(..3) == 0 {
                        object.insert(name.clone(), self.almost(schemas, inner, depth - 1));
                    }
                }
                object.into()
            }
            Some("array") => (0..self.rng.usize(..3))
                .map(|_| self.almost(schemas, &schema["items"], depth - 1))
                .collect(),
            Some("boolean") => json!(self.rng.bool()),
            Some("integer") => json!(self.rng.i32(..)),
            _ => match self.rng.choice(&choice) {
                Some(word) => json!(word),
                None => json!(self.word()),
            },
        }
    }
}

fn collect(value: &Value, known: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if text.len() <= 300 => {
            known.insert(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, known)),
        Value::Object(members) => members.values().for_each(|member| collect(member, known)),
        _ => {}
    }
}

#[tokio::test]
async fn nonsense_is_refused_in_googles_envelope() {
    // A soak takes many seeds.
    let n_seeds = std::env::var("NONSENSE_SEEDS").map_or(1, |n| n.parse().expect("a number"));
    for seed in 0..n_seeds {
        nonsense_for_all(seed).await;
    }
}

async fn nonsense_for_all(seed: u64) {
    let fake = Fake::with(|options| options.messages = 30).await;
    let mut world = World::new(&fake, seed).await;
    let mut statuses = BTreeSet::new();
    for row in operations() {
        let mut n_refused = 0;
        for _ in 0..N_CALLS {
            let query = world.query(&row);
            let path = format!("{}?{query}", world.path(&row));
            let body = if row.method == "GET" {
                Vec::new()
            } else {
                world.body(&row)
            };
            let kind = KINDS[world.rng.usize(..KINDS.len())];
            let range = [
                "bytes=5-2",
                "bytes 0-0/1",
                "bytes */9",
                "bytes 7-18446744073709551615/*",
                "x",
            ][world.rng.usize(..5)];
            let headers = [
                ("content-type", kind),
                ("range", range),
                ("content-range", range),
                ("if-match", "\"x\""),
            ];
            let n_headers = world.rng.usize(1..=headers.len());
            let api = row.name.split('.').next().unwrap_or_default();
            let answer = world
                .person(api)
                .call_with(row.method, &path, &headers[..n_headers], &body)
                .await;
            assert!(
                answer.status < 500,
                "{} {path} {}: {}",
                row.method,
                String::from_utf8_lossy(&body),
                answer.text
            );
            n_refused += usize::from(answer.status >= 400);
            statuses.insert(answer.status);
        }
        let takes_anything = is_exempt(row.name) || row.path.ends_with("/colors");
        assert!(
            n_refused > 0 || takes_anything,
            "{}: all nonsense is good",
            row.name
        );
    }
    assert!(
        [200, 400, 404]
            .iter()
            .all(|status| statuses.contains(status)),
        "{statuses:?}"
    );
    // Nobody is left behind a broken lock, and the tokens are still good.
    for (api, path) in [
        ("gmail", "/gmail/v1/users/me/labels"),
        ("calendar", "/calendar/v3/users/me/calendarList"),
        ("drive", "/drive/v3/files"),
        (
            "directory",
            "/admin/directory/v1/users?customer=my_customer",
        ),
    ] {
        world.person(api).get(path).await;
    }
    assert_eq!(DOCUMENTS.len(), world.people.len());
}

#[tokio::test]
async fn nonsense_in_a_batch_stays_in_its_part() {
    let fake = Fake::start().await;
    let mut world = World::new(&fake, 6).await;
    let rows: Vec<Served> = operations()
        .filter(|row| !is_exempt(row.name) && row.method != "PUT" && !row.path.starts_with("v1/"))
        .filter(|row| !row.path.contains("upload"))
        .collect();
    for round in 0..60 {
        let mut body = String::new();
        let mut n_parts = 0;
        for at in 0..20 {
            let row = *world.rng.choice(&rows).expect("rows");
            let query = world.query(&row);
            // Media of a file would have to be UTF-8 here.
            let call = format!(
                "{} {}?{}",
                row.method,
                world.path(&row),
                query.replace("alt=media", "alt=json")
            );
            let json = world.value(2);
            body += &format!(
                "--b\r\nContent-Type: application/http\r\nContent-ID: <{at}>\r\n\r\n{call} HTTP/1.1\r\n"
            );
            body += &format!("Content-Type: application/json\r\n\r\n{json}\r\n");
            n_parts += 1;
        }
        body += "--b--\r\n";
        let answer = world
            .person("gmail")
            .call(
                "POST",
                "/batch",
                "multipart/mixed; boundary=b",
                body.as_bytes(),
            )
            .await;
        let parts = crate::batch::parts(&answer);
        assert_eq!(parts.len(), n_parts, "round {round}");
        for part in parts {
            let part = part.into_answer();
            assert!(part.status < 500, "{}", part.text);
        }
    }
    for (kind, body) in [
        ("", ""),
        ("application/json", "{}"),
        ("multipart/mixed", "--b\r\n\r\n--b--"),
        ("multipart/mixed; boundary=b", ""),
        ("multipart/mixed; boundary=b", "no delimiter"),
    ] {
        let answer = world
            .person("gmail")
            .call("POST", "/batch", kind, body.as_bytes())
            .await;
        assert_eq!(answer.status, 400, "{kind} {body}: {}", answer.text);
    }
    let broken =
        "--b\r\n\r\nx\r\n--b\r\nContent-Type: application/http\r\n\r\n\u{0} \u{0}\r\n\r\n--b--\r\n";
    let answer = world
        .person("gmail")
        .call(
            "POST",
            "/batch/gmail/v1",
            "multipart/mixed; boundary=b",
            broken.as_bytes(),
        )
        .await;
    for part in crate::batch::parts(&answer) {
        assert_eq!(part.into_answer().status, 400);
    }
}

#[tokio::test]
async fn unknown_places_and_methods_are_not_found() {
    let fake = Fake::start().await;
    let world = World::new(&fake, 7).await;
    for row in operations().filter(|row| !row.path.is_empty()) {
        let api = row.name.split('.').next().unwrap_or_default();
        let path = row.path.replace(['{', '}'], "");
        let mut calls = vec![
            (row.method, format!("/{path}/x/y/z")),
            (row.method, format!("/x/{path}")),
        ];
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "REPORT"] {
            if !operations().any(|row| row.fits(method, &path)) {
                calls.push((method, format!("/{path}")));
            }
        }
        for (method, path) in calls {
            let answer = world.person(api).call(method, &path, "", b"").await;
            assert_eq!(
                (
                    answer.status,
                    text(&answer.json()["error"]["status"]).as_str()
                ),
                (404, "NOT_FOUND"),
                "{method} {path}"
            );
        }
    }
}
