//! Faults that a test switches on: which calls they hit and what these answer.
//! Delays and replies are carried out by `server.rs`.

use crate::call::{Body, Cut, Reply};
use crate::error::ApiError;
use bytes::Bytes;
use serde_json::{Value, json};
use std::time::Duration;

/// A rule for calls that go wrong. What is absent matches every call.
#[derive(Debug)]
struct Fault {
    number: u64,
    user: Option<String>,
    /// A method name, or the beginning of one followed by `*`.
    method: Option<String>,
    /// The id of the one item that it hits.
    item: Option<String>,
    left: Option<u64>,
    latency: Duration,
    outcome: Outcome,
}

#[derive(Debug, Clone)]
enum Outcome {
    /// Only the delay.
    None,
    Error {
        error: ApiError,
        body: ErrorBody,
    },
    /// The right answer, cut in the middle of its body.
    Cut,
    /// A page without items but with a token that leads to the right page.
    EmptyPage,
}

#[derive(Debug, Clone, Copy)]
enum ErrorBody {
    Json,
    Html,
    Empty,
}

/// What a call has to suffer.
#[derive(Debug)]
pub(crate) struct Suffering {
    pub(crate) latency: Duration,
    pub(crate) effect: Effect,
}

/// What becomes of the call after the delay.
#[derive(Debug)]
pub(crate) enum Effect {
    None,
    Reply(Reply),
    Cut,
    EmptyPage,
}

/// The call that is about to be answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) user: &'a str,
    pub(crate) method: &'a str,
    pub(crate) item: Option<&'a str>,
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
        let known = [
            "user",
            "method",
            "status",
            "reason",
            "message",
            "retry_after",
            "message_id",
            "id",
            "count",
            "latency_ms",
            "body",
        ];
        let object = input.as_object().ok_or("a fault is a JSON object")?;
        if let Some(key) = object.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(format!(
                "unknown member `{key}`; known are {}",
                known.join(", ")
            ));
        }
        let text = |name: &str| input[name].as_str().map(str::to_owned);
        let outcome = outcome(input)?;
        self.last_number += 1;
        self.rules.push(Fault {
            number: self.last_number,
            user: text("user").map(|user| user.to_ascii_lowercase()),
            method: text("method"),
            item: text("id").or_else(|| text("message_id")),
            left: input["count"].as_u64(),
            latency: Duration::from_millis(input["latency_ms"].as_u64().unwrap_or(0)),
            outcome,
        });
        Ok(self.last_number)
    }

    /// Switches one fault off, or all; returns how many were on.
    pub(crate) fn remove(&mut self, number: Option<u64>) -> usize {
        let before = self.rules.len();
        self.rules
            .retain(|rule| number.is_some_and(|number| rule.number != number));
        before - self.rules.len()
    }

    /// Takes the first fault that hits `target`, and counts it.
    pub(crate) fn take(&mut self, target: Target<'_>) -> Option<Suffering> {
        let at = self.rules.iter().position(|rule| rule.hits(target))?;
        let rule = &mut self.rules[at];
        if let Some(left) = &mut rule.left {
            *left -= 1;
        }
        self.n_hits += 1;
        let effect = match &rule.outcome {
            Outcome::None => Effect::None,
            Outcome::Cut => Effect::Cut,
            Outcome::EmptyPage => Effect::EmptyPage,
            Outcome::Error { error, body } => {
                Effect::Reply(error_reply(error, *body, target.method))
            }
        };
        let suffering = Suffering {
            latency: rule.latency,
            effect,
        };
        if rule.left == Some(0) {
            self.rules.remove(at);
        }
        Some(suffering)
    }
}

impl Fault {
    fn hits(&self, target: Target<'_>) -> bool {
        let method_fits = match self.method.as_deref() {
            None => true,
            Some(pattern) => match pattern.strip_suffix('*') {
                Some(start) => target.method.starts_with(start),
                None => pattern == target.method,
            },
        };
        method_fits
            && self.left != Some(0)
            && self.user.as_deref().is_none_or(|user| user == target.user)
            && self
                .item
                .as_deref()
                .is_none_or(|item| Some(item) == target.item)
    }
}

fn outcome(input: &Value) -> Result<Outcome, String> {
    let body = match input["body"].as_str() {
        None => ErrorBody::Json,
        Some("html") => ErrorBody::Html,
        Some("empty") => ErrorBody::Empty,
        Some("cut") => return Ok(Outcome::Cut),
        Some("empty_page") => return Ok(Outcome::EmptyPage),
        Some(other) => {
            return Err(format!(
                "unknown body `{other}`; known are html, empty, cut, empty_page"
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
    Ok(Outcome::Error { error, body })
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
