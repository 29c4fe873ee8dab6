//! Shared drives: list, get, create, update, delete, hide.
//!
//! See <https://developers.google.com/workspace/drive/api/reference/rest/v3/drives>.

use super::list::check_member;
use super::log::Presence;
use super::model::{FileId, Role, SharedDrive};
use super::query::{self, Expression, Operator, Term};
use super::rules::Caller;
use super::store::Store;
use super::{errors, files, offset, open, open_mut, page, page_size, reply, view};
use crate::call::Reply;
use crate::error::ApiError;
use crate::routes::Context;
use crate::wire;
use serde_json::{Value, json};

const MAX_PAGE: usize = 100;
const DEFAULT_FIELDS: &str = "kind,id,name";

/// `drives.list`: those that the caller is in, or with an administrator's access all.
pub(super) fn list(context: &Context<'_>) -> Result<Reply, ApiError> {
    let (store, caller) = open(context)?;
    let query = &context.call.query;
    let size = page_size(query, 10, MAX_PAGE)?;
    let as_admin = as_admin(context)?;
    let search = query::parse(query.first("q").unwrap_or_default())
        .filter(|search| search.terms().iter().all(|term| is_drive_term(term)))
        .ok_or_else(|| errors::invalid("q"))?;
    let found: Vec<Value> = store
        .drives
        .values()
        .filter_map(|drive| {
            let role = store.member_role(caller.user, drive.id.as_str());
            let fits = (as_admin || role.is_some()) && fits(&store, &caller, drive, &search);
            fits.then(|| {
                let mut value = view::drive(&store, &caller, drive, role);
                if as_admin {
                    value["orgUnitId"] = json!("03ph8a2z1fake");
                }
                value
            })
        })
        .collect();
    let (shown, next) = page(found, offset(query)?, size, context);
    let mut answer = json!({ "kind": "drive#driveList", "drives": shown });
    if let Some(next) = next {
        answer["nextPageToken"] = json!(next);
    }
    Ok(reply(
        context,
        answer,
        "kind,nextPageToken,drives(kind,id,name)",
    ))
}

fn is_drive_term(term: &Term) -> bool {
    let is_plain = matches!(term.operator, Operator::Equal | Operator::NotEqual);
    match term.field.as_str() {
        "name" => is_plain || term.operator == Operator::Contains,
        "hidden" => is_plain && matches!(term.value.as_str(), "true" | "false"),
        "createdTime" => query::time(&term.value).is_some(),
        "memberCount" | "organizerCount" => term.value.parse::<usize>().is_ok(),
        _ => false,
    }
}

fn fits(store: &Store, caller: &Caller, drive: &SharedDrive, search: &Expression) -> bool {
    let Some(root) = store.file(drive.id.as_str()) else {
        return false;
    };
    let count = |least: Role| {
        let members = root.permissions.iter();
        members.filter(|member| member.role >= least).count()
    };
    search.holds(&|term| match term.field.as_str() {
        "name" if term.operator == Operator::Contains => {
            query::contains_words(&root.name, &term.value)
        }
        "name" => query::compare(term.operator, &root.name, &term.value),
        "hidden" => {
            let hidden = drive.hidden_by.contains(&caller.user);
            query::compare(term.operator, &hidden, &(term.value == "true"))
        }
        "createdTime" => query::time(&term.value)
            .is_some_and(|wanted| query::compare(term.operator, &drive.created, &wanted)),
        field => {
            let least = if field == "organizerCount" {
                Role::Organizer
            } else {
                Role::Reader
            };
            let wanted = term.value.parse().ok();
            wanted.is_some_and(|wanted| query::compare(term.operator, &count(least), &wanted))
        }
    })
}

/// Whether an administrator's access is asked for; refused to others.
fn as_admin(context: &Context<'_>) -> Result<bool, ApiError> {
    let asks = context.call.query.flag("useDomainAdminAccess");
    if asks && !files::is_domain_admin(context) {
        return Err(ApiError::forbidden(
            "The requesting user is not an administrator of the domain.",
        ));
    }
    Ok(asks)
}

/// The drive in the path with the caller's role in it, which must be at least `least`.
fn allowed(
    context: &Context<'_>,
    store: &Store,
    caller: &Caller,
    least: Role,
) -> Result<(FileId, Role), ApiError> {
    let id = context.path("driveId");
    if as_admin(context)? {
        return match store.drive(id) {
            Some(drive) => Ok((drive.id.clone(), Role::Organizer)),
            None => Err(errors::drive_not_found(id)),
        };
    }
    check_member(store, caller, id)?;
    match store.member_role(caller.user, id) {
        Some(role) if role >= least => Ok((id.into(), role)),
        _ => Err(errors::insufficient()),
    }
}

fn show(
    context: &Context<'_>,
    store: &Store,
    caller: &Caller,
    id: &FileId,
    role: Role,
) -> Result<Reply, ApiError> {
    let drive = store
        .drive(id.as_str())
        .ok_or_else(|| errors::drive_not_found(id.as_str()))?;
    let value = view::drive(store, caller, drive, Some(role));
    Ok(reply(context, value, DEFAULT_FIELDS))
}

/// `drives.get`.
pub(super) fn get(context: &Context<'_>) -> Result<Reply, ApiError> {
    let (store, caller) = open(context)?;
    let (id, role) = allowed(context, &store, &caller, Role::Reader)?;
    show(context, &store, &caller, &id, role)
}

/// `drives.create`: once for each `requestId`.
pub(super) fn create(context: &Context<'_>) -> Result<Reply, ApiError> {
    let (mut store, caller) = open_mut(context)?;
    let request = context
        .call
        .query
        .first("requestId")
        .filter(|id| !id.is_empty())
        .ok_or_else(|| errors::required("requestId", "Required parameter: requestId"))?;
    let body = wire::object(&context.call.body)?;
    let name = body["name"]
        .as_str()
        .filter(|name| !name.is_empty())
        .ok_or_else(|| {
            errors::required("drive.name", "The name of the shared drive is required.")
        })?;
    let key = (caller.user, request.to_owned());
    if store.requests.contains_key(&key) {
        return Err(ApiError::new(
            409,
            "duplicate",
            "A shared drive with the provided request ID already exists.",
        ));
    }
    let id = store.create_drive(caller.actor(), name);
    store.requests.insert(key, id.clone());
    show(context, &store, &caller, &id, Role::Organizer)
}

/// `drives.update`: name and restrictions.
pub(super) fn update(context: &Context<'_>) -> Result<Reply, ApiError> {
    let (mut store, caller) = open_mut(context)?;
    let body = wire::object(&context.call.body)?;
    let (id, role) = allowed(context, &store, &caller, Role::Organizer)?;
    if let Some(name) = body["name"].as_str() {
        store.edit(id.as_str(), |root| name.clone_into(&mut root.name));
    }
    if let Some(drive) = store.drives.get_mut(&id) {
        let restrictions = &body["restrictions"];
        let flag = |name: &str, target: &mut bool| {
            if let Some(value) = restrictions[name].as_bool() {
                *target = value;
            }
        };
        flag("domainUsersOnly", &mut drive.domain_users_only);
        flag("driveMembersOnly", &mut drive.members_only);
        flag(
            "copyRequiresWriterPermission",
            &mut drive.copy_requires_writer,
        );
        flag(
            "sharingFoldersRequiresOrganizerPermission",
            &mut drive.sharing_folders_requires_organizer,
        );
        if let Some(theme) = body["themeId"].as_str() {
            theme.clone_into(&mut drive.theme);
        }
    }
    store.log_drive(&id, caller.now, Presence::In);
    show(context, &store, &caller, &id, role)
}

/// `drives.delete`: refused while there is something in it that is not in the trash.
pub(super) fn delete(context: &Context<'_>) -> Result<Reply, ApiError> {
    let (mut store, caller) = open_mut(context)?;
    let (id, _) = allowed(context, &store, &caller, Role::Organizer)?;
    let with_items = context.call.query.flag("allowItemDeletion");
    if with_items && !as_admin(context)? {
        return Err(errors::bad_request(
            "The allowItemDeletion parameter requires useDomainAdminAccess.",
        ));
    }
    let is_used = store.children(&id).any(|file| !store.is_trashed(file));
    if is_used && !with_items {
        return Err(ApiError::new(
            403,
            "cannotDeleteTeamDriveWithFiles",
            "A shared drive with untrashed items cannot be deleted.",
        ));
    }
    store.delete_drive(caller.actor(), &id);
    Ok(Reply::no_content())
}

/// `drives.hide`.
pub(super) fn hide(context: &Context<'_>) -> Result<Reply, ApiError> {
    set_hidden(context, |drive, caller| {
        drive.hidden_by.insert(caller.user);
    })
}

/// `drives.unhide`.
pub(super) fn unhide(context: &Context<'_>) -> Result<Reply, ApiError> {
    set_hidden(context, |drive, caller| {
        drive.hidden_by.remove(&caller.user);
    })
}

fn set_hidden(
    context: &Context<'_>,
    set: fn(&mut SharedDrive, &Caller),
) -> Result<Reply, ApiError> {
    let (mut store, caller) = open_mut(context)?;
    let (id, role) = allowed(context, &store, &caller, Role::Reader)?;
    if let Some(drive) = store.drives.get_mut(&id) {
        set(drive, &caller);
    }
    show(context, &store, &caller, &id, role)
}
