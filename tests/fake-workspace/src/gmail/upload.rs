//! Media uploads: `uploadType=media` and `multipart`. Resumable ones are not built and are refused by name.
//!
//! See <https://developers.google.com/workspace/gmail/api/guides/uploads>.

use crate::call::Call;
use crate::error::ApiError;
use bytes::Bytes;
use serde_json::{Value, json};

/// The metadata and the mail of an upload.
pub(super) fn parse(call: &Call) -> Result<(Value, Option<Bytes>), ApiError> {
    match call.query.first("uploadType") {
        Some("media") => Ok((json!({}), Some(call.body.clone()))),
        Some("multipart") => {
            let boundary = boundary(call.header("content-type").unwrap_or_default())
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

struct Part {
    transfer_encoding: String,
    body: Bytes,
}

fn boundary(content_type: &str) -> Option<String> {
    content_type.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        (name.trim().eq_ignore_ascii_case("boundary") && !value.is_empty())
            .then(|| value.to_owned())
    })
}

/// Splits at lines that are the delimiter; official clients send bare LF as well as CRLF.
fn split(body: &Bytes, boundary: &str) -> Vec<Part> {
    let delimiter = format!("--{boundary}");
    let mut parts = Vec::new();
    let mut start: Option<usize> = None;
    let mut line_start = 0;
    while line_start < body.len() {
        let line_end = body[line_start..]
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(body.len(), |at| line_start + at + 1);
        let line = body[line_start..line_end].trim_ascii_end();
        let closes = line.strip_suffix(b"--") == Some(delimiter.as_bytes());
        if closes || line == delimiter.as_bytes() {
            if let Some(start) = start {
                parts.push(part(body, start, line_start));
            }
            start = Some(line_end);
            if closes {
                break;
            }
        }
        line_start = line_end;
    }
    parts
}

fn part(body: &Bytes, start: usize, delimiter: usize) -> Part {
    // The line break before a delimiter belongs to the delimiter.
    let mut end = delimiter;
    if end > start && body[end - 1] == b'\n' {
        end -= 1;
    }
    if end > start && body[end - 1] == b'\r' {
        end -= 1;
    }
    let mut transfer_encoding = String::new();
    let mut at = start;
    while at < end {
        let line_end = body[at..end]
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(end, |found| at + found + 1);
        let line = body[at..line_end].trim_ascii();
        at = line_end;
        if line.is_empty() {
            break;
        }
        let line = String::from_utf8_lossy(line).to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-transfer-encoding:") {
            transfer_encoding = value.trim().to_owned();
        }
    }
    Part {
        transfer_encoding,
        body: body.slice(at..end.max(at)),
    }
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
