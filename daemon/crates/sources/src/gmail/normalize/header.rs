//! One header block: its fields, and their values as text, addresses, dates and ids. Where a block
//! ends, and what the fields mean for a record, is not here.

use super::charset;
use super::limits::MAX_PARAMETER_BYTES;
use super::notes::Notes;
use super::words;
use mail_parser::parsers::MessageStream;
use mail_parser::{Addr, ContentType, DateTime, HeaderValue};
use std::borrow::Cow;
use std::ops::Range;

/// The fields of a header block. Names are compared without regard to case.
#[derive(Debug)]
pub(super) struct Headers<'a> {
    block: Cow<'a, [u8]>,
    fields: Vec<Field>,
}

/// Where a field stands in the block; its value ends with the line feed, which the parser needs.
#[derive(Debug)]
struct Field {
    name: Range<usize>,
    value: Range<usize>,
}

impl<'a> Headers<'a> {
    /// Splits a block. Bytes that are no UTF-8 are taken for the charset that the block itself
    /// names for its body, since such mailers write both alike.
    pub(super) fn parse(block: &'a [u8], notes: &mut Notes) -> Self {
        let mut block = Cow::Borrowed(block);
        if block.last().is_some_and(|&last| last != b'\n') {
            block.to_mut().push(b'\n');
        }
        if let Some(repaired) = words::repair(&block, notes) {
            block = Cow::Owned(repaired);
        }
        let mut headers = Self {
            fields: split(&block),
            block,
        };
        if std::str::from_utf8(&headers.block).is_err()
            || charset::has_japanese_escapes(&headers.block)
        {
            let label = headers
                .content_type("content-type")
                .and_then(|content_type| content_type.attribute("charset").map(str::to_owned));
            let decoded = charset::decode(&headers.block, label.as_deref());
            notes.add("8-bit characters in a header without encoding");
            headers.block = Cow::Owned(decoded.text.into_bytes());
            headers.fields = split(&headers.block);
        }
        headers
    }

    /// A block of fields that are unfolded and decoded already.
    pub(super) fn of_fields(fields: &[(String, String)]) -> Headers<'static> {
        let mut block = Vec::new();
        for (name, value) in fields {
            block.extend_from_slice(name.as_bytes());
            block.extend_from_slice(b": ");
            block.extend(value.bytes().map(|byte| match byte {
                b'\r' | b'\n' => b' ',
                other => other,
            }));
            block.push(b'\n');
        }
        Headers {
            fields: split(&block),
            block: Cow::Owned(block),
        }
    }

    /// All values of the fields of that name, as they stand.
    pub(super) fn all<'h>(&'h self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        self.fields
            .iter()
            .filter(move |field| {
                self.block[field.name.clone()].eq_ignore_ascii_case(name.as_bytes())
            })
            .map(|field| &self.block[field.value.clone()])
    }

    /// The first value of that name, unfolded but not decoded.
    pub(super) fn raw(&self, name: &str) -> Option<String> {
        let value = String::from_utf8_lossy(self.all(name).next()?);
        Some(value.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// The first value of that name, decoded and unfolded.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.all(name).next().map(decoded_text)
    }

    /// All addresses of the fields of that name; groups are flattened.
    pub(super) fn addresses(&self, name: &str) -> Vec<Addr<'_>> {
        self.all(name)
            .filter_map(|value| match MessageStream::new(value).parse_address() {
                HeaderValue::Address(address) => Some(address.into_list()),
                _ => None,
            })
            .flatten()
            .collect()
    }

    /// The first value of that name as a media type or disposition with parameters; of a value
    /// longer than [`MAX_PARAMETER_BYTES`] only the type.
    pub(super) fn content_type(&self, name: &str) -> Option<ContentType<'_>> {
        let value = self.all(name).next()?;
        let parsed = if value.len() <= MAX_PARAMETER_BYTES {
            MessageStream::new(value).parse_content_type()
        } else {
            let n = value
                .iter()
                .position(|&byte| byte == b';' || byte == b'\n')?;
            let head = [&value[..n], b"\n"].concat();
            MessageStream::new(&head).parse_content_type().into_owned()
        };
        match parsed {
            HeaderValue::ContentType(content_type) => Some(content_type),
            _ => None,
        }
    }

    /// The first value of that name as a date; only one that exists.
    pub(super) fn date(&self, name: &str) -> Option<DateTime> {
        let value = completed_date(&self.raw(name)?);
        match MessageStream::new(value.as_bytes()).parse_date() {
            HeaderValue::DateTime(date) if is_real(&date) => Some(date),
            _ => None,
        }
    }

    /// The message ids of the fields of that name, without angle brackets.
    pub(super) fn ids(&self, name: &str) -> Vec<String> {
        self.all(name)
            .flat_map(|value| message_ids(&String::from_utf8_lossy(value)))
            .collect()
    }

    /// Names and decoded values in order.
    pub(super) fn decoded(&self) -> Vec<(String, String)> {
        self.fields
            .iter()
            .map(|field| {
                let name = String::from_utf8_lossy(&self.block[field.name.clone()]).into_owned();
                (name, decoded_text(&self.block[field.value.clone()]))
            })
            .collect()
    }
}

fn decoded_text(value: &[u8]) -> String {
    match MessageStream::new(value).parse_unstructured() {
        HeaderValue::Text(text) => text.trim().to_owned(),
        _ => String::new(),
    }
}

/// Fields of a block; lines that are no field are passed over.
fn split(block: &[u8]) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::new();
    let mut start = 0;
    let mut can_continue = false;
    for line in block.split_inclusive(|&byte| byte == b'\n') {
        let end = start + line.len();
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            if can_continue && let Some(field) = fields.last_mut() {
                field.value.end = end;
            }
        } else {
            let name = field_name(line);
            can_continue = name.is_some();
            if let Some(name) = name {
                let colon = line
                    .iter()
                    .position(|&byte| byte == b':')
                    .unwrap_or(name.len());
                fields.push(Field {
                    name: start..start + name.len(),
                    value: start + colon + 1..end,
                });
            }
        }
        start = end;
    }
    fields
}

/// The name of the field that begins on this line, if one does (RFC 5322 section 2.2, and white
/// space before the colon as in section 4.5.8).
pub(super) fn field_name(line: &[u8]) -> Option<&[u8]> {
    let n = line.iter().position(|&byte| byte == b':')?;
    let name = line[..n].trim_ascii_end();
    (!name.is_empty() && name.iter().all(u8::is_ascii_graphic)).then_some(name)
}

/// What stands in angle brackets; without any, the words that look like an id.
fn message_ids(value: &str) -> Vec<String> {
    let mut ids = Vec::new();
    for piece in value.split('<').skip(1) {
        let id = match piece.split_once('>') {
            // An id may be folded in the middle by a careless mailer.
            Some((id, _)) => id.split_whitespace().collect::<String>(),
            None => piece
                .split_whitespace()
                .next()
                .unwrap_or_default()
                .to_owned(),
        };
        if !id.is_empty() {
            ids.push(id);
        }
    }
    if !value.contains('<') {
        ids.extend(
            value
                .split_whitespace()
                .filter(|word| word.contains('@'))
                .map(str::to_owned),
        );
    }
    ids
}

/// Takes out what stands in parentheses: comments (RFC 5322 section 3.2.2).
pub(super) fn without_comments(value: &str) -> String {
    let mut n_open = 0_usize;
    let mut plain = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            '(' => n_open += 1,
            ')' => n_open = n_open.saturating_sub(1),
            _ if n_open == 0 => plain.push(character),
            _ => {}
        }
    }
    plain
}

/// Takes out what RFC 5322 lets a date hold (comments, spaces at colons) and writes out what it
/// lets it leave out (seconds, zone, the fourth digit of a zone), since the parser refuses such
/// dates or reads them wrongly.
fn completed_date(value: &str) -> String {
    let plain = without_comments(value);
    let plain = plain
        .split(':')
        .map(str::trim)
        .collect::<Vec<_>>()
        .join(":");
    let mut date = String::with_capacity(plain.len() + 10);
    let mut last = "";
    for word in plain.split_whitespace() {
        date.push_str(word);
        let n_digits = word.bytes().filter(u8::is_ascii_digit).count();
        let n_colons = word.bytes().filter(|&byte| byte == b':').count();
        if n_digits + n_colons == word.len() && n_colons == 1 && n_digits >= 3 {
            date.push_str(":00");
        }
        if let (Some(sign @ ('+' | '-')), 3, 4) = (word.chars().next(), n_digits, word.len()) {
            date.truncate(date.len() - 4);
            date.push(sign);
            date.push('0');
            date.push_str(&word[1..]);
        }
        date.push(' ');
        last = word;
    }
    if last.contains(':') {
        date.push_str("-0000");
    }
    date.push('\n');
    date
}

fn is_real(date: &DateTime) -> bool {
    (1900..=9999).contains(&date.year)
        && (1..=12).contains(&date.month)
        && (1..=31).contains(&date.day)
        && date.hour < 24
        && date.minute < 60
        && date.second <= 60
        && date.tz_hour < 24
        && date.tz_minute < 60
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(block: &str) -> Headers<'_> {
        Headers::parse(block.as_bytes(), &mut Notes::default())
    }

    #[test]
    fn fields_are_found_whatever_stands_between() {
        let headers = headers(
            "From a Mon 1 10:00\r\nSubject : a\r\n  b\r\nnonsense\r\n lost\r\nX-A:1\nx-a: 2",
        );
        assert_eq!(headers.text("subject").as_deref(), Some("a b"));
        assert_eq!(headers.all("X-A").count(), 2);
        assert_eq!(headers.decoded()[2], ("x-a".into(), "2".into()));
    }

    #[test]
    fn a_character_cut_by_words_is_whole_again() {
        let headers = headers("Subject: =?utf-8?b?8J+Y?= =?utf-8?b?gA==?=\n");
        assert_eq!(headers.text("Subject").as_deref(), Some("😀"));
    }

    #[test]
    fn raw_8_bit_follows_the_charset_of_the_body() {
        let mut notes = Notes::default();
        let block =
            b"Subject: \xf0\xd2\xc9\xd7\xc5\xd4\r\nContent-Type: text/plain; charset=koi8-r\r\n";
        assert_eq!(
            Headers::parse(block, &mut notes).text("subject").as_deref(),
            Some("Привет")
        );
        assert_eq!(notes.into_vec().len(), 1);
    }

    #[test]
    fn ids_are_found_in_the_wild() {
        for (value, ids) in [
            ("<a@b>", &["a@b"][..]),
            ("<a@b><c@d>\r\n <e@\r\n f>", &["a@b", "c@d", "e@f"]),
            ("a@b c@d", &["a@b", "c@d"]),
            ("Your message of Tue <a@b", &["a@b"]),
            ("Your message of Tue", &[]),
            ("<>", &[]),
        ] {
            assert_eq!(message_ids(value), ids, "{value}");
        }
    }

    #[test]
    fn only_real_dates_are_dates() {
        let date = |value: &str| {
            headers(&format!("Date: {value}\n"))
                .date("date")
                .map(|d| d.to_timestamp())
        };
        assert_eq!(date("Tue, 1 Jul 2003 10:52:37 +0200"), Some(1_057_049_557));
        assert_eq!(date("1 Jul 2003 10:52:37 EST"), Some(1_057_074_757));
        assert_eq!(date("1 Jul 03 10:52 GMT"), Some(1_057_056_720));
        assert_eq!(
            date("1 Jul 2003 10(c):   52  :  00 +0000"),
            Some(1_057_056_720)
        );
        assert_eq!(date("1 Jul 2003 10:52:00"), Some(1_057_056_720));
        assert_eq!(date("1 Jul 2003 04:52:00 -600"), Some(1_057_056_720));
        assert_eq!(date("1 Jul 2003 06:52:00 (EDT) -0400"), Some(1_057_056_720));
        for bad in [
            "",
            "yesterday",
            "99 Foo 2003 10:52:37 +0200",
            "0 0 0",
            "1 Jul 2003 99:99:99 +9999",
        ] {
            assert_eq!(date(bad), None, "{bad}");
        }
    }
}
