//! `colors` and `settings`: fixed answers that official clients ask for. Nobody can change them.

use super::desk::{Desk, invalid, not_found};
use super::list::positive;
use super::store::Key;
use super::token::{PageToken, binding};
use crate::call::Reply;
use crate::error::ApiError;
use crate::routes::Context;
use crate::wire;
use serde_json::{Map, Value, json};

const PALETTE: [&str; 11] = [
    "#a4bdfc", "#7ae7bf", "#dbadff", "#ff887c", "#fbd75b", "#ffb878", "#46d6db", "#e1e1e1",
    "#5484ed", "#51b749", "#dc2127",
];

const SYNC_TOKEN: &str = "settings";

/// `GET /colors`.
pub(super) fn colors(_context: &Context<'_>) -> Result<Reply, ApiError> {
    let palette: Map<String, Value> = PALETTE
        .iter()
        .enumerate()
        .map(|(at, color)| {
            let definition = json!({ "background": color, "foreground": "#1d1d1d" });
            ((at + 1).to_string(), definition)
        })
        .collect();
    let mut calendars = palette.clone();
    calendars.insert(
        "14".to_owned(),
        json!({ "background": "#9fe1e7", "foreground": "#000000" }),
    );
    Ok(Reply::json(json!({
        "kind": "calendar#colors",
        "updated": "2012-02-14T00:00:00.000Z",
        "calendar": calendars,
        "event": palette,
    })))
}

/// The user's settings, of which only the time zone is the user's own.
fn all(context: &Context<'_>) -> Result<Vec<(&'static str, String)>, ApiError> {
    let desk = Desk::of_caller(context.workspace, context.caller)?;
    let zone = desk.calendar(&Key::primary(desk.user))?.time_zone.clone();
    Ok(vec![
        ("autoAddHangouts", "true".to_owned()),
        ("dateFieldOrder", "DMY".to_owned()),
        ("defaultEventLength", "60".to_owned()),
        ("format24HourTime", "true".to_owned()),
        ("hideInvitations", "false".to_owned()),
        ("hideWeekends", "false".to_owned()),
        ("locale", "en".to_owned()),
        ("showDeclinedEvents", "true".to_owned()),
        ("timezone", zone),
        ("useKeyboardShortcuts", "true".to_owned()),
        ("weekStart", "1".to_owned()),
    ])
}

fn render((id, value): &(&'static str, String)) -> Value {
    json!({ "kind": "calendar#setting", "etag": wire::etag(format_args!("{id}-{value}")), "id": id, "value": value })
}

/// `GET /users/me/settings`, in the order of their ids.
pub(super) fn list(context: &Context<'_>) -> Result<Reply, ApiError> {
    let query = &context.call.query;
    let size = positive(query, "maxResults")?.unwrap_or(100).min(250);
    // Nothing ever changes, so one sync token is good for all time and all users.
    let nothing_new = match query.first("syncToken") {
        None => false,
        Some(SYNC_TOKEN) => true,
        Some(_) => return Err(invalid("syncToken", "Invalid sync token value.")),
    };
    let own = binding(&("settings", nothing_new));
    let after = match query.first("pageToken") {
        None => String::new(),
        Some(text) => PageToken::parse(text, own)?.after,
    };
    let settings = all(context)?;
    let mut rest = settings
        .iter()
        .filter(|(id, _)| !nothing_new && *id > after.as_str());
    let size = if context.empty_page { 0 } else { size };
    let shown: Vec<_> = rest.by_ref().take(size).collect();
    let mut answer = json!({
        "kind": "calendar#settings",
        "etag": wire::etag("settings"),
        "items": shown.iter().copied().map(render).collect::<Value>(),
    });
    if context.empty_page || rest.next().is_some() {
        let token = PageToken {
            binding: own,
            anchor: 0,
            after: shown
                .last()
                .map_or(after.clone(), |(id, _)| (*id).to_owned()),
        };
        answer["nextPageToken"] = json!(token.write());
    } else {
        answer["nextSyncToken"] = json!(SYNC_TOKEN);
    }
    Ok(Reply::json(answer))
}

/// `GET /users/me/settings/{setting}`.
pub(super) fn get(context: &Context<'_>) -> Result<Reply, ApiError> {
    let wanted = context.path("setting");
    let settings = all(context)?;
    let found = settings.iter().find(|(id, _)| *id == wanted);
    found
        .map(|setting| Reply::json(render(setting)))
        .ok_or_else(not_found)
}
