//! `files`, `drives`, `permissions` and `users` resources as JSON, with all their fields; masks come later.
//!
//! See <https://developers.google.com/workspace/drive/api/reference/rest/v3/files>.

use super::model::{DOCUMENT, FileId, Grantee, Permission, Role, SPREADSHEET, SharedDrive};
use super::rules::{Caller, Right, Seen};
use super::store::{Access, Reach, Store, View};
use crate::wire::rfc3339;
use crate::workspace::{UserIndex, Workspace};
use serde_json::{Map, Value, json};

/// Formats that Google's documents can be exported to.
pub(super) fn export_formats(mime_type: &str) -> &'static [&'static str] {
    match mime_type {
        DOCUMENT => &[
            "text/plain",
            "text/html",
            "application/pdf",
            "application/zip",
        ],
        SPREADSHEET => &["text/csv", "application/pdf", "application/zip"],
        "application/vnd.google-apps.presentation" => &["text/plain", "application/pdf"],
        "application/vnd.google-apps.drawing" => &["image/png", "application/pdf"],
        _ => &[],
    }
}

pub(super) fn user(workspace: &Workspace, index: UserIndex, me: UserIndex) -> Value {
    let user = workspace.user(index);
    json!({
        "kind": "drive#user",
        "displayName": format!("{} {}", user.given_name, user.family_name),
        "me": index == me,
        "permissionId": permission_id(workspace, &Permission::owner(index, 0)),
        "emailAddress": user.primary,
    })
}

/// The id of whom a permission is for; the same on every item.
pub(super) fn permission_id(workspace: &Workspace, permission: &Permission) -> String {
    match &permission.grantee {
        Grantee::Member(index) => digits(&workspace.user(*index).id),
        Grantee::Outsider(address) | Grantee::Group(address) => digits(address),
        Grantee::Domain(domain) => format!("{}k", digits(domain)),
        Grantee::Anyone if permission.discoverable => "anyone".to_owned(),
        Grantee::Anyone => "anyoneWithLink".to_owned(),
    }
}

/// Twenty digits from a text (FNV-1a).
fn digits(text: &str) -> String {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:020}")
}

/// A permission as it holds for an item, with where it comes from.
#[derive(Debug, Clone)]
pub(super) struct Effective {
    pub(super) permission: Permission,
    pub(super) view: View,
    /// Role, and the item that it is inherited from.
    details: Vec<(Role, Option<FileId>)>,
}

impl Store {
    /// All permissions that hold for an item: its own first, then what it inherits.
    pub(super) fn effective(&self, seen: &Seen<'_>) -> Vec<Effective> {
        let mut found: Vec<Effective> = Vec::new();
        let (mut limited, mut limited_above) = (false, false);
        for item in self.ancestry(seen.file) {
            let own = item.id == seen.file.id;
            for permission in &item.permissions {
                // What an owner has from a folder of theirs says nothing more.
                if !own
                    && seen.file.owner.map(Grantee::Member).as_ref() == Some(&permission.grantee)
                {
                    continue;
                }
                let blocked = limited && permission.role != Role::Organizer;
                if blocked && limited_above {
                    continue;
                }
                let role = match permission.role {
                    _ if blocked => Role::Reader,
                    Role::Owner if !own => Role::Writer,
                    role => role,
                };
                let detail = (role, (!own).then(|| item.id.clone()));
                let known = found
                    .iter_mut()
                    .find(|known| known.permission.grantee == permission.grantee);
                match known {
                    Some(_) if blocked => {}
                    Some(known) => {
                        known.permission.role = known.permission.role.max(role);
                        known.details.push(detail);
                    }
                    None => found.push(Effective {
                        permission: Permission {
                            role,
                            ..permission.clone()
                        },
                        view: if blocked { View::Metadata } else { View::Full },
                        details: vec![detail],
                    }),
                }
            }
            // Only the item's own limit leaves a view of its metadata.
            limited_above |= item.limited && !own;
            limited |= item.limited;
        }
        found
    }
}

pub(super) fn permission(workspace: &Workspace, seen: &Seen<'_>, effective: &Effective) -> Value {
    let Effective {
        permission,
        view,
        details,
    } = effective;
    let mut value = json!({
        "kind": "drive#permission",
        "id": permission_id(workspace, permission),
        "role": permission.role.as_str(),
    });
    match &permission.grantee {
        Grantee::Member(index) => {
            let user = workspace.user(*index);
            value["type"] = json!("user");
            value["emailAddress"] = json!(user.primary);
            value["displayName"] = json!(format!("{} {}", user.given_name, user.family_name));
            value["deleted"] = json!(user.deleted_ms.is_some());
            value["pendingOwner"] = json!(false);
        }
        Grantee::Outsider(address) => {
            value["type"] = json!("user");
            value["emailAddress"] = json!(&**address);
            value["displayName"] = json!(address.split('@').next());
            value["deleted"] = json!(false);
            value["pendingOwner"] = json!(false);
        }
        Grantee::Group(address) => {
            value["type"] = json!("group");
            value["emailAddress"] = json!(&**address);
            value["displayName"] = json!(address.split('@').next());
            value["deleted"] = json!(false);
        }
        Grantee::Domain(domain) => {
            value["type"] = json!("domain");
            value["domain"] = json!(&**domain);
            value["displayName"] = json!(&**domain);
            value["allowFileDiscovery"] = json!(permission.discoverable);
        }
        Grantee::Anyone => {
            value["type"] = json!("anyone");
            value["allowFileDiscovery"] = json!(permission.discoverable);
        }
    }
    if let Some(expires) = permission.expires {
        value["expirationTime"] = json!(rfc3339(expires));
    }
    if *view == View::Metadata {
        value["view"] = json!("metadata");
    }
    if seen.file.limited {
        value["inheritedPermissionsDisabled"] = json!(true);
    }
    if seen.file.drive.is_some() {
        value
            .as_object_mut()
            .map(|members| members.remove("pendingOwner"));
    }
    value["permissionDetails"] = details
        .iter()
        .map(|(role, from)| detail(seen, *role, from.as_ref()))
        .collect();
    value
}

fn detail(seen: &Seen<'_>, role: Role, from: Option<&FileId>) -> Value {
    let drive = seen.file.drive.as_ref();
    let member = drive.is_some() && (from == drive || seen.file.is_root());
    let mut value = json!({
        "permissionType": if member { "member" } else { "file" },
        "role": role.as_str(),
        "inherited": from.is_some(),
    });
    if let (Some(from), Some(_)) = (from, drive) {
        value["inheritedFrom"] = json!(from.as_str());
    }
    value
}

/// A file with everything that its caller may know.
pub(super) fn file(workspace: &Workspace, caller: &Caller, seen: &Seen<'_>) -> Value {
    let (store, file, me) = (seen.store, seen.file, caller.user);
    let rare = file.rare();
    let mut value = json!({
        "kind": "drive#file",
        "id": file.id.as_str(),
        "name": display_name(seen),
        "mimeType": &*file.mime_type,
        "starred": rare.starred.contains(&me),
        "trashed": store.is_trashed(file),
        "explicitlyTrashed": file.explicitly_trashed.is_some(),
        "spaces": ["drive"],
        "version": file.version.to_string(),
        "createdTime": rfc3339(file.created),
        "modifiedTime": rfc3339(file.modified),
        "modifiedByMe": rare.modified_by_user.contains_key(&me),
        "viewedByMe": rare.viewed.contains_key(&me),
        "webViewLink": web_link(&file.mime_type, &file.id),
        "iconLink": format!(
            "https://drive-thirdparty.googleusercontent.com/16/type/{}", file.mime_type
        ),
        "hasThumbnail": file.mime_type.starts_with("image/"),
        "isAppAuthorized": file.by_app,
        "copyRequiresWriterPermission": rare.copy_requires_writer,
        "viewersCanCopyContent": !rare.copy_requires_writer,
        "quotaBytesUsed": quota(seen).to_string(),
        "capabilities": capabilities(seen, me),
        "downloadRestrictions": {
            "itemDownloadRestriction": {
                "restrictedForReaders": rare.copy_requires_writer, "restrictedForWriters": false },
            "effectiveDownloadRestrictionWithContext": {
                "restrictedForReaders": rare.copy_requires_writer, "restrictedForWriters": false },
        },
    });
    let Some(members) = value.as_object_mut() else {
        return value;
    };
    // A parent is only shown to who can see it.
    if let Some(parent) = file
        .parent
        .as_ref()
        .and_then(|parent| store.file(parent.as_str()))
        && store.access(me, parent, Reach::Open).is_some()
    {
        members.insert("parents".to_owned(), json!([parent.id.as_str()]));
    }
    if let Some(description) = &file.description {
        members.insert("description".to_owned(), json!(description));
    }
    if let Some(by) = file.modified_by {
        members.insert("lastModifyingUser".to_owned(), user(workspace, by, me));
    }
    let own_times = [
        ("viewedByMeTime", rare.viewed.get(&me)),
        ("modifiedByMeTime", rare.modified_by_user.get(&me)),
    ];
    for (name, at) in own_times {
        if let Some(at) = at {
            members.insert(name.to_owned(), json!(rfc3339(*at)));
        }
    }
    if let Some((at, by)) = store.shared_with(me, file) {
        members.insert("sharedWithMeTime".to_owned(), json!(rfc3339(at)));
        if let Some(by) = by {
            members.insert("sharingUser".to_owned(), user(workspace, by, me));
        }
    }
    add_kind(seen, members);
    add_sharing(workspace, caller, seen, members);
    add_rare(workspace, caller, seen, members);
    value
}

fn display_name<'a>(seen: &Seen<'a>) -> &'a str {
    // The top folder of a shared drive is called this for everybody, whatever the drive's name is.
    if seen.file.is_root() && seen.file.drive.is_some() {
        "Drive"
    } else {
        &seen.file.name
    }
}

fn quota(seen: &Seen<'_>) -> usize {
    let kept = seen.file.revisions.iter().rev().enumerate();
    kept.filter(|(age, revision)| *age == 0 || revision.keep_forever)
        .map(|(_, revision)| revision.size())
        .sum()
}

/// What depends on the kind of file: content, folder, shortcut.
fn add_kind(seen: &Seen<'_>, members: &mut Map<String, Value>) {
    let file = seen.file;
    let mut put = |name: &str, value: Value| {
        members.insert(name.to_owned(), value);
    };
    if file.is_folder() {
        let color = file.rare().folder_color.as_deref().unwrap_or("#8f8f8f");
        put("folderColorRgb", json!(color));
        put("inheritedPermissionsDisabled", json!(file.limited));
    }
    if let Some(target) = &file.target {
        put(
            "shortcutDetails",
            json!({ "targetId": target.id.as_str(), "targetMimeType": &*target.mime_type }),
        );
    }
    let Some(head) = file.head() else { return };
    put("size", json!(head.size().to_string()));
    if file.is_native() {
        let links: Map<String, Value> = export_formats(&file.mime_type)
            .iter()
            .map(|format| {
                let link = format!(
                    "https://docs.google.com/feeds/download/export?id={}&type={format}",
                    file.id.as_str()
                );
                ((*format).to_owned(), json!(link))
            })
            .collect();
        if !links.is_empty() {
            put("exportLinks", Value::Object(links));
        }
        return;
    }
    let sums = head.sums();
    put("md5Checksum", json!(sums.md5));
    put("sha1Checksum", json!(sums.sha1));
    put("sha256Checksum", json!(sums.sha256));
    put("headRevisionId", json!(&*head.id));
    let original = file.rare().original_filename.as_deref();
    put("originalFilename", json!(original.unwrap_or(&file.name)));
    let full = file.name.split_once('.').map_or("", |(_, end)| end);
    put("fullFileExtension", json!(full));
    put(
        "fileExtension",
        json!(full.rsplit('.').next().unwrap_or_default()),
    );
    put(
        "webContentLink",
        json!(format!(
            "https://drive.google.com/uc?id={}&export=download",
            file.id.as_str()
        )),
    );
    if file.mime_type.starts_with("image/") {
        put(
            "imageMediaMetadata",
            json!({ "width": 640, "height": 480, "rotation": 0 }),
        );
    }
}

/// Owner, shared drive, permissions: what differs between My Drive and shared drives.
fn add_sharing(
    workspace: &Workspace,
    caller: &Caller,
    seen: &Seen<'_>,
    members: &mut Map<String, Value>,
) {
    let (file, me) = (seen.file, caller.user);
    let mut put = |name: &str, value: Value| {
        members.insert(name.to_owned(), value);
    };
    let effective = seen.store.effective(seen);
    let ids: Value = effective
        .iter()
        .map(|effective| permission_id(workspace, &effective.permission))
        .collect();
    match &file.drive {
        Some(drive) => {
            put("driveId", json!(drive.as_str()));
            put("teamDriveId", json!(drive.as_str()));
            put(
                "hasAugmentedPermissions",
                json!(!file.is_root() && !file.permissions.is_empty()),
            );
            if seen.store.is_member_for(me, file) {
                put("permissionIds", ids);
            }
            if let Some(trashed) = file.explicitly_trashed {
                put("trashedTime", json!(rfc3339(trashed.time)));
                if let Some(by) = trashed.by {
                    put("trashingUser", user(workspace, by, me));
                }
            }
        }
        None => {
            put("ownedByMe", json!(file.owner == Some(me)));
            put("shared", json!(effective.len() > 1));
            put("writersCanShare", json!(!file.rare().writers_cannot_share));
            let owners: Vec<Value> = file
                .owner
                .iter()
                .map(|owner| user(workspace, *owner, me))
                .collect();
            put("owners", json!(owners));
            if seen.may(Right::Share) {
                let all: Value = effective
                    .iter()
                    .map(|effective| permission(workspace, seen, effective))
                    .collect();
                put("permissions", all);
                put("permissionIds", ids);
            }
        }
    }
}

fn add_rare(
    workspace: &Workspace,
    caller: &Caller,
    seen: &Seen<'_>,
    members: &mut Map<String, Value>,
) {
    let rare = seen.file.rare();
    if !rare.properties.is_empty() {
        members.insert("properties".to_owned(), json!(rare.properties));
    }
    if !rare.app_properties.is_empty() && caller.is_app {
        members.insert("appProperties".to_owned(), json!(rare.app_properties));
    }
    if let Some((reason, by, at)) = &rare.read_only {
        let restriction = json!({
            "readOnly": true,
            "reason": reason,
            "type": "globalContentRestriction",
            "restrictingUser": user(workspace, *by, caller.user),
            "restrictionTime": rfc3339(*at),
            "ownerRestricted": false,
        });
        members.insert("contentRestrictions".to_owned(), json!([restriction]));
    }
}

fn web_link(mime_type: &str, id: &FileId) -> String {
    let id = id.as_str();
    match mime_type {
        super::model::FOLDER => format!("https://drive.google.com/drive/folders/{id}"),
        DOCUMENT => format!("https://docs.google.com/document/d/{id}/edit?usp=drivesdk"),
        SPREADSHEET => format!("https://docs.google.com/spreadsheets/d/{id}/edit?usp=drivesdk"),
        _ => format!("https://drive.google.com/file/d/{id}/view?usp=drivesdk"),
    }
}

fn capabilities(seen: &Seen<'_>, me: UserIndex) -> Value {
    let may = |right| seen.may(right);
    let editable = may(Right::Edit) && seen.file.rare().read_only.is_none();
    let mut value = json!({
        "canAddChildren": may(Right::AddChildren),
        "canChangeCopyRequiresWriterPermission": may(Right::Edit),
        "canComment": may(Right::Comment),
        "canCopy": may(Right::Copy),
        "canDelete": may(Right::Delete),
        "canDisableInheritedPermissions": may(Right::Limit) && !seen.file.limited,
        "canDownload": may(Right::Download),
        "canEdit": may(Right::Edit),
        "canEnableInheritedPermissions": may(Right::Limit) && seen.file.limited,
        "canListChildren": may(Right::ListChildren),
        "canModifyContent": editable,
        "canMoveItemOutOfDrive": may(Right::MoveOut),
        "canMoveItemWithinDrive": may(Right::MoveWithin),
        "canReadRevisions": may(Right::ReadRevisions),
        "canRemoveChildren": may(Right::AddChildren) && seen.file.drive.is_none(),
        "canRename": may(Right::Rename),
        "canShare": may(Right::Share),
        "canTrash": may(Right::Trash),
        "canUntrash": may(Right::Trash),
    });
    if let Some(drive) = &seen.file.drive {
        let member = seen.store.member_role(me, drive.as_str()).is_some();
        value["canReadDrive"] = json!(member);
        value["canDeleteChildren"] =
            json!(seen.file.is_folder() && seen.access.role >= Role::Organizer);
        value["canTrashChildren"] =
            json!(seen.file.is_folder() && seen.access.role >= Role::FileOrganizer);
    }
    value
}

pub(super) fn drive(
    store: &Store,
    caller: &Caller,
    drive: &SharedDrive,
    role: Option<Role>,
) -> Value {
    let name = store.file(drive.id.as_str()).map(|root| root.name.as_str());
    let role = role.unwrap_or(Role::Reader);
    let at_least = |wanted: Role| role >= wanted;
    json!({
        "kind": "drive#drive",
        "id": drive.id.as_str(),
        "name": name,
        "colorRgb": "#0f9d58",
        "backgroundImageLink": format!("https://lh3.googleusercontent.com/{}", drive.theme),
        "createdTime": rfc3339(drive.created),
        "hidden": drive.hidden_by.contains(&caller.user),
        "capabilities": {
            "canAddChildren": at_least(Role::Writer),
            "canComment": at_least(Role::Commenter),
            "canCopy": !drive.copy_requires_writer || at_least(Role::Writer),
            "canDeleteDrive": at_least(Role::Organizer),
            "canDeleteChildren": at_least(Role::Organizer),
            "canDownload": !drive.copy_requires_writer || at_least(Role::Writer),
            "canEdit": at_least(Role::Writer),
            "canListChildren": true,
            "canManageMembers": at_least(Role::Organizer),
            "canReadRevisions": at_least(Role::Writer),
            "canRename": at_least(Role::Writer),
            "canRenameDrive": at_least(Role::Organizer),
            "canShare": at_least(Role::Writer),
            "canTrashChildren": at_least(Role::FileOrganizer),
            "canChangeDriveMembersOnlyRestriction": at_least(Role::Organizer),
            "canChangeDomainUsersOnlyRestriction": at_least(Role::Organizer),
        },
        "restrictions": {
            "adminManagedRestrictions": false,
            "copyRequiresWriterPermission": drive.copy_requires_writer,
            "domainUsersOnly": drive.domain_users_only,
            "driveMembersOnly": drive.members_only,
            "sharingFoldersRequiresOrganizerPermission": drive.sharing_folders_requires_organizer,
        },
    })
}

/// The access of a domain administrator to a shared drive.
pub(super) const ADMIN: Access = Access {
    role: Role::Organizer,
    view: View::Full,
};
