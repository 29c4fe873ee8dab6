//! The config as a file: reading it whole, and who else could have written it. Nothing about its
//! content.

use crate::codes;
use crate::report::Report;
use crate::{Config, Errors};
use nuncio_model::untrusted;
use std::fs::{self, File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

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

/// Reads and judges the config at `path`; problems of the file and of its content come together.
pub(crate) fn load(path: &Path) -> Result<Config, Errors> {
    let name = path.display().to_string();
    let mut report = Report::new(&name, "");
    let text = read(path, &mut report);
    refuse_drop_ins(path, &mut report);
    let parsed = text.as_ref().map(|text| Config::parse(&name, text));
    match parsed {
        Some(Ok(config)) if report.is_clean() => Ok(config),
        Some(Err(errors)) => {
            let mut problems = report.into_errors().into_problems();
            problems.extend(errors.into_problems());
            Err(Errors::new(problems))
        }
        _ => Err(report.into_errors()),
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

/// A drop-in that is there but not read would be a silent loss of users and sinks.
fn refuse_drop_ins(path: &Path, report: &mut Report<'_>) {
    let dir = path.parent().unwrap_or(Path::new("")).join("conf.d");
    let entries = match fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
        Err(error) => {
            let shown = dir.display().to_string();
            let message = format!("cannot look for drop-ins in {}: {error}", untrusted(&shown));
            report.add_whole(codes::DROP_INS, message, "remove it or make it readable");
            return;
        }
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| Some(entry.ok()?.path().to_string_lossy().into_owned()))
        .filter(|name| name.ends_with(".toml"))
        .collect();
    names.sort();
    if !names.is_empty() {
        let shown: Vec<String> = names
            .iter()
            .map(|name| untrusted(name).to_string())
            .collect();
        let message = format!(
            "drop-ins are not built yet in this release, and would be ignored: {}",
            shown.join(", ")
        );
        report.add_whole(
            codes::DROP_INS,
            message,
            "move their content into the main file and remove them",
        );
    }
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
