//! `colors` and `settings`: fixed answers that official clients ask for. Nobody can change them.

use super::desk::{Desk, invalid, not_found};
use super::store::Key;
use crate::call::Reply;
use crate::error::ApiError;
use crate::routes::Context;
use crate::wire;
use serde_json::{Map, Value, json};

const PALETTE: [&str; 11] = [
    "#a4bdfc", "#7ae7bf", "#dbadff", "#ff887c", "#fbd75b", "#ffb878", "#46d6db", "#e1e1e1",
    "#5484ed", "#51b749", "#dc2127",
];

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

/// `GET /users/me/settings`: always one page.
pub(super) fn list(context: &Context<'_>) -> Result<Reply, ApiError> {
    let query = &context.call.query;
    if query.first("pageToken").is_some() {
        return Err(invalid("pageToken", "Invalid page token value."));
    }
    let settings = all(context)?;
    // Nothing ever changes, so one token is good for all time and all users.
    let items: Vec<Value> = match query.first("syncToken") {
        None => settings.iter().map(render).collect(),
        Some("settings") => Vec::new(),
        Some(_) => return Err(invalid("syncToken", "Invalid sync token value.")),
    };
    Ok(Reply::json(json!({
        "kind": "calendar#settings",
        "etag": wire::etag("settings"),
        "items": items,
        "nextSyncToken": "settings",
    })))
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
