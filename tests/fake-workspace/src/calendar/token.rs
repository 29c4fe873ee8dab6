//! Page and sync tokens: opaque to clients, bound to what they were made for.

use super::desk::invalid;
use super::store::{Expiry, Key};
use crate::error::ApiError;
use crate::wire::{from_token, to_token};
use serde_json::json;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Where a listing with changes goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyncToken {
    pub(crate) serial: u64,
    /// Changes up to this number are known to the client.
    pub(crate) change: u64,
    /// User, collection and parameters of the first listing.
    pub(crate) binding: u64,
    /// The access role then; another one makes the token invalid.
    pub(crate) role: String,
    /// `timeMin` and `timeMax` of the first listing, in seconds.
    pub(crate) bounds: (Option<i64>, Option<i64>),
}

/// Where the next page of a listing begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PageToken {
    /// All parameters of the listing.
    pub(crate) binding: u64,
    /// The newest change when its first page was made.
    pub(crate) anchor: u64,
    /// Order key of the last entry that was looked at.
    pub(crate) after: String,
}

/// A number for a set of values; differs, but for accidents, where they do.
pub(crate) fn binding(values: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    values.hash(&mut hasher);
    hasher.finish()
}

impl SyncToken {
    pub(crate) fn write(&self) -> String {
        let (min, max) = self.bounds;
        to_token(&json!([
            self.serial,
            self.change,
            self.binding,
            self.role,
            min,
            max
        ]))
    }

    pub(crate) fn parse(text: &str) -> Result<Self, ApiError> {
        let read = || {
            let value = from_token(text)?;
            Some(Self {
                serial: value[0].as_u64()?,
                change: value[1].as_u64()?,
                binding: value[2].as_u64()?,
                role: value[3].as_str()?.to_owned(),
                bounds: (value[4].as_i64(), value[5].as_i64()),
            })
        };
        read().ok_or_else(|| invalid("syncToken", "Invalid sync token value."))
    }

    /// Refuses a token that has been made invalid, or was made with other rights.
    pub(crate) fn check(&self, expiry: Option<Expiry>, role: &str) -> Result<(), ApiError> {
        match expiry {
            Some(expiry) if self.serial <= expiry.serial => Err(gone(expiry.plain)),
            _ if self.role != role => Err(gone(false)),
            _ => Ok(()),
        }
    }
}

impl PageToken {
    pub(crate) fn write(&self) -> String {
        to_token(&json!([self.binding, self.anchor, self.after]))
    }

    /// Reads the token of a listing with these parameters.
    pub(crate) fn parse(text: &str, binding: u64) -> Result<Self, ApiError> {
        let read = || {
            let value = from_token(text)?;
            Some(Self {
                binding: value[0].as_u64()?,
                anchor: value[1].as_u64()?,
                after: value[2].as_str()?.to_owned(),
            })
        };
        read()
            .filter(|token| token.binding == binding)
            .ok_or_else(|| invalid("pageToken", "Invalid page token value."))
    }
}

/// 410: the client has to start anew.
fn gone(plain: bool) -> ApiError {
    if plain {
        return ApiError::new(410, "gone", "Gone");
    }
    let mut error = super::desk::refused(
        410,
        "fullSyncRequired",
        "Sync token is no longer valid, a full sync is required.",
    );
    error.extra.location = Some(("parameter", "syncToken"));
    error
}

/// The name of a calendar inside a binding.
pub(crate) fn key_text(key: &Key) -> String {
    match key {
        Key::Primary(user) => format!("user {}", user.0),
        Key::Named(id) => id.clone(),
    }
}
