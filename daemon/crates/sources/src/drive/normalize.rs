//! From a file as Drive tells it to the `file` record. Whatever the values are, there is a
//! record; what could not be read or was cut stands in its notes. Which files are read, and the
//! path, which is a snapshot of other items' names, are not here.

use nuncio_google::{DriveFile, DrivePermission, DriveUser};
use nuncio_model::{File, FileFlags, Participant, People, Permission, Shortcut, Who};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Google's type of a folder.
pub(crate) const FOLDER: &str = "application/vnd.google-apps.folder";

/// A file may have 600 permissions of its own, and inherits more.
/// <https://developers.google.com/workspace/drive/api/guides/manage-sharing>
const MAX_PERMISSIONS: usize = 1_000;
const MAX_OWNERS: usize = 100;
const MAX_PARENTS: usize = 100;
/// Longer names and descriptions are cut; sinks and terminals have to live with them.
const MAX_TEXT_BYTES: usize = 64 * 1024;

/// Whose view a record is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// An account's.
    ByAccount,
    /// The domain's, of a shared drive. Whoever reads it, the record is the same, so what Drive
    /// tells for that reader alone (stars, who shared it with them and when) is left out.
    ByDomain,
}

/// A record's content without path and drive name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Normalized {
    /// The file.
    pub file: File,
    /// What could not be read or was cut; no content.
    pub notes: Vec<String>,
    /// Changes with anything that a sink sees, but for path and drive name. Of a folder the
    /// upper half changes with what the items in it may inherit; see [`inherits_differ`].
    pub hash: u64,
}

/// Makes the record.
pub(crate) fn file(raw: &DriveFile, people: &People, seen: Seen) -> Normalized {
    let mut notes: Vec<String> = raw
        .bad
        .iter()
        .map(|name| format!("{name} could not be read"))
        .collect();
    let own = seen == Seen::ByAccount;
    let person = |user: &DriveUser| participant(people, user);
    let mut text = |name: &str, value: &Option<String>| {
        let value = value.as_deref()?;
        let cut = value.floor_char_boundary(MAX_TEXT_BYTES);
        if cut < value.len() {
            notes.push(format!("{name} was cut"));
        }
        Some(value[..cut].to_owned())
    };
    let (name, description) = (
        text("name", &raw.name),
        text("description", &raw.description),
    );
    let mime_type = text("mimeType", &raw.mime_type);
    let mut required = |name: &'static str, is_there: bool| {
        if !is_there && !raw.bad.contains(&name) {
            notes.push(format!("{name} is missing"));
        }
    };
    required("name", name.is_some());
    required("mimeType", mime_type.is_some());
    required("createdTime", raw.created.is_some());
    required("modifiedTime", raw.modified.is_some());
    let mut hex = |name: &str, value: &Option<String>, n_digits: usize| {
        let value = value.as_deref()?;
        let fits = value.len() == n_digits && value.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !fits {
            notes.push(format!("{name} is no checksum"));
        }
        fits.then(|| value.to_ascii_lowercase())
    };
    let md5 = hex("md5Checksum", &raw.md5, 32);
    let sha256 = hex("sha256Checksum", &raw.sha256, 64);
    let listed = raw.permissions.as_deref().unwrap_or_default();
    let mut bound = |name: &str, n: usize, most: usize| {
        if n > most {
            notes.push(format!("{name}: {most} of {n} are shown"));
        }
    };
    bound("permissions", listed.len(), MAX_PERMISSIONS);
    bound("owners", raw.owners.len(), MAX_OWNERS);
    bound("parents", raw.parents.len(), MAX_PARENTS);
    let flags = FileFlags::default()
        .with_if(raw.trashed, FileFlags::TRASHED)
        .with_if(raw.starred && own, FileFlags::STARRED)
        .with_if(raw.shared, FileFlags::SHARED)
        .with_if(raw.owned_by_me && own, FileFlags::OWNED_BY_ME);
    let file = File {
        id: raw.id.clone(),
        name: name.unwrap_or_default(),
        mime_type: mime_type.unwrap_or_default(),
        description,
        drive_name: None,
        parents: raw.parents.iter().take(MAX_PARENTS).cloned().collect(),
        path: None,
        owners: raw
            .owners
            .iter()
            .take(MAX_OWNERS)
            .filter_map(person)
            .collect(),
        last_modified_by: raw.last_modifying_user.as_ref().and_then(person),
        sharing_user: raw.sharing_user.as_ref().filter(|_| own).and_then(person),
        created: raw.created.unwrap_or_default(),
        modified: raw.modified.unwrap_or_default(),
        shared_with_me_at: raw.shared_with_me.filter(|_| own),
        size: raw.size,
        md5,
        sha256,
        flags,
        trashed_by: raw.trashing_user.as_ref().and_then(person),
        shortcut: raw.shortcut.as_ref().map(|(id, mime_type)| Shortcut {
            target_id: id.clone(),
            target_mime_type: mime_type.clone(),
        }),
        link: raw.link.clone(),
        permissions: permissions(listed),
    };
    let hash = hash(&file);
    Normalized { file, notes, hash }
}

/// By id, so that another order in Google's answer is no change.
fn permissions(listed: &[DrivePermission]) -> Vec<Permission> {
    let mut permissions: Vec<Permission> = listed
        .iter()
        .take(MAX_PERMISSIONS)
        .map(|raw| Permission {
            id: raw.id.clone(),
            kind: raw.kind.clone(),
            role: raw.role.clone(),
            grantee: raw.grantee.clone(),
            expires: raw.expires,
            inherited: raw.inherited,
            pending: raw.pending,
        })
        .collect();
    permissions.sort_by(|a, b| (&a.id, &a.role).cmp(&(&b.id, &b.role)));
    permissions
}

/// A person; Drive does not tell everybody's address, then it is empty.
fn participant(people: &People, user: &DriveUser) -> Option<Participant> {
    let address = user.address.as_deref().unwrap_or_default();
    let named = !address.is_empty() || user.name.is_some();
    named.then(|| people.participant(user.name.clone(), address))
}

/// Of all that Google tells. What addresses are to this installation is configured and learned,
/// and is no change of the file: an alias that becomes known makes no file stale.
fn hash(file: &File) -> u64 {
    let mut file = file.clone();
    let people = file
        .owners
        .iter_mut()
        .chain(&mut file.last_modified_by)
        .chain(&mut file.sharing_user)
        .chain(&mut file.trashed_by);
    for person in people {
        person.who = Who::External;
    }
    let whole = digest(&file);
    if file.mime_type != FOLDER {
        return whole;
    }
    let inherited = digest(&(
        &file.parents,
        &file.permissions,
        &file.owners,
        file.flags.contains(FileFlags::TRASHED),
        file.flags.contains(FileFlags::SHARED),
    ));
    (inherited << 32) | (whole & 0xffff_ffff)
}

/// The first eight bytes of the value's SHA-256, as JSON; the same in every release.
fn digest(value: &impl Serialize) -> u64 {
    let json = serde_json::to_vec(value).unwrap_or_default();
    let digest = Sha256::digest(json);
    digest
        .iter()
        .take(8)
        .fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

/// Whether two hashes of a folder differ in what the items in it may inherit: parents,
/// permissions, owners, bin.
pub(crate) fn inherits_differ(before: u64, after: u64) -> bool {
    before >> 32 != after >> 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use nuncio_model::{Address, Person};
    use proptest::prelude::*;

    fn people() -> People {
        let ana = Person {
            email: Address::parse("ana@example.com").unwrap(),
            aliases: vec![Address::parse("ana.souza@example.com").unwrap()],
        };
        People::try_new(&[ana], &["example.com".into()]).unwrap()
    }

    fn user(address: &str) -> DriveUser {
        DriveUser {
            name: Some("Name".into()),
            address: Some(address.into()),
        }
    }

    fn raw() -> DriveFile {
        DriveFile {
            id: "f".into(),
            version: 3,
            name: Some("Plan".into()),
            mime_type: Some("text/plain".into()),
            created: Some(1),
            modified: Some(2),
            shared_with_me: Some(3),
            md5: Some("A".repeat(32)),
            sha256: Some("planted".into()),
            starred: true,
            owned_by_me: true,
            shared: true,
            owners: vec![user("ANA.Souza@example.com")],
            sharing_user: Some(user("b@x.example")),
            last_modifying_user: Some(DriveUser::default()),
            permissions: Some(vec![permission("2"), permission("1")]),
            ..DriveFile::default()
        }
    }

    fn permission(id: &str) -> DrivePermission {
        DrivePermission {
            id: id.into(),
            kind: "user".into(),
            role: "reader".into(),
            ..DrivePermission::default()
        }
    }

    #[test]
    fn a_file_is_told_as_the_account_sees_it() {
        let made = file(&raw(), &people(), Seen::ByAccount);
        let told = &made.file;
        assert_eq!(told.owners[0].who, Who::AliasOf("ana@example.com".into()));
        assert_eq!(told.last_modified_by, None);
        assert_eq!(told.md5.as_deref(), Some("a".repeat(32).as_str()));
        assert_eq!(told.sha256, None);
        assert_eq!(made.notes, ["sha256Checksum is no checksum"]);
        let ids: Vec<&str> = told.permissions.iter().map(|p| p.id.as_str()).collect();
        assert_eq!(ids, ["1", "2"]);
        assert!(told.flags.contains(FileFlags::STARRED));
        assert!(told.sharing_user.is_some() && told.shared_with_me_at == Some(3));
    }

    #[test]
    fn a_shared_drive_is_told_the_same_whoever_reads_it() {
        let first = DriveFile {
            drive_id: Some("0A".into()),
            ..raw()
        };
        let second = DriveFile {
            starred: false,
            owned_by_me: false,
            shared_with_me: None,
            sharing_user: None,
            can_share: Some(true),
            can_list_children: Some(true),
            can_read_drive: Some(true),
            ..first.clone()
        };
        let made = |raw| file(raw, &people(), Seen::ByDomain);
        assert_eq!(made(&first), made(&second));
    }

    #[test]
    fn what_is_missing_or_unreadable_is_noted_once() {
        let bare = DriveFile {
            id: "f".into(),
            bad: vec!["createdTime"],
            ..DriveFile::default()
        };
        let made = file(&bare, &people(), Seen::ByAccount);
        assert_eq!(
            made.notes,
            [
                "createdTime could not be read",
                "name is missing",
                "mimeType is missing",
                "modifiedTime is missing"
            ]
        );
    }

    #[test]
    fn long_lists_and_texts_are_cut_with_a_note() {
        let long = DriveFile {
            name: Some("ä".repeat(MAX_TEXT_BYTES)),
            permissions: Some((0..1_500).map(|n| permission(&n.to_string())).collect()),
            ..raw()
        };
        let made = file(&long, &people(), Seen::ByAccount);
        assert_eq!(made.file.name.len(), MAX_TEXT_BYTES);
        assert_eq!(made.file.permissions.len(), MAX_PERMISSIONS);
        assert!(made.notes.contains(&"name was cut".to_owned()));
        assert!(
            made.notes
                .contains(&"permissions: 1000 of 1500 are shown".to_owned())
        );
    }

    #[test]
    fn an_alias_that_becomes_known_makes_no_file_stale() {
        for mime_type in ["text/plain", FOLDER] {
            let raw = DriveFile {
                mime_type: Some(mime_type.into()),
                ..raw()
            };
            let known = file(&raw, &people(), Seen::ByAccount);
            let unknown = file(&raw, &People::default(), Seen::ByAccount);
            assert_ne!(known.file, unknown.file);
            assert_eq!(known.hash, unknown.hash);
        }
    }

    #[test]
    fn only_what_is_inherited_changes_the_upper_half_of_a_folders_hash() {
        let folder = DriveFile {
            mime_type: Some(FOLDER.into()),
            ..raw()
        };
        let hash = |raw: &DriveFile| file(raw, &people(), Seen::ByAccount).hash;
        let before = hash(&folder);
        let differs = |changed: DriveFile| {
            let after = hash(&changed);
            assert_ne!(after, before);
            inherits_differ(before, after)
        };
        let folder = || folder.clone();
        assert!(!differs(DriveFile {
            name: Some("Other".into()),
            ..folder()
        }));
        assert!(!differs(DriveFile {
            starred: false,
            ..folder()
        }));
        assert!(differs(DriveFile {
            permissions: None,
            ..folder()
        }));
        assert!(differs(DriveFile {
            trashed: true,
            ..folder()
        }));
        assert!(differs(DriveFile {
            parents: vec!["p".into()],
            ..folder()
        }));
    }

    proptest! {
        /// No change of a field that a sink sees goes unnoticed, and the version alone is none.
        #[test]
        fn the_hash_changes_with_the_record(
            name in ".{0,8}", size in any::<Option<u64>>(), trashed in any::<bool>(),
            version in any::<u64>(), folder in any::<bool>(),
        ) {
            let mime_type = if folder { FOLDER } else { "text/plain" };
            let before = DriveFile { mime_type: Some(mime_type.into()), ..raw() };
            let after = DriveFile { name: Some(name), size, trashed, version, ..before.clone() };
            let made = |raw: &DriveFile| file(raw, &people(), Seen::ByAccount);
            let (before, after) = (made(&before), made(&after));
            prop_assert_eq!(before.hash == after.hash, before.file == after.file);
        }
    }
}
