//! What the admin API does for the config: a reload, and what another config would change.

use super::routes::Refused;
use super::{Daemon, wire};
use crate::reload::{Order, Reloaded};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use std::sync::Arc;
use tokio::sync::oneshot;

/// `POST /v1/reload`.
pub(super) async fn reload(
    State(daemon): State<Arc<Daemon>>,
    Json(question): Json<wire::Reload>,
) -> Result<Json<wire::ReloadAnswer>, Refused> {
    tracing::info!(approve = ?question.approve, "a reload is asked for");
    let approved = question.approve;
    if !question.wait {
        let order = Order::Reload {
            approved,
            reply: None,
        };
        daemon.orders.send(order).await.map_err(|_| stopping())?;
        return Ok(Json(wire::ReloadAnswer { done: None }));
    }
    let (reply, answer) = oneshot::channel();
    let order = Order::Reload {
        approved,
        reply: Some(reply),
    };
    let done = Some(ask(&daemon, order, answer).await?);
    Ok(Json(wire::ReloadAnswer { done }))
}

/// `POST /v1/plan`.
pub(super) async fn plan(
    State(daemon): State<Arc<Daemon>>,
    Json(question): Json<wire::Plan>,
) -> Result<Json<Reloaded>, Refused> {
    let (reply, answer) = oneshot::channel();
    let order = Order::Plan {
        files: question.files,
        reply,
    };
    ask(&daemon, order, answer).await.map(Json)
}

/// Gives an order and waits for its answer.
pub(super) async fn ask<T>(
    daemon: &Daemon,
    order: Order,
    answer: oneshot::Receiver<T>,
) -> Result<T, Refused> {
    daemon.orders.send(order).await.map_err(|_| stopping())?;
    answer.await.map_err(|_| stopping())
}

fn stopping() -> Refused {
    let text = "the daemon is stopping".to_owned();
    Refused(StatusCode::SERVICE_UNAVAILABLE, text)
}
