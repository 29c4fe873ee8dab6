//! `cargo xtask demo`: the fake Workspace, the real daemon, the real plugins, on loopback. Starts
//! them, shows what happens, and ends them.

use crate::build::{all, binary, plugins, target};
use crate::progress::{Bars, Status};
use crate::say;
use anyhow::{Context, bail};
use clap::Args;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

/// How often the daemon is asked what it does.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How long the daemon may take until it answers.
const START_WITHIN: Duration = Duration::from_secs(60);

/// How long it may take to end; its own deadline is 20 s.
const STOP_WITHIN: Duration = Duration::from_secs(30);

/// Show real mail flowing.
#[derive(Args)]
pub(crate) struct Demo {
    /// Users of the fake Workspace.
    #[arg(long, default_value_t = 20)]
    users: u32,
    /// Mails at the beginning, over all users.
    #[arg(long, default_value_t = 5_000)]
    messages: u32,
    /// The same seed makes the same domain.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Live changes a second over all users.
    #[arg(long, default_value_t = 4.0)]
    rate: f64,
    /// End with a summary once everything is delivered.
    #[arg(long)]
    exit_when_synced: bool,
}

impl Demo {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        all()?;
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(self.show())
    }

    async fn show(&self) -> anyhow::Result<()> {
        let folder = target().join("demo");
        if folder.exists() {
            std::fs::remove_dir_all(&folder)
                .with_context(|| format!("cannot empty {}", folder.display()))?;
        }
        for part in ["google", "state", "out/archive", "out/jsonl"] {
            std::fs::create_dir_all(folder.join(part))?;
        }
        say(&format!(
            "starting a fake Workspace: {} users, {} mails, {} changes a second",
            self.users, self.messages, self.rate
        ));
        let (mut workspace, facts) = self.workspace(&folder).await?;
        let config = folder.join("nuncio.toml");
        std::fs::write(
            &config,
            config_text(&folder, &facts, &people(&facts).await?),
        )?;
        say(&format!("starting nuncio with {}", config.display()));
        let mut daemon = daemon(&folder, &config)?;

        let shown = tokio::select! {
            shown = self.watch(&folder, &config, &mut daemon) => shown,
            pressed = tokio::signal::ctrl_c() => pressed.map_err(Into::into).map(|()| None),
        };
        stop(&mut daemon).await?;
        stop(&mut workspace).await?;
        if let Some(summary) = shown? {
            say(&summary);
        }
        say(&format!(
            "mail is in {0}/out/archive (a Maildir for each account: mutt -f, notmuch, Thunderbird);\n\
             mails, events and files are JSON lines in {0}/out/jsonl; the daemon's log is {0}/nuncio.log",
            folder.display()
        ));
        Ok(())
    }

    async fn workspace(&self, folder: &Path) -> anyhow::Result<(Child, Value)> {
        let mut child = Command::new(binary("fake-workspace"))
            .args(["serve", "--listen", "127.0.0.1:0", "--dir"])
            .arg(folder.join("google"))
            .args([
                "--users",
                &self.users.to_string(),
                "--messages",
                &self.messages.to_string(),
            ])
            .args([
                "--seed",
                &self.seed.to_string(),
                "--rate",
                &self.rate.to_string(),
            ])
            .args(["--latency", "20ms"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start fake-workspace")?;
        let stdout = child
            .stdout
            .take()
            .context("fake-workspace has no stdout")?;
        let mut lines = BufReader::new(stdout).lines();
        let Some(line) = lines.next_line().await? else {
            bail!("fake-workspace ended before it was ready");
        };
        let facts = serde_json::from_str(&line).context("fake-workspace said something strange")?;
        Ok((child, facts))
    }

    /// Shows bars until all is delivered, then the live status; ends with a summary if asked to.
    async fn watch(
        &self,
        folder: &Path,
        config: &Path,
        daemon: &mut Child,
    ) -> anyhow::Result<Option<String>> {
        let began = tokio::time::Instant::now();
        let mut bars = Bars::new();
        let mut answered = false;
        loop {
            if let Some(status) = daemon.try_wait()? {
                bail!(
                    "nuncio ended ({status}); its log is {}/nuncio.log",
                    folder.display()
                );
            }
            match ask(folder, config).await? {
                Some(status) => {
                    answered = true;
                    bars.show(&status);
                    if status.is_synced() && self.exit_when_synced {
                        bars.finish();
                        return Ok(Some(status.summary(began.elapsed())));
                    }
                }
                None if !answered && began.elapsed() > START_WITHIN => {
                    bail!(
                        "nuncio does not answer; its log is {}/nuncio.log",
                        folder.display()
                    );
                }
                None => {}
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// Users with their aliases, as the fake Workspace has them.
async fn people(facts: &Value) -> anyhow::Result<Value> {
    let admin = facts["admin"]
        .as_str()
        .context("fake-workspace names no admin URL")?;
    let mut child = Command::new(binary("fake-workspace"))
        .args(["admin", "users", "--url", admin])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(b"{}").await?;
    }
    let output = child.wait_with_output().await?;
    if !output.status.success() {
        bail!("fake-workspace admin users failed ({})", output.status);
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn config_text(folder: &Path, facts: &Value, people: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let quoted = |path: PathBuf| format!("{:?}", path.display().to_string());
    let mut config = format!(
        "# Written by `cargo xtask demo`.\n\
         [google]\n\
         service_account_key = \"file:{key}\"\n\
         admin = \"{admin}\"\n\
         endpoint = \"{base}\"\n\
         quota = \"off\"\n\n\
         [sync]\n\
         since = \"all\"\n\
         poll_interval = \"1s\"\n\n\
         [plugins]\n\
         dir = {plugins}\n",
        key = text(&facts["key"]),
        admin = text(&facts["admin_user"]),
        base = text(&facts["base"]),
        plugins = quoted(plugins()),
    );
    for user in people["users"].as_array().into_iter().flatten() {
        config.push_str(&format!(
            "\n[[users]]\nemail = {}\naliases = {}\n",
            user["email"], user["aliases"]
        ));
    }
    for sink in ["archive", "jsonl"] {
        config.push_str(&format!(
            "\n[sinks.{sink}]\nplugin = \"{sink}.wasm\"\n\
             [sinks.{sink}.grants]\n\
             dirs = [{{ guest = \"/out\", host = {}, mode = \"rw\" }}]\n",
            quoted(folder.join("out").join(sink)),
        ));
    }
    config
}

fn daemon(folder: &Path, config: &Path) -> anyhow::Result<Child> {
    let log = std::fs::File::create(folder.join("nuncio.log"))?;
    Command::new(binary("nuncio"))
        .arg("run")
        .arg("--config")
        .arg(config)
        .arg("--state-dir")
        .arg(folder.join("state"))
        .arg("--socket")
        .arg(socket(folder))
        .stdin(Stdio::null())
        .stderr(log)
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .context("cannot start nuncio")
}

/// The daemon's status; none while it does not answer.
async fn ask(folder: &Path, config: &Path) -> anyhow::Result<Option<Status>> {
    let output = Command::new(binary("nuncio"))
        .args(["status", "--json", "--config"])
        .arg(config)
        .arg("--socket")
        .arg(socket(folder))
        .stderr(Stdio::null())
        .output()
        .await?;
    output
        .status
        .success()
        .then(|| Status::parse(&output.stdout))
        .transpose()
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("state").join("admin.sock")
}

/// Ends a child in order, by force only if it does not.
async fn stop(child: &mut Child) -> anyhow::Result<()> {
    let Some(id) = child.id() else { return Ok(()) };
    let asked = Command::new("kill")
        .args(["-TERM", &id.to_string()])
        .status()
        .await?;
    if asked.success()
        && tokio::time::timeout(STOP_WITHIN, child.wait())
            .await
            .is_ok()
    {
        return Ok(());
    }
    child.kill().await?;
    Ok(())
}
