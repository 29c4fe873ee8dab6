//! Signing without a key: the workload that runs on this machine asks Google to sign for the service
//! account. A token of the workload comes from the metadata server, or is traded for a token of
//! another identity provider. Sending is not here; these are the requests and what their answers
//! mean. <https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/signJwt>

use super::{AuthError, Scopes, key};
use crate::client::Answer;
use crate::status::Envelope;
use crate::{Endpoint, codes};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request, Uri};
use http_body_util::Full;
use nuncio_model::{Secret, untrusted};
use serde_json::{Value, json};
use std::path::PathBuf;

/// What opens `signJwt`.
pub(super) const SCOPES_WORKLOAD: Scopes =
    Scopes(&["https://www.googleapis.com/auth/cloud-platform"]);

/// The audience of assertions for Google itself.
const AUDIENCE: &str = "https://oauth2.googleapis.com/token";

/// The metadata server's only host; plain HTTP on a link-local address.
const METADATA: &str = "http://metadata.google.internal";

/// The only hosts that get another provider's token.
const STS_URL: &str = "https://sts.googleapis.com/v1/token";

/// A subject token is some KiB.
const LONGEST_SUBJECT_TOKEN: u64 = 64 << 10;

/// A service account for which Google signs. Clones are cheap.
#[derive(Debug, Clone)]
pub struct Keyless {
    service_account: String,
    workload: Workload,
    token_url: Uri,
    endpoint: Endpoint,
}

/// How the workload shows who it is.
#[derive(Debug, Clone)]
pub enum Workload {
    /// To the metadata server, by running on Google's machines.
    Metadata,
    /// By a token of another identity provider.
    External(ExternalAccount),
}

/// A file of the type `external_account`, as `gcloud iam workload-identity-pools
/// create-cred-config` writes it. <https://google.aip.dev/auth/4117>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalAccount {
    audience: String,
    subject_token_type: String,
    file: PathBuf,
    /// The member of a JSON file that is the token; none: the whole file is.
    field: Option<String>,
}

/// Why an external-account file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExternalAccountError {
    /// Not JSON.
    #[error("the external-account file is not JSON (line {line}, column {column})")]
    NotJson {
        /// Line of the first error, from 1.
        line: usize,
        /// Column of the first error, from 1.
        column: usize,
    },
    /// Another kind of file.
    #[error("the external-account file is of type {0}, not external_account")]
    WrongType(String),
    /// A field is absent or no text.
    #[error("the external-account file has no text in the field {0}")]
    MissingField(&'static str),
    /// A source of tokens that nuncio does not use.
    #[error("the external-account file takes its token from {0}, which nuncio refuses")]
    Source(&'static str),
    /// `token_url` is not Google's.
    #[error("token_url in the external-account file names {0}, which is not Google's")]
    ForeignUrl(String),
}

impl ExternalAccountError {
    /// The stable code for operators.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotJson { .. } => "AUTH050",
            Self::WrongType(_) => "AUTH051",
            Self::MissingField(_) => "AUTH052",
            Self::Source(_) => "AUTH053",
            Self::ForeignUrl(_) => "AUTH054",
        }
    }

    /// What an operator can do.
    pub fn hint(&self) -> &'static str {
        codes::remedy(self.code())
    }
}

impl ExternalAccount {
    /// Reads the file's text. An impersonation URL in it is not used: nuncio asks for the
    /// signature of the service account that the config names.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn parse(file: &str) -> Result<Self, ExternalAccountError> {
        use ExternalAccountError::{ForeignUrl, MissingField, NotJson, Source, WrongType};
        let value: Value = serde_json::from_str(file).map_err(|error| NotJson {
            line: error.line(),
            column: error.column(),
        })?;
        let text = |value: &Value, name: &'static str| {
            let text = value.get(name).and_then(Value::as_str);
            let text = text.filter(|text| !text.is_empty());
            text.map(str::to_owned).ok_or(MissingField(name))
        };
        match text(&value, "type")?.as_str() {
            "external_account" => {}
            other => return Err(WrongType(untrusted(other).to_string())),
        }
        let token_url = text(&value, "token_url")?;
        if token_url != STS_URL {
            return Err(ForeignUrl(untrusted(&token_url).to_string()));
        }
        let source = value.get("credential_source");
        let source = source.ok_or(MissingField("credential_source"))?;
        for (name, what) in [
            ("executable", "a program"),
            ("url", "a URL"),
            ("environment_id", "AWS"),
            ("certificate", "a certificate"),
        ] {
            if source.get(name).is_some() {
                return Err(Source(what));
            }
        }
        let format = source.get("format");
        let field = match format.and_then(|format| format.get("type")) {
            Some(kind) if kind == "json" => Some(text(
                format.unwrap_or(&Value::Null),
                "subject_token_field_name",
            )?),
            _ => None,
        };
        Ok(Self {
            audience: text(&value, "audience")?,
            subject_token_type: text(&value, "subject_token_type")?,
            file: PathBuf::from(text(source, "file")?),
            field,
        })
    }

    /// Reads the other provider's token, which is renewed by whoever writes the file. Blocks for
    /// as long as a file is read.
    pub(super) fn subject_token(&self) -> Result<Secret, AuthError> {
        use std::io::Read;
        let unreadable = |what: String| AuthError::SubjectToken {
            file: self.file.display().to_string(),
            what,
        };
        let opened = std::fs::File::open(&self.file);
        let opened = opened.map_err(|error| unreadable(error.to_string()))?;
        let mut text = String::new();
        let read = opened.take(LONGEST_SUBJECT_TOKEN).read_to_string(&mut text);
        let text = Secret::new(text);
        read.map_err(|error| unreadable(error.to_string()))?;
        let Some(field) = &self.field else {
            return Ok(Secret::new(text.expose().trim().to_owned()));
        };
        let value: Result<Value, _> = serde_json::from_str(text.expose());
        let value = value.map_err(|_| unreadable("it is not JSON".to_owned()))?;
        let token = value.get(field).and_then(Value::as_str);
        let token = token.ok_or_else(|| unreadable(format!("it has no text in {field}")))?;
        Ok(Secret::new(token.to_owned()))
    }

    pub(super) fn form<'a>(&'a self, subject_token: &'a Secret) -> [(&'static str, &'a str); 6] {
        [
            (
                "grant_type",
                "urn:ietf:params:oauth:grant-type:token-exchange",
            ),
            (
                "requested_token_type",
                "urn:ietf:params:oauth:token-type:access_token",
            ),
            ("audience", &self.audience),
            ("scope", SCOPES_WORKLOAD.0[0]),
            ("subject_token_type", &self.subject_token_type),
            ("subject_token", subject_token.expose()),
        ]
    }
}

impl Keyless {
    /// For a service account, named by its address.
    pub fn new(service_account: String, workload: Workload, endpoint: &Endpoint) -> Self {
        let token_url = endpoint.token_url(AUDIENCE);
        Self {
            service_account,
            workload,
            token_url: token_url.expect("Google's own token endpoint is taken by every endpoint"),
            endpoint: endpoint.clone(),
        }
    }

    /// The service account's address.
    pub fn service_account(&self) -> &str {
        &self.service_account
    }

    pub(super) fn workload(&self) -> &Workload {
        &self.workload
    }

    pub(super) fn token_url(&self) -> &Uri {
        &self.token_url
    }

    /// The request for the workload's own token at the metadata server.
    pub(super) fn metadata_request(&self) -> Result<Request<Full<Bytes>>, AuthError> {
        let path = "computeMetadata/v1/instance/service-accounts/default/token";
        let origin = self.endpoint.origin_or(METADATA);
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.uri_mut() = uri(&format!("{origin}/{path}?scopes={}", SCOPES_WORKLOAD.0[0]))?;
        let flavor = HeaderName::from_static("metadata-flavor");
        let google = HeaderValue::from_static("Google");
        request.headers_mut().insert(flavor, google);
        Ok(request)
    }

    /// Where a token of another provider is traded.
    pub(super) fn sts_url(&self) -> Result<Uri, AuthError> {
        uri(&format!(
            "{}/v1/token",
            self.endpoint.origin_or("https://sts.googleapis.com")
        ))
    }

    /// The request for a signature.
    pub(super) fn sign_request(
        &self,
        workload_token: &Secret,
        subject: Option<&str>,
        scopes: Scopes,
        now_secs: i64,
    ) -> Result<Request<Full<Bytes>>, AuthError> {
        let claims = key::claims(&self.service_account, AUDIENCE, subject, scopes, now_secs);
        let body = json!({ "payload": claims.to_string() });
        let account = crate::http::segment(&self.service_account);
        let origin = self
            .endpoint
            .origin_or("https://iamcredentials.googleapis.com");
        let mut request = Request::new(Full::new(Bytes::from(body.to_string())));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri(&format!(
            "{origin}/v1/projects/-/serviceAccounts/{}:signJwt",
            account.unwrap_or_default()
        ))?;
        let mut authorization =
            HeaderValue::from_str(&format!("Bearer {}", workload_token.expose()))
                .expect("tokens were checked to be graphic ASCII");
        authorization.set_sensitive(true);
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, authorization);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(request)
    }

    /// The signed assertion out of the answer.
    pub(super) fn signed(&self, answer: &Answer) -> Result<Secret, AuthError> {
        let status = answer.status.as_u16();
        if answer.status.is_success() {
            let value: Option<Value> = serde_json::from_slice(&answer.body).ok();
            let signed = value.as_ref().and_then(|value| value.get("signedJwt"));
            let signed = signed.and_then(Value::as_str);
            return signed
                .map(|jwt| Secret::new(jwt.to_owned()))
                .ok_or(AuthError::Malformed {
                    status,
                    what: "no signedJwt",
                });
        }
        if status == 429 || status >= 500 {
            return Err(AuthError::Busy {
                status,
                retry_after: None,
            });
        }
        let envelope = Envelope::parse(&answer.body);
        Err(AuthError::NotSigned {
            service_account: self.service_account.clone(),
            message: untrusted(&envelope.message).to_string(),
        })
    }
}

fn uri(text: &str) -> Result<Uri, AuthError> {
    text.parse().map_err(|_| AuthError::Malformed {
        status: 0,
        what: "a URL that cannot be built",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(change: impl FnOnce(&mut Value)) -> String {
        let mut value = json!({
            "type": "external_account",
            "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": STS_URL,
            "service_account_impersonation_url": "https://iamcredentials.googleapis.com/v1/x:generateAccessToken",
            "credential_source": { "file": "/run/token" },
        });
        change(&mut value);
        value.to_string()
    }

    #[test]
    fn a_file_source_is_read_and_programs_urls_and_strangers_are_refused() {
        let good = ExternalAccount::parse(&file(|_| ())).unwrap();
        assert_eq!((good.file.to_str(), good.field), (Some("/run/token"), None));
        let json = ExternalAccount::parse(&file(|value| {
            value["credential_source"]["format"] =
                json!({"type": "json", "subject_token_field_name": "jwt"});
        }));
        assert_eq!(json.unwrap().field.as_deref(), Some("jwt"));
        let code =
            |change: fn(&mut Value)| ExternalAccount::parse(&file(change)).unwrap_err().code();
        assert_eq!(
            code(|value| value["type"] = json!("authorized_user")),
            "AUTH051"
        );
        assert_eq!(code(|value| value["audience"] = json!(null)), "AUTH052");
        for source in [
            json!({"executable": {"command": "/bin/sh"}}),
            json!({"url": "http://169.254.169.254/x"}),
            json!({"environment_id": "aws1"}),
        ] {
            let error = ExternalAccount::parse(&file(|value| value["credential_source"] = source));
            assert_eq!(error.unwrap_err().code(), "AUTH053");
        }
        for url in [
            "https://evil.example/v1/token",
            "http://sts.googleapis.com/v1/token",
        ] {
            let error = ExternalAccount::parse(&file(|value| value["token_url"] = json!(url)));
            assert_eq!(error.unwrap_err().code(), "AUTH054");
        }
        assert_eq!(ExternalAccount::parse("{").unwrap_err().code(), "AUTH050");
    }

    #[test]
    fn a_subject_token_is_the_file_or_a_member_of_it() {
        let dir = std::env::temp_dir().join(format!("nuncio-keyless-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("token");
        let account = |field: Option<&str>| ExternalAccount {
            audience: String::new(),
            subject_token_type: String::new(),
            file: path.clone(),
            field: field.map(str::to_owned),
        };
        std::fs::write(&path, "planted\n").unwrap();
        assert_eq!(account(None).subject_token().unwrap().expose(), "planted");
        let error = account(Some("jwt"))
            .subject_token()
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("not JSON") && !error.contains("planted"),
            "{error}"
        );
        std::fs::write(&path, r#"{"jwt":"planted"}"#).unwrap();
        assert_eq!(
            account(Some("jwt")).subject_token().unwrap().expose(),
            "planted"
        );
        assert!(account(Some("other")).subject_token().is_err());
        std::fs::remove_dir_all(&dir).unwrap();
        assert!(account(None).subject_token().is_err());
    }
}
