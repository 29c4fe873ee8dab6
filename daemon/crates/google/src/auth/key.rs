//! The service account's key file: read once, judged with words that help, and kept as a signer.
//! Where the file comes from and how tokens are got with it is not here.

use super::Scopes;
use crate::{Endpoint, codes};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Uri;
use nuncio_model::{Secret, untrusted};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::Signer;
use rustls::{SignatureAlgorithm, SignatureScheme};
use serde_json::{Value, json};
use std::fmt;
use std::sync::Arc;
use yup_oauth2::ServiceAccountKey;
use zeroize::Zeroizing;

/// Google takes no assertion that lives longer.
/// <https://developers.google.com/identity/protocols/oauth2/service-account#authorizingrequests>
const LIFETIME_SECS: i64 = 3600;

/// A service account's key, ready to sign. Clones share the parsed key.
#[derive(Clone)]
pub struct Key {
    client_email: String,
    key_id: Option<String>,
    /// `token_uri` as in the file: what Google's endpoint and stand-ins expect as audience.
    audience: String,
    token_url: Uri,
    signer: Arc<dyn Signer>,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("client_email", &self.client_email)
            .finish_non_exhaustive()
    }
}

/// Why a key file is refused. Nothing of a private key is ever quoted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// JSON, but no object.
    #[error("the key file holds no JSON object")]
    NotObject,
    /// Not JSON.
    #[error("the key file is not JSON (line {line}, column {column})")]
    NotJson {
        /// Line of the first error, from 1.
        line: usize,
        /// Column of the first error, from 1.
        column: usize,
    },
    /// A credential of another kind.
    #[error("the key file is of type {0}, not service_account")]
    WrongType(String),
    /// A field is absent or no text.
    #[error("the key file has no text in the field {0}")]
    MissingField(&'static str),
    /// `private_key` is no private key in PEM.
    #[error("private_key in the key file is not a private key in PEM")]
    NotPem,
    /// A private key that is damaged or of a kind that nobody knows.
    #[error("private_key in the key file cannot be read as a key")]
    BadKey,
    /// A key that cannot sign RS256.
    #[error("private_key in the key file is not an RSA key")]
    NotRsa,
    /// `token_uri` is neither Google's nor the endpoint's.
    #[error("token_uri in the key file names {0}, which is neither Google's nor the endpoint's")]
    ForeignTokenUri(String),
}

impl KeyError {
    /// The stable code for operators.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotJson { .. } | Self::NotObject => "AUTH001",
            Self::WrongType(_) => "AUTH002",
            Self::MissingField(_) => "AUTH003",
            Self::NotPem => "AUTH004",
            Self::BadKey => "AUTH005",
            Self::NotRsa => "AUTH006",
            Self::ForeignTokenUri(_) => "AUTH007",
        }
    }

    /// What an operator can do.
    pub fn hint(&self) -> &'static str {
        codes::remedy(self.code())
    }
}

impl Key {
    /// Reads a key file's text. With an endpoint override a file whose `token_uri` is Google's
    /// is used at the endpoint's `/token`.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn parse(file: &Secret, endpoint: &Endpoint) -> Result<Self, KeyError> {
        let file = read_fields(file.expose())?;
        let private_key = Zeroizing::new(file.private_key);
        let der =
            PrivateKeyDer::from_pem_slice(private_key.as_bytes()).map_err(|_| KeyError::NotPem)?;
        let key = any_supported_type(&der).map_err(|_| KeyError::BadKey)?;
        if key.algorithm() != SignatureAlgorithm::RSA {
            return Err(KeyError::NotRsa);
        }
        let signer = key
            .choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256])
            .ok_or(KeyError::NotRsa)?;
        let token_url = endpoint
            .token_url(&file.token_uri)
            .ok_or_else(|| KeyError::ForeignTokenUri(untrusted(&file.token_uri).to_string()))?;
        Ok(Self {
            client_email: file.client_email,
            key_id: file.private_key_id,
            audience: file.token_uri,
            token_url,
            signer: signer.into(),
        })
    }

    /// The service account's name, an address.
    pub fn client_email(&self) -> &str {
        &self.client_email
    }

    /// The key's id, as the Cloud console lists it; old files may not tell it.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Where tokens are asked for.
    pub(super) fn token_url(&self) -> &Uri {
        &self.token_url
    }

    /// Signs a JWT (RFC 7523) that asks for `scopes` on behalf of `subject`, made at `now_secs`
    /// since 1970. Takes a millisecond or two of CPU.
    pub(super) fn assertion(
        &self,
        subject: Option<&str>,
        scopes: Scopes,
        now_secs: i64,
    ) -> Result<Secret, rustls::Error> {
        let mut header = json!({"alg": "RS256", "typ": "JWT"});
        if let Some(key_id) = &self.key_id {
            header["kid"] = Value::from(key_id.as_str());
        }
        let claims = claims(
            &self.client_email,
            &self.audience,
            subject,
            scopes,
            now_secs,
        );
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let mut jwt = format!("{}.{}", encode(&header), encode(&claims));
        let signature = self.signer.sign(jwt.as_bytes())?;
        jwt.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut jwt);
        Ok(Secret::new(jwt))
    }
}

/// The claims of an assertion (RFC 7523) of the service account `issuer`.
pub(super) fn claims(
    issuer: &str,
    audience: &str,
    subject: Option<&str>,
    scopes: Scopes,
    now_secs: i64,
) -> Value {
    let mut claims = json!({
        "iss": issuer,
        "scope": scopes.urls().join(" "),
        "aud": audience,
        "iat": now_secs,
        "exp": now_secs + LIFETIME_SECS,
    });
    if let Some(subject) = subject {
        claims["sub"] = Value::from(subject);
    }
    claims
}

/// serde names one missing field and quotes values, so the fields are looked at first.
fn read_fields(text: &str) -> Result<ServiceAccountKey, KeyError> {
    let value: Value = serde_json::from_str(text).map_err(|error| KeyError::NotJson {
        line: error.line(),
        column: error.column(),
    })?;
    let Value::Object(fields) = &value else {
        return Err(KeyError::NotObject);
    };
    match fields.get("type").and_then(Value::as_str) {
        Some("service_account") => {}
        Some(other) => return Err(KeyError::WrongType(untrusted(other).to_string())),
        // The file of an OAuth client has one of these and no type.
        None if fields.contains_key("installed") || fields.contains_key("web") => {
            return Err(KeyError::WrongType("OAuth client".into()));
        }
        None => return Err(KeyError::MissingField("type")),
    }
    for name in ["client_email", "private_key", "token_uri"] {
        if fields
            .get(name)
            .and_then(Value::as_str)
            .is_none_or(str::is_empty)
        {
            return Err(KeyError::MissingField(name));
        }
    }
    for name in OPTIONAL_FIELDS {
        if fields
            .get(name)
            .is_some_and(|value| !value.is_null() && !value.is_string())
        {
            return Err(KeyError::MissingField(name));
        }
    }
    Ok(serde_json::from_value(value).expect("all fields of the type were just checked"))
}

const OPTIONAL_FIELDS: [&str; 6] = [
    "project_id",
    "private_key_id",
    "client_id",
    "auth_uri",
    "auth_provider_x509_cert_url",
    "client_x509_cert_url",
];

#[cfg(test)]
mod tests {
    use super::*;

    const RSA: &str = include_str!("../../tests/calls/rsa-key.pem");
    const EC: &str = include_str!("../../tests/calls/ec-key.pem");
    const GOOGLE: &str = "https://oauth2.googleapis.com/token";

    fn file(change: impl FnOnce(&mut Value)) -> Secret {
        let mut value = json!({"type": "service_account", "client_email": "n@p.iam.gserviceaccount.com",
            "private_key": RSA, "private_key_id": "k1", "token_uri": GOOGLE, "universe_domain": "googleapis.com"});
        change(&mut value);
        Secret::new(value.to_string())
    }

    fn error(file: &Secret) -> KeyError {
        let error = Key::parse(file, &Endpoint::google()).unwrap_err();
        for shown in [
            error.to_string(),
            format!("{error:?}"),
            error.hint().to_owned(),
        ] {
            assert!(
                !shown.contains("planted") && !shown.contains("MII"),
                "{shown}"
            );
        }
        error
    }

    #[test]
    fn a_good_file_is_read_and_its_debug_shows_no_key() {
        let key = Key::parse(&file(|_| ()), &Endpoint::google()).unwrap();
        assert_eq!(key.client_email(), "n@p.iam.gserviceaccount.com");
        assert_eq!(
            format!("{key:?}"),
            r#"Key { client_email: "n@p.iam.gserviceaccount.com", .. }"#
        );
    }

    #[test]
    fn files_that_are_not_json_are_named_without_quoting_them() {
        assert_eq!(
            error(&Secret::new("{\"private_key\": \"planted\",\n oops".into())),
            KeyError::NotJson { line: 2, column: 2 }
        );
        assert_eq!(
            error(&Secret::new("[\"planted\"]".into())),
            KeyError::NotObject
        );
        assert_eq!(error(&Secret::new(String::new())).code(), "AUTH001");
    }

    #[test]
    fn other_kinds_of_credentials_are_told_apart() {
        let other = error(&file(|value| value["type"] = json!("authorized_user")));
        assert_eq!(other, KeyError::WrongType("authorized_user".into()));
        assert!(other.hint().contains("service account"));
        let client = Secret::new(r#"{"installed":{"client_secret":"planted"}}"#.into());
        assert_eq!(error(&client), KeyError::WrongType("OAuth client".into()));
    }

    #[test]
    fn every_needed_field_is_missed_by_name() {
        for name in ["type", "client_email", "private_key", "token_uri"] {
            let missing = error(&file(|value| {
                drop(value.as_object_mut().unwrap().remove(name))
            }));
            assert_eq!(missing, KeyError::MissingField(name));
        }
        assert_eq!(
            error(&file(|value| value["private_key"] = json!({"x": "planted"}))),
            KeyError::MissingField("private_key")
        );
        assert_eq!(
            error(&file(|value| value["client_id"] = json!(["planted"]))),
            KeyError::MissingField("client_id")
        );
        assert_eq!(
            error(&file(|value| value["client_email"] = json!(""))),
            KeyError::MissingField("client_email")
        );
    }

    #[test]
    fn unusable_private_keys_are_told_apart() {
        assert_eq!(
            error(&file(|value| value["private_key"] = json!("planted"))),
            KeyError::NotPem
        );
        let cut: String = RSA
            .lines()
            .take(9)
            .chain(["-----END PRIVATE KEY-----"])
            .collect::<Vec<_>>()
            .join("\n");
        assert_eq!(
            error(&file(|value| value["private_key"] = json!(cut))),
            KeyError::BadKey
        );
        assert_eq!(
            error(&file(|value| value["private_key"] = json!(EC))),
            KeyError::NotRsa
        );
    }

    #[test]
    fn a_foreign_token_uri_is_refused() {
        let foreign = error(&file(|value| {
            value["token_uri"] = json!("https://evil.example/token")
        }));
        assert_eq!(
            foreign,
            KeyError::ForeignTokenUri("https://evil.example/token".into())
        );
    }
}
