//! What all crates of nuncio share: ids, records, feeds, users and the rules that need no IO.
//!
//! There is no IO, no async and no clock read here beyond [`Clock`]; what a thing means lives
//! here, what is done with it lives in the crate that does it.

mod chain;
mod clock;
mod codes;
mod content;
mod email;
mod escape;
mod event;
mod feed;
mod file;
mod flag_set;
mod ids;
mod labels;
mod next;
mod outcome;
mod people;
mod record;
mod secret;

pub use chain::Chain;
pub use clock::{Clock, ManualClock, SystemClock};
pub use codes::CodeInfo;
pub use content::Content;
pub use email::{Attachment, BlobRef, Direction, Email, MailCategory, MailFlags};
pub use escape::{Untrusted, untrusted};
pub use event::{
    Attendee, AttendeeFlags, Conference, Event, EventAttachment, EventStatus, EventTime,
    GuestRights, Response, Visibility, ZonedTime,
};
pub use feed::{
    Append, Appended, Blob, Cursor, FailedItem, Failure, Feed, FeedSpec, IndexRow, Membership,
    NewAccount, Op, OpResult, StoreError, StoredAccount, Walk, WalkPhase,
};
pub use file::{File, FileFlags, Permission, Shortcut};
pub use ids::{
    AccountKey, Address, FeedId, ItemId, MY_DRIVE, PRIMARY_CALENDAR, RecordKey, Revision, SinkName,
    ThreadId,
};
pub use labels::{LabelNames, LabelSet};
pub use next::Next;
pub use outcome::{CallError, Outcome, Wait};
pub use people::{AliasClaim, AliasClash, AliasOrigin, Contest, People, Person};
pub use record::{
    Change, DeleteCause, Deleted, LabelChange, Origin, Participant, Payload, Record, Source, Who,
};
pub use secret::Secret;
