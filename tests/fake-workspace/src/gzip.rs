//! Bodies of answers in gzip, when both headers ask for it as Google documents. Requests in gzip are not documented
//! and not taken.
//!
//! See <https://developers.google.com/workspace/gmail/api/guides/performance#using-gzip>.

use flate2::{Compress, Compression, Crc, FlushCompress, Status};
use http::HeaderMap;
use std::cell::RefCell;

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

/// The header of a file in gzip: deflate, no flags, no time, made in a hurry, on no system in particular (RFC 1952).
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 0xff];

thread_local! {
    /// Making one costs more than squeezing a usual answer.
    static SQUEEZER: RefCell<Compress> = RefCell::new(Compress::new(Compression::fast(), false));
}

/// `plain` as one member of a gzip file, squeezed in a hurry.
pub(crate) fn encode(plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(plain.len() / 2 + 256);
    out.extend_from_slice(&HEADER);
    SQUEEZER.with_borrow_mut(|squeezer| {
        squeezer.reset();
        let mut rest = plain;
        loop {
            let before = squeezer.total_in();
            let status = squeezer
                .compress_vec(rest, &mut out, FlushCompress::Finish)
                .expect("no step of this can fail");
            let n_taken = (squeezer.total_in() - before) as usize;
            rest = &rest[n_taken..];
            if status == Status::StreamEnd {
                break;
            }
            out.reserve(rest.len() / 2 + 256);
        }
    });
    let mut sum = Crc::new();
    sum.update(plain);
    out.extend_from_slice(&sum.sum().to_le_bytes());
    out.extend_from_slice(&sum.amount().to_le_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn text_gets_smaller_and_comes_back_as_it_was() {
        let text = "{ \"name\": \"value\" }\n".repeat(500);
        let squeezed = encode(text.as_bytes());
        assert!(squeezed.len() < text.len() / 10, "{}", squeezed.len());
        let mut noise = vec![0; 100_000];
        fastrand::Rng::with_seed(1).fill(&mut noise);
        for plain in [text.as_bytes(), b"", &noise] {
            let mut back = Vec::new();
            let encoded = encode(plain);
            flate2::read::GzDecoder::new(encoded.as_slice())
                .read_to_end(&mut back)
                .unwrap();
            assert_eq!(back, plain);
        }
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
