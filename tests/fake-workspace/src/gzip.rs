//! Bodies in gzip, when both headers ask for it as Google documents. The blocks are stored, not squeezed:
//! on loopback nobody gains from fewer bytes, and a decoder cannot tell.
//!
//! See <https://developers.google.com/workspace/gmail/api/guides/performance#using-gzip> and RFC 1951, 1952.

use http::HeaderMap;

/// Largest stored block, in bytes.
const MAX_BLOCK: usize = 0xffff;
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// Whether the caller takes gzip and says so in the `User-Agent` as well.
pub(crate) fn is_wanted(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let takes = text("accept-encoding").is_some_and(|list| {
        list.split(',').any(|coding| {
            let mut parts = coding.split(';').map(str::trim);
            parts
                .next()
                .is_some_and(|name| name.eq_ignore_ascii_case("gzip"))
                && parts.all(|weight| !matches!(weight, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
        })
    });
    takes && text("user-agent").is_some_and(|agent| agent.to_ascii_lowercase().contains("gzip"))
}

/// `plain` as one member of a gzip file.
pub(crate) fn encode(plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(plain.len() + plain.len() / MAX_BLOCK * 5 + 32);
    out.extend_from_slice(&HEADER);
    let mut blocks = plain.chunks(MAX_BLOCK).peekable();
    if blocks.peek().is_none() {
        out.extend_from_slice(&[1, 0, 0, 0xff, 0xff]);
    }
    while let Some(block) = blocks.next() {
        // A chunk is never longer than 65,535 bytes.
        let length = block.len() as u16;
        out.push(u8::from(blocks.peek().is_none()));
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&(!length).to_le_bytes());
        out.extend_from_slice(block);
    }
    out.extend_from_slice(&crc32(plain).to_le_bytes());
    out.extend_from_slice(&(plain.len() as u32).to_le_bytes());
    out
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| TABLE[((crc ^ u32::from(*byte)) & 0xff) as usize] ^ (crc >> 8);
    !bytes.iter().fold(!0, step)
}

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let mut value = at as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 {
                0xedb8_8320 ^ (value >> 1)
            } else {
                value >> 1
            };
            bit += 1;
        }
        table[at] = value;
        at += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_is_the_known_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(encode(b"").len(), 10 + 5 + 8);
        assert_eq!(encode(&[7; 0x1_0000]).len(), 10 + 2 * 5 + 0x1_0000 + 8);
    }

    #[test]
    fn both_headers_have_to_ask() {
        for (accept, agent, expected) in [
            ("gzip", "tool (gzip)", true),
            ("deflate, GZIP;q=0.5", "x-gzip-y", true),
            ("gzip", "tool", false),
            ("deflate", "tool (gzip)", false),
            ("gzip;q=0", "tool (gzip)", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("accept-encoding", accept.parse().unwrap());
            headers.insert("user-agent", agent.parse().unwrap());
            assert_eq!(is_wanted(&headers), expected, "{accept} {agent}");
        }
        assert!(!is_wanted(&HeaderMap::new()));
    }
}
