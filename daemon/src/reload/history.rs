//! The configs that were in force, kept in the state folder: the newest is the last good one, which
//! a start falls back to when the file is broken. Files that nobody else may read, for they hold
//! what the config holds.

use crate::private_file;
use nuncio_config::Files;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Configs that are kept; older ones go.
const N_KEPT: usize = 50;

/// A config that was in force.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Counts up with each.
    pub number: u64,
    /// SHA-256 over its files.
    pub hash: String,
    /// When it came into force, milliseconds since 1970.
    pub at: i64,
    /// What it changed, in one line.
    pub summary: String,
    /// What it changed, line by line.
    pub changes: String,
    /// Its files.
    pub files: Files,
}

/// The folder of entries.
#[derive(Debug, Clone)]
pub(crate) struct History(PathBuf);

impl History {
    /// That of a state folder; nothing is made yet.
    pub(crate) fn of(state_dir: &Path) -> Self {
        Self(state_dir.join("config-history"))
    }

    /// Keeps a config that has come into force, and removes what is too old.
    ///
    /// # Errors
    /// Of the disk: the config is in force all the same.
    pub(crate) fn keep(
        &self,
        files: Files,
        at: i64,
        summary: String,
        changes: String,
    ) -> io::Result<()> {
        private_file::make_folder(&self.0)?;
        let numbers = self.numbers()?;
        let entry = Entry {
            number: numbers.last().map_or(1, |last| last + 1),
            hash: files.hash(),
            at,
            summary,
            changes,
            files,
        };
        let json = serde_json::to_vec_pretty(&entry)?;
        private_file::replace(&self.path(entry.number), &json, |_| Ok(()))?;
        let n_old = (numbers.len() + 1).saturating_sub(N_KEPT);
        for number in numbers.into_iter().take(n_old) {
            fs::remove_file(self.path(number))?;
        }
        Ok(())
    }

    /// All entries, oldest first. One that cannot be read is left out.
    ///
    /// # Errors
    /// Of the disk.
    pub(crate) fn entries(&self) -> io::Result<Vec<Entry>> {
        let numbers = self.numbers()?.into_iter();
        Ok(numbers.filter_map(|number| self.entry(number)).collect())
    }

    /// The newest entry that can be read: the last good config.
    pub(crate) fn newest(&self) -> Option<Entry> {
        let numbers = self.numbers().ok()?.into_iter().rev();
        numbers.filter_map(|number| self.entry(number)).next()
    }

    fn entry(&self, number: u64) -> Option<Entry> {
        serde_json::from_slice(&fs::read(self.path(number)).ok()?).ok()
    }

    fn path(&self, number: u64) -> PathBuf {
        self.0.join(format!("{number:06}.json"))
    }

    fn numbers(&self) -> io::Result<Vec<u64>> {
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut numbers = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "json")
            {
                let stem = path.file_stem().and_then(|stem| stem.to_str());
                numbers.extend(stem.and_then(|stem| stem.parse::<u64>().ok()));
            }
        }
        numbers.sort_unstable();
        Ok(numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn keep(history: &History, text: &str) {
        let files = Files::of_text("nuncio.toml", text);
        history
            .keep(files, 7, format!("{text} now"), String::new())
            .unwrap();
    }

    #[test]
    fn the_newest_that_can_be_read_is_the_last_good_one() {
        let dir = tempfile::tempdir().unwrap();
        let history = History::of(dir.path());
        assert!(history.newest().is_none());
        assert!(history.entries().unwrap().is_empty());
        for text in ["one", "two", "three"] {
            keep(&history, text);
        }
        assert_eq!(history.newest().unwrap().summary, "three now");
        let path = history.path(3);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(&path, "half").unwrap();
        assert_eq!(history.newest().unwrap().summary, "two now");
        let hashes: Vec<String> = history
            .entries()
            .unwrap()
            .into_iter()
            .map(|entry| entry.hash)
            .collect();
        let hash = |text| Files::of_text("nuncio.toml", text).hash();
        assert_eq!(hashes, [hash("one"), hash("two")]);
    }

    #[test]
    fn old_ones_go() {
        let dir = tempfile::tempdir().unwrap();
        let history = History::of(dir.path());
        for n in 0..N_KEPT + 3 {
            keep(&history, &n.to_string());
        }
        let entries = history.entries().unwrap();
        assert_eq!((entries.len(), entries[0].number), (N_KEPT, 4));
    }
}
