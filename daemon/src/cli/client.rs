//! Talks to the daemon over its admin socket: one request, one JSON answer or several lines of it.

use super::Common;
use crate::codes;
use crate::exit::{FAILURE, Failure};
use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode};
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
    let stream = connect(common).await?;
    let mut bytes = Vec::new();
    exchange(stream, method, path, body, |piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    })
    .await?;
    serde_json::from_slice(&bytes)
        .context("the daemon's answer cannot be read")
        .map_err(broken_off)
}

/// Asks the daemon something that it answers in lines of JSON over a longer time; `take` gets each.
///
/// # Errors
/// As [`ask`], and if the daemon ends before the last line.
pub(super) async fn follow<T: DeserializeOwned>(
    common: &Common,
    path: &str,
    body: &serde_json::Value,
    mut take: impl FnMut(T),
) -> Result<(), Failure> {
    let stream = connect(common).await?;
    let mut rest = Vec::new();
    exchange(stream, Method::POST, path, Some(body), |piece| {
        rest.extend_from_slice(piece);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            let line = serde_json::from_slice(&line);
            take(line.context("a line of the daemon's answer cannot be read")?);
        }
        Ok(())
    })
    .await
}

/// Whether a daemon answers.
pub(super) async fn is_there(common: &Common) -> bool {
    UnixStream::connect(common.socket()).await.is_ok()
}

async fn connect(common: &Common) -> Result<UnixStream, Failure> {
    let socket = common.socket();
    UnixStream::connect(&socket).await.map_err(|error| {
        Failure::coded(
            FAILURE,
            "ADM001",
            &format!("no daemon answers at {}: {error}", socket.display()),
            codes::remedy("ADM001"),
        )
    })
}

/// One request; `take` gets the pieces of a good answer as they come.
async fn exchange(
    stream: UnixStream,
    method: Method,
    path: &str,
    body: Option<&serde_json::Value>,
    take: impl FnMut(&[u8]) -> anyhow::Result<()>,
) -> Result<(), Failure> {
    let answer = talk(stream, method, path, body, take).await;
    let Err((status, bytes)) = answer.map_err(broken_off)? else {
        return Ok(());
    };
    let said: Option<crate::admin::wire::Refusal> = serde_json::from_slice(&bytes).ok();
    let text = said.map_or_else(
        || format!("the daemon answered {status}"),
        |said| said.error,
    );
    let code = match status.is_server_error() {
        true => "ADM005",
        false => "ADM004",
    };
    Err(Failure::coded(FAILURE, code, &text, codes::remedy(code)))
}

/// The answer is not whole, or not one.
pub(super) fn broken_off(error: anyhow::Error) -> Failure {
    let what = format!("{error:#}");
    Failure::coded(FAILURE, "ADM003", &what, codes::remedy("ADM003"))
}

/// One request and its answer: status and body of one that is not good.
async fn talk(
    stream: UnixStream,
    method: Method,
    path: &str,
    body: Option<&serde_json::Value>,
    mut take: impl FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<Result<(), (StatusCode, Bytes)>> {
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
        )))
        .context("the request cannot be made")?;
    let exchange = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let mut body = response.into_body();
        if !status.is_success() {
            let bytes = body.collect().await?.to_bytes();
            return anyhow::Ok(Err((status, bytes)));
        }
        while let Some(frame) = body.frame().await {
            if let Ok(piece) = frame?.into_data() {
                take(&piece)?;
            }
        }
        Ok(Ok(()))
    };
    // The connection must be driven while the answer is read. When it ends, so does the exchange:
    // with what it still holds, or with an error.
    let driven = async {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "the connection to the daemon broke");
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        answer = exchange => answer.context("the daemon did not answer to the end"),
        () = driven => Err(anyhow::anyhow!("the daemon closed the connection")),
    }
}
