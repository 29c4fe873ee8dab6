//! One call at work: the caller, the calendars under their lock, and the rights of the one on the other.

use super::generate;
use super::store::{Calendar, Calendars, Event, Key, Role};
use crate::error::ApiError;
use crate::workspace::{User, UserIndex, Workspace};
use std::sync::MutexGuard;

/// A user with the calendars of the domain in front of them.
pub(crate) struct Desk<'a> {
    pub(crate) workspace: &'a Workspace,
    pub(crate) store: MutexGuard<'a, Calendars>,
    pub(crate) user: UserIndex,
    /// The event just written, as it was before its meeting room was ready.
    pub(crate) pending: Option<Event>,
}

/// 404 as Calendar words it.
pub(crate) fn not_found() -> ApiError {
    ApiError::new(404, "notFound", "Not Found")
}

/// 400 for a value, with the parameter that it came in.
pub(crate) fn invalid(place: &'static str, message: impl Into<String>) -> ApiError {
    let mut error = ApiError::new(400, "invalid", message);
    error.extra.location = Some(("parameter", place));
    error
}

/// 400 for a member that is missing.
pub(crate) fn required(message: &str) -> ApiError {
    ApiError::new(400, "required", message)
}

/// An error of the calendar's own domain.
pub(crate) fn refused(status: u16, reason: &str, message: &str) -> ApiError {
    let mut error = ApiError::new(status, reason, message);
    error.domain = "calendar";
    error
}

fn needs(role: Role) -> ApiError {
    let message = format!("You need to have {} access to this calendar.", role.name());
    refused(403, "requiredAccessLevel", &message)
}

impl<'a> Desk<'a> {
    pub(crate) fn new(workspace: &'a Workspace, user: UserIndex) -> Self {
        let mut store = workspace.calendars();
        generate::touch(&mut store, workspace, user);
        Self {
            workspace,
            store,
            user,
            pending: None,
        }
    }

    /// The desk of whoever the token is for; the service account itself has no calendar.
    pub(crate) fn of_caller(
        workspace: &'a Workspace,
        caller: Option<UserIndex>,
    ) -> Result<Self, ApiError> {
        let user = caller.ok_or_else(|| {
            refused(
                403,
                "notACalendarUser",
                "The user must be signed up for Google Calendar.",
            )
        })?;
        Ok(Self::new(workspace, user))
    }

    /// The calendar behind an id, if there is one, whatever the rights.
    pub(crate) fn key(&mut self, id: &str) -> Option<Key> {
        if id == "primary" {
            return Some(Key::primary(self.user));
        }
        if let Some(team) = self.store.team_calendars.get(id).copied() {
            generate::team(&mut self.store, self.workspace, team);
        }
        let named = Key::Named(id.to_owned());
        if let Some(calendar) = self.store.calendar(&named) {
            return (!calendar.deleted).then_some(named);
        }
        let (user, _) = self.workspace.find_user(id).filter(|_| id.contains('@'))?;
        generate::touch(&mut self.store, self.workspace, user);
        Some(Key::primary(user))
    }

    /// The calendar behind an id, if the user has at least `needed` on it.
    pub(crate) fn open(&mut self, id: &str, needed: Role) -> Result<(Key, Role), ApiError> {
        let key = self.key(id).ok_or_else(not_found)?;
        let role = self.role(&key);
        // Who may not see a calendar does not learn that there is one.
        match role {
            Role::None => Err(not_found()),
            role if role < needed => Err(needs(needed)),
            role => Ok((key, role)),
        }
    }

    /// A calendar that has been opened; it cannot have gone since, for the lock is held.
    pub(crate) fn calendar(&self, key: &Key) -> Result<&Calendar, ApiError> {
        self.store.calendar(key).ok_or_else(not_found)
    }

    /// What the user may do with a calendar.
    pub(crate) fn role(&self, key: &Key) -> Role {
        let Some(calendar) = self
            .store
            .calendar(key)
            .filter(|calendar| !calendar.deleted)
        else {
            return Role::None;
        };
        if *key == Key::primary(self.user) {
            return Role::Owner;
        }
        let user = self.workspace.user(self.user);
        let mut best = Role::None;
        for (id, rule) in &calendar.acl {
            let applies = match id.split_once(':') {
                None => id == "default",
                Some(("user", address)) => has_address(&user, address),
                Some(("domain", domain)) => user
                    .primary
                    .rsplit_once('@')
                    .is_some_and(|(_, own)| own.eq_ignore_ascii_case(domain)),
                Some(_) => false,
            };
            if applies {
                best = best.max(rule.role);
            }
        }
        best
    }

    /// The id of a calendar as the API shows it.
    pub(crate) fn id_of(&self, key: &Key) -> String {
        match key {
            Key::Primary(user) => self.workspace.user(UserIndex(user.0)).primary,
            Key::Named(id) => id.clone(),
        }
    }

    /// The person whose primary calendar this is.
    pub(crate) fn person(&self, key: &Key) -> Option<User> {
        match key {
            Key::Primary(user) => Some(self.workspace.user(UserIndex(user.0))),
            Key::Named(_) => None,
        }
    }

    /// Members of the domain among the attendees of an event.
    pub(crate) fn guests(&self, event: &Event) -> Vec<UserIndex> {
        if event
            .body
            .get("privateCopy")
            .is_some_and(|flag| flag == true)
        {
            return Vec::new();
        }
        let attendees = event.body.get("attendees").and_then(|list| list.as_array());
        let mut guests: Vec<UserIndex> = attendees
            .into_iter()
            .flatten()
            .filter_map(|attendee| attendee["email"].as_str())
            .filter_map(|address| self.workspace.find_user(address))
            .map(|(user, _)| user)
            .collect();
        guests.sort_unstable_by_key(|user| user.0);
        guests.dedup();
        guests
    }
}

/// Whether an address is one of the user's, without regard to case.
pub(crate) fn has_address(user: &User, address: &str) -> bool {
    std::iter::once(&user.primary)
        .chain(&user.aliases)
        .chain(&user.fixed_aliases)
        .any(|own| own.eq_ignore_ascii_case(address))
}
