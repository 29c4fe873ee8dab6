//! Users' own consents: what is asked for with them, whose mailbox they open, and when they stand
//! in for the delegation.

use crate::fixture::{TOKEN, ana, key_file, limits, ok, profile, quota_off, shown};
use crate::server::{Reply, Seen, Server};
use nuncio_google::{
    AuthError, Consent, ConsentStore, Consents, Credentials, Endpoint, Error, Google, GrantedBy,
    Key, Login, OAuthClient, SCOPES_GMAIL, Signer,
};
use nuncio_model::{Address, Next, Secret, SystemClock};
use serde_json::json;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

const GMAIL: &str = "https://www.googleapis.com/auth/gmail.readonly";

/// Consents in memory.
#[derive(Default)]
struct Kept(Mutex<HashMap<String, Consent>>);

impl ConsentStore for Kept {
    fn load(&self, email: &str) -> Result<Option<Consent>, String> {
        let kept = self.0.lock().unwrap();
        match kept.get(email) {
            Some(consent) if consent.email.is_empty() => Err("the disk is broken".to_owned()),
            consent => Ok(consent.cloned()),
        }
    }
}

impl Kept {
    fn keep(&self, email: &str, refresh_token: &str) {
        let consent = Consent {
            email: email.to_owned(),
            refresh_token: Secret::new(refresh_token.to_owned()),
            client_id: "client".to_owned(),
        };
        let mut kept = self.0.lock().unwrap();
        kept.insert("ana@example.com".to_owned(), consent);
    }
}

fn client(endpoint: &Endpoint) -> OAuthClient {
    let file = json!({ "installed": { "client_id": "client", "client_secret": "planted-secret",
        "token_uri": "https://oauth2.googleapis.com/token" } });
    OAuthClient::parse(&Secret::new(file.to_string()), endpoint).unwrap()
}

fn consents(server: &Server) -> (Consents, Arc<Kept>) {
    let endpoint = Endpoint::parse(&server.url).unwrap();
    let store = Arc::new(Kept::default());
    let consents = Consents {
        client: client(&endpoint),
        store: Arc::clone(&store) as Arc<dyn ConsentStore>,
    };
    (consents, store)
}

fn open(server: &Server, credentials: Credentials) -> Google {
    let endpoint = Endpoint::parse(&server.url).unwrap();
    let clock = Arc::new(SystemClock);
    Google::open(credentials, endpoint, clock, limits(), quota_off(), &[]).unwrap()
}

fn signer(server: &Server) -> Signer {
    let endpoint = Endpoint::parse(&server.url).unwrap();
    Signer::Key(Key::parse(&key_file("https://oauth2.googleapis.com/token"), &endpoint).unwrap())
}

fn form(seen: &Seen) -> HashMap<String, String> {
    form_urlencoded::parse(seen.body.as_bytes())
        .into_owned()
        .collect()
}

fn denied(error: &str, description: &str) -> Reply {
    let body = json!({ "error": error, "error_description": description });
    Reply::new(400, body.to_string())
}

/// Google with one user: refresh tokens are good by name, `planted-other` opens another's mailbox,
/// `planted-part` lacks Gmail; assertions are good while `is_delegated`.
async fn google(is_delegated: Arc<AtomicBool>) -> Server {
    Server::start(move |seen| {
        let is_delegated = is_delegated.load(Ordering::SeqCst);
        let reply = match seen.path.as_str() {
            "/token" => tokens(&form(&seen), is_delegated),
            "/v1/userinfo" => {
                let bearer = seen.headers["authorization"].to_str().unwrap().to_owned();
                let email = match bearer.ends_with("-other") {
                    true => "bob@example.com",
                    false => "Ana@example.com",
                };
                ok(&json!({ "sub": "117", "email": email }))
            }
            _ => profile(),
        };
        async { reply }
    })
    .await
}

fn tokens(form: &HashMap<String, String>, is_delegated: bool) -> Reply {
    let good = |token: String, scope: &str| {
        ok(&json!({ "access_token": token, "expires_in": 3599, "scope": scope }))
    };
    match form["grant_type"].as_str() {
        "refresh_token" => {
            assert_eq!(form["client_id"], "client");
            assert_eq!(form["client_secret"], "planted-secret");
            match form["refresh_token"].as_str() {
                "planted-good" => good(TOKEN.to_owned(), &format!("openid {GMAIL}")),
                "planted-other" => good(format!("{TOKEN}-other"), GMAIL),
                "planted-part" => good(TOKEN.to_owned(), "openid"),
                "planted-odd" => denied("invalid_grant", "Bad Request planted-odd"),
                _ => denied("invalid_grant", "Token has been expired or revoked."),
            }
        }
        "authorization_code" => {
            assert_eq!(form["redirect_uri"], "http://127.0.0.1:7/");
            assert!(form["code_verifier"].len() >= 43);
            let body = json!({ "access_token": TOKEN, "expires_in": 3599, "scope": GMAIL,
                "refresh_token": "planted-good" });
            ok(&body)
        }
        _ if is_delegated => good(TOKEN.to_owned(), GMAIL),
        _ => denied(
            "unauthorized_client",
            "Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the scopes requested.",
        ),
    }
}

fn auth(error: &Error) -> &AuthError {
    shown(error);
    match error {
        Error::Auth { source, .. } => source,
        other => panic!("not about a token: {other}"),
    }
}

#[tokio::test]
async fn a_consent_opens_its_own_mailbox_and_no_other() {
    let server = google(Arc::default()).await;
    let (consents, kept) = consents(&server);
    let google = open(&server, Credentials::PerUser(consents));
    let code = async |kept_as: Option<(&str, &str)>| {
        if let Some((email, refresh_token)) = kept_as {
            kept.keep(email, refresh_token);
        }
        let error = ana(&google).profile().await.unwrap_err();
        assert_eq!(error.next(), Next::Reauthorize);
        auth(&error).code()
    };
    assert_eq!(code(None).await, "AUTH029", "nobody logged in");
    let email = "ana@example.com";
    assert_eq!(code(Some((email, "planted-gone"))).await, "AUTH028");
    assert_eq!(code(Some((email, "planted-odd"))).await, "AUTH028");
    assert_eq!(code(Some((email, "planted-part"))).await, "AUTH033");
    google.forget_tokens(email);
    assert_eq!(code(Some((email, "planted-other"))).await, "AUTH032");
    assert_eq!(code(Some(("", "planted-good"))).await, "AUTH030");
    kept.keep(email, "planted-good");
    ana(&google).profile().await.unwrap();
    ana(&google).profile().await.unwrap();
    assert_eq!(google.granted_by(email), (GrantedBy::Consent, None));
    let n_good = server
        .requests("/token")
        .iter()
        .filter(|seen| form(seen)["refresh_token"] == "planted-good")
        .count();
    assert_eq!(n_good, 1, "the token is kept");
    // A consent that was given to another client is not even sent.
    let other = Consent {
        client_id: "other".to_owned(),
        ..kept.load(email).unwrap().unwrap()
    };
    kept.0.lock().unwrap().insert(email.to_owned(), other);
    google.forget_tokens(email);
    let n_before = server.requests("/token").len();
    assert_eq!(code(None).await, "AUTH031");
    assert_eq!(server.requests("/token").len(), n_before);
}

#[tokio::test]
async fn a_consent_stands_in_where_the_delegation_does_not_cover_a_user() {
    let is_delegated = Arc::new(AtomicBool::new(false));
    let server = google(Arc::clone(&is_delegated)).await;
    let (consents, kept) = consents(&server);
    let credentials = Credentials::Delegated {
        signer: signer(&server),
        fallback: Some(consents),
    };
    let google = open(&server, credentials);
    let email = "ana@example.com";
    let error = ana(&google).profile().await.unwrap_err();
    assert_eq!(
        auth(&error).code(),
        "AUTH010",
        "to be delegated, for nobody logged in"
    );
    kept.keep(email, "planted-good");
    for _ in 0..3 {
        ana(&google).profile().await.unwrap();
    }
    let (by, why) = google.granted_by(email);
    assert_eq!((by, why.unwrap().code), (GrantedBy::Consent, "AUTH010"));
    let n_assertions = || {
        let seen = server.requests("/token");
        seen.iter()
            .filter(|seen| form(seen).contains_key("assertion"))
            .count()
    };
    assert_eq!(n_assertions(), 2, "not asked again at every call");
    is_delegated.store(true, Ordering::SeqCst);
    google.forget_tokens(email);
    ana(&google).profile().await.unwrap();
    assert_eq!(google.granted_by(email), (GrantedBy::Delegation, None));
}

#[tokio::test]
async fn other_credentials_are_tried_without_a_trace_and_then_used() {
    let server = google(Arc::new(AtomicBool::new(true))).await;
    let (consents, kept) = consents(&server);
    let google = open(
        &server,
        Credentials::from(match signer(&server) {
            Signer::Key(key) => key,
            Signer::Keyless(_) => unreachable!("a key was read"),
        }),
    );
    ana(&google).profile().await.unwrap();
    let email = Address::parse("ana@example.com").unwrap();
    let per_user = Credentials::PerUser(consents);
    let tried = google.try_credentials(per_user.clone(), Some(&email), SCOPES_GMAIL);
    assert_eq!(tried.await.unwrap_err().code(), "AUTH029");
    assert_eq!(google.granted_by(email.as_str()).0, GrantedBy::Delegation);
    kept.keep(email.as_str(), "planted-good");
    google
        .try_credentials(per_user.clone(), Some(&email), SCOPES_GMAIL)
        .await
        .unwrap();
    google.replace_credentials(per_user);
    ana(&google).profile().await.unwrap();
    assert_eq!(google.granted_by(email.as_str()).0, GrantedBy::Consent);
}

#[tokio::test]
async fn a_login_ends_with_what_is_to_be_kept() {
    let server = google(Arc::default()).await;
    let (consents, _) = consents(&server);
    let login = Login::new(consents.client.clone(), "http://127.0.0.1:7/".to_owned());
    let google = open(&server, Credentials::PerUser(consents));
    let code = Secret::new("4/planted".to_owned());
    let new = google.finish_login(&login, &code).await.unwrap();
    assert_eq!(new.consent.refresh_token.expose(), "planted-good");
    assert_eq!(
        (new.consent.email.as_str(), new.id.as_str()),
        ("Ana@example.com", "117")
    );
    assert_eq!(new.scopes, [GMAIL]);
    assert!(!format!("{new:?} {login:?}").contains("planted"));
}
