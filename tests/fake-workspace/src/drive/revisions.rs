//! The revisions of a file: list and get.
//!
//! See <https://developers.google.com/workspace/drive/api/reference/rest/v3/revisions>.

use super::model::Revision;
use super::rules::{Caller, Right, Seen};
use super::{DOWNLOAD, errors, files, offset, open, page, page_size, reply, view};
use crate::call::Reply;
use crate::error::ApiError;
use crate::routes::Context;
use crate::wire::rfc3339;
use serde_json::{Value, json};

const MAX_PAGE: usize = 1000;

fn revision(context: &Context<'_>, caller: &Caller, seen: &Seen<'_>, revision: &Revision) -> Value {
    let mut value = json!({
        "kind": "drive#revision",
        "id": &*revision.id,
        "mimeType": &*revision.mime_type,
        "modifiedTime": rfc3339(revision.modified),
    });
    if let Some(by) = revision.modified_by {
        value["lastModifyingUser"] = view::user(context.workspace, by, caller.user);
    }
    if seen.file.is_native() {
        value["mimeType"] = json!(&*seen.file.mime_type);
        value["published"] = json!(false);
    } else {
        value["keepForever"] = json!(revision.keep_forever);
        value["md5Checksum"] = json!(revision.sums().md5);
        value["size"] = json!(revision.size().to_string());
        value["originalFilename"] = json!(seen.file.name);
    }
    value
}

/// `revisions.list`: oldest first.
pub(super) fn list(context: &Context<'_>) -> Result<Reply, ApiError> {
    let (store, caller) = open(context)?;
    let query = &context.call.query;
    let seen = readable(&store, &caller, context)?;
    let size = page_size(query, 200, MAX_PAGE)?;
    let all = seen
        .file
        .revisions
        .iter()
        .map(|one| revision(context, &caller, &seen, one))
        .collect();
    let (shown, next) = page(all, offset(query)?, size, context);
    let mut answer = json!({ "kind": "drive#revisionList", "revisions": shown });
    if let Some(next) = next {
        answer["nextPageToken"] = json!(next);
    }
    Ok(reply(
        context,
        answer,
        "kind,nextPageToken,revisions(kind,id,mimeType,modifiedTime)",
    ))
}

/// `revisions.get`, with `alt=media` for the content.
pub(super) fn get(context: &Context<'_>) -> Result<Reply, ApiError> {
    let (store, caller) = open(context)?;
    let seen = readable(&store, &caller, context)?;
    let id = context.path("revisionId");
    let found = if id == "head" {
        seen.file.head()
    } else {
        seen.file.revisions.iter().find(|one| *one.id == *id)
    };
    let found = found.ok_or_else(|| errors::revision_not_found(id))?;
    if context.call.query.first("alt") == Some("media") {
        if !context.has_scope(DOWNLOAD) {
            return Err(ApiError::insufficient_scope(
                "drive.revisions.get",
                DOWNLOAD,
            ));
        }
        if seen.file.is_native() {
            return Err(errors::not_downloadable());
        }
        return files::download(context, found.bytes(), &found.mime_type);
    }
    let value = revision(context, &caller, &seen, found);
    Ok(reply(context, value, "kind,id,mimeType,modifiedTime"))
}

fn readable<'a>(
    store: &'a super::store::Store,
    caller: &Caller,
    context: &Context<'_>,
) -> Result<Seen<'a>, ApiError> {
    // Revisions have no `supportsAllDrives`.
    let everywhere = Caller {
        all_drives: true,
        ..*caller
    };
    let seen = store.seen(&everywhere, context.path("id"))?;
    if seen.file.is_folder() || seen.file.target.is_some() {
        return Err(ApiError::new(
            403,
            "revisionsNotSupported",
            "The file does not support revisions.",
        ));
    }
    if !seen.may(Right::ReadRevisions) {
        return Err(ApiError::new(
            403,
            "insufficientFilePermissions",
            "The user does not have sufficient permissions for this file.",
        ));
    }
    Ok(seen)
}
