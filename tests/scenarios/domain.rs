//! Everything at once: the three sources of a whole domain under changes, faults of all kinds,
//! lost positions, refused users and kills, from the first walk on. In the end the sinks hold
//! exactly what Google holds.

use nuncio_tests::{Aim, Moment, Tally, World, soak};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long a run waits for the moment that it is to be killed at: a budget that Google says is
/// spent pauses everything for a minute.
const AIM_TIME: Duration = Duration::from_secs(240);

/// Rounds that a user stays refused for.
const REFUSED_ROUNDS: usize = 2;

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_in_trouble_ends_at_googles_truth() {
    let n_users = soak(6, 12, 50);
    let n_kills = soak(10, 30, 200);
    let mut world = World::start_with(|options| {
        (options.users, options.seed) = (n_users, 2026);
        (options.messages, options.events, options.files) =
            (n_users * 60, n_users * 40, n_users * 40);
        options.latency = Duration::from_millis(2);
    })
    .await;
    let users = world.users();
    world.configure_domain(&users, soak("300ms", "500ms", "1s"));
    world.change_config("[sync]", "[sync]\ninclude_drafts = true");
    let mut trouble = Trouble::new(&world, &users, 2026);
    let mut tally = Tally::default();
    for round in 0..n_kills {
        trouble.strike(&world, round);
        let aim = trouble.aim(round);
        let over = AtomicBool::new(false);
        let seed = trouble.random.u64(..);
        let hit = std::thread::scope(|scope| {
            scope.spawn(|| churn(&world, &users, &trouble.calendars, seed, &over));
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
    println!("{}; {:?}", tally.told(n_kills), trouble.counts);

    world.start_daemon();
    trouble.end(&world);
    // What fails for ever holds up nothing else, and is listed.
    world
        .wait("only the bad items are missing", |status| {
            status["failed_items"].as_u64() >= Some(2)
        })
        .await;
    trouble.heal(&world);
    world.wait_domain(&users).await;
}

/// What goes wrong, and when it is put right.
struct Trouble {
    users: Vec<String>,
    random: fastrand::Rng,
    /// A message and an event that can never be read, and whose they are.
    bad: [(String, String); 2],
    /// Shared calendars that are still there, by an owner.
    calendars: Vec<(String, String)>,
    /// Shared drives that are still there.
    drives: Vec<String>,
    /// How to let refused users in again, by the round in which that is due.
    due: Vec<(usize, &'static str, String)>,
    /// How often each trouble came.
    counts: BTreeMap<&'static str, u32>,
}

/// Kinds of trouble; all come in turn, so that no run leaves one out.
const TROUBLES: [&str; 15] = [
    "expired history",
    "expired sync tokens",
    "expired change logs",
    "stale page tokens",
    "suspended",
    "revoked",
    "dead tokens",
    "rate limits of a user",
    "rate limits of the project",
    "server errors",
    "broken answers",
    "empty pages",
    "lost calendar",
    "lost shared drive",
    "re-created user",
];

impl Trouble {
    fn new(world: &World, users: &[String], seed: u64) -> Self {
        let random = fastrand::Rng::with_seed(seed);
        let message = world.insert(&users[0], "Never readable");
        let event = world.insert_event(
            &users[1],
            "primary",
            &json!({ "summary": "Never readable", "start": { "date": "2027-03-01" },
                "end": { "date": "2027-03-02" }, "attendees": [{ "email": "x@b.example" }] }),
        );
        for id in [&message, &event] {
            world.google("fault.on", &json!({ "id": id, "body": "bad_item" }));
        }
        let mut trouble = Self {
            users: users.to_vec(),
            random,
            bad: [(users[0].clone(), message), (users[1].clone(), event)],
            calendars: Vec::new(),
            drives: Vec::new(),
            due: Vec::new(),
            counts: BTreeMap::new(),
        };
        for n in 0..4 {
            trouble.found(world, n);
        }
        trouble
    }

    fn user(&mut self) -> String {
        let at = self.random.usize(..self.users.len());
        self.users[at].clone()
    }

    /// A new calendar and a new shared drive of three people.
    fn found(&mut self, world: &World, n: usize) {
        let at = self.random.usize(..self.users.len());
        let person = |by: usize| self.users[(at + by) % self.users.len()].as_str();
        let (owner, writer, reader) = (person(0), person(1), person(2));
        let members = [(writer, "writer"), (reader, "reader")];
        let calendar = world.share_calendar(owner, &format!("Calendar {n}"), &members);
        let members = [(owner, "organizer"), (writer, "writer"), (reader, "reader")];
        let drive = world.create_shared_drive(&format!("Drive {n}"), &members);
        for n in 0..5 {
            let event = json!({ "summary": format!("Event {n}"),
                "start": { "date": "2027-03-01" }, "end": { "date": "2027-03-02" } });
            world.insert_event(owner, &calendar, &event);
            world.create_file(owner, &format!("{n}.txt"), json!({ "parents": [drive] }));
        }
        let calendar = (owner.to_owned(), calendar);
        self.calendars.push(calendar);
        self.drives.push(drive);
    }

    /// Where the next kill is aimed. A lost history makes a walk, also long after the first one.
    fn aim(&mut self, round: usize) -> Aim {
        let moment = Moment::ALL[round % Moment::ALL.len()];
        let nth = match moment {
            Moment::WalkPage => self.random.u32(1..=6),
            Moment::Append => self.random.u32(1..=120),
            Moment::GuestWrite => self.random.u32(1..=30),
        };
        Aim {
            moment,
            nth,
            delay: Duration::from_micros(self.random.u64(..2_000)),
        }
    }

    /// Two troubles at once, and the end of those that lasted long enough.
    fn strike(&mut self, world: &World, round: usize) {
        let (due, waiting) = std::mem::take(&mut self.due)
            .into_iter()
            .partition(|(at, ..)| *at <= round);
        self.due = waiting;
        put_right(world, due);
        if round.is_multiple_of(Moment::ALL.len()) {
            // The aim of this round is a page of a walk.
            for user in &self.users {
                world.google("history.expire", &json!({ "user": user }));
            }
        }
        for at in [2 * round, 2 * round + 1] {
            let what = TROUBLES[at % TROUBLES.len()];
            self.make(world, round, what);
            *self.counts.entry(what).or_default() += 1;
        }
    }

    fn make(&mut self, world: &World, round: usize, what: &str) {
        let user = self.user();
        let mut fault = |mut fault: Value| {
            fault["seed"] = json!(self.random.u32(..));
            world.google("fault.on", &fault);
        };
        match what {
            "expired history" => {
                world.google("history.expire", &json!({ "user": user }));
            }
            "expired sync tokens" => {
                let plain = round.is_multiple_of(2);
                world.google("calendar.expire", &json!({ "user": user, "plain": plain }));
            }
            "expired change logs" => {
                let of = match round % 3 {
                    0 => json!({ "changes": true }),
                    _ => json!({ "changes": true, "user": user }),
                };
                world.google("drive.expire", &of);
            }
            "stale page tokens" => {
                world.google("drive.expire", &json!({}));
                fault(
                    json!({ "method": "gmail.users.messages.list", "body": "expired_cursor",
                    "count": 2 }),
                );
            }
            "suspended" | "revoked" => {
                let (refuse, let_in) = match what {
                    "suspended" => ("user.suspend", "user.restore"),
                    _ => ("delegation.revoke", "delegation.grant"),
                };
                world.google(refuse, &json!({ "user": user }));
                self.due.push((round + REFUSED_ROUNDS, let_in, user));
            }
            "dead tokens" => {
                world.google("tokens.expire", &json!({}));
            }
            "rate limits of a user" => {
                fault(
                    json!({ "user": user, "status": 429, "retry_after": 1, "count": 5,
                    "message": "Too many concurrent requests for user" }),
                );
                fault(json!({ "user": user, "method": "gmail.*", "status": 403,
                    "reason": "userRateLimitExceeded", "count": 3 }));
            }
            "rate limits of the project" => {
                for api in ["gmail.*", "calendar.*", "drive.*"] {
                    fault(
                        json!({ "method": api, "status": 403, "reason": "rateLimitExceeded",
                        "retry_after": 1, "count": 4, "probability": 0.3 }),
                    );
                }
            }
            "server errors" => {
                fault(json!({ "status": 503, "body": "html", "probability": 0.1, "count": 20 }));
                fault(json!({ "status": 500, "body": "empty", "probability": 0.1, "count": 10 }));
            }
            "broken answers" => {
                fault(json!({ "body": "cut", "probability": 0.1, "count": 20 }));
                fault(json!({ "body": "reset", "probability": 0.1, "count": 10 }));
            }
            "empty pages" => {
                for list in [
                    "gmail.users.messages.list",
                    "gmail.users.history.list",
                    "calendar.events.list",
                    "drive.files.list",
                    "drive.changes.list",
                ] {
                    fault(json!({ "method": list, "body": "empty_page", "count": 3,
                        "probability": 0.5 }));
                }
            }
            "lost calendar" => {
                if !self.calendars.is_empty() {
                    let (owner, calendar) = self.calendars.remove(0);
                    let question = json!({ "user": owner, "calendarId": calendar });
                    world.google("calendar.remove", &question);
                }
                self.found(world, round + 10);
            }
            "lost shared drive" => {
                if self.drives.len() > 1 {
                    let drive = self.drives.remove(0);
                    world.google("drive.shared.delete", &json!({ "driveId": drive }));
                }
            }
            "re-created user" => {
                // The bad items stay where they are.
                let at = self.random.usize(2..self.users.len());
                let user = &self.users[at];
                self.calendars.retain(|(owner, _)| owner != user);
                world.google("user.recreate", &json!({ "user": user }));
            }
            _ => unreachable!("{what} is no trouble"),
        }
    }

    /// All trouble is over but for the two bad items.
    fn end(&mut self, world: &World) {
        put_right(world, std::mem::take(&mut self.due));
        world.google("fault.off", &json!({}));
        for (_, id) in &self.bad {
            world.google("fault.on", &json!({ "id": id, "body": "bad_item" }));
        }
    }

    /// The bad items can be read from now on, and change, so that they are looked at at once.
    fn heal(&self, world: &World) {
        world.google("fault.off", &json!({}));
        let [(reader, message), (guest, event)] = &self.bad;
        world.google(
            "gmail.modify",
            &json!({ "user": reader, "id": message, "addLabelIds": ["STARRED"] }),
        );
        world.patch_event(guest, "primary", event, &json!({ "summary": "Readable" }));
    }
}

/// Lets refused users in again.
fn put_right(world: &World, due: Vec<(usize, &'static str, String)>) {
    for (_, let_in, user) in due {
        world.google(let_in, &json!({ "user": user }));
    }
}

/// Changes everything until told to stop.
#[expect(
    clippy::disallowed_methods,
    reason = "this is a pace, nothing is waited for"
)]
fn churn(
    world: &World,
    users: &[String],
    calendars: &[(String, String)],
    seed: u64,
    over: &AtomicBool,
) {
    let mut random = fastrand::Rng::with_seed(seed);
    while !over.load(Ordering::Relaxed) {
        // The first two have the bad items, which are not to be changed or deleted.
        let user = &users[random.usize(2..users.len())];
        let (seed, rounds) = (random.u32(..), random.u8(1..5));
        match random.u8(..5) {
            4 => world.google(
                "gmail.draft.churn",
                &json!({ "user": user, "seed": seed, "rounds": rounds }),
            ),
            0 => world.google(
                "churn",
                &json!({ "user": user, "seed": seed, "rounds": rounds }),
            ),
            1 => world.google(
                "churn",
                &json!({ "user": user, "source": "calendar", "seed": seed, "rounds": rounds }),
            ),
            2 if !calendars.is_empty() => {
                let (owner, calendar) = &calendars[random.usize(..calendars.len())];
                world.google(
                    "calendar.churn",
                    &json!({ "user": owner, "calendarId": calendar, "seed": seed, "rounds": rounds }),
                )
            }
            _ => world.google(
                "churn",
                &json!({ "user": user, "source": "drive", "seed": seed, "rounds": rounds }),
            ),
        };
        std::thread::sleep(Duration::from_millis(20));
    }
}
