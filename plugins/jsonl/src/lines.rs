//! Files of lines: appended durably, and repaired where a crash left half a line.
//!
//! A file is opened for each append and looked at first: another instance may have written
//! to it since, and may have been ended in the middle of a line. A line that is not ended was
//! never answered as delivered, so it is cut off and its record comes again.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use nuncio_sdk::log;

/// Bytes read at a time when the end of the last whole line is looked for.
const LOOK_BACK_BYTES: u64 = 64 * 1024;

/// The files under one folder.
pub(crate) struct Lines {
    root: PathBuf,
    /// Files whose names this instance knows to be durable.
    named: HashSet<String>,
}

impl Lines {
    /// Makes the folder if it is missing, and sees whether it can be synced.
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        fs::create_dir_all(root)?;
        sync_directory(root)?;
        Ok(Self {
            root: root.to_owned(),
            named: HashSet::new(),
        })
    }

    /// Appends whole lines to a file and returns once they are on stable storage. After an
    /// error the file is as before, or is repaired by the next append.
    pub(crate) fn append(&mut self, name: &str, lines: &str) -> io::Result<()> {
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(self.root.join(name))?;
        let length = repair(&mut file, name)?;
        append_or_cut(&mut file, length, |file| file.write_all(lines.as_bytes()))?;
        // A file that was empty may be one that was made just now, in the place of one that an
        // operator moved away.
        if length == 0 || !self.named.contains(name) {
            sync_directory(&self.root)?;
            self.named.insert(name.to_owned());
        }
        Ok(())
    }
}

/// Cuts off what follows the last line break, and tells the length that is left.
fn repair(file: &mut File, name: &str) -> io::Result<u64> {
    let length = file.metadata()?.len();
    let whole = end_of_last_line(file, length)?;
    if whole < length {
        file.set_len(whole)?;
        log::warn(
            "half a line was cut off; its record comes again",
            &[("file", name)],
        );
    }
    Ok(whole)
}

/// The length up to and with the last line break; 0 where there is none.
fn end_of_last_line(file: &mut File, length: u64) -> io::Result<u64> {
    // Nearly always the last byte is a line break, and one byte is enough to know.
    let mut step = 1;
    let mut end = length;
    let mut buffer = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(step);
        file.seek(SeekFrom::Start(start))?;
        buffer.clear();
        Read::by_ref(file)
            .take(end - start)
            .read_to_end(&mut buffer)?;
        if let Some(at) = buffer.iter().rposition(|&byte| byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
        step = LOOK_BACK_BYTES;
    }
    Ok(0)
}

/// Appends by `write` and syncs; after an error, cuts the file back to `length`.
fn append_or_cut(
    file: &mut File,
    length: u64,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    let result = write(file).and_then(|()| sync(file));
    if result.is_err() {
        // If this fails too, the next append finds half a line, or whole lines twice.
        if let Err(error) = file.set_len(length).and_then(|()| sync(file)) {
            log::warn(
                "a failed append could not be undone",
                &[("error", &error.to_string())],
            );
        }
    }
    result
}

/// Makes the names in a folder durable.
fn sync_directory(path: &Path) -> io::Result<()> {
    sync(&File::open(path)?)
}

/// Makes a file's bytes, or a folder's names, durable.
fn sync(file: &File) -> io::Result<()> {
    #[cfg(test)]
    tests::note_sync(file);
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    thread_local! {
        /// What was synced: of a file its length then, of a folder none.
        static SYNCS: std::cell::RefCell<Vec<Option<u64>>> = const { std::cell::RefCell::new(Vec::new()) };
    }

    pub(super) fn note_sync(file: &File) {
        let metadata = file.metadata().unwrap();
        SYNCS.with_borrow_mut(|syncs| syncs.push(metadata.is_file().then_some(metadata.len())));
    }

    #[test]
    fn lines_are_synced_and_so_is_the_name_of_a_new_file() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a.jsonl");
        let mut lines = Lines::open(root.path()).unwrap();
        SYNCS.take();
        lines.append("a.jsonl", "one\n").unwrap();
        assert_eq!(SYNCS.take(), [Some(4), None]);
        lines.append("a.jsonl", "two\n").unwrap();
        assert_eq!(SYNCS.take(), [Some(8)]);
        fs::rename(&path, root.path().join("moved away")).unwrap();
        lines.append("a.jsonl", "three\n").unwrap();
        assert_eq!(SYNCS.take(), [Some(6), None]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "three\n");
    }

    #[test]
    fn a_torn_tail_is_cut_whatever_its_length() {
        let long = "x".repeat(3 * LOOK_BACK_BYTES as usize);
        let exactly = "x".repeat(LOOK_BACK_BYTES as usize);
        let cases = [
            ("", ""),
            ("one\n", "one\n"),
            ("one\ntw", "one\n"),
            ("one", ""),
            ("\n", "\n"),
            (&format!("one\n{long}"), "one\n"),
            (&format!("one\n{exactly}"), "one\n"),
            (&format!("{long}\n{long}"), &format!("{long}\n")),
            (&long, ""),
        ];
        for (before, kept) in cases {
            let root = tempfile::tempdir().unwrap();
            let path = root.path().join("a.jsonl");
            fs::write(&path, before).unwrap();
            Lines::open(root.path())
                .unwrap()
                .append("a.jsonl", "new\n")
                .unwrap();
            assert!(
                fs::read_to_string(&path).unwrap() == format!("{kept}new\n"),
                "{} bytes",
                before.len()
            );
        }
    }

    /// Another instance wrote, or was ended while it wrote, after this one opened.
    #[test]
    fn a_tail_torn_by_another_instance_is_cut_too() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a.jsonl");
        let mut lines = Lines::open(root.path()).unwrap();
        lines.append("a.jsonl", "one\n").unwrap();
        fs::write(&path, "one\ntwo\nthr").unwrap();
        lines.append("a.jsonl", "three\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\nthree\n");
    }

    #[test]
    fn a_failed_append_leaves_the_file_as_it_was() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a.jsonl");
        fs::write(&path, "one\n").unwrap();
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .open(&path)
            .unwrap();
        let failed = append_or_cut(&mut file, 4, |file| {
            file.write_all(b"two\nthr")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\n");
    }
}
