//! The life of an account: suspended, archived, deleted and brought back, renamed, made anew, its aliases.
//! Only the control port does these things; the Directory shows them.
//!
//! See <https://developers.google.com/workspace/admin/directory/v1/guides/manage-users>.

use crate::admin::{Error, failed, text, user};
use crate::store::Mailbox;
use crate::workspace::{AccountState, User, UserIndex, Workspace};
use crate::{calendar, drive};
use serde_json::{Value, json};

/// Does one operation; `None` if the name is not one of these.
pub(crate) fn run(
    workspace: &Workspace,
    operation: &str,
    input: &Value,
) -> Option<Result<Value, Error>> {
    let change = |act: fn(&mut User)| {
        let index = user(workspace, input)?;
        Ok(state(workspace.users().edit(index, act)))
    };
    Some(match operation {
        "user.suspend" => change(|user| user.state = AccountState::Suspended),
        "user.restore" => change(|user| {
            user.state = AccountState::Active;
            user.archived = false;
        }),
        "user.archive" => change(|user| user.archived = true),
        "user.mailbox" => mailbox(workspace, input),
        "user.delete" => delete(workspace, input),
        "user.undelete" => undelete(workspace, input),
        "user.rename" => rename(workspace, input),
        "user.recreate" => recreate(workspace, input),
        "user.revoke" => user(workspace, input)
            .map(|index| json!({ "revoked": workspace.tokens().revoke_consent(index) })),
        "user.password" => user(workspace, input)
            .map(|index| json!({ "revoked": workspace.tokens().change_password(index) })),
        "user.restrict" => restrict(workspace, input),
        "alias.add" => add_alias(workspace, input),
        "alias.remove" => remove_alias(workspace, input),
        _ => return None,
    })
}

/// What every operation answers.
fn state(user: &User) -> Value {
    json!({
        "id": user.id,
        "email": user.primary,
        "aliases": user.aliases,
        "suspended": user.state == AccountState::Suspended,
        "archived": user.archived,
        "deleted": user.deleted_ms.is_some(),
        "mailbox": user.mailbox_setup,
    })
}

/// All accounts that are not deleted.
pub(crate) fn list(workspace: &Workspace) -> Value {
    let users = workspace.users();
    let shown: Vec<Value> = users
        .iter()
        .filter(|user| user.deleted_ms.is_none())
        .map(|user| {
            let mut value = state(user);
            value["name"] = json!(format!("{} {}", user.given_name, user.family_name));
            value["admin"] = json!(user.role == crate::workspace::Role::Admin);
            value
        })
        .collect();
    json!({ "users": shown })
}

fn flag(input: &Value, name: &str) -> Result<bool, Error> {
    input[name]
        .as_bool()
        .ok_or_else(|| failed(format!("`{name}` is missing or neither true nor false")))
}

/// Switches the Gmail service of a user on or off.
fn mailbox(workspace: &Workspace, input: &Value) -> Result<Value, Error> {
    let index = user(workspace, input)?;
    let enabled = flag(input, "enabled")?;
    workspace
        .users()
        .edit(index, |user| user.mailbox_setup = enabled);
    Ok(json!({ "enabled": enabled }))
}

/// "Account restricted": the administrator switched the services off for the user's unit.
fn restrict(workspace: &Workspace, input: &Value) -> Result<Value, Error> {
    let index = user(workspace, input)?;
    let restricted = flag(input, "restricted")?;
    let address = workspace.primary(index).to_ascii_lowercase();
    workspace.delegation().set_restricted(&address, restricted);
    Ok(json!({ "restricted": restricted }))
}

/// All tokens die with the account; its data stays until it is made anew.
fn delete(workspace: &Workspace, input: &Value) -> Result<Value, Error> {
    let index = user(workspace, input)?;
    let now = workspace.now_ms();
    let answer = state(
        workspace
            .users()
            .edit(index, |user| user.deleted_ms = Some(now)),
    );
    workspace.tokens().expire(Some(index));
    Ok(answer)
}

/// The address may be held by nobody else meanwhile. The user is named by address or id.
fn undelete(workspace: &Workspace, input: &Value) -> Result<Value, Error> {
    let index = deleted(workspace, text(input, "user")?)?;
    let user = workspace.user(index);
    for address in std::iter::once(&user.primary).chain(&user.aliases) {
        check_free(workspace, address)?;
    }
    Ok(state(
        workspace.users().edit(index, |user| user.deleted_ms = None),
    ))
}

fn deleted(workspace: &Workspace, key: &str) -> Result<UserIndex, Error> {
    let users = workspace.users();
    users
        .iter()
        .find(|user| user.deleted_ms.is_some() && (user.id == key || user.has_address(key)))
        .map(|user| user.index)
        .ok_or_else(|| failed(format!("no such deleted user: {key}")))
}

fn check_free(workspace: &Workspace, address: &str) -> Result<(), Error> {
    let shape = address
        .split_once('@')
        .is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.'));
    if !shape {
        return Err(failed(format!("not an address: {address}")));
    }
    match workspace.find_user(address) {
        None => Ok(()),
        Some(_) => Err(failed(format!("Entity already exists: {address}"))),
    }
}

/// A new primary address; the old one becomes an alias. The id and all tokens stay.
fn rename(workspace: &Workspace, input: &Value) -> Result<Value, Error> {
    let index = user(workspace, input)?;
    let email = text(input, "email")?;
    // An own alias may become the primary address.
    match workspace.find_user(email) {
        Some((holder, _)) if holder == index => {}
        _ => check_free(workspace, email)?,
    }
    let old = workspace.primary(index);
    let answer = state(workspace.users().edit(index, |user| {
        user.primary = email.to_owned();
        user.aliases
            .retain(|alias| !alias.eq_ignore_ascii_case(email));
        if !old.eq_ignore_ascii_case(email) {
            user.aliases.push(old.clone());
        }
    }));
    workspace
        .delegation()
        .rename(&old.to_ascii_lowercase(), &email.to_ascii_lowercase());
    Ok(answer)
}

/// Deletes the account, if it is still there, and makes another of the same address: new id, nothing in mailbox,
/// calendars and Drive.
fn recreate(workspace: &Workspace, input: &Value) -> Result<Value, Error> {
    let index = match user(workspace, input) {
        Ok(index) => index,
        Err(_) => deleted(workspace, text(input, "user")?)?,
    };
    let now = workspace.now_ms();
    let answer = {
        let mut users = workspace.users();
        let n_ids = users.len() as u64;
        let mut rng = fastrand::Rng::with_seed(now.unsigned_abs() ^ (index.0 as u64) << 48 ^ n_ids);
        state(users.edit(index, |user| {
            user.id = format!("1{:020}", rng.u64(..));
            user.aliases.clear();
            user.state = AccountState::Active;
            user.archived = false;
            user.deleted_ms = None;
            user.mailbox_setup = true;
            user.created = crate::wire::rfc3339_seconds(now);
        }))
    };
    workspace.tokens().expire(Some(index));
    let rng = fastrand::Rng::with_seed(now.unsigned_abs() ^ index.0 as u64);
    *workspace.mailbox(index) = Mailbox::new(rng, std::collections::BTreeMap::new());
    calendar::admin::start_over(workspace, index)?;
    drive::admin::start_over(workspace, index);
    Ok(answer)
}

fn add_alias(workspace: &Workspace, input: &Value) -> Result<Value, Error> {
    let index = user(workspace, input)?;
    let alias = text(input, "alias")?;
    check_free(workspace, alias)?;
    Ok(state(workspace.users().edit(index, |user| {
        user.aliases.push(alias.to_owned());
    })))
}

fn remove_alias(workspace: &Workspace, input: &Value) -> Result<Value, Error> {
    let index = user(workspace, input)?;
    let alias = text(input, "alias")?;
    let is_own = |own: &String| own.eq_ignore_ascii_case(alias);
    let mut users = workspace.users();
    if !users[index.0].aliases.iter().any(is_own) {
        return Err(failed(format!("no such alias: {alias}")));
    }
    Ok(state(users.edit(index, |user| {
        user.aliases.retain(|own| !is_own(own))
    })))
}
