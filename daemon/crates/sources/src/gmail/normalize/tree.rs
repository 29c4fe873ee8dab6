//! The parts of a message (RFC 2046), found in one pass over its bytes. Our own, because
//! mail-parser bounds neither depth nor parts: its result is dropped by recursion, a multipart
//! whose boundary never comes costs a scan to the end each time, and nested messages are opened.
//! Here the cost is linear, nested messages stay closed, and a part knows its number.

use super::content::{Content, DefaultType};
use super::header::{Headers, field_name};
use super::limits::{MAX_DEPTH, MAX_HEADER_BYTES, MAX_PARTS};
use super::notes::Notes;
use std::ops::Range;

/// A message, split.
#[derive(Debug)]
pub(super) struct Tree<'a> {
    /// The message's own header.
    pub(super) headers: Headers<'a>,
    /// The parts in order, multiparts left out; each an attachment or text.
    pub(super) leaves: Vec<Leaf<'a>>,
}

/// A part that holds content.
#[derive(Debug)]
pub(super) struct Leaf<'a> {
    /// As in IMAP (RFC 3501 section 6.4.5): `1.2`; `1` for a message of one part.
    pub(super) number: String,
    pub(super) content: Content,
    pub(super) body: LeafBody<'a>,
    /// The outermost `multipart/alternative` around it, by position.
    pub(super) alternative: Option<usize>,
    /// Whether it only accompanies the root of a `multipart/related` (RFC 2387).
    pub(super) is_companion: bool,
}

/// What is there of a part.
#[derive(Debug, Clone, Copy)]
pub(super) enum LeafBody<'a> {
    /// All of it, in its `content.encoding`.
    Bytes(&'a [u8]),
    /// Only how many bytes it has, decoded.
    Size(usize),
}

/// A part while the tree is read.
struct Part<'a> {
    number: String,
    content: Content,
    body: Range<usize>,
    alternative: Option<usize>,
    is_companion: bool,
    n_children: usize,
    is_open: bool,
    headers: Option<Headers<'a>>,
}

/// A multipart whose end has not come yet.
struct Open {
    part: usize,
    /// With its leading hyphens.
    delimiter: Vec<u8>,
}

/// Splits a message. Whatever the bytes are, there is a root with at least one leaf, unless every
/// part was cut away.
pub(super) fn split<'a>(data: &'a [u8], notes: &mut Notes) -> Tree<'a> {
    let mut parts: Vec<Part<'a>> = Vec::new();
    let mut stack: Vec<Open> = Vec::new();
    let mut header_bytes_left = MAX_HEADER_BYTES;
    let mut at = data
        .iter()
        .take_while(|byte| matches!(byte, b'\r' | b'\n'))
        .count();
    'parts: loop {
        let (block, body_start) = header_block(data, at, &stack);
        let block = within(block, &mut header_bytes_left, notes);
        let headers = Headers::parse(block, notes);
        let part = new_part(headers, body_start..data.len(), &stack, &mut parts, notes);
        let index = parts.len();
        let delimiter = part
            .content
            .boundary
            .as_ref()
            .map(|boundary| [b"--", boundary.as_bytes()].concat());
        parts.push(part);
        let mut leaf = Some(index);
        if parts[index].content.is_multipart() {
            match delimiter {
                None => notes.add("a multipart names no boundary"),
                Some(_) if stack.len() == MAX_DEPTH => {
                    notes.add(format!(
                        "parts nested deeper than {MAX_DEPTH} were not opened"
                    ));
                }
                Some(delimiter) => {
                    parts[index].is_open = true;
                    stack.push(Open {
                        part: index,
                        delimiter,
                    });
                    leaf = None;
                }
            }
        }
        let mut from = body_start;
        loop {
            let Some(found) = next_delimiter(data, from, &stack) else {
                if !stack.is_empty() {
                    notes.add("the message ends within a multipart");
                }
                break 'parts;
            };
            let inner = stack.drain(found.level + 1..).map(|open| open.part);
            for ended in leaf.take().into_iter().chain(inner) {
                let body = &mut parts[ended].body;
                body.end = found.body_end.max(body.start);
            }
            from = found.after;
            if found.is_close {
                if let Some(open) = stack.pop() {
                    parts[open.part].body.end = from;
                }
                continue;
            }
            if parts.len() == MAX_PARTS {
                notes.add(format!("only the first {MAX_PARTS} parts were read"));
                break 'parts;
            }
            if header_bytes_left == 0 {
                break 'parts;
            }
            at = from;
            continue 'parts;
        }
    }
    finish(data, parts, notes)
}

fn new_part<'a>(
    headers: Headers<'a>,
    body: Range<usize>,
    stack: &[Open],
    parts: &mut [Part<'a>],
    notes: &mut Notes,
) -> Part<'a> {
    let Some(parent_index) = stack.last().map(|open| open.part) else {
        return Part {
            number: String::new(),
            content: Content::parse(&headers, DefaultType::Text, notes),
            body,
            alternative: None,
            is_companion: false,
            n_children: 0,
            is_open: false,
            headers: Some(headers),
        };
    };
    let parent = &mut parts[parent_index];
    parent.n_children += 1;
    let number = match parent.number.as_str() {
        "" => parent.n_children.to_string(),
        above => format!("{above}.{}", parent.n_children),
    };
    let default = match parent.content.media_type.as_str() {
        "multipart/digest" => DefaultType::Message,
        _ => DefaultType::Text,
    };
    let is_alternative = parent.content.media_type == "multipart/alternative";
    let is_related = parent.content.media_type == "multipart/related";
    Part {
        number,
        content: Content::parse(&headers, default, notes),
        body,
        alternative: parent
            .alternative
            .or(is_alternative.then_some(parent_index)),
        is_companion: parent.is_companion || (is_related && parent.n_children > 1),
        n_children: 0,
        is_open: false,
        headers: None,
    }
}

fn finish<'a>(data: &'a [u8], mut parts: Vec<Part<'a>>, notes: &mut Notes) -> Tree<'a> {
    // The loop above always makes the root first.
    let headers = parts.first_mut().and_then(|root| root.headers.take());
    let headers = headers.unwrap_or_else(|| Headers::parse(b"", notes));
    let mut leaves = Vec::with_capacity(parts.len());
    for mut part in parts {
        if part.n_children > 0 {
            continue;
        }
        let body = &data[part.body];
        if part.content.is_multipart() && (part.is_open || part.content.boundary.is_none()) {
            if body.trim_ascii().is_empty() {
                continue;
            }
            notes.add("a multipart without parts was taken as text");
            part.content.media_type = "text/plain".into();
        }
        let number = if part.number.is_empty() {
            "1".into()
        } else {
            part.number
        };
        leaves.push(Leaf {
            number,
            content: part.content,
            body: LeafBody::Bytes(body),
            alternative: part.alternative,
            is_companion: part.is_companion,
        });
    }
    Tree { headers, leaves }
}

/// As much of a header block as the limit leaves, in whole lines.
fn within<'a>(block: &'a [u8], left: &mut usize, notes: &mut Notes) -> &'a [u8] {
    if block.len() <= *left {
        *left -= block.len();
        return block;
    }
    notes.add(format!(
        "header fields beyond {MAX_HEADER_BYTES} bytes were not read"
    ));
    let cut = &block[..*left];
    *left = 0;
    match cut.iter().rposition(|&byte| byte == b'\n') {
        Some(n) => &cut[..=n],
        None => cut,
    }
}

/// The header block that begins at `start`, and where the body begins. A blank line ends it, or a
/// boundary; where neither comes, the first line that is no field begins the body.
fn header_block<'a>(data: &'a [u8], start: usize, stack: &[Open]) -> (&'a [u8], usize) {
    let mut at = start;
    let mut first_stray = None;
    while at < data.len() {
        let next = line_end(data, at);
        let line = &data[at..next];
        if matches!(line, b"\n" | b"\r\n") {
            return (&data[start..at], next);
        }
        if delimiter_of(line, stack).is_some() {
            break;
        }
        let is_field = matches!(line, [b' ' | b'\t', ..]) || field_name(line).is_some();
        if !is_field && first_stray.is_none() && !line.starts_with(b"From ") {
            first_stray = Some(at);
        }
        at = next;
    }
    let end = first_stray.unwrap_or(at);
    (&data[start..end], end)
}

struct Delimiter {
    /// Position in the stack of the multipart that it belongs to.
    level: usize,
    is_close: bool,
    /// Where the content before it ends; the line end before a delimiter belongs to it.
    body_end: usize,
    after: usize,
}

fn next_delimiter(data: &[u8], from: usize, stack: &[Open]) -> Option<Delimiter> {
    if stack.is_empty() {
        return None;
    }
    let mut at = from;
    while at < data.len() {
        let next = line_end(data, at);
        if let Some((level, is_close)) = delimiter_of(&data[at..next], stack) {
            let before = &data[..at];
            let before = before.strip_suffix(b"\n").unwrap_or(before);
            let body_end = before.strip_suffix(b"\r").unwrap_or(before).len();
            return Some(Delimiter {
                level,
                is_close,
                body_end,
                after: next,
            });
        }
        at = next;
    }
    None
}

/// Whether the line is a delimiter of an open multipart, the innermost first: its level, and
/// whether it closes. Nothing but white space may follow, since one boundary may begin another.
fn delimiter_of(line: &[u8], stack: &[Open]) -> Option<(usize, bool)> {
    if !line.starts_with(b"--") {
        return None;
    }
    stack.iter().enumerate().rev().find_map(|(level, open)| {
        match line
            .strip_prefix(open.delimiter.as_slice())?
            .trim_ascii_end()
        {
            b"" => Some((level, false)),
            b"--" => Some((level, true)),
            _ => None,
        }
    })
}

/// Just behind the line that begins at `at`.
fn line_end(data: &[u8], at: usize) -> usize {
    data[at..]
        .iter()
        .position(|&byte| byte == b'\n')
        .map_or(data.len(), |n| at + n + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `number media-type "body"` of each leaf, and the notes.
    fn shape(message: &str) -> (Vec<String>, Vec<String>) {
        let mut notes = Notes::default();
        let leaves = split(message.as_bytes(), &mut notes)
            .leaves
            .iter()
            .map(|leaf| {
                let LeafBody::Bytes(body) = leaf.body else {
                    panic!("it was split from bytes")
                };
                let body = String::from_utf8_lossy(body).into_owned();
                format!("{} {} {body:?}", leaf.number, leaf.content.media_type)
            })
            .collect();
        (leaves, notes.into_vec())
    }

    #[test]
    fn parts_are_numbered_as_in_imap() {
        let message = "Content-Type: multipart/mixed; boundary=o\r\n\r\npreamble\r\n--o\r\n\
            Content-Type: multipart/alternative; boundary=\"i i\"\r\n\r\n--i i\r\n\r\nplain\r\n--i i \r\n\
            Content-Type: text/html\r\n\r\n<p>\r\n\r\n--i i--\r\nepilogue\r\n--o\r\n\
            Content-Type: message/rfc822\r\n\r\nContent-Type: multipart/mixed; boundary=n\r\n\r\n--n\r\n\r\nx\r\n--n--\r\n--o--\r\nend";
        let (leaves, notes) = shape(message);
        assert_eq!(
            leaves,
            [
                "1.1 text/plain \"plain\"",
                "1.2 text/html \"<p>\\r\\n\"",
                "2 message/rfc822 \"Content-Type: multipart/mixed; boundary=n\\r\\n\\r\\n--n\\r\\n\\r\\nx\\r\\n--n--\"",
            ]
        );
        assert!(notes.is_empty(), "{notes:?}");
        assert_eq!(shape("\r\nA: b\r\n\r\ntext").0, ["1 text/plain \"text\""]);
    }

    #[test]
    fn an_outer_boundary_ends_what_was_left_open() {
        let message = "Content-Type: multipart/mixed; boundary=ab\n\n--ab\n\
            Content-Type: multipart/mixed; boundary=abc\n\n--abc\n\none\n--ab\n\ntwo";
        let (leaves, notes) = shape(message);
        assert_eq!(leaves, ["1.1 text/plain \"one\"", "2 text/plain \"two\""]);
        assert_eq!(notes, ["the message ends within a multipart"]);
    }

    #[test]
    fn a_part_without_a_blank_line_still_ends() {
        let (leaves, _) = shape(
            "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: text/html\n--a\nno field here\n--a--\n",
        );
        assert_eq!(
            leaves,
            ["1 text/html \"\"", "2 text/plain \"no field here\""]
        );
    }

    #[test]
    fn a_multipart_without_parts_is_text() {
        for head in ["multipart/mixed", "multipart/mixed; boundary=never"] {
            let (leaves, notes) = shape(&format!("Content-Type: {head}\n\nbody"));
            assert_eq!(leaves, ["1 text/plain \"body\""], "{head}");
            assert!(notes.contains(&"a multipart without parts was taken as text".to_owned()));
        }
    }

    #[test]
    fn a_digest_holds_messages() {
        let (leaves, _) =
            shape("Content-Type: multipart/digest; boundary=a\n\n--a\n\nSubject: x\n\ny\n--a--");
        assert_eq!(leaves, ["1 message/rfc822 \"Subject: x\\n\\ny\""]);
    }
}
