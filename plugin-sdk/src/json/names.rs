//! The names of enums and flags in JSON: the contract's, in snake_case. One place, so that
//! they can be compared with the contract at a glance.

use crate::{
    AttendeeFlags, Change, DeleteCause, Direction, EventStatus, FileFlags, GuestRights,
    MailCategory, MailFlags, Origin, Response, Source, Visibility,
};

pub(super) fn name_of_change(change: Change) -> &'static str {
    match change {
        Change::Created => "created",
        Change::Updated => "updated",
        Change::Labels => "labels",
        Change::Deleted => "deleted",
    }
}

pub(super) fn name_of_source(source: Source) -> &'static str {
    match source {
        Source::Gmail => "gmail",
        Source::Calendar => "calendar",
        Source::Drive => "drive",
        Source::Other => "other",
    }
}

pub(super) fn name_of_origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Backfill => "backfill",
        Origin::Live => "live",
        Origin::Resync => "resync",
        Origin::Replay => "replay",
    }
}

pub(super) fn name_of_delete_cause(cause: DeleteCause) -> &'static str {
    match cause {
        DeleteCause::Removed => "removed",
        DeleteCause::Cancelled => "cancelled",
        DeleteCause::OutOfScope => "out_of_scope",
        DeleteCause::Forgotten => "forgotten",
        DeleteCause::Unknown => "unknown",
    }
}

/// The name of a mail's category.
pub fn name_of_category(category: MailCategory) -> &'static str {
    match category {
        MailCategory::None => "none",
        MailCategory::Personal => "personal",
        MailCategory::Social => "social",
        MailCategory::Promotions => "promotions",
        MailCategory::Updates => "updates",
        MailCategory::Forums => "forums",
        MailCategory::Other => "other",
    }
}

pub(super) fn name_of_direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
        Direction::ToSelf => "to_self",
    }
}

pub(super) fn name_of_status(status: EventStatus) -> &'static str {
    match status {
        EventStatus::Confirmed => "confirmed",
        EventStatus::Tentative => "tentative",
        EventStatus::Cancelled => "cancelled",
    }
}

pub(super) fn name_of_visibility(visibility: Visibility) -> &'static str {
    match visibility {
        Visibility::Default => "default",
        Visibility::Public => "public",
        Visibility::Private => "private",
        Visibility::Confidential => "confidential",
    }
}

pub(super) fn name_of_response(response: Response) -> &'static str {
    match response {
        Response::NeedsAction => "needs_action",
        Response::Declined => "declined",
        Response::Tentative => "tentative",
        Response::Accepted => "accepted",
    }
}

/// Flags as lists of their names.
pub(super) mod flag_names {
    use super::{AttendeeFlags, FileFlags, GuestRights, MailFlags};
    use crate::json::write::{list, push_name};

    pub(in crate::json) fn mail(out: &mut String, flags: MailFlags) {
        push(out, |flag| flags.contains(flag), super::MAIL_FLAGS);
    }

    pub(in crate::json) fn file(out: &mut String, flags: FileFlags) {
        let names = &[
            (FileFlags::TRASHED, "trashed"),
            (FileFlags::STARRED, "starred"),
            (FileFlags::SHARED, "shared"),
            (FileFlags::OWNED_BY_ME, "owned_by_me"),
        ];
        push(out, |flag| flags.contains(flag), names);
    }

    pub(in crate::json) fn guest_rights(out: &mut String, rights: GuestRights) {
        let names = &[
            (GuestRights::INVITE_OTHERS, "invite_others"),
            (GuestRights::MODIFY, "modify"),
            (GuestRights::SEE_OTHERS, "see_others"),
        ];
        push(out, |flag| rights.contains(flag), names);
    }

    pub(in crate::json) fn attendee(out: &mut String, flags: AttendeeFlags) {
        let names = &[
            (AttendeeFlags::OPTIONAL, "optional"),
            (AttendeeFlags::ORGANIZER, "organizer"),
            (AttendeeFlags::RESOURCE, "resource"),
            (AttendeeFlags::SELF, "self"),
        ];
        push(out, |flag| flags.contains(flag), names);
    }

    fn push<F: Copy>(out: &mut String, is_set: impl Fn(F) -> bool, names: &[(F, &'static str)]) {
        let set: Vec<&'static str> = names
            .iter()
            .filter(|(flag, _)| is_set(*flag))
            .map(|(_, name)| *name)
            .collect();
        list(out, &set, |out, name| push_name(out, name));
    }
}

/// The flags of a mail with their names, in the contract's order.
pub const MAIL_FLAGS: &[(MailFlags, &str)] = &[
    (MailFlags::UNREAD, "unread"),
    (MailFlags::STARRED, "starred"),
    (MailFlags::IMPORTANT, "important"),
    (MailFlags::INBOX, "inbox"),
    (MailFlags::SENT, "sent"),
    (MailFlags::DRAFT, "draft"),
    (MailFlags::SPAM, "spam"),
    (MailFlags::TRASH, "trash"),
];
