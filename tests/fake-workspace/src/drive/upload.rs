//! Uploads: media, multipart, and the first call of resumable ones; how their pieces come together is in `resumable.rs`.
//!
//! See <https://developers.google.com/workspace/drive/api/guides/manage-uploads>.

use super::errors;
use super::ops::Media;
use crate::call::Call;
use crate::error::ApiError;
use crate::resumable::Pieces;
use crate::workspace::UserIndex;
use base64::Engine;
use bytes::Bytes;
use serde_json::{Value, json};

/// What a create or an update brings along.
#[derive(Debug)]
pub(super) enum Upload {
    Whole(Value, Option<Media>),
    /// The content comes later, in pieces.
    Resumable {
        metadata: Value,
        mime_type: Option<String>,
        content: Pieces,
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
    pub(super) content: Pieces,
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
        Some("multipart") => multipart(call, content_type),
        Some("resumable") => Ok(Upload::Resumable {
            metadata: object(&call.body)?,
            mime_type: call.header("x-upload-content-type").and_then(mime_type),
            content: Pieces::announced(call)?,
        }),
        _ => Err(bad("Unknown or missing uploadType")),
    }
}

fn bad(message: &str) -> ApiError {
    ApiError::new(400, "badContent", message)
}

fn object(body: &[u8]) -> Result<Value, ApiError> {
    if body.trim_ascii().is_empty() {
        return Ok(json!({}));
    }
    serde_json::from_slice(body)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(errors::parse_error)
}

/// The type without its parameters.
fn mime_type(header: &str) -> Option<String> {
    let name = header.split(';').next().unwrap_or_default().trim();
    (!name.is_empty()).then(|| name.to_ascii_lowercase())
}

fn multipart(call: &Call, content_type: &str) -> Result<Upload, ApiError> {
    let boundary = content_type
        .split(';')
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"))
        .map(|(_, value)| value.trim().trim_matches('"'))
        .filter(|value| !value.is_empty())
        .ok_or_else(|| bad("Missing or bad boundary in the Content-Type header"))?;
    let parts = split(&call.body, boundary);
    let [metadata, media] = parts.as_slice() else {
        return Err(bad("Expected two parts: metadata and media"));
    };
    let bytes = if media.is_base64 {
        let compact: Vec<u8> = media
            .body
            .iter()
            .copied()
            .filter(|byte| !byte.is_ascii_whitespace())
            .collect();
        base64::engine::general_purpose::STANDARD
            .decode(compact)
            .map_err(|_| bad("Bad base64 in the media part"))?
            .into()
    } else {
        media.body.clone()
    };
    Ok(Upload::Whole(
        object(&metadata.body)?,
        Some(Media {
            mime_type: media.mime_type.clone(),
            bytes,
        }),
    ))
}

#[derive(Debug)]
struct Part {
    mime_type: Option<String>,
    is_base64: bool,
    body: Bytes,
}

/// Splits at lines that are the delimiter; official clients send bare LF as well as CRLF.
fn split(body: &Bytes, boundary: &str) -> Vec<Part> {
    let (opens, closes) = (format!("--{boundary}"), format!("--{boundary}--"));
    let mut parts = Vec::new();
    let mut start: Option<usize> = None;
    let mut at = 0;
    while at < body.len() {
        let line = line(body, at);
        let text = body.slice(line.clone());
        let text = text.trim_ascii_end();
        let ends = text == closes.as_bytes();
        if ends || text == opens.as_bytes() {
            if let Some(start) = start {
                parts.push(part(&body.slice(start..line.start)));
            }
            start = Some(line.end);
        }
        if ends {
            break;
        }
        at = line.end;
    }
    parts
}

/// The line that begins at `at`, its end included.
fn line(body: &[u8], at: usize) -> std::ops::Range<usize> {
    let rest = body.get(at..).unwrap_or_default();
    let length = rest
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(rest.len(), |end| end + 1);
    at..at + length
}

fn part(text: &Bytes) -> Part {
    // The line break before a delimiter belongs to the delimiter.
    let end = text.strip_suffix(b"\n").map_or(text.len(), |rest| {
        rest.strip_suffix(b"\r").unwrap_or(rest).len()
    });
    let mut part = Part {
        mime_type: None,
        is_base64: false,
        body: Bytes::new(),
    };
    let mut at = 0;
    while at < end {
        let range = line(&text[..end], at);
        at = range.end;
        let header = String::from_utf8_lossy(&text[range]).trim().to_owned();
        if header.is_empty() {
            break;
        }
        if let Some((name, value)) = header.split_once(':') {
            match name.trim().to_ascii_lowercase().as_str() {
                "content-type" => part.mime_type = mime_type(value),
                "content-transfer-encoding" => {
                    part.is_base64 = value.trim().eq_ignore_ascii_case("base64");
                }
                _ => {}
            }
        }
    }
    part.body = text.slice(at..end.max(at));
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_line_ends_are_taken() {
        for eol in ["\n", "\r\n"] {
            let text = [
                "--b",
                "Content-Type: application/json",
                "",
                "{}",
                "--b",
                "Content-Type: text/plain; charset=utf-8",
                "",
                "one",
                "two",
                "--b--",
                "",
            ]
            .join(eol);
            let parts = split(&Bytes::from(text), "b");
            assert_eq!(parts.len(), 2);
            assert_eq!(parts[0].body, "{}");
            assert_eq!(parts[1].body, ["one", "two"].join(eol));
            assert_eq!(parts[1].mime_type.as_deref(), Some("text/plain"));
        }
    }
}
