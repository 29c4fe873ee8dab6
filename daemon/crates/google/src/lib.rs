//! Google for nuncio: tokens, one HTTP transport, permits, and the calls of
//! Gmail, Calendar, Drive and the Directory. All of it is non-generic, so that the HTTP stack is compiled here
//! once. What to call when, and what an answer means for a feed, is not here.
//!
//! [`Google`] is the way in; [`Gmail`], [`Calendar`], [`Drive`] and [`Directory`] are its clients. Every error answers
//! `next()` (what a caller must do), `code()` (stable, for operators) and `hint()`.

mod api;
mod auth;
mod client;
mod codes;
mod endpoint;
mod error;
mod google;
mod http;
mod limits;
mod quota;
mod retry;
mod status;

pub use api::answers;
pub use api::{
    BadItem, Calendar, CalendarPage, ChangePage, Directory, DirectoryUser, DraftPage, Drive,
    DriveChange, DriveFile, DriveIdPage, DrivePermission, DriveUser, EventPage, FilePage,
    FullMessage, Gmail, HistoryPage, HistoryRecord, Label, LargeSlot, ListEvents, ListFiles,
    ListMessages, ListedCalendar, ListedDraft, ListedMessage, Message, MessagePage, MessagePart,
    MessageRef, NextChanges, Profile, RawAttachment, RawAttendee, RawConference, RawEntryPoint,
    RawEvent, RawMessage, RawPerson, RawProperties, RawSolution, RawTime, ReadPrices, RootRights,
    SCOPES_CALENDAR, SCOPES_CALENDAR_WHOLE, SCOPES_DIRECTORY, SCOPES_DRIVE, SCOPES_GMAIL, Thread,
};
pub use auth::{
    AuthError, Consent, ConsentStore, Consents, Credentials, Denied, ExternalAccount,
    ExternalAccountError, GrantedBy, IDENTITY_SCOPES, Key, KeyError, Keyless, Login, NewConsent,
    OAuthClient, OAuthClientError, RedirectError, Refusal, Scopes, Signer, Uncovered, Workload,
};
pub use codes::CODES;
pub use endpoint::{Endpoint, EndpointError};
pub use error::Error;
pub use google::Google;
pub use limits::Limits;
pub use quota::{ApiName, DayUsage, Limit, PriceList, Purpose, QuotaOptions, Usage};
pub use status::{Fault, Status};
