//! Who may do what: finding a file as its caller sees it, and the rights that a role gives.
//!
//! See <https://developers.google.com/workspace/drive/api/guides/ref-roles>.

use super::edit::Actor;
use super::errors;
use super::model::{File, FileId, Role};
use super::store::{Access, Reach, Store, View};
use crate::error::ApiError;
use crate::workspace::UserIndex;

/// On whose behalf an operation runs, and what the request lets it see.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller {
    pub(crate) user: UserIndex,
    /// Milliseconds since 1970.
    pub(crate) now: i64,
    /// `supportsAllDrives`: without it shared drives do not exist.
    pub(crate) all_drives: bool,
    /// A token of the scope drive.file alone.
    pub(crate) app_files_only: bool,
    /// The operation came through the API, so that new files are the app's.
    pub(crate) is_app: bool,
}

impl Caller {
    /// Somebody in Drive's own pages.
    pub(crate) fn person(user: UserIndex, now: i64) -> Self {
        Self {
            user,
            now,
            all_drives: true,
            app_files_only: false,
            is_app: false,
        }
    }

    pub(super) fn actor(&self) -> Actor {
        Actor {
            user: self.user,
            now: self.now,
        }
    }

    /// Whether a file is within reach of the token, whoever may see it.
    pub(super) fn reaches(&self, file: &File) -> bool {
        (file.drive.is_none() || self.all_drives) && (file.by_app || !self.app_files_only)
    }
}

/// The fine-grained actions; `capabilities` of a file shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    Edit,
    Rename,
    Share,
    Trash,
    Delete,
    MoveWithin,
    MoveOut,
    AddChildren,
    ListChildren,
    Comment,
    Download,
    Copy,
    ReadRevisions,
    Limit,
}

/// A file with what its caller may do with it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) store: &'a Store,
    pub(crate) file: &'a File,
    pub(crate) access: Access,
}

impl Seen<'_> {
    pub(crate) fn may(&self, right: Right) -> bool {
        let (file, role) = (self.file, self.access.role);
        if self.access.view == View::Metadata {
            return false;
        }
        let shared_drive = file
            .drive
            .as_ref()
            .and_then(|drive| self.store.drive(drive.as_str()));
        // Shared drives have ranks above writer where My Drive has an owner.
        let at_least = |in_drive: Role, in_my_drive: Role| match shared_drive {
            Some(_) => role >= in_drive,
            None => role >= in_my_drive,
        };
        let copies = || {
            let restricted = file.rare().copy_requires_writer
                || shared_drive.is_some_and(|drive| drive.copy_requires_writer);
            !restricted || role >= Role::Writer
        };
        match right {
            Right::Edit => role >= Role::Writer,
            Right::Rename => !file.is_root() && role >= Role::Writer,
            Right::AddChildren => file.is_folder() && role >= Role::Writer,
            Right::ListChildren => file.is_folder(),
            Right::Comment => role >= Role::Commenter,
            Right::ReadRevisions => !file.is_folder() && role >= Role::Writer,
            Right::Download => !file.is_folder() && copies(),
            Right::Copy => !file.is_folder() && copies(),
            Right::Trash => !file.is_root() && at_least(Role::FileOrganizer, Role::Owner),
            Right::Delete => !file.is_root() && at_least(Role::Organizer, Role::Owner),
            Right::MoveWithin => !file.is_root() && at_least(Role::FileOrganizer, Role::Writer),
            Right::MoveOut => !file.is_root() && at_least(Role::Organizer, Role::Owner),
            Right::Limit => {
                !file.is_root() && file.is_folder() && at_least(Role::Organizer, Role::Owner)
            }
            Right::Share => match shared_drive {
                None if file.is_root() => false,
                None => {
                    role == Role::Owner
                        || (role == Role::Writer && !file.rare().writers_cannot_share)
                }
                Some(_) if file.is_root() => role >= Role::Organizer,
                Some(drive) if file.is_folder() => {
                    let needed = if drive.sharing_folders_requires_organizer {
                        Role::Organizer
                    } else {
                        Role::FileOrganizer
                    };
                    role >= needed
                }
                Some(_) => role >= Role::Writer,
            },
        }
    }

    pub(super) fn need(&self, right: Right) -> Result<(), ApiError> {
        if self.may(right) {
            Ok(())
        } else {
            Err(errors::insufficient())
        }
    }
}

impl Store {
    /// The file as the caller sees it; 404 for what they do not. `root` is the caller's own root.
    pub(super) fn seen(&self, caller: &Caller, id: &str) -> Result<Seen<'_>, ApiError> {
        let file = if id == "root" {
            self.existing_root(caller.user)
                .and_then(|root| self.file(root.as_str()))
        } else {
            self.file(id)
        };
        let not_found = || errors::file_not_found(if id == "root" { "." } else { id });
        let file = file
            .filter(|file| caller.reaches(file))
            .ok_or_else(not_found)?;
        let access = self
            .access(caller.user, file, Reach::Open)
            .ok_or_else(not_found)?;
        Ok(Seen {
            store: self,
            file,
            access,
        })
    }

    /// The same for a folder that something is to be put into.
    pub(super) fn parent(&self, caller: &Caller, id: &str) -> Result<FileId, ApiError> {
        let everywhere = Caller {
            app_files_only: false,
            ..*caller
        };
        let parent = self.seen(&everywhere, id)?;
        if !parent.file.is_folder() {
            return Err(errors::parent_not_a_folder());
        }
        if !parent.may(Right::AddChildren) {
            return Err(errors::insufficient_parent());
        }
        Ok(parent.file.id.clone())
    }
}
