//! The live position: reads the change log page by page and appends what follows from it
//! together with the position, so that neither is ever there without the other.

use super::files::{Answer, Below, Rows, ask, ask_all};
use super::members::{self, MOST_RIGHTS, Reader};
use super::scribe::is_folder;
use super::view::{Place, Verdict, View};
use super::walk::Reason;
use super::{DriveFeed, Open, Whose};
use crate::error::{Error, is_not_found, status};
use crate::identity;
use nuncio_google::{ChangePage, DriveChange, DriveFile, Fault, NextChanges};
use nuncio_model::{DeleteCause, IndexRow, ItemId, Membership, Op, Origin, Source, WalkPhase};
use std::collections::BTreeMap;
use tokio::time::Instant;

/// Failed items tried at once.
const N_FAILURES: u32 = 20;

/// Most files that are remembered as having gone; see [`Open::went`].
const MAX_WENT: usize = 10_000;

impl DriveFeed {
    /// Reads and applies one page of changes, or does one piece of what they made the feed owe;
    /// whether there is more of either.
    pub(super) async fn poll(&self, open: &mut Open) -> Result<bool, Error> {
        let is_read = open
            .read_to_end
            .is_some_and(|at| at.elapsed() < self.poll_interval);
        if is_read && open.position.owes(open.feed.walk.is_some()) {
            self.settle_one(open).await?;
            return Ok(open.position.owes(open.feed.walk.is_some()));
        }
        open.read_to_end = None;
        self.follow_name(open);
        let token = open.position.token.clone();
        let page = open
            .drive
            .changes(&token, open.view.drive_id(), open.page_size)
            .await;
        let page = match page {
            Ok(page) => page,
            Err(error) if open.is_too_large(&error) => return Ok(true),
            Err(error) if self.is_lost(open, &error).await? => {
                if let Whose::Account(account) = &self.whose {
                    identity::same(&self.shared, account, &open.reader.account).await?;
                }
                let reason = if open.is_read_by_another() {
                    Reason::OtherMember
                } else {
                    Reason::Other("Google did not take the stored position".to_owned())
                };
                self.begin_walk(open, Origin::Resync, Some(reason), None)
                    .await?;
                return Ok(true);
            }
            Err(error) => return Err(error.into()),
        };
        open.is_fresh = false;
        // What only this reader sees, no change that another one read told of.
        let sees_more = std::mem::take(&mut open.sees_more) && open.is_read_by_another();
        if sees_more && !open.is_being_listed() {
            open.position.compare_all();
        }
        let has_read = sees_more || !page.changes.is_empty() || open.position.reader.is_none();
        if open.view.drive_id().is_some() && has_read {
            open.position.reader = Some(open.reader.account.clone());
        }
        let Ok(failures) = self.failures(&page.bad, "a change") else {
            let reason = Reason::Other("a change could not be read".to_owned());
            self.begin_walk(open, Origin::Resync, Some(reason), None)
                .await?;
            return Ok(true);
        };
        let is_end = matches!(page.next, NextChanges::End(_));
        self.apply(open, page, failures).await?;
        if is_end {
            open.read_to_end = Some(Instant::now());
        }
        Ok(!is_end || open.position.owes(open.feed.walk.is_some()))
    }

    /// Appends what follows from a page, with the position after it.
    async fn apply(
        &self,
        open: &mut Open,
        page: ChangePage,
        failures: Vec<Op>,
    ) -> Result<(), Error> {
        self.tell_members(open, &page.changes).await?;
        // A change tells the state of now, so of several of one file the last is enough.
        let mut verdicts: BTreeMap<ItemId, Verdict> = BTreeMap::new();
        for change in &page.changes {
            if let DriveChange::File { id, .. } = change {
                verdicts.insert(id.clone(), open.view.judge(change));
            }
        }
        let rows = self
            .rows_of(open, verdicts.keys().cloned().collect())
            .await?;
        let mut ops = failures;
        let mut files = Vec::new();
        for (id, verdict) in verdicts {
            match verdict {
                Verdict::Here(file) => {
                    open.went.remove(&id);
                    files.push(*file);
                }
                Verdict::Gone(_, cause) => {
                    let kept = self
                        .let_go(open, &id, rows.get(&id), cause, &mut ops)
                        .await?;
                    files.extend(kept);
                }
                Verdict::Ask(_) => {
                    ops.push(self.failure(id, "SRC003", "the change has no file".to_owned(), 0))
                }
                Verdict::Nothing => {}
            }
        }
        let mut taken = self
            .take(open, files, &rows, Origin::Live, Below::Look)
            .await?;
        ops.append(&mut taken);
        let (NextChanges::More(token) | NextChanges::End(token)) = page.next;
        open.position.token = token;
        self.append_live(open, ops).await
    }

    /// The deletion of a file that went, if it is known; its state instead, if another member of
    /// the shared drive still sees it.
    ///
    /// A member sees no removal of what they cannot see, but of what they cannot see any more:
    /// in a folder of limited access that is only this member's loss. Managers see everything.
    async fn let_go(
        &self,
        open: &mut Open,
        id: &ItemId,
        row: Option<&IndexRow>,
        cause: DeleteCause,
        ops: &mut Vec<Op>,
    ) -> Result<Option<DriveFile>, Error> {
        if open.went.len() >= MAX_WENT {
            open.went.clear();
        }
        open.went.insert(id.clone());
        open.folders.forget(id.as_str());
        let Some(row) = row else {
            ops.push(Op::Settle { item: id.clone() });
            return Ok(None);
        };
        if open.view.drive_id().is_some() && open.reader.rank < MOST_RIGHTS {
            let witnesses = self.witnesses(open);
            if let Some(file) = self.seen_by_another(open, &witnesses, id).await?.file() {
                open.went.remove(id);
                return Ok(Some(file));
            }
        }
        if is_folder(row) {
            open.position.look_behind(id.as_str());
        }
        ops.push(open.scribe.delete(row, cause, Origin::Live));
        Ok(None)
    }

    /// Other members of the drive.
    fn witnesses(&self, open: &Open) -> Vec<Reader> {
        let Some(drive) = open.view.drive_id() else {
            return Vec::new();
        };
        let members = self.shared.commons.members(Source::Drive, drive);
        let others = members
            .iter()
            .filter(|member| member.account != open.reader.account);
        others.map(Reader::from).collect()
    }

    /// What the first of these members that can be asked says of a file.
    pub(super) async fn seen_by_another(
        &self,
        open: &Open,
        witnesses: &[Reader],
        id: &ItemId,
    ) -> Result<Witness, Error> {
        for witness in witnesses {
            let drive = self.shared.google.drive(&witness.account, &witness.address);
            match ask(&drive, id.as_str()).await {
                Ok(Answer::File(file)) if open.view.place(&file) == Place::Here => {
                    return Ok(Witness::Sees(file));
                }
                Ok(Answer::File(_) | Answer::Missing) => return Ok(Witness::SeesNot),
                Ok(Answer::Forbidden | Answer::Failed(_)) => {}
                // This member's own trouble is not the reader's.
                Err(Error::Google(error)) => tracing::debug!(
                    witness = %witness.address,
                    code = error.code(),
                    "a member cannot be asked about a file"
                ),
                Err(error) => return Err(error),
            }
        }
        Ok(Witness::None)
    }

    /// Stores steps and the position.
    pub(super) async fn append_live(&self, open: &mut Open, ops: Vec<Op>) -> Result<(), Error> {
        let cursor = open.position.to_cursor();
        let moves = open.feed.cursor.as_ref() != Some(&cursor);
        if ops.is_empty() && !moves {
            return Ok(());
        }
        self.desk
            .append(&mut open.feed, ops, moves.then_some(cursor), None)
            .await
    }

    /// Whether Google takes the position for lost. A start token that is refused at once is none
    /// of that: another listing would not help.
    async fn is_lost(&self, open: &Open, error: &nuncio_google::Error) -> Result<bool, Error> {
        let code = status(error).map_or(0, |status| status.status);
        if open.is_fresh || !matches!(code, 400 | 404 | 410) {
            return Ok(false);
        }
        match open.view.drive_id() {
            // Of a shared drive 404 says as well that one is no member of it.
            Some(drive) if code == 404 => match open.drive.start_token(Some(drive)).await {
                Ok(_) => Ok(true),
                Err(error) => Err(error.into()),
            },
            _ => Ok(true),
        }
    }

    /// Takes in what a page says of shared drives: what the account is a member of, and what
    /// drives are called. Stored before the position, so that a crash only repeats it.
    async fn tell_members(&self, open: &mut Open, changes: &[DriveChange]) -> Result<(), Error> {
        if open.view.drive_id().is_some() {
            return Ok(());
        }
        for change in changes {
            match change {
                DriveChange::Drive {
                    id, removed: true, ..
                } => {
                    self.member_of(open, id, None, false).await?;
                }
                DriveChange::Drive { id, name, .. } => {
                    self.member_of(open, id, name.clone(), true).await?;
                }
                DriveChange::File {
                    file: Some(file), ..
                } => {
                    let Place::Drive(drive) = open.view.place(file) else {
                        continue;
                    };
                    if !open.is_member(&drive) {
                        self.member_of(open, &drive, None, true).await?;
                    }
                }
                DriveChange::File { file: None, .. } => {}
            }
        }
        Ok(())
    }

    /// Notes that the account is, or is not, a member of a shared drive. 5 units, for its rights.
    pub(super) async fn member_of(
        &self,
        open: &mut Open,
        drive: &str,
        name: Option<String>,
        is_member: bool,
    ) -> Result<(), Error> {
        let Whose::Account(account) = &self.whose else {
            return Ok(());
        };
        let rights = match is_member {
            true => match open.drive.root_rights(drive).await {
                Ok(rights) => Some(rights),
                Err(error) if is_not_found(&error) => None,
                Err(error) => return Err(error.into()),
            },
            false => None,
        };
        let View::Account { members, .. } = &mut open.view else {
            return Ok(());
        };
        let before = members.clone();
        let at = members.iter().position(|seen| seen.collection == drive);
        match (rights, at) {
            (Some(rights), at) => {
                let known = at.map(|at| members.remove(at).name);
                members.push(Membership {
                    collection: drive.to_owned(),
                    name: name.or(known).unwrap_or_default(),
                    rank: members::rank(rights),
                });
            }
            (None, Some(at)) => {
                members.remove(at);
            }
            (None, None) => {}
        }
        members.sort_by(|a, b| a.collection.cmp(&b.collection));
        if *members == before {
            return Ok(());
        }
        let members = members.clone();
        let (key, address) = (&open.reader.account, &open.reader.address);
        self.desk
            .store
            .set_memberships(Source::Drive, key, members.clone())
            .await?;
        let commons = &self.shared.commons;
        commons.tell(Source::Drive, &account.user, key, address, members);
        Ok(())
    }

    /// Shows a shared drive under the name that members have been told.
    fn follow_name(&self, open: &mut Open) {
        let Some(drive) = open.view.drive_id() else {
            return;
        };
        let name = members::name_of(&self.shared, drive);
        if name.is_some() && name != open.scribe.drive_name {
            self.desk
                .health
                .send_modify(|health| health.name.clone_from(&name));
            open.scribe.drive_name = name;
        }
    }

    /// Tries failed items again that are due.
    pub(super) async fn retry_failures(&self, open: &mut Open) -> Result<(), Error> {
        let now = self.desk.clock.now_ms();
        let due = self
            .desk
            .store
            .due_failures(open.feed.id, now, N_FAILURES)
            .await?;
        if due.is_empty() {
            return Ok(());
        }
        let items: Vec<ItemId> = due
            .iter()
            .map(|failed| failed.failure.item.clone())
            .collect();
        let rows: Rows = self.rows_of(open, items.clone()).await?;
        let answers = ask_all(&open.drive, &items).await?;
        let (mut ops, mut files) = (Vec::new(), Vec::new());
        for (answer, failed) in answers.into_iter().zip(&due) {
            let item = &failed.failure.item;
            let cause = match answer {
                Answer::File(file) if open.view.place(&file) == Place::Here => {
                    files.push(*file);
                    continue;
                }
                Answer::Failed(error) => {
                    let message = error.to_string();
                    let n = failed.n_attempts;
                    ops.push(self.failure(item.clone(), error.code(), message, n));
                    continue;
                }
                Answer::File(_) | Answer::Forbidden => DeleteCause::OutOfScope,
                Answer::Missing => DeleteCause::Removed,
            };
            let kept = self
                .let_go(open, item, rows.get(item), cause, &mut ops)
                .await?;
            files.extend(kept);
        }
        let mut taken = self
            .take(open, files, &rows, Origin::Live, Below::Look)
            .await?;
        for op in &mut taken {
            // Its permissions failed again.
            if let Op::Fail(failure) = op
                && let Some(failed) = due.iter().find(|due| due.failure.item == failure.item)
            {
                failure.next_try = crate::desk::next_try(now, failed.n_attempts);
            }
        }
        ops.append(&mut taken);
        self.append_live(open, ops).await
    }
}

/// What another member says of a file.
pub(crate) enum Witness {
    /// It is in the drive.
    Sees(Box<DriveFile>),
    /// It is not there for that member either.
    SeesNot,
    /// There is nobody else who can be asked.
    None,
}

impl Witness {
    fn file(self) -> Option<DriveFile> {
        match self {
            Witness::Sees(file) => Some(*file),
            Witness::SeesNot | Witness::None => None,
        }
    }
}

impl Open {
    /// Whether a shared drive was read up to here by another member.
    fn is_read_by_another(&self) -> bool {
        let before = self.position.reader.as_ref();
        before.is_some_and(|before| *before != self.reader.account)
    }

    /// Whether a listing is under way, and from its beginning if the reader is another one.
    fn is_being_listed(&self) -> bool {
        let walk = self.feed.walk.as_ref();
        walk.is_some_and(|walk| walk.phase == WalkPhase::List)
    }

    /// Whether the account is known as a member of a shared drive.
    pub(super) fn is_member(&self, drive: &str) -> bool {
        match &self.view {
            View::Account { members, .. } => members.iter().any(|seen| seen.collection == drive),
            View::Drive { .. } => false,
        }
    }

    /// Whether an answer was too large, and is to be asked for again in smaller pieces.
    pub(super) fn is_too_large(&mut self, error: &nuncio_google::Error) -> bool {
        let is_too_large = matches!(error, nuncio_google::Error::TooLarge { .. });
        let smaller = match self.page_size {
            0 => 500,
            size => size / 2,
        };
        if is_too_large && smaller > 0 {
            self.page_size = smaller;
            return true;
        }
        false
    }

    /// Whether an error says that Google does not take a page token of a listing any more.
    pub(super) fn is_stale_page(error: &nuncio_google::Error) -> bool {
        status(error).is_some_and(|status| {
            matches!(status.status, 400 | 410) && status.fault != Fault::RateLimit
        })
    }
}
