//! The control port's side of the quota: switching it, changing its rules, spending from outside.

use super::prices::{Api, Limit};
use super::refusal::Bodies;
use super::{ChargeTo, PriceList, SERVICE_ACCOUNT, State, Switch};
use crate::admin::{Error, failed, text, user};
use crate::workspace::Workspace;
use serde_json::{Value, json};

/// Does one operation; `None` if the name is not one of these.
pub(crate) fn run(
    workspace: &Workspace,
    operation: &str,
    input: &Value,
) -> Option<Result<Value, Error>> {
    Some(match operation {
        "quota.on" => switch(workspace, input, true),
        "quota.off" => switch(workspace, input, false),
        "quota.set" => set(workspace, input),
        "quota.spend" => spend(workspace, input),
        "quota.shut" => shut(workspace, input),
        _ => return None,
    })
}

fn user_name(workspace: &Workspace, input: &Value) -> Result<Option<String>, Error> {
    match &input["user"] {
        Value::Null => Ok(None),
        _ => Ok(Some(workspace.primary(user(workspace, input)?))),
    }
}

fn api(input: &Value) -> Result<Option<Api>, Error> {
    match &input["api"] {
        Value::Null => Ok(None),
        _ => Api::parse(text(input, "api")?)
            .map(Some)
            .ok_or_else(|| failed("`api` is gmail, calendar, drive or directory")),
    }
}

/// For one user, one API, both or all: refuse what is beyond the quota, or do not.
fn switch(workspace: &Workspace, input: &Value, on: bool) -> Result<Value, Error> {
    let (user, api) = (user_name(workspace, input)?, api(input)?);
    let mut state = workspace.quota.lock();
    if user.is_none() && api.is_none() {
        state.switches.clear();
    }
    if on && state.settings.prices == PriceList::Off {
        state.settings.prices = PriceList::May2026;
        // Without this the others would be refused as well.
        if user.is_some() || api.is_some() {
            state.switches.insert(
                0,
                Switch {
                    user: None,
                    api: None,
                    on: false,
                },
            );
        }
    }
    state.switches.push(Switch { user, api, on });
    Ok(json!({ "on": on, "prices": state.settings.prices.name() }))
}

const KNOWN: [&str; 13] = [
    "prices",
    "charge",
    "quota_user",
    "time_scale",
    "bodies",
    "retry_after",
    "concurrent",
    "penalty_after",
    "penalty_seconds",
    "api",
    "limit",
    "value",
    "reset",
];

/// Changes rules; what is absent stays.
fn set(workspace: &Workspace, input: &Value) -> Result<Value, Error> {
    if let Some(key) = input
        .as_object()
        .and_then(|object| object.keys().find(|key| !KNOWN.contains(&key.as_str())))
    {
        return Err(failed(format!(
            "unknown member `{key}`; known are {}",
            KNOWN.join(", ")
        )));
    }
    let mut state = workspace.quota.lock();
    set_words(&mut state, input)?;
    set_numbers(&mut state, input)?;
    set_limit(&mut state, input)?;
    if input["reset"].as_bool() == Some(true) {
        forget(&mut state);
    }
    Ok(json!({ "prices": state.settings.prices.name(), "charge": state.settings.charge.name() }))
}

fn set_words(state: &mut State, input: &Value) -> Result<(), Error> {
    let word = |name: &str| match &input[name] {
        Value::Null => Ok(None),
        _ => text(input, name).map(Some),
    };
    if let Some(text) = word("prices")? {
        state.settings.prices =
            PriceList::parse(text).ok_or_else(|| failed("`prices` is 2026-05, legacy or off"))?;
    }
    if let Some(text) = word("charge")? {
        state.settings.charge = ChargeTo::parse(text)
            .ok_or_else(|| failed("`charge` is mailbox or service-account"))?;
    }
    if let Some(text) = word("bodies")? {
        state.settings.bodies = Bodies::parse(text)
            .ok_or_else(|| failed("`bodies` is metric, classic or exhausted"))?;
    }
    if let Some(text) = word("quota_user")? {
        state.settings.honour_quota_user = match text {
            "documented" => None,
            "honoured" => Some(true),
            "ignored" => Some(false),
            _ => return Err(failed("`quota_user` is documented, honoured or ignored")),
        };
    }
    Ok(())
}

fn set_numbers(state: &mut State, input: &Value) -> Result<(), Error> {
    let number = |name: &str| match &input[name] {
        Value::Null => Ok(None),
        value => value
            .as_f64()
            .filter(|number| (0.0..1e12).contains(number))
            .map(Some)
            .ok_or_else(|| failed(format!("`{name}` is a number from 0 up"))),
    };
    if let Some(scale) = number("time_scale")? {
        if scale <= 0.0 {
            return Err(failed("`time_scale` is above 0"));
        }
        state.settings.time_scale = scale;
        forget(state);
    }
    if let Some(most) = number("concurrent")? {
        state.settings.max_concurrent = (most > 0.0).then_some(most as u64);
    }
    if let Some(after) = number("penalty_after")? {
        state.settings.penalty_after = after as u64;
    }
    if let Some(seconds) = number("penalty_seconds")? {
        state.settings.penalty_seconds = seconds;
    }
    match &input["retry_after"] {
        Value::Null => {}
        value => {
            state.settings.retry_after = value
                .as_bool()
                .ok_or_else(|| failed("`retry_after` is true or false"))?;
        }
    }
    Ok(())
}

/// A single number of the price list; without `value` the list's own again.
fn set_limit(state: &mut State, input: &Value) -> Result<(), Error> {
    if input["limit"].is_null() {
        return Ok(());
    }
    let api = api(input)?.ok_or_else(|| failed("a limit needs an `api`"))?;
    let limit = limit(input)?;
    match &input["value"] {
        Value::Null => {
            state.settings.overrides.remove(&(api, limit));
        }
        value => {
            let most = value
                .as_u64()
                .ok_or_else(|| failed("`value` is a whole number"))?;
            state.settings.overrides.insert((api, limit), most);
        }
    }
    Ok(())
}

fn limit(input: &Value) -> Result<Limit, Error> {
    Limit::parse(text(input, "limit")?)
        .ok_or_else(|| failed("`limit` is user_minute, project_minute or project_day"))
}

/// All budgets are full again.
fn forget(state: &mut State) {
    state.users.clear();
    state.projects.clear();
    state.shut.clear();
}

/// Spends from a budget, as another client of the project would.
fn spend(workspace: &Workspace, input: &Value) -> Result<Value, Error> {
    let api = api(input)?.ok_or_else(|| failed("`api` is missing"))?;
    let limit = limit(input)?;
    let units = input["units"]
        .as_u64()
        .filter(|units| *units < 1 << 40)
        .ok_or_else(|| failed("`units` is a whole number"))?;
    let key = match &input["quota_user"] {
        Value::String(text) => text.clone(),
        _ => user_name(workspace, input)?.unwrap_or_else(|| SERVICE_ACCOUNT.to_owned()),
    };
    let now = workspace.quota.now_us();
    let mut state = workspace.quota.lock();
    let used = match limit {
        Limit::UserMinute => {
            let window = &mut state.user(api, &key).window;
            window.spend(now, units);
            window.used(now)
        }
        Limit::ProjectMinute | Limit::ProjectDay => {
            let window = state.project(api, limit);
            window.spend(now, units);
            window.used(now)
        }
    };
    Ok(json!({ "used": used }))
}

/// Shuts a mailbox for `seconds`: 429 with the time of its end in the message.
fn shut(workspace: &Workspace, input: &Value) -> Result<Value, Error> {
    let mailbox = workspace.primary(user(workspace, input)?);
    let seconds = input["seconds"]
        .as_f64()
        .filter(|seconds| (0.0..1e9).contains(seconds))
        .ok_or_else(|| failed("`seconds` is missing or no number"))?;
    let until = workspace.quota.now_us() + (seconds * 1e6) as u64;
    workspace.quota.lock().shut.insert(mailbox, until);
    Ok(json!({ "seconds": seconds }))
}
