//! `nuncio deadletters`: records that a sink refused for good or that used up their attempts.

use super::{Common, client, print, say};
use crate::admin::wire::{DeadLetter, RetryAnswer};
use crate::counted::counted;
use crate::exit::{Failure, USAGE};
use clap::Subcommand;
use hyper::Method;
use nuncio_model::untrusted;
use serde_json::json;

/// Records that a sink refused.
#[derive(Subcommand)]
pub(super) enum DeadLetters {
    /// List them, oldest first.
    List {
        /// Only of this sink.
        #[arg(long)]
        sink: Option<String>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Send them again.
    Retry {
        /// Only of this sink.
        #[arg(long)]
        sink: Option<String>,
        /// All open ones.
        #[arg(long, conflicts_with = "ids")]
        all: bool,
        /// Numbers as listed.
        ids: Vec<u64>,
    },
}

impl DeadLetters {
    pub(super) async fn run(self, common: &Common) -> Result<(), Failure> {
        match self {
            DeadLetters::List { sink, json } => list(common, sink.as_deref(), json).await,
            DeadLetters::Retry { sink, all, ids } => {
                if !all && ids.is_empty() {
                    return Err(Failure::new(
                        USAGE,
                        "error: name dead letters, or all with --all",
                    ));
                }
                let body = json!({ "sink": sink, "ids": if all { None } else { Some(ids) } });
                let answer: RetryAnswer =
                    client::ask(common, Method::POST, "/v1/deadletters/retry", Some(&body)).await?;
                say(&format!(
                    "{} will be sent again, {} needless by now",
                    counted(answer.n_retried, "dead letter"),
                    answer.n_superseded
                ));
                Ok(())
            }
        }
    }
}

async fn list(common: &Common, sink: Option<&str>, json: bool) -> Result<(), Failure> {
    let path = match sink {
        Some(sink) => format!("/v1/deadletters?sink={sink}"),
        None => "/v1/deadletters".to_owned(),
    };
    let letters: Vec<DeadLetter> = client::ask(common, Method::GET, &path, None).await?;
    if json {
        return print(&serde_json::to_string_pretty(&letters).map_err(anyhow::Error::from)?);
    }
    for letter in &letters {
        print(&format!(
            "{:>6}  {}  {}  {}  {}  {}: {}",
            letter.id,
            letter.at,
            letter.sink,
            untrusted(&letter.key),
            counted(letter.n_attempts, "attempt"),
            letter.code,
            untrusted(&letter.reason)
        ))?;
    }
    say(&counted(letters.len(), "open dead letter"));
    Ok(())
}
