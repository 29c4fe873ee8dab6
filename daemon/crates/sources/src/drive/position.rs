//! The stored live position: Google's token, and what the changes read so far still owe. Both
//! are one text, so that they change in the transaction of the records that they come from and a
//! crash loses neither.

use nuncio_model::{AccountKey, Cursor};
use serde::{Deserialize, Serialize};

/// More folders than this are not looked into one by one; the whole feed is compared instead.
const MAX_OWED: usize = 500;

/// Where a change log was read to, and what is still to be done about it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// Google's page token.
    pub token: String,
    /// Which account read the last changes of a shared drive; none of an account's own log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reader: Option<AccountKey>,
    /// Folders that appeared, or whose permissions changed: a change log tells nothing of what
    /// is in them, so it is to be listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub below: Vec<String>,
    /// Folders that went: what is known to be in them may have gone with them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<String>,
    /// The feed is to be compared by listing once no walk is under way.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub compare: bool,
    /// The search for shared drives, which is made once for an account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<Search>,
}

/// How far the search for shared drives is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Search {
    /// The next page; none: the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
}

impl Position {
    /// Reads what [`Position::to_cursor`] made; none if it is something else.
    pub(crate) fn parse(cursor: &Cursor) -> Option<Self> {
        serde_json::from_str(&cursor.0).ok()
    }

    /// The text that is stored.
    pub(crate) fn to_cursor(&self) -> Cursor {
        Cursor(serde_json::to_string(self).unwrap_or_default())
    }

    /// Owes a look into a folder.
    pub(crate) fn look_below(&mut self, folder: &str) {
        if self.compare || self.below.iter().any(|owed| owed == folder) {
            return;
        }
        if self.below.len() >= MAX_OWED {
            self.compare_all();
        } else {
            self.below.push(folder.to_owned());
        }
    }

    /// Owes a look at what was in a folder.
    pub(crate) fn look_behind(&mut self, folder: &str) {
        self.below.retain(|owed| owed != folder);
        if self.compare || self.gone.iter().any(|owed| owed == folder) {
            return;
        }
        if self.gone.len() >= MAX_OWED {
            self.compare_all();
        } else {
            self.gone.push(folder.to_owned());
        }
    }

    /// Owes a comparison of everything, which includes all that was owed before.
    pub(crate) fn compare_all(&mut self) {
        self.compare = true;
        self.below.clear();
        self.gone.clear();
    }

    /// Whether something can be done now.
    pub(crate) fn owes(&self, has_walk: bool) -> bool {
        self.search.is_some()
            || !self.below.is_empty()
            || !self.gone.is_empty()
            || (self.compare && !has_walk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_survives_its_text() {
        let mut position = Position {
            token: "12\"3".into(),
            search: Some(Search {
                page: Some("p".into()),
            }),
            ..Position::default()
        };
        position.look_below("a");
        position.look_behind("b");
        assert_eq!(Position::parse(&position.to_cursor()), Some(position));
        let bare = Position {
            token: "7".into(),
            ..Position::default()
        };
        assert_eq!(bare.to_cursor().0, r#"{"token":"7"}"#);
        assert_eq!(Position::parse(&Cursor("7".into())), None);
    }

    #[test]
    fn what_is_owed_has_a_bound() {
        let mut position = Position::default();
        for n in 0..MAX_OWED {
            position.look_below(&n.to_string());
            position.look_below("0");
        }
        assert_eq!((position.below.len(), position.compare), (MAX_OWED, false));
        position.look_below("one more");
        assert!(position.compare && position.below.is_empty());
        assert!(position.owes(false) && !position.owes(true));
    }

    #[test]
    fn a_folder_that_went_is_not_looked_into() {
        let mut position = Position::default();
        position.look_below("a");
        position.look_behind("a");
        assert_eq!((position.below.len(), position.gone.len()), (0, 1));
    }
}
