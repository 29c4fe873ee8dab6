//! The OAuth client of the installed type: its file, its authentication, and the grants that it exchanges.
//!
//! See <https://developers.google.com/identity/protocols/oauth2/native-app>.

use super::consent::ChallengeMethod;
use super::tokens::{Code, GrantedBy, TESTING_LIFE_MS};
use super::{Issued, Refusal, info};
use crate::Error;
use crate::call::{Call, Query};
use crate::keys::write_json;
use crate::workspace::{UserIndex, Workspace};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What became of a client in the Cloud console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClientState {
    Good,
    Disabled,
    Deleted,
    /// The consent screen is internal to another organisation.
    Foreign,
}

impl ClientState {
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "ok" => Self::Good,
            "disabled" => Self::Disabled,
            "deleted" => Self::Deleted,
            "org_internal" => Self::Foreign,
            _ => return None,
        })
    }

    /// Refuses in the words of the token endpoint.
    pub(super) fn check(self) -> Result<(), Refusal> {
        Err(match self {
            Self::Good => return Ok(()),
            Self::Disabled => Refusal(401, "disabled_client", "The OAuth client was disabled."),
            Self::Deleted => Refusal(401, "deleted_client", "The OAuth client was deleted."),
            Self::Foreign => Refusal(
                403,
                "org_internal",
                "This client is restricted to users within its organization.",
            ),
        })
    }
}

/// What the consent page does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ConsentMode {
    /// Waits for a person.
    Page,
    /// Says yes at once for the user of `login_hint`, or for this one (a primary address).
    Auto(Option<String>),
    /// Says no at once.
    Deny,
}

/// The installed client and the policies around it.
#[derive(Debug)]
pub(crate) struct Client {
    pub(super) id: String,
    secret: String,
    pub(super) state: ClientState,
    /// Of the service account's own client.
    pub(super) service_account: ClientState,
    /// The consent screen is in testing: refresh tokens live for a week.
    pub(super) testing: bool,
    pub(super) consent: ConsentMode,
    /// Scopes that the administrator's app-access policy blocks.
    pub(super) blocked: BTreeSet<String>,
    /// Whether the workload of the metadata server may sign for the service account.
    pub(super) may_sign: bool,
}

impl Client {
    /// Makes the client and writes its file into `dir`, readable by the owner only.
    pub(crate) fn create(dir: &Path, base: &str, project: &str) -> Result<(Self, PathBuf), Error> {
        let client = Self {
            id: "618394720156-fake0workspace0installed.apps.googleusercontent.com".to_owned(),
            secret: "GOCSPX-fake-workspace-installed".to_owned(),
            state: ClientState::Good,
            service_account: ClientState::Good,
            testing: false,
            consent: ConsentMode::Page,
            blocked: BTreeSet::new(),
            may_sign: true,
        };
        let file = json!({ "installed": {
            "client_id": client.id,
            "project_id": project,
            "auth_uri": format!("{base}/o/oauth2/auth"),
            "token_uri": format!("{base}/token"),
            "auth_provider_x509_cert_url": format!("{base}/oauth2/v1/certs"),
            "client_secret": client.secret,
            "redirect_uris": ["http://localhost"],
        }});
        let path = dir.join("oauth-client.json");
        write_json(&path, &file)?;
        Ok((client, path))
    }
}

/// Refuses scopes that the administrator's policy blocks.
pub(super) fn check_policy(workspace: &Workspace, scopes: &[String]) -> Result<(), Refusal> {
    let blocked = &workspace.client().blocked;
    if scopes.iter().any(|scope| blocked.contains(scope)) {
        return Err(Refusal(
            400,
            "admin_policy_enforced",
            "The Google Account is unable to authorize one or more scopes requested due to the \
             policies of their Google Workspace administrator.",
        ));
    }
    Ok(())
}

/// Who asks: by form fields or by HTTP Basic.
fn authenticate(workspace: &Workspace, call: &Call, form: &Query) -> Result<(), Refusal> {
    let basic = call
        .header("authorization")
        .and_then(|header| header.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))
        .and_then(|(_, text)| String::from_utf8(STANDARD.decode(text.trim()).ok()?).ok());
    let (id, secret) = match basic.as_deref().and_then(|text| text.split_once(':')) {
        Some((id, secret)) => (Some(id), Some(secret)),
        None => (form.first("client_id"), form.first("client_secret")),
    };
    let id = id.filter(|id| !id.is_empty()).ok_or(Refusal(
        400,
        "invalid_request",
        "Could not determine client ID from request.",
    ))?;
    let client = workspace.client();
    if id != client.id {
        let unknown = "The OAuth client was not found.";
        return Err(Refusal(401, "invalid_client", unknown));
    }
    client.state.check()?;
    match secret {
        None | Some("") => Err(Refusal(400, "invalid_request", "client_secret is missing.")),
        Some(secret) if secret == client.secret => Ok(()),
        Some(_) => Err(Refusal(401, "invalid_client", "Unauthorized")),
    }
}

/// The grant `authorization_code`.
pub(super) fn exchange_code(
    workspace: &Workspace,
    call: &Call,
    form: &Query,
) -> Result<Issued, Refusal> {
    authenticate(workspace, call, form)?;
    let text = form
        .first("code")
        .filter(|code| !code.is_empty())
        .ok_or(Refusal(
            400,
            "invalid_request",
            "Missing required parameter: code",
        ))?;
    if !text.starts_with("4/") {
        return Err(Refusal(400, "invalid_grant", "Malformed auth code."));
    }
    let now = workspace.now_ms();
    let code = workspace.tokens().take_code(text, now).ok_or(Refusal(
        400,
        "invalid_grant",
        "Bad Request",
    ))?;
    if form.first("redirect_uri") != Some(code.redirect_uri.as_str()) {
        return Err(Refusal(400, "redirect_uri_mismatch", "Bad Request"));
    }
    check_verifier(&code, form.first("code_verifier"))?;
    let user = check_account(workspace, code.user, None)?;
    check_policy(workspace, &code.scopes)?;
    let testing = workspace.client().testing;
    let scope = code.scopes.join(" ");
    let mut tokens = workspace.tokens();
    let access = tokens.issue(
        Some(code.user),
        code.scopes.clone(),
        GrantedBy::Consent,
        now,
    );
    let mut issued = Issued::bearer(access, scope);
    if code.offline {
        let dies = testing.then_some(now + TESTING_LIFE_MS);
        let scopes = code.scopes.clone();
        let refresh = tokens.issue_refresh(code.user, &user.id, scopes, now, dies);
        issued.0["refresh_token"] = json!(refresh);
        if testing {
            issued.0["refresh_token_expires_in"] = json!(TESTING_LIFE_MS / 1000);
        }
    }
    drop(tokens);
    if code.scopes.iter().any(|scope| scope == "openid") {
        issued.0["id_token"] = json!(info::id_token(workspace, &user, &code)?);
    }
    Ok(issued)
}

/// The grant `refresh_token`.
pub(super) fn refresh(workspace: &Workspace, call: &Call, form: &Query) -> Result<Issued, Refusal> {
    authenticate(workspace, call, form)?;
    let text = form
        .first("refresh_token")
        .filter(|token| !token.is_empty())
        .ok_or(Refusal(
            400,
            "invalid_request",
            "Missing required parameter: refresh_token",
        ))?;
    let now = workspace.now_ms();
    let refresh = workspace.tokens().use_refresh(text, now)?;
    check_account(workspace, refresh.user, Some(&refresh))?;
    let scopes: Vec<String> = match form.first("scope") {
        None | Some("") => refresh.scopes.clone(),
        Some(wanted) => wanted.split_whitespace().map(str::to_owned).collect(),
    };
    if !scopes.iter().all(|scope| refresh.scopes.contains(scope)) {
        return Err(Refusal(400, "invalid_scope", "Bad Request"));
    }
    check_policy(workspace, &scopes)?;
    let scope = scopes.join(" ");
    let token = workspace
        .tokens()
        .issue(Some(refresh.user), scopes, GrantedBy::Consent, now);
    Ok(Issued::bearer(token, scope))
}

/// Whether the account behind a code or refresh token is still there and may be used.
fn check_account(
    workspace: &Workspace,
    index: UserIndex,
    refresh: Option<&super::tokens::Refresh>,
) -> Result<crate::workspace::User, Refusal> {
    let user = workspace.user(index);
    let another = refresh.is_some_and(|refresh| !refresh.is_of(&user.id));
    if user.deleted_ms.is_some() || another {
        let gone = "The account has been deleted";
        return Err(Refusal(400, "invalid_grant", gone));
    }
    if !user.is_active() {
        return Err(Refusal(400, "invalid_grant", "Account is disabled"));
    }
    if workspace
        .delegation()
        .restricts(&user.primary.to_ascii_lowercase())
    {
        return Err(Refusal(403, "access_denied", "Account restricted"));
    }
    Ok(user)
}

/// PKCE, RFC 7636.
fn check_verifier(code: &Code, verifier: Option<&str>) -> Result<(), Refusal> {
    const BAD: Refusal = Refusal(400, "invalid_grant", "Invalid code verifier.");
    let (method, challenge) = match (&code.challenge, verifier) {
        (None, None) => return Ok(()),
        (None, Some(_)) => {
            let unasked = "code_verifier or verifier is not needed.";
            return Err(Refusal(400, "invalid_grant", unasked));
        }
        (Some(challenge), _) => challenge,
    };
    let verifier = verifier
        .filter(|verifier| !verifier.is_empty())
        .ok_or(Refusal(400, "invalid_grant", "Missing code verifier."))?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(allowed) {
        return Err(BAD);
    }
    let fits = match method {
        ChallengeMethod::Plain => verifier == challenge,
        ChallengeMethod::S256 => ChallengeMethod::hash(verifier) == challenge.trim_end_matches('='),
    };
    if fits { Ok(()) } else { Err(BAD) }
}
