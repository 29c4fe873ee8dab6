//! Changes to files, each with its entries in the change logs. Whether somebody may make one is decided in `rules.rs`.
//!
//! A change of an item is logged in the log of its shared drive and in those of the users whose corpus it was or is in.
//! A permission change of a folder is one entry, for the folder; what is below it has none.
//! Trash, delete and a move to another drive change each item below, and are logged for each.

use super::log::{Entry, Presence, Subject};
use super::model::{File, FileId, Grantee, Permission, Role, SharedDrive, Trashed};
use super::store::{Store, blank};
use crate::workspace::UserIndex;
use std::collections::{BTreeSet, HashSet};

/// Who makes a change, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Actor {
    pub(crate) user: UserIndex,
    /// Milliseconds since 1970.
    pub(crate) now: i64,
}

/// Whose affair an item is at one moment.
#[derive(Debug, Default)]
struct Scope {
    users: BTreeSet<UserIndex>,
    /// Of these, whose own tree it is in.
    owners_of_tree: BTreeSet<UserIndex>,
    drive: Option<FileId>,
}

impl Store {
    fn scope(&self, id: &FileId) -> Scope {
        let Some(file) = self.file(id.as_str()) else {
            return Scope::default();
        };
        let users = self.viewers(file);
        let in_tree = users
            .iter()
            .copied()
            .filter(|user| self.in_my_drive(*user, file));
        Scope {
            owners_of_tree: in_tree.collect(),
            drive: file.drive.clone(),
            users,
        }
    }

    /// Changes one item and logs it.
    pub(super) fn change(&mut self, actor: Actor, id: &FileId, edit: impl FnOnce(&mut File)) {
        let before = self.scope(id);
        self.edit(id.as_str(), |file| {
            edit(file);
            file.version += 1;
        });
        self.log(actor, id, &before);
    }

    /// Changes how one user sees an item; nobody else is told.
    pub(super) fn change_for_self(
        &mut self,
        actor: Actor,
        id: &FileId,
        edit: impl FnOnce(&mut File),
    ) {
        self.edit(id.as_str(), |file| {
            edit(file);
            file.version += 1;
        });
        let Some(file) = self.file(id.as_str()) else {
            return;
        };
        let in_tree = self.in_my_drive(actor.user, file);
        let is_own_affair = self.in_corpus(actor.user, file);
        let entry = entry(Subject::File(id.clone()), actor.now, Presence::In, in_tree);
        if is_own_affair {
            self.user_log(actor.user).push(entry);
        } else {
            self.user_log(actor.user).push_usage(entry);
        }
    }

    /// Logs an item whose scope was `before`.
    fn log(&mut self, actor: Actor, id: &FileId, before: &Scope) {
        let after = self.scope(id);
        let subject = Subject::File(id.clone());
        let drives: BTreeSet<&FileId> = before.drive.iter().chain(&after.drive).collect();
        for drive in drives {
            let presence = presence(after.drive.as_ref() == Some(drive));
            if let Some(log) = self.drive_logs.get_mut(drive) {
                log.push(entry(subject.clone(), actor.now, presence, false));
            }
        }
        for user in before.users.union(&after.users) {
            let in_tree =
                before.owners_of_tree.contains(user) || after.owners_of_tree.contains(user);
            let presence = presence(after.users.contains(user));
            self.user_log(*user)
                .push(entry(subject.clone(), actor.now, presence, in_tree));
        }
        // Members see in their own logs what they do themselves; nobody should rely on it.
        let stayed =
            after.drive.is_some() && (before.drive == after.drive || before.users.is_empty());
        if stayed
            && !after.users.contains(&actor.user)
            && self
                .file(id.as_str())
                .is_some_and(|file| self.is_member_for(actor.user, file))
        {
            self.user_log(actor.user)
                .push_usage(entry(subject, actor.now, Presence::In, false));
        }
    }

    /// Adds a file that was not there.
    pub(super) fn create(&mut self, actor: Actor, file: File) {
        let id = file.id.clone();
        self.insert(file);
        self.log(actor, &id, &Scope::default());
    }

    /// Trashes or restores an item; what is below goes along.
    pub(super) fn set_trashed(&mut self, actor: Actor, id: &FileId, trashed: bool) {
        let below = self.subtree(id);
        for item in &below {
            self.change(actor, item, |file| {
                if file.id == *id {
                    file.explicitly_trashed = trashed.then_some(Trashed {
                        time: actor.now,
                        by: Some(actor.user),
                    });
                }
            });
        }
    }

    /// The item and all below it, each with who sees it now.
    fn scopes(&self, id: &FileId) -> Vec<(FileId, Scope)> {
        self.subtree(id)
            .into_iter()
            .map(|item| {
                let scope = self.scope(&item);
                (item, scope)
            })
            .collect()
    }

    /// Deletes for ever: in a shared drive all that is below, in My Drive what has the same owner.
    /// What others own goes to their roots.
    pub(super) fn delete(&mut self, actor: Actor, id: &FileId) {
        let Some(owner) = self.file(id.as_str()).map(|file| file.owner) else {
            return;
        };
        let scopes = self.scopes(id);
        let (gone, left): (Vec<_>, Vec<_>) = scopes.into_iter().partition(|(item, _)| {
            let file = self.file(item.as_str());
            file.is_some_and(|file| file.owner == owner)
        });
        let dead: HashSet<&FileId> = gone.iter().map(|(item, _)| item).collect();
        let orphans: Vec<&(FileId, Scope)> = left
            .iter()
            .filter(|(item, _)| {
                let file = self.file(item.as_str());
                file.and_then(|file| file.parent.as_ref())
                    .is_some_and(|parent| dead.contains(parent))
            })
            .collect();
        for (item, _) in &orphans {
            if let Some(heir) = self.file(item.as_str()).and_then(|file| file.owner) {
                let root = self.root(heir, actor.now);
                self.reparent(item, &root);
            }
        }
        for (item, _) in &gone {
            self.remove(item.as_str());
        }
        for (item, before) in &gone {
            self.log(actor, item, before);
        }
        for (item, before) in orphans {
            self.log(actor, item, before);
        }
    }

    /// Deletes all that a user owns and takes all other rights away; page tokens of the user's log end.
    pub(super) fn forget(&mut self, user: UserIndex, now: i64) {
        let actor = Actor { user, now };
        let root = self.root(user, now);
        let named = |store: &Self| -> Vec<FileId> { store.named(user).cloned().collect() };
        for id in named(self) {
            if self
                .file(id.as_str())
                .is_some_and(|file| file.owner == Some(user))
                && id != root
            {
                self.delete(actor, &id);
            }
        }
        // What others put below the root of this user goes to their own.
        self.delete(actor, &root);
        for id in named(self) {
            self.revoke(actor, &id, &Grantee::Member(user));
        }
        self.forget_root(user);
        self.user_log(user).expire();
    }

    /// Moves an item below another folder, into another drive if the folder is there.
    pub(super) fn relocate(&mut self, actor: Actor, id: &FileId, parent: &FileId) {
        let Some(target) = self.file(parent.as_str()) else {
            return;
        };
        let (drive, heir) = (target.drive.clone(), target.owner.unwrap_or(actor.user));
        let file = self.file(id.as_str());
        if file.is_some_and(|file| file.drive == drive) {
            let before = self.scope(id);
            self.reparent(id, parent);
            self.edit(id.as_str(), |file| file.version += 1);
            self.log(actor, id, &before);
            return;
        }
        let scopes = self.scopes(id);
        self.reparent(id, parent);
        for (item, _) in &scopes {
            self.settle(actor, item, drive.as_ref(), heir);
        }
        for (item, before) in &scopes {
            self.log(actor, item, before);
        }
    }

    /// Makes an item one of a shared drive, or of the heir's My Drive.
    fn settle(&mut self, actor: Actor, id: &FileId, drive: Option<&FileId>, heir: UserIndex) {
        self.edit(id.as_str(), |file| {
            file.drive = drive.cloned();
            file.version += 1;
            file.owner = drive.is_none().then_some(heir);
            file.permissions.edit(|list| {
                list.retain(|permission| permission.role != Role::Owner);
                if drive.is_none() {
                    list.retain(|permission| permission.grantee != Grantee::Member(heir));
                    list.insert(0, Permission::owner(heir, actor.now));
                }
            });
        });
    }

    fn reparent(&mut self, id: &FileId, parent: &FileId) {
        self.edit(id.as_str(), |file| file.parent = Some(parent.clone()));
    }

    /// Sets what a grantee may do with an item.
    pub(super) fn grant(&mut self, actor: Actor, id: &FileId, permission: Permission) {
        let before = self.scope(id);
        let grantee = permission.grantee.clone();
        let is_drive = self.edit(id.as_str(), |file| {
            file.version += 1;
            file.permissions.edit(|list| {
                match list
                    .iter_mut()
                    .find(|old| old.grantee == permission.grantee)
                {
                    Some(old) => {
                        old.role = permission.role;
                        old.discoverable = permission.discoverable;
                        old.expires = permission.expires;
                    }
                    None => list.push(permission),
                }
            });
            file.is_root()
        });
        match is_drive {
            Some(true) => self.log_membership(actor, id, &grantee),
            Some(false) => self.log(actor, id, &before),
            None => {}
        }
    }

    /// Takes away what a grantee may do with an item by itself.
    pub(super) fn revoke(&mut self, actor: Actor, id: &FileId, grantee: &Grantee) {
        let before = self.scope(id);
        let is_drive = self.edit(id.as_str(), |file| {
            file.version += 1;
            let list = &mut file.permissions;
            list.edit(|list| list.retain(|old| old.grantee != *grantee));
            file.is_root()
        });
        match is_drive {
            Some(true) => self.log_membership(actor, id, grantee),
            Some(false) => self.log(actor, id, &before),
            None => {}
        }
    }

    /// Makes somebody else the owner; the old one can still write.
    pub(super) fn transfer(&mut self, actor: Actor, id: &FileId, heir: UserIndex) {
        let before = self.scope(id);
        self.edit(id.as_str(), |file| {
            file.version += 1;
            file.owner = Some(heir);
            file.permissions.edit(|list| {
                for permission in list.iter_mut() {
                    if permission.role == Role::Owner {
                        permission.role = Role::Writer;
                        permission.granted_by = Some(heir);
                    }
                }
                list.retain(|permission| permission.grantee != Grantee::Member(heir));
                list.insert(0, Permission::owner(heir, actor.now));
            });
        });
        self.log(actor, id, &before);
    }

    /// A change of who is in a shared drive: one entry in its log, one in the log of whom it is about.
    fn log_membership(&mut self, actor: Actor, drive: &FileId, grantee: &Grantee) {
        let subject = Subject::Drive(drive.clone());
        if let Some(log) = self.drive_logs.get_mut(drive) {
            log.push(entry(subject.clone(), actor.now, Presence::In, false));
        }
        let Grantee::Member(user) = *grantee else {
            return;
        };
        let is_member = self.member_role(user, drive.as_str()).is_some();
        self.user_log(user)
            .push(entry(subject, actor.now, presence(is_member), false));
        // What was shared with them beside the drive moves between the corpora.
        let own: Vec<FileId> = self
            .named(user)
            .filter(|id| *id != drive)
            .filter(|id| {
                let file = self.file(id.as_str());
                file.is_some_and(|file| file.drive.as_ref() == Some(drive))
            })
            .cloned()
            .collect();
        for id in own {
            self.user_log(user).push(entry(
                Subject::File(id),
                actor.now,
                presence(!is_member),
                false,
            ));
        }
    }

    /// A change that all members of a shared drive are told of.
    pub(super) fn log_drive(&mut self, drive: &FileId, now: i64, presence: Presence) {
        let subject = Subject::Drive(drive.clone());
        if let Some(log) = self.drive_logs.get_mut(drive) {
            log.push(entry(subject.clone(), now, presence, false));
        }
        for user in self.members(drive.as_str()) {
            self.user_log(user)
                .push(entry(subject.clone(), now, presence, false));
        }
    }

    /// A new shared drive with its creator as organizer.
    pub(super) fn create_drive(&mut self, actor: Actor, name: &str) -> FileId {
        let id = self.insert_drive(name, actor.now);
        self.grant(
            actor,
            &id,
            Permission::new(
                Grantee::Member(actor.user),
                Role::Organizer,
                actor.now,
                Some(actor.user),
            ),
        );
        id
    }

    /// A shared drive that nobody is in yet; logs nothing.
    pub(crate) fn insert_drive(&mut self, name: &str, now: i64) -> FileId {
        let id = self.new_drive_id();
        let mut root = blank(id.clone(), name, super::model::FOLDER, now);
        root.drive = Some(id.clone());
        self.insert(root);
        self.drives.insert(
            id.clone(),
            SharedDrive {
                id: id.clone(),
                created: now,
                hidden_by: BTreeSet::new(),
                theme: "abacus".to_owned(),
                domain_users_only: false,
                members_only: false,
                copy_requires_writer: false,
                sharing_folders_requires_organizer: false,
            },
        );
        let first = 500 + 11 * self.drives.len() as u64;
        self.drive_logs
            .insert(id.clone(), super::log::Log::new(first));
        id
    }

    /// Deletes a shared drive with all that is in it.
    pub(super) fn delete_drive(&mut self, actor: Actor, drive: &FileId) {
        let top: Vec<FileId> = self.children(drive).map(|file| file.id.clone()).collect();
        for id in top {
            self.delete(actor, &id);
        }
        self.log_drive(drive, actor.now, Presence::Left);
        self.remove(drive.as_str());
        self.in_drive.remove(drive.as_str());
        self.drives.remove(drive.as_str());
        self.drive_logs.remove(drive.as_str());
    }
}

fn presence(is_in: bool) -> Presence {
    if is_in { Presence::In } else { Presence::Left }
}

fn entry(subject: Subject, time: i64, presence: Presence, in_my_drive: bool) -> Entry {
    Entry {
        subject,
        time,
        presence,
        in_my_drive,
    }
}
