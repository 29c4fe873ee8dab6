//! MIME multipart as clients send it: the parts of a batch, and uploads of metadata with a media part.

use crate::call::Call;
use crate::error::ApiError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

/// The two parts of an upload with `uploadType=multipart`.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) metadata: Bytes,
    /// The `Content-Type` of the media, with its parameters.
    pub(crate) content_type: Option<String>,
    /// Decoded, if it came in base64.
    pub(crate) media: Bytes,
}

impl Upload {
    pub(crate) fn parse(call: &Call) -> Result<Self, ApiError> {
        let boundary = boundary(call.header("content-type").unwrap_or_default())
            .ok_or_else(|| bad("Missing or bad boundary in the Content-Type header"))?;
        let parts = bodies(&call.body, &boundary);
        let [metadata, media] = parts.as_slice() else {
            return Err(bad("Expected two parts: metadata and media"));
        };
        let (_, start) = header_lines(metadata);
        let metadata = metadata.slice(start..);
        let (headers, start) = header_lines(media);
        let media = media.slice(start..);
        let header = |wanted: &str| {
            let found = headers.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.clone())
        };
        let is_base64 = header("content-transfer-encoding")
            .is_some_and(|encoding| encoding.eq_ignore_ascii_case("base64"));
        Ok(Self {
            metadata,
            content_type: header("content-type"),
            media: match is_base64 {
                true => decode(&media).ok_or_else(|| bad("Bad base64 in the media part"))?,
                false => media,
            },
        })
    }
}

/// 400 for an upload that is not one.
pub(crate) fn bad(message: &str) -> ApiError {
    ApiError::new(400, "badContent", message)
}

fn decode(text: &[u8]) -> Option<Bytes> {
    let compact: Vec<u8> = text
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    STANDARD.decode(compact).ok().map(Bytes::from)
}

/// The `boundary` parameter of a content type, which may be quoted.
pub(crate) fn boundary(content_type: &str) -> Option<String> {
    content_type.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        (name.trim().eq_ignore_ascii_case("boundary") && !value.is_empty())
            .then(|| value.to_owned())
    })
}

/// The parts between the delimiters; official clients send bare LF as well as CRLF.
pub(crate) fn bodies(body: &Bytes, boundary: &str) -> Vec<Bytes> {
    let delimiter = format!("--{boundary}");
    let mut parts = Vec::new();
    let mut start: Option<usize> = None;
    let mut at = 0;
    while at < body.len() {
        let end = line_end(body, at);
        let line = body[at..end].trim_ascii_end();
        let closes = line.strip_suffix(b"--") == Some(delimiter.as_bytes());
        if closes || line == delimiter.as_bytes() {
            if let Some(start) = start {
                parts.push(body.slice(start..start.max(before_break(body, at))));
            }
            start = Some(end);
            if closes {
                return parts;
            }
        }
        at = end;
    }
    parts
}

/// The line break before a delimiter belongs to the delimiter.
fn before_break(body: &[u8], delimiter: usize) -> usize {
    let text = &body[..delimiter];
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    text.strip_suffix(b"\r").unwrap_or(text).len()
}

/// Where the line that begins at `start` ends, its line break included.
pub(crate) fn line_end(text: &[u8], start: usize) -> usize {
    let rest = &text[start..];
    let found = rest.iter().position(|byte| *byte == b'\n');
    start + found.map_or(rest.len(), |at| at + 1)
}

/// Header lines up to the blank line, and what comes after it.
pub(crate) fn header_lines(text: &[u8]) -> (Vec<(String, String)>, usize) {
    let mut headers: Vec<(String, String)> = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let end = line_end(text, at);
        let line = &text[at..end];
        at = end;
        if line.trim_ascii().is_empty() {
            break;
        }
        let line_text = String::from_utf8_lossy(line);
        match (line_text.split_once(':'), headers.last_mut()) {
            (_, Some((_, value))) if line[0] == b' ' || line[0] == b'\t' => {
                // The value may begin on a folded line only.
                if !value.is_empty() {
                    value.push(' ');
                }
                value.push_str(line_text.trim());
            }
            (Some((name, value)), _) => {
                headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
            }
            _ => {}
        }
    }
    (headers, at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Query;
    use http::HeaderMap;

    fn upload(body: String) -> Result<Upload, ApiError> {
        let mut headers = HeaderMap::new();
        let related = "multipart/related; boundary=\"b\"";
        headers.insert("content-type", related.parse().unwrap());
        Upload::parse(&Call {
            method: http::Method::POST,
            segments: Vec::new(),
            query: Query::default(),
            headers,
            body: body.into(),
        })
    }

    #[test]
    fn both_line_ends_are_taken() {
        for eol in ["\n", "\r\n"] {
            let body = [
                "--b",
                "Content-Type: application/json",
                "",
                "{}",
                "--b",
                "Content-Type: text/plain; charset=utf-8",
                "",
                "Subject: x",
                "",
                "body",
                "--b--",
                "",
            ]
            .join(eol);
            let upload = upload(body).unwrap();
            assert_eq!(upload.metadata, "{}");
            assert_eq!(upload.media, ["Subject: x", "", "body"].join(eol));
            let content_type = upload.content_type.unwrap();
            assert_eq!(content_type, "text/plain; charset=utf-8");
        }
    }

    #[test]
    fn folded_headers_have_no_space_around_their_value() {
        let text = b"Content-ID:\r\n\t<a>\r\n <b>\r\n\r\nbody";
        let (headers, start) = header_lines(text);
        assert_eq!(headers, [("content-id".to_owned(), "<a> <b>".to_owned())]);
        assert_eq!(&text[start..], b"body");
    }

    #[test]
    fn base64_is_decoded_or_refused() {
        let body = |text: &str| {
            format!(
                "--b\r\n\r\n{{}}\r\n--b\r\nContent-Transfer-Encoding: BASE64\r\n\r\n{text}\r\n--b--"
            )
        };
        assert_eq!(upload(body("aGVs\r\nbG8=")).unwrap().media, "hello");
        assert_eq!(upload(body("%")).unwrap_err().reason, "badContent");
        assert_eq!(
            upload("--b\r\n\r\n{}\r\n--b--".to_owned())
                .unwrap_err()
                .status,
            400
        );
    }
}
