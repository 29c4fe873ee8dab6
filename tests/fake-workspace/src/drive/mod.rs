//! Drive API v3: the table of its methods, and what all of them share. One file per group of methods.
//!
//! See <https://developers.google.com/workspace/drive/api/reference/rest/v3>.

mod access_list;
pub(crate) mod activity;
pub(crate) mod admin;
mod changes;
mod checksum;
mod corpus;
mod drives;
mod edit;
mod errors;
mod files;
mod list;
mod log;
pub(crate) mod model;
mod ops;
mod patch;
mod permissions;
mod query;
mod revisions;
mod rules;
pub(crate) mod store;
mod upload;
mod view;

use crate::call::{Query, Reply};
use crate::error::ApiError;
use crate::fields::Mask;
use crate::routes::{Context, Operation, api};
use crate::wire::{from_token, to_token};
use crate::workspace::now_ms;
use rules::Caller;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::sync::{RwLockReadGuard, RwLockWriteGuard};
use store::Store;

const DRIVE: &str = "https://www.googleapis.com/auth/drive";
const FILE: &str = "https://www.googleapis.com/auth/drive.file";
const READONLY: &str = "https://www.googleapis.com/auth/drive.readonly";
const METADATA: &str = "https://www.googleapis.com/auth/drive.metadata";
const METADATA_READONLY: &str = "https://www.googleapis.com/auth/drive.metadata.readonly";

const READ: &[&str] = &[DRIVE, FILE, METADATA, METADATA_READONLY, READONLY];
const WRITE: &[&str] = &[DRIVE, FILE];
const UPDATE: &[&str] = &[DRIVE, FILE, METADATA];
const DOWNLOAD: &[&str] = &[DRIVE, FILE, READONLY];
const ALL: &[&str] = &[DRIVE];
const SEE_DRIVES: &[&str] = &[DRIVE, READONLY];

#[rustfmt::skip]
pub(crate) const OPERATIONS: &[Operation] = &[
    api("drive.about.get", "GET", "drive/v3/about", READ, files::about),
    api("drive.changes.getStartPageToken", "GET", "drive/v3/changes/startPageToken", READ, changes::start),
    api("drive.changes.list", "GET", "drive/v3/changes", READ, changes::list),
    api("drive.drives.list", "GET", "drive/v3/drives", SEE_DRIVES, drives::list),
    api("drive.drives.get", "GET", "drive/v3/drives/{driveId}", SEE_DRIVES, drives::get),
    api("drive.drives.create", "POST", "drive/v3/drives", ALL, drives::create),
    api("drive.drives.update", "PATCH", "drive/v3/drives/{driveId}", ALL, drives::update),
    api("drive.drives.delete", "DELETE", "drive/v3/drives/{driveId}", ALL, drives::delete),
    api("drive.drives.hide", "POST", "drive/v3/drives/{driveId}/hide", ALL, drives::hide),
    api("drive.drives.unhide", "POST", "drive/v3/drives/{driveId}/unhide", ALL, drives::unhide),
    api("drive.files.generateIds", "GET", "drive/v3/files/generateIds", WRITE, files::generate_ids),
    api("drive.files.emptyTrash", "DELETE", "drive/v3/files/trash", ALL, files::empty_trash),
    api("drive.files.list", "GET", "drive/v3/files", READ, list::list),
    api("drive.files.get", "GET", "drive/v3/files/{id}", READ, files::get),
    api("drive.files.create", "POST", "drive/v3/files", WRITE, files::create),
    api("drive.files.create", "POST", "upload/drive/v3/files", WRITE, files::create),
    api("drive.files.create", "PUT", "upload/drive/v3/files", WRITE, files::resume),
    api("drive.files.update", "PATCH", "drive/v3/files/{id}", UPDATE, files::update),
    api("drive.files.update", "PATCH", "upload/drive/v3/files/{id}", WRITE, files::update),
    api("drive.files.update", "PUT", "upload/drive/v3/files/{id}", WRITE, files::resume),
    api("drive.files.delete", "DELETE", "drive/v3/files/{id}", WRITE, files::delete),
    api("drive.files.copy", "POST", "drive/v3/files/{id}/copy", WRITE, files::copy),
    api("drive.files.export", "GET", "drive/v3/files/{id}/export", DOWNLOAD, files::export),
    api("drive.permissions.list", "GET", "drive/v3/files/{id}/permissions", READ, permissions::list),
    api("drive.permissions.get", "GET", "drive/v3/files/{id}/permissions/{permissionId}", READ, permissions::get),
    api("drive.permissions.create", "POST", "drive/v3/files/{id}/permissions", WRITE, permissions::create),
    api("drive.permissions.update", "PATCH", "drive/v3/files/{id}/permissions/{permissionId}", WRITE, permissions::update),
    api("drive.permissions.delete", "DELETE", "drive/v3/files/{id}/permissions/{permissionId}", WRITE, permissions::delete),
    api("drive.revisions.list", "GET", "drive/v3/files/{id}/revisions", READ, revisions::list),
    api("drive.revisions.get", "GET", "drive/v3/files/{id}/revisions/{revisionId}", READ, revisions::get),
];

/// The Drive of the domain to read in, and on whose behalf the call runs.
fn open<'a>(context: &Context<'a>) -> Result<(RwLockReadGuard<'a, Store>, Caller), ApiError> {
    let caller = caller(context)?;
    let store = context.workspace.drive();
    if store.existing_root(caller.user).is_some() {
        return Ok((store, caller));
    }
    drop(store);
    context.workspace.drive_mut().root(caller.user, caller.now);
    Ok((context.workspace.drive(), caller))
}

/// The same to write in.
fn open_mut<'a>(context: &Context<'a>) -> Result<(RwLockWriteGuard<'a, Store>, Caller), ApiError> {
    let caller = caller(context)?;
    let mut store = context.workspace.drive_mut();
    store.root(caller.user, caller.now);
    Ok((store, caller))
}

fn caller(context: &Context<'_>) -> Result<Caller, ApiError> {
    let Some(user) = context.caller else {
        return Err(ApiError::forbidden(
            "A service account has no Drive of its own here; name a user as the subject.",
        ));
    };
    let wide = |scope: &String| READ.contains(&scope.as_str()) && scope != FILE;
    Ok(Caller {
        user,
        now: now_ms(),
        all_drives: flag(
            &context.call.query,
            "supportsAllDrives",
            "supportsTeamDrives",
        ),
        app_files_only: !context.scopes.iter().any(wide),
        is_app: true,
    })
}

/// A boolean parameter by its name or its deprecated one.
fn flag(query: &Query, name: &str, old: &str) -> bool {
    query.flag(name) || query.flag(old)
}

/// What is asked for: the fields in the request, or those that Google sends if there are none.
fn asked<'a>(context: &Context<'a>, default: &str) -> Cow<'a, Mask> {
    match context.mask {
        Some(mask) => Cow::Borrowed(mask),
        None => Cow::Owned(Mask::parse(default).unwrap_or_else(Mask::everything)),
    }
}

/// An answer with the fields that Google sends if none are asked for; a mask of the request is applied by the caller.
fn reply(context: &Context<'_>, mut value: Value, default: &str) -> Reply {
    if context.mask.is_none() {
        asked(context, default).apply(&mut value);
    }
    Reply::json(value)
}

/// `pageSize`: what is above the maximum is lowered to it.
fn page_size(query: &Query, default: usize, max: usize) -> Result<usize, ApiError> {
    match query.first("pageSize") {
        None => Ok(default),
        Some(text) => match text.parse::<u32>() {
            Ok(0) | Err(_) => Err(errors::invalid("pageSize")),
            Ok(size) => Ok((size as usize).min(max)),
        },
    }
}

/// The offset in the token of a short list that is cut by position.
fn offset(query: &Query) -> Result<usize, ApiError> {
    let Some(text) = query.first("pageToken") else {
        return Ok(0);
    };
    from_token(text)
        .and_then(|value| value["at"].as_u64())
        .and_then(|at| usize::try_from(at).ok())
        .ok_or_else(|| errors::invalid("pageToken"))
}

/// One page of a short list, and the token of the next; for a fault nothing, and the token of this one.
fn page<T>(
    items: Vec<T>,
    at: usize,
    size: usize,
    context: &Context<'_>,
) -> (Vec<T>, Option<String>) {
    let size = if context.empty_page { 0 } else { size };
    let end = at.saturating_add(size);
    let next = (end < items.len() || context.empty_page).then(|| to_token(&json!({ "at": end })));
    (items.into_iter().skip(at).take(size).collect(), next)
}

/// `spaces`: only the main one is built; the folder of app data needs a scope that nobody has.
fn check_spaces(query: &Query) -> Result<(), ApiError> {
    match query.first("spaces") {
        None | Some("drive") => Ok(()),
        Some(spaces)
            if spaces
                .split(',')
                .all(|space| matches!(space, "drive" | "appDataFolder")) =>
        {
            Err(ApiError::new(
                403,
                "insufficientScopes",
                "The granted scopes do not give access to all of the requested spaces.",
            ))
        }
        Some(_) => Err(errors::invalid("spaces")),
    }
}
