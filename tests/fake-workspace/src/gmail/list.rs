//! `users.messages.list`: newest first, paged by position, so that changes between pages move nothing.
//! What a listing shows and how it is paged is shared with threads and drafts.

use super::query::Search;
use super::{metadata_only, page_size};
use crate::call::Reply;
use crate::error::ApiError;
use crate::routes::{Context, empty_page};
use crate::store::{Mailbox, Message, MessageId};
use crate::wire::{from_token, to_token};
use crate::workspace::UserIndex;
use serde_json::{Value, json};

/// A place between two messages of a mailbox, newest first.
type Position = (i64, MessageId);

/// What the parameters of a list call ask for.
pub(super) struct Listing {
    page: usize,
    position: Option<Position>,
    search: Search,
    labels: Vec<String>,
    hidden_too: bool,
}

/// One page, as positions in the mailbox.
pub(super) struct Page<'a> {
    pub(super) shown: Vec<&'a Message>,
    next: Option<Position>,
}

impl Listing {
    pub(super) fn parse(context: &Context<'_>, user: UserIndex) -> Result<Self, ApiError> {
        let query = &context.call.query;
        let page = page_size(query)?;
        if metadata_only(context) && query.first("q").is_some() {
            return Err(ApiError::forbidden(
                "Metadata scope does not support 'q' parameter",
            ));
        }
        let owner = context.workspace.user(user).primary;
        let search = Search::parse(query.first("q").unwrap_or_default(), &owner);
        let position = query.first("pageToken").map(parse_token).transpose()?;
        let labels: Vec<String> = query.all("labelIds").map(str::to_owned).collect();
        let hidden_too = query.flag("includeSpamTrash")
            || search.reaches_hidden()
            || labels
                .iter()
                .any(|label| ["SPAM", "TRASH"].contains(&label.as_str()));
        Ok(Self {
            page,
            position,
            search,
            labels,
            hidden_too,
        })
    }

    pub(super) fn check_labels(&self, mailbox: &Mailbox) -> Result<(), ApiError> {
        match self.labels.iter().find(|label| !mailbox.knows_label(label)) {
            None => Ok(()),
            Some(label) => Err(ApiError::invalid_argument(format!(
                "Invalid label: {label}"
            ))),
        }
    }

    pub(super) fn fits(&self, mailbox: &Mailbox, message: &Message) -> bool {
        (self.hidden_too || !(message.has("SPAM") || message.has("TRASH")))
            && self.labels.iter().all(|label| message.has(label))
            && self.search.fits(message, mailbox.user_labels())
    }

    /// The page of those messages that fit and that `wanted` lets pass.
    pub(super) fn page<'a>(
        &self,
        mailbox: &'a Mailbox,
        wanted: impl Fn(&Message) -> bool,
    ) -> Page<'a> {
        let mut found = mailbox
            .newest_first(self.position)
            .filter(|message| self.fits(mailbox, message) && wanted(message));
        let shown: Vec<&Message> = found.by_ref().take(self.page).collect();
        let next = match (shown.last(), found.next()) {
            (Some(last), Some(_)) => Some((last.internal_date, last.id)),
            _ => None,
        };
        Page { shown, next }
    }

    /// The answer of a fault: nothing, and a token that leads to this very page.
    pub(super) fn empty_page(&self) -> Reply {
        let position = self.position.unwrap_or((i64::MAX, MessageId(u64::MAX)));
        empty_page(json!({ "resultSizeEstimate": 0 }), &token(position))
    }
}

impl Page<'_> {
    /// The answer with the items under `name`; without items there is no such member.
    pub(super) fn answer(&self, name: &str, items: Vec<Value>) -> Reply {
        let n_items = items.len();
        let mut answer = json!({
            // The field is famous for being wrong; 201 is what it says for anything longer than a page.
            "resultSizeEstimate": if self.next.is_some() { 201.max(n_items) } else { n_items },
        });
        if !items.is_empty() {
            answer[name] = items.into();
        }
        if let Some(next) = self.next {
            answer["nextPageToken"] = json!(token(next));
        }
        Reply::json(answer)
    }
}

/// `users.messages.list`.
pub(super) fn list(context: &Context<'_>) -> Result<Reply, ApiError> {
    let user = context.mailbox()?;
    let listing = Listing::parse(context, user)?;
    let mailbox = context.workspace.mailbox(user);
    listing.check_labels(&mailbox)?;
    if context.empty_page {
        return Ok(listing.empty_page());
    }
    let page = listing.page(&mailbox, |_| true);
    let items = page
        .shown
        .iter()
        .map(|message| {
            json!({ "id": message.id.to_string(), "threadId": message.thread.to_string() })
        })
        .collect();
    Ok(page.answer("messages", items))
}

fn token((date, id): Position) -> String {
    to_token(&json!(["list", date, id.0]))
}

fn parse_token(text: &str) -> Result<Position, ApiError> {
    from_token(text)
        .filter(|value| value[0] == "list")
        .and_then(|value| Some((value[1].as_i64()?, MessageId(value[2].as_u64()?))))
        .ok_or_else(|| ApiError::invalid_argument("Invalid pageToken"))
}
