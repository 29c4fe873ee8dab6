//! From bytes to text: what a charset label means, and what to do where it is missing, unknown or
//! plainly wrong. The tables are mail-parser's, which has them from the WHATWG encodings
//! (<https://encoding.spec.whatwg.org/>).

use super::notes::quoted;
use mail_parser::decoders::charsets::DecoderFnc;
use mail_parser::decoders::charsets::map::charset_decoder;

/// Names in use in mail that the parser does not know, with the one that it does.
const ALIASES: &[(&str, &str)] = &[
    ("utf8", "utf-8"),
    ("cp65001", "utf-8"),
    ("unicode-1-1-utf-8", "utf-8"),
    ("utf-8-mac", "utf-8"),
    ("unicode-1-1-utf-7", "utf-7"),
    ("utf7", "utf-7"),
    ("cp932", "shift_jis"),
    ("cp949", "euc-kr"),
    ("uhc", "euc-kr"),
    ("ks_c_5601", "euc-kr"),
    ("x-windows-949", "euc-kr"),
    ("cp950", "big5"),
    ("euc-cn", "gbk"),
    ("cp874", "windows-874"),
    ("8859-1", "iso-8859-1"),
];

/// Text, and what is to be said of how it was won.
pub(super) struct Decoded {
    pub(super) text: String,
    pub(super) note: Option<String>,
}

/// Decodes `bytes`. Never fails: at worst there are replacement characters and a note.
pub(super) fn decode(bytes: &[u8], label: Option<&str>) -> Decoded {
    let label = label.map(str::trim).filter(|label| !label.is_empty());
    let mut decoded = match label.map(str::to_ascii_lowercase) {
        None => unlabelled(bytes, "8-bit text without a charset"),
        Some(label) => labelled(bytes, &label),
    };
    if decoded.text.starts_with('\u{feff}') {
        decoded.text.remove(0);
    }
    decoded
}

/// The name under which the parser knows the charset; the name itself where it needs none.
pub(super) fn parser_name(charset: &[u8]) -> &[u8] {
    ALIASES
        .iter()
        .find(|(alias, _)| charset.eq_ignore_ascii_case(alias.as_bytes()))
        .map_or(charset, |(_, name)| name.as_bytes())
}

fn labelled(bytes: &[u8], label: &str) -> Decoded {
    let name = std::str::from_utf8(parser_name(label.as_bytes())).unwrap_or(label);
    match name {
        "utf-8" => return utf8(bytes),
        "us-ascii" | "ascii" | "ansi_x3.4-1968" => {
            return unlabelled(bytes, "8-bit text in a part labelled as ASCII");
        }
        "iso-2022-kr" => return shifted(bytes, "euc-kr", Shift::Controls),
        "hz-gb-2312" => return shifted(bytes, "gbk", Shift::Tildes),
        _ => {}
    }
    // A label of Western Europe on UTF-8 is the commonest lie there is; the other way round,
    // real Latin-1 text is next to never valid UTF-8.
    let is_western = matches!(
        name,
        "iso-8859-1" | "iso8859-1" | "latin1" | "iso-8859-15" | "windows-1252" | "cp1252"
    );
    if is_western
        && !bytes.is_ascii()
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        return Decoded {
            text: text.to_owned(),
            note: Some(format!("labelled {}, but is UTF-8", quoted(label))),
        };
    }
    match decoder(name) {
        Some(decode) => {
            let text = decode(bytes);
            let note = text
                .contains('\u{fffd}')
                .then(|| format!("some bytes are not valid {}", quoted(label)));
            Decoded { text, note }
        }
        None => {
            let mut decoded = unlabelled(bytes, "");
            decoded.note = Some(format!("charset {} is not known", quoted(label)));
            decoded
        }
    }
}

fn decoder(name: &str) -> Option<DecoderFnc> {
    charset_decoder(name.as_bytes())
}

/// ASCII and UTF-8 speak for themselves; Japanese announces itself; all else is most likely
/// windows-1252, which has a character for nearly every byte.
fn unlabelled(bytes: &[u8], note: &str) -> Decoded {
    if has_japanese_escapes(bytes)
        && let Some(decode) = decoder("iso-2022-jp")
    {
        return Decoded {
            text: decode(bytes),
            note: Some("taken as iso-2022-jp".into()),
        };
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Decoded {
            text: text.to_owned(),
            note: None,
        },
        Err(_) => Decoded {
            text: western(bytes),
            note: Some(format!("{note}, taken as windows-1252")),
        },
    }
}

/// Whether 7-bit text switches to Japanese characters (RFC 1468).
pub(super) fn has_japanese_escapes(bytes: &[u8]) -> bool {
    bytes.windows(3).any(|w| w == b"\x1b$B" || w == b"\x1b$@")
}

fn western(bytes: &[u8]) -> String {
    decoder("windows-1252").map_or_else(
        || String::from_utf8_lossy(bytes).into_owned(),
        |decode| decode(bytes),
    )
}

/// UTF-8 by its label. Where not a single multi-byte character is valid, it is not UTF-8.
fn utf8(bytes: &[u8]) -> Decoded {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Decoded {
            text: text.to_owned(),
            note: None,
        };
    }
    if bytes.utf8_chunks().all(|chunk| chunk.valid().is_ascii()) {
        let note = "labelled \"utf-8\", but is not, taken as windows-1252".into();
        return Decoded {
            text: western(bytes),
            note: Some(note),
        };
    }
    Decoded {
        text: String::from_utf8_lossy(bytes).into_owned(),
        note: Some("some bytes are not valid \"utf-8\"".into()),
    }
}

/// How a 7-bit charset switches to its two-byte characters.
#[derive(Clone, Copy)]
enum Shift {
    /// SO and SI, after a designation `ESC $ ) C` (RFC 1557).
    Controls,
    /// `~{` and `~}`; `~~` is a tilde and `~` at a line's end joins lines (RFC 1843).
    Tildes,
}

/// A 7-bit charset is its 8-bit sister without the high bits. The encoding standard decodes these
/// two to nothing at all, for fear of scripts hidden in web pages; in a mail that loses the text.
fn shifted(bytes: &[u8], sister: &str, shift: Shift) -> Decoded {
    let mut high = 0;
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, tail)) = rest.split_first() {
        let n_used = match (shift, byte, tail) {
            (Shift::Controls, 0x1b, [b'$', b')', b'C', ..]) => 4,
            (Shift::Controls, 0x0e, _) => {
                high = 0x80;
                1
            }
            (Shift::Controls, 0x0f, _) => {
                high = 0;
                1
            }
            (Shift::Tildes, b'~', [b'{', ..]) => {
                high = 0x80;
                2
            }
            (Shift::Tildes, b'~', [b'}', ..]) => {
                high = 0;
                2
            }
            (Shift::Tildes, b'~', [b'\n', ..]) => 2,
            (Shift::Tildes, b'~', [b'~', ..]) if high == 0 => {
                plain.push(b'~');
                2
            }
            _ => {
                if byte == b'\n' {
                    high = 0;
                }
                plain.push(if byte > b' ' { byte | high } else { byte });
                1
            }
        };
        rest = &rest[n_used..];
    }
    labelled(&plain, sister)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(label: Option<&str>, bytes: &[u8], text: &str, note: Option<&str>) {
        let decoded = decode(bytes, label);
        assert_eq!(decoded.text, text, "{label:?}");
        assert_eq!(decoded.note.as_deref(), note, "{label:?}");
    }

    #[test]
    fn labels_are_obeyed() {
        for (label, bytes, text) in [
            ("ISO-8859-1", &b"caf\xe9"[..], "café"),
            ("iso-8859-2", b"\xb1\xe6", "ąć"),
            ("iso-8859-8-i", b"\xf9\xec\xe5\xed", "שלום"),
            ("iso-8859-15", b"\xa4", "€"),
            ("windows-1250", b"sla\x9a\xe8i\xe8arno", "slaščičarno"),
            ("windows-1251", b"\xcf\xf0\xe8\xe2\xe5\xf2", "Привет"),
            ("windows-1255", b"\xf9\xec\xe5\xed", "שלום"),
            ("koi8-r", b"\xf0\xd2\xc9\xd7\xc5\xd4", "Привет"),
            ("utf-7", b"Hi Mom -+Jjo--!", "Hi Mom -☺-!"),
            ("unicode-1-1-utf-7", b"+ZYeB9FH6-", "文致出"),
            ("gb2312", b"\xc4\xe3\xba\xc3", "你好"),
            ("gb18030", b"\xc4\xe3\xba\xc3", "你好"),
            ("big5", b"\xa7A\xa6n", "你好"),
            ("iso-2022-jp", b"\x1b$B%O%m!<\x1b(B", "ハロー"),
            ("shift_jis", b"\x83n\x83\x8d\x81[", "ハロー"),
            ("cp932", b"\x83n\x83\x8d\x81[", "ハロー"),
            ("euc-jp", b"\xa5\xcf\xa5\xed\xa1\xbc", "ハロー"),
            ("ks_c_5601-1987", b"\xbe\xc8\xb3\xe7", "안녕"),
            ("cp949", b"\xbe\xc8\xb3\xe7", "안녕"),
            ("iso-2022-kr", b"\x1b$)C\x0e>H3g\x0f ok", "안녕 ok"),
            ("hz-gb-2312", b"~{Dc:C~} ~~", "你好 ~"),
            ("utf-16le", b"\xcf0\xed0", "ハロ"),
            ("utf-8", b"\xef\xbb\xbfx", "x"),
        ] {
            check(Some(label), bytes, text, None);
        }
    }

    #[test]
    fn missing_unknown_and_wrong_labels_leave_a_note() {
        check(None, "é".as_bytes(), "é", None);
        check(
            None,
            b"\xe9",
            "é",
            Some("8-bit text without a charset, taken as windows-1252"),
        );
        check(None, b"\x1b$B%O\x1b(B", "ハ", Some("taken as iso-2022-jp"));
        check(
            Some("us-ascii"),
            b"\x80",
            "€",
            Some("8-bit text in a part labelled as ASCII, taken as windows-1252"),
        );
        check(
            Some("x-unknown"),
            b"\xe9",
            "é",
            Some("charset \"x-unknown\" is not known"),
        );
        check(
            Some("iso-8859-1"),
            "é".as_bytes(),
            "é",
            Some("labelled \"iso-8859-1\", but is UTF-8"),
        );
        check(
            Some("utf-8"),
            b"caf\xe9 ol\xe9",
            "café olé",
            Some("labelled \"utf-8\", but is not, taken as windows-1252"),
        );
        check(
            Some("utf-8"),
            b"\xc3\xa9 \xff",
            "é \u{fffd}",
            Some("some bytes are not valid \"utf-8\""),
        );
        check(
            Some("big5"),
            b"\xa7A \xff\xff",
            "你 \u{fffd}\u{fffd}",
            Some("some bytes are not valid \"big5\""),
        );
    }

    #[test]
    fn every_alias_is_needed_and_known() {
        for &(alias, name) in ALIASES {
            assert!(
                name == "utf-8" || decoder(name).is_some(),
                "{name} is not known"
            );
            assert!(
                decoder(alias).is_none() || name == "utf-8",
                "{alias} needs no alias"
            );
        }
    }
}
