//! Mailboxes beside each other: what one of them suffers is not felt by the others.

use nuncio_tests::World;
use serde_json::{Value, json};

fn state(world: &World, status: &Value, user: &str) -> String {
    let shown = world.shown_user(status, user);
    shown["state"].as_str().unwrap_or_default().to_owned()
}

/// A mailbox whose every answer takes seconds, one that Google always fails for, and a large one:
/// the others are live, and get new mail, while these are still on their way.
#[tokio::test(flavor = "multi_thread")]
async fn slow_broken_and_huge_mailboxes_delay_no_other() {
    let mut world = World::start_with(|options| {
        (options.users, options.messages, options.seed) = (6, 240, 61);
    })
    .await;
    let users = world.users();
    let [slow, broken, huge] = [&users[0], &users[1], &users[2]];
    world.google(
        "churn",
        &json!({ "user": huge, "seed": 1, "rounds": 4_000 }),
    );
    world.google("fault.on", &json!({ "user": slow, "latency_ms": 5_000 }));
    let failing = world.google("fault.on", &json!({ "user": broken, "status": 503 }));
    world.configure();
    world.start_daemon();
    let others = &users[3..];
    let status = world
        .wait("the others are live", |status| {
            others
                .iter()
                .all(|user| state(&world, status, user) == "live")
        })
        .await;
    assert_ne!(state(&world, &status, slow), "live");
    assert_ne!(state(&world, &status, broken), "live");
    for user in others {
        world.insert(user, "While others suffer");
    }
    let status = world
        .wait("the new mail is there", |_| {
            others.iter().all(|user| world.holds_all_mail(user, user))
        })
        .await;
    assert_ne!(state(&world, &status, slow), "live");
    assert_ne!(state(&world, &status, broken), "live");
    world.google("fault.off", &json!({ "fault": failing["fault"] }));
    world.google("fault.off", &json!({}));
    world.wait_settled().await;
}
