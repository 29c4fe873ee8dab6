//! `users.messages.send`: what Gmail does to a mail on its way out, and the copies that reach mailboxes of the domain.
//!
//! See <https://developers.google.com/workspace/gmail/api/guides/sending>.

use super::headers::Fields;
use super::message::describe;
use super::settings::{full_name, may_send_as};
use super::write::{brief, mail_of, no_mail, thread_id};
use crate::call::Reply;
use crate::error::ApiError;
use crate::generate::charsets::{Language, header_text};
use crate::routes::Context;
use crate::store::{
    Content, LabelId, Mailbox, MessageId, NewMessage, ThreadChoice, ThreadId, summarize,
};
use crate::wire::rfc2822;
use crate::workspace::{UserIndex, Workspace, now_ms};
use base64::Engine;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use bytes::Bytes;
use serde_json::Value;
use std::sync::atomic::{AtomicBool, Ordering};

/// Most recipients of one mail.
const MAX_RECIPIENTS: usize = 500;

/// What is not known of Gmail for sure and can be switched by a test.
#[derive(Debug, Default)]
pub(crate) struct Policy {
    /// Whether a Message-ID that the client wrote is replaced; it stays as X-Google-Original-Message-ID.
    pub(super) replaces_message_id: AtomicBool,
    /// Whether base64url goes out without padding: a few reports say so, though common clients rely on it.
    pub(super) unpadded: AtomicBool,
}

impl Policy {
    /// Bytes as Gmail writes them into JSON.
    pub(super) fn encode(&self, bytes: &[u8]) -> String {
        if self.unpadded.load(Ordering::Relaxed) {
            URL_SAFE_NO_PAD.encode(bytes)
        } else {
            URL_SAFE.encode(bytes)
        }
    }
}

/// A mail ready to go, and whom it reaches.
pub(super) struct Outgoing {
    /// The sender's copy, with `Bcc`.
    raw: Bytes,
    /// Users of the domain among the recipients.
    reached: Vec<UserIndex>,
    from: String,
}

/// `users.messages.send`.
pub(super) fn send(context: &Context<'_>) -> Result<Reply, ApiError> {
    let user = context.mailbox()?;
    let (body, raw) = mail_of(context, |body| body)?;
    let outgoing = Outgoing::prepare(context.workspace, user, &raw.ok_or_else(no_mail)?)?;
    let thread = thread_id(&body)?;
    let sent = {
        let mut mailbox = context.workspace.mailbox(user);
        let thread = choose_thread(&mailbox, thread, &outgoing.raw)?;
        outgoing.store_sent(user, &mut mailbox, thread)?
    };
    outgoing.deliver(context.workspace, user);
    Ok(Reply::json(sent))
}

/// A thread takes a mail only if the subject is the same, up to `Re:`; otherwise the mail begins its own.
pub(super) fn choose_thread(
    mailbox: &Mailbox,
    wanted: Option<ThreadId>,
    raw: &[u8],
) -> Result<ThreadChoice, ApiError> {
    let Some(thread) = wanted else {
        return Ok(ThreadChoice::ByReferences);
    };
    if !mailbox.has_thread(thread) {
        return Err(ApiError::not_found());
    }
    let subject = summarize(raw).subject;
    let fits = mailbox
        .thread(thread)
        .any(|message| base_subject(&message.summary.subject) == base_subject(&subject));
    Ok(if fits {
        ThreadChoice::Given(thread)
    } else {
        ThreadChoice::ByReferences
    })
}

/// A subject without the marks of replies and forwards, in lower case.
pub(super) fn base_subject(subject: &str) -> String {
    let mut rest = subject.trim().to_lowercase();
    while let Some(after) = ["re:", "fwd:", "fw:", "aw:"]
        .iter()
        .find_map(|mark| rest.strip_prefix(mark))
    {
        rest = after.trim_start().to_owned();
    }
    rest
}

impl Outgoing {
    /// Checks the recipients and writes what the client left out or may not say.
    pub(super) fn prepare(
        workspace: &Workspace,
        user: UserIndex,
        raw: &[u8],
    ) -> Result<Self, ApiError> {
        let mut fields = Fields::parse(raw);
        let parsed = mail_parser::MessageParser::new().parse_headers(raw);
        let list = |list: Option<&mail_parser::Address<'_>>| -> Vec<String> {
            let addresses = list.into_iter().flat_map(|list| list.iter());
            addresses
                .filter_map(|one| one.address.as_deref().map(str::to_owned))
                .collect()
        };
        let mut recipients = Vec::new();
        let mut author = None;
        if let Some(parsed) = &parsed {
            for (name, found) in [
                ("To", parsed.to()),
                ("Cc", parsed.cc()),
                ("Bcc", parsed.bcc()),
            ] {
                let found = list(found);
                let is_bad = found.iter().any(|address| !is_address(address));
                let is_lost =
                    found.is_empty() && fields.value(name).is_some_and(|value| !value.is_empty());
                if is_bad || is_lost {
                    return Err(ApiError::invalid_argument(format!("Invalid {name} header")));
                }
                recipients.extend(found);
            }
            author = list(parsed.from()).into_iter().next();
        }
        if recipients.is_empty() {
            return Err(ApiError::invalid_argument("Recipient address required"));
        }
        if recipients.len() > MAX_RECIPIENTS {
            return Err(ApiError::invalid_argument("Too many recipients"));
        }
        let own = workspace.user(user);
        let from = match author {
            Some(author) if may_send_as(workspace, user, &author) => author,
            // Not an error: the default address takes its place, and the answer does not tell.
            _ => {
                let mut value = Vec::new();
                header_text(&full_name(&own), Language::German, &mut value);
                value.extend_from_slice(format!(" <{}>", own.primary).as_bytes());
                fields.set("From", &value);
                own.primary.clone()
            }
        };
        complete(workspace, &mut fields);
        Ok(Self {
            raw: fields.to_bytes().into(),
            reached: reached(workspace, &recipients),
            from,
        })
    }

    /// Puts the sender's copy into the mailbox; a mail to oneself lies in the inbox too. Returns the answer.
    pub(super) fn store_sent(
        &self,
        user: UserIndex,
        mailbox: &mut Mailbox,
        thread: ThreadChoice,
    ) -> Result<Value, ApiError> {
        let mut labels = vec![LabelId::new("SENT")];
        if self.reached.contains(&user) {
            labels.extend(["INBOX", "UNREAD"].map(LabelId::new));
        }
        let id = store(mailbox, self.raw.clone(), labels, thread);
        let message = mailbox.message(id).ok_or_else(ApiError::not_found)?;
        Ok(brief(&describe(message)))
    }

    /// Gives each other recipient in the domain a copy; mail to suspended users bounces silently.
    pub(super) fn deliver(&self, workspace: &Workspace, sender: UserIndex) {
        for &user in &self.reached {
            let own = workspace.user(user);
            let is_open = own.is_active() && own.mailbox_setup;
            if user == sender || !is_open {
                continue;
            }
            let mut fields = Fields::parse(&self.raw);
            fields.remove("Bcc");
            fields.prepend("Return-Path", &format!("<{}>", self.from));
            let date = rfc2822(now_ms());
            fields.prepend(
                "Received",
                &format!(
                    "by 2002:a05:6a10:1:b0:1 with SMTP id {:x};\r\n        {date}",
                    fastrand::u64(..)
                ),
            );
            fields.prepend("Delivered-To", &own.primary);
            let labels = ["INBOX", "UNREAD", "CATEGORY_PERSONAL"].map(LabelId::new);
            store(
                &mut workspace.mailbox(user),
                fields.to_bytes().into(),
                labels.into(),
                ThreadChoice::ByReferences,
            );
        }
    }
}

/// Users of the domain among the recipients, each once; `name+tag@` reaches `name@`.
fn reached(workspace: &Workspace, recipients: &[String]) -> Vec<UserIndex> {
    let mut found = Vec::new();
    for address in recipients {
        let plain = match address.split_once('@') {
            Some((local, domain)) => {
                let local = local.split('+').next().unwrap_or(local);
                format!("{local}@{domain}")
            }
            None => address.clone(),
        };
        if let Some((user, _)) = workspace.find_user(&plain)
            && !found.contains(&user)
        {
            found.push(user);
        }
    }
    found
}

fn is_address(text: &str) -> bool {
    text.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && !domain.is_empty() && !domain.contains(['@', ' '])
    })
}

/// Date and Message-ID if they are missing, and the trace of the API.
fn complete(workspace: &Workspace, fields: &mut Fields<'_>) {
    let date = rfc2822(now_ms());
    if !fields.has("Date") {
        fields.set("Date", date.as_bytes());
    }
    let replaces = workspace.gmail.replaces_message_id.load(Ordering::Relaxed);
    let own = fields.value("Message-ID").map(<[u8]>::to_vec);
    if own.is_none() || replaces {
        let id = format!(
            "<CA+{:016x}{:08x}@mail.gmail.com>",
            fastrand::u64(..),
            fastrand::u32(..)
        );
        fields.set("Message-ID", id.as_bytes());
        if let Some(own) = own {
            fields.set("X-Google-Original-Message-ID", &own);
        }
    }
    fields.prepend(
        "Received",
        &format!("from 107612345678901234567\r\n        named unknown by gmailapi.google.com with HTTPREST;\r\n        {date}"),
    );
}

fn store(
    mailbox: &mut Mailbox,
    raw: Bytes,
    labels: Vec<LabelId>,
    thread: ThreadChoice,
) -> MessageId {
    mailbox.insert(NewMessage {
        summary: summarize(&raw).into(),
        content: Content::Stored(raw),
        labels,
        internal_date: now_ms(),
        thread,
    })
}
