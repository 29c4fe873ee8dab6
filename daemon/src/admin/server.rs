//! The socket of the admin API: made with the rights of owner and group, replaced when a dead
//! daemon left one behind, removed at the end.

use super::{Daemon, routes};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SocketError {
    /// A daemon answers there.
    #[error("another daemon answers at {0}")]
    InUse(PathBuf),
    /// Something else stands there.
    #[error("{0} exists and is no socket; it is left alone")]
    NotASocket(PathBuf),
    /// The path cannot be a socket.
    #[error("the admin socket {path} cannot be made")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// A bound socket; its file goes away with it.
pub(crate) struct Listener {
    path: PathBuf,
    socket: UnixListener,
}

impl Listener {
    /// Binds the socket, for owner and group only (0660).
    pub(crate) async fn bind(path: &Path) -> Result<Self, SocketError> {
        let failed = |source| SocketError::Io {
            path: path.to_owned(),
            source,
        };
        // Not followed: a link's target is not ours to remove.
        if let Ok(found) = std::fs::symlink_metadata(path) {
            if !found.file_type().is_socket() {
                return Err(SocketError::NotASocket(path.to_owned()));
            }
            if UnixStream::connect(path).await.is_ok() {
                return Err(SocketError::InUse(path.to_owned()));
            }
            std::fs::remove_file(path).map_err(failed)?;
        }
        let socket = UnixListener::bind(path).map_err(failed)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660)).map_err(failed)?;
        Ok(Self {
            path: path.to_owned(),
            socket,
        })
    }
}

/// Answers until `stop`.
pub(crate) async fn serve(
    listener: Listener,
    daemon: Arc<Daemon>,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let Listener { path, socket } = listener;
    let served = axum::serve(socket, routes::router(daemon))
        .with_graceful_shutdown(async move { stop.cancelled().await })
        .await;
    if let Err(error) = std::fs::remove_file(&path) {
        tracing::debug!(path = %path.display(), %error, "the admin socket was gone already");
    }
    served
}
