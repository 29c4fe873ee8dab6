//! The append: records, item index, failed items, cursor and walk of one feed change in one
//! transaction, and the newest state of an item wins whatever the order in which its states
//! come. What a step means is documented at `nuncio_model::Op`.
//!
//! Beyond what is said there: each step that names a known item marks its row with the walk's
//! generation, since it shows that the item was there. A deletion leaves a tombstone with its
//! order; an upsert that is older than it is stale, so that a walk which fetched an item
//! before it was deleted does not bring it back.

use crate::Spool;
use crate::blobs::{self, NewBlob};
use crate::encode::{
    Body, Encoder, PackedId, change_name, hash_from_sql, hash_to_sql, sha256_bytes, to_sql,
};
use crate::error::Fault;
use crate::failed_items;
use crate::reader::blocking;
use crate::schema::FORMAT_JSON_ZSTD;
use crate::writer::State;
use nuncio_model::{
    Append, Appended, Change, Cursor, FeedId, IndexRow, LabelSet, Op, OpResult, Revision,
    StoreError, Walk,
};
use rusqlite::{OptionalExtension, params};

/// What a row costs beyond its body, about; only for the size of a commit group.
const ROW_BYTES: usize = 256;

impl Spool {
    /// Carries out `append` in one transaction and returns once it is on stable storage.
    ///
    /// Appends of all callers share commits, so many small ones at once cost little; one
    /// caller that waits for each pays a sync for each.
    ///
    /// # Errors
    /// [`StoreError::Full`] beyond `max_bytes` or where the disk is full: nothing was kept, try
    /// again when sinks have taken records. [`StoreError::Failed`] for an unknown feed or a
    /// failing disk.
    ///
    /// # Cancel safety
    /// If dropped early the append may still be carried out, as a whole.
    pub async fn append(&self, append: Append) -> Result<Appended, StoreError> {
        let prepared = blocking(move || Prepared::try_new(append)).await?;
        let feed = prepared.feed.0;
        let appended = self
            .write(prepared.n_bytes, move |state| {
                tracing::trace!(feed, "append begins");
                prepared.apply(state)
            })
            .await;
        tracing::trace!(feed, "append ended");
        appended
    }
}

/// An [`Append`] with all that can be done off the writer's thread done.
struct Prepared {
    feed: FeedId,
    steps: Vec<Step>,
    cursor: Option<Cursor>,
    walk: Option<Option<Walk>>,
    n_bytes: usize,
}

enum Step {
    Upsert {
        row: IndexRow,
        labels: String,
        body: Body,
        blobs: Vec<NewBlob>,
    },
    Labels {
        item: String,
        order: u64,
        hash: u64,
        labels: String,
        body: Body,
    },
    Delete {
        item: String,
        order: u64,
        body: Body,
    },
    Mark {
        item: String,
    },
    Fail(nuncio_model::Failure),
    ForgetOrders,
    Settle {
        item: String,
    },
}

impl Prepared {
    fn try_new(append: Append) -> Result<Self, Fault> {
        let mut encoder = Encoder::try_new()?;
        let steps = append
            .ops
            .into_iter()
            .map(|op| Step::try_new(op, &mut encoder))
            .collect::<Result<Vec<_>, _>>()?;
        let n_bytes = steps.iter().map(Step::n_bytes).sum();
        Ok(Self {
            feed: append.feed,
            steps,
            cursor: append.cursor,
            walk: append.walk,
            n_bytes,
        })
    }

    fn apply(&self, state: &mut State) -> Result<Appended, Fault> {
        state.refuse_if_full()?;
        let feed = to_sql(self.feed.0);
        let stored: Option<Option<String>> = state
            .conn
            .prepare_cached("SELECT walk FROM feeds WHERE id = ?1")?
            .query_row([feed], |row| row.get(0))
            .optional()?;
        let stored =
            stored.ok_or_else(|| Fault::failed(format!("feed {} is not known", self.feed)))?;
        let generation = match (&self.walk, stored) {
            (Some(Some(walk)), _) => Some(walk.generation),
            (_, Some(json)) => Some(crate::feeds::parse_walk(&json)?.generation),
            (_, None) => None,
        };
        let mut feed_writer = FeedWriter {
            state,
            id: self.feed,
            feed,
            generation: generation.map(to_sql),
        };
        let results = self
            .steps
            .iter()
            .map(|step| feed_writer.step(step))
            .collect::<Result<Vec<_>, Fault>>()?;
        if let Some(cursor) = &self.cursor {
            state
                .conn
                .prepare_cached("UPDATE feeds SET cursor = ?2 WHERE id = ?1")?
                .execute(params![feed, cursor.0])?;
        }
        match &self.walk {
            Some(Some(walk)) => {
                let json = serde_json::to_string(walk)
                    .map_err(|_| Fault::failed("a walk cannot be written"))?;
                state
                    .conn
                    .prepare_cached("UPDATE feeds SET walk = ?2 WHERE id = ?1")?
                    .execute(params![feed, json])?;
            }
            Some(None) => {
                state
                    .conn
                    .prepare_cached("UPDATE feeds SET walk = NULL, complete = 1 WHERE id = ?1")?
                    .execute([feed])?;
            }
            None => {}
        }
        Ok(Appended { results })
    }
}

impl Step {
    fn try_new(op: Op, encoder: &mut Encoder) -> Result<Self, Fault> {
        Ok(match op {
            Op::Upsert { row, record, blobs } => {
                let blobs = blobs
                    .into_iter()
                    .map(|blob| {
                        Ok(NewBlob {
                            sha256: sha256_bytes(&blob.sha256)?,
                            bytes: blob.bytes,
                        })
                    })
                    .collect::<Result<_, Fault>>()?;
                Step::Upsert {
                    labels: label_text(&row.labels)?,
                    row,
                    body: encoder.encode(&record)?,
                    blobs,
                }
            }
            Op::Labels {
                item,
                order,
                hash,
                labels,
                record,
            } => Step::Labels {
                item: item.as_str().to_owned(),
                order,
                hash,
                labels: label_text(&labels)?,
                body: encoder.encode(&record)?,
            },
            Op::Delete {
                item,
                order,
                record,
            } => Step::Delete {
                item: item.as_str().to_owned(),
                order,
                body: encoder.encode(&record)?,
            },
            Op::Mark { item } => Step::Mark {
                item: item.as_str().to_owned(),
            },
            Op::Fail(failure) => Step::Fail(failure),
            Op::ForgetOrders => Step::ForgetOrders,
            Op::Settle { item } => Step::Settle {
                item: item.as_str().to_owned(),
            },
        })
    }

    fn n_bytes(&self) -> usize {
        let content = match self {
            Step::Upsert { body, blobs, .. } => {
                body.bytes.len() + blobs.iter().map(|blob| blob.bytes.len()).sum::<usize>()
            }
            Step::Labels { body, .. } | Step::Delete { body, .. } => body.bytes.len(),
            Step::Mark { .. } | Step::Fail(_) | Step::ForgetOrders | Step::Settle { .. } => 0,
        };
        content + ROW_BYTES
    }
}

/// A label set as `label_sets` has it: its ids in order, as JSON.
fn label_text(labels: &LabelSet) -> Result<String, Fault> {
    serde_json::to_string(labels).map_err(|_| Fault::failed("a label set cannot be written"))
}

/// A record on its way in.
pub(crate) struct NewRecord<'a> {
    pub(crate) feed: FeedId,
    pub(crate) item: &'a str,
    pub(crate) change: Change,
    pub(crate) only_sink: Option<i64>,
    pub(crate) body: &'a Body,
}

/// Appends a record; its place and revision.
pub(crate) fn insert(state: &mut State, record: &NewRecord<'_>) -> Result<(i64, Revision), Fault> {
    let revision = state.next_revision();
    state
        .conn
        .prepare_cached(
            "INSERT INTO records (feed, item, key, revision, change, format, only_sink, raw_len, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            to_sql(record.feed.0),
            PackedId(record.item),
            record.body.key,
            revision,
            change_name(record.change),
            FORMAT_JSON_ZSTD,
            record.only_sink,
            to_sql(record.body.raw_len as u64),
            record.body.bytes,
        ])?;
    let seq = state.conn.last_insert_rowid();
    state.touched.insert(record.feed, seq);
    // Without a sink it goes at once; records for one sink only let the others' lanes pass.
    state.release.look_at(to_sql(record.feed.0));
    Ok((seq, Revision(crate::encode::from_sql(revision))))
}

/// The steps' side of the feed that they change.
struct FeedWriter<'a> {
    state: &'a mut State,
    id: FeedId,
    feed: i64,
    generation: Option<i64>,
}

/// What decides whether a state is newer.
struct Known {
    order: i64,
    hash: u64,
    generation: i64,
}

impl FeedWriter<'_> {
    fn step(&mut self, step: &Step) -> Result<OpResult, Fault> {
        match step {
            Step::Upsert {
                row,
                labels,
                body,
                blobs,
            } => {
                failed_items::settle(&self.state.conn, self.feed, row.item.as_str())?;
                self.upsert(row, labels, body, blobs)
            }
            Step::Labels {
                item,
                order,
                hash,
                labels,
                body,
            } => self.labels(item, to_sql(*order), *hash, labels, body),
            Step::Delete { item, order, body } => {
                failed_items::settle(&self.state.conn, self.feed, item)?;
                self.delete(item, to_sql(*order), body)
            }
            Step::Mark { item } => match self.known(item)? {
                Some(known) => {
                    self.mark(item, &known)?;
                    Ok(OpResult::Indexed)
                }
                None => Ok(OpResult::Unknown),
            },
            Step::Fail(failure) => {
                let now_ms = self.state.clock.now_ms();
                failed_items::fail(&self.state.conn, self.feed, failure, now_ms)?;
                if let Some(known) = self.known(failure.item.as_str())? {
                    self.mark(failure.item.as_str(), &known)?;
                }
                Ok(OpResult::Indexed)
            }
            Step::ForgetOrders => {
                let conn = &self.state.conn;
                conn.prepare_cached("UPDATE items SET ord = 0 WHERE feed = ?1")?
                    .execute([self.feed])?;
                conn.prepare_cached("DELETE FROM tombstones WHERE feed = ?1")?
                    .execute([self.feed])?;
                Ok(OpResult::Indexed)
            }
            Step::Settle { item } => {
                let was_failed = failed_items::settle(&self.state.conn, self.feed, item)?;
                Ok(if was_failed {
                    OpResult::Indexed
                } else {
                    OpResult::Unknown
                })
            }
        }
    }

    fn upsert(
        &mut self,
        row: &IndexRow,
        labels: &str,
        body: &Body,
        blobs: &[NewBlob],
    ) -> Result<OpResult, Fault> {
        let item = row.item.as_str();
        let order = to_sql(row.order);
        let known = self.known(item)?;
        let change = match &known {
            None if self.is_buried(item, order)? => return Ok(OpResult::Stale),
            None => Change::Created,
            Some(known)
                if order < known.order || (order == known.order && row.hash == known.hash) =>
            {
                self.mark(item, known)?;
                return Ok(OpResult::Stale);
            }
            Some(_) => Change::Updated,
        };
        let generation = self
            .generation
            .or(known.as_ref().map(|known| known.generation))
            .unwrap_or(0);
        let label_set = self.intern(labels)?;
        self.state
            .conn
            .prepare_cached(
                "INSERT INTO items (feed, item, ord, hash, label_set, thread, generation)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT (feed, item) DO UPDATE SET ord = excluded.ord, hash = excluded.hash,
                   label_set = excluded.label_set, thread = excluded.thread, generation = excluded.generation",
            )?
            .execute(params![
                self.feed,
                PackedId(item),
                order,
                hash_to_sql(row.hash),
                label_set,
                PackedId(row.thread.as_str()),
                generation,
            ])?;
        if known.is_some_and(|known| known.hash == row.hash) {
            return Ok(OpResult::Indexed);
        }
        let (seq, revision) = self.insert(item, change, body)?;
        for blob in blobs {
            blobs::attach(&self.state.conn, seq, blob)?;
        }
        Ok(OpResult::Appended(revision))
    }

    fn labels(
        &mut self,
        item: &str,
        order: i64,
        hash: u64,
        labels: &str,
        body: &Body,
    ) -> Result<OpResult, Fault> {
        let Some(known) = self.known(item)? else {
            return Ok(OpResult::Unknown);
        };
        // At the same order, other labels are a correction: a change after a gap was folded over
        // labels that had changed in the gap, and Google was asked.
        if order < known.order || (order == known.order && hash == known.hash) {
            self.mark(item, &known)?;
            return Ok(OpResult::Stale);
        }
        let label_set = self.intern(labels)?;
        self.state
            .conn
            .prepare_cached(
                "UPDATE items SET ord = ?3, hash = ?4, label_set = ?5, generation = ?6
                 WHERE feed = ?1 AND item = ?2",
            )?
            .execute(params![
                self.feed,
                PackedId(item),
                order,
                hash_to_sql(hash),
                label_set,
                self.generation.unwrap_or(known.generation),
            ])?;
        if known.hash == hash {
            return Ok(OpResult::Indexed);
        }
        let (_, revision) = self.insert(item, Change::Labels, body)?;
        Ok(OpResult::Appended(revision))
    }

    fn delete(&mut self, item: &str, order: i64, body: &Body) -> Result<OpResult, Fault> {
        let known = self.known(item)?;
        if let Some(known) = &known
            && known.order > order
        {
            self.mark(item, known)?;
            return Ok(OpResult::Stale);
        }
        // Also for an unknown item: a walk may just have fetched it.
        self.state
            .conn
            .prepare_cached(
                "INSERT INTO tombstones (feed, item, ord, at) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (feed, item) DO UPDATE SET ord = max(ord, excluded.ord), at = excluded.at",
            )?
            .execute(params![self.feed, PackedId(item), order, self.state.clock.now_ms()])?;
        if known.is_none() {
            return Ok(OpResult::Unknown);
        }
        self.state
            .conn
            .prepare_cached("DELETE FROM items WHERE feed = ?1 AND item = ?2")?
            .execute(params![self.feed, PackedId(item)])?;
        let (_, revision) = self.insert(item, Change::Deleted, body)?;
        Ok(OpResult::Appended(revision))
    }

    fn insert(
        &mut self,
        item: &str,
        change: Change,
        body: &Body,
    ) -> Result<(i64, Revision), Fault> {
        insert(
            self.state,
            &NewRecord {
                feed: self.id,
                item,
                change,
                only_sink: None,
                body,
            },
        )
    }

    fn known(&self, item: &str) -> Result<Option<Known>, Fault> {
        Ok(self
            .state
            .conn
            .prepare_cached(
                "SELECT ord, hash, generation FROM items WHERE feed = ?1 AND item = ?2",
            )?
            .query_row(params![self.feed, PackedId(item)], |row| {
                Ok(Known {
                    order: row.get(0)?,
                    hash: hash_from_sql(row.get(1)?),
                    generation: row.get(2)?,
                })
            })
            .optional()?)
    }

    /// Notes that the walk saw the item.
    fn mark(&self, item: &str, known: &Known) -> Result<(), Fault> {
        if let Some(generation) = self.generation
            && generation != known.generation
        {
            self.state
                .conn
                .prepare_cached("UPDATE items SET generation = ?3 WHERE feed = ?1 AND item = ?2")?
                .execute(params![self.feed, PackedId(item), generation])?;
        }
        Ok(())
    }

    /// Whether the item was deleted after this order. Any other state ends the tombstone: what
    /// was swept away at its own order and is seen again comes back.
    fn is_buried(&self, item: &str, order: i64) -> Result<bool, Fault> {
        let buried: Option<i64> = self
            .state
            .conn
            .prepare_cached("SELECT ord FROM tombstones WHERE feed = ?1 AND item = ?2")?
            .query_row(params![self.feed, PackedId(item)], |row| row.get(0))
            .optional()?;
        match buried {
            None => Ok(false),
            Some(deleted_at) if order < deleted_at => Ok(true),
            Some(_) => {
                self.state
                    .conn
                    .prepare_cached("DELETE FROM tombstones WHERE feed = ?1 AND item = ?2")?
                    .execute(params![self.feed, PackedId(item)])?;
                Ok(false)
            }
        }
    }

    /// The number of a label set.
    fn intern(&mut self, labels: &str) -> Result<i64, Fault> {
        if let Some(id) = self.state.label_sets.get(labels) {
            return Ok(*id);
        }
        let conn = &self.state.conn;
        conn.prepare_cached("INSERT OR IGNORE INTO label_sets (labels) VALUES (?1)")?
            .execute([labels])?;
        let id = conn
            .prepare_cached("SELECT id FROM label_sets WHERE labels = ?1")?
            .query_row([labels], |row| row.get(0))?;
        self.state.remember_label_set(labels, id);
        Ok(id)
    }
}
