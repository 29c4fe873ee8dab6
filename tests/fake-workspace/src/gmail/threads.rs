//! `users.threads`: conversations as a listing of their newest fitting mail, and changes to all mails of one.
//!
//! See <https://developers.google.com/workspace/gmail/api/guides/threads>.

use super::list::Listing;
use super::message::{Format, Found, describe, refuse_suspended};
use super::write::{brief, check_changes, label_changes};
use super::{message_id, mime};
use crate::call::Reply;
use crate::error::ApiError;
use crate::routes::Context;
use crate::store::{Mailbox, Message, MessageId, ThreadId};
use crate::wire;
use serde_json::{Value, json};

/// `users.threads.list`: a thread is where its newest fitting mail is.
pub(super) fn list(context: &Context<'_>) -> Result<Reply, ApiError> {
    let user = context.mailbox()?;
    let listing = Listing::parse(context, user)?;
    let mailbox = context.workspace.mailbox(user);
    listing.check_labels(&mailbox)?;
    if context.empty_page {
        return Ok(listing.empty_page());
    }
    let is_newest = |message: &Message| {
        let place = |message: &Message| (message.internal_date, message.id);
        mailbox
            .thread(message.thread)
            .filter(|other| place(other) > place(message))
            .all(|other| !listing.fits(&mailbox, other))
    };
    let page = listing.page(&mailbox, is_newest);
    let items = page
        .shown
        .iter()
        .map(|message| {
            json!({
                "id": message.thread.to_string(),
                "historyId": history_id(&mailbox, message.thread),
                "snippet": mime::snippet(&message.content.raw()),
            })
        })
        .collect();
    Ok(page.answer("threads", items))
}

/// `users.threads.get`: all mails of the thread, oldest first, those in the trash included.
pub(super) fn get(context: &Context<'_>) -> Result<Reply, ApiError> {
    let user = context.mailbox()?;
    refuse_suspended(context, user)?;
    let format = Format::of(context)?;
    if format == Format::Raw {
        return Err(ApiError::invalid_argument(
            "Invalid value at 'format' (type.googleapis.com/Format), \"raw\"",
        ));
    }
    let thread = thread_id(context)?;
    let (found, history_id) = {
        let mailbox = context.workspace.mailbox(user);
        let found: Vec<Found> = oldest_first(&mailbox, thread)
            .into_iter()
            .map(Found::of)
            .collect();
        (found, history_id(&mailbox, thread))
    };
    if found.is_empty() {
        return Err(ApiError::not_found());
    }
    let messages: Vec<Value> = found
        .into_iter()
        .map(|found| found.show(format, context))
        .collect();
    let mut answer = json!({ "id": thread.to_string(), "historyId": history_id });
    answer["messages"] = messages.into();
    Ok(Reply::json(answer))
}

/// `users.threads.modify`.
pub(super) fn modify(context: &Context<'_>) -> Result<Reply, ApiError> {
    let (add, remove) = label_changes(&wire::object(&context.call.body)?)?;
    change(
        context,
        |mailbox| check_changes(mailbox, &add, &remove),
        |mailbox, id| mailbox.relabel(id, &add, &remove),
    )
}

/// `users.threads.trash`.
pub(super) fn trash(context: &Context<'_>) -> Result<Reply, ApiError> {
    change(context, |_| Ok(()), Mailbox::trash)
}

/// `users.threads.untrash`.
pub(super) fn untrash(context: &Context<'_>) -> Result<Reply, ApiError> {
    change(context, |_| Ok(()), Mailbox::untrash)
}

/// `users.threads.delete`: all mails of it, for good.
pub(super) fn delete(context: &Context<'_>) -> Result<Reply, ApiError> {
    change(context, |_| Ok(()), Mailbox::delete).map(|_| Reply::no_content())
}

fn change(
    context: &Context<'_>,
    check: impl FnOnce(&Mailbox) -> Result<(), ApiError>,
    act: impl Fn(&mut Mailbox, MessageId) -> Option<()>,
) -> Result<Reply, ApiError> {
    let user = context.mailbox()?;
    let thread = thread_id(context)?;
    let mut mailbox = context.workspace.mailbox(user);
    check(&mailbox)?;
    let ids: Vec<MessageId> = oldest_first(&mailbox, thread)
        .into_iter()
        .map(|message| message.id)
        .collect();
    if ids.is_empty() {
        return Err(ApiError::not_found());
    }
    for id in ids {
        act(&mut mailbox, id);
    }
    let messages: Vec<Value> = oldest_first(&mailbox, thread)
        .into_iter()
        .map(|message| brief(&describe(message)))
        .collect();
    Ok(Reply::json(json!({
        "id": thread.to_string(),
        "messages": messages,
    })))
}

fn oldest_first(mailbox: &Mailbox, thread: ThreadId) -> Vec<&Message> {
    let mut messages: Vec<&Message> = mailbox.thread(thread).collect();
    messages.sort_by_key(|message| (message.internal_date, message.id));
    messages
}

fn history_id(mailbox: &Mailbox, thread: ThreadId) -> String {
    let newest = mailbox.thread(thread).map(|message| message.history_id);
    newest.max().unwrap_or_default().to_string()
}

fn thread_id(context: &Context<'_>) -> Result<ThreadId, ApiError> {
    message_id(context.path("id")).map(|id| ThreadId(id.0))
}
