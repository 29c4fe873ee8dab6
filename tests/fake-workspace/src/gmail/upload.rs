//! Media uploads: `uploadType=media`, `multipart` and `resumable`, for all methods that take a mail.
//!
//! See <https://developers.google.com/workspace/gmail/api/guides/uploads>.

use crate::call::{Call, Reply};
use crate::error::ApiError;
use crate::multipart::{self, bad};
use crate::resumable::Pieces;
use crate::routes::{Context, Uploaded};
use crate::wire;
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
    let session = Session {
        user: context.mailbox()?,
        metadata: wire::object(&context.call.body)?,
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
            let upload = multipart::Upload::parse(call)?;
            Ok((wire::object(&upload.metadata)?, Some(upload.media)))
        }
        _ => Err(bad("Unknown or missing uploadType")),
    }
}
