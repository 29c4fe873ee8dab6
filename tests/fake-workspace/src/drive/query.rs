//! The search language of files.list and drives.list: parsing here, and what its words mean for files.
//!
//! See <https://developers.google.com/workspace/drive/api/guides/ref-search-terms>.

use super::model::{File, Grantee, Permission, Role};
use super::rules::Seen;
use super::view;
use crate::workspace::{UserIndex, Workspace};

/// Deepest nesting that is taken.
const MAX_DEPTH: usize = 64;
/// Fields that may stand without an operator.
const FLAGS: [&str; 4] = ["trashed", "starred", "sharedWithMe", "hidden"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Contains,
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
    In,
    Has,
}

/// One comparison, such as `name contains 'plan'`; for `in` the value stands first in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Term {
    pub(super) field: String,
    pub(super) operator: Operator,
    pub(super) value: String,
    /// Of `has`, the value beside the key.
    pub(super) second: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expression {
    All,
    Term(Term),
    Not(Box<Expression>),
    And(Vec<Expression>),
    Or(Vec<Expression>),
}

impl Expression {
    pub(super) fn holds(&self, test: &impl Fn(&Term) -> bool) -> bool {
        match self {
            Self::All => true,
            Self::Term(term) => test(term),
            Self::Not(inner) => !inner.holds(test),
            Self::And(parts) => parts.iter().all(|part| part.holds(test)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(test)),
        }
    }

    pub(super) fn terms(&self) -> Vec<&Term> {
        match self {
            Self::All => Vec::new(),
            Self::Term(term) => vec![term],
            Self::Not(inner) => inner.terms(),
            Self::And(parts) | Self::Or(parts) => parts.iter().flat_map(Self::terms).collect(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Operator(Operator),
    Open,
    Close,
    OpenBrace,
    CloseBrace,
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut found = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(next) = rest.next() {
        let follows = |rest: &mut std::iter::Peekable<_>| rest.next_if_eq(&'=').is_some();
        found.push(match next {
            space if space.is_whitespace() => continue,
            '(' => Token::Open,
            ')' => Token::Close,
            '{' => Token::OpenBrace,
            '}' => Token::CloseBrace,
            '=' => Token::Operator(Operator::Equal),
            '!' if follows(&mut rest) => Token::Operator(Operator::NotEqual),
            '<' if follows(&mut rest) => Token::Operator(Operator::AtMost),
            '<' => Token::Operator(Operator::Less),
            '>' if follows(&mut rest) => Token::Operator(Operator::AtLeast),
            '>' => Token::Operator(Operator::Greater),
            quote @ ('\'' | '"') => {
                let mut value = String::new();
                loop {
                    match rest.next()? {
                        '\\' => value.push(rest.next()?),
                        end if end == quote => break,
                        other => value.push(other),
                    }
                }
                Token::Text(value)
            }
            first if first.is_alphanumeric() || first == '_' => {
                let mut word = first.to_string();
                while let Some(more) =
                    rest.next_if(|next| next.is_alphanumeric() || "._:-+".contains(*next))
                {
                    word.push(more);
                }
                match word.to_ascii_lowercase().as_str() {
                    "contains" => Token::Operator(Operator::Contains),
                    "in" => Token::Operator(Operator::In),
                    "has" => Token::Operator(Operator::Has),
                    _ => Token::Word(word),
                }
            }
            _ => return None,
        });
    }
    Some(found)
}

/// Parses a search; `None` if it is none.
pub(super) fn parse(text: &str) -> Option<Expression> {
    let tokens = tokens(text)?;
    if tokens.is_empty() {
        return Some(Expression::All);
    }
    let mut parser = Parser {
        tokens: &tokens,
        at: 0,
    };
    let found = parser.or(0)?;
    (parser.at == tokens.len()).then_some(found)
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
}

impl Parser<'_> {
    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let fits = matches!(self.tokens.get(self.at), Some(Token::Word(next)) if next.eq_ignore_ascii_case(word));
        self.at += usize::from(fits);
        fits
    }

    fn takes(&mut self, token: &Token) -> bool {
        let fits = self.tokens.get(self.at) == Some(token);
        self.at += usize::from(fits);
        fits
    }

    fn or(&mut self, depth: usize) -> Option<Expression> {
        let mut parts = vec![self.and(depth)?];
        while self.takes_word("or") {
            parts.push(self.and(depth)?);
        }
        Some(single_or(parts, Expression::Or))
    }

    fn and(&mut self, depth: usize) -> Option<Expression> {
        let mut parts = vec![self.not(depth)?];
        while self.takes_word("and") {
            parts.push(self.not(depth)?);
        }
        Some(single_or(parts, Expression::And))
    }

    fn not(&mut self, depth: usize) -> Option<Expression> {
        if depth > MAX_DEPTH {
            return None;
        }
        if self.takes_word("not") {
            return Some(Expression::Not(Box::new(self.not(depth + 1)?)));
        }
        if self.takes(&Token::Open) {
            let inner = self.or(depth + 1)?;
            return self.takes(&Token::Close).then_some(inner);
        }
        self.term().map(Expression::Term)
    }

    fn term(&mut self) -> Option<Term> {
        let field = match self.next()? {
            Token::Word(field) => field,
            Token::Text(value) => {
                let (Token::Operator(Operator::In), Token::Word(field)) =
                    (self.next()?, self.next()?)
                else {
                    return None;
                };
                return Some(Term {
                    field,
                    operator: Operator::In,
                    value,
                    second: String::new(),
                });
            }
            _ => return None,
        };
        let operator = match self.tokens.get(self.at) {
            Some(Token::Operator(operator)) => *operator,
            // A flag alone means that it is set.
            _ if FLAGS.contains(&field.as_str()) => {
                return Some(Term {
                    field,
                    operator: Operator::Equal,
                    value: "true".to_owned(),
                    second: String::new(),
                });
            }
            _ => return None,
        };
        self.at += 1;
        // Of `in` the value stands first.
        if operator == Operator::In {
            return None;
        }
        if operator == Operator::Has {
            let (value, second) = self.pair()?;
            return Some(Term {
                field,
                operator,
                value,
                second,
            });
        }
        let value = match self.next()? {
            Token::Text(value) | Token::Word(value) => value,
            _ => return None,
        };
        Some(Term {
            field,
            operator,
            value,
            second: String::new(),
        })
    }

    /// `{ key='department' and value='sales' }`
    fn pair(&mut self) -> Option<(String, String)> {
        let start = self.takes(&Token::OpenBrace) && self.takes_word("key");
        let equal = Token::Operator(Operator::Equal);
        if !start || !self.takes(&equal) {
            return None;
        }
        let key = self.next()?;
        if !self.takes_word("and") || !self.takes_word("value") || !self.takes(&equal) {
            return None;
        }
        let value = self.next()?;
        match (key, value, self.takes(&Token::CloseBrace)) {
            (Token::Text(key), Token::Text(value), true) => Some((key, value)),
            _ => None,
        }
    }
}

fn single_or(mut parts: Vec<Expression>, many: fn(Vec<Expression>) -> Expression) -> Expression {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            many(parts)
        }
        None => Expression::All,
    }
}

/// Whether files can be asked for this.
pub(super) fn is_file_term(term: &Term) -> bool {
    use Operator::{Contains, Equal, Has, In, NotEqual};
    let fits: &[Operator] = match term.field.as_str() {
        "name" | "mimeType" => &[Contains, Equal, NotEqual],
        "fullText" => &[Contains],
        "modifiedTime" | "viewedByMeTime" | "createdTime" | "sharedWithMeTime" => {
            return !matches!(term.operator, Contains | In | Has) && time(&term.value).is_some();
        }
        "trashed" | "starred" | "sharedWithMe" => {
            return matches!(term.operator, Equal | NotEqual)
                && matches!(term.value.as_str(), "true" | "false");
        }
        "parents" | "owners" | "writers" | "readers" => &[In],
        "properties" | "appProperties" => &[Has],
        "visibility" | "shortcutDetails.targetId" => &[Equal, NotEqual],
        _ => return false,
    };
    fits.contains(&term.operator)
}

/// Times are RFC 3339, in UTC where no offset is given; a date alone is its midnight.
pub(super) fn time(text: &str) -> Option<i64> {
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(time.as_millisecond());
    }
    let civil: jiff::civil::DateTime = text.parse().ok()?;
    let zoned = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(zoned.timestamp().as_millisecond())
}

pub(super) fn compare<T: PartialOrd>(operator: Operator, left: &T, right: &T) -> bool {
    match operator {
        Operator::Equal => left == right,
        Operator::NotEqual => left != right,
        Operator::Less => left < right,
        Operator::AtMost => left <= right,
        Operator::Greater => left > right,
        Operator::AtLeast => left >= right,
        Operator::Contains | Operator::In | Operator::Has => false,
    }
}

/// Whether each word asked for is the beginning of a word of the text.
pub(super) fn contains_words(text: &str, wanted: &str) -> bool {
    let split = |text: &str| -> Vec<String> {
        text.split(|letter: char| !letter.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect()
    };
    let words = split(text);
    let wanted = split(wanted);
    !wanted.is_empty()
        && wanted
            .iter()
            .all(|prefix| words.iter().any(|word| word.starts_with(prefix)))
}

/// Whether a file fits one comparison, for one user.
pub(super) fn file_fits(
    workspace: &Workspace,
    me: UserIndex,
    seen: &Seen<'_>,
    term: &Term,
) -> bool {
    let (file, rare) = (seen.file, seen.file.rare());
    let flag = |value: bool| compare(term.operator, &value, &(term.value == "true"));
    let moment = |at: Option<i64>| {
        at.zip(time(&term.value))
            .is_some_and(|(at, wanted)| compare(term.operator, &at, &wanted))
    };
    match term.field.as_str() {
        "name" if term.operator == Operator::Contains => contains_words(&file.name, &term.value),
        "name" => compare(term.operator, &file.name.as_str(), &term.value.as_str()),
        "mimeType" if term.operator == Operator::Contains => file.mime_type.contains(&term.value),
        "mimeType" => compare(term.operator, &&*file.mime_type, &term.value.as_str()),
        "fullText" => full_text(file, &term.value),
        "modifiedTime" => moment(Some(file.modified)),
        "createdTime" => moment(Some(file.created)),
        "viewedByMeTime" => moment(rare.viewed.get(&me).copied()),
        "sharedWithMeTime" => moment(seen.store.shared_with(me, file).map(|(at, _)| at)),
        "trashed" => flag(seen.store.is_trashed(file)),
        "starred" => flag(rare.starred.contains(&me)),
        "sharedWithMe" => flag(seen.store.shared_with(me, file).is_some()),
        "parents" => {
            let wanted = match term.value.as_str() {
                "root" => seen.store.existing_root(me).map(|root| root.as_str()),
                id => Some(id),
            };
            wanted.is_some() && file.parent.as_ref().map(|parent| parent.as_str()) == wanted
        }
        "owners" => file
            .owner
            .is_some_and(|owner| names(workspace, me, &Permission::owner(owner, 0), &term.value)),
        "writers" => shared_to(workspace, me, seen, &term.value, Role::Writer),
        "readers" => shared_to(workspace, me, seen, &term.value, Role::Reader),
        "properties" => rare.properties.get(&term.value) == Some(&term.second),
        "appProperties" => rare.app_properties.get(&term.value) == Some(&term.second),
        "visibility" => compare(term.operator, &visibility(seen), &term.value.as_str()),
        "shortcutDetails.targetId" => {
            let target = file.target.as_ref().map(|target| target.id.as_str());
            compare(term.operator, &target, &Some(term.value.as_str()))
        }
        _ => false,
    }
}

fn full_text(file: &File, wanted: &str) -> bool {
    let mut text = format!(
        "{} {}",
        file.name,
        file.description.as_deref().unwrap_or_default()
    );
    if let Some(head) = file.head()
        && (file.is_native() || file.mime_type.starts_with("text/"))
    {
        text.push(' ');
        text.push_str(&String::from_utf8_lossy(&head.bytes()));
    }
    match wanted
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    {
        Some(phrase) => text.to_lowercase().contains(&phrase.to_lowercase()),
        None => contains_words(&text, wanted),
    }
}

fn shared_to(workspace: &Workspace, me: UserIndex, seen: &Seen<'_>, who: &str, role: Role) -> bool {
    seen.store.effective(seen).iter().any(|effective| {
        effective.permission.role >= role && names(workspace, me, &effective.permission, who)
    })
}

/// Whether a permission is for an address, or for `me`.
fn names(workspace: &Workspace, me: UserIndex, permission: &Permission, who: &str) -> bool {
    match &permission.grantee {
        Grantee::Member(user) if who == "me" => *user == me,
        Grantee::Member(user) => workspace
            .find_user(who)
            .is_some_and(|(found, _)| found == *user),
        Grantee::Outsider(address) | Grantee::Group(address) => address.eq_ignore_ascii_case(who),
        Grantee::Domain(_) | Grantee::Anyone => view::permission_id(workspace, permission) == who,
    }
}

fn visibility(seen: &Seen<'_>) -> &'static str {
    let effective = seen.store.effective(seen);
    let of = |wanted: fn(&Grantee) -> bool| {
        effective
            .iter()
            .map(|effective| &effective.permission)
            .find(|permission| wanted(&permission.grantee))
    };
    match (
        of(|grantee| matches!(grantee, Grantee::Anyone)),
        of(|grantee| matches!(grantee, Grantee::Domain(_))),
    ) {
        (Some(anyone), _) if anyone.discoverable => "anyoneCanFind",
        (Some(_), _) => "anyoneWithLink",
        (None, Some(domain)) if domain.discoverable => "domainCanFind",
        (None, Some(_)) => "domainWithLink",
        (None, None) => "limited",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of the terms that hold, as a way to see the shape.
    fn holds(text: &str, truths: &[&str]) -> Option<bool> {
        Some(parse(text)?.holds(&|term| truths.contains(&term.value.as_str())))
    }

    #[test]
    fn and_binds_tighter_than_or_and_not_tightest() {
        let text = "name = 'a' or name = 'b' and not name = 'c'";
        assert_eq!(holds(text, &["a", "c"]), Some(true));
        assert_eq!(holds(text, &["b"]), Some(true));
        assert_eq!(holds(text, &["b", "c"]), Some(false));
        assert_eq!(
            holds(
                "(name = 'a' or name = 'b') and not (name = 'c')",
                &["a", "c"]
            ),
            Some(false)
        );
    }

    #[test]
    fn quotes_and_backslashes_are_escaped() {
        let text = r"name = 'O\'Brien \\ sons' and '1x' in parents";
        let parsed = parse(text).unwrap();
        let terms = parsed.terms();
        assert_eq!(terms[0].value, r"O'Brien \ sons");
        assert_eq!(
            (
                terms[1].field.as_str(),
                terms[1].operator,
                terms[1].value.as_str()
            ),
            ("parents", Operator::In, "1x")
        );
    }

    #[test]
    fn flags_may_stand_alone_and_times_need_no_offset() {
        assert!(
            parse("sharedWithMe and trashed=false")
                .unwrap()
                .terms()
                .iter()
                .all(|term| is_file_term(term))
        );
        assert_eq!(time("2026-01-02"), time("2026-01-02T00:00:00Z"));
        assert_eq!(
            time("2026-01-02T03:00:00"),
            time("2026-01-02T04:00:00+01:00")
        );
    }

    #[test]
    fn garbage_is_refused() {
        for text in [
            "name",
            "name =",
            "= 'a'",
            "name = 'a",
            "(name = 'a'",
            "name = 'a')",
            "name ~ 'a'",
            "name = 'a' and",
            "'a' in",
            "parents in 'a'",
            "properties has { key='a' }",
            "name = 'a' name = 'b'",
            "#",
        ] {
            let fits = parse(text)
                .is_some_and(|parsed| parsed.terms().iter().all(|term| is_file_term(term)));
            assert!(!fits, "{text}");
        }
        assert_eq!(parse(&"(".repeat(10_000)), None);
        assert_eq!(parse(&"not ".repeat(10_000)), None);
    }

    #[test]
    fn contains_matches_beginnings_of_words() {
        assert!(contains_words("HelloWorld plan", "hello"));
        assert!(contains_words("Budget 2026.xlsx", "2026 bud"));
        assert!(!contains_words("HelloWorld", "world"));
    }
}
