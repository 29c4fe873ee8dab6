//! Large messages: known by one listing a walk, and read one after the other, in few slots for
//! all mailboxes together, so that memory stays bounded whatever lies in them.
//!
//! Live changes do not tell sizes; what comes by them is bounded by the calls in flight alone.

use super::fetch::Judged;
use super::plan::Job;
use super::{MailFeed, Mailbox};
use crate::error::{Error, status};
use nuncio_google::ListMessages;
use nuncio_model::{ItemId, Origin};
use std::collections::HashSet;
use std::time::Duration;
use tokio::time::timeout;

/// What is large, in Gmail's search words: from here on a message costs more memory than a whole
/// batch of usual ones may.
const LARGE: &str = "larger:5M";

/// So long is a slot waited for before the live position gets its turn again.
const PATIENCE: Duration = Duration::from_secs(1);

/// The ids of a walk's large messages. Lost in a crash: then they are listed again.
#[derive(Debug, Default)]
pub(crate) struct LargeIds {
    ids: HashSet<ItemId>,
    next: Next,
}

/// Where the listing of large messages goes on.
#[derive(Debug, Default, PartialEq, Eq)]
enum Next {
    #[default]
    First,
    Page(String),
    Nowhere,
}

impl LargeIds {
    /// Whether all of them are known.
    pub(crate) fn is_complete(&self) -> bool {
        self.next == Next::Nowhere
    }

    /// Whether a message is one of them.
    pub(crate) fn contains(&self, item: &ItemId) -> bool {
        self.ids.contains(item)
    }
}

impl MailFeed {
    /// Lists the next page of large messages.
    pub(super) async fn list_large(&self, mailbox: &mut Mailbox) -> Result<(), Error> {
        let page_token = match &mailbox.large.next {
            Next::First => None,
            Next::Page(token) => Some(token.clone()),
            Next::Nowhere => return Ok(()),
        };
        let listing = ListMessages {
            q: format!("{LARGE} {}", self.query(mailbox)),
            include_spam_trash: self.options.include_spam_trash,
            page_token,
            ..ListMessages::default()
        };
        let page = match mailbox.gmail.walking().list_messages(&listing).await {
            Ok(page) => page,
            // A page token does not live for ever; what was listed is kept.
            Err(error)
                if listing.page_token.is_some()
                    && status(&error).is_some_and(|status| status.status == 400) =>
            {
                mailbox.large.next = Next::First;
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        // An entry that cannot be read is listed by the walk as well, and judged there.
        let ids = page.messages.into_iter().map(|message| message.id);
        mailbox.large.ids.extend(ids);
        mailbox.large.next = page.next_page.map_or(Next::Nowhere, Next::Page);
        Ok(())
    }

    /// Reads one large message once there is a slot; whether it is dealt with. The slot is held
    /// until the message is in the spool.
    pub(super) async fn read_large(
        &self,
        mailbox: &mut Mailbox,
        item: ItemId,
        origin: Origin,
    ) -> Result<bool, Error> {
        let gmail = mailbox.gmail.clone();
        let Ok(_slot) = timeout(PATIENCE, gmail.large_slot()).await else {
            return Ok(false);
        };
        // Its parts come without what makes it large.
        let job = if mailbox.scribe.takes_parts() {
            Job::Parts(item)
        } else {
            Job::Message(item)
        };
        let (ops, n_done) = self
            .carry_out(mailbox, vec![job], origin, Judged::Together)
            .await?;
        self.append(mailbox, ops, None).await?;
        Ok(n_done > 0)
    }
}
