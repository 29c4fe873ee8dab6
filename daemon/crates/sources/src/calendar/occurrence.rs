//! What a get of one event is worth. Google gives every occurrence of a series by an id of its own,
//! `MASTER_TIME`, but only exceptions are events of their own, and only a listing tells which
//! these are: a plain occurrence is told with its series, and has no record.
//! <https://developers.google.com/workspace/calendar/api/concepts/events-calendars#recurring_events>

use super::feed::is_gone;
use nuncio_google::{Calendar, Error, ListEvents, RawEvent};
use nuncio_model::ItemId;

/// The event `item` of the calendar `of`, be it cancelled; `None` if there is none, or if it is
/// but an occurrence of its series. One more call for what belongs to a series.
///
/// # Errors
/// Those of Google but that there is no such event.
pub(super) async fn own_event(
    calendar: &Calendar,
    of: &str,
    item: &ItemId,
) -> Result<Option<RawEvent>, Error> {
    let event = match calendar.event(of, item).await {
        Ok(event) => event,
        Err(error) if is_gone(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let uid = match (event.master(), &event.ical_uid) {
        (Some(_), Some(uid)) if !event.is_cancelled() => uid.clone(),
        _ => return Ok(Some(event)),
    };
    let mut list = ListEvents {
        calendar: of.to_owned(),
        ical_uid: Some(uid),
        ..ListEvents::default()
    };
    loop {
        let page = calendar.events(&list).await?;
        let mut ids = page.events.iter().map(|event| event.id.as_ref());
        let mut unreadable = page.bad.iter().map(|bad| bad.id.as_ref());
        if ids.any(|id| id == Some(item)) || unreadable.any(|id| id == Some(item)) {
            return Ok(Some(event));
        }
        match page.next_page {
            Some(next) if list.page_token.as_ref() != Some(&next) => list.page_token = Some(next),
            _ => return Ok(None),
        }
    }
}
