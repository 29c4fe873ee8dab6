//! What the admin API answers; what concerns one user is in `users`. Each handler makes a wire
//! type from snapshots or passes one command on.

use super::{Daemon, config, users, wire};
use crate::counted::counted;
use crate::feeds::FeedHandle;
use crate::reload::{ConfigState, LastReload, ShownUser};
use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::Timestamp;
use nuncio_config::Files;
use nuncio_model::{Address, Chain, SinkName, StoreError};
use nuncio_sources::{FeedHealth, FeedState};
use nuncio_spool::{DeadLetterId, LetterFilter, LetterStatus, Letters};
use std::sync::Arc;

/// At most so many dead letters are listed at once.
const MAX_LISTED: usize = 1_000;

/// The largest question, in bytes: a config may have so many, and JSON escapes some of them.
const MAX_BODY: usize = 2 * 64 * 1024 * 1024;

/// All routes.
pub(super) fn router(daemon: Arc<Daemon>) -> axum::Router {
    axum::Router::new()
        .route("/v1/status", get(status))
        .route("/v1/users/show", get(users::show))
        .route("/v1/users/resync", post(users::resync))
        .route("/v1/users/verify", post(users::verify))
        .route("/v1/users/stop", post(users::stop))
        .route("/v1/users/start", post(users::start))
        .route("/v1/reload", post(config::reload))
        .route("/v1/plan", post(config::plan))
        .route("/v1/deadletters", get(dead_letters))
        .route("/v1/deadletters/retry", post(retry_dead_letters))
        // A plan sends the whole config.
        .layer(axum::extract::DefaultBodyLimit::max(MAX_BODY))
        .with_state(daemon)
}

/// An answer that is not 2xx.
pub(super) struct Refused(pub(super) StatusCode, pub(super) String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(wire::Refusal { error: self.1 })).into_response()
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE, Chain(&error).to_string())
    }
}

async fn status(State(daemon): State<Arc<Daemon>>) -> Result<Json<wire::Status>, Refused> {
    let now = Timestamp::now().as_millisecond();
    let feeds = daemon.feeds.all();
    let mut users = Vec::new();
    let shown = daemon.shown.now();
    for known in &shown.users {
        let feeds: Vec<&FeedHandle> = feeds_of(&feeds, known.email.as_str()).collect();
        users.push(user(&daemon, known, &feeds, now));
    }
    let domain_feeds = feeds
        .iter()
        .filter(|feed| feed.owner.is_none())
        .map(|feed| wire_feed(feed, &feed.health(), now))
        .collect();
    let counts = daemon.spool.sinks().await?;
    let sinks: Vec<wire::Sink> = shown.sinks.iter().map(|sink| sink.wire(&counts)).collect();
    let failed_items = daemon.spool.count_failed().await?;
    let pending: u64 = sinks.iter().map(|sink| sink.pending).sum();
    let unwell = users
        .iter()
        .filter(|user| !matches!(user.state.as_str(), "live" | "walking" | "off"))
        .count();
    let summary = format!(
        "{}, {unwell} not well; {}, {} to deliver",
        counted(users.len(), "user"),
        counted(sinks.len(), "sink"),
        counted(pending, "record"),
    );
    Ok(Json(wire::Status {
        summary,
        config: wire_config(&daemon, &shown).await,
        users,
        domain_feeds,
        sinks,
        quota: crate::quota::wire(&daemon.google),
        failed_items,
    }))
}

async fn wire_config(daemon: &Daemon, shown: &ConfigState) -> wire::Config {
    let path = daemon.config_file.clone();
    let on_disk = tokio::task::spawn_blocking(move || Some(Files::on_disk(&path)?.hash()));
    let on_disk = on_disk.await.unwrap_or_default();
    let (error, held) = match &shown.last_reload {
        LastReload::Good => (None, false),
        LastReload::Refused(why) => (Some(why.clone()), false),
        LastReload::Held(why) => (Some(why.clone()), true),
    };
    wire::Config {
        hash: shown.hash.clone(),
        loaded_at: time(shown.loaded_at).unwrap_or_default(),
        stale: on_disk.as_ref() != Some(&shown.hash),
        held,
        last_reload: wire::LastReload {
            ok: error.is_none(),
            error,
        },
        credentials: shown.credentials.clone(),
    }
}

/// A user with its accounts.
pub(super) fn user(
    daemon: &Daemon,
    known: &ShownUser,
    feeds: &[&FeedHandle],
    now: i64,
) -> wire::User {
    let healths: Vec<FeedHealth> = feeds.iter().map(|feed| feed.health()).collect();
    let state = match (&known.stopped, known.is_synced) {
        (Some(_), _) => "stopped",
        (None, true) => worst(&healths),
        (None, false) => "off",
    };
    let mut accounts: Vec<wire::Account> = Vec::new();
    for (feed, health) in feeds.iter().zip(&healths) {
        let Some(owner) = &feed.owner else { continue };
        let at = accounts
            .iter()
            .position(|account| account.address == owner.address.as_str());
        let at = at.unwrap_or_else(|| {
            accounts.push(wire::Account {
                address: owner.address.as_str().to_owned(),
                key: None,
                granted_by: None,
                not_delegated: None,
                feeds: Vec::new(),
            });
            accounts.len() - 1
        });
        let account = &mut accounts[at];
        account.key = account.key.take().or_else(|| health.account_key.clone());
        account.feeds.push(wire_feed(feed, health, now));
    }
    let place = |account: &wire::Account| {
        let mut addresses = known.accounts.iter();
        addresses.position(|address| address.as_str() == account.address)
    };
    accounts.sort_by_key(place);
    for account in &mut accounts {
        grant(daemon, account);
    }
    wire::User {
        email: known.email.to_string(),
        state: state.to_owned(),
        stopped: known.stopped.as_ref().map(|stopped| wire::Overlay {
            by: stopped.by.clone(),
            at: time(stopped.at).unwrap_or_default(),
            why: stopped.why.clone(),
        }),
        accounts,
    }
}

/// Fills in whose word opens an account that is connected.
fn grant(daemon: &Daemon, account: &mut wire::Account) {
    let address = Address::parse(&account.address);
    let Some(found) = address.and_then(|address| daemon.accounts.connected(&address)) else {
        return;
    };
    // Tokens are for the primary address, whatever the config calls the account.
    let (granted_by, why) = daemon.google.granted_by(&found.address);
    account.granted_by = Some(granted_by.as_str().to_owned());
    account.not_delegated = why.map(|why| wire::Error {
        code: why.code.to_owned(),
        message: why.message,
        hint: "grant the delegation for this user too; nuncio takes it up by itself".to_owned(),
    });
}

/// The feeds of a user's accounts.
fn feeds_of<'a>(feeds: &'a [FeedHandle], email: &str) -> impl Iterator<Item = &'a FeedHandle> {
    feeds.iter().filter(move |feed| {
        let owner = feed.owner.as_ref();
        owner.is_some_and(|owner| owner.user.as_str().eq_ignore_ascii_case(email))
    })
}

/// The state that most needs a look.
fn worst(healths: &[FeedHealth]) -> &'static str {
    const BY_NEED: [FeedState; 9] = [
        FeedState::Disabled,
        FeedState::Orphaned,
        FeedState::Held,
        FeedState::Paused,
        FeedState::Waiting,
        FeedState::Resync,
        FeedState::New,
        FeedState::Walking,
        FeedState::Live,
    ];
    BY_NEED
        .into_iter()
        .find(|state| healths.iter().any(|health| health.state == *state))
        .map_or("off", FeedState::as_str)
}

pub(super) fn wire_feed(feed: &FeedHandle, health: &FeedHealth, now: i64) -> wire::Feed {
    wire::Feed {
        source: feed.source.as_str().to_owned(),
        collection: feed.collection.clone(),
        name: health.name.clone(),
        state: health.state.as_str().to_owned(),
        walk: health.walk.map(|walk| wire::Walk {
            done: walk.done,
            total: walk.total,
        }),
        items: health.items,
        poll_seconds: health.poll_interval.map(|interval| interval.as_secs_f64()),
        last_success: health.last_success.and_then(time),
        lag_seconds: health
            .last_success
            .map(|at| u64::try_from((now - at) / 1_000).unwrap_or_default()),
        next_try: health.next_try.and_then(time),
        error: health.error.as_ref().map(|error| wire::Error {
            code: error.code.clone(),
            message: error.message.clone(),
            hint: hint_for(feed, &error.hint),
        }),
    }
}

/// A hint with the names in it, where the feed is somebody's.
fn hint_for(feed: &FeedHandle, hint: &str) -> String {
    match &feed.owner {
        Some(owner) => hint
            .replace("EMAIL", owner.user.as_str())
            .replace("ADDRESS", owner.address.as_str()),
        None => hint.to_owned(),
    }
}

/// RFC 3339, of milliseconds since 1970.
pub(super) fn time(at: i64) -> Option<String> {
    Timestamp::from_millisecond(at)
        .ok()
        .map(|at| at.to_string())
}

async fn dead_letters(
    State(daemon): State<Arc<Daemon>>,
    Query(question): Query<wire::ListDeadLetters>,
) -> Result<Json<Vec<wire::DeadLetter>>, Refused> {
    let sink = known_sink(&daemon, question.sink)?;
    let filter = LetterFilter {
        sink,
        status: Some(LetterStatus::Open),
        after: None,
    };
    let letters = daemon.spool.dead_letters(filter, MAX_LISTED).await?;
    let letters = letters
        .into_iter()
        .map(|letter| wire::DeadLetter {
            id: letter.id.0,
            sink: letter.sink.as_str().to_owned(),
            key: letter.key.as_str().to_owned(),
            revision: letter.revision.0,
            change: change_word(letter.change).to_owned(),
            code: letter.code,
            reason: letter.reason,
            n_attempts: letter.n_attempts,
            at: time(letter.at).unwrap_or_default(),
        })
        .collect();
    Ok(Json(letters))
}

fn change_word(change: nuncio_model::Change) -> &'static str {
    match change {
        nuncio_model::Change::Created => "created",
        nuncio_model::Change::Updated => "updated",
        nuncio_model::Change::Labels => "labels",
        nuncio_model::Change::Deleted => "deleted",
    }
}

async fn retry_dead_letters(
    State(daemon): State<Arc<Daemon>>,
    Json(question): Json<wire::RetryDeadLetters>,
) -> Result<Json<wire::RetryAnswer>, Refused> {
    let sink = known_sink(&daemon, question.sink)?;
    let letters = match (question.ids, sink) {
        (Some(ids), _) => Letters::These(ids.into_iter().map(DeadLetterId).collect()),
        (None, Some(sink)) => Letters::OfSink(sink),
        (None, None) => Letters::All,
    };
    let retried = daemon
        .spool
        .retry_dead_letters(letters, Arc::new(crate::store::relabel))
        .await?;
    tracing::info!(n_retried = retried.n_retried, "dead letters are sent again");
    Ok(Json(wire::RetryAnswer {
        n_retried: retried.n_retried,
        n_superseded: retried.n_superseded,
    }))
}

fn known_sink(daemon: &Daemon, name: Option<String>) -> Result<Option<SinkName>, Refused> {
    let Some(name) = name else { return Ok(None) };
    let shown = daemon.shown.now();
    let sinks = &shown.sinks;
    match sinks.iter().find(|sink| sink.name.as_str() == name) {
        Some(sink) => Ok(Some(sink.name.clone())),
        None => {
            let names: Vec<&str> = sinks.iter().map(|sink| sink.name.as_str()).collect();
            let text = format!(
                "there is no sink `{}`; the config has: {}",
                nuncio_model::untrusted(&name),
                names.join(", ")
            );
            Err(Refused(StatusCode::NOT_FOUND, text))
        }
    }
}
