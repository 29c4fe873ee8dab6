//! Tokens of single users: the consent page, codes with PKCE, refresh tokens and their ends.

use crate::client::{Answer, FULL, Fake, READONLY, decode, text};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::Request;
use http_body_util::Full;
use rsa::sha2::{Digest, Sha256};
use serde_json::{Value, json};

const REDIRECT: &str = "http://127.0.0.1:4711/cb";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const PROFILE: &str = "/gmail/v1/users/me/profile";

/// Name and value of a parameter.
type Pair<'a> = (&'a str, &'a str);

type Pairs<'a> = &'a [Pair<'a>];

/// An installed app with its client file.
struct App<'a> {
    fake: &'a Fake,
    id: String,
    secret: String,
}

impl<'a> App<'a> {
    fn of(fake: &'a Fake) -> Self {
        let file = std::fs::read(fake.server.client_path()).expect("the client file is there");
        let file: Value = serde_json::from_slice(&file).expect("the client file is JSON");
        Self {
            fake,
            id: text(&file["installed"]["client_id"]),
            secret: text(&file["installed"]["client_secret"]),
        }
    }

    /// A good request for consent, with some parameters replaced; an empty one is left out.
    fn request(&self, changes: &[(&str, &str)]) -> String {
        let mut parameters = vec![
            ("client_id", self.id.as_str()),
            ("redirect_uri", REDIRECT),
            ("response_type", "code"),
            ("scope", READONLY),
            ("state", "a b&c"),
        ];
        for (name, value) in changes {
            parameters.retain(|(own, _)| own != name);
            if !value.is_empty() {
                parameters.push((name, value));
            }
        }
        form(&parameters)
    }

    async fn ask(&self, changes: &[(&str, &str)]) -> Answer {
        let path = format!("/o/oauth2/v2/auth?{}", self.request(changes));
        self.fake.send("GET", &path, None, "").await
    }

    /// A code by the consent that the test has switched to `auto`.
    async fn code(&self, changes: &[(&str, &str)]) -> String {
        let answer = self.ask(changes).await;
        assert_eq!(answer.status, 302, "{}", answer.text);
        parameter(&answer, "code").expect("a code comes back")
    }

    async fn token(&self, parameters: &[(&str, &str)]) -> Answer {
        let mut all = vec![
            ("client_id", self.id.as_str()),
            ("client_secret", self.secret.as_str()),
        ];
        for (name, value) in parameters {
            all.retain(|(own, _)| own != name);
            if !value.is_empty() {
                all.push((name, value));
            }
        }
        self.fake.send("POST", "/token", None, &form(&all)).await
    }

    async fn exchange(&self, code: &str, more: &[(&str, &str)]) -> Answer {
        let mut parameters = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
        ];
        parameters.extend_from_slice(more);
        self.token(&parameters).await
    }

    async fn refresh(&self, token: &str) -> Answer {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", token)])
            .await
    }

    /// A refresh token of `user` for `scope`.
    async fn refresh_token(&self, user: &str, scope: &str) -> String {
        self.fake.admin("oauth.consent", json!({ "mode": "auto" }));
        let code = self.code(&[("login_hint", user), ("scope", scope)]).await;
        let answer = self.exchange(&code, &[]).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        text(&answer.json()["refresh_token"])
    }
}

fn form(parameters: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(parameters)
        .finish()
}

/// A parameter of the place where a redirect leads.
fn parameter(answer: &Answer, name: &str) -> Option<String> {
    let location = answer.headers["location"].to_str().expect("plain text");
    let (place, query) = location.split_once('?').expect("a redirect has a query");
    assert_eq!(place, REDIRECT);
    form_urlencoded::parse(query.as_bytes())
        .find(|(own, _)| own == name)
        .map(|(_, value)| value.into_owned())
}

fn refusal(answer: &Answer) -> (u16, String, String) {
    let body = answer.json();
    (
        answer.status,
        text(&body["error"]),
        text(&body["error_description"]),
    )
}

fn expect(answer: &Answer, status: u16, error: &str, description: &str) {
    assert_eq!(
        refusal(answer),
        (status, error.to_owned(), description.to_owned())
    );
}

#[tokio::test]
async fn a_person_consents_on_the_page_and_the_app_gets_both_tokens() {
    let fake = Fake::start().await;
    let app = App::of(&fake);
    let user = fake.server.users()[1].clone();
    let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    let request = [
        (
            "scope",
            "openid email https://www.googleapis.com/auth/gmail.readonly",
        ),
        ("code_challenge", hash.as_str()),
        ("code_challenge_method", "S256"),
        ("access_type", "offline"),
        ("prompt", "consent"),
        ("nonce", "n-1"),
    ];
    let page = app.ask(&request).await;
    assert_eq!(page.status, 200);
    for user in fake.server.users() {
        assert!(page.text.contains(&user), "the page offers {user}");
    }
    assert!(page.text.contains("gmail.readonly") && page.text.contains("a b&amp;c"));

    let decision = |decision: &str| {
        let mut body = app.request(&request);
        body.push('&');
        body.push_str(&form(&[("user", &user), ("decision", decision)]));
        body
    };
    let answer = fake
        .send("POST", "/o/oauth2/v2/auth", None, &decision("deny"))
        .await;
    assert_eq!(
        parameter(&answer, "error").as_deref(),
        Some("access_denied")
    );
    assert_eq!(parameter(&answer, "state").as_deref(), Some("a b&c"));
    let answer = fake
        .send("POST", "/o/oauth2/v2/auth", None, &decision("allow"))
        .await;
    assert_eq!(answer.status, 302);
    assert_eq!(parameter(&answer, "state").as_deref(), Some("a b&c"));
    let code = parameter(&answer, "code").expect("a code comes back");

    let answer = app.exchange(&code, &[("code_verifier", VERIFIER)]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let tokens = answer.json();
    assert_eq!(
        (&tokens["token_type"], &tokens["expires_in"]),
        (&json!("Bearer"), &json!(3599))
    );
    let access = text(&tokens["access_token"]);
    let profile = fake.send("GET", PROFILE, Some(&access), "").await;
    assert_eq!(profile.json()["emailAddress"], user);

    let id_token = text(&tokens["id_token"]);
    let claims: Value =
        serde_json::from_slice(&decode(id_token.split('.').nth(1).expect("three parts")))
            .expect("claims are JSON");
    assert_eq!(claims["email"], user);
    assert_eq!(claims["nonce"], "n-1");
    assert_eq!(claims["aud"], app.id);

    // A code works once, whether the first use was good or not.
    let again = app.exchange(&code, &[("code_verifier", VERIFIER)]).await;
    expect(&again, 400, "invalid_grant", "Bad Request");

    let info = fake
        .send(
            "GET",
            &format!("/tokeninfo?access_token={access}"),
            None,
            "",
        )
        .await
        .json();
    assert_eq!(info["email"], user);
    assert_eq!(info["aud"], app.id);
    assert_eq!(info["sub"], claims["sub"]);
    for (path, key) in [("/oauth2/v2/userinfo", "id"), ("/v1/userinfo", "sub")] {
        let info = fake.send("GET", path, Some(&access), "").await.json();
        assert_eq!((&info["email"], &info[key]), (&json!(user), &claims["sub"]));
        assert_eq!(info["name"], Value::Null, "no scope for the profile");
    }
    let unknown = fake
        .send("GET", "/tokeninfo?access_token=x", None, "")
        .await;
    expect(&unknown, 400, "invalid_token", "Invalid Value");

    let refreshed = app.refresh(&text(&tokens["refresh_token"])).await;
    assert_eq!(refreshed.status, 200, "{}", refreshed.text);
    assert_eq!(refreshed.json()["refresh_token"], Value::Null);
    let access = text(&refreshed.json()["access_token"]);
    assert_eq!(
        fake.send("GET", PROFILE, Some(&access), "").await.status,
        200
    );
}

#[tokio::test]
async fn bad_requests_for_consent_stay_on_googles_page() {
    let fake = Fake::start().await;
    let app = App::of(&fake);
    fake.admin("oauth.consent", json!({ "mode": "auto" }));
    let short = "x".repeat(42);
    let cases: Vec<(Vec<Pair<'_>>, u16, &str)> = vec![
        (vec![("client_id", "")], 400, "invalid_request"),
        (vec![("client_id", "other")], 401, "invalid_client"),
        (vec![("redirect_uri", "")], 400, "invalid_request"),
        (
            vec![("redirect_uri", "https://example.com/cb")],
            400,
            "redirect_uri_mismatch",
        ),
        (
            vec![("redirect_uri", "https://127.0.0.1/cb")],
            400,
            "redirect_uri_mismatch",
        ),
        (
            vec![("redirect_uri", "http://127.0.0.1.example.com/")],
            400,
            "redirect_uri_mismatch",
        ),
        (
            vec![("redirect_uri", "http://a@127.0.0.1/")],
            400,
            "redirect_uri_mismatch",
        ),
        (
            vec![("redirect_uri", "http://10.0.0.1:80/")],
            400,
            "redirect_uri_mismatch",
        ),
        (
            vec![("redirect_uri", "http://localhost/#x")],
            400,
            "redirect_uri_mismatch",
        ),
        (
            vec![("redirect_uri", "\u{0}")],
            400,
            "redirect_uri_mismatch",
        ),
        (
            vec![("redirect_uri", "urn:ietf:wg:oauth:2.0:oob")],
            400,
            "invalid_request",
        ),
        (
            vec![("response_type", "token")],
            400,
            "unsupported_response_type",
        ),
        (vec![("scope", "")], 400, "invalid_request"),
        (vec![("scope", "gmail.readonly")], 400, "invalid_scope"),
        (vec![("prompt", "none consent")], 400, "invalid_request"),
        (vec![("prompt", "maybe")], 400, "invalid_request"),
        (
            vec![
                ("code_challenge", VERIFIER),
                ("code_challenge_method", "S512"),
            ],
            400,
            "invalid_request",
        ),
        (
            vec![("code_challenge_method", "S256")],
            400,
            "invalid_request",
        ),
        (vec![("code_challenge", &short)], 400, "invalid_request"),
        (vec![("login_hint", "a@other.example")], 403, "org_internal"),
    ];
    for (changes, status, error) in cases {
        let answer = app.ask(&changes).await;
        assert_eq!(answer.status, status, "{changes:?}: {}", answer.text);
        assert!(
            answer.text.contains(&format!("Error {status}: {error}")),
            "{changes:?}: {}",
            answer.text
        );
    }
    let policies = [
        (
            "oauth.policy",
            json!({ "blocked": [READONLY] }),
            "Error 400: admin_policy_enforced",
        ),
        (
            "oauth.client",
            json!({ "state": "disabled" }),
            "Error 401: disabled_client",
        ),
        (
            "oauth.client",
            json!({ "state": "deleted" }),
            "Error 401: deleted_client",
        ),
        (
            "oauth.client",
            json!({ "state": "org_internal" }),
            "Error 403: org_internal",
        ),
    ];
    for (operation, input, expected) in policies {
        fake.admin(operation, input);
        let answer = app.ask(&[]).await;
        assert!(answer.text.contains(expected), "{}", answer.text);
    }
}

#[tokio::test]
async fn loopback_takes_any_port_and_prompt_none_needs_an_earlier_consent() {
    let fake = Fake::start().await;
    let app = App::of(&fake);
    let user = fake.server.users()[1].clone();
    let silent = [("prompt", "none"), ("login_hint", user.as_str())];
    let answer = app.ask(&silent).await;
    assert_eq!(
        parameter(&answer, "error").as_deref(),
        Some("interaction_required")
    );
    app.refresh_token(&user, READONLY).await;
    fake.admin("oauth.consent", json!({ "mode": "page" }));
    assert!(parameter(&app.ask(&silent).await, "code").is_some());
    // More than what was consented to needs a person again.
    let answer = app.ask(&[silent[0], silent[1], ("scope", FULL)]).await;
    assert_eq!(
        parameter(&answer, "error").as_deref(),
        Some("interaction_required")
    );

    fake.admin("oauth.consent", json!({ "mode": "auto", "user": user }));
    for uri in [
        "http://localhost",
        "http://localhost:1/a?b=c",
        "http://[::1]:65535/",
        "http://127.0.0.1:8080",
    ] {
        let answer = app.ask(&[("redirect_uri", uri)]).await;
        assert_eq!(answer.status, 302, "{uri}: {}", answer.text);
        let location = answer.headers["location"].to_str().expect("plain text");
        assert!(location.starts_with(uri), "{location}");
    }
    fake.admin("oauth.consent", json!({ "mode": "deny" }));
    let answer = app.ask(&[]).await;
    assert_eq!(
        parameter(&answer, "error").as_deref(),
        Some("access_denied")
    );

    // What was granted earlier can come along.
    fake.admin("oauth.consent", json!({ "mode": "auto", "user": user }));
    let code = app
        .code(&[("scope", FULL), ("include_granted_scopes", "true")])
        .await;
    let scope = text(&app.exchange(&code, &[]).await.json()["scope"]);
    assert_eq!(scope, format!("{FULL} {READONLY}"));
    let code = app.code(&[("access_type", "online")]).await;
    let answer = app.exchange(&code, &[]).await.json();
    assert_eq!(answer["refresh_token"], Value::Null);
}

#[tokio::test]
async fn code_exchange_is_refused_in_googles_words() {
    let fake = Fake::start().await;
    let app = App::of(&fake);
    let user = fake.server.users()[1].clone();
    fake.admin("oauth.consent", json!({ "mode": "auto", "user": user }));
    let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    let s256 = [
        ("code_challenge", hash.as_str()),
        ("code_challenge_method", "S256"),
    ];
    let plain = [("code_challenge", VERIFIER)];
    let short = "a".repeat(42);
    let hash_as_verifier = [("code_verifier", hash.as_str())];
    let short_verifier = [("code_verifier", short.as_str())];
    let cases: Vec<(Pairs<'_>, Pairs<'_>, u16, &str, &str)> = vec![
        (&s256, &[], 400, "invalid_grant", "Missing code verifier."),
        (
            &s256,
            &hash_as_verifier,
            400,
            "invalid_grant",
            "Invalid code verifier.",
        ),
        (
            &plain,
            &hash_as_verifier,
            400,
            "invalid_grant",
            "Invalid code verifier.",
        ),
        (
            &plain,
            &short_verifier,
            400,
            "invalid_grant",
            "Invalid code verifier.",
        ),
        (
            &[],
            &[("code_verifier", VERIFIER)],
            400,
            "invalid_grant",
            "code_verifier or verifier is not needed.",
        ),
        (
            &[],
            &[("redirect_uri", "http://127.0.0.1:4712/cb")],
            400,
            "redirect_uri_mismatch",
            "Bad Request",
        ),
        (
            &[],
            &[("redirect_uri", "")],
            400,
            "redirect_uri_mismatch",
            "Bad Request",
        ),
        (
            &[],
            &[("client_id", "")],
            400,
            "invalid_request",
            "Could not determine client ID from request.",
        ),
        (
            &[],
            &[("client_id", "other")],
            401,
            "invalid_client",
            "The OAuth client was not found.",
        ),
        (
            &[],
            &[("client_secret", "")],
            400,
            "invalid_request",
            "client_secret is missing.",
        ),
        (
            &[],
            &[("client_secret", "wrong")],
            401,
            "invalid_client",
            "Unauthorized",
        ),
        (
            &[],
            &[("code", "")],
            400,
            "invalid_request",
            "Missing required parameter: code",
        ),
        (
            &[],
            &[("code", "nonsense")],
            400,
            "invalid_grant",
            "Malformed auth code.",
        ),
        (
            &[],
            &[("code", "4/0Anonsense")],
            400,
            "invalid_grant",
            "Bad Request",
        ),
    ];
    for (request, exchange, status, error, description) in cases {
        let code = app.code(request).await;
        let mut all = vec![
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", REDIRECT),
        ];
        for change in exchange {
            all.retain(|(own, _)| *own != change.0);
            all.push(*change);
        }
        expect(&app.token(&all).await, status, error, description);
    }
    let code = app.code(&plain).await;
    let answer = app.exchange(&code, &[("code_verifier", VERIFIER)]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    // Ten minutes later a code is too old.
    let code = app.code(&[]).await;
    fake.admin("clock.skew", json!({ "seconds": 601 }));
    expect(
        &app.exchange(&code, &[]).await,
        400,
        "invalid_grant",
        "Bad Request",
    );

    // The client may also say who it is by HTTP Basic.
    let code = app.code(&[]).await;
    let body = form(&[
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", REDIRECT),
    ]);
    let basic = STANDARD.encode(format!("{}:{}", app.id, app.secret));
    let request = Request::post(format!("{}/token", fake.server.base()))
        .header("authorization", format!("Basic {basic}"))
        .body(Full::from(body))
        .expect("the request is well-formed");
    let answer = fake.request(request).await.expect("an answer comes");
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[tokio::test]
async fn refresh_tokens_die_in_every_documented_way() {
    let fake = Fake::start().await;
    let app = App::of(&fake);
    let user = fake.server.users()[1].clone();
    let dead = "Token has been expired or revoked.";
    let revoke = async |token: &str| {
        let body = form(&[("token", token)]);
        fake.send("POST", "/revoke", None, &body).await.status
    };

    // Revoked by either token, which kills the consent and with it the other one.
    for by_access in [true, false] {
        let refresh = app.refresh_token(&user, READONLY).await;
        let access = text(&app.refresh(&refresh).await.json()["access_token"]);
        assert_eq!(
            revoke(if by_access { &access } else { &refresh }).await,
            200
        );
        expect(&app.refresh(&refresh).await, 400, "invalid_grant", dead);
        assert_eq!(
            fake.send("GET", PROFILE, Some(&access), "").await.status,
            401
        );
        assert_eq!(revoke(&refresh).await, 400);
    }
    // By the user in the account's settings; the delegation of the domain goes on.
    let refresh = app.refresh_token(&user, READONLY).await;
    let delegated = fake.token(&user, READONLY).await;
    assert_eq!(
        fake.admin("user.revoke", json!({ "user": user }))["revoked"],
        2
    );
    expect(&app.refresh(&refresh).await, 400, "invalid_grant", dead);
    assert_eq!(
        fake.send("GET", PROFILE, Some(&delegated), "").await.status,
        200
    );
    // A new password takes those with Gmail scopes only.
    let gmail = app.refresh_token(&user, READONLY).await;
    let calendar = "https://www.googleapis.com/auth/calendar";
    let calendar = app.refresh_token(&user, calendar).await;
    fake.admin("user.password", json!({ "user": user }));
    expect(&app.refresh(&gmail).await, 400, "invalid_grant", dead);
    assert_eq!(app.refresh(&calendar).await.status, 200);
    // Policies and the client's own fate.
    let refresh = app.refresh_token(&user, READONLY).await;
    fake.admin("oauth.policy", json!({ "blocked": [READONLY] }));
    let answer = app.refresh(&refresh).await;
    assert_eq!(answer.json()["error"], "admin_policy_enforced");
    fake.admin("oauth.policy", json!({ "blocked": [] }));
    fake.admin("user.restrict", json!({ "user": user, "restricted": true }));
    expect(
        &app.refresh(&refresh).await,
        403,
        "access_denied",
        "Account restricted",
    );
    fake.admin(
        "user.restrict",
        json!({ "user": user, "restricted": false }),
    );
    for (state, error) in [
        ("deleted", "deleted_client"),
        ("disabled", "disabled_client"),
        ("org_internal", "org_internal"),
    ] {
        fake.admin("oauth.client", json!({ "state": state }));
        assert_eq!(app.refresh(&refresh).await.json()["error"], error);
    }
    fake.admin("oauth.client", json!({ "state": "ok" }));
    // Narrower is fine, wider is not.
    let narrow = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh.as_str()),
        ("scope", FULL),
    ];
    expect(
        &app.token(&narrow).await,
        400,
        "invalid_scope",
        "Bad Request",
    );
    expect(&app.refresh("1//0never").await, 400, "invalid_grant", dead);
    expect(
        &app.refresh("garbage").await,
        400,
        "invalid_grant",
        "Bad Request",
    );
    expect(
        &app.refresh("").await,
        400,
        "invalid_request",
        "Missing required parameter: refresh_token",
    );
    // Unused for half a year.
    fake.admin("clock.skew", json!({ "seconds": 184 * 86_400 }));
    expect(&app.refresh(&refresh).await, 400, "invalid_grant", dead);
    // A week after, if the consent screen is in testing.
    fake.admin("oauth.client", json!({ "testing": true }));
    let refresh = app.refresh_token(&user, READONLY).await;
    fake.admin("clock.skew", json!({ "seconds": 192 * 86_400 }));
    expect(&app.refresh(&refresh).await, 400, "invalid_grant", dead);
}

#[tokio::test]
async fn the_hundred_and_first_refresh_token_kills_the_oldest() {
    let fake = Fake::start().await;
    let app = App::of(&fake);
    let user = fake.server.users()[1].clone();
    let other = app.refresh_token(&fake.server.users()[2], READONLY).await;
    let mut tokens = Vec::new();
    for second in 0..101 {
        fake.admin("clock.skew", json!({ "seconds": second }));
        tokens.push(app.refresh_token(&user, READONLY).await);
    }
    let answer = app.refresh(&tokens[0]).await;
    assert_eq!(answer.json()["error"], "invalid_grant");
    assert_eq!(app.refresh(&tokens[1]).await.status, 200);
    assert_eq!(app.refresh(&other).await.status, 200);
}

#[tokio::test]
async fn refresh_token_is_bound_to_the_account_not_to_its_address() {
    let fake = Fake::start().await;
    let app = App::of(&fake);
    let user = fake.server.users()[1].clone();
    let refresh = app.refresh_token(&user, READONLY).await;
    let gone = "The account has been deleted";
    let steps: [(&str, Value, u16, &str); 8] = [
        (
            "user.rename",
            json!({ "user": user, "email": "new@example.com" }),
            200,
            "",
        ),
        (
            "user.suspend",
            json!({ "user": user }),
            400,
            "Account is disabled",
        ),
        ("user.restore", json!({ "user": user }), 200, ""),
        (
            "user.archive",
            json!({ "user": user }),
            400,
            "Account is disabled",
        ),
        ("user.restore", json!({ "user": user }), 200, ""),
        ("user.delete", json!({ "user": user }), 400, gone),
        ("user.undelete", json!({ "user": user }), 200, ""),
        ("user.recreate", json!({ "user": user }), 400, gone),
    ];
    for (operation, input, status, description) in steps {
        fake.admin(operation, input);
        let answer = app.refresh(&refresh).await;
        assert_eq!(answer.status, status, "{operation}: {}", answer.text);
        if status == 400 {
            expect(&answer, 400, "invalid_grant", description);
        }
    }
    // A suspended user cannot consent either.
    fake.admin("user.suspend", json!({ "user": "new@example.com" }));
    let answer = app.ask(&[("login_hint", "new@example.com")]).await;
    assert_eq!(answer.status, 403, "{}", answer.text);
}
