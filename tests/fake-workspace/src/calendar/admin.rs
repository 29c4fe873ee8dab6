//! Operations of the control port on calendars, and the truth about them.

use super::activity;
use super::desk::Desk;
use super::draft::Options;
use super::list::Listing;
use super::schema;
use super::store::{Expiry, Key, Role};
use super::write::Edit;
use crate::admin::{Error, burst, failed, text, user};
use crate::call::Query;
use crate::workspace::{UserIndex, Workspace};
use serde_json::{Map, Value, json};

/// As a client that knows everything writes.
const OPTIONS: Options = Options {
    conference: true,
    attachments: true,
};
/// Does one operation whose name begins with `calendar.`.
pub(crate) fn run(workspace: &Workspace, operation: &str, input: &Value) -> Result<Value, Error> {
    let known = [
        "insert",
        "import",
        "patch",
        "update",
        "delete",
        "move",
        "expire",
        "share",
        "create",
        "remove",
        "subscribe",
        "unsubscribe",
        "churn",
        "truth",
    ];
    let name = operation
        .strip_prefix("calendar.")
        .filter(|name| known.contains(name));
    let name = name.ok_or_else(|| Error::Unknown(operation.to_owned()))?;
    let user = user(workspace, input)?;
    if name == "truth" {
        return truth(workspace, user);
    }
    let mut desk = Desk::new(workspace, user);
    let calendar = input["calendarId"].as_str().unwrap_or("primary");
    match name {
        "insert" | "import" => {
            let event = event(input)?;
            let written = if name == "insert" {
                desk.insert(calendar, &event, OPTIONS)?
            } else {
                desk.import(calendar, &event, OPTIONS)?
            };
            Ok(desk.show(&written, None)?)
        }
        "patch" | "update" => {
            let edit = if name == "patch" {
                Edit::Patch
            } else {
                Edit::Update
            };
            let written = desk.edit(
                calendar,
                text(input, "id")?,
                &event(input)?,
                edit,
                OPTIONS,
                None,
            )?;
            Ok(desk.show(&written, None)?)
        }
        "delete" => {
            desk.delete(calendar, text(input, "id")?, None)?;
            Ok(json!({ "id": input["id"] }))
        }
        "move" => {
            let written =
                desk.relocate(calendar, text(input, "id")?, text(input, "destination")?)?;
            Ok(desk.show(&written, None)?)
        }
        "expire" => expire(&mut desk, input),
        "share" => {
            let role = text(input, "role")?;
            let role = Role::parse(role).ok_or_else(|| failed(format!("no such role: {role}")))?;
            Ok(desk.share(calendar, &scope(input)?, role)?)
        }
        "create" => {
            let key = desk.create_calendar(&object(input, schema::CALENDAR)?)?;
            Ok(desk.render_calendar(&key)?)
        }
        "remove" => {
            desk.delete_calendar(calendar)?;
            Ok(json!({ "id": calendar }))
        }
        "subscribe" => {
            let mut entry = object(input, schema::ENTRY)?;
            entry.insert("id".to_owned(), json!(text(input, "calendarId")?));
            Ok(desk.subscribe(&entry)?)
        }
        "unsubscribe" => {
            desk.unsubscribe(text(input, "calendarId")?)?;
            Ok(json!({ "id": calendar }))
        }
        _ => {
            drop(desk);
            let (seed, rounds) = burst(input)?;
            let counts = activity::churn(workspace, user, calendar, seed, rounds);
            Ok(json!({ "counts": counts }))
        }
    }
}

fn object(input: &Value, members: schema::Members) -> Result<Map<String, Value>, Error> {
    let object = input
        .as_object()
        .ok_or_else(|| failed("not a JSON object"))?;
    Ok(schema::clean(object, members)?)
}

fn event(input: &Value) -> Result<Map<String, Value>, Error> {
    if input["event"].is_object() {
        object(&input["event"], schema::EVENT)
    } else {
        Err(failed("`event` is missing or no object"))
    }
}

/// Whom a calendar is shared with: `with` is an address, a domain or `default`.
fn scope(input: &Value) -> Result<String, Error> {
    let with = text(input, "with")?.to_ascii_lowercase();
    Ok(if with == "default" {
        with
    } else if with.contains('@') {
        format!("user:{with}")
    } else {
        format!("domain:{with}")
    })
}

/// Makes the user's sync tokens invalid: of one calendar, or of all and of the calendar list.
fn expire(desk: &mut Desk<'_>, input: &Value) -> Result<Value, Error> {
    let expiry = Expiry {
        serial: desk.store.last_serial(),
        plain: input["plain"] == true,
    };
    let user = desk.user;
    let keys: Vec<Key> = match input["calendarId"].as_str() {
        Some(id) => vec![
            desk.key(id)
                .ok_or_else(|| failed(format!("no such calendar: {id}")))?,
        ],
        None => {
            desk.store.list(user).expiry = Some(expiry);
            desk.store.calendars.keys().cloned().collect()
        }
    };
    for key in &keys {
        if let Some(calendar) = desk.store.calendars.get_mut(key) {
            calendar.expiries.insert(user.0, expiry);
        }
    }
    Ok(json!({ "calendars": keys.len() }))
}

/// What a fresh full listing of each calendar on the user's list would give.
fn truth(workspace: &Workspace, user: UserIndex) -> Result<Value, Error> {
    let desk = Desk::new(workspace, user);
    let list = desk.store.lists.get(&user.0).cloned().unwrap_or_default();
    let mut calendars = Vec::new();
    for (key, entry) in &list.entries {
        let role = desk.role(key);
        if entry.deleted || role == Role::None {
            continue;
        }
        let listing = Listing::parse(
            &Query::default(),
            role,
            desk.store.start.div_euclid(1000),
            desk.store.start,
        )?;
        let view = desk.view(key, role, None)?;
        let (mut events, mut holes) = (Vec::new(), Vec::new());
        for event in listing.all(desk.calendar(key)?) {
            let shown = view.render(&event);
            if event.is_live() {
                events.push(shown);
            } else {
                holes.push(shown);
            }
        }
        let mut calendar = desk.render_entry(key, role, entry);
        calendar["events"] = json!(events);
        calendar["cancelled"] = json!(holes);
        calendars.push(calendar);
    }
    Ok(json!({ "calendars": calendars }))
}

/// Takes away the calendars of an account that is made anew: an empty primary calendar, a list with nothing else of
/// the old one's, and no sync token of before works on them.
pub(crate) fn start_over(workspace: &Workspace, user: UserIndex) -> Result<(), Error> {
    let mut desk = Desk::new(workspace, user);
    let owned: Vec<String> = desk
        .store
        .calendars
        .iter()
        .filter(|(_, calendar)| calendar.owner == Some(user) && !calendar.deleted)
        .filter_map(|(key, _)| match key {
            Key::Named(id) => Some(id.clone()),
            Key::Primary(_) => None,
        })
        .collect();
    for id in owned {
        desk.delete_calendar(&id)?;
    }
    let expiry = Expiry {
        serial: desk.store.last_serial(),
        plain: false,
    };
    let n_users = workspace.users().len();
    super::generate::renew(&mut desk.store, workspace, user);
    desk.store.list(user).expiry = Some(expiry);
    if let Some(calendar) = desk.store.calendars.get_mut(&Key::primary(user)) {
        calendar.expiries = (0..n_users).map(|user| (user, expiry)).collect();
    }
    Ok(())
}
