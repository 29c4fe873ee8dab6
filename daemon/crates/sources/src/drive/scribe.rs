//! Turns what Google says of files into the steps of an append: index rows and records.

use super::normalize::{self, FOLDER, Normalized, Seen};
use crate::Identity;
use nuncio_google::DriveFile;
use nuncio_model::{
    AccountKey, Change, Clock, DeleteCause, Deleted, FeedId, IndexRow, ItemId, LabelSet, Op,
    Origin, Payload, Record, RecordKey, Revision, Source, ThreadId,
};
use std::sync::Arc;

/// The index's mark of a folder.
const IS_FOLDER: &str = "folder";

/// The index's mark of a folder that can be seen, but not what is in it.
const IS_CLOSED: &str = "closed";

/// Writes the records of one feed.
#[derive(Clone)]
pub(crate) struct Scribe {
    /// The feed.
    pub feed: FeedId,
    /// `my-drive`, or the shared drive's id.
    pub collection: String,
    /// The account's frozen key; of no meaning for a shared drive.
    pub account: AccountKey,
    /// The account's primary address; empty for a shared drive.
    pub address: String,
    /// The user in the config; empty for a shared drive.
    pub user: String,
    /// What the shared drive is called, where that was ever told.
    pub drive_name: Option<String>,
    /// Whose view it is.
    pub seen: Seen,
    /// Who is who.
    pub identity: Arc<Identity>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// A file's state, ready for the index.
pub(crate) struct State {
    /// The file.
    pub raw: DriveFile,
    /// Its record without path.
    made: Normalized,
    /// Its row; the store sets the generation.
    pub row: IndexRow,
}

impl State {
    /// Whether the row tells the same: nothing is to be recorded.
    pub(crate) fn is_known_as(&self, row: &IndexRow) -> bool {
        self.tells_the_same(row) && row.order >= self.row.order
    }

    /// Whether the row tells the same, be it of an older version.
    pub(crate) fn tells_the_same(&self, row: &IndexRow) -> bool {
        row.hash == self.row.hash && row.labels == self.row.labels
    }
}

/// Whether a row is of a folder.
pub(crate) fn is_folder(row: &IndexRow) -> bool {
    row.labels.contains(IS_FOLDER)
}

/// Whether a row is of a folder into which one cannot see.
pub(crate) fn is_closed(row: &IndexRow) -> bool {
    row.labels.contains(IS_CLOSED)
}

impl Scribe {
    /// A file's state for the index: Drive's `version` as order, the parent as thread, and as
    /// labels what sort of folder it is. The labels are the index's own; no record shows them.
    pub(crate) fn state(&self, raw: DriveFile) -> State {
        let made = normalize::file(&raw, &self.identity.people(), self.seen);
        let folder = raw.mime_type.as_deref() == Some(FOLDER);
        let closed = folder && (raw.limited || raw.can_list_children == Some(false));
        let marks = [(folder, IS_FOLDER), (closed, IS_CLOSED)];
        let row = IndexRow {
            item: ItemId::new(&raw.id),
            order: raw.version,
            hash: made.hash,
            labels: marks
                .into_iter()
                .filter_map(|(is_set, mark)| is_set.then_some(mark))
                .collect::<LabelSet>(),
            thread: ThreadId::new(raw.parents.first().cloned().unwrap_or_default()),
            generation: 0,
        };
        State { raw, made, row }
    }

    /// Records a state.
    pub(crate) fn upsert(&self, state: State, path: Option<String>, origin: Origin) -> Op {
        let State { made, row, .. } = state;
        let mut file = made.file;
        file.path = path;
        file.drive_name.clone_from(&self.drive_name);
        let payload = Payload::File(Box::new(file));
        let mut record = self.record(&row.item, row.order, origin, Change::Created, payload);
        record.notes = made.notes;
        Op::Upsert {
            row,
            record: Box::new(record),
            blobs: Vec::new(),
        }
    }

    /// A known file is gone. A removal has no version, so it goes by the order of the log: it has
    /// that of the known state, and any state to come is as new, so that a file may come back.
    pub(crate) fn delete(&self, row: &IndexRow, cause: DeleteCause, origin: Origin) -> Op {
        let payload = Payload::Deleted(Deleted {
            cause,
            thread_id: None,
            ical_uid: None,
            name: None,
        });
        Op::Delete {
            item: row.item.clone(),
            order: row.order,
            record: Box::new(self.record(&row.item, row.order, origin, Change::Deleted, payload)),
        }
    }

    fn record(
        &self,
        item: &ItemId,
        order: u64,
        origin: Origin,
        change: Change,
        payload: Payload,
    ) -> Record {
        Record {
            key: RecordKey::drive_file(&self.account, &self.collection, item),
            revision: Revision::default(),
            source_version: order,
            change,
            source: Source::Drive,
            origin,
            lane: self.feed,
            user: self.user.clone(),
            account: self.address.clone(),
            collection: self.collection.clone(),
            observed_at: self.clock.now_ms(),
            notes: Vec::new(),
            extra: Vec::new(),
            payload,
        }
    }
}
