//! Key rotation, clocks that are off, and delegation without a key file.

use crate::client::{Fake, READONLY, now_secs, text};
use http::Request;
use http_body_util::Full;
use rsa::RsaPrivateKey;
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::DecodePrivateKey;
use rsa::sha2::Sha256;
use serde_json::{Value, json};

const PROFILE: &str = "/gmail/v1/users/me/profile";

/// Key file and key that a rotation wrote.
fn read_key(path: &Value) -> (Value, SigningKey<Sha256>) {
    let file = std::fs::read(path.as_str().expect("a path")).expect("the file is there");
    let file: Value = serde_json::from_slice(&file).expect("the file is JSON");
    let pem = text(&file["private_key"]);
    let key = RsaPrivateKey::from_pkcs8_pem(&pem).expect("the key is PKCS#8");
    (file, SigningKey::new(key))
}

#[tokio::test]
async fn rotated_keys_end_at_once_or_after_their_grace() {
    let fake = Fake::start().await;
    let user = fake.server.users()[1].clone();
    let old = async |skew: i64| {
        let mut claims = fake.claims(&user, READONLY);
        let now = now_secs() + skew;
        (claims["iat"], claims["exp"]) = (json!(now), json!(now + 3600));
        fake.exchange(&fake.assertion(&claims)).await
    };
    let graceful = fake.admin("key.rotate", json!({ "grace_seconds": 3600 }));
    assert_eq!(old(0).await.status, 200);
    assert_eq!(
        fake.admin("key.list", json!({}))["keys"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );
    let (file, key) = read_key(&graceful["key"]);
    assert_eq!(file["private_key_id"], graceful["key_id"]);
    assert_eq!(file["client_email"], fake.key_file["client_email"]);
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": file["private_key_id"] });
    let new = fake.assertion_with(&header, &fake.claims(&user, READONLY), &key);
    assert_eq!(fake.exchange(&new).await.status, 200);
    // The right key under the wrong name.
    let crossed = fake.assertion_with(&fake.header(), &fake.claims(&user, READONLY), &key);
    assert_eq!(fake.exchange(&crossed).await.status, 400);

    fake.admin("clock.skew", json!({ "seconds": 3601 }));
    let answer = old(3601).await;
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.json(),
        json!({ "error": "invalid_grant", "error_description": "Invalid JWT Signature." })
    );
    fake.admin("clock.skew", json!({ "seconds": 0 }));
    assert_eq!(old(0).await.status, 200);
    let last = fake.admin("key.rotate", json!({}));
    assert_eq!(old(0).await.status, 400);
    assert_eq!(fake.exchange(&new).await.status, 400);
    assert_eq!(
        fake.admin("key.list", json!({}))["keys"],
        json!([last["key_id"]])
    );
    let (file, key) = read_key(&last["key"]);
    let header = json!({ "alg": "RS256", "kid": file["private_key_id"] });
    let newest = fake.assertion_with(&header, &fake.claims(&user, READONLY), &key);
    assert_eq!(fake.exchange(&newest).await.status, 200);
    fake.admin("key.delete", json!({ "key_id": last["key_id"] }));
    assert_eq!(fake.exchange(&newest).await.status, 400);
}

#[tokio::test]
async fn skewed_clock_shows_in_the_date_and_refuses_good_assertions() {
    let fake = Fake::start().await;
    let user = fake.server.users()[1].clone();
    let token = fake.token(&user, READONLY).await;
    for skew in [-1800_i64, 1800, 7200] {
        fake.admin("clock.skew", json!({ "seconds": skew }));
        let answer = fake
            .exchange(&fake.assertion(&fake.claims(&user, READONLY)))
            .await;
        // A client whose clock is behind by less than the assertion's life is still understood.
        if skew == 1800 {
            assert_eq!(answer.status, 200, "{}", answer.text);
        } else {
            assert_eq!(answer.status, 400, "{skew}");
            assert!(text(&answer.json()["error_description"]).contains("short-lived token"));
        }
        let date = answer.headers["date"].to_str().expect("plain text");
        let date = jiff::fmt::rfc2822::parse(date).expect("an HTTP date is one of RFC 2822");
        let off = date.timestamp().as_second() - now_secs();
        assert!((off - skew).abs() <= 60, "{off} instead of {skew}");
        // What the client reads there mends its claims.
        let mut claims = fake.claims(&user, READONLY);
        let now = date.timestamp().as_second();
        (claims["iat"], claims["exp"]) = (json!(now), json!(now + 3600));
        assert_eq!(fake.exchange(&fake.assertion(&claims)).await.status, 200);
    }
    let late = fake.send("GET", PROFILE, Some(&token), "").await;
    assert_eq!(late.status, 401, "the token is two hours old");
}

async fn metadata(fake: &Fake, path: &str, flavour: bool) -> crate::client::Answer {
    let mut request = Request::get(format!("{}{path}", fake.server.base()));
    if flavour {
        request = request.header("metadata-flavor", "Google");
    }
    let request = request.body(Full::default()).expect("well-formed");
    fake.request(request).await.expect("an answer comes")
}

#[tokio::test]
async fn keyless_delegation_goes_by_the_metadata_server_and_sign_jwt() {
    let fake = Fake::start().await;
    let user = fake.server.users()[1].clone();
    let accounts = "/computeMetadata/v1/instance/service-accounts";
    assert_eq!(
        metadata(&fake, &format!("{accounts}/default/token"), false)
            .await
            .status,
        403
    );
    assert_eq!(
        metadata(&fake, &format!("{accounts}/other/token"), true)
            .await
            .status,
        404
    );
    let ping = metadata(&fake, "/", true).await;
    assert_eq!(ping.headers["metadata-flavor"], "Google");
    assert_eq!(
        metadata(&fake, "/computeMetadata/v1/project/project-id", true)
            .await
            .text,
        "fake-workspace"
    );
    // The metadata server speaks no TLS, so the control port has it as well.
    for path in ["/", "/computeMetadata/v1/universe/universe-domain"] {
        let request = Request::get(format!("{}{path}", fake.server.admin_url()))
            .header("metadata-flavor", "Google")
            .body(Full::default())
            .expect("well-formed");
        let answer = fake.request(request).await.expect("an answer comes");
        assert_eq!(answer.text, metadata(&fake, path, true).await.text);
        assert_eq!(answer.headers["metadata-flavor"], "Google");
    }
    let email = metadata(&fake, &format!("{accounts}/default/email"), true)
        .await
        .text;
    let by_name = metadata(&fake, &format!("{accounts}/{email}/?recursive=true"), true).await;
    assert_eq!(by_name.json()["email"], email);
    let token = metadata(&fake, &format!("{accounts}/default/token"), true).await;
    let token = text(&token.json()["access_token"]);

    let account = text(&fake.key_file["client_email"]);
    let place = format!("/v1/projects/-/serviceAccounts/{account}:signJwt");
    let claims = fake.claims(&user, READONLY);
    let body = json!({ "payload": claims.to_string() }).to_string();
    let signed = fake.send("POST", &place, Some(&token), &body).await;
    assert_eq!(signed.status, 200, "{}", signed.text);
    let signed = signed.json();
    assert!(signed["keyId"].is_string());
    let answer = fake.exchange(&text(&signed["signedJwt"])).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let delegated = text(&answer.json()["access_token"]);
    let profile = fake.send("GET", PROFILE, Some(&delegated), "").await.json();
    assert_eq!(profile["emailAddress"], user);

    // Google's client for Python asks for a token of this scope alone.
    let path =
        format!("{accounts}/default/token?scopes=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fiam");
    let narrow = text(&metadata(&fake, &path, true).await.json()["access_token"]);
    let answer = fake.send("POST", &place, Some(&narrow), &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);

    let long = json!({ "payload": json!({ "exp": now_secs() + 13 * 3600 }).to_string() });
    let half_day = json!({ "payload": json!({ "exp": now_secs() + 11 * 3600 }).to_string() });
    for (token, place, body, status) in [
        (&token, place.as_str(), long.to_string(), 400),
        (&token, &place, half_day.to_string(), 200),
        (&token, &place, json!({ "payload": "[]" }).to_string(), 400),
        (&token, &place, "{}".to_owned(), 400),
        (&token, &place, "nonsense".to_owned(), 400),
        (&delegated, &place, body.clone(), 403),
        (
            &token,
            "/v1/projects/-/serviceAccounts/x@y.z:signJwt",
            body.clone(),
            403,
        ),
        (&token, &place.replace("/-/", "/p/"), body.clone(), 400),
        (
            &token,
            &place.replace("signJwt", "signBlob"),
            body.clone(),
            404,
        ),
    ] {
        let answer = fake.send("POST", place, Some(token), &body).await;
        assert_eq!(answer.status, status, "{place} {body}: {}", answer.text);
    }
    fake.admin("iam.revoke", json!({}));
    let answer = fake.send("POST", &place, Some(&token), &body).await;
    assert_eq!(answer.status, 403);
    assert_eq!(answer.json()["error"]["status"], "PERMISSION_DENIED");
}
