//! Who waits for whom: pauses, turns, live before walks, and the switch to one shared budget.

use super::*;
use nuncio_model::ManualClock;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

const PATIENCE: Duration = Duration::from_secs(30);
const GET: &str = "gmail.users.messages.get";
const HISTORY: &str = "gmail.users.history.list";

fn governor(list: PriceList) -> Governor {
    let options = QuotaOptions {
        list,
        ..QuotaOptions::default()
    };
    Governor::new(
        options,
        4,
        Arc::new(ManualClock::new(1_800_000_000_000_000)),
        &[],
    )
}

fn ask<'a>(user: &'a str, method: &'static str, purpose: Purpose) -> Ask<'a> {
    Ask {
        method,
        user,
        purpose,
    }
}

fn live(user: &str) -> Ask<'_> {
    ask(user, GET, Purpose::Live)
}

fn is_pending<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> bool {
    matches!(
        future.poll(&mut Context::from_waker(Waker::noop())),
        Poll::Pending
    )
}

#[tokio::test(start_paused = true)]
async fn the_fifth_call_of_a_mailbox_waits_and_others_do_not() {
    let governor = governor(PriceList::Off);
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(governor.permit(live("ana"), PATIENCE).await.unwrap());
    }
    let mut fifth = pin!(governor.permit(live("ana"), PATIENCE));
    assert!(is_pending(fifth.as_mut()));
    let _other = governor.permit(live("bob"), PATIENCE).await.unwrap();
    held.pop();
    let _fifth = fifth.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_hint_pauses_only_the_budget_that_it_names_and_never_gets_shorter() {
    let governor = governor(PriceList::Off);
    let start = Instant::now();
    governor.refused(live("ana"), Spent::User, Some(Duration::from_secs(20)));
    governor.refused(live("ana"), Spent::User, Some(Duration::from_secs(2)));
    let _bob = governor.permit(live("bob"), PATIENCE).await.unwrap();
    let calendar = ask("ana", "calendar.events.list", Purpose::Live);
    let _calendar = governor.permit(calendar, PATIENCE).await.unwrap();
    assert_eq!(start.elapsed(), Duration::ZERO);
    let _ana = governor.permit(live("ana"), PATIENCE).await.unwrap();
    assert_eq!(start.elapsed(), Duration::from_secs(20));
    governor.refused(live("ana"), Spent::Project, Some(Duration::from_secs(5)));
    let _bob = governor.permit(live("bob"), PATIENCE).await.unwrap();
    assert_eq!(start.elapsed(), Duration::from_secs(25));
}

#[tokio::test(start_paused = true)]
async fn a_pause_is_clamped_and_a_long_one_is_the_callers_to_wait() {
    let governor = governor(PriceList::Off);
    governor.refused(live("ana"), Spent::User, Some(Duration::from_secs(86_400)));
    let paused = governor.permit(live("ana"), PATIENCE).await.unwrap_err();
    assert_eq!(paused.left, LONGEST_PAUSE);
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_comes_while_waiting_for_a_slot_is_obeyed() {
    let governor = governor(PriceList::Off);
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(governor.permit(live("ana"), PATIENCE).await.unwrap());
    }
    let mut fifth = pin!(governor.permit(live("ana"), PATIENCE));
    assert!(is_pending(fifth.as_mut()));
    governor.refused(live("ana"), Spent::User, Some(Duration::from_secs(10)));
    held.clear();
    let start = Instant::now();
    let _fifth = fifth.await.unwrap();
    assert_eq!(start.elapsed(), Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn a_live_call_goes_before_a_walk_that_waits() {
    let governor = Arc::new(governor(PriceList::May2026));
    // The walk has used up what there is.
    for _ in 0..300 {
        let walk = ask("ana", GET, Purpose::Walk);
        let _permit = governor.permit(walk, PATIENCE).await.unwrap();
    }
    let mut walks = tokio::task::JoinSet::new();
    walks.spawn({
        let governor = Arc::clone(&governor);
        async move {
            let walk = ask("ana", "gmail.users.threads.get", Purpose::Walk);
            let _permit = governor.permit(walk, PATIENCE).await.unwrap();
            Instant::now()
        }
    });
    tokio::task::yield_now().await;
    let start = Instant::now();
    let history = ask("ana", HISTORY, Purpose::Live);
    let _live = governor.permit(history, PATIENCE).await.unwrap();
    let live_at = Instant::now();
    assert!(
        live_at - start < Duration::from_millis(250),
        "{:?}",
        live_at - start
    );
    assert!(walks.join_next().await.unwrap().unwrap() > live_at);
}

#[tokio::test(start_paused = true)]
async fn walks_of_many_users_share_the_project_evenly() {
    let options = QuotaOptions {
        // The project is what is scarce: 60 gets a second for 20 users.
        overrides: vec![(ApiName::Gmail, Limit::ProjectMinute, 72_000)],
        ..QuotaOptions::default()
    };
    let clock = Arc::new(ManualClock::new(1_800_000_000_000_000));
    let governor = Arc::new(Governor::new(options, 4, clock, &[]));
    let end = Instant::now() + Duration::from_secs(60);
    let mut users = tokio::task::JoinSet::new();
    for n in 0..20 {
        // One user asks with four calls at once, the others with one.
        for _ in 0..if n == 0 { 4 } else { 1 } {
            let governor = Arc::clone(&governor);
            users.spawn(async move {
                let name = format!("user{n}");
                let mut n_calls = 0;
                while Instant::now() < end {
                    let walk = ask(&name, GET, Purpose::Walk);
                    let _permit = governor.permit(walk, PATIENCE).await.unwrap();
                    n_calls += 1;
                }
                (n, n_calls)
            });
        }
    }
    let mut calls = [0_u64; 20];
    while let Some(done) = users.join_next().await {
        let (n, n_calls) = done.unwrap();
        calls[n] += n_calls;
    }
    let units = calls.iter().sum::<u64>() * 20;
    assert!(units <= 72_000, "{units}");
    assert!(units >= 69_000, "{units}");
    let (least, most) = (calls.iter().min().unwrap(), calls.iter().max().unwrap());
    assert!(most - least <= least / 10 + 6, "{calls:?}");
}

#[tokio::test(start_paused = true)]
async fn a_walk_that_waits_for_its_own_user_holds_up_no_other() {
    let options = QuotaOptions {
        overrides: vec![(ApiName::Gmail, Limit::ProjectMinute, 6_000)],
        ..QuotaOptions::default()
    };
    let clock = Arc::new(ManualClock::new(1_800_000_000_000_000));
    let governor = Arc::new(Governor::new(options, 4, clock, &[]));
    let walk = |user| ask(user, GET, Purpose::Walk);
    for user in ["ana", "bob"] {
        let _known = governor.permit(walk(user), PATIENCE).await.unwrap();
    }
    // The project owes, so that Ana's walk has the turn and waits; then Ana is paused.
    for _ in 0..10 {
        let _permit = governor.permit(live("cem"), PATIENCE).await.unwrap();
    }
    let paused = Arc::clone(&governor);
    let mut walks = tokio::task::JoinSet::new();
    walks.spawn(async move { paused.permit(walk("ana"), PATIENCE).await.map(drop) });
    tokio::task::yield_now().await;
    let hint = Some(Duration::from_secs(20));
    governor.refused(live("ana"), Spent::Failing, hint);
    let start = Instant::now();
    for _ in 0..20 {
        let _permit = governor.permit(walk("bob"), PATIENCE).await.unwrap();
    }
    assert!(
        start.elapsed() < Duration::from_secs(6),
        "{:?}",
        start.elapsed()
    );
    walks.join_next().await.unwrap().unwrap().unwrap();
    assert!(start.elapsed() >= Duration::from_secs(20));
}

#[tokio::test(start_paused = true)]
async fn refusals_of_several_users_merge_their_budgets_into_one() {
    let governor = governor(PriceList::May2026);
    for user in ["ana", "ben", "cem"] {
        governor.refused(live(user), Spent::User, None);
    }
    assert!(governor.usage().iter().all(|usage| !usage.is_shared));
    governor.refused(live("dan"), Spent::User, None);
    let gmail: Vec<Usage> = governor
        .usage()
        .into_iter()
        .filter(|usage| usage.api == ApiName::Gmail)
        .collect();
    assert!(gmail.iter().all(|usage| usage.is_shared));
    assert_eq!(
        (gmail[0].limit, gmail[0].allowed),
        (Limit::UserMinute, Some(6_000))
    );
    // From here on all users together have one budget.
    let start = Instant::now();
    let mut n_calls = 0;
    while start.elapsed() < Duration::from_secs(60) {
        for user in ["ana", "ben", "cem", "dan", "eva"] {
            let walk = ask(user, GET, Purpose::Walk);
            let _permit = governor.permit(walk, PATIENCE).await.unwrap();
            n_calls += 1;
        }
    }
    assert!((280..=300).contains(&n_calls), "{n_calls}");
}

#[tokio::test(start_paused = true)]
async fn the_day_is_a_pause_until_it_ends_and_walks_leave_a_reserve() {
    let options = QuotaOptions {
        overrides: vec![(ApiName::Gmail, Limit::ProjectDay, 400)],
        ..QuotaOptions::default()
    };
    let clock = Arc::new(ManualClock::new(1_800_000_000_000_000));
    let governor = Governor::new(options.clone(), 4, clock.clone(), &[]);
    let walk = ask("ana", GET, Purpose::Walk);
    for _ in 0..19 {
        let _permit = governor.permit(walk, PATIENCE).await.unwrap();
    }
    let paused = governor.permit(walk, PATIENCE).await.unwrap_err();
    assert!(paused.left > PATIENCE && paused.left <= Duration::from_secs(86_400));
    assert_eq!(paused.cause, PauseCause::Day);
    let _live = governor.permit(live("ana"), PATIENCE).await.unwrap();
    // A restart does not forget what was spent.
    let days = governor.days();
    let governor = Governor::new(options, 4, clock, &days);
    assert!(governor.permit(live("ana"), PATIENCE).await.is_err());
}

#[test]
fn polls_leave_enough_of_the_budgets_however_many_feeds_there_are() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let _entered = runtime.enter();
    let new = governor(PriceList::May2026);
    let seconds = |governor: &Governor, api, n| governor.least_poll_interval(api, n).as_secs_f64();
    // 10,000 histories of 2 units in 16,000,000 units a day.
    assert_eq!(seconds(&new, ApiName::Gmail, 10_000), 108.0);
    assert_eq!(seconds(&new, ApiName::Calendar, 1_000), 144.0);
    assert!((seconds(&new, ApiName::Drive, 1_000) - 36.0).abs() < 0.1);
    // The old list has no day, so a fifth of the minute decides.
    let old = governor(PriceList::Legacy);
    assert_eq!(seconds(&old, ApiName::Gmail, 10_000), 5.0);
    assert_eq!(
        seconds(&governor(PriceList::Off), ApiName::Gmail, 10_000),
        0.0
    );
}
