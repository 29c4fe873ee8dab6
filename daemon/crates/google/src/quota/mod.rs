//! The permit that every request needs before it leaves, one seam for all limits: Google's
//! budgets by method and price, pauses that Google asked for, and the calls in flight per user.
//!
//! Every call is charged before it is sent, to the user's minute, the project's minute and the
//! project's day. Live calls spend at once and wait until what they spent is there, so that the
//! next in line waits longer. Walks take turns, one call of a user at a time and users in the
//! order in which they come, and spend only when nothing is owed: so live goes first and a domain
//! of walks is served round-robin.

mod budget;
mod day;
mod in_flight;
mod prices;
mod suspicion;

pub use day::DayUsage;
pub use prices::{ApiName, Limit, PriceList, QuotaOptions};

use budget::Budget;
use day::Day;
use in_flight::{InFlight, Slot};
use nuncio_model::Clock;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use suspicion::Suspicion;
use tokio::time::{Instant, sleep_until};

/// A hint pauses at most so long: Google's own are about 15 minutes, and a nonsense one must
/// not silence a mailbox for a day.
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);

/// A refusal without a hint: what was spent elsewhere needs some time to come back.
const PAUSE_AT_REFUSAL: Duration = Duration::from_secs(1);

/// Why a call is made, which decides who goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Purpose {
    /// Keeps up with changes, or answers somebody who waits.
    #[default]
    Live,
    /// Part of a walk: has time.
    Walk,
}

/// A call that asks for a permit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    /// Google's name of the method.
    pub(crate) method: &'static str,
    /// Whose budget is used: the account's key.
    pub(crate) user: &'a str,
    pub(crate) purpose: Purpose,
}

/// What Google says is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spent {
    /// The user's minute, or the mailbox's own bandwidth.
    User,
    /// The project's minute.
    Project,
    /// Too many calls of this mailbox at once.
    InFlight,
    /// A limit that lasts hours.
    Day,
    /// None; Google only asks to wait, as when it fails.
    Failing,
}

/// Nothing may be sent for longer than the caller would wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paused {
    pub(crate) left: Duration,
    pub(crate) cause: PauseCause,
}

/// Why nothing may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PauseCause {
    /// Google asked to wait.
    Google,
    /// The day's budget is used up.
    Day,
}

/// The right to one request; given back on drop, after the body was read.
#[must_use]
#[derive(Debug)]
pub(crate) struct Permit {
    _slot: Slot,
}

/// The use of a budget of the project, or of all users together where Google counts so.
#[derive(Debug, Clone, PartialEq)]
pub struct Usage {
    /// The API.
    pub api: ApiName,
    /// The budget.
    pub limit: Limit,
    /// Units spent: in the last minute, or since the day began.
    pub used: u64,
    /// Units that may be spent; none: no limit.
    pub allowed: Option<u64>,
    /// Units that will have been spent at the end of the day if it goes on as in the last minute.
    pub forecast: Option<u64>,
    /// Whether Google charges all calls to the service account, so that one user's budget is the
    /// whole domain's.
    pub is_shared: bool,
}

/// The governor in force. Another one takes its place where the config's budgets change: its
/// minutes begin empty, so nothing is spent twice, and its days go on.
pub(crate) struct Governors {
    current: RwLock<Arc<Governor>>,
    in_flight: usize,
    clock: Arc<dyn Clock>,
}

impl Governors {
    /// With a first one; the arguments are those of [`Governor::new`].
    pub(crate) fn new(
        options: QuotaOptions,
        in_flight: usize,
        clock: Arc<dyn Clock>,
        days: &[DayUsage],
    ) -> Self {
        let first = Governor::new(options, in_flight, Arc::clone(&clock), days);
        Self {
            current: RwLock::new(Arc::new(first)),
            in_flight,
            clock,
        }
    }

    /// The one in force.
    pub(crate) fn now(&self) -> Arc<Governor> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&current)
    }

    /// Puts other budgets in force.
    pub(crate) fn replace(&self, options: QuotaOptions) {
        let days = self.now().days();
        let new = Governor::new(options, self.in_flight, Arc::clone(&self.clock), &days);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(new);
    }
}

/// Hands out permits.
pub(crate) struct Governor {
    options: QuotaOptions,
    in_flight: usize,
    clock: Arc<dyn Clock>,
    apis: HashMap<ApiName, Arc<ApiBudgets>>,
    /// Users of what has no budget: the token endpoint.
    others: Mutex<HashMap<Box<str>, Arc<User>>>,
}

#[derive(Debug)]
struct ApiBudgets {
    api: ApiName,
    user_minute: Option<u64>,
    largest: u64,
    project: Mutex<Budget>,
    day: Mutex<Day>,
    /// In place of every user's budget once Google is seen to charge the service account.
    shared: Mutex<Budget>,
    is_shared: AtomicBool,
    suspicion: Mutex<Suspicion>,
    /// Walks wait for the project's budget one after the other.
    walk_turn: tokio::sync::Mutex<()>,
    /// One small entry per account that was ever called; bounded by the configured users.
    users: Mutex<HashMap<Box<str>, Arc<User>>>,
}

#[derive(Debug)]
struct User {
    in_flight: Arc<InFlight>,
    budget: Mutex<Budget>,
    /// Walks of one user wait for its budget one after the other.
    walk_turn: tokio::sync::Mutex<()>,
}

impl Governor {
    /// Nothing is spent yet but what `days` tells of the day that is under way. `in_flight` calls
    /// at once per user to begin with, at least one.
    pub(crate) fn new(
        options: QuotaOptions,
        in_flight: usize,
        clock: Arc<dyn Clock>,
        days: &[DayUsage],
    ) -> Self {
        let now = Instant::now();
        let now_ms = clock.now_ms();
        let apis = ApiName::ALL
            .into_iter()
            .map(|api| {
                let largest = largest(&options, api);
                let user_minute = options.budget(api, Limit::UserMinute);
                let budgets = ApiBudgets {
                    api,
                    user_minute,
                    largest,
                    project: Mutex::new(Budget::new(
                        options.budget(api, Limit::ProjectMinute),
                        largest,
                        now,
                    )),
                    day: Mutex::new(Day::new(
                        options.budget(api, Limit::ProjectDay),
                        now_ms,
                        days.iter().find(|day| day.api == api),
                    )),
                    shared: Mutex::new(Budget::new(user_minute, largest, now)),
                    is_shared: AtomicBool::new(false),
                    suspicion: Mutex::default(),
                    walk_turn: tokio::sync::Mutex::default(),
                    users: Mutex::default(),
                };
                (api, Arc::new(budgets))
            })
            .collect();
        Self {
            options,
            in_flight,
            clock,
            apis,
            others: Mutex::default(),
        }
    }

    /// Waits for the right to send a call, and charges it.
    ///
    /// # Errors
    /// [`Paused`] if the wait for a pause or for the day is longer than `patience`; waits for the
    /// minute's budget are the caller's share of it and are never refused. Nothing is charged then.
    /// # Cancel safety
    /// Dropped early, units may have been charged; they come back with time.
    pub(crate) async fn permit(&self, ask: Ask<'_>, patience: Duration) -> Result<Permit, Paused> {
        tracing::trace!(
            account = ask.user,
            method = ask.method,
            "asking for a permit"
        );
        let api = ApiName::of_method(ask.method).and_then(|api| self.apis.get(&api));
        let user = match api {
            Some(api) => api.user(ask.user, self.in_flight),
            None => self.other(ask.user),
        };
        let slot = Arc::clone(&user.in_flight).acquire().await;
        let units = self.options.price(ask.method);
        match (api, ask.purpose) {
            (None, _) => wait_for_pauses(&[&user.budget], patience).await?,
            (Some(api), Purpose::Live) => {
                let budgets = [&user.budget, api.charged(&user), &api.project];
                wait_for_pauses(&budgets, patience).await?;
                api.take_day(units, ask.purpose, self.clock.now_ms())?;
                sleep_until(api.spend(&user, units)).await;
            }
            (Some(api), Purpose::Walk) => {
                let at = api
                    .spend_in_turn(&user, units, patience, &self.clock)
                    .await?;
                // What live calls spent meanwhile goes first. Nobody else waits for this.
                sleep_until(at).await;
            }
        }
        Ok(Permit { _slot: slot })
    }

    /// A call was answered, and not with a limit.
    pub(crate) fn good(&self, ask: Ask<'_>) {
        if let Some(api) = ApiName::of_method(ask.method).and_then(|api| self.apis.get(&api)) {
            api.user(ask.user, self.in_flight).in_flight.good();
        }
    }

    /// Google refused a call by a limit, maybe with a time to wait: the budget that it names
    /// waits, and no other.
    pub(crate) fn refused(&self, ask: Ask<'_>, spent: Spent, hint: Option<Duration>) {
        let now = Instant::now();
        let pause = hint.unwrap_or(PAUSE_AT_REFUSAL).min(LONGEST_PAUSE);
        let Some(api) = ApiName::of_method(ask.method).and_then(|api| self.apis.get(&api)) else {
            lock(&self.other(ask.user).budget).pause(now + pause);
            return;
        };
        let user = api.user(ask.user, self.in_flight);
        match spent {
            Spent::InFlight => {
                user.in_flight.too_many();
                if hint.is_some() {
                    lock(&user.budget).pause(now + pause);
                }
            }
            Spent::User => {
                api.suspect(ask.user, now);
                let shared = api.is_shared.load(Ordering::Relaxed);
                let budget = if shared && hint.is_none() {
                    &api.shared
                } else {
                    &user.budget
                };
                let mut budget = lock(budget);
                budget.drain(now);
                budget.pause(now + pause);
            }
            Spent::Project => {
                let mut project = lock(&api.project);
                project.drain(now);
                project.pause(now + pause);
            }
            Spent::Failing => lock(&user.budget).pause(now + pause),
            // The caller's error says that it lasts hours; the others must not run into it.
            Spent::Day => lock(&api.project).pause(now + pause),
        }
    }

    /// What a call costs, in units.
    pub(crate) fn price(&self, method: &str) -> u64 {
        self.options.price(method)
    }

    /// What was spent of the project's budgets.
    pub(crate) fn usage(&self) -> Vec<Usage> {
        let now_ms = self.clock.now_ms();
        let mut usage = Vec::new();
        for name in ApiName::ALL {
            let Some(api) = self.apis.get(&name) else {
                continue;
            };
            let mut day = lock(&api.day);
            let in_minute = day.in_last_minute(now_ms);
            let is_shared = api.is_shared.load(Ordering::Relaxed);
            let minute = if is_shared {
                Limit::UserMinute
            } else {
                Limit::ProjectMinute
            };
            let of_minute = Usage {
                api: name,
                limit: minute,
                used: in_minute,
                allowed: self.options.budget(name, minute),
                forecast: None,
                is_shared,
            };
            let of_day = Usage {
                api: name,
                limit: Limit::ProjectDay,
                used: day.used(now_ms),
                allowed: self.options.budget(name, Limit::ProjectDay),
                forecast: day.forecast(now_ms),
                is_shared,
            };
            usage.extend([of_minute, of_day]);
        }
        usage
    }

    /// The shortest time between two polls of a feed at which `n_feeds` of them use no more than
    /// their part of the project's budgets: a fifth of Gmail's, three fifths of the others'.
    pub(crate) fn least_poll_interval(&self, api: ApiName, n_feeds: usize) -> Duration {
        let (method, percent) = match api {
            ApiName::Gmail => ("gmail.users.history.list", 20),
            ApiName::Calendar => ("calendar.events.list", 60),
            ApiName::Drive => ("drive.changes.list", 60),
            ApiName::Directory => return Duration::ZERO,
        };
        let n_feeds = u64::try_from(n_feeds).unwrap_or(u64::MAX);
        let units = self.options.price(method).saturating_mul(n_feeds);
        let of = |limit, seconds: u64| {
            let budget = self.options.budget(api, limit)? * percent / 100;
            Some(Duration::from_millis(
                units.saturating_mul(seconds * 1_000) / budget.max(1),
            ))
        };
        let minute = of(Limit::ProjectMinute, 60).unwrap_or_default();
        minute.max(of(Limit::ProjectDay, 86_400).unwrap_or_default())
    }

    /// What is to outlive the process.
    pub(crate) fn days(&self) -> Vec<DayUsage> {
        let now_ms = self.clock.now_ms();
        ApiName::ALL
            .into_iter()
            .filter_map(|name| {
                let api = self.apis.get(&name)?;
                Some(lock(&api.day).snapshot(name, now_ms))
            })
            .collect()
    }

    fn other(&self, name: &str) -> Arc<User> {
        let mut others = lock(&self.others);
        user_of(&mut others, name, || User::new(None, 1, self.in_flight))
    }
}

impl ApiBudgets {
    fn user(&self, name: &str, in_flight: usize) -> Arc<User> {
        let mut users = lock(&self.users);
        user_of(&mut users, name, || {
            User::new(self.user_minute, self.largest, in_flight)
        })
    }

    /// The budget that a user's calls are charged to.
    fn charged<'a>(&'a self, user: &'a User) -> &'a Mutex<Budget> {
        if self.is_shared.load(Ordering::Relaxed) {
            &self.shared
        } else {
            &user.budget
        }
    }

    /// Charges the minute's budgets; when the units may be used.
    fn spend(&self, user: &User, units: u64) -> Instant {
        let now = Instant::now();
        let mut at = now;
        for budget in [self.charged(user), &self.project] {
            let mut budget = lock(budget);
            at = at.max(budget.ready_at(units, now));
            budget.spend(units, now);
        }
        at
    }

    /// Charges a call of a walk once nothing is owed: its user's calls one after the other, and
    /// the users' in the order in which their own budgets let them. Whoever has the turn waits
    /// for the project alone, so that a user who is paused holds up nobody else.
    async fn spend_in_turn(
        &self,
        user: &User,
        units: u64,
        patience: Duration,
        clock: &Arc<dyn Clock>,
    ) -> Result<Instant, Paused> {
        let _own_turn = user.walk_turn.lock().await;
        loop {
            let own = [&user.budget, self.charged(user)];
            wait_for(&own, units, patience).await?;
            let turn = self.walk_turn.lock().await;
            wait_for(&[&self.project], units, patience).await?;
            if is_ready(&own, units) {
                self.take_day(units, Purpose::Walk, clock.now_ms())?;
                return Ok(self.spend(user, units));
            }
            drop(turn);
        }
    }

    fn take_day(&self, units: u64, purpose: Purpose, now_ms: i64) -> Result<(), Paused> {
        lock(&self.day).take(units, purpose, now_ms)
    }

    /// A user was refused by the user's limit: maybe it is not the user who is charged.
    fn suspect(&self, user: &str, now: Instant) {
        if self.user_minute.is_none() || self.is_shared.load(Ordering::Relaxed) {
            return;
        }
        if lock(&self.suspicion).note(user, now) {
            self.is_shared.store(true, Ordering::Relaxed);
            tracing::warn!(
                api = self.api.as_str(),
                "Google charges all calls to the service account: one user's budget is shared by the whole domain from now on"
            );
        }
    }
}

impl User {
    fn new(per_minute: Option<u64>, largest: u64, in_flight: usize) -> Self {
        Self {
            in_flight: Arc::new(InFlight::new(in_flight)),
            budget: Mutex::new(Budget::new(per_minute, largest, Instant::now())),
            walk_turn: tokio::sync::Mutex::default(),
        }
    }
}

/// Waits until none of the budgets is paused.
async fn wait_for_pauses(budgets: &[&Mutex<Budget>], patience: Duration) -> Result<(), Paused> {
    loop {
        let now = Instant::now();
        let pauses = budgets
            .iter()
            .filter_map(|budget| lock(budget).pause_left(now));
        let Some(left) = pauses.max() else {
            return Ok(());
        };
        if left > patience {
            return Err(Paused {
                left,
                cause: PauseCause::Google,
            });
        }
        sleep_until(now + left).await;
    }
}

/// Waits until each of the budgets has `units`.
async fn wait_for(
    budgets: &[&Mutex<Budget>],
    units: u64,
    patience: Duration,
) -> Result<(), Paused> {
    loop {
        wait_for_pauses(budgets, patience).await?;
        let now = Instant::now();
        let ready = budgets
            .iter()
            .map(|budget| lock(budget).ready_at(units, now));
        match ready.max() {
            Some(at) if at > now => sleep_until(at).await,
            Some(_) | None => return Ok(()),
        }
    }
}

/// Whether each of the budgets has `units` now.
fn is_ready(budgets: &[&Mutex<Budget>], units: u64) -> bool {
    let now = Instant::now();
    budgets
        .iter()
        .all(|budget| lock(budget).ready_at(units, now) <= now)
}

fn user_of(
    users: &mut HashMap<Box<str>, Arc<User>>,
    name: &str,
    new: impl FnOnce() -> User,
) -> Arc<User> {
    if let Some(user) = users.get(name) {
        return Arc::clone(user);
    }
    let user = Arc::new(new());
    users.insert(name.into(), Arc::clone(&user));
    user
}

/// The dearest call of an API that nuncio makes.
fn largest(options: &QuotaOptions, api: ApiName) -> u64 {
    match api {
        ApiName::Gmail => options.price("gmail.users.threads.get"),
        ApiName::Drive => options.price("drive.files.list"),
        ApiName::Calendar | ApiName::Directory => 1,
    }
}

/// A panic elsewhere cannot leave these maps and numbers half-written.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
