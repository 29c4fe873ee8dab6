//! Partial responses: the `fields` parameter, as in `nextPageToken,messages(id,payload/headers)`.
//!
//! See <https://developers.google.com/workspace/gmail/api/guides/performance#partial-response>.

use serde_json::Value;
use std::collections::BTreeMap;

/// Deepest nesting that is taken.
const MAX_DEPTH: usize = 32;

/// What to keep of an object; nothing inside means all of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Mask(BTreeMap<String, Mask>);

impl Mask {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut rest = text;
        let mask = Self::parse_list(&mut rest, 0)?;
        rest.is_empty().then_some(mask)
    }

    fn parse_list(rest: &mut &str, depth: usize) -> Option<Self> {
        if depth > MAX_DEPTH {
            return None;
        }
        let mut mask = Self::default();
        loop {
            mask.parse_path(rest, depth)?;
            match rest.strip_prefix(',') {
                Some(after) => *rest = after,
                None => return Some(mask),
            }
        }
    }

    fn parse_path(&mut self, rest: &mut &str, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        let end = rest.find([',', '/', '(', ')']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let name = name.trim();
        if name.is_empty() {
            return None;
        }
        *rest = after;
        let inner = self.0.entry(name.to_owned()).or_default();
        if let Some(after) = rest.strip_prefix('/') {
            *rest = after;
            inner.parse_path(rest, depth + 1)?;
        } else if let Some(after) = rest.strip_prefix('(') {
            *rest = after;
            let list = Self::parse_list(rest, depth + 1)?;
            inner.0.extend(list.0);
            *rest = rest.strip_prefix(')')?;
        }
        Some(())
    }

    /// The names of the first level.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// What to keep of one member, if it is named.
    pub(crate) fn inner(&self, name: &str) -> Option<&Self> {
        self.0.get(name)
    }

    pub(crate) fn apply(&self, value: &mut Value) {
        if self.0.is_empty() || self.0.contains_key("*") {
            return;
        }
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.apply(item)),
            Value::Object(members) => {
                members.retain(|name, _| self.0.contains_key(name));
                for (name, member) in members {
                    if let Some(mask) = self.0.get(name) {
                        mask.apply(member);
                    }
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn mask_keeps_what_it_names_and_nothing_else() {
        let mut value = json!({
            "messages": [{ "id": "1", "threadId": "2", "payload": { "headers": [1], "parts": [] } }],
            "nextPageToken": "t",
        });
        Mask::parse("messages(id,payload/headers)")
            .unwrap()
            .apply(&mut value);
        assert_eq!(
            value,
            json!({ "messages": [{ "id": "1", "payload": { "headers": [1] } }] })
        );
    }

    #[test]
    fn garbage_is_no_mask() {
        for text in ["", "a(", "a)", ",", "a(b", "(a)", "a//b"] {
            assert_eq!(Mask::parse(text), None, "{text}");
        }
        assert_eq!(Mask::parse(&"a/".repeat(100_000)), None);
    }
}
