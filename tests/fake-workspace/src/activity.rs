//! Life in the domain: random changes, either as a trickle over all mailboxes or as a burst in one.

use crate::calendar;
use crate::generate::deliveries;
use crate::generate::mail::{Address, Mail, Parent, Style, View, compose};
use crate::store::{Content, LabelId, Mailbox, MessageId, NewMessage, ThreadChoice};
use crate::workspace::{UserIndex, Workspace, now_ms};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Most changes that one step of the trickle catches up, after a pause of the machine.
const MAX_CATCH_UP: f64 = 100.0;

/// One in so many changes of the trickle brings one in a calendar with it.
const CALENDAR_SHARE: u8 = 8;

/// Which mailboxes a new mail may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    OneMailbox,
    Domain,
}

/// What was done to a mailbox; also the word in the counts.
pub(crate) type Deed = &'static str;

/// Makes changes at the rate that the workspace is set to, for ever.
pub(crate) async fn trickle(workspace: Arc<Workspace>, seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x0074_7269_636b_6c65);
    let mut credit = 0.0;
    let mut last = Instant::now();
    loop {
        let wait = 1.0 / workspace.rate().clamp(5.0, 200.0);
        tokio::time::sleep(Duration::from_secs_f64(wait)).await;
        let rate = workspace.rate();
        credit = (credit + last.elapsed().as_secs_f64() * *rate).min(MAX_CATCH_UP);
        last = Instant::now();
        while credit >= 1.0 && *rate > 0.0 {
            credit -= 1.0;
            if let Some(user) = active_user(&workspace, &mut rng) {
                change(&workspace, user, Reach::Domain, &mut rng);
                if rng.u8(..CALENDAR_SHARE) == 0 {
                    calendar::activity::change(&workspace, user, "primary", &mut rng);
                }
            }
        }
    }
}

fn active_user(workspace: &Workspace, rng: &mut fastrand::Rng) -> Option<UserIndex> {
    let users = workspace.users();
    let active: Vec<UserIndex> = users
        .iter()
        .filter(|user| user.is_active())
        .map(|user| user.index)
        .collect();
    rng.choice(active)
}

/// A burst of `rounds` changes in one mailbox; the same seed on the same mailbox does the same.
pub(crate) fn churn(
    workspace: &Workspace,
    user: UserIndex,
    seed: u64,
    rounds: u64,
) -> BTreeMap<Deed, u64> {
    let mut rng = fastrand::Rng::with_seed(seed);
    repeat(rounds, || {
        change(workspace, user, Reach::OneMailbox, &mut rng)
    })
}

/// Makes `rounds` changes and counts them by what they were.
pub(crate) fn repeat(rounds: u64, mut change: impl FnMut() -> Deed) -> BTreeMap<Deed, u64> {
    let mut counts = BTreeMap::new();
    for _ in 0..rounds {
        *counts.entry(change()).or_default() += 1;
    }
    counts
}

fn change(workspace: &Workspace, user: UserIndex, reach: Reach, rng: &mut fastrand::Rng) -> Deed {
    let roll = rng.u8(..100);
    if roll < 40 {
        return write_new(workspace, user, reach, rng);
    }
    if roll < 55 {
        return reply(workspace, user, reach, rng);
    }
    let mut mailbox = workspace.mailbox(user);
    let hidden = matches!(roll, 90..93);
    let Some(id) = any_message(&mailbox, hidden, rng) else {
        drop(mailbox);
        return write_new(workspace, user, reach, rng);
    };
    // A mailbox that was made anew has no labels of its own.
    let own_label = format!("Label_{}", rng.u8(1..9));
    let own_label = if mailbox.knows_label(&own_label) {
        own_label
    } else {
        "STARRED".to_owned()
    };
    let (deed, done) = match roll {
        55..70 => ("read", toggle(&mut mailbox, id, "UNREAD")),
        70..76 => ("starred", toggle(&mut mailbox, id, "STARRED")),
        76..81 => ("archived", toggle(&mut mailbox, id, "INBOX")),
        81..85 => ("labelled", toggle(&mut mailbox, id, &own_label)),
        85..90 => ("trashed", mailbox.trash(id)),
        90..93 => (
            "restored",
            mailbox.relabel(
                id,
                &[LabelId::new("INBOX")],
                &[LabelId::new("TRASH"), LabelId::new("SPAM")],
            ),
        ),
        93..95 => (
            "spam",
            mailbox.relabel(id, &[LabelId::new("SPAM")], &[LabelId::new("INBOX")]),
        ),
        _ => ("deleted", mailbox.delete(id)),
    };
    done.expect("the message was found under the same lock");
    deed
}

fn toggle(mailbox: &mut Mailbox, id: MessageId, label: &str) -> Option<()> {
    let label = [LabelId::new(label)];
    if mailbox.message(id)?.has(label[0].as_str()) {
        mailbox.relabel(id, &[], &label)
    } else {
        mailbox.relabel(id, &label, &[])
    }
}

/// A message that a person would touch: half of the time a recent one.
fn any_message(mailbox: &Mailbox, hidden: bool, rng: &mut fastrand::Rng) -> Option<MessageId> {
    let n_messages = mailbox.n_messages();
    let window = if rng.bool() {
        n_messages
    } else {
        n_messages.min(50)
    };
    if window == 0 {
        return None;
    }
    let wanted = |message: &&crate::store::Message| {
        !message.has("CHAT")
            && !message.has("DRAFT")
            && (message.has("TRASH") || message.has("SPAM")) == hidden
    };
    let skip = rng.usize(..window);
    let found = mailbox.newest_first(None).skip(skip).find(wanted);
    found
        .or_else(|| mailbox.newest_first(None).find(wanted))
        .map(|message| message.id)
}

fn write_new(
    workspace: &Workspace,
    user: UserIndex,
    reach: Reach,
    rng: &mut fastrand::Rng,
) -> Deed {
    let world = &workspace.world;
    let own = world.members[user.0].address.clone();
    let mut others = world.correspondents(user, rng);
    let style = Style::random(rng);
    let from = if style.comes_from_outside() {
        others = vec![own];
        world.outsiders[rng.usize(..world.outsiders.len())].clone()
    } else if rng.u8(..10) < 7 {
        std::mem::replace(&mut others[0], own)
    } else {
        own
    };
    let mail = compose(world, style, &from, &others, None, now_ms(), rng);
    deliver(workspace, user, reach, mail, rng);
    "added"
}

fn reply(workspace: &Workspace, user: UserIndex, reach: Reach, rng: &mut fastrand::Rng) -> Deed {
    let parent = {
        let mailbox = workspace.mailbox(user);
        any_message(&mailbox, false, rng)
            .and_then(|id| mailbox.message(id))
            .map(|message| Parent::of_summary(&message.summary))
    };
    let world = &workspace.world;
    let own = world.members[user.0].address.clone();
    let mut others: Vec<Address> = world.correspondents(user, rng);
    let from = if rng.bool() {
        own
    } else {
        std::mem::replace(&mut others[0], own)
    };
    let mail = compose(
        world,
        Style::Alternative,
        &from,
        &others,
        parent.as_ref(),
        now_ms(),
        rng,
    );
    deliver(workspace, user, reach, mail, rng);
    "replied"
}

fn deliver(
    workspace: &Workspace,
    user: UserIndex,
    reach: Reach,
    mail: Mail,
    rng: &mut fastrand::Rng,
) {
    let now = now_ms();
    let mail = Arc::new(mail);
    for (member, view, labels) in deliveries(&workspace.world, &mail, now, now, rng) {
        let wanted = match reach {
            Reach::OneMailbox => member == user,
            // Mail to suspended, archived and deleted users bounces.
            Reach::Domain => workspace.users()[member.0].is_active(),
        };
        if wanted {
            let mut mailbox = workspace.mailbox(member);
            // A mailbox that was made anew has no labels of its own.
            let labels = labels
                .into_iter()
                .filter(|label| mailbox.knows_label(label.as_str()))
                .collect();
            mailbox.insert(message(&mail, view, labels, now));
        }
    }
}

fn message(mail: &Arc<Mail>, view: View, labels: Vec<LabelId>, internal_date: i64) -> NewMessage {
    NewMessage {
        summary: mail.summary.clone(),
        content: Content::Generated(mail.clone(), view),
        labels,
        internal_date,
        thread: ThreadChoice::ByReferences,
    }
}
