//! Texts in the charsets of the world, really encoded: bodies and the encoded words of headers.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use encoding_rs::{BIG5, Encoding, GBK, ISO_2022_JP, UTF_8, WINDOWS_1251, WINDOWS_1252};

/// Longest encoded word, in characters (RFC 2047, section 2).
const MAX_WORD: usize = 75;

/// A language with the charset in which its mails are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    French,
    German,
    Japanese,
    Russian,
    SimplifiedChinese,
    TraditionalChinese,
    Emoji,
}

/// A content transfer encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transfer {
    SevenBit,
    EightBit,
    QuotedPrintable,
    Base64,
}

impl Transfer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SevenBit => "7bit",
            Self::EightBit => "8bit",
            Self::QuotedPrintable => "quoted-printable",
            Self::Base64 => "base64",
        }
    }

    /// Writes `bytes`, whose lines end in CRLF, in this encoding.
    pub(crate) fn write(self, bytes: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::SevenBit | Self::EightBit => out.extend_from_slice(bytes),
            Self::QuotedPrintable => quoted_printable(bytes, out),
            Self::Base64 => base64_lines(bytes, out),
        }
    }
}

impl Language {
    pub(crate) const ALL: [Self; 7] = [
        Self::French,
        Self::German,
        Self::Japanese,
        Self::Russian,
        Self::SimplifiedChinese,
        Self::TraditionalChinese,
        Self::Emoji,
    ];

    /// The name in the `charset` parameter.
    pub(crate) fn charset(self) -> &'static str {
        match self {
            Self::French => "iso-8859-1",
            Self::German | Self::Emoji => "utf-8",
            Self::Japanese => "iso-2022-jp",
            Self::Russian => "windows-1251",
            Self::SimplifiedChinese => "gb2312",
            Self::TraditionalChinese => "Big5",
        }
    }

    pub(crate) fn transfer(self) -> Transfer {
        match self {
            Self::French | Self::German => Transfer::QuotedPrintable,
            Self::Japanese => Transfer::SevenBit,
            Self::Russian => Transfer::EightBit,
            Self::SimplifiedChinese | Self::TraditionalChinese | Self::Emoji => Transfer::Base64,
        }
    }

    pub(crate) fn encode(self, text: &str) -> Vec<u8> {
        let encoding: &'static Encoding = match self {
            // The texts stay clear of the places where the two differ.
            Self::French => WINDOWS_1252,
            Self::German | Self::Emoji => UTF_8,
            Self::Japanese => ISO_2022_JP,
            Self::Russian => WINDOWS_1251,
            Self::SimplifiedChinese => GBK,
            Self::TraditionalChinese => BIG5,
        };
        encoding.encode(text).0.into_owned()
    }

    pub(crate) fn sentences(self) -> &'static [&'static str] {
        match self {
            Self::French => &[
                "Bonjour à tous, voici le compte rendu de la réunion d'hier.",
                "N'hésitez pas à me rappeler dès que possible, même très tôt.",
                "La facture a été réglée; le reçu sera envoyé séparément.",
                "Où en êtes-vous avec le dossier de Noël ?",
            ],
            Self::German => &[
                "Schöne Grüße aus Köln, die Unterlagen sind geprüft.",
                "Könnten Sie bitte bis Freitag die Größe der Räume bestätigen?",
                "Die Straßenbahn fällt aus, ich komme später ins Büro.",
                "Für Rückfragen stehe ich jederzeit gern zur Verfügung.",
            ],
            Self::Japanese => &[
                "お世話になっております。",
                "先日の会議の資料を添付いたしますので、ご確認ください。",
                "来週の火曜日の午後はいかがでしょうか。",
                "何卒よろしくお願い申し上げます。",
            ],
            Self::Russian => &[
                "Добрый день, высылаю отчёт за прошлый месяц.",
                "Пожалуйста, подтвердите получение этого письма.",
                "Встреча переносится на четверг, в три часа дня.",
                "С уважением, отдел продаж.",
            ],
            Self::SimplifiedChinese => &[
                "您好，附件是上个月的销售报告。",
                "请在星期五之前确认会议时间。",
                "谢谢您的帮助，期待您的回复。",
                "我们已经收到您的订单。",
            ],
            Self::TraditionalChinese => &[
                "您好，附件是上個月的銷售報告。",
                "請在星期五之前確認會議時間。",
                "謝謝您的幫助，期待您的回覆。",
                "我們已經收到您的訂單。",
            ],
            Self::Emoji => &[
                "Great news 🎉 the release is out 🚀",
                "Thanks a lot 👩‍💻👍🏽, see you tomorrow ☕",
                "“Quoted” — with dashes – and… ellipses",
                "مرحبا بالجميع שלום לכולם",
            ],
        }
    }
}

/// Writes header text, as encoded words if it needs them; folded between words.
pub(crate) fn header_text(text: &str, language: Language, out: &mut Vec<u8>) {
    if text.is_ascii() {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    let prefix = format!("=?{}?B?", language.charset());
    // Each word is decoded by itself, so that shifts of a charset must not cross words.
    let room = (MAX_WORD - prefix.len() - 2) / 4 * 3;
    let mut rest = text;
    let mut first = true;
    while !rest.is_empty() {
        let mut encoded = Vec::new();
        let mut end = 0;
        for (at, character) in rest.char_indices() {
            let next = at + character.len_utf8();
            let candidate = language.encode(&rest[..next]);
            if candidate.len() > room {
                break;
            }
            (encoded, end) = (candidate, next);
        }
        if !first {
            out.extend_from_slice(b"\r\n ");
        }
        first = false;
        out.extend_from_slice(prefix.as_bytes());
        out.extend_from_slice(STANDARD.encode(&encoded).as_bytes());
        out.extend_from_slice(b"?=");
        rest = &rest[end..];
    }
}

fn quoted_printable(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    /// Room for an escape and the soft break behind it (RFC 2045, section 6.7).
    const MAX_LINE: usize = 72;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let (mut rest, end) = match line.strip_suffix(b"\r\n") {
            Some(text) => (text, &b"\r\n"[..]),
            None => (line, &b""[..]),
        };
        let mut room = MAX_LINE;
        while let Some(&byte) = rest.first() {
            if room == 0 {
                out.extend_from_slice(b"=\r\n");
                room = MAX_LINE;
            }
            let window = &rest[..room.min(rest.len())];
            let mut n_literal = window
                .iter()
                .position(|byte| !(32..=126).contains(byte) || *byte == b'=')
                .unwrap_or(window.len());
            // A blank at the end of a line would get lost on the way.
            if n_literal == rest.len() && rest.ends_with(b" ") {
                n_literal -= 1;
            }
            if n_literal > 0 {
                out.extend_from_slice(&rest[..n_literal]);
                rest = &rest[n_literal..];
                room -= n_literal;
            } else {
                let digits = [usize::from(byte >> 4), usize::from(byte & 15)].map(|at| DIGITS[at]);
                out.extend_from_slice(&[b'=', digits[0], digits[1]]);
                rest = &rest[1..];
                room = room.saturating_sub(3);
            }
        }
        out.extend_from_slice(end);
    }
}

/// Lines of 76 characters.
pub(crate) fn base64_lines(bytes: &[u8], out: &mut Vec<u8>) {
    let mut line = [0; 76];
    for chunk in bytes.chunks(57) {
        let length = STANDARD
            .encode_slice(chunk, &mut line)
            .expect("57 bytes fill at most 76 characters");
        out.extend_from_slice(&line[..length]);
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sentence_survives_body_and_header() {
        for language in Language::ALL {
            let mut long = String::new();
            for sentence in language.sentences() {
                long.push_str(sentence);
                let mut raw = b"Subject: ".to_vec();
                header_text(&long, language, &mut raw);
                raw.extend_from_slice(
                    format!(
                        "\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset={}\r\n\
                         Content-Transfer-Encoding: {}\r\n\r\n",
                        language.charset(),
                        language.transfer().name()
                    )
                    .as_bytes(),
                );
                let body = format!("{sentence} = x \r\n\r\n");
                language.transfer().write(&language.encode(&body), &mut raw);
                assert!(
                    raw.split(|byte| *byte == b'\n')
                        .all(|line| line.len() < 200)
                );
                let message = mail_parser::MessageParser::new().parse(&raw).unwrap();
                assert_eq!(message.subject(), Some(long.as_str()), "{language:?}");
                assert_eq!(message.body_text(0).unwrap(), body, "{language:?}");
            }
        }
    }
}
