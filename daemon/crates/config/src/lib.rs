//! The config file: read, judged as a whole, and handed on as one validated [`Config`].
//!
//! The TOML text becomes a tree with places; each section's reader walks its part by hand and
//! reports everything that is wrong, with file, line, column and a hint. Only a file without a
//! single error becomes a [`Config`], and there is no other way to make one. What needs the
//! network (is the user known at Google?) or a plugin (do the settings fit?) is not judged here.

mod codes;
mod config;
mod diff;
mod errors;
mod file;
mod google;
mod keys;
mod place;
mod quote;
mod raw;
mod report;
mod schema;
mod secrets;
mod settings;
mod sinks;
mod storage;
mod sync;
mod users;
mod values;

pub use codes::{CODES, Code, HELD, NEEDS_RESTART, STALE};
pub use config::{
    Account, Batch, Config, DirGrant, DirMode, DrivePermissions, Endpoint, Google, Grants, Keyless,
    Limits, Log, LogFormat, Mode, Plugins, PriceList, Quota, Rate, RecordKind, Retry,
    ServiceAccount, Since, Sink, Spool, Sync, User,
};
pub use diff::{Diff, SettingChange, SinkChange, SinkChangeKind, UserChange, UserChangeKind};
pub use errors::{Errors, Problem};
pub use file::Files;
pub use schema::schema;
pub use secrets::{SecretError, SecretSource};
