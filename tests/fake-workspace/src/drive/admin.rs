//! The control port's operations on Drive. Where an operation names a user it does what that user could do in
//! Drive's own pages, with the same checks as the API.

use super::list::everything;
use super::log::Log;
use super::model::{FileId, Permission, Role};
use super::ops::Media;
use super::patch::Patch;
use super::permissions::{self, Request};
use super::rules::Caller;
use super::store::Store;
use super::{activity, view};
use crate::admin::{Error, burst, failed, text, user as user_of};
use crate::fields::{Mask, Selection};
use crate::workspace::{UserIndex, Workspace, now_ms};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use std::sync::RwLockWriteGuard;

/// Does one operation; its name begins with `drive.`.
pub(crate) fn run(workspace: &Workspace, operation: &str, input: &Value) -> Result<Value, Error> {
    match operation {
        "drive.create" => create(workspace, input),
        "drive.update" => update(workspace, input),
        "drive.trash" | "drive.untrash" => {
            let patch = Patch {
                trashed: Some(operation == "drive.trash"),
                ..Patch::default()
            };
            change(workspace, input, |store, caller, id| {
                store.update_file(caller, id, &patch, None, (&[], &[]))
            })
        }
        "drive.restrict" => {
            let patch = Patch {
                limited: Some(input["disabled"].as_bool() != Some(false)),
                ..Patch::default()
            };
            change(workspace, input, |store, caller, id| {
                store.update_file(caller, id, &patch, None, (&[], &[]))
            })
        }
        "drive.delete" => {
            let (mut store, caller) = open(workspace, input)?;
            let id = text(input, "id")?;
            store.delete_file(&caller, id)?;
            Ok(json!({ "id": id }))
        }
        "drive.move" => {
            let parent = text(input, "parent")?;
            change(workspace, input, |store, caller, id| {
                let target = store.parent(caller, parent)?;
                store.check_move(caller, id, &target)?;
                let id = store.seen(caller, id)?.file.id.clone();
                store.relocate(caller.actor(), &id, &target);
                Ok(id)
            })
        }
        "drive.share" => share(workspace, input),
        "drive.unshare" => unshare(workspace, input),
        "drive.shared.create" => create_drive(workspace, input),
        "drive.shared.rename" => rename_drive(workspace, input),
        "drive.shared.member.add" | "drive.shared.member.remove" => {
            member(workspace, operation, input)
        }
        "drive.shared.delete" => delete_drive(workspace, input),
        "drive.expire" => expire(workspace, input),
        "drive.incomplete" => {
            let is_on = input["on"].as_bool() != Some(false);
            workspace.drive_mut().incomplete_search = is_on;
            Ok(json!({ "on": is_on }))
        }
        "drive.truth" => truth(workspace, input),
        "drive.churn" => churn(workspace, input),
        _ => Err(Error::Unknown(operation.to_owned())),
    }
}

fn open<'a>(
    workspace: &'a Workspace,
    input: &Value,
) -> Result<(RwLockWriteGuard<'a, Store>, Caller), Error> {
    let user = user_of(workspace, input)?;
    let caller = Caller::person(user, now_ms());
    let mut store = workspace.drive_mut();
    store.root(user, caller.now);
    Ok((store, caller))
}

/// The file after a change, as its user sees it; only its id if they do not see it any more.
fn show(workspace: &Workspace, store: &Store, caller: &Caller, id: &FileId) -> Value {
    match store.seen(caller, id.as_str()) {
        Ok(seen) => view::file(
            workspace,
            caller,
            &seen,
            &Selection::of(&Mask::everything()),
        ),
        Err(_) => json!({ "id": id.as_str() }),
    }
}

fn change(
    workspace: &Workspace,
    input: &Value,
    act: impl FnOnce(&mut Store, &Caller, &str) -> Result<FileId, crate::error::ApiError>,
) -> Result<Value, Error> {
    let (mut store, caller) = open(workspace, input)?;
    let id = act(&mut store, &caller, text(input, "id")?)?;
    Ok(show(workspace, &store, &caller, &id))
}

/// The file fields of the input, without what is meant for the operation.
fn patch(input: &Value) -> Result<Patch, Error> {
    let mut fields: Map<String, Value> = input.as_object().cloned().unwrap_or_default();
    for name in ["user", "id", "content", "driveId"] {
        fields.remove(name);
    }
    Ok(Patch::parse(&Value::Object(fields))?)
}

fn media(input: &Value) -> Result<Option<Media>, Error> {
    match &input["content"] {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(Media {
            mime_type: None,
            bytes: Bytes::from(text.clone()),
        })),
        _ => Err(failed("`content` is a string")),
    }
}

fn create(workspace: &Workspace, input: &Value) -> Result<Value, Error> {
    let mut patch = patch(input)?;
    text(input, "name")?;
    if let (None, Some(drive)) = (&patch.parents, input["driveId"].as_str()) {
        patch.parents = Some(vec![drive.to_owned()]);
    }
    let (mut store, caller) = open(workspace, input)?;
    let id = store.create_file(&caller, &patch, media(input)?)?;
    Ok(show(workspace, &store, &caller, &id))
}

fn update(workspace: &Workspace, input: &Value) -> Result<Value, Error> {
    let (patch, media) = (patch(input)?, media(input)?);
    change(workspace, input, |store, caller, id| {
        store.update_file(caller, id, &patch, media, (&[], &[]))
    })
}

/// `email`, `domain`, or `anyone: true`, as a permission body names them.
fn grantee_body(input: &Value) -> Value {
    match (input["email"].as_str(), input["domain"].as_str()) {
        (Some(email), _) => json!({ "type": "user", "emailAddress": email }),
        (None, Some(domain)) => json!({ "type": "domain", "domain": domain }),
        (None, None) => json!({ "type": "anyone" }),
    }
}

fn share(workspace: &Workspace, input: &Value) -> Result<Value, Error> {
    let grantee = permissions::grantee(workspace, &grantee_body(input))?;
    let role = match &input["role"] {
        Value::Null => Role::Reader,
        _ => permissions::role(input)?,
    };
    change(workspace, input, |store, caller, id| {
        let id = store.seen(caller, id)?.file.id.clone();
        let mut permission = Permission::new(grantee, role, caller.now, Some(caller.user));
        permission.discoverable = input["discoverable"].as_bool() == Some(true);
        let request = Request {
            permission,
            transfer: role == Role::Owner,
        };
        store.share(caller, &id, request)?;
        Ok(id)
    })
}

fn unshare(workspace: &Workspace, input: &Value) -> Result<Value, Error> {
    let grantee = permissions::grantee(workspace, &grantee_body(input))?;
    change(workspace, input, |store, caller, id| {
        let id = store.seen(caller, id)?.file.id.clone();
        store.unshare(caller, &id, &grantee)?;
        Ok(id)
    })
}

/// By the named user, or by the administrator.
fn create_drive(workspace: &Workspace, input: &Value) -> Result<Value, Error> {
    let name = text(input, "name")?;
    let user = match &input["user"] {
        Value::Null => administrator(workspace)?,
        _ => user_of(workspace, input)?,
    };
    let caller = Caller::person(user, now_ms());
    let id = workspace.drive_mut().create_drive(caller.actor(), name);
    Ok(json!({ "id": id.as_str(), "name": name }))
}

fn administrator(workspace: &Workspace) -> Result<UserIndex, Error> {
    workspace
        .users()
        .iter()
        .find(|user| user.role == crate::workspace::Role::Admin)
        .map(|user| user.index)
        .ok_or_else(|| failed("there is no administrator"))
}

fn drive_id(store: &Store, input: &Value) -> Result<FileId, Error> {
    let id = text(input, "driveId")?;
    match store.drive(id) {
        Some(drive) => Ok(drive.id.clone()),
        None => Err(failed(format!("no such shared drive: {id}"))),
    }
}

fn rename_drive(workspace: &Workspace, input: &Value) -> Result<Value, Error> {
    let name = text(input, "name")?;
    let mut store = workspace.drive_mut();
    let id = drive_id(&store, input)?;
    store.edit(id.as_str(), |root| name.clone_into(&mut root.name));
    store.log_drive(&id, now_ms(), super::log::Presence::In);
    Ok(json!({ "id": id.as_str(), "name": name }))
}

fn member(workspace: &Workspace, operation: &str, input: &Value) -> Result<Value, Error> {
    let body = json!({ "type": "user", "emailAddress": text(input, "email")? });
    let grantee = permissions::grantee(workspace, &body)?;
    let admin = Caller::person(administrator(workspace)?, now_ms());
    let mut store = workspace.drive_mut();
    let id = drive_id(&store, input)?;
    if operation == "drive.shared.member.remove" {
        store.revoke(admin.actor(), &id, &grantee);
        return Ok(json!({ "driveId": id.as_str() }));
    }
    let role = match &input["role"] {
        Value::Null => Role::Writer,
        _ => permissions::role(input)?,
    };
    if role == Role::Owner {
        return Err(failed("a shared drive has no owner"));
    }
    let permission = Permission::new(grantee, role, admin.now, Some(admin.user));
    store.grant(admin.actor(), &id, permission);
    Ok(json!({ "driveId": id.as_str(), "role": role.as_str() }))
}

/// With all that is in it.
fn delete_drive(workspace: &Workspace, input: &Value) -> Result<Value, Error> {
    let admin = Caller::person(administrator(workspace)?, now_ms());
    let mut store = workspace.drive_mut();
    let id = drive_id(&store, input)?;
    store.delete_drive(admin.actor(), &id);
    Ok(json!({ "driveId": id.as_str() }))
}

/// Page tokens of files.list go stale; with `changes` those of the change logs as well.
fn expire(workspace: &Workspace, input: &Value) -> Result<Value, Error> {
    let user = match &input["user"] {
        Value::Null => None,
        _ => Some(user_of(workspace, input)?),
    };
    let mut store = workspace.drive_mut();
    store.epoch += 1;
    if input["changes"].as_bool() == Some(true) {
        match (user, input["driveId"].as_str()) {
            (_, Some(_)) => {
                let id = drive_id(&store, input)?;
                if let Some(log) = store.drive_logs.get_mut(&id) {
                    log.expire();
                }
            }
            (Some(user), None) => store.user_log(user).expire(),
            (None, None) => {
                let store = &mut *store;
                let logs = store.user_logs.values_mut();
                logs.chain(store.drive_logs.values_mut())
                    .for_each(Log::expire);
            }
        }
    }
    Ok(json!({ "epoch": store.epoch }))
}

/// What complete fresh listings would give: the user's corpus, and each shared drive they are in.
fn truth(workspace: &Workspace, input: &Value) -> Result<Value, Error> {
    let (store, caller) = open(workspace, input)?;
    let drives: Map<String, Value> = store
        .drives
        .values()
        .filter_map(|drive| {
            let role = store.member_role(caller.user, drive.id.as_str())?;
            let files = everything(workspace, &store, &caller, Some(drive.id.as_str()));
            let mut value = view::drive(&store, &caller, drive, Some(role));
            value["role"] = json!(role.as_str());
            value["files"] = json!(files);
            Some((drive.id.as_str().to_owned(), value))
        })
        .collect();
    Ok(json!({
        "root": store.existing_root(caller.user).map(FileId::as_str),
        "files": everything(workspace, &store, &caller, None),
        "drives": drives,
    }))
}

/// A burst of random changes by one user; the same seed on the same Drive does the same.
fn churn(workspace: &Workspace, input: &Value) -> Result<Value, Error> {
    let user = user_of(workspace, input)?;
    let (seed, rounds) = burst(input)?;
    Ok(json!({ "counts": activity::churn(workspace, user, seed, rounds) }))
}

/// Takes away all that an account had which is made anew: its files, what was shared with it, its memberships.
pub(crate) fn start_over(workspace: &Workspace, user: UserIndex) {
    let now = now_ms();
    workspace.drive_mut().forget(user, now);
}
