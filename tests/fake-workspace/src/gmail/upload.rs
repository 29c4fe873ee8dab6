//! Media uploads: `uploadType=media` and `multipart`. Resumable ones are not built and are refused by name.
//!
//! See <https://developers.google.com/workspace/gmail/api/guides/uploads>.

use crate::call::Call;
use crate::error::ApiError;
use crate::multipart::{self, bad};
use crate::wire;
use bytes::Bytes;
use serde_json::{Value, json};

/// The metadata and the mail of an upload.
pub(super) fn parse(call: &Call) -> Result<(Value, Option<Bytes>), ApiError> {
    match call.query.first("uploadType") {
        Some("media") => Ok((json!({}), Some(call.body.clone()))),
        Some("multipart") => {
            let upload = multipart::Upload::parse(call)?;
            Ok((wire::object(&upload.metadata)?, Some(upload.media)))
        }
        Some("resumable") => Err(bad("Resumable uploads are not built yet in this fake")),
        _ => Err(bad("Unknown or missing uploadType")),
    }
}
