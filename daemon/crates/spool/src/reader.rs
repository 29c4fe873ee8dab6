//! Reads beside the writer: a few read-only connections, used on tokio's blocking threads.
//! Each read sees one committed state; what is read is in the module of each table.

use crate::error::Fault;
use nuncio_model::StoreError;
use rusqlite::Connection;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The connections, and permits for those that are not in use.
pub(crate) struct Readers {
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
    n_connections: u32,
}

impl Readers {
    pub(crate) fn new(connections: Vec<Connection>) -> Self {
        let n_connections = u32::try_from(connections.len()).expect("a handful of connections");
        let permits = Arc::new(Semaphore::new(connections.len()));
        Self {
            idle: Mutex::new(connections),
            permits,
            n_connections,
        }
    }

    /// Runs `work` with a connection of its own.
    pub(crate) async fn read<T, F>(self: &Arc<Self>, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    {
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|_| StoreError::Closed)?;
        let readers = Arc::clone(self);
        blocking(move || {
            let conn = readers
                .lock()
                .pop()
                .ok_or(Fault::Store(StoreError::Closed))?;
            let borrowed = Borrowed {
                conn: Some(conn),
                readers,
                _permit: permit,
            };
            let conn = borrowed
                .conn
                .as_ref()
                .ok_or(Fault::Store(StoreError::Closed))?;
            // One transaction, so that several statements see the same state.
            let transaction = conn.unchecked_transaction()?;
            work(&transaction)
        })
        .await
    }

    /// Waits for reads under way and closes the connections.
    pub(crate) async fn close(&self) {
        let all = self.permits.acquire_many(self.n_connections).await;
        self.permits.close();
        self.lock().clear();
        drop(all);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Connection>> {
        // A list of connections is whole whatever a panicking thread did.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection in use. It goes back before its permit does, also when the read panics.
struct Borrowed {
    conn: Option<Connection>,
    readers: Arc<Readers>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        let conn = self.conn.take();
        self.readers.lock().extend(conn);
    }
}

/// Runs what takes the processor or the disk off the async threads.
pub(crate) async fn blocking<T, F>(work: F) -> Result<T, StoreError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, Fault> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value.map_err(StoreError::from),
        Err(error) if error.is_panic() => Err(StoreError::Failed("a read broke off".to_owned())),
        Err(_) => Err(StoreError::Closed),
    }
}
