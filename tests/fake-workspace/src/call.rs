//! One call and its reply as plain values, so that operations are ordinary functions.
//! Sockets and hyper live in `server.rs`.

use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;

/// A request whose body has been read and whose path has been decoded.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: http::Method,
    /// Percent-decoded path segments, without the leading slash.
    pub(crate) segments: Vec<String>,
    pub(crate) query: Query,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Call {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Splits a raw path into decoded segments; bytes that are not UTF-8 become U+FFFD.
///
/// The discovery documents have two addresses for uploads, `/upload/...` and `/resumable/upload/...`; here they are one.
pub(crate) fn segments(path: &str) -> Vec<String> {
    let path = path.trim_start_matches('/');
    let upload = path
        .strip_prefix("resumable/")
        .filter(|rest| rest.starts_with("upload/"));
    upload
        .unwrap_or(path)
        .split('/')
        .map(|part| {
            percent_encoding::percent_decode_str(part)
                .decode_utf8_lossy()
                .into_owned()
        })
        .collect()
}

/// Decoded query parameters, or form fields, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(text: &[u8]) -> Self {
        Self(
            form_urlencoded::parse(text)
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect(),
        )
    }

    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Takes over those parameters that have no value of their own here.
    pub(crate) fn inherit(&mut self, outer: &Self) {
        let missing: Vec<_> = outer
            .0
            .iter()
            .filter(|(name, _)| self.first(name).is_none())
            .cloned()
            .collect();
        self.0.extend(missing);
    }

    /// All names with their values.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A boolean parameter; only `true` is true, as at Google.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.first(name) == Some("true")
    }
}

/// What goes out as the body.
#[derive(Debug)]
pub(crate) enum Body {
    Json(Value),
    Bytes(Bytes),
    /// The boundary belongs to the content type.
    Multipart {
        boundary: String,
        bytes: Bytes,
    },
}

/// One answer. `cut` breaks the connection in the middle of the body or before the answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Body,
    pub(crate) cut: Cut,
}

/// Whether the body arrives whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    Whole,
    InTheMiddle,
    /// The connection ends without an answer, though the call was carried out.
    BeforeTheAnswer,
}

impl Reply {
    pub(crate) fn json(value: Value) -> Self {
        Self {
            status: 200,
            content_type: "application/json; charset=UTF-8",
            headers: Vec::new(),
            body: Body::Json(value),
            cut: Cut::Whole,
        }
    }

    pub(crate) fn no_content() -> Self {
        Self {
            status: 204,
            ..Self::html("")
        }
    }

    pub(crate) fn html(text: &'static str) -> Self {
        Self {
            status: 200,
            content_type: "text/html; charset=UTF-8",
            headers: Vec::new(),
            body: Body::Bytes(Bytes::from_static(text.as_bytes())),
            cut: Cut::Whole,
        }
    }
}
