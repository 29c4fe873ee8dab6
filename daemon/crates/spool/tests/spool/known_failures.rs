//! Failures that will happen: a second daemon, a newer or foreign or damaged file, a folder
//! that cannot be used, a spool that is closed.

use crate::fixture::*;
use nuncio_model::{Append, StoreError};
use nuncio_spool::Error;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;

/// A closed spool with some records and a sink that waits for them.
async fn closed() -> Fixture {
    let fixture = Fixture::new().await;
    fixture.sink("a").await;
    let feed = fixture.feed("ana").await.id;
    fixture
        .append(
            feed,
            (0..500)
                .map(|n| upsert(n, 1, &format!("mail {n}"), &[]))
                .collect(),
        )
        .await;
    fixture.spool.close().await;
    fixture
}

async fn reopen(fixture: &Fixture) -> Result<nuncio_spool::Spool, Error> {
    open(fixture.dir.path(), PLENTY, fixture.clock.clone()).await
}

fn overwrite(fixture: &Fixture, at: u64, bytes: &[u8]) {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .open(fixture.dir.path().join("spool.db"))
        .unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(bytes).unwrap();
}

#[tokio::test]
async fn a_second_process_is_locked_out_until_the_first_has_closed() {
    let fixture = Fixture::new().await;
    let error = reopen(&fixture).await.err().unwrap();
    assert!(matches!(error, Error::Locked { .. }), "{error:?}");
    assert_eq!(error.code(), "SPL002");
    fixture.spool.close().await;
    reopen(&fixture).await.unwrap().close().await;
}

#[tokio::test]
async fn a_newer_schema_is_refused_by_its_number_and_left_as_it_is() {
    let fixture = closed().await;
    let file = fixture.dir.path().join("spool.db");
    rusqlite::Connection::open(&file)
        .unwrap()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    let before = std::fs::read(&file).unwrap();
    let error = reopen(&fixture).await.err().unwrap();
    assert!(
        error
            .to_string()
            .contains("schema 99, this release reads up to 2"),
        "{error}"
    );
    assert!(
        std::fs::read(&file).unwrap() == before,
        "the file was changed"
    );
}

#[tokio::test]
async fn a_database_of_something_else_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let conn = rusqlite::Connection::open(dir.path().join("spool.db")).unwrap();
    conn.execute_batch("CREATE TABLE t (x)").unwrap();
    drop(conn);
    let clock = std::sync::Arc::new(nuncio_model::ManualClock::new(START_US));
    let error = open(dir.path(), PLENTY, clock).await.err().unwrap();
    assert!(matches!(error, Error::Foreign { .. }), "{error:?}");
}

#[tokio::test]
async fn damage_is_reported_and_never_repaired() {
    for (what, at, bytes) in [
        ("header", 0, vec![0xff; 100]),
        ("a page in the middle", 6 * 16_384, vec![0xa5; 16_384]),
    ] {
        let fixture = closed().await;
        overwrite(&fixture, at, &bytes);
        let before = std::fs::read(fixture.dir.path().join("spool.db")).unwrap();
        let error = reopen(&fixture).await.err().unwrap();
        assert!(matches!(error, Error::Damaged { .. }), "{what}: {error:?}");
        assert_eq!(error.code(), "SPL004");
        assert!(!error.to_string().contains("mail 1"), "{error}");
        let after = std::fs::read(fixture.dir.path().join("spool.db")).unwrap();
        assert!(after == before, "{what}: the file was changed");
    }
}

#[tokio::test]
async fn a_file_cut_off_is_reported() {
    let fixture = closed().await;
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(fixture.dir.path().join("spool.db"))
        .unwrap();
    file.set_len(5 * 16_384).unwrap();
    let error = reopen(&fixture).await.err().unwrap();
    assert!(matches!(error, Error::Damaged { .. }), "{error:?}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let clock = std::sync::Arc::new(nuncio_model::ManualClock::new(START_US));
    let error = open(&file.join("state"), PLENTY, clock)
        .await
        .err()
        .unwrap();
    assert!(matches!(error, Error::Folder { .. }), "{error:?}");
    assert!(error.to_string().contains("file/state"), "{error}");
}

#[tokio::test]
async fn nobody_else_can_read_the_files() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("a/state");
    let clock = std::sync::Arc::new(nuncio_model::ManualClock::new(START_US));
    let spool = open(&state, PLENTY, clock).await.unwrap();
    spool.open_feed(spec("ana"), None).await.unwrap();
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&state), 0o700);
    for name in ["spool.db", "spool.db-wal", "spool.lock"] {
        assert_eq!(mode(&state.join(name)), 0o600, "{name}");
    }
    spool.close().await;
}

#[tokio::test]
async fn a_closed_spool_says_so_and_has_done_what_was_asked_before() {
    let mut fixture = Fixture::new().await;
    let feed = fixture.feed("ana").await.id;
    let append = |n| Append {
        feed,
        ops: vec![upsert(n, 1, "x", &[])],
        cursor: None,
        walk: None,
    };
    let other = fixture.spool.clone();
    let (first, ()) = tokio::join!(other.append(append(1)), async {
        // The append is on its way when the spool is told to close.
        tokio::task::yield_now().await;
        fixture.spool.close().await;
    });
    let kept = match first {
        Ok(_) => 1,
        Err(StoreError::Closed) => 0,
        Err(error) => panic!("{error}"),
    };
    assert_eq!(
        other.append(append(2)).await.err(),
        Some(StoreError::Closed)
    );
    assert_eq!(other.count_items(feed).await, Err(StoreError::Closed));
    other.close().await;
    assert!(
        !fixture.dir.path().join("spool.db-wal").exists(),
        "the log is cut"
    );
    fixture.spool = reopen(&fixture).await.unwrap();
    assert_eq!(fixture.spool.count_items(feed).await.unwrap(), kept);
}
