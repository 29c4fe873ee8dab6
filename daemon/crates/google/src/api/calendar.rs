//! Google Calendar's reads for one account: which calendars it sees, and the events of one.
//! Masters and exceptions come as they are stored, deleted ones as what is left of them.
//! <https://developers.google.com/workspace/calendar/api/v3/reference>

use super::calendar_event::{self, RawEvent};
use super::decode::{self, BadItem};
use super::{SCOPES_CALENDAR, SCOPES_CALENDAR_WHOLE};
use crate::Error;
use crate::auth::{AuthError, Refusal, Scopes};
use crate::endpoint::Api;
use crate::http::{CallContext, Get, Transport, segment};
use crate::quota::Purpose;
use bytes::Bytes;
use jiff::Timestamp;
use nuncio_model::{AccountKey, Address, ItemId};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Google takes no more events in a page.
const LARGEST_PAGE: u16 = 2500;
/// Google takes no more calendars in a page.
const LARGEST_LIST_PAGE: &str = "250";

const CALENDARS: &str = "calendar.calendarList.list";
const EVENTS: &str = "calendar.events.list";
const EVENT: &str = "calendar.events.get";

/// The client of one account. Clones are cheap.
#[derive(Clone)]
pub struct Calendar {
    transport: Arc<Transport>,
    account: AccountKey,
    address: Address,
    grant: CalendarGrant,
}

/// Which of the two scopes is known to be delegated; the same for all accounts.
#[derive(Debug, Clone, Default)]
pub(crate) struct CalendarGrant(Arc<AtomicBool>);

/// A page of the calendars that an account has on its list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarPage {
    /// The calendars.
    pub calendars: Vec<ListedCalendar>,
    /// How to ask for the next page; none on the last one.
    pub next_page: Option<String>,
    /// Entries that cannot be read.
    pub bad: Vec<BadItem>,
}

/// A calendar as an account sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedCalendar {
    /// Its id, the same for everybody; that of a primary one is its user's address.
    pub id: String,
    /// Its own title.
    pub summary: String,
    /// Whether it is the account's own primary one.
    pub is_primary: bool,
    /// `owner`, `writer`, `writerWithoutPrivateAccess`, `reader` or `freeBusyReader`; grows.
    pub access_role: String,
    /// Whether it was taken off the list.
    pub is_deleted: bool,
}

/// Which events to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListEvents {
    /// `primary` or a calendar's id.
    pub calendar: String,
    /// Only what changed after this; not together with `updated_min` or `ical_uid`.
    pub sync_token: Option<String>,
    /// Only what was changed at or after this time, in milliseconds since 1970; ends without
    /// a sync token.
    pub updated_min: Option<i64>,
    /// Only events with this iCalendar UID: a series with its exceptions.
    pub ical_uid: Option<String>,
    /// From the page before; the other members must be the same.
    pub page_token: Option<String>,
    /// Events per page, 1 to 2500; 0 is 2500.
    pub max_results: u16,
}

/// A page of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPage {
    /// The events; may be none although there are more pages.
    pub events: Vec<RawEvent>,
    /// How to ask for the next page; none on the last one.
    pub next_page: Option<String>,
    /// From where to list changes; on the last page only.
    pub next_sync_token: Option<String>,
    /// The calendar's title.
    pub summary: String,
    /// When the calendar last changed by Google's clock, in milliseconds since 1970; none if
    /// Google does not say.
    pub updated: Option<i64>,
    /// The account's role, as in [`ListedCalendar`].
    pub access_role: String,
    /// Events that cannot be read.
    pub bad: Vec<BadItem>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CalendarsWire<'a> {
    #[serde(borrow)]
    items: Option<Vec<&'a RawValue>>,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListedWire {
    id: Option<String>,
    summary: Option<String>,
    primary: Option<bool>,
    access_role: Option<String>,
    deleted: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventsWire<'a> {
    #[serde(borrow)]
    items: Option<Vec<&'a RawValue>>,
    next_page_token: Option<String>,
    next_sync_token: Option<String>,
    summary: Option<String>,
    updated: Option<String>,
    access_role: Option<String>,
}

impl CalendarGrant {
    /// The scopes to ask with, the ones that worked last first.
    fn order(&self) -> [Scopes; 2] {
        if self.0.load(Ordering::Relaxed) {
            [SCOPES_CALENDAR_WHOLE, SCOPES_CALENDAR]
        } else {
            [SCOPES_CALENDAR, SCOPES_CALENDAR_WHOLE]
        }
    }

    fn remember(&self, scopes: Scopes) {
        let whole = scopes == SCOPES_CALENDAR_WHOLE;
        if self.0.swap(whole, Ordering::Relaxed) != whole {
            tracing::info!(
                scope = scopes.urls().first().copied().unwrap_or_default(),
                "Calendar is read with this scope, the one that is delegated"
            );
        }
    }
}

impl Calendar {
    pub(crate) fn new(
        transport: Arc<Transport>,
        account: AccountKey,
        address: Address,
        grant: CalendarGrant,
    ) -> Self {
        Self {
            transport,
            account,
            address,
            grant,
        }
    }

    /// One page of the account's calendar list, hidden ones included.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn calendars(&self, page_token: Option<&str>) -> Result<CalendarPage, Error> {
        let mut query = vec![
            (
                "fields",
                "nextPageToken,items(id,summary,primary,accessRole,deleted)",
            ),
            ("maxResults", LARGEST_LIST_PAGE),
            ("showHidden", "true"),
        ];
        query.extend(page_token.map(|token| ("pageToken", token)));
        let body = self.get(CALENDARS, "users/me/calendarList", &query).await?;
        let text = decode::text(&body);
        let wire: CalendarsWire<'_> = decode::whole(CALENDARS, &text)?;
        let (calendars, bad) =
            decode::items(&wire.items.unwrap_or_default(), |item: ListedWire| {
                Ok(ListedCalendar {
                    id: item
                        .id
                        .filter(|id| !id.is_empty())
                        .ok_or("the calendar has no id")?,
                    summary: item.summary.unwrap_or_default(),
                    is_primary: item.primary.unwrap_or(false),
                    access_role: item.access_role.unwrap_or_default(),
                    is_deleted: item.deleted.unwrap_or(false),
                })
            });
        Ok(CalendarPage {
            calendars,
            next_page: wire.next_page_token.filter(|token| !token.is_empty()),
            bad,
        })
    }

    /// One page of a calendar's events: masters and exceptions, deleted ones included, without
    /// bounds in time.
    ///
    /// # Errors
    /// See [`Error`]; a sync token that is no longer good is [`crate::Fault::PositionLost`].
    pub async fn events(&self, list: &ListEvents) -> Result<EventPage, Error> {
        let calendar = segment(&list.calendar).ok_or(Error::Request {
            method: EVENTS,
            what: "the calendar's id is unusable",
        })?;
        let size = match list.max_results {
            0 => LARGEST_PAGE,
            wanted => wanted.min(LARGEST_PAGE),
        }
        .to_string();
        let updated_min = list.updated_min.map(|at| {
            let at = Timestamp::from_millisecond(at).unwrap_or(Timestamp::UNIX_EPOCH);
            format!("{at:.3}")
        });
        let fields = format!(
            "nextPageToken,nextSyncToken,summary,updated,accessRole,items({})",
            calendar_event::FIELDS
        );
        let mut query = vec![
            ("fields", fields.as_str()),
            ("maxResults", size.as_str()),
            ("singleEvents", "false"),
            ("showDeleted", "true"),
        ];
        query.extend(list.sync_token.as_deref().map(|token| ("syncToken", token)));
        query.extend(updated_min.as_deref().map(|at| ("updatedMin", at)));
        query.extend(list.ical_uid.as_deref().map(|uid| ("iCalUID", uid)));
        query.extend(list.page_token.as_deref().map(|token| ("pageToken", token)));
        let path = format!("calendars/{calendar}/events");
        read_page(&self.get(EVENTS, &path, &query).await?)
    }

    /// One event; a deleted one may still be had, as cancelled.
    ///
    /// # Errors
    /// See [`Error`]; an event that is gone is [`crate::Fault::NotFound`] or
    /// [`crate::Fault::PositionLost`], Google's 410.
    pub async fn event(&self, calendar: &str, event: &ItemId) -> Result<RawEvent, Error> {
        let (Some(calendar), Some(event)) = (segment(calendar), segment(event.as_str())) else {
            return Err(Error::Request {
                method: EVENT,
                what: "the id of the calendar or event is unusable",
            });
        };
        let path = format!("calendars/{calendar}/events/{event}");
        let body = self
            .get(EVENT, &path, &[("fields", calendar_event::FIELDS)])
            .await?;
        let event: RawEvent = decode::whole(EVENT, &decode::text(&body))?;
        if event.id.is_none() {
            return Err(Error::Decode {
                method: EVENT,
                what: "it has no id".into(),
            });
        }
        Ok(event)
    }

    /// Asks with the scope that is known to work, and once with the other one if Google grants
    /// no token: some domains delegate `calendar` alone, which covers the reads too.
    async fn get(
        &self,
        method: &'static str,
        path: &str,
        query: &[(&'static str, &str)],
    ) -> Result<Bytes, Error> {
        let [first, second] = self.grant.order();
        let refused = match self.get_with(first, method, path, query).await {
            Err(error) if is_scope_refused(&error) => error,
            other => return other,
        };
        match self.get_with(second, method, path, query).await {
            Err(error) if is_scope_refused(&error) => Err(refused),
            other => {
                // Google gave a token, whatever it then said of the call.
                if !matches!(other, Err(Error::Auth { .. })) {
                    self.grant.remember(second);
                }
                other
            }
        }
    }

    async fn get_with(
        &self,
        scopes: Scopes,
        method: &'static str,
        path: &str,
        query: &[(&'static str, &str)],
    ) -> Result<Bytes, Error> {
        let context = CallContext {
            method,
            mailbox: self.account.as_str(),
            subject: Some(self.address.as_str()),
            scopes,
            // Only walks list without a position; whoever keeps up has one.
            purpose: match method {
                EVENTS if !query.iter().any(|(name, _)| *name == "syncToken") => Purpose::Walk,
                _ => Purpose::Live,
            },
        };
        let path = format!("calendar/v3/{path}");
        let get = Get {
            api: Api::Calendar,
            path: &path,
            query,
        };
        self.transport.get(&context, &get).await
    }
}

impl std::fmt::Debug for Calendar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Calendar({})", self.address)
    }
}

/// Whether there is no token because of the scope, as far as Google's words tell.
fn is_scope_refused(error: &Error) -> bool {
    matches!(error, Error::Auth { source: AuthError::Denied(denied), .. }
        if matches!(denied.refusal, Refusal::NotDelegated | Refusal::AccessDenied))
}

/// Reads a page of events.
pub(super) fn read_page(body: &[u8]) -> Result<EventPage, Error> {
    let text = decode::text(body);
    let wire: EventsWire<'_> = decode::whole(EVENTS, &text)?;
    let (events, bad) = decode::items(&wire.items.unwrap_or_default(), |event: RawEvent| {
        if event.id.is_none() {
            return Err("the event has no id");
        }
        Ok(event)
    });
    let updated = wire
        .updated
        .and_then(|text| text.parse::<Timestamp>().ok())
        .map(Timestamp::as_millisecond);
    Ok(EventPage {
        events,
        next_page: wire.next_page_token.filter(|token| !token.is_empty()),
        next_sync_token: wire.next_sync_token.filter(|token| !token.is_empty()),
        summary: wire.summary.unwrap_or_default(),
        updated,
        access_role: wire.access_role.unwrap_or_default(),
        bad,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn page(items: serde_json::Value) -> EventPage {
        read_page(json!({ "items": items }).to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_bad_event_costs_only_itself_and_tells_its_id() {
        let page = page(json!([
            { "id": "a", "status": "confirmed", "sequence": "3", "start": { "date": "0000-00-00" } },
            { "id": "b", "attendees": [null], "summary": "planted" },
            { "id": "c", "summary": ["planted"] },
            { "summary": "planted" },
            { "id": "" },
            7,
            { "id": "d", "status": "of the future", "eventType": "newKind", "new": { "x": [1] },
              "attendees": null, "sequence": null, "recurrence": null },
        ]));
        let ids: Vec<_> = page.events.iter().filter_map(|e| e.id.clone()).collect();
        assert_eq!(ids, [ItemId::new("a"), ItemId::new("d")]);
        assert_eq!(page.events[0].sequence, Some(3));
        let bad: Vec<_> = page
            .bad
            .iter()
            .map(|bad| (bad.position, bad.id.as_ref().map(ItemId::as_str)))
            .collect();
        assert_eq!(
            bad,
            [
                (1, Some("b")),
                (2, Some("c")),
                (3, None),
                (4, Some("")),
                (5, None)
            ]
        );
        assert!(!format!("{page:?}").contains("planted"));
    }

    #[test]
    fn the_frame_of_a_page_may_be_nearly_empty() {
        let page = read_page(
            br#"{"nextPageToken":"","nextSyncToken":"t","updated":"2026-03-01T00:00:00.500Z","summary":null}"#,
        )
        .unwrap();
        assert_eq!(
            (page.next_page, page.next_sync_token.as_deref()),
            (None, Some("t"))
        );
        assert_eq!(page.updated, Some(1_772_323_200_500));
        assert_eq!(read_page(b"{}").unwrap().updated, None);
        for bad in [
            "",
            "[]",
            "<html>planted</html>",
            r#"{"items":{"id":"planted"}}"#,
        ] {
            let error = read_page(bad.as_bytes()).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("planted"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(body in prop::collection::vec(any::<u8>(), 0..200)) {
            drop(read_page(&body));
        }
    }
}
