//! A mail's labels as a record of their own, and their hash for the item index.

use nuncio_model::{ItemId, LabelChange, LabelNames, LabelSet, ThreadId};
use sha2::{Digest, Sha256};

/// Hash of a label set: the first 8 bytes of the SHA-256 of the sorted ids, each ended by a line
/// feed. It is stored in the index, so it must never change between releases.
pub fn label_hash(labels: &LabelSet) -> u64 {
    hash(labels.iter())
}

/// Hash of a draft: as [`label_hash`], with the id of the message behind the draft before the
/// labels, since each save puts another message there.
pub fn draft_hash(message: &ItemId, labels: &LabelSet) -> u64 {
    hash([message.as_str()].into_iter().chain(labels.iter()))
}

fn hash<'a>(lines: impl Iterator<Item = &'a str>) -> u64 {
    let mut hasher = Sha256::new();
    for line in lines {
        hasher.update(line);
        hasher.update("\n");
    }
    let mut first = [0; 8];
    first.copy_from_slice(&hasher.finalize()[..8]);
    u64::from_be_bytes(first)
}

/// The payload that tells a mail's labels after they changed.
pub fn label_change(thread: &ThreadId, labels: &LabelSet, names: &LabelNames) -> LabelChange {
    LabelChange {
        thread_id: thread.as_str().to_owned(),
        flags: labels.flags(),
        category: labels.category(),
        labels: labels.own_names(names),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nuncio_model::{MailCategory, MailFlags};

    #[test]
    fn the_hash_is_of_the_set_and_stays() {
        let one: LabelSet = ["UNREAD", "INBOX"].into_iter().collect();
        let other: LabelSet = ["INBOX", "UNREAD"].into_iter().collect();
        assert_eq!(label_hash(&one), label_hash(&other));
        // printf 'INBOX\nUNREAD\n' | sha256sum
        assert_eq!(label_hash(&one), 0xe488_0ef9_71fd_b630);
        assert_ne!(
            label_hash(&["INBOXUNREAD"].into_iter().collect()),
            label_hash(&one)
        );
        let draft = |message| draft_hash(&ItemId::new(message), &one);
        // printf '18c2\nINBOX\nUNREAD\n' | sha256sum
        assert_eq!(draft("18c2"), 0xf81e_3bdf_77f1_63ac);
        assert_ne!(draft("18c3"), draft("18c2"));
        assert_ne!(
            draft_hash(&ItemId::new("18c2"), &other_labels()),
            draft("18c2")
        );
    }

    fn other_labels() -> LabelSet {
        ["INBOX"].into_iter().collect()
    }

    #[test]
    fn a_change_tells_all_labels() {
        let set: LabelSet = ["STARRED", "CATEGORY_FORUMS", "Label_1"]
            .into_iter()
            .collect();
        let names = LabelNames([("Label_1".to_owned(), "Clients".to_owned())].into());
        let change = label_change(&ThreadId::new("t"), &set, &names);
        assert_eq!(change.thread_id, "t");
        assert_eq!(change.flags, MailFlags::STARRED);
        assert_eq!(change.category, MailCategory::Forums);
        assert_eq!(change.labels, ["Clients"]);
    }
}
