//! What the demo shows: bars with total, rate and time left, made from `nuncio status --json`.

use anyhow::Context;
use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// What is read: the source's name in status, and words for its items and where they are.
const SOURCES: [(&str, &str, &str); 3] = [
    ("gmail", "mails", "mailboxes"),
    ("calendar", "events", "calendars"),
    ("drive", "files", "drives"),
];

/// The daemon's status.
pub(crate) struct Status(Value);

impl Status {
    /// Reads the JSON.
    pub(crate) fn parse(json: &[u8]) -> anyhow::Result<Self> {
        Ok(Self(
            serde_json::from_slice(json).context("nuncio's status cannot be read")?,
        ))
    }

    fn feeds(&self) -> impl Iterator<Item = &Value> {
        array(&self.0["users"])
            .flat_map(|user| array(&user["accounts"]))
            .flat_map(|account| array(&account["feeds"]))
            .chain(array(&self.0["domain_feeds"]))
    }

    fn of<'a>(&'a self, source: &'a str) -> impl Iterator<Item = &'a Value> {
        self.feeds().filter(move |feed| feed["source"] == source)
    }

    fn sinks(&self) -> impl Iterator<Item = &Value> {
        array(&self.0["sinks"])
    }

    /// Whether every feed that works is live and every record is delivered.
    pub(crate) fn is_synced(&self) -> bool {
        self.feeds()
            .all(|feed| feed["state"] == "live" || feed["state"] == "disabled")
            && self.feeds().any(|feed| feed["state"] == "live")
            && self.sinks().all(|sink| sink["pending"] == 0)
    }

    /// Items of a source that are known and that are to be known, about.
    fn progress(&self, source: &str) -> (u64, u64) {
        self.of(source).fold((0, 0), |(done, total), feed| {
            let items = feed["items"].as_u64().unwrap_or_default();
            let walk = &feed["walk"];
            let feed_done = walk["done"].as_u64().unwrap_or(items);
            let feed_total = walk["total"].as_u64().unwrap_or(items).max(feed_done);
            (done + feed_done, total + feed_total)
        })
    }

    /// The last words of `--exit-when-synced`.
    pub(crate) fn summary(&self, took: Duration) -> String {
        let parts = SOURCES.map(|(source, items, places)| {
            let n_items: u64 = self
                .of(source)
                .filter_map(|feed| feed["items"].as_u64())
                .sum();
            format!("{n_items} {items} of {} {places}", self.of(source).count())
        });
        let mut summary = format!("synced {} in {:.1} s", parts.join(", "), took.as_secs_f64());
        for sink in self.sinks() {
            summary.push_str(&format!(
                "\n  {}: {} delivered, {} dead letters",
                sink["name"].as_str().unwrap_or_default(),
                sink["delivered"],
                sink["dead_letters"]
            ));
        }
        summary
    }
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// One bar for each source, one for each sink, and a line for what is live.
pub(crate) struct Bars {
    all: MultiProgress,
    sources: [ProgressBar; 3],
    sinks: BTreeMap<String, ProgressBar>,
    live: ProgressBar,
}

impl Bars {
    /// Bars without a total yet.
    pub(crate) fn new() -> Self {
        let all = MultiProgress::new();
        let sources = SOURCES.map(|(_, items, _)| all.add(bar(&format!("{items} read"))));
        let live = all.add(ProgressBar::new_spinner());
        Self {
            all,
            sources,
            sinks: BTreeMap::new(),
            live,
        }
    }

    /// Shows a status.
    pub(crate) fn show(&mut self, status: &Status) {
        for (bar, (source, ..)) in self.sources.iter().zip(SOURCES) {
            let (done, total) = status.progress(source);
            bar.set_length(total);
            bar.set_position(done);
        }
        for sink in status.sinks() {
            let name = sink["name"].as_str().unwrap_or_default().to_owned();
            let delivered = sink["delivered"].as_u64().unwrap_or_default();
            let pending = sink["pending"].as_u64().unwrap_or_default();
            let all = &self.all;
            let live = &self.live;
            let bar = self
                .sinks
                .entry(name)
                .or_insert_with_key(|name| all.insert_before(live, bar(&format!("-> {name}"))));
            bar.set_length(delivered + pending);
            bar.set_position(delivered);
        }
        let mut states: BTreeMap<&str, u32> = BTreeMap::new();
        for feed in status.feeds() {
            *states
                .entry(feed["state"].as_str().unwrap_or("?"))
                .or_default() += 1;
        }
        let states: Vec<String> = states
            .iter()
            .map(|(state, n)| format!("{n} {state}"))
            .collect();
        self.live
            .set_message(format!("feeds: {}   (Ctrl-C ends)", states.join(", ")));
        self.live.tick();
    }

    /// Leaves the bars as they are.
    pub(crate) fn finish(&self) {
        for bar in &self.sources {
            bar.abandon();
        }
        for bar in self.sinks.values() {
            bar.abandon();
        }
        self.live.finish_and_clear();
    }
}

fn bar(name: &str) -> ProgressBar {
    let template = "{prefix:>12} [{bar:30}] {human_pos:>7}/{human_len:<7} {rate:>9}  {eta} left";
    let style = ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key(
            "rate",
            |state: &ProgressState, text: &mut dyn fmt::Write| {
                // A rate that cannot be written leaves its column empty.
                write!(text, "{:.0}/s", state.per_sec()).unwrap_or_default();
            },
        )
        .progress_chars("=> ");
    ProgressBar::new(0)
        .with_style(style)
        .with_prefix(name.to_owned())
}
