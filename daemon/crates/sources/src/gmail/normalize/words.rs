//! Encoded-words (RFC 2047) of a header before the parser sees them. Decoding them is the
//! parser's; here are three repairs that it lacks: a character cut in two by neighbouring words,
//! charset names that it does not know, and hordes of broken words that make it quadratic.

use super::limits::MAX_BROKEN_WORDS;
use super::{charset, notes::Notes};
use std::ops::Range;

/// Longer words are left to the parser as they are; RFC 2047 allows 75.
const MAX_WORD_BYTES: usize = 2_048;

/// The repaired header, or nothing where it is good as it is.
pub(super) fn repair(block: &[u8], notes: &mut Notes) -> Option<Vec<u8>> {
    let mut at = next_start(block, 0)?;
    let mut out = Vec::new();
    let mut n_copied = 0;
    let mut n_broken = 0;
    loop {
        match Word::read(block, at) {
            Some(word) => {
                let end = word.end;
                if let Some((replacement, end)) = joined(block, &word) {
                    out.extend_from_slice(&block[n_copied..at]);
                    out.extend_from_slice(&replacement);
                    n_copied = end;
                }
                at = end.max(n_copied);
            }
            None => {
                let is_costly = begins_text(block, at);
                n_broken += usize::from(is_costly);
                if is_costly && n_broken > MAX_BROKEN_WORDS {
                    out.extend_from_slice(&block[n_copied..at]);
                    n_copied = at + 1;
                }
                at += 2;
            }
        }
        match next_start(block, at) {
            Some(next) => at = next,
            None => break,
        }
    }
    if n_broken > MAX_BROKEN_WORDS {
        notes.add("broken encoded-words in a header were taken as text");
    }
    if n_copied == 0 {
        return None;
    }
    out.extend_from_slice(&block[n_copied..]);
    Some(out)
}

/// The word and its neighbours of the same charset and encoding as one, with a charset name
/// that the parser knows; nothing where that is what stands there already.
fn joined(block: &[u8], first: &Word<'_>) -> Option<(Vec<u8>, usize)> {
    let name = charset::parser_name(first.charset);
    let mut texts = vec![first.text.clone()];
    let mut end = first.end;
    loop {
        let gap = block[end..]
            .iter()
            .take_while(|b| b.is_ascii_whitespace())
            .count();
        let Some(next) = Word::read(block, end + gap) else {
            break;
        };
        let previous = &block[texts[texts.len() - 1].clone()];
        let is_same = next.charset.eq_ignore_ascii_case(first.charset)
            && next.encoding.eq_ignore_ascii_case(&first.encoding);
        let is_whole = first.encoding.eq_ignore_ascii_case(&b'q')
            || (previous.len().is_multiple_of(4) && previous.last() != Some(&b'='));
        // Their decoder takes two shifts on end for an attack; each word is whole anyhow.
        let has_shifts = name.len() > 8 && name[..8].eq_ignore_ascii_case(b"iso-2022");
        if gap == 0 || !is_same || !is_whole || has_shifts {
            break;
        }
        end = next.end;
        texts.push(next.text);
    }
    if texts.len() == 1 && name == first.charset {
        return None;
    }
    let mut word = [b"=?", name, b"?", &[first.encoding], b"?"].concat();
    for text in texts {
        word.extend_from_slice(&block[text]);
    }
    word.extend_from_slice(b"?=");
    Some((word, end))
}

/// Whether the parser would look for the end of a text here; any other `=?`, as in a boundary, it
/// gives up at once.
fn begins_text(block: &[u8], at: usize) -> bool {
    let rest = &block[at + 2..];
    rest.iter().position(|&byte| byte == b'?').is_some_and(|n| {
        matches!(
            rest.get(n + 1..n + 3),
            Some([b'b' | b'B' | b'q' | b'Q', b'?'])
        )
    })
}

fn next_start(block: &[u8], from: usize) -> Option<usize> {
    block
        .get(from..)?
        .windows(2)
        .position(|pair| pair == b"=?")
        .map(|n| from + n)
}

/// One well-formed encoded-word.
struct Word<'a> {
    charset: &'a [u8],
    encoding: u8,
    text: Range<usize>,
    /// Just behind the closing `?=`.
    end: usize,
}

impl<'a> Word<'a> {
    fn read(block: &'a [u8], at: usize) -> Option<Self> {
        let rest = block.get(at..)?.strip_prefix(b"=?")?;
        let rest = &rest[..rest.len().min(MAX_WORD_BYTES)];
        let n_charset = rest
            .iter()
            .take(64)
            .position(|&b| b == b'?' || b.is_ascii_whitespace())?;
        let &[b'?', encoding @ (b'b' | b'B' | b'q' | b'Q'), b'?'] =
            rest.get(n_charset..n_charset + 3)?
        else {
            return None;
        };
        let from = n_charset + 3;
        let text = &rest[from..];
        let n_text = text
            .windows(2)
            .take_while(|pair| pair[0] != b'\n')
            .position(|pair| pair == b"?=")?;
        let start = at + 2 + from;
        Some(Self {
            charset: &rest[..n_charset],
            encoding,
            text: start..start + n_text,
            end: start + n_text + 2,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: &str, expected: Option<&str>) {
        let repaired = repair(header.as_bytes(), &mut Notes::default());
        assert_eq!(
            repaired.map(|b| String::from_utf8(b).unwrap()).as_deref(),
            expected,
            "{header}"
        );
    }

    #[test]
    fn neighbours_become_one_word() {
        check(
            "a =?utf-8?q?=C3?= \r\n =?UTF-8?Q?=A4x?= b",
            Some("a =?utf-8?q?=C3=A4x?= b"),
        );
        check(
            "=?utf-8?b?w6Tw?= =?utf-8?b?kA==?=",
            Some("=?utf-8?b?w6TwkA==?="),
        );
        check("=?utf-8?b?kA==?= =?utf-8?b?kA==?=", None);
        check("=?utf-8?q?a?= =?koi8-r?q?b?=", None);
        check("=?utf-8?q?a?= and =?utf-8?q?b?=", None);
        check("nothing = ? here", None);
    }

    #[test]
    fn charset_names_that_the_parser_lacks_are_replaced() {
        check("x =?cp932?b?gsg=?= y", Some("x =?shift_jis?b?gsg=?= y"));
    }

    #[test]
    fn only_hordes_of_broken_words_are_defused() {
        check("=?bb?q?x =?bb", None);
        check(&"boundary=\"'()+_,-./:=?  ".repeat(1_000), None);
        let mut notes = Notes::default();
        let horde = b"=?bb?q?x ".repeat(1_000);
        let defused = repair(&horde, &mut notes).unwrap();
        assert_eq!(
            defused.windows(2).filter(|pair| pair == b"=?").count(),
            MAX_BROKEN_WORDS
        );
        assert_eq!(notes.into_vec().len(), 1);
    }
}
