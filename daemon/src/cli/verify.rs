//! `nuncio user verify`: whether the index is what Google has; with progress on a terminal.

use super::{Common, client, print};
use crate::admin::wire::{Verification, VerifiedFeed};
use crate::counted::counted;
use crate::exit::{FAILURE, Failure};
use clap::{Args, ValueEnum};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use nuncio_model::untrusted;
use serde_json::json;

/// Tell whether what is known of a user is what Google has.
#[derive(Args)]
pub(super) struct Verify {
    /// The user's email.
    email: String,
    /// Only this source.
    #[arg(long)]
    source: Option<SourceName>,
    /// Make right what is wrong: read what is missing or stale, delete what is extra, try failed
    /// items again.
    #[arg(long)]
    repair: bool,
    /// As JSON; the form is stable.
    #[arg(long)]
    json: bool,
}

/// A source.
#[derive(Clone, Copy, ValueEnum)]
enum SourceName {
    Gmail,
    Calendar,
    Drive,
}

impl Verify {
    pub(super) async fn run(self, common: &Common) -> Result<(), Failure> {
        let source = self.source.map(|source| match source {
            SourceName::Gmail => "gmail",
            SourceName::Calendar => "calendar",
            SourceName::Drive => "drive",
        });
        let body = json!({ "email": self.email, "source": source, "repair": self.repair });
        let mut bars = Bars::default();
        let mut last: Option<Verification> = None;
        let followed = client::follow(common, "/v1/users/verify", &body, |line: Verification| {
            bars.show(&line);
            last = Some(line);
        });
        let followed = followed.await;
        bars.clear();
        followed?;
        let Some(result) = last.filter(|last| last.done) else {
            let text = "the daemon stopped before the verification was done";
            return Err(client::broken_off(anyhow::anyhow!(text)));
        };
        if self.json {
            print(&serde_json::to_string_pretty(&result).map_err(anyhow::Error::from)?)?;
        } else {
            print(&human(&result, self.repair))?;
        }
        let n_wrong = result.feeds.iter().filter(|feed| !feed.is_right()).count();
        if n_wrong == 0 {
            return Ok(());
        }
        let hint = match self.repair {
            true => "see what is said of each",
            false => "`--repair` makes right what is wrong",
        };
        let text = format!(
            "{} {} not as at Google, or not known to be",
            counted(n_wrong, "feed"),
            if n_wrong == 1 { "is" } else { "are" }
        );
        Err(Failure::coded(FAILURE, "SRC017", &text, hint))
    }
}

fn name_of(feed: &VerifiedFeed) -> String {
    let owner = feed.address.as_deref().or(feed.name.as_deref());
    let owner = owner.unwrap_or(&feed.collection);
    format!("{}  {}", feed.source, untrusted(owner))
}

/// The text for a person.
fn human(result: &Verification, is_repair: bool) -> String {
    let mut lines = Vec::new();
    for feed in &result.feeds {
        let mut line = format!("{}  ", name_of(feed));
        if feed.phase == "done" {
            line.push_str(&format!(
                "{} missing, {} extra, {} stale, {} failed",
                feed.missing, feed.extra, feed.stale, feed.failed
            ));
            if is_repair {
                line.push_str(&format!(", {} repaired", feed.repaired));
            }
        } else {
            line.push_str("not verified");
        }
        line.push_str(&format!(
            "  ({}, {}, {})",
            counted(feed.items, "item"),
            counted(feed.calls, "call"),
            counted(feed.units, "unit")
        ));
        lines.push(line);
        let wrong = &feed.wrong;
        let kinds = [
            ("missing", &wrong.missing),
            ("extra", &wrong.extra),
            ("stale", &wrong.stale),
            ("failed", &wrong.failed),
        ];
        for (kind, items) in kinds.into_iter().filter(|(_, items)| !items.is_empty()) {
            let items: Vec<String> = items.iter().map(|id| untrusted(id).to_string()).collect();
            lines.push(format!("  {kind}: {}", items.join(" ")));
        }
        if feed.failed > 0 {
            lines.push("  failed items are told by `nuncio user show`".to_owned());
        }
        if feed.held > 0 {
            lines.push(format!(
                "  {} held back; if the items were really deleted: nuncio user resync {} --accept-deletes",
                counted(feed.held, "deletion"),
                result.email
            ));
        }
        if let Some(error) = &feed.error {
            lines.push(format!("  {}: {}", error.code, untrusted(&error.message)));
            lines.push(format!("  hint: {}", untrusted(&error.hint)));
        }
    }
    lines.join("\n")
}

/// A bar for each feed; nothing where stderr is no terminal.
#[derive(Default)]
struct Bars {
    all: MultiProgress,
    bars: Vec<ProgressBar>,
}

impl Bars {
    fn show(&mut self, line: &Verification) {
        for (at, feed) in line.feeds.iter().enumerate() {
            if at == self.bars.len() {
                let bar = ProgressBar::new(0);
                if let Ok(style) =
                    ProgressStyle::with_template("{prefix}  {wide_bar} {pos}/{len}  {msg}")
                {
                    bar.set_style(style);
                }
                self.bars.push(self.all.add(bar));
            }
            let bar = &self.bars[at];
            bar.set_prefix(name_of(feed));
            bar.set_length(feed.total.unwrap_or(feed.done).max(feed.done));
            bar.set_position(feed.done);
            bar.set_message(match &feed.error {
                Some(error) => format!("{}: {}", feed.phase, untrusted(&error.message)),
                None => feed.phase.clone(),
            });
        }
    }

    fn clear(&self) {
        // Only the picture on the terminal would stay.
        drop(self.all.clear());
    }
}
