//! What the fake makes of bytes, without a server: for fuzzing and for tests that need none. The
//! endpoints use the same functions; what they answer is in the files of the APIs.

use crate::call::{Call, Query, segments};
use crate::{batch, gmail, multipart};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::Value;

/// A request inside a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchRequest {
    /// The HTTP method.
    pub method: Method,
    /// The path, decoded and split.
    pub path: Vec<String>,
    /// Decoded query parameters, those of the batch's own address after them.
    pub query: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

/// The `Content-ID` of a part, and its request or why it is none.
pub type BatchPart = (Option<String>, Result<BatchRequest, String>);

/// The requests of a batch, each with the `Content-ID` of its part, or why it is none.
///
/// # Errors
/// What the fake answers to the batch as a whole.
pub fn batch(content_type: &str, body: Bytes) -> Result<Vec<BatchPart>, String> {
    let parts = batch::split(&call("/batch", content_type, body));
    let parts = parts.map_err(|error| error.message)?;
    let request = |call: Call| BatchRequest {
        query: call
            .query
            .pairs()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        method: call.method,
        path: call.segments,
        body: call.body,
    };
    let told = parts.into_iter().map(|part| {
        let inner = part.inner.map(request).map_err(|error| error.message);
        (part.content_id, inner)
    });
    Ok(told.collect())
}

/// Metadata and media of an upload with `uploadType=multipart`.
///
/// # Errors
/// What the fake answers.
pub fn upload(content_type: &str, body: Bytes) -> Result<(Bytes, Bytes), String> {
    let upload = multipart::Upload::parse(&call("/upload", content_type, body));
    upload
        .map(|upload| (upload.metadata, upload.media))
        .map_err(|error| error.message)
}

/// The `payload` of a message in the format `full`.
pub fn gmail_payload(raw: &[u8]) -> Value {
    gmail::payload(raw)
}

fn call(path: &str, content_type: &str, body: Bytes) -> Call {
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(content_type) {
        headers.insert("content-type", value);
    }
    Call {
        method: Method::POST,
        segments: segments(path),
        query: Query::default(),
        headers,
        body,
    }
}
