//! `files`, `drives`, `permissions` and `users` resources as JSON, with all their fields; masks come later.
//!
//! See <https://developers.google.com/workspace/drive/api/reference/rest/v3/files>.

use super::model::{DOCUMENT, FileId, Grantee, Permission, Role, SPREADSHEET, SharedDrive};
use super::rules::{Caller, Right, Seen};
use super::store::{Access, Reach, Store, View};
use crate::fields::Selection;
use crate::wire::rfc3339;
use crate::workspace::{UserIndex, Workspace};
use serde_json::{Map, Value, json};
use std::cell::LazyCell;
use std::collections::HashMap;

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
    let users = workspace.users();
    let user = &users[index.0];
    json!({
        "kind": "drive#user",
        "displayName": format!("{} {}", user.given_name, user.family_name),
        "me": index == me,
        "permissionId": digits(&user.id),
        "emailAddress": user.primary,
    })
}

/// The id of whom a permission is for; the same on every item.
pub(super) fn permission_id(workspace: &Workspace, permission: &Permission) -> String {
    match &permission.grantee {
        Grantee::Member(index) => digits(&workspace.users()[index.0].id),
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
        let mut places: HashMap<&Grantee, usize> = HashMap::new();
        let (mut limited, mut limited_above) = (false, false);
        for item in self.ancestry(seen.file) {
            let own = item.id == seen.file.id;
            for permission in item.permissions.iter() {
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
                let known = places.get(&permission.grantee);
                match known.and_then(|at| found.get_mut(*at)) {
                    Some(_) if blocked => {}
                    Some(known) => {
                        known.permission.role = known.permission.role.max(role);
                        known.details.push(detail);
                    }
                    None => {
                        places.insert(&permission.grantee, found.len());
                        found.push(Effective {
                            permission: Permission {
                                role,
                                ..permission.clone()
                            },
                            view: if blocked { View::Metadata } else { View::Full },
                            details: vec![detail],
                        });
                    }
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
            let users = workspace.users();
            let user = &users[index.0];
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

/// The members of a resource that are asked for.
struct Members<'a> {
    asked: &'a Selection<'a>,
    map: Map<String, Value>,
}

impl Members<'_> {
    /// Puts a member in, which is not even found out if nobody asks for it.
    fn put(&mut self, name: &str, value: impl FnOnce() -> Value) {
        self.put_some(name, || Some(value()));
    }

    /// The same for one that may be absent.
    fn put_some(&mut self, name: &str, value: impl FnOnce() -> Option<Value>) {
        if self.asked.has(name)
            && let Some(value) = value()
        {
            self.map.insert(name.to_owned(), value);
        }
    }
}

/// A file with what is asked for of all that its caller may know.
pub(super) fn file(
    workspace: &Workspace,
    caller: &Caller,
    seen: &Seen<'_>,
    asked: &Selection<'_>,
) -> Value {
    let (store, file, me) = (seen.store, seen.file, caller.user);
    let rare = file.rare();
    let map = Map::new();
    let mut members = Members { asked, map };
    members.put("kind", || json!("drive#file"));
    members.put("id", || json!(file.id.as_str()));
    members.put("name", || json!(display_name(seen)));
    members.put("mimeType", || json!(&*file.mime_type));
    members.put("starred", || json!(rare.starred.contains(&me)));
    members.put("trashed", || json!(store.is_trashed(file)));
    members.put("explicitlyTrashed", || {
        json!(file.explicitly_trashed.is_some())
    });
    members.put("spaces", || json!(["drive"]));
    members.put("version", || json!(file.version.to_string()));
    members.put("createdTime", || json!(rfc3339(file.created)));
    members.put("modifiedTime", || json!(rfc3339(file.modified)));
    members.put("modifiedByMe", || {
        json!(rare.modified_by_user.contains_key(&me))
    });
    members.put("viewedByMe", || json!(rare.viewed.contains_key(&me)));
    members.put("webViewLink", || json!(web_link(&file.mime_type, &file.id)));
    members.put("iconLink", || {
        let kind = &file.mime_type;
        json!(format!(
            "https://drive-thirdparty.googleusercontent.com/16/type/{kind}"
        ))
    });
    members.put("hasThumbnail", || {
        json!(file.mime_type.starts_with("image/"))
    });
    members.put("isAppAuthorized", || json!(file.by_app));
    members.put("copyRequiresWriterPermission", || {
        json!(rare.copy_requires_writer)
    });
    members.put("viewersCanCopyContent", || {
        json!(!rare.copy_requires_writer)
    });
    members.put("quotaBytesUsed", || json!(quota(seen).to_string()));
    members.put("capabilities", || capabilities(seen, me));
    members.put("downloadRestrictions", || {
        let restriction = json!({
            "restrictedForReaders": rare.copy_requires_writer, "restrictedForWriters": false });
        json!({
            "itemDownloadRestriction": restriction,
            "effectiveDownloadRestrictionWithContext": restriction,
        })
    });
    // A parent is only shown to who can see it.
    members.put_some("parents", || {
        let parent = store.file(file.parent.as_ref()?.as_str())?;
        store.access(me, parent, Reach::Open)?;
        Some(json!([parent.id.as_str()]))
    });
    members.put_some("description", || {
        file.description.as_ref().map(|text| json!(text))
    });
    members.put_some("lastModifyingUser", || {
        file.modified_by.map(|by| user(workspace, by, me))
    });
    let own_times = [
        ("viewedByMeTime", rare.viewed.get(&me)),
        ("modifiedByMeTime", rare.modified_by_user.get(&me)),
    ];
    for (name, at) in own_times {
        members.put_some(name, || at.map(|at| json!(rfc3339(*at))));
    }
    if let Some((at, by)) = store.shared_with(me, file) {
        members.put("sharedWithMeTime", || json!(rfc3339(at)));
        members.put_some("sharingUser", || by.map(|by| user(workspace, by, me)));
    }
    add_kind(seen, &mut members);
    add_sharing(workspace, caller, seen, &mut members);
    add_rare(workspace, caller, seen, &mut members);
    Value::Object(members.map)
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
fn add_kind(seen: &Seen<'_>, members: &mut Members<'_>) {
    let file = seen.file;
    let id = file.id.as_str();
    if file.is_folder() {
        members.put("folderColorRgb", || {
            json!(file.rare().folder_color.as_deref().unwrap_or("#8f8f8f"))
        });
        members.put("inheritedPermissionsDisabled", || json!(file.limited));
    }
    if let Some(target) = &file.target {
        members.put(
            "shortcutDetails",
            || json!({ "targetId": target.id.as_str(), "targetMimeType": &*target.mime_type }),
        );
    }
    let Some(head) = file.head() else { return };
    members.put("size", || json!(head.size().to_string()));
    if file.is_native() {
        let formats = export_formats(&file.mime_type);
        members.put_some("exportLinks", || {
            let link = |format: &&str| {
                let link =
                    format!("https://docs.google.com/feeds/download/export?id={id}&type={format}");
                ((*format).to_owned(), json!(link))
            };
            let links: Map<String, Value> = formats.iter().map(link).collect();
            (!links.is_empty()).then_some(Value::Object(links))
        });
        return;
    }
    members.put("md5Checksum", || json!(head.sums().md5));
    members.put("sha1Checksum", || json!(head.sums().sha1));
    members.put("sha256Checksum", || json!(head.sums().sha256));
    members.put("headRevisionId", || json!(&*head.id));
    members.put("originalFilename", || {
        let original = file.rare().original_filename.as_deref();
        json!(original.unwrap_or(&file.name))
    });
    let full = file.name.split_once('.').map_or("", |(_, end)| end);
    members.put("fullFileExtension", || json!(full));
    members.put("fileExtension", || {
        json!(full.rsplit('.').next().unwrap_or_default())
    });
    members.put("webContentLink", || {
        json!(format!(
            "https://drive.google.com/uc?id={id}&export=download"
        ))
    });
    if file.mime_type.starts_with("image/") {
        members.put(
            "imageMediaMetadata",
            || json!({ "width": 640, "height": 480, "rotation": 0 }),
        );
    }
}

/// Owner, shared drive, permissions: what differs between My Drive and shared drives.
fn add_sharing(workspace: &Workspace, caller: &Caller, seen: &Seen<'_>, members: &mut Members<'_>) {
    let (file, me) = (seen.file, caller.user);
    // A shared drive has hundreds of members, whom every item in it inherits.
    let effective = LazyCell::new(|| seen.store.effective(seen));
    let ids = || -> Value {
        let ids = effective.iter();
        ids.map(|effective| permission_id(workspace, &effective.permission))
            .collect()
    };
    match &file.drive {
        Some(drive) => {
            members.put("driveId", || json!(drive.as_str()));
            members.put("teamDriveId", || json!(drive.as_str()));
            members.put("hasAugmentedPermissions", || {
                json!(!file.is_root() && !file.permissions.is_empty())
            });
            if seen.store.is_member_for(me, file) {
                members.put("permissionIds", ids);
            }
            if let Some(trashed) = file.explicitly_trashed {
                members.put("trashedTime", || json!(rfc3339(trashed.time)));
                members.put_some("trashingUser", || {
                    trashed.by.map(|by| user(workspace, by, me))
                });
            }
        }
        None => {
            members.put("ownedByMe", || json!(file.owner == Some(me)));
            members.put("shared", || json!(effective.len() > 1));
            members.put("writersCanShare", || {
                json!(!file.rare().writers_cannot_share)
            });
            members.put("owners", || {
                let owners = file.owner.iter();
                owners.map(|owner| user(workspace, *owner, me)).collect()
            });
            if seen.may(Right::Share) {
                members.put("permissions", || {
                    let all = effective.iter();
                    all.map(|one| permission(workspace, seen, one)).collect()
                });
                members.put("permissionIds", ids);
            }
        }
    }
}

fn add_rare(workspace: &Workspace, caller: &Caller, seen: &Seen<'_>, members: &mut Members<'_>) {
    let rare = seen.file.rare();
    if !rare.properties.is_empty() {
        members.put("properties", || json!(rare.properties));
    }
    if !rare.app_properties.is_empty() && caller.is_app {
        members.put("appProperties", || json!(rare.app_properties));
    }
    if let Some((reason, by, at)) = &rare.read_only {
        members.put("contentRestrictions", || {
            let restriction = json!({
                "readOnly": true,
                "reason": reason,
                "type": "globalContentRestriction",
                "restrictingUser": user(workspace, *by, caller.user),
                "restrictionTime": rfc3339(*at),
                "ownerRestricted": false,
            });
            json!([restriction])
        });
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
