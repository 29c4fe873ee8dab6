//! HTML cut into text and tags, as the tokenizer of a browser does
//! (<https://html.spec.whatwg.org/#tokenization>), but for its rare states. No tree, no copies;
//! every byte is looked at a bounded number of times, whatever the document is.

/// A piece of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// Text, references not decoded.
    Text(&'a str),
    /// `<name attributes>`.
    Start {
        /// As written.
        name: &'a str,
        /// What stands behind the name.
        attributes: &'a str,
    },
    /// `</name>`.
    End(&'a str),
}

/// Elements whose content is nothing to read, and no markup either.
const HIDDEN: [&str; 7] = [
    "iframe", "noembed", "noframes", "script", "style", "template", "title",
];

/// Whether an element's content is left out.
pub(super) fn is_hidden(name: &str) -> bool {
    is_one_of(name, &HIDDEN)
}

/// Whether a name is one of those, in any case.
pub(super) fn is_one_of(name: &str, names: &[&str]) -> bool {
    names.iter().any(|one| name.eq_ignore_ascii_case(one))
}

/// The pieces of a document.
pub(super) struct Tokens<'a> {
    html: &'a str,
    at: usize,
    /// No `-->` comes any more; so that a horde of open comments is searched once.
    no_more_comments: bool,
    /// A quote is open to the end: from here a tag ends at its first `>`, for the same reason.
    no_more_quotes: bool,
}

impl<'a> Tokens<'a> {
    /// The pieces of `html`.
    pub(super) fn new(html: &'a str) -> Self {
        Self {
            html,
            at: 0,
            no_more_comments: false,
            no_more_quotes: false,
        }
    }

    /// Goes on behind the end tag of `name`; without one nothing is left to read.
    pub(super) fn skip_content(&mut self, name: &str) {
        while let Some(n) = self.html[self.at..].find("</") {
            let start = self.at + n;
            self.at = start + 2;
            let rest = &self.html[self.at..];
            // Compared as bytes: the name's length may be no character's border of the text.
            let is_end = rest
                .as_bytes()
                .get(..name.len())
                .is_some_and(|found| found.eq_ignore_ascii_case(name.as_bytes()));
            if is_end {
                self.at = self.end_of_tag(self.at + name.len());
                return;
            }
        }
        self.at = self.html.len();
    }

    /// Takes the markup that begins at the place of reading; none for a comment or the like.
    fn markup(&mut self) -> Option<Token<'a>> {
        let start = self.at;
        let rest = &self.html[start + 1..];
        if rest.starts_with("!--") && !self.no_more_comments {
            // From the dashes on, since `<!-->` is a whole comment.
            if let Some(n) = rest[1..].find("-->") {
                self.at = start + 2 + n + 3;
                return None;
            }
            self.no_more_comments = true;
        }
        let is_end = rest.starts_with('/');
        let name_start = start + 1 + usize::from(is_end);
        let name = &self.html[name_start..];
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            self.at = self.first_end(name_start);
            return None;
        }
        let n_name = name
            .bytes()
            .position(|byte| byte.is_ascii_whitespace() || b"/>".contains(&byte))
            .unwrap_or(name.len());
        let (name, attributes) = name.split_at(n_name);
        let end = self.end_of_tag(name_start + n_name);
        self.at = end;
        if is_end {
            return Some(Token::End(name));
        }
        let n_attributes = (end - name_start - n_name).min(attributes.len());
        Some(Token::Start {
            name,
            attributes: &attributes[..n_attributes],
        })
    }

    /// Where a tag ends whose name ends at `from`: a `>` in quotes does not count.
    fn end_of_tag(&mut self, from: usize) -> usize {
        if self.no_more_quotes {
            return self.first_end(from);
        }
        let mut at = from;
        while let Some(n) = self.html[at..].find(['>', '=']) {
            let is_end = self.html[at + n..].starts_with('>');
            at += n + 1;
            if is_end {
                return at;
            }
            let value = self.html[at..].trim_ascii_start();
            if let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) {
                at = self.html.len() - value.len() + 1;
                match self.html[at..].find(quote) {
                    Some(n) => at += n + 1,
                    None => {
                        self.no_more_quotes = true;
                        return self.first_end(from);
                    }
                }
            }
        }
        self.html.len()
    }

    fn first_end(&self, from: usize) -> usize {
        self.html[from..]
            .find('>')
            .map_or(self.html.len(), |n| from + n + 1)
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        while self.at < self.html.len() {
            let rest = &self.html[self.at..];
            let n_text = text_len(rest);
            if n_text > 0 {
                self.at += n_text;
                return Some(Token::Text(&rest[..n_text]));
            }
            if let Some(token) = self.markup() {
                return Some(token);
            }
        }
        None
    }
}

/// Bytes before the next markup. A `<` that begins none is text.
fn text_len(html: &str) -> usize {
    let mut from = 0;
    while let Some(n) = html[from..].find('<') {
        let at = from + n;
        from = at + 1;
        if html[from..].starts_with(|c: char| c.is_ascii_alphabetic() || "!?/".contains(c)) {
            return at;
        }
    }
    html.len()
}

/// The value of an attribute, references not decoded.
pub(super) fn attribute<'a>(attributes: &'a str, wanted: &str) -> Option<&'a str> {
    let is_space = |c: char| c.is_ascii_whitespace() || c == '/';
    let mut rest = attributes;
    loop {
        rest = rest.trim_start_matches(is_space);
        let n_name = rest
            .find(|c: char| is_space(c) || c == '=' || c == '>')
            .unwrap_or(rest.len());
        let (name, tail) = rest.split_at(n_name);
        let Some(value) = tail.trim_ascii_start().strip_prefix('=') else {
            if tail.is_empty() || tail.starts_with('>') {
                return None;
            }
            rest = tail;
            continue;
        };
        let value = value.trim_ascii_start();
        let (value, tail) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => value[1..].split_once(quote).unwrap_or((&value[1..], "")),
            _ => value.split_at(
                value
                    .find(|c: char| c.is_ascii_whitespace() || c == '>')
                    .unwrap_or(value.len()),
            ),
        };
        if name.eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = tail;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(html: &str) -> Vec<String> {
        Tokens::new(html)
            .map(|token| match token {
                Token::Text(text) => format!("{text:?}"),
                Token::Start { name, attributes } => format!("<{name}|{attributes}"),
                Token::End(name) => format!("/{name}"),
            })
            .collect()
    }

    #[test]
    fn markup_ends_where_a_browser_ends_it() {
        for (html, expected) in [
            (
                "a<b>c</B >d",
                &["\"a\"", "<b|>", "\"c\"", "/B", "\"d\""][..],
            ),
            ("1 < 2 <3 <é", &["\"1 < 2 <3 <é\""]),
            (
                "<a title='x > y' href=z>t",
                &["<a| title='x > y' href=z>", "\"t\""],
            ),
            ("<a title = \"<b>\">t", &["<a| title = \"<b>\">", "\"t\""]),
            (
                "a<!-- <p> -->b<!-->c<!--->d",
                &["\"a\"", "\"b\"", "\"c\"", "\"d\""],
            ),
            ("<!DOCTYPE html><?xml ?></ x></>e", &["\"e\""]),
            (
                "<![if !mso]>f<![endif]><o:p/>g",
                &["\"f\"", "<o:p|/>", "\"g\""],
            ),
            // What is never closed takes no more than it must.
            ("a<!-- b>c", &["\"a\"", "\"c\""]),
            (
                "<a b='c>d<e f=\"g>h",
                &["<a| b='c>", "\"d\"", "<e| f=\"g>", "\"h\""],
            ),
            ("a<b", &["\"a\"", "<b|"]),
            ("<", &["\"<\""]),
        ] {
            assert_eq!(tokens(html), expected, "{html}");
        }
    }

    #[test]
    fn attributes_are_found() {
        for (attributes, expected) in [
            (" src=x ALT='a b' >", Some("a b")),
            (" alt=\"q'\"/>", Some("q'")),
            (" data-alt=no alt=yes>", Some("yes")),
            (" title=\"alt='no'\" width = 3 alt = y>", Some("y")),
            (" alt>", None),
            (" x alt=\"open", Some("open")),
            (" alt=>", Some("")),
            ("", None),
        ] {
            assert_eq!(attribute(attributes, "alt"), expected, "{attributes}");
        }
    }
}
