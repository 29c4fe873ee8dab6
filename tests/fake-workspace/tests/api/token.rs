//! The token endpoint: every refusal with its body, and what tokens are good for.

use crate::client::{DIRECTORY, FULL, Fake, READONLY, now_secs, text};
use rsa::RsaPrivateKey;
use rsa::pkcs1v15::SigningKey;
use rsa::rand_core::OsRng;
use serde_json::{Value, json};

#[tokio::test]
async fn good_assertion_gives_a_bearer_token() {
    let fake = Fake::start().await;
    let user = fake.server.users()[1].clone();
    let answer = fake
        .exchange(&fake.assertion(&fake.claims(&user, READONLY)))
        .await;
    assert_eq!(answer.status, 200);
    let body = answer.json();
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["expires_in"], 3599);
    assert_eq!(body["scope"], READONLY);
    // Other clients: padded segments, the file's token_uri as audience, the user by id, other case.
    let own = text(&fake.key_file["token_uri"]);
    let id = text(&fake.admin("users", json!({}))["users"][1]["id"]);
    for (name, value) in [("aud", own), ("sub", id), ("sub", user.to_uppercase())] {
        let mut claims = fake.claims(&user, READONLY);
        claims[name] = json!(value);
        let answer = fake.exchange(&fake.padded_assertion(&claims)).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.text);
    }
}

#[tokio::test]
async fn each_bad_claim_is_refused_in_googles_words() {
    let fake = Fake::start().await;
    let user = fake.server.users()[1].clone();
    let aliases = fake.admin("users", json!({}))["users"]
        .as_array()
        .expect("users are a list")
        .iter()
        .flat_map(|user| {
            user["aliases"]
                .as_array()
                .expect("aliases are a list")
                .clone()
        })
        .collect::<Vec<Value>>();
    let alias = text(aliases.first().expect("somebody has an alias"));
    let now = now_secs();
    let time = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable \
                timeframe. Check your iat and exp values in the JWT claim.";
    let scope = "Invalid OAuth scope or ID token audience provided.";
    let calendar_events = "https://www.googleapis.com/auth/calendar.events";
    let cases: Vec<(Value, u16, &str, &str)> = vec![
        (
            json!({ "sub": "nobody@example.com" }),
            400,
            "invalid_grant",
            "Invalid email or User ID",
        ),
        (
            json!({ "sub": "nobody" }),
            400,
            "invalid_grant",
            "Not a valid email",
        ),
        (
            json!({ "sub": "a@other.example" }),
            401,
            "unauthorized_client",
            "Unauthorized client or scope in request.",
        ),
        (
            json!({ "sub": alias }),
            400,
            "invalid_request",
            "Invalid impersonation prn email address.",
        ),
        (
            json!({ "aud": "https://example.com/token" }),
            400,
            "invalid_grant",
            "Invalid JWT: Failed audience check. The right audience is https://oauth2.googleapis.com/token",
        ),
        (
            json!({ "aud": format!("{}/tokens", fake.server.base()) }),
            400,
            "invalid_grant",
            "Invalid JWT: Failed audience check. The right audience is https://oauth2.googleapis.com/token",
        ),
        (
            json!({ "iss": "other@fake-workspace.iam.gserviceaccount.com" }),
            400,
            "invalid_grant",
            "Invalid JWT: No valid verifier found for issuer",
        ),
        (json!({ "exp": now + 3901 }), 400, "invalid_grant", time),
        (
            json!({ "iat": now - 7200, "exp": now - 3600 }),
            400,
            "invalid_grant",
            time,
        ),
        (
            json!({ "iat": now + 1800, "exp": now + 3600 }),
            400,
            "invalid_grant",
            time,
        ),
        (json!({ "exp": now - 10 }), 400, "invalid_grant", time),
        (json!({ "iat": "now" }), 400, "invalid_grant", time),
        (
            json!({ "iat": i64::MIN, "exp": i64::MAX }),
            400,
            "invalid_grant",
            time,
        ),
        (json!({ "scope": "" }), 400, "invalid_scope", scope),
        (
            json!({ "scope": format!("{READONLY},{FULL}") }),
            400,
            "invalid_scope",
            scope,
        ),
        (
            json!({ "scope": "gmail.readonly" }),
            400,
            "invalid_scope",
            scope,
        ),
        (
            json!({ "scope": calendar_events }),
            401,
            "unauthorized_client",
            "Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the scopes requested.",
        ),
        (
            json!({ "scope": format!("{READONLY} {calendar_events}") }),
            403,
            "access_denied",
            "Requested client not authorized.",
        ),
        (
            json!({ "sub": 5 }),
            400,
            "invalid_request",
            "Invalid impersonation \"sub\" field: it must be a string.",
        ),
    ];
    for (change, status, error, description) in cases {
        let mut claims = fake.claims(&user, READONLY);
        for (name, value) in change.as_object().expect("a change is an object") {
            claims[name] = value.clone();
        }
        let answer = fake.exchange(&fake.assertion(&claims)).await;
        let expected = json!({ "error": error, "error_description": description });
        assert_eq!(
            (answer.status, answer.json()),
            (status, expected),
            "{change}"
        );
    }
}

#[tokio::test]
async fn forged_and_broken_assertions_are_refused() {
    let fake = Fake::start().await;
    let user = fake.server.users()[1].clone();
    let claims = fake.claims(&user, READONLY);
    let good = fake.assertion(&claims);
    let bad_signature =
        json!({ "error": "invalid_grant", "error_description": "Invalid JWT Signature." });

    let (signed, _) = good.rsplit_once('.').expect("three segments");
    let other = RsaPrivateKey::new(&mut OsRng, 1024).expect("a key comes about");
    let other = SigningKey::new(other);
    let mut unknown_kid = fake.header();
    unknown_kid["kid"] = json!("0123456789");
    let mut wider = claims.clone();
    wider["scope"] = json!(FULL);
    let (_, signature) = good.rsplit_once('.').expect("three segments");
    let unsigned = fake.assertion(&wider);
    let (swapped, _) = unsigned.rsplit_once('.').expect("three segments");
    for assertion in [
        fake.assertion_with(&fake.header(), &claims, &other),
        fake.assertion_with(&unknown_kid, &claims, &other),
        format!("{signed}."),
        format!("{signed}.AAAA"),
        format!("{swapped}.{signature}"),
    ] {
        let answer = fake.exchange(&assertion).await;
        assert_eq!((answer.status, answer.json()), (400, bad_signature.clone()));
    }

    let none = json!({ "alg": "none", "typ": "JWT" });
    let for_none = fake.assertion_with(&none, &claims, &other);
    for assertion in [
        "x",
        "a.b",
        "a.b.c",
        "....",
        "é.é.é",
        &for_none,
        &format!("{good}.x"),
    ] {
        let answer = fake.exchange(assertion).await;
        assert_eq!(answer.status, 401, "{assertion}");
        assert_eq!(answer.json()["error"], "invalid_client");
    }
    for (body, error) in [
        ("", "invalid_request"),
        ("grant_type=password", "unsupported_grant_type"),
        (
            "grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer",
            "invalid_request",
        ),
        ("\u{0}%%%&&==", "invalid_request"),
    ] {
        let answer = fake.send("POST", "/token", None, body).await;
        assert_eq!(
            (answer.status, &answer.json()["error"]),
            (400, &json!(error)),
            "{body:?}"
        );
    }
}

#[tokio::test]
async fn delegation_can_be_taken_back_by_scope_and_by_user() {
    let fake = Fake::start().await;
    let user = fake.server.users()[1].clone();
    let ask = async |scope: &str| {
        let answer = fake
            .exchange(&fake.assertion(&fake.claims(&user, scope)))
            .await;
        answer.json()["error"].as_str().unwrap_or("none").to_owned()
    };
    let both = format!("{READONLY} {FULL}");
    fake.admin("delegation.revoke", json!({ "scope": READONLY }));
    assert_eq!(ask(READONLY).await, "unauthorized_client");
    assert_eq!(ask(&both).await, "access_denied");
    assert_eq!(ask(FULL).await, "none");
    fake.admin("delegation.grant", json!({ "scope": READONLY }));
    assert_eq!(ask(&both).await, "none");
    fake.admin("delegation.revoke", json!({ "user": user }));
    assert_eq!(ask(FULL).await, "unauthorized_client");
    fake.admin("delegation.grant", json!({ "user": user }));
    assert_eq!(ask(FULL).await, "none");
}

#[tokio::test]
async fn token_is_bound_to_user_and_scope_and_ends() {
    let fake = Fake::start().await;
    let user = fake.server.users()[1].clone();
    let token = fake.token(&user, READONLY).await;
    let profile = "/gmail/v1/users/me/profile";
    assert_eq!(
        fake.send("GET", profile, Some(&token), "").await.status,
        200
    );

    let answer = fake
        .send("POST", "/gmail/v1/users/me/messages", Some(&token), "{}")
        .await;
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (403, "insufficientPermissions")
    );
    assert_eq!(
        answer.json()["error"]["details"][0]["reason"],
        "ACCESS_TOKEN_SCOPE_INSUFFICIENT"
    );
    let challenge = answer.headers["www-authenticate"]
        .to_str()
        .expect("plain text");
    assert!(
        challenge.contains("insufficient_scope") && challenge.contains(FULL),
        "{challenge}"
    );
    let answer = fake
        .send("GET", "/admin/directory/v1/users", Some(&token), "")
        .await;
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (403, "insufficientPermissions")
    );

    let other = fake.server.users()[0].clone();
    let answer = fake
        .send(
            "GET",
            &format!("/gmail/v1/users/{other}/profile"),
            Some(&token),
            "",
        )
        .await;
    assert_eq!(answer.status, 403);
    assert_eq!(
        answer.json()["error"]["message"],
        format!("Delegation denied for {user}")
    );

    assert_eq!(
        fake.admin("tokens.expire", json!({ "user": user }))["expired"],
        1
    );
    for token in [Some(token.as_str()), Some("ya29.never"), None] {
        let answer = fake.send("GET", profile, token, "").await;
        assert_eq!(answer.status, 401);
        let error = &answer.json()["error"]["errors"][0];
        let reason = if token.is_some() {
            "authError"
        } else {
            "required"
        };
        assert_eq!(error["reason"], reason);
        assert_eq!(
            (&error["location"], &error["locationType"]),
            (&json!("Authorization"), &json!("header"))
        );
    }
}

#[tokio::test]
async fn token_without_subject_is_nobody_in_gmail_and_directory() {
    let fake = Fake::start().await;
    let mut claims = fake.claims("", &format!("{READONLY} {DIRECTORY}"));
    claims
        .as_object_mut()
        .expect("claims are an object")
        .remove("sub");
    let token = text(&fake.exchange(&fake.assertion(&claims)).await.json()["access_token"]);
    let answer = fake
        .send("GET", "/gmail/v1/users/me/profile", Some(&token), "")
        .await;
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (400, "failedPrecondition")
    );
    let answer = fake
        .send(
            "GET",
            "/admin/directory/v1/users?customer=my_customer",
            Some(&token),
            "",
        )
        .await;
    assert_eq!(answer.status, 403);
}
