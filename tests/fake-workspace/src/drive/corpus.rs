//! Which items a user sees in listings, in the order of their ids: the user's corpus, which is My Drive and what was
//! shared with them, and the items of shared drives. A listing goes on from any id without a look at what is before it.
//!
//! See <https://developers.google.com/workspace/drive/api/guides/about-files>.

use super::model::{File, FileId};
use super::store::{Reach, Store};
use crate::workspace::UserIndex;
use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};

/// Corpora as they were found at the last look; a change of who sees what takes out those that it concerns.
#[derive(Debug, Default)]
pub(super) struct Corpora(Mutex<HashMap<UserIndex, Arc<BTreeSet<FileId>>>>);

impl Corpora {
    pub(super) fn forget(&mut self, user: UserIndex) {
        let known = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        known.remove(&user);
    }

    fn get(&self, user: UserIndex) -> Option<Arc<BTreeSet<FileId>>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&user).cloned()
    }

    fn set(&self, user: UserIndex, corpus: Arc<BTreeSet<FileId>>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(user, corpus);
    }
}

impl Store {
    /// All items of a user's corpus, roots excluded: My Drive and what was shared with them, with what is below.
    pub(crate) fn corpus(&self, user: UserIndex) -> Arc<BTreeSet<FileId>> {
        if let Some(known) = self.corpora.get(user) {
            return known;
        }
        let mut found = BTreeSet::new();
        for id in self.named(user) {
            if let Some(file) = self.file(id.as_str())
                && !self.is_member_for(user, file)
            {
                self.collect(user, file, &mut found);
            }
        }
        let found = Arc::new(found);
        // Nothing can have changed meanwhile: whoever changes something has the store for themselves.
        self.corpora.set(user, Arc::clone(&found));
        found
    }

    /// The items of a shared drive after an id that one of its members sees, the root excluded.
    pub(crate) fn drive_items<'a>(
        &'a self,
        user: UserIndex,
        drive: &str,
        after: Bound<&str>,
    ) -> impl Iterator<Item = &'a FileId> + use<'a> {
        let items = self.in_drive.get(drive);
        items
            .map(|items| items.range::<str, _>((after, Bound::Unbounded)))
            .into_iter()
            .flatten()
            .filter(move |id| {
                let file = self.file(id.as_str());
                file.is_some_and(|file| self.access(user, file, Reach::Named).is_some())
            })
    }

    /// Adds an item that the user sees, and what they see below it.
    fn collect(&self, user: UserIndex, file: &File, found: &mut BTreeSet<FileId>) {
        let mut stack = vec![file];
        while let Some(file) = stack.pop() {
            if !file.is_root() && !found.insert(file.id.clone()) {
                continue;
            }
            if file.limited && self.role(user, file, Reach::Named).is_none() {
                continue;
            }
            stack.extend(self.children(&file.id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::activity;
    use crate::server::{Options, Server};

    /// What the corpus is by its definition, asked of each file.
    fn corpus_of_all(store: &Store, user: UserIndex) -> BTreeSet<FileId> {
        store
            .files()
            .filter(|file| !file.is_root() && store.in_corpus(user, file))
            .map(|file| file.id.clone())
            .collect()
    }

    /// What somebody sees in a shared drive, walked down from its root and from all that names them.
    fn drive_items_by_walk(store: &Store, user: UserIndex, drive: &FileId) -> BTreeSet<FileId> {
        let mut found = BTreeSet::new();
        let root = std::iter::once(drive);
        for id in root.chain(store.named(user)) {
            if let Some(file) = store.file(id.as_str())
                && file.drive.as_ref() == Some(drive)
            {
                store.collect(user, file, &mut found);
            }
        }
        found
    }

    fn check(store: &Store, users: &[UserIndex], what: &str) {
        for user in users {
            let (kept, all) = (store.corpus(*user), corpus_of_all(store, *user));
            assert_eq!(*kept, all, "the corpus of {user:?} after {what}");
            for drive in store.drives.keys() {
                if store.member_role(*user, drive.as_str()).is_none() {
                    continue;
                }
                let items: Vec<&FileId> = store
                    .drive_items(*user, drive.as_str(), Bound::Unbounded)
                    .collect();
                let walked = drive_items_by_walk(store, *user, drive);
                assert_eq!(
                    items,
                    walked.iter().collect::<Vec<_>>(),
                    "items of {drive:?} for {user:?} after {what}"
                );
                let after = items.get(items.len() / 2).map(|id| id.as_str());
                let rest: Vec<&FileId> = store
                    .drive_items(
                        *user,
                        drive.as_str(),
                        after.map_or(Bound::Unbounded, Bound::Excluded),
                    )
                    .collect();
                assert!(items.ends_with(&rest) && rest.len() < items.len().max(1));
            }
        }
    }

    #[tokio::test]
    async fn what_is_kept_of_corpora_is_what_a_look_at_all_files_finds() {
        for seed in 0..4 {
            let dir = tempfile::tempdir().unwrap();
            let mut options = Options::new(dir.path());
            (options.users, options.files, options.seed) = (5, 120, seed);
            let server = Server::start(options).await.unwrap();
            let workspace = server.workspace();
            let users: Vec<UserIndex> = (0..5).map(UserIndex).collect();
            check(&workspace.drive(), &users, "the start");
            let mut rng = fastrand::Rng::with_seed(seed);
            for round in 0..400 {
                let user = UserIndex(rng.usize(..5));
                let deed = activity::change(workspace, user, &mut rng);
                check(
                    &workspace.drive(),
                    &users,
                    &format!("{deed}, round {round}"),
                );
            }
            // What no activity does: all that an account has goes at once.
            workspace.drive_mut().forget(UserIndex(1), 1);
            check(&workspace.drive(), &users, "an account was made anew");
        }
    }
}
