//! A server whose answers are a closure of the test. It keeps what it was asked, and can cut
//! bodies and drop connections.

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// A request as the server saw it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: HashMap<String, String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    /// How many requests to this path came before.
    pub(crate) n_before: usize,
}

/// What to answer.
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
    is_cut: bool,
}

impl Reply {
    pub(crate) fn new(status: u16, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: vec![],
            body: body.into(),
            is_cut: false,
        }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Promises one byte more than it sends.
    pub(crate) fn cut(mut self) -> Self {
        self.is_cut = true;
        self
    }
}

type Answering = Pin<Box<dyn Future<Output = Reply> + Send>>;
type Handler = dyn Fn(Seen) -> Answering + Send + Sync;

/// The server; dropped, it stops.
pub(crate) struct Server {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    _tasks: JoinSet<()>,
}

impl Server {
    /// Starts on a free port.
    pub(crate) async fn start<F, A>(handler: F) -> Self
    where
        F: Fn(Seen) -> A + Send + Sync + 'static,
        A: Future<Output = Reply> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let handler: Arc<Handler> = Arc::new(move |seen| Box::pin(handler(seen)));
        let mut tasks = JoinSet::new();
        let log = Arc::clone(&seen);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (handler, log) = (Arc::clone(&handler), Arc::clone(&log));
                connections.spawn(async move {
                    let service = service_fn(|request| answer(request, &handler, &log));
                    // A cut body ends a connection with an error; that is its purpose.
                    drop(
                        hyper::server::conn::http1::Builder::new()
                            .serve_connection(TokioIo::new(stream), service)
                            .await,
                    );
                });
            }
        });
        Self {
            url,
            seen,
            _tasks: tasks,
        }
    }

    /// All requests so far whose path is `path`.
    pub(crate) fn requests(&self, path: &str) -> Vec<Seen> {
        self.seen
            .lock()
            .unwrap()
            .iter()
            .filter(|seen| seen.path == path)
            .cloned()
            .collect()
    }

    /// All requests so far but those for tokens.
    pub(crate) fn calls(&self) -> Vec<Seen> {
        self.seen
            .lock()
            .unwrap()
            .iter()
            .filter(|seen| seen.path != "/token")
            .cloned()
            .collect()
    }
}

async fn answer(
    request: Request<Incoming>,
    handler: &Arc<Handler>,
    log: &Mutex<Vec<Seen>>,
) -> Result<Response<MaybeCut>, hyper::Error> {
    let (parts, body) = request.into_parts();
    let body = String::from_utf8_lossy(&body.collect().await?.to_bytes()).into_owned();
    let query = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
        .into_owned()
        .collect();
    let path = parts.uri.path().to_owned();
    let seen = {
        let mut log = log.lock().unwrap();
        let n_before = log.iter().filter(|seen| seen.path == path).count();
        let seen = Seen {
            method: parts.method.to_string(),
            path,
            query,
            headers: parts.headers,
            body,
            n_before,
        };
        log.push(seen.clone());
        seen
    };
    let reply = handler(seen).await;
    let body = MaybeCut {
        piece: Some(reply.body),
        is_cut: reply.is_cut,
        is_flushed: false,
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap();
    for (name, value) in reply.headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    let promised = response.body().promised();
    response
        .headers_mut()
        .insert(CONTENT_LENGTH, promised.into());
    Ok(response)
}

/// A body of one piece, and an error after it if it is to be cut.
struct MaybeCut {
    piece: Option<Bytes>,
    is_cut: bool,
    is_flushed: bool,
}

impl MaybeCut {
    fn promised(&self) -> usize {
        self.piece.as_ref().map_or(0, Bytes::len) + usize::from(self.is_cut)
    }
}

impl Body for MaybeCut {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(piece) = self.piece.take().filter(|piece| !piece.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        if !self.is_cut {
            return Poll::Ready(None);
        }
        if !self.is_flushed {
            // hyper flushes head and piece while the body has nothing ready.
            self.is_flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(io::Error::other("cut"))))
    }
}
