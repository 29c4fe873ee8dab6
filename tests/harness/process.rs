//! The daemon as a process: its environment, its log, signals to it and how it ends; configs that
//! are not the plain one, and plugins that are not for use.

use crate::{World, binary, plugins};
use serde_json::Value;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long a daemon may take to end: its own bound is 20 s, the rest is for a busy machine.
const END_TIME: Duration = Duration::from_secs(60);

/// How long a line of the log may take to come.
const LOG_TIME: Duration = Duration::from_secs(60);

/// The plugin of this name that nuncio ships.
pub fn plugin(name: &str) -> PathBuf {
    plugins().join(format!("{name}.wasm"))
}

/// The guest that misbehaves as its settings say.
pub fn hostile_guest() -> PathBuf {
    let folder = std::env::var_os("NUNCIO_TEST_PLUGINS_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/test-plugins"),
        PathBuf::from,
    );
    folder.join("hostile-guest.wasm")
}

/// The key file of a service account that the worlds of this process do not know: that of a fake
/// Workspace in another process, where another key is made.
pub fn foreign_key(folder: &Path) -> String {
    let mut server = Command::new(binary("fake-workspace"))
        .args(["serve", "--listen", "127.0.0.1:0", "--users", "1"])
        .args(["--messages", "0", "--dir"])
        .arg(folder)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the fake Workspace can be started");
    let mut line = String::new();
    let out = server.stdout.take().expect("stdout is a pipe");
    // The line comes when the key is written.
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line)
        .expect("the fake Workspace tells where it is");
    server.kill().expect("a child can be killed");
    server.wait().expect("a killed child ends");
    std::fs::read_to_string(folder.join("service-account.json")).expect("it writes its key")
}

/// What a process has used.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// Resident memory now, in bytes.
    pub resident: u64,
    /// Processor time since its start.
    pub cpu: Duration,
}

impl World {
    /// What the daemon has used, by Linux's `/proc`.
    pub fn daemon_usage(&self) -> Usage {
        let daemon = self.daemon.as_ref().expect("a daemon was started");
        let read = |file: &str| {
            std::fs::read_to_string(format!("/proc/{}/{file}", daemon.id()))
                .expect("Linux tells of processes")
        };
        let status = read("status");
        let resident = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok())
            .expect("it tells the resident memory");
        // Behind the name in brackets, user and system time are the 12th and 13th, in ticks of
        // 10 ms.
        let stat = read("stat");
        let (_, rest) = stat.rsplit_once(')').expect("it tells the name");
        let ticks = rest.split_whitespace().skip(11).take(2);
        let ticks: u64 = ticks.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        Usage {
            resident: resident * 1_024,
            cpu: Duration::from_millis(ticks * 10),
        }
    }

    /// Writes the config.
    pub fn write_config(&self, text: &str) {
        std::fs::write(self.path("nuncio.toml"), text).expect("the config can be written");
    }

    /// Replaces a part of the config that must be there.
    ///
    /// # Panics
    /// If it is not there, or several times.
    pub fn change_config(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path("nuncio.toml")).expect("there is a config");
        assert_eq!(text.matches(from).count(), 1, "{from} in {text}");
        self.write_config(&text.replace(from, to));
    }

    /// The config up to the users, who come with [`World::append_config`]; `google` are more
    /// lines of its section.
    pub fn config_without_users(&self, google: &str) -> String {
        format!(
            "[google]\nservice_account_key = \"file:{}\"\nendpoint = \"{}\"\nquota = \"off\"\n{google}\n\
             [sync]\nsources = [\"gmail\"]\nsince = \"all\"\npoll_interval = \"200ms\"\n[plugins]\ndir = \"{}\"\n",
            self.workspace.key_path().display(),
            self.workspace.base(),
            plugins().display(),
        )
    }

    /// The lines of a sink that writes into the folder of its name.
    pub fn sink_lines(&self, name: &str) -> String {
        format!(
            "[sinks.{name}]\nplugin = \"{name}.wasm\"\n[sinks.{name}.grants]\n\
             dirs = [{{ guest = \"/out\", host = \"{}\", mode = \"rw\" }}]\n",
            self.path(name).display()
        )
    }

    /// The lines of a sink with the guest that misbehaves; `settings` as in TOML.
    pub fn hostile_lines(&self, name: &str, settings: &str) -> String {
        format!(
            "[sinks.{name}]\nplugin = \"{}\"\nsettings = {settings}\n\
             limits = {{ call_time = \"10m\", log = \"100000/min\" }}\n",
            hostile_guest().display()
        )
    }

    /// `nuncio` with another state folder and socket than the world's own.
    pub fn nuncio_at(&self, state: &Path, socket: &Path) -> Command {
        self.nuncio_with(&self.path("nuncio.toml"), state, socket)
    }

    pub(crate) fn nuncio_with(&self, config: &Path, state: &Path, socket: &Path) -> Command {
        let mut command = Command::new(binary("nuncio"));
        command
            .arg("--config")
            .arg(config)
            .arg("--state-dir")
            .arg(state)
            .arg("--socket")
            .arg(socket)
            .stdin(Stdio::null());
        // The roots that the daemon trusts instead of the machine's.
        if let Some(ca) = self.workspace.ca_path() {
            command.env("SSL_CERT_FILE", ca);
        }
        command
    }

    /// Starts the daemon with such a filter for its log.
    pub fn start_daemon_logging(&mut self, filter: &str) {
        self.start_daemon_with(|command| {
            command.env("NUNCIO_LOG", filter);
        });
    }

    /// Starts the daemon, its command changed by `set`.
    pub fn start_daemon_with(&mut self, set: impl FnOnce(&mut Command)) {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.path("nuncio.log"))
            .expect("the log can be made");
        let mut command = self.nuncio();
        command.arg("run").stderr(log);
        set(&mut command);
        self.daemon = Some(command.spawn().expect("nuncio can be started"));
    }

    /// All that daemons of this world have logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("nuncio.log")).unwrap_or_default()
    }

    /// Waits until the log holds `text`.
    ///
    /// # Panics
    /// If it does not come.
    pub async fn wait_for_log(&self, text: &str) {
        let deadline = Instant::now() + LOG_TIME;
        while !self.log().contains(text) {
            assert!(
                Instant::now() < deadline,
                "`{text}` was not logged:\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Whether the daemon has not ended.
    pub fn daemon_runs(&mut self) -> bool {
        let daemon = self.daemon.as_mut().expect("a daemon was started");
        daemon.try_wait().expect("a child can be asked").is_none()
    }

    /// Sends the daemon a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let daemon = self.daemon.as_ref().expect("a daemon was started");
        // The shell's own `kill`, which is there where the program may not be.
        let sent = Command::new("sh")
            .args(["-c", &format!("kill -{name} {}", daemon.id())])
            .status()
            .expect("a shell can be run");
        assert!(sent.success(), "no signal {name} for the daemon");
    }

    /// Waits until the daemon ends; its exit code, or 128 and the signal that ended it.
    ///
    /// # Panics
    /// If it does not end.
    pub async fn ended(&mut self) -> i32 {
        let deadline = Instant::now() + END_TIME;
        while self.daemon_runs() {
            assert!(
                Instant::now() < deadline,
                "the daemon does not end:\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mut daemon = self.daemon.take().expect("a daemon was started");
        let status = daemon.wait().expect("a child that ended can be waited for");
        status
            .code()
            .or(status.signal().map(|signal| 128 + signal))
            .expect("a process ends by a code or a signal")
    }

    /// Ends the daemon in order.
    pub async fn stop_daemon(&mut self) -> i32 {
        self.signal("TERM");
        self.ended().await
    }

    /// What `status` shows of a user.
    ///
    /// # Panics
    /// If it shows no such user.
    pub fn shown_user<'a>(&self, status: &'a Value, email: &str) -> &'a Value {
        let users = status["users"].as_array().expect("users are a list");
        users
            .iter()
            .find(|user| user["email"] == email)
            .unwrap_or_else(|| panic!("{email} is not in {status:#}"))
    }

    /// What `status` shows of a sink.
    ///
    /// # Panics
    /// If it shows no such sink.
    pub fn shown_sink<'a>(&self, status: &'a Value, name: &str) -> &'a Value {
        let sinks = status["sinks"].as_array().expect("sinks are a list");
        sinks
            .iter()
            .find(|sink| sink["name"] == name)
            .unwrap_or_else(|| panic!("{name} is not in {status:#}"))
    }

    /// The most memory that the daemon ever had, in bytes (`proc_pid_status(5)`, `VmHWM`).
    ///
    /// # Panics
    /// If no daemon runs, or this system tells nothing.
    pub fn daemon_peak_bytes(&self) -> u64 {
        let daemon = self.daemon.as_ref().expect("a daemon runs");
        let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.id()));
        let status = status.expect("the system tells of its processes");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix("kB"));
        let kilobytes: Option<u64> = kilobytes.and_then(|number| number.trim().parse().ok());
        kilobytes.expect("a peak is a number") * 1_024
    }

    /// Whether the Maildir of an account holds exactly the messages that the user has at Google.
    pub fn holds_all_mail(&self, key: &str, user: &str) -> bool {
        let truth = self.google("truth", &serde_json::json!({ "user": user }));
        let messages = truth["messages"].as_array().expect("messages are a list");
        let at_google: std::collections::BTreeSet<&str> = messages
            .iter()
            .filter_map(|message| message["id"].as_str())
            .collect();
        let archived = self.maildir(key);
        archived.len() == at_google.len()
            && archived.keys().all(|id| at_google.contains(id.as_str()))
    }
}
