//! Drive files for the comparison: any file of the daemon's, and the same as a guest gets it.

use super::guest::{flag_set, participant, participants};
use super::records::{maybe, people, text, texts};
use nuncio_model as model;
use nuncio_sdk as guest;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::subsequence;

/// Members that a file may leave out.
pub(crate) const OPTIONAL: &[&str] = &[
    "description",
    "drive_name",
    "path",
    "last_modified_by",
    "sharing_user",
    "shared_with_me_at",
    "size",
    "md5",
    "sha256",
    "trashed_by",
    "shortcut",
    "link",
];

fn flags() -> impl Strategy<Value = model::FileFlags> {
    let named = model::FileFlags::NAMED;
    subsequence(named.to_vec(), 0..=named.len()).prop_map(|flags| {
        flags
            .into_iter()
            .fold(model::FileFlags::default(), |set, (flag, _)| set.with(flag))
    })
}

fn permission() -> impl Strategy<Value = model::Permission> {
    let words = (text(), text(), text(), maybe());
    let rest = (option::of(any::<i64>()), any::<[bool; 2]>());
    (words, rest).prop_map(
        |(words, (expires, [inherited, pending]))| model::Permission {
            id: words.0,
            kind: words.1,
            role: words.2,
            grantee: words.3,
            expires,
            inherited,
            pending,
        },
    )
}

/// Any file.
pub(crate) fn file() -> impl Strategy<Value = model::File> {
    let person = || option::of(super::records::participant());
    let words = (text(), text(), text(), maybe(), maybe(), texts(), maybe());
    let persons = (people(), person(), person(), person());
    let times = (any::<[i64; 2]>(), option::of(any::<i64>()));
    let content = (option::of(any::<u64>()), maybe(), maybe(), flags());
    let shortcut = (text(), text()).prop_map(|(target_id, target_mime_type)| model::Shortcut {
        target_id,
        target_mime_type,
    });
    let rest = (option::of(shortcut), maybe(), vec(permission(), 0..3));
    (words, persons, times, content, rest).prop_map(
        |(words, persons, ([created, modified], shared_with_me_at), content, rest)| model::File {
            id: words.0,
            name: words.1,
            mime_type: words.2,
            description: words.3,
            drive_name: words.4,
            parents: words.5,
            path: words.6,
            owners: persons.0,
            last_modified_by: persons.1,
            sharing_user: persons.2,
            trashed_by: persons.3,
            created,
            modified,
            shared_with_me_at,
            size: content.0,
            md5: content.1,
            sha256: content.2,
            flags: content.3,
            shortcut: rest.0,
            link: rest.1,
            permissions: rest.2,
        },
    )
}

/// The file on the guest's side.
pub(crate) fn guests(file: model::File) -> guest::File {
    let model::File {
        id,
        name,
        mime_type,
        description,
        drive_name,
        parents,
        path,
        owners,
        last_modified_by,
        sharing_user,
        created,
        modified,
        shared_with_me_at,
        size,
        md5,
        sha256,
        flags,
        trashed_by,
        shortcut,
        link,
        permissions,
    } = file;
    guest::File {
        id,
        name,
        mime_type,
        description,
        drive_name,
        parents,
        path,
        owners: participants(owners),
        last_modified_by: last_modified_by.map(participant),
        sharing_user: sharing_user.map(participant),
        created,
        modified,
        shared_with_me_at,
        size,
        md5,
        sha256,
        flags: flag_set(
            flags,
            &[
                (model::FileFlags::TRASHED, guest::FileFlags::TRASHED),
                (model::FileFlags::STARRED, guest::FileFlags::STARRED),
                (model::FileFlags::SHARED, guest::FileFlags::SHARED),
                (model::FileFlags::OWNED_BY_ME, guest::FileFlags::OWNED_BY_ME),
            ],
            model::FileFlags::contains,
        ),
        trashed_by: trashed_by.map(participant),
        shortcut: shortcut.map(|shortcut| guest::Shortcut {
            target_id: shortcut.target_id,
            target_mime_type: shortcut.target_mime_type,
        }),
        link,
        permissions: permissions.into_iter().map(guests_permission).collect(),
    }
}

fn guests_permission(permission: model::Permission) -> guest::Permission {
    let model::Permission {
        id,
        kind,
        role,
        grantee,
        expires,
        inherited,
        pending,
    } = permission;
    guest::Permission {
        id,
        kind,
        role,
        grantee,
        expires,
        inherited,
        pending,
    }
}
