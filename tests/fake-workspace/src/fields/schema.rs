//! Which members the answers of the methods have, so that a mask which asks for others is refused.
//! The names are those of Google's discovery documents, which lie with the tests and are read at the first mask.

use super::Mask;
use serde_json::Value;
use std::sync::LazyLock;

macro_rules! document {
    ($file:literal) => {
        include_str!(concat!("../../tests/api/discovery/documents/", $file))
    };
}

static DOCUMENTS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    [
        document!("gmail.v1.json"),
        document!("calendar.v3.json"),
        document!("drive.v3.json"),
        document!("admin.directory_v1.json"),
        document!("pubsub.v1.json"),
        document!("iamcredentials.v1.json"),
    ]
    .iter()
    .map(|text| serde_json::from_str(text).expect("the documents are JSON"))
    .collect()
});

/// The first name in `mask` that the answer of `method` does not have. Of methods without a document all is taken.
pub(super) fn unknown<'a>(mask: &'a Mask, method: &str) -> Option<&'a str> {
    let (document, answer) = DOCUMENTS.iter().find_map(|document| {
        let answer = document["methods"].get(method)?.get("response")?;
        Some((document, answer))
    })?;
    find(&document["schemas"], mask, answer)
}

/// The first name in `mask` that a schema does not have; lists have what their items have.
fn find<'a>(schemas: &Value, mask: &'a Mask, schema: &Value) -> Option<&'a str> {
    let mut schema = schema;
    while let Some(items) = schema.get("items") {
        schema = items;
    }
    if let Some(name) = schema["$ref"].as_str() {
        return find(schemas, mask, &schemas[name]);
    }
    if is_free(schema) {
        return None;
    }
    let members = schema["properties"].as_object();
    mask.members.iter().find_map(|(name, inner)| {
        if name == "*" {
            // What stands behind a wildcard has to fit one of the members.
            let mut kinds = members.into_iter().flat_map(|members| members.values());
            let fits = kinds.any(|kind| find(schemas, inner, kind).is_none());
            return if fits {
                None
            } else {
                find(schemas, inner, &Value::Null)
            };
        }
        match members.and_then(|members| members.get(name.as_str())) {
            None => Some(name.as_str()),
            Some(kind) => find(schemas, inner, kind),
        }
    })
}

/// Whether any members may be asked for: of maps, of values of any type, of objects that are not described.
fn is_free(schema: &Value) -> bool {
    let is_described = schema["properties"]
        .as_object()
        .is_some_and(|members| !members.is_empty());
    schema.get("additionalProperties").is_some()
        || schema["type"] == "any"
        || (schema["type"] == "object" && !is_described)
}

#[cfg(test)]
mod tests {
    use super::*;

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
