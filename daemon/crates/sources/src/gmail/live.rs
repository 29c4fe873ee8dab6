//! The live position: reads Gmail's history page by page and appends what follows from it
//! together with the position, so that neither is ever there without the other.

use super::drafts::Touched;
use super::fetch::Judged;
use super::fold::{Event, Step, What, fold};
use super::plan::{Wanted, grouped};
use super::{MailFeed, Mailbox, label_names};
use crate::desk::next_try;
use crate::error::Error;
use nuncio_google::HistoryPage;
use nuncio_model::{Cursor, DeleteCause, IndexRow, ItemId, Next, Op, Origin, ThreadId, WalkPhase};
use std::collections::HashMap;

/// Failed items tried at once.
const N_FAILURES: u32 = 20;

/// Where in a history listing of several pages we are. Only kept while it is read.
#[derive(Debug, Clone)]
pub(crate) struct HistoryPosition {
    /// The position that the listing started from; a page token is only valid with it.
    start: u64,
    /// The next page.
    page_token: String,
}

impl MailFeed {
    /// Reads and applies one page of history; whether there are more.
    pub(super) async fn poll(&mut self, mailbox: &mut Mailbox) -> Result<bool, Error> {
        let Some(cursor) = mailbox
            .feed
            .cursor
            .as_ref()
            .and_then(|c| c.0.parse::<u64>().ok())
        else {
            self.begin_walk(
                mailbox,
                Origin::Resync,
                Some("the stored position cannot be read"),
            )
            .await?;
            return Ok(true);
        };
        let position = mailbox.history.take();
        let start = position.as_ref().map_or(cursor, |position| position.start);
        let token = position.map(|position| position.page_token);
        let page = match mailbox.gmail.history(start, token.as_deref(), 0).await {
            Ok(page) => page,
            Err(error) if error.next() == Next::Resync => {
                self.begin_walk(
                    mailbox,
                    Origin::Resync,
                    Some("Google's history had expired"),
                )
                .await?;
                return Ok(true);
            }
            Err(error) => return Err(error.into()),
        };
        if page.history_id.is_some_and(|newest| newest < cursor) {
            self.begin_walk(
                mailbox,
                Origin::Resync,
                Some("the mailbox's history went back"),
            )
            .await?;
            return Ok(true);
        }
        let unreadable: Option<Vec<ItemId>> = page.bad.iter().map(|bad| bad.id.clone()).collect();
        let (Some(events), Some(unreadable)) = (events(&page), unreadable) else {
            tracing::warn!(
                account = %self.options.account.address,
                source = "gmail",
                "a history record could not be read"
            );
            self.begin_walk(
                mailbox,
                Origin::Resync,
                Some("a history record could not be read"),
            )
            .await?;
            return Ok(true);
        };
        let complete = self
            .apply(mailbox, start, &page, &events, unreadable)
            .await?;
        Ok(!complete)
    }

    /// Appends what follows from `events`; whether that was the last page.
    async fn apply(
        &mut self,
        mailbox: &mut Mailbox,
        start: u64,
        page: &HistoryPage,
        events: &[Event],
        unreadable: Vec<ItemId>,
    ) -> Result<bool, Error> {
        let mut items: Vec<ItemId> = events.iter().map(|event| event.item.clone()).collect();
        items.sort_unstable();
        items.dedup();
        let known = self.desk.store.lookup(mailbox.feed.id, items).await?;
        let rows: HashMap<ItemId, IndexRow> = known
            .into_iter()
            .flatten()
            .map(|row| (row.item.clone(), row))
            .collect();
        let seen_by = mailbox
            .feed
            .walk
            .as_ref()
            .filter(|walk| walk.origin != Origin::Backfill && walk.phase != WalkPhase::List)
            .map(|walk| walk.generation);
        let steps = fold(events, &rows, &mailbox.scribe.scope, seen_by);

        if steps.values().any(
            |step| matches!(step, Step::Relabel { labels, .. } if labels.has_unknown(&mailbox.scribe.label_names)),
        ) {
            self.refresh_label_names(mailbox).await?;
        }
        let mut ops = Vec::new();
        // What a change of these messages was cannot be read; their state can.
        let mut wanted = unreadable;
        for (item, step) in steps {
            if wanted.contains(&item) {
                continue;
            }
            let row = rows.get(&item);
            match (step, row) {
                (Step::Fetch, _) => wanted.push(item),
                (Step::Forget, _) => ops.push(Op::Settle { item }),
                (Step::Remove { order }, Some(row)) => ops.push(mailbox.scribe.delete(
                    &item,
                    &row.thread,
                    order,
                    DeleteCause::Removed,
                    Origin::Live,
                )),
                (Step::Leave { order }, Some(row)) => ops.push(mailbox.scribe.delete(
                    &item,
                    &row.thread,
                    order,
                    DeleteCause::OutOfScope,
                    Origin::Live,
                )),
                (Step::Relabel { order, labels }, Some(row)) => {
                    ops.push(mailbox.scribe.relabel(row, order, labels, Origin::Live));
                }
                // The fold gives these steps for known rows only.
                (Step::Remove { .. } | Step::Leave { .. } | Step::Relabel { .. }, None) => {}
            }
        }
        // Everything that this page brings goes into one append with the position, so a large
        // page of new mail is fetched whole; memory is bounded by cutting the page into parts
        // that are appended without the position first.
        let threads = threads(page);
        let wanted = grouped(
            wanted
                .into_iter()
                .map(|item| Wanted {
                    thread: threads.get(&item).cloned(),
                    item,
                })
                .collect(),
        );
        ops = self.read_all(mailbox, wanted, ops, Origin::Live).await?;
        let touched = Touched::of(page, |item| rows.contains_key(item));
        let compared = self.compare_drafts(mailbox, &touched).await?;
        let drafts = compared.as_ref().map(|compared| compared.due);
        if let Some(compared) = compared {
            ops.extend(compared.ops);
            ops = self
                .read_all(mailbox, compared.wanted, ops, compared.origin)
                .await?;
        }
        let position = match &page.next_page {
            // Records come in ascending order, so a page's last one covers all before it.
            Some(_) => events.last().map(|event| event.order),
            None => page.history_id,
        };
        let moves = position
            .filter(|position| mailbox.feed.cursor.as_ref() != Some(&Cursor(position.to_string())));
        if moves.is_some() || !ops.is_empty() {
            self.append(
                mailbox,
                ops,
                moves.map(|position| Cursor(position.to_string())),
            )
            .await?;
        }
        mailbox.drafts = drafts.unwrap_or(mailbox.drafts);
        mailbox.history = page
            .next_page
            .clone()
            .map(|page_token| HistoryPosition { start, page_token });
        Ok(page.next_page.is_none())
    }

    /// Reads all of `wanted`: `ops` and what follows, of which all but the last part is appended
    /// already.
    async fn read_all(
        &self,
        mailbox: &mut Mailbox,
        mut wanted: Vec<Wanted>,
        mut ops: Vec<Op>,
        origin: Origin,
    ) -> Result<Vec<Op>, Error> {
        while !wanted.is_empty() {
            let (mut new_ops, n_done) = self
                .fetched(mailbox, &wanted, origin, Judged::Together)
                .await?;
            wanted.drain(..n_done);
            ops.append(&mut new_ops);
            if !wanted.is_empty() {
                self.append(mailbox, std::mem::take(&mut ops), None).await?;
            }
        }
        Ok(ops)
    }

    /// Tries failed items again that are due.
    pub(super) async fn retry_failures(&mut self, mailbox: &mut Mailbox) -> Result<(), Error> {
        let now = self.desk.clock.now_ms();
        let due = self
            .desk
            .store
            .due_failures(mailbox.feed.id, now, N_FAILURES)
            .await?;
        if due.is_empty() {
            return Ok(());
        }
        let wanted: Vec<Wanted> = due
            .iter()
            .map(|failed| Wanted::alone(failed.failure.item.clone()))
            .collect();
        let (mut ops, n_done) = self
            .fetched(mailbox, &wanted, Origin::Live, Judged::OneByOne)
            .await?;
        for (op, failed) in ops.iter_mut().zip(&due[..n_done]) {
            if let Op::Fail(failure) = op {
                failure.next_try = next_try(now, failed.n_attempts);
            }
        }
        self.append(mailbox, ops, None).await
    }

    /// One transaction of this feed that leaves the walk as it is.
    pub(super) async fn append(
        &self,
        mailbox: &mut Mailbox,
        ops: Vec<Op>,
        cursor: Option<Cursor>,
    ) -> Result<(), Error> {
        self.desk.append(&mut mailbox.feed, ops, cursor, None).await
    }

    pub(super) async fn refresh_label_names(&self, mailbox: &mut Mailbox) -> Result<(), Error> {
        mailbox.scribe.label_names = label_names(&mailbox.gmail).await?;
        Ok(())
    }
}

/// The threads of the page's messages.
fn threads(page: &HistoryPage) -> HashMap<ItemId, ThreadId> {
    let messages = page.records.iter().flat_map(|record| {
        let relabelled = record.labels_added.iter().chain(&record.labels_removed);
        record
            .added
            .iter()
            .chain(relabelled.map(|(message, _)| message))
    });
    messages
        .map(|message| (message.id.clone(), message.thread_id.clone()))
        .collect()
}

/// The page's records as events in order; `None` if one of them could not be read or placed,
/// since then nobody knows what it would have said.
fn events(page: &HistoryPage) -> Option<Vec<Event>> {
    let mut events = Vec::new();
    for record in &page.records {
        let order = Some(record.id).filter(|id| *id > 0)?;
        let mut push = |item: &ItemId, what| {
            events.push(Event {
                order,
                item: item.clone(),
                what,
            })
        };
        for message in &record.added {
            let labels =
                (!message.label_ids.is_empty()).then(|| message.label_ids.iter().collect());
            push(&message.id, What::Added(labels));
        }
        for (message, labels) in &record.labels_added {
            push(&message.id, What::LabelsAdded(labels.iter().collect()));
        }
        for (message, labels) in &record.labels_removed {
            push(&message.id, What::LabelsRemoved(labels.iter().collect()));
        }
        for message in &record.deleted {
            push(&message.id, What::Deleted);
        }
    }
    Some(events)
}
