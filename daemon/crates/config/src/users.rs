//! Reads `[[users]]` and sees to it that no address, user or account key stands there twice.
//! What an address means at run time is the model's `People`.

use crate::codes;
use crate::config::{Account, Sync, User};
use crate::keys;
use crate::raw::{self, Table, Value};
use crate::report::{Report, Span, Spot};
use crate::values;
use nuncio_model::{AccountKey, Address, untrusted};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use toml::de::DeValue;

/// What was seen so far over all users of all files.
#[derive(Default)]
pub(crate) struct Seen {
    /// Each address with the user that it belongs to.
    addresses: HashMap<Address, Owner>,
    account_keys: HashMap<AccountKey, Spot>,
}

struct Owner {
    email: Address,
    role: Role,
    spot: Spot,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Email,
    Alias,
}

/// Reads the users of one file; those with errors may be left out, after a report.
pub(crate) fn read(
    top: &Table<'_>,
    sync: &Sync,
    seen: &mut Seen,
    report: &mut Report<'_>,
) -> Vec<User> {
    let mut users = Vec::new();
    for value in top.list("users", report).unwrap_or_default() {
        match value.get_ref() {
            DeValue::Table(entries) => {
                let table = Table::new("[[users]]", entries, value.span());
                users.extend(read_user(&table, sync, seen, report));
            }
            _ => {
                let hint = "write a section `[[users]]` for each user";
                raw::wrong_type(value, "[[users]]", "a table", hint, report);
            }
        }
    }
    users
}

fn read_user(
    table: &Table<'_>,
    sync: &Sync,
    seen: &mut Seen,
    report: &mut Report<'_>,
) -> Option<User> {
    table.check_keys(&keys::USERS, report);
    let name = table.text("name", report).map(|text| text.value.to_owned());
    let is_synced = table.flag("sync", true, report);
    let sources = crate::sync::sources(table, report).unwrap_or_else(|| sync.sources.clone());
    let since = crate::sync::since(table, sync.since, report);
    let hint = "add `email = \"...\"` with the user's primary address";
    let email = table.required_text("email", hint, report);
    let email = email.and_then(|text| {
        let email = values::address(&table.name_of("email"), &text, report)?;
        seen.claim(&email, &email, Role::Email, &text.span, report);
        Some(email)
    });
    let aliases = read_aliases(table, email.as_ref(), seen, report);
    let accounts = read_accounts(table, email.as_ref(), &aliases, seen, report);
    let email = email?;
    let accounts = accounts.unwrap_or_else(|| {
        vec![Account {
            address: email.clone(),
            key: None,
        }]
    });
    Some(User {
        email,
        name,
        aliases,
        accounts,
        sync: is_synced,
        sources,
        since,
    })
}

fn read_aliases(
    table: &Table<'_>,
    email: Option<&Address>,
    seen: &mut Seen,
    report: &mut Report<'_>,
) -> Vec<Address> {
    let mut aliases: Vec<Address> = Vec::new();
    for text in table.texts("aliases", report).unwrap_or_default() {
        let Some(alias) = values::address(&table.name_of("aliases"), &text, report) else {
            continue;
        };
        if Some(&alias) == email {
            let message = format!("`{alias}` is the user's own email, and needs no alias");
            report.add(
                codes::REPEATED,
                &text.span,
                message,
                "remove it from `aliases`",
            );
        } else if aliases.contains(&alias) {
            let message = format!("the alias `{alias}` is listed twice");
            report.add(
                codes::REPEATED,
                &text.span,
                message,
                "remove one of the two",
            );
        } else {
            if let Some(email) = email {
                seen.claim(&alias, email, Role::Alias, &text.span, report);
            }
            aliases.push(alias);
        }
    }
    aliases
}

/// `None` where the key is absent, so that the default applies.
fn read_accounts(
    table: &Table<'_>,
    email: Option<&Address>,
    aliases: &[Address],
    seen: &mut Seen,
    report: &mut Report<'_>,
) -> Option<Vec<Account>> {
    let name = table.name_of("accounts");
    let values = table.list("accounts", report)?;
    if let (true, Some(value)) = (values.is_empty(), table.value("accounts")) {
        let hint = "remove the key to sync the mailbox of `email`, or write `sync = false`";
        report.add(
            codes::OUT_OF_BOUNDS,
            &value.span(),
            format!("`{name}` is empty"),
            hint,
        );
    }
    let mut accounts: Vec<Account> = Vec::new();
    for value in values {
        let Some((account, span)) = read_account(value, &name, seen, report) else {
            continue;
        };
        if accounts
            .iter()
            .any(|other| other.address == account.address)
        {
            let message = format!("the account `{}` is listed twice", account.address);
            report.add(codes::REPEATED, &span, message, "remove one of the two");
            continue;
        }
        let is_own = email == Some(&account.address) || aliases.contains(&account.address);
        if let (false, Some(email)) = (is_own, email) {
            let message = format!(
                "the account `{}` is neither the email nor an alias of `{email}`",
                account.address
            );
            let own = std::iter::once(email).chain(aliases).map(Address::as_str);
            let hint = match values::nearest(account.address.as_str(), own) {
                Some(near) => format!("did you mean `{near}`? Else add the address to `aliases`"),
                None => "add the address to `aliases`, or correct it".to_owned(),
            };
            report.add(codes::FOREIGN_ACCOUNT, &span, message, hint);
        }
        accounts.push(account);
    }
    Some(accounts)
}

/// An address, or `{ address, key }`.
fn read_account(
    value: &Value<'_>,
    name: &str,
    seen: &mut Seen,
    report: &mut Report<'_>,
) -> Option<(Account, Span)> {
    let entries = match value.get_ref() {
        DeValue::Table(entries) => entries,
        DeValue::String(_) => {
            let text = raw::text_of(value, name, report)?;
            let address = values::address(name, &text, report)?;
            return Some((Account { address, key: None }, text.span));
        }
        _ => {
            let hint = "write an address, or `{ address = \"...\", key = \"...\" }`";
            raw::wrong_type(value, name, "a list of addresses or tables", hint, report);
            return None;
        }
    };
    let table = Table::new(name, entries, value.span());
    table.check_keys(&keys::ACCOUNT, report);
    let key = table.text("key", report).and_then(|text| {
        let is_plain = !text
            .value
            .chars()
            .any(|c| c.is_control() || c.is_whitespace());
        if text.value.is_empty() || text.value.len() > 254 || !is_plain {
            let message = format!(
                "`{}`: \"{}\" is not an account key",
                table.name_of("key"),
                untrusted(text.value)
            );
            let hint = "copy it from `nuncio status`: 1 to 254 bytes without white space";
            report.add(codes::MALFORMED, &text.span, message, hint);
            return None;
        }
        let key = AccountKey::new(text.value);
        if let Some(first) = seen.account_keys.get(&key) {
            let message = format!(
                "the account key `{}` is already used at {}",
                untrusted(text.value),
                report.at(first)
            );
            let hint = "give every account its own key: it names the account in record keys";
            report.add(codes::ACCOUNT_KEY_CLASH, &text.span, message, hint);
        } else {
            seen.account_keys
                .insert(key.clone(), report.spot(&text.span));
        }
        Some(key)
    });
    let hint = "write `{ address = \"...\", key = \"...\" }`";
    let text = table.required_text("address", hint, report)?;
    let address = values::address(&table.name_of("address"), &text, report)?;
    Some((Account { address, key }, text.span))
}

impl Seen {
    /// Where the files name each address: `file:line:col`.
    pub(crate) fn places(self, report: &Report<'_>) -> HashMap<Address, String> {
        let places = self.addresses.into_iter();
        places
            .map(|(address, owner)| (address, report.at(&owner.spot)))
            .collect()
    }

    /// Notes that `address` belongs to the user `email`, or reports whose it is already.
    fn claim(
        &mut self,
        address: &Address,
        email: &Address,
        role: Role,
        span: &Span,
        report: &mut Report<'_>,
    ) {
        let first = match self.addresses.entry(address.clone()) {
            Entry::Occupied(first) => first.into_mut(),
            Entry::Vacant(free) => {
                free.insert(Owner {
                    email: email.clone(),
                    role,
                    spot: report.spot(span),
                });
                return;
            }
        };
        let place = report.at(&first.spot);
        if (first.role, role) == (Role::Email, Role::Email) {
            let message = format!("the user `{email}` is already listed at {place}");
            report.add(
                codes::DUPLICATE_USER,
                span,
                message,
                "join the two entries into one",
            );
            return;
        }
        let owned = match first.role {
            Role::Email => format!("is the email of a user at {place}"),
            Role::Alias => format!("is an alias of `{}` at {place}", first.email),
        };
        let claimed = match role {
            Role::Email => "and cannot be a user of its own".to_owned(),
            Role::Alias => format!("and cannot be one of `{email}`"),
        };
        let message = format!("`{address}` {owned}, {claimed}");
        let hint = "an address belongs to one user: keep it at one of the two places";
        report.add(codes::ADDRESS_CLASH, span, message, hint);
    }
}
