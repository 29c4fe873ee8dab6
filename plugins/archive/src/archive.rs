//! Takes batches into Maildirs, so that after a crash at any point the same records, given
//! again, end in the same files.
//!
//! For each account of a batch, in this order:
//!
//! 1. The bytes of each new mail go to `tmp/MESSAGE` and are synced. The sidecar goes to
//!    `tmp/MESSAGE.json`, is synced and renamed into `labels/`. It names the file that is to
//!    be in `cur`.
//! 2. `labels/` is synced.
//! 3. In `cur/`, files get their new flags, new mails are renamed in, deleted ones removed.
//! 4. `cur/` is synced.
//! 5. The sidecars of deleted mails are removed, and `labels/` is synced again.
//!
//! Only then anything is answered as delivered. Why it converges, by where it stops:
//!
//! - In 1: nothing in `cur` has changed. `tmp` is written anew under the same names.
//! - After a sidecar, before 3: it has the record's revision already, and a record of the
//!   same revision is carried out in full. The mail's file still has its old name, which a
//!   listing of `cur` finds, or is not there yet and is written.
//! - In 3: each rename and removal is atomic and can be repeated. Flags change before bytes
//!   do, so there is never a second file of a message.
//! - Before 5 is done: a sidecar without its file remains; the delete comes again and
//!   removes it. The other way round (a file without sidecar) cannot be: 2 precedes 3, and
//!   4 precedes 5. So a message without sidecar needs no search through `cur`.
//!
//! `new/` stays empty: it is there because Maildir readers want it.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use nuncio_sdk::{Email, Outcome, Payload, Record, WriteError, log};

use crate::disk::{self, Disk, WriteFailure};
use crate::maildir::{self, CUR, LABELS, NEW, Place, TMP};
use crate::plan::{self, Account, Plan, Present};

/// The archive under one folder. Holds nothing that other instances could change: what is
/// known of a message is read from the disk each time.
pub(crate) struct Archive {
    pub(crate) disk: Disk,
    /// Accounts whose folders were made and synced by this instance.
    ready: RefCell<HashSet<String>>,
}

/// Why an account's part of a batch stopped.
enum Stop {
    Disk(disk::Error),
    OutOfTime,
}

impl From<disk::Error> for Stop {
    fn from(error: disk::Error) -> Self {
        Self::Disk(error)
    }
}

impl Archive {
    /// Makes the folder if it is missing and sees whether it can be synced.
    pub(crate) fn open(root: &Path) -> Result<Self, disk::Error> {
        let disk = Disk::new(root);
        disk.create_directory(Path::new(""))?;
        disk.sync_directory(Path::new(""))?;
        Ok(Self {
            disk,
            ready: RefCell::default(),
        })
    }

    /// Takes a batch. `raw` gives a mail's bytes from their start; `out_of_time` tells that
    /// no further mail is to be begun.
    ///
    /// # Errors
    /// `unavailable` if the disk refused before anything was delivered. If it refuses later,
    /// the rest of the batch is `deferred`.
    pub(crate) fn write<'a, R: Read>(
        &self,
        batch: &'a [Record],
        raw: impl Fn(&'a Email) -> Option<R>,
        out_of_time: impl Fn() -> bool,
    ) -> Result<Vec<Outcome>, WriteError> {
        let mut outcomes: Vec<Option<Outcome>> = batch.iter().map(|_| None).collect();
        let mut takes = Vec::new();
        for (at, record) in batch.iter().enumerate() {
            match place_of(record, &raw) {
                Ok(place) => takes.push((at, record, place)),
                Err(outcome) => outcomes[at] = Some(outcome),
            }
        }
        // However little time there is, a call does one message: else it would come for ever.
        let is_begun = Cell::new(false);
        let out_of_time = || is_begun.replace(true) && out_of_time();
        let mut n_delivered = 0;
        let mut stopped = None;
        for account in plan::by_account(takes.into_iter()) {
            stopped = self
                .write_account(&account, &raw, &out_of_time, &mut outcomes)
                .err();
            if stopped.is_some() {
                break;
            }
            n_delivered += account.messages.len();
        }
        let reason = match stopped {
            Some(Stop::Disk(error)) if n_delivered == 0 => {
                return Err(WriteError::unavailable(None, error.to_string()));
            }
            Some(Stop::Disk(error)) => Outcome::deferred(None, error.to_string()),
            // The next call may begin at once.
            Some(Stop::OutOfTime) | None => Outcome::deferred(
                Some(std::time::Duration::ZERO),
                "the call's time was used up",
            ),
        };
        Ok(outcomes
            .into_iter()
            .map(|outcome| outcome.unwrap_or_else(|| reason.clone()))
            .collect())
    }

    /// Does the steps of the module's text for one account and enters the outcomes of its
    /// records. Out of time, the messages that were begun are finished first.
    fn write_account<'a, R: Read>(
        &self,
        account: &Account<'a>,
        raw: &impl Fn(&'a Email) -> Option<R>,
        out_of_time: &impl Fn() -> bool,
        outcomes: &mut [Option<Outcome>],
    ) -> Result<(), Stop> {
        let folder = Folder::new(&account.name);
        self.make_ready(&folder)?;
        let present = Present::new(&self.disk, account);
        let mut plans = Vec::new();
        let mut done = Vec::new();
        let mut is_out_of_time = false;
        for message in &account.messages {
            if out_of_time() {
                is_out_of_time = true;
                break;
            }
            let plan = present.plan(message)?;
            match self.prepare(&folder, &plan, raw) {
                Ok(()) => {
                    plans.push(plan);
                    done.push(message);
                }
                Err(WriteFailure::Disk(error)) => return Err(error.into()),
                Err(WriteFailure::Content(error)) => {
                    let reason = format!("the message's bytes could not be read: {error}");
                    for (at, _) in &message.records {
                        outcomes[*at] = Some(Outcome::retry(None, reason.clone()));
                    }
                }
            }
        }
        self.carry_out(&folder, &plans)?;
        for (at, _) in done.iter().flat_map(|message| &message.records) {
            outcomes[*at] = Some(Outcome::Delivered);
        }
        if is_out_of_time {
            Err(Stop::OutOfTime)
        } else {
            Ok(())
        }
    }

    /// Makes an account's folders, durably, once in an instance.
    fn make_ready(&self, folder: &Folder) -> Result<(), disk::Error> {
        if self.ready.borrow().contains(&folder.account) {
            return Ok(());
        }
        for path in [&folder.cur, &folder.new, &folder.tmp, &folder.labels] {
            self.disk.create_directory(path)?;
        }
        self.disk.sync_directory(Path::new(&folder.account))?;
        self.disk.sync_directory(Path::new(""))?;
        self.ready.borrow_mut().insert(folder.account.clone());
        Ok(())
    }

    /// Step 1 for one message.
    fn prepare<'a, R: Read>(
        &self,
        folder: &Folder,
        plan: &Plan<'a>,
        raw: &impl Fn(&'a Email) -> Option<R>,
    ) -> Result<(), WriteFailure> {
        if let Some((_, email)) = plan.content {
            let content = raw(email)
                .ok_or_else(|| WriteFailure::Content(std::io::ErrorKind::NotFound.into()))?;
            let path = folder.tmp.join(&plan.name);
            let written = self.disk.write(&path, content);
            if written.is_err() {
                // A full disk is not to be kept full by half a mail.
                if let Err(error) = self.disk.remove(&path) {
                    log::debug("half a mail stays in tmp", &[("error", &error.to_string())]);
                }
            }
            written?;
        }
        if let Some(after) = &plan.after
            && plan.before.as_ref() != Some(after)
        {
            let name = maildir::sidecar_name(&plan.name);
            let path = folder.tmp.join(&name);
            self.disk.write(&path, after.to_bytes().as_slice())?;
            self.disk
                .rename(&path, &folder.labels.join(&name))
                .map_err(WriteFailure::Disk)?;
        }
        Ok(())
    }

    /// Steps 2 to 5 for all messages of an account.
    fn carry_out(&self, folder: &Folder, plans: &[Plan<'_>]) -> Result<(), disk::Error> {
        if plans.iter().any(|plan| plan.after.is_some()) {
            self.disk.sync_directory(&folder.labels)?;
        }
        for plan in plans {
            match &plan.after {
                Some(after) => {
                    let file = folder.cur.join(&after.file);
                    if let Some(present) = plan
                        .present
                        .as_ref()
                        .filter(|present| **present != after.file)
                    {
                        self.disk.rename(&folder.cur.join(present), &file)?;
                    }
                    if plan.content.is_some() {
                        self.disk.rename(&folder.tmp.join(&plan.name), &file)?;
                    }
                }
                None => {
                    if let Some(present) = &plan.present {
                        self.disk.remove(&folder.cur.join(present))?;
                    }
                }
            }
        }
        self.disk.sync_directory(&folder.cur)?;
        let gone: Vec<_> = plans.iter().filter(|plan| plan.after.is_none()).collect();
        for plan in &gone {
            // An interrupted call may have left these; the mail will not come to replace them.
            self.disk.remove(&folder.tmp.join(&plan.name))?;
            self.disk
                .remove(&folder.tmp.join(maildir::sidecar_name(&plan.name)))?;
            self.disk
                .remove(&folder.labels.join(maildir::sidecar_name(&plan.name)))?;
        }
        if !gone.is_empty() {
            self.disk.sync_directory(&folder.labels)?;
        }
        Ok(())
    }
}

/// The paths of an account's folders.
struct Folder {
    account: String,
    cur: PathBuf,
    new: PathBuf,
    tmp: PathBuf,
    labels: PathBuf,
}

impl Folder {
    fn new(account: &str) -> Self {
        let folder = Path::new(account);
        Self {
            account: account.to_owned(),
            cur: folder.join(CUR),
            new: folder.join(NEW),
            tmp: folder.join(TMP),
            labels: folder.join(LABELS),
        }
    }
}

/// Where a record's mail belongs, or the outcome of a record that cannot be taken.
fn place_of<'a, R>(
    record: &'a Record,
    raw: &impl Fn(&'a Email) -> Option<R>,
) -> Result<Place, Outcome> {
    match &record.payload {
        Payload::Email(email) => {
            if raw(email).is_none() {
                let reason =
                    "the record has no message bytes; the sink's `content` must be \"raw\"";
                return Err(Outcome::rejected("invalid", reason));
            }
        }
        Payload::Labels(_) => {}
        // Deletions of other kinds are nothing to us.
        Payload::Deleted(_) if !record.key.starts_with("gmail/") => return Err(Outcome::Delivered),
        Payload::Deleted(_) => {}
        Payload::Event(_) | Payload::File(_) | Payload::Other(_) => {
            return Err(Outcome::rejected(
                "unsupported",
                "only mail can be archived; set records = [\"email\"]",
            ));
        }
    }
    Place::of(&record.key).ok_or_else(|| {
        Outcome::rejected(
            "invalid",
            "the key is not one of a mail: gmail/ACCOUNT/MESSAGE",
        )
    })
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
