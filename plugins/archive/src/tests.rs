//! The archive on a real folder: what ends up there, and that it ends up there whatever
//! operation the archive was stopped at.

use std::collections::BTreeMap;
use std::io;

use nuncio_sdk::{
    Change, DeleteCause, Deleted, Direction, LabelChange, MailCategory, MailFlags, Origin, Source,
    WriteError,
};
use proptest::prelude::*;

use super::*;
use crate::disk::Step;
use crate::sidecar::Sidecar;

const KEY: &str = "gmail/104/18c2";

fn record(key: &str, revision: u64, change: Change, payload: Payload) -> Record {
    Record {
        key: key.to_owned(),
        revision,
        source_version: 0,
        change,
        source: Source::Gmail,
        origin: Origin::Live,
        lane: 1,
        user: String::new(),
        account: String::new(),
        collection: String::new(),
        observed_at: 0,
        notes: None,
        extra: None,
        payload,
    }
}

/// A mail. In these tests its `text` stands for the raw bytes.
fn mail(key: &str, revision: u64, bytes: &str, flags: MailFlags) -> Record {
    let email = Email {
        id: String::new(),
        thread_id: "18c1".to_owned(),
        draft_id: None,
        message_id: String::new(),
        message_key: String::new(),
        flags,
        category: MailCategory::Updates,
        labels: vec![format!("label {revision}")],
        direction: Direction::Inbound,
        internal: false,
        from: None,
        sender: None,
        reply_to: Vec::new(),
        to: Vec::new(),
        cc: Vec::new(),
        bcc: Vec::new(),
        subject: String::new(),
        snippet: String::new(),
        date: None,
        date_offset: 0,
        internal_date: 0,
        in_reply_to: None,
        references: Vec::new(),
        list_id: None,
        auto_submitted: None,
        has_invite: false,
        text: Some(bytes.to_owned()),
        html: None,
        truncated: false,
        attachments: Vec::new(),
        size: 0,
        headers: None,
        raw: None,
    };
    record(key, revision, Change::Created, Payload::Email(email))
}

fn labels(key: &str, revision: u64, flags: MailFlags) -> Record {
    let labels = vec![format!("label {revision}")];
    let change = LabelChange {
        thread_id: "18c1".to_owned(),
        flags,
        category: MailCategory::Updates,
        labels,
    };
    record(key, revision, Change::Labels, Payload::Labels(change))
}

fn deletion(key: &str, revision: u64) -> Record {
    let deleted = Deleted {
        cause: DeleteCause::Removed,
        thread_id: None,
        ical_uid: None,
        name: None,
    };
    record(key, revision, Change::Deleted, Payload::Deleted(deleted))
}

fn bytes_of(email: &Email) -> Option<&[u8]> {
    email.text.as_ref().map(|text| text.as_bytes())
}

fn write(archive: &Archive, batch: &[Record]) -> Result<Vec<Outcome>, WriteError> {
    archive.write(batch, bytes_of, || false)
}

fn deliver(archive: &Archive, batch: &[Record]) {
    let outcomes = write(archive, batch).unwrap();
    assert_eq!(outcomes.len(), batch.len());
    assert!(
        outcomes
            .iter()
            .all(|outcome| matches!(outcome, Outcome::Delivered)),
        "{outcomes:?}"
    );
}

/// All files under a folder with their bytes.
fn tree(root: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            files.insert(name, String::from_utf8(bytes).unwrap());
        }
    }
    files
}

fn names(root: &Path) -> Vec<String> {
    tree(root).into_keys().collect()
}

fn sidecar(root: &Path) -> Sidecar {
    Sidecar::from_bytes(&std::fs::read(root.join("104/labels/18c2.json")).unwrap()).unwrap()
}

#[test]
fn a_new_mail_has_its_bytes_its_flags_and_its_labels() {
    let root = tempfile::tempdir().unwrap();
    let archive = Archive::open(root.path()).unwrap();
    deliver(
        &archive,
        &[mail(
            KEY,
            7,
            "From: a\r\n\r\nbody\0\n",
            MailFlags::INBOX | MailFlags::STARRED,
        )],
    );
    assert_eq!(
        names(root.path()),
        ["104/cur/18c2:2,FS", "104/labels/18c2.json"]
    );
    assert_eq!(
        std::fs::read(root.path().join("104/cur/18c2:2,FS")).unwrap(),
        b"From: a\r\n\r\nbody\0\n"
    );
    for folder in ["cur", "new", "tmp"] {
        assert!(
            root.path().join("104").join(folder).is_dir(),
            "a Maildir has {folder}"
        );
    }
    let sidecar = sidecar(root.path());
    assert_eq!(
        (
            sidecar.key.as_str(),
            sidecar.revision,
            sidecar.content_revision
        ),
        (KEY, 7, 7)
    );
    assert_eq!(sidecar.flags, ["starred", "inbox"]);
    assert_eq!(
        (sidecar.category.as_str(), sidecar.labels.as_slice()),
        ("updates", ["label 7".to_owned()].as_slice())
    );
    assert_eq!(sidecar.file, "18c2:2,FS");
}

#[test]
fn new_labels_rename_the_file_and_keep_its_bytes() {
    let root = tempfile::tempdir().unwrap();
    let archive = Archive::open(root.path()).unwrap();
    deliver(&archive, &[mail(KEY, 1, "bytes", MailFlags::UNREAD)]);
    deliver(
        &archive,
        &[
            labels(KEY, 2, MailFlags::STARRED),
            labels("gmail/104/unknown", 3, MailFlags::STARRED),
        ],
    );
    assert_eq!(
        names(root.path()),
        ["104/cur/18c2:2,FS", "104/labels/18c2.json"]
    );
    assert_eq!(tree(root.path())["104/cur/18c2:2,FS"], "bytes");
    assert_eq!(
        (
            sidecar(root.path()).revision,
            sidecar(root.path()).content_revision
        ),
        (2, 1)
    );
    assert_eq!(sidecar(root.path()).labels, ["label 2"]);
}

#[test]
fn what_is_older_changes_nothing() {
    let root = tempfile::tempdir().unwrap();
    let archive = Archive::open(root.path()).unwrap();
    deliver(
        &archive,
        &[
            mail(KEY, 5, "new", MailFlags::UNREAD),
            labels(KEY, 9, MailFlags::STARRED),
        ],
    );
    let before = tree(root.path());
    deliver(&archive, &[mail(KEY, 4, "old", MailFlags::DRAFT)]);
    deliver(&archive, &[labels(KEY, 8, MailFlags::DRAFT)]);
    deliver(&archive, &[deletion(KEY, 3)]);
    assert_eq!(tree(root.path()), before);
}

#[test]
fn a_replay_gives_back_lost_bytes_and_keeps_newer_labels() {
    let root = tempfile::tempdir().unwrap();
    let archive = Archive::open(root.path()).unwrap();
    deliver(
        &archive,
        &[
            mail(KEY, 5, "bytes", MailFlags::UNREAD),
            labels(KEY, 9, MailFlags::STARRED),
        ],
    );
    let before = tree(root.path());
    std::fs::remove_file(root.path().join("104/cur/18c2:2,FS")).unwrap();
    deliver(&archive, &[mail(KEY, 5, "bytes", MailFlags::UNREAD)]);
    assert_eq!(tree(root.path()), before);
}

#[test]
fn a_draft_gets_its_new_bytes_under_its_new_name() {
    let root = tempfile::tempdir().unwrap();
    let archive = Archive::open(root.path()).unwrap();
    let key = "gmail/104/draft:r-1";
    deliver(&archive, &[mail(key, 1, "first", MailFlags::DRAFT)]);
    deliver(
        &archive,
        &[mail(
            key,
            2,
            "second",
            MailFlags::DRAFT | MailFlags::STARRED,
        )],
    );
    assert_eq!(
        names(root.path()),
        ["104/cur/draft=3Ar-1:2,DFS", "104/labels/draft=3Ar-1.json"]
    );
    assert_eq!(tree(root.path())["104/cur/draft=3Ar-1:2,DFS"], "second");
}

#[test]
fn a_deletion_leaves_nothing_and_may_find_nothing() {
    let root = tempfile::tempdir().unwrap();
    let archive = Archive::open(root.path()).unwrap();
    deliver(&archive, &[mail(KEY, 1, "bytes", MailFlags::UNREAD)]);
    deliver(
        &archive,
        &[
            deletion(KEY, 2),
            deletion("gmail/104/unknown", 3),
            deletion("drive/104/x", 4),
        ],
    );
    assert_eq!(names(root.path()), [""; 0]);
    // Out of the bin again.
    deliver(&archive, &[mail(KEY, 5, "bytes", MailFlags::UNREAD)]);
    assert_eq!(
        names(root.path()),
        ["104/cur/18c2:2,", "104/labels/18c2.json"]
    );
}

#[test]
fn a_file_that_a_mail_reader_renamed_is_found() {
    let root = tempfile::tempdir().unwrap();
    let archive = Archive::open(root.path()).unwrap();
    let other = "gmail/104/18c3";
    deliver(
        &archive,
        &[
            mail(KEY, 1, "one", MailFlags::UNREAD),
            mail(other, 2, "two", MailFlags::UNREAD),
        ],
    );
    let cur = root.path().join("104/cur");
    for message in ["18c2", "18c3"] {
        std::fs::rename(
            cur.join(format!("{message}:2,")),
            cur.join(format!("{message}:2,RS")),
        )
        .unwrap();
    }
    deliver(
        &archive,
        &[labels(KEY, 3, MailFlags::STARRED), deletion(other, 4)],
    );
    assert_eq!(
        names(root.path()),
        ["104/cur/18c2:2,FS", "104/labels/18c2.json"]
    );
}

#[test]
fn an_unreadable_sidecar_is_made_anew_and_cannot_lead_outside() {
    let root = tempfile::tempdir().unwrap();
    let archive = Archive::open(root.path()).unwrap();
    deliver(&archive, &[mail(KEY, 1, "one", MailFlags::UNREAD)]);
    let before = tree(root.path());
    let hostile = Sidecar {
        file: "../../outside".to_owned(),
        ..sidecar(root.path())
    };
    for bytes in [b"{".to_vec(), hostile.to_bytes()] {
        std::fs::write(root.path().join("104/labels/18c2.json"), bytes).unwrap();
        deliver(&archive, &[mail(KEY, 1, "one", MailFlags::UNREAD)]);
        assert_eq!(tree(root.path()), before);
    }
    std::fs::write(root.path().join("104/labels/18c2.json"), b"").unwrap();
    deliver(&archive, &[deletion(KEY, 2)]);
    assert_eq!(names(root.path()), [""; 0]);
}

#[test]
fn what_cannot_be_archived_is_rejected_and_the_rest_delivered() {
    let root = tempfile::tempdir().unwrap();
    let archive = Archive::open(root.path()).unwrap();
    let mut without_bytes = mail("gmail/104/1", 1, "", MailFlags::empty());
    if let Payload::Email(email) = &mut without_bytes.payload {
        email.text = None;
    }
    let batch = [
        without_bytes,
        mail("gmail/104", 2, "x", MailFlags::empty()),
        mail(KEY, 3, "x", MailFlags::empty()),
    ];
    let outcomes = write(&archive, &batch).unwrap();
    let codes: Vec<_> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Outcome::Rejected(failure) => failure.code.as_str(),
            Outcome::Delivered => "delivered",
            Outcome::Retry(_) | Outcome::Deferred(_) => "again",
        })
        .collect();
    assert_eq!(codes, ["invalid", "invalid", "delivered"]);
}

#[test]
fn bytes_that_cannot_be_read_are_retried_and_leave_nothing() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("spool"))
        }
    }
    let root = tempfile::tempdir().unwrap();
    let archive = Archive::open(root.path()).unwrap();
    let batch = [
        mail(KEY, 1, "x", MailFlags::empty()),
        deletion("gmail/104/other", 2),
    ];
    let outcomes = archive.write(&batch, |_| Some(Broken), || false).unwrap();
    assert!(
        matches!(outcomes.as_slice(), [Outcome::Retry(_), Outcome::Delivered]),
        "{outcomes:?}"
    );
    assert_eq!(names(root.path()), [""; 0]);
}

#[test]
fn without_time_one_message_is_done_and_the_rest_deferred() {
    let root = tempfile::tempdir().unwrap();
    let archive = Archive::open(root.path()).unwrap();
    let batch =
        ["gmail/1/a", "gmail/1/b", "gmail/2/c"].map(|key| mail(key, 1, "x", MailFlags::empty()));
    let outcomes = archive.write(&batch, bytes_of, || true).unwrap();
    assert!(matches!(
        outcomes.as_slice(),
        [
            Outcome::Delivered,
            Outcome::Deferred(_),
            Outcome::Deferred(_)
        ]
    ));
    assert_eq!(names(root.path()), ["1/cur/a:2,S", "1/labels/a.json"]);
}

#[test]
fn a_full_disk_fails_the_call_or_defers_what_is_left() {
    let root = tempfile::tempdir().unwrap();
    let archive = Archive::open(root.path()).unwrap();
    let batch = ["gmail/1/a", "gmail/2/b"].map(|key| mail(key, 1, "x", MailFlags::empty()));
    archive.disk.is_full.set(true);
    let refused = write(&archive, &batch);
    assert!(
        matches!(&refused, Err(WriteError::Unavailable(wait)) if wait.reason.contains("cannot write 1/tmp/a"))
    );
    assert_eq!(
        names(root.path()),
        [""; 0],
        "half a mail is not kept on a full disk"
    );
    archive.disk.is_full.set(false);
    // A new mail takes 8 steps (the first account was made ready above), then one is left.
    archive.disk.steps_left.set(Some(9));
    let outcomes = write(&archive, &batch).unwrap();
    assert!(
        matches!(
            outcomes.as_slice(),
            [Outcome::Delivered, Outcome::Deferred(_)]
        ),
        "{outcomes:?}"
    );
    archive.disk.steps_left.set(None);
    deliver(&archive, &batch);
}

/// Every name is durable before what relies on it, and all is before `delivered`.
#[test]
fn steps_are_made_durable_in_order() {
    let root = tempfile::tempdir().unwrap();
    let archive = Archive::open(root.path()).unwrap();
    let other = "gmail/104/18c3";
    let batches = [
        vec![
            mail(KEY, 1, "x", MailFlags::UNREAD),
            mail(other, 2, "x", MailFlags::UNREAD),
        ],
        vec![
            mail(KEY, 3, "y", MailFlags::STARRED),
            labels(other, 4, MailFlags::STARRED),
        ],
        vec![deletion(KEY, 5), labels(other, 6, MailFlags::UNREAD)],
    ];
    for batch in batches {
        archive.disk.steps.borrow_mut().clear();
        deliver(&archive, &batch);
        check_durability(&archive.disk.steps.borrow());
    }
}

fn check_durability(steps: &[Step]) {
    let folder_of = |path: &Path| {
        path.parent()
            .unwrap()
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned()
    };
    let mut unsynced: Vec<String> = Vec::new();
    let mut synced: Vec<PathBuf> = Vec::new();
    for step in steps {
        match step {
            Step::SyncFile(path) => synced.push(path.clone()),
            Step::Write(_) | Step::CreateDirectory(_) => {}
            Step::Rename(from, to) => {
                let folder = folder_of(to);
                assert!(
                    folder_of(from) != TMP || synced.contains(from),
                    "{from:?} is renamed before it is synced"
                );
                assert!(
                    folder != CUR || !unsynced.contains(&LABELS.to_owned()),
                    "{to:?} before its sidecar is durable"
                );
                unsynced.push(folder);
            }
            Step::Remove(path) => {
                let folder = folder_of(path);
                assert!(
                    folder != LABELS || !unsynced.contains(&CUR.to_owned()),
                    "{path:?} before its mail's removal"
                );
                unsynced.push(folder);
            }
            Step::SyncDirectory(path) => unsynced.retain(|folder| !path.ends_with(folder)),
        }
    }
    unsynced.retain(|folder| folder != TMP);
    assert!(
        unsynced.is_empty(),
        "{unsynced:?} not synced at the end of {steps:?}"
    );
}

/// An archive as after a start, for tests with too many steps to wait for each sync.
fn open_quick(root: &Path) -> Archive {
    let archive = Archive::open(root).unwrap();
    archive.disk.skips_sync.set(true);
    archive
}

/// What a history leaves if nothing goes wrong.
fn undisturbed(batches: &[Vec<Record>]) -> BTreeMap<String, String> {
    let root = tempfile::tempdir().unwrap();
    let archive = open_quick(root.path());
    for batch in batches {
        deliver(&archive, batch);
    }
    tree(root.path())
}

#[test]
fn stopped_at_any_step_the_same_records_again_end_the_same() {
    let history = || {
        let other = "gmail/104/18c3";
        vec![
            vec![
                mail(KEY, 1, "one", MailFlags::UNREAD),
                mail(other, 2, "two", MailFlags::UNREAD),
            ],
            vec![
                labels(KEY, 3, MailFlags::STARRED),
                mail(other, 4, "two again", MailFlags::DRAFT),
            ],
            vec![
                deletion(KEY, 5),
                labels(other, 6, MailFlags::UNREAD),
                mail(KEY, 7, "one again", MailFlags::empty()),
            ],
            vec![deletion(KEY, 8), labels(other, 9, MailFlags::empty())],
        ]
    };
    let expected = undisturbed(&history());
    let mut n_stops = 0;
    for stopped_batch in 0..history().len() {
        for n_steps in 0.. {
            let root = tempfile::tempdir().unwrap();
            let batches = history();
            let archive = open_quick(root.path());
            for batch in &batches[..stopped_batch] {
                deliver(&archive, batch);
            }
            archive.disk.steps_left.set(Some(n_steps));
            if write(&archive, &batches[stopped_batch]).is_ok() {
                break;
            }
            n_stops += 1;
            let archive = open_quick(root.path());
            for batch in &batches[stopped_batch..] {
                deliver(&archive, batch);
            }
            assert_eq!(
                tree(root.path()),
                expected,
                "stopped in batch {stopped_batch} after {n_steps} steps"
            );
        }
    }
    assert!(n_stops > 40, "only {n_stops} stops were tried");
}

#[derive(Clone, Debug)]
enum Event {
    Mail(usize, u8),
    Labels(usize, u8),
    Delete(usize),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let message = 0..3_usize;
    let event = prop_oneof![
        3 => (message.clone(), any::<u8>()).prop_map(|(message, flags)| Event::Mail(message, flags)),
        3 => (message.clone(), any::<u8>()).prop_map(|(message, flags)| Event::Labels(message, flags)),
        1 => message.prop_map(Event::Delete),
    ];
    proptest::collection::vec(event, 1..14)
}

fn to_record(revision: u64, event: &Event) -> Record {
    let key = |message: &usize| format!("gmail/104/m{message}");
    match event {
        Event::Mail(message, flags) => mail(
            &key(message),
            revision,
            &format!("bytes {revision}"),
            flags_of(*flags),
        ),
        Event::Labels(message, flags) => labels(&key(message), revision, flags_of(*flags)),
        Event::Delete(message) => deletion(&key(message), revision),
    }
}

fn flags_of(bits: u8) -> MailFlags {
    MailFlags::from_bits_truncate(bits)
}

/// The files in `cur` after a history, by rules that know nothing of the archive.
fn model(events: &[Event]) -> BTreeMap<String, String> {
    let mut messages: BTreeMap<usize, (String, MailFlags)> = BTreeMap::new();
    for (at, event) in events.iter().enumerate() {
        match event {
            Event::Mail(message, flags) => {
                messages.insert(*message, (format!("bytes {}", at + 1), flags_of(*flags)));
            }
            Event::Labels(message, flags) => {
                if let Some((_, current)) = messages.get_mut(message) {
                    *current = flags_of(*flags);
                }
            }
            Event::Delete(message) => {
                messages.remove(message);
            }
        }
    }
    messages
        .into_iter()
        .map(|(message, (bytes, flags))| {
            (
                format!(
                    "104/cur/{}",
                    maildir::file_name(&format!("m{message}"), flags)
                ),
                bytes,
            )
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any history in any batches, stopped anywhere and given again from any earlier record
    /// that was not acknowledged, ends at the newest state: nothing lost, stale or left over.
    #[test]
    fn any_history_with_stops_ends_at_the_newest_state(
        events in events(),
        calls in proptest::collection::vec((1..5_usize, proptest::option::of(0..30_usize), 0..3_usize), 1..20),
    ) {
        let root = tempfile::tempdir().unwrap();
        let records: Vec<_> =
            events.iter().enumerate().map(|(at, event)| to_record(at as u64 + 1, event)).collect();
        let mut acknowledged = 0_usize;
        for (size, stop, again) in calls {
            // `again`: records that were delivered come once more, as after a lost ack.
            acknowledged = acknowledged.saturating_sub(again);
            let to = (acknowledged + size).min(records.len());
            let archive = open_quick(root.path());
            archive.disk.steps_left.set(stop);
            if write(&archive, &records[acknowledged..to]).is_ok() {
                acknowledged = to;
            }
        }
        let archive = open_quick(root.path());
        deliver(&archive, &records[acknowledged..]);
        let files = tree(root.path());
        let in_cur: BTreeMap<_, _> =
            files.iter().filter(|(name, _)| name.starts_with("104/cur/")).map(|(n, b)| (n.clone(), b.clone())).collect();
        prop_assert_eq!(&in_cur, &model(&events));
        prop_assert_eq!(files.len(), 2 * in_cur.len(), "one sidecar each and nothing in tmp: {:?}", files.keys());
    }
}
