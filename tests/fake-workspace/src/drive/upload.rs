//! Uploads: media, multipart, and the first call of resumable ones; how their pieces come together is in `resumable.rs`.
//!
//! See <https://developers.google.com/workspace/drive/api/guides/manage-uploads>.

use super::ops::Media;
use crate::call::Call;
use crate::error::ApiError;
use crate::multipart::{self, bad};
use crate::resumable::Pieces;
use crate::wire::object;
use crate::workspace::UserIndex;
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
        Some("multipart") => {
            let upload = multipart::Upload::parse(call)?;
            let media = Media {
                mime_type: upload.content_type.as_deref().and_then(mime_type),
                bytes: upload.media,
            };
            Ok(Upload::Whole(object(&upload.metadata)?, Some(media)))
        }
        Some("resumable") => Ok(Upload::Resumable {
            metadata: object(&call.body)?,
            mime_type: call.header("x-upload-content-type").and_then(mime_type),
            content: Pieces::announced(call)?,
        }),
        _ => Err(bad("Unknown or missing uploadType")),
    }
}

/// The type without its parameters.
fn mime_type(header: &str) -> Option<String> {
    let name = header.split(';').next().unwrap_or_default().trim();
    (!name.is_empty()).then(|| name.to_ascii_lowercase())
}
