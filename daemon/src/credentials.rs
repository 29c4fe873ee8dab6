//! The service account's key as the config names it: read, judged, and said what is wrong with.
//! Used by `run` and, without contacting anybody, by `check`.

use crate::admin::wire;
use nuncio_config::SecretSource;
use nuncio_google::{Endpoint, Key};
use nuncio_model::Chain;
use std::path::PathBuf;

/// Reads the key; nothing is sent. The endpoint is where it is good for.
///
/// # Errors
/// What is wrong and what to do; names the file, never quotes from it.
pub(crate) fn read(config: &nuncio_config::Google) -> Result<(Key, Endpoint), wire::Error> {
    let source = &config.service_account_key;
    let secret = source
        .read(folder().as_deref())
        .map_err(|error| wire::Error {
            code: error.code().to_string(),
            message: Chain(&error).to_string(),
            hint: error.hint(),
        })?;
    let endpoint = match &config.endpoint {
        None => Endpoint::google(),
        Some(endpoint) => Endpoint::parse(endpoint.as_str()).map_err(|error| wire::Error {
            code: "CFG021".to_owned(),
            message: Chain(&error).to_string(),
            hint: "correct [google] endpoint".to_owned(),
        })?,
    };
    let key = Key::parse(&secret, &endpoint).map_err(|error| wire::Error {
        code: error.code().to_owned(),
        message: format!("{source}: {}", Chain(&error)),
        hint: error.hint().to_owned(),
    })?;
    Ok((key, endpoint))
}

/// Whether the key can be read by this process at all: systemd hands credentials to the service
/// only, so outside of it a `credential:` cannot be judged.
pub(crate) fn is_reachable(source: &SecretSource) -> bool {
    match source {
        SecretSource::File(_) => true,
        SecretSource::Credential(_) => folder().is_some(),
    }
}

fn folder() -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from)
}
