//! Who reads a shared drive: of the known members the one with most rights, and the next where
//! that one is refused. The change log of a shared drive is the same for all its members, so the
//! stored position stays good.
//!
//! How many rights a member has shows in what Drive lets them do with the drive's top folder:
//! managers may delete what is in it, content managers put it into the bin, contributors add to
//! it, commenters comment on it.

use super::{DriveFeed, Open};
use crate::error::Error;
use crate::{Member, Shared};
use nuncio_google::{Fault, RootRights};
use nuncio_model::{AccountKey, Address, Next, Source, Walk, WalkPhase};
use std::collections::HashMap;

/// A manager's rank: nothing in the drive is hidden from one.
pub(crate) const MOST_RIGHTS: u8 = 4;

/// Other members that are asked about one file.
const MAX_WITNESSES: usize = 3;

/// Who reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reader {
    /// The account's frozen key.
    pub account: AccountKey,
    /// Its primary address.
    pub address: Address,
    /// How many rights.
    pub rank: u8,
}

impl From<&Member> for Reader {
    fn from(member: &Member) -> Self {
        Self {
            account: member.account.clone(),
            address: member.address.clone(),
            rank: member.rank,
        }
    }
}

/// The rank of who may do this with the top folder.
pub(crate) fn rank(rights: RootRights) -> u8 {
    if rights.can_delete_children {
        MOST_RIGHTS
    } else if rights.can_trash_children {
        3
    } else if rights.can_add_children {
        2
    } else {
        u8::from(rights.can_comment)
    }
}

/// What a shared drive is called, as far as any member was ever told.
pub(crate) fn name_of(shared: &Shared, drive: &str) -> Option<String> {
    let members = shared.commons.members(Source::Drive, drive);
    let mut names = members.into_iter().map(|member| member.name);
    names.find(|name| !name.is_empty())
}

/// The choice of readers of one shared drive.
#[derive(Default)]
pub(crate) struct Readers {
    /// Who could be chosen last.
    members: Vec<Member>,
    /// Who was refused, and whether that was for want of membership.
    refused: HashMap<AccountKey, Refused>,
    /// The last refusal that was for another reason.
    reason: Option<nuncio_google::Error>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    NoMember,
    Otherwise,
}

impl Readers {
    /// The member with most rights of those that were not refused.
    ///
    /// # Errors
    /// [`Error::Orphaned`] if there is none; or why the last one was refused, where that was not
    /// for want of membership. All are tried again then.
    pub(crate) fn best(&mut self, shared: &Shared, drive: &str) -> Result<Reader, Error> {
        let members = shared.commons.members(Source::Drive, drive);
        if members != self.members {
            self.refused.clear();
            self.members.clone_from(&members);
        }
        let mut usable = members
            .iter()
            .filter(|member| !self.refused.contains_key(&member.account));
        if let Some(member) = usable.next() {
            return Ok(member.into());
        }
        self.refused.clear();
        Err(match self.reason.take() {
            Some(reason) if !members.is_empty() => reason.into(),
            _ => Error::Orphaned {
                collection: drive.to_owned(),
            },
        })
    }

    /// Turns to another reader where the one of now was refused or lost the drive, or where
    /// another has more rights.
    ///
    /// # Errors
    /// See [`Readers::best`].
    pub(crate) async fn choose(&mut self, feed: &DriveFeed, open: &mut Open) -> Result<(), Error> {
        let Some(drive) = open.view.drive_id().map(str::to_owned) else {
            return Ok(());
        };
        let best = self.best(&feed.shared, &drive)?;
        let members = feed.shared.commons.members(Source::Drive, &drive);
        let now = members
            .iter()
            .find(|member| member.account == open.reader.account)
            .filter(|member| !self.refused.contains_key(&member.account));
        if let Some(now) = now {
            open.reader.rank = now.rank;
            if now.rank >= best.rank {
                return Ok(());
            }
        }
        tracing::info!(
            drive,
            from = %open.reader.address,
            to = %best.address,
            "another member reads the shared drive"
        );
        open.drive = feed.shared.google.drive(&best.account, &best.address);
        open.sees_more = best.rank > open.reader.rank;
        open.reader = best;
        open.forget_pages();
        // Page tokens of a listing are one user's.
        let listing = open
            .feed
            .walk
            .clone()
            .filter(|walk| walk.phase == WalkPhase::List && walk.page.is_some());
        if let Some(walk) = listing {
            let restarted = Walk {
                page: None,
                done: 0,
                ..walk
            };
            feed.store_walk(open, Some(restarted)).await?;
        }
        Ok(())
    }

    /// Passes on what came of a step; none where the reader was refused and another is to try.
    ///
    /// # Errors
    /// All but refusals of the reader.
    pub(crate) fn judged<T>(
        &mut self,
        feed: &DriveFeed,
        reader: &Reader,
        result: Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let error = match result {
            Ok(value) => return Ok(Some(value)),
            Err(error) => error,
        };
        let super::Whose::Domain(drive) = &feed.whose else {
            return Err(error);
        };
        let Error::Google(cause) = error else {
            return Err(error);
        };
        let Some(refused) = refusal(&cause) else {
            return Err(cause.into());
        };
        tracing::warn!(
            drive,
            reader = %reader.address,
            code = cause.code(),
            error = %nuncio_model::Chain(&cause),
            "a member cannot read the shared drive any more"
        );
        self.refused.insert(reader.account.clone(), refused);
        if refused == Refused::Otherwise {
            self.reason = Some(cause);
        }
        Ok(None)
    }

    /// Other members, most rights first, who can be asked whether a file is there.
    pub(crate) fn others(&self, shared: &Shared, open: &Open) -> Vec<Reader> {
        let Some(drive) = open.view.drive_id() else {
            return Vec::new();
        };
        let members = shared.commons.members(Source::Drive, drive);
        members
            .iter()
            .filter(|member| member.account != open.reader.account)
            .filter(|member| !self.refused.contains_key(&member.account))
            .take(MAX_WITNESSES)
            .map(Reader::from)
            .collect()
    }
}

/// Whether an error means that this member cannot read the drive, while another one may.
fn refusal(error: &nuncio_google::Error) -> Option<Refused> {
    match error {
        nuncio_google::Error::Status(status) => match status.fault {
            Fault::NotFound => Some(Refused::NoMember),
            Fault::Forbidden if status.reason == "teamDriveMembershipRequired" => {
                Some(Refused::NoMember)
            }
            Fault::Forbidden | Fault::Unauthorized | Fault::NoService | Fault::DomainPolicy => {
                Some(Refused::Otherwise)
            }
            _ => None,
        },
        nuncio_google::Error::Auth { source, .. } => {
            (source.next() == Next::Reauthorize).then_some(Refused::Otherwise)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_rank_by_what_they_may_do() {
        let ranks = [
            (true, true, true, true),
            (false, true, true, true),
            (false, false, true, true),
            (false, false, false, true),
            (false, false, false, false),
        ]
        .map(
            |(can_delete_children, can_trash_children, can_add_children, can_comment)| {
                rank(RootRights {
                    can_delete_children,
                    can_trash_children,
                    can_add_children,
                    can_comment,
                })
            },
        );
        assert_eq!(ranks, [MOST_RIGHTS, 3, 2, 1, 0]);
    }
}
