//! What a person or an app does with files, with all checks: the API, the control port and random activity all
//! come through here.

use super::errors;
use super::model::{
    Content, File, FileId, Grantee, NATIVE, Permission, Revision, Role, SHORTCUT, Target,
};
use super::patch::{Patch, merge};
use super::rules::{Caller, Right};
use super::store::{Store, blank, is_file_id};
use crate::error::ApiError;
use bytes::Bytes;
use std::ops::Bound;

/// Uploaded bytes with their type.
#[derive(Debug, Clone)]
pub(crate) struct Media {
    pub(crate) mime_type: Option<String>,
    pub(crate) bytes: Bytes,
}

/// What kind of file a name tells of.
pub(crate) fn guess_type(name: &str) -> Option<&'static str> {
    let end = name.rsplit_once('.')?.1.to_ascii_lowercase();
    Some(match end.as_str() {
        "txt" => "text/plain",
        "csv" => "text/csv",
        "html" => "text/html",
        "md" => "text/markdown",
        "json" => "application/json",
        "pdf" => "application/pdf",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "zip" => "application/zip",
        _ => return None,
    })
}

impl Store {
    /// files.create.
    pub(crate) fn create_file(
        &mut self,
        caller: &Caller,
        patch: &Patch,
        media: Option<Media>,
    ) -> Result<FileId, ApiError> {
        self.root(caller.user, caller.now);
        let parent = match patch.parents.as_deref() {
            None | Some([]) => self.parent(caller, "root")?,
            Some([parent]) => self.parent(caller, parent)?,
            Some(_) => return Err(errors::cannot_add_parent()),
        };
        let id = match &patch.id {
            None => self.new_file_id(),
            Some(id) if !is_file_id(id) => {
                return Err(ApiError::new(
                    400,
                    "invalid",
                    "The provided file ID is not usable.",
                ));
            }
            Some(id) if self.file(id).is_some() => {
                return Err(ApiError::new(
                    409,
                    "fileIdInUse",
                    "A file already exists with the provided ID.",
                ));
            }
            Some(id) => FileId::from(id.as_str()),
        };
        let target = self.shortcut_target(caller, patch)?;
        let name = patch.name.as_deref().unwrap_or("Untitled");
        let given = patch.mime_type.clone();
        let sent = media.as_ref().and_then(|media| media.mime_type.clone());
        let mime_type = given
            .or_else(|| sent.filter(|sent| sent != "application/octet-stream"))
            .or_else(|| guess_type(name).map(str::to_owned))
            .unwrap_or_else(|| "application/octet-stream".to_owned());
        let mut file = blank(id.clone(), name, &mime_type, caller.now);
        file.drive = self
            .file(parent.as_str())
            .and_then(|parent| parent.drive.clone());
        file.parent = Some(parent);
        file.target = target;
        file.by_app = caller.is_app;
        file.created = patch.created.unwrap_or(caller.now);
        if file.drive.is_none() {
            file.owner = Some(caller.user);
            file.permissions = vec![Permission::owner(caller.user, caller.now)].into();
        }
        file.limited = patch.limited == Some(true) && file.is_folder();
        if let Some(content) = first_content(&file, media.as_ref()) {
            let revision = Revision::new(
                self.new_revision_id(),
                content,
                media
                    .and_then(|media| media.mime_type)
                    .unwrap_or_else(|| mime_type.clone())
                    .into(),
                caller.now,
                Some(caller.user),
            );
            file.revisions.push(revision);
        }
        apply(&mut file, caller, patch, true);
        file.modified = patch.modified.unwrap_or(caller.now);
        self.create(caller.actor(), file);
        if patch.trashed == Some(true) {
            self.set_trashed(caller.actor(), &id, true);
        }
        Ok(id)
    }

    fn shortcut_target(&self, caller: &Caller, patch: &Patch) -> Result<Option<Target>, ApiError> {
        if patch.mime_type.as_deref() != Some(SHORTCUT) {
            return Ok(None);
        }
        let id = patch.target.as_deref().ok_or_else(|| {
            errors::bad_request("A shortcut must have a target: shortcutDetails.targetId")
        })?;
        let target = self.seen(caller, id)?.file;
        if target.target.is_some() {
            return Err(ApiError::new(
                403,
                "shortcutTargetInvalid",
                "The shortcut target is invalid.",
            ));
        }
        Ok(Some(Target {
            id: target.id.clone(),
            mime_type: target.mime_type.clone(),
        }))
    }

    /// files.update, with the parents that its query adds and removes.
    pub(crate) fn update_file(
        &mut self,
        caller: &Caller,
        id: &str,
        patch: &Patch,
        media: Option<Media>,
        parents: (&[&str], &[&str]),
    ) -> Result<FileId, ApiError> {
        if patch.parents.is_some() {
            return Err(errors::not_writable(
                "The parents field is not directly writable in update requests. \
                 Use the addParents and removeParents parameters instead.",
            ));
        }
        if patch.target.is_some() || patch.created.is_some() {
            return Err(errors::not_writable(
                "The resource body includes fields which are not directly writable.",
            ));
        }
        let seen = self.seen(caller, id)?;
        let (file_id, trashed) = (seen.file.id.clone(), seen.file.explicitly_trashed.is_some());
        if patch
            .id
            .as_deref()
            .is_some_and(|new| new != file_id.as_str())
        {
            return Err(errors::not_writable(
                "The resource body includes fields which are not directly writable.",
            ));
        }
        self.check_update(caller, id, patch, media.is_some())?;
        let destination = self.destination(caller, id, parents)?;
        if patch.trashed.is_some_and(|wanted| wanted != trashed) {
            self.set_trashed(caller.actor(), &file_id, !trashed);
        }
        if let Some(parent) = destination {
            self.relocate(caller.actor(), &file_id, &parent);
        }
        if media.is_none() && !changes_file(patch) {
            if patch.starred.is_some() || patch.viewed.is_some() {
                self.change_for_self(caller.actor(), &file_id, |file| {
                    apply(file, caller, patch, false);
                });
            }
        } else {
            let revision_id = self.new_revision_id();
            self.change(caller.actor(), &file_id, |file| {
                if let Some(media) = media {
                    add_revision(file, caller, patch, media, revision_id);
                }
                apply(file, caller, patch, false);
            });
        }
        Ok(file_id)
    }

    fn check_update(
        &self,
        caller: &Caller,
        id: &str,
        patch: &Patch,
        has_media: bool,
    ) -> Result<(), ApiError> {
        let seen = self.seen(caller, id)?;
        if patch.edits() || patch.modified.is_some() {
            seen.need(Right::Rename)?;
        }
        if has_media {
            seen.need(Right::Edit)?;
            if seen.file.is_folder() || seen.file.target.is_some() {
                return Err(errors::bad_request("The file cannot have content."));
            }
        }
        let renames = patch
            .name
            .as_ref()
            .is_some_and(|name| *name != seen.file.name);
        if (has_media || renames) && seen.file.rare().read_only.is_some() {
            return Err(ApiError::new(
                403,
                "contentRestricted",
                "The file is read-only and cannot be edited.",
            ));
        }
        if let Some(mime_type) = &patch.mime_type
            && !has_media
            && *mime_type != *seen.file.mime_type
        {
            return Err(errors::not_writable(
                "The resource body includes fields which are not directly writable.",
            ));
        }
        if patch
            .trashed
            .is_some_and(|wanted| wanted != seen.file.explicitly_trashed.is_some())
        {
            seen.need(Right::Trash)?;
        }
        if patch
            .limited
            .is_some_and(|wanted| wanted != seen.file.limited)
        {
            seen.need(Right::Limit)?;
        }
        let restricts = patch.copy_requires_writer.is_some()
            || patch.writers_can_share.is_some()
            || patch.read_only.is_some();
        if restricts {
            seen.need(Right::Edit)?;
        }
        Ok(())
    }

    /// The folder that the file is to move to, if it is to move.
    fn destination(
        &self,
        caller: &Caller,
        id: &str,
        (add, remove): (&[&str], &[&str]),
    ) -> Result<Option<FileId>, ApiError> {
        let seen = self.seen(caller, id)?;
        let Some(current) = &seen.file.parent else {
            return if add.is_empty() && remove.is_empty() {
                Ok(None)
            } else {
                Err(errors::insufficient())
            };
        };
        let resolve = |name: &str| match name {
            "root" => self.existing_root(caller.user).cloned(),
            name => Some(FileId::from(name)),
        };
        let removes = remove
            .iter()
            .any(|name| resolve(name).as_ref() == Some(current));
        let added: Vec<FileId> = add
            .iter()
            .filter_map(|name| resolve(name))
            .filter(|parent| parent != current)
            .collect();
        let target = match (added.as_slice(), removes) {
            ([], false) => return Ok(None),
            ([], true) => {
                return Err(ApiError::new(
                    403,
                    "teamDrivesParentLimit",
                    "A file must have exactly one parent.",
                ));
            }
            ([target], true) => target,
            // Who does not see the old parent cannot name it.
            ([target], false) if self.seen(caller, current.as_str()).is_err() => target,
            _ => return Err(errors::cannot_add_parent()),
        };
        let target = self.parent(caller, target.as_str())?;
        self.check_move(caller, id, &target)?;
        Ok(Some(target))
    }

    pub(super) fn check_move(
        &self,
        caller: &Caller,
        id: &str,
        target: &FileId,
    ) -> Result<(), ApiError> {
        let seen = self.seen(caller, id)?;
        let Some(folder) = self.file(target.as_str()) else {
            return Err(errors::file_not_found(target.as_str()));
        };
        if self.ancestry(folder).any(|item| item.id == seen.file.id) {
            return Err(errors::bad_request(
                "The specified parent would create a cycle in the directory graph.",
            ));
        }
        if folder.drive == seen.file.drive {
            return seen.need(Right::MoveWithin);
        }
        seen.need(Right::MoveOut)?;
        // Apps may not; people in Drive's own pages may.
        if seen.file.is_folder() && caller.is_app {
            return Err(ApiError::new(
                403,
                "teamDrivesFolderMoveInNotSupported",
                "Moving folders between drives is not supported.",
            ));
        }
        Ok(())
    }

    /// files.copy: a file of the caller's own, in the given folder, beside the original, or in the caller's root.
    pub(crate) fn copy_file(
        &mut self,
        caller: &Caller,
        id: &str,
        patch: &Patch,
    ) -> Result<FileId, ApiError> {
        let seen = self.seen(caller, id)?;
        if seen.file.is_folder() {
            return Err(ApiError::new(
                403,
                "cannotCopyFile",
                "This file cannot be copied by the user.",
            ));
        }
        seen.need(Right::Copy)?;
        let original = seen.file.clone();
        let beside = original
            .parent
            .as_ref()
            .filter(|parent| self.parent(caller, parent.as_str()).is_ok())
            .map(|parent| parent.as_str().to_owned());
        let full = Patch {
            id: patch.id.clone(),
            name: Some(
                patch
                    .name
                    .clone()
                    .unwrap_or_else(|| format!("Copy of {}", original.name)),
            ),
            mime_type: Some(original.mime_type.to_string()),
            target: original
                .target
                .as_ref()
                .map(|target| target.id.as_str().to_owned()),
            description: patch.description.clone().or(original.description.clone()),
            parents: patch.parents.clone().or(beside.map(|parent| vec![parent])),
            modified: patch.modified,
            ..Patch::default()
        };
        let media = original.head().map(|head| Media {
            mime_type: Some(head.mime_type.to_string()),
            bytes: head.bytes(),
        });
        self.create_file(caller, &full, media)
    }

    /// files.delete: for ever.
    pub(crate) fn delete_file(&mut self, caller: &Caller, id: &str) -> Result<(), ApiError> {
        let seen = self.seen(caller, id)?;
        seen.need(Right::Delete)?;
        let id = seen.file.id.clone();
        self.delete(caller.actor(), &id);
        Ok(())
    }

    /// Deletes what the caller trashed, or all that is in the trash of a shared drive.
    pub(crate) fn empty_trash(
        &mut self,
        caller: &Caller,
        drive: Option<&str>,
    ) -> Result<(), ApiError> {
        let trashed: Vec<FileId> = match drive {
            Some(drive) => {
                match self.member_role(caller.user, drive) {
                    None => return Err(errors::drive_not_found(drive)),
                    Some(Role::Organizer) => {}
                    Some(_) => return Err(errors::insufficient()),
                }
                self.drive_items(caller.user, drive, Bound::Unbounded)
                    .cloned()
                    .collect()
            }
            None => self.named(caller.user).cloned().collect(),
        };
        for id in trashed {
            let goes = self.file(id.as_str()).is_some_and(|file| {
                file.explicitly_trashed.is_some()
                    && (drive.is_some() || file.owner == Some(caller.user))
            });
            if goes {
                self.delete(caller.actor(), &id);
            }
        }
        Ok(())
    }
}

fn first_content(file: &File, media: Option<&Media>) -> Option<Content> {
    if let Some(media) = media {
        return Some(Content::Stored(media.bytes.clone()));
    }
    let has_content = !file.is_folder() && file.target.is_none();
    has_content.then(|| Content::Stored(Bytes::new()))
}

fn add_revision(
    file: &mut File,
    caller: &Caller,
    patch: &Patch,
    media: Media,
    id: std::sync::Arc<str>,
) {
    let sent = media
        .mime_type
        .filter(|sent| sent != "application/octet-stream");
    let mime_type = patch
        .mime_type
        .clone()
        .or(sent)
        .unwrap_or_else(|| file.mime_type.to_string());
    file.revisions.push(Revision::new(
        id,
        Content::Stored(media.bytes),
        mime_type.as_str().into(),
        caller.now,
        Some(caller.user),
    ));
    if !file.mime_type.starts_with(NATIVE) {
        file.mime_type = mime_type.into();
    }
    touch(file, caller);
}

fn changes_file(patch: &Patch) -> bool {
    patch.edits()
        || patch.limited.is_some()
        || patch.modified.is_some()
        || patch.copy_requires_writer.is_some()
        || patch.writers_can_share.is_some()
        || patch.read_only.is_some()
}

fn touch(file: &mut File, caller: &Caller) {
    file.modified = caller.now;
    file.modified_by = Some(caller.user);
    file.rare_mut()
        .modified_by_user
        .insert(caller.user, caller.now);
}

/// Writes the plain fields; a new file has no earlier state to be restricted by.
fn apply(file: &mut File, caller: &Caller, patch: &Patch, is_new: bool) {
    if patch.edits() || is_new {
        touch(file, caller);
    }
    if let Some(name) = &patch.name {
        file.name.clone_from(name);
    }
    if let Some(description) = &patch.description {
        file.description = (!description.is_empty()).then(|| description.clone());
    }
    if let Some(limited) = patch.limited {
        file.limited = limited;
    }
    if let Some(modified) = patch.modified {
        file.modified = modified;
    }
    let rare = file.rare_mut();
    if let Some(modified) = patch.modified {
        rare.modified_by_user.insert(caller.user, modified);
    }
    if let Some(viewed) = patch.viewed {
        rare.viewed.insert(caller.user, viewed);
    }
    match patch.starred {
        Some(true) => {
            rare.starred.insert(caller.user);
        }
        Some(false) => {
            rare.starred.remove(&caller.user);
        }
        None => {}
    }
    merge(|rare| &mut rare.properties, rare, &patch.properties);
    merge(|rare| &mut rare.app_properties, rare, &patch.app_properties);
    if let Some(color) = &patch.folder_color {
        rare.folder_color = Some(color.clone());
    }
    if let Some(original) = &patch.original_filename {
        rare.original_filename = Some(original.clone());
    }
    if let Some(restricted) = patch.copy_requires_writer {
        rare.copy_requires_writer = restricted;
    }
    if let Some(may) = patch.writers_can_share {
        rare.writers_cannot_share = !may;
    }
    if let Some(read_only) = &patch.read_only {
        rare.read_only = read_only
            .clone()
            .map(|reason| (reason, caller.user, caller.now));
    }
}

/// Whether a grantee is a person with an address.
pub(super) fn is_addressed(grantee: &Grantee) -> bool {
    matches!(
        grantee,
        Grantee::Member(_) | Grantee::Outsider(_) | Grantee::Group(_)
    )
}
