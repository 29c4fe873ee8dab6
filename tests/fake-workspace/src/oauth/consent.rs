//! The authorization endpoint: checks the request of an installed app and asks a user, on a plain page, by decree
//! of the test, or not at all (`prompt=none`).
//!
//! See <https://developers.google.com/identity/protocols/oauth2/native-app#step-2:-send-a-request-to-googles-oauth-2.0-server>.

use super::client::{ClientState, ConsentMode, check_policy};
use super::tokens::Code;
use super::{BASE64URL, Refusal, known_scope};
use crate::call::{Body, Call, Query, Reply};
use crate::workspace::{User, UserIndex, Workspace};
use base64::Engine;
use rsa::sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// Users that the page offers; a larger domain needs `login_hint`.
const MAX_SHOWN: usize = 200;

/// How the code challenge came about, RFC 7636 section 4.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChallengeMethod {
    Plain,
    S256,
}

impl ChallengeMethod {
    /// The S256 challenge of a verifier.
    pub(super) fn hash(verifier: &str) -> String {
        BASE64URL.encode(Sha256::digest(verifier))
    }
}

/// A request that Google would put before a user.
#[derive(Debug)]
struct Request {
    redirect_uri: String,
    scopes: Vec<String>,
    state: Option<String>,
    challenge: Option<(ChallengeMethod, String)>,
    offline: bool,
    login_hint: Option<String>,
    nonce: Option<String>,
    no_prompt: bool,
    include_granted: bool,
}

/// `GET /o/oauth2/v2/auth`.
pub(super) fn ask(workspace: &Workspace, call: &Call) -> Reply {
    let request = match Request::parse(workspace, &call.query) {
        Ok(request) => request,
        Err(refusal) => return refusal_page(&refusal),
    };
    let hinted = match request.hinted(workspace) {
        Ok(hinted) => hinted,
        Err(refusal) => return refusal_page(&refusal),
    };
    let mode = workspace.client().consent.clone();
    let chosen = match &mode {
        ConsentMode::Deny => return request.refuse("access_denied"),
        ConsentMode::Page => None,
        ConsentMode::Auto(address) => {
            let decreed = address.as_deref().and_then(|address| {
                let (index, _) = workspace.find_user(address)?;
                Some(index)
            });
            hinted.or(decreed)
        }
    };
    match (chosen, request.no_prompt, hinted) {
        (Some(user), _, _) => request.grant(workspace, user),
        (None, true, Some(user)) if request.is_consented(workspace, user) => {
            request.grant(workspace, user)
        }
        (None, true, _) => request.refuse("interaction_required"),
        (None, false, _) => html(200, page(workspace, call, &request, hinted)),
    }
}

/// `POST /o/oauth2/v2/auth`: the form of the page, with the request's parameters beside the decision.
pub(super) fn decide(workspace: &Workspace, call: &Call) -> Reply {
    let form = Query::parse(&call.body);
    let request = match Request::parse(workspace, &form) {
        Ok(request) => request,
        Err(refusal) => return refusal_page(&refusal),
    };
    if form.first("decision") != Some("allow") {
        return request.refuse("access_denied");
    }
    match form
        .first("user")
        .and_then(|address| workspace.find_user(address))
    {
        Some((user, _)) => request.grant(workspace, user),
        None => refusal_page(&Refusal(400, "invalid_request", "No such user.")),
    }
}

impl Request {
    /// Checks everything that Google refuses on a page of its own instead of at the redirect URI.
    fn parse(workspace: &Workspace, query: &Query) -> Result<Self, Refusal> {
        let required = |name: &str, missing: &'static str| {
            query
                .first(name)
                .filter(|value| !value.is_empty())
                .map(str::to_owned)
                .ok_or(Refusal(400, "invalid_request", missing))
        };
        check_client(
            workspace,
            &required("client_id", "Missing required parameter: client_id")?,
        )?;
        let redirect_uri = required("redirect_uri", "Missing required parameter: redirect_uri")?;
        check_redirect(&redirect_uri)?;
        let response_type = required("response_type", "Missing required parameter: response_type")?;
        if response_type != "code" {
            return Err(Refusal(
                400,
                "unsupported_response_type",
                "An installed app takes response_type=code only.",
            ));
        }
        let scope = required("scope", "Missing required parameter: scope")?;
        let scopes: Vec<String> = scope.split_whitespace().map(str::to_owned).collect();
        if !scopes.iter().all(|scope| known_scope(scope)) {
            return Err(Refusal(
                400,
                "invalid_scope",
                "Some requested scopes were invalid.",
            ));
        }
        check_policy(workspace, &scopes)?;
        let text = |name: &str| query.first(name).map(str::to_owned);
        Ok(Self {
            redirect_uri,
            scopes,
            state: text("state"),
            challenge: challenge(query)?,
            // Google gives an installed app a refresh token unless it says that it wants none.
            offline: query.first("access_type") != Some("online"),
            login_hint: text("login_hint").filter(|hint| !hint.is_empty()),
            nonce: text("nonce"),
            no_prompt: no_prompt(query)?,
            include_granted: query.flag("include_granted_scopes"),
        })
    }

    /// The user whom the app expects; an unknown one of the domain is only a hint.
    fn hinted(&self, workspace: &Workspace) -> Result<Option<UserIndex>, Refusal> {
        let Some(hint) = self.login_hint.as_deref() else {
            return Ok(None);
        };
        let found = workspace.find_user(hint).map(|(index, _)| index);
        let foreign = hint
            .rsplit_once('@')
            .is_some_and(|(_, domain)| !domain.eq_ignore_ascii_case(&workspace.world.domain));
        if found.is_none() && foreign {
            // The consent screen is internal, as it is for a daemon of one's own.
            ClientState::Foreign.check()?;
        }
        Ok(found)
    }

    fn is_consented(&self, workspace: &Workspace, user: UserIndex) -> bool {
        let consented = workspace.tokens().consented(user);
        self.scopes.iter().all(|scope| consented.contains(scope))
    }

    fn grant(&self, workspace: &Workspace, user: UserIndex) -> Reply {
        if !workspace.users()[user.0].is_active() {
            return refusal_page(&Refusal(
                403,
                "account_disabled",
                "The administrator has disabled this account.",
            ));
        }
        let mut code = Code::new(user, workspace.now_ms());
        let mut tokens = workspace.tokens();
        code.redirect_uri.clone_from(&self.redirect_uri);
        code.scopes.clone_from(&self.scopes);
        if self.include_granted {
            let earlier = tokens.consented(user);
            code.scopes.extend(
                earlier
                    .into_iter()
                    .filter(|scope| !self.scopes.contains(scope)),
            );
        }
        code.challenge.clone_from(&self.challenge);
        code.offline = self.offline;
        code.nonce.clone_from(&self.nonce);
        let scope = code.scopes.join(" ");
        let text = tokens.issue_code(code);
        self.redirect(&[("code", &text), ("scope", &scope)])
    }

    fn refuse(&self, error: &str) -> Reply {
        self.redirect(&[("error", error)])
    }

    /// Sends the browser back to the app; `state` goes back as it came.
    fn redirect(&self, parameters: &[(&str, &str)]) -> Reply {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if let Some(state) = &self.state {
            query.append_pair("state", state);
        }
        query.extend_pairs(parameters);
        let joint = if self.redirect_uri.contains('?') {
            '&'
        } else {
            '?'
        };
        let location = format!("{}{joint}{}", self.redirect_uri, query.finish());
        let mut reply = html(302, String::new());
        reply.headers.push(("location", location));
        reply.headers.push(("cache-control", "no-store".to_owned()));
        reply
    }
}

fn check_client(workspace: &Workspace, id: &str) -> Result<(), Refusal> {
    let client = workspace.client();
    if id != client.id {
        let unknown = "The OAuth client was not found.";
        return Err(Refusal(401, "invalid_client", unknown));
    }
    client.state.check()
}

/// An installed app listens on loopback, at any port and path.
fn check_redirect(uri: &str) -> Result<(), Refusal> {
    const MISMATCH: Refusal = Refusal(
        400,
        "redirect_uri_mismatch",
        "The redirect URI in the request does not match one of the client's.",
    );
    if uri.starts_with("urn:ietf:wg:oauth:2.0:oob") {
        return Err(Refusal(
            400,
            "invalid_request",
            "The out-of-band (OOB) flow has been blocked in order to keep users secure.",
        ));
    }
    let parsed: http::Uri = uri.parse().map_err(|_| MISMATCH)?;
    let host = parsed.host().unwrap_or_default();
    let loopback = ["localhost", "127.0.0.1", "[::1]"]
        .iter()
        .any(|own| own.eq_ignore_ascii_case(host));
    let plain = parsed
        .authority()
        .is_some_and(|authority| !authority.as_str().contains('@'));
    if parsed.scheme_str() == Some("http") && loopback && plain && !uri.contains('#') {
        Ok(())
    } else {
        Err(MISMATCH)
    }
}

fn challenge(query: &Query) -> Result<Option<(ChallengeMethod, String)>, Refusal> {
    let bad = |text| Refusal(400, "invalid_request", text);
    let Some(challenge) = query.first("code_challenge") else {
        return match query.first("code_challenge_method") {
            None => Ok(None),
            Some(_) => Err(bad("Missing required parameter: code_challenge")),
        };
    };
    let method = match query.first("code_challenge_method") {
        None | Some("plain") => ChallengeMethod::Plain,
        Some("S256") => ChallengeMethod::S256,
        Some(_) => return Err(bad("Invalid parameter value for code_challenge_method")),
    };
    if !(43..=128).contains(&challenge.len()) {
        return Err(bad("Invalid parameter value for code_challenge"));
    }
    Ok(Some((method, challenge.to_owned())))
}

/// `prompt` is a list of `none`, `consent` and `select_account`; `none` stands alone.
fn no_prompt(query: &Query) -> Result<bool, Refusal> {
    let words: Vec<&str> = query
        .first("prompt")
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let known = ["none", "consent", "select_account"];
    let none = words.contains(&"none");
    if words.iter().any(|word| !known.contains(word)) || (none && words.len() > 1) {
        let invalid = "Invalid parameter value for prompt";
        return Err(Refusal(400, "invalid_request", invalid));
    }
    Ok(none)
}

fn html(status: u16, text: String) -> Reply {
    let mut reply = Reply::html("");
    reply.status = status;
    reply.body = Body::Bytes(text.into());
    reply
}

/// What Google shows instead of sending the browser back, for the redirect URI is not to be trusted.
fn refusal_page(refusal: &Refusal) -> Reply {
    let Refusal(status, error, description) = refusal;
    html(
        *status,
        format!(
            "<!DOCTYPE html><html lang=en><meta charset=utf-8><title>Error {status}: {error}</title>\
             <h1>Access blocked: authorization error</h1><p>{description}</p>\
             <p>Error {status}: {error}</p></html>\n"
        ),
    )
}

/// The form that a person answers.
fn page(
    workspace: &Workspace,
    call: &Call,
    request: &Request,
    hinted: Option<UserIndex>,
) -> String {
    let users: Vec<User> = {
        let users = workspace.users();
        let active = users.iter().filter(|user| user.is_active());
        match hinted {
            Some(index) => active.filter(|user| user.index == index).cloned().collect(),
            None => active.take(MAX_SHOWN).cloned().collect(),
        }
    };
    let mut text = String::from(
        "<!DOCTYPE html><html lang=en><meta charset=utf-8><title>Choose an account</title>\
         <h1>Choose an account</h1><form method=post action=\"/o/oauth2/v2/auth\">\n",
    );
    for (name, value) in call.query.pairs() {
        put(
            &mut text,
            format_args!(
                "<input type=hidden name=\"{}\" value=\"{}\">\n",
                escape(name),
                escape(value)
            ),
        );
    }
    for (at, user) in users.iter().enumerate() {
        let checked = if at == 0 { " checked" } else { "" };
        put(
            &mut text,
            format_args!(
                "<p><label><input type=radio name=user value=\"{}\"{checked}> {} {} &lt;{}&gt;</label>\n",
                escape(&user.primary),
                escape(&user.given_name),
                escape(&user.family_name),
                escape(&user.primary)
            ),
        );
    }
    text.push_str("<p>The app wants to:<ul>\n");
    for scope in &request.scopes {
        put(&mut text, format_args!("<li>{}\n", escape(scope)));
    }
    text.push_str(
        "</ul><button name=decision value=allow>Allow</button> \
         <button name=decision value=deny>Cancel</button></form></html>\n",
    );
    text
}

fn put(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments)
        .expect("writing to a String cannot fail");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}
