//! `calendarList`: the calendars that a user has on the own list, with the user's settings for them.
//!
//! See <https://developers.google.com/workspace/calendar/api/v3/reference/calendarList>. As documented, a change of rights
//! or of a calendar's own properties is no change of the entry: an increment does not tell of it.

use super::desk::{Desk, invalid, not_found, required};
use super::list::{flag, positive};
use super::schema::{self, merge};
use super::store::{Entry, Key, Role};
use super::token::{PageToken, SyncToken, binding, key_text};
use crate::call::{Query, Reply};
use crate::error::ApiError;
use crate::routes::Context;
use crate::wire;
use serde_json::{Map, Value, json};

const MAX_PAGE: usize = 250;
const DEFAULT_PAGE: usize = 100;

/// `GET /users/me/calendarList`.
pub(super) fn list(context: &Context<'_>) -> Result<Reply, ApiError> {
    let mut desk = Desk::of_caller(context.workspace, context.caller)?;
    desk.list_calendars(&context.call.query, context.empty_page)
        .map(Reply::json)
}

/// `GET /users/me/calendarList/{calendarId}`.
pub(super) fn get(context: &Context<'_>) -> Result<Reply, ApiError> {
    let mut desk = Desk::of_caller(context.workspace, context.caller)?;
    let (key, role) = desk.open(context.path("calendarId"), Role::FreeBusyReader)?;
    let entry = desk.entry(&key)?;
    Ok(Reply::json(desk.render_entry(&key, role, &entry)))
}

/// `POST /users/me/calendarList`.
pub(super) fn insert(context: &Context<'_>) -> Result<Reply, ApiError> {
    let mut desk = Desk::of_caller(context.workspace, context.caller)?;
    let input = entry_input(context)?;
    desk.subscribe(&input).map(Reply::json)
}

/// `PATCH` and `PUT /users/me/calendarList/{calendarId}`.
pub(super) fn change(context: &Context<'_>) -> Result<Reply, ApiError> {
    let mut desk = Desk::of_caller(context.workspace, context.caller)?;
    let input = entry_input(context)?;
    let (key, role) = desk.open(context.path("calendarId"), Role::FreeBusyReader)?;
    let mut entry = desk.entry(&key)?;
    if context.call.method == http::Method::PUT {
        entry.settings = Map::new();
        entry.hidden = false;
    }
    apply(&mut entry, &input);
    let shown = desk.store_entry(key, role, entry);
    Ok(Reply::json(shown))
}

/// `DELETE /users/me/calendarList/{calendarId}`.
pub(super) fn delete(context: &Context<'_>) -> Result<Reply, ApiError> {
    let mut desk = Desk::of_caller(context.workspace, context.caller)?;
    desk.unsubscribe(context.path("calendarId"))?;
    Ok(Reply::no_content())
}

/// The members that a client may set; exact colours only with the parameter that says so.
fn entry_input(context: &Context<'_>) -> Result<Map<String, Value>, ApiError> {
    let mut input = schema::read(&context.call.body, schema::ENTRY)?;
    if flag(&context.call.query, "colorRgbFormat")? != Some(true) {
        input.remove("backgroundColor");
        input.remove("foregroundColor");
    }
    Ok(input)
}

fn apply(entry: &mut Entry, input: &Map<String, Value>) {
    let mut settings = input.clone();
    settings.remove("id");
    if let Some(hidden) = settings.remove("hidden") {
        entry.hidden = hidden == true;
    }
    merge(&mut entry.settings, &settings);
}

impl Desk<'_> {
    /// The user's entry for a calendar.
    fn entry(&mut self, key: &Key) -> Result<Entry, ApiError> {
        let list = self.store.lists.get(&self.user.0);
        let entry = list.and_then(|list| list.entries.get(key));
        entry
            .filter(|entry| !entry.deleted)
            .cloned()
            .ok_or_else(not_found)
    }

    fn store_entry(&mut self, key: Key, role: Role, entry: Entry) -> Value {
        let (user, now) = (self.user, self.store.now());
        self.store.list(user).put(key.clone(), entry, now);
        let list = self.store.lists.get(&self.user.0);
        let entry = list.and_then(|list| list.entries.get(&key)).cloned();
        self.render_entry(&key, role, &entry.unwrap_or_default())
    }

    /// Puts a calendar on the user's list; one that is there already stays as it is.
    pub(crate) fn subscribe(&mut self, input: &Map<String, Value>) -> Result<Value, ApiError> {
        let id = input.get("id").and_then(Value::as_str).unwrap_or_default();
        if id.is_empty() {
            return Err(required("Missing calendar id."));
        }
        let (key, role) = self.open(id, Role::FreeBusyReader)?;
        if let Ok(entry) = self.entry(&key) {
            return Ok(self.render_entry(&key, role, &entry));
        }
        let mut entry = Entry::default();
        apply(&mut entry, input);
        Ok(self.store_entry(key, role, entry))
    }

    /// Takes a calendar off the user's list.
    pub(crate) fn unsubscribe(&mut self, id: &str) -> Result<(), ApiError> {
        let key = self.key(id).ok_or_else(not_found)?;
        let mut entry = self.entry(&key)?;
        if key == Key::primary(self.user) {
            return Err(invalid(
                "calendarId",
                "The primary calendar cannot be removed from the list.",
            ));
        }
        entry.deleted = true;
        let (user, now) = (self.user, self.store.now());
        self.store.list(user).put(key, entry, now);
        Ok(())
    }

    /// The title of a calendar; that of a primary one is its address.
    pub(crate) fn summary(&self, key: &Key) -> String {
        match (key, self.store.calendar(key)) {
            (Key::Named(_), Some(calendar)) => calendar.summary.clone(),
            _ => self.id_of(key),
        }
    }

    pub(super) fn render_entry(&self, key: &Key, role: Role, entry: &Entry) -> Value {
        let id = self.id_of(key);
        let tag = wire::etag(entry.updated.unsigned_abs() * 2000 + entry.change);
        if entry.deleted {
            return json!({ "kind": "calendar#calendarListEntry", "etag": tag, "id": id, "deleted": true });
        }
        let mut shown = json!({
            "kind": "calendar#calendarListEntry",
            "etag": tag,
            "id": id,
            "summary": self.summary(key),
            "accessRole": role.name(),
            "colorId": "14",
            "backgroundColor": "#9fe1e7",
            "foregroundColor": "#000000",
            "defaultReminders": [],
            "conferenceProperties": { "allowedConferenceSolutionTypes": ["hangoutsMeet"] },
        });
        if let Some(calendar) = self.store.calendar(key) {
            shown["timeZone"] = json!(calendar.time_zone);
            self.add_details(key, calendar, &mut shown);
        }
        if *key == Key::primary(self.user) {
            shown["primary"] = json!(true);
            shown["selected"] = json!(true);
            shown["defaultReminders"] = json!([{ "method": "popup", "minutes": 10 }]);
        }
        if entry.hidden {
            shown["hidden"] = json!(true);
        }
        if let Some(shown) = shown.as_object_mut() {
            shown.extend(entry.settings.clone());
            if shown.get("selected").is_some_and(|flag| flag == false) {
                shown.remove("selected");
            }
        }
        shown
    }

    fn list_calendars(&mut self, query: &Query, empty: bool) -> Result<Value, ApiError> {
        let page = positive(query, "maxResults")?
            .unwrap_or(DEFAULT_PAGE)
            .min(MAX_PAGE);
        let show_deleted = flag(query, "showDeleted")?;
        let show_hidden = flag(query, "showHidden")?;
        let own_only = flag(query, "showOwnOrganizationOnly")?;
        let min_role = match query.first("minAccessRole") {
            None => Role::FreeBusyReader,
            Some(name) => Role::parse(name)
                .filter(|role| *role > Role::None)
                .ok_or_else(|| invalid("minAccessRole", "Invalid string value."))?,
        };
        let own = binding(&("calendarList", self.user.0));
        let sync = match query.first("syncToken").filter(|text| !text.is_empty()) {
            None => None,
            Some(text) => {
                if query.first("minAccessRole").is_some()
                    || own_only.is_some()
                    || show_deleted == Some(false)
                    || show_hidden == Some(false)
                {
                    return Err(invalid(
                        "syncToken",
                        "Sync token cannot be used with other query restrictions.",
                    ));
                }
                let token = SyncToken::parse(text)?;
                let user = self.user;
                token.check(self.store.list(user).expiry, "owner")?;
                if token.binding != own || token.change > self.store.list(user).last_change {
                    return Err(invalid("syncToken", "Invalid sync token value."));
                }
                Some(token)
            }
        };
        let given: Vec<Option<&str>> = [
            "syncToken",
            "showDeleted",
            "showHidden",
            "minAccessRole",
            "showOwnOrganizationOnly",
        ]
        .iter()
        .map(|name| query.first(name))
        .collect();
        let page_binding = binding(&(own, given));
        let position = query
            .first("pageToken")
            .filter(|text| !text.is_empty())
            .map(|text| PageToken::parse(text, page_binding))
            .transpose()?;
        let serial = self.store.serial();
        let user = self.user;
        let list = self.store.list(user).clone();
        let anchor = position
            .as_ref()
            .map_or(list.last_change, |page| page.anchor);
        let mut rows: Vec<(String, Value)> = Vec::new();
        for (key, entry) in &list.entries {
            let role = self.role(key);
            let is_shown = match &sync {
                Some(sync) => {
                    entry.change > sync.change
                        && entry.change <= anchor
                        && (entry.deleted || role > Role::None)
                }
                None => {
                    (!entry.deleted || show_deleted == Some(true))
                        && (!entry.hidden || show_hidden == Some(true))
                        && role >= min_role
                        && (own_only != Some(true) || self.is_own_organization(key))
                }
            };
            if is_shown {
                rows.push((key_text(key), self.render_entry(key, role, entry)));
            }
        }
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        let after = position.map(|page| page.after);
        let from = after
            .as_ref()
            .map_or(0, |after| rows.partition_point(|(key, _)| key <= after));
        let rest = &rows[from..];
        let shown = if empty {
            &rest[..0]
        } else {
            &rest[..page.min(rest.len())]
        };
        let mut answer = json!({
            "kind": "calendar#calendarList",
            "etag": wire::etag(format_args!("p{}", list.last_change)),
            "items": shown.iter().map(|(_, entry)| entry.clone()).collect::<Value>(),
        });
        if empty || rest.len() > shown.len() {
            let last = shown.last().map(|(key, _)| key.clone()).or(after);
            let token = PageToken {
                binding: page_binding,
                anchor,
                after: last.unwrap_or_default(),
            };
            answer["nextPageToken"] = json!(token.write());
        } else {
            let token = SyncToken {
                serial,
                change: anchor,
                binding: own,
                role: "owner".to_owned(),
                bounds: (None, None),
            };
            answer["nextSyncToken"] = json!(token.write());
        }
        Ok(answer)
    }

    fn is_own_organization(&self, key: &Key) -> bool {
        self.store
            .calendar(key)
            .is_some_and(|calendar| calendar.owner.is_some())
    }
}
