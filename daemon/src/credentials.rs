//! What nuncio shows Google, as the config names it: read, judged, and said what is wrong with.
//! Used by `run` and, without contacting anybody, by `check`. Whether Google takes it is in
//! `reload::trial`.

use crate::admin::wire;
use crate::consents::ConsentDir;
use nuncio_config::{Google as GoogleConfig, Keyless, Mode, SecretSource, ServiceAccount};
use nuncio_google::{
    Consents, Credentials, Endpoint, ExternalAccount, Key, OAuthClient, Signer, Workload,
};
use nuncio_model::{Chain, Secret};
use sha2::{Digest, Sha256};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What was read.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    /// What Google is shown.
    pub credentials: Credentials,
    /// Where it is good for.
    pub endpoint: Endpoint,
    /// Of all that was read; another one means other credentials.
    pub fingerprint: String,
    /// What may be told of it.
    pub told: wire::Credentials,
}

/// Reads what the config's mode needs; nothing is sent.
///
/// # Errors
/// What is wrong and what to do; names the file, never quotes from it.
pub(crate) fn read(config: &GoogleConfig, state_dir: &Path) -> Result<Loaded, wire::Error> {
    let endpoint = endpoint(config)?;
    let mut hasher = Sha256::new();
    hasher.update(config.mode.as_str());
    let needs_client = config.mode == Mode::PerUser || config.falls_back;
    let consents = match &config.oauth_client {
        Some(source) if needs_client => {
            let client = client(source, &endpoint, &mut hasher)?;
            let store = Arc::new(ConsentDir::of(state_dir));
            Some(Consents { client, store })
        }
        _ => None,
    };
    let mut told = wire::Credentials {
        mode: config.mode.as_str().to_owned(),
        service_account: None,
        key_id: None,
        key_changed_at: None,
        oauth_client: consents.as_ref().map(|c| c.client.id().to_owned()),
        fallback: config.falls_back,
    };
    let credentials = match (config.mode, &config.service_account, consents) {
        (Mode::PerUser, _, Some(consents)) => Credentials::PerUser(consents),
        (Mode::ServiceAccount, Some(account), fallback) => {
            let signer = signer(account, &endpoint, &mut hasher)?;
            told.service_account = Some(signer.service_account().to_owned());
            told.key_id = signer.key_id().map(str::to_owned);
            if let ServiceAccount::Key(source) = account {
                told.key_changed_at = changed_at(source);
            }
            Credentials::Delegated { signer, fallback }
        }
        // The config is refused before.
        (Mode::PerUser, _, None) | (Mode::ServiceAccount, None, _) => {
            return Err(wire::Error {
                code: "CFG012".to_owned(),
                message: "the config names nothing to show Google".to_owned(),
                hint: "see [google] in example.toml".to_owned(),
            });
        }
    };
    let digest = hasher.finalize();
    Ok(Loaded {
        credentials,
        endpoint,
        fingerprint: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        told,
    })
}

/// The OAuth client of the config, whether the mode uses it or not.
///
/// # Errors
/// As [`read`].
pub(crate) fn oauth_client(config: &GoogleConfig) -> Result<(OAuthClient, Endpoint), wire::Error> {
    let endpoint = endpoint(config)?;
    let Some(source) = &config.oauth_client else {
        return Err(wire::Error {
            code: "CFG012".to_owned(),
            message: "the config names no OAuth client to which a user could consent".to_owned(),
            hint: "add [google.per_user] with `client = \"file:/path/oauth-client.json\"`"
                .to_owned(),
        });
    };
    let client = client(source, &endpoint, &mut Sha256::new())?;
    Ok((client, endpoint))
}

fn endpoint(config: &GoogleConfig) -> Result<Endpoint, wire::Error> {
    match &config.endpoint {
        None => Ok(Endpoint::google()),
        Some(endpoint) => Endpoint::parse(endpoint.as_str()).map_err(|error| wire::Error {
            code: "CFG021".to_owned(),
            message: Chain(&error).to_string(),
            hint: "correct [google] endpoint".to_owned(),
        }),
    }
}

fn client(
    source: &SecretSource,
    endpoint: &Endpoint,
    hasher: &mut Sha256,
) -> Result<OAuthClient, wire::Error> {
    let text = secret(source, hasher)?;
    OAuthClient::parse(&text, endpoint).map_err(|error| wire::Error {
        code: error.code().to_owned(),
        message: format!("{source}: {}", Chain(&error)),
        hint: error.hint().to_owned(),
    })
}

fn signer(
    account: &ServiceAccount,
    endpoint: &Endpoint,
    hasher: &mut Sha256,
) -> Result<Signer, wire::Error> {
    let keyless = match account {
        ServiceAccount::Key(source) => {
            let text = secret(source, hasher)?;
            let key = Key::parse(&text, endpoint).map_err(|error| wire::Error {
                code: error.code().to_owned(),
                message: format!("{source}: {}", Chain(&error)),
                hint: error.hint().to_owned(),
            })?;
            return Ok(Signer::Key(key));
        }
        ServiceAccount::Keyless(keyless) => keyless,
    };
    let Keyless {
        service_account,
        external_account,
    } = keyless;
    hasher.update(service_account.as_str());
    let workload = match external_account {
        None => Workload::Metadata,
        Some(file) => {
            let source = SecretSource::File(file.clone());
            let text = secret(&source, hasher)?;
            let account = ExternalAccount::parse(text.expose()).map_err(|error| wire::Error {
                code: error.code().to_owned(),
                message: format!("{source}: {}", Chain(&error)),
                hint: error.hint().to_owned(),
            })?;
            Workload::External(account)
        }
    };
    let account = service_account.as_str().to_owned();
    let keyless = nuncio_google::Keyless::new(account, workload, endpoint);
    Ok(Signer::Keyless(Box::new(keyless)))
}

fn secret(source: &SecretSource, hasher: &mut Sha256) -> Result<Secret, wire::Error> {
    let text = source
        .read(folder().as_deref())
        .map_err(|error| wire::Error {
            code: error.code().to_string(),
            message: Chain(&error).to_string(),
            hint: error.hint(),
        })?;
    hasher.update(text.expose().len().to_le_bytes());
    hasher.update(text.expose());
    Ok(text)
}

/// When the file of the key was last written, seconds since 1970; an old key is one to rotate.
fn changed_at(source: &SecretSource) -> Option<String> {
    let path = match source {
        SecretSource::File(path) => path.clone(),
        SecretSource::Credential(name) => folder()?.join(name),
    };
    let seconds = std::fs::metadata(path).ok()?.mtime();
    let at = jiff::Timestamp::from_second(seconds).ok()?;
    Some(at.to_string())
}

/// The secrets that this process cannot read at all: systemd hands credentials to the service
/// only, so outside of it a `credential:` cannot be judged.
pub(crate) fn unreachable(config: &GoogleConfig) -> Vec<&SecretSource> {
    let key = match &config.service_account {
        Some(ServiceAccount::Key(source)) if config.mode == Mode::ServiceAccount => Some(source),
        _ => None,
    };
    let needs_client = config.mode == Mode::PerUser || config.falls_back;
    let client = config.oauth_client.as_ref().filter(|_| needs_client);
    let is_unreachable = |source: &&SecretSource| match source {
        SecretSource::File(_) => false,
        SecretSource::Credential(_) => folder().is_none(),
    };
    key.into_iter()
        .chain(client)
        .filter(is_unreachable)
        .collect()
}

fn folder() -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from)
}
