//! Property: whatever the order in which pages of a listing and of the change log are read, also
//! again after a crash, the index ends at Google's state. Google and the index are models; what
//! a change means and what an item's row and order are is the feed's own.

use super::normalize::Seen;
use super::scribe::Scribe;
use super::view::{Place, Verdict, View};
use nuncio_google::{DriveChange, DriveFile};
use nuncio_model::{AccountKey, DeleteCause, FeedId, IndexRow, ItemId, Op, Origin, SystemClock};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Files there may be.
const N_FILES: usize = 5;

/// Files on a page of the listing.
const N_PAGE: usize = 2;

#[derive(Debug, Clone)]
enum Act {
    /// A file is made or changed.
    Edit(usize),
    /// It leaves the view, and may come back as it was: its version does not move.
    Hide(usize),
    Show(usize),
    /// It moves into a shared drive of which the account is a member.
    MoveAway(usize),
    /// It is deleted for good.
    Delete(usize),
    /// The feed reads so many entries of the log.
    Poll(usize),
    /// The feed reads a page of its listing, which begins anew after its end.
    List,
    /// The position was not stored: the last page of the log comes again.
    Again,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sight {
    Here,
    Hidden,
    InDrive,
}

#[derive(Default)]
struct Google {
    files: BTreeMap<usize, (u64, Sight)>,
    log: Vec<usize>,
}

impl Google {
    fn act(&mut self, n: usize, act: impl FnOnce(&mut (u64, Sight))) {
        if let Some(file) = self.files.get_mut(&n) {
            act(file);
            self.log.push(n);
        }
    }

    fn file(&self, n: usize) -> Option<DriveFile> {
        let (version, sight) = *self.files.get(&n)?;
        Some(DriveFile {
            id: n.to_string(),
            version,
            name: Some(format!("{n} {version}")),
            drive_id: (sight == Sight::InDrive).then(|| "0A".to_owned()),
            can_read_drive: (sight == Sight::InDrive).then_some(true),
            ..DriveFile::default()
        })
    }

    /// What an entry of the log shows when it is read.
    fn change(&self, n: usize) -> DriveChange {
        let removed = self.files.get(&n).is_none_or(|(_, s)| *s == Sight::Hidden);
        let file = self.file(n).filter(|_| !removed).map(Box::new);
        DriveChange::File {
            id: ItemId::new(n.to_string()),
            removed,
            file,
        }
    }
}

#[derive(Default)]
struct Index {
    rows: BTreeMap<ItemId, IndexRow>,
    tombstones: BTreeMap<ItemId, u64>,
}

impl Index {
    /// The rules of the spool.
    fn apply(&mut self, op: Op) {
        match op {
            Op::Upsert { row, .. } => {
                let known = self.rows.get(&row.item);
                let is_old = known.is_some_and(|known| row.order < known.order);
                let buried = self.tombstones.get(&row.item);
                let is_buried = known.is_none() && buried.is_some_and(|at| row.order < *at);
                if !is_old && !is_buried {
                    self.rows.insert(row.item.clone(), row);
                }
            }
            Op::Delete { item, order, .. }
                if self.rows.get(&item).is_some_and(|row| row.order <= order) =>
            {
                self.rows.remove(&item);
                self.tombstones.insert(item, order);
            }
            _ => {}
        }
    }
}

struct Feed {
    view: View,
    scribe: Scribe,
    index: Index,
    position: usize,
    before: usize,
    listed: usize,
}

impl Feed {
    fn new() -> Self {
        Self {
            view: View::Account {
                root: "root".into(),
                members: Vec::new(),
            },
            scribe: Scribe {
                feed: FeedId(1),
                collection: "my-drive".into(),
                account: AccountKey::new("a"),
                address: "ana@example.com".into(),
                user: "ana@example.com".into(),
                drive_name: None,
                seen: Seen::ByAccount,
                identity: Arc::default(),
                clock: Arc::new(SystemClock),
            },
            index: Index::default(),
            position: 0,
            before: 0,
            listed: 0,
        }
    }

    fn take(&mut self, file: DriveFile) {
        if self.view.place(&file) != Place::Here {
            return;
        }
        let state = self.scribe.state(file);
        let known = self.index.rows.get(&state.row.item);
        if !known.is_some_and(|row| state.is_known_as(row)) {
            let op = self.scribe.upsert(state, None, Origin::Live);
            self.index.apply(op);
        }
    }

    fn poll(&mut self, google: &Google, n_entries: usize) {
        self.before = self.position;
        let end = google.log.len().min(self.position + n_entries);
        for n in &google.log[self.position..end] {
            match self.view.judge(&google.change(*n)) {
                Verdict::Here(file) => self.take(*file),
                Verdict::Gone(id, cause) => {
                    if let Some(row) = self.index.rows.get(&id) {
                        let op = self.scribe.delete(row, cause, Origin::Live);
                        self.index.apply(op);
                    }
                }
                Verdict::Ask(_) | Verdict::Nothing => {}
            }
        }
        self.position = end;
    }

    fn list(&mut self, google: &Google) {
        for n in self.listed..self.listed + N_PAGE {
            let visible = google.files.get(&n).is_some_and(|(_, s)| *s == Sight::Here);
            if visible {
                self.take(google.file(n).unwrap());
            }
        }
        self.listed = (self.listed + N_PAGE) % (N_FILES + 1);
    }
}

fn any_act() -> impl Strategy<Value = Act> {
    let file = 0..N_FILES;
    prop_oneof![
        4 => file.clone().prop_map(Act::Edit),
        2 => file.clone().prop_map(Act::Hide),
        2 => file.clone().prop_map(Act::Show),
        1 => file.clone().prop_map(Act::MoveAway),
        1 => file.prop_map(Act::Delete),
        4 => (1usize..4).prop_map(Act::Poll),
        3 => Just(Act::List),
        1 => Just(Act::Again),
    ]
}

proptest! {
    #[test]
    fn any_interleaving_ends_at_googles_state(acts in prop::collection::vec(any_act(), 1..60)) {
        let (mut google, mut feed) = (Google::default(), Feed::new());
        let mut was_deleted = [false; N_FILES];
        for act in acts {
            match act {
                // An id is never used again.
                Act::Edit(n) if !was_deleted[n] => {
                    google.files.entry(n).or_insert((0, Sight::Here));
                    google.act(n, |file| file.0 += 1);
                }
                Act::Edit(_) => {}
                Act::Hide(n) => google.act(n, |file| file.1 = Sight::Hidden),
                Act::Show(n) => google.act(n, |file| file.1 = Sight::Here),
                Act::MoveAway(n) => google.act(n, |file| *file = (file.0 + 1, Sight::InDrive)),
                Act::Delete(n) => {
                    if google.files.remove(&n).is_some() {
                        was_deleted[n] = true;
                        google.log.push(n);
                    }
                }
                Act::Poll(n) => feed.poll(&google, n),
                Act::List => feed.list(&google),
                Act::Again => feed.position = feed.before,
            }
        }
        feed.poll(&google, usize::MAX - feed.position);
        let held: Vec<(String, u64)> = feed
            .index
            .rows
            .values()
            .map(|row| (row.item.to_string(), row.order))
            .collect();
        // A file that the listing or the log has shown is exact; all have an entry in the log.
        let wanted: Vec<(String, u64)> = google
            .files
            .iter()
            .filter(|(_, (_, sight))| *sight == Sight::Here)
            .map(|(n, (version, _))| (n.to_string(), *version))
            .collect();
        prop_assert_eq!(held, wanted);
    }
}

#[test]
fn a_removal_does_not_keep_a_file_from_coming_back_as_it_was() {
    let mut feed = Feed::new();
    let file = DriveFile {
        id: "f".into(),
        version: 7,
        ..DriveFile::default()
    };
    for _ in 0..2 {
        feed.take(file.clone());
        let row = feed.index.rows[&ItemId::new("f")].clone();
        let op = feed.scribe.delete(&row, DeleteCause::Removed, Origin::Live);
        feed.index.apply(op);
        assert!(feed.index.rows.is_empty());
    }
    feed.take(file);
    assert_eq!(feed.index.rows.len(), 1);
}
