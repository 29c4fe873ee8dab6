//! `users.drafts`: the id of a draft stays, the message behind it is a new one after each edit.
//!
//! See <https://developers.google.com/workspace/gmail/api/guides/drafts>.

use super::list::Listing;
use super::message::{Format, Found, describe, refuse_suspended};
use super::send::{Outgoing, base_subject, choose_thread};
use super::write::{brief, mail_of, no_mail, thread_id};
use crate::call::Reply;
use crate::error::ApiError;
use crate::routes::Context;
use crate::store::{
    Content, DraftId, LabelId, Mailbox, MessageId, NewMessage, ThreadChoice, ThreadId, summarize,
};
use crate::wire;
use crate::workspace::{UserIndex, Workspace, now_ms};
use bytes::Bytes;
use serde_json::{Value, json};

/// `users.drafts.list`.
pub(super) fn list(context: &Context<'_>) -> Result<Reply, ApiError> {
    let user = context.mailbox()?;
    let listing = Listing::parse(context, user)?;
    let mailbox = context.workspace.mailbox(user);
    if context.empty_page {
        return Ok(listing.empty_page());
    }
    let page = listing.page(&mailbox, |message| message.has("DRAFT"));
    let items = page
        .shown
        .iter()
        .filter_map(|message| {
            let draft = mailbox.draft_of(message.id)?;
            Some(json!({
                "id": draft.to_string(),
                "message": { "id": message.id.to_string(), "threadId": message.thread.to_string() },
            }))
        })
        .collect();
    Ok(page.answer("drafts", items))
}

/// `users.drafts.get`.
pub(super) fn get(context: &Context<'_>) -> Result<Reply, ApiError> {
    let user = context.mailbox()?;
    refuse_suspended(context, user)?;
    let format = Format::of(context)?;
    let draft = parse_id(context.path("id"))?;
    let found = {
        let mailbox = context.workspace.mailbox(user);
        let message = mailbox
            .draft(draft)
            .and_then(|message| mailbox.message(message));
        Found::of(message.ok_or_else(ApiError::not_found)?)
    };
    Ok(Reply::json(json!({
        "id": draft.to_string(),
        "message": found.show(format, context),
    })))
}

/// `users.drafts.create`.
pub(super) fn create(context: &Context<'_>) -> Result<Reply, ApiError> {
    let user = context.mailbox()?;
    let (body, raw) = mail_of(context, |body| &body["message"])?;
    let raw = raw.ok_or_else(no_mail)?;
    let wanted = thread_id(&body["message"])?;
    let mut mailbox = context.workspace.mailbox(user);
    let thread = choose_thread(&mailbox, wanted, &raw)?;
    let message = mailbox.insert(new_draft(raw, thread));
    let draft = mailbox.draft_of(message).ok_or_else(ApiError::not_found)?;
    answer(&mailbox, draft, message)
}

/// `users.drafts.update`: the old message is deleted, a new one added.
pub(super) fn update(context: &Context<'_>) -> Result<Reply, ApiError> {
    let user = context.mailbox()?;
    let draft = parse_id(context.path("id"))?;
    let (body, raw) = mail_of(context, |body| &body["message"])?;
    let raw = raw.ok_or_else(no_mail)?;
    let wanted = thread_id(&body["message"])?;
    let mut mailbox = context.workspace.mailbox(user);
    let message = replace(&mut mailbox, draft, raw, wanted)?;
    answer(&mailbox, draft, message)
}

/// `users.drafts.delete`: for good, not to the trash.
pub(super) fn delete(context: &Context<'_>) -> Result<Reply, ApiError> {
    let user = context.mailbox()?;
    let draft = parse_id(context.path("id"))?;
    let mut mailbox = context.workspace.mailbox(user);
    mailbox
        .draft(draft)
        .and_then(|message| mailbox.delete(message))
        .map(|()| Reply::no_content())
        .ok_or_else(ApiError::not_found)
}

/// `users.drafts.send`: the draft is gone, a new message with `SENT` takes its place in the thread.
pub(super) fn send(context: &Context<'_>) -> Result<Reply, ApiError> {
    let user = context.mailbox()?;
    let (body, raw) = match context.call.segments.first().map(String::as_str) {
        Some("upload") => mail_of(context, |body| &body["message"])?,
        _ if wire::object(&context.call.body)?["message"].is_object() => {
            mail_of(context, |body| &body["message"])?
        }
        _ => (wire::object(&context.call.body)?, None),
    };
    let draft = match body["id"].as_str() {
        Some(id) => parse_id(id)?,
        None => return Err(ApiError::invalid_argument("Missing draft id")),
    };
    send_draft(context.workspace, user, draft, raw).map(Reply::json)
}

/// Sends a draft, or `raw` in its place: the sent message.
pub(super) fn send_draft(
    workspace: &Workspace,
    user: UserIndex,
    draft: DraftId,
    raw: Option<Bytes>,
) -> Result<Value, ApiError> {
    let (old, thread, content) = {
        let mailbox = workspace.mailbox(user);
        let message = mailbox
            .draft(draft)
            .and_then(|message| mailbox.message(message))
            .ok_or_else(ApiError::not_found)?;
        (message.id, message.thread, message.content.clone())
    };
    let outgoing = Outgoing::prepare(workspace, user, &raw.unwrap_or_else(|| content.raw()))?;
    let sent = {
        let mut mailbox = workspace.mailbox(user);
        // The thread may end with the draft and begin anew with the sent mail, under the same id.
        mailbox.delete(old).ok_or_else(ApiError::not_found)?;
        outgoing.store_sent(user, &mut mailbox, ThreadChoice::Given(thread))?
    };
    outgoing.deliver(workspace, user);
    Ok(sent)
}

/// Another subject begins another thread, unless the caller names one.
pub(super) fn replace(
    mailbox: &mut Mailbox,
    draft: DraftId,
    raw: Bytes,
    wanted: Option<ThreadId>,
) -> Result<MessageId, ApiError> {
    let old = mailbox
        .draft(draft)
        .and_then(|message| mailbox.message(message))
        .ok_or_else(ApiError::not_found)?;
    let thread = match wanted {
        Some(_) => choose_thread(mailbox, wanted, &raw)?,
        None if base_subject(&old.summary.subject) == base_subject(&summarize(&raw).subject) => {
            ThreadChoice::Given(old.thread)
        }
        None => ThreadChoice::ByReferences,
    };
    mailbox
        .replace_draft(draft, new_draft(raw, thread))
        .ok_or_else(ApiError::not_found)
}

/// A message that a draft consists of.
pub(super) fn new_draft(raw: Bytes, thread: ThreadChoice) -> NewMessage {
    NewMessage {
        summary: summarize(&raw).into(),
        content: Content::Stored(raw),
        labels: vec![LabelId::new("DRAFT")],
        internal_date: now_ms(),
        thread,
    }
}

fn answer(mailbox: &Mailbox, draft: DraftId, message: MessageId) -> Result<Reply, ApiError> {
    let message = mailbox.message(message).ok_or_else(ApiError::not_found)?;
    let message: Value = brief(&describe(message));
    Ok(Reply::json(
        json!({ "id": draft.to_string(), "message": message }),
    ))
}

/// A malformed id is no draft.
pub(super) fn parse_id(text: &str) -> Result<DraftId, ApiError> {
    text.parse().map_err(|()| ApiError::not_found())
}
