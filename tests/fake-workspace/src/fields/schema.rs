//! Which members the answers of the methods have, so that a mask which asks for others is refused.
//! The names themselves are in `answers.txt`.

use super::Mask;
use std::collections::HashMap;
use std::sync::LazyLock;

/// A type that takes any names.
const FREE: &str = "*";

/// The members of a type, each with its own type if it is an object.
type Members = HashMap<&'static str, Option<&'static str>>;

#[derive(Debug, Default)]
struct Schema {
    answers: HashMap<&'static str, &'static str>,
    types: HashMap<&'static str, Members>,
}

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema::read(include_str!("answers.txt")));

impl Schema {
    fn read(text: &'static str) -> Self {
        let mut schema = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if let Some((method, answer)) = line.split_once(" -> ") {
                schema.answers.insert(method, answer);
            } else if let Some((name, members)) = line.split_once(" =") {
                let members = members.split_whitespace().map(|member| {
                    member
                        .split_once(':')
                        .map_or((member, None), |(name, kind)| (name, Some(kind)))
                });
                schema.types.insert(name, members.collect());
            }
        }
        schema
    }

    /// The first name in `mask` that a type does not have; `None` for a type is that of a text or a number.
    fn unknown<'a>(&self, mask: &'a Mask, kind: Option<&str>) -> Option<&'a str> {
        if kind == Some(FREE) {
            return None;
        }
        let members = kind.and_then(|kind| self.types.get(kind));
        mask.members.iter().find_map(|(name, inner)| {
            if name == "*" {
                // What stands behind a wildcard has to fit one of the members.
                let mut kinds = members.into_iter().flat_map(HashMap::values);
                let fits = kinds.any(|kind| self.unknown(inner, *kind).is_none());
                return if fits {
                    None
                } else {
                    self.unknown(inner, None)
                };
            }
            match members.and_then(|members| members.get(name.as_str())) {
                None => Some(name.as_str()),
                Some(kind) => self.unknown(inner, *kind),
            }
        })
    }
}

/// The first name in `mask` that the answer of `method` does not have. Of methods that are not listed all is taken.
pub(super) fn unknown<'a>(mask: &'a Mask, method: &str) -> Option<&'a str> {
    let answer = SCHEMA.answers.get(method)?;
    SCHEMA.unknown(mask, Some(answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_that_is_named_is_there() {
        let named = SCHEMA
            .types
            .values()
            .flat_map(|members| members.values().copied().flatten())
            .chain(SCHEMA.answers.values().copied());
        for name in named {
            assert!(name == FREE || SCHEMA.types.contains_key(name), "{name}");
        }
        assert!(SCHEMA.answers.len() > 80);
    }

    #[test]
    fn names_are_looked_up_in_the_type_at_their_place() {
        for (method, mask, expected) in [
            (
                "gmail.users.messages.list",
                "messages/id,nextPageToken",
                None,
            ),
            (
                "gmail.users.messages.list",
                "messages/nonsense",
                Some("nonsense"),
            ),
            ("gmail.users.messages.list", "id", Some("id")),
            (
                "gmail.users.messages.get",
                "payload/parts/parts/headers(name,value)",
                None,
            ),
            ("gmail.users.messages.get", "id/x", Some("x")),
            ("gmail.users.messages.get", "*", None),
            ("gmail.users.messages.get", "*/headers", None),
            ("gmail.users.messages.get", "*/nonsense", Some("nonsense")),
            (
                "drive.files.list",
                "files(id,capabilities,canAddChildren)",
                Some("canAddChildren"),
            ),
            (
                "drive.files.list",
                "files(id,capabilities/canAddChildren)",
                None,
            ),
            ("drive.files.get", "properties/anything,exportLinks/*", None),
            (
                "calendar.events.get",
                "extendedProperties/private/anything",
                None,
            ),
            (
                "calendar.events.get",
                "extendedProperties/other",
                Some("other"),
            ),
            (
                "calendar.events.get",
                "organizer/email,creator(self,id)",
                None,
            ),
            (
                "directory.users.list",
                "users(emails/address,name/fullName)",
                None,
            ),
            ("directory.users.list", "users/mail", Some("mail")),
            (
                "pubsub.projects.subscriptions.pull",
                "receivedMessages/message/data",
                None,
            ),
            ("oauth.userinfo", "whatever", None),
        ] {
            let mask = Mask::parse(mask).unwrap();
            assert_eq!(unknown(&mask, method), expected, "{method} {mask:?}");
        }
    }
}
