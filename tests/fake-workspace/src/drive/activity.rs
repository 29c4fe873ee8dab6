//! Random changes in Drive, made through the same functions as those of the API.

use super::model::{DOCUMENT, FOLDER, File, FileId, Grantee, Permission, Role, SHORTCUT};
use super::ops::Media;
use super::patch::Patch;
use super::permissions::Request;
use super::rules::Caller;
use super::store::Store;
use crate::activity::{Deed, repeat};
use crate::error::ApiError;
use crate::workspace::{UserIndex, Workspace, now_ms};
use std::collections::BTreeMap;
use std::ops::Bound;

/// A burst of `rounds` changes by one user and, now and then, by those who work with them.
pub(crate) fn churn(
    workspace: &Workspace,
    user: UserIndex,
    seed: u64,
    rounds: u64,
) -> BTreeMap<Deed, u64> {
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x0064_7269_7665);
    repeat(rounds, || change(workspace, user, &mut rng))
}

/// One change; `refused` if it was one that the user may not make.
pub(crate) fn change(workspace: &Workspace, user: UserIndex, rng: &mut fastrand::Rng) -> Deed {
    let n_users = workspace.world.members.len();
    let other = UserIndex(rng.usize(..n_users));
    // Others change what the user sees, too.
    let actor = if rng.u8(..4) == 0 { other } else { user };
    let peer = if actor == user { other } else { user };
    let outsider = rng
        .choice(&workspace.world.outsiders)
        .map(|outsider| outsider.address.clone());
    let mut store = workspace.drive_mut();
    let caller = Caller::person(actor, now_ms());
    store.root(actor, caller.now);
    store.root(peer, caller.now);
    let roll = rng.u8(..100);
    let done = match roll {
        0..22 => create(&mut store, &caller, rng).map(|()| "created"),
        22..40 => edit(&mut store, &caller, rng).map(|()| "edited"),
        40..48 => rename(&mut store, &caller, rng).map(|()| "renamed"),
        48..58 => relocate(&mut store, &caller, rng).map(|()| "moved"),
        58..66 => trash(&mut store, &caller, rng).map(|()| "trashed"),
        66..70 => delete(&mut store, &caller, rng).map(|()| "deleted"),
        70..82 => share(&mut store, &caller, peer, outsider, rng).map(|()| "shared"),
        82..89 => unshare(&mut store, &caller, rng).map(|()| "unshared"),
        89..92 => star(&mut store, &caller, rng).map(|()| "starred"),
        92..95 => limit(&mut store, &caller, rng).map(|()| "limited"),
        95..97 => link(&mut store, &caller, rng).map(|()| "linked"),
        _ => membership(&mut store, &caller, peer, rng).map(|()| "members"),
    };
    done.unwrap_or("refused")
}

fn nothing_there() -> ApiError {
    super::errors::file_not_found("-")
}

/// A random item that the caller sees and that fits.
fn pick(
    store: &Store,
    caller: &Caller,
    rng: &mut fastrand::Rng,
    fits: impl Fn(&File) -> bool,
) -> Result<FileId, ApiError> {
    let corpus = store.corpus(caller.user);
    let mut seen: Vec<&FileId> = corpus.iter().collect();
    for drive in store.drives.keys() {
        if store.member_role(caller.user, drive.as_str()).is_some() {
            seen.extend(store.drive_items(caller.user, drive.as_str(), Bound::Unbounded));
        }
    }
    seen.retain(|id| store.file(id.as_str()).is_some_and(&fits));
    // In one order, so that the same seed does the same.
    seen.sort_unstable();
    rng.choice(seen).cloned().ok_or_else(nothing_there)
}

/// A folder to put something in: the root, a shared drive, or any other.
fn folder(store: &Store, caller: &Caller, rng: &mut fastrand::Rng) -> Result<FileId, ApiError> {
    let roll = rng.u8(..10);
    let drives: Vec<&FileId> = store
        .drives
        .keys()
        .filter(|drive| store.member_role(caller.user, drive.as_str()) >= Some(Role::Writer))
        .collect();
    if roll < 3
        && let Some(drive) = rng.choice(drives)
    {
        return Ok(drive.clone());
    }
    if roll < 8
        && let Ok(folder) = pick(store, caller, rng, File::is_folder)
    {
        return Ok(folder);
    }
    store
        .existing_root(caller.user)
        .cloned()
        .ok_or_else(nothing_there)
}

fn create(store: &mut Store, caller: &Caller, rng: &mut fastrand::Rng) -> Result<(), ApiError> {
    let parent = folder(store, caller, rng)?;
    let number = rng.u32(..10_000);
    let (name, mime_type) = match rng.u8(..4) {
        0 => (format!("Folder {number}"), FOLDER),
        1 => (format!("Notes {number}"), DOCUMENT),
        _ => (format!("data {number}.txt"), "text/plain"),
    };
    let patch = Patch {
        name: Some(name),
        mime_type: Some(mime_type.to_owned()),
        parents: Some(vec![parent.as_str().to_owned()]),
        ..Patch::default()
    };
    let content = (mime_type != FOLDER).then(|| media(rng));
    store.create_file(caller, &patch, content).map(drop)
}

fn media(rng: &mut fastrand::Rng) -> Media {
    Media {
        mime_type: None,
        bytes: format!("Line {}\n", rng.u64(..)).into(),
    }
}

fn update(
    store: &mut Store,
    caller: &Caller,
    id: &FileId,
    patch: &Patch,
    media: Option<Media>,
) -> Result<(), ApiError> {
    store
        .update_file(caller, id.as_str(), patch, media, (&[], &[]))
        .map(drop)
}

fn edit(store: &mut Store, caller: &Caller, rng: &mut fastrand::Rng) -> Result<(), ApiError> {
    let id = pick(store, caller, rng, |file| {
        !file.is_folder() && file.target.is_none()
    })?;
    let content = media(rng);
    update(store, caller, &id, &Patch::default(), Some(content))
}

fn rename(store: &mut Store, caller: &Caller, rng: &mut fastrand::Rng) -> Result<(), ApiError> {
    let id = pick(store, caller, rng, |_| true)?;
    let patch = Patch {
        name: Some(format!("Renamed {}", rng.u32(..10_000))),
        ..Patch::default()
    };
    update(store, caller, &id, &patch, None)
}

fn relocate(store: &mut Store, caller: &Caller, rng: &mut fastrand::Rng) -> Result<(), ApiError> {
    let id = pick(store, caller, rng, |_| true)?;
    let target = folder(store, caller, rng)?;
    let target = store.parent(caller, target.as_str())?;
    store.check_move(caller, id.as_str(), &target)?;
    store.relocate(caller.actor(), &id, &target);
    Ok(())
}

fn trash(store: &mut Store, caller: &Caller, rng: &mut fastrand::Rng) -> Result<(), ApiError> {
    let id = pick(store, caller, rng, |_| true)?;
    let trashed = store
        .file(id.as_str())
        .map(|file| file.explicitly_trashed.is_none());
    let patch = Patch {
        trashed,
        ..Patch::default()
    };
    update(store, caller, &id, &patch, None)
}

fn delete(store: &mut Store, caller: &Caller, rng: &mut fastrand::Rng) -> Result<(), ApiError> {
    let id = pick(store, caller, rng, |_| true)?;
    store.delete_file(caller, id.as_str())
}

fn share(
    store: &mut Store,
    caller: &Caller,
    peer: UserIndex,
    outsider: Option<std::sync::Arc<str>>,
    rng: &mut fastrand::Rng,
) -> Result<(), ApiError> {
    let id = pick(store, caller, rng, |_| true)?;
    let grantee = match (rng.u8(..10), outsider) {
        (0, _) => Grantee::Anyone,
        (1, _) => Grantee::Domain(store.domain.clone()),
        (2, Some(outsider)) => Grantee::Outsider(outsider),
        _ if peer == caller.user => return Err(nothing_there()),
        _ => Grantee::Member(peer),
    };
    let role = [Role::Reader, Role::Commenter, Role::Writer][rng.usize(..3)];
    // Nobody takes the ownership from themselves in passing.
    if store.file(id.as_str()).is_some_and(|file| {
        file.owner
            .is_some_and(|owner| grantee == Grantee::Member(owner))
    }) {
        return Err(nothing_there());
    }
    let permission = Permission::new(grantee, role, caller.now, Some(caller.user));
    store.share(
        caller,
        &id,
        Request {
            permission,
            transfer: false,
        },
    )
}

fn unshare(store: &mut Store, caller: &Caller, rng: &mut fastrand::Rng) -> Result<(), ApiError> {
    let id = pick(store, caller, rng, |file| file.permissions.len() > 1)?;
    let grantees: Vec<Grantee> = store
        .file(id.as_str())
        .into_iter()
        .flat_map(|file| file.permissions.iter())
        .filter(|permission| permission.role != Role::Owner)
        .map(|permission| permission.grantee.clone())
        .collect();
    let grantee = rng.choice(grantees).ok_or_else(nothing_there)?;
    store.unshare(caller, &id, &grantee)
}

fn star(store: &mut Store, caller: &Caller, rng: &mut fastrand::Rng) -> Result<(), ApiError> {
    let id = pick(store, caller, rng, |_| true)?;
    let patch = Patch {
        starred: Some(rng.bool()),
        ..Patch::default()
    };
    update(store, caller, &id, &patch, None)
}

fn limit(store: &mut Store, caller: &Caller, rng: &mut fastrand::Rng) -> Result<(), ApiError> {
    let id = pick(store, caller, rng, File::is_folder)?;
    let patch = Patch {
        limited: store.file(id.as_str()).map(|file| !file.limited),
        ..Patch::default()
    };
    update(store, caller, &id, &patch, None)
}

fn link(store: &mut Store, caller: &Caller, rng: &mut fastrand::Rng) -> Result<(), ApiError> {
    let target = pick(store, caller, rng, |file| file.target.is_none())?;
    let patch = Patch {
        name: Some("Shortcut".to_owned()),
        mime_type: Some(SHORTCUT.to_owned()),
        target: Some(target.as_str().to_owned()),
        ..Patch::default()
    };
    store.create_file(caller, &patch, None).map(drop)
}

/// Somebody joins or leaves a shared drive, or gets another role; the caller has to be its organizer.
fn membership(
    store: &mut Store,
    caller: &Caller,
    peer: UserIndex,
    rng: &mut fastrand::Rng,
) -> Result<(), ApiError> {
    let drives: Vec<&FileId> = store
        .drives
        .keys()
        .filter(|drive| store.member_role(caller.user, drive.as_str()) == Some(Role::Organizer))
        .collect();
    let drive = rng.choice(drives).cloned().ok_or_else(nothing_there)?;
    if peer == caller.user {
        return Err(nothing_there());
    }
    let grantee = Grantee::Member(peer);
    if store.member_role(peer, drive.as_str()).is_some() && rng.bool() {
        return store.unshare(caller, &drive, &grantee);
    }
    let role = [Role::Reader, Role::Writer, Role::FileOrganizer][rng.usize(..3)];
    let permission = Permission::new(grantee, role, caller.now, Some(caller.user));
    store.share(
        caller,
        &drive,
        Request {
            permission,
            transfer: false,
        },
    )
}
