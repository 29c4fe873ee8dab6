//! Names of folders, for paths. Only kept in memory, bounded, and asked for again where they are
//! needed: a path is a snapshot and no sink may rely on it.

use super::normalize::FOLDER;
use nuncio_google::DriveFile;
use std::collections::HashMap;

/// Most folders that are remembered during a walk.
const MAX_IN_WALK: usize = 100_000;

/// Most folders that are remembered between walks: ten thousand feeds have to fit in memory.
const MAX_AT_REST: usize = 500;

/// Folders above each other; deeper is taken for a circle. Drive allows a hundred.
/// <https://developers.google.com/workspace/drive/api/guides/folder>
const MAX_DEPTH: usize = 200;

/// What is known of folders. `None` is one that cannot be seen.
#[derive(Debug, Default)]
pub(crate) struct Folders {
    /// The top folder, which has no name in a path.
    root: String,
    known: HashMap<String, Option<Folder>>,
}

#[derive(Debug, Clone)]
struct Folder {
    name: String,
    parent: Option<String>,
}

/// How far a path is known.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Path {
    /// From the root.
    Whole(String),
    /// Up to this folder, of which nothing is known yet.
    UpTo(String),
    /// It does not reach the root in sight.
    Hidden,
}

impl Folders {
    /// Knows nothing but the root.
    pub(crate) fn new(root: String) -> Self {
        let known = HashMap::new();
        Self { root, known }
    }

    /// Takes in a folder's state; other files are not remembered.
    pub(crate) fn learn(&mut self, file: &DriveFile) {
        if file.mime_type.as_deref() != Some(FOLDER) {
            return;
        }
        if self.known.len() >= MAX_IN_WALK && !self.known.contains_key(&file.id) {
            return;
        }
        let folder = Folder {
            name: file.name.clone().unwrap_or_default().replace('/', "%2F"),
            parent: file.parents.first().cloned(),
        };
        self.known.insert(file.id.clone(), Some(folder));
    }

    /// A folder that cannot be seen.
    pub(crate) fn hide(&mut self, id: &str) {
        if self.known.len() < MAX_IN_WALK {
            self.known.insert(id.to_owned(), None);
        }
    }

    /// What went, or is to be asked for again.
    pub(crate) fn forget(&mut self, id: &str) {
        self.known.remove(id);
    }

    /// Gives memory back once a page is done and no walk goes on.
    pub(crate) fn rest(&mut self) {
        if self.known.len() > MAX_AT_REST {
            self.known = HashMap::new();
        }
    }

    /// The path of a file as far as it is known, its name last.
    pub(crate) fn path(&self, file: &DriveFile) -> Path {
        let mut parts = vec![file.name.clone().unwrap_or_default().replace('/', "%2F")];
        let mut at = file.parents.first();
        for _ in 0..MAX_DEPTH {
            let Some(id) = at else { return Path::Hidden };
            if *id == self.root {
                parts.reverse();
                return Path::Whole(parts.join("/"));
            }
            match self.known.get(id) {
                Some(Some(folder)) => {
                    parts.push(folder.name.clone());
                    at = folder.parent.as_ref();
                }
                Some(None) => return Path::Hidden,
                None => return Path::UpTo(id.clone()),
            }
        }
        Path::Hidden
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(id: &str, parent: &str) -> DriveFile {
        DriveFile {
            id: id.into(),
            name: Some(format!("{id}/n")),
            mime_type: Some(FOLDER.into()),
            parents: vec![parent.into()],
            ..DriveFile::default()
        }
    }

    #[test]
    fn a_path_reaches_from_the_root_to_the_file() {
        let mut folders = Folders::new("root".into());
        let file = item("f", "b");
        assert_eq!(
            folders.path(&item("f", "root")),
            Path::Whole("f%2Fn".into())
        );
        assert_eq!(folders.path(&file), Path::UpTo("b".into()));
        folders.learn(&item("b", "a"));
        assert_eq!(folders.path(&file), Path::UpTo("a".into()));
        folders.learn(&item("a", "root"));
        let whole = Path::Whole("a%2Fn/b%2Fn/f%2Fn".into());
        assert_eq!(folders.path(&file), whole);
        folders.hide("a");
        assert_eq!(folders.path(&file), Path::Hidden);
        folders.forget("a");
        assert_eq!(folders.path(&file), Path::UpTo("a".into()));
    }

    #[test]
    fn circles_and_missing_parents_end() {
        let mut folders = Folders::new("root".into());
        folders.learn(&item("a", "b"));
        folders.learn(&item("b", "a"));
        assert_eq!(folders.path(&item("f", "a")), Path::Hidden);
        let orphan = DriveFile::default();
        assert_eq!(folders.path(&orphan), Path::Hidden);
    }
}
