//! The harness of the process-level tests: starts the fake Workspace and the real daemon in a
//! temporary folder, asks both, and waits on states. What is to be true is in the scenarios.

mod domain;
mod events;
mod files;
mod kill;
mod login;
mod mailbox;
mod process;
mod sinks;
mod soak;

pub use events::Events;
pub use files::{Held, domain_is_live};
pub use kill::{Aim, Hit, Moment, Tally};
pub use login::LoggedIn;
pub use process::{Usage, foreign_key, hostile_guest, plugin};
pub use sinks::{Differences, is_idle};
pub use soak::soak;

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// Lines of the log that a failing test prints.
const LOG_LINES: usize = 200;

/// Long enough for all patience with Google together; only a broken daemon takes it.
const PATIENCE: Duration = Duration::from_secs(300);

/// A folder with a fake Workspace and, once started, a daemon.
pub struct World {
    folder: tempfile::TempDir,
    /// The fake Workspace.
    pub workspace: fake_workspace::Server,
    daemon: Option<Child>,
}

/// Where the built binary of this name is.
pub fn binary(name: &str) -> PathBuf {
    let folder = std::env::var_os("NUNCIO_BIN_DIR").map_or_else(
        || {
            let test = std::env::current_exe().expect("a running test has a path");
            let deps = test
                .parent()
                .and_then(Path::parent)
                .expect("target/PROFILE/deps/TEST");
            deps.to_path_buf()
        },
        PathBuf::from,
    );
    folder.join(name)
}

/// Where the plugins are.
fn plugins() -> PathBuf {
    std::env::var_os("NUNCIO_PLUGINS_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/plugins"),
        PathBuf::from,
    )
}

impl World {
    /// Starts a fake Workspace with so many users and mails.
    pub async fn start(users: usize, messages: usize, seed: u64) -> Self {
        Self::start_with(|options| {
            (options.users, options.messages, options.seed) = (users, messages, seed);
        })
        .await
    }

    /// Starts a fake Workspace with these options.
    pub async fn start_with(set: impl FnOnce(&mut fake_workspace::Options)) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let mut options = fake_workspace::Options::new(folder.path().join("google"));
        set(&mut options);
        let workspace = fake_workspace::Server::start(options)
            .await
            .expect("the fake Workspace starts");
        for part in ["state", "archive", "jsonl"] {
            std::fs::create_dir_all(folder.path().join(part)).expect("a folder can be made");
        }
        Self {
            folder,
            workspace,
            daemon: None,
        }
    }

    /// A path in the world's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The addresses of all users of the Workspace.
    pub fn users(&self) -> Vec<String> {
        self.workspace
            .users()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    /// Runs an operation of the fake Workspace.
    pub fn google(&self, op: &str, question: &Value) -> Value {
        self.workspace
            .admin(op, question)
            .expect("the fake Workspace carries it out")
    }

    /// Writes a config for all users with the sinks `archive` and `jsonl`.
    pub fn configure(&self) {
        self.configure_for(&self.users());
    }

    /// As [`World::configure`], for these users only.
    pub fn configure_for(&self, users: &[String]) {
        let mut text = format!(
            "[google]\nservice_account_key = \"file:{}\"\nendpoint = \"{}\"\nquota = \"off\"\n\
             [sync]\nsources = [\"gmail\"]\nsince = \"all\"\npoll_interval = \"200ms\"\n[plugins]\ndir = \"{}\"\n",
            self.workspace.key_path().display(),
            self.workspace.base(),
            plugins().display(),
        );
        for user in users {
            text.push_str(&format!("[[users]]\nemail = \"{user}\"\n"));
        }
        for sink in ["archive", "jsonl"] {
            text.push_str(&format!(
                "[sinks.{sink}]\nplugin = \"{sink}.wasm\"\n[sinks.{sink}.grants]\n\
                 dirs = [{{ guest = \"/out\", host = \"{}\", mode = \"rw\" }}]\n",
                self.path(sink).display()
            ));
        }
        std::fs::write(self.path("nuncio.toml"), text).expect("the config can be written");
    }

    /// Adds lines to the end of the config.
    pub fn append_config(&self, text: &str) {
        let path = self.path("nuncio.toml");
        let mut config = std::fs::read_to_string(&path).expect("the config can be read");
        config.push_str(text);
        std::fs::write(path, config).expect("the config can be written");
    }

    fn nuncio(&self) -> Command {
        self.nuncio_at(&self.path("state"), &self.path("admin.sock"))
    }

    /// Runs one command: exit code, stdout, stderr.
    pub fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        self.run_with("nuncio.toml", arguments)
    }

    /// As [`World::run`], with another config in the world's folder.
    pub fn run_with(&self, config: &str, arguments: &[&str]) -> (i32, String, String) {
        let (state, socket) = (self.path("state"), self.path("admin.sock"));
        let output = self
            .nuncio_with(&self.path(config), &state, &socket)
            .args(arguments)
            .output()
            .expect("nuncio can be run");
        (
            output.status.code().unwrap_or(-1),
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    }

    /// Starts the daemon.
    pub fn start_daemon(&mut self) {
        self.start_daemon_with(|_| {});
    }

    /// Ends the daemon without warning, as a power cut would.
    pub fn kill_daemon(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.kill().expect("a child can be killed");
            daemon.wait().expect("a killed child ends");
        }
    }

    /// The daemon's status; none while it does not answer.
    pub fn status(&self) -> Option<Value> {
        let (code, out, _) = self.run(&["status", "--json"]);
        (code == 0).then(|| serde_json::from_str(&out).expect("status is JSON"))
    }

    /// Waits until `is_there` holds of the status; panics with what it saw last.
    pub async fn wait(&self, what: &str, is_there: impl Fn(&Value) -> bool) -> Value {
        self.wait_within(what, PATIENCE, is_there).await
    }

    /// As [`World::wait`], for what is a lot of work.
    pub async fn wait_long(&self, what: &str, is_there: impl Fn(&Value) -> bool) -> Value {
        self.wait_within(what, PATIENCE * 6, is_there).await
    }

    async fn wait_within(
        &self,
        what: &str,
        patience: Duration,
        is_there: impl Fn(&Value) -> bool,
    ) -> Value {
        let deadline = Instant::now() + patience;
        let mut last = json!(null);
        while Instant::now() < deadline {
            if let Some(status) = self.status() {
                if is_there(&status) {
                    return status;
                }
                last = status;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let log = self.log_tail();
        panic!("{what} did not happen; last status: {last:#}\nlog:\n{log}");
    }

    /// The last lines of the daemon's log.
    pub fn log_tail(&self) -> String {
        let log = std::fs::read_to_string(self.path("nuncio.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }

    /// Sorted file names and contents of a user's Maildir, by message id.
    pub fn maildir(&self, key: &str) -> std::collections::BTreeMap<String, Vec<u8>> {
        let folder = self.path("archive").join(key).join("cur");
        let Ok(entries) = std::fs::read_dir(folder) else {
            return Default::default();
        };
        entries
            .map(|entry| {
                let path = entry.expect("a folder can be read").path();
                let name = path
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                let id = name.split(':').next().unwrap_or_default().to_owned();
                (id, std::fs::read(path).expect("a mail can be read"))
            })
            .collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            drop(daemon.kill());
            drop(daemon.wait());
        }
    }
}
