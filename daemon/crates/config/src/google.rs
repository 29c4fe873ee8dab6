//! Reads `[google]`: on whose word users are read, the domain's own names and the endpoint. Whether Google
//! agrees is not judged here.

use crate::codes;
use crate::config::{Endpoint, Google, Keyless, Mode, PriceList, Quota, ServiceAccount};
use crate::keys;
use crate::raw::{self, Table, Text};
use crate::report::Report;
use crate::secrets::SecretSource;
use crate::values::{self, Choice};
use nuncio_model::Address;
use nuncio_model::untrusted;
use std::net::IpAddr;
use std::path::Path;
use toml::de::DeValue;

const KEY_HINT: &str = "add `service_account_key = \"file:/etc/nuncio/service-account.json\"` or \
                        `\"credential:service-account\"`";

const CLIENT_HINT: &str = "add `[google.per_user]` with `client = \"file:/etc/nuncio/oauth-client.json\"` \
                           or `\"credential:oauth-client\"`";

/// Far above any budget of Google's.
const MOST_UNITS: u32 = 4_000_000_000;

/// `None` after a report.
pub(crate) fn read(top: &Table<'_>, report: &mut Report<'_>) -> Option<Google> {
    if top.value("google").is_none() {
        if !top.is_mistyped("google") {
            let hint = "add a section `[google]` with `service_account_key = \"file:/path\"`";
            report.add(
                codes::MISSING_KEY,
                top.span(),
                "the section `[google]` is missing",
                hint,
            );
        }
        return None;
    }
    let table = top.table("google", report);
    if !table.is_present() {
        return None;
    }
    table.check_keys(&keys::GOOGLE, report);
    let who = credentials(&table, report);
    let admin = table
        .text("admin", report)
        .and_then(|text| values::address(&table.name_of("admin"), &text, report));
    let domains = domains(&table, report);
    let endpoint = table
        .text("endpoint", report)
        .and_then(|text| endpoint(&table.name_of("endpoint"), &text, report));
    let quota = quota(&table, report);
    let who = who?;
    Some(Google {
        mode: who.mode,
        service_account: who.service_account,
        oauth_client: who.oauth_client,
        falls_back: who.falls_back,
        admin,
        domains,
        quota,
        endpoint,
    })
}

/// On whose word users are read.
struct Credentials {
    mode: Mode,
    service_account: Option<ServiceAccount>,
    oauth_client: Option<SecretSource>,
    falls_back: bool,
}

/// `mode`, `service_account_key`, `fallback`, `[google.keyless]` and `[google.per_user]`; what the
/// mode does not use may stand there, so that a switch is one word. `None` after a report.
fn credentials(table: &Table<'_>, report: &mut Report<'_>) -> Option<Credentials> {
    let modes = [
        ("service_account", Choice::Built(Mode::ServiceAccount)),
        ("per_user", Choice::Built(Mode::PerUser)),
    ];
    let mode = table.choice("mode", &modes, report);
    let mode = mode.unwrap_or(Mode::ServiceAccount);
    let fallbacks = [("per_user", Choice::Built(()))];
    let falls_back = table.choice("fallback", &fallbacks, report).is_some();
    let per_user = table.table("per_user", report);
    let keyless = table.table("keyless", report);
    let (has_key, has_keyless) = (
        table.value("service_account_key").is_some(),
        keyless.is_present(),
    );
    let needs_client = mode == Mode::PerUser || falls_back;
    let mut is_complete = true;
    let service_account = match (has_key, has_keyless) {
        (true, true) => {
            let span = table.value("service_account_key").map(|key| key.span());
            report.add(
                codes::EXCLUSIVE,
                &span.unwrap_or(0..0),
                "`[google] service_account_key` and `[google.keyless]` exclude each other",
                "keep one of the two: keyless needs no key",
            );
            read_keyless(&keyless, report);
            None
        }
        (true, false) => {
            let key = secret(table, "service_account_key", report);
            key.map(ServiceAccount::Key)
        }
        (false, true) => read_keyless(&keyless, report).map(ServiceAccount::Keyless),
        (false, false) if mode == Mode::ServiceAccount && table.value("keyless").is_none() => {
            table.required_text("service_account_key", KEY_HINT, report);
            None
        }
        (false, false) => None,
    };
    is_complete &= service_account.is_some() || mode == Mode::PerUser;
    per_user.check_keys(&keys::PER_USER, report);
    let oauth_client = match per_user.value("client") {
        Some(_) => secret(&per_user, "client", report),
        None if per_user.is_present() => {
            per_user.required_text("client", CLIENT_HINT, report);
            None
        }
        None if needs_client && !table.is_mistyped("per_user") => {
            let key = if mode == Mode::PerUser {
                "mode"
            } else {
                "fallback"
            };
            let span = table.value(key).map(|value| value.span());
            report.add(
                codes::MISSING_KEY,
                &span.unwrap_or(0..0),
                format!("`[google] {key}` is \"per_user\", but the section `[google.per_user]` is missing"),
                CLIENT_HINT,
            );
            None
        }
        None => None,
    };
    is_complete &= oauth_client.is_some() || !needs_client;
    is_complete.then_some(Credentials {
        mode,
        service_account,
        oauth_client,
        falls_back,
    })
}

/// A secret's source; what stands in its place may be the secret itself, and is not quoted.
fn secret(table: &Table<'_>, key: &str, report: &mut Report<'_>) -> Option<SecretSource> {
    if let Some(value) = table.value(key)
        && value.get_ref().as_str().is_none()
    {
        raw::hide_leaves(value, report);
    }
    let text = table.text(key, report)?;
    SecretSource::parse(&table.name_of(key), &text, report)
}

fn read_keyless(table: &Table<'_>, report: &mut Report<'_>) -> Option<Keyless> {
    table.check_keys(&keys::KEYLESS, report);
    let hint = "add `service_account = \"NAME@PROJECT.iam.gserviceaccount.com\"`";
    let account = table.required_text("service_account", hint, report);
    let account =
        account.and_then(|text| values::address(&table.name_of("service_account"), &text, report));
    let external_account = match table.text("source", report) {
        None => None,
        Some(text) if text.value == "metadata" => None,
        Some(text) => match text.value.strip_prefix("file:").map(Path::new) {
            Some(path) if values::is_plain_absolute(path) => Some(path.to_owned()),
            _ => {
                let message = format!(
                    "`{}` is neither \"metadata\" nor a file",
                    table.name_of("source")
                );
                let hint =
                    "write \"metadata\", or \"file:/absolute/path\" of an external-account file";
                report.add(codes::UNKNOWN_VALUE, &text.span, message, hint);
                return None;
            }
        },
    };
    Some(Keyless {
        service_account: account?,
        external_account,
    })
}

fn quota(table: &Table<'_>, report: &mut Report<'_>) -> Quota {
    let lists = [
        ("2026-05", Choice::Built(PriceList::May2026)),
        ("legacy", Choice::Built(PriceList::Legacy)),
        ("off", Choice::Built(PriceList::Off)),
    ];
    let list = table
        .choice("quota", &lists, report)
        .unwrap_or(PriceList::May2026);
    if let (PriceList::Off, None, Some(value)) =
        (list, table.value("endpoint"), table.value("quota"))
    {
        let message = format!(
            "`{}`: \"off\" is allowed only with `endpoint`",
            table.name_of("quota")
        );
        let hint = "remove it: against Google itself there is always a budget";
        report.add(codes::NEEDS_ENDPOINT, &value.span(), message, hint);
    }
    Quota {
        list,
        share: share(table, report),
        overrides: overrides(&table.table("quota_override", report), report),
    }
}

/// `quota_share`: above 0, at most 1.
fn share(table: &Table<'_>, report: &mut Report<'_>) -> f64 {
    let Some(value) = table.value("quota_share") else {
        return 1.0;
    };
    let number = match value.get_ref() {
        DeValue::Float(float) => float.as_str().parse().ok(),
        DeValue::Integer(integer) => integer.as_str().parse().ok(),
        _ => None,
    };
    match number {
        Some(share) if share > 0.0 && share <= 1.0 => share,
        _ => {
            let message = format!(
                "`{}` must be a number above 0 and at most 1",
                table.name_of("quota_share")
            );
            let hint =
                "write the part of the project's budget that this instance may use, such as 0.5";
            report.add(codes::OUT_OF_BOUNDS, &value.span(), message, hint);
            1.0
        }
    }
}

/// `[google.quota_override]`: units in place of single numbers of the list.
fn overrides(table: &Table<'_>, report: &mut Report<'_>) -> Vec<(String, u64)> {
    table.check_keys(&keys::QUOTA_OVERRIDE, report);
    keys::QUOTA_OVERRIDE
        .built
        .iter()
        .filter(|key| table.value(key).is_some())
        .map(|key| {
            let units = table.number(key, 1, 1..=MOST_UNITS, report);
            ((*key).to_owned(), u64::from(units))
        })
        .collect()
}

fn domains(table: &Table<'_>, report: &mut Report<'_>) -> Vec<String> {
    let name = table.name_of("domains");
    let mut domains = Vec::new();
    for text in table.texts("domains", report).unwrap_or_default() {
        // The rules for what stands after the `@` of an address are the rules for a domain.
        let address = Some(text.value)
            .filter(|domain| !domain.contains('@'))
            .and_then(|domain| Address::parse(&format!("any@{domain}")));
        match address {
            Some(address) => domains.push(address.domain().to_owned()),
            None => {
                let message = format!("`{name}`: \"{}\" is not a domain", untrusted(text.value));
                report.add(
                    codes::MALFORMED,
                    &text.span,
                    message,
                    "write it as \"example.com\"",
                );
            }
        }
    }
    domains.sort();
    domains.dedup();
    domains
}

fn endpoint(name: &str, text: &Text<'_>, report: &mut Report<'_>) -> Option<Endpoint> {
    match judge(text.value) {
        Ok(()) => Some(Endpoint(text.value.to_owned())),
        Err(problem) => {
            // A URL may carry a password, so it is not quoted.
            report.hide(&text.span);
            let hint = "write \"https://HOST[:PORT]\", or \"http://127.0.0.1:PORT\" for a fake \
                        Workspace on this machine";
            report.add(
                codes::ENDPOINT,
                &text.span,
                format!("`{name}` {problem}"),
                hint,
            );
            None
        }
    }
}

/// Judges an endpoint without a URL library, for it has a scheme, a host and a port only.
fn judge(url: &str) -> Result<(), &'static str> {
    let (scheme, authority) = url.split_once("://").ok_or("is not a URL")?;
    if scheme != "http" && scheme != "https" {
        return Err("must begin with https:// or http://");
    }
    if authority.contains('@') {
        return Err("must not name a user");
    }
    if authority.contains(['/', '?', '#']) {
        return Err("must not have a path, a query or a trailing slash");
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or("has an unclosed `[`")?;
            let port = match after {
                "" => None,
                _ => Some(
                    after
                        .strip_prefix(':')
                        .ok_or("has no `:` before its port")?,
                ),
            };
            (host, port)
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let is_bracketed = authority.starts_with('[');
    let ip: Option<IpAddr> = host.parse().ok();
    let is_name = !host.is_empty()
        && host
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-');
    if is_bracketed && !ip.is_some_and(|ip| ip.is_ipv6()) || !is_bracketed && !is_name {
        return Err("has no usable host");
    }
    let is_port = |port: &str| {
        port.bytes().all(|byte| byte.is_ascii_digit())
            && port.parse::<u16>().is_ok_and(|port| port > 0)
    };
    if port.is_some_and(|port| !is_port(port)) {
        return Err("has no usable port");
    }
    let is_loopback = ip.map_or(host == "localhost", |ip| ip.is_loopback());
    if scheme == "http" && !is_loopback {
        return Err("must use https://; plain http:// is for loopback hosts only");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_https_or_loopback_without_path() {
        for good in [
            "http://127.0.0.1:8087",
            "http://127.9.9.9",
            "http://localhost:1",
            "http://[::1]:8087",
            "https://fake.example.com",
            "https://10.0.0.1:8443",
            "https://[2001:db8::1]:443",
        ] {
            assert_eq!(judge(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "127.0.0.1:8087",
            "ftp://127.0.0.1",
            "http://example.com",
            "http://10.0.0.1",
            "http://127.0.0.1.evil.example",
            "http://127.0.0.1:8087/",
            "http://localhost/x",
            "https://a?b",
            "https://a#b",
            "https://user:pw@a",
            "http://[::1",
            "http://[::1]8087",
            "http://[127.0.0.1]",
            "http://::1",
            "https://a:0",
            "https://a:65536",
            "https://a:+1",
            "https://a b",
            "https://",
            "HTTP://127.0.0.1",
            "http://[2001:db8::1]:80",
        ] {
            assert!(judge(bad).is_err(), "{bad}");
        }
    }
}
