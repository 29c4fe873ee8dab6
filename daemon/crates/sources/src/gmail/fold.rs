//! The fold of Gmail's history over the index: pure rules, no IO. Decides from a page of history
//! and the rows of its messages which are gone, which have new labels, and which must be fetched.
//!
//! Meaning of history records: <https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.history/list>

use nuncio_model::{IndexRow, ItemId, LabelSet};
use std::collections::{BTreeMap, HashMap};

/// A message as a history record names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// The history record's id: Google's order.
    pub order: u64,
    /// The message.
    pub item: ItemId,
    /// What happened to it.
    pub what: What,
}

/// What a history record says of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// New in the mailbox; its labels where Google tells them.
    Added(Option<LabelSet>),
    /// Deleted for good.
    Deleted,
    /// These labels were added.
    LabelsAdded(LabelSet),
    /// These labels were removed.
    LabelsRemoved(LabelSet),
}

/// Which messages and drafts a feed covers.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    excluded: &'static [&'static str],
}

/// The label of the message behind a draft.
const DRAFT: &str = "DRAFT";

impl Scope {
    /// Chats never belong to it; spam and trash only if included. Drafts are no messages: where
    /// they are wanted they are items of their own.
    pub(crate) fn new(include_spam_trash: bool) -> Self {
        let excluded: &'static [&'static str] = if include_spam_trash {
            &["CHAT", "DRAFT"]
        } else {
            &["CHAT", "DRAFT", "SPAM", "TRASH"]
        };
        Self { excluded }
    }

    /// Whether a message with these labels is covered.
    pub(crate) fn covers(&self, labels: &LabelSet) -> bool {
        !self.excluded.iter().any(|id| labels.contains(id))
    }

    /// Whether a draft is covered whose message has these labels.
    pub(crate) fn covers_draft(&self, labels: &LabelSet) -> bool {
        let mut excluded = self.excluded.iter();
        !excluded.any(|id| *id != DRAFT && labels.contains(id))
    }
}

/// What follows from a page of history for one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Not known, and now in scope for all we know: read it.
    Fetch,
    /// Known, and deleted for good.
    Remove {
        /// Order of the deletion.
        order: u64,
    },
    /// Known, and moved out of scope.
    Leave {
        /// Order of the move.
        order: u64,
    },
    /// Known, with these labels as of this order; perhaps the same as before.
    Relabel {
        /// Order of the last change.
        order: u64,
        /// All labels.
        labels: LabelSet,
    },
    /// Not known and gone: nothing is left to fetch.
    Forget,
}

/// Folds `events` (ascending order) over the known `rows`. Messages about which nothing is to be
/// done are left out.
///
/// A delta counts only if it is newer than the row, so that repeated history and history that a
/// fetch already contained change nothing.
///
/// Where a resync is past its listing, `seen_by` is its generation: the labels of a row that the
/// listing did not show are those of before the gap in the history, and nothing may be folded
/// over them. Such a message, back from the trash as a rule, is read.
pub(crate) fn fold(
    events: &[Event],
    rows: &HashMap<ItemId, IndexRow>,
    scope: &Scope,
    seen_by: Option<u64>,
) -> BTreeMap<ItemId, Step> {
    let mut steps: BTreeMap<ItemId, Step> = BTreeMap::new();
    for event in events {
        match rows.get(&event.item) {
            Some(row) if seen_by.is_some_and(|generation| row.generation < generation) => {
                fold_unsure(event, row, &mut steps);
            }
            Some(row) => fold_known(event, row, &mut steps),
            None => fold_unknown(event, scope, &mut steps),
        }
    }
    for step in steps.values_mut() {
        if let Step::Relabel { order, labels } = step
            && !scope.covers(labels)
        {
            *step = Step::Leave { order: *order };
        }
    }
    steps
}

fn fold_known(event: &Event, row: &IndexRow, steps: &mut BTreeMap<ItemId, Step>) {
    let (before, labels) = match steps.get(&event.item) {
        Some(Step::Remove { .. }) => return,
        Some(Step::Relabel { order, labels }) => (*order, labels.clone()),
        _ => (row.order, row.labels.clone()),
    };
    if event.order < before || event.order <= row.order {
        return;
    }
    let order = event.order;
    let step = match &event.what {
        // Content never changes; label changes have records of their own.
        What::Added(_) => return,
        What::Deleted => Step::Remove { order },
        What::LabelsAdded(ids) => Step::Relabel {
            order,
            labels: union(labels, ids),
        },
        What::LabelsRemoved(ids) => Step::Relabel {
            order,
            labels: difference(labels, ids),
        },
    };
    steps.insert(event.item.clone(), step);
}

fn fold_unsure(event: &Event, row: &IndexRow, steps: &mut BTreeMap<ItemId, Step>) {
    if event.order <= row.order {
        return;
    }
    let step = match &event.what {
        What::Added(_) => return,
        What::Deleted => Step::Remove { order: event.order },
        What::LabelsAdded(_) | What::LabelsRemoved(_) => Step::Fetch,
    };
    if !matches!(steps.get(&event.item), Some(Step::Remove { .. })) {
        steps.insert(event.item.clone(), step);
    }
}

fn fold_unknown(event: &Event, scope: &Scope, steps: &mut BTreeMap<ItemId, Step>) {
    let step = match &event.what {
        // Where Google tells that it is out of scope (each save of a draft is an addition), a
        // later move into scope has a record of its own, which fetches.
        What::Added(Some(labels)) if !scope.covers(labels) => return,
        What::Added(_) => Step::Fetch,
        What::Deleted => Step::Forget,
        What::LabelsAdded(_) => return,
        // Left spam, trash or drafts.
        What::LabelsRemoved(ids) if !scope.covers(ids) => Step::Fetch,
        What::LabelsRemoved(_) => return,
    };
    if steps.get(&event.item) != Some(&Step::Forget) {
        steps.insert(event.item.clone(), step);
    }
}

fn union(mut labels: LabelSet, ids: &LabelSet) -> LabelSet {
    for id in ids.iter() {
        labels.insert(id);
    }
    labels
}

fn difference(mut labels: LabelSet, ids: &LabelSet) -> LabelSet {
    for id in ids.iter() {
        labels.remove(id);
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;
    use nuncio_model::ThreadId;
    use proptest::prelude::*;

    fn set(ids: &[&str]) -> LabelSet {
        ids.iter().copied().collect()
    }

    fn row(item: &str, order: u64, labels: &[&str]) -> (ItemId, IndexRow) {
        let item = ItemId::new(item);
        let row = IndexRow {
            item: item.clone(),
            order,
            hash: 0,
            labels: set(labels),
            thread: ThreadId::new("t"),
            generation: 1,
        };
        (item, row)
    }

    fn event(order: u64, what: What) -> Event {
        Event {
            order,
            item: ItemId::new("m"),
            what,
        }
    }

    fn folded(known: Option<(u64, &[&str])>, events: &[Event]) -> Option<Step> {
        let rows = known
            .map(|(order, labels)| row("m", order, labels))
            .into_iter()
            .collect();
        fold(events, &rows, &Scope::new(false), None).remove(&ItemId::new("m"))
    }

    /// The message was trashed and marked unread in a gap of the history, so a resync did not list
    /// it; then it comes back, after the labels were compared.
    #[test]
    fn a_change_of_what_a_resync_did_not_see_is_read_not_folded() {
        let rows = HashMap::from([row("m", 4, &["INBOX"])]);
        let fold_with = |seen_by, events: &[Event]| {
            fold(events, &rows, &Scope::new(false), seen_by).remove(&ItemId::new("m"))
        };
        let back = [event(9, What::LabelsRemoved(set(&["TRASH"])))];
        assert_eq!(fold_with(Some(2), &back), Some(Step::Fetch));
        let labels = set(&["INBOX"]);
        let folded = Some(Step::Relabel { order: 9, labels });
        assert_eq!(fold_with(Some(1), &back), folded, "the listing showed it");
        assert_eq!(fold_with(None, &back), folded, "there was no gap");
        let [back] = back;
        let gone = [back, event(10, What::Deleted)];
        assert_eq!(fold_with(Some(2), &gone), Some(Step::Remove { order: 10 }));
        let old = [event(4, What::LabelsAdded(set(&["STARRED"])))];
        assert_eq!(fold_with(Some(2), &old), None);
    }

    #[test]
    fn an_added_message_is_fetched_once() {
        let events = [
            event(5, What::Added(None)),
            event(6, What::LabelsAdded(set(&["STARRED"]))),
        ];
        assert_eq!(folded(None, &events), Some(Step::Fetch));
        assert_eq!(
            folded(Some((9, &["INBOX"])), &events),
            None,
            "history that a fetch contained"
        );
    }

    #[test]
    fn labels_fold_without_a_fetch() {
        let events = [
            event(5, What::LabelsRemoved(set(&["UNREAD"]))),
            event(6, What::LabelsAdded(set(&["Label_1"]))),
        ];
        assert_eq!(
            folded(Some((4, &["INBOX", "UNREAD"])), &events),
            Some(Step::Relabel {
                order: 6,
                labels: set(&["INBOX", "Label_1"])
            })
        );
        assert_eq!(
            folded(Some((5, &["INBOX", "UNREAD"])), &events),
            Some(Step::Relabel {
                order: 6,
                labels: set(&["INBOX", "UNREAD", "Label_1"])
            }),
            "a delta that is not newer than the row is skipped"
        );
    }

    #[test]
    fn trash_leaves_and_untrash_comes_back() {
        assert_eq!(
            folded(
                Some((4, &["INBOX"])),
                &[event(5, What::LabelsAdded(set(&["TRASH"])))]
            ),
            Some(Step::Leave { order: 5 })
        );
        assert_eq!(
            folded(None, &[event(5, What::LabelsRemoved(set(&["TRASH"])))]),
            Some(Step::Fetch)
        );
        let there_and_back = [
            event(5, What::LabelsAdded(set(&["TRASH"]))),
            event(6, What::LabelsRemoved(set(&["TRASH"]))),
        ];
        assert_eq!(
            folded(Some((4, &["INBOX"])), &there_and_back),
            Some(Step::Relabel {
                order: 6,
                labels: set(&["INBOX"])
            })
        );
    }

    #[test]
    fn deletion_wins_over_what_came_before_it_in_the_page() {
        let events = [
            event(5, What::Added(None)),
            event(6, What::LabelsAdded(set(&["STARRED"]))),
            event(7, What::Deleted),
        ];
        assert_eq!(folded(None, &events), Some(Step::Forget));
        assert_eq!(
            folded(Some((4, &["INBOX"])), &events),
            Some(Step::Remove { order: 7 })
        );
    }

    #[test]
    fn a_saved_draft_costs_no_fetch_and_sending_it_does() {
        assert_eq!(
            folded(None, &[event(5, What::Added(Some(set(&["DRAFT"]))))]),
            None
        );
        assert_eq!(
            folded(None, &[event(6, What::LabelsRemoved(set(&["DRAFT"])))]),
            Some(Step::Fetch)
        );
    }

    fn any_event() -> impl Strategy<Value = (u8, Vec<usize>)> {
        (0u8..2, prop::collection::vec(0usize..6, 1..3))
    }

    const LABELS: [&str; 6] = ["INBOX", "UNREAD", "STARRED", "TRASH", "SPAM", "Label_1"];

    proptest! {
        /// However history is cut into pages, repeated or overlapping, and at whatever point the
        /// row was read, the fold ends at the state that Google has.
        #[test]
        fn any_paging_and_replay_of_label_history_ends_at_the_newest_state(
            deltas in prop::collection::vec(any_event(), 1..20),
            read_at in 0usize..20,
            cuts in prop::collection::vec(0usize..20, 0..5),
            repeats in prop::collection::vec(0usize..20, 0..3),
        ) {
            let mut truth = set(&["INBOX"]);
            let mut states = vec![truth.clone()];
            let mut events = Vec::new();
            for (n, (kind, ids)) in deltas.iter().enumerate() {
                let ids: LabelSet = ids.iter().map(|i| LABELS[*i]).collect();
                let what = if *kind == 0 {
                    truth = union(truth, &ids);
                    What::LabelsAdded(ids)
                } else {
                    truth = difference(truth, &ids);
                    What::LabelsRemoved(ids)
                };
                states.push(truth.clone());
                events.push(event(n as u64 + 1, what));
            }
            let scope = Scope::new(false);
            let read_at = read_at.min(events.len());
            // The row as a fetch at that moment gave it, if it was in scope.
            let mut known: HashMap<ItemId, IndexRow> = HashMap::new();
            let fetch = |at: usize, known: &mut HashMap<ItemId, IndexRow>| {
                if scope.covers(&states[at]) {
                    let (item, mut fetched) = row("m", at as u64, &[]);
                    fetched.labels = states[at].clone();
                    known.insert(item, fetched);
                }
            };
            fetch(read_at, &mut known);

            let mut bounds: Vec<usize> = cuts.iter().map(|c| c % (events.len() + 1)).collect();
            bounds.extend([0, events.len()]);
            bounds.sort_unstable();
            let mut pages: Vec<&[Event]> = bounds.windows(2).map(|w| &events[w[0]..w[1]]).collect();
            // Replays begin anywhere earlier and run to the end, as a lost cursor would make them.
            for repeat in &repeats {
                pages.push(&events[repeat % events.len()..]);
            }
            for page in pages {
                for (item, step) in fold(page, &known, &scope, None) {
                    match step {
                        Step::Fetch => fetch(events.len(), &mut known),
                        Step::Remove { .. } | Step::Leave { .. } => { known.remove(&item); }
                        Step::Relabel { order, labels } => {
                            let row = known.get_mut(&item).unwrap();
                            row.order = order;
                            row.labels = labels;
                        }
                        Step::Forget => {}
                    }
                }
            }
            let ends_at = known.get(&ItemId::new("m")).map(|row| row.labels.clone());
            prop_assert_eq!(ends_at, scope.covers(&truth).then_some(truth));
        }
    }
}
