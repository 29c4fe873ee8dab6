//! Errors as Google's APIs put them on the wire: the classic JSON envelope.
//! The OAuth endpoint has another shape, which lives in `oauth.rs`.

use crate::call::Reply;
use serde_json::{Value, json};

/// One refusal of an API call, before it becomes bytes.
///
/// See <https://developers.google.com/workspace/gmail/api/guides/handle-errors>.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) domain: &'static str,
    pub(crate) reason: String,
    /// The text of `errors[0].message`.
    pub(crate) detail: String,
    /// The text of `error.message`; newer services word it differently from the detail.
    pub(crate) message: String,
    /// Boxed, for it is rare and errors travel in every `Result`.
    pub(crate) extra: Box<Extra>,
}

/// What only some refusals have.
#[derive(Debug, Clone, Default)]
pub(crate) struct Extra {
    pub(crate) location: Option<(&'static str, &'static str)>,
    pub(crate) details: Option<Value>,
    pub(crate) www_authenticate: Option<String>,
    pub(crate) retry_after: Option<String>,
}

impl ApiError {
    pub(crate) fn new(status: u16, reason: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            status,
            domain: "global",
            reason: reason.to_owned(),
            detail: message.clone(),
            message,
            extra: Box::default(),
        }
    }

    /// 404 for a thing that is not, or no longer, there.
    pub(crate) fn not_found() -> Self {
        Self::new(404, "notFound", "Requested entity was not found.")
    }

    pub(crate) fn invalid_argument(message: impl Into<String>) -> Self {
        Self::new(400, "invalidArgument", message)
    }

    pub(crate) fn failed_precondition(message: impl Into<String>) -> Self {
        Self::new(400, "failedPrecondition", message)
    }

    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(403, "forbidden", message)
    }

    /// 401 for a token that is unknown or expired.
    pub(crate) fn invalid_credentials() -> Self {
        let mut error = Self::new(401, "authError", "Invalid Credentials");
        error.message =
            "Request had invalid authentication credentials. Expected OAuth 2 access token, \
            login cookie or other valid authentication credential. See \
            https://developers.google.com/identity/sign-in/web/devconsole-project."
                .to_owned();
        error.extra.location = Some(("header", "Authorization"));
        error.extra.www_authenticate = Some(
            "Bearer realm=\"https://accounts.google.com/\", error=\"invalid_token\"".to_owned(),
        );
        error
    }

    /// 401 for a call without any credentials.
    pub(crate) fn login_required() -> Self {
        let mut error = Self::new(401, "required", "Login Required.");
        error.message =
            "Request is missing required authentication credential. Expected OAuth 2 access token, \
            login cookie or other valid authentication credential. See \
            https://developers.google.com/identity/sign-in/web/devconsole-project."
                .to_owned();
        error.extra.location = Some(("header", "Authorization"));
        error.extra.www_authenticate =
            Some("Bearer realm=\"https://accounts.google.com/\"".to_owned());
        error
    }

    /// 403 for a token that is good but does not carry a scope which the method takes.
    pub(crate) fn insufficient_scope(operation: &str, scopes: &[&str]) -> Self {
        let (service, method) = backend(operation);
        let mut error = Self::new(403, "insufficientPermissions", "Insufficient Permission");
        error.message = "Request had insufficient authentication scopes.".to_owned();
        error.extra.details = Some(json!([{
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
            "domain": "googleapis.com",
            "metadata": { "service": service, "method": method },
        }]));
        error.extra.www_authenticate = Some(format!(
            "Bearer realm=\"https://accounts.google.com/\", error=\"insufficient_scope\", scope=\"{}\"",
            scopes.join(" ")
        ));
        error
    }

    /// The name of the canonical code that newer services add.
    fn rpc_status(&self) -> &'static str {
        match (self.status, self.reason.as_str()) {
            (400, "failedPrecondition") => "FAILED_PRECONDITION",
            (400, _) => "INVALID_ARGUMENT",
            (401, _) => "UNAUTHENTICATED",
            (403, _) => "PERMISSION_DENIED",
            (404, _) => "NOT_FOUND",
            (409, "alreadyExists") => "ALREADY_EXISTS",
            (409, _) => "ABORTED",
            (429, _) => "RESOURCE_EXHAUSTED",
            (503, _) => "UNAVAILABLE",
            (504, _) => "DEADLINE_EXCEEDED",
            (500..=599, _) => "INTERNAL",
            _ => "UNKNOWN",
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut item =
            json!({ "message": self.detail, "domain": self.domain, "reason": self.reason });
        if let Some((kind, place)) = self.extra.location {
            item["locationType"] = json!(kind);
            item["location"] = json!(place);
        }
        let mut error = json!({
            "code": self.status,
            "message": self.message,
            "errors": [item],
            "status": self.rpc_status(),
        });
        if let Some(details) = &self.extra.details {
            error["details"] = details.clone();
        }
        json!({ "error": error })
    }

    pub(crate) fn to_reply(&self) -> Reply {
        let mut reply = Reply::json(self.to_json());
        reply.status = self.status;
        if let Some(text) = &self.extra.www_authenticate {
            reply.headers.push(("www-authenticate", text.clone()));
        }
        if let Some(text) = &self.extra.retry_after {
            reply.headers.push(("retry-after", text.clone()));
        }
        reply
    }
}

/// The service behind a method id and what it calls the method inside. Names were seen in the field for each API but
/// Pub/Sub and IAM, whose protocol is public; those of single methods follow the pattern.
fn backend(operation: &str) -> (&'static str, String) {
    let (api, rest) = operation.split_once('.').unwrap_or((operation, ""));
    let (resources, verb) = rest.rsplit_once('.').unwrap_or(("", rest));
    let resource = resources.rsplit('.').next().unwrap_or_default();
    let (noun, verb) = (capital(resource), capital(verb));
    match api {
        "gmail" => {
            // `GetMessage`, but `ListMessages` and `GetProfile`.
            let noun = match (noun.as_str(), verb.as_str()) {
                ("Users", _) => "",
                ("SendAs" | "History", _) | (_, "List" | "BatchModify" | "BatchDelete") => &noun,
                _ => noun.trim_end_matches('s'),
            };
            let method = format!("caribou.api.proto.MailboxService.{verb}{noun}");
            ("gmail.googleapis.com", method)
        }
        "calendar" => (
            "calendar-json.googleapis.com",
            format!("calendar.v3.{noun}.{verb}"),
        ),
        "drive" => (
            "drive.googleapis.com",
            format!("google.apps.drive.v3.Drive{noun}.{verb}"),
        ),
        "directory" => (
            "admin.googleapis.com",
            format!("ccc.hosted.frontend.directory.v1.Directory{noun}.{verb}"),
        ),
        "pubsub" => {
            let part = match noun.as_str() {
                "Topics" => "Publisher",
                _ => "Subscriber",
            };
            (
                "pubsub.googleapis.com",
                format!("google.pubsub.v1.{part}.{verb}"),
            )
        }
        "iamcredentials" => (
            "iamcredentials.googleapis.com",
            format!("google.iam.credentials.v1.IAMCredentials.{verb}"),
        ),
        _ => ("oauth2.googleapis.com", operation.to_owned()),
    }
}

/// With a capital first letter.
fn capital(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn insufficient_scope_names_the_service_of_the_api() {
        for (operation, service, method) in [
            (
                "gmail.users.messages.list",
                "gmail.googleapis.com",
                "caribou.api.proto.MailboxService.ListMessages",
            ),
            (
                "gmail.users.getProfile",
                "gmail.googleapis.com",
                "caribou.api.proto.MailboxService.GetProfile",
            ),
            (
                "gmail.users.messages.get",
                "gmail.googleapis.com",
                "caribou.api.proto.MailboxService.GetMessage",
            ),
            (
                "gmail.users.history.list",
                "gmail.googleapis.com",
                "caribou.api.proto.MailboxService.ListHistory",
            ),
            (
                "calendar.calendarList.list",
                "calendar-json.googleapis.com",
                "calendar.v3.CalendarList.List",
            ),
            (
                "drive.files.list",
                "drive.googleapis.com",
                "google.apps.drive.v3.DriveFiles.List",
            ),
            (
                "directory.users.list",
                "admin.googleapis.com",
                "ccc.hosted.frontend.directory.v1.DirectoryUsers.List",
            ),
            (
                "pubsub.projects.subscriptions.pull",
                "pubsub.googleapis.com",
                "google.pubsub.v1.Subscriber.Pull",
            ),
            (
                "iamcredentials.projects.serviceAccounts.signJwt",
                "iamcredentials.googleapis.com",
                "google.iam.credentials.v1.IAMCredentials.SignJwt",
            ),
        ] {
            let error = ApiError::insufficient_scope(operation, &["a", "b"]);
            let body = error.to_json();
            assert_eq!(
                body["error"]["details"],
                json!([{
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
                    "domain": "googleapis.com",
                    "metadata": { "service": service, "method": method },
                }])
            );
            assert_eq!(body["error"]["status"], "PERMISSION_DENIED");
            assert_eq!(
                error.extra.www_authenticate.as_deref(),
                Some(
                    "Bearer realm=\"https://accounts.google.com/\", error=\"insufficient_scope\", scope=\"a b\""
                )
            );
        }
    }
}
