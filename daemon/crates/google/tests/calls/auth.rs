//! Tokens: what is asked for, how often, and what each answer of the token endpoint does.

use crate::fixture::{
    PROFILE_PATH, RSA_KEY, ana, directory, google, google_at, key_file, limits, ok, profile,
    refusal, shown, token,
};
use crate::server::{Reply, Seen, Server};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nuncio_google::{AuthError, Endpoint, Error, Fault, Key, KeyError, Limits, Refusal};
use nuncio_model::{Clock, ManualClock, Next, SystemClock};
use rsa::RsaPrivateKey;
use rsa::pkcs1v15::{Signature, VerifyingKey};
use rsa::pkcs8::DecodePrivateKey;
use rsa::sha2::Sha256;
use rsa::signature::Verifier;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Header and claims of the assertion in a token request, its signature checked.
pub(crate) fn assertion(seen: &Seen) -> (Value, Value) {
    let form: std::collections::HashMap<_, _> = form_urlencoded::parse(seen.body.as_bytes())
        .into_owned()
        .collect();
    assert_eq!(
        form["grant_type"],
        "urn:ietf:params:oauth:grant-type:jwt-bearer"
    );
    let jwt = form["assertion"].as_str();
    let (signed, signature) = jwt.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let public = RsaPrivateKey::from_pkcs8_pem(RSA_KEY)
        .unwrap()
        .to_public_key();
    VerifyingKey::<Sha256>::new(public)
        .verify(
            signed.as_bytes(),
            &Signature::try_from(signature.as_slice()).unwrap(),
        )
        .unwrap();
    let parts: Vec<Value> = signed
        .split('.')
        .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
        .collect();
    (parts[0].clone(), parts[1].clone())
}

fn auth(error: &Error) -> &AuthError {
    match error {
        Error::Auth { source, .. } => source,
        other => panic!("not about a token: {}", shown(other)),
    }
}

/// A server that answers token requests by `tokens` and all else well.
async fn token_server(tokens: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Server {
    Server::start(move |seen| {
        let reply = if seen.path == "/token" {
            tokens(&seen)
        } else {
            profile()
        };
        async { reply }
    })
    .await
}

#[tokio::test]
async fn the_assertion_is_signed_and_asks_for_one_api_of_one_user() {
    let server = Server::start(|seen| async move {
        match seen.path.as_str() {
            "/token" => token(),
            PROFILE_PATH => profile(),
            _ => Reply::new(200, r#"{"id":"1","primaryEmail":"ana@example.com"}"#),
        }
    })
    .await;
    let now_secs = 1_800_000_000;
    let clock = Arc::new(ManualClock::new(now_secs * 1_000_000));
    let google = google_at(&server, limits(), clock);
    ana(&google).profile().await.unwrap();
    ana(&google).profile().await.unwrap();
    directory(&google).user("ana@example.com").await.unwrap();

    let requests = server.requests("/token");
    assert_eq!(requests.len(), 2);
    assert_eq!(
        requests[0].headers["content-type"],
        "application/x-www-form-urlencoded"
    );
    let (header, claims) = assertion(&requests[0]);
    assert_eq!(
        header,
        json!({"alg": "RS256", "typ": "JWT", "kid": "key-1"})
    );
    assert_eq!(
        claims,
        json!({
            "iss": "nuncio@p.iam.gserviceaccount.com", "sub": "ana@example.com",
            "scope": "https://www.googleapis.com/auth/gmail.readonly",
            "aud": "https://oauth2.googleapis.com/token",
            "iat": now_secs, "exp": now_secs + 3600,
        })
    );
    let (_, claims) = assertion(&requests[1]);
    assert_eq!(claims["sub"], "admin@example.com");
    assert_eq!(
        claims["scope"],
        "https://www.googleapis.com/auth/admin.directory.user.readonly"
    );
}

#[tokio::test]
async fn twenty_first_calls_ask_for_one_token() {
    let server = token_server(|_| token()).await;
    let gmail = ana(&google(&server, limits()));
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let gmail = gmail.clone();
        calls.spawn(async move { gmail.profile().await });
    }
    for result in calls.join_all().await {
        result.unwrap();
    }
    assert_eq!(server.requests("/token").len(), 1);
}

#[tokio::test]
async fn twenty_refused_calls_ask_once_as_well() {
    let refused =
        json!({"error": "invalid_grant", "error_description": "Invalid email or User ID"});
    let server = token_server(move |_| Reply::new(400, refused.to_string())).await;
    let limits = Limits {
        refusal_memory: Duration::from_secs(60),
        ..limits()
    };
    let gmail = ana(&google(&server, limits));
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let gmail = gmail.clone();
        calls.spawn(async move { gmail.profile().await.unwrap_err() });
    }
    for error in calls.join_all().await {
        assert_eq!((error.code(), error.next()), ("AUTH015", Next::Reauthorize));
    }
    assert_eq!(
        (server.requests("/token").len(), server.calls().len()),
        (1, 0)
    );
}

#[tokio::test]
async fn a_token_is_used_until_shortly_before_its_end() {
    // 2 s of life, a quarter of it is kept back: after 1.5 s a new one is asked for.
    let server = token_server(|_| ok(&json!({"access_token": "t", "expires_in": 2}))).await;
    let gmail = ana(&google(&server, limits()));
    let start = std::time::Instant::now();
    while server.requests("/token").len() < 2 {
        gmail.profile().await.unwrap();
        assert!(start.elapsed() < Duration::from_secs(10), "no second token");
    }
    assert!(
        start.elapsed() >= Duration::from_millis(1500),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn a_401_drops_the_token_once_and_the_call_goes_on() {
    let server = Server::start(|seen| async move {
        match (seen.path.as_str(), seen.n_before) {
            ("/token", n) => {
                ok(&json!({"access_token": format!("planted-{n}"), "expires_in": 3599}))
            }
            (_, 0) => refusal(401, "authError", "Invalid Credentials planted-0"),
            _ => profile(),
        }
    })
    .await;
    let gmail = ana(&google(&server, limits()));
    gmail.profile().await.unwrap();
    gmail.profile().await.unwrap();
    let used: Vec<_> = server
        .calls()
        .iter()
        .map(|call| call.headers["authorization"].clone())
        .collect();
    assert_eq!(
        used,
        ["Bearer planted-0", "Bearer planted-1", "Bearer planted-1"]
    );
    assert_eq!(server.requests("/token").len(), 2);
}

#[tokio::test]
async fn a_401_that_stays_is_given_after_one_fresh_token() {
    let server = Server::start(|seen| async move {
        if seen.path == "/token" {
            token()
        } else {
            refusal(401, "authError", "Invalid Credentials")
        }
    })
    .await;
    let error = ana(&google(&server, limits())).profile().await.unwrap_err();
    assert!(matches!(&error, Error::Status(status) if status.fault == Fault::Unauthorized));
    assert_eq!(error.next(), Next::Reauthorize);
    assert_eq!(
        (server.requests("/token").len(), server.calls().len()),
        (2, 2)
    );
    shown(&error);
}

#[tokio::test]
async fn a_call_renews_its_token_only_once_whatever_comes_between() {
    let server = Server::start(|seen| async move {
        match (seen.path.as_str(), seen.n_before) {
            ("/token", _) => token(),
            (_, 1) => Reply::new(503, ""),
            _ => refusal(401, "authError", "Invalid Credentials"),
        }
    })
    .await;
    let error = ana(&google(&server, limits())).profile().await.unwrap_err();
    assert_eq!(error.code(), "GGL004");
    assert_eq!(
        (server.requests("/token").len(), server.calls().len()),
        (2, 3)
    );
}

#[tokio::test]
async fn twenty_calls_with_a_revoked_token_ask_for_one_new_one() {
    let server = Server::start(|seen| async move {
        if seen.path == "/token" {
            return ok(&json!({"access_token": format!("t{}", seen.n_before), "expires_in": 3599}));
        }
        let is_old = seen.headers["authorization"] == "Bearer t0";
        if is_old {
            refusal(401, "authError", "Invalid Credentials")
        } else {
            profile()
        }
    })
    .await;
    let gmail = ana(&google(&server, limits()));
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let gmail = gmail.clone();
        calls.spawn(async move { gmail.profile().await });
    }
    for result in calls.join_all().await {
        result.unwrap();
    }
    assert_eq!(server.requests("/token").len(), 2);
}

#[tokio::test]
async fn a_busy_token_endpoint_is_waited_for() {
    let limited =
        json!({"error": {"code": 429, "message": "Quota", "status": "RESOURCE_EXHAUSTED"}});
    let server = token_server(move |seen| match seen.n_before {
        0 => Reply::new(429, limited.to_string()),
        1 => Reply::new(503, "<html>Error 503</html>"),
        2 => Reply::new(200, "{}"),
        3 => token().cut(),
        _ => token(),
    })
    .await;
    ana(&google(&server, limits())).profile().await.unwrap();
    assert_eq!(
        (server.requests("/token").len(), server.calls().len()),
        (5, 1)
    );
    assert!(server.calls()[0].headers.contains_key("authorization"));
}

#[tokio::test]
async fn a_long_wish_of_the_token_endpoint_is_obeyed_for_all_users() {
    let server = token_server(|_| Reply::new(429, "{}").header("retry-after", "120")).await;
    let google = google(&server, limits());
    let error = ana(&google).profile().await.unwrap_err();
    assert_eq!(error.next(), Next::RetryAfter(Duration::from_secs(120)));
    let other = directory(&google).user("bob").await.unwrap_err();
    assert!(
        matches!(auth(&other), AuthError::Paused(_)),
        "{}",
        shown(&other)
    );
    assert_eq!(server.requests("/token").len(), 1);
}

#[tokio::test]
async fn an_answer_without_a_token_never_sends_a_call() {
    for body in ["{}", r#"{"access_token":""}"#, "<html>login</html>"] {
        let server = token_server(move |_| Reply::new(200, body)).await;
        let error = ana(&google(&server, limits())).profile().await.unwrap_err();
        assert!(
            matches!(auth(&error), AuthError::Malformed { .. }),
            "{}",
            shown(&error)
        );
        assert_eq!(
            (server.requests("/token").len(), server.calls().len()),
            (5, 0),
            "{body}"
        );
    }
}

#[tokio::test]
async fn refusals_name_user_words_and_remedy_and_hide_the_assertion() {
    let server = token_server(|seen| {
        let (_, jwt) = seen.body.rsplit_once("assertion=").unwrap();
        let description = format!("Unauthorized client or scope in request. {jwt}");
        Reply::new(
            401,
            json!({"error": "unauthorized_client", "error_description": description}).to_string(),
        )
    })
    .await;
    let error = ana(&google(&server, limits())).profile().await.unwrap_err();
    assert!(
        matches!(auth(&error), AuthError::Denied(denied) if denied.refusal == Refusal::NotDelegated)
    );
    let text = shown(&error);
    assert!(
        text.contains("ana@example.com") && text.contains("unauthorized_client"),
        "{text}"
    );
    assert!(
        error.hint().contains("numeric client id"),
        "{}",
        error.hint()
    );
    assert_eq!(
        (error.code(), server.requests("/token").len()),
        ("AUTH010", 1)
    );
}

#[tokio::test]
async fn a_wrong_clock_is_corrected_from_the_answer() {
    let server = token_server(|seen| {
        let (_, claims) = assertion(seen);
        let skew = claims["iat"].as_i64().unwrap() - SystemClock.now_ms() / 1000;
        if skew.abs() < 300 {
            return token();
        }
        // hyper adds the Date header.
        Reply::new(400, json!({"error": "invalid_grant", "error_description": "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."}).to_string())
    })
    .await;
    let slow = Arc::new(ManualClock::new(
        SystemClock.now_us() - 2 * 3600 * 1_000_000,
    ));
    let google = google_at(&server, limits(), slow);
    ana(&google).profile().await.unwrap();
    assert_eq!(server.requests("/token").len(), 2);
    // Learned once, it is used for the others too.
    directory(&google)
        .user("ana@example.com")
        .await
        .unwrap_err();
    assert_eq!(server.requests("/token").len(), 3);
}

#[tokio::test]
async fn a_clock_complaint_that_stays_is_given_after_one_more_try() {
    let server = token_server(|_| {
        Reply::new(400, r#"{"error":"invalid_grant","error_description":"Invalid JWT: Token must be a short-lived token"}"#)
    })
    .await;
    let slow = Arc::new(ManualClock::new(0));
    let error = ana(&google_at(&server, limits(), slow))
        .profile()
        .await
        .unwrap_err();
    assert_eq!(
        (error.code(), server.requests("/token").len()),
        ("AUTH017", 2)
    );
}

#[tokio::test]
async fn a_key_file_of_another_endpoint_is_refused() {
    let endpoint = Endpoint::parse("http://127.0.0.1:8087").unwrap();
    assert!(Key::parse(&key_file("http://127.0.0.1:8087/token"), &endpoint).is_ok());
    let error = Key::parse(&key_file("http://127.0.0.1:9999/token"), &endpoint).unwrap_err();
    assert_eq!(
        error,
        KeyError::ForeignTokenUri("http://127.0.0.1:9999/token".into())
    );
    assert_eq!(
        Key::parse(
            &key_file("http://127.0.0.1:8087/token"),
            &Endpoint::google()
        )
        .unwrap_err()
        .code(),
        "AUTH007"
    );
}
