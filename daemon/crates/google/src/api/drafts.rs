//! A mailbox's drafts: which there are, and the message behind each. A draft keeps its id while
//! each save puts another message behind it:
//! <https://developers.google.com/workspace/gmail/api/guides/drafts>

use super::decode::{self, BadItem};
use super::gmail::{Gmail, page_size};
use super::message::{self, Message, RawMessage};
use crate::Error;
use crate::http::segment;
use bytes::Bytes;
use nuncio_model::ItemId;
use serde::Deserialize;
use serde_json::value::RawValue;

const LIST: &str = "gmail.users.drafts.list";
const DRAFT: &str = "gmail.users.drafts.get";

/// A page of drafts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftPage {
    /// The drafts.
    pub drafts: Vec<ListedDraft>,
    /// How to ask for the next page; none on the last one.
    pub next_page: Option<String>,
    /// Items that cannot be read; their ids are those of drafts.
    pub bad: Vec<BadItem>,
}

/// What a listing tells of a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedDraft {
    /// The draft's id, which stays.
    pub id: String,
    /// The message behind it now.
    pub message: ItemId,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListWire<'a> {
    #[serde(borrow)]
    drafts: Option<Vec<&'a RawValue>>,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
struct DraftWire {
    id: String,
    message: MessageWire,
}

#[derive(Deserialize)]
struct MessageWire {
    id: String,
}

#[derive(Deserialize)]
struct WholeWire<'a> {
    #[serde(borrow)]
    message: Option<&'a RawValue>,
}

impl Gmail {
    /// One page of drafts that match `q`, Gmail's search words; those in spam and trash only if
    /// `include_spam_trash`.
    /// <https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.drafts/list>
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn list_drafts(
        &self,
        q: &str,
        include_spam_trash: bool,
        page_token: Option<&str>,
    ) -> Result<DraftPage, Error> {
        let max_results = page_size(0);
        let mut query = vec![
            ("fields", "nextPageToken,drafts(id,message/id)"),
            ("maxResults", max_results.as_str()),
        ];
        if !q.is_empty() {
            query.push(("q", q));
        }
        if include_spam_trash {
            query.push(("includeSpamTrash", "true"));
        }
        query.extend(page_token.map(|token| ("pageToken", token)));
        let body = self.get(LIST, "drafts", &query).await?;
        let text = decode::text(&body);
        let wire: ListWire<'_> = decode::whole(LIST, &text)?;
        let (drafts, bad) = decode::items(&wire.drafts.unwrap_or_default(), |item: DraftWire| {
            Ok(ListedDraft {
                id: item.id,
                message: ItemId::new(item.message.id),
            })
        });
        Ok(DraftPage {
            drafts,
            next_page: wire.next_page_token.filter(|token| !token.is_empty()),
            bad,
        })
    }

    /// The message behind a draft, with its bytes.
    ///
    /// # Errors
    /// See [`Error`]; a draft that is gone, or was sent, is [`crate::Fault::NotFound`].
    pub async fn draft_raw(&self, draft: &str) -> Result<RawMessage, Error> {
        let body = self.draft(draft, "raw", message::FIELDS_RAW).await?;
        message::read_raw(DRAFT, message_of(&decode::text(&body))?.as_bytes())
    }

    /// The message behind a draft, without its content.
    ///
    /// # Errors
    /// See [`Error`]; a draft that is gone, or was sent, is [`crate::Fault::NotFound`].
    pub async fn draft_minimal(&self, draft: &str) -> Result<Message, Error> {
        let body = self
            .draft(draft, "minimal", message::FIELDS_MINIMAL)
            .await?;
        message::read_minimal(DRAFT, message_of(&decode::text(&body))?.as_bytes())
    }

    async fn draft(&self, draft: &str, format: &str, fields: &str) -> Result<Bytes, Error> {
        let segment = segment(draft).ok_or(Error::Request {
            method: DRAFT,
            what: "the draft id is unusable",
        })?;
        let fields = format!("message({fields})");
        let query = [("format", format), ("fields", fields.as_str())];
        self.get(DRAFT, &format!("drafts/{segment}"), &query).await
    }
}

/// The `message` of a draft's answer.
fn message_of(text: &str) -> Result<&str, Error> {
    let wire: WholeWire<'_> = decode::whole(DRAFT, text)?;
    let message = wire.message.ok_or_else(|| Error::Decode {
        method: DRAFT,
        what: "it has no message".into(),
    })?;
    Ok(message.get())
}
