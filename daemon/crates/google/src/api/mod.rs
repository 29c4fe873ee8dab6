//! The calls, one file per API: requests, wire types, plain values. No policy: no paging loops,
//! no retries, no sync.

pub mod answers;
mod calendar;
mod calendar_event;
mod decode;
mod directory;
mod drafts;
mod drive;
mod drive_file;
mod full;
mod gmail;
mod history;
mod message;

use crate::Scopes;

pub(crate) use calendar::CalendarGrant;
pub use calendar::{Calendar, CalendarPage, EventPage, ListEvents, ListedCalendar};
pub use calendar_event::{
    RawAttachment, RawAttendee, RawConference, RawEntryPoint, RawEvent, RawPerson, RawProperties,
    RawSolution, RawTime,
};
pub use decode::BadItem;
pub use directory::{Directory, DirectoryUser};
pub use drafts::{DraftPage, ListedDraft};
pub use drive::{
    ChangePage, Drive, DriveChange, DriveIdPage, FilePage, ListFiles, NextChanges, RootRights,
};
pub use drive_file::{DriveFile, DrivePermission, DriveUser};
pub use full::{FullMessage, MessagePart, Thread};
pub use gmail::{
    Gmail, Label, LargeSlot, ListMessages, ListedMessage, MessagePage, Profile, ReadPrices,
};
pub use history::{HistoryPage, HistoryRecord, MessageRef};
pub use message::{Message, RawMessage};

/// What Gmail's calls need.
pub const SCOPES_GMAIL: Scopes = Scopes(&["https://www.googleapis.com/auth/gmail.readonly"]);

/// What Calendar's calls need, and what is tried first.
pub const SCOPES_CALENDAR: Scopes = Scopes(&["https://www.googleapis.com/auth/calendar.readonly"]);

/// What Calendar's calls take as well, where only this is delegated.
pub const SCOPES_CALENDAR_WHOLE: Scopes = Scopes(&["https://www.googleapis.com/auth/calendar"]);

/// What the Directory's calls need.
pub const SCOPES_DIRECTORY: Scopes =
    Scopes(&["https://www.googleapis.com/auth/admin.directory.user.readonly"]);

/// What Drive's calls need: metadata only, and not the list of shared drives.
pub const SCOPES_DRIVE: Scopes =
    Scopes(&["https://www.googleapis.com/auth/drive.metadata.readonly"]);
