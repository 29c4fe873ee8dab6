//! The one escaper for text that others wrote (subjects, names, messages of Google and of
//! plugins), applied at every output: logs, terminal, status.

use std::fmt;

/// At most so many characters of an untrusted text are shown.
const MAX_CHARS: usize = 200;

/// Wraps an untrusted text for output. See [`untrusted`].
pub struct Untrusted<'a>(&'a str);

/// Shows `text` with control, escape, bidi and zero-width characters escaped as `\u{..}`,
/// cut at 200 characters.
pub fn untrusted(text: &str) -> Untrusted<'_> {
    Untrusted(text)
}

impl fmt::Display for Untrusted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        for (n_shown, character) in self.0.chars().enumerate() {
            if n_shown == MAX_CHARS {
                return f.write_char('…');
            }
            if is_harmful(character) {
                write!(f, "{}", character.escape_unicode())?;
            } else {
                f.write_char(character)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Untrusted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{00AD}' | '\u{061C}' | '\u{180E}'
            | '\u{200B}'..='\u{200F}'
            | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}'
            | '\u{E0000}'..='\u{E007F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_and_bidi_tricks_are_escaped() {
        assert_eq!(
            untrusted("a\u{1b}[2Jb\u{202e}c\nd\u{200b}").to_string(),
            "a\\u{1b}[2Jb\\u{202e}c\\u{a}d\\u{200b}"
        );
    }

    #[test]
    fn long_text_is_cut() {
        let shown = untrusted(&"ä".repeat(500)).to_string();
        assert_eq!(shown.chars().count(), 201);
        assert!(shown.ends_with('…'));
    }
}
