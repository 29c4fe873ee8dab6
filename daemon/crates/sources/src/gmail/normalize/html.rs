//! Plain text from HTML: html2text's layout for what is small and tame, a stripper of tags for the
//! rest. The layout builds a tree and may cost far more than its input, so what it is given is
//! bounded beforehand; the stripper is linear and keeps no tree.

use super::limits::{MAX_LAYOUT_BYTES, MAX_LAYOUT_DEPTH, MAX_LAYOUT_WORK, MAX_LAYOUTS};
use html2text::render::TrivialDecorator;
use mail_parser::decoders::html::add_html_token;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Lines are wrapped there. Wide, since text is read by programs first.
const WIDTH: usize = 120;
/// Longer entities do not exist.
const MAX_ENTITY_BYTES: usize = 34;

/// What a mail may still spend on layout.
#[derive(Debug)]
pub(super) struct Layout {
    bytes_left: usize,
    calls_left: usize,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            bytes_left: MAX_LAYOUT_BYTES,
            calls_left: MAX_LAYOUTS,
        }
    }
}

impl Layout {
    /// The text of an HTML document.
    pub(super) fn text(&mut self, html: &str) -> String {
        let text = if self.calls_left > 0 && html.len() <= self.bytes_left && is_tame(html) {
            self.calls_left -= 1;
            self.bytes_left -= html.len();
            laid_out(html)
        } else {
            None
        };
        tidy(&text.unwrap_or_else(|| strip(html)))
    }
}

/// A panic in there is a bug of the library that must not cost the record.
fn laid_out(html: &str) -> Option<String> {
    catch_unwind(AssertUnwindSafe(|| {
        html2text::config::with_decorator(TrivialDecorator::new())
            .raw_mode(true)
            .allow_width_overflow()
            .no_link_wrapping()
            .string_from_read(html.as_bytes(), WIDTH)
            .ok()
    }))
    .ok()
    .flatten()
}

/// Without spaces at line ends, and at most one blank line at a time.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut n_blank = 0;
    for line in text.lines().map(str::trim_end) {
        if line.is_empty() {
            n_blank += 1;
            continue;
        }
        if !out.is_empty() {
            out.push_str(if n_blank > 0 { "\n\n" } else { "\n" });
        }
        n_blank = 0;
        out.push_str(line);
    }
    out
}

/// Whether the layout can be trusted with it: judged by counting tags, without building a tree.
fn is_tame(html: &str) -> bool {
    let mut n_tags = 0_usize;
    let mut depth = 0_usize;
    let mut n_formatting = 0_usize;
    let mut deepest = 0;
    let mut most_formatting = 0;
    for tag in Tags::new(html) {
        n_tags += 1;
        let is_formatting = FORMATTING
            .iter()
            .any(|name| tag.name.eq_ignore_ascii_case(name));
        if tag.is_end {
            depth = depth.saturating_sub(1);
            n_formatting = n_formatting.saturating_sub(usize::from(is_formatting));
        } else if !VOID.iter().any(|name| tag.name.eq_ignore_ascii_case(name)) {
            depth += 1;
            n_formatting += usize::from(is_formatting);
            deepest = deepest.max(depth);
            most_formatting = most_formatting.max(n_formatting);
        }
    }
    deepest <= MAX_LAYOUT_DEPTH && n_tags.saturating_mul(most_formatting) <= MAX_LAYOUT_WORK
}

/// Elements that a parser opens again in the next block
/// (<https://html.spec.whatwg.org/#formatting>).
const FORMATTING: [&str; 14] = [
    "a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u",
];
/// Elements without an end, and those whose end is left out so often that counting it would call
/// every old newsletter deep; a parser closes them by itself.
const VOID: [&str; 19] = [
    "!doctype", "area", "base", "br", "col", "dd", "dt", "embed", "hr", "img", "input", "li",
    "link", "meta", "option", "p", "source", "tr", "wbr",
];
/// Elements that begin a new line.
const BLOCK: [&str; 32] = [
    "address",
    "article",
    "blockquote",
    "br",
    "center",
    "dd",
    "div",
    "dl",
    "dt",
    "fieldset",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "li",
    "main",
    "nav",
    "ol",
    "p",
    "pre",
    "section",
    "table",
    "tbody",
    "title",
    "tr",
    "ul",
];
/// Elements whose content is nothing to read.
const HIDDEN: [&str; 6] = ["head", "noscript", "script", "style", "template", "title"];

/// A tag as it stands in the text.
struct Tag<'a> {
    name: &'a str,
    is_end: bool,
    /// Where it begins and where it ends.
    start: usize,
    end: usize,
}

/// The tags of a document, comments passed over.
struct Tags<'a> {
    html: &'a str,
    at: usize,
    /// No `-->` comes any more; so that a horde of open comments is searched once.
    no_more_comments: bool,
}

impl<'a> Tags<'a> {
    fn new(html: &'a str) -> Self {
        Self {
            html,
            at: 0,
            no_more_comments: false,
        }
    }

    /// Goes on behind the end tag of `name`, or to the end of the document.
    fn skip_content(&mut self, name: &str) {
        let mut tags = Tags {
            html: self.html,
            at: self.at,
            no_more_comments: true,
        };
        let end = tags
            .find(|tag| tag.is_end && tag.name.eq_ignore_ascii_case(name))
            .map(|tag| tag.end);
        self.at = end.unwrap_or(self.html.len());
    }
}

impl<'a> Iterator for Tags<'a> {
    type Item = Tag<'a>;

    fn next(&mut self) -> Option<Tag<'a>> {
        loop {
            let start = self.at + self.html[self.at..].find('<')?;
            let rest = &self.html[start + 1..];
            self.at = start + 1;
            if rest.starts_with("!--") && !self.no_more_comments {
                match rest.find("-->") {
                    Some(n) => {
                        let end = start + 1 + n + 3;
                        self.at = end;
                        return Some(Tag {
                            name: "!--",
                            is_end: true,
                            start,
                            end,
                        });
                    }
                    None => self.no_more_comments = true,
                }
            }
            let is_end = rest.starts_with('/');
            let name = rest.strip_prefix('/').unwrap_or(rest);
            let n_name = name
                .bytes()
                .take_while(|b| b.is_ascii_alphanumeric() || b"!?-".contains(b))
                .count();
            if n_name == 0 {
                continue;
            }
            let end = rest
                .find('>')
                .map_or(self.html.len(), |n| start + 1 + n + 1);
            self.at = end;
            return Some(Tag {
                name: &name[..n_name],
                is_end,
                start,
                end,
            });
        }
    }
}

/// Text between the tags, blocks on lines of their own.
fn strip(html: &str) -> String {
    let mut out = String::with_capacity(html.len() / 2);
    let mut tags = Tags::new(html);
    let mut text_start = 0;
    while let Some(tag) = tags.next() {
        push_text(&mut out, &html[text_start..tag.start]);
        let is_one_of =
            |names: &[&str]| names.iter().any(|name| tag.name.eq_ignore_ascii_case(name));
        if is_one_of(&BLOCK) {
            out.truncate(out.trim_end_matches(' ').len());
            if !out.is_empty() {
                out.push('\n');
            }
        } else if is_one_of(&["td", "th"]) {
            out.push(' ');
        }
        if !tag.is_end && is_one_of(&HIDDEN) {
            tags.skip_content(tag.name);
        }
        text_start = tags.at;
    }
    push_text(&mut out, &html[text_start..]);
    out
}

/// Adds text with white space collapsed and entities decoded.
fn push_text(out: &mut String, text: &str) {
    let mut is_space = out.is_empty() || out.ends_with([' ', '\n']);
    for (n, word) in text.split(|c: char| c.is_ascii_whitespace()).enumerate() {
        if n > 0 && !is_space {
            out.push(' ');
            is_space = true;
        }
        if !word.is_empty() {
            push_decoded(out, word);
            is_space = false;
        }
    }
}

/// The text with its entities decoded.
pub(super) fn decode_entities(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    push_decoded(&mut out, text);
    out
}

fn push_decoded(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(n) = rest.find('&') {
        out.push_str(&rest[..n]);
        rest = &rest[n..];
        let n_entity = rest
            .bytes()
            .take(MAX_ENTITY_BYTES)
            .position(|byte| byte == b';')
            .map_or(1, |end| end + 1);
        // At `;` or just behind the ASCII `&`, so on a character's border.
        let (entity, tail) = rest.split_at(n_entity);
        add_html_token(out, entity.as_bytes(), false);
        rest = tail;
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = "<html><head><title>T</title><style>p{}</style></head><body><h1>Head</h1>\
        <p>Hello <b>caf&eacute;</b>,\n see <a href=\"http://x.example\">this</a>.</p><!-- <p>no</p> -->\
        <table><tr><td>one</td><td>two</td></tr></table><ul><li>x<li>y</ul>1 &lt; 2 &amp;&#33; &bogus; \
        <script>var a = '<p>';</script>end";

    #[test]
    fn both_ways_keep_what_is_to_be_read() {
        let laid_out = tidy(&laid_out(DOCUMENT).unwrap());
        let stripped = tidy(&strip(DOCUMENT));
        for text in [&laid_out, &stripped] {
            let words: Vec<&str> = text
                .split_whitespace()
                .filter(|word| *word != "*")
                .collect();
            assert_eq!(
                words,
                [
                    "Head", "Hello", "café,", "see", "this.", "one", "two", "x", "y", "1", "<",
                    "2", "&!", "&bogus;", "end"
                ],
                "{text}"
            );
        }
        assert_eq!(stripped.lines().next(), Some("Head"));
    }

    #[test]
    fn entities_are_decoded_or_left() {
        assert_eq!(
            decode_entities("it&#39;s &amp;c &nosuch; &"),
            "it's &c &nosuch; &"
        );
        assert_eq!(decode_entities("&é; a&b"), "&é; a&b");
    }

    #[test]
    fn wild_documents_are_only_stripped() {
        assert!(is_tame(&DOCUMENT.repeat(50)));
        assert!(is_tame(&"<p>old<li>style<br>".repeat(5_000)));
        assert!(!is_tame(&"<div>".repeat(MAX_LAYOUT_DEPTH + 1)));
        assert!(!is_tame(&"<font size=1>x<p>".repeat(1_000)));
    }
}
