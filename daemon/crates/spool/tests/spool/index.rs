//! The item index and blobs as they lie on the disk; accounts and feeds.

use crate::fixture::*;
use nuncio_model::{AccountKey, Address, Append, ItemId, NewAccount, Op};

#[tokio::test]
async fn a_row_of_the_index_takes_at_most_64_bytes() {
    const N: u64 = 100_000;
    let id = |n: u64| 0x18c2_a4f0_0000_0000 + n * 0x3_b9ac;
    let order = |n: u64| 2_000_000_000 + n;
    // A walk goes from the newest to the oldest; what comes in the meantime is newer than all.
    for (what, n_live) in [("a walk", 0), ("a walk and as many live ones", N / 2)] {
        let fixture = Fixture::new().await;
        let feed = fixture.feed("ana").await.id;
        let n_walk = N - n_live;
        let mut walked = (0..n_walk).rev();
        let mut live = n_walk..N;
        loop {
            let ops: Vec<Op> = (walked.by_ref().take(500))
                .chain(live.by_ref().take(500))
                .map(|n| upsert(id(n), order(n), "x", &["INBOX"]))
                .collect();
            if ops.is_empty() {
                break;
            }
            fixture
                .spool
                .append(Append {
                    feed,
                    ops,
                    cursor: None,
                    walk: Some(Some(walk(3, 1))),
                })
                .await
                .unwrap();
        }
        let n_pages = fixture.column("SELECT count(*) FROM dbstat WHERE name = 'items'")[0];
        assert_eq!(fixture.column("SELECT count(*) FROM items"), [N]);
        let per_row = n_pages as f64 * 16_384.0 / N as f64;
        println!("{what}: {per_row:.1} bytes a row");
        assert!(per_row <= 64.0, "{what}: {per_row:.1} bytes a row");
        fixture.spool.close().await;
    }
}

#[tokio::test]
async fn lookup_finds_rows_of_any_kind_of_id() {
    let fixture = Fixture::new().await;
    let feed = fixture.feed("ana").await.id;
    let mut odd = upsert(2, 8, "odd", &[]);
    let Op::Upsert { row, .. } = &mut odd else {
        panic!("an upsert")
    };
    row.item = ItemId::new("draft:r-17");
    fixture
        .append(feed, vec![upsert(1, 7, "one", &["INBOX", "Label_3"]), odd])
        .await;
    let found = fixture
        .spool
        .lookup(feed, &[item(9), ItemId::new("draft:r-17"), item(1)])
        .await
        .unwrap();
    assert!(found[0].is_none());
    assert_eq!(found[1].as_ref().unwrap().item.as_str(), "draft:r-17");
    let row = found[2].as_ref().unwrap();
    assert_eq!(
        (row.order, &row.labels, row.thread.as_str()),
        (7, &labels(&["INBOX", "Label_3"]), item(1).as_str())
    );
    assert_eq!(row.hash, content_hash("one", &row.labels));
    assert_eq!(fixture.spool.rows(feed, None, 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn blobs_are_stored_once_read_in_parts_and_go_with_their_last_record() {
    let fixture = Fixture::new().await;
    let sink = fixture.sink("a").await;
    let feed = fixture.feed("ana").await.id;
    let bytes: Vec<u8> = (0..600_000_u32).map(|n| (n % 251) as u8).collect();
    let (big, small) = (blob(bytes.clone()), blob(b"small".to_vec()));
    fixture
        .append(
            feed,
            vec![
                upsert_with_blobs(
                    1,
                    1,
                    "one",
                    &[],
                    vec![big.clone(), big.clone(), small.clone()],
                ),
                upsert_with_blobs(2, 1, "two", &[], vec![big.clone()]),
                upsert_with_blobs(3, 1, "empty", &[], vec![blob(vec![])]),
            ],
        )
        .await;
    assert_eq!(fixture.column("SELECT count(*) FROM blob_chunks"), [4]);
    for (offset, len) in [
        (0, 10),
        (262_140, 10),
        (262_144, 262_144),
        (100, 550_000),
        (599_990, 100),
        (600_000, 1),
        (700_000, 5),
    ] {
        let part = fixture
            .spool
            .read_blob(&big.sha256, offset, len)
            .await
            .unwrap();
        let (from, to) = (
            (offset as usize).min(bytes.len()),
            (offset as usize + len as usize).min(bytes.len()),
        );
        assert_eq!(part, &bytes[from..to], "{offset} {len}");
    }
    assert!(
        fixture
            .spool
            .read_blob(&blob(vec![]).sha256, 0, 9)
            .await
            .unwrap()
            .is_empty()
    );
    let seqs: Vec<_> = fixture
        .pending(sink, feed)
        .await
        .iter()
        .map(|record| record.seq)
        .collect();
    fixture.ack(sink, feed, seqs[0], &[]).await;
    fixture.wait_for_retained(&[seqs[1].0, seqs[2].0]).await;
    assert!(fixture.spool.read_blob(&small.sha256, 0, 9).await.is_err());
    assert_eq!(
        fixture.spool.read_blob(&big.sha256, 0, 3).await.unwrap(),
        [0, 1, 2]
    );
    fixture.ack(sink, feed, seqs[2], &[]).await;
    fixture.wait_for_retained(&[]).await;
    for table in ["blobs", "blob_chunks", "record_blobs"] {
        assert_eq!(
            fixture.column(&format!("SELECT count(*) FROM {table}")),
            [0],
            "{table}"
        );
    }
}

#[tokio::test]
async fn an_account_keeps_its_key_and_an_address_names_its_newest_mailbox() {
    let mut fixture = Fixture::new().await;
    let new = |key: &str, address: &str| NewAccount {
        key: AccountKey::new(key),
        address: address.into(),
    };
    let address = |text: &str| Address::parse(text).unwrap();
    let first = fixture
        .spool
        .freeze_account(new("1001", "Ana@example.com"))
        .await
        .unwrap();
    fixture.clock.set_us(START_US + 9_000_000);
    assert_eq!(
        fixture
            .spool
            .freeze_account(new("1001", "Ana@example.com"))
            .await
            .unwrap(),
        first
    );
    // Renamed; then the old address goes to somebody else.
    fixture
        .spool
        .freeze_account(new("1001", "ana.souza@example.com"))
        .await
        .unwrap();
    assert_eq!(
        fixture
            .spool
            .account_by_address(&address("ana@example.com"))
            .await
            .unwrap(),
        None
    );
    fixture
        .spool
        .freeze_account(new("1002", "ana@example.com"))
        .await
        .unwrap();
    fixture.reopen().await;
    let key = |account: Option<nuncio_model::StoredAccount>| account.unwrap().key.to_string();
    assert_eq!(
        key(fixture
            .spool
            .account_by_address(&address("ana@example.com"))
            .await
            .unwrap()),
        "1002"
    );
    assert_eq!(
        key(fixture
            .spool
            .account_by_address(&address("ANA.souza@example.com"))
            .await
            .unwrap()),
        "1001"
    );
    let stored = fixture
        .spool
        .account_by_key(&AccountKey::new("1001"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stored.frozen_at, first.frozen_at);
    assert_eq!(fixture.spool.accounts().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_feeds_floor_is_fixed_when_it_is_made() {
    let mut fixture = Fixture::new().await;
    let feed = fixture
        .spool
        .open_feed(spec("ana"), Some(1_000))
        .await
        .unwrap();
    fixture.reopen().await;
    let again = fixture
        .spool
        .open_feed(spec("ana"), Some(2_000))
        .await
        .unwrap();
    assert_eq!((again.id, again.floor), (feed.id, Some(1_000)));
    let other = fixture.spool.open_feed(spec("ben"), None).await.unwrap();
    assert_ne!(other.id, feed.id);
    assert_eq!(fixture.spool.feed(other.id).await.unwrap(), Some(other));
    let id = fixture.spool.instance_id().await.unwrap();
    fixture.reopen().await;
    assert_eq!(
        (id.len(), fixture.spool.instance_id().await.unwrap()),
        (32, id)
    );
}
