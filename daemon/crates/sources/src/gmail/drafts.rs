//! Drafts, where they are wanted: items of their own beside the messages, each under the draft's
//! id, which stays while every save puts another message behind it.
//!
//! Nothing in the history names a draft, only the messages behind them that come and go. So when a
//! page of it touches one, all drafts are listed (5 units for 500) and compared with the index; the
//! outcome is appended together with the page's position. The same is done at each start and at
//! the beginning of each walk, so that drafts need no walk of their own.
//! <https://developers.google.com/workspace/gmail/api/guides/drafts>

use super::plan::Wanted;
use super::walk::after;
use super::{MailFeed, Mailbox, normalize};
use crate::error::{Error, is_not_found, status};
use nuncio_google::{BadItem, HistoryPage, ListedDraft};
use nuncio_model::{DeleteCause, IndexRow, ItemId, LabelSet, Op, Origin};
use std::collections::{HashMap, HashSet};

/// Missing drafts that are looked up before any is deleted.
const N_SAMPLE: usize = 10;

/// Rows read from the index at once.
const N_ROWS: u32 = 500;

const DRAFT: &str = "DRAFT";

/// What a comparison of the drafts is still owed. Lost in a crash, and owed again at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing: drafts are as the index has them, or not wanted.
    Nothing,
    /// A listing.
    Listing,
    /// A listing, and a read of every draft: labels may have changed unseen.
    Reading,
}

/// What a page of history says of drafts.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    /// Whether a message behind a draft came, went or changed, for all that is known.
    any: bool,
    /// Messages behind drafts that came and did not go.
    added: HashSet<ItemId>,
    /// Messages behind drafts with other labels now.
    relabelled: HashSet<ItemId>,
}

impl Touched {
    /// What `page` says; `is_message` tells what the index has as a message.
    pub(super) fn of(page: &HistoryPage, is_message: impl Fn(&ItemId) -> bool) -> Self {
        let mut touched = Self::default();
        for record in &page.records {
            for (message, labels) in record.labels_added.iter().chain(&record.labels_removed) {
                let mut all = message.label_ids.iter().chain(labels);
                if all.any(|label| label == DRAFT) {
                    touched.any = true;
                    touched.relabelled.insert(message.id.clone());
                }
            }
            for message in &record.added {
                let is_draft = message.label_ids.iter().any(|label| label == DRAFT);
                // Where Google does not tell labels it may be one.
                touched.any |= is_draft || message.label_ids.is_empty();
                if is_draft {
                    touched.added.insert(message.id.clone());
                }
            }
            for message in &record.deleted {
                // Of what is gone Google need not tell the labels.
                let is_draft = match message.label_ids.as_slice() {
                    [] => !is_message(&message.id),
                    labels => labels.iter().any(|label| label == DRAFT),
                };
                touched.any |= is_draft;
                touched.added.remove(&message.id);
            }
        }
        touched
    }
}

/// Steps that follow from a comparison, and what must be read besides.
#[derive(Debug)]
pub(crate) struct Compared {
    /// The steps.
    pub ops: Vec<Op>,
    /// Drafts to read.
    pub wanted: Vec<Wanted>,
    /// Why they are read.
    pub origin: Origin,
    /// What is owed once all of this is appended.
    pub due: Due,
}

/// All drafts that Google lists.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Those that can be read.
    pub drafts: Vec<ListedDraft>,
    /// The others.
    pub bad: Vec<BadItem>,
    /// Calls that it took.
    pub n_calls: u64,
}

impl MailFeed {
    /// What a feed is owed that just connected or begins a walk.
    pub(super) fn owe_drafts(&self, mailbox: &mut Mailbox) {
        let walk = mailbox.feed.walk.as_ref();
        let is_resync = walk.is_some_and(|walk| walk.origin == Origin::Resync);
        mailbox.drafts = match (self.options.include_drafts, is_resync) {
            (false, _) => Due::Nothing,
            (true, false) => Due::Listing,
            (true, true) => Due::Reading,
        };
    }

    /// Drafts that are known and not wanted any more leave.
    pub(super) async fn drop_drafts(&self, mailbox: &mut Mailbox) -> Result<(), Error> {
        if self.options.include_drafts {
            return Ok(());
        }
        let rows = self.draft_rows(mailbox).await?;
        if rows.is_empty() {
            return Ok(());
        }
        let ops = rows.iter().map(|row| {
            let cause = DeleteCause::OutOfScope;
            let scribe = &mailbox.scribe;
            scribe.delete(&row.item, &row.thread, row.order, cause, Origin::Live)
        });
        let ops = ops.collect();
        self.append(mailbox, ops, None).await
    }

    /// Compares the drafts with the index if that is owed, or if `touched`; `None` if there is no
    /// reason to.
    pub(super) async fn compare_drafts(
        &self,
        mailbox: &Mailbox,
        touched: &Touched,
    ) -> Result<Option<Compared>, Error> {
        if !self.options.include_drafts || (mailbox.drafts == Due::Nothing && !touched.any) {
            return Ok(None);
        }
        let listing = self.list_drafts(mailbox).await?;
        let rows = self.draft_rows(mailbox).await?;
        let mut missing: HashMap<ItemId, IndexRow> = rows
            .into_iter()
            .map(|row| (row.item.clone(), row))
            .collect();
        let mut compared = Compared {
            ops: Vec::new(),
            wanted: Vec::new(),
            origin: origin(mailbox),
            due: Due::Nothing,
        };
        for bad in &listing.bad {
            let Some(id) = &bad.id else {
                tracing::warn!(
                    account = %self.options.account.address,
                    source = "gmail",
                    reason = %bad.reason,
                    "a draft without an id in a listing; none is deleted meanwhile"
                );
                continue;
            };
            // What is listed of it cannot be read; itself perhaps can.
            let item = ItemId::draft(id.as_str());
            let row = missing.remove(&item);
            compared
                .ops
                .extend(row.map(|row| Op::Mark { item: row.item }));
            compared.wanted.push(Wanted::alone(item));
        }
        let mut unlisted = touched.added.clone();
        for draft in &listing.drafts {
            unlisted.remove(&draft.message);
            let item = ItemId::draft(&draft.id);
            let row = missing.remove(&item);
            // A walk must know of it, whatever becomes of the read.
            compared
                .ops
                .extend(row.is_some().then(|| Op::Mark { item: item.clone() }));
            let is_known = row.is_some_and(|row| is_behind(&row, &draft.message));
            let is_same = is_known
                && mailbox.drafts != Due::Reading
                && !touched.relabelled.contains(&draft.message);
            if !is_same {
                compared.wanted.push(Wanted::alone(item));
            }
        }
        let missing: Vec<IndexRow> = missing.into_values().collect();
        let gone = match listing.bad.iter().all(|bad| bad.id.is_some()) {
            true => {
                self.confirm_gone(mailbox, &missing, compared.origin)
                    .await?
            }
            // What cannot be read may be any of them.
            false => None,
        };
        match gone {
            Some(gone) => compared.ops.extend(gone),
            None => {
                let marks = missing.into_iter().map(|row| Op::Mark { item: row.item });
                compared.ops.extend(marks);
            }
        }
        // The history was ahead of the listing: look once more, at the next poll.
        if !unlisted.is_empty() && mailbox.drafts == Due::Nothing {
            compared.due = Due::Listing;
        }
        Ok(Some(compared))
    }

    /// The deletions of drafts that a listing did not show; `None` if it left out one that is there
    /// after all.
    async fn confirm_gone(
        &self,
        mailbox: &Mailbox,
        missing: &[IndexRow],
        origin: Origin,
    ) -> Result<Option<Vec<Op>>, Error> {
        let mut ops = Vec::new();
        for (n, row) in missing.iter().enumerate() {
            let cause = match row.item.draft_id() {
                Some(draft) if n < N_SAMPLE => match mailbox.gmail.draft_minimal(draft).await {
                    Err(error) if is_not_found(&error) => DeleteCause::Removed,
                    Err(error) => return Err(error.into()),
                    Ok(message) => {
                        let labels: LabelSet = message.label_ids.into_iter().collect();
                        if mailbox.scribe.scope.covers_draft(&labels) {
                            tracing::warn!(
                                account = %self.options.account.address,
                                source = "gmail",
                                "a listing left out a draft that is there; none is deleted"
                            );
                            return Ok(None);
                        }
                        DeleteCause::OutOfScope
                    }
                },
                _ => DeleteCause::Unknown,
            };
            let scribe = &mailbox.scribe;
            // With its own order: should it show up again, any state of it is newer.
            ops.push(scribe.delete(&row.item, &row.thread, row.order, cause, origin));
        }
        Ok(Some(ops))
    }

    /// Lists all drafts that are in scope.
    pub(super) async fn list_drafts(&self, mailbox: &Mailbox) -> Result<Listing, Error> {
        let mut listing = Listing::default();
        let q = mailbox.feed.floor.map(after).unwrap_or_default();
        let mut token: Option<String> = None;
        let mut has_begun_again = false;
        loop {
            listing.n_calls += 1;
            let include_spam_trash = self.options.include_spam_trash;
            let page = mailbox
                .gmail
                .list_drafts(&q, include_spam_trash, token.as_deref())
                .await;
            let page = match page {
                Ok(page) => page,
                // A page token does not live for ever.
                Err(error)
                    if token.is_some()
                        && !has_begun_again
                        && status(&error).is_some_and(|status| status.status == 400) =>
                {
                    has_begun_again = true;
                    token = None;
                    listing.drafts.clear();
                    listing.bad.clear();
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            listing.drafts.extend(page.drafts);
            listing.bad.extend(page.bad);
            match page.next_page {
                Some(next) => token = Some(next),
                None => return Ok(listing),
            }
        }
    }

    /// All drafts in the index.
    async fn draft_rows(&self, mailbox: &Mailbox) -> Result<Vec<IndexRow>, Error> {
        // In the index's order drafts stand together.
        let mut after = ItemId::draft("");
        let mut drafts = Vec::new();
        loop {
            let rows = self
                .desk
                .store
                .rows(mailbox.feed.id, Some(after), N_ROWS)
                .await?;
            let n_before = drafts.len();
            let is_draft = |row: &IndexRow| row.item.draft_id().is_some();
            drafts.extend(rows.into_iter().take_while(is_draft));
            match drafts.last() {
                Some(last) if drafts.len() - n_before == N_ROWS as usize => {
                    after = last.item.clone();
                }
                _ => return Ok(drafts),
            }
        }
    }
}

/// Why drafts are compared now: a change, or the walk that began.
fn origin(mailbox: &Mailbox) -> Origin {
    match (mailbox.drafts, &mailbox.feed.walk) {
        (Due::Listing | Due::Reading, Some(walk)) => walk.origin,
        _ => Origin::Live,
    }
}

/// Whether the row is of the draft with this message behind it.
fn is_behind(row: &IndexRow, message: &ItemId) -> bool {
    row.hash == normalize::draft_hash(message, &row.labels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nuncio_google::{HistoryRecord, MessageRef};
    use nuncio_model::ThreadId;

    fn message(id: &str, labels: &[&str]) -> MessageRef {
        MessageRef {
            id: ItemId::new(id),
            thread_id: ThreadId::new(id),
            label_ids: labels.iter().map(|label| (*label).to_owned()).collect(),
        }
    }

    /// What a page says that has these changes in records of their own.
    fn touched(changes: impl IntoIterator<Item = fn(&mut HistoryRecord)>) -> Touched {
        let records = changes.into_iter().zip(1..).map(|(change, id)| {
            let mut record = HistoryRecord {
                id,
                added: Vec::new(),
                deleted: Vec::new(),
                labels_added: Vec::new(),
                labels_removed: Vec::new(),
            };
            change(&mut record);
            record
        });
        let page = HistoryPage {
            records: records.collect(),
            next_page: None,
            history_id: Some(9),
            bad: Vec::new(),
        };
        Touched::of(&page, |item| item.as_str() == "known")
    }

    #[test]
    fn only_what_may_be_of_a_draft_touches_drafts() {
        let nothing: [fn(&mut HistoryRecord); 4] = [
            |record| record.added.push(message("m", &["INBOX"])),
            |record| record.deleted.push(message("m", &["INBOX"])),
            |record| record.deleted.push(message("known", &[])),
            |record| {
                let starred = (message("m", &["INBOX"]), vec!["STARRED".to_owned()]);
                record.labels_added.push(starred);
            },
        ];
        assert!(!touched(nothing).any);
        let some: [fn(&mut HistoryRecord); 6] = [
            |record| record.added.push(message("m", &[])),
            |record| record.added.push(message("m", &["DRAFT"])),
            |record| record.deleted.push(message("m", &["DRAFT"])),
            |record| record.deleted.push(message("unknown", &[])),
            |record| {
                let starred = (message("m", &["DRAFT"]), vec!["STARRED".to_owned()]);
                record.labels_added.push(starred);
            },
            |record| {
                let sent = (message("m", &["SENT"]), vec!["DRAFT".to_owned()]);
                record.labels_removed.push(sent);
            },
        ];
        for change in some {
            assert!(touched([change]).any);
        }
    }

    #[test]
    fn a_message_that_came_and_went_need_not_be_listed() {
        let saved_twice: [fn(&mut HistoryRecord); 3] = [
            |record| record.added.push(message("one", &["DRAFT"])),
            |record| record.deleted.push(message("one", &["DRAFT"])),
            |record| record.added.push(message("two", &["DRAFT"])),
        ];
        let added = touched(saved_twice).added;
        assert_eq!(added, HashSet::from([ItemId::new("two")]));
    }
}
