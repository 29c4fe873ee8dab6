//! Content-Transfer-Encoding (RFC 2045 section 6): from the bytes of a part to its content. The
//! decoders are our own, because a broken part must give what is good of it, and because the size
//! of an attachment is wanted without its bytes. Decoding never makes anything longer.

use super::notes::quoted;
use std::borrow::Cow;

/// How a part's bytes are written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Encoding {
    /// As they are: `7bit`, `8bit`, `binary` and what people make of these.
    Identity,
    /// `base64`.
    Base64,
    /// `quoted-printable`.
    QuotedPrintable,
    /// `x-uuencode`; never standardized, still met.
    Uuencode,
    /// One that we do not know; taken as they are.
    Unknown(String),
}

impl Encoding {
    /// Reads the field's value, generously.
    pub(super) fn parse(value: &str) -> Self {
        let name = value
            .split([';', '('])
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        match name.as_str() {
            "base64" => Self::Base64,
            "quoted-printable" | "quoted printable" => Self::QuotedPrintable,
            "x-uuencode" | "uuencode" | "x-uue" | "uue" => Self::Uuencode,
            "" | "7bit" | "8bit" | "binary" | "7-bit" | "8-bit" | "7bits" | "8bits" | "7 bit"
            | "8 bit" => Self::Identity,
            _ => Self::Unknown(name),
        }
    }

    /// A note where the encoding itself is the trouble.
    pub(super) fn note(&self) -> Option<String> {
        match self {
            Self::Unknown(name) => Some(format!(
                "transfer encoding {} is not known, content left as it is",
                quoted(name)
            )),
            Self::Identity | Self::Base64 | Self::QuotedPrintable | Self::Uuencode => None,
        }
    }

    /// The content, and whether all of the bytes made sense.
    pub(super) fn decode<'a>(&self, body: &'a [u8]) -> (Cow<'a, [u8]>, Sound) {
        let mut out = Vec::new();
        let sound = match self {
            Self::Identity | Self::Unknown(_) => return (Cow::Borrowed(body), Sound::Yes),
            Self::Base64 => {
                out.reserve(body.len() / 4 * 3);
                base64(body, |byte| out.push(byte))
            }
            Self::QuotedPrintable => {
                out.reserve(body.len());
                quoted_printable(body, |bytes| out.extend_from_slice(bytes))
            }
            Self::Uuencode => uuencode(body, |byte| out.push(byte)),
        };
        (Cow::Owned(out), sound)
    }

    /// The length of [`Encoding::decode`]'s result, without making it.
    pub(super) fn decoded_len(&self, body: &[u8]) -> (usize, Sound) {
        let mut n = 0;
        let sound = match self {
            Self::Identity | Self::Unknown(_) => return (body.len(), Sound::Yes),
            Self::Base64 => base64(body, |_| n += 1),
            Self::QuotedPrintable => quoted_printable(body, |bytes| n += bytes.len()),
            Self::Uuencode => uuencode(body, |_| n += 1),
        };
        (n, sound)
    }
}

/// Whether all of the encoded bytes made sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sound {
    Yes,
    No,
}

/// What a byte is in base64: its six bits, white space, or junk.
const BASE64: [u8; 256] = {
    let mut table = [JUNK; 256];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut value = 0;
    while value < 64 {
        table[alphabet[value as usize] as usize] = value;
        value += 1;
    }
    table[b'\r' as usize] = SPACE;
    table[b'\n' as usize] = SPACE;
    table[b' ' as usize] = SPACE;
    table[b'\t' as usize] = SPACE;
    table[b'=' as usize] = PADDING;
    table
};
const SPACE: u8 = 64;
const PADDING: u8 = 65;
const JUNK: u8 = 66;

/// Skips junk; ends at junk after padding, which is a mailing list's footer. Padding in the middle
/// ends one run of base64 and begins another.
fn base64(body: &[u8], mut push: impl FnMut(u8)) -> Sound {
    let mut sound = Sound::Yes;
    let mut bits = 0_u32;
    let mut n_bits = 0;
    let mut is_padded = false;
    for &byte in body {
        match BASE64[usize::from(byte)] {
            SPACE => {}
            PADDING => {
                is_padded = true;
                n_bits = 0;
            }
            JUNK if is_padded => return Sound::No,
            JUNK => sound = Sound::No,
            value => {
                bits = bits << 6 | u32::from(value);
                n_bits += 6;
                if n_bits >= 8 {
                    n_bits -= 8;
                    push((bits >> n_bits) as u8);
                }
            }
        }
    }
    sound
}

/// RFC 2045 section 6.7; an `=` that begins nothing stands for itself.
fn quoted_printable(body: &[u8], mut push: impl FnMut(&[u8])) -> Sound {
    let mut sound = Sound::Yes;
    for line in body.split_inclusive(|&byte| byte == b'\n') {
        let (text, line_end) = match line {
            [text @ .., b'\r', b'\n'] => (text, &line[text.len()..]),
            [text @ .., b'\n'] => (text, &line[text.len()..]),
            text => (text, &line[text.len()..]),
        };
        // Trailing white space was added on the way.
        let text = text.trim_ascii_end();
        let (mut text, line_end) = match text {
            [text @ .., b'='] => (text, &b""[..]),
            text => (text, line_end),
        };
        while let Some(n) = text.iter().position(|&byte| byte == b'=') {
            push(&text[..n]);
            text = &text[n..];
            match text
                .get(1..3)
                .and_then(|pair| Some((hex(pair[0])?, hex(pair[1])?)))
            {
                Some((high, low)) => {
                    push(&[high << 4 | low]);
                    text = &text[3..];
                }
                None => {
                    sound = Sound::No;
                    push(b"=");
                    text = &text[1..];
                }
            }
        }
        push(text);
        push(line_end);
    }
    sound
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

/// The first file between `begin` and `end`.
fn uuencode(body: &[u8], mut push: impl FnMut(u8)) -> Sound {
    let mut lines = body
        .split(|&byte| byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .skip_while(|line| !line.starts_with(b"begin "));
    if lines.next().is_none() {
        return Sound::No;
    }
    for line in lines {
        let Some((&length, encoded)) = line.split_first() else {
            continue;
        };
        if line == b"end" {
            return Sound::Yes;
        }
        if !(b' '..=b'`').contains(&length) {
            return Sound::No;
        }
        let mut n_left = usize::from((length - b' ') & 63);
        for group in encoded.chunks(4) {
            let value = |n: usize| group.get(n).map_or(0, |byte| byte.wrapping_sub(b' ') & 63);
            let bytes = [
                value(0) << 2 | value(1) >> 4,
                value(1) << 4 | value(2) >> 2,
                value(2) << 6 | value(3),
            ];
            let n = n_left.min(3);
            bytes[..n].iter().for_each(|&byte| push(byte));
            n_left -= n;
        }
    }
    Sound::No
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(encoding: &str, body: &[u8], content: &[u8], sound: Sound) {
        let encoding = Encoding::parse(encoding);
        let decoded = encoding.decode(body);
        assert_eq!(
            (&*decoded.0, decoded.1),
            (content, sound),
            "{encoding:?} {body:?}"
        );
        assert_eq!(encoding.decoded_len(body), (content.len(), sound));
    }

    #[test]
    fn sound_content_comes_back() {
        check(" BASE64 ", b"aGVs\r\nbG8=\r\n", b"hello", Sound::Yes);
        check("base64", b"aGk=aGk=", b"hihi", Sound::Yes);
        check(
            "Quoted-Printable;",
            b"a=3Db =C3=\r\n=a4  \r\nx=",
            b"a=b \xc3\xa4\r\nx",
            Sound::Yes,
        );
        check("8-bit", b"\xff", b"\xff", Sound::Yes);
        check(
            "x-uuencode",
            b"text\r\nbegin 644 f\r\n%:&5L;&\\ \r\n`\r\nend\r\nmore",
            b"hello",
            Sound::Yes,
        );
    }

    #[test]
    fn broken_content_gives_what_is_good_of_it() {
        check("base64", b"aGVs*bG8", b"hello", Sound::No);
        check("base64", b"aGk=\r\n-- \r\nlist footer", b"hi", Sound::No);
        check("quoted-printable", b"a=zz=4", b"a=zz=4", Sound::No);
        check("x-uuencode", b"no file", b"", Sound::No);
        check("x-uuencode", b"begin 644 f\n#:&5", b"he\x40", Sound::No);
        assert!(Encoding::parse("x-gzip64").note().is_some());
    }
}
