//! Notices that the files of the config changed, in whatever way editors, configuration managers
//! and ConfigMaps change files: written in place, replaced by renaming, a link that points
//! elsewhere. Files with secrets that it names are watched as well. What is in all these is not looked
//! at here.

use super::Order;
use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind, RecursiveMode, Watcher};
use nuncio_config::Files;
use std::convert::Infallible;
use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Files that were still for so long are looked at.
const QUIET: Duration = Duration::from_millis(50);

/// Files that are never still are looked at all the same.
const LONGEST: Duration = Duration::from_secs(2);

/// How often the files are looked at without a notice, since notices can be lost and some file
/// systems give none.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// What was noticed of the folders.
#[derive(Debug, Default)]
struct Noticed {
    news: Notify,
    state: Mutex<State>,
}

#[derive(Debug, Default, Clone, Copy)]
struct State {
    /// Whether a file was written to and not closed since.
    is_being_written: bool,
    n_events: u64,
}

impl Noticed {
    fn state(&self) -> State {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, kind: EventKind) {
        let is_being_written = match kind {
            EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Any) => true,
            EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Create(_)
            | EventKind::Remove(_)
            | EventKind::Modify(_) => false,
            EventKind::Access(_) | EventKind::Any | EventKind::Other => return,
        };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.is_being_written = is_being_written;
        state.n_events += 1;
        drop(state);
        self.news.notify_one();
    }

    /// Waits until nothing happens any more and no file is half-written, but not for ever.
    async fn quiet(&self) {
        let give_up = Instant::now() + LONGEST;
        loop {
            let before = self.state();
            tokio::time::sleep_until(give_up.min(Instant::now() + QUIET)).await;
            let after = self.state();
            let is_quiet = before.n_events == after.n_events && !after.is_being_written;
            if is_quiet || Instant::now() >= give_up {
                return;
            }
        }
    }
}

/// What is watched.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    /// The config.
    pub path: PathBuf,
    /// Files with secrets, as the config in force names them.
    pub secrets: Arc<Mutex<Vec<PathBuf>>>,
}

/// What the files were like.
#[derive(Debug, PartialEq, Eq)]
struct Looks {
    hash: Option<String>,
    /// Of each secret, if it is there.
    secrets: Vec<(PathBuf, Option<SecretLooks>)>,
}

/// What a file is like without reading it.
#[derive(Debug, PartialEq, Eq)]
struct SecretLooks {
    inode: u64,
    size: u64,
    /// Seconds and nanoseconds.
    changed: (i64, i64),
}

impl Watched {
    fn secrets(&self) -> Vec<PathBuf> {
        let secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        secrets.clone()
    }

    async fn look(&self) -> Looks {
        let watched = self.clone();
        let looks = tokio::task::spawn_blocking(move || {
            let files = Files::on_disk(&watched.path);
            let secrets = watched.secrets().into_iter().map(|path| {
                let metadata = std::fs::metadata(&path).ok();
                let looks = metadata.map(|metadata| SecretLooks {
                    inode: metadata.ino(),
                    size: metadata.size(),
                    changed: (metadata.mtime(), metadata.mtime_nsec()),
                });
                (path, looks)
            });
            Looks {
                hash: files.map(|files| files.hash()),
                secrets: secrets.collect(),
            }
        });
        looks.await.unwrap_or(Looks {
            hash: None,
            secrets: Vec::new(),
        })
    }
}

/// Orders a reload whenever the files are other than those of the config with `hash`, and than
/// those of the last order, until `stop`.
pub(crate) async fn watch(
    watched: Watched,
    hash: String,
    orders: mpsc::Sender<Order>,
    stop: CancellationToken,
) -> Result<(), Infallible> {
    let noticed = Arc::new(Noticed::default());
    let mut last = watched.look().await;
    last.hash = Some(hash);
    let mut folders = Folders::new(&watched, &noticed);
    loop {
        folders.follow();
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = noticed.news.notified() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = noticed.quiet() => {}
        }
        let looks = watched.look().await;
        if looks == last {
            continue;
        }
        last = looks;
        let order = Order::Reload {
            approved: None,
            reply: None,
        };
        if orders.send(order).await.is_err() {
            return Ok(());
        }
    }
}

/// The folders in which the config's files stand.
struct Folders {
    files: Watched,
    watcher: Option<notify::RecommendedWatcher>,
    watched: Vec<PathBuf>,
}

impl Folders {
    fn new(files: &Watched, noticed: &Arc<Noticed>) -> Self {
        let (noticed, concerned) = (Arc::clone(noticed), files.clone());
        let watcher =
            notify::recommended_watcher(move |event: notify::Result<Event>| match event {
                Ok(event) if event.paths.iter().any(|path| concerns(&concerned, path)) => {
                    noticed.note(event.kind);
                }
                Ok(_) => {}
                Err(error) => tracing::debug!(%error, "a notice of a folder was lost"),
            });
        let watcher = watcher.map_err(|error| {
            tracing::warn!(
                %error,
                every = ?LOOK_EVERY,
                "the config's folder cannot be watched; the files are looked at now and then"
            );
        });
        Self {
            files: files.clone(),
            watcher: watcher.ok(),
            watched: Vec::new(),
        }
    }

    /// Watches the folders as they are now: links may point elsewhere, drop-ins may be new.
    fn follow(&mut self) {
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        let path = &self.files.path;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let mut folders = vec![folder.join("conf.d"), folder];
        // What a link points to changes elsewhere.
        let target = std::fs::canonicalize(path).ok();
        folders.extend(target.and_then(|target| target.parent().map(Path::to_owned)));
        let secrets = self.files.secrets();
        folders.extend(
            secrets
                .iter()
                .filter_map(|path| path.parent().map(Path::to_owned)),
        );
        folders.sort();
        folders.dedup();
        folders.retain(|folder| folder.is_dir());
        for gone in self.watched.iter().filter(|old| !folders.contains(old)) {
            if let Err(error) = watcher.unwatch(gone) {
                tracing::debug!(%error, "a folder is not watched any more");
            }
        }
        // A folder that was replaced by another one of the same name has to be watched anew, and
        // watching one again costs nothing.
        for folder in &folders {
            if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) {
                tracing::warn!(folder = %folder.display(), %error, "a folder cannot be watched");
            }
        }
        self.watched = folders;
    }
}

/// Whether a change of `path` may be one of the config at `main`: the file, what stands for it,
/// its drop-ins, or the hidden links by which ConfigMaps are replaced; or of a secret.
fn concerns(files: &Watched, path: &Path) -> bool {
    let main = &files.path;
    let Some(name) = path.file_name() else {
        return false;
    };
    let is_drop_in = |path: &Path| {
        let folder = path.parent().and_then(Path::file_name);
        folder == Some(OsStr::new("conf.d"))
    };
    Some(name) == main.file_name()
        || name == "conf.d"
        || name.as_encoded_bytes().starts_with(b"..")
        || is_drop_in(path)
        || std::fs::canonicalize(main).is_ok_and(|target| target == path)
        || files.secrets().iter().any(|secret| secret == path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A watched config, and the orders that come.
    struct World {
        dir: tempfile::TempDir,
        orders: mpsc::Receiver<Order>,
        tasks: tokio::task::JoinSet<Result<(), Infallible>>,
    }

    impl World {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("nuncio.toml");
            fs::write(&path, "one").unwrap();
            Self::watching(dir, path)
        }

        fn watching(dir: tempfile::TempDir, path: PathBuf) -> Self {
            let (sender, orders) = mpsc::channel(16);
            let hash = Files::on_disk(&path).unwrap().hash();
            let mut tasks = tokio::task::JoinSet::new();
            let secrets = Arc::new(Mutex::new(vec![dir.path().join("secret")]));
            let watched = Watched { path, secrets };
            tasks.spawn(watch(watched, hash, sender, CancellationToken::new()));
            Self { dir, orders, tasks }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.dir.path().join(name)
        }

        /// Whether an order comes, sooner than by looking without a notice.
        async fn is_ordered(&mut self) -> bool {
            let order = tokio::time::timeout(LOOK_EVERY / 2, self.orders.recv()).await;
            assert!(self.tasks.try_join_next().is_none(), "the watch goes on");
            matches!(order, Ok(Some(Order::Reload { .. })))
        }

        /// Whether none comes for as long as a change would take to be seen.
        async fn is_still(&mut self) -> bool {
            tokio::time::timeout(4 * QUIET, self.orders.recv())
                .await
                .is_err()
        }
    }

    #[tokio::test]
    async fn a_file_written_in_place_replaced_removed_and_made_again_is_noticed() {
        let mut world = World::new();
        let path = world.path("nuncio.toml");
        // The first write may come before the folder is watched, so it is repeated.
        let mut n = 0;
        loop {
            n += 1;
            fs::write(&path, format!("two {n}")).unwrap();
            let order = tokio::time::timeout(4 * QUIET, world.orders.recv());
            if order.await.is_ok() {
                break;
            }
        }
        while !world.is_still().await {}
        let new = world.path(".nuncio.toml.new");
        fs::write(&new, "three").unwrap();
        assert!(world.is_still().await, "another file");
        fs::rename(&new, &path).unwrap();
        assert!(world.is_ordered().await, "replaced");
        fs::remove_file(&path).unwrap();
        assert!(world.is_ordered().await, "removed");
        fs::write(&path, "four").unwrap();
        assert!(world.is_ordered().await, "made again");
        fs::write(&path, "four").unwrap();
        assert!(world.is_still().await, "the same content");
        fs::create_dir(world.path("conf.d")).unwrap();
        assert!(world.is_still().await, "an empty folder");
        fs::write(world.path("conf.d/10.toml"), "five").unwrap();
        assert!(world.is_ordered().await, "a first drop-in");
        fs::write(world.path("conf.d/10.toml"), "six").unwrap();
        assert!(world.is_ordered().await, "a drop-in");
        fs::write(world.path("secret"), "one").unwrap();
        assert!(world.is_ordered().await, "a secret");
        fs::write(world.path("new"), "two").unwrap();
        fs::rename(world.path("new"), world.path("secret")).unwrap();
        assert!(world.is_ordered().await, "a secret that is replaced");
    }

    #[tokio::test]
    async fn a_link_that_is_swapped_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for (version, text) in [("..1", "one"), ("..2", "two")] {
            fs::create_dir(at(version)).unwrap();
            fs::write(at(version).join("nuncio.toml"), text).unwrap();
        }
        let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, at(name)).unwrap();
        link("..1", "..data");
        link("..data/nuncio.toml", "nuncio.toml");
        link("..2", "..data_tmp");
        let (tmp, data) = (at("..data_tmp"), at("..data"));
        let path = at("nuncio.toml");
        let mut world = World::watching(dir, path);
        assert!(world.is_still().await);
        fs::rename(tmp, data).unwrap();
        assert!(world.is_ordered().await);
    }

    #[tokio::test]
    async fn a_file_that_is_being_written_is_looked_at_when_it_is_closed() {
        use std::io::Write;
        let mut world = World::new();
        assert!(world.is_still().await);
        let mut file = fs::File::create(world.path("nuncio.toml")).unwrap();
        file.write_all(b"ha").unwrap();
        file.sync_all().unwrap();
        assert!(world.is_still().await, "half-written");
        file.write_all(b"lf").unwrap();
        drop(file);
        assert!(world.is_ordered().await);
        assert!(world.is_still().await, "once");
    }
}
