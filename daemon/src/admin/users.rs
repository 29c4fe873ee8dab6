//! What the admin API tells of one user and does for one: the feeds that concern it, its failed
//! items, a resync, a verification.

use super::routes::{Refused, time, user, wire_feed};
use super::{Daemon, wire};
use crate::feeds::FeedHandle;
use crate::overlays::Stopped;
use crate::reload::{Order, ShownUser};
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use nuncio_model::{Address, FeedId, Source, StoredAccount, untrusted};
use nuncio_sources::{
    FeedCommand, FeedError, FeedState, Verified, VerifyOrder, VerifyPhase, WrongKind,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// Failed items shown of one feed; all are counted.
const MAX_FAILED: usize = 1_000;

/// Time between two lines of progress.
const TICK: Duration = Duration::from_millis(200);

/// The feeds of a user's accounts, and those of the domain that it sees.
///
/// # Errors
/// Who is not in the config, or is not synced, in plain words.
fn feeds_for(daemon: &Daemon, email: &str) -> Result<Vec<FeedHandle>, Refused> {
    let known = known(daemon, email)?;
    let email = untrusted(email);
    match &known {
        known if known.stopped.is_some() => {
            let text = format!("the user {email} is stopped; see `nuncio user start`");
            return Err(Refused(StatusCode::CONFLICT, text));
        }
        known if !known.is_synced => {
            let text = format!("the user {email} is not synced: the config says `sync = false`");
            return Err(Refused(StatusCode::CONFLICT, text));
        }
        _ => {}
    }
    let email = email.to_string();
    let mut feeds = daemon.feeds.all();
    feeds.retain(|feed| concerns(daemon, feed, &email));
    Ok(feeds)
}

/// Whether a feed is a user's own, or one of the domain that the user sees.
fn concerns(daemon: &Daemon, feed: &FeedHandle, email: &str) -> bool {
    match &feed.owner {
        Some(owner) => owner.user.as_str().eq_ignore_ascii_case(email),
        None => daemon
            .commons
            .members(feed.source, &feed.collection)
            .iter()
            .any(|member| member.user.as_str().eq_ignore_ascii_case(email)),
    }
}

/// `GET /v1/users/show`.
pub(super) async fn show(
    State(daemon): State<Arc<Daemon>>,
    Query(question): Query<wire::ShowUser>,
) -> Result<Json<wire::ShownUser>, Refused> {
    let known = &known(&daemon, &question.email)?;
    let now = Timestamp::now().as_millisecond();
    let mut feeds = daemon.feeds.all();
    feeds.retain(|feed| concerns(&daemon, feed, known.email.as_str()));
    let (own, domain): (Vec<_>, Vec<_>) = feeds.iter().partition(|feed| feed.owner.is_some());
    let mut failed_items = Vec::new();
    for feed in &feeds {
        let Some(id) = feed.health().feed else {
            continue;
        };
        for failed in daemon.spool.failed_items_of(FeedId(id), MAX_FAILED).await? {
            failed_items.push(wire::FailedItem {
                source: feed.source.as_str().to_owned(),
                collection: feed.collection.clone(),
                item: untrusted(failed.failure.item.as_str()).to_string(),
                code: failed.failure.code,
                message: untrusted(&failed.failure.message).to_string(),
                attempts: failed.n_attempts,
                next_try: time(failed.failure.next_try).unwrap_or_default(),
                first_seen: time(failed.first_at).unwrap_or_default(),
            });
        }
    }
    let stored = daemon.spool.accounts().await?;
    let parked = parked(&own, &stored);
    let (aliases, contests) = aliases(&daemon, &known.email);
    let wire::User {
        email,
        state,
        stopped,
        accounts,
    } = user(&daemon, known, &own, now);
    Ok(Json(wire::ShownUser {
        email,
        state,
        stopped,
        accounts,
        domain_feeds: domain
            .into_iter()
            .map(|feed| wire_feed(feed, &feed.health(), now))
            .collect(),
        parked,
        aliases,
        contests,
        failed_items,
    }))
}

/// Accounts of other keys that had the address of one of these.
fn parked(own: &[&FeedHandle], stored: &[StoredAccount]) -> Vec<wire::Parked> {
    let keys: Vec<String> = own
        .iter()
        .filter_map(|feed| feed.health().account_key)
        .collect();
    let is_own = |account: &&StoredAccount| keys.iter().any(|key| key == account.key.as_str());
    let addresses: Vec<&str> = stored
        .iter()
        .filter(is_own)
        .map(|account| account.address.as_str())
        .collect();
    stored
        .iter()
        .filter(|account| !is_own(account) && addresses.contains(&account.address.as_str()))
        .map(|account| wire::Parked {
            address: account.address.clone(),
            key: untrusted(account.key.as_str()).to_string(),
            since: time(account.frozen_at).unwrap_or_default(),
        })
        .collect()
}

/// The other addresses of a user, and those that others claim as well.
fn aliases(daemon: &Daemon, email: &Address) -> (Vec<wire::Alias>, Vec<wire::Contest>) {
    let identity = &daemon.identity;
    let people = identity.people();
    let mut aliases: Vec<wire::Alias> = identity
        .claims_of(email)
        .into_iter()
        .filter(|claim| people.user_of(claim.address.as_str()) == Some(email))
        .map(|claim| wire::Alias {
            address: claim.address.to_string(),
            place: claim.place,
        })
        .collect();
    aliases.sort_by(|a, b| a.address.cmp(&b.address));
    let contests = identity
        .contests()
        .into_iter()
        .filter(|contest| contest.claims.iter().any(|claim| claim.user == *email))
        .map(|contest| wire::Contest {
            address: contest.address.to_string(),
            holder: contest.holder.map(|holder| holder.to_string()),
            claims: contest
                .claims
                .into_iter()
                .map(|claim| wire::Claim {
                    email: claim.user.to_string(),
                    place: claim.place,
                })
                .collect(),
        });
    (aliases, contests.collect())
}

/// `POST /v1/users/resync`.
pub(super) async fn resync(
    State(daemon): State<Arc<Daemon>>,
    Json(question): Json<wire::Resync>,
) -> Result<Json<wire::ResyncAnswer>, Refused> {
    let mut feeds = feeds_for(&daemon, &question.email)?;
    let command = if question.accept_deletes {
        FeedCommand::AcceptDeletes
    } else {
        FeedCommand::Resync
    };
    if question.accept_deletes {
        feeds.retain(|feed| feed.health().state == FeedState::Held);
        if feeds.is_empty() {
            let text = "no resync of this user waits with deletions".to_owned();
            return Err(Refused(StatusCode::CONFLICT, text));
        }
    }
    let n_feeds = feeds
        .iter()
        .filter(|feed| feed.command(command.clone()))
        .count();
    if n_feeds < feeds.len() {
        let text = "the feed has not taken earlier commands yet; try again later".to_owned();
        return Err(Refused(StatusCode::SERVICE_UNAVAILABLE, text));
    }
    tracing::info!(user = %question.email, accept_deletes = question.accept_deletes, "resync asked for");
    Ok(Json(wire::ResyncAnswer { n_feeds }))
}

/// `POST /v1/users/stop`.
pub(super) async fn stop(
    State(daemon): State<Arc<Daemon>>,
    Json(question): Json<wire::Switch>,
) -> Result<Json<wire::Switched>, Refused> {
    let known = known(&daemon, &question.email)?;
    tracing::info!(
        user = %known.email,
        by = %untrusted(&question.by),
        "a user is stopped by an operator"
    );
    let stopped = Stopped {
        by: untrusted(&question.by).to_string(),
        at: Timestamp::now().as_millisecond(),
        why: question.why,
    };
    let (reply, answer) = oneshot::channel();
    let order = Order::Stop {
        email: known.email,
        stopped,
        reply,
    };
    super::config::ask(&daemon, order, answer)
        .await?
        .map_err(unkept)?;
    let was_stopped = known.stopped.is_some();
    Ok(Json(wire::Switched { was_stopped }))
}

/// `POST /v1/users/start`.
pub(super) async fn start(
    State(daemon): State<Arc<Daemon>>,
    Json(question): Json<wire::Switch>,
) -> Result<Json<wire::Switched>, Refused> {
    let known = known(&daemon, &question.email)?;
    if !known.is_synced && known.stopped.is_none() {
        let text = format!(
            "the user {} is off by the config: `sync = false`; change it there",
            known.email
        );
        return Err(Refused(StatusCode::CONFLICT, text));
    }
    tracing::info!(
        user = %known.email,
        by = %untrusted(&question.by),
        only_retry = question.only_retry,
        "a user is started by an operator"
    );
    let (reply, answer) = oneshot::channel();
    let email = known.email;
    let order = Order::Start {
        email,
        only_retry: question.only_retry,
        reply,
    };
    let was_stopped = super::config::ask(&daemon, order, answer)
        .await?
        .map_err(unkept)?;
    Ok(Json(wire::Switched { was_stopped }))
}

fn unkept(why: String) -> Refused {
    Refused(StatusCode::SERVICE_UNAVAILABLE, why)
}

/// A user of the config.
fn known(daemon: &Daemon, email: &str) -> Result<ShownUser, Refused> {
    let shown = daemon.shown.now();
    let mut users = shown.users.iter();
    let known = users.find(|known| known.email.as_str().eq_ignore_ascii_case(email));
    known.cloned().ok_or_else(|| {
        let email = untrusted(email);
        let text = format!("there is no user {email} in the config; see `nuncio user list`");
        Refused(StatusCode::NOT_FOUND, text)
    })
}

/// A feed that is being verified.
struct Watched {
    feed: FeedHandle,
    report: watch::Receiver<Verified>,
}

/// `POST /v1/users/verify`: one JSON object a line, each the whole state, the last one `done`. It
/// may take minutes, so nothing waits for its end; who hangs up stops it.
pub(super) async fn verify(
    State(daemon): State<Arc<Daemon>>,
    Json(question): Json<wire::Verify>,
) -> Result<Response, Refused> {
    let source = question.source.as_deref().map(source_of).transpose()?;
    let mut feeds = feeds_for(&daemon, &question.email)?;
    feeds.retain(|feed| source.is_none_or(|source| feed.source == source));
    if feeds.is_empty() {
        let text = format!(
            "nothing of this user is synced from {}",
            source.map_or("Google", Source::as_str)
        );
        return Err(Refused(StatusCode::CONFLICT, text));
    }
    tracing::info!(user = %untrusted(&question.email), repair = question.repair, "verification asked for");
    let watched: Vec<Watched> = feeds
        .into_iter()
        .map(|feed| {
            let (report, receiver) = watch::channel(Verified::default());
            let order = VerifyOrder {
                repair: question.repair,
                report,
            };
            // One that is not taken closes the channel, which is seen as its end.
            feed.command(FeedCommand::Verify(order));
            Watched {
                feed,
                report: receiver,
            }
        })
        .collect();
    let begun = (watched, question.email, false, true);
    let lines = futures_util::stream::unfold(begun, async |(watched, email, is_done, is_first)| {
        if is_done {
            return None;
        }
        if !is_first {
            tokio::time::sleep(TICK).await;
        }
        let feeds: Vec<wire::VerifiedFeed> = watched.iter().map(verified_feed).collect();
        let is_done = feeds.iter().all(|feed| feed.is_ended);
        let answer = wire::Verification {
            email: email.clone(),
            done: is_done,
            feeds,
        };
        let line = serde_json::to_vec(&answer).map(|mut line| {
            line.push(b'\n');
            Bytes::from(line)
        });
        Some((line, (watched, email, is_done, false)))
    });
    let header = [("content-type", "application/x-ndjson")];
    Ok((header, Body::from_stream(lines)).into_response())
}

fn source_of(name: &str) -> Result<Source, Refused> {
    let sources = [Source::Gmail, Source::Calendar, Source::Drive];
    let found = sources.into_iter().find(|source| source.as_str() == name);
    found.ok_or_else(|| {
        let text = format!(
            "there is no source `{}`; there are gmail, calendar and drive",
            untrusted(name)
        );
        Refused(StatusCode::BAD_REQUEST, text)
    })
}

fn verified_feed(watched: &Watched) -> wire::VerifiedFeed {
    // Asked before the value is read, or the last value could come between.
    let is_closed = watched.report.has_changed().is_err();
    let mut found = watched.report.borrow().clone();
    if is_closed && !found.phase.is_end() {
        found.phase = VerifyPhase::Unfinished;
        found.trouble = Some(FeedError {
            code: "SRC015".to_owned(),
            message: "the feed took no command, or stopped".to_owned(),
            hint: "see `nuncio status`, then try again".to_owned(),
        });
    }
    let feed = &watched.feed;
    let health = feed.health();
    let named = |kind: WrongKind| -> Vec<String> {
        let items = found.wrong.iter().filter(|(_, wrong)| *wrong == kind);
        items
            .map(|(item, _)| untrusted(item.as_str()).to_string())
            .collect()
    };
    wire::VerifiedFeed {
        source: feed.source.as_str().to_owned(),
        collection: feed.collection.clone(),
        name: health.name.map(|name| untrusted(&name).to_string()),
        address: feed
            .owner
            .as_ref()
            .map(|owner| owner.address.as_str().to_owned()),
        phase: found.phase.as_str().to_owned(),
        is_ended: found.phase.is_end(),
        done: found.n_done,
        total: found.n_all,
        items: health.items,
        missing: found.n_missing,
        extra: found.n_extra,
        stale: found.n_stale,
        failed: found.n_failed,
        repaired: found.n_repaired,
        held: found.n_held,
        wrong: wire::WrongItems {
            missing: named(WrongKind::Missing),
            extra: named(WrongKind::Extra),
            stale: named(WrongKind::Stale),
            failed: named(WrongKind::Failed),
        },
        calls: found.n_calls,
        units: found.n_units,
        error: found.trouble.map(|error| wire::Error {
            code: error.code,
            message: error.message,
            hint: error.hint,
        }),
    }
}
