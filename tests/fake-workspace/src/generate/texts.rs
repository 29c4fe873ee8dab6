//! Subjects and sentences that generated mails are made of. All of it is invented.

use super::charsets::Language;
use super::mail::Style;

pub(super) const SENTENCES: [&str; 28] = [
    "Thanks for the quick answer yesterday.",
    "I went through the numbers again and they look right to me.",
    "Could you send me the latest version before noon?",
    "The customer would like to move the delivery to the second week of next month.",
    "We should talk about this in the next meeting, there are a few open points left.",
    "Please find the summary below.",
    "I have not heard back from the supplier yet, so I will call them tomorrow.",
    "The second draft is nearly ready; only the appendix is missing.",
    "Let me know if that works for you.",
    "Our team will be in the office on Tuesday and Thursday.",
    "The invoice was paid last week, the receipt is on file.",
    "I would rather wait for the results of the survey than decide now.",
    "Nothing urgent, but it would be good to close this before the holidays.",
    "Two of the three servers were replaced without anybody noticing.",
    "They asked for a discount of ten percent, I offered five.",
    "As discussed, the contract ends in March and can be renewed for a year.",
    "See you on Friday!",
    "The room is booked from nine to eleven, coffee included.",
    "I changed the order of the chapters so that the introduction comes first.",
    "Do we have a budget for this, and if so, who decides?",
    "The old process took three days; the new one should take one.",
    "Sorry for the late reply, I was travelling.",
    "Attached you will find the files that you asked for.",
    "If there are no objections by the end of the week we go ahead.",
    "The test went well, apart from a small problem with the labels.",
    "Could somebody look at the ticket from last night?",
    "I agree with everything except the third point.",
    "It rained all weekend, so the garden is very happy.",
];

const SUBJECTS: [&str; 20] = [
    "Quarterly report",
    "Lunch on Thursday?",
    "Contract renewal",
    "Minutes of the meeting",
    "Question about the invoice",
    "Delivery date",
    "New office plan",
    "Budget for next year",
    "Server maintenance",
    "Draft of the article",
    "Feedback wanted",
    "Trip to Lisbon",
    "Interview with the candidate",
    "Open points",
    "Price list",
    "Training on Monday",
    "Photos of the event",
    "Missing receipt",
    "Roadmap",
    "A small favour",
];
const NEWS: [&str; 6] = [
    "This week's best offers",
    "Your monthly summary is ready",
    "10 tips for better spreadsheets",
    "Last chance: early bird ends tonight",
    "What's new in October",
    "We miss you ❤",
];
const LISTS: [&str; 4] = [
    "[rust-users] Lifetimes in async traits",
    "[gardeners] Slugs again",
    "[announce] Version 4.2 released",
    "[rust-users] Weekly digest",
];

pub(super) fn subject(style: Style, rng: &mut fastrand::Rng) -> String {
    let mut pick = |list: &[&str]| list[rng.usize(..list.len())].to_owned();
    match style {
        Style::Plain | Style::Alternative | Style::Attachment(_) => {
            let subject = pick(&SUBJECTS);
            format!("{subject} ({})", rng.u16(1..400))
        }
        Style::Foreign(language) => pick(language.sentences()),
        Style::List => pick(&LISTS),
        Style::Newsletter => pick(&NEWS),
        Style::AutoReply => format!("Automatic reply: {}", pick(&SUBJECTS)),
        Style::Invite => format!("Invitation: {} @ 10am - 11am", pick(&SUBJECTS)),
    }
}

/// About `length` bytes of text in paragraphs with CRLF.
pub(super) fn paragraphs(
    language: Option<Language>,
    length: usize,
    rng: &mut fastrand::Rng,
) -> String {
    let sentences = match language {
        None => &SENTENCES[..],
        Some(language) => language.sentences(),
    };
    let mut text = String::with_capacity(length + 128);
    let mut column = 0;
    while text.len() < length {
        let sentence = sentences[rng.usize(..sentences.len())];
        if rng.u8(..5) == 0 && !text.is_empty() {
            text.push_str("\r\n\r\n");
            column = 0;
        } else if column > 60 {
            text.push_str("\r\n");
            column = 0;
        } else if column > 0 {
            text.push(' ');
        }
        text.push_str(sentence);
        column += sentence.len();
    }
    text.push_str("\r\n");
    text
}
