//! Listeners, connections and the life of a server. What a call answers is decided in `routes.rs` and `admin.rs`.

use crate::activity;
use crate::admin;
use crate::call::{Body, Call, Cut, Query, Reply, segments};
use crate::generate;
use crate::keys::ServiceAccount;
use crate::routes;
use crate::workspace::{AccountState, Parts, Role, Workspace, now_ms};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{Request, Response};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Largest request body, in bytes: Gmail takes mails of up to 50 MB, base64 adds a third.
const MAX_BODY: usize = 70 << 20;

const PROJECT: &str = "fake-workspace";

/// How large the domain is and how the server behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Address of the API; port 0 takes a free one. The admin port is always a free one on loopback.
    pub listen: SocketAddr,
    /// Where `service-account.json` is written; made if missing.
    pub dir: PathBuf,
    /// Users of the domain, the administrator (the first) included; at least one.
    pub users: usize,
    /// How many of them are suspended: the last ones, never the administrator.
    pub suspended: usize,
    /// Generated messages over all mailboxes.
    pub messages: usize,
    /// Generated files over all of Drive, folders included.
    pub files: usize,
    /// The same seed gives the same domain, but for dates, which lead up to now.
    pub seed: u64,
    /// A folder of `.eml` and `.msg` files that are spread over the mailboxes beside the generated mail.
    pub mail: Option<PathBuf>,
    /// Changes per second over the whole domain; 0 for none.
    pub rate: f64,
    /// Delay before each answer of an API.
    pub latency: Duration,
}

impl Options {
    /// A small domain: three users, sixty messages, forty files, no changes by itself.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            dir: dir.into(),
            users: 3,
            suspended: 0,
            messages: 60,
            files: 40,
            seed: 1,
            mail: None,
            rate: 0.0,
            latency: Duration::ZERO,
        }
    }
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The options contradict each other.
    #[error("{0}")]
    Options(String),
    /// No listener at the address.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The folder or the key file could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The folder of mails or a mail in it could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No RSA key came about.
    #[error("cannot generate the service account's key")]
    Key(#[source] rsa::Error),
    /// The key could not be written as PKCS#8.
    #[error("cannot encode the service account's key")]
    KeyFormat(#[source] rsa::pkcs8::Error),
}

/// A running fake Workspace. It stops when it is dropped.
#[derive(Debug)]
pub struct Server {
    workspace: Arc<Workspace>,
    admin_url: String,
    key_path: PathBuf,
    /// Owns the listeners and, through them, all connections.
    _tasks: JoinSet<()>,
}

impl Server {
    /// Generates the domain, writes the key file and starts to listen.
    ///
    /// # Errors
    /// Anything in [`Error`]; nothing is left running then.
    pub async fn start(options: Options) -> Result<Self, Error> {
        if options.users == 0 {
            return Err(Error::Options("a domain has at least one user".to_owned()));
        }
        if options.suspended >= options.users {
            return Err(Error::Options(
                "the administrator cannot be suspended: fewer suspended than users".to_owned(),
            ));
        }
        if !options.rate.is_finite() || options.rate < 0.0 {
            return Err(Error::Options("the rate is a number from 0 up".to_owned()));
        }
        std::fs::create_dir_all(&options.dir).map_err(|source| Error::Write {
            path: options.dir.clone(),
            source,
        })?;
        let (listener, address) = bind(options.listen).await?;
        let (admin_listener, admin_address) =
            bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let base = format!("http://{address}");
        let (account, key_path) = ServiceAccount::create(&options.dir, &base, PROJECT)?;
        let domain = generate::domain(&options, now_ms())?;
        let workspace = Arc::new(Workspace::new(Parts {
            base,
            world: domain.world,
            accounts: vec![account],
            latency: options.latency,
            users: domain.users,
            mailboxes: domain.mailboxes,
            drive: domain.drive,
            rate: options.rate,
            seed: options.seed,
        }));
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, workspace.clone(), Port::Api));
        tasks.spawn(accept(admin_listener, workspace.clone(), Port::Admin));
        tasks.spawn(activity::trickle(workspace.clone(), options.seed));
        Ok(Self {
            workspace,
            admin_url: format!("http://{admin_address}"),
            key_path,
            _tasks: tasks,
        })
    }

    /// The URL in front of all API paths, without a slash at its end.
    pub fn base(&self) -> &str {
        &self.workspace.base
    }

    /// The URL of the control port, without a slash at its end.
    pub fn admin_url(&self) -> &str {
        &self.admin_url
    }

    /// The key file of the service account.
    pub fn key_path(&self) -> &Path {
        &self.key_path
    }

    /// Primary addresses of all users, suspended ones included.
    pub fn users(&self) -> Vec<String> {
        let users = self.workspace.users();
        users.iter().map(|user| user.primary.clone()).collect()
    }

    /// Primary addresses of the users that are suspended now.
    pub fn suspended(&self) -> Vec<String> {
        let users = self.workspace.users();
        users
            .iter()
            .filter(|user| user.state == AccountState::Suspended)
            .map(|user| user.primary.clone())
            .collect()
    }

    /// The administrator's primary address.
    pub fn admin_user(&self) -> String {
        let users = self.workspace.users();
        users
            .iter()
            .find(|user| user.role == Role::Admin)
            .map(|user| user.primary.clone())
            .unwrap_or_default()
    }

    /// Runs an operation of the control port, as `fake-workspace admin OP` does.
    ///
    /// # Errors
    /// [`crate::AdminError`] with the reason in words.
    pub fn admin(&self, operation: &str, input: &Value) -> Result<Value, crate::AdminError> {
        admin::run(&self.workspace, operation, input)
    }

    /// What `serve` prints when it is ready.
    pub fn describe(&self) -> Value {
        json!({
            "base": self.base(),
            "admin": self.admin_url(),
            "admin_user": self.admin_user(),
            "key": self.key_path(),
            "users": self.users(),
            "suspended": self.suspended(),
            "pid": std::process::id(),
        })
    }
}

#[derive(Debug, Clone, Copy)]
enum Port {
    Api,
    Admin,
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let failed = |source| Error::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let local = listener.local_addr().map_err(failed)?;
    Ok((listener, local))
}

async fn accept(listener: TcpListener, workspace: Arc<Workspace>, port: Port) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // Without this each small answer waits for the peer's delayed acknowledgement.
                    if stream.set_nodelay(true).is_ok() {
                        connections.spawn(serve(TokioIo::new(stream), workspace.clone(), port));
                    }
                }
                // Out of file descriptors, most likely: let some connections end.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TokioIo<tokio::net::TcpStream>, workspace: Arc<Workspace>, port: Port) {
    let service = service_fn(move |request: Request<Incoming>| {
        let workspace = workspace.clone();
        async move { Ok::<_, Infallible>(respond(request, &workspace, port).await) }
    });
    // How a connection ended is the client's affair.
    drop(
        auto::Builder::new(TokioExecutor::new())
            .serve_connection(stream, service)
            .await,
    );
}

async fn respond(
    request: Request<Incoming>,
    workspace: &Workspace,
    port: Port,
) -> Response<ReplyBody> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, MAX_BODY).collect().await else {
        let mut reply =
            Reply::html("<html><title>Error 413 (Request Entity Too Large)!!1</title></html>");
        reply.status = 413;
        return to_response(reply, Layout::Compact);
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
        Port::Api => routes::answer(workspace, &call).await,
        Port::Admin => admin::answer(workspace, &call),
    };
    to_response(reply, layout)
}

#[derive(Debug, Clone, Copy)]
enum Layout {
    Pretty,
    Compact,
}

fn to_response(reply: Reply, layout: Layout) -> Response<ReplyBody> {
    let bytes = match (reply.body, layout) {
        (Body::Bytes(bytes), _) => bytes,
        (Body::Json(value), Layout::Pretty) => format!("{value:#}\n").into(),
        (Body::Json(value), Layout::Compact) => value.to_string().into(),
    };
    let mut builder = Response::builder().status(reply.status);
    if reply.status != 204 {
        builder = builder
            .header(CONTENT_TYPE, reply.content_type)
            .header(CONTENT_LENGTH, bytes.len());
    }
    for (name, value) in reply.headers {
        builder = builder.header(name, value);
    }
    let body = ReplyBody {
        length: bytes.len() as u64,
        rest: match reply.cut {
            Cut::Whole => bytes,
            Cut::InTheMiddle => bytes.slice(..bytes.len() / 2),
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
            Cut::InTheMiddle => Poll::Ready(Some(Err(io::Error::other("cut by a fault")))),
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
