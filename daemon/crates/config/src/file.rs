//! The config as files: reading them whole, and who else could have written them. Nothing about
//! their content.

use crate::Problem;
use crate::codes;
use crate::report::Report;
use nuncio_model::untrusted;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A file of 100,000 users has some 20 MiB; more than this is a mistake.
const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// How closed a file must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Whatever its mode says.
    Any,
    /// Only root and our user may write.
    Guarded,
    /// As `Guarded`, and only the file's group may read beside them.
    Private,
}

/// The files of a config as they were read: the main one first, then the drop-ins in their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files(Vec<(String, String)>);

impl Files {
    /// A single file that need not exist, by its name and its text.
    pub fn of_text(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self(vec![(name.into(), text.into())])
    }

    /// The files of the config at `path` as they are now, however good they are; none if the main
    /// one cannot be read.
    pub fn on_disk(path: &Path) -> Option<Self> {
        Self::read(path).0
    }

    /// Reads the file at `path` and its drop-ins, `conf.d/*.toml` beside it, in lexical order, and
    /// what is wrong with the files as such. None without the main file.
    pub(crate) fn read(path: &Path) -> (Option<Self>, Vec<Problem>) {
        let (drop_ins, problem) = match drop_ins(path) {
            Ok(drop_ins) => (drop_ins, None),
            Err(problem) => (Vec::new(), Some(problem)),
        };
        let names: Vec<String> = std::iter::once(path.to_owned())
            .chain(drop_ins)
            .map(|path| path.display().to_string())
            .collect();
        let mut report = Report::new(&names[0], "");
        if let Some(problem) = problem {
            let hint = "remove it or make it readable";
            report.add_whole(codes::DROP_INS, problem, hint);
        }
        let main = read(path, &mut report);
        let mut drop_ins = Vec::new();
        for name in &names[1..] {
            report.open(name, "");
            let text = read(Path::new(name), &mut report);
            drop_ins.extend(text.map(|text| (name.clone(), text)));
        }
        let files = main.map(|text| {
            let main = (names[0].clone(), text);
            Self(std::iter::once(main).chain(drop_ins).collect())
        });
        let problems = match report.is_clean() {
            true => Vec::new(),
            false => report.into_errors().into_problems(),
        };
        (files, problems)
    }

    /// Name and text of each file, the main one first.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// SHA-256 over the texts of all files and the names of the drop-ins, lower-case hex. What the
    /// main file is called and where it stands does not count, so that a candidate has the hash
    /// that it will have in its place.
    pub fn hash(&self) -> String {
        let mut hasher = Sha256::new();
        for (at, (name, text)) in self.iter().enumerate() {
            let name = match at {
                0 => OsStr::new(""),
                _ => Path::new(name).file_name().unwrap_or_default(),
            };
            for part in [name.as_encoded_bytes(), text.as_bytes()] {
                hasher.update((part.len() as u64).to_be_bytes());
                hasher.update(part);
            }
        }
        let digest = hasher.finalize();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn read(path: &Path, report: &mut Report<'_>) -> Option<String> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| {
        let metadata = file.metadata()?;
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
        Ok(metadata)
    });
    match read {
        Ok(metadata) => {
            if let Some(problem) = looseness(&metadata, Access::Guarded) {
                let shown = path.display().to_string();
                let hint = format!(
                    "chmod go-w {0}, and chown root {0} if another user owns it",
                    untrusted(&shown)
                );
                report.add_whole(codes::LOOSE_FILE, format!("the file {problem}"), hint);
            }
        }
        Err(error) => {
            let hint = "check the path given by --config and that the daemon's user may read it";
            report.add_whole(
                codes::UNREADABLE,
                format!("cannot read the file: {error}"),
                hint,
            );
            return None;
        }
    }
    if bytes.len() as u64 > MAX_FILE_BYTES {
        let hint = "check that the path names the config";
        report.add_whole(codes::UNREADABLE, "the file is larger than 64 MiB", hint);
        return None;
    }
    match String::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..at]
                .iter()
                .filter(|byte| **byte == b'\n')
                .count()
                + 1;
            let message = format!("line {line} is not UTF-8 text");
            report.add_whole(codes::NOT_UTF8, message, "save the file as UTF-8");
            None
        }
    }
}

/// The folder of drop-ins of the config at `path`.
pub(crate) fn drop_in_dir(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).join("conf.d")
}

/// The drop-ins in lexical order, or why the folder cannot be read. What editors leave behind
/// (hidden files, other endings) is no drop-in.
fn drop_ins(path: &Path) -> Result<Vec<PathBuf>, String> {
    let dir = drop_in_dir(path);
    let read = || -> io::Result<Vec<PathBuf>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&dir)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().as_encoded_bytes();
            if name.ends_with(b".toml") && !name.starts_with(b".") {
                names.push(path);
            }
        }
        names.sort();
        Ok(names)
    };
    match read() {
        Ok(names) => Ok(names),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => {
            let shown = dir.display().to_string();
            Err(format!(
                "cannot look for drop-ins in {}: {error}",
                untrusted(&shown)
            ))
        }
    }
}

/// Who else than intended may do what with the file, or `None` if it is closed enough.
pub(crate) fn looseness(metadata: &Metadata, access: Access) -> Option<String> {
    judge(metadata.mode(), metadata.uid(), own_uid(), access)
}

fn judge(mode: u32, owner: u32, own: Option<u32>, access: Access) -> Option<String> {
    let shown = mode & 0o7777;
    match access {
        Access::Any => return None,
        Access::Private if mode & 0o006 == 0o004 => {
            return Some(format!("is readable by everybody (mode {shown:04o})"));
        }
        Access::Guarded | Access::Private => {}
    }
    if mode & 0o002 != 0 {
        return Some(format!("is writable by everybody (mode {shown:04o})"));
    }
    if mode & 0o020 != 0 {
        return Some(format!("is writable by its group (mode {shown:04o})"));
    }
    if owner != 0 && own.is_some_and(|own| own != owner) {
        return Some(format!(
            "belongs to user id {owner}, which is neither root nor the daemon's (mode {shown:04o})"
        ));
    }
    None
}

/// Our effective user id, or `None` where the kernel does not tell it this way.
fn own_uid() -> Option<u32> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let ids = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    ids.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_root_and_the_daemon_may_write() {
        let me = Some(1000);
        for (mode, owner) in [
            (0o100644, 0),
            (0o100640, 0),
            (0o100600, 1000),
            (0o100444, 1000),
        ] {
            assert_eq!(
                judge(mode, owner, me, Access::Guarded),
                None,
                "{mode:o} {owner}"
            );
        }
        for (mode, owner) in [
            (0o100664, 0),
            (0o100646, 0),
            (0o100666, 1000),
            (0o100644, 1001),
        ] {
            assert!(
                judge(mode, owner, me, Access::Guarded).is_some(),
                "{mode:o} {owner}"
            );
            assert_eq!(judge(mode, owner, me, Access::Any), None);
        }
        assert_eq!(
            judge(0o644, 1001, None, Access::Guarded),
            None,
            "our own id is not known"
        );
    }

    #[test]
    fn a_private_file_is_read_by_its_group_at_most() {
        for mode in [0o100640, 0o100600, 0o100440, 0o100400] {
            assert_eq!(
                judge(mode, 0, Some(1000), Access::Private),
                None,
                "{mode:o}"
            );
        }
        for mode in [0o100644, 0o100660, 0o100604, 0o100666] {
            assert!(
                judge(mode, 0, Some(1000), Access::Private).is_some(),
                "{mode:o}"
            );
        }
    }

    #[test]
    fn the_kernel_tells_our_own_id() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let owner = file.as_file().metadata().unwrap().uid();
        if Path::new("/proc/self/status").exists() {
            assert_eq!(own_uid(), Some(owner));
        }
    }
}
