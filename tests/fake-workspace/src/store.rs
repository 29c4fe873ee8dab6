//! One mailbox: its messages, labels and change log. Rules of Gmail's storage live here, its JSON does not.
//! See <https://developers.google.com/workspace/gmail/api/guides/sync>.

use crate::generate::mail::{Mail, View};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

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

/// The id of a draft, which survives edits while its message is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DraftId(i64);

impl fmt::Display for DraftId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}

impl FromStr for DraftId {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix('r').ok_or(())?;
        digits.parse().map(Self).map_err(drop)
    }
}

/// A label of the user's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UserLabel {
    pub(crate) name: String,
    pub(crate) message_list: &'static str,
    pub(crate) label_list: &'static str,
    /// Text and background, as `#rrggbb`.
    pub(crate) color: Option<(String, String)>,
}

impl UserLabel {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            message_list: "show",
            label_list: "labelShow",
            color: None,
        }
    }
}

/// An address that the user may send from besides the primary one and its aliases.
#[derive(Debug, Clone)]
pub(crate) struct SendAs {
    pub(crate) address: String,
    pub(crate) name: String,
    /// Whether the owner of the address has agreed.
    pub(crate) accepted: bool,
}

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
    /// Bytes of the raw form, once somebody has asked.
    pub(crate) size: OnceLock<usize>,
    pub(crate) content: Content,
    pub(crate) summary: Arc<Summary>,
}

impl Message {
    /// Bytes of the raw form. Only the first call for a generated message writes it out.
    pub(crate) fn size(&self) -> usize {
        *self.size.get_or_init(|| self.content.raw().len())
    }

    pub(crate) fn has(&self, label: &str) -> bool {
        self.labels.iter().any(|own| own.as_str() == label)
    }
}

/// A message that is about to be stored.
#[derive(Debug)]
pub(crate) struct NewMessage {
    pub(crate) content: Content,
    pub(crate) summary: Arc<Summary>,
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
    threads: BTreeSet<(ThreadId, MessageId)>,
    n_threads: usize,
    threads_by_message_id: HashMap<Arc<str>, ThreadId>,
    drafts: BTreeMap<DraftId, MessageId>,
    user_labels: BTreeMap<LabelId, UserLabel>,
    /// Numbers of labels are not used again.
    last_label: usize,
    pub(crate) send_as: Vec<SendAs>,
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
            threads: BTreeSet::new(),
            n_threads: 0,
            threads_by_message_id: HashMap::new(),
            drafts: BTreeMap::new(),
            last_label: user_labels.len(),
            user_labels: user_labels
                .into_iter()
                .map(|(id, name)| (id, UserLabel::new(&name)))
                .collect(),
            send_as: Vec::new(),
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
        self.n_threads
    }

    pub(crate) fn message(&self, id: MessageId) -> Option<&Message> {
        self.messages.get(&id)
    }

    pub(crate) fn has_thread(&self, id: ThreadId) -> bool {
        self.thread(id).next().is_some()
    }

    /// The messages of a thread, in the order of their ids.
    pub(crate) fn thread(&self, id: ThreadId) -> impl Iterator<Item = &Message> {
        self.threads
            .range((id, MessageId(0))..=(id, MessageId(u64::MAX)))
            .filter_map(|(_, message)| self.messages.get(message))
    }

    /// The message that a draft consists of now.
    pub(crate) fn draft(&self, id: DraftId) -> Option<MessageId> {
        self.drafts.get(&id).copied()
    }

    /// All drafts.
    pub(crate) fn drafts(&self) -> impl Iterator<Item = DraftId> + '_ {
        self.drafts.keys().copied()
    }

    /// The draft that consists of a message.
    pub(crate) fn draft_of(&self, message: MessageId) -> Option<DraftId> {
        self.drafts
            .iter()
            .find_map(|(draft, own)| (*own == message).then_some(*draft))
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

    /// The user's own labels by id.
    pub(crate) fn user_labels(&self) -> &BTreeMap<LabelId, UserLabel> {
        &self.user_labels
    }

    /// Adds a label of the user's own.
    pub(crate) fn create_label(&mut self, label: UserLabel) -> LabelId {
        self.last_label += 1;
        let id = LabelId::new(&format!("Label_{}", self.last_label));
        self.user_labels.insert(id.clone(), label);
        id
    }

    /// Replaces what a label of the user's own looks like; `None` if there is no such label.
    pub(crate) fn update_label(&mut self, id: &LabelId, label: UserLabel) -> Option<()> {
        *self.user_labels.get_mut(id)? = label;
        Some(())
    }

    /// Deletes a label and takes it off all messages; `None` if there is no such label.
    pub(crate) fn delete_label(&mut self, id: &LabelId) -> Option<()> {
        self.user_labels.remove(id)?;
        let labelled: Vec<MessageId> = self
            .newest_first(None)
            .filter(|message| message.labels.contains(id))
            .map(|message| message.id)
            .collect();
        for message in labelled {
            self.relabel(message, &[], std::slice::from_ref(id));
        }
        Some(())
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
        self.n_threads += usize::from(!self.has_thread(thread));
        self.threads.insert((thread, id));
        self.order.insert((new.internal_date, id));
        self.messages.insert(
            id,
            Message {
                id,
                thread,
                labels: labels.clone(),
                internal_date: new.internal_date,
                history_id: 0,
                size: OnceLock::new(),
                content: new.content,
                summary: new.summary,
            },
        );
        self.record(id, thread, ChangeKind::Added, labels.clone());
        self.note_draft(id);
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
        self.note_draft(id);
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
        self.threads.remove(&(message.thread, id));
        self.n_threads -= usize::from(!self.has_thread(message.thread));
        if message.has("DRAFT") {
            self.drafts.retain(|_, own| *own != id);
        }
        self.record(id, message.thread, ChangeKind::Deleted, message.labels);
        Some(())
    }

    /// An edit: the old message goes for good, the new one takes over the draft's id.
    pub(crate) fn replace_draft(&mut self, draft: DraftId, new: NewMessage) -> Option<MessageId> {
        let old = self.draft(draft)?;
        self.delete(old);
        let id = self.insert(new);
        self.drafts.retain(|_, own| *own != id);
        self.drafts.insert(draft, id);
        Some(id)
    }

    /// A message is a draft as long as it has the label.
    fn note_draft(&mut self, id: MessageId) {
        let is_draft = self.messages.get(&id).is_some_and(|own| own.has("DRAFT"));
        if !is_draft {
            if !self.drafts.is_empty() {
                self.drafts.retain(|_, own| *own != id);
            }
        } else if self.draft_of(id).is_none() {
            let mut draft = DraftId(self.rng.i64(..));
            while self.drafts.contains_key(&draft) {
                draft = DraftId(self.rng.i64(..));
            }
            self.drafts.insert(draft, id);
        }
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
        if crate::hidden::is_on() {
            return;
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
            if !self.messages.contains_key(&id) && !self.has_thread(ThreadId(id.0)) {
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
