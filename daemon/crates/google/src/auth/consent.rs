//! The consent of a single user: the OAuth client that it is given to, what is kept of it, and the
//! authorization-code flow that gets it. Where consents are kept, and how a person is brought to
//! Google's page, is not here.
//! <https://developers.google.com/identity/protocols/oauth2/native-app>

use super::{Scopes, random};
use crate::{Endpoint, codes};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Uri;
use nuncio_model::{Secret, untrusted};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt;

/// With these a token tells whose it is; asked for beside the scopes of the sources.
pub const IDENTITY_SCOPES: Scopes =
    Scopes(&["openid", "https://www.googleapis.com/auth/userinfo.email"]);

/// Bytes of a verifier, which gives 43 characters, the fewest that RFC 7636 takes.
const VERIFIER_BYTES: usize = 32;

/// Bytes of `state`.
const STATE_BYTES: usize = 24;

/// An OAuth client of the type "desktop app". Clones are cheap; Debug shows no secret.
#[derive(Clone)]
pub struct OAuthClient {
    id: String,
    secret: Secret,
    token_url: Uri,
    consent_url: String,
}

impl fmt::Debug for OAuthClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthClient")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Why the file of an OAuth client is refused. Nothing of the secret is ever quoted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OAuthClientError {
    /// Not JSON.
    #[error("the OAuth client's file is not JSON (line {line}, column {column})")]
    NotJson {
        /// Line of the first error, from 1.
        line: usize,
        /// Column of the first error, from 1.
        column: usize,
    },
    /// Another kind of file.
    #[error("the OAuth client's file holds no client of the type \"desktop app\", but {0}")]
    WrongType(&'static str),
    /// A field is absent or no text.
    #[error("the OAuth client's file has no text in the field {0}")]
    MissingField(&'static str),
    /// `token_uri` is neither Google's nor the endpoint's.
    #[error(
        "token_uri in the OAuth client's file names {0}, which is neither Google's nor the endpoint's"
    )]
    ForeignTokenUri(String),
}

impl OAuthClientError {
    /// The stable code for operators.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotJson { .. } => "AUTH040",
            Self::WrongType(_) => "AUTH041",
            Self::MissingField(_) => "AUTH042",
            Self::ForeignTokenUri(_) => "AUTH043",
        }
    }

    /// What an operator can do.
    pub fn hint(&self) -> &'static str {
        codes::remedy(self.code())
    }
}

impl OAuthClient {
    /// Reads the JSON file of a client as the Cloud console gives it.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn parse(file: &Secret, endpoint: &Endpoint) -> Result<Self, OAuthClientError> {
        let value: Value =
            serde_json::from_str(file.expose()).map_err(|error| OAuthClientError::NotJson {
                line: error.line(),
                column: error.column(),
            })?;
        let Some(client) = value.get("installed").and_then(Value::as_object) else {
            let found = match value.get("type").and_then(Value::as_str) {
                Some("service_account") => "the key of a service account",
                _ if value.get("web").is_some() => "one of the type \"web application\"",
                _ => "something else",
            };
            return Err(OAuthClientError::WrongType(found));
        };
        let text = |name: &'static str| {
            let text = client.get(name).and_then(Value::as_str);
            let text = text.filter(|text| !text.is_empty());
            text.ok_or(OAuthClientError::MissingField(name))
        };
        let (id, secret) = (text("client_id")?, text("client_secret")?);
        let token_uri = text("token_uri")?;
        let token_url = endpoint
            .token_url(token_uri)
            .ok_or_else(|| OAuthClientError::ForeignTokenUri(untrusted(token_uri).to_string()))?;
        Ok(Self {
            id: id.to_owned(),
            secret: Secret::new(secret.to_owned()),
            token_url,
            consent_url: endpoint.consent_url(),
        })
    }

    /// The client's id, which is no secret.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn token_url(&self) -> &Uri {
        &self.token_url
    }

    pub(super) fn secret(&self) -> &Secret {
        &self.secret
    }
}

/// What is kept of a user's consent.
#[derive(Debug, Clone)]
pub struct Consent {
    /// The account's primary address when it consented.
    pub email: String,
    /// Gets access tokens until it is revoked.
    pub refresh_token: Secret,
    /// The OAuth client that it was given to; another one cannot use it.
    pub client_id: String,
}

/// Where consents are kept.
pub trait ConsentStore: Send + Sync {
    /// The consent of a user, by primary address; none where the user gave none. May block for as
    /// long as a file is read.
    ///
    /// # Errors
    /// What keeps it from being read, for people; nothing of the token.
    fn load(&self, email: &str) -> Result<Option<Consent>, String>;
}

/// A consent that is asked for: Google's page has to be shown, and sends the browser to
/// `redirect_uri`.
#[derive(Debug)]
pub struct Login {
    client: OAuthClient,
    redirect_uri: String,
    verifier: Secret,
    state: String,
}

/// Why the way back from Google's page is no consent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedirectError {
    /// It is not the answer to this login.
    #[error("this is not the answer to this login: its `state` is another one")]
    OtherState,
    /// The person or a policy said no.
    #[error("Google says: {0}")]
    Refused(String),
    /// Neither a code nor an error.
    #[error("this address holds no code")]
    NoCode,
}

impl Login {
    /// Prepares one; nothing is sent. A code that comes back is good for this value only: PKCE
    /// (RFC 7636) binds it, `state` keeps strangers from slipping one in.
    pub fn new(client: OAuthClient, redirect_uri: String) -> Self {
        Self {
            client,
            redirect_uri,
            verifier: Secret::new(URL_SAFE_NO_PAD.encode(random::<VERIFIER_BYTES>())),
            state: URL_SAFE_NO_PAD.encode(random::<STATE_BYTES>()),
        }
    }

    /// The page where `email` consents to `scopes`.
    pub fn url(&self, email: &str, scopes: &[Scopes]) -> String {
        let all = std::iter::once(&IDENTITY_SCOPES).chain(scopes);
        let urls: Vec<&str> = all.flat_map(|scopes| scopes.urls()).copied().collect();
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.expose()));
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("client_id", &self.client.id)
            .append_pair("redirect_uri", &self.redirect_uri)
            .append_pair("response_type", "code")
            .append_pair("scope", &urls.join(" "))
            .append_pair("access_type", "offline")
            // Only a consent that is asked for anew gives a refresh token again.
            .append_pair("prompt", "consent")
            .append_pair("login_hint", email)
            .append_pair("state", &self.state)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256")
            .finish();
        format!("{}?{query}", self.client.consent_url)
    }

    /// Takes the code out of the query of the address that Google sent the browser to.
    ///
    /// # Errors
    /// Why there is none.
    pub fn code(&self, query: &str) -> Result<Secret, RedirectError> {
        let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
        let first = |name: &str| {
            let pair = pairs.iter().find(|(key, _)| key == name);
            pair.map(|(_, value)| value.as_ref())
        };
        match first("state") {
            Some(state) if state == self.state => {}
            Some(_) => return Err(RedirectError::OtherState),
            None => return Err(RedirectError::NoCode),
        }
        if let Some(error) = first("error") {
            return Err(RedirectError::Refused(untrusted(error).to_string()));
        }
        let code = first("code").filter(|code| !code.is_empty());
        let code = code.ok_or(RedirectError::NoCode)?;
        Ok(Secret::new(code.to_owned()))
    }

    pub(super) fn client(&self) -> &OAuthClient {
        &self.client
    }

    pub(super) fn form<'a>(&'a self, code: &'a Secret) -> [(&'static str, &'a str); 6] {
        [
            ("grant_type", "authorization_code"),
            ("client_id", &self.client.id),
            ("client_secret", self.client.secret.expose()),
            ("redirect_uri", &self.redirect_uri),
            ("code_verifier", self.verifier.expose()),
            ("code", code.expose()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SCOPES_GMAIL;
    use serde_json::json;

    fn file(change: impl FnOnce(&mut Value)) -> Secret {
        let mut value = json!({"installed": {"client_id": "id.apps", "client_secret": "planted",
            "token_uri": "https://oauth2.googleapis.com/token", "redirect_uris": ["http://localhost"]}});
        change(&mut value);
        Secret::new(value.to_string())
    }

    fn login() -> Login {
        let client = OAuthClient::parse(&file(|_| ()), &Endpoint::google()).unwrap();
        Login::new(client, "http://127.0.0.1:7/".to_owned())
    }

    #[test]
    fn a_client_file_is_read_and_others_are_told_apart() {
        let parse = |file: &Secret| OAuthClient::parse(file, &Endpoint::google());
        let client = parse(&file(|_| ())).unwrap();
        assert_eq!(format!("{client:?}"), "OAuthClient { id: \"id.apps\", .. }");
        let error = |file: &Secret| {
            let error = parse(file).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("planted"), "{error}");
            error
        };
        assert!(matches!(
            error(&Secret::new("planted".into())),
            OAuthClientError::NotJson { .. }
        ));
        let web = file(|value| *value = json!({"web": value["installed"]}));
        assert!(error(&web).to_string().contains("web application"));
        let key = Secret::new(json!({"type": "service_account"}).to_string());
        assert!(error(&key).to_string().contains("service account"));
        for name in ["client_id", "client_secret", "token_uri"] {
            let missing = error(&file(|value| value["installed"][name] = json!("")));
            assert_eq!(missing, OAuthClientError::MissingField(name));
        }
        let foreign = error(&file(|value| {
            value["installed"]["token_uri"] = json!("https://evil.example/token");
        }));
        assert_eq!(foreign.code(), "AUTH043");
    }

    #[test]
    fn each_login_has_its_own_verifier_and_state_and_says_what_it_wants() {
        let (one, two) = (login(), login());
        assert_ne!(one.state, two.state);
        assert_ne!(one.verifier.expose(), two.verifier.expose());
        let url = one.url("ana@example.com", &[SCOPES_GMAIL]);
        let (page, query) = url.split_once('?').unwrap();
        assert_eq!(page, "https://accounts.google.com/o/oauth2/v2/auth");
        assert!(
            !url.contains(one.verifier.expose()),
            "the verifier stays here"
        );
        let pairs: std::collections::HashMap<_, _> = form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        assert_eq!(pairs["login_hint"], "ana@example.com");
        assert_eq!(pairs["code_challenge_method"], "S256");
        assert_eq!(pairs["code_challenge"].len(), 43);
        let scopes = &pairs["scope"];
        assert!(
            scopes.starts_with("openid ") && scopes.ends_with("gmail.readonly"),
            "{scopes}"
        );
    }

    #[test]
    fn only_the_answer_to_this_login_gives_a_code() {
        let login = login();
        let state = &login.state;
        let code = |query: String| login.code(&query).map(|code| code.expose().to_owned());
        assert_eq!(
            code(format!("state={state}&code=4%2Fx&scope=y")),
            Ok("4/x".to_owned())
        );
        assert_eq!(
            code("state=other&code=4%2Fx".to_owned()),
            Err(RedirectError::OtherState)
        );
        assert_eq!(
            code(format!("state={state}&error=access_denied%1b")),
            Err(RedirectError::Refused("access_denied\\u{1b}".to_owned()))
        );
        for nothing in ["", "code=4%2Fx", &format!("state={state}&code=")] {
            assert_eq!(
                code(nothing.to_owned()),
                Err(RedirectError::NoCode),
                "{nothing}"
            );
        }
    }
}
