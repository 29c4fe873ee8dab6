//! One HTTP client for all of Google, and one exchange over it: send, wait, read a bounded
//! body, which may be in gzip. HTTP/2 only towards Google, since a cold burst would open a TLS connection per call
//! otherwise; HTTP/1.1 and 2 towards an endpoint. Retries, tokens and permits are not here.

use crate::Endpoint;
use bytes::Bytes;
use flate2::write::GzDecoder;
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::crypto::ring;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Both token requests and calls go over this pool; clones share it.
pub(crate) type Client =
    hyper_util::client::legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// For the TCP connection alone, so that a dead address of several leaves time for the next.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// With calls open and nothing heard for this long, an HTTP/2 connection is pinged.
const PING_INTERVAL: Duration = Duration::from_secs(30);
/// Large bodies stream at full speed over 100 ms of round trip with this window.
const STREAM_WINDOW_BYTES: u32 = 2 << 20;
/// All streams of a connection together.
const CONNECTION_WINDOW_BYTES: u32 = 8 << 20;
/// A `Content-Length` is a promise of the server: room is made for at most this at once.
const FIRST_BUFFER_BYTES: u64 = 1 << 20;

/// Makes the client.
///
/// # Errors
/// The machine has no readable root certificates (not needed for plain HTTP).
pub(crate) fn new(endpoint: &Endpoint) -> io::Result<Client> {
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    tcp.enforce_http(false); // TLS is the outer connector's matter
    let mut builder = hyper_util::client::legacy::Client::builder(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .http2_keep_alive_interval(PING_INTERVAL)
        .http2_initial_stream_window_size(STREAM_WINDOW_BYTES)
        .http2_initial_connection_window_size(CONNECTION_WINDOW_BYTES);
    let provider = ring::default_provider();
    if endpoint.is_google() {
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(provider)?
            .https_only()
            .enable_http2()
            .wrap_connector(tcp);
        return Ok(builder.http2_only(true).build(connector));
    }
    let connector = if endpoint.is_plain_http() {
        // `Endpoint` admits plain HTTP on loopback only; a machine without root certificates
        // can run the demo.
        let tls = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp)
    } else {
        HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(provider)?
            .https_only()
            .enable_http1()
            .enable_http2()
            .wrap_connector(tcp)
    };
    Ok(builder.build(connector))
}

/// A client for plain HTTP to the metadata server, which has no TLS.
/// <https://cloud.google.com/compute/docs/metadata/overview>
pub(crate) fn plain() -> Client {
    let mut tcp = HttpConnector::new();
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has the default versions of TLS")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(connector)
}

/// An answer with its whole body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Why there is no whole answer.
#[derive(Debug)]
pub(crate) enum ExchangeError {
    /// No connection, or it broke before the head of an answer.
    Network(hyper_util::client::legacy::Error),
    /// The body broke off, or its gzip did.
    CutBody(io::Error),
    /// Nothing came for this long.
    Timeout(Duration),
    /// The body, out of its gzip, is longer than allowed.
    TooLarge,
}

/// Sends a request and reads the answer. Each wait for the head or a piece of the body is
/// bounded by `patience`.
///
/// # Cancel safety
/// Dropped early, the request may have been carried out.
pub(crate) async fn exchange(
    client: &Client,
    request: Request<Full<Bytes>>,
    max_body_bytes: usize,
    patience: Duration,
) -> Result<Answer, ExchangeError> {
    let response = timeout(patience, client.request(request))
        .await
        .map_err(|_| ExchangeError::Timeout(patience))?
        .map_err(ExchangeError::Network)?;
    let status = response.status();
    let headers = response.headers().clone();
    match read_body(response, max_body_bytes, patience).await {
        Ok(body) => Ok(Answer {
            status,
            headers,
            body,
        }),
        // The status says what to do; the body of an error is only for the reason.
        Err(_) if !status.is_success() => Ok(Answer {
            status,
            headers,
            body: Bytes::new(),
        }),
        Err(error) => Err(error),
    }
}

async fn read_body(
    response: Response<Incoming>,
    max_bytes: usize,
    patience: Duration,
) -> Result<Bytes, ExchangeError> {
    use hyper::body::Body;
    let coding = response.headers().get(CONTENT_ENCODING);
    let is_gzip = coding.is_some_and(|coding| coding.as_bytes().eq_ignore_ascii_case(b"gzip"));
    let mut incoming = response.into_body();
    let promised = incoming.size_hint().lower();
    if usize::try_from(promised).map_or(true, |promised| promised > max_bytes) {
        return Err(ExchangeError::TooLarge);
    }
    let room = usize::try_from(promised.min(FIRST_BUFFER_BYTES)).unwrap_or(0);
    let mut body = match is_gzip {
        true => Inflow::Gzip(Box::new(GzDecoder::new(Capped::new(room, max_bytes)))),
        false => Inflow::Plain(Capped::new(room, max_bytes)),
    };
    loop {
        let frame = timeout(patience, incoming.frame())
            .await
            .map_err(|_| ExchangeError::Timeout(patience))?;
        let Some(frame) = frame else {
            return body.finish();
        };
        let frame = frame.map_err(|error| ExchangeError::CutBody(io::Error::other(error)))?;
        if let Ok(piece) = frame.into_data() {
            body.take(&piece)?;
        }
    }
}

/// A body on its way in.
enum Inflow {
    Plain(Capped),
    /// Inflated piece by piece, so that a small body that becomes a huge one is stopped early.
    Gzip(Box<GzDecoder<Capped>>),
}

impl Inflow {
    fn take(&mut self, piece: &[u8]) -> Result<(), ExchangeError> {
        match self {
            Self::Plain(body) => body.write_all(piece),
            Self::Gzip(decoder) => decoder.write_all(piece),
        }
        .map_err(|error| self.fault(error))
    }

    /// The whole body; gzip ends with a sum over all of it, so a cut one is noticed.
    fn finish(mut self) -> Result<Bytes, ExchangeError> {
        if let Self::Gzip(decoder) = &mut self {
            let ended = decoder.try_finish();
            ended.map_err(|error| self.fault(error))?;
        }
        match self {
            Self::Plain(body) => Ok(body.bytes.into()),
            Self::Gzip(decoder) => match decoder.finish() {
                Ok(body) => Ok(body.bytes.into()),
                Err(error) => Err(ExchangeError::CutBody(error)),
            },
        }
    }

    fn fault(&self, error: io::Error) -> ExchangeError {
        let body = match self {
            Self::Plain(body) => body,
            Self::Gzip(decoder) => decoder.get_ref(),
        };
        if body.is_over {
            ExchangeError::TooLarge
        } else {
            ExchangeError::CutBody(error)
        }
    }
}

/// Bytes up to a limit.
struct Capped {
    bytes: Vec<u8>,
    max_bytes: usize,
    is_over: bool,
}

impl Capped {
    fn new(room: usize, max_bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(room),
            max_bytes,
            is_over: false,
        }
    }
}

impl Write for Capped {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + piece.len() > self.max_bytes {
            self.is_over = true;
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
