//! File operations under the archive's folder, each with an error that says what was
//! attempted. Not here: any decision on what to write. Tests can let the nth operation fail
//! and read which operations were made.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Bytes copied at a time.
const COPY_BYTES: usize = 64 * 1024;

/// A file operation that failed. Paths are made from ids only.
#[derive(Debug)]
pub(crate) struct Error {
    doing: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "cannot {} {}: {}",
            self.doing,
            self.path.display(),
            self.source
        )
    }
}

/// Why a file was not written.
#[derive(Debug)]
pub(crate) enum WriteFailure {
    /// Its content could not be read.
    Content(io::Error),
    /// The disk refused.
    Disk(Error),
}

/// An operation that changes the disk or makes it durable.
#[cfg(test)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    CreateDirectory(PathBuf),
    Write(PathBuf),
    SyncFile(PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    SyncDirectory(PathBuf),
}

/// The disk, as far as the archive uses it. All paths are relative to its root.
#[derive(Debug)]
pub(crate) struct Disk {
    root: PathBuf,
    /// The operations so far, and how many still work.
    #[cfg(test)]
    pub(crate) steps: std::cell::RefCell<Vec<Step>>,
    #[cfg(test)]
    pub(crate) steps_left: std::cell::Cell<Option<usize>>,
    /// Whether writing fails, and nothing else.
    #[cfg(test)]
    pub(crate) is_full: std::cell::Cell<bool>,
    /// Whether syncing is only recorded: for tests that need thousands of steps.
    #[cfg(test)]
    pub(crate) skips_sync: std::cell::Cell<bool>,
}

/// Records an operation and, in tests, may let it fail.
macro_rules! step {
    ($disk:expr, $doing:expr, $path:expr, $step:expr) => {
        #[cfg(test)]
        $disk
            .step($step)
            .map_err(|source| $disk.error($doing, $path, source))?;
    };
}

impl Disk {
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            #[cfg(test)]
            steps: std::cell::RefCell::default(),
            #[cfg(test)]
            steps_left: std::cell::Cell::default(),
            #[cfg(test)]
            is_full: std::cell::Cell::default(),
            #[cfg(test)]
            skips_sync: std::cell::Cell::default(),
        }
    }

    /// Makes a folder and those above it; it may be there.
    pub(crate) fn create_directory(&self, path: &Path) -> Result<(), Error> {
        step!(self, "create", path, Step::CreateDirectory(path.to_owned()));
        fs::create_dir_all(self.root.join(path))
            .map_err(|source| self.error("create", path, source))
    }

    /// Writes a new file, replacing one that an interrupted call left, and returns once its
    /// bytes are on stable storage. Its name is durable only after [`Self::sync_directory`].
    pub(crate) fn write(&self, path: &Path, mut content: impl Read) -> Result<(), WriteFailure> {
        let failed = |source| WriteFailure::Disk(self.error("write", path, source));
        let mut file = self.create_new(path).map_err(failed)?;
        #[cfg(test)]
        if let Err(source) = self.step(Step::Write(path.to_owned())) {
            io::copy(&mut content.take(3), &mut file).map_err(failed)?;
            return Err(failed(source));
        }
        let mut buffer = vec![0; COPY_BYTES];
        loop {
            let n_bytes = match content.read(&mut buffer) {
                Ok(0) => break,
                Ok(n_bytes) => n_bytes,
                Err(error) => return Err(WriteFailure::Content(error)),
            };
            file.write_all(&buffer[..n_bytes]).map_err(failed)?;
        }
        self.sync_file(&file, path).map_err(WriteFailure::Disk)
    }

    /// Makes a file's bytes durable.
    fn sync_file(&self, file: &File, path: &Path) -> Result<(), Error> {
        step!(self, "sync", path, Step::SyncFile(path.to_owned()));
        #[cfg(test)]
        if self.skips_sync.get() {
            return Ok(());
        }
        file.sync_all()
            .map_err(|source| self.error("sync", path, source))
    }

    /// A fresh file. An old one is removed rather than emptied: a call that was ended by
    /// force may still be writing to it.
    fn create_new(&self, path: &Path) -> io::Result<File> {
        let full = self.root.join(path);
        match File::create_new(&full) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                fs::remove_file(&full)?;
                File::create_new(&full)
            }
            result => result,
        }
    }

    /// Gives a file another name, replacing what has it.
    pub(crate) fn rename(&self, from: &Path, to: &Path) -> Result<(), Error> {
        step!(
            self,
            "rename",
            from,
            Step::Rename(from.to_owned(), to.to_owned())
        );
        fs::rename(self.root.join(from), self.root.join(to))
            .map_err(|source| self.error("rename", from, source))
    }

    /// Removes a file; it may be gone.
    pub(crate) fn remove(&self, path: &Path) -> Result<(), Error> {
        step!(self, "remove", path, Step::Remove(path.to_owned()));
        match fs::remove_file(self.root.join(path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(self.error("remove", path, error))
            }
            _ => Ok(()),
        }
    }

    /// Makes the names in a folder durable: those that were added, changed and removed.
    pub(crate) fn sync_directory(&self, path: &Path) -> Result<(), Error> {
        step!(self, "sync", path, Step::SyncDirectory(path.to_owned()));
        #[cfg(test)]
        if self.skips_sync.get() {
            return Ok(());
        }
        File::open(self.root.join(path))
            .and_then(|directory| directory.sync_all())
            .map_err(|source| self.error("sync", path, source))
    }

    /// Whether a file is there.
    pub(crate) fn exists(&self, path: &Path) -> Result<bool, Error> {
        self.root
            .join(path)
            .try_exists()
            .map_err(|source| self.error("look for", path, source))
    }

    /// A file's bytes; none if it is not there.
    pub(crate) fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, Error> {
        match fs::read(self.root.join(path)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.error("read", path, error)),
        }
    }

    /// Calls `each` with the name of every file in a folder.
    pub(crate) fn list(&self, path: &Path, mut each: impl FnMut(&str)) -> Result<(), Error> {
        let failed = |source| self.error("list", path, source);
        for entry in fs::read_dir(self.root.join(path)).map_err(failed)? {
            if let Some(name) = entry.map_err(failed)?.file_name().to_str() {
                each(name);
            }
        }
        Ok(())
    }

    fn error(&self, doing: &'static str, path: &Path, source: io::Error) -> Error {
        let path = if path == Path::new("") {
            self.root.clone()
        } else {
            path.to_owned()
        };
        Error {
            doing,
            path,
            source,
        }
    }

    #[cfg(test)]
    fn step(&self, step: Step) -> io::Result<()> {
        if self.is_full.get() && matches!(step, Step::Write(_)) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if let Some(left) = self.steps_left.get() {
            if left == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.steps_left.set(Some(left - 1));
        }
        self.steps.borrow_mut().push(step);
        Ok(())
    }
}
