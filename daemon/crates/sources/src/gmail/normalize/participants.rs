//! The people in a mail: who wrote, who got it, and what that makes of the mail as seen from the
//! account's user.

use super::Context;
use super::header::Headers;
use super::notes::Notes;
use nuncio_model::{Direction, LabelSet, MailFlags, Participant, Who};

/// Everybody whom the header names.
pub(super) struct Participants {
    pub(super) from: Option<Participant>,
    /// `From` beyond the first.
    pub(super) more_from: Vec<Participant>,
    pub(super) sender: Option<Participant>,
    pub(super) reply_to: Vec<Participant>,
    pub(super) to: Vec<Participant>,
    pub(super) cc: Vec<Participant>,
    pub(super) bcc: Vec<Participant>,
}

impl Participants {
    pub(super) fn read(headers: &Headers<'_>, context: &Context<'_>, notes: &mut Notes) -> Self {
        let mut field = |name: &str| -> Vec<Participant> {
            let mut participants = Vec::new();
            for address in headers.addresses(name) {
                let display = address
                    .name
                    .as_deref()
                    .map(str::trim)
                    .filter(|name| !name.is_empty());
                let written = address
                    .address
                    .as_deref()
                    .map(str::trim)
                    .unwrap_or_default();
                if written.is_empty() {
                    notes.add(format!("an entry of {name} has no address"));
                    if display.is_none() {
                        continue;
                    }
                }
                participants.push(
                    context
                        .people
                        .participant(display.map(str::to_owned), written),
                );
            }
            participants
        };
        let mut more_from = field("From");
        let from = (!more_from.is_empty()).then(|| more_from.remove(0));
        let sender = field("Sender").into_iter().next().filter(|sender| {
            from.as_ref()
                .is_none_or(|from| !from.address.eq_ignore_ascii_case(&sender.address))
        });
        Self {
            from,
            more_from,
            sender,
            reply_to: field("Reply-To"),
            to: field("To"),
            cc: field("Cc"),
            bcc: field("Bcc"),
        }
    }

    /// From the account's user, by address or because Gmail says that it was sent from here.
    pub(super) fn direction(&self, context: &Context<'_>, labels: &LabelSet) -> Direction {
        let is_user =
            |person: &Participant| context.people.user_of(&person.address) == Some(context.user);
        if !self.from.as_ref().is_some_and(is_user) && !labels.flags().contains(MailFlags::SENT) {
            return Direction::Inbound;
        }
        let mut recipients = self.to.iter().chain(&self.cc).chain(&self.bcc).peekable();
        if recipients.peek().is_some() && recipients.all(is_user) {
            Direction::ToSelf
        } else {
            Direction::Outbound
        }
    }

    /// Whether all of them belong to the domain. A mail from nobody does not.
    pub(super) fn is_internal(&self) -> bool {
        self.from.is_some()
            && self
                .from
                .iter()
                .chain(&self.more_from)
                .chain(&self.sender)
                .chain(&self.reply_to)
                .chain(&self.to)
                .chain(&self.cc)
                .chain(&self.bcc)
                .all(|person| person.who != Who::External)
    }

    /// `From` beyond the first, for `extra`, as RFC 5322 writes it.
    pub(super) fn more_from_text(&self) -> Option<String> {
        let texts: Vec<String> = self
            .more_from
            .iter()
            .map(|person| match &person.name {
                Some(name) => format!("{name} <{}>", person.address),
                None => person.address.clone(),
            })
            .collect();
        (!texts.is_empty()).then(|| texts.join(", "))
    }
}
