//! Calendar from outside: one file per group of promises. Here is the client that they share.

mod domain;
mod guests;
mod parameters;
mod recurring;
mod sharing;
mod sync;
mod write;

use crate::client::{Answer, Fake, encode, text};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};

pub(crate) const ALL: &str = "https://www.googleapis.com/auth/calendar";

/// A domain whose calendars are empty.
pub(crate) async fn empty() -> Fake {
    Fake::with(|options| options.events = 0).await
}

/// One user's Calendar with full rights.
pub(crate) struct Calendar<'a> {
    fake: &'a Fake,
    pub(crate) address: String,
    token: String,
}

impl<'a> Calendar<'a> {
    pub(crate) async fn of(fake: &'a Fake, number: usize) -> Self {
        let address = fake.server.users()[number].clone();
        let token = fake.token(&address, ALL).await;
        Self {
            fake,
            address,
            token,
        }
    }

    /// `path` comes after `/calendar/v3/`.
    pub(crate) async fn call(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.call_with(method, path, body, None).await
    }

    pub(crate) async fn call_with(
        &self,
        method: &str,
        path: &str,
        body: &Value,
        header: Option<(&str, &str)>,
    ) -> Answer {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}/calendar/v3/{path}", self.fake.server.base()))
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {}", self.token));
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let request = request
            .body(Full::new(Bytes::from(body)))
            .expect("the request is well-formed");
        self.fake
            .request(request)
            .await
            .expect("an answer comes back whole")
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, &Value::Null).await
    }

    /// A call that has to work.
    pub(crate) async fn ok(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.call(method, path, body).await;
        assert!(answer.status < 300, "{method} {path}: {}", answer.text);
        if answer.text.is_empty() {
            Value::Null
        } else {
            answer.json()
        }
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        self.ok("GET", path, &Value::Null).await
    }

    /// Adds an event to the primary calendar.
    pub(crate) async fn insert(&self, event: &Value) -> Value {
        self.ok("POST", "calendars/primary/events", event).await
    }

    pub(crate) async fn patch(&self, id: &str, event: &Value) -> Value {
        let path = format!("calendars/primary/events/{id}");
        self.ok("PATCH", &path, event).await
    }

    pub(crate) async fn delete(&self, id: &str) {
        let path = format!("calendars/primary/events/{id}");
        self.ok("DELETE", &path, &Value::Null).await;
    }

    /// One event of the primary calendar.
    pub(crate) async fn event(&self, id: &str) -> Value {
        self.json(&format!("calendars/primary/events/{id}")).await
    }

    /// All items of all pages of a collection, and the last page. `path` may have a query.
    pub(crate) async fn pages(&self, path: &str) -> (Vec<Value>, Value) {
        let mut items = Vec::new();
        let mut token = String::new();
        let sign = if path.contains('?') { '&' } else { '?' };
        for _ in 0..5_000 {
            let page = self.json(&format!("{path}{sign}{token}")).await;
            items.extend(
                page["items"]
                    .as_array()
                    .expect("a page has items")
                    .iter()
                    .cloned(),
            );
            match page["nextPageToken"].as_str() {
                Some(next) => {
                    assert!(
                        page.get("nextSyncToken").is_none(),
                        "a page has one kind of token"
                    );
                    token = format!("pageToken={}", encode(next));
                }
                None => return (items, page),
            }
        }
        panic!("paging does not end");
    }

    /// All events of a primary calendar's listing.
    pub(crate) async fn events(&self, query: &str) -> Vec<Value> {
        self.pages(&format!("calendars/primary/events?{query}"))
            .await
            .0
    }

    /// A call that is refused: status and reason.
    pub(crate) async fn refusal(&self, method: &str, path: &str, body: &Value) -> (u16, String) {
        let answer = self.call(method, path, body).await;
        assert!(answer.status >= 400, "{method} {path}: {}", answer.text);
        (answer.status, answer.reason())
    }

    /// Runs an admin operation of this user.
    pub(crate) fn admin(&self, operation: &str, mut input: Value) -> Value {
        input["user"] = json!(self.address);
        self.fake.admin(operation, input)
    }
}

/// An event of one hour.
pub(crate) fn meeting(summary: &str, start: &str, end: &str) -> Value {
    json!({ "summary": summary, "start": { "dateTime": start }, "end": { "dateTime": end } })
}

/// A series in Berlin: each time an hour from nine o'clock on.
pub(crate) fn series(date: &str, rule: &str) -> Value {
    json!({
        "summary": "Series",
        "start": { "dateTime": format!("{date}T09:00:00"), "timeZone": "Europe/Berlin" },
        "end": { "dateTime": format!("{date}T10:00:00"), "timeZone": "Europe/Berlin" },
        "recurrence": [rule],
    })
}

pub(crate) fn ids(items: &[Value]) -> Vec<String> {
    items.iter().map(|item| text(&item["id"])).collect()
}

pub(crate) fn summaries(items: &[Value]) -> Vec<String> {
    items.iter().map(|item| text(&item["summary"])).collect()
}

pub(crate) fn refused(status: u16, reason: &str) -> (u16, String) {
    (status, reason.to_owned())
}
