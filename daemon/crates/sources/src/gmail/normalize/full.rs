//! Gmail's own parts (`format=full`) as a tree like that of `tree`, so that all behind it is the
//! same. Gmail has decoded headers, transfer encodings and charsets by its own rules, and what was
//! lost on the way cannot be seen: whatever could come out otherwise than from the bytes is a
//! doubt, and a doubt costs one get of the bytes. It is never guessed.

use super::Normalized;
use super::bodies::is_body;
use super::content::{Content, DefaultType, file_name};
use super::header::Headers;
use super::limits::{MAX_DEPTH, MAX_HEADER_BYTES, MAX_PARTS};
use super::notes::Notes;
use super::transfer::Encoding;
use super::tree::{Leaf, LeafBody, Tree};
use nuncio_google::MessagePart;

/// Fields whose value goes into the record, without those that name people.
const TEXT_FIELDS: [&str; 8] = [
    "subject",
    "date",
    "message-id",
    "in-reply-to",
    "references",
    "list-id",
    "auto-submitted",
    "precedence",
];

/// Fields that name people.
const PEOPLE_FIELDS: [&str; 6] = ["from", "sender", "reply-to", "to", "cc", "bcc"];

/// Fields of a part that say what it is.
const PART_FIELDS: [&str; 4] = [
    "content-type",
    "content-disposition",
    "content-transfer-encoding",
    "content-id",
];

/// Charsets whose text is the same in UTF-8 where it is ASCII.
const PLAIN_CHARSETS: [&str; 3] = ["utf-8", "utf8", "us-ascii"];

/// Charsets that are written in ASCII: nobody can see whether Gmail has decoded them.
const ASCII_WRITTEN: [&str; 4] = ["utf-7", "utf7", "unicode-1-1-utf-7", "hz-gb-2312"];

/// Charsets of Western Europe, which UTF-8 is often mislabelled as.
const WESTERN: [&str; 6] = [
    "iso-8859-1",
    "iso8859-1",
    "latin1",
    "iso-8859-15",
    "windows-1252",
    "cp1252",
];

/// Notes that tell of the header alone, and the same of both forms.
const SURE_NOTES: [&str; 2] = ["Date is missing", "From is missing"];

/// The message as a tree; none in doubt.
pub(super) fn tree<'a>(payload: &'a MessagePart, notes: &mut Notes) -> Option<Tree<'a>> {
    let mut walk = Walk {
        leaves: Vec::new(),
        n_parts: 0,
        header_bytes_left: MAX_HEADER_BYTES,
        notes,
    };
    let headers = walk.part(payload, &Place::default())?;
    is_plain_header(payload).then_some(())?;
    let mut leaves = walk.leaves;
    let n_leaves = leaves.len();
    for leaf in &mut leaves {
        let is_text = is_body(leaf, n_leaves);
        if is_text || leaf.content.media_type.starts_with("text/") {
            is_plain_text(leaf, is_text).then_some(())?;
            leaf.content.charset = Some("utf-8".into());
        }
        // An invitation may say what it is in its first lines only.
        let is_calendar = leaf.content.media_type == "text/calendar";
        if is_calendar && !leaf.content.has_method && matches!(leaf.body, LeafBody::Size(_)) {
            return None;
        }
    }
    Some(Tree { headers, leaves })
}

/// Whether a record leaves no doubt: what needs a note is read from the bytes.
pub(super) fn is_sure(record: &Normalized) -> bool {
    record
        .notes
        .iter()
        .all(|note| SURE_NOTES.contains(&note.as_str()))
}

/// Where a part stands.
#[derive(Default)]
struct Place {
    number: String,
    depth: usize,
    alternative: Option<usize>,
    is_companion: bool,
    is_in_digest: bool,
}

struct Walk<'a, 'n> {
    leaves: Vec<Leaf<'a>>,
    n_parts: usize,
    header_bytes_left: usize,
    notes: &'n mut Notes,
}

impl<'a> Walk<'a, '_> {
    /// Takes a part with all below it; its header.
    fn part(&mut self, part: &'a MessagePart, place: &Place) -> Option<Headers<'static>> {
        let index = self.n_parts;
        self.n_parts += 1;
        let n_header_bytes: usize = part
            .headers
            .iter()
            .map(|(name, value)| name.len() + value.len() + 4)
            .sum();
        self.header_bytes_left = self.header_bytes_left.checked_sub(n_header_bytes)?;
        if self.n_parts > MAX_PARTS || place.depth > MAX_DEPTH {
            return None;
        }
        let is_decoded = fields(part, &PART_FIELDS).all(|value| !is_doubtful(value));
        let headers = Headers::of_fields(&part.headers);
        let default = if place.is_in_digest {
            DefaultType::Message
        } else {
            DefaultType::Text
        };
        let mut content = Content::parse(&headers, default, self.notes);
        let is_same = content.media_type.eq_ignore_ascii_case(&part.mime_type)
            && content.filename == file_name(&part.filename);
        if !is_decoded || !is_same || !self.notes.as_slice().is_empty() {
            return None;
        }
        if content.is_multipart() {
            if part.parts.is_empty() {
                return None;
            }
            for (n, child) in part.parts.iter().enumerate() {
                let number = match place.number.as_str() {
                    "" => (n + 1).to_string(),
                    above => format!("{above}.{}", n + 1),
                };
                let is_alternative = content.media_type == "multipart/alternative";
                let is_related = content.media_type == "multipart/related";
                let place = Place {
                    number,
                    depth: place.depth + 1,
                    alternative: place.alternative.or(is_alternative.then_some(index)),
                    is_companion: place.is_companion || (is_related && n > 0),
                    is_in_digest: content.media_type == "multipart/digest",
                };
                self.part(child, &place)?;
            }
            return Some(headers);
        }
        // A message inside stays closed, as an attachment; its parts are not looked at.
        if !part.parts.is_empty() && !content.media_type.starts_with("message/") {
            return None;
        }
        let body = match &part.data {
            Some(data) => LeafBody::Bytes(data),
            None if part.is_apart => LeafBody::Size(usize::try_from(part.size).ok()?),
            None if part.size == 0 && part.parts.is_empty() => LeafBody::Bytes(&[]),
            None => return None,
        };
        if matches!(content.encoding, Encoding::Uuencode | Encoding::Unknown(_)) {
            return None;
        }
        content.encoding = Encoding::Identity;
        self.leaves.push(Leaf {
            number: match place.number.as_str() {
                "" => "1".into(),
                number => number.into(),
            },
            content,
            body,
            alternative: place.alternative,
            is_companion: place.is_companion,
        });
        Some(headers)
    }
}

/// The values of the fields of these names.
fn fields<'p>(part: &'p MessagePart, names: &'p [&str]) -> impl Iterator<Item = &'p str> {
    part.headers
        .iter()
        .filter(|(name, _)| names.iter().any(|one| name.eq_ignore_ascii_case(one)))
        .map(|(_, value)| value.as_str())
}

/// Whether a value may not be what it was: an encoded-word is left in it (so either it was none, or
/// it was not decoded), or a character was lost, or it has control characters.
fn is_doubtful(value: &str) -> bool {
    value.contains("=?")
        || value
            .chars()
            .any(|c| c == '\u{fffd}' || (c.is_control() && c != '\t'))
}

/// Whether the decoded fields that a record is made of can be read in one way only.
fn is_plain_header(part: &MessagePart) -> bool {
    let is_text_sure = fields(part, &TEXT_FIELDS).all(|value| !is_doubtful(value));
    // Folded with more than a space, it depends on who unfolds it.
    let is_subject_sure = fields(part, &["subject"])
        .all(|value| !value.contains('\t') && !value.trim().contains("  "));
    let are_people_sure =
        fields(part, &PEOPLE_FIELDS).all(|value| !is_doubtful(value) && is_plain_list(value));
    // A name that holds a comma or an address, once decoded, must not become an author.
    let from: Vec<&str> = fields(part, &["from"]).collect();
    let is_one = match from.as_slice() {
        [] => true,
        [one] => one.matches('@').count() == 1,
        _ => false,
    };
    is_text_sure && is_subject_sure && are_people_sure && is_one
}

/// Whether a list of people has only entries `a@b`, `name <a@b>` and `"name" <a@b>`, whose names
/// hold nothing that means something else outside an encoded-word.
fn is_plain_list(list: &str) -> bool {
    // A group of nobody, which hides those who got the message (RFC 5322 appendix A.1.3).
    if list.trim().eq_ignore_ascii_case("undisclosed-recipients:;") {
        return true;
    }
    let mut is_quoted = false;
    list.split(|c| {
        is_quoted ^= c == '"';
        c == ',' && !is_quoted
    })
    .all(is_plain_entry)
}

fn is_plain_entry(entry: &str) -> bool {
    let entry = entry.trim();
    let Some((name, address)) = entry
        .strip_suffix('>')
        .and_then(|entry| entry.rsplit_once('<'))
    else {
        return is_plain_address(entry);
    };
    let name = name.trim();
    let is_plain_name = match name.strip_prefix('"') {
        Some(rest) => rest
            .strip_suffix('"')
            .is_some_and(|inner| !inner.contains(['"', '\\'])),
        None => !name.contains(['"', '(', ')', '<', '>', '@', ';', ':', '\\', '[', ']']),
    };
    is_plain_name && !name.contains("  ") && !name.contains('\t') && is_plain_address(address)
}

fn is_plain_address(address: &str) -> bool {
    address.matches('@').count() == 1
        && !address.contains(|c: char| c.is_whitespace() || "\"()<>,;:\\[]".contains(c))
}

/// Whether a text part is in UTF-8 as its mailer meant it. `is_read`: the text itself is wanted,
/// not only its size.
fn is_plain_text(leaf: &Leaf<'_>, is_read: bool) -> bool {
    let label = leaf.content.charset.as_deref().unwrap_or_default().trim();
    let label = label.to_ascii_lowercase();
    let LeafBody::Bytes(data) = leaf.body else {
        // Counted in which charset?
        return !is_read && (label.is_empty() || PLAIN_CHARSETS.contains(&label.as_str()));
    };
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    if text.contains('\u{1b}') || ASCII_WRITTEN.contains(&label.as_str()) {
        return false;
    }
    if text.is_ascii() {
        return true;
    }
    // 8-bit text under no label, or that of ASCII, was guessed at.
    if !is_read || label.is_empty() || matches!(label.as_str(), "us-ascii" | "ascii") {
        return matches!(label.as_str(), "utf-8" | "utf8") && !text.contains('\u{fffd}');
    }
    let is_lost = |c: char| c == '\u{fffd}' || ('\u{80}'..='\u{9f}').contains(&c);
    let is_doubtful = WESTERN.contains(&label.as_str()) && is_mislabelled(text);
    !(is_doubtful || text.contains(is_lost))
}

/// Whether text of Western Europe is really UTF-8 that was decoded wrongly.
fn is_mislabelled(text: &str) -> bool {
    // What windows-1252 has from 0x80 on, in its order; what it leaves out is U+FFFD.
    const UPPER: &str = "€\u{fffd}‚ƒ„…†‡ˆ‰Š‹Œ\u{fffd}Ž\u{fffd}\u{fffd}‘’“”•–—˜™š›œ\u{fffd}žŸ";
    let byte = |c: char| match u32::from(c) {
        n @ (0..0x80 | 0xa0..0x100) => u8::try_from(n).ok(),
        _ => UPPER
            .chars()
            .position(|upper| upper == c)
            .and_then(|n| u8::try_from(n + 0x80).ok()),
    };
    let bytes: Option<Vec<u8>> = text.chars().map(byte).collect();
    bytes.is_some_and(|bytes| std::str::from_utf8(&bytes).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_that_decoding_may_have_changed_are_doubted() {
        for plain in [
            "a@b.c",
            "Ana Lima <a@b.c>, \"Lima, Ana (Sales)\" <a@b.c>,<d@e>",
            "Jörg Müller <j@b.c>",
            "Dr. O'Neil-Smith <o@b.c>",
            "undisclosed-recipients:;",
        ] {
            assert!(is_plain_list(plain), "{plain}");
        }
        for doubtful in [
            "Lima, Ana <a@b.c>",
            "Ana (Sales) <a@b.c>",
            "Ana \"x\" Lima <a@b.c>",
            "x@y, z <a@b.c> <d@e>",
            "team: a@b.c, d@e;",
            "\"Ana\\\" <a@b.c>",
            "Ana  Lima <a@b.c>",
            "Ana",
            "",
        ] {
            assert!(!is_plain_list(doubtful), "{doubtful}");
        }
    }

    #[test]
    fn utf8_that_was_taken_for_latin_is_seen() {
        for wrong in ["caf\u{c3}\u{a9}", "don\u{e2}€™t"] {
            assert!(is_mislabelled(wrong), "{wrong}");
        }
        for right in ["café", "Grüße €", "日本"] {
            assert!(!is_mislabelled(right), "{right}");
        }
    }
}
