//! The admin API's own JSON types. `status --json` is stable: fields are added, never renamed or
//! removed. What is unknown is absent, not 0.

use serde::{Deserialize, Serialize};

/// The answer to `GET /v1/status`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Status {
    /// One line.
    pub summary: String,
    /// The config in force.
    pub config: Config,
    /// Configured users.
    pub users: Vec<User>,
    /// Feeds that belong to the domain.
    pub domain_feeds: Vec<Feed>,
    /// Configured sinks.
    pub sinks: Vec<Sink>,
    /// Google's budgets of which something was spent.
    pub quota: Vec<Quota>,
    /// How many items could not be had so far.
    pub failed_items: u64,
}

/// The config in force.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Config {
    /// SHA-256 over the files.
    pub hash: String,
    /// RFC 3339.
    pub loaded_at: String,
    /// Whether the files on disk are not those in force.
    pub stale: bool,
    /// Whether a change waits for approval.
    pub held: bool,
    /// How the last change of the files went.
    pub last_reload: LastReload,
    /// What Google is shown.
    pub credentials: Credentials,
}

/// What nuncio shows Google; nothing of it is secret.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Credentials {
    /// `service_account` or `per_user`.
    pub mode: String,
    /// The service account's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account: Option<String>,
    /// The key's id, as the Cloud console lists it; absent where Google signs with its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// When the key's file was last written, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_changed_at: Option<String>,
    /// The id of the OAuth client that users consent to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth_client: Option<String>,
    /// Whether users whom the delegation does not cover are read by their own consent.
    pub fallback: bool,
}

impl Credentials {
    /// In one line.
    pub(crate) fn line(&self) -> String {
        let mut line = self.mode.clone();
        for (what, value) in [
            ("", &self.service_account),
            ("key ", &self.key_id),
            ("client ", &self.oauth_client),
        ] {
            if let Some(value) = value {
                line.push_str(&format!(" {what}{value}"));
            }
        }
        line
    }
}

/// The question of `POST /v1/users/stop` and `POST /v1/users/start`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Switch {
    /// The user's email.
    pub email: String,
    /// Who asks.
    pub by: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Of a start: one that was stopped stays so; only what Google refused is tried again.
    #[serde(default)]
    pub only_retry: bool,
}

/// Its answer.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Switched {
    /// Whether it had been stopped before.
    pub was_stopped: bool,
}

/// An order of an operator that holds beside the config.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Overlay {
    /// Who gave it.
    pub by: String,
    /// RFC 3339.
    pub at: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// How the last change of the config's files went.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LastReload {
    /// Whether they are in force.
    pub ok: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The question of `POST /v1/reload`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Reload {
    /// The hash of a config that was held and may be carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approve: Option<String>,
    /// Whether to answer when it is over.
    #[serde(default)]
    pub wait: bool,
}

/// The answer.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ReloadAnswer {
    /// How it went; absent unless that was waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<crate::reload::Reloaded>,
}

/// The question of `POST /v1/plan`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// The files of the config to compare.
    pub files: nuncio_config::Files,
}

/// A user.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct User {
    /// The email in the config.
    pub email: String,
    /// The worst state of its feeds; `off` where the config does not sync it, `stopped` where an
    /// operator stopped it.
    pub state: String,
    /// Why it is stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Overlay>,
    /// Its mailboxes.
    pub accounts: Vec<Account>,
}

/// An account.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Account {
    /// The connected address.
    pub address: String,
    /// The frozen key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Whose word opens it: `delegation` or `consent`; absent until it is connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granted_by: Option<String>,
    /// Why it is the user's consent, where the delegation is asked first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_delegated: Option<Error>,
    /// Its feeds.
    pub feeds: Vec<Feed>,
}

/// A feed.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Feed {
    /// `gmail`, `calendar` or `drive`.
    pub source: String,
    /// Empty for a mailbox; `primary` or a calendar's id; `my-drive` or a shared drive's id.
    pub collection: String,
    /// What the calendar or shared drive is called; untrusted text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A bare lower-case word.
    pub state: String,
    /// The walk under way.
    pub walk: Option<Walk>,
    /// Items known.
    pub items: u64,
    /// Seconds between two polls: as the config wishes, or more where the budgets are short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll_seconds: Option<f64>,
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_success: Option<String>,
    /// Seconds since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_seconds: Option<u64>,
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_try: Option<String>,
    /// Why it does not get on.
    pub error: Option<Error>,
}

/// A walk.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Walk {
    /// Items seen.
    pub done: u64,
    /// Items to see, about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

/// A budget of Google's.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Quota {
    /// `gmail`, `calendar`, `drive` or `directory`.
    pub api: String,
    /// `project_minute`, `project_day`, or `service_account_minute` where Google counts all users
    /// as one.
    pub scope: String,
    /// Units spent in the last minute, or since the day began (midnight in Pacific time).
    pub used: u64,
    /// Units that may be spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Units that will have been spent when the day ends, if it goes on as in the last minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<u64>,
}

/// A sink.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Sink {
    /// Its name.
    pub name: String,
    /// A bare lower-case word.
    pub state: String,
    /// The plugin, once it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<Plugin>,
    /// Records delivered in all.
    pub delivered: u64,
    /// Records to deliver.
    pub pending: u64,
    /// Open dead letters.
    pub dead_letters: u64,
    /// Records a second, lately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// Why it does not get on.
    pub error: Option<Error>,
}

/// A plugin.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Plugin {
    /// Its own name.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// Of the file.
    pub sha256: String,
}

/// Something that does not work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Error {
    /// Stable code.
    pub code: String,
    /// What happened.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// The question `POST /v1/users/resync`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Resync {
    /// The user.
    pub email: String,
    /// Carry out held deletions.
    #[serde(default)]
    pub accept_deletes: bool,
}

/// Its answer.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ResyncAnswer {
    /// How many feeds were told.
    pub n_feeds: usize,
}

/// The question `GET /v1/users/show`.
#[derive(Debug, Deserialize)]
pub(crate) struct ShowUser {
    /// The user.
    pub email: String,
}

/// Its answer.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ShownUser {
    /// The email in the config.
    pub email: String,
    /// As in [`User`].
    pub state: String,
    /// As in [`User`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Overlay>,
    /// Its mailboxes.
    pub accounts: Vec<Account>,
    /// Feeds of the domain that it sees.
    pub domain_feeds: Vec<Feed>,
    /// Accounts that had one of its addresses before and are kept, but not read.
    pub parked: Vec<Parked>,
    /// Its other addresses.
    pub aliases: Vec<Alias>,
    /// Addresses that it and other users claim.
    pub contests: Vec<Contest>,
    /// Items of all these feeds that could not be had so far.
    pub failed_items: Vec<FailedItem>,
}

/// An account whose address belongs to another one now.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Parked {
    /// The address.
    pub address: String,
    /// The frozen key.
    pub key: String,
    /// When it was first connected, RFC 3339.
    pub since: String,
}

/// Another address of a user.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Alias {
    /// The address.
    pub address: String,
    /// Who says so: `file:line:column`, `Directory of ADDRESS` or `send-as of ADDRESS`.
    pub place: String,
}

/// An address that several users claim.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Contest {
    /// The address.
    pub address: String,
    /// Who has it; none where the best claims are equally good.
    pub holder: Option<String>,
    /// Who claims it, and by whose word; the best first.
    pub claims: Vec<Claim>,
}

/// A claim to an address.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Claim {
    /// The user.
    pub email: String,
    /// As in [`Alias`].
    pub place: String,
}

/// An item that could not be had.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct FailedItem {
    /// `gmail`, `calendar` or `drive`.
    pub source: String,
    /// As in [`Feed`].
    pub collection: String,
    /// Google's id.
    pub item: String,
    /// Stable code.
    pub code: String,
    /// What happened last.
    pub message: String,
    /// How often it was tried.
    pub attempts: u32,
    /// RFC 3339.
    pub next_try: String,
    /// RFC 3339.
    pub first_seen: String,
}

/// The question `POST /v1/users/verify`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Verify {
    /// The user.
    pub email: String,
    /// Only `gmail`, `calendar` or `drive`.
    #[serde(default)]
    pub source: Option<String>,
    /// Whether what is wrong is to be made right.
    #[serde(default)]
    pub repair: bool,
}

/// One line of its answer.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Verification {
    /// The user.
    pub email: String,
    /// Whether this is the last line.
    pub done: bool,
    /// The feeds that are verified.
    pub feeds: Vec<VerifiedFeed>,
}

/// What was found of a feed so far.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct VerifiedFeed {
    /// `gmail`, `calendar` or `drive`.
    pub source: String,
    /// As in [`Feed`].
    pub collection: String,
    /// As in [`Feed`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The account; none for a feed of the domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// `queued`, `listing`, `comparing`, `checking`, `repairing`, `done` or `unfinished`.
    pub phase: String,
    /// Whether the phase is one of the last two.
    pub is_ended: bool,
    /// Items of the phase that are done.
    pub done: u64,
    /// Items of the phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Items in the index.
    pub items: u64,
    /// At Google and in scope, not in the index.
    pub missing: u64,
    /// In the index, not at Google.
    pub extra: u64,
    /// Known, but other at Google.
    pub stale: u64,
    /// Google does not give them.
    pub failed: u64,
    /// How many of all these are right now.
    pub repaired: u64,
    /// Deletions that a resync holds.
    pub held: u64,
    /// Ids of the first of what is wrong.
    pub wrong: WrongItems,
    /// Calls that it took.
    pub calls: u64,
    /// What they cost.
    pub units: u64,
    /// Why it stands still, or ended unfinished.
    pub error: Option<Error>,
}

impl VerifiedFeed {
    /// How many items are wrong, right by now or not.
    pub(crate) fn n_wrong(&self) -> u64 {
        self.missing + self.extra + self.stale + self.failed
    }

    /// Whether it ended and nothing is wrong any more.
    pub(crate) fn is_right(&self) -> bool {
        self.phase == "done" && self.n_wrong() == self.repaired
    }
}

/// Ids of wrong items.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WrongItems {
    /// See [`VerifiedFeed`].
    pub missing: Vec<String>,
    /// See [`VerifiedFeed`].
    pub extra: Vec<String>,
    /// See [`VerifiedFeed`].
    pub stale: Vec<String>,
    /// See [`VerifiedFeed`].
    pub failed: Vec<String>,
}

/// A dead letter, as `GET /v1/deadletters` lists them.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DeadLetter {
    /// Its number.
    pub id: u64,
    /// The sink.
    pub sink: String,
    /// The record's key.
    pub key: String,
    /// The record's revision.
    pub revision: u64,
    /// `created`, `updated`, `labels` or `deleted`.
    pub change: String,
    /// Groups them.
    pub code: String,
    /// By the plugin. Untrusted text.
    pub reason: String,
    /// Attempts used.
    pub n_attempts: u32,
    /// RFC 3339.
    pub at: String,
}

/// The question `GET /v1/deadletters`.
#[derive(Debug, Deserialize)]
pub(crate) struct ListDeadLetters {
    /// Only of this sink.
    pub sink: Option<String>,
}

/// The question `POST /v1/deadletters/retry`.
#[derive(Debug, Deserialize)]
pub(crate) struct RetryDeadLetters {
    /// Only of this sink.
    pub sink: Option<String>,
    /// Only these; none: all.
    pub ids: Option<Vec<u64>>,
}

/// Its answer.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RetryAnswer {
    /// How many will be sent again.
    pub n_retried: u64,
    /// How many are needless by now, since the item has a newer state.
    pub n_superseded: u64,
}

/// Any answer that is not 2xx.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Refusal {
    /// In plain words.
    pub error: String,
}
