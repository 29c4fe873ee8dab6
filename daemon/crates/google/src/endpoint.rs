//! Where requests go: Google's hosts, or one endpoint that stands for all of them. Every URL is
//! made here from a fixed list, so a bearer token cannot go anywhere else.

use http::Uri;
use http::uri::Scheme;
use nuncio_model::untrusted;

/// The hosts that Google has used as token endpoint in key files.
const TOKEN_HOSTS: [&str; 3] = [
    "oauth2.googleapis.com",
    "accounts.google.com",
    "www.googleapis.com",
];

/// A Google API that this crate calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Api {
    Gmail,
    Calendar,
    Drive,
    Directory,
}

impl Api {
    fn origin(self) -> &'static str {
        match self {
            Api::Gmail => "https://gmail.googleapis.com",
            Api::Calendar => "https://www.googleapis.com",
            Api::Drive => "https://www.googleapis.com",
            Api::Directory => "https://admin.googleapis.com",
        }
    }
}

/// Google itself, or one server that stands for all of Google's hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `scheme://authority` without a slash at the end; none is Google.
    override_origin: Option<String>,
}

/// Why an endpoint is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not a URL.
    #[error("the endpoint {0} is not a URL such as http://127.0.0.1:8087")]
    NotUrl(String),
    /// More than scheme, host and port.
    #[error("the endpoint {0} has a path, query or user; only scheme, host and port are allowed")]
    TooMuch(String),
    /// Plain HTTP to another machine would send tokens and mail in the clear.
    #[error("the endpoint {0} is plain http to another machine; only loopback is allowed")]
    PlainHttp(String),
}

impl Endpoint {
    /// Google's own hosts.
    pub fn google() -> Self {
        Self {
            override_origin: None,
        }
    }

    /// One server for all hosts: `https://HOST[:PORT]`, or `http://` on loopback.
    ///
    /// # Errors
    /// What is wrong with `text`.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let shown = || untrusted(text).to_string();
        let uri: Uri = text.parse().map_err(|_| EndpointError::NotUrl(shown()))?;
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(EndpointError::NotUrl(shown()));
        };
        if *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS {
            return Err(EndpointError::NotUrl(shown()));
        }
        let bare = uri.path_and_query().is_none_or(|rest| rest.as_str() == "/");
        if !bare || authority.as_str().contains('@') {
            return Err(EndpointError::TooMuch(shown()));
        }
        if *scheme == Scheme::HTTP && !is_loopback(authority.host()) {
            return Err(EndpointError::PlainHttp(shown()));
        }
        Ok(Self {
            override_origin: Some(format!("{scheme}://{authority}").to_lowercase()),
        })
    }

    /// Whether requests go without TLS, to this machine.
    pub(crate) fn is_plain_http(&self) -> bool {
        self.override_origin
            .as_deref()
            .is_some_and(|origin| origin.starts_with("http:"))
    }

    /// Whether this is Google itself.
    pub(crate) fn is_google(&self) -> bool {
        self.override_origin.is_none()
    }

    /// The URL of `path` (no slash in front, already encoded, maybe with a query).
    pub(crate) fn url(&self, api: Api, path: &str) -> String {
        format!("{}/{path}", self.origin_or(api.origin()))
    }

    /// `google`, or the server that stands for it.
    pub(crate) fn origin_or<'a>(&'a self, google: &'a str) -> &'a str {
        self.override_origin.as_deref().unwrap_or(google)
    }

    /// The page where a person consents.
    pub(crate) fn consent_url(&self) -> String {
        let origin = self.origin_or("https://accounts.google.com");
        format!("{origin}/o/oauth2/v2/auth")
    }

    /// Where to ask for tokens with a key whose file names `token_uri`; none if that is a host
    /// which must not get our signed assertions.
    pub(crate) fn token_url(&self, token_uri: &str) -> Option<Uri> {
        let named: Uri = token_uri.parse().ok()?;
        let authority = named.authority()?;
        let is_google =
            named.scheme() == Some(&Scheme::HTTPS) && TOKEN_HOSTS.contains(&authority.as_str());
        let Some(origin) = &self.override_origin else {
            return is_google.then_some(named);
        };
        let named_origin = format!("{}://{authority}", named.scheme()?).to_lowercase();
        if named_origin == *origin {
            return Some(named);
        }
        is_google.then(|| {
            format!("{origin}/token")
                .parse()
                .expect("an origin that was parsed takes a path")
        })
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_loopback_only() {
        for good in [
            "http://127.0.0.1:8087",
            "http://[::1]:1/",
            "http://LOCALHOST:8087",
            "https://fake.example",
        ] {
            assert!(Endpoint::parse(good).is_ok(), "{good}");
        }
        let plain = |text: &str| matches!(Endpoint::parse(text), Err(EndpointError::PlainHttp(_)));
        assert!(plain("http://fake.example"));
        assert!(plain("http://127.0.0.1.example:80"));
        assert!(plain("http://10.0.0.1"));
        assert!(matches!(
            Endpoint::parse("http://127.0.0.1/x"),
            Err(EndpointError::TooMuch(_))
        ));
        assert!(matches!(
            Endpoint::parse("http://a@127.0.0.1"),
            Err(EndpointError::TooMuch(_))
        ));
        for bad in ["", "127.0.0.1", "ftp://127.0.0.1", "/x", "http://"] {
            assert!(
                matches!(Endpoint::parse(bad), Err(EndpointError::NotUrl(_))),
                "{bad}"
            );
        }
    }

    #[test]
    fn tokens_are_asked_of_google_or_the_endpoint() {
        let google = Endpoint::google();
        let url =
            |endpoint: &Endpoint, text: &str| endpoint.token_url(text).map(|uri| uri.to_string());
        let real = "https://oauth2.googleapis.com/token";
        assert_eq!(url(&google, real).as_deref(), Some(real));
        for bad in [
            "http://oauth2.googleapis.com/token",
            "https://oauth2.googleapis.com.evil.example/token",
            "https://evil.example/token",
            "https://x@oauth2.googleapis.com/token",
            "https://oauth2.googleapis.com:8443/token",
            "token",
            "",
        ] {
            assert_eq!(url(&google, bad), None, "{bad}");
        }
        let fake = Endpoint::parse("http://127.0.0.1:8087").unwrap();
        assert_eq!(
            url(&fake, real).as_deref(),
            Some("http://127.0.0.1:8087/token")
        );
        assert_eq!(
            url(&fake, "http://127.0.0.1:8087/t").as_deref(),
            Some("http://127.0.0.1:8087/t")
        );
        assert_eq!(url(&fake, "http://127.0.0.1:8088/token"), None);
        assert_eq!(
            fake.url(Api::Gmail, "gmail/v1/x"),
            "http://127.0.0.1:8087/gmail/v1/x"
        );
        assert_eq!(
            google.url(Api::Directory, "a"),
            "https://admin.googleapis.com/a"
        );
    }
}
