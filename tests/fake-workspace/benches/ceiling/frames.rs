//! The cheapest client of HTTP/2 that there can be: requests as frames that are written once, answers of which only the
//! ends are looked at. So the server is what is measured, not its client. It knows one server, ours, over plain TCP.
//!
//! See <https://www.rfc-editor.org/rfc/rfc9113> and <https://www.rfc-editor.org/rfc/rfc7541>.

use crate::{Ask, Result};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEAD: usize = 9;
/// The largest window there is.
const WINDOW: u32 = (1 << 31) - 1;
/// The window of a connection at its begin.
const FIRST_WINDOW: u32 = 65_535;
/// A stream's and a connection's window are made large again after so much.
const REFILL: u32 = 1 << 30;

// Frame types, flags and settings.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GO_AWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const INITIAL_WINDOW_SIZE: u16 = 4;

// Entries of HPACK's static table, as the first byte of a field.
const METHOD_GET: u8 = 0x80 | 2;
const SCHEME_HTTP: u8 = 0x80 | 6;
const STATUS_200: u8 = 0x80 | 8;
const AUTHORITY: u8 = 1;
const PATH: u8 = 4;
const AUTHORIZATION: u8 = 23;

/// What a span of time brought.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Span {
    /// Whole answers, all of them 200.
    pub(crate) n_answers: u64,
    pub(crate) n_bytes: u64,
    pub(crate) length: Duration,
}

impl Span {
    pub(crate) fn per_second(&self) -> f64 {
        self.n_answers as f64 / self.length.as_secs_f64()
    }
}

/// Asks over one connection for `n_spans` spans of `length` with `n_streams` requests open.
pub(crate) fn measure(
    address: &str,
    asks: &[Ask],
    n_streams: usize,
    (n_spans, length): (usize, Duration),
) -> Result<Vec<Span>> {
    let blocks: Vec<Vec<u8>> = asks.iter().map(|ask| header_block(address, ask)).collect();
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut client = Client {
        stream,
        out: PREFACE.to_vec(),
        input: vec![0; 1 << 20],
        filled: 0,
        blocks,
        n_asked: 0,
        unacknowledged: 0,
        n_bytes: 0,
    };
    let mut settings = INITIAL_WINDOW_SIZE.to_be_bytes().to_vec();
    settings.extend(WINDOW.to_be_bytes());
    client.frame(SETTINGS, 0, 0, &settings);
    client.frame(WINDOW_UPDATE, 0, 0, &(WINDOW - FIRST_WINDOW).to_be_bytes());
    for _ in 0..n_streams {
        client.ask();
    }
    // The first answers come while the connection is young.
    client.run(length / 4)?;
    (0..n_spans).map(|_| client.run(length)).collect()
}

/// The fields of a request, none of them in the dynamic table, so that the same bytes are good for ever.
fn header_block(address: &str, ask: &Ask) -> Vec<u8> {
    let mut block = vec![METHOD_GET, SCHEME_HTTP];
    for (name, value) in [
        (AUTHORITY, address),
        (PATH, &ask.path),
        (AUTHORIZATION, &ask.bearer),
    ] {
        integer(&mut block, 4, name.into());
        integer(&mut block, 7, value.len());
        block.extend(value.as_bytes());
    }
    block
}

/// An integer with a prefix of so many bits, the bits before it being 0.
fn integer(block: &mut Vec<u8>, bits: u32, value: usize) {
    let most = (1_usize << bits) - 1;
    let mut push = |byte: usize| block.push(u8::try_from(byte).unwrap_or(u8::MAX));
    if value < most {
        return push(value);
    }
    push(most);
    let mut rest = value - most;
    while rest >= 128 {
        push(rest % 128 + 128);
        rest /= 128;
    }
    push(rest);
}

struct Client {
    stream: TcpStream,
    /// What is written at the next chance.
    out: Vec<u8>,
    input: Vec<u8>,
    filled: usize,
    blocks: Vec<Vec<u8>>,
    n_asked: usize,
    /// Bytes that came since the window was last made large.
    unacknowledged: u32,
    n_bytes: u64,
}

impl Client {
    fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        self.out.extend(&length.to_be_bytes()[1..]);
        self.out.extend([kind, flags]);
        self.out.extend(stream.to_be_bytes());
        self.out.extend(payload);
    }

    fn ask(&mut self) {
        let at = self.n_asked % self.blocks.len();
        let block = std::mem::take(&mut self.blocks[at]);
        // Streams of clients are odd.
        let stream = u32::try_from(2 * self.n_asked + 1).unwrap_or(WINDOW);
        self.frame(HEADERS, END_HEADERS | END_STREAM, stream, &block);
        self.blocks[at] = block;
        self.n_asked += 1;
    }

    fn run(&mut self, length: Duration) -> Result<Span> {
        let (begin, n_bytes) = (Instant::now(), self.n_bytes);
        let mut n_answers = 0;
        while begin.elapsed() < length {
            self.stream.write_all(&self.out)?;
            self.out.clear();
            let n = self.stream.read(&mut self.input[self.filled..])?;
            if n == 0 {
                return Err("the server closed the connection".into());
            }
            self.filled += n;
            n_answers += self.take_frames()?;
        }
        Ok(Span {
            n_answers,
            n_bytes: self.n_bytes - n_bytes,
            length: begin.elapsed(),
        })
    }

    /// Looks at all frames that are there as a whole; returns how many answers ended.
    fn take_frames(&mut self) -> Result<u64> {
        let (mut at, mut n_answers) = (0, 0);
        while let Some(head) = self.input[at..self.filled].first_chunk::<HEAD>() {
            let [a, b, c, kind, flags, ..] = *head;
            let length = u32::from_be_bytes([0, a, b, c]);
            let end = at + HEAD + length as usize;
            if end > self.filled {
                break;
            }
            let payload = at + HEAD..end;
            match kind {
                DATA => {
                    self.n_bytes += u64::from(length);
                    self.unacknowledged += length;
                }
                HEADERS if self.input[payload.start] != STATUS_200 => {
                    return Err("an answer is not 200".into());
                }
                SETTINGS if flags & ACK == 0 => self.frame(SETTINGS, ACK, 0, &[]),
                PING if flags & ACK == 0 => {
                    let payload = self.input[payload].to_vec();
                    self.frame(PING, ACK, 0, &payload);
                }
                RESET | GO_AWAY => return Err(format!("a frame of type {kind}").into()),
                _ => {}
            }
            if matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0 {
                n_answers += 1;
                self.ask();
            }
            at = end;
        }
        self.input.copy_within(at..self.filled, 0);
        self.filled -= at;
        if self.unacknowledged > REFILL {
            self.frame(WINDOW_UPDATE, 0, 0, &self.unacknowledged.to_be_bytes());
            self.unacknowledged = 0;
        }
        Ok(n_answers)
    }
}
