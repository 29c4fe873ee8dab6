//! Events at rest. A tree of JSON values costs ten times its text, so a calendar holds the text, and an event is
//! opened when it is looked at. What an event is lives in `store.rs`.

use super::store::{Event, Key, State};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::ops::{Bound, Deref};
use std::sync::{Arc, OnceLock};

/// What all copies of an event share, in the form of the API with times in UTC. Read like a map; never changed.
#[derive(Debug, Clone)]
pub(crate) struct Body(Arc<Opened>);

#[derive(Debug)]
struct Opened {
    map: Map<String, Value>,
    /// As it was stored, or will be: the copies of an event keep one text.
    text: OnceLock<Text>,
}

/// A body at rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text(Arc<str>);

impl Body {
    /// The body at rest.
    pub(crate) fn text(&self) -> &Text {
        self.0.text.get_or_init(|| Text(write(&self.0.map).into()))
    }
}

impl From<Map<String, Value>> for Body {
    fn from(map: Map<String, Value>) -> Self {
        let text = OnceLock::new();
        Self(Arc::new(Opened { map, text }))
    }
}

impl Deref for Body {
    type Target = Map<String, Value>;
    fn deref(&self) -> &Map<String, Value> {
        &self.0.map
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.map == other.0.map
    }
}

impl Text {
    pub(crate) fn open(&self) -> Body {
        let body = Body::from(read(&self.0));
        // A new cell is empty.
        drop(body.0.text.set(self.clone()));
        body
    }
}

fn write(map: &Map<String, Value>) -> String {
    serde_json::to_string(map).expect("a map of values can be written")
}

fn read(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).expect("what was written can be read")
}

/// An event at rest; its id is beside it.
#[derive(Debug, Clone)]
struct Packed {
    origin: Option<Key>,
    body: Text,
    /// Absent where the copy has nothing of its own, as most have.
    own: Option<Box<str>>,
    state: State,
    created: i64,
    updated: i64,
    change: u64,
    born: u64,
    past: Vec<super::store::Past>,
}

impl Packed {
    fn of(event: Event) -> Self {
        Self {
            body: event.body.text().clone(),
            own: (!event.own.is_empty()).then(|| write(&event.own).into()),
            origin: event.origin,
            state: event.state,
            created: event.created,
            updated: event.updated,
            change: event.change,
            born: event.born,
            past: event.past,
        }
    }

    fn open(&self, id: &str) -> Event {
        Event {
            id: id.to_owned(),
            origin: self.origin.clone(),
            body: self.body.open(),
            own: self.own.as_deref().map(read).unwrap_or_default(),
            state: self.state,
            created: self.created,
            updated: self.updated,
            change: self.change,
            born: self.born,
            past: self.past.clone(),
        }
    }
}

/// The events of a calendar in the order of their ids.
#[derive(Debug, Clone, Default)]
pub(crate) struct Events(BTreeMap<Arc<str>, Packed>);

impl Events {
    pub(crate) fn get(&self, id: &str) -> Option<Event> {
        self.0.get(id).map(|event| event.open(id))
    }

    pub(crate) fn contains(&self, id: &str) -> bool {
        self.0.contains_key(id)
    }

    /// Whether there is an event with this id that takes place.
    pub(crate) fn is_live(&self, id: &str) -> bool {
        self.0
            .get(id)
            .is_some_and(|event| event.state == State::Live)
    }

    /// Whether an event that takes place has this `iCalUID`.
    pub(crate) fn has_uid(&self, uid: &str) -> bool {
        let written = Value::from(uid).to_string();
        self.0
            .iter()
            // Only where the text stands is it worth to open the event.
            .filter(|(_, event)| event.state == State::Live && event.body.0.contains(&written))
            .any(|(id, event)| event.open(id).text("iCalUID") == uid)
    }

    /// All that come after an id.
    pub(crate) fn after(&self, id: Option<&str>) -> impl Iterator<Item = Event> + use<'_> {
        self.range(id.map_or(Bound::Unbounded, Bound::Excluded))
    }

    /// All from an id on.
    pub(crate) fn from(&self, id: &str) -> impl Iterator<Item = Event> + use<'_> {
        self.range(Bound::Included(id))
    }

    fn range(&self, begin: Bound<&str>) -> impl Iterator<Item = Event> + use<'_> {
        self.0
            .range::<str, _>((begin, Bound::Unbounded))
            .map(|(id, event)| event.open(id))
    }

    /// Puts an event in the place of the one with its id; gives the id for further use.
    pub(crate) fn insert(&mut self, event: Event) -> Arc<str> {
        let id: Arc<str> = event.id.as_str().into();
        self.0.insert(Arc::clone(&id), Packed::of(event));
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    fn event(id: &str, body: &Value, own: &Value) -> Event {
        Event {
            id: id.to_owned(),
            origin: Some(Key::Named("c".to_owned())),
            body: map(body).into(),
            own: map(own),
            state: State::Live,
            created: 1,
            updated: 2,
            change: 3,
            born: 4,
            past: Vec::new(),
        }
    }

    #[test]
    fn an_event_comes_out_as_it_went_in_and_copies_share_a_text() {
        let body = json!({ "summary": "Größe \"x\" \n 資料", "sequence": 7, "iCalUID": "a\"b@x",
            "start": { "dateTime": "2026-01-01T00:00:00Z" }, "attendees": [{ "email": "a@x", "optional": true }] });
        let own = json!({ "reminders": { "overrides": [{ "minutes": 5 }] } });
        let mut events = Events::default();
        let one = event("b1", &body, &own);
        let mut two = one.clone();
        (two.id, two.own) = ("b2".to_owned(), Map::new());
        events.insert(one);
        events.insert(two);
        let (one, two) = (events.get("b1").unwrap(), events.get("b2").unwrap());
        assert_eq!((json!(*one.body), json!(one.own)), (body, own));
        assert!(two.own.is_empty() && one.body == two.body);
        let text = |id: &str| Arc::clone(&events.0[id].body.0);
        assert!(Arc::ptr_eq(&text("b1"), &text("b2")));
        // Nor is it written anew when an opened event goes back.
        let old = text("b1");
        events.insert(one);
        assert!(Arc::ptr_eq(&old, &events.0["b1"].body.0));
        assert!(events.has_uid("a\"b@x") && !events.has_uid("a") && !events.has_uid("Größe"));
        let ids = |found: &mut dyn Iterator<Item = Event>| -> Vec<String> {
            found.map(|event| event.id).collect()
        };
        assert_eq!(ids(&mut events.after(None)), ["b1", "b2"]);
        assert_eq!(ids(&mut events.after(Some("b1"))), ["b2"]);
        assert_eq!(ids(&mut events.from("b")), ["b1", "b2"]);
    }
}
