//! The config as its callers see it: what is accepted, what is refused in which words, and that
//! nothing in a file can make it panic or tell a secret.

mod accepted;
mod files;
mod hostile;
mod refused;
mod refused_values;
mod schema;

use nuncio_config::{Config, Errors};

/// The least that a config needs.
const GOOGLE: &str = "\n[google]\nservice_account_key = \"file:/etc/nuncio/key.json\"\n";

fn parse(text: &str) -> Result<Config, Errors> {
    Config::parse("nuncio.toml", text)
}

/// `text` with a `[google]` below it, so that the places of `text` stay.
fn with_google(text: &str) -> String {
    format!("{}{GOOGLE}", alone(text))
}

/// `text` without the line break after its opening quotes.
fn alone(text: &str) -> String {
    text.strip_prefix('\n').unwrap_or(text).to_owned()
}

/// Refusing `text` prints `expected`.
fn check(text: &str, expected: &str) {
    let errors = parse(text).expect_err("the config must be refused");
    assert_eq!(errors.to_string().trim_end(), expected.trim());
}
