//! Which feed a file belongs to, and what a change of it means for a feed.
//!
//! A file is in one view at a time: those of the accounts that see it by name, or that of its
//! shared drive. For a file in a shared drive Drive itself tells whether the user is a member
//! (`capabilities.canReadDrive`): for a member it belongs to the drive's feed, which is read
//! once for the domain; for who is none, it was shared one by one and belongs to the account's
//! feed. A file that moves from one to the other is deleted here and created there.

use nuncio_google::{DriveChange, DriveFile};
use nuncio_model::{DeleteCause, ItemId, Membership};

/// Of what a feed is.
#[derive(Debug, Clone)]
pub(crate) enum View {
    /// What an account sees by itself: its My Drive, what was shared with it, and single files
    /// of shared drives of which it is no member.
    Account {
        /// The top folder of its My Drive.
        root: String,
        /// The shared drives of which it is a member, as far as is known.
        members: Vec<Membership>,
    },
    /// A shared drive; its top folder has its id.
    Drive {
        /// The drive.
        id: String,
    },
}

/// Where a file belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// To this feed.
    Here,
    /// To the feed of this shared drive.
    Drive(String),
    /// To another feed that is not known here.
    Elsewhere,
    /// It is the top folder, which is no item.
    Root,
}

/// What a change means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The file is in the view, with this state.
    Here(Box<DriveFile>),
    /// It is not in the view any more.
    Gone(ItemId, DeleteCause),
    /// The change does not say; the file is to be asked for.
    Ask(ItemId),
    /// It does not concern items.
    Nothing,
}

impl View {
    /// The shared drive that is read; none for an account.
    pub(crate) fn drive_id(&self) -> Option<&str> {
        match self {
            View::Account { .. } => None,
            View::Drive { id } => Some(id),
        }
    }

    /// Where a file belongs.
    pub(crate) fn place(&self, file: &DriveFile) -> Place {
        match self {
            View::Account { root, .. } if file.id == *root => Place::Root,
            View::Account { members, .. } => match (&file.drive_id, file.can_read_drive) {
                (None, _) | (Some(_), Some(false)) => Place::Here,
                (Some(drive), Some(true)) => Place::Drive(drive.clone()),
                (Some(drive), None) if members.iter().any(|seen| seen.collection == *drive) => {
                    Place::Drive(drive.clone())
                }
                (Some(_), None) => Place::Here,
            },
            View::Drive { id } if file.id == *id => Place::Root,
            View::Drive { id } if file.drive_id.as_deref() == Some(id) => Place::Here,
            View::Drive { .. } => Place::Elsewhere,
        }
    }

    /// What a change of a file means. A removal with a state is of a file that can still be
    /// opened: it moved to another drive, or only its link leads to it.
    pub(crate) fn judge(&self, change: &DriveChange) -> Verdict {
        let DriveChange::File { id, removed, file } = change else {
            return Verdict::Nothing;
        };
        let Some(file) = file else {
            return if *removed {
                Verdict::Gone(id.clone(), DeleteCause::Removed)
            } else {
                Verdict::Ask(id.clone())
            };
        };
        match self.place(file) {
            Place::Root => Verdict::Nothing,
            Place::Here if !removed => Verdict::Here(file.clone()),
            Place::Here | Place::Drive(_) | Place::Elsewhere => {
                Verdict::Gone(id.clone(), DeleteCause::OutOfScope)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> View {
        let members = vec![Membership {
            collection: "mine".into(),
            name: String::new(),
            rank: 0,
        }];
        View::Account {
            root: "root".into(),
            members,
        }
    }

    fn file(drive: Option<&str>, can_read_drive: Option<bool>) -> DriveFile {
        DriveFile {
            id: "f".into(),
            drive_id: drive.map(str::to_owned),
            can_read_drive,
            ..DriveFile::default()
        }
    }

    #[test]
    fn a_file_belongs_to_its_drive_for_members_only() {
        let view = account();
        let place = |drive, member| view.place(&file(drive, member));
        assert_eq!(place(None, None), Place::Here);
        assert_eq!(place(Some("any"), Some(true)), Place::Drive("any".into()));
        assert_eq!(place(Some("mine"), Some(false)), Place::Here);
        assert_eq!(place(Some("mine"), None), Place::Drive("mine".into()));
        assert_eq!(place(Some("other"), None), Place::Here);
        let root = DriveFile {
            id: "root".into(),
            ..DriveFile::default()
        };
        assert_eq!(view.place(&root), Place::Root);
        let drive = View::Drive { id: "d".into() };
        assert_eq!(drive.place(&file(Some("d"), None)), Place::Here);
        assert_eq!(drive.place(&file(Some("e"), None)), Place::Elsewhere);
        assert_eq!(drive.place(&file(None, None)), Place::Elsewhere);
    }

    #[test]
    fn a_change_is_a_state_a_loss_or_a_question() {
        let view = account();
        let judge = |removed, file: Option<DriveFile>| {
            view.judge(&DriveChange::File {
                id: ItemId::new("f"),
                removed,
                file: file.map(Box::new),
            })
        };
        let gone = |cause| Verdict::Gone(ItemId::new("f"), cause);
        let mine = file(None, None);
        assert_eq!(
            judge(false, Some(mine.clone())),
            Verdict::Here(Box::new(mine.clone()))
        );
        assert_eq!(judge(true, None), gone(DeleteCause::Removed));
        assert_eq!(judge(true, Some(mine)), gone(DeleteCause::OutOfScope));
        let moved = file(Some("mine"), Some(true));
        assert_eq!(
            judge(false, Some(moved.clone())),
            gone(DeleteCause::OutOfScope)
        );
        assert_eq!(judge(true, Some(moved)), gone(DeleteCause::OutOfScope));
        assert_eq!(judge(false, None), Verdict::Ask(ItemId::new("f")));
    }
}
