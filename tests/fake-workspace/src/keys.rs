//! Service accounts and their keys: makes one at start, writes Google's key file, verifies signatures.
//! What a signed assertion must say is judged in `oauth.rs`.

use crate::Error;
use rsa::pkcs1v15::{Signature, VerifyingKey};
use rsa::pkcs8::{EncodePrivateKey, LineEnding};
use rsa::rand_core::OsRng;
use rsa::sha2::{Digest, Sha256};
use rsa::signature::Verifier;
use rsa::traits::PublicKeyParts;
use rsa::{RsaPrivateKey, RsaPublicKey};
use serde_json::json;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

const BITS: usize = 2048;

/// A service account with one key, of which only the public half stays here.
#[derive(Debug)]
pub(crate) struct ServiceAccount {
    pub(crate) email: String,
    pub(crate) client_id: String,
    pub(crate) key_id: String,
    verifying_key: VerifyingKey<Sha256>,
}

impl ServiceAccount {
    /// Takes the process-wide key and writes the key file into `dir`, readable by the owner only.
    pub(crate) fn create(dir: &Path, base: &str, project: &str) -> Result<(Self, PathBuf), Error> {
        let private = private_key()?;
        let public = RsaPublicKey::from(private);
        let key_id = hex(&Sha256::digest(public.n().to_bytes_be()))[..40].to_owned();
        let account = Self {
            email: format!("nuncio@{project}.iam.gserviceaccount.com"),
            client_id: "107612345678901234567".to_owned(),
            key_id,
            verifying_key: VerifyingKey::new(public),
        };
        let pem = private
            .to_pkcs8_pem(LineEnding::LF)
            .map_err(Error::KeyFormat)?;
        let file = json!({
            "type": "service_account",
            "project_id": project,
            "private_key_id": account.key_id,
            "private_key": *pem,
            "client_email": account.email,
            "client_id": account.client_id,
            "auth_uri": format!("{base}/o/oauth2/auth"),
            "token_uri": format!("{base}/token"),
            "auth_provider_x509_cert_url": format!("{base}/oauth2/v1/certs"),
            "client_x509_cert_url": format!("{base}/robot/v1/metadata/x509/{}", account.email),
            "universe_domain": "googleapis.com",
        });
        let path = dir.join("service-account.json");
        write_private(&path, format!("{file:#}\n").as_bytes())?;
        Ok((account, path))
    }

    /// Whether `signature` is this account's over `message`.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::try_from(signature)
            .is_ok_and(|signature| self.verifying_key.verify(message, &signature).is_ok())
    }
}

/// Generating takes a part of a second, so the servers of one process share the key.
fn private_key() -> Result<&'static RsaPrivateKey, Error> {
    static KEY: OnceLock<RsaPrivateKey> = OnceLock::new();
    if let Some(key) = KEY.get() {
        return Ok(key);
    }
    let key = RsaPrivateKey::new(&mut OsRng, BITS).map_err(Error::Key)?;
    Ok(KEY.get_or_init(|| key))
}

fn write_private(path: &Path, content: &[u8]) -> Result<(), Error> {
    let failed = |source| Error::Write {
        path: path.to_owned(),
        source,
    };
    // An old file may have other permissions, which `mode` would not change.
    if path.exists() {
        fs::remove_file(path).map_err(failed)?;
    }
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    file.write_all(content).map_err(failed)
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
        text
    })
}
