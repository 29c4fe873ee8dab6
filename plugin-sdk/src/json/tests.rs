//! The JSON form, record by record, against what the rules say. Escaping has its own tests.

use serde_json::{Value, json};

use super::record as to_json;
use crate::*;

fn person(address: &str, who: Who) -> Participant {
    Participant {
        name: Some("Ana \"A\" Souza".to_owned()),
        address: address.to_owned(),
        who,
    }
}

fn envelope(change: Change, source: Source, payload: Payload) -> Record {
    Record {
        key: "gmail/104/18c2".to_owned(),
        revision: 1_764_000_000_000_001,
        source_version: 77,
        change,
        source,
        origin: Origin::Live,
        lane: 12,
        user: "ana@example.com".to_owned(),
        account: "ana@example.com".to_owned(),
        collection: String::new(),
        observed_at: -1,
        notes: None,
        extra: None,
        payload,
    }
}

fn email() -> Email {
    Email {
        id: "18c2".to_owned(),
        thread_id: "18c1".to_owned(),
        draft_id: None,
        message_id: "a@example.com".to_owned(),
        message_key: "k".to_owned(),
        flags: MailFlags::INBOX | MailFlags::UNREAD,
        category: MailCategory::None,
        labels: vec!["Work/Old".to_owned()],
        direction: Direction::ToSelf,
        internal: true,
        from: Some(person(
            "ana.souza@example.com",
            Who::AliasOf("ana@example.com".to_owned()),
        )),
        sender: None,
        reply_to: Vec::new(),
        to: vec![
            person("ana@example.com", Who::User),
            Participant {
                name: None,
                ..person("x@y.example", Who::External)
            },
        ],
        cc: vec![person("info@example.com", Who::Internal)],
        bcc: Vec::new(),
        subject: "line\nbreak".to_owned(),
        snippet: String::new(),
        date: Some(1_700_000_000_000),
        date_offset: -180,
        internal_date: 1_700_000_000_001,
        in_reply_to: None,
        references: vec!["r@example.com".to_owned()],
        list_id: None,
        auto_submitted: None,
        has_invite: false,
        text: Some("Gr\u{fc}\u{df}e \u{0}".to_owned()),
        html: None,
        truncated: false,
        attachments: vec![Attachment {
            part_id: "1.2".to_owned(),
            filename: "a.pdf".to_owned(),
            mime_type: "application/pdf".to_owned(),
            size: 10,
            content_id: None,
            inline: false,
            content: None,
        }],
        size: 4096,
        headers: Some(vec![
            ("Received".to_owned(), "one".to_owned()),
            ("Received".to_owned(), "two".to_owned()),
        ]),
        raw: None,
    }
}

fn check(record: &Record, expected: &Value) {
    let text = to_json(record);
    assert!(
        !text.contains('\n'),
        "a line break would end the line of a JSON Lines file"
    );
    let value: Value =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"));
    assert_eq!(&value, expected);
}

fn envelope_json(change: &str, source: &str, kind: &str, payload: Value) -> Value {
    let mut value = json!({
        "key": "gmail/104/18c2", "revision": 1_764_000_000_000_001_u64, "source_version": 77, "change": change,
        "source": source, "origin": "live", "lane": 12, "user": "ana@example.com", "account": "ana@example.com",
        "collection": "", "observed_at": -1, "kind": kind,
    });
    value[kind] = payload;
    value
}

#[test]
fn an_email() {
    let name = "Ana \"A\" Souza";
    let expected = json!({
        "id": "18c2", "thread_id": "18c1", "message_id": "a@example.com", "message_key": "k",
        "flags": ["unread", "inbox"], "category": "none", "labels": ["Work/Old"], "direction": "to_self",
        "internal": true,
        "from": {"name": name, "address": "ana.souza@example.com", "who": {"alias_of": "ana@example.com"}},
        "reply_to": [],
        "to": [{"name": name, "address": "ana@example.com", "who": "user"}, {"address": "x@y.example", "who": "external"}],
        "cc": [{"name": name, "address": "info@example.com", "who": "internal"}], "bcc": [],
        "subject": "line\nbreak", "snippet": "", "date": 1_700_000_000_000_i64, "date_offset": -180,
        "internal_date": 1_700_000_000_001_i64, "references": ["r@example.com"], "has_invite": false,
        "text": "Gr\u{fc}\u{df}e \u{0}", "truncated": false,
        "attachments": [{"part_id": "1.2", "filename": "a.pdf", "mime_type": "application/pdf", "size": 10, "inline": false}],
        "size": 4096, "headers": [["Received", "one"], ["Received", "two"]],
    });
    let record = envelope(Change::Created, Source::Gmail, Payload::Email(email()));
    check(
        &record,
        &envelope_json("created", "gmail", "email", expected),
    );
}

#[test]
fn members_stand_in_the_contracts_order_with_the_payload_last() {
    let text = to_json(&envelope(
        Change::Created,
        Source::Gmail,
        Payload::Email(email()),
    ));
    assert!(text.starts_with(r#"{"key":"gmail/104/18c2","revision":1764000000000001,"source_version":77,"change":"created","#));
    assert!(text.ends_with(r#""headers":[["Received","one"],["Received","two"]]}}"#));
    assert!(text.contains(r#""observed_at":-1,"kind":"email","email":{"id":"#));
}

#[test]
fn notes_and_extra() {
    let mut record = envelope(
        Change::Deleted,
        Source::Drive,
        Payload::Deleted(Deleted {
            cause: DeleteCause::OutOfScope,
            thread_id: None,
            ical_uid: None,
            name: Some("n".to_owned()),
        }),
    );
    record.notes = Some(vec!["cut".to_owned()]);
    record.extra = Some(vec![("email.importance".to_owned(), "high".to_owned())]);
    let mut expected = envelope_json(
        "deleted",
        "drive",
        "deleted",
        json!({"cause": "out_of_scope", "name": "n"}),
    );
    expected["notes"] = json!(["cut"]);
    expected["extra"] = json!([["email.importance", "high"]]);
    check(&record, &expected);
}

#[test]
fn new_labels_and_an_unknown_kind() {
    let labels = LabelChange {
        thread_id: "18c1".to_owned(),
        flags: MailFlags::all(),
        category: MailCategory::Promotions,
        labels: Vec::new(),
    };
    let names = [
        "unread",
        "starred",
        "important",
        "inbox",
        "sent",
        "draft",
        "spam",
        "trash",
    ];
    let expected =
        json!({"thread_id": "18c1", "flags": names, "category": "promotions", "labels": []});
    check(
        &envelope(Change::Labels, Source::Gmail, Payload::Labels(labels)),
        &envelope_json("labels", "gmail", "labels", expected),
    );

    let other = OtherPayload {
        kind: "task".to_owned(),
        json: "{\"a\":1}".to_owned(),
    };
    let expected = json!({"kind": "task", "json": "{\"a\":1}"});
    check(
        &envelope(Change::Updated, Source::Other, Payload::Other(other)),
        &envelope_json("updated", "other", "other", expected),
    );
}

#[test]
fn an_event() {
    let event = Event {
        id: "e1".to_owned(),
        calendar_name: "Team".to_owned(),
        ical_uid: "e1@google.com".to_owned(),
        recurring_event_id: Some("e0".to_owned()),
        original_start: Some(EventTime::Date("2026-03-01".to_owned())),
        recurrence: Vec::new(),
        sequence: 3,
        status: EventStatus::Tentative,
        event_type: "default".to_owned(),
        visibility: Visibility::Confidential,
        busy: true,
        summary: "Plan".to_owned(),
        description: None,
        location: Some("Room 1".to_owned()),
        start: EventTime::At(ZonedTime {
            time: 5,
            offset: 60,
            time_zone: Some("Europe/Vienna".to_owned()),
        }),
        end: None,
        organizer: Some(person("ana@example.com", Who::User)),
        creator: None,
        attendees: vec![Attendee {
            participant: Participant {
                name: None,
                ..person("room@example.com", Who::Internal)
            },
            response: Response::NeedsAction,
            flags: AttendeeFlags::all(),
            comment: None,
        }],
        attendees_omitted: false,
        guests_can: GuestRights::INVITE_OTHERS | GuestRights::SEE_OTHERS,
        conference: Some(Conference {
            solution: "Meet".to_owned(),
            id: "m".to_owned(),
            entry_points: vec!["tel:1".to_owned()],
        }),
        attachments: Some(vec![EventAttachment {
            url: "u".to_owned(),
            title: "t".to_owned(),
            mime_type: "text/plain".to_owned(),
            file_id: None,
        }]),
        created: None,
        updated: 9,
        link: None,
        properties: Some(vec![("private.a".to_owned(), "b".to_owned())]),
    };
    let expected = json!({
        "id": "e1", "calendar_name": "Team", "ical_uid": "e1@google.com", "recurring_event_id": "e0",
        "original_start": {"date": "2026-03-01"}, "recurrence": [], "sequence": 3, "status": "tentative",
        "event_type": "default", "visibility": "confidential", "busy": true, "summary": "Plan", "location": "Room 1",
        "start": {"at": {"time": 5, "offset": 60, "time_zone": "Europe/Vienna"}},
        "organizer": {"name": "Ana \"A\" Souza", "address": "ana@example.com", "who": "user"},
        "attendees": [{
            "participant": {"address": "room@example.com", "who": "internal"}, "response": "needs_action",
            "flags": ["optional", "organizer", "resource", "self"],
        }],
        "attendees_omitted": false, "guests_can": ["invite_others", "see_others"],
        "conference": {"solution": "Meet", "id": "m", "entry_points": ["tel:1"]},
        "attachments": [{"url": "u", "title": "t", "mime_type": "text/plain"}], "updated": 9,
        "properties": [["private.a", "b"]],
    });
    check(
        &envelope(Change::Updated, Source::Calendar, Payload::Event(event)),
        &envelope_json("updated", "calendar", "event", expected),
    );
}

#[test]
fn a_file() {
    let file = File {
        id: "f1".to_owned(),
        name: "Plan".to_owned(),
        mime_type: "application/pdf".to_owned(),
        description: None,
        drive_name: Some("Shared".to_owned()),
        parents: vec!["p".to_owned()],
        path: Some("a/b".to_owned()),
        owners: Vec::new(),
        last_modified_by: Some(person("ana@example.com", Who::User)),
        sharing_user: None,
        created: 1,
        modified: 2,
        shared_with_me_at: Some(3),
        size: Some(u64::MAX),
        md5: Some("m".to_owned()),
        sha256: None,
        flags: FileFlags::all(),
        trashed_by: None,
        shortcut: Some(Shortcut {
            target_id: "t".to_owned(),
            target_mime_type: "text/plain".to_owned(),
        }),
        link: None,
        permissions: vec![Permission {
            id: "1".to_owned(),
            kind: "user".to_owned(),
            role: "fileOrganizer".to_owned(),
            grantee: Some("ana@example.com".to_owned()),
            expires: Some(i64::MIN),
            inherited: true,
            pending: false,
        }],
    };
    let expected = json!({
        "id": "f1", "name": "Plan", "mime_type": "application/pdf", "drive_name": "Shared", "parents": ["p"],
        "path": "a/b", "owners": [],
        "last_modified_by": {"name": "Ana \"A\" Souza", "address": "ana@example.com", "who": "user"},
        "created": 1, "modified": 2, "shared_with_me_at": 3, "size": u64::MAX, "md5": "m",
        "flags": ["trashed", "starred", "shared", "owned_by_me"],
        "shortcut": {"target_id": "t", "target_mime_type": "text/plain"},
        "permissions": [{
            "id": "1", "kind": "user", "role": "fileOrganizer", "grantee": "ana@example.com", "expires": i64::MIN,
            "inherited": true, "pending": false,
        }],
    });
    check(
        &envelope(Change::Created, Source::Drive, Payload::File(file)),
        &envelope_json("created", "drive", "file", expected),
    );
}
