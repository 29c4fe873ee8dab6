//! The life of a server: its options, its listeners, what it writes at the start. Connections are in `server/`,
//! what a call answers is decided in `routes.rs` and `admin.rs`.

mod connection;
mod tls;

use crate::activity;
use crate::admin;
use crate::calendar;
use crate::generate;
use crate::keys::ServiceAccount;
use crate::oauth::Client;
use crate::quota::{ChargeTo, PriceList, Quota};
use crate::workspace::{AccountState, Parts, Role, Workspace, now_ms};
use connection::{Door, Port, Versions, accept};
use serde_json::{Value, json};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// The Cloud project of the service account.
pub(crate) const PROJECT: &str = "fake-workspace";

/// How large the domain is and how the server behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Address of the API; port 0 takes a free one. The admin port is always a free one on loopback.
    pub listen: SocketAddr,
    /// Where `service-account.json`, `oauth-client.json` and with TLS `ca.pem` are written; made if missing.
    pub dir: PathBuf,
    /// Users of the domain, the administrator (the first) included; at least one.
    pub users: usize,
    /// How many of them are suspended: the last ones, never the administrator.
    pub suspended: usize,
    /// Generated messages over all mailboxes.
    pub messages: usize,
    /// Generated calendar events over all users.
    pub events: usize,
    /// Generated files over all of Drive, folders included.
    pub files: usize,
    /// The same seed gives the same domain, but for dates, which lead up to now.
    pub seed: u64,
    /// A folder of `.eml` and `.msg` files that are spread over the mailboxes beside the generated mail.
    pub mail: Option<PathBuf>,
    /// A folder of discovery documents, `API.VERSION.json` each, that the discovery service gives.
    pub discovery: Option<PathBuf>,
    /// Changes per second over the whole domain; 0 for none.
    pub rate: f64,
    /// Delay before each answer of an API.
    pub latency: Duration,
    /// The price list of the project; nothing is refused without one.
    pub quota: PriceList,
    /// Whom Gmail charges for delegated calls.
    pub charge: ChargeTo,
    /// Divides the length of all quota windows: 60 makes a minute a second.
    pub time_scale: f64,
    /// HTTP/2 only; otherwise HTTP/1.1 as well.
    pub h2: bool,
    /// TLS with a certificate of an authority made at the start.
    pub tls: bool,
}

impl Options {
    /// A small domain: three users, sixty messages, sixty events, forty files, no changes by itself.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            dir: dir.into(),
            users: 3,
            suspended: 0,
            messages: 60,
            events: 60,
            files: 40,
            seed: 1,
            mail: None,
            discovery: None,
            rate: 0.0,
            latency: Duration::ZERO,
            quota: PriceList::Off,
            charge: ChargeTo::Mailbox,
            time_scale: 1.0,
            h2: false,
            tls: false,
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
    /// No certificate came about.
    #[error("cannot make the certificate of the server")]
    Certificate(#[source] rcgen::Error),
    /// The certificate does not fit its key.
    #[error("cannot set TLS up")]
    Tls(#[source] rustls::Error),
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
    client_path: PathBuf,
    ca_path: Option<PathBuf>,
    /// Owns the listeners and, through them, all connections.
    _tasks: JoinSet<()>,
}

impl Server {
    /// Generates the domain, writes the key file and starts to listen.
    ///
    /// # Errors
    /// Anything in [`Error`]; nothing is left running then.
    pub async fn start(options: Options) -> Result<Self, Error> {
        check(&options)?;
        std::fs::create_dir_all(&options.dir).map_err(|source| Error::Write {
            path: options.dir.clone(),
            source,
        })?;
        let (listener, address) = bind(options.listen).await?;
        let (admin_listener, admin_address) =
            bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let tls = match options.tls {
            true => Some(tls::Acceptor::create(&options.dir, options.h2)?),
            false => None,
        };
        let base = format!("{}://{address}", if options.tls { "https" } else { "http" });
        let (account, key_path) = ServiceAccount::create(&options.dir, &base, PROJECT)?;
        let (client, client_path) = Client::create(&options.dir, &base, PROJECT)?;
        let domain = generate::domain(&options, now_ms())?;
        let calendars =
            calendar::generate::calendars(options.seed, now_ms(), &domain.world, options.events);
        let workspace = Arc::new(Workspace::new(Parts {
            base,
            world: domain.world,
            dir: options.dir.clone(),
            discovery: options.discovery.clone(),
            account,
            client,
            quota: Quota::new(options.quota, options.charge, options.time_scale),
            latency: options.latency,
            users: domain.users,
            mailboxes: domain.mailboxes,
            calendars,
            drive: domain.drive,
            rate: options.rate,
            seed: options.seed,
        }));
        let mut tasks = JoinSet::new();
        let api = Door {
            port: Port::Api,
            versions: if options.h2 {
                Versions::Http2
            } else {
                Versions::Any
            },
            tls: tls.clone(),
        };
        let control = Door {
            port: Port::Admin,
            versions: Versions::Any,
            tls: None,
        };
        tasks.spawn(accept(listener, workspace.clone(), api));
        tasks.spawn(accept(admin_listener, workspace.clone(), control));
        tasks.spawn(activity::trickle(workspace.clone(), options.seed));
        Ok(Self {
            workspace,
            admin_url: format!("http://{admin_address}"),
            key_path,
            client_path,
            ca_path: tls.map(|tls| tls.ca_path().to_owned()),
            _tasks: tasks,
        })
    }

    #[cfg(test)]
    pub(crate) fn workspace(&self) -> &Workspace {
        &self.workspace
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

    /// The file of the OAuth client of the installed type.
    pub fn client_path(&self) -> &Path {
        &self.client_path
    }

    /// The certificate of the authority that clients have to trust; only with TLS.
    pub fn ca_path(&self) -> Option<&Path> {
        self.ca_path.as_deref()
    }

    /// Primary addresses of all users, suspended ones included, deleted ones not.
    pub fn users(&self) -> Vec<String> {
        let users = self.workspace.users();
        users
            .iter()
            .filter(|user| user.deleted_ms.is_none())
            .map(|user| user.primary.clone())
            .collect()
    }

    /// Primary addresses of the users that are suspended now.
    pub fn suspended(&self) -> Vec<String> {
        let users = self.workspace.users();
        users
            .iter()
            .filter(|user| user.state == AccountState::Suspended && user.deleted_ms.is_none())
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
            "oauth_client": self.client_path(),
            "ca": self.ca_path(),
            "users": self.users(),
            "suspended": self.suspended(),
            "pid": std::process::id(),
        })
    }
}

fn check(options: &Options) -> Result<(), Error> {
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
    if !options.time_scale.is_finite() || options.time_scale <= 0.0 {
        return Err(Error::Options("the time scale is above 0".to_owned()));
    }
    Ok(())
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let failed = |source| Error::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let local = listener.local_addr().map_err(failed)?;
    Ok((listener, local))
}
