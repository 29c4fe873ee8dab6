//! The Directory's reads: who a user is. Own wire types, since there is no current crate.
//! <https://developers.google.com/workspace/admin/directory/reference/rest/v1/users>

use super::SCOPES_DIRECTORY;
use super::decode;
use crate::Error;
use crate::endpoint::Api;
use crate::http::{CallContext, Get, Transport, segment};
use crate::quota::Purpose;
use nuncio_model::{AccountKey, Address};
use serde::Deserialize;
use std::sync::Arc;

const USER: &str = "directory.users.get";
const FIELDS: &str =
    "id,primaryEmail,aliases,nonEditableAliases,emails(address),suspended,archived,isMailboxSetup";

/// The Directory as one administrator sees it. Clones are cheap.
#[derive(Clone)]
pub struct Directory {
    transport: Arc<Transport>,
    admin: Address,
}

/// A user of the domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryUser {
    /// Stays the same for ever, also when the user is renamed.
    pub id: AccountKey,
    /// The primary address, as Google writes it.
    pub primary_email: String,
    /// All addresses but the primary one, those of domain aliases and the user's own contact
    /// addresses included. May hold the primary one as well, and some twice.
    pub aliases: Vec<String>,
    /// Locked out by an administrator or by Google.
    pub suspended: bool,
    /// Kept for its data only.
    pub archived: bool,
    /// Whether there is a Gmail mailbox.
    pub is_mailbox_setup: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    id: Option<String>,
    primary_email: Option<String>,
    aliases: Option<Vec<String>>,
    non_editable_aliases: Option<Vec<String>>,
    emails: Option<Vec<EmailWire>>,
    suspended: Option<bool>,
    archived: Option<bool>,
    is_mailbox_setup: Option<bool>,
}

/// One of `emails`.
#[derive(Deserialize)]
struct EmailWire {
    address: Option<String>,
}

impl Directory {
    pub(crate) fn new(transport: Arc<Transport>, admin: Address) -> Self {
        Self { transport, admin }
    }

    /// Looks up a user by primary address, alias or id.
    ///
    /// # Errors
    /// See [`Error`]; an unknown user is [`crate::Fault::NotFound`].
    pub async fn user(&self, key: &str) -> Result<DirectoryUser, Error> {
        let segment = segment(key).ok_or(Error::Request {
            method: USER,
            what: "the user's key is unusable",
        })?;
        let context = CallContext {
            method: USER,
            mailbox: self.admin.as_str(),
            subject: Some(self.admin.as_str()),
            scopes: SCOPES_DIRECTORY,
            purpose: Purpose::Live,
        };
        let get = Get {
            api: Api::Directory,
            path: &format!("admin/directory/v1/users/{segment}"),
            query: &[("projection", "basic"), ("fields", FIELDS)],
        };
        let body = self.transport.get(&context, &get).await?;
        let wire: Wire = decode::whole(USER, &decode::text(&body))?;
        let (Some(id), Some(primary_email)) = (wire.id, wire.primary_email) else {
            return Err(Error::Decode {
                method: USER,
                what: "it has no id or primaryEmail".into(),
            });
        };
        let mut aliases = wire.aliases.unwrap_or_default();
        aliases.extend(wire.non_editable_aliases.unwrap_or_default());
        let emails = wire.emails.unwrap_or_default();
        aliases.extend(emails.into_iter().filter_map(|email| email.address));
        Ok(DirectoryUser {
            id: AccountKey::new(id),
            primary_email,
            aliases,
            suspended: wire.suspended.unwrap_or(false),
            archived: wire.archived.unwrap_or(false),
            // Absent with older fakes and proxies; a mailbox that is not there says so itself.
            is_mailbox_setup: wire.is_mailbox_setup.unwrap_or(true),
        })
    }
}

impl std::fmt::Debug for Directory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Directory(as {})", self.admin)
    }
}
