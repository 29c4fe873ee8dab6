//! Kills: the daemon dies at seeded moments under churn, and what the sinks hold in the end is
//! exactly what a fresh full listing at Google gives.

use nuncio_tests::{Aim, Moment, Tally, World, soak};
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long a run waits for the moment that it is to be killed at.
const AIM_TIME: Duration = Duration::from_secs(60);

/// Where the next kill is aimed.
fn aim(random: &mut fastrand::Rng) -> Aim {
    let moment = Moment::ALL[random.usize(..Moment::ALL.len())];
    Aim {
        moment,
        nth: match moment {
            Moment::WalkPage => random.u32(1..=3),
            Moment::Append | Moment::GuestWrite => random.u32(1..=40),
        },
        delay: Duration::from_micros(random.u64(..2_000)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_at_seeded_moments_under_churn_end_at_googles_truth() {
    let n_kills = soak(12, 40, 200);
    let mut world = World::start_with(|options| {
        (options.users, options.messages, options.seed) = (5, 500, 7);
        options.latency = Duration::from_millis(2);
    })
    .await;
    world.configure();
    world.append_config("[log]\nformat = \"json\"\n");
    let users = world.users();
    let mut random = fastrand::Rng::with_seed(7);
    let mut tally = Tally::default();
    for round in 0..n_kills {
        let aim = aim(&mut random);
        if aim.moment == Moment::WalkPage {
            // A lost position makes a walk, also long after the first one.
            for user in &users {
                world.google("history.expire", &json!({ "user": user }));
            }
        }
        let over = AtomicBool::new(false);
        let seed = random.u64(..);
        let hit = std::thread::scope(|scope| {
            scope.spawn(|| churn(&world, &users, seed, &over));
            let hit = world.run_until_killed(aim, AIM_TIME);
            over.store(true, Ordering::Relaxed);
            hit
        });
        tally.add(&hit);
        assert!(
            !hit.missed,
            "round {round}: {aim:?} did not come up, the daemon stands still\n{}",
            world.log_tail()
        );
    }
    println!("{}", tally.told(n_kills));
    world.start_daemon();
    world.wait_settled().await;
}

/// Changes mailboxes until told to stop.
#[expect(
    clippy::disallowed_methods,
    reason = "this is a pace, nothing is waited for"
)]
fn churn(world: &World, users: &[String], seed: u64, over: &AtomicBool) {
    let mut random = fastrand::Rng::with_seed(seed);
    while !over.load(Ordering::Relaxed) {
        let user = &users[random.usize(..users.len())];
        let seed = random.u32(..);
        world.google("churn", &json!({ "user": user, "seed": seed, "rounds": 3 }));
        std::thread::sleep(Duration::from_millis(20));
    }
}
