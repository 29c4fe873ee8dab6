//! The table of operations and the way of a call through it: match, authenticate, count, fail if told so, run.
//! What an operation does lives in the module of its API; a new API adds rows here.

use crate::call::{Body, Call, Reply, segments};
use crate::error::ApiError;
use crate::faults::Target;
use crate::fields::Mask;
use crate::quota::Charge;
use crate::workspace::{UserIndex, Workspace};
use crate::{calendar, directory, discovery, drive, fields, gmail, oauth, pubsub};
use bytes::Bytes;
use serde_json::{Value, json};

const GET_USER: &[&str] = &[
    "https://www.googleapis.com/auth/admin.directory.user.readonly",
    "https://www.googleapis.com/auth/admin.directory.user",
];
const LIST_USERS: &[&str] = &[
    "https://www.googleapis.com/auth/admin.directory.user.readonly",
    "https://www.googleapis.com/auth/admin.directory.user",
    "https://www.googleapis.com/auth/cloud-platform",
];

/// A method of an API: its id in the discovery document, its place and the scopes of which one is enough.
#[derive(Clone, Copy)]
pub(crate) struct Operation {
    name: &'static str,
    method: &'static str,
    /// Segments in braces match anything and can be asked for by name.
    path: &'static str,
    run: Run,
}

#[derive(Clone, Copy)]
enum Run {
    /// Parts of the authorization server: no bearer, another shape of errors.
    Open(fn(&Workspace, &Call) -> Reply),
    Api(
        &'static [&'static str],
        fn(&Context<'_>) -> Result<Reply, ApiError>,
    ),
}

/// A method that takes a bearer token with one of `scopes`.
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

/// A method that takes no bearer token.
pub(crate) const fn open(
    name: &'static str,
    method: &'static str,
    path: &'static str,
    run: fn(&Workspace, &Call) -> Reply,
) -> Operation {
    Operation {
        name,
        method,
        path,
        run: Run::Open(run),
    }
}

/// One way to call a method that the server has, for tests that walk all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Served {
    /// The id of the method in Google's discovery document; parts of the authorization server have names of ours.
    pub name: &'static str,
    /// The method of HTTP.
    pub method: &'static str,
    /// The path without its leading slash; segments in braces stand for anything.
    pub path: &'static str,
    /// The scopes of which a token needs one; empty where no token is wanted.
    pub scopes: &'static [&'static str],
}

impl Served {
    /// Whether a call of this path, as it is on the wire, is answered by this row.
    pub fn fits(&self, method: &str, path: &str) -> bool {
        fits(self.path, &segments(path)) && method == self.method
    }
}

/// All that the server answers, in the order in which it looks: the first row that fits a call wins.
///
/// Batches are no row: `POST /batch` takes other calls apart.
pub fn operations() -> impl Iterator<Item = Served> {
    TABLES.iter().copied().flatten().map(|operation| Served {
        name: operation.name,
        method: operation.method,
        path: operation.path,
        scopes: match operation.run {
            Run::Open(_) => &[],
            Run::Api(scopes, _) => scopes,
        },
    })
}

/// The tables of all APIs; the first row that fits a call wins.
const TABLES: &[&[Operation]] = &[
    oauth::OPERATIONS,
    discovery::OPERATIONS,
    OPERATIONS,
    gmail::OPERATIONS,
    calendar::OPERATIONS,
    drive::OPERATIONS,
    pubsub::OPERATIONS,
];

const OPERATIONS: &[Operation] = &[
    api(
        "directory.users.list",
        "GET",
        "admin/directory/v1/users",
        LIST_USERS,
        directory::list,
    ),
    api(
        "directory.users.get",
        "GET",
        "admin/directory/v1/users/{userKey}",
        GET_USER,
        directory::get,
    ),
];

/// Path segments that name the item of a call, for faults that hit one item.
const ITEM_SEGMENTS: &[&str] = &["messageId", "id", "eventId", "fileId"];
/// Parameters that carry a position in a change log or a listing.
const CURSORS: &[&str] = &["startHistoryId", "syncToken", "pageToken"];

/// What an operation sees of the call.
pub(crate) struct Context<'a> {
    pub(crate) workspace: &'a Workspace,
    pub(crate) call: &'a Call,
    /// Absent for a token of the service account itself.
    pub(crate) caller: Option<UserIndex>,
    /// The scopes of the token.
    pub(crate) scopes: &'a [String],
    pub(crate) empty_page: bool,
    /// What is asked for of the answer; the mask is applied later, so nobody has to heed it.
    pub(crate) mask: Option<&'a Mask>,
    /// What came in a resumable upload, in its last call.
    pub(crate) uploaded: Option<&'a Uploaded>,
    pattern: &'static str,
}

/// Metadata and content of a resumable upload.
pub(crate) struct Uploaded {
    pub(crate) metadata: Value,
    pub(crate) content: Bytes,
}

impl<'a> Context<'a> {
    /// The same call with what was uploaded in pieces.
    pub(crate) fn with_upload(&self, uploaded: &'a Uploaded) -> Self {
        Self {
            uploaded: Some(uploaded),
            ..*self
        }
    }
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

    /// Whether the token carries one of `scopes`.
    pub(crate) fn has_scope(&self, scopes: &[&str]) -> bool {
        self.scopes
            .iter()
            .any(|scope| scopes.contains(&scope.as_str()))
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
        None => oauth::claimed_user(workspace, call).unwrap_or_else(|| "-".to_owned()),
        Some(grant) => grant
            .user
            .map_or_else(|| "-".to_owned(), |index| workspace.primary(index)),
    };
    let _open = workspace.stats.enter(&user, operation.name);
    let charge = Charge::new(workspace, call, grant.as_ref(), operation.name, &user);
    let _permit = match workspace.quota.admit(&charge) {
        Ok(permit) => permit,
        Err(error) => {
            workspace.stats.refused(&user, operation.name, error.status);
            return error.to_reply();
        }
    };
    let mask = match fields::requested(call, operation.name) {
        Ok(mask) => mask,
        Err(error) => {
            workspace.stats.refused(&user, operation.name, error.status);
            return error.to_reply();
        }
    };
    let suffering = workspace.faults().take(Target {
        user: &user,
        method: operation.name,
        item: ITEM_SEGMENTS
            .iter()
            .find_map(|name| segment(operation.path, call, name)),
        has_cursor: CURSORS.iter().any(|name| call.query.first(name).is_some()),
    });
    let latency = suffering.latency + workspace.latency;
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let mut reply = match (&suffering.reply, operation.run, &grant) {
        (Some(refusal), ..) => refusal.to_reply(operation.name),
        (None, Run::Api(_, run), Some(grant)) => {
            let context = Context {
                workspace,
                call,
                caller: grant.user,
                scopes: &grant.scopes,
                empty_page: suffering.empty_page,
                mask: mask.as_ref(),
                uploaded: None,
                pattern: operation.path,
            };
            run(&context).unwrap_or_else(|error| error.to_reply())
        }
        (None, Run::Open(run), _) => run(workspace, call),
        (None, Run::Api(..), None) => ApiError::login_required().to_reply(),
    };
    suffering.spoil(&mut reply);
    if reply.status >= 400 {
        workspace.stats.refused(&user, operation.name, reply.status);
    } else if let (Some(mask), Body::Json(value)) = (mask, &mut reply.body) {
        mask.apply(value);
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
        fits(self.path, &call.segments) && call.method.as_str() == self.method
    }
}

fn fits(pattern: &str, segments: &[String]) -> bool {
    let mut actual = segments.iter();
    let fits = pattern.split('/').all(|wanted| {
        actual.next().is_some_and(|actual| {
            match wanted
                .strip_prefix('{')
                .and_then(|rest| rest.split_once('}'))
            {
                // `{subscription}:pull` wants something before the colon.
                Some((_, verb)) => actual
                    .strip_suffix(verb)
                    .is_some_and(|value| !value.is_empty()),
                None => wanted == actual,
            }
        })
    });
    fits && actual.next().is_none()
}

fn segment<'a>(pattern: &str, call: &'a Call, name: &str) -> Option<&'a str> {
    pattern
        .split('/')
        .zip(&call.segments)
        .find_map(|(part, actual)| {
            let (own, verb) = part.strip_prefix('{')?.split_once('}')?;
            if own == name {
                actual.strip_suffix(verb)
            } else {
                None
            }
        })
}

/// A page without items that leads to `token`; only for the fault that asks for it.
pub(crate) fn empty_page(mut answer: Value, token: &str) -> Reply {
    answer["nextPageToken"] = json!(token);
    Reply::json(answer)
}
