//! Plain text from HTML: what a reader sees, without wrapping. Blocks stand on lines of their
//! own, paragraphs are set off by an empty line, cells of a row by a tab; images give their
//! `alt` text, links their words. One pass over the tokens, no tree, so time and memory are
//! linear in the input.
//!
//! html2text was here and is not, for three reasons. It took most of the time of a mail that has
//! HTML only (over 100 us), since it builds a tree of many small allocations and lays it out.
//! It may cost far more than its input, so a second way for what is not tame was needed anyway.
//! And it wraps lines, which splits phrases for whoever searches them. A test compares the words
//! that both see.

use super::entities;
use super::tags::{Token, Tokens, attribute, is_hidden, is_one_of};

/// Elements that begin and end a line.
const LINE: [&str; 31] = [
    "address",
    "article",
    "aside",
    "caption",
    "center",
    "dd",
    "details",
    "dir",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "header",
    "legend",
    "li",
    "main",
    "menu",
    "nav",
    "ol",
    "option",
    "section",
    "summary",
    "table",
    "tbody",
    "tfoot",
    "tr",
    "ul",
];
/// Elements that are set off by an empty line.
const PARAGRAPH: [&str; 10] = [
    "blockquote",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "p",
    "pre",
];

/// The text of an HTML document.
pub(super) fn text(html: &str) -> String {
    let mut page = Page {
        out: String::with_capacity(html.len() / 2),
        gap: Gap::None,
        n_pre: 0,
    };
    let mut tokens = Tokens::new(html);
    while let Some(token) = tokens.next() {
        match token {
            Token::Text(text) if page.n_pre > 0 => page.push_lines(text),
            Token::Text(text) => page.push_words(text),
            Token::Start { name, .. } if is_hidden(name) => tokens.skip_content(name),
            Token::Start { name, attributes } => page.start(name, attributes),
            Token::End(name) => page.end(name),
        }
    }
    page.out.truncate(page.out.trim_end().len());
    page.out
}

/// What comes between two pieces of text; of several, the widest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    None,
    Space,
    Cell,
    Line,
    Paragraph,
}

/// The text so far.
struct Page {
    out: String,
    /// What is due before the next text.
    gap: Gap,
    /// Open elements that keep white space.
    n_pre: usize,
}

impl Page {
    fn start(&mut self, name: &str, attributes: &str) {
        if name.eq_ignore_ascii_case("br") {
            self.end_line();
        } else if name.eq_ignore_ascii_case("img") {
            self.push_words(attribute(attributes, "alt").unwrap_or_default());
        } else {
            self.n_pre += usize::from(name.eq_ignore_ascii_case("pre"));
            self.pass(name);
        }
    }

    fn end(&mut self, name: &str) {
        if name.eq_ignore_ascii_case("pre") {
            self.n_pre = self.n_pre.saturating_sub(1);
        }
        self.pass(name);
    }

    /// Begin and end of an element make the same gap.
    fn pass(&mut self, name: &str) {
        let gap = if is_one_of(name, &PARAGRAPH) {
            Gap::Paragraph
        } else if is_one_of(name, &LINE) {
            Gap::Line
        } else if is_one_of(name, &["td", "th"]) {
            Gap::Cell
        } else {
            return;
        };
        self.gap = self.gap.max(gap);
    }

    /// A second line end in a row makes an empty line.
    fn end_line(&mut self) {
        self.gap = if self.gap < Gap::Line {
            Gap::Line
        } else {
            Gap::Paragraph
        };
    }

    /// Adds text with white space collapsed.
    fn push_words(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if text.starts_with(|c: char| c.is_ascii_whitespace()) {
            self.gap = self.gap.max(Gap::Space);
        }
        for word in text.split_ascii_whitespace() {
            self.close_gap();
            entities::push(&mut self.out, word);
            self.gap = Gap::Space;
        }
        if self.gap == Gap::Space && !text.ends_with(|c: char| c.is_ascii_whitespace()) {
            self.gap = Gap::None;
        }
    }

    /// Adds text with its white space.
    fn push_lines(&mut self, text: &str) {
        for (n, line) in text.split('\n').enumerate() {
            if n > 0 {
                self.end_line();
            }
            if line.trim_ascii().is_empty() {
                self.gap = self.gap.max(if line.is_empty() {
                    Gap::None
                } else {
                    Gap::Space
                });
            } else {
                self.close_gap();
                entities::push(&mut self.out, line.trim_end_matches('\r'));
            }
        }
    }

    fn close_gap(&mut self) {
        let gap = std::mem::replace(&mut self.gap, Gap::None);
        if gap >= Gap::Line {
            self.out.truncate(self.out.trim_end().len());
        }
        if self.out.is_empty() {
            return;
        }
        self.out.push_str(match gap {
            Gap::None => "",
            Gap::Space => " ",
            Gap::Cell => "\t",
            Gap::Line => "\n",
            Gap::Paragraph => "\n\n",
        });
    }
}
