//! All files and shared drives of the domain with their indexes, and the rules of who may see what.
//! Which items a user sees is in `corpus.rs`, changes are in `edit.rs`; nothing here writes a change log.
//!
//! See <https://developers.google.com/workspace/drive/api/guides/manage-sharing>.

use super::access_list::AccessList;
use super::corpus::Corpora;
use super::log::Log;
use super::model::{File, FileId, Grantee, Permission, Role, SharedDrive, Trashed};
use super::upload::Session;
use crate::workspace::UserIndex;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

const ID_ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const FILE_ID_LENGTH: usize = 33;

/// How much of an item somebody sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    Full,
    /// A limited-access folder seen from its parent: there, but closed.
    Metadata,
}

/// What somebody may do with an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) role: Role,
    pub(crate) view: View,
}

/// Which permissions count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Only those that name the user; they make up "My Drive" and "Shared with me".
    Named,
    /// Also those for the domain and for anyone, as when an item is opened by its id.
    Open,
}

/// The Drive of the whole domain.
#[derive(Debug)]
pub(crate) struct Store {
    /// Changed by [`Store::edit`], [`Store::insert`] and [`Store::remove`] only, which keep the indexes.
    files: HashMap<FileId, File>,
    children: HashMap<FileId, BTreeSet<FileId>>,
    /// All items of a shared drive but its root.
    pub(super) in_drive: HashMap<FileId, BTreeSet<FileId>>,
    /// Items that the domain, or anyone, finds by searching.
    pub(super) findable: BTreeSet<FileId>,
    pub(super) corpora: Corpora,
    pub(super) drives: BTreeMap<FileId, SharedDrive>,
    roots: HashMap<UserIndex, FileId>,
    named: HashMap<UserIndex, BTreeSet<FileId>>,
    pub(super) user_logs: HashMap<UserIndex, Log>,
    pub(super) drive_logs: HashMap<FileId, Log>,
    /// `requestId`s of drives.create.
    pub(super) requests: HashMap<(UserIndex, String), FileId>,
    pub(super) uploads: HashMap<String, Session>,
    /// Page tokens of files.list carry it; raising it makes them stale.
    pub(super) epoch: u64,
    /// Whether searches over all drives leave some out.
    pub(super) incomplete_search: bool,
    pub(super) domain: Arc<str>,
    rng: fastrand::Rng,
}

/// What the indexes of a file are made from.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    parent: Option<FileId>,
    drive: Option<FileId>,
    limited: bool,
    permissions: AccessList,
}

impl Place {
    fn of(file: &File) -> Self {
        Self {
            parent: file.parent.clone(),
            drive: file.drive.clone(),
            limited: file.limited,
            permissions: file.permissions.clone(),
        }
    }

    fn members(&self) -> impl Iterator<Item = UserIndex> {
        members(&self.permissions)
    }

    fn is_findable(&self) -> bool {
        self.permissions.of_others().any(|own| {
            own.discoverable && matches!(own.grantee, Grantee::Domain(_) | Grantee::Anyone)
        })
    }
}

/// Users of the domain who are named.
fn members(permissions: &[Permission]) -> impl Iterator<Item = UserIndex> {
    permissions
        .iter()
        .filter_map(|permission| match permission.grantee {
            Grantee::Member(user) => Some(user),
            _ => None,
        })
}

impl Store {
    pub(crate) fn new(domain: &str, seed: u64) -> Self {
        Self {
            files: HashMap::new(),
            children: HashMap::new(),
            in_drive: HashMap::new(),
            findable: BTreeSet::new(),
            corpora: Corpora::default(),
            drives: BTreeMap::new(),
            roots: HashMap::new(),
            named: HashMap::new(),
            user_logs: HashMap::new(),
            drive_logs: HashMap::new(),
            requests: HashMap::new(),
            uploads: HashMap::new(),
            epoch: 1,
            incomplete_search: false,
            domain: domain.into(),
            rng: fastrand::Rng::with_seed(seed ^ 0x6472_6976_6573),
        }
    }

    pub(crate) fn file(&self, id: &str) -> Option<&File> {
        self.files.get(id)
    }

    #[cfg(test)]
    pub(super) fn files(&self) -> impl Iterator<Item = &File> {
        self.files.values()
    }

    pub(crate) fn drive(&self, id: &str) -> Option<&SharedDrive> {
        self.drives.get(id)
    }

    pub(crate) fn children(&self, id: &FileId) -> impl Iterator<Item = &File> {
        self.children
            .get(id)
            .into_iter()
            .flatten()
            .filter_map(|child| self.files.get(child))
    }

    /// The item and all below it, parents first.
    pub(crate) fn subtree(&self, id: &FileId) -> Vec<FileId> {
        let mut found = vec![id.clone()];
        let mut at = 0;
        while let Some(next) = found.get(at) {
            let below: Vec<FileId> = self
                .children
                .get(next)
                .into_iter()
                .flatten()
                .cloned()
                .collect();
            found.extend(below);
            at += 1;
        }
        found
    }

    /// The item, its parent, and so on up to the root.
    pub(crate) fn ancestry<'a>(&'a self, file: &'a File) -> impl Iterator<Item = &'a File> {
        std::iter::successors(Some(file), |item| {
            item.parent
                .as_ref()
                .and_then(|parent| self.files.get(parent))
        })
    }

    pub(crate) fn is_trashed(&self, file: &File) -> bool {
        self.ancestry(file)
            .any(|item| item.explicitly_trashed.is_some())
    }

    /// The root of a user's My Drive, made at the first look together with the user's log.
    pub(crate) fn root(&mut self, user: UserIndex, now: i64) -> FileId {
        if let Some(root) = self.roots.get(&user) {
            return root.clone();
        }
        let id = self.new_drive_id();
        self.roots.insert(user, id.clone());
        self.user_log(user);
        let mut root = blank(id.clone(), "My Drive", super::model::FOLDER, now);
        root.owner = Some(user);
        root.permissions = vec![Permission::owner(user, now)].into();
        self.insert(root);
        id
    }

    /// The next look makes another root.
    pub(super) fn forget_root(&mut self, user: UserIndex) {
        self.roots.remove(&user);
    }

    pub(crate) fn existing_root(&self, user: UserIndex) -> Option<&FileId> {
        self.roots.get(&user)
    }

    pub(crate) fn user_log(&mut self, user: UserIndex) -> &mut Log {
        self.user_logs
            .entry(user)
            .or_insert_with(|| Log::new(1_000 + 37 * user.0 as u64))
    }

    /// Puts a file and its places in the indexes.
    pub(crate) fn insert(&mut self, file: File) {
        let (id, place) = (file.id.clone(), Place::of(&file));
        self.files.insert(id.clone(), file);
        self.index(&id, &place);
    }

    /// Takes a file out, and out of the indexes.
    pub(crate) fn remove(&mut self, id: &str) -> Option<File> {
        let place = Place::of(self.files.get(id)?);
        self.unindex(id, &place);
        self.children.remove(id);
        self.files.remove(id)
    }

    /// Changes a file; the indexes follow.
    pub(super) fn edit<R>(&mut self, id: &str, act: impl FnOnce(&mut File) -> R) -> Option<R> {
        let file = self.files.get_mut(id)?;
        let before = Place::of(file);
        let done = act(file);
        let (id, after) = (file.id.clone(), Place::of(file));
        if before != after {
            self.unindex(id.as_str(), &before);
            self.index(&id, &after);
        }
        Some(done)
    }

    fn index(&mut self, id: &FileId, place: &Place) {
        if let Some(parent) = &place.parent {
            let siblings = self.children.entry(parent.clone()).or_default();
            siblings.insert(id.clone());
            if let Some(drive) = &place.drive {
                let items = self.in_drive.entry(drive.clone()).or_default();
                items.insert(id.clone());
            }
        }
        for user in place.members() {
            self.named.entry(user).or_default().insert(id.clone());
        }
        if place.is_findable() {
            self.findable.insert(id.clone());
        }
        self.forget_corpora(place);
    }

    fn unindex(&mut self, id: &str, place: &Place) {
        self.forget_corpora(place);
        self.findable.remove(id);
        for user in place.members() {
            if let Some(named) = self.named.get_mut(&user) {
                named.remove(id);
            }
        }
        let siblings = place.parent.as_ref();
        if let Some(siblings) = siblings.and_then(|parent| self.children.get_mut(parent)) {
            siblings.remove(id);
        }
        let items = place.drive.as_ref();
        if let Some(items) = items.and_then(|drive| self.in_drive.get_mut(drive)) {
            items.remove(id);
        }
    }

    /// Forgets the corpora that an item is or could be in: those of whoever is named on it or above it. Members of a
    /// shared drive are no such users for what is in it, but they are for its root, where their membership changes.
    fn forget_corpora(&mut self, place: &Place) {
        let above = place.parent.as_ref().and_then(|id| self.files.get(id));
        let inherited = above
            .into_iter()
            .flat_map(|parent| self.ancestry(parent))
            .filter(|item| !item.is_shared_root())
            .flat_map(|item| members(&item.permissions));
        let users: Vec<UserIndex> = place.members().chain(inherited).collect();
        for user in users {
            self.corpora.forget(user);
        }
    }

    /// The role of a user on an item: the best of its own permissions and the inherited ones.
    pub(crate) fn role(&self, user: UserIndex, file: &File, reach: Reach) -> Option<Role> {
        let mut best = None;
        let mut limited = false;
        for item in self.ancestry(file) {
            let open = item.permissions.of_others().filter(|own| {
                reach == Reach::Open
                    && match &own.grantee {
                        Grantee::Domain(domain) => *domain == self.domain,
                        Grantee::Anyone => true,
                        Grantee::Member(_) | Grantee::Outsider(_) | Grantee::Group(_) => false,
                    }
            });
            for permission in item.permissions.of_member(user).into_iter().chain(open) {
                // Limited access keeps out all that is inherited from above but organizers.
                if !limited || permission.role == Role::Organizer {
                    let role = match permission.role {
                        // Who owns a folder may edit what others put into it.
                        Role::Owner if item.id != file.id => Role::Writer,
                        role => role,
                    };
                    best = best.max(Some(role));
                }
            }
            limited |= item.limited;
        }
        best
    }

    /// What a user may do with an item, if anything.
    pub(crate) fn access(&self, user: UserIndex, file: &File, reach: Reach) -> Option<Access> {
        if let Some(role) = self.role(user, file, reach) {
            return Some(Access {
                role,
                view: View::Full,
            });
        }
        let parent = file.parent.as_ref().filter(|_| file.limited)?;
        self.role(user, self.files.get(parent)?, reach)
            .map(|_| Access {
                role: Role::Reader,
                view: View::Metadata,
            })
    }

    /// The role of a member of a shared drive.
    pub(crate) fn member_role(&self, user: UserIndex, drive: &str) -> Option<Role> {
        let root = self.files.get(drive)?;
        root.permissions.of_member(user).map(|own| own.role)
    }

    pub(crate) fn is_member_for(&self, user: UserIndex, file: &File) -> bool {
        file.drive
            .as_ref()
            .is_some_and(|drive| self.member_role(user, drive.as_str()).is_some())
    }

    /// The members of a shared drive who have an account here.
    pub(crate) fn members(&self, drive: &str) -> Vec<UserIndex> {
        let root = self.files.get(drive);
        root.into_iter()
            .flat_map(|root| members(&root.permissions))
            .collect()
    }

    /// Items with a permission of their own for a user, owned ones included.
    pub(super) fn named(&self, user: UserIndex) -> impl Iterator<Item = &FileId> {
        self.named.get(&user).into_iter().flatten()
    }

    /// Whether an item is the affair of a user's own log: seen by name, and not as a member of its shared drive.
    pub(crate) fn in_corpus(&self, user: UserIndex, file: &File) -> bool {
        self.access(user, file, Reach::Named).is_some() && !self.is_member_for(user, file)
    }

    /// Users whose corpus an item is in.
    pub(crate) fn viewers(&self, file: &File) -> BTreeSet<UserIndex> {
        let candidates: BTreeSet<UserIndex> = self
            .ancestry(file)
            // What is in a shared drive is in no corpus of its members.
            .filter(|item| !item.is_shared_root())
            .flat_map(|item| members(&item.permissions))
            .collect();
        candidates
            .into_iter()
            .filter(|user| self.in_corpus(*user, file))
            .collect()
    }

    /// Whether an item hangs below the user's own root.
    pub(crate) fn in_my_drive(&self, user: UserIndex, file: &File) -> bool {
        let root = self.roots.get(&user);
        self.ancestry(file).any(|item| Some(&item.id) == root)
    }

    /// When and by whom an item was shared with a user, if it was and is not theirs.
    pub(crate) fn shared_with(
        &self,
        user: UserIndex,
        file: &File,
    ) -> Option<(i64, Option<UserIndex>)> {
        let own = file.permissions.of_member(user);
        own.filter(|own| own.role != Role::Owner)
            .map(|own| (own.granted, own.granted_by))
    }

    pub(crate) fn new_file_id(&mut self) -> FileId {
        let id = std::iter::once('1')
            .chain((1..FILE_ID_LENGTH).map(|_| random_char(&mut self.rng)))
            .collect::<String>();
        FileId(id.into())
    }

    /// An id as shared drives and roots have it.
    pub(crate) fn new_drive_id(&mut self) -> FileId {
        let middle: String = (0..13).map(|_| random_char(&mut self.rng)).collect();
        FileId(format!("0A{middle}9PVA").into())
    }

    pub(crate) fn new_revision_id(&mut self) -> Arc<str> {
        let text: String = (0..51).map(|_| random_char(&mut self.rng)).collect();
        format!("0B{text}").into()
    }

    pub(crate) fn new_upload_id(&mut self) -> String {
        (0..60).map(|_| random_char(&mut self.rng)).collect()
    }
}

/// Whether a text could have come from generateIds.
pub(crate) fn is_file_id(text: &str) -> bool {
    text.len() == FILE_ID_LENGTH
        && text.starts_with('1')
        && text.bytes().all(|byte| ID_ALPHABET.contains(&byte))
}

fn random_char(rng: &mut fastrand::Rng) -> char {
    char::from(*rng.choice(ID_ALPHABET).unwrap_or(&b'x'))
}

/// A file without anything but a name.
pub(crate) fn blank(id: FileId, name: &str, mime_type: &str, now: i64) -> File {
    File {
        id,
        name: name.to_owned(),
        mime_type: mime_type.into(),
        parent: None,
        drive: None,
        owner: None,
        permissions: Default::default(),
        limited: false,
        explicitly_trashed: None::<Trashed>,
        created: now,
        modified: now,
        modified_by: None,
        version: 1,
        revisions: Vec::new(),
        target: None,
        by_app: false,
        description: None,
        rare: None,
    }
}
