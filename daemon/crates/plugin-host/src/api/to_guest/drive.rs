//! Drive files for the guest, borrowed.

use super::super::v0::nuncio::sink::records as wit;
use super::{participant, participants, strings};
use bumpalo::Bump;
use nuncio_model::{File, FileFlags, Permission};

/// A file's metadata. There is no content to cut.
pub(super) fn file<'a>(arena: &'a Bump, file: &'a File) -> wit::File<'a> {
    wit::File {
        id: &file.id,
        name: &file.name,
        mime_type: &file.mime_type,
        description: file.description.as_deref(),
        drive_name: file.drive_name.as_deref(),
        parents: strings(arena, &file.parents),
        path: file.path.as_deref(),
        owners: participants(arena, &file.owners),
        last_modified_by: file.last_modified_by.as_ref().map(participant),
        sharing_user: file.sharing_user.as_ref().map(participant),
        created: file.created,
        modified: file.modified,
        shared_with_me_at: file.shared_with_me_at,
        size: file.size,
        md5: file.md5.as_deref(),
        sha256: file.sha256.as_deref(),
        flags: flags(file.flags),
        trashed_by: file.trashed_by.as_ref().map(participant),
        shortcut: file.shortcut.as_ref().map(|shortcut| wit::Shortcut {
            target_id: &shortcut.target_id,
            target_mime_type: &shortcut.target_mime_type,
        }),
        link: file.link.as_deref(),
        permissions: arena.alloc_slice_fill_iter(file.permissions.iter().map(permission)),
    }
}

fn flags(flags: FileFlags) -> wit::FileFlags {
    let known = [
        (FileFlags::TRASHED, wit::FileFlags::TRASHED),
        (FileFlags::STARRED, wit::FileFlags::STARRED),
        (FileFlags::SHARED, wit::FileFlags::SHARED),
        (FileFlags::OWNED_BY_ME, wit::FileFlags::OWNED_BY_ME),
    ];
    known
        .into_iter()
        .filter(|(ours, _)| flags.contains(*ours))
        .fold(wit::FileFlags::empty(), |set, (_, theirs)| set | theirs)
}

fn permission(permission: &Permission) -> wit::Permission<'_> {
    wit::Permission {
        id: &permission.id,
        kind: &permission.kind,
        role: &permission.role,
        grantee: permission.grantee.as_deref(),
        expires: permission.expires,
        inherited: permission.inherited,
        pending: permission.pending,
    }
}
