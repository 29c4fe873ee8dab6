//! The `permissions` of a file or of a shared drive, whose members they are.
//!
//! See <https://developers.google.com/workspace/drive/api/reference/rest/v3/permissions>.

use super::model::{FileId, Grantee, Permission, Role};
use super::ops::is_addressed;
use super::rules::{Caller, Right, Seen};
use super::store::Store;
use super::view::{self, Effective};
use super::{errors, files, offset, open, open_mut, page, page_size, reply};
use crate::call::Reply;
use crate::error::ApiError;
use crate::routes::Context;
use crate::wire;
use crate::workspace::{UserIndex, Workspace};
use serde_json::{Value, json};

const MAX_PAGE: usize = 100;
const DEFAULT_FIELDS: &str = "kind,id,type,role";

/// What is asked for in a new or changed permission.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) permission: Permission,
    /// The caller knows that the owner changes.
    pub(super) transfer: bool,
}

/// Whom a permission body names.
pub(super) fn grantee(workspace: &Workspace, body: &Value) -> Result<Grantee, ApiError> {
    let address = || {
        body["emailAddress"]
            .as_str()
            .filter(|address| address.contains('@'))
            .ok_or_else(|| {
                errors::invalid_sharing(
                    "Bad Request. User message: \"An email address is needed.\"",
                )
            })
    };
    match body["type"].as_str() {
        Some("user") => {
            let address = address()?;
            Ok(match workspace.find_user(address) {
                Some((user, _)) => Grantee::Member(user),
                None => Grantee::Outsider(address.to_ascii_lowercase().into()),
            })
        }
        Some("group") => Ok(Grantee::Group(address()?.to_ascii_lowercase().into())),
        Some("domain") => body["domain"]
            .as_str()
            .map(|domain| Grantee::Domain(domain.to_ascii_lowercase().into()))
            .ok_or_else(|| errors::required("permission.domain", "The domain is required.")),
        Some("anyone") => Ok(Grantee::Anyone),
        Some(_) => Err(errors::invalid("permission.type")),
        None => Err(errors::required(
            "permission.type",
            "The permission type field is required.",
        )),
    }
}

pub(super) fn role(body: &Value) -> Result<Role, ApiError> {
    let text = body["role"].as_str().ok_or_else(|| {
        errors::required("permission.role", "The permission role field is required.")
    })?;
    Role::parse(text).ok_or_else(|| errors::invalid("permission.role"))
}

fn expiration(body: &Value) -> Result<Option<i64>, ApiError> {
    let text = match &body["expirationTime"] {
        Value::Null => return Ok(None),
        text => text.as_str(),
    };
    text.and_then(|text| text.parse::<jiff::Timestamp>().ok())
        .map(|time| Some(time.as_millisecond()))
        .ok_or_else(|| errors::invalid("permission.expirationTime"))
}

impl Store {
    /// The file whose permissions are meant; an administrator may reach any shared drive.
    fn shared_item(
        &self,
        context: &Context<'_>,
        caller: &Caller,
        id: &str,
    ) -> Result<Seen<'_>, ApiError> {
        if files::is_domain_admin(context)
            && self.drive(id).is_some()
            && let Some(file) = self.file(id)
        {
            return Ok(Seen {
                store: self,
                file,
                access: view::ADMIN,
            });
        }
        self.seen(caller, id)
    }

    /// Refuses a role where it cannot be, or what the caller cannot give.
    fn check_grant(
        &self,
        caller: &Caller,
        seen: &Seen<'_>,
        request: &Request,
    ) -> Result<(), ApiError> {
        seen.need(Right::Share)?;
        let Permission { role, grantee, .. } = &request.permission;
        let in_drive = seen.file.drive.is_some();
        let fits = match role {
            Role::Owner => !in_drive,
            Role::Organizer => in_drive && seen.file.is_root(),
            Role::FileOrganizer => in_drive && seen.file.is_folder(),
            Role::Reader | Role::Commenter | Role::Writer => true,
        };
        if !fits {
            return Err(errors::invalid_sharing(format!(
                "The role {} is not valid for this item.",
                role.as_str()
            )));
        }
        if in_drive && seen.file.is_root() && !is_addressed(grantee) {
            return Err(ApiError::new(
                403,
                "cannotShareTeamDriveTopFolderWithAnyoneOrDomains",
                "The top folder of a shared drive cannot be shared with anyone or domains.",
            ));
        }
        if *role == Role::Owner {
            if !request.transfer {
                return Err(ApiError::forbidden(
                    "The transferOwnership parameter must be enabled when the permission role is 'owner'.",
                ));
            }
            if seen.file.owner != Some(caller.user) {
                return Err(errors::insufficient());
            }
            if !matches!(grantee, Grantee::Member(_)) {
                return Err(errors::invalid_sharing(
                    "Ownership can only be transferred to a user of the same domain.",
                ));
            }
        }
        // Nobody gives more than they have.
        if *role > seen.access.role {
            return Err(errors::insufficient());
        }
        let restricted = seen
            .file
            .drive
            .as_ref()
            .and_then(|drive| self.drive(drive.as_str()));
        let outside = match grantee {
            Grantee::Member(_) | Grantee::Group(_) => false,
            Grantee::Domain(domain) => *domain != self.domain,
            Grantee::Outsider(_) | Grantee::Anyone => true,
        };
        if restricted.is_some_and(|drive| drive.domain_users_only && outside) {
            return Err(ApiError::new(
                403,
                "teamDriveDomainUsersOnlyRestriction",
                "This shared drive's domain users only restriction does not allow this sharing.",
            ));
        }
        Ok(())
    }

    /// Gives, or changes, what somebody may do.
    pub(super) fn share(
        &mut self,
        caller: &Caller,
        id: &FileId,
        request: Request,
    ) -> Result<(), ApiError> {
        let seen = self.seen(caller, id.as_str())?;
        self.check_grant(caller, &seen, &request)?;
        self.apply_grant(caller, id, request);
        Ok(())
    }

    fn apply_grant(&mut self, caller: &Caller, id: &FileId, request: Request) {
        match (request.permission.role, &request.permission.grantee) {
            (Role::Owner, Grantee::Member(heir)) => {
                let heir = *heir;
                self.root(heir, caller.now);
                self.transfer(caller.actor(), id, heir);
            }
            _ => self.grant(caller.actor(), id, request.permission),
        }
    }

    /// Takes a permission of the item itself away; users may do so with their own.
    pub(super) fn unshare(
        &mut self,
        seen_by: &Caller,
        id: &FileId,
        grantee: &Grantee,
    ) -> Result<(), ApiError> {
        let seen = self.seen(seen_by, id.as_str())?;
        check_revoke(seen_by.user, &seen, grantee)?;
        self.revoke(seen_by.actor(), id, grantee);
        Ok(())
    }
}

fn check_revoke(user: UserIndex, seen: &Seen<'_>, grantee: &Grantee) -> Result<(), ApiError> {
    let own = seen
        .file
        .permissions
        .iter()
        .find(|own| own.grantee == *grantee);
    match own {
        None => Err(ApiError::new(
            403,
            "cannotDeleteInheritedPermission",
            "Cannot delete an inherited permission.",
        )),
        Some(own) if own.role == Role::Owner => Err(errors::insufficient()),
        Some(own) => {
            // A reader may leave, and a writer may take away what a reader has.
            if *grantee != Grantee::Member(user) {
                seen.need(Right::Share)?;
                if own.role > seen.access.role {
                    return Err(errors::insufficient());
                }
            }
            Ok(())
        }
    }
}

/// The permission with an id, among all that hold for an item.
fn find(workspace: &Workspace, seen: &Seen<'_>, id: &str) -> Result<Effective, ApiError> {
    seen.store
        .effective(seen)
        .into_iter()
        .find(|effective| view::permission_id(workspace, &effective.permission) == id)
        .ok_or_else(|| errors::permission_not_found(id))
}

/// Who may read the whole list: members of a shared drive, and in My Drive who can write.
fn check_reader(caller: &Caller, seen: &Seen<'_>) -> Result<(), ApiError> {
    let is_member = seen.store.is_member_for(caller.user, seen.file);
    if is_member || seen.access.role >= Role::Writer {
        Ok(())
    } else {
        Err(errors::insufficient())
    }
}

/// `permissions.list`.
pub(super) fn list(context: &Context<'_>) -> Result<Reply, ApiError> {
    let (store, caller) = open(context)?;
    let query = &context.call.query;
    let seen = store.shared_item(context, &caller, context.path("id"))?;
    check_reader(&caller, &seen)?;
    // In My Drive all of them come at once unless a size is asked for.
    let default = if seen.file.drive.is_some() {
        MAX_PAGE
    } else {
        usize::MAX
    };
    let size = page_size(query, default, MAX_PAGE)?;
    let all = store.effective(&seen);
    let (shown, next) = page(all, offset(query)?, size, context);
    let shown: Vec<Value> = shown
        .iter()
        .map(|effective| view::permission(context.workspace, &seen, effective))
        .collect();
    let mut answer = json!({ "kind": "drive#permissionList", "permissions": shown });
    if let Some(next) = next {
        answer["nextPageToken"] = json!(next);
    }
    Ok(reply(
        context,
        answer,
        "kind,nextPageToken,permissions(kind,id,type,role)",
    ))
}

/// `permissions.get`.
pub(super) fn get(context: &Context<'_>) -> Result<Reply, ApiError> {
    let (store, caller) = open(context)?;
    let seen = store.shared_item(context, &caller, context.path("id"))?;
    let found = find(context.workspace, &seen, context.path("permissionId"))?;
    if found.permission.grantee != Grantee::Member(caller.user) {
        check_reader(&caller, &seen)?;
    }
    let value = view::permission(context.workspace, &seen, &found);
    Ok(reply(context, value, DEFAULT_FIELDS))
}

/// `permissions.create`; for somebody who has one already it changes that.
pub(super) fn create(context: &Context<'_>) -> Result<Reply, ApiError> {
    let body = wire::object(&context.call.body)?;
    let role = role(&body)?;
    let grantee = grantee(context.workspace, &body)?;
    let (mut store, caller) = open_mut(context)?;
    let mut permission = Permission::new(grantee, role, caller.now, Some(caller.user));
    permission.discoverable = body["allowFileDiscovery"].as_bool() == Some(true);
    permission.expires = expiration(&body)?;
    grant(context, &mut store, &caller, permission)
}

/// `permissions.update`: role and expiration.
pub(super) fn update(context: &Context<'_>) -> Result<Reply, ApiError> {
    let body = wire::object(&context.call.body)?;
    let (mut store, caller) = open_mut(context)?;
    let seen = store.shared_item(context, &caller, context.path("id"))?;
    let mut permission = find(context.workspace, &seen, context.path("permissionId"))?.permission;
    if !body["role"].is_null() {
        permission.role = role(&body)?;
    }
    if let Some(expires) = expiration(&body)? {
        permission.expires = Some(expires);
    }
    if context.call.query.flag("removeExpiration") {
        permission.expires = None;
    }
    permission.granted = caller.now;
    grant(context, &mut store, &caller, permission)
}

fn grant(
    context: &Context<'_>,
    store: &mut Store,
    caller: &Caller,
    permission: Permission,
) -> Result<Reply, ApiError> {
    let request = Request {
        transfer: context.call.query.flag("transferOwnership"),
        permission,
    };
    let seen = store.shared_item(context, caller, context.path("id"))?;
    store.check_grant(caller, &seen, &request)?;
    let (id, access) = (seen.file.id.clone(), seen.access);
    let permission_id = view::permission_id(context.workspace, &request.permission);
    store.apply_grant(caller, &id, request);
    let Some(file) = store.file(id.as_str()) else {
        return Err(errors::file_not_found(id.as_str()));
    };
    let seen = Seen {
        store,
        file,
        access,
    };
    let found = find(context.workspace, &seen, &permission_id)?;
    let value = view::permission(context.workspace, &seen, &found);
    Ok(reply(context, value, DEFAULT_FIELDS))
}

/// `permissions.delete`.
pub(super) fn delete(context: &Context<'_>) -> Result<Reply, ApiError> {
    let (mut store, caller) = open_mut(context)?;
    let seen = store.shared_item(context, &caller, context.path("id"))?;
    let found = find(context.workspace, &seen, context.path("permissionId"))?;
    check_revoke(caller.user, &seen, &found.permission.grantee)?;
    let id = seen.file.id.clone();
    store.revoke(caller.actor(), &id, &found.permission.grantee);
    Ok(Reply::no_content())
}
