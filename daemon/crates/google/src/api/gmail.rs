//! Gmail's reads for one mailbox. Ids and listings only in their trimmed form (`fields`), to
//! save bytes; the price is the same. Profile and labels come in google-gmail1's types, which
//! are tolerant enough; messages and history have own ones. Drafts are in `drafts`.

use super::SCOPES_GMAIL;
use super::decode::{self, BadItem};
use super::full::{self, FullMessage, Thread};
use super::history::{self, HistoryPage};
use super::message::{self, Message, RawMessage};
use crate::Error;
use crate::endpoint::Api;
use crate::http::{CallContext, Get, Transport, segment};
use crate::quota::Purpose;
use bytes::Bytes;
use google_gmail1::api;
use nuncio_model::{AccountKey, Address, ItemId, ThreadId};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// Gmail takes no more for messages and history.
/// <https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.messages/list>
const LARGEST_PAGE: u16 = 500;

const PROFILE: &str = "gmail.users.getProfile";
const LABELS: &str = "gmail.users.labels.list";
const LIST: &str = "gmail.users.messages.list";
pub(super) const MESSAGE: &str = "gmail.users.messages.get";
pub(super) const THREAD: &str = "gmail.users.threads.get";
pub(super) const HISTORY: &str = "gmail.users.history.list";
const SEND_AS: &str = "gmail.users.settings.sendAs.list";

/// The client of one mailbox. Clones are cheap.
#[derive(Clone)]
pub struct Gmail {
    transport: Arc<Transport>,
    account: AccountKey,
    address: Address,
    purpose: Purpose,
}

/// The right to hold a large message in memory, given back when dropped.
#[derive(Debug)]
pub struct LargeSlot {
    _permit: OwnedSemaphorePermit,
}

/// What a mailbox says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The user's primary address, as Google writes it.
    pub email_address: String,
    /// All messages, spam and trash included.
    pub messages_total: u64,
    /// The newest position in the change log.
    pub history_id: u64,
}

/// What reading content costs by the price list in force, in units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadPrices {
    /// One message, in whatever form.
    pub message: u64,
    /// A thread with all its messages.
    pub thread: u64,
}

/// A label of a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Stays the same when the label is renamed.
    pub id: String,
    /// As the user sees it, levels separated by `/`.
    pub name: String,
    /// Made by Gmail, not by the user.
    pub is_system: bool,
}

/// Which messages to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListMessages {
    /// Gmail's search words; empty is all.
    pub q: String,
    /// Only messages that have all these labels.
    pub label_ids: Vec<String>,
    /// Whether spam and trash are listed too.
    pub include_spam_trash: bool,
    /// Items per page, 1 to 500; 0 is 500.
    pub max_results: u16,
    /// From the page before.
    pub page_token: Option<String>,
}

/// A page of messages, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessagePage {
    /// The messages.
    pub messages: Vec<ListedMessage>,
    /// How to ask for the next page; none on the last one.
    pub next_page: Option<String>,
    /// Items that cannot be read.
    pub bad: Vec<BadItem>,
}

/// What a listing tells of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedMessage {
    /// The message.
    pub id: ItemId,
    /// Its thread; the message itself if Gmail does not say.
    pub thread_id: ThreadId,
}

#[derive(Deserialize)]
struct LabelsWire<'a> {
    #[serde(borrow)]
    labels: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListWire<'a> {
    #[serde(borrow)]
    messages: Option<Vec<&'a RawValue>>,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListedWire {
    id: String,
    thread_id: Option<String>,
}

impl Gmail {
    pub(crate) fn new(transport: Arc<Transport>, account: AccountKey, address: Address) -> Self {
        Self {
            transport,
            account,
            address,
            purpose: Purpose::Live,
        }
    }

    /// The same client for a walk: its calls leave the budget to live ones first.
    #[must_use]
    pub fn walking(&self) -> Self {
        Self {
            purpose: Purpose::Walk,
            ..self.clone()
        }
    }

    /// The mailbox's address, size and newest position: the cheapest call.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn profile(&self) -> Result<Profile, Error> {
        let body = self.get(PROFILE, "profile", &[]).await?;
        let wire: api::Profile = decode::whole(PROFILE, &decode::text(&body))?;
        let (Some(email_address), Some(history_id)) = (wire.email_address, wire.history_id) else {
            return Err(Error::Decode {
                method: PROFILE,
                what: "it has no emailAddress or historyId".into(),
            });
        };
        let messages_total = wire
            .messages_total
            .and_then(|n| u64::try_from(n).ok())
            .unwrap_or(0);
        Ok(Profile {
            email_address,
            messages_total,
            history_id,
        })
    }

    /// The addresses that the user may write from: the primary one, and those whose owner has
    /// accepted it.
    /// <https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.settings.sendAs>
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn send_as(&self) -> Result<Vec<String>, Error> {
        let fields = "sendAs(sendAsEmail,isPrimary,verificationStatus)";
        let path = "settings/sendAs";
        let body = self.get(SEND_AS, path, &[("fields", fields)]).await?;
        let text = decode::text(&body);
        let wire: api::ListSendAsResponse = decode::whole(SEND_AS, &text)?;
        let is_accepted = |one: &api::SendAs| {
            one.is_primary == Some(true) || one.verification_status.as_deref() == Some("accepted")
        };
        let listed = wire.send_as.unwrap_or_default().into_iter();
        Ok(listed
            .filter(is_accepted)
            .filter_map(|one| one.send_as_email)
            .collect())
    }

    /// All labels; one that cannot be read is left out, its id then stands for its name.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn labels(&self) -> Result<Vec<Label>, Error> {
        let body = self
            .get(LABELS, "labels", &[("fields", "labels(id,name,type)")])
            .await?;
        let text = decode::text(&body);
        let wire: LabelsWire<'_> = decode::whole(LABELS, &text)?;
        let (labels, bad) = decode::items(&wire.labels.unwrap_or_default(), |label: api::Label| {
            let (Some(id), Some(name)) = (label.id, label.name) else {
                return Err("the label has no id or name");
            };
            Ok(Label {
                id,
                name,
                is_system: label.type_.as_deref() == Some("system"),
            })
        });
        for item in &bad {
            tracing::warn!(account = %self.account, position = item.position, reason = %item.reason, "unreadable label left out");
        }
        Ok(labels)
    }

    /// One page of message ids, newest first.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn list_messages(&self, list: &ListMessages) -> Result<MessagePage, Error> {
        let max_results = page_size(list.max_results);
        let mut query = vec![
            ("fields", "nextPageToken,messages(id,threadId)"),
            ("maxResults", max_results.as_str()),
        ];
        if !list.q.is_empty() {
            query.push(("q", &list.q));
        }
        query.extend(list.label_ids.iter().map(|id| ("labelIds", id.as_str())));
        if list.include_spam_trash {
            query.push(("includeSpamTrash", "true"));
        }
        query.extend(list.page_token.as_deref().map(|token| ("pageToken", token)));
        read_page(&self.get(LIST, "messages", &query).await?)
    }

    /// A message with its bytes.
    ///
    /// # Errors
    /// See [`Error`]; a message that is gone is [`crate::Fault::NotFound`].
    pub async fn message_raw(&self, id: &ItemId) -> Result<RawMessage, Error> {
        let query = [("format", "raw"), ("fields", message::FIELDS_RAW)];
        message::read_raw(MESSAGE, &self.message(id, &query).await?)
    }

    /// A message in parts, without the content of its attachments.
    ///
    /// # Errors
    /// See [`Error`]; a message that is gone is [`crate::Fault::NotFound`].
    pub async fn message_full(&self, id: &ItemId) -> Result<FullMessage, Error> {
        let query = [("format", "full"), ("fields", full::FIELDS_FULL)];
        full::read_full(MESSAGE, &self.message(id, &query).await?)
    }

    /// All messages of a thread in parts, without the content of their attachments. There are no
    /// pages, so what a long thread gives may be too large to be read.
    ///
    /// # Errors
    /// See [`Error`]; a thread that is gone is [`crate::Fault::NotFound`].
    pub async fn thread(&self, id: &ThreadId) -> Result<Thread, Error> {
        let segment = segment(id.as_str()).ok_or(Error::Request {
            method: THREAD,
            what: "the thread id is unusable",
        })?;
        let query = [("format", "full"), ("fields", full::FIELDS_THREAD)];
        let path = format!("threads/{segment}");
        full::read_thread(THREAD, &self.get(THREAD, &path, &query).await?)
    }

    /// What reading costs, so that the cheaper call can be chosen.
    pub fn read_prices(&self) -> ReadPrices {
        let governor = self.transport.governor();
        ReadPrices {
            message: governor.price(MESSAGE),
            thread: governor.price(THREAD),
        }
    }

    /// Waits for one of the few slots for large messages, which all mailboxes share. Whoever reads
    /// a message that is known to be large holds a slot until it is out of memory again.
    ///
    /// # Cancel safety
    /// Dropped early, the place in the queue is lost and nothing else.
    pub async fn large_slot(&self) -> LargeSlot {
        LargeSlot {
            _permit: self.transport.large_slot().await,
        }
    }

    /// A message without its content: labels and order.
    ///
    /// # Errors
    /// See [`Error`]; a message that is gone is [`crate::Fault::NotFound`].
    pub async fn message_minimal(&self, id: &ItemId) -> Result<Message, Error> {
        let query = [("format", "minimal"), ("fields", message::FIELDS_MINIMAL)];
        message::read_minimal(MESSAGE, &self.message(id, &query).await?)
    }

    /// One page of changes after `start`, a position that was stored before; at most
    /// `max_results` (1 to 500; 0 is 500).
    ///
    /// # Errors
    /// See [`Error`]; a position that is too old is [`crate::Fault::PositionLost`].
    pub async fn history(
        &self,
        start: u64,
        page_token: Option<&str>,
        max_results: u16,
    ) -> Result<HistoryPage, Error> {
        let (start, max_results) = (start.to_string(), page_size(max_results));
        let mut query = vec![
            ("fields", history::FIELDS),
            ("startHistoryId", start.as_str()),
            ("maxResults", max_results.as_str()),
        ];
        query.extend(page_token.map(|token| ("pageToken", token)));
        history::read(HISTORY, &self.get(HISTORY, "history", &query).await?)
    }

    async fn message(&self, id: &ItemId, query: &[(&'static str, &str)]) -> Result<Bytes, Error> {
        let segment = segment(id.as_str()).ok_or(Error::Request {
            method: MESSAGE,
            what: "the message id is unusable",
        })?;
        self.get(MESSAGE, &format!("messages/{segment}"), query)
            .await
    }

    pub(super) async fn get(
        &self,
        method: &'static str,
        path: &str,
        query: &[(&'static str, &str)],
    ) -> Result<Bytes, Error> {
        let context = CallContext {
            method,
            mailbox: self.account.as_str(),
            subject: Some(self.address.as_str()),
            scopes: SCOPES_GMAIL,
            purpose: self.purpose,
        };
        // `me`: any other address than the token's own is refused.
        let path = format!("gmail/v1/users/me/{path}");
        self.transport
            .get(
                &context,
                &Get {
                    api: Api::Gmail,
                    path: &path,
                    query,
                },
            )
            .await
    }
}

impl std::fmt::Debug for Gmail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Gmail({})", self.address)
    }
}

/// Reads a page of messages.
pub(super) fn read_page(body: &[u8]) -> Result<MessagePage, Error> {
    let text = decode::text(body);
    let wire: ListWire<'_> = decode::whole(LIST, &text)?;
    let convert = |item: ListedWire| {
        Ok(ListedMessage {
            thread_id: ThreadId::new(item.thread_id.unwrap_or_else(|| item.id.clone())),
            id: ItemId::new(item.id),
        })
    };
    let (messages, bad) = decode::items(&wire.messages.unwrap_or_default(), convert);
    let next_page = wire.next_page_token.filter(|token| !token.is_empty());
    Ok(MessagePage {
        messages,
        next_page,
        bad,
    })
}

/// `maxResults` of a listing that wants so many; 0 is as many as there may be.
pub(super) fn page_size(wanted: u16) -> String {
    let size = if wanted == 0 {
        LARGEST_PAGE
    } else {
        wanted.min(LARGEST_PAGE)
    };
    size.to_string()
}
