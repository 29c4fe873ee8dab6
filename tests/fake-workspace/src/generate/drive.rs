//! Generated files: a tree per user, some of it shared, and up to three shared drives with members.
//! Contents are made anew from a number at each look.

use super::people::World;
use crate::drive::model::{
    Content, DOCUMENT, FOLDER, File, FileId, Grantee, Permission, Revision, Role, SPREADSHEET,
};
use crate::drive::store::{Store, blank};
use crate::workspace::UserIndex;
use bytes::Bytes;

const DAY_MS: i64 = 86_400_000;
/// Files are made within this time before the start.
const SPAN_DAYS: i64 = 400;
/// Of a hundred files, how many lie in shared drives.
const SHARED_PERCENT: usize = 20;

const FOLDERS: [&str; 8] = [
    "Projects",
    "Invoices",
    "Photos",
    "Größe & Maß",
    "Travel",
    "Old stuff",
    "Klienti",
    "資料",
];
const TOPICS: [&str; 10] = [
    "Budget",
    "Roadmap",
    "Meeting notes",
    "Offer Northwind",
    "Contract",
    "Q3 report",
    "Holiday",
    "Résumé",
    "O'Brien",
    "見積書",
];
const DRIVES: [&str; 3] = ["Engineering", "Sales & Marketing", "Archive"];
/// Ending of the name, type, size from and to in bytes.
const KINDS: [(&str, &str, u32, u32); 7] = [
    ("", DOCUMENT, 300, 4_000),
    ("", SPREADSHEET, 200, 3_000),
    (".pdf", "application/pdf", 2_000, 40_000),
    (".png", "image/png", 1_000, 30_000),
    (".jpg", "image/jpeg", 1_000, 30_000),
    (".txt", "text/plain", 50, 2_000),
    (".tar.gz", "application/gzip", 500, 20_000),
];

/// Generates the Drive of a domain with `n_files` files; `now` is in milliseconds since 1970.
pub(crate) fn drive(world: &World, n_files: usize, seed: u64, now: i64) -> Store {
    let mut store = Store::new(&world.domain, seed);
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x0066_696c_6573);
    let n_users = world.members.len();
    let roots: Vec<FileId> = (0..n_users)
        .map(|index| store.root(UserIndex(index), now - SPAN_DAYS * DAY_MS))
        .collect();
    if n_files == 0 {
        return store;
    }
    let drives = shared_drives(&mut store, n_users, &mut rng, now);
    let n_shared = n_files * SHARED_PERCENT / 100;
    let mut places: Vec<Vec<FileId>> = roots.into_iter().map(|root| vec![root]).collect();
    for number in 0..n_files - n_shared {
        let user = UserIndex(number % n_users);
        let folders = &mut places[user.0];
        let mut file = item(&mut store, folders, &mut rng, now);
        file.owner = Some(user);
        file.modified_by = Some(user);
        file.permissions = vec![Permission::owner(user, file.created)].into();
        share(world, user, &mut file, &mut rng);
        if file.is_folder() {
            folders.push(file.id.clone());
        }
        store.insert(file);
    }
    let mut places: Vec<Vec<FileId>> = drives.iter().map(|drive| vec![drive.clone()]).collect();
    for number in 0..n_shared {
        let at = number % drives.len();
        let folders = &mut places[at];
        let mut file = item(&mut store, folders, &mut rng, now);
        file.drive = Some(drives[at].clone());
        file.modified_by = Some(UserIndex(rng.usize(..n_users)));
        if file.is_folder() {
            folders.push(file.id.clone());
        }
        store.insert(file);
    }
    store
}

/// The administrator organizes all of them; the others are in some.
fn shared_drives(
    store: &mut Store,
    n_users: usize,
    rng: &mut fastrand::Rng,
    now: i64,
) -> Vec<FileId> {
    let n_drives = (1 + n_users / 3).min(DRIVES.len());
    DRIVES[..n_drives]
        .iter()
        .map(|name| {
            let created = now - SPAN_DAYS * DAY_MS;
            let id = store.insert_drive(name, created);
            let Some(mut root) = store.remove(id.as_str()) else {
                return id;
            };
            let mut members = Vec::new();
            for index in 0..n_users {
                let role = match (index, rng.u8(..10)) {
                    (0, _) => Role::Organizer,
                    (_, 0..2) => Role::Reader,
                    (_, 2..5) => Role::Writer,
                    (_, 5) => Role::FileOrganizer,
                    _ => continue,
                };
                let member = Grantee::Member(UserIndex(index));
                let permission = Permission::new(member, role, created, Some(UserIndex(0)));
                members.push(permission);
            }
            root.permissions = members.into();
            store.insert(root);
            id
        })
        .collect()
}

/// A folder or file in one of the folders.
fn item(store: &mut Store, folders: &[FileId], rng: &mut fastrand::Rng, now: i64) -> File {
    let created = now - rng.i64(DAY_MS..SPAN_DAYS * DAY_MS);
    let id = store.new_file_id();
    let mut file = if folders.len() < 3 || rng.u8(..8) == 0 {
        blank(id, FOLDERS[rng.usize(..FOLDERS.len())], FOLDER, created)
    } else {
        let (ending, mime_type, from, to) = KINDS[rng.usize(..KINDS.len())];
        let topic = TOPICS[rng.usize(..TOPICS.len())];
        let name = format!("{topic} {}{ending}", rng.u16(1..999));
        let mut file = blank(id, &name, mime_type, created);
        file.modified = created + rng.i64(0..DAY_MS / 2);
        let content = Content::Generated {
            seed: rng.u64(..),
            size: rng.u32(from..to),
        };
        file.revisions.push(Revision::new(
            store.new_revision_id(),
            content,
            mime_type.into(),
            file.modified,
            None,
        ));
        file
    };
    file.parent = rng.choice(folders).cloned();
    file.version = rng.u64(1..40);
    file
}

/// Every fourth item is shared: with colleagues, outsiders, the domain, or by link.
fn share(world: &World, owner: UserIndex, file: &mut File, rng: &mut fastrand::Rng) {
    if rng.u8(..4) > 0 {
        return;
    }
    let grantee = match rng.u8(..10) {
        0..6 => Grantee::Member(UserIndex(rng.usize(..world.members.len()))),
        6..8 => match rng.choice(&world.outsiders) {
            Some(outsider) => Grantee::Outsider(outsider.address.clone()),
            None => return,
        },
        8 => Grantee::Domain(world.domain.as_str().into()),
        _ => Grantee::Anyone,
    };
    if grantee == Grantee::Member(owner) {
        return;
    }
    let role = [Role::Reader, Role::Commenter, Role::Writer][rng.usize(..3)];
    let mut permission = Permission::new(grantee, role, file.created, Some(owner));
    permission.discoverable = matches!(permission.grantee, Grantee::Domain(_)) && rng.bool();
    file.permissions.edit(|list| list.push(permission));
}

/// The bytes of a generated file: the right first bytes for its type, then words or noise.
pub(crate) fn content(seed: u64, size: u32, mime_type: &str) -> Bytes {
    const WORDS: [&str; 12] = [
        "budget", "north", "plan", "review", "größe", "contract", "travel", "week", "numbers",
        "draft", "client", "資料",
    ];
    let mut rng = fastrand::Rng::with_seed(seed);
    let size = size as usize;
    let mut bytes: Vec<u8> = match mime_type {
        "application/pdf" => b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n".to_vec(),
        "image/png" => b"\x89PNG\r\n\x1a\n".to_vec(),
        "image/jpeg" => b"\xff\xd8\xff\xe0\x00\x10JFIF\x00".to_vec(),
        "application/gzip" => b"\x1f\x8b\x08".to_vec(),
        _ => {
            let mut text = String::with_capacity(size + 16);
            while text.len() < size {
                text.push_str(WORDS[rng.usize(..WORDS.len())]);
                text.push(if rng.u8(..12) == 0 { '\n' } else { ' ' });
            }
            // A cut character at the end would be no text any more.
            while text.len() > size {
                text.pop();
            }
            text.extend(std::iter::repeat_n('.', size - text.len()));
            return text.into_bytes().into();
        }
    };
    while bytes.len() < size {
        bytes.extend(rng.u64(..).to_le_bytes());
    }
    bytes.truncate(size);
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_has_its_size_and_is_always_the_same() {
        for (_, mime_type, from, to) in KINDS {
            for size in [from, to - 1] {
                let bytes = content(7, size, mime_type);
                assert_eq!(bytes.len(), size as usize, "{mime_type}");
                assert_eq!(bytes, content(7, size, mime_type));
                if mime_type.starts_with("text/") {
                    assert!(std::str::from_utf8(&bytes).is_ok());
                }
            }
        }
    }
}
