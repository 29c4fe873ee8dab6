//! TLS: an authority made at the start, and a certificate of it for loopback and for Google's host names.

use crate::Error;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Names that the certificate is good for: a test may send Google's host names to the fake.
const NAMES: [&str; 13] = [
    "localhost",
    "127.0.0.1",
    "::1",
    "accounts.google.com",
    "oauth2.googleapis.com",
    "openidconnect.googleapis.com",
    "iamcredentials.googleapis.com",
    "www.googleapis.com",
    "gmail.googleapis.com",
    "admin.googleapis.com",
    "pubsub.googleapis.com",
    "calendar-json.googleapis.com",
    "drive.googleapis.com",
];

/// What a listener needs to speak TLS.
#[derive(Clone)]
pub(super) struct Acceptor {
    tls: TlsAcceptor,
    ca_path: PathBuf,
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor")
            .field("ca_path", &self.ca_path)
            .finish_non_exhaustive()
    }
}

impl Acceptor {
    /// Makes an authority and a certificate, and writes the authority's as `ca.pem` into `dir`.
    pub(super) fn create(dir: &Path, h2_only: bool) -> Result<Self, Error> {
        let authority_key = KeyPair::generate().map_err(Error::Certificate)?;
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let name = "fake-workspace test authority";
        authority.distinguished_name.push(DnType::CommonName, name);
        let root = authority
            .self_signed(&authority_key)
            .map_err(Error::Certificate)?;
        let ca_path = dir.join("ca.pem");
        std::fs::write(&ca_path, root.pem()).map_err(|source| Error::Write {
            path: ca_path.clone(),
            source,
        })?;

        let key = KeyPair::generate().map_err(Error::Certificate)?;
        let names: Vec<String> = NAMES.iter().map(|name| (*name).to_owned()).collect();
        let mut leaf = CertificateParams::new(names).map_err(Error::Certificate)?;
        leaf.distinguished_name
            .push(DnType::CommonName, "localhost");
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        leaf.use_authority_key_identifier_extension = true;
        let issuer = Issuer::new(authority, authority_key);
        let certificate = leaf.signed_by(&key, &issuer).map_err(Error::Certificate)?;

        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(Error::Tls)?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .map_err(Error::Tls)?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        if !h2_only {
            config.alpn_protocols.push(b"http/1.1".to_vec());
        }
        Ok(Self {
            tls: TlsAcceptor::from(Arc::new(config)),
            ca_path,
        })
    }

    pub(super) fn ca_path(&self) -> &Path {
        &self.ca_path
    }

    pub(super) async fn accept(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        self.tls.accept(stream).await
    }
}
