//! The rules of a verification that need no Google: what it waits for, what ends it, what counts.

use super::*;
use nuncio_model::{LabelSet, StoreError, ThreadId};

#[test]
fn a_feed_that_is_refused_or_waits_long_is_not_begun() {
    let of = |state, next_try, is_connected| {
        let health = FeedHealth {
            state,
            next_try,
            error: next_try.map(|_| trouble("GGL001", "no", "wait")),
            ..FeedHealth::default()
        };
        obstacle(&health, is_connected, 1_000).map(|error| error.code)
    };
    let (soon, late) = (Some(61_000), Some(200_000));
    assert_eq!(of(FeedState::Live, None, true), None);
    assert_eq!(of(FeedState::Waiting, soon, true), None);
    let refused = Some("GGL001".to_owned());
    assert_eq!(of(FeedState::Waiting, late, true), refused);
    assert_eq!(of(FeedState::Disabled, soon, true), refused);
    assert_eq!(of(FeedState::Waiting, soon, false), refused);
    assert_eq!(of(FeedState::New, None, false).as_deref(), Some("SRC013"));
}

fn verification() -> (Verification<()>, watch::Receiver<Verified>) {
    let (report, receiver) = watch::channel(Verified::default());
    let order = VerifyOrder {
        repair: false,
        report,
    };
    (Verification::new(order), receiver)
}

fn walk(origin: Origin, phase: WalkPhase) -> Walk {
    Walk {
        origin,
        reason: None,
        generation: 1,
        baseline: 0,
        phase,
        page: None,
        done: 0,
        total: None,
    }
}

#[test]
fn a_first_walk_and_a_held_one_end_it_and_another_is_waited_for() {
    let list = WalkPhase::List;
    let held = WalkPhase::Held { deletions: 7 };
    for (walk, code) in [
        (walk(Origin::Backfill, list), "SRC011"),
        (walk(Origin::Resync, held), "SRC010"),
    ] {
        let (mut verification, report) = verification();
        assert!(verification.may_go_on(Some(&walk)));
        let told = report.borrow().clone();
        assert_eq!(told.phase, VerifyPhase::Unfinished);
        assert_eq!(told.trouble.map(|error| error.code).as_deref(), Some(code));
    }
    let (mut verification, report) = verification();
    let resync = walk(Origin::Resync, list);
    assert!(!verification.may_go_on(Some(&resync)));
    assert!(verification.may_go_on(None));
    // One that comes in between lets it begin anew, but not for ever.
    for _ in 0..MAX_RESTARTS {
        verification.stage = Stage::Ask;
        assert!(!verification.may_go_on(Some(&resync)));
        assert_eq!(report.borrow().phase, VerifyPhase::Queued);
    }
    verification.stage = Stage::Ask;
    assert!(verification.may_go_on(Some(&resync)));
    assert_eq!(report.borrow().phase, VerifyPhase::Unfinished);
    drop(report);
    assert!(verification.is_abandoned());
}

#[test]
fn passing_faults_are_outlasted_and_told() {
    let (mut verification, report) = verification();
    let shown = || trouble("SPL010", "full", "wait");
    let full = Error::Store(StoreError::Full("x".into()));
    assert!(!verification.stumble(&full, shown()));
    assert_eq!(report.borrow().trouble, Some(shown()));
    assert_eq!(report.borrow().phase, VerifyPhase::Queued);
    let refused = Error::UnknownUser {
        address: "ana@example.com".into(),
    };
    assert!(verification.stumble(&refused, shown()));
    assert_eq!(report.borrow().phase, VerifyPhase::Unfinished);
}

#[test]
fn a_row_that_the_live_feed_moved_is_not_judged() {
    let row = |order, hash, label: &str| IndexRow {
        item: ItemId::new("a"),
        order,
        hash,
        labels: [label].into_iter().collect::<LabelSet>(),
        thread: ThreadId::new("t"),
        generation: order,
    };
    let before = row(1, 2, "INBOX");
    assert!(is_unmoved(None, None));
    assert!(is_unmoved(Some(&before), Some(&before)));
    for moved in [row(2, 2, "INBOX"), row(1, 3, "INBOX"), row(1, 2, "SENT")] {
        assert!(!is_unmoved(Some(&before), Some(&moved)));
    }
    assert!(!is_unmoved(None, Some(&before)) && !is_unmoved(Some(&before), None));
}
