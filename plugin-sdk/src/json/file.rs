//! The JSON form of a Drive file.

use super::names::flag_names;
use super::write::{Object, list, texts};
use super::{participants, push_participant};
use crate::{File, Permission, Shortcut};

pub(super) fn push(out: &mut String, file: &File) {
    let mut object = Object::open(out);
    object.text("id", &file.id);
    object.text("name", &file.name);
    object.text("mime_type", &file.mime_type);
    object.optional_text("description", file.description.as_deref());
    object.optional_text("drive_name", file.drive_name.as_deref());
    object.member("parents", |out| texts(out, &file.parents));
    object.optional_text("path", file.path.as_deref());
    object.member("owners", |out| participants(out, &file.owners));
    object.optional(
        "last_modified_by",
        file.last_modified_by.as_ref(),
        push_participant,
    );
    object.optional("sharing_user", file.sharing_user.as_ref(), push_participant);
    object.signed("created", file.created);
    object.signed("modified", file.modified);
    object.optional_signed("shared_with_me_at", file.shared_with_me_at);
    if let Some(size) = file.size {
        object.unsigned("size", size);
    }
    object.optional_text("md5", file.md5.as_deref());
    object.optional_text("sha256", file.sha256.as_deref());
    object.member("flags", |out| flag_names::file(out, file.flags));
    object.optional("trashed_by", file.trashed_by.as_ref(), push_participant);
    object.optional("shortcut", file.shortcut.as_ref(), push_shortcut);
    object.optional_text("link", file.link.as_deref());
    object.member("permissions", |out| {
        list(out, &file.permissions, push_permission)
    });
    object.close();
}

fn push_shortcut(out: &mut String, shortcut: &Shortcut) {
    let mut object = Object::open(out);
    object.text("target_id", &shortcut.target_id);
    object.text("target_mime_type", &shortcut.target_mime_type);
    object.close();
}

fn push_permission(out: &mut String, permission: &Permission) {
    let mut object = Object::open(out);
    object.text("id", &permission.id);
    object.text("kind", &permission.kind);
    object.text("role", &permission.role);
    object.optional_text("grantee", permission.grantee.as_deref());
    object.optional_signed("expires", permission.expires);
    object.truth("inherited", permission.inherited);
    object.truth("pending", permission.pending);
    object.close();
}
