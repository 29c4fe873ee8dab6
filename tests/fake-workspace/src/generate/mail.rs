//! A generated mail as a small description; `render.rs` turns it into bytes, the same ones each time.

use super::charsets::Language;
use super::people::World;
use super::{render, texts};
use crate::store::Summary;
use std::fmt;
use std::sync::Arc;

/// A name with an address, neither of them encoded.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(crate) name: Arc<str>,
    pub(crate) address: Arc<str>,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} <{}>", self.name, self.address)
    }
}

/// What sort of mail it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    Alternative,
    Attachment(Attachment),
    Foreign(Language),
    List,
    Newsletter,
    AutoReply,
    Invite,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attachment {
    Pdf,
    Png,
    Csv,
}

impl Attachment {
    pub(crate) fn filename(self) -> &'static str {
        match self {
            Self::Pdf => "Angebot für März.pdf",
            Self::Png => "screenshot.png",
            Self::Csv => "figures.csv",
        }
    }
}

impl Style {
    pub(crate) fn random(rng: &mut fastrand::Rng) -> Self {
        match rng.u8(..100) {
            0..18 => Self::Plain,
            18..60 => Self::Alternative,
            60..65 => Self::Attachment(Attachment::Pdf),
            65..69 => Self::Attachment(Attachment::Png),
            69..72 => Self::Attachment(Attachment::Csv),
            72..82 => Self::Foreign(Language::ALL[rng.usize(..Language::ALL.len())]),
            82..87 => Self::List,
            87..94 => Self::Newsletter,
            94..96 => Self::AutoReply,
            _ => Self::Invite,
        }
    }

    pub(crate) fn has_replies(self) -> bool {
        match self {
            Self::Plain | Self::Alternative | Self::Attachment(_) | Self::Foreign(_) => true,
            Self::List | Self::Newsletter | Self::AutoReply | Self::Invite => false,
        }
    }

    pub(crate) fn comes_from_outside(self) -> bool {
        matches!(self, Self::List | Self::Newsletter)
    }
}

/// How a mail looks in one mailbox: the sender's copy has no traces of a journey.
#[derive(Debug, Clone)]
pub(crate) enum View {
    Sent,
    /// Delivered to this address.
    Received(Arc<str>),
}

/// All that its bytes depend on.
#[derive(Debug)]
pub(crate) struct Mail {
    pub(crate) seed: u64,
    pub(crate) style: Style,
    pub(crate) from: Address,
    pub(crate) to: Vec<Address>,
    pub(crate) cc: Vec<Address>,
    /// Reached, but not named in the headers, as the readers of a list.
    pub(crate) hidden: Vec<Address>,
    /// Milliseconds since 1970.
    pub(crate) date: i64,
    pub(crate) summary: Arc<Summary>,
}

impl Mail {
    pub(crate) fn render(&self, view: &View) -> Vec<u8> {
        let mut raw = Vec::with_capacity(8 << 10);
        render::render(self, view, &mut raw);
        raw
    }
}

/// What a reply takes from the mail before it.
#[derive(Debug, Clone)]
pub(crate) struct Parent {
    pub(crate) subject: Arc<str>,
    pub(crate) message_id: Arc<str>,
    pub(crate) references: Vec<Arc<str>>,
}

impl Parent {
    pub(crate) fn of(mail: &Mail) -> Self {
        Self::of_summary(&mail.summary)
    }

    pub(crate) fn of_summary(summary: &Summary) -> Self {
        Self {
            subject: summary.subject.clone(),
            message_id: summary.message_id.clone(),
            references: summary.references.clone(),
        }
    }
}

/// Writes a mail from `from` to `others`, who are at least one.
pub(crate) fn compose(
    world: &World,
    style: Style,
    from: &Address,
    others: &[Address],
    parent: Option<&Parent>,
    date: i64,
    rng: &mut fastrand::Rng,
) -> Mail {
    let seed = rng.u64(..);
    let n_to = if rng.bool() { 1 } else { others.len() };
    let (mut to, cc) = (others[..n_to].to_vec(), others[n_to..].to_vec());
    let (mut hidden, mut list_id): (Vec<Address>, Arc<str>) = (Vec::new(), "".into());
    if style == Style::List {
        let list = world.lists[rng.usize(..world.lists.len())].clone();
        list_id = format!("<{}>", list.address.replace('@', ".")).into();
        hidden = std::mem::replace(&mut to, vec![list]);
    }
    let message_id: Arc<str> = if world.member(from).is_some() {
        format!("CA{:016x}+{:08x}@mail.gmail.com", rng.u64(..), rng.u32(..)).into()
    } else {
        let host = from.address.rsplit('@').next().unwrap_or_default();
        format!("{:016x}.{date}@{host}", rng.u64(..)).into()
    };
    let (subject, references) = match parent {
        None => (texts::subject(style, rng).into(), Vec::new()),
        Some(parent) => {
            let mut references = parent.references.clone();
            references.push(parent.message_id.clone());
            references.retain(|reference| !reference.is_empty());
            let subject = match parent.subject.get(..3) {
                Some(start) if start.eq_ignore_ascii_case("re:") => parent.subject.clone(),
                _ => format!("Re: {}", parent.subject).into(),
            };
            (subject, references)
        }
    };
    let join = |list: &[Address]| -> Arc<str> {
        let parts: Vec<String> = list.iter().map(Address::to_string).collect();
        parts.join(", ").into()
    };
    let attachments = match (style, parent) {
        (Style::Attachment(attachment), None) => vec![attachment.filename().to_owned()],
        (Style::Invite, _) => vec!["invite.ics".to_owned()],
        _ => Vec::new(),
    };
    let summary = Summary {
        from: from.to_string().into(),
        to: join(&to),
        cc: join(&cc),
        subject,
        message_id,
        references,
        list_id,
        attachments,
    };
    Mail {
        seed,
        style,
        from: from.clone(),
        to,
        cc,
        hidden,
        date,
        summary: Arc::new(summary),
    }
}
