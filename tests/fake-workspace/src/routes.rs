//! The table of operations and the way of a call through it: match, authenticate, count, fail if told so, run.
//! What an operation does lives in the module of its API; a new API adds rows here.

use crate::call::{Body, Call, Cut, Reply};
use crate::error::ApiError;
use crate::faults::{Effect, Target};
use crate::workspace::{UserIndex, Workspace};
use crate::{directory, drive, fields, gmail, oauth};
use serde_json::json;

const GMAIL_FULL: &str = "https://mail.google.com/";
const GMAIL_MODIFY: &str = "https://www.googleapis.com/auth/gmail.modify";
const GMAIL_READONLY: &str = "https://www.googleapis.com/auth/gmail.readonly";
const GMAIL_METADATA: &str = "https://www.googleapis.com/auth/gmail.metadata";
const GMAIL_LABELS: &str = "https://www.googleapis.com/auth/gmail.labels";
const GMAIL_COMPOSE: &str = "https://www.googleapis.com/auth/gmail.compose";
const GMAIL_INSERT: &str = "https://www.googleapis.com/auth/gmail.insert";

const READ: &[&str] = &[GMAIL_FULL, GMAIL_MODIFY, GMAIL_READONLY, GMAIL_METADATA];
const READ_BODIES: &[&str] = &[GMAIL_FULL, GMAIL_MODIFY, GMAIL_READONLY];
const PROFILE: &[&str] = &[
    GMAIL_FULL,
    GMAIL_MODIFY,
    GMAIL_READONLY,
    GMAIL_METADATA,
    GMAIL_COMPOSE,
];
const LABELS: &[&str] = &[
    GMAIL_FULL,
    GMAIL_MODIFY,
    GMAIL_READONLY,
    GMAIL_METADATA,
    GMAIL_LABELS,
];
const MODIFY: &[&str] = &[GMAIL_FULL, GMAIL_MODIFY];
const INSERT: &[&str] = &[GMAIL_FULL, GMAIL_MODIFY, GMAIL_INSERT];
const DELETE: &[&str] = &[GMAIL_FULL];
const DIRECTORY: &[&str] = &[
    "https://www.googleapis.com/auth/admin.directory.user.readonly",
    "https://www.googleapis.com/auth/admin.directory.user",
    "https://www.googleapis.com/auth/cloud-platform",
];

/// A method of an API: its id in the discovery document, its place and the scopes of which one is enough.
pub(crate) struct Operation {
    name: &'static str,
    method: &'static str,
    /// Segments in braces match anything and can be asked for by name.
    path: &'static str,
    run: Run,
}

#[derive(Clone, Copy)]
enum Run {
    /// The token endpoint: no bearer, another shape of errors.
    Open(fn(&Workspace, &Call) -> Reply),
    Api(
        &'static [&'static str],
        fn(&Context<'_>) -> Result<Reply, ApiError>,
    ),
}

/// A row of an API with bearer tokens; of `scopes` one is enough.
pub(crate) const fn api(
    name: &'static str,
    method: &'static str,
    path: &'static str,
    scopes: &'static [&'static str],
    run: fn(&Context<'_>) -> Result<Reply, ApiError>,
) -> Operation {
    Operation {
        name,
        method,
        path,
        run: Run::Api(scopes, run),
    }
}

const fn open(
    name: &'static str,
    path: &'static str,
    run: fn(&Workspace, &Call) -> Reply,
) -> Operation {
    Operation {
        name,
        method: "POST",
        path,
        run: Run::Open(run),
    }
}

/// All tables; the first row that fits a call wins.
const TABLES: &[&[Operation]] = &[OPERATIONS, drive::OPERATIONS];

const OPERATIONS: &[Operation] = &[
    open("oauth.token", "token", oauth::token),
    open("oauth.token", "oauth2/v4/token", oauth::token),
    open("oauth.revoke", "revoke", oauth::revoke),
    api(
        "directory.users.list",
        "GET",
        "admin/directory/v1/users",
        DIRECTORY,
        directory::list,
    ),
    api(
        "directory.users.get",
        "GET",
        "admin/directory/v1/users/{userKey}",
        DIRECTORY,
        directory::get,
    ),
    api(
        "gmail.users.getProfile",
        "GET",
        "gmail/v1/users/{userId}/profile",
        PROFILE,
        gmail::profile,
    ),
    api(
        "gmail.users.labels.list",
        "GET",
        "gmail/v1/users/{userId}/labels",
        LABELS,
        gmail::labels::list,
    ),
    api(
        "gmail.users.labels.get",
        "GET",
        "gmail/v1/users/{userId}/labels/{id}",
        LABELS,
        gmail::labels::get,
    ),
    api(
        "gmail.users.messages.list",
        "GET",
        "gmail/v1/users/{userId}/messages",
        READ,
        gmail::list::list,
    ),
    api(
        "gmail.users.messages.get",
        "GET",
        "gmail/v1/users/{userId}/messages/{id}",
        READ,
        gmail::message::get,
    ),
    api(
        "gmail.users.messages.attachments.get",
        "GET",
        "gmail/v1/users/{userId}/messages/{messageId}/attachments/{id}",
        READ_BODIES,
        gmail::message::attachment,
    ),
    api(
        "gmail.users.history.list",
        "GET",
        "gmail/v1/users/{userId}/history",
        READ,
        gmail::history::list,
    ),
    api(
        "gmail.users.messages.insert",
        "POST",
        "gmail/v1/users/{userId}/messages",
        INSERT,
        gmail::write::insert,
    ),
    api(
        "gmail.users.messages.insert",
        "POST",
        "upload/gmail/v1/users/{userId}/messages",
        INSERT,
        gmail::write::insert,
    ),
    api(
        "gmail.users.messages.import",
        "POST",
        "gmail/v1/users/{userId}/messages/import",
        INSERT,
        gmail::write::import,
    ),
    api(
        "gmail.users.messages.import",
        "POST",
        "upload/gmail/v1/users/{userId}/messages/import",
        INSERT,
        gmail::write::import,
    ),
    api(
        "gmail.users.messages.batchModify",
        "POST",
        "gmail/v1/users/{userId}/messages/batchModify",
        MODIFY,
        gmail::write::batch_modify,
    ),
    api(
        "gmail.users.messages.batchDelete",
        "POST",
        "gmail/v1/users/{userId}/messages/batchDelete",
        DELETE,
        gmail::write::batch_delete,
    ),
    api(
        "gmail.users.messages.modify",
        "POST",
        "gmail/v1/users/{userId}/messages/{id}/modify",
        MODIFY,
        gmail::write::modify,
    ),
    api(
        "gmail.users.messages.trash",
        "POST",
        "gmail/v1/users/{userId}/messages/{id}/trash",
        MODIFY,
        gmail::write::trash,
    ),
    api(
        "gmail.users.messages.untrash",
        "POST",
        "gmail/v1/users/{userId}/messages/{id}/untrash",
        MODIFY,
        gmail::write::untrash,
    ),
    api(
        "gmail.users.messages.delete",
        "DELETE",
        "gmail/v1/users/{userId}/messages/{id}",
        DELETE,
        gmail::write::delete,
    ),
];

/// What an operation sees of the call.
pub(crate) struct Context<'a> {
    pub(crate) workspace: &'a Workspace,
    pub(crate) call: &'a Call,
    /// Absent for a token of the service account itself.
    pub(crate) caller: Option<UserIndex>,
    /// The scopes of the token.
    pub(crate) scopes: &'a [String],
    pub(crate) empty_page: bool,
    pattern: &'static str,
}

impl Context<'_> {
    /// The segment that stands for `name` in the path; empty if the path has none.
    pub(crate) fn path(&self, name: &str) -> &str {
        segment(self.pattern, self.call, name).unwrap_or_default()
    }

    /// The mailbox that the path names; refused unless it is the caller's own.
    pub(crate) fn mailbox(&self) -> Result<UserIndex, ApiError> {
        self.workspace.own_mailbox(self.caller, self.path("userId"))
    }

    /// Whether the token sees headers only.
    pub(crate) fn metadata_only(&self) -> bool {
        !self
            .scopes
            .iter()
            .any(|scope| READ_BODIES.contains(&scope.as_str()))
    }
}

/// Answers one call, with its delays.
pub(crate) async fn answer(workspace: &Workspace, call: &Call) -> Reply {
    let Some(operation) = find(call) else {
        return ApiError::new(404, "notFound", "Not Found").to_reply();
    };
    let grant = match operation.run {
        Run::Open(_) => None,
        Run::Api(scopes, _) => match authorize(workspace, call, operation.name, scopes) {
            Ok(grant) => Some(grant),
            Err(error) => {
                workspace.stats.refused("-", operation.name, error.status);
                return error.to_reply();
            }
        },
    };
    let user = match &grant {
        None => oauth::claimed_subject(call).unwrap_or_else(|| "-".to_owned()),
        Some(grant) => grant
            .user
            .map_or_else(|| "-".to_owned(), |index| workspace.user(index).primary),
    };
    let _open = workspace.stats.enter(&user, operation.name);
    let suffering = workspace.faults().take(Target {
        user: &user,
        method: operation.name,
        item: segment(operation.path, call, "id"),
    });
    let (latency, effect) = match suffering {
        Some(suffering) => (suffering.latency, suffering.effect),
        None => (std::time::Duration::ZERO, Effect::None),
    };
    let latency = latency + workspace.latency;
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let mut reply = match (effect, operation.run, &grant) {
        (Effect::Reply(reply), _, _) => reply,
        (effect, Run::Api(_, run), Some(grant)) => {
            let context = Context {
                workspace,
                call,
                caller: grant.user,
                scopes: &grant.scopes,
                empty_page: matches!(effect, Effect::EmptyPage),
                pattern: operation.path,
            };
            let mut reply = run(&context).unwrap_or_else(|error| error.to_reply());
            if matches!(effect, Effect::Cut) {
                reply.cut = Cut::InTheMiddle;
            }
            reply
        }
        (effect, Run::Open(run), _) => {
            let mut reply = run(workspace, call);
            if matches!(effect, Effect::Cut) {
                reply.cut = Cut::InTheMiddle;
            }
            reply
        }
        (_, Run::Api(..), None) => ApiError::login_required().to_reply(),
    };
    if reply.status >= 400 {
        workspace.stats.refused(&user, operation.name, reply.status);
    } else if let (Some(mask), Body::Json(value)) = (call.query.first("fields"), &mut reply.body) {
        match fields::Mask::parse(mask) {
            Some(mask) => mask.apply(value),
            None => {
                let message = format!("Invalid field selection {mask}");
                return ApiError::new(400, "invalidParameter", message).to_reply();
            }
        }
    }
    reply
}

fn find(call: &Call) -> Option<&'static Operation> {
    TABLES
        .iter()
        .copied()
        .flatten()
        .find(|operation| operation.fits(call))
}

fn authorize(
    workspace: &Workspace,
    call: &Call,
    operation: &str,
    scopes: &[&str],
) -> Result<oauth::Grant, ApiError> {
    let grant = oauth::authenticate(workspace, call)?;
    let enough = grant
        .scopes
        .iter()
        .any(|scope| scopes.contains(&scope.as_str()));
    if enough {
        Ok(grant)
    } else {
        Err(ApiError::insufficient_scope(operation, scopes))
    }
}

impl Operation {
    fn fits(&self, call: &Call) -> bool {
        let mut actual = call.segments.iter();
        let fits = self.path.split('/').all(|wanted| {
            actual.next().is_some_and(|actual| {
                if wanted.starts_with('{') {
                    !actual.is_empty()
                } else {
                    wanted == actual
                }
            })
        });
        fits && actual.next().is_none() && call.method.as_str() == self.method
    }
}

fn segment<'a>(pattern: &str, call: &'a Call, name: &str) -> Option<&'a str> {
    let at = pattern.split('/').position(|part| {
        part.strip_prefix('{')
            .and_then(|part| part.strip_suffix('}'))
            == Some(name)
    })?;
    call.segments.get(at).map(String::as_str)
}

/// A page without items that leads to `token`; only for the fault that asks for it.
pub(crate) fn empty_page(mut answer: serde_json::Value, token: &str) -> Reply {
    answer["nextPageToken"] = json!(token);
    Reply::json(answer)
}
