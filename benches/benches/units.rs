//! What a mailbox's first walk costs in Google's units: the planner, which reads threads where
//! that is cheaper, against a get of each message. Both are the real feed on a fake Workspace;
//! the fake counts. Plain gets are what the feed does for a sink that wants the bytes.
//!
//! `least` is what the same mailbox costs at least: for each thread the cheaper of one
//! `threads.get` and a get of each message, and the listing.

#![expect(clippy::print_stdout, reason = "a benchmark's output is its result")]

use async_trait::async_trait;
use fake_workspace::{Options, PriceList, Server};
use nuncio_google::{ApiName, Endpoint, Google, Key, Limit, Limits, QuotaOptions};
use nuncio_model::{
    AccountKey, Address, Append, Appended, Content, FailedItem, Feed, FeedId, FeedSpec, IndexRow,
    ItemId, Membership, NewAccount, People, Person, Secret, Source, StoreError, StoredAccount,
    SystemClock,
};
use nuncio_sources::gmail::{self, MailOptions};
use nuncio_sources::{
    AccountOptions, Accounts, Commons, FeedHealth, FeedState, Identity, Pace, Shared, Store,
};
use nuncio_spool::{Options as SpoolOptions, Spool};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

const MESSAGES: usize = 900;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How the mails of a mailbox hang together.
#[derive(Clone, Copy)]
enum Shape {
    /// Threads of so many mails, one after the other.
    Threads(usize),
    /// Threads of so many mails, spread over the whole mailbox.
    Spread(usize),
    /// As the fake generates a company.
    Generated,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    println!("{MESSAGES} mails in one mailbox, content `text`; units per mail\n");
    println!("price list  shape               plain   planner  least   calls of threads.get");
    for list in [PriceList::May2026, PriceList::Legacy] {
        for (name, shape) in [
            ("no threads", Shape::Threads(1)),
            ("threads of 2", Shape::Threads(2)),
            ("threads of 4", Shape::Threads(4)),
            ("threads of 4 spread", Shape::Spread(4)),
            ("threads of 30", Shape::Threads(30)),
            ("generated", Shape::Generated),
        ] {
            let plain = walk(list, shape, Content::Raw).await?;
            let planned = walk(list, shape, Content::Text).await?;
            let list = if list == PriceList::Legacy {
                "legacy"
            } else {
                "2026-05"
            };
            println!(
                "{list:<11} {name:<19} {:>6.2}  {:>7.2}  {:>5.2}   {}",
                plain.per_mail, planned.per_mail, planned.least, planned.n_threads
            );
        }
    }
    Ok(())
}

struct Cost {
    per_mail: f64,
    least: f64,
    n_threads: u64,
}

/// Walks a new mailbox of that shape to its end.
async fn walk(list: PriceList, shape: Shape, content: Content) -> Result<Cost, Failure> {
    let dir = tempfile::tempdir()?;
    let mut options = Options::new(dir.path().join("google"));
    options.users = 1;
    (options.events, options.files, options.quota) = (0, 0, list);
    options.messages = if matches!(shape, Shape::Generated) {
        MESSAGES
    } else {
        0
    };
    let server = Server::start(options).await?;
    let user = server.users().remove(0);
    fill(&server, &user, shape)?;
    // Budgets are not what is measured here.
    let overrides = json!({ "user": user, "api": "gmail" });
    server.admin("quota.off", &overrides)?;
    let before = server.admin("stats", &json!({}))?;
    feed(&server, &user, list, content, dir.path()).await?;
    let after = server.admin("stats", &json!({}))?;
    let units = |stats: &Value| {
        stats["quota"]["units"]["gmail"]
            .as_f64()
            .unwrap_or_default()
    };
    let n_threads = &after["quota"]["allowed"];
    let (n_mails, least) = least(&server, &user, list)?;
    Ok(Cost {
        per_mail: (units(&after) - units(&before)) / n_mails,
        least: least / n_mails,
        n_threads: calls_of(n_threads, "gmail.users.threads.get"),
    })
}

/// The number that stands under this name, wherever that is.
fn calls_of(value: &Value, method: &str) -> u64 {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| match value.as_u64() {
                Some(n) if name == method => n,
                _ => calls_of(value, method),
            })
            .sum(),
        _ => 0,
    }
}

fn fill(server: &Server, user: &str, shape: Shape) -> Result<(), Failure> {
    let n_threads = match shape {
        Shape::Generated => return Ok(()),
        Shape::Threads(length) | Shape::Spread(length) => MESSAGES / length,
    };
    let mut threads: HashMap<usize, Value> = HashMap::new();
    for n in 0..MESSAGES {
        let thread = match shape {
            Shape::Threads(length) => n / length,
            _ => n % n_threads,
        };
        let text = format!(
            "From: Bob <bob@example.com>\r\nTo: {user}\r\nSubject: Plan {thread}\r\n\
             Date: Mon, 9 Nov 2026 01:01:40 +0000\r\nMessage-ID: <{n}@example.com>\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\r\nNumber {n}.\r\n"
        );
        let mut mail = json!({ "user": user, "text": text, "labelIds": ["INBOX"] });
        if let Some(id) = threads.get(&thread) {
            mail["threadId"] = id.clone();
        }
        let inserted = server.admin("gmail.insert", &mail)?;
        threads
            .entry(thread)
            .or_insert(inserted["threadId"].clone());
    }
    Ok(())
}

/// Mails that belong to the feed, and the units that they cost at least.
fn least(server: &Server, user: &str, list: PriceList) -> Result<(f64, f64), Failure> {
    let (message, thread) = if list == PriceList::Legacy {
        (5.0, 10.0)
    } else {
        (20.0, 40.0)
    };
    let truth = server.admin("truth", &json!({ "user": user }))?;
    let messages = truth["gmail"]["messages"]
        .as_array()
        .or(truth["messages"].as_array());
    let messages = messages.ok_or("the truth has no messages")?;
    let mut threads: HashMap<&str, f64> = HashMap::new();
    for message in messages {
        *threads
            .entry(message["threadId"].as_str().unwrap_or_default())
            .or_insert(0.0) += 1.0;
    }
    let gets: f64 = threads
        .values()
        .map(|n| f64::min(n * message, thread))
        .sum();
    let n = messages.len() as f64;
    Ok((n, gets + 5.0 * (n / 500.0).ceil()))
}

/// Runs the feed until it is live.
async fn feed(
    server: &Server,
    user: &str,
    list: PriceList,
    content: Content,
    dir: &std::path::Path,
) -> Result<(), Failure> {
    let endpoint = Endpoint::parse(server.base())?;
    let file = Secret::new(std::fs::read_to_string(server.key_path())?);
    let key = Key::parse(&file, &endpoint)?;
    let most = u64::MAX / 100;
    let quota = QuotaOptions {
        list: match list {
            PriceList::Legacy => nuncio_google::PriceList::Legacy,
            PriceList::May2026 | PriceList::Off => nuncio_google::PriceList::May2026,
        },
        overrides: Limit::ALL
            .map(|limit| (ApiName::Gmail, limit, most))
            .to_vec(),
        ..QuotaOptions::default()
    };
    let clock = Arc::new(SystemClock);
    let google = Google::open(key, endpoint, clock.clone(), Limits::default(), quota, &[])?;
    let spool = Spool::open(SpoolOptions {
        dir: dir.join("spool"),
        max_bytes: 1 << 40,
        clock: clock.clone(),
    })
    .await?;
    let address = Address::parse(user).ok_or("a user's address")?;
    let person = Person {
        email: address.clone(),
        aliases: vec![],
    };
    let people = People::try_new(&[person], &[]).map_err(|_| "one user has no namesake")?;
    let shared = Shared {
        google,
        directory: None,
        store: Arc::new(Ports(spool.clone())),
        identity: Arc::new(Identity::new(people, HashMap::new())),
        clock,
        accounts: Arc::new(Accounts::default()),
        pace: Arc::new(Pace::default()),
        commons: Arc::new(Commons::default()),
    };
    let options = MailOptions {
        account: AccountOptions {
            user: address.clone(),
            address,
            key: Some(AccountKey::new("key")),
            former: Vec::new(),
        },
        poll_interval: Duration::from_secs(3_600),
        since: None,
        include_spam_trash: false,
        include_drafts: false,
        content,
    };
    let (health, mut seen) = watch::channel(FeedHealth::default());
    let (_commands, mut commands) = mpsc::channel(1);
    let stop = CancellationToken::new();
    let stopper = stop.clone();
    let watching = async move {
        // An end of the channel shows as the feed's own error below.
        let live = seen
            .wait_for(|health| health.state == FeedState::Live)
            .await
            .is_ok();
        stopper.cancel();
        live
    };
    let running = gmail::run(options, shared, health, &mut commands, stop);
    let (ran, is_live) = tokio::join!(running, watching);
    ran?;
    spool.close().await;
    is_live.then_some(()).ok_or("the walk did not end")?;
    Ok(())
}

/// The spool behind the port.
struct Ports(Spool);

#[async_trait]
impl Store for Ports {
    async fn account_by_address(&self, address: &str) -> Result<Option<StoredAccount>, StoreError> {
        match Address::parse(address) {
            Some(address) => self.0.account_by_address(&address).await,
            None => Ok(None),
        }
    }

    async fn freeze_account(&self, account: NewAccount) -> Result<StoredAccount, StoreError> {
        self.0.freeze_account(account).await
    }

    async fn open_feed(&self, spec: FeedSpec, floor: Option<i64>) -> Result<Feed, StoreError> {
        self.0.open_feed(spec, floor).await
    }

    async fn append(&self, append: Append) -> Result<Appended, StoreError> {
        self.0.append(append).await
    }

    async fn lookup(
        &self,
        feed: FeedId,
        items: Vec<ItemId>,
    ) -> Result<Vec<Option<IndexRow>>, StoreError> {
        self.0.lookup(feed, &items).await
    }

    async fn rows(
        &self,
        feed: FeedId,
        after: Option<ItemId>,
        limit: u32,
    ) -> Result<Vec<IndexRow>, StoreError> {
        self.0.rows(feed, after, limit as usize).await
    }

    async fn unmarked(
        &self,
        feed: FeedId,
        generation: u64,
        baseline: u64,
        limit: u32,
    ) -> Result<Vec<IndexRow>, StoreError> {
        self.0
            .unmarked(feed, generation, baseline, None, limit as usize)
            .await
    }

    async fn count_unmarked(
        &self,
        feed: FeedId,
        generation: u64,
        baseline: u64,
    ) -> Result<u64, StoreError> {
        self.0.count_unmarked(feed, generation, baseline).await
    }

    async fn count_items(&self, feed: FeedId) -> Result<u64, StoreError> {
        self.0.count_items(feed).await
    }

    async fn next_generation(&self, feed: FeedId) -> Result<u64, StoreError> {
        self.0.next_generation(feed).await
    }

    async fn due_failures(
        &self,
        feed: FeedId,
        now: i64,
        limit: u32,
    ) -> Result<Vec<FailedItem>, StoreError> {
        self.0.due_failures(feed, now, limit as usize).await
    }

    async fn failed_items(&self, feed: FeedId, limit: u32) -> Result<Vec<FailedItem>, StoreError> {
        self.0.failed_items_of(feed, limit as usize).await
    }

    async fn hasten_failures(
        &self,
        feed: FeedId,
        items: Vec<ItemId>,
        now: i64,
    ) -> Result<(), StoreError> {
        self.0.hasten_failures(feed, items, now).await
    }

    async fn kept_identity(&self) -> Result<Option<String>, StoreError> {
        Ok(None)
    }

    async fn keep_identity(&self, _text: String) -> Result<(), StoreError> {
        Ok(())
    }

    async fn account_by_key(&self, key: &AccountKey) -> Result<Option<StoredAccount>, StoreError> {
        self.0.account_by_key(key).await
    }

    async fn memberships(
        &self,
        source: Source,
        account: &AccountKey,
    ) -> Result<Vec<Membership>, StoreError> {
        self.0.memberships(source, account).await
    }

    async fn set_memberships(
        &self,
        source: Source,
        account: &AccountKey,
        memberships: Vec<Membership>,
    ) -> Result<(), StoreError> {
        self.0.set_memberships(source, account, memberships).await
    }

    async fn has_room_for_walks(&self) -> Result<bool, StoreError> {
        Ok(true)
    }
}
