//! A service account, a clock and a Google client that knows the test server only, with waits
//! of milliseconds; and the good answers that most tests start from.

use crate::server::{Reply, Seen, Server};
use nuncio_google::{
    Directory, Endpoint, Error, Gmail, Google, Key, Limits, PriceList, QuotaOptions,
};
use nuncio_model::{AccountKey, Address, Chain, Clock, Secret, SystemClock};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Made for these tests; it opens nothing.
pub(crate) const RSA_KEY: &str = include_str!("rsa-key.pem");
/// The token that the server gives; no output may contain it.
pub(crate) const TOKEN: &str = "ya29.planted-token";

pub(crate) const PROFILE_PATH: &str = "/gmail/v1/users/me/profile";

pub(crate) fn limits() -> Limits {
    Limits {
        backoff_floor: Duration::from_millis(1),
        backoff_ceiling: Duration::from_millis(8),
        deadline: Duration::from_secs(20),
        answer_timeout: Duration::from_secs(10),
        refusal_memory: Duration::ZERO,
        seed: 7,
        ..Limits::default()
    }
}

/// Tests of the transport spend nothing.
pub(crate) fn quota_off() -> QuotaOptions {
    QuotaOptions {
        list: PriceList::Off,
        ..QuotaOptions::default()
    }
}

pub(crate) fn key_file(token_uri: &str) -> Secret {
    let file = json!({
        "type": "service_account", "project_id": "p", "private_key_id": "key-1",
        "private_key": RSA_KEY, "client_email": "nuncio@p.iam.gserviceaccount.com",
        "client_id": "1", "token_uri": token_uri,
    });
    Secret::new(file.to_string())
}

pub(crate) fn google(server: &Server, limits: Limits) -> Google {
    google_at(server, limits, Arc::new(SystemClock))
}

pub(crate) fn google_at(server: &Server, limits: Limits, clock: Arc<dyn Clock>) -> Google {
    let endpoint = Endpoint::parse(&server.url).unwrap();
    let key = Key::parse(&key_file("https://oauth2.googleapis.com/token"), &endpoint).unwrap();
    Google::open(key, endpoint, clock, limits, quota_off(), &[]).unwrap()
}

pub(crate) fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

pub(crate) fn ana(google: &Google) -> Gmail {
    google.gmail(&AccountKey::new("account-ana"), &address("ana@example.com"))
}

pub(crate) fn directory(google: &Google) -> Directory {
    google.directory(&address("admin@example.com"))
}

/// A server that gives tokens and lets `calls` answer the rest, and Ana's mailbox on it.
pub(crate) async fn mailbox(
    calls: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
) -> (Server, Gmail) {
    mailbox_with(limits(), calls).await
}

pub(crate) async fn mailbox_with(
    limits: Limits,
    calls: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
) -> (Server, Gmail) {
    let server = Server::start(move |seen| {
        let reply = if seen.path == "/token" {
            token()
        } else {
            calls(&seen)
        };
        async { reply }
    })
    .await;
    let gmail = ana(&google(&server, limits));
    (server, gmail)
}

pub(crate) fn token() -> Reply {
    ok(&json!({"access_token": TOKEN, "expires_in": 3599, "token_type": "Bearer"}))
}

pub(crate) fn profile() -> Reply {
    ok(&json!({"emailAddress": "ana@example.com", "messagesTotal": 3, "historyId": "42"}))
}

pub(crate) fn ok(body: &Value) -> Reply {
    Reply::new(200, body.to_string()).header("content-type", "application/json")
}

/// Google's classic envelope.
pub(crate) fn refusal(status: u16, reason: &str, message: &str) -> Reply {
    let body = json!({"error": {"code": status, "message": message,
        "errors": [{"domain": "global", "reason": reason, "message": message}]}});
    Reply::new(status, body.to_string())
}

/// All that an error can show, checked to hold no secret.
pub(crate) fn shown(error: &Error) -> String {
    let text = format!("{error}\n{error:?}\n{}\n{}", Chain(error), error.hint());
    let jwt_head = "eyJ";
    for secret in [TOKEN, "planted", "MII", jwt_head, "PRIVATE KEY"] {
        assert!(!text.contains(secret), "{text}");
    }
    text
}
