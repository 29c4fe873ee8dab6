//! Uploads: media, multipart, and resumable ones with chunks and status queries.
//!
//! See <https://developers.google.com/workspace/drive/api/guides/manage-uploads>.

use super::ops::Media;
use crate::call::Call;
use crate::error::ApiError;
use crate::multipart::{self, bad};
use crate::wire::object;
use crate::workspace::UserIndex;
use serde_json::{Value, json};

/// Chunks but the last are multiples of this, in bytes; of a longer piece the rest is dropped.
const CHUNK: usize = 256 << 10;

/// What a create or an update brings along.
#[derive(Debug)]
pub(super) enum Upload {
    Whole(Value, Option<Media>),
    /// The content comes later, in pieces.
    Resumable {
        metadata: Value,
        mime_type: Option<String>,
        total: Option<usize>,
    },
}

/// A resumable upload that has begun.
#[derive(Debug)]
pub(crate) struct Session {
    pub(super) user: UserIndex,
    /// The file to update; absent for a new one.
    pub(super) target: Option<String>,
    pub(super) metadata: Value,
    pub(super) mime_type: Option<String>,
    pub(super) total: Option<usize>,
    pub(super) received: Vec<u8>,
    pub(super) all_drives: bool,
    pub(super) parents: (Vec<String>, Vec<String>),
    /// The file, once all is there.
    pub(super) done: Option<String>,
}

/// Reads body and type of upload.
pub(super) fn parse(call: &Call) -> Result<Upload, ApiError> {
    let content_type = call.header("content-type").unwrap_or_default();
    let is_upload = call.segments.first().is_some_and(|first| first != "drive");
    // The place of metadata takes metadata only, whatever the parameter says.
    if !is_upload {
        return Ok(Upload::Whole(object(&call.body)?, None));
    }
    match call.query.first("uploadType") {
        Some("media") => Ok(Upload::Whole(
            json!({}),
            Some(Media {
                mime_type: mime_type(content_type),
                bytes: call.body.clone(),
            }),
        )),
        Some("multipart") => {
            let upload = multipart::Upload::parse(call)?;
            let media = Media {
                mime_type: upload.content_type.as_deref().and_then(mime_type),
                bytes: upload.media,
            };
            Ok(Upload::Whole(object(&upload.metadata)?, Some(media)))
        }
        Some("resumable") => Ok(Upload::Resumable {
            metadata: object(&call.body)?,
            mime_type: call.header("x-upload-content-type").and_then(mime_type),
            total: call
                .header("x-upload-content-length")
                .map(|text| text.parse().map_err(|_| bad("Bad X-Upload-Content-Length")))
                .transpose()?,
        }),
        _ => Err(bad("Unknown or missing uploadType")),
    }
}

/// The type without its parameters.
fn mime_type(header: &str) -> Option<String> {
    let name = header.split(';').next().unwrap_or_default().trim();
    (!name.is_empty()).then(|| name.to_ascii_lowercase())
}

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

impl Session {
    /// Takes a piece; true once the content is whole.
    pub(super) fn take(&mut self, call: &Call) -> Result<bool, ApiError> {
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

    /// The `Range` header of a 308; absent while nothing has come.
    pub(super) fn range(&self) -> Option<String> {
        self.received
            .len()
            .checked_sub(1)
            .map(|last| format!("bytes=0-{last}"))
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
