//! The JSON form of a mail.

use super::names::{flag_names, name_of_category, name_of_direction};
use super::write::{Object, list, pairs, texts};
use super::{participants, push_participant};
use crate::{Attachment, Email};

pub(super) fn push(out: &mut String, email: &Email) {
    let mut object = Object::open(out);
    object.text("id", &email.id);
    object.text("thread_id", &email.thread_id);
    object.optional_text("draft_id", email.draft_id.as_deref());
    object.text("message_id", &email.message_id);
    object.text("message_key", &email.message_key);
    object.member("flags", |out| flag_names::mail(out, email.flags));
    object.name("category", name_of_category(email.category));
    object.member("labels", |out| texts(out, &email.labels));
    object.name("direction", name_of_direction(email.direction));
    object.truth("internal", email.internal);
    object.optional("from", email.from.as_ref(), push_participant);
    object.optional("sender", email.sender.as_ref(), push_participant);
    object.member("reply_to", |out| participants(out, &email.reply_to));
    object.member("to", |out| participants(out, &email.to));
    object.member("cc", |out| participants(out, &email.cc));
    object.member("bcc", |out| participants(out, &email.bcc));
    object.text("subject", &email.subject);
    object.text("snippet", &email.snippet);
    object.optional_signed("date", email.date);
    object.signed("date_offset", i64::from(email.date_offset));
    object.signed("internal_date", email.internal_date);
    object.optional_text("in_reply_to", email.in_reply_to.as_deref());
    object.member("references", |out| texts(out, &email.references));
    object.optional_text("list_id", email.list_id.as_deref());
    object.optional_text("auto_submitted", email.auto_submitted.as_deref());
    object.truth("has_invite", email.has_invite);
    object.optional_text("text", email.text.as_deref());
    object.optional_text("html", email.html.as_deref());
    object.truth("truncated", email.truncated);
    object.member("attachments", |out| {
        list(out, &email.attachments, push_attachment)
    });
    object.unsigned("size", email.size);
    object.optional("headers", email.headers.as_ref(), |out, headers| {
        pairs(out, headers)
    });
    object.close();
}

fn push_attachment(out: &mut String, attachment: &Attachment) {
    let mut object = Object::open(out);
    object.text("part_id", &attachment.part_id);
    object.text("filename", &attachment.filename);
    object.text("mime_type", &attachment.mime_type);
    object.unsigned("size", attachment.size);
    object.optional_text("content_id", attachment.content_id.as_deref());
    object.truth("inline", attachment.inline);
    object.close();
}
