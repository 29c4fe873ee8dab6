//! Somebody with a token, who sends any call to any API.

use crate::client::{Answer, FULL, Fake, text};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::Value;

/// One identity and its token.
pub(crate) struct Person<'a> {
    pub(crate) fake: &'a Fake,
    pub(crate) address: String,
    pub(crate) token: String,
}

impl<'a> Person<'a> {
    /// A user by number, with a token of one scope.
    pub(crate) async fn with(fake: &'a Fake, number: usize, scope: &str) -> Self {
        let address = fake.server.users()[number].clone();
        let token = fake.token(&address, scope).await;
        Self {
            fake,
            address,
            token,
        }
    }

    /// The second user with all rights in Gmail.
    pub(crate) async fn gmail(fake: &'a Fake) -> Self {
        Self::with(fake, 1, FULL).await
    }

    /// The service account itself.
    pub(crate) async fn account(fake: &'a Fake, scope: &str) -> Self {
        let mut claims = fake.claims("", scope);
        claims.as_object_mut().expect("claims").remove("sub");
        let answer = fake.exchange(&fake.assertion(&claims)).await;
        Self {
            fake,
            address: String::new(),
            token: text(&answer.json()["access_token"]),
        }
    }

    /// Any call; `kind` is the content type.
    pub(crate) async fn call(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> Answer {
        self.call_with(method, path, &[("content-type", kind)], body)
            .await
    }

    /// Any call with these headers.
    pub(crate) async fn call_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.fake.server.base()))
            .header("authorization", format!("Bearer {}", self.token));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = Full::new(Bytes::copy_from_slice(body));
        let request = request.body(body).expect("the request is well-formed");
        let answer = self.fake.request(request).await;
        answer.unwrap_or_else(|error| panic!("{method} {path}: no answer: {error}"))
    }

    /// A call that has to work; null if it has no body.
    pub(crate) async fn ok(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> Value {
        let answer = self.call(method, path, kind, body).await;
        assert!(answer.status < 300, "{method} {path}: {}", answer.text);
        serde_json::from_str(&answer.text).unwrap_or_default()
    }

    /// Begins a resumable upload; returns the place of its pieces, where nothing has arrived yet.
    pub(crate) async fn begin_upload(&self, method: &str, url: &str, metadata: Value) -> String {
        let body = metadata.to_string();
        let begun = self
            .call(method, url, "application/json", body.as_bytes())
            .await;
        assert_eq!(begun.status, 200, "{url}: {}", begun.text);
        let location = begun.headers["location"].to_str().expect("a place");
        let place = location
            .strip_prefix(self.fake.server.base())
            .expect("the same host")
            .to_owned();
        let status = [("content-range", "bytes */*")];
        let answer = self.call_with("PUT", &place, &status, b"").await;
        assert_eq!(answer.status, 308, "{place}: {}", answer.text);
        assert!(!answer.headers.contains_key("range"));
        place
    }

    pub(crate) async fn json(&self, method: &str, path: &str, body: Value) -> Value {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.ok(method, path, "application/json", body.as_bytes())
            .await
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.json("GET", path, Value::Null).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        self.json("POST", path, body).await
    }

    pub(crate) async fn delete(&self, path: &str) {
        self.json("DELETE", path, Value::Null).await;
    }
}
