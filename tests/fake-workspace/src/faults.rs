//! Faults that a test switches on: which calls they hit and what these answer. Several may hit one call.
//! Delays and replies are carried out by `routes.rs` and `server.rs`.

use crate::call::{Body, Cut, Reply};
use crate::error::ApiError;
use bytes::Bytes;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Members of the JSON that switches a fault on.
const MEMBERS: [&str; 15] = [
    "user",
    "method",
    "status",
    "reason",
    "message",
    "retry_after",
    "message_id",
    "id",
    "after",
    "count",
    "probability",
    "seed",
    "latency_ms",
    "body",
    "patch",
];

/// A rule for calls that go wrong. What is absent matches every call.
#[derive(Debug)]
struct Fault {
    number: u64,
    user: Option<String>,
    /// A method name, or the beginning of one followed by `*`.
    method: Option<String>,
    /// The id of the one item that it hits.
    item: Option<String>,
    /// Calls that pass unharmed before the first one is hit.
    to_pass: u64,
    left: Option<u64>,
    probability: f64,
    rng: fastrand::Rng,
    latency: Duration,
    outcome: Outcome,
}

#[derive(Debug, Clone)]
enum Outcome {
    /// Only the delay.
    None,
    Refusal(Refusal),
    /// The right answer, cut in the middle of its body.
    Cut,
    /// No answer at all, though the call was carried out.
    Reset,
    /// A page without items but with a token that leads to the right page.
    EmptyPage,
    /// The place in a change log or listing that the call names is forgotten.
    ExpiredCursor,
    /// The right answer, with nonsense for numbers, times and encoded bytes.
    BadItem,
    /// The right answer, with other values for the members that this object names.
    OddItem(Map<String, Value>),
}

/// An error instead of the right answer.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    error: ApiError,
    body: ErrorBody,
}

#[derive(Debug, Clone, Copy)]
enum ErrorBody {
    Json,
    Html,
    Empty,
}

/// What a call has to suffer, from all faults that hit it.
#[derive(Debug)]
pub(crate) struct Suffering {
    pub(crate) latency: Duration,
    pub(crate) reply: Option<Refusal>,
    pub(crate) empty_page: bool,
    cut: Cut,
    /// Ids of the items to spoil; `None` for all that the answer holds.
    bad_items: Vec<Option<String>>,
    /// Ids of items, and the members that they show otherwise.
    odd_items: Vec<(String, Map<String, Value>)>,
}

/// The call that is about to be answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) user: &'a str,
    pub(crate) method: &'a str,
    pub(crate) item: Option<&'a str>,
    /// Whether the call goes on from a place that an earlier answer named.
    pub(crate) has_cursor: bool,
}

/// All faults that are on, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    rules: Vec<Fault>,
    last_number: u64,
    n_hits: u64,
}

impl Faults {
    /// How many calls have been hit since the start.
    pub(crate) fn n_hits(&self) -> u64 {
        self.n_hits
    }

    /// Switches a fault on, from the JSON of the admin port; returns its number.
    pub(crate) fn add(&mut self, input: &Value) -> Result<u64, String> {
        let object = input.as_object().ok_or("a fault is a JSON object")?;
        if let Some(key) = object.keys().find(|key| !MEMBERS.contains(&key.as_str())) {
            return Err(format!(
                "unknown member `{key}`; known are {}",
                MEMBERS.join(", ")
            ));
        }
        let text = |name: &str| input[name].as_str().map(str::to_owned);
        let number = |name: &str| match &input[name] {
            Value::Null => Ok(None),
            value => match value.as_u64() {
                Some(number) => Ok(Some(number)),
                None => Err(format!("`{name}` is a whole number from 0 up")),
            },
        };
        let probability = match &input["probability"] {
            Value::Null => 1.0,
            value => value
                .as_f64()
                .filter(|share| (0.0..=1.0).contains(share))
                .ok_or("`probability` is a number from 0 to 1")?,
        };
        let fault = Fault {
            number: self.last_number + 1,
            user: text("user").map(|user| user.to_ascii_lowercase()),
            method: text("method"),
            item: text("id").or_else(|| text("message_id")),
            to_pass: number("after")?.unwrap_or(0),
            left: number("count")?,
            probability,
            rng: fastrand::Rng::with_seed(number("seed")?.unwrap_or(1)),
            latency: Duration::from_millis(number("latency_ms")?.unwrap_or(0)),
            outcome: outcome(input)?,
        };
        self.last_number = fault.number;
        self.rules.push(fault);
        Ok(self.last_number)
    }

    /// Switches one fault off, or all; returns how many were on.
    pub(crate) fn remove(&mut self, number: Option<u64>) -> usize {
        let before = self.rules.len();
        self.rules
            .retain(|rule| number.is_some_and(|number| rule.number != number));
        before - self.rules.len()
    }

    /// Takes all faults that hit `target`, and counts it as one hit.
    ///
    /// Delays add up. Of several refusals only the oldest is used up; the others wait for the next call.
    pub(crate) fn take(&mut self, target: Target<'_>) -> Suffering {
        let mut suffering = Suffering::default();
        let mut is_hit = false;
        for rule in &mut self.rules {
            if rule.fits(target) && suffering.has_room_for(&rule.outcome) && rule.strikes() {
                is_hit = true;
                suffering.add(rule, target.method);
            }
        }
        self.n_hits += u64::from(is_hit);
        self.rules.retain(|rule| rule.left != Some(0));
        suffering
    }
}

impl Fault {
    fn fits(&self, target: Target<'_>) -> bool {
        let method_fits = match self.method.as_deref() {
            None => true,
            Some(pattern) => match pattern.strip_suffix('*') {
                Some(start) => target.method.starts_with(start),
                None => pattern == target.method,
            },
        };
        // A bad item shows in lists and threads too, whose paths do not name it.
        let item_fits = matches!(self.outcome, Outcome::BadItem | Outcome::OddItem(_))
            || self
                .item
                .as_deref()
                .is_none_or(|item| Some(item) == target.item);
        let cursor_fits = target.has_cursor || !matches!(self.outcome, Outcome::ExpiredCursor);
        method_fits
            && item_fits
            && cursor_fits
            && self.left != Some(0)
            && self
                .user
                .as_deref()
                .is_none_or(|user| user.eq_ignore_ascii_case(target.user))
    }

    /// Whether this call is one of those that are hit; counts it.
    fn strikes(&mut self) -> bool {
        if self.to_pass > 0 {
            self.to_pass -= 1;
            return false;
        }
        if self.probability < 1.0 && self.rng.f64() >= self.probability {
            return false;
        }
        if let Some(left) = &mut self.left {
            *left -= 1;
        }
        true
    }
}

impl Default for Suffering {
    fn default() -> Self {
        Self {
            latency: Duration::ZERO,
            reply: None,
            empty_page: false,
            cut: Cut::Whole,
            bad_items: Vec::new(),
            odd_items: Vec::new(),
        }
    }
}

impl Suffering {
    fn has_room_for(&self, outcome: &Outcome) -> bool {
        match outcome {
            Outcome::Refusal(_) | Outcome::ExpiredCursor => self.reply.is_none(),
            Outcome::Cut | Outcome::Reset => self.cut == Cut::Whole,
            Outcome::EmptyPage => !self.empty_page,
            Outcome::None | Outcome::BadItem | Outcome::OddItem(_) => true,
        }
    }

    fn add(&mut self, rule: &Fault, method: &str) {
        self.latency += rule.latency;
        match &rule.outcome {
            Outcome::None => {}
            Outcome::Refusal(refusal) => self.reply = Some(refusal.clone()),
            Outcome::ExpiredCursor => self.reply = Some(Refusal::expired_cursor(method)),
            Outcome::Cut => self.cut = Cut::InTheMiddle,
            Outcome::Reset => self.cut = Cut::BeforeTheAnswer,
            Outcome::EmptyPage => self.empty_page = true,
            Outcome::BadItem => self.bad_items.push(rule.item.clone()),
            Outcome::OddItem(patch) => {
                let odd = rule.item.clone().map(|item| (item, patch.clone()));
                self.odd_items.extend(odd);
            }
        }
    }

    /// Does to the reply what is left to be done when it is ready.
    pub(crate) fn spoil(&self, reply: &mut Reply) {
        if reply.status < 400
            && let Body::Json(value) = &mut reply.body
        {
            for item in &self.bad_items {
                match item {
                    None => garble(value),
                    Some(id) => garble_item(value, id),
                }
            }
            for (id, patch) in &self.odd_items {
                patch_item(value, id, patch);
            }
        }
        if self.cut != Cut::Whole {
            reply.cut = self.cut;
        }
    }
}

/// Garbles every object inside `value` that has this id.
fn garble_item(value: &mut Value, id: &str) {
    match value {
        Value::Object(members) if members.get("id").is_some_and(|own| own == id) => {
            members.values_mut().for_each(garble);
            members
                .iter_mut()
                .for_each(|(name, member)| garble_member(name, member));
        }
        Value::Object(members) => members
            .values_mut()
            .for_each(|inner| garble_item(inner, id)),
        Value::Array(items) => items.iter_mut().for_each(|inner| garble_item(inner, id)),
        _ => {}
    }
}

/// Replaces members of every object inside `value` that is this item or tells of it.
fn patch_item(value: &mut Value, id: &str, patch: &Map<String, Value>) {
    match value {
        Value::Object(members) => {
            for inner in members.values_mut() {
                patch_item(inner, id, patch);
            }
            let is_it = ["id", "fileId"]
                .iter()
                .any(|name| members.get(*name).is_some_and(|own| own == id));
            if is_it {
                members.extend(patch.clone());
            }
        }
        Value::Array(items) => items
            .iter_mut()
            .for_each(|inner| patch_item(inner, id, patch)),
        _ => {}
    }
}

fn garble(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(garble),
        Value::Object(members) => {
            for (name, member) in members {
                garble(member);
                garble_member(name, member);
            }
        }
        _ => {}
    }
}

/// Ids, tokens and history ids stay right, so that a client can name what it cannot read.
fn garble_member(name: &str, member: &mut Value) {
    match name {
        "raw" | "data" => *member = json!("%%not base64%%"),
        "internalDate" | "dateTime" | "date" | "updated" | "created" | "modifiedTime"
        | "createdTime" | "time" => *member = json!("not a time"),
        "sizeEstimate" | "size" => *member = json!(-1),
        "headers" | "labelIds" | "attendees" | "parents" => *member = json!([null]),
        _ => {}
    }
}

impl Refusal {
    fn expired_cursor(method: &str) -> Self {
        let error = if method.starts_with("calendar.") {
            let mut error = ApiError::new(
                410,
                "fullSyncRequired",
                "Sync token is no longer valid, a full sync is required.",
            );
            error.domain = "calendar";
            error.extra.location = Some(("parameter", "syncToken"));
            error
        } else if method == "gmail.users.history.list" {
            ApiError::not_found()
        } else if method.starts_with("gmail.") {
            ApiError::invalid_argument("Invalid pageToken")
        } else {
            let mut error = ApiError::new(400, "invalid", "Invalid Value");
            error.extra.location = Some(("parameter", "pageToken"));
            error
        };
        Self {
            error,
            body: ErrorBody::Json,
        }
    }

    /// The reply; the token endpoint has a shape of its own.
    pub(crate) fn to_reply(&self, method: &str) -> Reply {
        error_reply(&self.error, self.body, method)
    }
}

fn outcome(input: &Value) -> Result<Outcome, String> {
    let body = match input["body"].as_str() {
        None => ErrorBody::Json,
        Some("html") => ErrorBody::Html,
        Some("empty") => ErrorBody::Empty,
        Some("cut") => return Ok(Outcome::Cut),
        Some("reset") => return Ok(Outcome::Reset),
        Some("empty_page") => return Ok(Outcome::EmptyPage),
        Some("expired_cursor") => return Ok(Outcome::ExpiredCursor),
        Some("bad_item") => return Ok(Outcome::BadItem),
        Some("odd_item") => {
            let patch = input["patch"].as_object();
            let patch = patch.filter(|_| input["id"].is_string());
            let patch = patch.ok_or("odd_item takes an `id` and an object `patch`")?;
            return Ok(Outcome::OddItem(patch.clone()));
        }
        Some(other) => {
            return Err(format!(
                "unknown body `{other}`; known are html, empty, cut, reset, empty_page, expired_cursor, bad_item, odd_item"
            ));
        }
    };
    let status = match &input["status"] {
        Value::Null if matches!(body, ErrorBody::Json) => return Ok(Outcome::None),
        Value::Null => 503,
        value => value
            .as_u64()
            .and_then(|status| u16::try_from(status).ok())
            .filter(|status| (200..600).contains(status))
            .ok_or("`status` is an HTTP status from 200 to 599")?,
    };
    let reason = input["reason"].as_str().unwrap_or(usual_reason(status));
    let message = input["message"].as_str().unwrap_or(usual_message(reason));
    let mut error = match (status, reason) {
        (401, "authError") => ApiError::invalid_credentials(),
        _ => ApiError::new(status, reason, message),
    };
    if reason.contains("imitExceeded") || reason == "quotaExceeded" {
        error.domain = "usageLimits";
    }
    error.extra.retry_after = match &input["retry_after"] {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    Ok(Outcome::Refusal(Refusal { error, body }))
}

fn usual_reason(status: u16) -> &'static str {
    match status {
        400 => "badRequest",
        401 => "authError",
        403 => "forbidden",
        404 => "notFound",
        429 => "rateLimitExceeded",
        _ => "backendError",
    }
}

fn usual_message(reason: &str) -> &'static str {
    match reason {
        "rateLimitExceeded" => "Rate Limit Exceeded",
        "userRateLimitExceeded" => "User Rate Limit Exceeded",
        "quotaExceeded" => "Quota exceeded.",
        "dailyLimitExceeded" => "Daily Limit Exceeded",
        "notFound" => "Requested entity was not found.",
        "forbidden" => "Forbidden",
        "badRequest" => "Bad Request",
        "failedPrecondition" => "Precondition check failed.",
        "domainPolicy" => "The domain administrators have disabled Gmail apps.",
        _ => "Backend Error",
    }
}

fn error_reply(error: &ApiError, body: ErrorBody, method: &str) -> Reply {
    let mut reply = error.to_reply();
    match body {
        // The token endpoint speaks OAuth's shape for refusals, and the classic one for its own faults.
        ErrorBody::Json if method.starts_with("oauth.") && (400..404).contains(&error.status) => {
            reply.body = Body::Json(json!({
                "error": error.reason,
                "error_description": error.message,
            }));
        }
        ErrorBody::Json => {}
        ErrorBody::Html => {
            reply.content_type = "text/html; charset=UTF-8";
            reply.body = Body::Bytes(Bytes::from_static(
                b"<!DOCTYPE html>\n<html lang=en><title>Error 503 (Server Error)!!1</title>\
                <p><b>503.</b> <ins>That's an error.</ins><p>The service is temporarily unavailable.</html>\n",
            ));
        }
        ErrorBody::Empty => {
            reply.content_type = "text/html; charset=UTF-8";
            reply.body = Body::Bytes(Bytes::new());
        }
    }
    reply.cut = Cut::Whole;
    reply
}
