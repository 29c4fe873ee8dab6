//! The rows of Gmail in the table of operations, with the scopes that each method takes.
//! What a method does lives in the file of its group.

use super::{
    drafts, history, labels, list, message, profile, send, settings, threads, upload, watch, write,
};
use crate::routes::{Operation, api};

const GMAIL_FULL: &str = "https://mail.google.com/";
const GMAIL_MODIFY: &str = "https://www.googleapis.com/auth/gmail.modify";
const GMAIL_READONLY: &str = "https://www.googleapis.com/auth/gmail.readonly";
const GMAIL_METADATA: &str = "https://www.googleapis.com/auth/gmail.metadata";
const GMAIL_LABELS: &str = "https://www.googleapis.com/auth/gmail.labels";
const GMAIL_COMPOSE: &str = "https://www.googleapis.com/auth/gmail.compose";
const GMAIL_SEND: &str = "https://www.googleapis.com/auth/gmail.send";
const GMAIL_SETTINGS: &str = "https://www.googleapis.com/auth/gmail.settings.basic";
const GMAIL_INSERT: &str = "https://www.googleapis.com/auth/gmail.insert";

const READ: &[&str] = &[GMAIL_FULL, GMAIL_MODIFY, GMAIL_READONLY, GMAIL_METADATA];
pub(super) const READ_BODIES: &[&str] = &[GMAIL_FULL, GMAIL_MODIFY, GMAIL_READONLY];
const PROFILE: &[&str] = &[
    GMAIL_FULL,
    GMAIL_MODIFY,
    GMAIL_READONLY,
    GMAIL_METADATA,
    GMAIL_COMPOSE,
];
const LABELS: &[&str] = &[
    GMAIL_FULL,
    GMAIL_MODIFY,
    GMAIL_READONLY,
    GMAIL_METADATA,
    GMAIL_LABELS,
];
const MODIFY: &[&str] = &[GMAIL_FULL, GMAIL_MODIFY];
const INSERT: &[&str] = &[GMAIL_FULL, GMAIL_MODIFY, GMAIL_INSERT];
const DELETE: &[&str] = &[GMAIL_FULL];
const WRITE_LABELS: &[&str] = &[GMAIL_FULL, GMAIL_MODIFY, GMAIL_LABELS];
const DRAFTS: &[&str] = &[GMAIL_FULL, GMAIL_MODIFY, GMAIL_READONLY, GMAIL_COMPOSE];
const COMPOSE: &[&str] = &[GMAIL_FULL, GMAIL_MODIFY, GMAIL_COMPOSE];
const SEND: &[&str] = &[GMAIL_FULL, GMAIL_MODIFY, GMAIL_COMPOSE, GMAIL_SEND];
const SETTINGS: &[&str] = &[GMAIL_FULL, GMAIL_MODIFY, GMAIL_READONLY, GMAIL_SETTINGS];

/// Gmail API v1.
pub(crate) const OPERATIONS: &[Operation] = &[
    api(
        "gmail.users.getProfile",
        "GET",
        "gmail/v1/users/{userId}/profile",
        PROFILE,
        profile,
    ),
    api(
        "gmail.users.labels.list",
        "GET",
        "gmail/v1/users/{userId}/labels",
        LABELS,
        labels::list,
    ),
    api(
        "gmail.users.labels.get",
        "GET",
        "gmail/v1/users/{userId}/labels/{id}",
        LABELS,
        labels::get,
    ),
    api(
        "gmail.users.messages.list",
        "GET",
        "gmail/v1/users/{userId}/messages",
        READ,
        list::list,
    ),
    api(
        "gmail.users.messages.get",
        "GET",
        "gmail/v1/users/{userId}/messages/{id}",
        READ,
        message::get,
    ),
    api(
        "gmail.users.messages.attachments.get",
        "GET",
        "gmail/v1/users/{userId}/messages/{messageId}/attachments/{id}",
        READ_BODIES,
        message::attachment,
    ),
    api(
        "gmail.users.history.list",
        "GET",
        "gmail/v1/users/{userId}/history",
        READ,
        history::list,
    ),
    api(
        "gmail.users.messages.insert",
        "POST",
        "gmail/v1/users/{userId}/messages",
        INSERT,
        write::insert,
    ),
    api(
        "gmail.users.messages.insert",
        "POST",
        "upload/gmail/v1/users/{userId}/messages",
        INSERT,
        |context| upload::run(context, write::insert),
    ),
    api(
        "gmail.users.messages.insert",
        "PUT",
        "upload/gmail/v1/users/{userId}/messages",
        INSERT,
        |context| upload::run(context, write::insert),
    ),
    api(
        "gmail.users.messages.import",
        "POST",
        "gmail/v1/users/{userId}/messages/import",
        INSERT,
        write::import,
    ),
    api(
        "gmail.users.messages.import",
        "POST",
        "upload/gmail/v1/users/{userId}/messages/import",
        INSERT,
        |context| upload::run(context, write::import),
    ),
    api(
        "gmail.users.messages.import",
        "PUT",
        "upload/gmail/v1/users/{userId}/messages/import",
        INSERT,
        |context| upload::run(context, write::import),
    ),
    api(
        "gmail.users.messages.batchModify",
        "POST",
        "gmail/v1/users/{userId}/messages/batchModify",
        MODIFY,
        write::batch_modify,
    ),
    api(
        "gmail.users.messages.batchDelete",
        "POST",
        "gmail/v1/users/{userId}/messages/batchDelete",
        DELETE,
        write::batch_delete,
    ),
    api(
        "gmail.users.messages.modify",
        "POST",
        "gmail/v1/users/{userId}/messages/{id}/modify",
        MODIFY,
        write::modify,
    ),
    api(
        "gmail.users.messages.trash",
        "POST",
        "gmail/v1/users/{userId}/messages/{id}/trash",
        MODIFY,
        write::trash,
    ),
    api(
        "gmail.users.messages.untrash",
        "POST",
        "gmail/v1/users/{userId}/messages/{id}/untrash",
        MODIFY,
        write::untrash,
    ),
    api(
        "gmail.users.messages.delete",
        "DELETE",
        "gmail/v1/users/{userId}/messages/{id}",
        DELETE,
        write::delete,
    ),
    api(
        "gmail.users.labels.create",
        "POST",
        "gmail/v1/users/{userId}/labels",
        WRITE_LABELS,
        labels::create,
    ),
    api(
        "gmail.users.labels.update",
        "PUT",
        "gmail/v1/users/{userId}/labels/{id}",
        WRITE_LABELS,
        labels::update,
    ),
    api(
        "gmail.users.labels.patch",
        "PATCH",
        "gmail/v1/users/{userId}/labels/{id}",
        WRITE_LABELS,
        labels::patch,
    ),
    api(
        "gmail.users.labels.delete",
        "DELETE",
        "gmail/v1/users/{userId}/labels/{id}",
        WRITE_LABELS,
        labels::delete,
    ),
    api(
        "gmail.users.messages.send",
        "POST",
        "gmail/v1/users/{userId}/messages/send",
        SEND,
        send::send,
    ),
    api(
        "gmail.users.messages.send",
        "POST",
        "upload/gmail/v1/users/{userId}/messages/send",
        SEND,
        |context| upload::run(context, send::send),
    ),
    api(
        "gmail.users.messages.send",
        "PUT",
        "upload/gmail/v1/users/{userId}/messages/send",
        SEND,
        |context| upload::run(context, send::send),
    ),
    api(
        "gmail.users.threads.list",
        "GET",
        "gmail/v1/users/{userId}/threads",
        READ,
        threads::list,
    ),
    api(
        "gmail.users.threads.get",
        "GET",
        "gmail/v1/users/{userId}/threads/{id}",
        READ,
        threads::get,
    ),
    api(
        "gmail.users.threads.modify",
        "POST",
        "gmail/v1/users/{userId}/threads/{id}/modify",
        MODIFY,
        threads::modify,
    ),
    api(
        "gmail.users.threads.trash",
        "POST",
        "gmail/v1/users/{userId}/threads/{id}/trash",
        MODIFY,
        threads::trash,
    ),
    api(
        "gmail.users.threads.untrash",
        "POST",
        "gmail/v1/users/{userId}/threads/{id}/untrash",
        MODIFY,
        threads::untrash,
    ),
    api(
        "gmail.users.threads.delete",
        "DELETE",
        "gmail/v1/users/{userId}/threads/{id}",
        DELETE,
        threads::delete,
    ),
    api(
        "gmail.users.drafts.list",
        "GET",
        "gmail/v1/users/{userId}/drafts",
        DRAFTS,
        drafts::list,
    ),
    api(
        "gmail.users.drafts.get",
        "GET",
        "gmail/v1/users/{userId}/drafts/{id}",
        DRAFTS,
        drafts::get,
    ),
    api(
        "gmail.users.drafts.create",
        "POST",
        "gmail/v1/users/{userId}/drafts",
        COMPOSE,
        drafts::create,
    ),
    api(
        "gmail.users.drafts.create",
        "POST",
        "upload/gmail/v1/users/{userId}/drafts",
        COMPOSE,
        |context| upload::run(context, drafts::create),
    ),
    api(
        "gmail.users.drafts.create",
        "PUT",
        "upload/gmail/v1/users/{userId}/drafts",
        COMPOSE,
        |context| upload::run(context, drafts::create),
    ),
    api(
        "gmail.users.drafts.send",
        "POST",
        "gmail/v1/users/{userId}/drafts/send",
        COMPOSE,
        drafts::send,
    ),
    api(
        "gmail.users.drafts.send",
        "POST",
        "upload/gmail/v1/users/{userId}/drafts/send",
        COMPOSE,
        |context| upload::run(context, drafts::send),
    ),
    api(
        "gmail.users.drafts.send",
        "PUT",
        "upload/gmail/v1/users/{userId}/drafts/send",
        COMPOSE,
        |context| upload::run(context, drafts::send),
    ),
    api(
        "gmail.users.drafts.update",
        "PUT",
        "gmail/v1/users/{userId}/drafts/{id}",
        COMPOSE,
        drafts::update,
    ),
    api(
        "gmail.users.drafts.update",
        "PUT",
        "upload/gmail/v1/users/{userId}/drafts/{id}",
        COMPOSE,
        |context| upload::run(context, drafts::update),
    ),
    api(
        "gmail.users.drafts.delete",
        "DELETE",
        "gmail/v1/users/{userId}/drafts/{id}",
        COMPOSE,
        drafts::delete,
    ),
    api(
        "gmail.users.settings.sendAs.list",
        "GET",
        "gmail/v1/users/{userId}/settings/sendAs",
        SETTINGS,
        settings::list_send_as,
    ),
    api(
        "gmail.users.settings.sendAs.get",
        "GET",
        "gmail/v1/users/{userId}/settings/sendAs/{sendAsEmail}",
        SETTINGS,
        settings::get_send_as,
    ),
    api(
        "gmail.users.watch",
        "POST",
        "gmail/v1/users/{userId}/watch",
        READ,
        watch::watch,
    ),
    api(
        "gmail.users.stop",
        "POST",
        "gmail/v1/users/{userId}/stop",
        READ,
        watch::stop,
    ),
];
