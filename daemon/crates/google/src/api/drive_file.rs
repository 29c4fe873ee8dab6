//! A file as Drive tells it, and the permissions of it. Own wire types: every field may be
//! missing, of another type or nonsense and costs only itself; only without id and version
//! nothing can be done with a file. What a record makes of it is not here.
//! <https://developers.google.com/workspace/drive/api/reference/rest/v3/files>

use super::decode::BadItem;
use jiff::Timestamp;
use nuncio_model::ItemId;
use serde_json::{Map, Value};

/// What is asked for of each file: what a record shows, and what tells where it belongs and who
/// may see what is in it (`capabilities`, `inheritedPermissionsDisabled`). More would only cost
/// bytes; the price of a call is the same.
macro_rules! file_fields {
    () => {
        "id,name,mimeType,description,driveId,parents,version,createdTime,modifiedTime,\
sharedWithMeTime,size,md5Checksum,sha256Checksum,trashed,starred,shared,ownedByMe,webViewLink,\
inheritedPermissionsDisabled,owners(displayName,emailAddress),\
lastModifyingUser(displayName,emailAddress),sharingUser(displayName,emailAddress),\
trashingUser(displayName,emailAddress),shortcutDetails(targetId,targetMimeType),\
capabilities(canReadDrive,canListChildren,canShare),\
permissions(id,type,role,emailAddress,domain,expirationTime,pendingOwner,permissionDetails(inherited))"
    };
}
pub(super) use file_fields;

/// A file or folder. Times are milliseconds since 1970. What is absent was not told or could
/// not be read; `bad` names the latter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DriveFile {
    /// `id`.
    pub id: String,
    /// `version`: grows with every change, also with such that the user cannot see.
    pub version: u64,
    /// `name`.
    pub name: Option<String>,
    /// `mimeType`.
    pub mime_type: Option<String>,
    /// `description`.
    pub description: Option<String>,
    /// `driveId`: the shared drive that it is in; none in My Drive.
    pub drive_id: Option<String>,
    /// `parents`: only those that the user may see.
    pub parents: Vec<String>,
    /// `createdTime`.
    pub created: Option<i64>,
    /// `modifiedTime`.
    pub modified: Option<i64>,
    /// `sharedWithMeTime`.
    pub shared_with_me: Option<i64>,
    /// `size`, in bytes.
    pub size: Option<u64>,
    /// `md5Checksum`.
    pub md5: Option<String>,
    /// `sha256Checksum`.
    pub sha256: Option<String>,
    /// `trashed`: itself or a folder above it.
    pub trashed: bool,
    /// `starred`, by the user that asks.
    pub starred: bool,
    /// `shared`; never told in shared drives.
    pub shared: bool,
    /// `ownedByMe`.
    pub owned_by_me: bool,
    /// `webViewLink`.
    pub link: Option<String>,
    /// `inheritedPermissionsDisabled`: a folder that what is above it does not open.
    pub limited: bool,
    /// `owners`; none in shared drives.
    pub owners: Vec<DriveUser>,
    /// `lastModifyingUser`.
    pub last_modifying_user: Option<DriveUser>,
    /// `sharingUser`.
    pub sharing_user: Option<DriveUser>,
    /// `trashingUser`; in shared drives only.
    pub trashing_user: Option<DriveUser>,
    /// `shortcutDetails.targetId` and `targetMimeType`.
    pub shortcut: Option<(String, String)>,
    /// `capabilities.canReadDrive`: whether the user is a member of the item's shared drive.
    pub can_read_drive: Option<bool>,
    /// `capabilities.canListChildren`.
    pub can_list_children: Option<bool>,
    /// `capabilities.canShare`.
    pub can_share: Option<bool>,
    /// `permissions`; told only to who may share the file, and never in shared drives.
    pub permissions: Option<Vec<DrivePermission>>,
    /// Names of fields whose values could not be read.
    pub bad: Vec<&'static str>,
}

/// A person as Drive names one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DriveUser {
    /// `displayName`.
    pub name: Option<String>,
    /// `emailAddress`; not told of everybody.
    pub address: Option<String>,
}

/// Who may do what with a file.
/// <https://developers.google.com/workspace/drive/api/reference/rest/v3/permissions>
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DrivePermission {
    /// `id`.
    pub id: String,
    /// `type`; may grow.
    pub kind: String,
    /// `role`; may grow.
    pub role: String,
    /// `emailAddress`, or `domain`.
    pub grantee: Option<String>,
    /// `expirationTime`, in milliseconds since 1970.
    pub expires: Option<i64>,
    /// `permissionDetails`: all of it comes from a folder above.
    pub inherited: bool,
    /// `pendingOwner`.
    pub pending: bool,
}

/// Reads members of one object and notes those that cannot be read.
struct Members<'a> {
    members: &'a Map<String, Value>,
    bad: Vec<&'static str>,
}

impl<'a> Members<'a> {
    fn of(members: &'a Map<String, Value>) -> Self {
        let bad = Vec::new();
        Self { members, bad }
    }

    /// A member that `read` understands; absent and null are nothing, the rest is noted.
    fn get<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.members.get(name).filter(|value| !value.is_null())?;
        let read = read(value);
        if read.is_none() {
            self.bad.push(name);
        }
        read
    }

    fn text(&mut self, name: &'static str) -> Option<String> {
        self.get(name, |value| value.as_str().map(str::to_owned))
    }

    fn flag(&mut self, name: &'static str) -> Option<bool> {
        self.get(name, Value::as_bool)
    }

    fn number(&mut self, name: &'static str) -> Option<u64> {
        self.get(name, number)
    }

    fn time(&mut self, name: &'static str) -> Option<i64> {
        self.get(name, |value| {
            let time: Timestamp = value.as_str()?.parse().ok()?;
            Some(time.as_millisecond())
        })
    }

    fn user(&mut self, name: &'static str) -> Option<DriveUser> {
        self.get(name, user)
    }

    /// A list; items that cannot be read are left out and noted.
    fn list<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Option<Vec<T>> {
        let items = self.get(name, Value::as_array)?;
        let good: Vec<T> = items.iter().filter_map(read).collect();
        if good.len() < items.len() {
            self.bad.push(name);
        }
        Some(good)
    }
}

/// A number, maybe as text.
fn number(value: &Value) -> Option<u64> {
    value
        .as_u64()
        .or_else(|| value.as_str().and_then(|text| text.parse().ok()))
}

fn user(value: &Value) -> Option<DriveUser> {
    let members = value.as_object()?;
    let text = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(DriveUser {
        name: text("displayName"),
        address: text("emailAddress"),
    })
}

/// Reads one permission; none without an id.
pub(super) fn permission(value: &Value) -> Option<DrivePermission> {
    let mut read = Members::of(value.as_object()?);
    let inherited = read.list("permissionDetails", |detail| detail["inherited"].as_bool());
    Some(DrivePermission {
        id: read.text("id")?,
        kind: read.text("type").unwrap_or_default(),
        role: read.text("role").unwrap_or_default(),
        grantee: read.text("emailAddress").or_else(|| read.text("domain")),
        expires: read.time("expirationTime"),
        inherited: inherited.is_some_and(|all| !all.is_empty() && all.iter().all(|own| *own)),
        pending: read.flag("pendingOwner").unwrap_or(false),
    })
}

/// Reads one file.
///
/// # Errors
/// Without id or version: what is missing, and the id if there is one.
pub(super) fn file(value: &Value, position: usize) -> Result<DriveFile, BadItem> {
    let bad = |reason: &str, id: Option<&str>| BadItem {
        position,
        reason: reason.to_owned(),
        id: id.map(ItemId::new),
    };
    let Some(members) = value.as_object() else {
        return Err(bad("the file is no object", None));
    };
    let mut read = Members::of(members);
    let Some(id) = read.text("id").filter(|id| !id.is_empty()) else {
        return Err(bad("the file has no id", None));
    };
    let Some(version) = read.number("version") else {
        return Err(bad("the file has no version", Some(&id)));
    };
    let drive_id = read.text("driveId");
    if read.bad.contains(&"driveId") {
        return Err(bad("the file's driveId is no text", Some(&id)));
    }
    let capabilities = read.get("capabilities", Value::as_object);
    let can = |name: &str| capabilities?.get(name)?.as_bool();
    let mut file = DriveFile {
        id,
        version,
        drive_id,
        can_read_drive: can("canReadDrive"),
        can_list_children: can("canListChildren"),
        can_share: can("canShare"),
        name: read.text("name"),
        mime_type: read.text("mimeType"),
        description: read.text("description"),
        parents: read
            .list("parents", |parent| parent.as_str().map(str::to_owned))
            .unwrap_or_default(),
        created: read.time("createdTime"),
        modified: read.time("modifiedTime"),
        shared_with_me: read.time("sharedWithMeTime"),
        size: read.number("size"),
        md5: read.text("md5Checksum"),
        sha256: read.text("sha256Checksum"),
        trashed: read.flag("trashed").unwrap_or(false),
        starred: read.flag("starred").unwrap_or(false),
        shared: read.flag("shared").unwrap_or(false),
        owned_by_me: read.flag("ownedByMe").unwrap_or(false),
        link: read.text("webViewLink"),
        limited: read.flag("inheritedPermissionsDisabled").unwrap_or(false),
        owners: read.list("owners", user).unwrap_or_default(),
        last_modifying_user: read.user("lastModifyingUser"),
        sharing_user: read.user("sharingUser"),
        trashing_user: read.user("trashingUser"),
        shortcut: read.get("shortcutDetails", |details| {
            let text = |name: &str| details[name].as_str().map(str::to_owned);
            Some((
                text("targetId")?,
                text("targetMimeType").unwrap_or_default(),
            ))
        }),
        permissions: read.list("permissions", permission),
        bad: Vec::new(),
    };
    file.bad = read.bad;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn all_fields_are_read() {
        let read = file(
            &json!({
                "id": "f", "version": "7", "name": "n", "mimeType": "text/plain", "description": "d",
                "driveId": "0A", "parents": ["p"], "createdTime": "2026-01-01T00:00:00.001Z",
                "modifiedTime": "2026-01-01T01:00:00+01:00", "sharedWithMeTime": null, "size": "12",
                "md5Checksum": "m", "sha256Checksum": "s", "trashed": true, "starred": true,
                "shared": true, "ownedByMe": true, "webViewLink": "l", "inheritedPermissionsDisabled": true,
                "owners": [{"displayName": "Ana", "emailAddress": "ana@example.com"}],
                "lastModifyingUser": {"displayName": "Ben"}, "trashingUser": {},
                "shortcutDetails": {"targetId": "t", "targetMimeType": "x/y"},
                "capabilities": {"canReadDrive": false, "canShare": true, "canFly": true},
                "permissions": [
                    {"id": "1", "type": "user", "role": "writer", "emailAddress": "b@x.example",
                     "permissionDetails": [{"inherited": true}], "expirationTime": "2026-01-01T00:00:00Z"},
                    {"id": "2", "type": "domain", "role": "future", "domain": "x.example", "pendingOwner": true,
                     "permissionDetails": [{"inherited": true}, {"inherited": false}]}],
                "fromTheFuture": [1]
            }),
            0,
        )
        .unwrap();
        let start = 1_767_225_600_000;
        assert_eq!(
            (read.id.as_str(), read.version, read.created, read.modified),
            ("f", 7, Some(start + 1), Some(start))
        );
        assert_eq!((read.size, read.shared_with_me), (Some(12), None));
        assert_eq!(read.parents, ["p"]);
        assert_eq!(read.drive_id.as_deref(), Some("0A"));
        assert_eq!(
            (read.can_read_drive, read.can_share, read.can_list_children),
            (Some(false), Some(true), None)
        );
        assert_eq!(read.shortcut, Some(("t".into(), "x/y".into())));
        assert_eq!(read.owners[0].address.as_deref(), Some("ana@example.com"));
        assert_eq!(read.last_modifying_user.unwrap().address, None);
        assert!(read.trashed && read.starred && read.shared && read.owned_by_me && read.limited);
        let permissions = read.permissions.unwrap();
        assert_eq!(permissions[0].grantee.as_deref(), Some("b@x.example"));
        assert_eq!(permissions[0].expires, Some(start));
        assert!(permissions[0].inherited && !permissions[1].inherited && permissions[1].pending);
        assert_eq!(permissions[1].grantee.as_deref(), Some("x.example"));
        assert_eq!(read.bad, Vec::<&str>::new());
    }

    #[test]
    fn a_bad_value_costs_only_itself() {
        let read = file(
            &json!({
                "id": "f", "version": 3, "name": 5, "createdTime": "planted", "modifiedTime": "not a time",
                "size": -1, "parents": [null], "owners": [7, {}], "permissions": {"id": 1},
                "capabilities": [], "shortcutDetails": "x", "trashed": "yes", "lastModifyingUser": []
            }),
            0,
        )
        .unwrap();
        assert_eq!(
            (read.id.as_str(), read.version, read.owners.len()),
            ("f", 3, 1)
        );
        let mut bad = read.bad.clone();
        bad.sort_unstable();
        assert_eq!(
            bad,
            [
                "capabilities",
                "createdTime",
                "lastModifyingUser",
                "modifiedTime",
                "name",
                "owners",
                "parents",
                "permissions",
                "shortcutDetails",
                "size",
                "trashed"
            ]
        );
    }

    #[test]
    fn without_id_version_or_a_readable_drive_it_is_a_bad_item() {
        let bad = |value| file(&value, 4).unwrap_err();
        assert_eq!(bad(json!([])).id, None);
        assert_eq!(bad(json!({"version": "1"})).id, None);
        assert_eq!(bad(json!({"id": ""})).id, None);
        let told = bad(json!({"id": "f", "version": "planted"}));
        assert_eq!((told.position, told.id), (4, Some(ItemId::new("f"))));
        assert!(!told.reason.contains("planted"));
        let other = bad(json!({"id": "f", "version": 1, "driveId": 5}));
        assert_eq!(other.id, Some(ItemId::new("f")));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[0-9a-zT:-]{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map(member(), inner, 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    fn member() -> impl Strategy<Value = String> {
        let names: Vec<String> = file_fields!()
            .split([',', '(', ')'])
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect();
        prop::sample::select(names)
    }

    proptest! {
        /// Whatever stands in the other fields, a file with id and version is read.
        #[test]
        fn any_values_are_survived(
            members in prop::collection::hash_map(member(), any_json(), 0..12),
        ) {
            let mut members: Map<String, Value> = members.into_iter().collect();
            members.remove("driveId");
            members.insert("id".into(), "f".into());
            members.insert("version".into(), "5".into());
            let read = file(&Value::Object(members), 0).unwrap();
            prop_assert_eq!((read.id.as_str(), read.version), ("f", 5));
        }

        #[test]
        fn any_json_is_survived(value in any_json()) {
            drop(file(&value, 0));
        }
    }
}
