//! What an account costs the real daemon: memory and processor time of a domain of a thousand
//! users with mail, calendar and files, first while all is walked, then while nothing happens, then again after a
//! restart, which shows what of the memory is the accounts' and what is left of the walks.
//! `NUNCIO_ACCOUNTS` sets how many. Not a timed test: it prints, and asserts nothing.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use nuncio_tests::{Usage, World, is_idle};
use std::time::{Duration, Instant};

const MAILS: usize = 20;
const EVENTS: usize = 10;
const FILES: usize = 10;

/// How long the daemon is watched while nothing happens: several polls of each feed.
const IDLE: Duration = Duration::from_secs(120);

#[tokio::main]
#[expect(
    clippy::disallowed_methods,
    reason = "the time in which nothing happens is what is measured"
)]
async fn main() {
    let n = std::env::var("NUNCIO_ACCOUNTS").ok();
    let n: usize = n.and_then(|n| n.parse().ok()).unwrap_or(1_000);
    let mut world = World::start_with(|options| {
        (options.users, options.seed) = (n, 1_000);
        // With TLS the daemon speaks HTTP/2 over one connection, as with Google; without, it keeps hundreds open.
        options.tls = true;
        (options.messages, options.events, options.files) = (n * MAILS, n * EVENTS, n * FILES);
    })
    .await;
    let users = world.users();
    world.configure_domain(&users, "60s");
    world.start_daemon();
    let start = Instant::now();
    let status = world.wait_long("all is delivered", is_idle).await;
    let walked = start.elapsed();
    let first = world.daemon_usage();
    print("walk of all", n, walked, &Usage::default(), &first);
    let items: u64 = status["sinks"].as_array().map_or(0, |sinks| {
        sinks
            .iter()
            .filter_map(|sink| sink["delivered"].as_u64())
            .sum()
    });
    println!("  {items} records delivered to two sinks");
    std::thread::sleep(IDLE);
    let last = world.daemon_usage();
    print("nothing happens", n, IDLE, &first, &last);
    world.stop_daemon().await;
    world.start_daemon();
    let start = Instant::now();
    world.wait_long("all is live again", is_idle).await;
    let first = world.daemon_usage();
    print("start", n, start.elapsed(), &Usage::default(), &first);
    std::thread::sleep(IDLE);
    let last = world.daemon_usage();
    print("nothing happens", n, IDLE, &first, &last);
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn print(what: &str, n: usize, wall: Duration, before: &Usage, after: &Usage) {
    let cpu = after.cpu.saturating_sub(before.cpu);
    println!(
        "{what}: {n} accounts in {:.1} s: {:.1} MB resident, {:.1} kB an account; {:.2} s of processor time, {:.2} ms an account",
        wall.as_secs_f64(),
        after.resident as f64 / 1e6,
        after.resident as f64 / 1e3 / n as f64,
        cpu.as_secs_f64(),
        cpu.as_secs_f64() * 1e3 / n as f64,
    );
}
