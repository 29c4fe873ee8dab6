//! A page of events: each gives a record within its bounds or the reason why it cannot, the hash
//! tells what a sink sees and nothing else, and each has its step.

use crate::mailbox::Mailbox;
use crate::times;
use nuncio_google::{RawEvent, answers};
use nuncio_model::{Content, IndexRow, ItemId, LabelSet, People, ThreadId};
use nuncio_sources::calendar::fold::{Seen, Series, Step, fold};
use nuncio_sources::calendar::{normalize, times::reaches, times::time};
use std::collections::{BTreeMap, HashMap};

/// The bounds of a record, as in the design.
const MAX_ATTENDEES: usize = 5_000;
const MAX_ENTRIES: usize = 1_000;
const MAX_NOTES: usize = 33;

/// Checks a page.
pub fn check(bytes: &[u8]) {
    let Ok(page) = answers::event_page(bytes) else {
        return;
    };
    let mailbox = Mailbox::new();
    for event in &page.events {
        record(event, mailbox.people(), bytes.len());
        times::reach(event);
    }
    steps(&page.events);
}

fn record(raw: &RawEvent, people: &People, n_bytes: usize) {
    let read = |people: &People, content| {
        let context = normalize::Context {
            people,
            calendar_name: "Team",
            content,
        };
        normalize::event(raw, &context)
    };
    let all = match read(people, Content::Raw) {
        Ok(all) => all,
        Err(why) => {
            let places = [&raw.start, &raw.end, &raw.original_start_time];
            let n_times = places.into_iter().flatten().filter_map(time).count();
            assert_eq!(n_times, 0, "{why}");
            return;
        }
    };
    let event = &all.event;
    assert_eq!(Some(event.id.as_str()), raw.id.as_ref().map(ItemId::as_str));
    assert!(!event.id.is_empty());
    assert!(event.attendees.len() <= MAX_ATTENDEES && event.recurrence.len() <= MAX_ENTRIES);
    assert!(
        event
            .properties
            .as_ref()
            .is_none_or(|all| all.len() <= MAX_ENTRIES)
    );
    assert!(all.notes.len() <= MAX_NOTES);
    // JSON writes a byte with six at most, and an entry takes less than 200 beside its text.
    let written = serde_json::to_vec(event).expect("a record is written");
    assert!(written.len() <= 2_000 + n_bytes * 200, "{}", written.len());
    // Who the people are is no change of the event.
    let strangers = People::try_new(&[], &[]).ok().expect("nobody");
    let again = read(&strangers, Content::Raw).ok().expect("as before");
    assert_eq!(normalize::hash(event), normalize::hash(&again.event));
    assert_eq!(all.notes, again.notes);
    let less = read(people, Content::Metadata).ok().expect("as before");
    assert_eq!(less.event.description, None);
    assert_eq!(less.event.start, event.start);
}

/// Every second event is known already.
fn steps(events: &[RawEvent]) {
    let last: BTreeMap<&str, &RawEvent> = events
        .iter()
        .filter_map(|event| Some((event.id.as_ref()?.as_str(), event)))
        .collect();
    let seen: Vec<Seen> = last
        .iter()
        .map(|(id, event)| Seen {
            item: ItemId::new(*id),
            master: event.master().map(ItemId::new),
            cancelled: event.is_cancelled(),
            reaches: reaches(event, Some(1_772_357_400_000)),
        })
        .collect();
    let rows: HashMap<ItemId, IndexRow> = seen
        .iter()
        .step_by(2)
        .map(|event| {
            let row = IndexRow {
                item: event.item.clone(),
                order: 0,
                hash: 0,
                labels: LabelSet::default(),
                thread: ThreadId::new(""),
                generation: 0,
            };
            (event.item.clone(), row)
        })
        .collect();
    for is_end in [false, true] {
        let steps = fold(&seen, &rows, &mut Series::new(), is_end);
        assert_eq!(steps.len(), seen.len());
        for (event, step) in seen.iter().zip(steps) {
            let is_known = rows.contains_key(&event.item);
            match step {
                Step::Wait => assert!(!is_end && event.master.is_some()),
                Step::Remove => assert!(is_known && event.cancelled),
                Step::Write => assert!(!event.cancelled || event.master.is_some()),
                Step::Skip => assert!(!is_known || event.cancelled || event.master.is_some()),
            }
        }
    }
}
