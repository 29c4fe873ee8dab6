//! Character references of HTML (<https://html.spec.whatwg.org/#character-references>), decoded
//! in one pass. What is none is left as it stands.

use mail_parser::decoders::html::add_html_token;

/// Longer names do not exist.
const MAX_BYTES: usize = 34;

/// Names that old mails write without the semicolon at their end.
const BARE: [(&str, char); 5] = [
    ("nbsp", '\u{a0}'),
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
];

/// What numbers from 128 to 159 mean
/// (<https://html.spec.whatwg.org/#numeric-character-reference-end-state>).
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// The text with its references decoded.
pub(super) fn decode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    push(&mut out, text);
    out
}

/// Adds the text with its references decoded.
pub(super) fn push(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(n) = rest.find('&') {
        out.push_str(&rest[..n]);
        rest = &rest[n..];
        let end = rest
            .bytes()
            .take(MAX_BYTES)
            .skip(1)
            .position(|byte| !byte.is_ascii_alphanumeric() && byte != b'#')
            .map(|n| n + 1);
        // At an ASCII character, or just behind the `&`, so on a character's border.
        let n_used = match end.map(|end| rest.split_at(end)) {
            Some((reference, tail)) if tail.starts_with(';') => {
                push_reference(out, reference, &rest[..=reference.len()])
            }
            _ => push_bare(out, rest),
        };
        rest = &rest[n_used..];
    }
    out.push_str(rest);
}

/// A reference with its semicolon (`whole`), without it (`reference`). Tells how long it was.
fn push_reference(out: &mut String, reference: &str, whole: &str) -> usize {
    match reference.strip_prefix("&#").map(code) {
        Some(Some(character)) => out.push(character),
        Some(None) => out.push_str(whole),
        None => add_html_token(out, whole.as_bytes(), false),
    }
    whole.len()
}

/// The character of a number; those that are none, and NUL, become U+FFFD.
fn code(number: &str) -> Option<char> {
    let number = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => number.parse(),
    };
    let number = number.ok()?;
    Some(match number {
        0 => '\u{fffd}',
        0x80..=0x9f => WINDOWS_1252[number as usize - 0x80],
        _ => char::from_u32(number).unwrap_or('\u{fffd}'),
    })
}

/// An `&` without a semicolon to it. Tells how many bytes were used.
fn push_bare(out: &mut String, rest: &str) -> usize {
    let known = BARE.iter().find(|(name, _)| {
        rest[1..]
            .strip_prefix(name)
            .is_some_and(|tail| !tail.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '='))
    });
    match known {
        Some((name, character)) => {
            out.push(*character);
            name.len() + 1
        }
        None => {
            out.push('&');
            1
        }
    }
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn references_are_decoded_or_left() {
        for (text, decoded) in [
            ("it&#39;s &amp;c &nosuch; &", "it's &c &nosuch; &"),
            ("&é; a&b &;&#;&#x;", "&é; a&b &;&#;&#x;"),
            ("&#x41;&#X42;&#67;", "ABC"),
            ("&#146;&#x80;&#150;", "’€–"),
            ("&#0;&#xD800;&#x110000;", "\u{fffd}\u{fffd}\u{fffd}"),
            ("&#99999999999;", "&#99999999999;"),
            ("a&nbsp b&lt", "a\u{a0} b<"),
            ("?a=1&lt=2&amplitude&copy;", "?a=1&lt=2&amplitude©"),
            ("&amp;lt;", "&lt;"),
        ] {
            assert_eq!(decode(text), decoded, "{text}");
        }
    }
}
