//! A mail's labels as a record of their own, and their hash for the item index.

use nuncio_model::{LabelChange, LabelNames, LabelSet, ThreadId};
use sha2::{Digest, Sha256};

/// Hash of a label set: the first 8 bytes of the SHA-256 of the sorted ids, each ended by a line
/// feed. It is stored in the index, so it must never change between releases.
pub fn label_hash(labels: &LabelSet) -> u64 {
    let mut hasher = Sha256::new();
    for id in labels.iter() {
        hasher.update(id);
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
