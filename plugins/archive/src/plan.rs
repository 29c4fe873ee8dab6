//! What is to become of each message that a batch speaks of. Reads the disk and decides;
//! `archive.rs` carries it out.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::path::Path;

use nuncio_sdk::{Email, Payload, Record, log};

use crate::disk::{self, Disk};
use crate::maildir::{self, CUR, LABELS, Place};
use crate::sidecar::Sidecar;

/// The records of a batch that belong to one account, by message.
pub(crate) struct Account<'a> {
    pub(crate) name: String,
    pub(crate) messages: Vec<Message<'a>>,
}

/// The records of a batch that belong to one message, with their places in the batch.
pub(crate) struct Message<'a> {
    pub(crate) name: String,
    pub(crate) records: Vec<(usize, &'a Record)>,
}

/// What to do with one message.
pub(crate) struct Plan<'a> {
    /// The message's unique name.
    pub(crate) name: String,
    /// The file in `cur` now.
    pub(crate) present: Option<String>,
    /// The sidecar now.
    pub(crate) before: Option<Sidecar>,
    /// The sidecar to have; none where the message is to go.
    pub(crate) after: Option<Sidecar>,
    /// The mail whose bytes are to be written, with its record's place in the batch.
    pub(crate) content: Option<(usize, &'a Email)>,
}

/// Sorts the records of a batch by account and message, in the order they first come.
pub(crate) fn by_account<'a>(
    records: impl Iterator<Item = (usize, &'a Record, Place)>,
) -> Vec<Account<'a>> {
    let mut accounts: Vec<Account<'a>> = Vec::new();
    let mut places: HashMap<Place, (usize, usize)> = HashMap::new();
    let mut account_places: HashMap<String, usize> = HashMap::new();
    for (at, record, place) in records {
        let (account, message) = *places.entry(place).or_insert_with_key(|place| {
            let account = *account_places
                .entry(place.account.clone())
                .or_insert_with(|| {
                    accounts.push(Account {
                        name: place.account.clone(),
                        messages: Vec::new(),
                    });
                    accounts.len() - 1
                });
            let messages = &mut accounts[account].messages;
            messages.push(Message {
                name: place.message.clone(),
                records: Vec::new(),
            });
            (account, messages.len() - 1)
        });
        accounts[account].messages[message]
            .records
            .push((at, record));
    }
    accounts
}

/// What the disk has of an account, read when it is needed.
pub(crate) struct Present<'d, 'a> {
    disk: &'d Disk,
    account: &'d Account<'a>,
    /// The files in `cur` of the batch's messages, made by listing the folder. Needed only
    /// if a file does not have the name that its sidecar tells: a mail reader renamed it, or a
    /// crash came between sidecar and file.
    listing: OnceCell<HashMap<String, String>>,
}

impl<'d, 'a> Present<'d, 'a> {
    pub(crate) fn new(disk: &'d Disk, account: &'d Account<'a>) -> Self {
        Self {
            disk,
            account,
            listing: OnceCell::new(),
        }
    }

    /// Decides on one message.
    ///
    /// The revision decides, not the order of arrival: what comes again late never undoes
    /// what is newer. Labels and bytes have a revision each, since new labels come without
    /// the bytes: an older full record still gives back bytes that are missing here.
    pub(crate) fn plan(&self, message: &Message<'a>) -> Result<Plan<'a>, disk::Error> {
        let before = self.sidecar(&message.name)?;
        let present = self.file(&message.name, before.as_ref())?;
        let mut plan = Plan {
            name: message.name.clone(),
            after: before.clone(),
            before,
            present,
            content: None,
        };
        let mut records = message.records.clone();
        records.sort_by_key(|(_, record)| record.revision);
        for (at, record) in records {
            plan.apply(at, record);
        }
        Ok(plan)
    }

    fn sidecar(&self, message: &str) -> Result<Option<Sidecar>, disk::Error> {
        let path = Path::new(&self.account.name)
            .join(LABELS)
            .join(maildir::sidecar_name(message));
        let Some(bytes) = self.disk.read(&path)? else {
            return Ok(None);
        };
        let sidecar = Sidecar::from_bytes(&bytes);
        if sidecar.is_none() {
            log::warn(
                "a file in labels is not readable and is made anew",
                &[("file", &path.to_string_lossy())],
            );
            // Without it, only a listing can tell what the mail's file is called.
            return Ok(self
                .listed(message)?
                .map(|file| Sidecar::unreadable(file.to_owned())));
        }
        Ok(sidecar)
    }

    fn file(
        &self,
        message: &str,
        sidecar: Option<&Sidecar>,
    ) -> Result<Option<String>, disk::Error> {
        // No sidecar, no mail: the sidecar is durable before the mail gets its name.
        let Some(sidecar) = sidecar else {
            return Ok(None);
        };
        let file = Path::new(&self.account.name).join(CUR).join(&sidecar.file);
        if self.disk.exists(&file)? {
            return Ok(Some(sidecar.file.clone()));
        }
        Ok(self.listed(message)?.map(str::to_owned))
    }

    fn listed(&self, message: &str) -> Result<Option<&str>, disk::Error> {
        if self.listing.get().is_none() {
            let wanted: HashSet<&str> = self
                .account
                .messages
                .iter()
                .map(|message| message.name.as_str())
                .collect();
            let mut listing = HashMap::new();
            self.disk
                .list(&Path::new(&self.account.name).join(CUR), |file| {
                    let message = maildir::message_of(file);
                    if wanted.contains(message) {
                        listing.insert(message.to_owned(), file.to_owned());
                    }
                })?;
            self.listing
                .set(listing)
                .expect("seen empty above, and there is one thread");
        }
        Ok(self
            .listing
            .get()
            .and_then(|listing| listing.get(message))
            .map(String::as_str))
    }
}

impl<'a> Plan<'a> {
    /// Takes one record into the plan; records come by rising revision.
    fn apply(&mut self, at: usize, record: &'a Record) {
        let revision = record.revision;
        match &record.payload {
            Payload::Email(email) => {
                let Some(after) = &mut self.after else {
                    self.after = Some(Sidecar::new(record, &self.name, email));
                    self.content = Some((at, email));
                    return;
                };
                let has_bytes = self.present.is_some() || self.content.is_some();
                if revision >= after.content_revision || !has_bytes {
                    after.content_revision = revision;
                    self.content = Some((at, email));
                }
                if revision >= after.revision {
                    after.key.clone_from(&record.key);
                    after.set_from_email(revision, &self.name, email);
                }
            }
            Payload::Labels(change) => {
                if let Some(after) = &mut self.after
                    && revision >= after.revision
                {
                    after.set_from_labels(revision, &self.name, change);
                }
            }
            Payload::Deleted(_) => {
                if self
                    .after
                    .as_ref()
                    .is_none_or(|after| revision >= after.revision)
                {
                    self.after = None;
                    self.content = None;
                }
            }
            // Not asked for, so it does not come; and if it came, it would not be a mail.
            Payload::Event(_) | Payload::File(_) | Payload::Other(_) => {}
        }
    }
}
