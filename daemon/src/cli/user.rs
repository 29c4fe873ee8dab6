//! `nuncio user`: act on a user's feeds.

use super::{Common, client, say};
use crate::admin::wire::ResyncAnswer;
use crate::exit::Failure;
use clap::Subcommand;
use hyper::Method;
use serde_json::json;

/// Act on a user.
#[derive(Subcommand)]
pub(super) enum User {
    /// Compare the user's mailboxes with Google, item by item.
    Resync {
        /// The user's email.
        email: String,
        /// Carry out the deletions that a held resync waits with.
        #[arg(long)]
        accept_deletes: bool,
    },
}

impl User {
    pub(super) async fn run(self, common: &Common) -> Result<(), Failure> {
        let User::Resync {
            email,
            accept_deletes,
        } = self;
        let body = json!({ "email": email, "accept_deletes": accept_deletes });
        let answer: ResyncAnswer =
            client::ask(common, Method::POST, "/v1/users/resync", Some(&body)).await?;
        let what = if accept_deletes {
            "deletions accepted"
        } else {
            "resync begun"
        };
        say(&format!("{what} for {email}: {} feed(s)", answer.n_feeds));
        Ok(())
    }
}
