//! Record keys, and names made from their parts that are safe as file names. What the keys
//! mean stands in the contract (`record.key`).

use sha2::{Digest, Sha256};

/// Longest name that [`file_name`] gives, in bytes. File systems take 255; the rest is room
/// for what a plugin adds.
pub const NAME_BYTES: usize = 200;

/// The parts of a key, still percent-encoded; absent where a part is empty.
pub fn parts(key: &str) -> Option<Vec<&str>> {
    let parts: Vec<_> = key.split('/').collect();
    parts.iter().all(|part| !part.is_empty()).then_some(parts)
}

/// A file name for a part of a key (or any other id).
///
/// Two different ids have two different names. Letters, digits and `-_.@+%~` stay, all else
/// becomes `=` and two hex digits; so does a dot in front, so that no name is hidden or
/// means a folder. What would be longer than [`NAME_BYTES`] is cut and ends in `=h` and
/// the SHA-256 of the id.
pub fn file_name(id: &str) -> String {
    let mut name = String::with_capacity(id.len());
    for (at, byte) in id.bytes().enumerate() {
        let stays =
            byte.is_ascii_alphanumeric() || b"-_@+%~".contains(&byte) || (byte == b'.' && at > 0);
        if stays {
            name.push(char::from(byte));
        } else {
            push_hex(&mut name, "=", byte, b"0123456789ABCDEF");
        }
    }
    if name.is_empty() {
        // `=e` cannot come from a byte: those have two capital digits.
        return "=e".to_owned();
    }
    if name.len() <= NAME_BYTES {
        return name;
    }
    let digest = Sha256::digest(id.as_bytes());
    name.truncate(NAME_BYTES - 2 - 2 * digest.len());
    name.push_str("=h");
    for byte in digest {
        push_hex(&mut name, "", byte, b"0123456789abcdef");
    }
    name
}

fn push_hex(name: &mut String, before: &str, byte: u8, digits: &[u8; 16]) {
    name.push_str(before);
    name.push(char::from(digits[usize::from(byte >> 4)]));
    name.push(char::from(digits[usize::from(byte & 15)]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_read_like_the_ids() {
        let cases = [
            ("18c2f0a9b7d3e411", "18c2f0a9b7d3e411"),
            ("draft:r-77", "draft=3Ar-77"),
            ("ana%40example.com", "ana%40example.com"),
            ("ana@example.com", "ana@example.com"),
            ("..", "=2E."),
            (".", "=2E"),
            ("../../etc", "=2E.=2F..=2Fetc"),
            ("a\0b", "a=00b"),
            ("a=b", "a=3Db"),
            ("\u{e9}", "=C3=A9"),
            ("", "=e"),
        ];
        for (id, name) in cases {
            assert_eq!(file_name(id), name);
        }
    }

    #[test]
    fn parts_are_cut_at_slashes_and_never_empty() {
        assert_eq!(parts("gmail/104/18c2"), Some(vec!["gmail", "104", "18c2"]));
        assert_eq!(parts("gmail//18c2"), None);
        assert_eq!(parts(""), None);
    }

    proptest! {
        #[test]
        fn a_name_is_one_plain_path_component(id in any::<String>()) {
            let name = file_name(&id);
            prop_assert!(!name.is_empty() && name.len() <= NAME_BYTES);
            prop_assert!(!name.starts_with('.') && !name.contains(['/', '\\', ':', '\0', ',']));
            prop_assert!(name.is_ascii());
        }

        #[test]
        fn different_ids_have_different_names(one in "[a=:%/.]{0,6}", other in "[a=:%/.]{0,6}") {
            prop_assert_eq!(one == other, file_name(&one) == file_name(&other));
        }

        #[test]
        fn long_ids_stay_apart(start in "[a-z]{150,400}", one in any::<u32>(), other in any::<u32>()) {
            let (one_id, other_id) = (format!("{start}{one}"), format!("{start}{other}"));
            prop_assert_eq!(one == other, file_name(&one_id) == file_name(&other_id));
        }
    }
}
