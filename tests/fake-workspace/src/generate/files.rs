//! Mails from a folder: every `.eml` and `.msg` file below it, with dates moved into the last 60 days.

use super::{DAY_MS, SPAN_DAYS};
use crate::server::Error;
use crate::store::{Content, LabelId, NewMessage, ThreadChoice, summarize};
use bytes::Bytes;
use std::fs;
use std::path::{Path, PathBuf};

/// One file, bytes untouched.
#[derive(Debug)]
pub(super) struct MailFile {
    /// Its place among all files, which decides whose it is.
    pub(super) number: usize,
    /// Milliseconds since 1970.
    pub(super) date: i64,
    raw: Bytes,
}

impl MailFile {
    pub(super) fn into_message(self, rng: &mut fastrand::Rng) -> NewMessage {
        let mut labels = vec![LabelId::new("INBOX"), LabelId::new("CATEGORY_PERSONAL")];
        if rng.bool() {
            labels.push(LabelId::new("UNREAD"));
        }
        NewMessage {
            summary: summarize(&self.raw).into(),
            content: Content::Stored(self.raw),
            labels,
            internal_date: self.date,
            thread: ThreadChoice::ByReferences,
        }
    }
}

/// Loads all mails below `folder`, oldest first; they are spread evenly over the days in the order of paths.
pub(super) fn load(folder: &Path, now: i64) -> Result<Vec<MailFile>, Error> {
    let mut paths = Vec::new();
    collect(folder, &mut paths)?;
    paths.sort();
    let step = SPAN_DAYS * DAY_MS / (paths.len() as i64 + 1);
    let n_paths = paths.len() as i64;
    paths
        .into_iter()
        .enumerate()
        .map(|(number, path)| {
            let raw = fs::read(&path).map_err(|source| Error::Read { path, source })?;
            Ok(MailFile {
                number,
                date: now - step * (n_paths - number as i64),
                raw: raw.into(),
            })
        })
        .filter(|file| !file.as_ref().is_ok_and(|file| file.raw.is_empty()))
        .collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<(), Error> {
    let failed = |source| Error::Read {
        path: folder.to_owned(),
        source,
    };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        // Links are not followed, so a loop cannot trap us.
        if entry.file_type().map_err(failed)?.is_dir() {
            collect(&path, paths)?;
        } else if path
            .extension()
            .is_some_and(|end| end == "eml" || end == "msg")
        {
            paths.push(path);
        }
    }
    Ok(())
}
