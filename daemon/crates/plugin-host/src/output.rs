//! What a guest prints to its standard output and error: lines in the log. Nothing of it
//! reaches the daemon's own output.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tracing::Level;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::guest_log::{GuestLog, MAX_MESSAGE_BYTES};

/// Bytes that a guest may hand over at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// One of the two outputs of an instance. Clones write to the same line.
#[derive(Clone)]
pub(crate) struct Output(Arc<Lines>);

struct Lines {
    log: Arc<GuestLog>,
    /// The line that is not ended yet; what exceeds a message's length is left out.
    line: Mutex<Vec<u8>>,
}

impl Output {
    pub(crate) fn new(log: Arc<GuestLog>) -> Self {
        Self(Arc::new(Lines {
            log,
            line: Mutex::new(Vec::new()),
        }))
    }
}

impl Lines {
    fn add(&self, bytes: &[u8]) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let mut parts = bytes.split(|byte| *byte == b'\n');
        if let Some(first) = parts.next() {
            extend(&mut line, first);
        }
        for part in parts {
            self.end(&mut line);
            extend(&mut line, part);
        }
    }

    fn end(&self, line: &mut Vec<u8>) {
        if !line.is_empty() {
            self.log
                .write(Level::INFO, &String::from_utf8_lossy(line), &[]);
            line.clear();
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let mut line =
            std::mem::take(&mut *self.line.lock().unwrap_or_else(PoisonError::into_inner));
        self.end(&mut line);
    }
}

fn extend(line: &mut Vec<u8>, part: &[u8]) {
    let room = MAX_MESSAGE_BYTES.saturating_sub(line.len());
    line.extend_from_slice(part.get(..room).unwrap_or(part));
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    /// For WASI 0.3, which is not linked.
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }
}

impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.0.add(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(CHUNK_BYTES)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}
