//! One mailbox: its messages, labels and change log. Rules of Gmail's storage live here, its JSON does not.
//! See <https://developers.google.com/workspace/gmail/api/guides/sync>.

use crate::generate::mail::{Mail, View};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Where a change log begins that was started over.
const FIRST_HISTORY_ID: u64 = 100;

/// Labels that every mailbox has; their ids are their names.
pub(crate) const SYSTEM_LABELS: [&str; 14] = [
    "CHAT",
    "SENT",
    "INBOX",
    "IMPORTANT",
    "TRASH",
    "DRAFT",
    "SPAM",
    "CATEGORY_FORUMS",
    "CATEGORY_UPDATES",
    "CATEGORY_PERSONAL",
    "CATEGORY_PROMOTIONS",
    "CATEGORY_SOCIAL",
    "STARRED",
    "UNREAD",
];

macro_rules! hexadecimal_id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) struct $name(pub(crate) u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:016x}", self.0)
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                u64::from_str_radix(text, 16).map(Self)
            }
        }
    };
}

hexadecimal_id!(
    /// 16 lower-case hexadecimal digits; valid in one mailbox only.
    MessageId
);
hexadecimal_id!(
    /// The id of the thread's first message.
    ThreadId
);

/// The id of a label: a system name or `Label_N`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LabelId(Arc<str>);

impl LabelId {
    pub(crate) fn new(text: &str) -> Self {
        Self(text.into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where the bytes of a message come from.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// Written out anew at each look, so that large domains cost little memory.
    Generated(Arc<Mail>, View),
    Stored(Bytes),
}

impl Content {
    pub(crate) fn raw(&self) -> Bytes {
        match self {
            Self::Generated(mail, view) => mail.render(view).into(),
            Self::Stored(raw) => raw.clone(),
        }
    }
}

/// What searching and threading need to know of a mail.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) from: Arc<str>,
    pub(crate) to: Arc<str>,
    pub(crate) cc: Arc<str>,
    pub(crate) subject: Arc<str>,
    /// Without angle brackets; empty if there is none.
    pub(crate) message_id: Arc<str>,
    /// Nearest ancestor last.
    pub(crate) references: Vec<Arc<str>>,
    pub(crate) list_id: Arc<str>,
    pub(crate) attachments: Vec<String>,
}

/// A message of one mailbox. Only labels and the history id ever change.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) id: MessageId,
    pub(crate) thread: ThreadId,
    /// Sorted.
    pub(crate) labels: Vec<LabelId>,
    /// Milliseconds since 1970.
    pub(crate) internal_date: i64,
    pub(crate) history_id: u64,
    /// Bytes of the raw form.
    pub(crate) size: usize,
    pub(crate) content: Content,
    pub(crate) summary: Arc<Summary>,
}

impl Message {
    pub(crate) fn has(&self, label: &str) -> bool {
        self.labels.iter().any(|own| own.as_str() == label)
    }
}

/// A message that is about to be stored.
#[derive(Debug)]
pub(crate) struct NewMessage {
    pub(crate) content: Content,
    pub(crate) summary: Arc<Summary>,
    pub(crate) size: usize,
    pub(crate) labels: Vec<LabelId>,
    pub(crate) internal_date: i64,
    pub(crate) thread: ThreadChoice,
}

/// How a new message finds its thread.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ThreadChoice {
    ByReferences,
    Given(ThreadId),
}

/// One entry of the change log.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) id: u64,
    pub(crate) message: MessageId,
    pub(crate) thread: ThreadId,
    pub(crate) kind: ChangeKind,
    /// The labels after the change.
    pub(crate) labels: Vec<LabelId>,
}

#[derive(Debug)]
pub(crate) enum ChangeKind {
    Added,
    Deleted,
    Relabelled {
        added: Vec<LabelId>,
        removed: Vec<LabelId>,
    },
    /// Something that the API does not show; Gmail lists such records without any typed list.
    Unseen,
}

/// A mailbox; the caller holds its lock.
#[derive(Debug)]
pub(crate) struct Mailbox {
    messages: HashMap<MessageId, Message>,
    order: BTreeSet<(i64, MessageId)>,
    thread_sizes: HashMap<ThreadId, usize>,
    threads_by_message_id: HashMap<Arc<str>, ThreadId>,
    user_labels: BTreeMap<LabelId, String>,
    log: Vec<Change>,
    history_id: u64,
    /// Start ids below this one have expired.
    history_floor: u64,
    rng: fastrand::Rng,
}

impl Mailbox {
    pub(crate) fn new(mut rng: fastrand::Rng, user_labels: BTreeMap<LabelId, String>) -> Self {
        let history_id = rng.u64(1_000..90_000);
        Self {
            messages: HashMap::new(),
            order: BTreeSet::new(),
            thread_sizes: HashMap::new(),
            threads_by_message_id: HashMap::new(),
            user_labels,
            log: Vec::new(),
            history_id,
            history_floor: history_id,
            rng,
        }
    }

    pub(crate) fn history_id(&self) -> u64 {
        self.history_id
    }

    pub(crate) fn history_floor(&self) -> u64 {
        self.history_floor
    }

    pub(crate) fn n_messages(&self) -> usize {
        self.messages.len()
    }

    pub(crate) fn n_threads(&self) -> usize {
        self.thread_sizes.len()
    }

    pub(crate) fn message(&self, id: MessageId) -> Option<&Message> {
        self.messages.get(&id)
    }

    pub(crate) fn has_thread(&self, id: ThreadId) -> bool {
        self.thread_sizes.contains_key(&id)
    }

    /// All messages that come after `position` in a listing, newest first; all of them without one.
    pub(crate) fn newest_first(
        &self,
        position: Option<(i64, MessageId)>,
    ) -> impl Iterator<Item = &Message> {
        let end = position.unwrap_or((i64::MAX, MessageId(u64::MAX)));
        self.order
            .range(..end)
            .rev()
            .filter_map(|(_, id)| self.messages.get(id))
    }

    /// Names of the user's own labels by id.
    pub(crate) fn user_labels(&self) -> &BTreeMap<LabelId, String> {
        &self.user_labels
    }

    /// Adds a label of the user's own.
    pub(crate) fn create_label(&mut self, name: &str) -> LabelId {
        let id = (self.user_labels.len() + 1..)
            .map(|number| LabelId::new(&format!("Label_{number}")))
            .find(|id| !self.user_labels.contains_key(id))
            .expect("numbers do not run out");
        self.user_labels.insert(id.clone(), name.to_owned());
        id
    }

    pub(crate) fn knows_label(&self, id: &str) -> bool {
        SYSTEM_LABELS.contains(&id) || self.user_labels.contains_key(&LabelId::new(id))
    }

    /// Records from `start` (exclusive) on.
    pub(crate) fn changes_after(&self, start: u64) -> &[Change] {
        let at = self.log.partition_point(|change| change.id <= start);
        &self.log[at..]
    }

    pub(crate) fn insert(&mut self, new: NewMessage) -> MessageId {
        let id = self.free_id(new.internal_date);
        let thread = match new.thread {
            ThreadChoice::Given(thread) => thread,
            ThreadChoice::ByReferences => new
                .summary
                .references
                .iter()
                .rev()
                .find_map(|reference| self.threads_by_message_id.get(reference).copied())
                .filter(|thread| self.has_thread(*thread))
                .unwrap_or(ThreadId(id.0)),
        };
        let mut labels = new.labels;
        labels.sort();
        labels.dedup();
        if !new.summary.message_id.is_empty() {
            self.threads_by_message_id
                .insert(new.summary.message_id.clone(), thread);
        }
        *self.thread_sizes.entry(thread).or_default() += 1;
        self.order.insert((new.internal_date, id));
        self.messages.insert(
            id,
            Message {
                id,
                thread,
                labels: labels.clone(),
                internal_date: new.internal_date,
                history_id: 0,
                size: new.size,
                content: new.content,
                summary: new.summary,
            },
        );
        self.record(id, thread, ChangeKind::Added, labels.clone());
        // Gmail's classifiers touch a part of the new mail once more, invisibly.
        if self.rng.u8(..) < 13 {
            self.record(id, thread, ChangeKind::Unseen, labels);
        }
        id
    }

    /// Adds and removes labels; what is already so leaves no record. `None` if there is no such message.
    pub(crate) fn relabel(
        &mut self,
        id: MessageId,
        add: &[LabelId],
        remove: &[LabelId],
    ) -> Option<()> {
        let message = self.messages.get_mut(&id)?;
        let removed: Vec<_> = remove
            .iter()
            .filter(|label| message.labels.contains(label) && !add.contains(label))
            .cloned()
            .collect();
        let mut added: Vec<LabelId> = Vec::new();
        for label in add {
            if !message.labels.contains(label) && !added.contains(label) {
                added.push(label.clone());
            }
        }
        if added.is_empty() && removed.is_empty() {
            return Some(());
        }
        message.labels.retain(|label| !removed.contains(label));
        message.labels.extend(added.iter().cloned());
        message.labels.sort();
        let (thread, labels) = (message.thread, message.labels.clone());
        self.record(
            id,
            thread,
            ChangeKind::Relabelled { added, removed },
            labels,
        );
        Some(())
    }

    pub(crate) fn trash(&mut self, id: MessageId) -> Option<()> {
        self.relabel(id, &[LabelId::new("TRASH")], &[LabelId::new("INBOX")])
    }

    pub(crate) fn untrash(&mut self, id: MessageId) -> Option<()> {
        self.relabel(id, &[], &[LabelId::new("TRASH")])
    }

    /// Removes a message for good.
    pub(crate) fn delete(&mut self, id: MessageId) -> Option<()> {
        let message = self.messages.remove(&id)?;
        self.order.remove(&(message.internal_date, id));
        if let Some(size) = self.thread_sizes.get_mut(&message.thread) {
            *size -= 1;
            if *size == 0 {
                self.thread_sizes.remove(&message.thread);
            }
        }
        self.record(id, message.thread, ChangeKind::Deleted, message.labels);
        Some(())
    }

    /// Cuts the change log: only start ids from now on are good. Returns the oldest good one.
    pub(crate) fn expire_history(&mut self) -> u64 {
        self.history_id = self.next_history_id();
        self.forget_history_before(self.history_id);
        self.history_floor
    }

    /// The change log starts over at a low id, as in a mailbox that was made anew and got its old
    /// mail back: every id that was ever given out lies above it. Returns the new position.
    pub(crate) fn restart_history(&mut self) -> u64 {
        self.history_id = FIRST_HISTORY_ID;
        self.forget_history_before(FIRST_HISTORY_ID);
        self.log.clear();
        for message in self.messages.values_mut() {
            message.history_id = FIRST_HISTORY_ID;
        }
        self.history_id
    }

    pub(crate) fn forget_history_before(&mut self, floor: u64) {
        self.history_floor = floor;
        self.log.retain(|change| change.id > floor);
    }

    fn record(&mut self, id: MessageId, thread: ThreadId, kind: ChangeKind, labels: Vec<LabelId>) {
        self.history_id = self.next_history_id();
        if let Some(message) = self.messages.get_mut(&id) {
            message.history_id = self.history_id;
        }
        self.log.push(Change {
            id: self.history_id,
            message: id,
            thread,
            kind,
            labels,
        });
    }

    /// Ids grow with random gaps, as Gmail documents.
    fn next_history_id(&mut self) -> u64 {
        self.history_id + self.rng.u64(1..60)
    }

    /// The high bits are the time, as in the ids seen in the field.
    fn free_id(&mut self, internal_date: i64) -> MessageId {
        let milliseconds = u64::try_from(internal_date).unwrap_or(0) & ((1 << 44) - 1);
        loop {
            let id = MessageId((milliseconds << 20 | self.rng.u64(0..1 << 20)).max(1));
            if !self.messages.contains_key(&id) && !self.thread_sizes.contains_key(&ThreadId(id.0))
            {
                return id;
            }
        }
    }
}

/// Reads from a raw mail what searching and threading need.
pub(crate) fn summarize(raw: &[u8]) -> Summary {
    let text = |value: Option<&str>| -> Arc<str> { value.unwrap_or_default().into() };
    let Some(parsed) = mail_parser::MessageParser::new().parse(raw) else {
        return Summary {
            from: "".into(),
            to: "".into(),
            cc: "".into(),
            subject: "".into(),
            message_id: "".into(),
            references: Vec::new(),
            list_id: "".into(),
            attachments: Vec::new(),
        };
    };
    let mut references: Vec<Arc<str>> = Vec::new();
    for header in [parsed.references(), parsed.in_reply_to()] {
        for id in header.as_text_list().into_iter().flatten() {
            references.push(id.as_ref().into());
        }
        if let (Some(id), None) = (header.as_text(), header.as_text_list()) {
            references.push(id.into());
        }
    }
    use mail_parser::MimeHeaders;
    Summary {
        from: addresses(parsed.from()),
        to: addresses(parsed.to()),
        cc: addresses(parsed.cc()),
        subject: text(parsed.subject()),
        message_id: text(parsed.message_id()),
        references,
        list_id: text(parsed.header_raw("List-Id").map(str::trim)),
        attachments: parsed
            .attachments()
            .filter_map(|part| part.attachment_name().map(str::to_owned))
            .collect(),
    }
}

fn addresses(list: Option<&mail_parser::Address<'_>>) -> Arc<str> {
    let mut text = String::new();
    for address in list.into_iter().flat_map(|list| list.iter()) {
        if !text.is_empty() {
            text.push_str(", ");
        }
        if let Some(name) = &address.name {
            text.push_str(name);
            text.push(' ');
        }
        if let Some(address) = &address.address {
            text.push('<');
            text.push_str(address);
            text.push('>');
        }
    }
    text.into()
}
