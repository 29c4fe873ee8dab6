//! Files of the state folder that nobody else may read: written whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Makes a folder for the daemon's user only, unless it is there.
///
/// # Errors
/// Of the disk.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Puts a file with `content` in the place of the one at `path`. `before` sees the new file, by its
/// path, before it counts.
///
/// # Errors
/// Of the disk; the old file is then still there.
pub(crate) fn replace(
    path: &Path,
    content: &[u8],
    before: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<()> {
    let unfinished = path.with_extension("new");
    // What was left half-written: made anew, so that its mode is ours.
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&unfinished)?;
    file.write_all(content)?;
    file.sync_all()?;
    before(&unfinished)?;
    fs::rename(&unfinished, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_is_private_and_the_old_one_stays_if_the_new_one_fails() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        fs::write(dir.path().join("a.new"), "half").unwrap();
        replace(&path, b"one", |_| Ok(())).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let failed = replace(&path, b"two", |new| {
            assert_eq!(fs::read(new)?, b"two");
            Err(io::Error::other("no"))
        });
        assert!(failed.is_err());
        assert_eq!(fs::read(&path).unwrap(), b"one");
    }
}
