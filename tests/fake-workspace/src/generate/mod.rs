//! The seeded generator: who is in the domain, what they wrote to each other, and where it lies.
//! The same seed gives the same domain; only dates move, for they lead up to the start.

pub(crate) mod charsets;
pub(crate) mod drive;
mod files;
pub(crate) mod mail;
pub(crate) mod people;
mod render;
mod texts;

use crate::server::{Error, Options};
use crate::store::{Content, LabelId, Mailbox, NewMessage, ThreadChoice, ThreadId};
use crate::wire::rfc3339_seconds;
use crate::workspace::{AccountState, Role, User, UserIndex};
use mail::{Mail, Parent, Style, View, compose};
use people::World;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

const DAY_MS: i64 = 86_400_000;
/// Generated threads begin within this time before the start.
const SPAN_DAYS: i64 = 60;
/// How far back the change log of a fresh mailbox reaches; Google promises about a week.
const LOG_DAYS: i64 = 7;

/// A generated domain, not yet behind locks.
#[derive(Debug)]
pub(crate) struct Domain {
    pub(crate) world: World,
    pub(crate) users: Vec<User>,
    pub(crate) mailboxes: Vec<Mailbox>,
    pub(crate) drive: crate::drive::store::Store,
}

/// A copy of a mail in somebody's mailbox, before it has an id.
#[derive(Debug)]
struct Copy {
    thread: u32,
    date: i64,
    mail: Arc<Mail>,
    view: View,
    labels: Vec<LabelId>,
}

/// Generates users and mailboxes as `options` say; `now` is in milliseconds since 1970.
pub(crate) fn domain(options: &Options, now: i64) -> Result<Domain, Error> {
    let mut rng = fastrand::Rng::with_seed(options.seed);
    let world = World::generate(options.users, &mut rng);
    let users = users(&world, options, &mut rng, now);
    let copies = threads(&world, options, &mut rng, now);
    let mut files = match &options.mail {
        None => Vec::new(),
        Some(folder) => files::load(folder, now)?,
    };
    let jobs: Vec<Job> = copies
        .into_iter()
        .enumerate()
        .map(|(index, copies)| Job {
            rng: fastrand::Rng::with_seed(rng.u64(..)),
            copies,
            files: files
                .extract_if(.., |file| file.number % users.len() == index)
                .collect(),
        })
        .collect();
    let mailboxes = fill_all(jobs, now);
    let drive = drive::drive(&world, options.files, options.seed, now);
    Ok(Domain {
        drive,
        world,
        users,
        mailboxes,
    })
}

fn users(world: &World, options: &Options, rng: &mut fastrand::Rng, now: i64) -> Vec<User> {
    let n_active = world.members.len() - options.suspended;
    world
        .members
        .iter()
        .enumerate()
        .map(|(index, member)| User {
            index: UserIndex(index),
            id: format!("1{:020}", rng.u64(..)),
            primary: member.address.address.to_string(),
            aliases: member.aliases.clone(),
            fixed_aliases: vec![format!("{}.test-google-a.com", member.address.address)],
            given_name: member.given_name.to_owned(),
            family_name: member.family_name.to_owned(),
            org_unit: people::ORG_UNITS[rng.usize(..people::ORG_UNITS.len())].to_owned(),
            created: rfc3339_seconds(now - rng.i64(400..2_000) * DAY_MS),
            role: if index == 0 {
                Role::Admin
            } else {
                Role::Member
            },
            state: if index < n_active {
                AccountState::Active
            } else {
                AccountState::Suspended
            },
            archived: false,
            deleted_ms: None,
            mailbox_setup: true,
        })
        .collect()
}

/// The size of each mailbox: uneven, as in life, and exact in the sum.
fn quotas(options: &Options, rng: &mut fastrand::Rng) -> Vec<usize> {
    let weights: Vec<f64> = (0..options.users).map(|_| 0.5 + rng.f64() * 1.5).collect();
    let sum: f64 = weights.iter().sum();
    let mut quotas: Vec<usize> = weights
        .iter()
        .map(|weight| (options.messages as f64 * weight / sum) as usize)
        .collect();
    let missing = options.messages - quotas.iter().sum::<usize>().min(options.messages);
    for at in 0..missing {
        quotas[at % options.users] += 1;
    }
    quotas
}

/// Writes threads until each mailbox has its number of copies.
fn threads(world: &World, options: &Options, rng: &mut fastrand::Rng, now: i64) -> Vec<Vec<Copy>> {
    let quotas = quotas(options, rng);
    let mut copies: Vec<Vec<Copy>> = quotas
        .iter()
        .map(|quota| Vec::with_capacity(*quota))
        .collect();
    let mut thread = 0;
    for index in 0..options.users {
        while copies[index].len() < quotas[index] {
            thread += 1;
            let start = now - rng.i64(DAY_MS / 24..SPAN_DAYS * DAY_MS);
            write_thread(
                world,
                UserIndex(index),
                start,
                now,
                rng,
                |member, mut copy| {
                    if copies[member.0].len() < quotas[member.0] {
                        copy.thread = thread;
                        copies[member.0].push(copy);
                    }
                },
            );
        }
    }
    copies
}

/// One conversation that `owner` takes part in.
fn write_thread(
    world: &World,
    owner: UserIndex,
    start: i64,
    now: i64,
    rng: &mut fastrand::Rng,
    mut deliver: impl FnMut(UserIndex, Copy),
) {
    let style = Style::random(rng);
    let n_mails = if style.has_replies() {
        [1, 1, 1, 2, 2, 3, 4, 6][rng.usize(..8)]
    } else {
        1
    };
    let own = &world.members[owner.0].address;
    let mut others = world.correspondents(owner, rng);
    let mut from = own.clone();
    // Most threads are begun by somebody else.
    if style.comes_from_outside() {
        from = world.outsiders[rng.usize(..world.outsiders.len())].clone();
        others = vec![own.clone()];
    } else if rng.u8(..10) < 7 {
        std::mem::swap(&mut from, &mut others[0]);
    }
    let mut date = start;
    let mut parent: Option<Parent> = None;
    for _ in 0..n_mails {
        let mail = Arc::new(compose(
            world,
            style,
            &from,
            &others,
            parent.as_ref(),
            date,
            rng,
        ));
        for (member, view, labels) in deliveries(world, &mail, date, now, rng) {
            deliver(
                member,
                Copy {
                    thread: 0,
                    date: date + rng.i64(0..4_000),
                    mail: mail.clone(),
                    view,
                    labels,
                },
            );
        }
        parent = Some(Parent::of(&mail));
        let next = rng.usize(..others.len());
        std::mem::swap(&mut from, &mut others[next]);
        date = (date + rng.i64(120_000..DAY_MS)).min(now - rng.i64(60_000..DAY_MS / 24));
        if date <= mail.date {
            break;
        }
    }
}

/// Whose mailboxes a mail reaches, in which form and with which labels.
pub(crate) fn deliveries(
    world: &World,
    mail: &Mail,
    date: i64,
    now: i64,
    rng: &mut fastrand::Rng,
) -> Vec<(UserIndex, View, Vec<LabelId>)> {
    let mut found = Vec::new();
    if let Some(sender) = world.member(&mail.from) {
        let label = if mail.style != Style::AutoReply && rng.u8(..) < 4 {
            "DRAFT"
        } else {
            "SENT"
        };
        found.push((sender, View::Sent, vec![LabelId::new(label)]));
        if label == "DRAFT" {
            return found;
        }
    }
    for recipient in mail.to.iter().chain(&mail.cc).chain(&mail.hidden) {
        if let Some(member) = world.member(recipient)
            && found.iter().all(|(seen, ..)| *seen != member)
        {
            let labels = received_labels(mail, now - date, rng);
            found.push((member, View::Received(recipient.address.clone()), labels));
        }
    }
    found
}

/// Labels of a mail that came in `age` milliseconds ago.
fn received_labels(mail: &Mail, age: i64, rng: &mut fastrand::Rng) -> Vec<LabelId> {
    let mut labels = Vec::new();
    let mut add = |name: &str| labels.push(LabelId::new(name));
    match rng.u16(..1000) {
        0..15 => add("TRASH"),
        15..30 => add("SPAM"),
        30..300 => {}
        _ => add("INBOX"),
    }
    // What is old has been read, mostly.
    if rng.u8(..100) < if age < 3 * DAY_MS { 60 } else { 12 } {
        add("UNREAD");
    }
    match mail.style {
        Style::Newsletter => add("CATEGORY_PROMOTIONS"),
        Style::List => add("CATEGORY_FORUMS"),
        Style::AutoReply | Style::Invite => add("CATEGORY_UPDATES"),
        _ => add("CATEGORY_PERSONAL"),
    }
    if rng.u8(..100) < 30 {
        add("IMPORTANT");
    }
    if rng.u8(..100) < 5 {
        add("STARRED");
    }
    if rng.u8(..100) < 20 {
        labels.push(LabelId::new(&format!(
            "Label_{}",
            rng.usize(1..=people::USER_LABELS.len())
        )));
    }
    labels
}

/// What one mailbox is made from.
struct Job {
    rng: fastrand::Rng,
    copies: Vec<Copy>,
    files: Vec<files::MailFile>,
}

/// All cores share the work; each mailbox has its own generator, so the order does not matter.
fn fill_all(jobs: Vec<Job>, now: i64) -> Vec<Mailbox> {
    let n_threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let next = Mutex::new(jobs.into_iter().enumerate());
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..n_threads {
            scope.spawn(|| {
                loop {
                    let job = next.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some((index, job)) = job else { return };
                    let mailbox = fill(job, now);
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    done.push((index, mailbox));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, mailbox)| mailbox).collect()
}

fn fill(job: Job, now: i64) -> Mailbox {
    let Job {
        mut rng,
        mut copies,
        files: own_files,
    } = job;
    let names: BTreeMap<LabelId, String> = people::USER_LABELS
        .iter()
        .enumerate()
        .map(|(at, name)| {
            (
                LabelId::new(&format!("Label_{}", at + 1)),
                (*name).to_owned(),
            )
        })
        .collect();
    let mut mailbox = Mailbox::new(fastrand::Rng::with_seed(rng.u64(..)), names);
    copies.sort_by_key(|copy| copy.date);
    // A relic of the old chats, which still comes out of listings.
    let at = copies.len() / 2;
    if copies.len() >= 20 {
        copies[at].labels = vec![LabelId::new("CHAT")];
    }
    let mut threads: HashMap<u32, ThreadId> = HashMap::new();
    let mut own_files = own_files.into_iter().peekable();
    let mut floor = mailbox.history_id();
    for copy in copies {
        while let Some(file) = own_files.next_if(|file| file.date <= copy.date) {
            mailbox.insert(file.into_message(&mut rng));
        }
        if copy.date < now - LOG_DAYS * DAY_MS {
            floor = mailbox.history_id();
        }
        let id = mailbox.insert(NewMessage {
            summary: copy.mail.summary.clone(),
            content: Content::Generated(copy.mail, copy.view),
            labels: copy.labels,
            internal_date: copy.date,
            thread: match threads.get(&copy.thread) {
                Some(thread) => ThreadChoice::Given(*thread),
                None => ThreadChoice::ByReferences,
            },
        });
        if let Some(message) = mailbox.message(id) {
            threads.entry(copy.thread).or_insert(message.thread);
        }
    }
    for file in own_files {
        mailbox.insert(file.into_message(&mut rng));
    }
    mailbox.forget_history_before(floor);
    mailbox
}
