//! `users.messages.list`: newest first, paged by position, so that changes between pages move nothing.

use super::page_size;
use super::query::Search;
use crate::call::Reply;
use crate::error::ApiError;
use crate::oauth::BASE64URL;
use crate::routes::{Context, empty_page};
use crate::store::{Message, MessageId};
use base64::Engine;
use serde_json::{Value, json};

/// `users.messages.list`.
pub(crate) fn list(context: &Context<'_>) -> Result<Reply, ApiError> {
    let user = context.mailbox()?;
    let query = &context.call.query;
    let page = page_size(query)?;
    if context.metadata_only() && query.first("q").is_some() {
        return Err(ApiError::forbidden(
            "Metadata scope does not support 'q' parameter",
        ));
    }
    let search = Search::parse(query.first("q").unwrap_or_default());
    let position = query.first("pageToken").map(parse_token).transpose()?;
    let mailbox = context.workspace.mailbox(user);
    let labels: Vec<&str> = query.all("labelIds").collect();
    if let Some(label) = labels.iter().find(|label| !mailbox.knows_label(label)) {
        return Err(ApiError::invalid_argument(format!(
            "Invalid label: {label}"
        )));
    }
    let hidden_too = query.flag("includeSpamTrash")
        || search.reaches_hidden()
        || labels.iter().any(|label| ["SPAM", "TRASH"].contains(label));
    let names = mailbox.user_labels();
    let fits = |message: &&Message| {
        (hidden_too || !(message.has("SPAM") || message.has("TRASH")))
            && labels.iter().all(|label| message.has(label))
            && search.fits(message, names)
    };
    if context.empty_page {
        let token = match position {
            Some(position) => token(position),
            None => token((i64::MAX, MessageId(u64::MAX))),
        };
        return Ok(empty_page(json!({ "resultSizeEstimate": 0 }), &token));
    }
    let mut found = mailbox.newest_first(position).filter(fits);
    let shown: Vec<&Message> = found.by_ref().take(page).collect();
    let more = found.next().is_some();
    let mut answer = json!({
        // The field is famous for being wrong; 201 is what it says for anything longer than a page.
        "resultSizeEstimate": if more { 201.max(shown.len()) } else { shown.len() },
    });
    if !shown.is_empty() {
        answer["messages"] = shown
            .iter()
            .map(|message| {
                json!({ "id": message.id.to_string(), "threadId": message.thread.to_string() })
            })
            .collect::<Value>();
    }
    if let (Some(last), true) = (shown.last(), more) {
        answer["nextPageToken"] = json!(token((last.internal_date, last.id)));
    }
    Ok(Reply::json(answer))
}

fn token((date, id): (i64, MessageId)) -> String {
    BASE64URL.encode(format!("list:{date}:{id}"))
}

fn parse_token(text: &str) -> Result<(i64, MessageId), ApiError> {
    let parse = || {
        let text = String::from_utf8(BASE64URL.decode(text).ok()?).ok()?;
        let (date, id) = text.strip_prefix("list:")?.split_once(':')?;
        Some((date.parse().ok()?, id.parse().ok()?))
    };
    parse().ok_or_else(|| ApiError::invalid_argument("Invalid pageToken"))
}
