//! Text as a JSON string. Plain runs are found sixteen bytes at a time and copied whole:
//! byte by byte, this would be half of the time of a sink that makes documents.

/// Bytes looked at in one step.
const STEP: usize = 16;
const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// Appends `text` as a JSON string, quotes included.
pub fn push_text(out: &mut String, text: &str) {
    out.reserve(text.len() + 2);
    out.push('"');
    let bytes = text.as_bytes();
    let mut copied = 0;
    let mut at = 0;
    while at < bytes.len() {
        if let Some(step) = bytes.get(at..at + STEP)
            && !needs_escape(step)
        {
            at += STEP;
            continue;
        }
        // A step with something in it, or the last bytes: one at a time.
        let end = (at + STEP).min(bytes.len());
        for (byte_at, &byte) in bytes.iter().enumerate().take(end).skip(at) {
            if let Some(short) = escape_of(byte) {
                // An escaped byte is ASCII, so both cuts are between characters.
                out.push_str(&text[copied..byte_at]);
                push_escape(out, byte, short);
                copied = byte_at + 1;
            }
        }
        at = end;
    }
    out.push_str(&text[copied..]);
    out.push('"');
}

/// Whether any byte of a step has to be escaped. Tests eight bytes at once: a byte's high
/// bit is set where it is below 0x20, or zero after taking away the one looked for.
fn needs_escape(step: &[u8]) -> bool {
    let below =
        |word: u64, limit: u8| word.wrapping_sub(ONES * u64::from(limit)) & !word & HIGH_BITS;
    let has = |word: u64, byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    step.as_chunks::<8>().0.iter().any(|&eight| {
        let word = u64::from_le_bytes(eight);
        below(word, 0x20) | has(word, b'"') | has(word, b'\\') != 0
    })
}

/// The short form of a byte that has to be escaped; 0 where there is none.
fn escape_of(byte: u8) -> Option<u8> {
    match byte {
        b'"' | b'\\' => Some(byte),
        b'\n' => Some(b'n'),
        b'\r' => Some(b'r'),
        b'\t' => Some(b't'),
        0x08 => Some(b'b'),
        0x0c => Some(b'f'),
        0..0x20 => Some(0),
        _ => None,
    }
}

fn push_escape(out: &mut String, byte: u8, short: u8) {
    out.push('\\');
    if short != 0 {
        out.push(char::from(short));
        return;
    }
    out.push_str(if byte < 0x10 { "u000" } else { "u001" });
    out.push(char::from(b"0123456789abcdef"[usize::from(byte & 15)]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ours(text: &str) -> String {
        let mut out = String::new();
        push_text(&mut out, text);
        out
    }

    #[test]
    fn each_character_alone_and_at_each_place_of_a_step() {
        for code in (0..0x180).chain([0x2028, 0xfeff, 0xfffd, 0x1f600]) {
            let character = char::from_u32(code).unwrap();
            for before in 0..2 * STEP + 1 {
                let text = format!("{}{character}{}", "a".repeat(before), "\u{e9}".repeat(STEP));
                assert_eq!(ours(&text), serde_json::to_string(&text).unwrap());
            }
        }
    }

    proptest! {
        #[test]
        fn the_same_as_serde_json(text in any::<String>()) {
            prop_assert_eq!(ours(&text), serde_json::to_string(&text).unwrap());
        }

        #[test]
        fn the_same_as_serde_json_where_much_is_escaped(text in "[\\x00-\\x24\\\\\"a\u{80}\u{ff}\u{1f600}]{0,70}") {
            prop_assert_eq!(ours(&text), serde_json::to_string(&text).unwrap());
        }
    }
}
