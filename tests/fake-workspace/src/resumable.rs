//! Resumable uploads: how the pieces of a content come together. What is made of the content is the API's affair.
//!
//! See <https://developers.google.com/workspace/gmail/api/guides/uploads#resumable>.

use crate::call::{Call, Reply};
use crate::error::ApiError;
use crate::multipart::bad;
use bytes::Bytes;

/// Chunks but the last are multiples of this, in bytes; of a longer piece the rest is dropped.
const CHUNK: usize = 256 << 10;

/// `Content-Range` of a piece.
#[derive(Debug, PartialEq, Eq)]
struct Piece {
    /// First and last byte; absent in a status query.
    range: Option<(usize, usize)>,
    total: Option<usize>,
}

fn piece(header: &str) -> Option<Piece> {
    let (range, total) = header
        .trim()
        .strip_prefix("bytes")?
        .trim()
        .split_once('/')?;
    let total = match total.trim() {
        "*" => None,
        number => Some(number.parse().ok()?),
    };
    let range = match range.trim() {
        "*" => None,
        range => {
            let (first, last) = range.split_once('-')?;
            let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
            (first <= last).then_some(())?;
            Some((first, last))
        }
    };
    Some(Piece { range, total })
}

/// What has come of a resumable upload so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pieces {
    total: Option<usize>,
    received: Vec<u8>,
}

impl Pieces {
    /// Nothing yet, of as much as the first call announced.
    pub(crate) fn announced(call: &Call) -> Result<Self, ApiError> {
        let total = call
            .header("x-upload-content-length")
            .map(|text| text.parse().map_err(|_| bad("Bad X-Upload-Content-Length")))
            .transpose()?;
        Ok(Self {
            total,
            received: Vec::new(),
        })
    }

    /// Takes a piece; true once the content is whole.
    pub(crate) fn take(&mut self, call: &Call) -> Result<bool, ApiError> {
        let Some(header) = call.header("content-range") else {
            // Without a range the body is all of it.
            self.received = call.body.to_vec();
            self.total = Some(self.received.len());
            return Ok(true);
        };
        let piece = piece(header).ok_or_else(|| bad("Failed to parse Content-Range header."))?;
        if let (Some(known), Some(total)) = (self.total, piece.total)
            && known != total
        {
            return Err(bad("The total length of the upload has changed."));
        }
        self.total = self.total.or(piece.total);
        if let Some((first, last)) = piece.range {
            let fits = (last - first).checked_add(1) == Some(call.body.len());
            if !fits || first > self.received.len() {
                return Err(bad("The bytes do not fit the Content-Range header."));
            }
            let known = self.received.len() - first;
            self.received
                .extend_from_slice(call.body.get(known..).unwrap_or_default());
        }
        let is_whole = self.total == Some(self.received.len());
        if self.total.is_some_and(|total| self.received.len() > total) {
            return Err(bad("More bytes than the total length."));
        }
        if !is_whole {
            let kept = self.received.len() / CHUNK * CHUNK;
            self.received.truncate(kept);
        }
        Ok(is_whole)
    }

    /// The whole content; leaves nothing here.
    pub(crate) fn finish(&mut self) -> Bytes {
        std::mem::take(&mut self.received).into()
    }

    /// The answer to a piece that is not the last: how far the content has come.
    pub(crate) fn go_on(&self) -> Reply {
        let mut reply = Reply::html("");
        reply.status = 308;
        let last = self.received.len().checked_sub(1);
        reply
            .headers
            .extend(last.map(|last| ("range", format!("bytes=0-{last}"))));
        reply
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_or_refused() {
        let status = Piece {
            range: None,
            total: Some(9),
        };
        assert_eq!(piece("bytes */9"), Some(status));
        let open = Piece {
            range: Some((0, 4)),
            total: None,
        };
        assert_eq!(piece("bytes 0-4/*"), Some(open));
        for text in [
            "",
            "bytes",
            "bytes 4-0/9",
            "bytes a-b/9",
            "0-4/9",
            "bytes -/1",
        ] {
            assert_eq!(piece(text), None, "{text}");
        }
    }
}
