//! MD5, SHA-1 and SHA-256 of file contents, as `files` resources show them. MD5 and SHA-1 are written out here,
//! for nothing else in the project needs them; they guard nothing.
//!
//! See <https://www.rfc-editor.org/rfc/rfc1321> and <https://www.rfc-editor.org/rfc/rfc3174>.

use crate::keys::hex;
use rsa::sha2::{Digest, Sha256};

/// The three sums of one content, in lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checksums {
    pub(crate) md5: String,
    pub(crate) sha1: String,
    pub(crate) sha256: String,
}

impl Checksums {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self {
            md5: hex(&md5(bytes)),
            sha1: hex(&sha1(bytes)),
            sha256: hex(&Sha256::digest(bytes)),
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Order {
    LittleEndian,
    BigEndian,
}

/// The message with its padding and length, in blocks of 64 bytes.
fn padded(bytes: &[u8], order: Order) -> Vec<u8> {
    let n_bits = (bytes.len() as u64).wrapping_mul(8);
    let mut padded = bytes.to_vec();
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    padded.extend(match order {
        Order::LittleEndian => n_bits.to_le_bytes(),
        Order::BigEndian => n_bits.to_be_bytes(),
    });
    padded
}

fn words(block: &[u8], order: Order) -> [u32; 16] {
    let mut words = [0; 16];
    for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
        let bytes = [bytes[0], bytes[1], bytes[2], bytes[3]];
        *word = match order {
            Order::LittleEndian => u32::from_le_bytes(bytes),
            Order::BigEndian => u32::from_be_bytes(bytes),
        };
    }
    words
}

fn md5(bytes: &[u8]) -> [u8; 16] {
    const SHIFTS: [[u32; 4]; 4] = [
        [7, 12, 17, 22],
        [5, 9, 14, 20],
        [4, 11, 16, 23],
        [6, 10, 15, 21],
    ];
    // Entry i is the whole part of 2^32 * abs(sin(i + 1)).
    let table: Vec<u32> = (1..=64)
        .map(|index| (f64::from(index).sin().abs() * 4_294_967_296.0) as u32)
        .collect();
    let mut state: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    for block in padded(bytes, Order::LittleEndian).chunks_exact(64) {
        let words = words(block, Order::LittleEndian);
        let [mut a, mut b, mut c, mut d] = state;
        for step in 0..64 {
            let round = step / 16;
            let (mixed, word) = match round {
                0 => ((b & c) | (!b & d), step),
                1 => ((d & b) | (!d & c), (5 * step + 1) % 16),
                2 => (b ^ c ^ d, (3 * step + 5) % 16),
                _ => (c ^ (b | !d), (7 * step) % 16),
            };
            let sum = mixed
                .wrapping_add(a)
                .wrapping_add(table[step])
                .wrapping_add(words[word]);
            a = d;
            d = c;
            c = b;
            b = b.wrapping_add(sum.rotate_left(SHIFTS[round][step % 4]));
        }
        for (total, part) in state.iter_mut().zip([a, b, c, d]) {
            *total = total.wrapping_add(part);
        }
    }
    let mut digest = [0; 16];
    for (bytes, word) in digest.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    digest
}

fn sha1(bytes: &[u8]) -> [u8; 20] {
    let mut state: [u32; 5] = [
        0x6745_2301,
        0xefcd_ab89,
        0x98ba_dcfe,
        0x1032_5476,
        0xc3d2_e1f0,
    ];
    for block in padded(bytes, Order::BigEndian).chunks_exact(64) {
        let mut schedule = [0u32; 80];
        schedule[..16].copy_from_slice(&words(block, Order::BigEndian));
        for at in 16..80 {
            let mixed = schedule[at - 3] ^ schedule[at - 8] ^ schedule[at - 14] ^ schedule[at - 16];
            schedule[at] = mixed.rotate_left(1);
        }
        let [mut a, mut b, mut c, mut d, mut e] = state;
        for (step, word) in schedule.iter().enumerate() {
            let (mixed, constant) = match step / 20 {
                0 => ((b & c) | (!b & d), 0x5a82_7999),
                1 => (b ^ c ^ d, 0x6ed9_eba1),
                2 => ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc),
                _ => (b ^ c ^ d, 0xca62_c1d6_u32),
            };
            let sum = a
                .rotate_left(5)
                .wrapping_add(mixed)
                .wrapping_add(e)
                .wrapping_add(constant)
                .wrapping_add(*word);
            e = d;
            d = c;
            c = b.rotate_left(30);
            b = a;
            a = sum;
        }
        for (total, part) in state.iter_mut().zip([a, b, c, d, e]) {
            *total = total.wrapping_add(part);
        }
    }
    let mut digest = [0; 20];
    for (bytes, word) in digest.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_the_standards() {
        let sums = Checksums::of(b"abc");
        assert_eq!(sums.md5, "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(sums.sha1, "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(
            sums.sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(Checksums::of(b"").md5, "d41d8cd98f00b204e9800998ecf8427e");
        // Two blocks, with the length in the second.
        let digits = "1234567890".repeat(8);
        assert_eq!(
            Checksums::of(digits.as_bytes()).md5,
            "57edf4a22be3c955ac49da2e2107b67a"
        );
        assert_eq!(
            Checksums::of(digits.as_bytes()).sha1,
            "50abf5706a150990a08b2c5ea40fa0e585554732"
        );
    }
}
