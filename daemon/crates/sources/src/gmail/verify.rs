//! How a mailbox is verified: one listing of everything, one of each label, and a get of each
//! message that differs. A page of 500 ids costs 5 units, a get 20. Drafts, where they are wanted,
//! are listed once and got one by one, without their content.

use super::fetch::Judged;
use super::normalize::draft_hash;
use super::plan::Wanted;
use super::{MailLog, Mailbox, label_names};
use crate::error::{Error, is_not_found};
use crate::gmail::resync::listed_labels;
use crate::verify::{Cost, Inspect, Shown, Truth, Wrong, WrongKind};
use async_trait::async_trait;
use nuncio_google::{Fault, ListMessages, Message};
use nuncio_model::{DeleteCause, IndexRow, ItemId, LabelSet, Next, Op, Origin};
use std::collections::{BTreeSet, HashMap};

const LABELS: &str = "gmail.users.labels.list";
const LIST: &str = "gmail.users.messages.list";
const MESSAGE: &str = "gmail.users.messages.get";
const DRAFTS: &str = "gmail.users.drafts.list";
const DRAFT: &str = "gmail.users.drafts.get";

/// What the listings of a mailbox have shown.
#[derive(Default)]
pub(crate) struct Survey {
    is_begun: bool,
    /// The live position when it began.
    baseline: u64,
    /// Labels that the mailbox has.
    labels: BTreeSet<String>,
    /// What is still to be listed: a label, or everything.
    todo: Vec<Option<String>>,
    page: Option<String>,
    /// Labels by message, for each that was listed.
    by_item: HashMap<ItemId, LabelSet>,
    /// Drafts that were listed and are still to be got.
    unread_drafts: Vec<ItemId>,
    /// The others, with the hash that an index row of their state has.
    drafts: HashMap<ItemId, u64>,
}

#[async_trait]
impl Inspect for MailLog {
    type Survey = Survey;

    async fn list(&mut self, survey: &mut Survey, cost: &mut Cost) -> Result<Option<bool>, Error> {
        let Some(mailbox) = &self.mailbox else {
            return Ok(None);
        };
        let google = &self.feed.shared.google;
        if !survey.is_begun {
            cost.add(google, LABELS);
            let names = label_names(&mailbox.gmail).await?;
            survey.labels = names.0.keys().cloned().collect();
            let scope = &mailbox.scribe.scope;
            let listed = survey.labels.iter().filter(|id| {
                let alone: LabelSet = [id.as_str()].into_iter().collect();
                scope.covers(&alone)
            });
            survey.todo = listed.cloned().map(Some).collect();
            survey.todo.push(None);
            survey.baseline = cursor(mailbox);
            if self.feed.options.include_drafts {
                let listing = self.feed.list_drafts(mailbox).await?;
                (0..listing.n_calls).for_each(|_| cost.add(google, DRAFTS));
                if !listing.bad.is_empty() {
                    return Err(Error::Unreadable {
                        what: "an entry of a listing",
                    });
                }
                let drafts = listing.drafts.iter().map(|draft| ItemId::draft(&draft.id));
                survey.unread_drafts = drafts.collect();
            }
            survey.is_begun = true;
            return Ok(Some(false));
        }
        if let Some(item) = survey.unread_drafts.last().cloned() {
            cost.add(google, DRAFT);
            match minimal(mailbox, &item).await {
                Ok(message) => {
                    survey.drafts.insert(item, hash(&message));
                }
                // Sent or discarded meanwhile, or listed as failed; looked up again in the end.
                Err(error) if is_not_found(&error) || is_of_one_message(&error) => {}
                Err(error) => return Err(error.into()),
            }
            survey.unread_drafts.pop();
            return Ok(Some(false));
        }
        let Some(label) = survey.todo.last().cloned() else {
            return Ok(Some(true));
        };
        cost.add(google, LIST);
        let page = mailbox
            .gmail
            .walking()
            .list_messages(&ListMessages {
                q: self.feed.query(mailbox),
                label_ids: label.iter().cloned().collect(),
                include_spam_trash: self.feed.options.include_spam_trash,
                page_token: survey.page.clone(),
                ..ListMessages::default()
            })
            .await;
        let page = match page {
            Ok(page) => page,
            // A page token does not live for ever.
            Err(nuncio_google::Error::Status(status))
                if survey.page.is_some() && status.status == 400 =>
            {
                survey.page = None;
                return Ok(Some(false));
            }
            Err(error) => return Err(error.into()),
        };
        if !page.bad.is_empty() {
            return Err(Error::Unreadable {
                what: "an entry of a listing",
            });
        }
        for message in page.messages {
            match &label {
                None => drop(survey.by_item.entry(message.id).or_default()),
                // One that came after the listing of everything is the live feed's.
                Some(label) => {
                    if let Some(labels) = survey.by_item.get_mut(&message.id) {
                        labels.insert(label);
                    }
                }
            }
        }
        survey.page = page.next_page;
        if survey.page.is_none() {
            survey.todo.pop();
        }
        Ok(Some(survey.todo.is_empty()))
    }

    fn compare(survey: &Survey, row: &IndexRow) -> Shown {
        if row.item.draft_id().is_some() {
            return match survey.drafts.get(&row.item) {
                None => Shown::Not,
                Some(hash) if *hash != row.hash => Shown::Differs,
                Some(_) => Shown::Same,
            };
        }
        match survey.by_item.get(&row.item) {
            None => Shown::Not,
            Some(listed) if listed_labels(row, listed, &survey.labels) != row.labels => {
                Shown::Differs
            }
            Some(_) => Shown::Same,
        }
    }

    fn shown(survey: &Survey) -> Vec<ItemId> {
        let messages = survey.by_item.keys();
        messages.chain(survey.drafts.keys()).cloned().collect()
    }

    async fn ask(
        &mut self,
        survey: &Survey,
        item: &ItemId,
        row: Option<&IndexRow>,
        cost: &mut Cost,
    ) -> Result<Option<Truth>, Error> {
        let Some(mailbox) = &self.mailbox else {
            return Ok(None);
        };
        // Came or changed since the listing began, and the live feed has dealt with it.
        if row.is_some_and(|row| row.order > survey.baseline) {
            return Ok(Some(Truth::Later));
        }
        cost.add(&self.feed.shared.google, method(item));
        let message = match minimal(mailbox, item).await {
            Ok(message) => message,
            Err(error) if is_not_found(&error) => {
                return Ok(Some(Truth::Gone(DeleteCause::Removed)));
            }
            Err(error) if is_of_one_message(&error) => return Ok(Some(Truth::Failed)),
            Err(error) => return Err(error.into()),
        };
        let labels: LabelSet = message.label_ids.iter().collect();
        let scope = &mailbox.scribe.scope;
        let (is_covered, is_same) = match item.draft_id() {
            Some(_) => {
                let hash = hash(&message);
                let is_same = row.is_some_and(|row| row.hash == hash);
                (scope.covers_draft(&labels), is_same)
            }
            None => {
                let is_same = row.is_some_and(|row| row.labels == labels);
                (scope.covers(&labels), is_same)
            }
        };
        let floor = mailbox.scribe.floor;
        let is_old = row.is_none() && floor.is_some_and(|floor| message.internal_date < floor);
        Ok(Some(if message.history_id > cursor(mailbox) {
            Truth::Later
        } else if is_old || !is_covered {
            Truth::Gone(DeleteCause::OutOfScope)
        } else if is_same {
            Truth::AsKnown
        } else {
            Truth::Other
        }))
    }

    async fn mend(&mut self, wrong: &[Wrong], cost: &mut Cost) -> Result<(), Error> {
        let Some(mailbox) = &mut self.mailbox else {
            return Ok(());
        };
        let feed = &mut self.feed;
        let mut unread = Vec::new();
        let mut ops = Vec::new();
        for wrong in wrong {
            match (wrong.kind, &wrong.row) {
                (WrongKind::Extra, Some(row)) => ops.push(mailbox.scribe.delete(
                    &row.item,
                    &row.thread,
                    row.order,
                    wrong.cause,
                    Origin::Resync,
                )),
                (WrongKind::Stale, Some(row)) if row.item.draft_id().is_none() => {
                    cost.add(&feed.shared.google, MESSAGE);
                    ops.extend(feed.read_labels(mailbox, row).await?);
                }
                _ => unread.push(Wanted::alone(wrong.item.clone())),
            }
        }
        while !unread.is_empty() {
            let (new_ops, n_done) = feed
                .fetched(mailbox, &unread, Origin::Resync, Judged::OneByOne)
                .await?;
            for wanted in unread.drain(..n_done) {
                cost.add(&feed.shared.google, method(&wanted.item));
            }
            ops.extend(
                new_ops
                    .into_iter()
                    .filter(|op| !matches!(op, Op::Settle { .. })),
            );
            feed.append(mailbox, std::mem::take(&mut ops), None).await?;
        }
        if !ops.is_empty() {
            feed.append(mailbox, ops, None).await?;
        }
        Ok(())
    }
}

/// A message or the one behind a draft, without its content.
async fn minimal(mailbox: &Mailbox, item: &ItemId) -> Result<Message, nuncio_google::Error> {
    let gmail = mailbox.gmail.walking();
    match item.draft_id() {
        Some(draft) => gmail.draft_minimal(draft).await,
        None => gmail.message_minimal(item).await,
    }
}

/// What reads one item.
fn method(item: &ItemId) -> &'static str {
    match item.draft_id() {
        Some(_) => DRAFT,
        None => MESSAGE,
    }
}

/// What an index row of a draft has with this message behind it.
fn hash(message: &Message) -> u64 {
    draft_hash(&message.id, &message.label_ids.iter().collect())
}

/// The live position.
fn cursor(mailbox: &Mailbox) -> u64 {
    let cursor = mailbox.feed.cursor.as_ref();
    cursor
        .and_then(|cursor| cursor.0.parse().ok())
        .unwrap_or_default()
}

/// A message's own trouble: Google answered, but not with the message.
fn is_of_one_message(error: &nuncio_google::Error) -> bool {
    match error {
        nuncio_google::Error::Status(status) => {
            matches!(status.fault, Fault::Server | Fault::Refused)
                && !matches!(status.next(), Next::RetryAfter(_))
        }
        nuncio_google::Error::CutBody { .. }
        | nuncio_google::Error::TooLarge { .. }
        | nuncio_google::Error::Decode { .. }
        | nuncio_google::Error::Request { .. } => true,
        _ => false,
    }
}
