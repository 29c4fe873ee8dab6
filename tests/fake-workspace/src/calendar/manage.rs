//! `calendars` and `acl`: making calendars and sharing them.
//!
//! See <https://developers.google.com/workspace/calendar/api/concepts/sharing>.

use super::desk::{Desk, has_address, invalid, not_found, refused, required};
use super::list::positive;
use super::schema;
use super::store::{Calendar, Entry, Key, Role, State};
use super::token::{PageToken, binding};
use super::when::time_zone;
use crate::call::Reply;
use crate::error::ApiError;
use crate::keys::hex;
use crate::routes::Context;
use crate::wire;
use serde_json::{Map, Value, json};

/// `GET /calendars/{calendarId}`.
pub(super) fn get(context: &Context<'_>) -> Result<Reply, ApiError> {
    let mut desk = Desk::of_caller(context.workspace, context.caller)?;
    let (key, _) = desk.open(context.path("calendarId"), Role::FreeBusyReader)?;
    desk.render_calendar(&key).map(Reply::json)
}

/// `POST /calendars`.
pub(super) fn insert(context: &Context<'_>) -> Result<Reply, ApiError> {
    let mut desk = Desk::of_caller(context.workspace, context.caller)?;
    let input = schema::read(&context.call.body, schema::CALENDAR)?;
    let key = desk.create_calendar(&input)?;
    desk.render_calendar(&key).map(Reply::json)
}

/// `PATCH` and `PUT /calendars/{calendarId}`.
pub(super) fn change(context: &Context<'_>) -> Result<Reply, ApiError> {
    let mut desk = Desk::of_caller(context.workspace, context.caller)?;
    let input = schema::read(&context.call.body, schema::CALENDAR)?;
    let (key, _) = desk.open(context.path("calendarId"), Role::Owner)?;
    check_zone(&input)?;
    let now = desk.store.now();
    if let Some(calendar) = desk.store.calendars.get_mut(&key) {
        calendar.updated = now;
        apply(calendar, &input);
    }
    desk.render_calendar(&key).map(Reply::json)
}

/// `DELETE /calendars/{calendarId}`.
pub(super) fn delete(context: &Context<'_>) -> Result<Reply, ApiError> {
    let mut desk = Desk::of_caller(context.workspace, context.caller)?;
    desk.delete_calendar(context.path("calendarId"))?;
    Ok(Reply::no_content())
}

/// `GET /calendars/{calendarId}/acl`.
pub(super) fn acl_list(context: &Context<'_>) -> Result<Reply, ApiError> {
    let mut desk = Desk::of_caller(context.workspace, context.caller)?;
    let (key, _) = desk.open(context.path("calendarId"), Role::Owner)?;
    let query = &context.call.query;
    let page = positive(query, "maxResults")?.unwrap_or(100).min(250);
    let own = binding(&("acl", desk.id_of(&key)));
    let bad = || invalid("syncToken", "Invalid sync token value.");
    let since = match query.first("syncToken") {
        None => None,
        Some(text) => Some(PageToken::parse(text, own).map_err(|_| bad())?.anchor),
    };
    let calendar = desk.calendar(&key)?;
    let anchor = calendar.last_acl_change;
    let bound = binding(&(own, since));
    let after = match query.first("pageToken") {
        None => String::new(),
        Some(text) => PageToken::parse(text, bound)?.after,
    };
    let deleted_too = query.flag("showDeleted") || since.is_some();
    let rules: Vec<_> = calendar
        .acl
        .iter()
        .filter(|(id, _)| **id > after)
        .filter(|(_, rule)| since.is_none_or(|since| rule.change > since))
        .filter(|(_, rule)| deleted_too || rule.role > Role::None)
        .collect();
    let page = if context.empty_page { 0 } else { page };
    let shown = &rules[..page.min(rules.len())];
    let mut answer = json!({
        "kind": "calendar#acl",
        "etag": wire::etag(format_args!("a{anchor}")),
        "items": shown.iter().map(|(id, rule)| render_rule(id, rule.role, rule.change)).collect::<Value>(),
    });
    let last = shown.last().map(|(id, _)| (*id).clone());
    match last.filter(|_| rules.len() > shown.len()) {
        last if last.is_some() || context.empty_page => {
            let token = PageToken {
                binding: bound,
                anchor,
                after: last.unwrap_or(after),
            };
            answer["nextPageToken"] = json!(token.write());
        }
        _ => {
            let token = PageToken {
                binding: own,
                anchor,
                after: String::new(),
            };
            answer["nextSyncToken"] = json!(token.write());
        }
    }
    Ok(Reply::json(answer))
}

/// `GET /calendars/{calendarId}/acl/{ruleId}`.
pub(super) fn acl_get(context: &Context<'_>) -> Result<Reply, ApiError> {
    let mut desk = Desk::of_caller(context.workspace, context.caller)?;
    let (key, _) = desk.open(context.path("calendarId"), Role::Owner)?;
    let id = context.path("ruleId");
    let rule = desk
        .calendar(&key)?
        .acl
        .get(id)
        .filter(|rule| rule.role > Role::None);
    let rule = rule.ok_or_else(not_found)?;
    Ok(Reply::json(render_rule(id, rule.role, rule.change)))
}

/// `POST /calendars/{calendarId}/acl`.
pub(super) fn acl_insert(context: &Context<'_>) -> Result<Reply, ApiError> {
    let mut desk = Desk::of_caller(context.workspace, context.caller)?;
    let input = schema::read(&context.call.body, schema::RULE)?;
    let id = rule_id(&input)?;
    let role = rule_role(&input)?.ok_or_else(|| required("Missing role."))?;
    desk.share(context.path("calendarId"), &id, role)
        .map(Reply::json)
}

/// `PATCH` and `PUT /calendars/{calendarId}/acl/{ruleId}`.
pub(super) fn acl_change(context: &Context<'_>) -> Result<Reply, ApiError> {
    let mut desk = Desk::of_caller(context.workspace, context.caller)?;
    let input = schema::read(&context.call.body, schema::RULE)?;
    let role = rule_role(&input)?.ok_or_else(|| required("Missing role."))?;
    let (key, _) = desk.open(context.path("calendarId"), Role::Owner)?;
    if !desk
        .calendar(&key)?
        .acl
        .contains_key(context.path("ruleId"))
    {
        return Err(not_found());
    }
    desk.share(context.path("calendarId"), context.path("ruleId"), role)
        .map(Reply::json)
}

/// `DELETE /calendars/{calendarId}/acl/{ruleId}`.
pub(super) fn acl_delete(context: &Context<'_>) -> Result<Reply, ApiError> {
    let mut desk = Desk::of_caller(context.workspace, context.caller)?;
    let (key, _) = desk.open(context.path("calendarId"), Role::Owner)?;
    let id = context.path("ruleId");
    let rule = desk.calendar(&key)?.acl.get(id);
    if rule.is_none_or(|rule| rule.role == Role::None) {
        return Err(not_found());
    }
    desk.share(context.path("calendarId"), id, Role::None)?;
    Ok(Reply::no_content())
}

fn rule_role(input: &Map<String, Value>) -> Result<Option<Role>, ApiError> {
    let Some(name) = input.get("role").and_then(Value::as_str) else {
        return Ok(None);
    };
    let role = Role::parse(name).ok_or_else(|| invalid("role", "Invalid role."))?;
    Ok(Some(role))
}

/// The id of the rule for a scope: `user:ana@example.com`, `default`.
fn rule_id(input: &Map<String, Value>) -> Result<String, ApiError> {
    let scope = input.get("scope").unwrap_or(&Value::Null);
    let value = scope["value"]
        .as_str()
        .unwrap_or_default()
        .to_ascii_lowercase();
    match scope["type"].as_str() {
        Some("default") => Ok("default".to_owned()),
        Some(kind @ ("user" | "group" | "domain")) if !value.is_empty() => {
            Ok(format!("{kind}:{value}"))
        }
        _ => Err(invalid("scope", "Invalid scope value.")),
    }
}

fn render_rule(id: &str, role: Role, change: u64) -> Value {
    let scope = match id.split_once(':') {
        Some((kind, value)) => json!({ "type": kind, "value": value }),
        None => json!({ "type": "default" }),
    };
    json!({
        "kind": "calendar#aclRule",
        "etag": wire::etag(format_args!("{change:020}")),
        "id": id,
        "scope": scope,
        "role": role.name(),
    })
}

fn check_zone(input: &Map<String, Value>) -> Result<(), ApiError> {
    match input.get("timeZone").and_then(Value::as_str) {
        Some(zone) if time_zone(zone).is_none() => Err(invalid("timeZone", "Invalid time zone.")),
        _ => Ok(()),
    }
}

fn apply(calendar: &mut Calendar, input: &Map<String, Value>) {
    let text = |name: &str| {
        input
            .get(name)
            .map(|value| value.as_str().map(str::to_owned))
    };
    if let Some(Some(summary)) = text("summary") {
        calendar.summary = summary;
    }
    if let Some(description) = text("description") {
        calendar.description = description;
    }
    if let Some(location) = text("location") {
        calendar.location = location;
    }
    if let Some(Some(zone)) = text("timeZone") {
        calendar.time_zone = zone;
    }
}

impl Desk<'_> {
    /// Makes a secondary calendar that the user owns and has on the list.
    pub(crate) fn create_calendar(&mut self, input: &Map<String, Value>) -> Result<Key, ApiError> {
        let summary = input
            .get("summary")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if summary.is_empty() {
            return Err(required("Missing title."));
        }
        check_zone(input)?;
        let user = self.user;
        let now = self.store.now();
        let bytes: Vec<u8> = (0..32).map(|_| self.store.rng.u8(..)).collect();
        let key = Key::Named(format!("c_{}@group.calendar.google.com", hex(&bytes)));
        let zone = self
            .store
            .calendar(&Key::primary(user))
            .map_or_else(|| "UTC".to_owned(), |calendar| calendar.time_zone.clone());
        let mut calendar = Calendar::new(Some(user), summary, &zone, now);
        apply(&mut calendar, input);
        let owner = self.workspace.user(user).primary.to_ascii_lowercase();
        calendar.set_rule(&format!("user:{owner}"), Role::Owner);
        self.store.calendars.insert(key.clone(), calendar);
        let mut entry = Entry::default();
        entry.settings.insert("selected".to_owned(), json!(true));
        self.store.list(user).put(key.clone(), entry, now);
        Ok(key)
    }

    /// A secondary calendar goes, from all lists; its events go from the calendars of their guests.
    pub(crate) fn delete_calendar(&mut self, id: &str) -> Result<(), ApiError> {
        let (key, _) = self.open(id, Role::Owner)?;
        if matches!(key, Key::Primary(_)) {
            return Err(refused(
                400,
                "invalid",
                "Primary calendars cannot be deleted.",
            ));
        }
        let live: Vec<String> = self
            .calendar(&key)?
            .events
            .after(None)
            .filter(|event| event.state == State::Live && event.origin.as_ref() == Some(&key))
            .map(|event| event.id.clone())
            .collect();
        for event in live {
            self.cancel_at_host(&key, &event);
        }
        let now = self.store.now();
        if let Some(calendar) = self.store.calendars.get_mut(&key) {
            calendar.deleted = true;
        }
        for list in self.store.lists.values_mut() {
            if let Some(mut entry) = list
                .entries
                .get(&key)
                .filter(|entry| !entry.deleted)
                .cloned()
            {
                entry.deleted = true;
                list.put(key.clone(), entry, now);
            }
        }
        Ok(())
    }

    /// Gives a scope a role on a calendar, or takes it away with `Role::None`.
    pub(crate) fn share(&mut self, id: &str, rule: &str, role: Role) -> Result<Value, ApiError> {
        let (key, _) = self.open(id, Role::Owner)?;
        if let Some(("user", address)) = rule.split_once(':')
            && has_address(&self.workspace.user(self.user), address)
        {
            return Err(refused(
                403,
                "cannotChangeOwnAcl",
                "Cannot change your own access level.",
            ));
        }
        let calendar = self.store.calendars.get_mut(&key).ok_or_else(not_found)?;
        calendar.set_rule(rule, role);
        Ok(render_rule(rule, role, calendar.last_acl_change))
    }

    pub(crate) fn render_calendar(&self, key: &Key) -> Result<Value, ApiError> {
        let calendar = self.calendar(key)?;
        let mut shown = json!({
            "kind": "calendar#calendar",
            "etag": wire::etag(format_args!("c{}", calendar.updated)),
            "id": self.id_of(key),
            "summary": self.summary(key),
            "timeZone": calendar.time_zone,
            "conferenceProperties": { "allowedConferenceSolutionTypes": ["hangoutsMeet"] },
        });
        self.add_details(key, calendar, &mut shown);
        Ok(shown)
    }

    /// What both the calendar and its entries in calendar lists show, if there is any.
    pub(super) fn add_details(&self, key: &Key, calendar: &Calendar, shown: &mut Value) {
        if let Some(text) = &calendar.description {
            shown["description"] = json!(text);
        }
        if let Some(text) = &calendar.location {
            shown["location"] = json!(text);
        }
        if let (Key::Named(_), Some(owner)) = (key, calendar.owner) {
            shown["dataOwner"] = json!(self.workspace.user(owner).primary);
        }
    }
}
