//! Quotes a line of the config under an error. Values that may be secrets are masked letter by
//! letter, so that the carets still point at the right place; control characters are escaped
//! and long lines are cut around the place.

use crate::keys;
use crate::place::SourceText;
use nuncio_model::untrusted;
use std::ops::Range;

/// So many characters are shown before the place, and twice as many in all.
const CONTEXT_CHARS: usize = 60;

/// What of a line may be shown.
pub(crate) enum Masked<'a> {
    /// All but these byte ranges of the text, which are sorted and do not overlap.
    Ranges(&'a [Range<usize>]),
    /// The text could not be read as TOML, so nobody knows what is a value: all but section
    /// headers and known keys.
    Values,
}

/// The line around `span.start`, and carets below the part of `span` that lies in it.
pub(crate) fn quote(
    source: &SourceText<'_>,
    span: &Range<usize>,
    masked: &Masked<'_>,
) -> (String, String) {
    let line_span = source.line_span(span.start);
    let line = &source.text()[line_span.clone()];
    let n_open = match masked {
        Masked::Ranges(_) => line.len(),
        Masked::Values => open_prefix(line),
    };
    let ranges = match masked {
        Masked::Ranges(all) => {
            let first = all.partition_point(|range| range.end <= line_span.start);
            let n_here = all[first..].partition_point(|range| range.start < line_span.end);
            &all[first..first + n_here]
        }
        Masked::Values => &[],
    };
    // Each shown character, with whether a caret stands below it.
    let mut shown: Vec<(String, bool)> = Vec::new();
    let mut start = None;
    for (index, character) in line.char_indices() {
        let at = line_span.start + index;
        let is_masked = index >= n_open || ranges.iter().any(|range| range.contains(&at));
        let text = match character {
            '\t' => " ".to_owned(),
            _ if is_masked && !is_structure(character) => "*".to_owned(),
            _ => untrusted(character.encode_utf8(&mut [0; 4])).to_string(),
        };
        if at >= span.start {
            start.get_or_insert(shown.len());
        }
        shown.push((text, span.contains(&at)));
    }
    let start = start.unwrap_or(shown.len());
    let from = start.saturating_sub(CONTEXT_CHARS);
    let to = shown.len().min(from + 2 * CONTEXT_CHARS);

    let mut text = String::new();
    let mut carets = String::new();
    if from > 0 {
        text.push('…');
        carets.push(' ');
    }
    for (index, (part, is_marked)) in shown[from..to].iter().enumerate() {
        text.push_str(part);
        let is_first = from + index == start;
        let mark = if *is_marked || is_first { '^' } else { ' ' };
        carets.extend(std::iter::repeat_n(mark, part.chars().count()));
    }
    if start >= to {
        carets.push('^');
    }
    if to < shown.len() {
        text.push('…');
    }
    (text, carets.trim_end().to_owned())
}

/// Characters that show how a value is written without telling what it is.
fn is_structure(character: char) -> bool {
    character.is_whitespace() || "\"'[]{}=,#".contains(character)
}

/// How many bytes at the start of a line of broken TOML are harmless: a known key with its `=`,
/// or the header of a known section.
fn open_prefix(line: &str) -> usize {
    let trimmed = line.trim_start();
    let n_indent = line.len() - trimmed.len();
    if trimmed.starts_with('[') {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "[]._-".contains(c);
        let header = &trimmed[..trimmed.find(|c| !is_plain(c)).unwrap_or(trimmed.len())];
        let header = &header[..header.find(']').unwrap_or(header.len())];
        let section = header
            .trim_start_matches('[')
            .split('.')
            .next()
            .unwrap_or_default();
        return n_indent
            + if keys::TOP.has(section) {
                header.len()
            } else {
                0
            };
    }
    match trimmed.split_once('=') {
        Some((key, _)) if keys::SECTIONS.iter().any(|(_, keys)| keys.has(key.trim())) => {
            n_indent + key.len() + 1
        }
        _ => n_indent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, span: Range<usize>, masked: &Masked<'_>) -> String {
        let (line, carets) = quote(&SourceText::new(text), &span, masked);
        format!("{line}\n{carets}")
    }

    #[test]
    fn carets_stand_below_the_place() {
        assert_eq!(
            shown("a = 1\nbé = 23\n", 12..14, &Masked::Ranges(&[])),
            "bé = 23\n     ^^"
        );
        assert_eq!(shown("a = ", 4..4, &Masked::Ranges(&[])), "a = \n    ^");
        assert_eq!(shown("", 0..0, &Masked::Ranges(&[])), "\n^");
    }

    #[test]
    fn masked_ranges_keep_their_shape() {
        assert_eq!(
            shown(
                r#"key = "hunter2", x = 1"#,
                17..18,
                &Masked::Ranges(std::slice::from_ref(&(6..15)))
            ),
            "key = \"*******\", x = 1\n                 ^"
        );
    }

    #[test]
    fn of_broken_toml_only_known_keys_are_shown() {
        let masked = &Masked::Values;
        assert_eq!(
            shown("admin = \"a b\" c", 14..15, masked),
            "admin = \"* *\" *\n              ^"
        );
        assert_eq!(shown("MIIEabc==", 3..4, masked), "*******==\n   ^");
        assert_eq!(shown("[[users] x", 8..9, masked), "[[users] *\n        ^");
        assert_eq!(
            shown("[google]key = \"a\"", 8..9, masked),
            "[google]*** = \"*\"\n        ^"
        );
        assert_eq!(shown("[\"a b\"", 6..6, masked), "[\"* *\"\n      ^");
    }

    #[test]
    fn control_characters_are_escaped_and_long_lines_cut() {
        assert_eq!(
            shown("a\u{1b}b\tc", 4..5, &Masked::Ranges(&[])),
            "a\\u{1b}b c\n         ^"
        );
        let long = format!("{}X{}", "a".repeat(300), "b".repeat(300));
        let (line, carets) = quote(&SourceText::new(&long), &(300..301), &Masked::Ranges(&[]));
        assert_eq!(line.chars().count(), 2 * CONTEXT_CHARS + 2);
        assert_eq!(
            line.chars().position(|c| c == 'X'),
            carets.chars().position(|c| c == '^')
        );
    }
}
