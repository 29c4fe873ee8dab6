//! Gmail's search language, as far as a sync client uses it: terms, `-`, `OR`, `{}`, `()` and quotes.
//!
//! Words without an operator are looked for in subject, addresses and text.
//! See <https://support.google.com/mail/answer/7190>.

use super::mime;
use crate::store::{LabelId, Message, UserLabel};
use crate::workspace::now_ms;
use jiff::civil::Date;
use jiff::tz::{TimeZone, offset};
use std::collections::BTreeMap;

/// Deepest nesting of groups that is read; what lies deeper matches nothing.
const MAX_DEPTH: usize = 20;

/// A parsed `q`.
#[derive(Debug)]
pub(super) struct Search(Expression);

#[derive(Debug)]
enum Expression {
    And(Vec<Expression>),
    Or(Vec<Expression>),
    Not(Box<Expression>),
    Term(Term),
}

#[derive(Debug)]
enum Term {
    /// Milliseconds since 1970, inclusive.
    After(i64),
    /// Milliseconds since 1970, exclusive.
    Before(i64),
    Larger(u64),
    Smaller(u64),
    SystemLabel(&'static str),
    WithoutLabel(&'static str),
    /// A label by name or id, as people write it.
    Label(String),
    From(String),
    To(String),
    Cc(String),
    Subject(String),
    MessageId(String),
    List(String),
    Filename(String),
    Attachment,
    UserLabels,
    NoUserLabels,
    Anywhere,
    Word(String),
    /// An operator whose value makes no sense; Gmail finds nothing then.
    Nothing,
}

impl Search {
    /// `owner` is the address that `me` stands for.
    pub(super) fn parse(text: &str, owner: &str) -> Self {
        let mut tokens = tokens(text);
        tokens.reverse();
        Self(group(&mut tokens, None, 0, owner))
    }

    /// Whether spam and trash are looked at: only if a term asks for them.
    pub(super) fn reaches_hidden(&self) -> bool {
        self.0.reaches_hidden()
    }

    pub(super) fn fits(&self, message: &Message, names: &BTreeMap<LabelId, UserLabel>) -> bool {
        self.0.fits(message, names)
    }
}

impl Expression {
    fn reaches_hidden(&self) -> bool {
        match self {
            Self::And(list) | Self::Or(list) => list.iter().any(Self::reaches_hidden),
            Self::Not(_) => false,
            Self::Term(Term::Anywhere | Term::SystemLabel("SPAM" | "TRASH")) => true,
            Self::Term(_) => false,
        }
    }

    fn fits(&self, message: &Message, names: &BTreeMap<LabelId, UserLabel>) -> bool {
        match self {
            Self::And(list) => list.iter().all(|part| part.fits(message, names)),
            Self::Or(list) => list.iter().any(|part| part.fits(message, names)),
            Self::Not(part) => !part.fits(message, names),
            Self::Term(term) => term.fits(message, names),
        }
    }
}

impl Term {
    fn fits(&self, message: &Message, names: &BTreeMap<LabelId, UserLabel>) -> bool {
        let summary = &message.summary;
        match self {
            Self::After(limit) => message.internal_date >= *limit,
            Self::Before(limit) => message.internal_date < *limit,
            Self::Larger(bytes) => message.size() as u64 > *bytes,
            Self::Smaller(bytes) => (message.size() as u64) < *bytes,
            Self::SystemLabel(label) => message.has(label),
            Self::WithoutLabel(label) => !message.has(label),
            Self::Label(wanted) => message.labels.iter().any(|label| {
                names
                    .get(label)
                    .is_some_and(|label| canonical(&label.name) == *wanted)
                    || canonical(label.as_str()) == *wanted
            }),
            Self::From(text) => holds(&summary.from, text),
            Self::To(text) => holds(&summary.to, text) || holds(&summary.cc, text),
            Self::Cc(text) => holds(&summary.cc, text),
            Self::Subject(text) => holds(&summary.subject, text),
            Self::MessageId(id) => *summary.message_id == **id,
            Self::List(text) => holds(&summary.list_id, text),
            Self::Filename(text) => summary.attachments.iter().any(|name| holds(name, text)),
            Self::Attachment => !summary.attachments.is_empty(),
            Self::UserLabels => message.labels.iter().any(|label| names.contains_key(label)),
            Self::NoUserLabels => !message.labels.iter().any(|label| names.contains_key(label)),
            Self::Anywhere => true,
            Self::Word(text) => {
                [&summary.subject, &summary.from, &summary.to, &summary.cc]
                    .iter()
                    .any(|field| holds(field, text))
                    || holds(&mime::text(&message.content.raw()), text)
            }
            Self::Nothing => false,
        }
    }
}

fn holds(field: &str, lower: &str) -> bool {
    field.to_lowercase().contains(lower)
}

/// Labels are written in searches with `-` for blanks and slashes.
fn canonical(label: &str) -> String {
    label.to_lowercase().replace([' ', '/', '&', '(', ')'], "-")
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    OpenAny,
    CloseAny,
    Not,
    Or,
    Text(String),
}

fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut characters = text.chars().peekable();
    while let Some(first) = characters.next() {
        match first {
            '(' => found.push(Token::Open),
            ')' => found.push(Token::Close),
            '{' => found.push(Token::OpenAny),
            '}' => found.push(Token::CloseAny),
            '-' => found.push(Token::Not),
            other if other.is_whitespace() => {}
            other => {
                let mut word = String::new();
                let mut quoted = other == '"';
                if !quoted {
                    word.push(other);
                }
                while let Some(next) = characters.peek().copied() {
                    let ends = next.is_whitespace() || "(){}".contains(next);
                    if ends && !quoted && !(next == '(' && word.ends_with(':')) {
                        break;
                    }
                    // `subject:(a b)` is one value.
                    if next == '(' && !quoted {
                        characters.next();
                        word.extend(characters.by_ref().take_while(|inner| *inner != ')'));
                        continue;
                    }
                    if next == '"' {
                        quoted = !quoted;
                    } else {
                        word.push(next);
                    }
                    characters.next();
                }
                found.push(match word.as_str() {
                    "OR" | "|" => Token::Or,
                    "AND" => continue,
                    _ => Token::Text(word),
                });
            }
        }
    }
    found
}

/// Reads up to `end`; tokens lie in reverse order.
fn group(tokens: &mut Vec<Token>, end: Option<&Token>, depth: usize, owner: &str) -> Expression {
    if depth > MAX_DEPTH {
        tokens.clear();
        return Expression::Term(Term::Nothing);
    }
    // `a OR b c` means (a or b) and c.
    let mut list: Vec<Expression> = Vec::new();
    let mut joins = false;
    let mut negated = false;
    while let Some(token) = tokens.pop() {
        if Some(&token) == end {
            break;
        }
        let part = match token {
            Token::Not => {
                negated = !negated;
                continue;
            }
            Token::Or => {
                joins = true;
                continue;
            }
            Token::Open => group(tokens, Some(&Token::Close), depth + 1, owner),
            Token::OpenAny => match group(tokens, Some(&Token::CloseAny), depth + 1, owner) {
                Expression::And(parts) => Expression::Or(parts),
                other => other,
            },
            Token::Close | Token::CloseAny => continue,
            Token::Text(text) => Expression::Term(term(&text, owner)),
        };
        let part = if negated {
            Expression::Not(Box::new(part))
        } else {
            part
        };
        negated = false;
        match (joins, list.pop()) {
            (true, Some(Expression::Or(mut parts))) => {
                parts.push(part);
                list.push(Expression::Or(parts));
            }
            (true, Some(last)) => list.push(Expression::Or(vec![last, part])),
            (_, last) => {
                list.extend(last);
                list.push(part);
            }
        }
        joins = false;
    }
    Expression::And(list)
}

fn term(text: &str, owner: &str) -> Term {
    let Some((operator, value)) = text.split_once(':') else {
        return Term::Word(text.to_lowercase());
    };
    let lower = value.to_lowercase();
    let person = || match lower.as_str() {
        "me" => owner.to_lowercase(),
        _ => lower.clone(),
    };
    let or_nothing = |term: Option<Term>| term.unwrap_or(Term::Nothing);
    match operator.to_ascii_lowercase().as_str() {
        "after" | "newer" => or_nothing(instant(value).map(Term::After)),
        "before" | "older" => or_nothing(instant(value).map(Term::Before)),
        "newer_than" => or_nothing(age(&lower).map(Term::After)),
        "older_than" => or_nothing(age(&lower).map(Term::Before)),
        "larger" | "size" => or_nothing(bytes(&lower).map(Term::Larger)),
        "smaller" => or_nothing(bytes(&lower).map(Term::Smaller)),
        "in" | "is" => place(&lower),
        "label" | "l" => match system_label(&lower) {
            Some(label) => Term::SystemLabel(label),
            None => Term::Label(canonical(value)),
        },
        "category" => match lower.as_str() {
            "primary" => Term::SystemLabel("CATEGORY_PERSONAL"),
            "social" => Term::SystemLabel("CATEGORY_SOCIAL"),
            "promotions" => Term::SystemLabel("CATEGORY_PROMOTIONS"),
            "updates" => Term::SystemLabel("CATEGORY_UPDATES"),
            "forums" => Term::SystemLabel("CATEGORY_FORUMS"),
            _ => Term::Nothing,
        },
        "has" => match lower.as_str() {
            "attachment" => Term::Attachment,
            "userlabels" => Term::UserLabels,
            "nouserlabels" => Term::NoUserLabels,
            _ => Term::Nothing,
        },
        "from" => Term::From(person()),
        "to" | "deliveredto" => Term::To(person()),
        "cc" => Term::Cc(person()),
        "subject" => Term::Subject(lower),
        "list" => Term::List(lower),
        "filename" => Term::Filename(lower),
        "rfc822msgid" => Term::MessageId(value.trim_matches(['<', '>']).to_owned()),
        _ => Term::Word(text.to_lowercase()),
    }
}

fn place(name: &str) -> Term {
    match name {
        "anywhere" => Term::Anywhere,
        "archive" => Term::WithoutLabel("INBOX"),
        "read" => Term::WithoutLabel("UNREAD"),
        _ => match system_label(name) {
            Some(label) => Term::SystemLabel(label),
            None => Term::Label(canonical(name)),
        },
    }
}

fn system_label(name: &str) -> Option<&'static str> {
    Some(match name {
        "inbox" => "INBOX",
        "sent" => "SENT",
        "draft" | "drafts" => "DRAFT",
        "spam" => "SPAM",
        "trash" => "TRASH",
        "chat" | "chats" => "CHAT",
        "unread" => "UNREAD",
        "starred" => "STARRED",
        "important" => "IMPORTANT",
        _ => return None,
    })
}

/// Seconds since 1970, or a date, which begins at midnight of Pacific standard time.
fn instant(text: &str) -> Option<i64> {
    if text.len() > 4 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse::<i64>().ok()?.checked_mul(1000);
    }
    let mut numbers = text.split(['/', '-']).map(str::parse::<i16>);
    let mut number = || numbers.next().and_then(Result::ok);
    let (year, month, day) = (number()?, number()?, number()?);
    let date = Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    let zoned = date.to_zoned(TimeZone::fixed(offset(-8))).ok()?;
    Some(zoned.timestamp().as_millisecond())
}

fn age(text: &str) -> Option<i64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let days = match unit {
        "h" => return now_ms().checked_sub(number.parse::<i64>().ok()?.checked_mul(3_600_000)?),
        "d" => 1,
        "m" => 30,
        "y" => 365,
        _ => return None,
    };
    now_ms().checked_sub(number.parse::<i64>().ok()?.checked_mul(days * 86_400_000)?)
}

fn bytes(text: &str) -> Option<u64> {
    let text = text.strip_suffix('b').unwrap_or(text);
    let (number, factor) = match text.as_bytes().last()? {
        b'k' => (&text[..text.len() - 1], 1 << 10),
        b'm' => (&text[..text.len() - 1], 1 << 20),
        b'g' => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1),
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Content, MessageId, Summary, ThreadId};
    use std::sync::Arc;

    fn message() -> Message {
        Message {
            id: MessageId(1),
            thread: ThreadId(1),
            labels: ["INBOX", "Label_1", "UNREAD"].map(LabelId::new).into(),
            internal_date: 1_700_000_000_000,
            history_id: 1,
            size: 6000.into(),
            content: Content::Stored("\n\nThe next budget.\n".into()),
            summary: Arc::new(Summary {
                from: "Ana Souza <ana@example.com>".into(),
                to: "Bo <bo@example.com>".into(),
                cc: "Cy <cy@example.com>".into(),
                subject: "Quarterly report".into(),
                message_id: "m1@example.com".into(),
                references: Vec::new(),
                list_id: "".into(),
                attachments: vec!["report.pdf".to_owned()],
            }),
        }
    }

    #[test]
    fn terms_match_as_gmail_documents() {
        let names = BTreeMap::from([(LabelId::new("Label_1"), UserLabel::new("Clients/Big One"))]);
        let message = message();
        for (query, expected) in [
            ("", true),
            ("after:1700000000", true),
            ("after:1700000001", false),
            ("before:1700000000", false),
            ("before:1700000001", true),
            ("after:2023/11/14 before:2023/11/15", true),
            ("after:2023/11/15", false),
            ("-in:chats -is:chat", true),
            ("in:inbox is:unread", true),
            ("is:read", false),
            ("-is:unread", false),
            ("-after:1700000001", true),
            ("label:clients-big-one", true),
            ("label:Label_1", true),
            ("label:other", false),
            ("larger:5K", true),
            ("larger:5M", false),
            ("smaller:6000", false),
            ("-larger:5K", false),
            ("from:ana to:bo subject:\"quarterly report\"", true),
            ("subject:(quarterly report)", true),
            ("from:bo", false),
            ("rfc822msgid:<m1@example.com>", true),
            ("rfc822msgid:m2@example.com", false),
            ("-rfc822msgid:m2@example.com", true),
            ("from:bo OR from:ana", true),
            ("{from:bo from:ana} in:trash", false),
            ("-(from:bo OR from:ana)", false),
            ("has:attachment filename:pdf", true),
            ("quarterly", true),
            ("from:me", true),
            ("to:me", false),
            ("to:cy cc:cy -cc:bo", true),
            ("has:userlabels -has:nouserlabels", true),
            ("budget", true),
            ("-\"next budget\"", false),
            ("weather", false),
            ("older_than:1d newer_than:100y", true),
            ("newer_than:1y OR size:1k", true),
            ("-{is:starred in:trash} in:anywhere", true),
            ("filename:report.pdf -filename:doc", true),
            ("after:nonsense", false),
            ("larger:x", false),
        ] {
            assert_eq!(
                Search::parse(query, "ana@example.com").fits(&message, &names),
                expected,
                "{query}"
            );
        }
    }

    #[test]
    fn only_a_positive_term_reaches_spam_and_trash() {
        for (query, expected) in [
            ("in:spam", true),
            ("in:anywhere from:x", true),
            ("-in:spam", false),
            ("from:trash", false),
        ] {
            assert_eq!(
                Search::parse(query, "ana@example.com").reaches_hidden(),
                expected,
                "{query}"
            );
        }
    }

    #[test]
    fn garbage_is_harmless() {
        for query in [
            "((((",
            "))))",
            "-",
            "\"",
            "a:b:c:",
            "{-(",
            "after:",
            "larger:",
            "OR OR",
            "newer_than:é",
        ] {
            Search::parse(query, "ana@example.com");
        }
        Search::parse(&"(".repeat(100_000), "");
    }
}
