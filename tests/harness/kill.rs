//! A daemon that is killed at a chosen moment of its work, known from its own trace log.
//! The log goes through a pipe, which outlives the process: what was written before the kill is
//! read after it, so that a kill is counted by where it really hit, not by where it was aimed.

use crate::World;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStderr, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// The targets whose trace events tell moments apart; all else stays at info.
const FILTER: &str = "info,nuncio_spool=trace,nuncio_plugin_host=trace,nuncio_sources=trace";

/// A part of the daemon's work that a kill can hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// Between asking for a page of a listing and storing where to go on.
    WalkPage,
    /// Between the begin of an append and its commit.
    Append,
    /// While a guest writes a batch.
    GuestWrite,
}

impl Moment {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::WalkPage, Self::Append, Self::GuestWrite];

    /// The messages of its begin and its end, and the field that tells several at once apart.
    fn events(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::WalkPage => ("walk page begins", "walk page ended", "account"),
            Self::Append => ("append begins", "append ended", "feed"),
            Self::GuestWrite => ("guest write begins", "guest write ended", "sink"),
        }
    }
}

/// When to kill: so long after the n-th begin of a moment since the start.
#[derive(Debug, Clone, Copy)]
pub struct Aim {
    /// The kind of moment.
    pub moment: Moment,
    /// Which one, from 1.
    pub nth: u32,
    /// How long after its begin.
    pub delay: Duration,
}

/// What was under way when the daemon died.
#[derive(Debug, Default)]
pub struct Hit {
    open: BTreeMap<(Moment, String), u32>,
    /// The aim did not come up in time; the kill came at the deadline.
    pub missed: bool,
}

impl Hit {
    /// Whether a moment of this kind was cut.
    pub fn has(&self, moment: Moment) -> bool {
        self.open
            .iter()
            .any(|((cut, _), n)| *cut == moment && *n > 0)
    }

    /// Takes in one line of the log; the moment that it begins, if it does.
    fn note(&mut self, line: &str) -> Option<Moment> {
        let event: Value = serde_json::from_str(line).ok()?;
        let message = event["message"].as_str()?;
        for moment in Moment::ALL {
            let (begins, ended, field) = moment.events();
            if message != begins && message != ended {
                continue;
            }
            let open = self
                .open
                .entry((moment, event[field].to_string()))
                .or_default();
            if message == begins {
                *open += 1;
                return Some(moment);
            }
            *open = open.saturating_sub(1);
        }
        None
    }
}

/// How many kills cut which moments.
#[derive(Debug, Default)]
pub struct Tally([usize; Moment::ALL.len()]);

impl Tally {
    /// Counts what a kill cut.
    pub fn add(&mut self, hit: &Hit) {
        for (n, moment) in self.0.iter_mut().zip(Moment::ALL) {
            *n += usize::from(hit.has(moment));
        }
    }

    /// Tells the counts of `n_kills`.
    ///
    /// # Panics
    /// If one of the moments was never cut: then the kills did not show what they are to show.
    pub fn told(&self, n_kills: usize) -> String {
        for (n, moment) in self.0.iter().zip(Moment::ALL) {
            assert!(*n > 0, "no kill cut a {moment:?}");
        }
        let [walks, appends, writes] = self.0;
        format!(
            "{n_kills} kills: {walks} cut a walk page, {appends} an append, {writes} a guest write"
        )
    }
}

impl World {
    /// Starts the daemon, kills it with SIGKILL at `aim` or, if that does not come up, at
    /// `deadline`, and tells what was cut. The config must ask for the JSON log.
    #[expect(
        clippy::disallowed_methods,
        reason = "the kill is to come so long after the event; no state is waited for"
    )]
    pub fn run_until_killed(&self, aim: Aim, deadline: Duration) -> Hit {
        let mut daemon = self
            .nuncio()
            .arg("run")
            .env("NUNCIO_LOG", FILTER)
            .stderr(Stdio::piped())
            .spawn()
            .expect("nuncio can be started");
        let log = daemon.stderr.take().expect("stderr is a pipe");
        let (reached, reach) = mpsc::channel();
        let path = self.path("nuncio.log");
        let reader = std::thread::spawn(move || read(log, &path, aim, &reached));
        let missed = reach.recv_timeout(deadline).is_err();
        if !missed {
            std::thread::sleep(aim.delay);
        }
        kill(&mut daemon);
        let mut hit = reader.join().expect("the log is read to its end");
        hit.missed = missed;
        hit
    }
}

/// Reads the log to its end, which the process's end makes.
fn read(log: ChildStderr, path: &std::path::Path, aim: Aim, reached: &mpsc::Sender<()>) -> Hit {
    let mut copy = std::fs::File::options()
        .create(true)
        .append(true)
        .open(path)
        .expect("the log can be made");
    let (mut hit, mut n_seen) = (Hit::default(), 0);
    for line in BufReader::new(log).lines() {
        let line = line.expect("a log is text");
        if hit.note(&line) == Some(aim.moment) {
            n_seen += 1;
            if n_seen == aim.nth && reached.send(()).is_err() {
                // Nobody listens after the deadline.
            }
        }
        writeln!(copy, "{line}").expect("the log can be written");
    }
    hit
}

fn kill(daemon: &mut Child) {
    if let Some(ended) = daemon.try_wait().expect("a child can be asked") {
        panic!("the daemon ended by itself: {ended}");
    }
    daemon.kill().expect("a child can be killed");
    daemon.wait().expect("a killed child ends");
}
