//! The control port: what tests do to the domain that no API of Google offers, and the truth to compare with.
//! Served on a loopback listener of its own; one JSON object in, one out.

use crate::activity;
use crate::calendar;
use crate::call::{Call, Reply};
use crate::drive;
use crate::error::ApiError;
use crate::gmail::write::store_raw;
use crate::keys::hex;
use crate::oauth::BASE64URL;
use crate::store::{LabelId, Mailbox, Message, MessageId, ThreadId, UserLabel};
use crate::workspace::{UserIndex, Workspace, now_ms};
use crate::{gmail, hidden, oauth, pubsub, quota, users};
use base64::Engine;
use bytes::Bytes;
use rsa::sha2::{Digest, Sha256};
use serde_json::{Value, json};

/// Labels whose messages a plain listing for mail leaves out, by default or with `-in:chats` and without drafts.
const HIDDEN: [&str; 4] = ["SPAM", "TRASH", "DRAFT", "CHAT"];
/// Most changes of one burst.
const MAX_ROUNDS: u64 = 100_000;

/// Why an operation of the control port did nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No operation has this name.
    #[error("unknown operation `{0}`")]
    Unknown(String),
    /// The operation is known but cannot be done with this input.
    #[error("{0}")]
    Failed(String),
}

impl From<ApiError> for Error {
    fn from(error: ApiError) -> Self {
        Self::Failed(error.message)
    }
}

/// An operation that cannot be done, in words.
pub(crate) fn failed(text: impl Into<String>) -> Error {
    Error::Failed(text.into())
}

/// Answers a request to the control port.
pub(crate) fn answer(workspace: &Workspace, call: &Call) -> Reply {
    let result = match (call.method.as_str(), call.segments.as_slice()) {
        ("POST", [operation]) => {
            let input = if call.body.trim_ascii().is_empty() {
                Ok(json!({}))
            } else {
                serde_json::from_slice(&call.body)
                    .map_err(|error| failed(format!("the input is not JSON: {error}")))
            };
            input.and_then(|input| run(workspace, operation, &input))
        }
        _ => Err(failed("POST a JSON object to /OP")),
    };
    match result {
        Ok(value) => Reply::json(value),
        Err(error) => {
            let mut reply = Reply::json(json!({ "error": error.to_string() }));
            reply.status = match error {
                Error::Unknown(_) => 404,
                Error::Failed(_) => 400,
            };
            reply
        }
    }
}

/// Does one operation.
pub(crate) fn run(workspace: &Workspace, operation: &str, input: &Value) -> Result<Value, Error> {
    if !input.is_object() {
        return Err(failed("the input is not a JSON object"));
    }
    match operation {
        "gmail.insert" => insert(workspace, input),
        "gmail.modify" => {
            let (add, remove) = (
                labels(&input["addLabelIds"])?,
                labels(&input["removeLabelIds"])?,
            );
            change(workspace, input, |mailbox, id| {
                for label in add.iter().chain(&remove) {
                    known(mailbox, label)?;
                }
                Ok(mailbox.relabel(id, &add, &remove))
            })
        }
        "gmail.trash" => change(workspace, input, |mailbox, id| Ok(mailbox.trash(id))),
        "gmail.untrash" => change(workspace, input, |mailbox, id| Ok(mailbox.untrash(id))),
        "gmail.delete" => change(workspace, input, |mailbox, id| Ok(mailbox.delete(id))),
        "gmail.label" => {
            let name = text(input, "name")?;
            let label = workspace
                .mailbox(user(workspace, input)?)
                .create_label(UserLabel::new(name));
            Ok(json!({ "id": label.as_str() }))
        }
        "history.expire" => {
            let start = workspace.mailbox(user(workspace, input)?).expire_history();
            Ok(json!({ "startHistoryId": start.to_string() }))
        }
        "history.restart" => {
            let position = workspace.mailbox(user(workspace, input)?).restart_history();
            Ok(json!({ "historyId": position.to_string() }))
        }
        "feed.hide" => {
            let mut inner = input.clone();
            let op = inner.as_object_mut().and_then(|inner| inner.remove("op"));
            let op = op.as_ref().and_then(Value::as_str);
            let op = op
                .filter(|op| *op != "feed.hide")
                .ok_or_else(|| failed("`op` names the operation to hide"))?;
            hidden::during(|| run(workspace, op, &inner))
        }
        "users" => Ok(users::list(workspace)),
        "fault.on" => {
            let number = workspace.faults().add(input).map_err(Error::Failed)?;
            Ok(json!({ "fault": number }))
        }
        "fault.off" => {
            let n_removed = workspace.faults().remove(input["fault"].as_u64());
            Ok(json!({ "removed": n_removed }))
        }
        "stats" => {
            let n_faults = workspace.faults().n_hits();
            let mut stats = workspace.stats.to_json(n_faults);
            stats["quota"] = workspace.quota.to_json();
            if input["reset"].as_bool() == Some(true) {
                workspace.stats.reset();
                workspace.quota.reset_counters();
            }
            Ok(stats)
        }
        "truth" | "churn" => of_source(workspace, operation, input),
        "rate" => set_rate(
            workspace,
            input["per_second"]
                .as_f64()
                .ok_or_else(|| failed("`per_second` is missing"))?,
        ),
        "stop_rate" => set_rate(workspace, 0.0),
        _ if operation.starts_with("gmail.") => gmail::admin::run(workspace, operation, input),
        _ if operation.starts_with("calendar.") => {
            calendar::admin::run(workspace, operation, input)
        }
        _ if operation.starts_with("drive.") => drive::admin::run(workspace, operation, input),
        _ if operation.starts_with("pubsub.") => pubsub::admin(workspace, operation, input),
        _ => users::run(workspace, operation, input)
            .or_else(|| oauth::admin::run(workspace, operation, input))
            .or_else(|| quota::admin::run(workspace, operation, input))
            .unwrap_or_else(|| Err(Error::Unknown(operation.to_owned()))),
    }
}

/// `truth` and `churn` of the API that `source` names, of mail if none is named.
fn of_source(workspace: &Workspace, operation: &str, input: &Value) -> Result<Value, Error> {
    let source = match &input["source"] {
        Value::Null => "gmail",
        _ => text(input, "source")?,
    };
    match (operation, source) {
        ("truth", "gmail") => truth(workspace, input),
        (_, "gmail") => churn(workspace, input),
        (_, "calendar") => calendar::admin::run(workspace, &format!("calendar.{operation}"), input),
        (_, "drive") => drive::admin::run(workspace, &format!("drive.{operation}"), input),
        _ => Err(failed(format!("no such source: {source}"))),
    }
}

fn churn(workspace: &Workspace, input: &Value) -> Result<Value, Error> {
    let index = user(workspace, input)?;
    let (seed, rounds) = burst(input)?;
    let counts = activity::churn(workspace, index, seed, rounds);
    Ok(json!({
        "counts": counts,
        "historyId": workspace.mailbox(index).history_id().to_string(),
    }))
}

/// Seed and number of changes of a burst.
pub(crate) fn burst(input: &Value) -> Result<(u64, u64), Error> {
    let rounds = input["rounds"].as_u64().unwrap_or(100);
    if rounds > MAX_ROUNDS {
        return Err(failed(format!("at most {MAX_ROUNDS} rounds")));
    }
    Ok((input["seed"].as_u64().unwrap_or(1), rounds))
}

/// The string member `name`.
pub(crate) fn text<'a>(input: &'a Value, name: &str) -> Result<&'a str, Error> {
    input[name]
        .as_str()
        .ok_or_else(|| failed(format!("`{name}` is missing or no string")))
}

/// The user that the member `user` names, by address, alias or id.
pub(crate) fn user(workspace: &Workspace, input: &Value) -> Result<UserIndex, Error> {
    let key = text(input, "user")?;
    workspace
        .find_user(key)
        .map(|(index, _)| index)
        .ok_or_else(|| failed(format!("no such user: {key}")))
}

fn message_id(input: &Value) -> Result<MessageId, Error> {
    let id = text(input, "id")?;
    id.parse()
        .map_err(|_| failed(format!("not a message id: {id}")))
}

fn labels(value: &Value) -> Result<Vec<LabelId>, Error> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) => items
            .iter()
            .map(|item| item.as_str().map(LabelId::new))
            .collect::<Option<_>>()
            .ok_or_else(|| failed("label ids are strings")),
        _ => Err(failed("label ids are a list of strings")),
    }
}

fn known(mailbox: &Mailbox, label: &LabelId) -> Result<(), Error> {
    if mailbox.knows_label(label.as_str()) {
        Ok(())
    } else {
        Err(failed(format!("no such label: {}", label.as_str())))
    }
}

fn insert(workspace: &Workspace, input: &Value) -> Result<Value, Error> {
    let index = user(workspace, input)?;
    let raw: Bytes = match (&input["raw"], &input["text"]) {
        (Value::String(raw), Value::Null) => BASE64URL
            .decode(raw)
            .map_err(|_| failed("`raw` is not base64url"))?
            .into(),
        (Value::Null, Value::String(text)) => text.clone().into(),
        _ => return Err(failed("give either `raw` (base64url) or `text`")),
    };
    let label_ids = match &input["labelIds"] {
        Value::Null => vec![LabelId::new("INBOX"), LabelId::new("UNREAD")],
        given => labels(given)?,
    };
    let date = match &input["internalDate"] {
        Value::Null => now_ms(),
        Value::String(text) => text
            .parse()
            .map_err(|_| failed("`internalDate` is in milliseconds"))?,
        number => number
            .as_i64()
            .ok_or_else(|| failed("`internalDate` is in milliseconds"))?,
    };
    let thread = match &input["threadId"] {
        Value::Null => None,
        Value::String(text) => Some(ThreadId(
            text.parse::<MessageId>()
                .map_err(|_| failed("not a thread id"))?
                .0,
        )),
        _ => return Err(failed("not a thread id")),
    };
    let mut mailbox = workspace.mailbox(index);
    for label in &label_ids {
        known(&mailbox, label)?;
    }
    let id = store_raw(&mut mailbox, raw, label_ids, Some(date), thread)?;
    state(&mailbox, id)
}

fn change(
    workspace: &Workspace,
    input: &Value,
    act: impl FnOnce(&mut Mailbox, MessageId) -> Result<Option<()>, Error>,
) -> Result<Value, Error> {
    let (index, id) = (user(workspace, input)?, message_id(input)?);
    let mut mailbox = workspace.mailbox(index);
    act(&mut mailbox, id)?.ok_or_else(|| failed(format!("no such message: {id}")))?;
    match mailbox.message(id) {
        Some(_) => state(&mailbox, id),
        None => Ok(json!({ "id": id.to_string(), "historyId": mailbox.history_id().to_string() })),
    }
}

fn state(mailbox: &Mailbox, id: MessageId) -> Result<Value, Error> {
    let message = mailbox
        .message(id)
        .ok_or_else(|| failed(format!("no such message: {id}")))?;
    Ok(json!({
        "id": id.to_string(),
        "threadId": message.thread.to_string(),
        "historyId": message.history_id.to_string(),
        "labelIds": label_ids(&message.labels),
    }))
}

fn label_ids(labels: &[LabelId]) -> Value {
    labels.iter().map(LabelId::as_str).collect()
}

fn set_rate(workspace: &Workspace, per_second: f64) -> Result<Value, Error> {
    if !per_second.is_finite() || per_second < 0.0 {
        return Err(failed("`per_second` is a number from 0 up"));
    }
    *workspace.rate() = per_second;
    Ok(json!({ "per_second": per_second }))
}

/// The state as a complete fresh listing would give it; from the store, never from the change log.
fn truth(workspace: &Workspace, input: &Value) -> Result<Value, Error> {
    let index = user(workspace, input)?;
    let since = match &input["since"] {
        Value::Null => i64::MIN,
        Value::String(text) => text
            .parse()
            .map_err(|_| failed("`since` is in milliseconds"))?,
        number => number
            .as_i64()
            .ok_or_else(|| failed("`since` is in milliseconds"))?,
    };
    let all = input["all"].as_bool() == Some(true);
    let (mut answer, contents) = {
        let mailbox = workspace.mailbox(index);
        let young: Vec<_> = mailbox
            .newest_first(None)
            .filter(|message| message.internal_date >= since)
            .collect();
        let is_shown = |message: &Message, hidden: &[&str]| {
            all || !hidden.iter().any(|label| message.has(label))
        };
        let messages = young.iter().copied();
        let shown: Vec<_> = messages.filter(|m| is_shown(m, &HIDDEN)).collect();
        let messages: Vec<Value> = shown.iter().map(|message| true_message(message)).collect();
        let drafts: Vec<_> = young
            .iter()
            .filter(|message| message.has("DRAFT") && is_shown(message, &["SPAM", "TRASH"]))
            .filter_map(|message| Some((mailbox.draft_of(message.id)?, *message)))
            .collect();
        let shown_drafts: Vec<Value> = drafts
            .iter()
            .map(|(id, message)| json!({ "id": id.to_string(), "message": true_message(message) }))
            .collect();
        let names: serde_json::Map<String, Value> = mailbox
            .user_labels()
            .iter()
            .map(|(id, label)| (id.as_str().to_owned(), json!(label.name)))
            .chain(
                crate::store::SYSTEM_LABELS
                    .iter()
                    .map(|id| ((*id).to_owned(), json!(id))),
            )
            .collect();
        let drafts = drafts.iter().map(|(_, message)| *message);
        let contents: Vec<_> = shown
            .into_iter()
            .chain(drafts)
            .map(|message| message.content.clone())
            .collect();
        let answer = json!({
            "historyId": mailbox.history_id().to_string(),
            "messages": messages,
            "drafts": shown_drafts,
            "labels": names,
        });
        (answer, contents)
    };
    // Hashing is slow; the mailbox is free meanwhile, for contents never change.
    let mut contents = contents.into_iter();
    let mut add_content = |message: &mut Value| {
        if let Some(content) = contents.next() {
            let raw = content.raw();
            message["sizeEstimate"] = json!(raw.len());
            message["raw_size"] = json!(raw.len());
            message["sha256"] = json!(hex(&Sha256::digest(&raw)));
        }
    };
    let messages = answer["messages"].as_array_mut();
    messages.into_iter().flatten().for_each(&mut add_content);
    let drafts = answer["drafts"].as_array_mut().into_iter().flatten();
    drafts.for_each(|draft| add_content(&mut draft["message"]));
    Ok(answer)
}

/// A message as `truth` tells it, but for its content.
fn true_message(message: &Message) -> Value {
    json!({
        "id": message.id.to_string(),
        "threadId": message.thread.to_string(),
        "labelIds": label_ids(&message.labels),
        "internalDate": message.internal_date.to_string(),
        "historyId": message.history_id.to_string(),
        "message_id": &*message.summary.message_id,
    })
}
