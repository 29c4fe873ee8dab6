//! Which calendars an account sees beside its own primary one, and which of them are read for
//! the domain. Pure but for the listing.

use super::CalendarWishes;
use crate::error::Error;
use nuncio_google::{Calendar, ListedCalendar};
use nuncio_model::{Membership, People};

/// Ends the ids of calendars that Google itself makes: holidays, birthdays of contacts, weeks.
const GOOGLES_OWN: &str = "@group.v.calendar.google.com";

/// The rank of an owner; a calendar without one among the synced users is only subscribed.
const OWNER: u8 = 4;

/// All that an account has on its list.
pub(super) struct Seen {
    /// Calendars to be read for the domain.
    pub memberships: Vec<Membership>,
    /// The id of the primary calendar: the user's address; none if Google shows none.
    pub primary: Option<String>,
}

/// Lists the account's calendars. An entry that cannot be read now but was there `before` stays.
pub(super) async fn list(
    calendar: &Calendar,
    wishes: CalendarWishes,
    people: &People,
    before: &[Membership],
) -> Result<Seen, Error> {
    let mut seen = Seen {
        memberships: Vec::new(),
        primary: None,
    };
    let mut page_token: Option<String> = None;
    loop {
        let page = calendar.calendars(page_token.as_deref()).await?;
        for listed in page.calendars {
            if listed.is_primary {
                seen.primary = Some(listed.id);
            } else if let Some(membership) = membership(listed, wishes, people) {
                seen.memberships.push(membership);
            }
        }
        for bad in page.bad {
            tracing::warn!(
                account = ?calendar,
                source = "calendar",
                position = bad.position,
                reason = %bad.reason,
                "an entry of the calendar list cannot be read"
            );
            let id = bad.id.as_ref().map(nuncio_model::ItemId::as_str);
            let known = before
                .iter()
                .find(|known| Some(known.collection.as_str()) == id);
            seen.memberships.extend(known.cloned());
        }
        if page.next_page.is_some() && page.next_page == page_token {
            return Err(Error::Unreadable {
                what: "the next page",
            });
        }
        let Some(next) = page.next_page else {
            return Ok(seen);
        };
        page_token = Some(next);
    }
}

/// What makes an account a member of a calendar of the domain; none where it is not one, or the
/// calendar is none of the domain's.
fn membership(
    listed: ListedCalendar,
    wishes: CalendarWishes,
    people: &People,
) -> Option<Membership> {
    // The primary calendar of somebody who is in the config is read, or not, by that config.
    if listed.is_deleted || people.user_of(&listed.id).is_some() {
        return None;
    }
    if listed.id.ends_with(GOOGLES_OWN) && listed.id.contains('#') && !wishes.holidays {
        return None;
    }
    let Some(rank) = rank(&listed.access_role) else {
        tracing::debug!(
            source = "calendar",
            collection = %nuncio_model::untrusted(&listed.id),
            role = %nuncio_model::untrusted(&listed.access_role),
            "this role may not read events"
        );
        return None;
    };
    (wishes.subscribed || rank == OWNER).then_some(Membership {
        collection: listed.id,
        name: listed.summary,
        rank,
    })
}

/// More rights, a higher number; none for roles that may not read events.
fn rank(access_role: &str) -> Option<u8> {
    match access_role {
        "owner" => Some(OWNER),
        "writer" => Some(3),
        "writerWithoutPrivateAccess" => Some(2),
        "reader" => Some(1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nuncio_model::{Address, Person};

    fn seen(id: &str, role: &str, wishes: CalendarWishes) -> Option<u8> {
        let ana = Person {
            email: Address::parse("ana@example.com").unwrap(),
            aliases: vec![Address::parse("ana@old.example").unwrap()],
        };
        let people = People::try_new(&[ana], &["example.com".into()]).unwrap();
        let listed = ListedCalendar {
            id: id.into(),
            summary: "Team".into(),
            is_primary: false,
            access_role: role.into(),
            is_deleted: false,
        };
        membership(listed, wishes, &people).map(|membership| membership.rank)
    }

    #[test]
    fn what_is_read_for_the_domain() {
        let wishes = |subscribed, holidays| CalendarWishes {
            subscribed,
            holidays,
        };
        let all = wishes(true, true);
        let team = "c_1@group.calendar.google.com";
        let roles = ["owner", "writer", "writerWithoutPrivateAccess", "reader"];
        let ranks: Vec<_> = roles.iter().map(|role| seen(team, role, all)).collect();
        assert_eq!(ranks, [Some(4), Some(3), Some(2), Some(1)]);
        assert_eq!(seen(team, "freeBusyReader", all), None);
        assert_eq!(seen(team, "of the future", all), None);
        assert_eq!(seen(team, "owner", wishes(false, false)), Some(4));
        assert_eq!(seen(team, "writer", wishes(false, false)), None);
        // Users of the config are read as accounts; others' primary calendars are subscribed.
        assert_eq!(seen("ANA@old.example", "owner", all), None);
        assert_eq!(seen("bob@example.com", "reader", all), Some(1));
        for own in [
            "en.german#holiday",
            "addressbook#contacts",
            "e_2_de#weeknum",
        ] {
            let id = format!("{own}{GOOGLES_OWN}");
            assert_eq!(seen(&id, "reader", wishes(true, false)), None, "{id}");
            assert_eq!(seen(&id, "reader", all), Some(1), "{id}");
        }
    }
}
