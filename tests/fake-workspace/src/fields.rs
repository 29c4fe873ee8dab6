//! Partial responses: the `fields` parameter, as in `nextPageToken,messages(id,payload/headers)`.
//! Which names there are is in `fields/schema.rs`.
//!
//! See <https://developers.google.com/workspace/gmail/api/guides/performance#partial-response> and
//! <https://developers.google.com/workspace/drive/api/guides/fields-parameter>.

mod schema;

use crate::call::Call;
use crate::error::ApiError;
use serde_json::Value;
use std::collections::BTreeMap;

/// Deepest nesting that is taken.
const MAX_DEPTH: usize = 32;

/// The mask of a call to `method`, if it has one; refused if it is malformed or names what the answer does not have.
pub(crate) fn requested(call: &Call, method: &str) -> Result<Option<Mask>, ApiError> {
    let Some(text) = call.query.first("fields") else {
        return Ok(None);
    };
    let mask = Mask::parse(text).ok_or_else(|| invalid(text))?;
    match schema::unknown(&mask, method) {
        Some(name) => Err(invalid(name)),
        None => Ok(Some(mask)),
    }
}

fn invalid(selection: &str) -> ApiError {
    let message = format!("Invalid field selection {selection}");
    let mut error = ApiError::new(400, "invalidParameter", message);
    error.extra.location = Some(("parameter", "fields"));
    error
}

/// What to keep of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Mask {
    /// Whether it is selected as a whole, whatever else is said of its members.
    whole: bool,
    /// Selected members; `*` stands for each.
    members: BTreeMap<String, Mask>,
}

impl Mask {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut rest = text;
        let mut mask = Self::default();
        mask.parse_list(&mut rest, 0)?;
        rest.is_empty().then_some(mask)
    }

    fn parse_list(&mut self, rest: &mut &str, depth: usize) -> Option<()> {
        loop {
            self.parse_path(rest, depth)?;
            match rest.strip_prefix(',') {
                Some(after) => *rest = after,
                None => return Some(()),
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
        let inner = self.members.entry(name.to_owned()).or_default();
        if let Some(after) = rest.strip_prefix('/') {
            *rest = after;
            inner.parse_path(rest, depth + 1)?;
        } else if let Some(after) = rest.strip_prefix('(') {
            *rest = after;
            inner.parse_list(rest, depth + 1)?;
            *rest = rest.strip_prefix(')')?.trim_start();
        } else {
            inner.whole = true;
        }
        Some(())
    }

    /// A mask that selects everything.
    pub(crate) fn everything() -> Self {
        Self {
            whole: true,
            members: BTreeMap::new(),
        }
    }

    /// What is said of a member, by its name and by the star.
    fn inner(&self, name: &str) -> impl Iterator<Item = &Self> {
        let found = [self.members.get(name), self.members.get("*")];
        found.into_iter().flatten()
    }

    /// Whether no part of the object is left out.
    fn is_whole(&self) -> bool {
        self.whole || self.members.get("*").is_some_and(Self::is_whole)
    }

    /// Takes out of `value` what the mask does not name; objects and lists on the way to what it names stay.
    pub(crate) fn apply(&self, value: &mut Value) {
        keep(&[self], value);
    }
}

/// What masks select of one object, for those who build it: what is not selected need not be found out.
#[derive(Debug, Clone)]
pub(crate) struct Selection<'a>(Vec<&'a Mask>);

impl<'a> Selection<'a> {
    /// What one mask selects of the answer.
    pub(crate) fn of(mask: &'a Mask) -> Self {
        Self(vec![mask])
    }

    /// What is selected of a member, or of each object in it if it is a list.
    pub(crate) fn within(&self, name: &str) -> Self {
        if self.is_whole() {
            return self.clone();
        }
        let inner = self.0.iter().flat_map(|mask| mask.inner(name));
        Self(inner.collect())
    }

    /// Whether a member, or a part of it, is selected.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.is_whole() || self.0.iter().any(|mask| mask.inner(name).next().is_some())
    }

    fn is_whole(&self) -> bool {
        self.0.iter().any(|mask| mask.is_whole())
    }
}

/// Keeps what one of `masks` selects.
fn keep(masks: &[&Mask], value: &mut Value) {
    if masks.iter().any(|mask| mask.is_whole()) {
        return;
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| keep(masks, item)),
        Value::Object(members) => members.retain(|name, member| {
            let inner: Vec<&Mask> = masks.iter().flat_map(|mask| mask.inner(name)).collect();
            !inner.is_empty() && {
                keep(&inner, member);
                true
            }
        }),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn mask_keeps_what_it_names_and_nothing_else() {
        let answer = json!({
            "messages": [{ "id": "1", "threadId": "2", "payload": { "headers": [1], "parts": [] } }],
            "nextPageToken": "t",
        });
        let without = |mask: &str| {
            let mut value = answer.clone();
            Mask::parse(mask).unwrap().apply(&mut value);
            value
        };
        let payload = json!({ "headers": [1], "parts": [] });
        assert_eq!(
            without("messages(id,payload/headers)"),
            json!({ "messages": [{ "id": "1", "payload": { "headers": [1] } }] })
        );
        for mask in [
            "messages/payload,messages/payload/headers",
            "messages(payload/headers,payload)",
            "messages/payload/*",
            " messages ( payload ( headers , parts ) ) , messages/payload/headers ",
        ] {
            assert_eq!(
                without(mask),
                json!({ "messages": [{ "payload": payload }] }),
                "{mask}"
            );
        }
        assert_eq!(
            without("*/id,nextPageToken"),
            json!({ "messages": [{ "id": "1" }], "nextPageToken": "t" })
        );
        assert_eq!(without("*"), answer);
    }

    #[test]
    fn garbage_is_no_mask() {
        for text in [
            "", " ", "a(", "a)", ",", "a,", "a(b", "(a)", "a//b", "a/", "a()", "a(b)c", "a(b)/c",
        ] {
            assert_eq!(Mask::parse(text), None, "{text}");
        }
        assert_eq!(Mask::parse(&"a/".repeat(100_000)), None);
        assert_eq!(Mask::parse(&"a(".repeat(100_000)), None);
    }

    /// A random mask with `n_paths` parts at its top, and the paths that it stands for.
    fn write_mask(
        rng: &mut fastrand::Rng,
        depth: usize,
        n_paths: usize,
        paths: &mut Vec<Vec<String>>,
    ) -> String {
        let mut parts = Vec::new();
        for _ in 0..n_paths {
            let name = ["a", "b", "c", "*"][rng.usize(..4)].to_owned();
            let space = ["", " "][rng.usize(..2)];
            let mut below = Vec::new();
            parts.push(match rng.u8(..3) {
                0 if depth < 3 => {
                    let n_below = rng.usize(1..4);
                    let list = write_mask(rng, depth + 1, n_below, &mut below);
                    format!("{space}{name}{space}({list}){space}")
                }
                1 if depth < 3 => {
                    let path = write_mask(rng, depth + 1, 1, &mut below);
                    format!("{name}/{path}")
                }
                _ => {
                    below.push(Vec::new());
                    format!("{space}{name}")
                }
            });
            for path in below {
                paths.push([vec![name.clone()], path].concat());
            }
        }
        parts.join(",")
    }

    fn random_value(rng: &mut fastrand::Rng, depth: usize) -> Value {
        match rng.u8(..4) {
            0 if depth > 0 => json!(rng.u8(..)),
            1 if depth < 5 => (0..rng.usize(..3))
                .map(|_| random_value(rng, depth + 1))
                .collect(),
            _ if depth < 5 => {
                let members = ["a", "b", "c", "d"]
                    .iter()
                    .filter(|_| rng.bool())
                    .map(|name| ((*name).to_owned(), Value::Null))
                    .collect::<serde_json::Map<String, Value>>();
                let mut value = Value::Object(members);
                for member in value.as_object_mut().unwrap().values_mut() {
                    *member = random_value(rng, depth + 1);
                }
                value
            }
            _ => json!("text"),
        }
    }

    /// What is kept, thought the other way round: each member by the names that lead to it.
    fn reference(value: &Value, place: &mut Vec<String>, paths: &[Vec<String>]) -> Value {
        let agree = |path: &[String], place: &[String]| {
            path.iter()
                .zip(place)
                .all(|(wanted, name)| wanted == "*" || wanted == name)
        };
        match value {
            Value::Array(items) => items
                .iter()
                .map(|item| reference(item, place, paths))
                .collect(),
            Value::Object(members) => {
                let mut kept = serde_json::Map::new();
                for (name, member) in members {
                    place.push(name.clone());
                    if paths.iter().any(|path| agree(path, place)) {
                        kept.insert(name.clone(), reference(member, place, paths));
                    }
                    place.pop();
                }
                Value::Object(kept)
            }
            other => other.clone(),
        }
    }

    /// What is kept if one asks for each member before it is built.
    fn select(value: &Value, selection: &Selection<'_>) -> Value {
        match value {
            Value::Array(items) => items.iter().map(|item| select(item, selection)).collect(),
            Value::Object(members) => members
                .iter()
                .filter(|(name, _)| selection.has(name))
                .map(|(name, member)| (name.clone(), select(member, &selection.within(name))))
                .collect::<serde_json::Map<String, Value>>()
                .into(),
            other => other.clone(),
        }
    }

    #[test]
    fn a_mask_is_the_set_of_its_paths() {
        let mut rng = fastrand::Rng::with_seed(5);
        for _ in 0..5_000 {
            let mut paths = Vec::new();
            let n_paths = rng.usize(1..4);
            let text = write_mask(&mut rng, 0, n_paths, &mut paths);
            let value = random_value(&mut rng, 0);
            let expected = reference(&value, &mut Vec::new(), &paths);
            let mut found = value.clone();
            let mask = Mask::parse(&text).expect(&text);
            mask.apply(&mut found);
            assert_eq!(found, expected, "{text} of {value}");
            assert_eq!(
                select(&value, &Selection::of(&mask)),
                expected,
                "{text} of {value}"
            );
        }
    }
}
