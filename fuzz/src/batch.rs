//! What clients send to the fake Workspace as multipart: requests come out of a batch within its
//! bounds, and those that do can be written and read again.

use bytes::Bytes;
use fake_workspace::parsers::{BatchRequest, batch, upload};

/// Delimits the batch that is written again.
const BOUNDARY: &str = "written-again";

/// Checks a body; its first line is the content type.
pub fn check(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let (kind, body) = bytes.split_at(end.map_or(bytes.len(), |at| at + 1));
    let kind = String::from_utf8_lossy(kind);
    let body = Bytes::copy_from_slice(body);
    if let Ok((metadata, media)) = upload(kind.trim(), body.clone()) {
        assert!(metadata.len() + media.len() <= body.len());
    }
    let Ok(parts) = batch(kind.trim(), body.clone()) else {
        return;
    };
    assert!(!parts.is_empty() && parts.len() <= 1_000);
    let requests: Vec<(Option<String>, BatchRequest)> = parts
        .into_iter()
        .filter_map(|(name, inner)| Some((name, inner.ok()?)))
        .collect();
    let n_bytes: usize = requests.iter().map(|(_, request)| request.body.len()).sum();
    assert!(n_bytes <= body.len());
    let has_boundary = |text: &[u8]| {
        text.windows(BOUNDARY.len())
            .any(|at| at == BOUNDARY.as_bytes())
    };
    if requests.is_empty() || has_boundary(&body) {
        return;
    }
    let written = write(&requests);
    let again = batch(&format!("multipart/mixed; boundary={BOUNDARY}"), written);
    let again = again.expect("what was written is a batch");
    let expected: Vec<_> = requests
        .into_iter()
        .map(|(name, request)| (name, Ok(request)))
        .collect();
    assert_eq!(again, expected);
}

fn write(requests: &[(Option<String>, BatchRequest)]) -> Bytes {
    let mut out = Vec::new();
    for (name, request) in requests {
        out.extend_from_slice(
            format!("--{BOUNDARY}\r\nContent-Type: application/http\r\n").as_bytes(),
        );
        if let Some(name) = name {
            out.extend_from_slice(format!("Content-ID: {name}\r\n").as_bytes());
        }
        let path: String = request
            .path
            .iter()
            .map(|segment| format!("/{}", escaped(segment)))
            .collect();
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&request.query)
            .finish();
        out.extend_from_slice(
            format!(
                "\r\n{} {path}?{query} HTTP/1.1\r\nContent-Length: {}\r\n\r\n",
                request.method,
                request.body.len()
            )
            .as_bytes(),
        );
        out.extend_from_slice(&request.body);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    out.into()
}

/// Every byte of a segment, so that none has a meaning.
fn escaped(segment: &str) -> String {
    segment
        .bytes()
        .map(percent_encoding::percent_encode_byte)
        .collect()
}
