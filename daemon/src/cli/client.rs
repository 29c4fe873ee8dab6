//! Talks to the daemon over its admin socket: one request, one JSON answer.

use super::Common;
use crate::exit::{FAILURE, Failure};
use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

/// Asks the daemon.
///
/// # Errors
/// If it does not run, refuses, or answers nonsense; each in plain words.
pub(super) async fn ask<T: DeserializeOwned>(
    common: &Common,
    method: Method,
    path: &str,
    body: Option<&serde_json::Value>,
) -> Result<T, Failure> {
    let socket = common.socket();
    let stream = UnixStream::connect(&socket).await.map_err(|error| {
        Failure::coded(
            FAILURE,
            "ADM001",
            &format!("no daemon answers at {}: {error}", socket.display()),
            "is `nuncio run` up, with the same --state-dir or --socket? may this user use the \
             socket (group nuncio-admin)?",
        )
    })?;
    let (status, bytes) = exchange(stream, method, path, body).await?;
    if !status.is_success() {
        let said: Option<crate::admin::wire::Refusal> = serde_json::from_slice(&bytes).ok();
        let text = said.map_or_else(
            || format!("the daemon answered {status}"),
            |said| said.error,
        );
        return Err(Failure::new(FAILURE, format!("error: {text}")));
    }
    let answer = serde_json::from_slice(&bytes).context("the daemon's answer cannot be read")?;
    Ok(answer)
}

async fn exchange(
    stream: UnixStream,
    method: Method,
    path: &str,
    body: Option<&serde_json::Value>,
) -> anyhow::Result<(hyper::StatusCode, Bytes)> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .context("the admin socket does not speak HTTP")?;
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "nuncio")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(
            body.map(ToString::to_string).unwrap_or_default(),
        )))?;
    let exchange = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let bytes = response.into_body().collect().await?.to_bytes();
        anyhow::Ok((status, bytes))
    };
    // The connection must be driven while the answer is read; it ends with the answer.
    tokio::select! {
        answer = exchange => answer.context("the daemon did not answer"),
        ended = connection => {
            ended.context("the daemon did not answer")?;
            anyhow::bail!("the daemon closed the connection")
        }
    }
}
