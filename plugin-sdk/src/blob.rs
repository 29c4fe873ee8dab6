//! Reading blobs: large content that stays at the host until it is read. A blob is valid
//! until the call that brought it returns.

use std::io::{self, Read};

use crate::{Blob, BlobError};

/// Bytes asked for in one read. The host caps a read at 1 MiB; below 64 KiB the calls cost
/// more than the bytes.
pub const CHUNK_BYTES: u32 = 256 * 1024;

/// Reads a blob from its start to its end, a chunk at a time.
pub struct Reader<'a> {
    blob: &'a Blob,
    offset: u64,
    chunk: Vec<u8>,
    taken: usize,
    ended: bool,
}

impl<'a> Reader<'a> {
    /// A reader at the start of `blob`.
    pub fn new(blob: &'a Blob) -> Self {
        Self {
            blob,
            offset: 0,
            chunk: Vec::new(),
            taken: 0,
            ended: false,
        }
    }
}

impl Read for Reader<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.chunk.len() && !self.ended {
            self.chunk = self.blob.read(self.offset, CHUNK_BYTES).map_err(as_io)?;
            self.taken = 0;
            self.offset += self.chunk.len() as u64;
            self.ended = self.chunk.is_empty();
        }
        let n_bytes = into.len().min(self.chunk.len() - self.taken);
        into[..n_bytes].copy_from_slice(&self.chunk[self.taken..self.taken + n_bytes]);
        self.taken += n_bytes;
        Ok(n_bytes)
    }
}

/// Reads a whole blob into memory.
///
/// # Errors
/// [`io::ErrorKind::FileTooLarge`] where the blob is larger than `max_bytes` (nothing is
/// read then), else what the host answers.
pub fn read_all(blob: &Blob, max_bytes: u64) -> io::Result<Vec<u8>> {
    let n_bytes = blob.size();
    if n_bytes > max_bytes {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("{n_bytes} bytes, at most {max_bytes} fit"),
        ));
    }
    let mut all = Vec::with_capacity(usize::try_from(n_bytes).unwrap_or_default());
    Reader::new(blob).read_to_end(&mut all)?;
    Ok(all)
}

fn as_io(error: BlobError) -> io::Error {
    match error {
        BlobError::Expired => io::Error::other("the call that brought the blob has ended"),
        BlobError::OutOfRange => io::Error::other("read beyond the end of the blob"),
        BlobError::Other(text) => io::Error::other(text),
    }
}
