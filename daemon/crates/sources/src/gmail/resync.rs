//! The end of a resync: compares labels by listing label by label, then sweeps away what the
//! listing did not show, guarded by a sample of gets and by the hold on mass deletions.
//!
//! Why labels are compared by listing: a get of each known message would cost 20 units, a page
//! of 500 ids costs 5.

use super::{MailFeed, Mailbox, label_names};
use crate::desk::is_mass_deletion;
use crate::error::{Error, is_not_found};
use nuncio_google::ListMessages;
use nuncio_model::{DeleteCause, IndexRow, ItemId, LabelSet, Op, Origin, Walk, WalkPhase};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Missing items that are looked up before any is deleted.
const N_SAMPLE: u32 = 10;

/// Deletions in one transaction.
const N_SWEEP: u32 = 500;

/// Rows compared in one step.
const N_COMPARE: u32 = 500;

/// Reason of a resync that repeats one whose listing was not true. The second time in a row it
/// is held, so that it cannot go on for ever.
const LISTING_LEFT_OUT: &str = "a listing had left out messages that are there";

/// What the label listings have shown so far. Lost in a crash: then the labels are listed again.
#[derive(Debug)]
pub(crate) struct SeenLabels {
    /// Labels that this mailbox has.
    labels: BTreeSet<String>,
    /// Labels still to be listed.
    todo: Vec<String>,
    /// The next page of the label that is being listed.
    page: Option<String>,
    /// Labels by message.
    by_item: HashMap<ItemId, LabelSet>,
    /// The row up to which rows were compared.
    compared: Option<ItemId>,
}

impl MailFeed {
    /// One step of the label comparison.
    pub(super) async fn compare_labels(&mut self, mailbox: &mut Mailbox) -> Result<(), Error> {
        let Some(mut seen) = mailbox.seen_labels.take() else {
            let names = label_names(&mailbox.gmail).await?;
            let labels: BTreeSet<String> = names.0.keys().cloned().collect();
            let todo = labels
                .iter()
                .filter(|id| {
                    mailbox
                        .scribe
                        .scope
                        .covers(&[id.as_str()].into_iter().collect())
                })
                .cloned()
                .collect();
            mailbox.scribe.label_names = names;
            mailbox.seen_labels = Some(SeenLabels {
                labels,
                todo,
                page: None,
                by_item: HashMap::new(),
                compared: None,
            });
            return Ok(());
        };
        let step = match seen.todo.last().cloned() {
            Some(label) => self
                .list_label(mailbox, &mut seen, label)
                .await
                .map(|()| false),
            None => self.compare_rows(mailbox, &mut seen).await,
        };
        // Also after a fault: what was listed need not be listed again.
        mailbox.seen_labels = Some(seen);
        if step? {
            mailbox.seen_labels = None;
            let walk = mailbox.feed.walk.clone().map(|walk| Walk {
                phase: WalkPhase::Sweep { accepted: false },
                ..walk
            });
            self.store_walk(mailbox, walk).await?;
        }
        Ok(())
    }

    async fn list_label(
        &self,
        mailbox: &Mailbox,
        seen: &mut SeenLabels,
        label: String,
    ) -> Result<(), Error> {
        let page = mailbox
            .gmail
            .walking()
            .list_messages(&ListMessages {
                q: self.query(mailbox),
                label_ids: vec![label.clone()],
                include_spam_trash: self.options.include_spam_trash,
                page_token: seen.page.clone(),
                ..ListMessages::default()
            })
            .await?;
        if !page.bad.is_empty() {
            return Err(Error::Unreadable {
                what: "an entry of a listing",
            });
        }
        for message in page.messages {
            seen.by_item.entry(message.id).or_default().insert(&label);
        }
        seen.page = page.next_page;
        if seen.page.is_none() {
            seen.todo.pop();
        }
        Ok(())
    }

    /// Compares the next rows; whether these were the last.
    async fn compare_rows(
        &mut self,
        mailbox: &mut Mailbox,
        seen: &mut SeenLabels,
    ) -> Result<bool, Error> {
        let Some(walk) = mailbox.feed.walk.clone() else {
            return Ok(true);
        };
        let rows = self
            .desk
            .store
            .rows(mailbox.feed.id, seen.compared.clone(), N_COMPARE)
            .await?;
        let Some(last) = rows.last() else {
            return Ok(true);
        };
        seen.compared = Some(last.item.clone());
        let mut ops = Vec::new();
        // Drafts are read anew as a whole, see `drafts`.
        let is_listed =
            |row: &&IndexRow| row.generation >= walk.generation && row.item.draft_id().is_none();
        for row in rows.iter().filter(is_listed) {
            let nothing = LabelSet::default();
            let listed = seen.by_item.get(&row.item).unwrap_or(&nothing);
            let labels = listed_labels(row, listed, &seen.labels);
            if labels == row.labels {
                continue;
            }
            if row.order < walk.baseline {
                ops.push(
                    mailbox
                        .scribe
                        .relabel(row, walk.baseline, labels, Origin::Resync),
                );
            } else if let Some(op) = self.read_labels(mailbox, row).await? {
                // A live change came in between: only Google's own word orders the two.
                ops.push(op);
            }
        }
        if !ops.is_empty() {
            self.append(mailbox, ops, None).await?;
        }
        Ok(false)
    }

    /// The labels of one message as Google has them now.
    pub(super) async fn read_labels(
        &self,
        mailbox: &Mailbox,
        row: &IndexRow,
    ) -> Result<Option<Op>, Error> {
        match mailbox.gmail.walking().message_minimal(&row.item).await {
            Ok(message) => {
                let labels: LabelSet = message.label_ids.into_iter().collect();
                // Read after the row's state, so at least as new, whatever the message's own
                // historyId says.
                let order = message.history_id.max(row.order);
                // Out of scope or gone: the history tells it too, being newer than the baseline.
                Ok(mailbox
                    .scribe
                    .scope
                    .covers(&labels)
                    .then(|| mailbox.scribe.relabel(row, order, labels, Origin::Resync)))
            }
            Err(error) if is_not_found(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// One step of the sweep.
    pub(super) async fn sweep(
        &mut self,
        mailbox: &mut Mailbox,
        accepted: bool,
    ) -> Result<(), Error> {
        // The live catch-up: what came since the listing is not missing.
        while self.poll(mailbox).await? {}
        let feed = mailbox.feed.id;
        let Some(walk) = mailbox.feed.walk.clone() else {
            return Ok(());
        };
        if !matches!(walk.phase, WalkPhase::Sweep { .. }) {
            return Ok(()); // The catch-up found the history expired again.
        }
        let n_missing = self
            .desk
            .store
            .count_unmarked(feed, walk.generation, walk.baseline)
            .await?;
        if n_missing == 0 {
            self.store_walk(mailbox, None).await?;
            return Ok(());
        }
        let n_items = self.desk.store.count_items(feed).await?;
        if !accepted && is_mass_deletion(n_missing, n_items) {
            tracing::warn!(
                account = %self.options.account.address,
                source = "gmail",
                n_missing,
                n_items,
                "so many items are missing at Google that their deletion is held"
            );
            let held = Walk {
                phase: WalkPhase::Held {
                    deletions: n_missing,
                },
                ..walk
            };
            self.store_walk(mailbox, Some(held)).await?;
            return Ok(());
        }
        let rows = self
            .desk
            .store
            .unmarked(feed, walk.generation, walk.baseline, N_SWEEP)
            .await?;
        let Sampled { there, causes } = self.sample(mailbox, &rows).await?;
        let is_second = walk.reason.as_deref() == Some(LISTING_LEFT_OUT);
        match (there.is_empty(), is_second) {
            (true, _) => {}
            (false, false) => {
                return self
                    .begin_walk(mailbox, Origin::Resync, Some(LISTING_LEFT_OUT))
                    .await;
            }
            (false, true) if !accepted => {
                let phase = WalkPhase::Held {
                    deletions: n_missing,
                };
                return self.store_walk(mailbox, Some(Walk { phase, ..walk })).await;
            }
            // Once an operator has accepted that, what is there stays and the rest goes.
            (false, true) => {}
        }
        let ops = rows
            .iter()
            .map(|row| {
                if there.contains(&row.item) {
                    let item = row.item.clone();
                    return Op::Mark { item };
                }
                // With its own order: should it show up again, any state of it is newer.
                let cause = causes
                    .get(&row.item)
                    .copied()
                    .unwrap_or(DeleteCause::Unknown);
                mailbox
                    .scribe
                    .delete(&row.item, &row.thread, row.order, cause, Origin::Resync)
            })
            .collect();
        // Once begun, the rest is not held: the share shrinks with every step.
        let walk = Walk {
            phase: WalkPhase::Sweep { accepted: true },
            ..walk
        };
        self.desk
            .append(&mut mailbox.feed, ops, None, Some(Some(walk)))
            .await?;
        Ok(())
    }

    /// Looks up some of the missing messages.
    async fn sample(&self, mailbox: &Mailbox, rows: &[IndexRow]) -> Result<Sampled, Error> {
        let mut sampled = Sampled::default();
        for row in rows.iter().take(N_SAMPLE as usize) {
            let cause = match mailbox.gmail.walking().message_minimal(&row.item).await {
                Ok(message) => {
                    let labels: LabelSet = message.label_ids.into_iter().collect();
                    if mailbox.scribe.scope.covers(&labels) {
                        sampled.there.insert(row.item.clone());
                        continue;
                    }
                    DeleteCause::OutOfScope
                }
                Err(error) if is_not_found(&error) => DeleteCause::Removed,
                Err(error) => return Err(error.into()),
            };
            sampled.causes.insert(row.item.clone(), cause);
        }
        Ok(sampled)
    }

    /// An operator accepts what a held resync would delete.
    pub(super) async fn accept_deletes(&mut self, mailbox: &mut Mailbox) -> Result<(), Error> {
        let Some(walk) = mailbox.feed.walk.clone() else {
            return Ok(());
        };
        if matches!(walk.phase, WalkPhase::Held { .. }) {
            let accepted = Walk {
                phase: WalkPhase::Sweep { accepted: true },
                ..walk
            };
            self.store_walk(mailbox, Some(accepted)).await?;
        }
        Ok(())
    }
}

/// What a look at missing messages has shown.
#[derive(Debug, Default)]
struct Sampled {
    /// Those that are there after all.
    there: HashSet<ItemId>,
    /// Why the others are missing.
    causes: HashMap<ItemId, DeleteCause>,
}

/// The row's labels by the listings. Labels that labels.list does not know (such as coloured
/// stars) cannot be listed and stay as they were.
pub(super) fn listed_labels(
    row: &IndexRow,
    listed: &LabelSet,
    known: &BTreeSet<String>,
) -> LabelSet {
    let unlisted = row
        .labels
        .iter()
        .filter(|id| !known.contains(*id) && !id.starts_with("Label_"));
    listed.iter().chain(unlisted).collect()
}
