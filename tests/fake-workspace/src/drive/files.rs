//! about.get and the methods of `files` but list, which is in `list.rs`.
//!
//! See <https://developers.google.com/workspace/drive/api/reference/rest/v3/files>.

use super::model::{FileId, Revision};
use super::ops::Media;
use super::patch::Patch;
use super::rules::{Caller, Right};
use super::store::Store;
use super::upload::{self, Session, Upload};
use super::{DOWNLOAD, asked, errors, open, open_mut, reply, view};
use crate::call::{Body, Reply};
use crate::error::ApiError;
use crate::fields::Selection;
use crate::resumable::Pieces;
use crate::routes::Context;
use crate::wire;
use bytes::Bytes;
use serde_json::{Map, Value, json};

const DEFAULT_FIELDS: &str = "kind,id,name,mimeType";
/// Uploads that are open at once; more than a test needs.
const MAX_UPLOADS: usize = 1000;

/// Types that a download can be labelled with; anything else is plain bytes.
const CONTENT_TYPES: [&str; 12] = [
    "text/plain",
    "text/csv",
    "text/html",
    "text/markdown",
    "application/json",
    "application/pdf",
    "application/zip",
    "image/png",
    "image/jpeg",
    "image/gif",
    "video/mp4",
    "message/rfc822",
];

/// `about.get`; the one method that wants `fields`.
pub(super) fn about(context: &Context<'_>) -> Result<Reply, ApiError> {
    let (store, caller) = open(context)?;
    if context.call.query.first("fields").is_none() {
        return Err(errors::required(
            "fields",
            "The 'fields' parameter is required for this method.",
        ));
    }
    let sizes = |trashed_only: bool| -> usize {
        store
            .named(caller.user)
            .filter_map(|id| store.file(id.as_str()))
            .filter(|file| file.owner == Some(caller.user))
            .filter(|file| !trashed_only || store.is_trashed(file))
            .flat_map(|file| &file.revisions)
            .map(Revision::size)
            .sum()
    };
    let formats = [
        super::model::DOCUMENT,
        super::model::SPREADSHEET,
        "application/vnd.google-apps.presentation",
        "application/vnd.google-apps.drawing",
    ];
    let exports: Map<String, Value> = formats
        .iter()
        .map(|format| ((*format).to_owned(), json!(view::export_formats(format))))
        .collect();
    Ok(Reply::json(json!({
        "kind": "drive#about",
        "user": view::user(context.workspace, caller.user, caller.user),
        "storageQuota": {
            "limit": "32212254720",
            "usage": sizes(false).to_string(),
            "usageInDrive": sizes(false).to_string(),
            "usageInDriveTrash": sizes(true).to_string(),
        },
        "importFormats": {
            "text/plain": [super::model::DOCUMENT],
            "text/csv": [super::model::SPREADSHEET],
        },
        "exportFormats": exports,
        "maxImportSizes": { (super::model::DOCUMENT): "10485760" },
        "maxUploadSize": "5497558138880",
        "appInstalled": true,
        "canCreateDrives": true,
        "canCreateTeamDrives": true,
        "folderColorPalette": ["#ac725e", "#d06b64", "#8f8f8f"],
        "driveThemes": [{
            "id": "abacus",
            "backgroundImageLink": "https://ssl.gstatic.com/team_drive_themes/abacus_background.jpg",
            "colorRgb": "#ea6100",
        }],
    })))
}

fn show(
    context: &Context<'_>,
    store: &Store,
    caller: &Caller,
    id: &str,
) -> Result<Reply, ApiError> {
    // Who made or moved a file may have put it out of sight of the parameters.
    let everywhere = Caller {
        all_drives: true,
        app_files_only: false,
        ..*caller
    };
    let seen = store.seen(&everywhere, id)?;
    let mask = asked(context, DEFAULT_FIELDS);
    let value = view::file(context.workspace, caller, &seen, &Selection::of(&mask));
    Ok(reply(context, value, DEFAULT_FIELDS))
}

/// `files.get`, with `alt=media` for the content.
pub(super) fn get(context: &Context<'_>) -> Result<Reply, ApiError> {
    let (store, caller) = open(context)?;
    let seen = store.seen(&caller, context.path("id"))?;
    if context.call.query.first("alt") != Some("media") {
        let mask = asked(context, DEFAULT_FIELDS);
        let value = view::file(context.workspace, &caller, &seen, &Selection::of(&mask));
        return Ok(reply(context, value, DEFAULT_FIELDS));
    }
    if !context.has_scope(DOWNLOAD) {
        return Err(ApiError::insufficient_scope("drive.files.get", DOWNLOAD));
    }
    let head = seen
        .file
        .head()
        .filter(|_| !seen.file.is_native())
        .ok_or_else(errors::not_downloadable)?;
    if !seen.may(Right::Download) {
        return Err(ApiError::new(
            403,
            "cannotDownloadFile",
            "This file cannot be downloaded by the user.",
        ));
    }
    download(context, head.bytes(), &seen.file.mime_type)
}

/// The bytes, or the range of them that is asked for.
pub(super) fn download(
    context: &Context<'_>,
    bytes: Bytes,
    mime_type: &str,
) -> Result<Reply, ApiError> {
    let mut reply = Reply::json(Value::Null);
    reply.content_type = CONTENT_TYPES
        .into_iter()
        .find(|known| *known == mime_type)
        .unwrap_or("application/octet-stream");
    let total = bytes.len();
    let part = context
        .call
        .header("range")
        .and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
    let Some((first, last)) = part else {
        reply.body = Body::Bytes(bytes);
        return Ok(reply);
    };
    let first: usize = first.parse().map_err(|_| errors::invalid("range"))?;
    let last = last
        .parse::<usize>()
        .unwrap_or(usize::MAX)
        .min(total.saturating_sub(1));
    if first > last || total == 0 {
        return Err(ApiError::new(
            416,
            "requestedRangeNotSatisfiable",
            "Request range not satisfiable",
        ));
    }
    reply.status = 206;
    reply
        .headers
        .push(("content-range", format!("bytes {first}-{last}/{total}")));
    reply.body = Body::Bytes(bytes.slice(first..=last));
    Ok(reply)
}

/// `files.create`, with or without content.
pub(super) fn create(context: &Context<'_>) -> Result<Reply, ApiError> {
    let (mut store, caller) = open_mut(context)?;
    match upload::parse(context.call)? {
        Upload::Whole(metadata, media) => {
            let patch = Patch::parse(&metadata)?;
            let id = store.create_file(&caller, &patch, media)?;
            show(context, &store, &caller, id.as_str())
        }
        Upload::Resumable {
            metadata,
            mime_type,
            content,
        } => {
            Patch::parse(&metadata)?;
            begin(
                context,
                &mut store,
                &caller,
                None,
                (metadata, mime_type, content),
            )
        }
    }
}

/// `files.update`, with or without content.
pub(super) fn update(context: &Context<'_>) -> Result<Reply, ApiError> {
    let (mut store, caller) = open_mut(context)?;
    let id = context.path("id");
    match upload::parse(context.call)? {
        Upload::Whole(metadata, media) => {
            let patch = Patch::parse(&metadata)?;
            let (add, remove) = parents(context);
            let parents = (add.as_slice(), remove.as_slice());
            let id = store.update_file(&caller, id, &patch, media, parents)?;
            show(context, &store, &caller, id.as_str())
        }
        Upload::Resumable {
            metadata,
            mime_type,
            content,
        } => {
            Patch::parse(&metadata)?;
            store.seen(&caller, id)?.need(Right::Edit)?;
            begin(
                context,
                &mut store,
                &caller,
                Some(id),
                (metadata, mime_type, content),
            )
        }
    }
}

/// `addParents` and `removeParents`.
fn parents<'a>(context: &'a Context<'_>) -> (Vec<&'a str>, Vec<&'a str>) {
    let split = |name: &str| {
        let text = context.call.query.first(name).unwrap_or_default();
        text.split(',').filter(|id| !id.is_empty()).collect()
    };
    (split("addParents"), split("removeParents"))
}

fn begin(
    context: &Context<'_>,
    store: &mut Store,
    caller: &Caller,
    target: Option<&str>,
    (metadata, mime_type, content): (Value, Option<String>, Pieces),
) -> Result<Reply, ApiError> {
    if store.uploads.len() >= MAX_UPLOADS {
        store.uploads.retain(|_, session| session.done.is_none());
    }
    let id = store.new_upload_id();
    let (add, remove) = parents(context);
    let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
    let session = Session {
        user: caller.user,
        target: target.map(str::to_owned),
        metadata,
        mime_type,
        content,
        all_drives: caller.all_drives,
        parents: (owned(add), owned(remove)),
        done: None,
    };
    store.uploads.insert(id.clone(), session);
    let mut location = format!("{}/upload/drive/v3/files", context.workspace.base);
    if let Some(target) = target {
        location = format!("{location}/{target}");
    }
    // The mask of the answer is that of the first request.
    let fields = context
        .call
        .query
        .first("fields")
        .map_or_else(String::new, |fields| {
            let encoded: String = form_urlencoded::byte_serialize(fields.as_bytes()).collect();
            format!("&fields={encoded}")
        });
    let mut reply = Reply::html("");
    reply.headers = vec![
        (
            "location",
            format!("{location}?uploadType=resumable&upload_id={id}{fields}"),
        ),
        ("x-guploader-uploadid", id),
    ];
    Ok(reply)
}

/// A piece of a resumable upload, or the question how far it got.
pub(super) fn resume(context: &Context<'_>) -> Result<Reply, ApiError> {
    let (mut store, caller) = open_mut(context)?;
    let id = context.call.query.first("upload_id").unwrap_or_default();
    let session = store
        .uploads
        .get_mut(id)
        .filter(|session| session.user == caller.user)
        .ok_or_else(|| ApiError::new(404, "notFound", "Upload not found."))?;
    let caller = Caller {
        all_drives: session.all_drives,
        ..caller
    };
    if let Some(done) = session.done.clone() {
        return show(context, &store, &caller, &done);
    }
    if !session.content.take(context.call)? {
        return Ok(session.content.go_on());
    }
    let patch = Patch::parse(&session.metadata)?;
    let media = Media {
        mime_type: session.mime_type.clone(),
        bytes: session.content.finish(),
    };
    let (target, parents) = (session.target.clone(), session.parents.clone());
    let made = match target {
        None => store.create_file(&caller, &patch, Some(media))?,
        Some(target) => {
            let (add, remove): (Vec<&str>, Vec<&str>) = (
                parents.0.iter().map(String::as_str).collect(),
                parents.1.iter().map(String::as_str).collect(),
            );
            store.update_file(&caller, &target, &patch, Some(media), (&add, &remove))?
        }
    };
    if let Some(session) = store.uploads.get_mut(id) {
        session.done = Some(made.as_str().to_owned());
    }
    show(context, &store, &caller, made.as_str())
}

/// `files.delete`: for ever, past the trash.
pub(super) fn delete(context: &Context<'_>) -> Result<Reply, ApiError> {
    let (mut store, caller) = open_mut(context)?;
    store.delete_file(&caller, context.path("id"))?;
    Ok(Reply::no_content())
}

/// `files.copy`.
pub(super) fn copy(context: &Context<'_>) -> Result<Reply, ApiError> {
    let (mut store, caller) = open_mut(context)?;
    let patch = Patch::parse(&wire::object(&context.call.body)?)?;
    let id = store.copy_file(&caller, context.path("id"), &patch)?;
    show(context, &store, &caller, id.as_str())
}

/// `files.export`.
pub(super) fn export(context: &Context<'_>) -> Result<Reply, ApiError> {
    let (store, mut caller) = open(context)?;
    // Export has no `supportsAllDrives`.
    caller.all_drives = true;
    let seen = store.seen(&caller, context.path("id"))?;
    let wanted = context
        .call
        .query
        .first("mimeType")
        .ok_or_else(|| errors::required("mimeType", "Required parameter: mimeType"))?;
    let formats = view::export_formats(&seen.file.mime_type);
    let head = seen
        .file
        .head()
        .filter(|_| !formats.is_empty())
        .ok_or_else(errors::not_exportable)?;
    if !formats.contains(&wanted) {
        return Err(errors::bad_request(
            "The requested conversion is not supported.",
        ));
    }
    download(context, head.bytes(), wanted)
}

/// `files.generateIds`.
pub(super) fn generate_ids(context: &Context<'_>) -> Result<Reply, ApiError> {
    let (mut store, _) = open_mut(context)?;
    let query = &context.call.query;
    let count: usize = match query.first("count") {
        None => 10,
        Some(text) => text
            .parse()
            .ok()
            .filter(|count| (1..=1000).contains(count))
            .ok_or_else(|| errors::invalid("count"))?,
    };
    match query.first("space") {
        None | Some("drive") => {}
        Some(_) => return Err(errors::invalid("space")),
    }
    let ids: Vec<FileId> = (0..count).map(|_| store.new_file_id()).collect();
    Ok(Reply::json(json!({
        "kind": "drive#generatedIds",
        "space": "drive",
        "ids": ids.iter().map(FileId::as_str).collect::<Vec<_>>(),
    })))
}

/// `files.emptyTrash`.
pub(super) fn empty_trash(context: &Context<'_>) -> Result<Reply, ApiError> {
    let (mut store, caller) = open_mut(context)?;
    store.empty_trash(&caller, context.call.query.first("driveId"))?;
    Ok(Reply::no_content())
}

/// `useDomainAdminAccess` by somebody who is an administrator.
pub(super) fn is_domain_admin(context: &Context<'_>) -> bool {
    context.call.query.flag("useDomainAdminAccess")
        && context.caller.is_some_and(|caller| {
            context.workspace.user(caller).role == crate::workspace::Role::Admin
        })
}
