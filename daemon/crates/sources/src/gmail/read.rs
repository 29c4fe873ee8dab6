//! From wanted messages to the steps of an append: plans the calls, carries them out, makes
//! records, and reads the bytes of messages whose parts leave a doubt.

use super::fetch::{Batch, Blame, Fetched, Judged, fetch};
use super::plan::{Job, Wanted};
use super::scribe::{OfParts, Scribe};
use super::{MailFeed, Mailbox};
use crate::desk::next_try;
use crate::error::Error;
use nuncio_google::{FullMessage, Gmail};
use nuncio_model::{Failure, ItemId, LabelSet, Op, Origin};

/// What was made of one wanted message.
enum Made {
    Op(Op),
    /// Its bytes are needed.
    Doubtful,
}

impl MailFeed {
    /// Reads the first of `wanted` and makes ops of them, in order; how many were dealt with.
    /// Behind them stand those of other messages that came along in a walk.
    ///
    /// # Errors
    /// When the mailbox as a whole fails before the first message; what was read until then is
    /// appended by the caller.
    pub(super) async fn fetched(
        &self,
        mailbox: &mut Mailbox,
        wanted: &[Wanted],
        origin: Origin,
        judged: Judged,
    ) -> Result<(Vec<Op>, usize), Error> {
        let jobs = if judged == Judged::Together && mailbox.scribe.takes_parts() {
            mailbox.planner.jobs(wanted)
        } else {
            let alone = wanted.iter().map(|wanted| wanted.item.clone());
            alone.map(Job::Message).collect()
        };
        self.carry_out(mailbox, jobs, origin, judged).await
    }

    /// As [`MailFeed::fetched`], with the calls that are to be made.
    pub(super) async fn carry_out(
        &self,
        mailbox: &mut Mailbox,
        jobs: Vec<Job>,
        origin: Origin,
        judged: Judged,
    ) -> Result<(Vec<Op>, usize), Error> {
        let gmail = match origin {
            Origin::Live => mailbox.gmail.clone(),
            Origin::Backfill | Origin::Resync | Origin::Replay => mailbox.gmail.walking(),
        };
        let mut batch = self.batch(mailbox, &gmail, jobs, judged).await;
        let others = std::mem::take(&mut batch.others);
        let n_done = batch.fetched.len();
        if n_done == 0 {
            return match batch.halted {
                Some(error) => Err(error.into()),
                None => Ok((Vec::new(), 0)),
            };
        }
        let others = match origin {
            Origin::Live => Vec::new(),
            Origin::Backfill | Origin::Resync | Origin::Replay => {
                self.unknown(mailbox, others).await?
            }
        };
        let (mut made, others) = self.made(mailbox, batch.fetched, others, origin).await?;
        let n_done = self
            .read_doubtful(mailbox, &gmail, &mut made, origin, judged)
            .await?;
        made.truncate(n_done);
        let ops = made.into_iter().filter_map(|(_, made)| match made {
            Made::Op(op) => Some(op),
            Made::Doubtful => None,
        });
        Ok((ops.chain(others).collect(), n_done))
    }

    async fn batch(
        &self,
        mailbox: &mut Mailbox,
        gmail: &Gmail,
        jobs: Vec<Job>,
        judged: Judged,
    ) -> Batch {
        let blame = Blame::new(judged, mailbox.n_halts);
        let mut batch = fetch(gmail, jobs, blame).await;
        if judged == Judged::Together {
            batch.halt_on_a_row(mailbox.n_halts);
        }
        mailbox.n_halts = match batch.fetched.len() {
            0 => mailbox.n_halts.saturating_add(1),
            _ => 0,
        };
        let refused = batch.refused.drain(..);
        refused.for_each(|thread| mailbox.planner.refuse(thread));
        batch
            .n_of_threads
            .iter()
            .for_each(|n| mailbox.planner.read(*n));
        batch
    }

    /// Those that the index does not have.
    async fn unknown(
        &self,
        mailbox: &Mailbox,
        others: Vec<FullMessage>,
    ) -> Result<Vec<FullMessage>, Error> {
        let items = others.iter().map(|message| message.id.clone()).collect();
        let rows = self.desk.store.lookup(mailbox.feed.id, items).await?;
        let unknown = others.into_iter().zip(rows);
        Ok(unknown
            .filter_map(|(message, row)| row.is_none().then_some(message))
            .collect())
    }

    /// Reads the bytes of those that are in doubt; how many of `made` are dealt with now.
    async fn read_doubtful(
        &self,
        mailbox: &mut Mailbox,
        gmail: &Gmail,
        made: &mut [(ItemId, Made)],
        origin: Origin,
        judged: Judged,
    ) -> Result<usize, Error> {
        let mut doubtful: Vec<&mut (ItemId, Made)> = made
            .iter_mut()
            .filter(|(_, made)| matches!(made, Made::Doubtful))
            .collect();
        if doubtful.is_empty() {
            return Ok(made.len());
        }
        let jobs = doubtful
            .iter()
            .map(|(item, _)| Job::Message(item.clone()))
            .collect();
        let batch = self.batch(mailbox, gmail, jobs, judged).await;
        let (read, _) = self
            .made(mailbox, batch.fetched, Vec::new(), origin)
            .await?;
        for (place, read) in doubtful.iter_mut().zip(read) {
            mailbox.planner.doubted();
            **place = read;
        }
        let is_open = |(_, made): &(ItemId, Made)| matches!(made, Made::Doubtful);
        match (made.iter().position(is_open), batch.halted) {
            (Some(0), Some(error)) => Err(error.into()),
            (n_done, _) => Ok(n_done.unwrap_or(made.len())),
        }
    }

    /// Makes ops of what was fetched, and of other messages as far as they belong to the feed and
    /// leave no doubt: a walk that needs them lists them too.
    async fn made(
        &self,
        mailbox: &mut Mailbox,
        fetched: Vec<(ItemId, Fetched)>,
        others: Vec<FullMessage>,
        origin: Origin,
    ) -> Result<(Vec<(ItemId, Made)>, Vec<Op>), Error> {
        let labels = fetched.iter().filter_map(|(_, fetched)| match fetched {
            Fetched::Message(message) => Some(&message.label_ids),
            Fetched::Parts(message) => Some(&message.label_ids),
            Fetched::Gone | Fetched::Failed(_) => None,
        });
        let mut labels = labels.chain(others.iter().map(|message| &message.label_ids));
        let is_unknown = |ids: &Vec<String>| {
            let set: LabelSet = ids.iter().collect();
            set.has_unknown(&mailbox.scribe.label_names)
        };
        if labels.any(is_unknown) {
            self.refresh_label_names(mailbox).await?;
        }
        let scribe = mailbox.scribe.clone();
        let now = self.desk.clock.now_ms();
        // MIME and hashing are work for a thread that may be busy.
        let made = tokio::task::spawn_blocking(move || {
            let made = fetched
                .into_iter()
                .map(|(item, fetched)| (item.clone(), make(&scribe, item, &fetched, origin, now)))
                .collect();
            let others = others
                .iter()
                .filter_map(|message| match scribe.upsert_parts(message, origin) {
                    OfParts::State(op) => Some(op),
                    OfParts::NotCovered | OfParts::Doubtful => None,
                })
                .collect();
            (made, others)
        })
        .await;
        made.map_err(|panicked| {
            tracing::error!(
                account = %self.options.account.address,
                error = %panicked,
                "normalizing mail panicked, which is a bug"
            );
            Error::Unreadable { what: "a message" }
        })
    }
}

fn make(scribe: &Scribe, item: ItemId, fetched: &Fetched, origin: Origin, now: i64) -> Made {
    Made::Op(match fetched {
        Fetched::Message(message) => scribe
            .upsert(&item, message, origin)
            .unwrap_or(Op::Settle { item }),
        Fetched::Parts(message) => match scribe.upsert_parts(message, origin) {
            OfParts::State(op) => op,
            OfParts::NotCovered => Op::Settle { item },
            OfParts::Doubtful => return Made::Doubtful,
        },
        Fetched::Gone => Op::Settle { item },
        Fetched::Failed(error) => Op::Fail(Failure {
            item,
            code: error.code().to_owned(),
            message: error.to_string(),
            next_try: next_try(now, 0),
        }),
    })
}
