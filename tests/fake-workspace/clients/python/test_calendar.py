"""The Calendar API through google-api-python-client: calendars, events, series and sync tokens."""

import datetime

import fake
import pytest
from googleapiclient.errors import HttpError

START = datetime.datetime.now(datetime.timezone.utc).replace(hour=9, minute=0, second=0, microsecond=0)


def event(summary, days=1, **fields):
    """An event of an hour."""
    begin = START + datetime.timedelta(days=days)
    end = begin + datetime.timedelta(hours=1)
    times = {"start": {"dateTime": begin.isoformat()}, "end": {"dateTime": end.isoformat()}}
    return {"summary": summary, **times, **fields}


@pytest.fixture
def own():
    """An empty calendar of the second user, and the client that made it."""
    client = fake.calendar(fake.USERS[1])
    made = client.calendars().insert(body={"summary": "Clients", "timeZone": "Europe/Prague"}).execute()
    yield client, made["id"]
    client.calendars().delete(calendarId=made["id"]).execute()


def every(client, **parameters):
    """All items of a listing and its sync token."""
    found, request = [], client.events().list(**parameters)
    while request is not None:
        answer = request.execute()
        found += answer.get("items", [])
        request = client.events().list_next(request, answer)
    return found, answer["nextSyncToken"]


def test_the_list_of_calendars_is_the_store_s():
    user = fake.USERS[1]
    client = fake.calendar(user)
    entries = client.calendarList()
    listed, _ = fake.pages(entries, entries.list(maxResults=1, showHidden=True), "items")
    expected = fake.admin("truth", user=user, source="calendar")["calendars"]
    assert sorted(one["id"] for one in listed) == sorted(one["id"] for one in expected)
    primary = entries.get(calendarId="primary").execute()
    assert primary["primary"] and primary["id"] == user
    assert client.colors().get().execute()["event"]
    assert client.settings().get(setting="timezone").execute()["value"]


def test_every_event_of_a_listing_is_the_store_s():
    user = fake.USERS[1]
    client = fake.calendar(user)
    n_seen = 0
    for calendar in fake.admin("truth", user=user, source="calendar")["calendars"]:
        found, _ = every(client, calendarId=calendar["id"], maxResults=10)
        expected = calendar["events"] + calendar["cancelled"]
        assert {one["id"]: one["etag"] for one in found} == {one["id"]: one["etag"] for one in expected}
        n_seen += len(found)
    assert n_seen > 20


def test_events_are_made_changed_and_deleted(own):
    client, calendar = own
    events = client.events()
    made = events.insert(calendarId=calendar, body=event("Lunch", attendees=[{"email": fake.USERS[2]}])).execute()
    assert made["organizer"]["email"] and made["status"] == "confirmed"
    patched = events.patch(calendarId=calendar, eventId=made["id"], body={"location": "Café"}).execute()
    assert (patched["summary"], patched["location"], patched["sequence"]) == ("Lunch", "Café", made["sequence"])
    updated = events.update(calendarId=calendar, eventId=made["id"], body=event("Late lunch", days=2)).execute()
    assert "location" not in updated and updated["sequence"] > made["sequence"]
    stale = events.patch(calendarId=calendar, eventId=made["id"], body={"summary": "x"})
    stale.headers["If-Match"] = made["etag"]
    with pytest.raises(HttpError) as conflict:
        stale.execute()
    assert conflict.value.status_code == 412
    got = events.get(calendarId=calendar, eventId=made["id"]).execute()
    assert got == {**updated, **{key: got[key] for key in ("etag", "updated")}}
    events.delete(calendarId=calendar, eventId=made["id"]).execute()
    assert events.get(calendarId=calendar, eventId=made["id"]).execute()["status"] == "cancelled"
    with pytest.raises(HttpError) as twice:
        events.delete(calendarId=calendar, eventId=made["id"]).execute()
    assert (twice.value.status_code, twice.value.error_details[0]["reason"]) == (410, "deleted")


def test_an_event_moves_to_another_calendar(own):
    client, calendar = own
    made = client.events().insert(calendarId="primary", body=event("Moves")).execute()
    moved = client.events().move(calendarId="primary", eventId=made["id"], destination=calendar).execute()
    assert moved["organizer"]["email"] == calendar
    assert client.events().get(calendarId=calendar, eventId=made["id"]).execute()["summary"] == "Moves"
    imported = client.events().import_(calendarId=calendar, body=event("From elsewhere", iCalUID="uid@x")).execute()
    found, _ = every(client, calendarId=calendar)
    assert {imported["id"], made["id"]} == {one["id"] for one in found}


def test_a_series_has_instances_of_its_own(own):
    client, calendar = own
    series = event("Daily", recurrence=["RRULE:FREQ=DAILY;COUNT=5"])
    for end in ("start", "end"):
        series[end]["timeZone"] = "Europe/Prague"
    made = client.events().insert(calendarId=calendar, body=series).execute()
    events = client.events()
    request = events.instances(calendarId=calendar, eventId=made["id"], maxResults=2)
    instances, n_pages = [], 0
    while request is not None:
        answer = request.execute()
        instances += answer["items"]
        n_pages += 1
        request = events.instances_next(request, answer)
    assert (len(instances), n_pages) == (5, 3)
    assert {one["recurringEventId"] for one in instances} == {made["id"]}

    _, token = every(client, calendarId=calendar)
    events.patch(calendarId=calendar, eventId=instances[1]["id"], body={"summary": "Other"}).execute()
    events.delete(calendarId=calendar, eventId=instances[2]["id"]).execute()
    changed, _ = every(client, calendarId=calendar, syncToken=token)
    seen = {one["id"]: one for one in changed}
    assert seen[instances[1]["id"]]["summary"] == "Other"
    assert seen[instances[2]["id"]]["status"] == "cancelled"
    single, _ = every(client, calendarId=calendar, singleEvents=True)
    assert sorted(one["summary"] for one in single) == ["Daily"] * 3 + ["Other"]


def test_a_sync_token_leads_from_one_state_to_the_next(own):
    client, calendar = own
    user = fake.USERS[1]
    state, token = {}, None
    for seed in range(4):
        fake.admin("calendar.churn", user=user, calendarId=calendar, rounds=15, seed=seed)
        parameters = {"syncToken": token} if token else {}
        found, token = every(client, calendarId=calendar, maxResults=5, **parameters)
        for one in found:
            if one["status"] == "cancelled" and "recurringEventId" not in one:
                state.pop(one["id"], None)
                # Exceptions go with their series.
                state = {id: kept for id, kept in state.items() if kept.get("recurringEventId") != one["id"]}
            else:
                state[one["id"]] = one
        calendars = fake.admin("truth", user=user, source="calendar")["calendars"]
        expected = next(one for one in calendars if one["id"] == calendar)
        events = expected["events"] + expected["cancelled"]
        assert {id: one["etag"] for id, one in state.items()} == {one["id"]: one["etag"] for one in events}
    assert state


def test_an_expired_sync_token_is_gone():
    user = fake.USERS[2]
    client = fake.calendar(user)
    _, token = every(client, calendarId="primary")
    fake.admin("calendar.expire", user=user)
    with pytest.raises(HttpError) as gone:
        client.events().list(calendarId="primary", syncToken=token).execute()
    assert (gone.value.status_code, gone.value.error_details[0]["reason"]) == (410, "fullSyncRequired")
    _, token = every(client, calendarId="primary")
    assert every(client, calendarId="primary", syncToken=token)[0] == []


def test_rules_let_others_in(own):
    client, calendar = own
    other = fake.calendar(fake.USERS[2])
    with pytest.raises(HttpError) as hidden:
        other.events().list(calendarId=calendar).execute()
    assert hidden.value.status_code == 404
    scope = {"type": "user", "value": fake.USERS[2]}
    rule = client.acl().insert(calendarId=calendar, body={"role": "reader", "scope": scope}).execute()
    assert other.events().list(calendarId=calendar).execute()["accessRole"] == "reader"
    assert other.calendarList().insert(body={"id": calendar}).execute()["accessRole"] == "reader"
    with pytest.raises(HttpError) as refused:
        other.events().insert(calendarId=calendar, body=event("No")).execute()
    assert refused.value.status_code == 403
    client.acl().delete(calendarId=calendar, ruleId=rule["id"]).execute()
    rules, _ = fake.pages(client.acl(), client.acl().list(calendarId=calendar), "items")
    assert rule["id"] not in [one["id"] for one in rules]


def test_a_batch_of_fifty(own):
    client, calendar = own
    answers = []
    batch = client.new_batch_http_request(lambda id, answer, error: answers.append(error or answer))
    for number in range(49):
        batch.add(client.events().insert(calendarId=calendar, body=event(f"Number {number}")))
    batch.add(client.events().get(calendarId=calendar, eventId="nosuchevent"))
    batch.execute()
    assert [type(answer).__name__ for answer in answers] == ["dict"] * 49 + ["HttpError"]
    assert answers[-1].status_code == 404 and answers[-1].error_details[0]["reason"] == "notFound"
    assert len(every(client, calendarId=calendar)[0]) == 49
