//! Directory API: users.list and users.get. Nothing here changes a user; see `admin.rs` for that.
//!
//! See <https://developers.google.com/workspace/admin/directory/reference/rest/v1/users>.

use crate::call::{Query, Reply};
use crate::error::ApiError;
use crate::oauth::BASE64URL;
use crate::routes::{Context, empty_page};
use crate::wire::{etag, from_token, rfc3339_seconds, to_token};
use crate::workspace::{AccountState, Role, User};
use base64::Engine;
use rsa::sha2::{Digest, Sha256};
use serde_json::{Value, json};
use std::cmp::Ordering;

const CUSTOMER: &str = "C01abcdef";
const MAX_PAGE: usize = 500;

/// `GET /admin/directory/v1/users`.
pub(crate) fn list(context: &Context<'_>) -> Result<Reply, ApiError> {
    let query = &context.call.query;
    check_admin(context)?;
    match (query.first("customer"), query.first("domain")) {
        (Some("my_customer" | CUSTOMER), None) => {}
        (None, Some(domain)) if domain.eq_ignore_ascii_case(&context.workspace.world.domain) => {}
        (None, Some(_)) => {
            return Err(ApiError::new(404, "notFound", "Domain not found."));
        }
        _ => return Err(ApiError::new(400, "invalid", "Invalid Input")),
    }
    if query.first("event").is_some() {
        return Err(ApiError::new(400, "invalid", "Invalid Input: event"));
    }
    check_view(context)?;
    let page = page_size(query.first("maxResults"))?;
    let order = Order::parse(query)?;
    let wanted = Wanted::parse(query.first("query").unwrap_or_default())?;
    let after = match query.first("pageToken") {
        None => None,
        Some(token) => Some(
            from_token(token)
                .and_then(|value| serde_json::from_value::<(String, String)>(value).ok())
                .ok_or_else(|| ApiError::new(400, "invalid", "Invalid Input: pageToken"))?,
        ),
    };
    let deleted = query.flag("showDeleted");
    let users = context.workspace.users();
    let mut users: Vec<&User> = users
        .iter()
        .filter(|user| user.deleted_ms.is_some() == deleted)
        .collect();
    users.sort_by(|a, b| order.compare(&order.key(a), &order.key(b)));
    if context.empty_page {
        // Before the first user: the empty name of an ascending order.
        let start = after.unwrap_or_default();
        return Ok(empty_page(empty_list(), &to_token(&json!(start))));
    }
    let mut found = users
        .into_iter()
        .filter(|user| {
            after.as_ref().is_none_or(|after| {
                *after == Default::default() || order.compare(&order.key(user), after).is_gt()
            })
        })
        .filter(|user| wanted.fits(user));
    let shown: Vec<&User> = found.by_ref().take(page).collect();
    let mut answer = empty_list();
    if !shown.is_empty() {
        answer["users"] = shown.iter().map(|user| to_json(user)).collect();
    }
    if let (Some(last), Some(_)) = (shown.last(), found.next()) {
        answer["nextPageToken"] = json!(to_token(&json!(order.key(last))));
    }
    Ok(Reply::json(answer))
}

fn empty_list() -> Value {
    json!({ "kind": "admin#directory#users", "etag": etag("list") })
}

/// `orderBy` and `sortOrder`; users with the same name are in the order of their addresses.
#[derive(Debug, Clone, Copy)]
struct Order {
    name: fn(&User) -> &str,
    is_descending: bool,
}

impl Order {
    fn parse(query: &Query) -> Result<Self, ApiError> {
        let bad = |name: &str| ApiError::new(400, "invalid", format!("Invalid Input: {name}"));
        let name: fn(&User) -> &str = match query.first("orderBy") {
            None | Some("email") => |user| &user.primary,
            Some("givenName") => |user| &user.given_name,
            Some("familyName") => |user| &user.family_name,
            Some(_) => return Err(bad("orderBy")),
        };
        let is_descending = match query.first("sortOrder") {
            None | Some("ASCENDING") => false,
            // "Must be used with the orderBy parameter."
            Some("DESCENDING") => query.first("orderBy").is_some(),
            Some(_) => return Err(bad("sortOrder")),
        };
        Ok(Self {
            name,
            is_descending,
        })
    }

    fn key(&self, user: &User) -> (String, String) {
        ((self.name)(user).to_owned(), user.primary.clone())
    }

    fn compare(&self, a: &(String, String), b: &(String, String)) -> Ordering {
        let order = a.cmp(b);
        if self.is_descending {
            order.reverse()
        } else {
            order
        }
    }
}

/// `projection` changes nothing, for there are no custom fields; the public view is not built.
fn check_view(context: &Context<'_>) -> Result<(), ApiError> {
    let query = &context.call.query;
    for (name, values) in [
        ("projection", ["basic", "custom", "full"].as_slice()),
        ("viewType", &["admin_view", "domain_public"]),
    ] {
        if query
            .first(name)
            .is_some_and(|value| !values.contains(&value))
        {
            let message = format!("Invalid Input: {name}");
            return Err(ApiError::new(400, "invalid", message));
        }
    }
    Ok(())
}

/// `GET /admin/directory/v1/users/{userKey}`.
pub(crate) fn get(context: &Context<'_>) -> Result<Reply, ApiError> {
    check_admin(context)?;
    check_view(context)?;
    let (index, _) = context
        .workspace
        .find_user(context.path("userKey"))
        .ok_or_else(|| ApiError::new(404, "notFound", "Resource Not Found: userKey"))?;
    Ok(Reply::json(to_json(&context.workspace.user(index))))
}

fn check_admin(context: &Context<'_>) -> Result<(), ApiError> {
    let role = context
        .caller
        .map(|caller| context.workspace.users()[caller.0].role);
    match role {
        Some(Role::Admin) => Ok(()),
        Some(Role::Member) | None => Err(ApiError::forbidden(
            "Not Authorized to access this resource/api",
        )),
    }
}

fn page_size(text: Option<&str>) -> Result<usize, ApiError> {
    let Some(text) = text else { return Ok(100) };
    match text.parse::<usize>() {
        Ok(size @ 1..=MAX_PAGE) => Ok(size),
        _ => Err(ApiError::new(400, "invalid", "Invalid Input: maxResults")),
    }
}

/// The parts of the search language that a sync client uses.
///
/// See <https://developers.google.com/workspace/admin/directory/v1/guides/search-users>.
#[derive(Debug, Default)]
struct Wanted {
    suspended: Option<bool>,
    archived: Option<bool>,
    admin: Option<bool>,
    org_unit: Option<String>,
    email_prefix: Option<String>,
}

impl Wanted {
    fn parse(text: &str) -> Result<Self, ApiError> {
        let mut wanted = Self::default();
        let bad = || ApiError::new(400, "invalid", "Invalid Input: query");
        let flag = |value: &str| match value {
            "true" => Ok(Some(true)),
            "false" => Ok(Some(false)),
            _ => Err(bad()),
        };
        for term in split_terms(text) {
            let at = term.find(['=', ':']).ok_or_else(bad)?;
            let value = term[at + 1..].trim_matches(['\'', '"']);
            match &term[..at] {
                "isSuspended" => wanted.suspended = flag(value)?,
                "isArchived" => wanted.archived = flag(value)?,
                "isAdmin" => wanted.admin = flag(value)?,
                "orgUnitPath" => wanted.org_unit = Some(value.to_owned()),
                "email" => wanted.email_prefix = Some(value.to_ascii_lowercase()),
                _ => return Err(bad()),
            }
        }
        Ok(wanted)
    }

    fn fits(&self, user: &User) -> bool {
        let addresses = || std::iter::once(&user.primary).chain(&user.aliases);
        self.suspended
            .is_none_or(|wanted| wanted == (user.state == AccountState::Suspended))
            && self.archived.is_none_or(|wanted| wanted == user.archived)
            && self
                .admin
                .is_none_or(|wanted| wanted == (user.role == Role::Admin))
            && self.org_unit.as_deref().is_none_or(|unit| {
                user.org_unit == unit
                    || user
                        .org_unit
                        .starts_with(&format!("{}/", unit.trim_end_matches('/')))
            })
            && self
                .email_prefix
                .as_deref()
                .is_none_or(|wanted| match wanted.strip_suffix('*') {
                    Some(start) => addresses().any(|address| address.starts_with(start)),
                    None => addresses().any(|address| address == wanted),
                })
    }
}

/// Splits at spaces outside quotes.
fn split_terms(text: &str) -> Vec<String> {
    let mut terms = vec![String::new()];
    let mut quoted = false;
    for character in text.chars() {
        if matches!(character, '\'' | '"') {
            quoted = !quoted;
        }
        if character.is_whitespace() && !quoted {
            terms.push(String::new());
        } else if let Some(last) = terms.last_mut() {
            last.push(character);
        }
    }
    terms.retain(|term| !term.is_empty());
    terms
}

/// Changes with whatever of a user can change.
fn tag(user: &User) -> String {
    let state = (
        &user.primary,
        &user.aliases,
        user.state == AccountState::Suspended,
        user.archived,
        user.mailbox_setup,
    );
    let digest = Sha256::digest(format!("{}{state:?}", user.id));
    etag(BASE64URL.encode(&digest[..15]))
}

fn to_json(user: &User) -> Value {
    let emails: Vec<Value> = std::iter::once(json!({ "address": user.primary, "primary": true }))
        .chain(
            user.aliases
                .iter()
                .chain(&user.fixed_aliases)
                .map(|address| json!({ "address": address })),
        )
        .collect();
    let suspended = user.state == AccountState::Suspended;
    let mut value = json!({
        "kind": "admin#directory#user",
        "id": user.id,
        "etag": tag(user),
        "primaryEmail": user.primary,
        "name": {
            "givenName": user.given_name,
            "familyName": user.family_name,
            "fullName": format!("{} {}", user.given_name, user.family_name),
        },
        "emails": emails,
        "nonEditableAliases": user.fixed_aliases,
        "isAdmin": user.role == Role::Admin,
        "isDelegatedAdmin": false,
        "suspended": suspended,
        "archived": user.archived,
        "isMailboxSetup": user.mailbox_setup,
        "includeInGlobalAddressList": true,
        "agreedToTerms": true,
        "changePasswordAtNextLogin": false,
        "ipWhitelisted": false,
        "orgUnitPath": user.org_unit,
        "customerId": CUSTOMER,
        "creationTime": user.created,
        "lastLoginTime": "1970-01-01T00:00:00.000Z",
    });
    // Google leaves an empty list out.
    if !user.aliases.is_empty() {
        value["aliases"] = json!(user.aliases);
    }
    if suspended {
        value["suspensionReason"] = json!("ADMIN");
    }
    if let Some(deleted) = user.deleted_ms {
        value["deletionTime"] = json!(rfc3339_seconds(deleted));
    }
    value
}
