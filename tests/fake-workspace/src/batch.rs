//! Batch endpoints: many calls in one `multipart/mixed` body, each with a status of its own.
//!
//! The parts run side by side, as at Google, and count as ordinary calls: faults, limits and counters see them one by one.
//! See <https://developers.google.com/workspace/gmail/api/guides/batch>.

use crate::call::{Body, Call, Cut, Query, Reply, segments};
use crate::error::ApiError;
use crate::faults::Target;
use crate::multipart::{self, header_lines, line_end};
use crate::routes;
use crate::workspace::Workspace;
use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderName};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use std::sync::Arc;
use tokio::task::JoinSet;

/// The name under which faults find a whole batch.
const METHOD: &str = "batch";
/// Outer headers that say something about the outer body or connection only.
const OUTER_ONLY: [&str; 8] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "transfer-encoding",
];

/// Whether a call goes to a batch endpoint.
pub(crate) fn is_batch(call: &Call) -> bool {
    call.segments.first().is_some_and(|first| first == "batch")
        && matches!(call.segments.len(), 1 | 3)
        && call.method == Method::POST
}

/// Answers a batch: 200 with one part for each part, or one error for the whole.
pub(crate) async fn answer(workspace: &Arc<Workspace>, call: &Call) -> Reply {
    let suffering = workspace.faults().take(Target {
        user: "-",
        method: METHOD,
        item: None,
        has_cursor: false,
    });
    if !suffering.latency.is_zero() {
        tokio::time::sleep(suffering.latency).await;
    }
    let mut reply = match &suffering.reply {
        Some(refusal) => refusal.to_reply(METHOD),
        None => match split(call) {
            Ok(parts) => run(workspace, call, parts).await,
            Err(error) => error.to_reply(),
        },
    };
    suffering.spoil(&mut reply);
    reply
}

/// One call of a batch as it came.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) content_id: Option<String>,
    pub(crate) inner: Result<Call, ApiError>,
}

/// Takes the body apart and checks the number of parts.
pub(crate) fn split(call: &Call) -> Result<Vec<Part>, ApiError> {
    let content_type = call.header("content-type").unwrap_or_default();
    let is_mixed = content_type
        .split(';')
        .next()
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("multipart/mixed"));
    let boundary = multipart::boundary(content_type)
        .filter(|_| is_mixed)
        .ok_or_else(|| {
            ApiError::new(
                400,
                "badRequest",
                "Failed to parse batch request: multipart/mixed with a boundary expected",
            )
        })?;
    let bodies = multipart::bodies(&call.body, &boundary);
    if bodies.is_empty() {
        return Err(ApiError::new(
            400,
            "badRequest",
            "Failed to parse batch request, error: 0 items.",
        ));
    }
    let parts: Vec<Part> = bodies.iter().map(|body| parse(body, call)).collect();
    let most = most_parts(call, &parts);
    if parts.len() > most {
        let message = format!(
            "Inner request count exceeds the limit. Received: {}, Limit: {most}",
            parts.len()
        );
        return Err(ApiError::new(400, "badRequest", message));
    }
    Ok(parts)
}

/// The limit of the API that the endpoint, or else the first part, names.
fn most_parts(outer: &Call, parts: &[Part]) -> usize {
    let api = outer.segments.get(1).map(String::as_str).or_else(|| {
        let first = parts.iter().find_map(|part| part.inner.as_ref().ok())?;
        first.segments.first().map(String::as_str)
    });
    match api {
        Some("calendar") => 50,
        Some("admin") => 1000,
        _ => 100,
    }
}

async fn run(workspace: &Arc<Workspace>, outer: &Call, parts: Vec<Part>) -> Reply {
    let mut names = Vec::with_capacity(parts.len());
    let mut replies: Vec<Option<Reply>> = Vec::with_capacity(parts.len());
    let mut running = JoinSet::new();
    for (at, part) in parts.into_iter().enumerate() {
        names.push(part.content_id);
        match part.inner.and_then(|inner| check(outer, inner)) {
            Err(error) => replies.push(Some(error.to_reply())),
            Ok(inner) => {
                replies.push(None);
                let workspace = workspace.clone();
                running.spawn(async move { (at, routes::answer(&workspace, &inner).await) });
            }
        }
    }
    while let Some(done) = running.join_next().await {
        if let Ok((at, reply)) = done
            && let Some(place) = replies.get_mut(at)
        {
            *place = Some(reply);
        }
    }
    let boundary = format!("batch_{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
    let mut body = Vec::new();
    for (name, reply) in names.into_iter().zip(replies) {
        // A part is missing only if its operation has panicked.
        let reply =
            reply.unwrap_or_else(|| ApiError::new(500, "backendError", "Backend Error").to_reply());
        write_part(&boundary, name.as_deref(), reply, &mut body);
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Reply {
        status: 200,
        content_type: "multipart/mixed",
        headers: Vec::new(),
        body: Body::Multipart {
            boundary,
            bytes: body.into(),
        },
        cut: Cut::Whole,
    }
}

/// Media does not go through a batch, a batch not through another, and all parts belong to one API.
fn check(outer: &Call, inner: Call) -> Result<Call, ApiError> {
    let first = inner.segments.first().map(String::as_str);
    if matches!(first, Some("upload" | "batch")) {
        return Err(ApiError::new(
            400,
            "badRequest",
            "Media uploads and batches are not allowed inside a batch request",
        ));
    }
    let path_of = |api: &str, version: &str| match api {
        "admin" => inner.segments.starts_with(&[
            "admin".to_owned(),
            version.split('_').next().unwrap_or(version).to_owned(),
        ]),
        _ => inner
            .segments
            .starts_with(&[api.to_owned(), version.to_owned()]),
    };
    match outer.segments.as_slice() {
        [_, api, version] if !path_of(api, version) => {
            Err(ApiError::new(404, "notFound", "Not Found"))
        }
        _ => Ok(inner),
    }
}

fn write_part(boundary: &str, name: Option<&str>, reply: Reply, out: &mut Vec<u8>) {
    let bytes = match reply.body {
        Body::Bytes(bytes) | Body::Multipart { bytes, .. } => bytes,
        Body::Json(value) => format!("{value:#}\n").into(),
    };
    // A part cannot break the connection; what is left of it ends early.
    let bytes = match reply.cut {
        Cut::Whole => bytes,
        Cut::InTheMiddle => bytes.slice(..bytes.len() / 2),
        Cut::BeforeTheAnswer => Bytes::new(),
    };
    let mut head = format!("--{boundary}\r\nContent-Type: application/http\r\n");
    if let Some(name) = name {
        let inner = name.trim_start_matches('<').trim_end_matches('>');
        head.push_str(&format!("Content-ID: <response-{inner}>\r\n"));
    }
    let phrase = StatusCode::from_u16(reply.status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Unknown");
    head.push_str(&format!("\r\nHTTP/1.1 {} {phrase}\r\n", reply.status));
    if reply.status != 204 {
        head.push_str(&format!(
            "Content-Type: {}\r\nContent-Length: {}\r\n",
            reply.content_type,
            bytes.len()
        ));
    }
    for (header, value) in &reply.headers {
        head.push_str(&format!("{header}: {value}\r\n"));
    }
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(&bytes);
    out.extend_from_slice(b"\r\n");
}

fn parse(part: &Bytes, outer: &Call) -> Part {
    let (headers, start) = header_lines(part);
    let find = |wanted: &str| {
        let found = headers.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.clone())
    };
    let is_http = find("content-type")
        .is_some_and(|kind| kind.to_ascii_lowercase().starts_with("application/http"));
    let inner = if is_http {
        request(&part.slice(start..), outer)
    } else {
        Err(broken("the content type of a part is application/http"))
    };
    Part {
        content_id: find("content-id"),
        inner,
    }
}

fn broken(why: &str) -> ApiError {
    ApiError::new(
        400,
        "badRequest",
        format!("Failed to parse a part of the batch request: {why}"),
    )
}

/// The request in a part; what the part does not say in its headers, the outer headers do.
fn request(text: &Bytes, outer: &Call) -> Result<Call, ApiError> {
    let blank = text.iter().take_while(|byte| byte.is_ascii_whitespace());
    let text = text.slice(blank.count()..);
    let end = line_end(&text, 0);
    let line = std::str::from_utf8(&text[..end]).map_err(|_| broken("the request line"))?;
    let mut words = line.split_ascii_whitespace();
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Err(broken("the request line"));
    };
    let version_fits = words.next().is_none_or(|word| word.starts_with("HTTP/"));
    if !version_fits || words.next().is_some() || !target.starts_with('/') {
        return Err(broken("the request line"));
    }
    let method: Method = method
        .parse()
        .map_err(|_| broken("the method of the request line"))?;
    let rest = text.slice(end..);
    let (lines, start) = header_lines(&rest);
    let mut headers = HeaderMap::new();
    for (name, value) in &outer.headers {
        if !OUTER_ONLY.contains(&name.as_str()) {
            headers.append(name, value.clone());
        }
    }
    let mut length = None;
    for (name, value) in lines {
        if name == "content-length" {
            length = value.parse::<usize>().ok();
        }
        let name: HeaderName = name.parse().map_err(|_| broken("a header's name"))?;
        let value: HeaderValue = value.parse().map_err(|_| broken("a header's value"))?;
        // Google lets the part's own credentials decide.
        if name == AUTHORIZATION || !headers.contains_key(&name) {
            headers.insert(name, value);
        }
    }
    let mut body = rest.slice(start..);
    if let Some(length) = length.filter(|length| *length <= body.len()) {
        body = body.slice(..length);
    }
    let (path, own_query) = target.split_once('?').unwrap_or((target, ""));
    let mut query = Query::parse(own_query.as_bytes());
    query.inherit(&outer.query);
    Ok(Call {
        method,
        segments: segments(path),
        query,
        headers,
        body,
    })
}
