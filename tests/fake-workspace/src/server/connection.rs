//! Connections: TLS or none, HTTP/1.1 or HTTP/2, and the way from hyper's request to a `Call` and back.

use super::tls::Acceptor;
use crate::admin;
use crate::batch;
use crate::call::{Body, Call, Cut, Query, Reply, segments};
use crate::gzip;
use crate::routes;
use crate::workspace::Workspace;
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, DATE, VARY};
use http::{Request, Response};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::rt::{Read, Write};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::Value;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Largest request body, in bytes: Gmail takes mails of up to 50 MB, base64 adds a third.
const MAX_BODY: usize = 70 << 20;
/// A client that does not finish its handshake in this time is let go.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Who is spoken to on a port.
#[derive(Debug, Clone, Copy)]
pub(super) enum Port {
    Api,
    Admin,
}

/// Which versions of HTTP a port speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Versions {
    /// HTTP/1.1, and HTTP/2 by prior knowledge or ALPN.
    Any,
    Http2,
}

/// How a port is served.
#[derive(Debug, Clone)]
pub(super) struct Door {
    pub(super) port: Port,
    pub(super) versions: Versions,
    /// Absent for plain text.
    pub(super) tls: Option<Acceptor>,
}

/// Takes connections for ever.
pub(super) async fn accept(listener: TcpListener, workspace: Arc<Workspace>, door: Door) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // Without this each small answer waits for the peer's delayed acknowledgement.
                    if stream.set_nodelay(true).is_ok() {
                        connections.spawn(welcome(stream, workspace.clone(), door.clone()));
                    }
                }
                // Out of file descriptors, most likely: let some connections end.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn welcome(stream: TcpStream, workspace: Arc<Workspace>, door: Door) {
    match &door.tls {
        None => serve(TokioIo::new(stream), workspace, &door).await,
        Some(acceptor) => {
            let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream));
            // A failed handshake is the client's affair.
            if let Ok(Ok(stream)) = handshake.await {
                serve(TokioIo::new(stream), workspace, &door).await;
            }
        }
    }
}

async fn serve<S>(stream: S, workspace: Arc<Workspace>, door: &Door)
where
    S: Read + Write + Unpin + Send + 'static,
{
    let port = door.port;
    let service = service_fn(move |request: Request<Incoming>| {
        let workspace = workspace.clone();
        async move { respond(request, &workspace, port).await }
    });
    let builder = builder(door.versions);
    // How a connection ended is the client's affair.
    drop(builder.serve_connection(stream, service).await);
}

fn builder(versions: Versions) -> auto::Builder<TokioExecutor> {
    let builder = auto::Builder::new(TokioExecutor::new());
    match versions {
        Versions::Any => builder,
        Versions::Http2 => builder.http2_only(),
    }
}

async fn respond(
    request: Request<Incoming>,
    workspace: &Arc<Workspace>,
    port: Port,
) -> io::Result<Response<ReplyBody>> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, MAX_BODY).collect().await else {
        let mut reply =
            Reply::html("<html><title>Error 413 (Request Entity Too Large)!!1</title></html>");
        reply.status = 413;
        return Ok(to_response(reply, Layout::Compact, Coding::Identity, None));
    };
    let call = Call {
        method: head.method,
        segments: segments(head.uri.path()),
        query: Query::parse(head.uri.query().unwrap_or_default().as_bytes()),
        headers: head.headers,
        body: body.to_bytes(),
    };
    let layout = match (port, call.query.first("prettyPrint")) {
        (Port::Api, None | Some("true")) => Layout::Pretty,
        _ => Layout::Compact,
    };
    let reply = match port {
        Port::Api if batch::is_batch(&call) => batch::answer(workspace, &call).await,
        Port::Api => routes::answer(workspace, &call).await,
        Port::Admin if is_metadata(&call) => routes::answer(workspace, &call).await,
        Port::Admin => admin::answer(workspace, &call),
    };
    if reply.cut == Cut::BeforeTheAnswer {
        return Err(io::Error::other("reset by a fault"));
    }
    let coding = match port {
        Port::Api if gzip::is_wanted(&call.headers) => Coding::Gzip,
        _ => Coding::Identity,
    };
    Ok(to_response(reply, layout, coding, date(workspace)))
}

/// Whether a call is for the metadata server, which never speaks TLS: so it is on the control port as well.
fn is_metadata(call: &Call) -> bool {
    call.method == http::Method::GET
        && matches!(
            call.segments.first().map(String::as_str),
            Some("" | "computeMetadata")
        )
}

/// The Date header of a clock that is off; hyper writes that of the machine's.
fn date(workspace: &Workspace) -> Option<String> {
    if workspace.skew_ms() == 0 {
        return None;
    }
    let now = jiff::Timestamp::from_millisecond(workspace.now_ms()).ok()?;
    Some(now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
}

#[derive(Debug, Clone, Copy)]
enum Coding {
    Identity,
    Gzip,
}

#[derive(Debug, Clone, Copy)]
enum Layout {
    Pretty,
    Compact,
}

fn write_json(value: &Value, layout: Layout) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512);
    let written = match layout {
        Layout::Pretty => serde_json::to_writer_pretty(&mut bytes, value),
        Layout::Compact => serde_json::to_writer(&mut bytes, value),
    };
    written.expect("a value can be written, and a Vec takes everything");
    if let Layout::Pretty = layout {
        bytes.push(b'\n');
    }
    bytes
}

fn to_response(
    reply: Reply,
    layout: Layout,
    coding: Coding,
    date: Option<String>,
) -> Response<ReplyBody> {
    let mut content_type = reply.content_type.to_owned();
    let bytes: Bytes = match (reply.body, layout) {
        (Body::Bytes(bytes), _) => bytes,
        (Body::Multipart { boundary, bytes }, _) => {
            content_type = format!("{content_type}; boundary={boundary}");
            bytes
        }
        (Body::Json(value), layout) => write_json(&value, layout).into(),
    };
    let mut builder = Response::builder().status(reply.status);
    let bytes = match coding {
        Coding::Gzip if reply.status != 204 => {
            builder = builder.header(CONTENT_ENCODING, "gzip");
            gzip::encode(&bytes).into()
        }
        Coding::Gzip | Coding::Identity => bytes,
    };
    if reply.status != 204 {
        builder = builder
            .header(CONTENT_TYPE, content_type)
            .header(VARY, "Origin, X-Origin, Referer")
            .header(CONTENT_LENGTH, bytes.len());
    }
    if let Some(date) = date {
        builder = builder.header(DATE, date);
    }
    for (name, value) in reply.headers {
        builder = builder.header(name, value);
    }
    let body = ReplyBody {
        length: bytes.len() as u64,
        rest: match reply.cut {
            Cut::Whole => bytes,
            Cut::InTheMiddle | Cut::BeforeTheAnswer => bytes.slice(..bytes.len() / 2),
        },
        cut: reply.cut,
    };
    builder.body(body).unwrap_or_else(|_| {
        // A header from the admin port may hold bytes that no header can.
        let mut response = Response::new(ReplyBody {
            length: 0,
            rest: Bytes::new(),
            cut: Cut::Whole,
        });
        *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

/// A body in one piece that may break off before its end.
#[derive(Debug)]
struct ReplyBody {
    rest: Bytes,
    length: u64,
    cut: Cut,
}

impl hyper::body::Body for ReplyBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if !self.rest.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.rest)))));
        }
        match self.cut {
            Cut::Whole => Poll::Ready(None),
            Cut::InTheMiddle | Cut::BeforeTheAnswer => {
                Poll::Ready(Some(Err(io::Error::other("cut by a fault"))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.cut == Cut::Whole
    }

    fn size_hint(&self) -> SizeHint {
        if self.cut == Cut::Whole && self.rest.is_empty() {
            SizeHint::with_exact(0)
        } else {
            SizeHint::with_exact(self.length)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::io::{
        AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex,
    };

    /// Counts what would be system calls that write; takes vectors, as a socket does.
    struct Counting {
        inner: DuplexStream,
        n_writes: Arc<AtomicUsize>,
    }

    impl AsyncRead for Counting {
        fn poll_read(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(&mut self.inner).poll_read(context, buffer)
        }
    }

    impl AsyncWrite for Counting {
        fn poll_write(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.n_writes.fetch_add(1, Ordering::Relaxed);
            Pin::new(&mut self.inner).poll_write(context, bytes)
        }

        fn poll_write_vectored(
            self: Pin<&mut Self>,
            context: &mut Context<'_>,
            parts: &[io::IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let whole: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
            self.poll_write(context, &whole)
        }

        fn is_write_vectored(&self) -> bool {
            true
        }

        fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.inner).poll_flush(context)
        }

        fn poll_shutdown(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(&mut self.inner).poll_shutdown(context)
        }
    }

    #[tokio::test]
    async fn a_reply_is_one_write() {
        let (mut client, inner) = duplex(1 << 20);
        let n_writes = Arc::new(AtomicUsize::new(0));
        let stream = Counting {
            inner,
            n_writes: n_writes.clone(),
        };
        let body = "x".repeat(100_000);
        let text = body.clone();
        let service = service_fn(move |_: Request<Incoming>| {
            let reply = Reply::json(json!({ "data": text }));
            async move {
                Ok::<_, Infallible>(to_response(reply, Layout::Pretty, Coding::Identity, None))
            }
        });
        let mut tasks = JoinSet::new();
        let connection = builder(Versions::Any);
        tasks.spawn(async move {
            drop(
                connection
                    .serve_connection(TokioIo::new(stream), service)
                    .await,
            );
        });
        for round in 1..=3 {
            client
                .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
                .await
                .unwrap();
            let mut seen = Vec::new();
            while !seen.ends_with(b"}\n") {
                client.read_buf(&mut seen).await.unwrap();
            }
            assert!(seen.len() > body.len());
            assert_eq!(n_writes.load(Ordering::Relaxed), round);
        }
    }
}
