//! Media uploads: `uploadType=media`, `multipart` and `resumable`, for all methods that take a mail.
//!
//! See <https://developers.google.com/workspace/gmail/api/guides/uploads>.

use crate::batch;
use crate::call::{Call, Reply};
use crate::error::ApiError;
use crate::resumable::Pieces;
use crate::routes::{Context, Uploaded};
use crate::workspace::UserIndex;
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::HashMap;

/// So many sessions are kept; of more, those that are done are forgotten.
const MAX_SESSIONS: usize = 100;

/// Resumable uploads that have begun.
#[derive(Debug)]
pub(crate) struct Uploads {
    sessions: HashMap<String, Session>,
    rng: fastrand::Rng,
}

#[derive(Debug)]
struct Session {
    user: UserIndex,
    metadata: Value,
    content: Pieces,
    /// What the method answered, once all was there.
    done: Option<Value>,
}

impl Uploads {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            sessions: HashMap::new(),
            rng: fastrand::Rng::with_seed(seed ^ 0x7570_6c6f_6164),
        }
    }
}

/// A method at its address for uploads: at once, or in the end of a resumable upload.
pub(super) fn run(
    context: &Context<'_>,
    method: fn(&Context<'_>) -> Result<Reply, ApiError>,
) -> Result<Reply, ApiError> {
    let query = &context.call.query;
    match query.first("upload_id") {
        Some(id) => resume(context, method, id),
        None if query.first("uploadType") == Some("resumable") => begin(context),
        None => method(context),
    }
}

fn begin(context: &Context<'_>) -> Result<Reply, ApiError> {
    let body = context.call.body.trim_ascii();
    let metadata = if body.is_empty() {
        json!({})
    } else {
        metadata(body)?
    };
    let session = Session {
        user: context.mailbox()?,
        metadata,
        content: Pieces::announced(context.call)?,
        done: None,
    };
    let mut uploads = context.workspace.uploads();
    if uploads.sessions.len() >= MAX_SESSIONS {
        uploads.sessions.retain(|_, session| session.done.is_none());
    }
    let id: String = (0..60).map(|_| uploads.rng.alphanumeric()).collect();
    uploads.sessions.insert(id.clone(), session);
    // The parameters of the first call, a mask among them, are those of the last one as well.
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(context.call.query.pairs())
        .append_pair("upload_id", &id)
        .finish();
    let path: Vec<String> = context
        .call
        .segments
        .iter()
        .map(|segment| {
            percent_encoding::utf8_percent_encode(segment, percent_encoding::NON_ALPHANUMERIC)
                .to_string()
        })
        .collect();
    let location = format!("{}/{}?{query}", context.workspace.base, path.join("/"));
    let mut reply = Reply::html("");
    reply.headers = vec![("location", location), ("x-guploader-uploadid", id)];
    Ok(reply)
}

fn resume(
    context: &Context<'_>,
    method: fn(&Context<'_>) -> Result<Reply, ApiError>,
    id: &str,
) -> Result<Reply, ApiError> {
    let user = context.mailbox()?;
    let uploaded = {
        let mut uploads = context.workspace.uploads();
        let session = uploads
            .sessions
            .get_mut(id)
            .filter(|session| session.user == user)
            .ok_or_else(|| ApiError::new(404, "notFound", "Upload not found."))?;
        if let Some(done) = &session.done {
            return Ok(Reply::json(done.clone()));
        }
        if !session.content.take(context.call)? {
            return Ok(session.content.go_on());
        }
        Uploaded {
            metadata: session.metadata.clone(),
            content: session.content.finish(),
        }
    };
    let reply = method(&context.with_upload(&uploaded));
    let mut uploads = context.workspace.uploads();
    match (&reply, uploads.sessions.get_mut(id)) {
        (
            Ok(Reply {
                body: crate::call::Body::Json(answer),
                ..
            }),
            Some(session),
        ) => session.done = Some(answer.clone()),
        // What the method refused is over; the client has to begin anew.
        _ => {
            uploads.sessions.remove(id);
        }
    }
    reply
}

/// The metadata and the mail of an upload.
pub(super) fn parse(call: &Call) -> Result<(Value, Option<Bytes>), ApiError> {
    match call.query.first("uploadType") {
        Some("media") => Ok((json!({}), Some(call.body.clone()))),
        Some("multipart") => {
            let boundary = batch::boundary(call.header("content-type").unwrap_or_default())
                .ok_or_else(|| bad("Missing or bad boundary in the Content-Type header"))?;
            let parts = split(&call.body, &boundary);
            let [metadata, media] = parts.as_slice() else {
                return Err(bad("Expected two parts: metadata and media"));
            };
            let metadata = self::metadata(&metadata.body)?;
            let raw = match media.transfer_encoding.as_str() {
                "base64" => {
                    decode_base64(&media.body).ok_or_else(|| bad("Bad base64 in the media part"))?
                }
                _ => media.body.clone(),
            };
            Ok((metadata, Some(raw)))
        }
        _ => Err(bad("Unknown or missing uploadType")),
    }
}

fn bad(message: &str) -> ApiError {
    ApiError::new(400, "badContent", message)
}

fn metadata(text: &[u8]) -> Result<Value, ApiError> {
    serde_json::from_slice(text)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| ApiError::new(400, "parseError", "Parse Error"))
}

/// A part without its headers, of which one matters.
struct Part {
    transfer_encoding: String,
    body: Bytes,
}

fn split(body: &Bytes, boundary: &str) -> Vec<Part> {
    batch::bodies(body, boundary)
        .into_iter()
        .map(|part| {
            let (headers, start) = batch::header_lines(&part);
            let encoding = headers
                .iter()
                .find(|(name, _)| name == "content-transfer-encoding");
            Part {
                transfer_encoding: encoding
                    .map(|(_, value)| value.to_ascii_lowercase())
                    .unwrap_or_default(),
                body: part.slice(start..),
            }
        })
        .collect()
}

fn decode_base64(text: &[u8]) -> Option<Bytes> {
    use base64::Engine;
    let compact: Vec<u8> = text
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    base64::engine::general_purpose::STANDARD
        .decode(compact)
        .ok()
        .map(Bytes::from)
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
                "Content-Type: message/rfc822",
                "",
                "Subject: x",
                "",
                "body",
                "--b--",
                "",
            ]
            .join(eol);
            let parts = split(&Bytes::from(text), "b");
            assert_eq!(parts.len(), 2);
            assert_eq!(parts[0].body, "{}");
            assert_eq!(parts[1].body, ["Subject: x", "", "body"].join(eol));
        }
    }
}
