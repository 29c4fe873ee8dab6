//! The copies of an event on the calendars of its guests: how a change reaches them, and what they may change.

use super::desk::{Desk, has_address, refused};
use super::draft;
use super::schema::merge;
use super::store::{Event, Key, State};
use crate::error::ApiError;
use crate::workspace::UserIndex;
use serde_json::{Map, Value, json};

impl Desk<'_> {
    /// Whether the client says that it sends nothing but the own answer.
    pub(super) fn only_own_attendee(&self, key: &Key, input: &Map<String, Value>) -> bool {
        input
            .get("attendeesOmitted")
            .is_some_and(|flag| flag == true)
            && self.person(key).is_some()
    }

    /// The stored attendees with the calendar owner's entry from `input`.
    pub(super) fn with_own_response(
        &self,
        key: &Key,
        event: &Event,
        input: &Map<String, Value>,
    ) -> Option<Value> {
        let mut attendees = event.body.get("attendees")?.clone();
        let person = self.person(key)?;
        let sent = input.get("attendees").and_then(Value::as_array);
        let own = sent?.iter().find(|attendee| {
            attendee["email"]
                .as_str()
                .is_some_and(|address| has_address(&person, address))
        })?;
        for attendee in attendees.as_array_mut()? {
            if attendee["email"]
                .as_str()
                .is_some_and(|address| has_address(&person, address))
                && let (Some(target), Some(patch)) = (attendee.as_object_mut(), own.as_object())
            {
                merge(target, patch);
            }
        }
        Some(attendees)
    }

    /// A guest changes the own answer and the own members; all else is the organizer's.
    pub(super) fn edit_as_guest(
        &mut self,
        key: &Key,
        mut event: Event,
        mut form: Map<String, Value>,
    ) -> Result<(), ApiError> {
        let mut private = Map::new();
        for name in draft::OWN_FOR_ATTENDEES {
            if let Some(value) = form.remove(name) {
                private.insert(name.to_owned(), value);
            }
        }
        let (body, mut own) = draft::divide(form);
        own.extend(private);
        let visible = |name: &str| draft::OWN_FOR_ATTENDEES.contains(&name) || name == "attendees";
        let names = body.keys().chain(event.body.keys());
        let shared_changed = names
            .filter(|name| !visible(name))
            .any(|name| body.get(name) != event.body.get(name));
        let response = self.own_response(key, &body);
        let others_changed = self.others(key, &body) != self.others(key, &event.body);
        if shared_changed || others_changed {
            if event
                .body
                .get("guestsCanModify")
                .is_some_and(|flag| flag == true)
                && let Some(host) = event.origin.clone()
            {
                let host_event = self.current(&host, &event.id)?;
                let mut changed = host_event.clone();
                changed.body = body;
                let form = draft::form(&changed);
                self.edit_as_organizer(&host, host_event, form);
                return Ok(());
            }
            return Err(refused(
                403,
                "forbiddenForNonOrganizer",
                "Shared properties can only be changed by the organizer of the event.",
            ));
        }
        let answered = response.is_some() && response != self.own_response(key, &event.body);
        let now = self.store.now();
        if own != event.own || !event.is_live() || (answered && event.origin.is_none()) {
            event.updated = now;
            event.own = own;
            if event.origin.is_none() && answered {
                event.body = body.clone();
            }
            event.state = State::Live;
            self.store.put(key, event.clone());
        }
        if let (true, Some(host), Some(response)) = (answered, event.origin.clone(), response) {
            self.answer_at_host(&host, &event.id, key, &response)?;
        }
        Ok(())
    }

    /// The attendee that the calendar's owner is.
    fn own_response(&self, key: &Key, body: &Map<String, Value>) -> Option<Value> {
        let person = self.person(key)?;
        let attendees = body.get("attendees")?.as_array()?;
        let is_own = |attendee: &&Value| {
            attendee["email"]
                .as_str()
                .is_some_and(|address| has_address(&person, address))
        };
        attendees.iter().find(is_own).cloned()
    }

    /// The attendees that the calendar's owner is not.
    fn others(&self, key: &Key, body: &Map<String, Value>) -> Vec<Value> {
        let person = self.person(key);
        let attendees = body.get("attendees").and_then(Value::as_array);
        let is_own = |attendee: &Value| {
            let address = attendee["email"].as_str().unwrap_or_default();
            person
                .as_ref()
                .is_some_and(|person| has_address(person, address))
        };
        let mut others: Vec<Value> = attendees
            .into_iter()
            .flatten()
            .filter(|attendee| !is_own(attendee))
            .cloned()
            .collect();
        others.sort_by_key(|attendee| attendee["email"].to_string());
        others
    }

    /// Puts a guest's answer into the organizer's copy, from where it reaches all.
    fn answer_at_host(
        &mut self,
        host: &Key,
        id: &str,
        guest: &Key,
        response: &Value,
    ) -> Result<(), ApiError> {
        let mut event = self.current(host, id)?;
        let guests = self.guests(&event);
        let Some(person) = self.person(guest) else {
            return Ok(());
        };
        let mut body = (*event.body).clone();
        let list = body.get_mut("attendees").and_then(Value::as_array_mut);
        for attendee in list.into_iter().flatten() {
            if attendee["email"]
                .as_str()
                .is_some_and(|address| has_address(&person, address))
            {
                *attendee = response.clone();
            }
        }
        event.body = body.into();
        event.updated = self.store.now();
        self.store.put(host, event);
        self.spread(host, id, &guests);
        Ok(())
    }

    /// The guest's copy goes, and the organizer sees a refusal.
    pub(super) fn remove_as_guest(&mut self, key: &Key, id: &str) -> Result<(), ApiError> {
        let mut event = self.current(key, id)?;
        let response = self.own_response(key, &event.body);
        event.state = State::Cancelled { details: true };
        event.updated = self.store.now();
        let host = event.origin.clone();
        self.store.put(key, event);
        if let (Some(host), Some(mut response)) = (host, response) {
            response["responseStatus"] = json!("declined");
            self.answer_at_host(&host, id, key, &response)?;
        }
        Ok(())
    }

    /// Brings the organizer's copy of an event to all guests; `before` are the guests that it had.
    pub(super) fn spread(&mut self, host: &Key, id: &str, before: &[UserIndex]) {
        self.spread_now(host, id, before);
        let Some(event) = self.store.event(host, id) else {
            return;
        };
        if let Some(body) = draft::conference_ready(&event.body, &mut self.store.rng) {
            self.finish_conference(host, id, body);
            self.pending = Some(event);
        }
    }

    /// The meeting room is there a moment after the event was written: another change.
    fn finish_conference(&mut self, host: &Key, id: &str, body: Map<String, Value>) {
        let Some(mut event) = self.store.event(host, id) else {
            return;
        };
        let guests = self.guests(&event);
        event.body = body.into();
        event.updated = self.store.now();
        self.store.put(host, event);
        self.spread_now(host, id, &guests);
    }

    fn spread_now(&mut self, host: &Key, id: &str, before: &[UserIndex]) {
        let Some(event) = self.store.event(host, id) else {
            return;
        };
        if event.origin.as_ref() != Some(host) {
            return;
        }
        let now = event.updated;
        let guests = self.guests(&event);
        for guest in &guests {
            super::generate::touch(&mut self.store, self.workspace, *guest);
            let key = Key::primary(*guest);
            if key == *host {
                continue;
            }
            let old = self.store.event(&key, id);
            if let Some(copy) = guest_copy(&event, old, host, now) {
                self.store.put(&key, copy);
            }
        }
        for guest in before.iter().filter(|guest| !guests.contains(guest)) {
            let key = Key::primary(*guest);
            let old = self.store.event(&key, id);
            if let Some(mut copy) =
                old.filter(|old| old.is_live() && old.origin.as_ref() == Some(host) && key != *host)
            {
                copy.state = State::Cancelled { details: false };
                copy.updated = now;
                self.store.put(&key, copy);
            }
        }
    }
}

/// What a guest's calendar is to hold of an event; `None` if it does already, or must not.
fn guest_copy(event: &Event, old: Option<Event>, host: &Key, now: i64) -> Option<Event> {
    let state = match event.state {
        State::Live => State::Live,
        State::Cancelled { .. } => State::Cancelled { details: false },
    };
    let Some(old) = old else {
        // Of a deleted event, a guest who never had it hears only where it is a hole in a series.
        if !event.is_live() && event.master().is_none() {
            return None;
        }
        let mut copy = event.clone();
        copy.own = Map::new();
        copy.state = state;
        copy.past = Vec::new();
        copy.created = now;
        return Some(copy);
    };
    // The same id from somewhere else is another event.
    if old.origin.as_ref() != Some(host) {
        return None;
    }
    let removed_by_hand = old.state == (State::Cancelled { details: true });
    if old.body == event.body && old.state == state {
        return None;
    }
    let mut copy = old;
    copy.body = event.body.clone();
    copy.updated = now;
    if !removed_by_hand {
        copy.state = state;
    }
    Some(copy)
}
