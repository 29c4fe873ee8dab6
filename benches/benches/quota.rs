//! How much of Google's budgets is used, and how many calls are refused, when the mailboxes of a
//! whole domain are walked at once: 200 users on a fake Workspace that counts as Google does,
//! under both price lists and both ways of charging delegated calls. Each user walks with as many
//! calls as the governor lets it and polls its history besides.
//!
//! Daemon's part and fake share this process; the last column tells how many cores both took, for where that is all
//! that the machine has, the machine is the limit and not a budget. `NUNCIO_USERS` sets how many users, `NUNCIO_ONLY`
//! leaves out what does not have the word in its row.
//!
//! The first minute is not counted: budgets begin empty, and a domain that Google charges to the
//! service account is found out by refusals.

#![expect(clippy::print_stdout, reason = "a benchmark's output is its result")]

use fake_workspace::{ChargeTo, Options, PriceList, Server};
use nuncio_benches::cpu_time;
use nuncio_google::{
    ApiName, Endpoint, Gmail, Google, Key, Limit, Limits, ListMessages, QuotaOptions,
};
use nuncio_model::{AccountKey, Address, ItemId, Secret, SystemClock};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Walking tasks of a user; how many calls run is up to the governor.
const WALKERS: usize = 8;
const POLL_INTERVAL: Duration = Duration::from_secs(10);
const WARM_UP: Duration = Duration::from_secs(60);
/// Whole minutes, since the budgets are per minute.
const MEASURED: Duration = Duration::from_secs(120);

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let n_users = std::env::var("NUNCIO_USERS").ok();
    let n_users = n_users.and_then(|n| n.parse().ok()).unwrap_or(200);
    let only = std::env::var("NUNCIO_ONLY").unwrap_or_default();
    println!(
        "{n_users} users, {} s after {} s of warm-up\n",
        MEASURED.as_secs(),
        WARM_UP.as_secs()
    );
    println!("price list  charged          units/min   allowed  used   refused of calls  cores");
    for list in [PriceList::May2026, PriceList::Legacy] {
        for charge in [ChargeTo::Mailbox, ChargeTo::ServiceAccount] {
            let name = row(list, charge);
            if name.contains(&only) {
                measure(&name, n_users, list, charge).await?;
            }
        }
    }
    Ok(())
}

/// What a row is called.
fn row(list: PriceList, charge: ChargeTo) -> String {
    let name = if list == PriceList::Legacy {
        "legacy"
    } else {
        "2026-05"
    };
    let whom = match charge {
        ChargeTo::Mailbox => "mailbox",
        ChargeTo::ServiceAccount => "service account",
    };
    format!("{name:<11} {whom:<15}")
}

async fn measure(
    name: &str,
    n_users: usize,
    list: PriceList,
    charge: ChargeTo,
) -> Result<(), Failure> {
    let dir = tempfile::tempdir()?;
    let mut options = Options::new(dir.path());
    (options.users, options.messages) = (n_users, n_users * 20);
    (options.events, options.files) = (0, 0);
    (options.quota, options.charge) = (list, charge);
    let server = Server::start(options).await?;
    let quota = QuotaOptions {
        list: match list {
            PriceList::Legacy => nuncio_google::PriceList::Legacy,
            PriceList::May2026 | PriceList::Off => nuncio_google::PriceList::May2026,
        },
        // A day is not what is measured here.
        overrides: vec![(ApiName::Gmail, Limit::ProjectDay, u64::MAX / 100)],
        ..QuotaOptions::default()
    };
    let endpoint = Endpoint::parse(server.base())?;
    let file = Secret::new(std::fs::read_to_string(server.key_path())?);
    let key = Key::parse(&file, &endpoint)?;
    let google = Google::open(
        key,
        endpoint,
        Arc::new(SystemClock),
        Limits::default(),
        quota,
        &[],
    )?;
    let mut tasks = JoinSet::new();
    for user in server.users() {
        let address = Address::parse(&user).ok_or("a user's address")?;
        let gmail = google.gmail(&AccountKey::new(user), &address);
        tasks.spawn(poll(gmail.clone()));
        let walking = gmail.walking();
        let ids = Arc::new(list_ids(&walking).await);
        for n in 0..WALKERS {
            tasks.spawn(walk(walking.clone(), Arc::clone(&ids), n));
        }
    }
    tokio::time::sleep(WARM_UP).await;
    let (before, begun) = (spent(&server)?, Instant::now());
    let cpu = cpu_time().unwrap_or_default();
    tokio::time::sleep(MEASURED).await;
    let (after, took) = (spent(&server)?, begun.elapsed());
    let cpu = cpu_time().unwrap_or_default() - cpu;
    tasks.shutdown().await;

    let minutes = took.as_secs_f64() / 60.0;
    let per_minute = (after.units - before.units) as f64 / minutes;
    let allowed = allowed(n_users, list, charge);
    let (n_refused, n_calls) = (
        after.n_refused - before.n_refused,
        after.n_calls - before.n_calls,
    );
    println!(
        "{name} {per_minute:>10.0} {allowed:>9.0} {:>5.1}%  {n_refused} of {} ({:.3}%)  {:.2}",
        per_minute * 100.0 / allowed,
        n_calls + n_refused,
        n_refused as f64 * 100.0 / (n_calls + n_refused).max(1) as f64,
        cpu.as_secs_f64() / took.as_secs_f64(),
    );
    Ok(())
}

/// Units a minute that the tightest budget allows.
fn allowed(n_users: usize, list: PriceList, charge: ChargeTo) -> f64 {
    let user = if list == PriceList::Legacy {
        15_000.0
    } else {
        6_000.0
    };
    match charge {
        ChargeTo::Mailbox => f64::min(user * n_users as f64, 1_200_000.0),
        ChargeTo::ServiceAccount => user,
    }
}

async fn list_ids(gmail: &Gmail) -> Vec<ItemId> {
    let page = gmail.list_messages(&ListMessages::default()).await;
    let messages = page.map(|page| page.messages).unwrap_or_default();
    messages.into_iter().map(|message| message.id).collect()
}

/// Reads one message after the other for ever; a refusal is counted by the server.
async fn walk(gmail: Gmail, ids: Arc<Vec<ItemId>>, mut n: usize) {
    loop {
        let Some(id) = ids.get(n % ids.len().max(1)) else {
            tokio::time::sleep(Duration::from_secs(1)).await;
            continue;
        };
        n += 1;
        if gmail.message_minimal(id).await.is_err() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

async fn poll(gmail: Gmail) {
    let start = match gmail.profile().await {
        Ok(profile) => profile.history_id,
        Err(_) => 1,
    };
    loop {
        // What it tells is not looked at: it is here to be charged.
        drop(gmail.history(start, None, 0).await);
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// What the server has counted.
struct Spent {
    units: u64,
    n_calls: u64,
    n_refused: u64,
}

fn spent(server: &Server) -> Result<Spent, Failure> {
    let stats = server.admin("stats", &json!({}))?;
    let quota = &stats["quota"];
    Ok(Spent {
        units: quota["units"]["gmail"].as_u64().unwrap_or_default(),
        n_calls: sum(&quota["allowed"]),
        n_refused: sum(&quota["refused"]),
    })
}

/// The sum of all numbers within.
fn sum(value: &Value) -> u64 {
    match value {
        Value::Object(members) => members.values().map(sum).sum(),
        Value::Number(number) => number.as_u64().unwrap_or_default(),
        _ => 0,
    }
}
