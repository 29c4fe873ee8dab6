//! The service account and its keys: makes them, writes Google's key file, verifies signatures, signs for `signJwt`.
//! What a signed assertion must say is judged in `oauth/assertion.rs`.

use crate::Error;
use rsa::pkcs1v15::{Signature, SigningKey, VerifyingKey};
use rsa::pkcs8::{EncodePrivateKey, LineEnding};
use rsa::rand_core::OsRng;
use rsa::sha2::{Digest, Sha256};
use rsa::signature::{SignatureEncoding, Signer, Verifier};
use rsa::traits::PublicKeyParts;
use rsa::{RsaPrivateKey, RsaPublicKey};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

const BITS: usize = 2048;

/// The public half of one key.
#[derive(Debug)]
struct Key {
    id: String,
    verifying: VerifyingKey<Sha256>,
    /// Milliseconds since 1970; absent for a key that is not being replaced.
    ends_ms: Option<i64>,
}

/// A service account with its keys, of which only the public halves stay here.
#[derive(Debug)]
pub(crate) struct ServiceAccount {
    pub(crate) email: String,
    /// The numeric id, which delegation in the Admin console is given to.
    pub(crate) client_id: String,
    project: String,
    keys: Vec<Key>,
    n_files: usize,
}

impl ServiceAccount {
    /// Takes the process-wide key and writes the key file into `dir`, readable by the owner only.
    pub(crate) fn create(dir: &Path, base: &str, project: &str) -> Result<(Self, PathBuf), Error> {
        let mut account = Self {
            email: format!("nuncio@{project}.iam.gserviceaccount.com"),
            client_id: "107612345678901234567".to_owned(),
            project: project.to_owned(),
            keys: Vec::new(),
            n_files: 0,
        };
        let path = account.add_key(process_key()?, dir, base)?;
        Ok((account, path))
    }

    /// Replaces all keys by a new one, in a file of its own; the old ones end at `ends_ms`.
    ///
    /// Returns the id of the new key and its file.
    pub(crate) fn rotate(
        &mut self,
        dir: &Path,
        base: &str,
        ends_ms: i64,
    ) -> Result<(String, PathBuf), Error> {
        let path = self.add_key(&new_key()?, dir, base)?;
        let Some((newest, old)) = self.keys.split_last_mut() else {
            return Err(Error::Options("a new key is missing".to_owned()));
        };
        for key in old {
            key.ends_ms = Some(key.ends_ms.map_or(ends_ms, |earlier| earlier.min(ends_ms)));
        }
        Ok((newest.id.clone(), path))
    }

    /// Deletes a key at once; says whether it was there.
    pub(crate) fn delete_key(&mut self, id: &str) -> bool {
        let before = self.keys.len();
        self.keys.retain(|key| key.id != id);
        self.keys.len() < before
    }

    /// The id of the key that was made last, if it was not deleted.
    pub(crate) fn newest_key(&self) -> Option<&str> {
        self.keys.last().map(|key| key.id.as_str())
    }

    /// Ids of the keys that are good at `now_ms`.
    pub(crate) fn key_ids(&self, now_ms: i64) -> impl Iterator<Item = &str> {
        self.good_keys(now_ms).map(|key| key.id.as_str())
    }

    /// Whether `signature` is this account's over `message`, by the key `key_id` if that is given.
    pub(crate) fn verifies(
        &self,
        key_id: Option<&str>,
        message: &[u8],
        signature: &[u8],
        now_ms: i64,
    ) -> bool {
        let Ok(signature) = Signature::try_from(signature) else {
            return false;
        };
        let fits = |id: &str| key_id.is_none_or(|wanted| wanted == id);
        let own = self
            .good_keys(now_ms)
            .filter(|key| fits(&key.id))
            .any(|key| key.verifying.verify(message, &signature).is_ok());
        own || MANAGED.get().is_some_and(|managed| {
            fits(&managed.id) && managed.verifying.verify(message, &signature).is_ok()
        })
    }

    fn good_keys(&self, now_ms: i64) -> impl Iterator<Item = &Key> {
        self.keys
            .iter()
            .filter(move |key| key.ends_ms.is_none_or(|end| end > now_ms))
    }

    fn add_key(
        &mut self,
        private: &RsaPrivateKey,
        dir: &Path,
        base: &str,
    ) -> Result<PathBuf, Error> {
        let public = RsaPublicKey::from(private);
        let id = key_id(&public);
        let pem = private
            .to_pkcs8_pem(LineEnding::LF)
            .map_err(Error::KeyFormat)?;
        let file = json!({
            "type": "service_account",
            "project_id": self.project,
            "private_key_id": id,
            "private_key": *pem,
            "client_email": self.email,
            "client_id": self.client_id,
            "auth_uri": format!("{base}/o/oauth2/auth"),
            "token_uri": format!("{base}/token"),
            "auth_provider_x509_cert_url": format!("{base}/oauth2/v1/certs"),
            "client_x509_cert_url": format!("{base}/robot/v1/metadata/x509/{}", self.email),
            "universe_domain": "googleapis.com",
        });
        self.n_files += 1;
        let name = match self.n_files {
            1 => "service-account.json".to_owned(),
            number => format!("service-account-{number}.json"),
        };
        let path = dir.join(name);
        write_json(&path, &file)?;
        self.keys.push(Key {
            id,
            verifying: VerifyingKey::new(public),
            ends_ms: None,
        });
        Ok(path)
    }
}

/// The key that Google keeps itself and signs with for `signJwt` and for id tokens.
#[derive(Debug)]
pub(crate) struct ManagedKey {
    pub(crate) id: String,
    signing: SigningKey<Sha256>,
    verifying: VerifyingKey<Sha256>,
    public: RsaPublicKey,
    private: RsaPrivateKey,
}

impl ManagedKey {
    /// The signature over `message` as RS256 wants it.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.signing.sign(message).to_vec()
    }

    /// A certificate of the public half, signed by itself, in PEM.
    pub(crate) fn certificate(&self) -> Result<String, Error> {
        let pem = self
            .private
            .to_pkcs8_pem(LineEnding::LF)
            .map_err(Error::KeyFormat)?;
        let pair = rcgen::KeyPair::from_pkcs8_pem_and_sign_algo(&pem, &rcgen::PKCS_RSA_SHA256)
            .map_err(Error::Certificate)?;
        let name = "federated-signon.system.gserviceaccount.com";
        let certificate = rcgen::CertificateParams::new(vec![name.to_owned()])
            .and_then(|parameters| parameters.self_signed(&pair))
            .map_err(Error::Certificate)?;
        Ok(certificate.pem())
    }

    /// Modulus and exponent of the public half, big-endian.
    pub(crate) fn numbers(&self) -> (Vec<u8>, Vec<u8>) {
        (self.public.n().to_bytes_be(), self.public.e().to_bytes_be())
    }
}

static MANAGED: OnceLock<ManagedKey> = OnceLock::new();

/// Made at first use, for most servers never need it.
pub(crate) fn managed_key() -> Result<&'static ManagedKey, Error> {
    if let Some(key) = MANAGED.get() {
        return Ok(key);
    }
    let private = new_key()?;
    let public = RsaPublicKey::from(&private);
    let key = ManagedKey {
        id: key_id(&public),
        signing: SigningKey::new(private.clone()),
        verifying: VerifyingKey::new(public.clone()),
        public,
        private,
    };
    Ok(MANAGED.get_or_init(|| key))
}

/// Generating takes a part of a second, so the servers of one process begin with the same key.
fn process_key() -> Result<&'static RsaPrivateKey, Error> {
    static KEY: OnceLock<RsaPrivateKey> = OnceLock::new();
    if let Some(key) = KEY.get() {
        return Ok(key);
    }
    let key = new_key()?;
    Ok(KEY.get_or_init(|| key))
}

fn new_key() -> Result<RsaPrivateKey, Error> {
    RsaPrivateKey::new(&mut OsRng, BITS).map_err(Error::Key)
}

fn key_id(public: &RsaPublicKey) -> String {
    let mut id = hex(&Sha256::digest(public.n().to_bytes_be()));
    id.truncate(40);
    id
}

/// Writes a JSON file that only the owner may read.
pub(crate) fn write_json(path: &Path, file: &Value) -> Result<(), Error> {
    write_private(path, format!("{file:#}\n").as_bytes())
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
