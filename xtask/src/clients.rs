//! `cargo xtask clients`: clients of Google's APIs that others wrote, unmodified, against the fake Workspace.
//! Installs them below `target/clients`, starts one fake for each suite, and tells what came of it.
//! What is tested is in `tests/fake-workspace/clients`.

use crate::build::{binary, cargo, root, run, target};
use crate::counterparts::{Obstacle, Report, missing};
use crate::say;
use anyhow::{Context, bail};
use clap::Args;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// Run the clients of others against the fake Workspace.
#[derive(Args)]
pub(crate) struct Clients {
    /// Only suites whose name contains this.
    filter: Option<String>,
    /// Run nothing, print the Debian packages that are missing here.
    #[arg(long)]
    missing: bool,
}

/// The tests of one client.
struct Suite {
    name: &'static str,
    kit: Kit,
    /// Debian packages that it needs besides those of its kit.
    packages: &'static [&'static str],
    /// A variable that has to name a checkout of the client.
    checkout: Option<&'static str>,
    command: fn(&Places) -> Command,
}

/// What several suites run with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kit {
    Python,
    Node,
}

const SUITES: [Suite; 5] = [
    Suite {
        name: "python",
        kit: Kit::Python,
        packages: &[],
        checkout: None,
        command: |places| {
            let mut command = pytest(places, &[""]);
            for other in ["lieer", "gyb", "readme"] {
                command.arg(format!("--ignore-glob=*/test_{other}.py"));
            }
            command
        },
    },
    Suite {
        name: "node",
        kit: Kit::Node,
        packages: &[],
        checkout: None,
        command: |places| {
            let mut command = Command::new("node");
            command
                .args(["--test", "--test-concurrency=1", "--test-reporter=tap"])
                .current_dir(places.node())
                .env("NODE_OPTIONS", "--require=./hook.js");
            command
        },
    },
    Suite {
        name: "lieer",
        kit: Kit::Python,
        packages: &["notmuch"],
        checkout: None,
        command: |places| pytest(places, &["test_lieer.py"]),
    },
    Suite {
        name: "gyb",
        kit: Kit::Python,
        packages: &[],
        checkout: Some("GYB"),
        command: |places| pytest(places, &["test_gyb.py"]),
    },
    Suite {
        name: "readme",
        kit: Kit::Python,
        packages: &["curl", "jq"],
        checkout: None,
        command: |places| pytest(places, &["test_readme.py"]),
    },
];

impl Kit {
    fn name(self) -> &'static str {
        match self {
            Self::Python => "Python",
            Self::Node => "Node",
        }
    }

    /// The Debian packages that it is installed with; notmuch's Python module is built here.
    fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Python => &[
                "python3",
                "python3-venv",
                "python3-dev",
                "gcc",
                "libc6-dev",
                "libnotmuch-dev",
            ],
            Self::Node => &["nodejs", "npm"],
        }
    }

    fn install(self, places: &Places) -> anyhow::Result<()> {
        match self {
            Self::Python => install_python(places),
            Self::Node => install_node(places),
        }
    }
}

/// Where things are.
struct Places {
    sources: PathBuf,
    installed: PathBuf,
}

impl Places {
    fn python(&self) -> PathBuf {
        self.installed.join("venv/bin/python")
    }

    fn node(&self) -> PathBuf {
        self.installed.join("node")
    }

    /// Google's discovery documents, which come with its client for Python; once that is installed.
    fn documents(&self) -> Option<PathBuf> {
        let versions = std::fs::read_dir(self.installed.join("venv/lib")).ok()?;
        let inside = "site-packages/googleapiclient/discovery_cache/documents";
        let mut folders = versions
            .flatten()
            .map(|version| version.path().join(inside));
        folders.find(|folder| folder.is_dir())
    }
}

impl Clients {
    /// Who asks for the clients gets them or an error, with or without `CI`.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        if self.missing {
            return self.print_missing();
        }
        say("building the fake Workspace");
        // All of the workspace is named so that the dependencies are those of every other build.
        let fake = ["--bin", "fake-workspace"];
        run(cargo()
            .args(["build", "--release", "--workspace"])
            .args(fake))?;
        let report = run_suites(self.filter.as_deref())?;
        let summary = report.summary(true);
        if !report.is_good(true) {
            bail!("{summary}");
        }
        say(&summary);
        Ok(())
    }

    fn print_missing(&self) -> anyhow::Result<()> {
        let mut needed: Vec<&str> = Vec::new();
        for suite in SUITES
            .iter()
            .filter(|one| one.is_wanted(self.filter.as_deref()))
        {
            needed.extend(suite.needs());
        }
        needed.sort_unstable();
        needed.dedup();
        for package in missing(&needed) {
            writeln!(std::io::stdout(), "{package}")?;
        }
        Ok(())
    }
}

/// Runs the suites whose name contains `filter`, or says what they lack. The fake is built already.
pub(crate) fn run_suites(filter: Option<&str>) -> anyhow::Result<Report> {
    let places = Places {
        sources: root().join("tests/fake-workspace/clients"),
        installed: target().join("clients"),
    };
    let mut report = Report::default();
    // Asked once only: a registry that is out of reach takes its time to say so.
    let mut kits: Vec<(Kit, bool)> = Vec::new();
    for suite in SUITES.iter().filter(|suite| suite.is_wanted(filter)) {
        if let Some(obstacle) = suite.lacks() {
            report.hindered(suite.name, obstacle);
            continue;
        }
        let known = kits.iter().find(|(kit, _)| *kit == suite.kit);
        let is_installed = if let Some((_, known)) = known {
            *known
        } else {
            let installed = suite.kit.install(&places);
            if let Err(error) = &installed {
                say(&format!("{error:#}"));
            }
            kits.push((suite.kit, installed.is_ok()));
            installed.is_ok()
        };
        if is_installed {
            report.ran(suite.name, suite.passes(&places)?);
        } else {
            report.hindered(suite.name, Obstacle::Registry(suite.kit.name()));
        }
    }
    for line in report.remedies() {
        say(&line);
    }
    Ok(report)
}

impl Suite {
    fn is_wanted(&self, filter: Option<&str>) -> bool {
        filter.is_none_or(|filter| self.name.contains(filter))
    }

    fn needs(&self) -> Vec<&'static str> {
        [self.kit.packages(), self.packages].concat()
    }

    /// What has to be there before anything of it is installed.
    fn lacks(&self) -> Option<Obstacle> {
        let checkout = self
            .checkout
            .filter(|name| std::env::var_os(name).is_none_or(|value| value.is_empty()));
        if let Some(variable) = checkout {
            return Some(Obstacle::Checkout(variable));
        }
        let missing = missing(&self.needs());
        (!missing.is_empty()).then_some(Obstacle::Packages(missing))
    }

    /// Runs the suite against a fake of its own; its output is shown if it fails.
    fn passes(&self, places: &Places) -> anyhow::Result<bool> {
        let begun = Instant::now();
        let dir = places.installed.join(format!("fake-{}", self.name));
        let fake = Fake::start(&dir, places.documents().as_deref())?;
        let mut command = (self.command)(places);
        fake.describe(&mut command);
        let output = command
            .env("PYTHONPATH", places.sources.join("python"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output()
            .with_context(|| format!("cannot run {command:?}"))?;
        let (out, errors) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        let passed = output.status.success();
        if !passed {
            say(&format!("{out}{errors}"));
        }
        let seconds = begun.elapsed().as_secs();
        let verdict = if passed { "ok" } else { "FAILED" };
        say(&format!(
            "{:8} {verdict}, {}, {seconds} s",
            self.name,
            summary(&out)
        ));
        Ok(passed)
    }
}

/// What a test runner says of its own run.
fn summary(output: &str) -> String {
    let node: Vec<&str> = output
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| line.starts_with("pass ") || line.starts_with("fail "))
        .collect();
    if node.is_empty() {
        let last = output.lines().rev().find(|line| !line.trim().is_empty());
        last.unwrap_or("no output").to_owned()
    } else {
        node.join(", ")
    }
}

fn pytest(places: &Places, files: &[&str]) -> Command {
    let mut command = Command::new(places.python());
    command.args(["-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider"]);
    command.args(
        files
            .iter()
            .map(|file| places.sources.join("python").join(file)),
    );
    command
}

/// A virtual environment with exactly what `requirements.txt` says; made once for each state of that file.
fn install_python(places: &Places) -> anyhow::Result<()> {
    let list = places.sources.join("requirements.txt");
    let venv = places.installed.join("venv");
    let mark = venv.join("requirements.txt");
    if same(&list, &mark) {
        return Ok(());
    }
    say("installing the Python clients");
    remove(&venv)?;
    run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    run(Command::new(places.python())
        .args(["-m", "pip", "install", "--quiet", "--no-deps"])
        .args(["--disable-pip-version-check", "--requirement"])
        .arg(&list))?;
    copy(&list, &mark)
}

/// The Node tests beside their packages; these are installed once for each state of the lock file.
fn install_node(places: &Places) -> anyhow::Result<()> {
    let (from, to) = (places.sources.join("node"), places.node());
    let lock = "package-lock.json";
    let is_installed = same(&from.join(lock), &to.join(lock));
    std::fs::create_dir_all(&to).with_context(|| format!("cannot make {}", to.display()))?;
    let entries = std::fs::read_dir(&from).with_context(|| from.display().to_string())?;
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_file() && entry.file_name() != lock {
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    if is_installed {
        return Ok(());
    }
    say("installing the Node clients");
    copy(&from.join(lock), &to.join(lock))?;
    let installed = run(Command::new("npm")
        .args(["ci", "--silent", "--no-audit", "--no-fund"])
        .current_dir(&to));
    if installed.is_err() {
        // The next run has to try again.
        remove(&to)?;
    }
    installed
}

fn same(one: &Path, other: &Path) -> bool {
    match (std::fs::read(one), std::fs::read(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::copy(from, to)
        .map(drop)
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}

fn remove(folder: &Path) -> anyhow::Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Ok(())
}

/// A running fake with TLS; it ends when this is dropped.
struct Fake {
    child: Child,
    /// The line that it printed, in a file.
    line: PathBuf,
    described: Value,
}

impl Fake {
    fn start(dir: &Path, documents: Option<&Path>) -> anyhow::Result<Self> {
        remove(dir)?;
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let mut serve = Command::new(binary("fake-workspace"));
        serve
            .args(["serve", "--tls", "--listen", "127.0.0.1:0", "--dir"])
            .arg(dir)
            .args(["--users", "6", "--suspended", "1"])
            .args(["--messages", "1500", "--seed", "7"])
            .stdout(Stdio::piped());
        if let Some(documents) = documents {
            serve.arg("--discovery").arg(documents);
        }
        let mut child = serve.spawn().context("cannot start the fake Workspace")?;
        let mut text = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut text)?;
        }
        let line = dir.join("line");
        std::fs::write(&line, &text)?;
        Ok(Self {
            child,
            line,
            described: serde_json::from_str(&text).context("the fake Workspace did not start")?,
        })
    }

    /// Tells a client by its environment where the fake is and whom to trust.
    fn describe(&self, command: &mut Command) {
        let text = |name: &str| self.described[name].as_str().unwrap_or_default().to_owned();
        let port = text("base")
            .rsplit(':')
            .next()
            .unwrap_or_default()
            .to_owned();
        let control = text("admin").replace("http://", "");
        command
            .env("FAKE_LINE", &self.line)
            .env("FAKE_PORT", port)
            .env("FAKE_WORKSPACE", binary("fake-workspace"))
            .env("GCE_METADATA_HOST", &control)
            .env("GCE_METADATA_IP", &control);
        for name in [
            "HTTPLIB2_CA_CERTS",
            "REQUESTS_CA_BUNDLE",
            "SSL_CERT_FILE",
            "NODE_EXTRA_CA_CERTS",
        ] {
            command.env(name, text("ca"));
        }
        for name in ["http_proxy", "https_proxy", "all_proxy"] {
            command.env_remove(name).env_remove(name.to_uppercase());
        }
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
