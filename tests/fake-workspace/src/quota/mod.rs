//! Quota: who is charged for a call, whether it still fits, and in which words it is refused if not.
//! Prices are in `prices.rs`, windows in `window.rs`, the control port's side in `admin.rs`.
//!
//! See <https://developers.google.com/workspace/gmail/api/reference/quota> and
//! <https://developers.google.com/workspace/calendar/api/guides/quota#proper_accounting_with_service_accounts>.

pub(crate) mod admin;
mod counters;
mod prices;
mod refusal;
mod window;

use crate::call::Call;
use crate::error::ApiError;
use crate::oauth::{Grant, GrantedBy};
use crate::workspace::Workspace;
use counters::Counters;
pub use prices::PriceList;
use prices::{Api, Limit, budget, price};
use refusal::{Bodies, Cause};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use window::Window;

/// Longest `quotaUser` that Google takes, in characters.
const MAX_QUOTA_USER: usize = 40;
/// Open calls per mailbox that are taken while a price list is in force. Google publishes no number.
const MAX_CONCURRENT: u64 = 50;
/// The key of what is charged to the service account itself.
const SERVICE_ACCOUNT: &str = "service-account";

/// Whom Gmail charges for a call that a service account makes for a user.
///
/// Google's pages can be read both ways; the other APIs charge the service account unless `quotaUser` is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChargeTo {
    /// The mailbox that the call is for, whatever `quotaUser` says.
    #[default]
    Mailbox,
    /// The service account, whatever `quotaUser` says: one user's budget for the whole domain.
    ServiceAccount,
}

impl ChargeTo {
    /// Reads the word of the command line: `mailbox` or `service-account`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "mailbox" => Some(Self::Mailbox),
            "service-account" => Some(Self::ServiceAccount),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Mailbox => "mailbox",
            Self::ServiceAccount => "service-account",
        }
    }
}

/// A call that wants to be made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Charge<'a> {
    method: &'static str,
    /// For whom the token acts; `-` for the service account itself.
    user: &'a str,
    quota_user: Option<&'a str>,
    by: GrantedBy,
    download: bool,
    /// The server's clock in milliseconds since 1970, for times in messages.
    clock_ms: i64,
}

impl<'a> Charge<'a> {
    pub(crate) fn new(
        workspace: &Workspace,
        call: &'a Call,
        grant: Option<&Grant>,
        method: &'static str,
        user: &'a str,
    ) -> Self {
        Self {
            method,
            user,
            quota_user: call
                .query
                .first("quotaUser")
                .or_else(|| call.header("x-goog-quota-user"))
                .filter(|text| !text.is_empty()),
            by: grant.map_or(GrantedBy::Workload, |grant| grant.by),
            download: call.query.first("alt") == Some("media"),
            clock_ms: workspace.now_ms(),
        }
    }
}

/// A rule of `quota.on` and `quota.off`; the last one that fits decides.
#[derive(Debug)]
struct Switch {
    user: Option<String>,
    api: Option<Api>,
    on: bool,
}

#[derive(Debug)]
struct Settings {
    prices: PriceList,
    charge: ChargeTo,
    /// Absent: as each API documents it.
    honour_quota_user: Option<bool>,
    time_scale: f64,
    bodies: Bodies,
    retry_after: bool,
    max_concurrent: Option<u64>,
    /// Refusals in a row after which a mailbox is shut for a while; 0 for never.
    penalty_after: u64,
    penalty_seconds: f64,
    overrides: HashMap<(Api, Limit), u64>,
}

impl Settings {
    fn limit(&self, api: Api, limit: Limit) -> Option<u64> {
        let own = self.overrides.get(&(api, limit)).copied();
        own.or_else(|| budget(self.prices, api, limit))
    }

    fn window(&self, limit: Limit) -> Window {
        let seconds = match limit {
            Limit::UserMinute | Limit::ProjectMinute => 60.0,
            Limit::ProjectDay => 86_400.0,
        };
        Window::new((seconds * 1e6 / self.time_scale) as u64)
    }

    /// The name of the user budget that a call is charged to.
    fn key<'a>(&self, api: Api, charge: &Charge<'a>) -> &'a str {
        let honoured = self.honour_quota_user.unwrap_or(api != Api::Gmail);
        match (charge.quota_user, charge.by) {
            (Some(quota_user), _) if honoured => quota_user,
            (_, GrantedBy::Consent) => charge.user,
            _ if api == Api::Gmail && self.charge == ChargeTo::Mailbox => charge.user,
            _ => SERVICE_ACCOUNT,
        }
    }
}

#[derive(Debug)]
struct UserBudget {
    window: Window,
    refused_in_a_row: u64,
}

#[derive(Debug)]
struct State {
    settings: Settings,
    switches: Vec<Switch>,
    users: HashMap<Api, HashMap<String, UserBudget>>,
    projects: HashMap<(Api, Limit), Window>,
    /// Open Gmail calls by mailbox.
    open: HashMap<String, u64>,
    /// Mailboxes that are shut, until when in microseconds.
    shut: HashMap<String, u64>,
    counters: Counters,
}

/// All budgets of the project.
#[derive(Debug)]
pub(crate) struct Quota {
    begin: Instant,
    state: Mutex<State>,
}

/// A call that was allowed; it counts as open until this is dropped.
#[derive(Debug)]
pub(crate) struct Permit<'a> {
    quota: &'a Quota,
    mailbox: Option<String>,
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if let Some(mailbox) = &self.mailbox
            && let Some(count) = self.quota.lock().open.get_mut(mailbox)
        {
            *count = count.saturating_sub(1);
        }
    }
}

impl Quota {
    /// `time_scale` divides the length of all windows.
    pub(crate) fn new(prices: PriceList, charge: ChargeTo, time_scale: f64) -> Self {
        let settings = Settings {
            prices,
            charge,
            honour_quota_user: None,
            time_scale,
            bodies: Bodies::Metric,
            retry_after: false,
            max_concurrent: (prices != PriceList::Off).then_some(MAX_CONCURRENT),
            penalty_after: 0,
            penalty_seconds: 900.0,
            overrides: HashMap::new(),
        };
        Self {
            begin: Instant::now(),
            state: Mutex::new(State {
                settings,
                switches: Vec::new(),
                users: HashMap::new(),
                projects: HashMap::new(),
                open: HashMap::new(),
                shut: HashMap::new(),
                counters: Counters::default(),
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Charges a call, or refuses it and charges nothing.
    pub(crate) fn admit(&self, charge: &Charge<'_>) -> Result<Permit<'_>, ApiError> {
        let nobody = Permit {
            quota: self,
            mailbox: None,
        };
        let Some(api) = Api::of_method(charge.method) else {
            return Ok(nobody);
        };
        if charge
            .quota_user
            .is_some_and(|text| text.chars().count() > MAX_QUOTA_USER)
        {
            let message =
                format!("Invalid value for quotaUser: at most {MAX_QUOTA_USER} characters");
            return Err(ApiError::new(400, "invalidParameter", message));
        }
        let now = self.now_us();
        let mut state = self.lock();
        let cost = price(state.settings.prices, api, charge.method, charge.download);
        if let Err(cause) = state.check(api, charge, cost, now) {
            state
                .counters
                .refuse(charge.user, charge.method, cause.name());
            state.punish(api, charge, &cause, now);
            return Err(cause.into_error(api, &state.settings, charge.clock_ms));
        }
        state.spend(api, charge, cost, now);
        state.counters.allow(api, charge.user, charge.method, cost);
        if api != Api::Gmail {
            return Ok(nobody);
        }
        *state.open.entry(charge.user.to_owned()).or_default() += 1;
        Ok(Permit {
            quota: self,
            mailbox: Some(charge.user.to_owned()),
        })
    }

    /// Counters and the present fill of all budgets.
    pub(crate) fn to_json(&self) -> Value {
        let now = self.now_us();
        let mut state = self.lock();
        let mut answer = state.counters.to_json();
        answer["prices"] = json!(state.settings.prices.name());
        answer["charge"] = json!(state.settings.charge.name());
        answer["time_scale"] = json!(state.settings.time_scale);
        let mut budgets: BTreeMap<&str, Value> = BTreeMap::new();
        for api in Api::ALL {
            let users: BTreeMap<String, u64> = state
                .users
                .get_mut(&api)
                .into_iter()
                .flatten()
                .map(|(key, own)| (key.clone(), own.window.used(now)))
                .collect();
            let mut used = |limit| {
                let window = state.projects.get_mut(&(api, limit));
                window.map_or(0, |window| window.used(now))
            };
            let (minute, day) = (used(Limit::ProjectMinute), used(Limit::ProjectDay));
            let limits: BTreeMap<&str, Option<u64>> = Limit::ALL
                .into_iter()
                .map(|limit| (limit.name(), state.settings.limit(api, limit)))
                .collect();
            budgets.insert(
                api.name(),
                json!({
                    "user_minute": users,
                    "project_minute": minute,
                    "project_day": day,
                    "limits": limits,
                    "billing_threshold": prices::billing_threshold(api),
                }),
            );
        }
        answer["budgets"] = json!(budgets);
        answer
    }

    /// Forgets what was counted, not what was spent.
    pub(crate) fn reset_counters(&self) {
        self.lock().counters = Counters::default();
    }
}

impl State {
    /// Whether refusals are switched on for this call.
    fn is_enforced(&self, api: Api, user: &str) -> bool {
        let fits = |rule: &&Switch| {
            rule.api.is_none_or(|own| own == api)
                && rule
                    .user
                    .as_deref()
                    .is_none_or(|own| own.eq_ignore_ascii_case(user))
        };
        let last = self.switches.iter().rev().find(fits);
        last.map_or(self.settings.prices != PriceList::Off, |rule| rule.on)
    }

    fn check(&mut self, api: Api, charge: &Charge<'_>, cost: u64, now: u64) -> Result<(), Cause> {
        if !self.is_enforced(api, charge.user) {
            return Ok(());
        }
        if api == Api::Gmail {
            self.check_mailbox(charge.user, now)?;
        }
        for limit in [Limit::ProjectDay, Limit::ProjectMinute] {
            if let Some(most) = self.settings.limit(api, limit)
                && let Some(window) = self.projects.get_mut(&(api, limit))
            {
                fits(window, limit, cost, most, now)?;
            }
        }
        let key = self.settings.key(api, charge);
        let own = self
            .users
            .get_mut(&api)
            .and_then(|users| users.get_mut(key));
        if let Some(most) = self.settings.limit(api, Limit::UserMinute)
            && let Some(own) = own
        {
            fits(&mut own.window, Limit::UserMinute, cost, most, now)?;
        }
        Ok(())
    }

    /// The limits that all clients of a mailbox share, whatever `quotaUser` says.
    fn check_mailbox(&mut self, mailbox: &str, now: u64) -> Result<(), Cause> {
        if let Some(until) = self.shut.get(mailbox).copied() {
            if until > now {
                return Err(Cause::Shut {
                    wait_us: until - now,
                });
            }
            self.shut.remove(mailbox);
        }
        let open = self.open.get(mailbox).copied().unwrap_or_default();
        if self
            .settings
            .max_concurrent
            .is_some_and(|most| open >= most)
        {
            return Err(Cause::Concurrent);
        }
        Ok(())
    }

    fn spend(&mut self, api: Api, charge: &Charge<'_>, cost: u64, now: u64) {
        let key = self.settings.key(api, charge);
        for limit in [Limit::ProjectDay, Limit::ProjectMinute] {
            self.project(api, limit).spend(now, cost);
        }
        let own = self.user(api, key);
        own.refused_in_a_row = 0;
        own.window.spend(now, cost);
    }

    fn project(&mut self, api: Api, limit: Limit) -> &mut Window {
        let settings = &self.settings;
        self.projects
            .entry((api, limit))
            .or_insert_with(|| settings.window(limit))
    }

    fn user(&mut self, api: Api, key: &str) -> &mut UserBudget {
        let settings = &self.settings;
        let users = self.users.entry(api).or_default();
        users.entry(key.to_owned()).or_insert_with(|| UserBudget {
            window: settings.window(Limit::UserMinute),
            refused_in_a_row: 0,
        })
    }

    /// Whoever goes on calling after many refusals finds the mailbox shut for a while.
    fn punish(&mut self, api: Api, charge: &Charge<'_>, cause: &Cause, now: u64) {
        let spent = matches!(
            cause,
            Cause::Spent {
                limit: Limit::UserMinute,
                ..
            }
        );
        if api != Api::Gmail || !spent || self.settings.penalty_after == 0 {
            return;
        }
        let (after, length) = (self.settings.penalty_after, self.settings.penalty_seconds);
        let length_us = (length * 1e6 / self.settings.time_scale) as u64;
        let key = self.settings.key(api, charge);
        let own = self.user(api, key);
        own.refused_in_a_row += 1;
        if own.refused_in_a_row >= after {
            own.refused_in_a_row = 0;
            self.shut.insert(charge.user.to_owned(), now + length_us);
        }
    }
}

fn fits(window: &mut Window, limit: Limit, cost: u64, most: u64, now: u64) -> Result<(), Cause> {
    match window.wait(now, cost, most) {
        0 => Ok(()),
        wait_us => Err(Cause::Spent { limit, wait_us }),
    }
}
