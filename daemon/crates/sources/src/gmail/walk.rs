//! The walk: lists the mailbox newest first, page by page, and reads what the index does not
//! know. It never moves the live position. After a crash it goes on at the page, where what was
//! already read is known and not read again.

use super::fetch::Judged;
use super::large::LargeIds;
use super::plan::{Wanted, chunk_len, grouped};
use super::{MailFeed, Mailbox};
use crate::error::{Error, status};
use crate::identity;
use nuncio_google::ListMessages;
use nuncio_model::{Cursor, ItemId, Op, Origin, Walk, WalkPhase};
use std::collections::VecDeque;

/// Messages read between two looks at the live position.
const N_CHUNK: usize = 50;

/// The part of the current page that is still to be dealt with.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    /// Whether a page is loaded.
    loaded: bool,
    /// Still to be read; messages of one thread stand together.
    unread: VecDeque<Wanted>,
    /// Large messages, which are read one by one after the others.
    large: VecDeque<ItemId>,
    /// All items of the page.
    n_page: u64,
    /// The next page.
    next_page: Option<String>,
}

impl Listed {
    /// How many items of the page are done; not yet counted in the stored walk.
    pub(crate) fn n_done(&self) -> u64 {
        self.n_page - (self.unread.len() + self.large.len()) as u64
    }
}

impl MailFeed {
    /// Begins a walk, replacing one under way, and pins the live position at the present.
    ///
    /// For a first walk and for a lost position alike: all changes from here on come through the
    /// history, all before it through the listing.
    ///
    /// A position below the stored one means that the mailbox is another one than that which gave
    /// us the position (Google then also refuses ours as too old): the orders in the index are not
    /// its own, and would make all that it tells look stale.
    pub(super) async fn begin_walk(
        &mut self,
        mailbox: &mut Mailbox,
        origin: Origin,
        reason: Option<&str>,
    ) -> Result<(), Error> {
        if mailbox.feed.cursor.is_some() {
            let options = &self.options.account;
            identity::same(&self.shared, options, &mailbox.scribe.account).await?;
        }
        let profile = mailbox.gmail.profile().await?;
        let stored = mailbox.feed.cursor.as_ref();
        let went_back = stored
            .and_then(|cursor| cursor.0.parse::<u64>().ok())
            .is_some_and(|stored| profile.history_id < stored);
        let ops = if went_back {
            vec![Op::ForgetOrders]
        } else {
            Vec::new()
        };
        let generation = self.desk.store.next_generation(mailbox.feed.id).await?;
        let walk = Walk {
            origin,
            reason: reason.map(str::to_owned),
            generation,
            baseline: profile.history_id,
            phase: WalkPhase::List,
            page: None,
            done: 0,
            total: Some(profile.messages_total),
        };
        if let Some(reason) = reason {
            tracing::warn!(
                account = %self.options.account.address,
                source = "gmail",
                reason,
                "comparing the whole mailbox with Google"
            );
        }
        let cursor = Cursor(profile.history_id.to_string());
        self.desk
            .append(&mut mailbox.feed, ops, Some(cursor), Some(Some(walk)))
            .await?;
        mailbox.history = None;
        mailbox.listed = Listed::default();
        mailbox.large = LargeIds::default();
        mailbox.seen_labels = None;
        self.owe_drafts(mailbox);
        Ok(())
    }

    /// Reads the next few messages of the walk, or its next page.
    pub(super) async fn walk_on(&mut self, mailbox: &mut Mailbox) -> Result<(), Error> {
        if !mailbox.large.is_complete() {
            return self.list_large(mailbox).await;
        }
        if !mailbox.listed.loaded {
            self.list_page(mailbox).await?;
        }
        let origin = mailbox
            .feed
            .walk
            .as_ref()
            .map_or(Origin::Backfill, |walk| walk.origin);
        let n_chunk = chunk_len(&mailbox.listed.unread, N_CHUNK);
        if n_chunk > 0 {
            let wanted: Vec<Wanted> = mailbox
                .listed
                .unread
                .iter()
                .take(n_chunk)
                .cloned()
                .collect();
            let (ops, n_done) = self
                .fetched(mailbox, &wanted, origin, Judged::Together)
                .await?;
            self.append(mailbox, ops, None).await?;
            mailbox.listed.unread.drain(..n_done);
        } else if let Some(item) = mailbox.listed.large.front().cloned()
            && self.read_large(mailbox, item, origin).await?
        {
            mailbox.listed.large.pop_front();
        }
        if mailbox.listed.unread.is_empty() && mailbox.listed.large.is_empty() {
            self.turn_page(mailbox).await?;
        }
        Ok(())
    }

    /// Lists the walk's next page and sorts out what is known already.
    async fn list_page(&mut self, mailbox: &mut Mailbox) -> Result<(), Error> {
        let Some(walk) = mailbox.feed.walk.clone() else {
            return Ok(());
        };
        tracing::trace!(account = %self.options.account.address, source = "gmail", "walk page begins");
        let page = mailbox
            .gmail
            .walking()
            .list_messages(&ListMessages {
                q: self.query(mailbox),
                include_spam_trash: self.options.include_spam_trash,
                page_token: walk.page.clone(),
                ..ListMessages::default()
            })
            .await;
        let page = match page {
            Ok(page) => page,
            // A page token does not live for ever. From the beginning it costs a listing, not
            // the messages, which are known.
            Err(error)
                if walk.page.is_some() && status(&error).is_some_and(|s| s.status == 400) =>
            {
                tracing::info!(
                    account = %self.options.account.address,
                    source = "gmail",
                    "Google took a page token back, the walk lists again from its beginning"
                );
                let restarted = Walk {
                    page: None,
                    done: 0,
                    ..walk
                };
                return self.store_walk(mailbox, Some(restarted)).await;
            }
            Err(error) => return Err(error.into()),
        };
        if !page.bad.is_empty() {
            return Err(Error::Unreadable {
                what: "an entry of a listing",
            });
        }
        let items: Vec<ItemId> = page
            .messages
            .iter()
            .map(|message| message.id.clone())
            .collect();
        let rows = self.desk.store.lookup(mailbox.feed.id, items).await?;
        let mut marks = Vec::new();
        let mut unread = Vec::new();
        let mut large = VecDeque::new();
        for (message, row) in page.messages.iter().zip(rows) {
            let item = message.id.clone();
            match row {
                None if mailbox.large.contains(&item) => large.push_back(item),
                None => unread.push(Wanted {
                    item,
                    thread: Some(message.thread_id.clone()),
                }),
                Some(row) if row.generation < walk.generation => marks.push(Op::Mark { item }),
                Some(_) => {}
            }
        }
        if !marks.is_empty() {
            self.append(mailbox, marks, None).await?;
        }
        // Messages stay newest first where threads are not read as one anyway.
        let unread = match mailbox.scribe.takes_parts() {
            true => grouped(unread),
            false => unread,
        };
        mailbox.listed = Listed {
            loaded: true,
            unread: unread.into(),
            large,
            n_page: page.messages.len() as u64,
            next_page: page.next_page,
        };
        Ok(())
    }

    /// The page is done: stores where to go on, or ends the listing.
    async fn turn_page(&mut self, mailbox: &mut Mailbox) -> Result<(), Error> {
        let Some(mut walk) = mailbox.feed.walk.clone() else {
            return Ok(());
        };
        if !mailbox.listed.loaded {
            return Ok(());
        }
        let listed = std::mem::take(&mut mailbox.listed);
        walk.done += listed.n_page;
        walk.page = listed.next_page;
        let walk = match (&walk.page, walk.origin) {
            (Some(_), _) => Some(walk),
            (None, Origin::Backfill) => None,
            (None, Origin::Resync | Origin::Live | Origin::Replay) => Some(Walk {
                phase: WalkPhase::Labels,
                ..walk
            }),
        };
        self.store_walk(mailbox, walk).await?;
        tracing::trace!(account = %self.options.account.address, source = "gmail", "walk page ended");
        Ok(())
    }

    /// Stores the walk's state alone.
    pub(super) async fn store_walk(
        &self,
        mailbox: &mut Mailbox,
        walk: Option<Walk>,
    ) -> Result<(), Error> {
        mailbox.listed = Listed::default();
        self.desk
            .append(&mut mailbox.feed, Vec::new(), None, Some(walk))
            .await
    }

    /// The search that a walk lists by: from the floor on, without what never belongs and without
    /// drafts, which are listed by themselves.
    pub(super) fn query(&self, mailbox: &Mailbox) -> String {
        let query = "-in:chats -in:drafts";
        match mailbox.feed.floor {
            Some(floor) => format!("{} {query}", after(floor)),
            None => query.to_owned(),
        }
    }
}

/// The search word for what is not older than `floor`, milliseconds since 1970. Epoch seconds,
/// since dates mean midnight in Pacific time:
/// <https://developers.google.com/workspace/gmail/api/guides/filtering>
pub(super) fn after(floor: i64) -> String {
    // One second early, for `after:` cuts at seconds; the floor itself is checked against
    // internalDate.
    format!("after:{}", floor.div_euclid(1_000) - 1)
}
