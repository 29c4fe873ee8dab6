//! Gmail API v1: one file per group of methods. Storage rules live in `store.rs`.
//!
//! See <https://developers.google.com/workspace/gmail/api/reference/rest>.

pub(crate) mod admin;
mod drafts;
mod headers;
mod history;
mod labels;
mod list;
mod message;
mod mime;
mod operations;
mod query;
mod send;
mod settings;
mod threads;
mod upload;
pub(crate) mod watch;
pub(crate) mod write;

pub(crate) use mime::payload;
pub(crate) use operations::OPERATIONS;
pub(crate) use send::Policy;
pub(crate) use upload::Uploads;

use crate::call::{Query, Reply};
use crate::error::ApiError;
use crate::routes::Context;
use crate::store::MessageId;
use serde_json::json;

/// Largest `maxResults` of all lists.
const MAX_PAGE: usize = 500;

/// `users.getProfile`.
fn profile(context: &Context<'_>) -> Result<Reply, ApiError> {
    let user = context.mailbox()?;
    let address = context.workspace.user(user).primary;
    let mailbox = context.workspace.mailbox(user);
    Ok(Reply::json(json!({
        "emailAddress": address,
        "messagesTotal": mailbox.n_messages(),
        "threadsTotal": mailbox.n_threads(),
        "historyId": mailbox.history_id().to_string(),
    })))
}

/// `maxResults`: 100 by default, what is above the maximum is lowered to it.
fn page_size(query: &Query) -> Result<usize, ApiError> {
    match query.first("maxResults") {
        None => Ok(100),
        Some(text) => match text.parse::<u32>() {
            Ok(0) | Err(_) => Err(ApiError::invalid_argument(format!(
                "Invalid value at 'max_results' (TYPE_UINT32), \"{}\"",
                text.escape_default()
            ))),
            Ok(size) => Ok((size as usize).min(MAX_PAGE)),
        },
    }
}

/// The message id in the path.
fn message_id(text: &str) -> Result<MessageId, ApiError> {
    if text.len() > 16 {
        return Err(ApiError::invalid_argument("Invalid id value"));
    }
    text.parse()
        .map_err(|_| ApiError::invalid_argument("Invalid id value"))
}

/// Whether the token sees headers only.
fn metadata_only(context: &Context<'_>) -> bool {
    !context.has_scope(operations::READ_BODIES)
}
