//! Operations of the control port for Gmail's settings and drafts. Those that change other mail are
//! in the crate's `admin.rs`.

use super::drafts;
use crate::admin::{Error, burst, failed, text, user};
use crate::store::{DraftId, LabelId, SendAs, ThreadChoice};
use crate::workspace::{UserIndex, Workspace};
use bytes::Bytes;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

/// Does one operation.
pub(crate) fn run(workspace: &Workspace, operation: &str, input: &Value) -> Result<Value, Error> {
    match operation {
        "gmail.sendAs" => {
            let index = user(workspace, input)?;
            let send_as = SendAs {
                address: text(input, "email")?.to_owned(),
                name: input["name"].as_str().unwrap_or_default().to_owned(),
                accepted: match input["status"].as_str() {
                    None | Some("accepted") => true,
                    Some("pending") => false,
                    Some(_) => return Err(failed("`status` is accepted or pending")),
                },
            };
            let mut mailbox = workspace.mailbox(index);
            mailbox
                .send_as
                .retain(|own| !own.address.eq_ignore_ascii_case(&send_as.address));
            mailbox.send_as.push(send_as);
            Ok(json!({ "sendAs": mailbox.send_as.len() }))
        }
        "gmail.policy" => {
            let policy = &workspace.gmail;
            let switches = [
                ("replace_message_id", &policy.replaces_message_id),
                ("unpadded", &policy.unpadded),
            ];
            let mut answer = json!({});
            for (name, switch) in switches {
                match &input[name] {
                    Value::Null => {}
                    Value::Bool(on) => switch.store(*on, Ordering::Relaxed),
                    _ => return Err(failed(format!("`{name}` is true or false"))),
                }
                answer[name] = json!(switch.load(Ordering::Relaxed));
            }
            Ok(answer)
        }
        "gmail.draft" => save_draft(workspace, input),
        "gmail.draft.send" => {
            let (index, draft) = (user(workspace, input)?, draft(input)?);
            Ok(drafts::send_draft(workspace, index, draft, None)?)
        }
        "gmail.draft.delete" => {
            let (index, draft) = (user(workspace, input)?, draft(input)?);
            let mut mailbox = workspace.mailbox(index);
            mailbox
                .draft(draft)
                .and_then(|message| mailbox.delete(message))
                .ok_or_else(|| failed("no such draft"))?;
            Ok(json!({ "historyId": mailbox.history_id().to_string() }))
        }
        "gmail.draft.churn" => {
            let (seed, rounds) = burst(input)?;
            churn_drafts(workspace, user(workspace, input)?, seed, rounds)
        }
        _ => Err(Error::Unknown(operation.to_owned())),
    }
}

fn draft(input: &Value) -> Result<DraftId, Error> {
    Ok(drafts::parse_id(text(input, "id")?)?)
}

/// Makes a draft of `text`, or puts it into the draft `id`.
fn save_draft(workspace: &Workspace, input: &Value) -> Result<Value, Error> {
    let index = user(workspace, input)?;
    let raw = Bytes::from(text(input, "text")?.to_owned());
    let mut mailbox = workspace.mailbox(index);
    let (draft, message) = match input["id"] {
        Value::Null => {
            let new = drafts::new_draft(raw, ThreadChoice::ByReferences);
            let message = mailbox.insert(new);
            let draft = mailbox
                .draft_of(message)
                .ok_or_else(|| failed("no draft"))?;
            (draft, message)
        }
        _ => {
            let draft = draft(input)?;
            (draft, drafts::replace(&mut mailbox, draft, raw, None)?)
        }
    };
    Ok(json!({
        "id": draft.to_string(),
        "messageId": message.to_string(),
        "historyId": mailbox.history_id().to_string(),
    }))
}

/// What people do with drafts: begin, edit, mark, send and discard them.
fn churn_drafts(
    workspace: &Workspace,
    user: UserIndex,
    seed: u64,
    rounds: u64,
) -> Result<Value, Error> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let address = workspace.world.members[user.0].address.address.clone();
    for round in 0..rounds {
        let mut mailbox = workspace.mailbox(user);
        let drafts: Vec<DraftId> = mailbox.drafts().collect();
        let draft = (!drafts.is_empty()).then(|| drafts[rng.usize(..drafts.len())]);
        let subject = if rng.bool() {
            "Offer".to_owned()
        } else {
            format!("Offer {round}")
        };
        let raw = Bytes::from(format!(
            "From: <{address}>\r\nTo: <{address}>\r\nSubject: {subject}\r\n\r\nDraft {seed} {round}\r\n"
        ));
        match (draft, rng.u8(..10)) {
            (None, _) | (_, 0..2) => {
                mailbox.insert(drafts::new_draft(raw, ThreadChoice::ByReferences));
            }
            (Some(draft), 2..6) => {
                drafts::replace(&mut mailbox, draft, raw, None)?;
            }
            (Some(draft), 6..8) => {
                let star = [LabelId::new("STARRED")];
                let message = mailbox
                    .draft(draft)
                    .ok_or_else(|| failed("no such draft"))?;
                let is_starred = mailbox
                    .message(message)
                    .is_some_and(|own| own.has("STARRED"));
                match is_starred {
                    true => mailbox.relabel(message, &[], &star),
                    false => mailbox.relabel(message, &star, &[]),
                };
            }
            (Some(draft), 8) => {
                drop(mailbox);
                drafts::send_draft(workspace, user, draft, None)?;
            }
            (Some(draft), _) => {
                let message = mailbox
                    .draft(draft)
                    .ok_or_else(|| failed("no such draft"))?;
                mailbox.delete(message);
            }
        }
    }
    Ok(json!({ "rounds": rounds }))
}
