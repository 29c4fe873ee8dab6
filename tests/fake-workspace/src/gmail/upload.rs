//! Media uploads: `uploadType=media` and `multipart`. Resumable ones are not built and are refused by name.
//!
//! See <https://developers.google.com/workspace/gmail/api/guides/uploads>.

use crate::batch;
use crate::call::Call;
use crate::error::ApiError;
use bytes::Bytes;
use serde_json::{Value, json};

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
            let metadata: Value = serde_json::from_slice(&metadata.body)
                .map_err(|_| ApiError::new(400, "parseError", "Parse Error"))?;
            if !metadata.is_object() {
                return Err(ApiError::new(400, "parseError", "Parse Error"));
            }
            let raw = match media.transfer_encoding.as_str() {
                "base64" => {
                    decode_base64(&media.body).ok_or_else(|| bad("Bad base64 in the media part"))?
                }
                _ => media.body.clone(),
            };
            Ok((metadata, Some(raw)))
        }
        Some("resumable") => Err(bad("Resumable uploads are not built yet in this fake")),
        _ => Err(bad("Unknown or missing uploadType")),
    }
}

fn bad(message: &str) -> ApiError {
    ApiError::new(400, "badContent", message)
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
