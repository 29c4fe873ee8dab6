//! A small client for the tests: signs assertions, fetches tokens, sends requests. No retries, no caching.
//! It holds every answer against Google's discovery documents, unless the test has asked for a spoiled one.

use crate::discovery::{Seen, Sent};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use bytes::Bytes;
use fake_workspace::{Options, Server};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rsa::RsaPrivateKey;
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::DecodePrivateKey;
use rsa::sha2::Sha256;
use rsa::signature::{SignatureEncoding, Signer};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

pub(crate) const FULL: &str = "https://mail.google.com/";
pub(crate) const READONLY: &str = "https://www.googleapis.com/auth/gmail.readonly";
pub(crate) const DIRECTORY: &str = "https://www.googleapis.com/auth/admin.directory.user.readonly";

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("the body is JSON")
    }

    /// `errors[0].reason` of Google's envelope.
    pub(crate) fn reason(&self) -> String {
        self.json()["error"]["errors"][0]["reason"]
            .as_str()
            .expect("an error has a reason")
            .to_owned()
    }
}

/// A running server with the key that opens it.
pub(crate) struct Fake {
    pub(crate) server: Server,
    pub(crate) key_file: Value,
    /// What has been answered; all of it right.
    pub(crate) seen: Seen,
    /// Whether the client asks again until an answer is good; for tests of faults that pass.
    is_stubborn: AtomicBool,
    /// Whether answers may be wrong because the test wants it.
    is_spoiled: AtomicBool,
    key: SigningKey<Sha256>,
    http: Client<HttpConnector, Full<Bytes>>,
    _dir: TempDir,
}

impl Fake {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut options = Options::new(dir.path());
        change(&mut options);
        let server = Server::start(options).await.expect("the server starts");
        let text = std::fs::read_to_string(server.key_path()).expect("the key file is there");
        let key_file: Value = serde_json::from_str(&text).expect("the key file is JSON");
        let pem = key_file["private_key"]
            .as_str()
            .expect("the file has a key");
        let private = RsaPrivateKey::from_pkcs8_pem(pem).expect("the key is PKCS#8");
        Self {
            server,
            key_file,
            seen: Seen::default(),
            is_stubborn: AtomicBool::new(false),
            is_spoiled: AtomicBool::new(false),
            key: SigningKey::new(private),
            http: Client::builder(TokioExecutor::new()).build_http(),
            _dir: dir,
        }
    }

    /// Good claims for `sub` and `scope`.
    pub(crate) fn claims(&self, sub: &str, scope: &str) -> Value {
        let now = now_secs();
        json!({
            "iss": self.key_file["client_email"],
            "sub": sub,
            "scope": scope,
            "aud": "https://oauth2.googleapis.com/token",
            "iat": now,
            "exp": now + 3600,
        })
    }

    pub(crate) fn assertion(&self, claims: &Value) -> String {
        self.assertion_with(&self.header(), claims, &self.key)
    }

    pub(crate) fn header(&self) -> Value {
        json!({ "alg": "RS256", "typ": "JWT", "kid": self.key_file["private_key_id"] })
    }

    pub(crate) fn assertion_with(
        &self,
        header: &Value,
        claims: &Value,
        key: &SigningKey<Sha256>,
    ) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(header), encode(claims));
        let signature = key.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }

    /// As yup-oauth2 sends it: every segment padded.
    pub(crate) fn padded_assertion(&self, claims: &Value) -> String {
        let encode = |value: &Value| URL_SAFE.encode(value.to_string());
        let signed = format!("{}.{}", encode(&self.header()), encode(claims));
        let signature = self.key.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE.encode(signature.to_bytes()))
    }

    pub(crate) async fn exchange(&self, assertion: &str) -> Answer {
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
            .append_pair("assertion", assertion)
            .finish();
        self.send("POST", "/token", None, &body).await
    }

    pub(crate) async fn token(&self, sub: &str, scope: &str) -> String {
        let answer = self
            .exchange(&self.assertion(&self.claims(sub, scope)))
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["access_token"]
            .as_str()
            .expect("an answer has a token")
            .to_owned()
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: &str,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.server.base()))
            .header("content-type", "application/x-www-form-urlencoded");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request
            .body(Full::new(Bytes::from(body.to_owned())))
            .expect("the request is well-formed");
        self.request(request)
            .await
            .expect("an answer comes back whole")
    }

    pub(crate) async fn request(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Answer, Box<dyn std::error::Error>> {
        if !self.is_stubborn.load(Ordering::Relaxed) {
            return self.request_once(request).await;
        }
        for _ in 0..100 {
            match self.request_once(request.clone()).await {
                Ok(answer) if answer.status != 429 && answer.status < 500 => return Ok(answer),
                Ok(_) | Err(_) => {}
            }
        }
        Err("no good answer in a hundred times".into())
    }

    async fn request_once(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Answer, Box<dyn std::error::Error>> {
        let sent = Sent::of(&request).await;
        let response = self.http.request(request).await?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = response.into_body().collect().await?.to_bytes();
        let answer = Answer {
            status,
            text: if is_text(&headers) {
                String::from_utf8(body.to_vec())?
            } else {
                String::from_utf8_lossy(&body).into_owned()
            },
            headers,
        };
        let is_retried = self.is_stubborn.load(Ordering::Relaxed) && answer.status >= 429;
        if !self.is_spoiled.load(Ordering::Relaxed) && !is_retried {
            self.seen.check(&sent, &answer);
        }
        Ok(answer)
    }

    /// From now on these methods fail in all ways that pass, each with a probability, and the client asks again.
    /// What comes in the end is checked as ever. Only for methods that change nothing.
    pub(crate) fn trouble(&self, methods: &[&str], seed: u64) {
        self.is_stubborn.store(true, Ordering::Relaxed);
        for method in methods {
            for (at, fault) in [
                json!({ "body": "empty_page", "probability": 0.2 }),
                json!({ "status": 503, "probability": 0.08 }),
                json!({ "status": 429, "reason": "rateLimitExceeded", "probability": 0.08 }),
                json!({ "status": 500, "body": "html", "probability": 0.05 }),
                json!({ "status": 502, "body": "empty", "probability": 0.05 }),
                json!({ "body": "cut", "probability": 0.08 }),
                json!({ "body": "reset", "probability": 0.05 }),
                json!({ "latency_ms": 1, "probability": 0.05 }),
            ]
            .iter_mut()
            .enumerate()
            {
                fault["method"] = json!(method);
                fault["seed"] = json!(seed * 100 + at as u64);
                self.server
                    .admin("fault.on", fault)
                    .expect("the fault is well-formed");
            }
        }
    }

    /// How many calls have been hit by faults.
    pub(crate) fn n_hits(&self) -> u64 {
        self.admin("stats", json!({}))["faults"]
            .as_u64()
            .expect("a number")
    }

    pub(crate) async fn mailbox(&self, number: usize) -> Mailbox<'_> {
        let address = self.server.users()[number].clone();
        let token = self.token(&address, FULL).await;
        Mailbox {
            fake: self,
            address,
            token,
        }
    }

    /// Runs an admin operation that has to work. Faults of bodies end the check of answers.
    pub(crate) fn admin(&self, operation: &str, input: Value) -> Value {
        if operation == "fault.on" && input["body"].is_string() && input["body"] != "empty_page" {
            self.is_spoiled.store(true, Ordering::Relaxed);
        }
        self.server
            .admin(operation, &input)
            .expect("the admin operation works")
    }
}

/// One user's Gmail with full rights.
pub(crate) struct Mailbox<'a> {
    fake: &'a Fake,
    pub(crate) address: String,
    pub(crate) token: String,
}

impl Mailbox<'_> {
    /// `path` comes after `/gmail/v1/users/me/`.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call("POST", path, &body.to_string()).await
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: &str) -> Answer {
        let path = format!("/gmail/v1/users/me/{path}");
        self.fake.send(method, &path, Some(&self.token), body).await
    }

    /// A get that has to work.
    pub(crate) async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.json()
    }

    /// Ids of all pages of messages.list, in their order.
    pub(crate) async fn list(&self, query: &str) -> Vec<String> {
        self.list_from(query, None).await
    }

    /// The same from the page that `token` leads to.
    pub(crate) async fn list_from(&self, query: &str, mut token: Option<String>) -> Vec<String> {
        let mut ids = Vec::new();
        loop {
            let next = token.map_or_else(String::new, |token| format!("&pageToken={token}"));
            let page = self.json(&format!("messages?{query}{next}")).await;
            for message in page["messages"].as_array().into_iter().flatten() {
                ids.push(text(&message["id"]));
            }
            assert!(ids.len() <= 10_000, "paging does not end");
            match page["nextPageToken"].as_str() {
                Some(next) => token = Some(next.to_owned()),
                None => return ids,
            }
        }
    }

    pub(crate) async fn history_id(&self) -> String {
        text(&self.json("profile").await["historyId"])
    }

    /// Inserts a small mail and returns its id.
    pub(crate) async fn insert(&self, raw: &str, labels: &[&str]) -> String {
        let body = json!({ "raw": URL_SAFE.encode(raw), "labelIds": labels });
        let answer = self.post("messages", &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        text(&answer.json()["id"])
    }

    pub(crate) fn truth(&self, all: bool) -> Value {
        self.fake
            .admin("truth", json!({ "user": self.address, "all": all }))
    }
}

/// Whether a body has to be UTF-8; files may be anything.
fn is_text(headers: &HeaderMap) -> bool {
    headers
        .get("content-type")
        .is_some_and(|kind| kind.as_bytes().ends_with(b"charset=UTF-8"))
}

/// Decodes base64url as a client has to: with or without padding.
pub(crate) fn decode(text: &str) -> Vec<u8> {
    let padded = format!("{text}{}", "=".repeat((4 - text.len() % 4) % 4));
    STANDARD
        .decode(padded.replace('-', "+").replace('_', "/"))
        .expect("the text is base64url")
}

/// The string in a value.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}

pub(crate) fn now_secs() -> i64 {
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock is past 1970");
    i64::try_from(elapsed.as_secs()).expect("the clock is sane")
}

/// Percent-encodes a query value.
pub(crate) fn encode(value: &str) -> String {
    form_urlencoded::byte_serialize(value.as_bytes()).collect()
}
