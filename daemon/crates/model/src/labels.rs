//! A mail's labels: the set of Gmail's label ids, and what a record says of it. How labels
//! change (history, folding) is in the Gmail source.

use crate::{MailCategory, MailFlags};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};

/// The ids of a mail's labels. System labels have their name as id, own ones `Label_N`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LabelSet(BTreeSet<String>);

impl<S: Into<String>> FromIterator<S> for LabelSet {
    fn from_iter<I: IntoIterator<Item = S>>(ids: I) -> Self {
        Self(ids.into_iter().map(Into::into).collect())
    }
}

impl LabelSet {
    /// Whether the label is in the set.
    pub fn contains(&self, id: &str) -> bool {
        self.0.contains(id)
    }

    /// Adds a label; whether it was new.
    pub fn insert(&mut self, id: &str) -> bool {
        self.0.insert(id.to_owned())
    }

    /// Removes a label; whether it was there.
    pub fn remove(&mut self, id: &str) -> bool {
        self.0.remove(id)
    }

    /// All ids in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// How many labels.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The system labels as flags.
    pub fn flags(&self) -> MailFlags {
        MailFlags::NAMED
            .iter()
            .filter(|(flag, _)| self.contains(flag.gmail_label()))
            .fold(MailFlags::default(), |flags, (flag, _)| flags.with(*flag))
    }

    /// The inbox tab.
    pub fn category(&self) -> MailCategory {
        let mut category = MailCategory::None;
        for id in self.0.iter().filter(|id| id.starts_with("CATEGORY_")) {
            category = match id.as_str() {
                "CATEGORY_PERSONAL" => MailCategory::Personal,
                "CATEGORY_SOCIAL" => MailCategory::Social,
                "CATEGORY_PROMOTIONS" => MailCategory::Promotions,
                "CATEGORY_UPDATES" => MailCategory::Updates,
                "CATEGORY_FORUMS" => MailCategory::Forums,
                _ => MailCategory::Other,
            };
        }
        category
    }

    /// Names of the user's own labels, sorted. An id without a known name stands for itself,
    /// so that nothing is hidden.
    pub fn own_names(&self, names: &LabelNames) -> Vec<String> {
        let mut own: Vec<String> = self
            .0
            .iter()
            .filter(|id| !is_system(id))
            .map(|id| names.0.get(id).cloned().unwrap_or_else(|| id.clone()))
            .collect();
        own.sort();
        own
    }

    /// Ids of own labels that `names` does not know; a reason to read the list again.
    pub fn has_unknown(&self, names: &LabelNames) -> bool {
        self.0
            .iter()
            .any(|id| !is_system(id) && !names.0.contains_key(id))
    }
}

/// The names of a mailbox's labels by id, as labels.list gives them.
#[derive(Debug, Clone, Default)]
pub struct LabelNames(pub HashMap<String, String>);

/// Gmail's system labels are upper case (`INBOX`, `CATEGORY_SOCIAL`, `YELLOW_STAR`); own ones
/// are `Label_N`.
fn is_system(id: &str) -> bool {
    !id.chars().any(|c| c.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_becomes_flags_category_and_names() {
        let set: LabelSet = ["INBOX", "UNREAD", "CATEGORY_SOCIAL", "Label_7", "Label_9"]
            .into_iter()
            .collect();
        let names = LabelNames(HashMap::from([("Label_7".into(), "Clients/Acme".into())]));
        assert_eq!(set.flags().names().collect::<Vec<_>>(), ["unread", "inbox"]);
        assert_eq!(set.category(), MailCategory::Social);
        assert_eq!(set.own_names(&names), ["Clients/Acme", "Label_9"]);
        assert!(set.has_unknown(&names));
    }
}
