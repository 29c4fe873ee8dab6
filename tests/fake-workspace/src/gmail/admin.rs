//! Operations of the control port for Gmail's settings. Those that change mail are in the crate's `admin.rs`.

use crate::admin::{Error, failed, text, user};
use crate::store::SendAs;
use crate::workspace::Workspace;
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
        _ => Err(Error::Unknown(operation.to_owned())),
    }
}
