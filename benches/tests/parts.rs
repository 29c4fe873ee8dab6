//! The record that Gmail's parts give (`format=full`) against the one of the bytes
//! (`format=raw`): over generated mails and over real and torture-test mails of other projects
//! (`tests/data/mail`), at each content that allows both. It stands here since this package may
//! use the fake Workspace and the sources together.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use fake_workspace::{Options, Server};
use nuncio_google::{
    Endpoint, FullMessage, Gmail, Google, Key, Limits, ListMessages, PriceList, QuotaOptions,
    RawMessage,
};
use nuncio_model::{
    AccountKey, Address, Content, Email, ItemId, LabelNames, LabelSet, People, Person, Secret,
    SystemClock,
};
use nuncio_sources::gmail::normalize::{self, Normalized};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the parts give another record than the bytes, and why that is right or cannot be seen.
/// A mail that is not here gives the same record, or none from its parts. All of these are broken
/// MIME: sound mail differs in nothing.
const DIFFERENCES: &[(&str, &str, &str)] = &[
    (
        "mail-parser/malformed-001.eml",
        "notes",
        "the boundary that ends the message is missing; only its bytes tell",
    ),
    (
        "mail-parser/malformed-001.eml",
        "text",
        "a parser of Gmail's kind ends the cut part elsewhere",
    ),
    (
        "mail-parser/malformed-012.eml",
        "attachments",
        "the part that was cut has another size",
    ),
    (
        "mail-parser/malformed-012.eml",
        "notes",
        "the boundary that ends the message is missing; only its bytes tell",
    ),
    (
        "mail-parser/malformed-016.eml",
        "notes",
        "the boundary that ends the message is missing; only its bytes tell",
    ),
    (
        "mail-parser/malformed-016.eml",
        "text",
        "a parser of Gmail's kind ends the cut part elsewhere",
    ),
    (
        "mail-parser/malformed-018.eml",
        "notes",
        "some of the transfer encoding is broken; what is good of it is there, only its bytes tell",
    ),
    (
        "mail-parser/rfc-000.eml",
        "attachments",
        "the broken base64 has another size",
    ),
    (
        "mail-parser/rfc-000.eml",
        "notes",
        "some of the transfer encoding is broken; what is good of it is there, only its bytes tell",
    ),
    (
        "mail-parser/thirdparty-005.eml",
        "notes",
        "the boundary that ends the message is missing; only its bytes tell",
    ),
    (
        "mail-parser/thirdparty-005.eml",
        "text",
        "UTF-16 whose end was cut",
    ),
    (
        "mail-parser/thirdparty-015.eml",
        "attachments",
        "a text attachment is counted after its charset was undone",
    ),
    (
        "mail-parser/thirdparty-016.eml",
        "notes",
        "some of the transfer encoding is broken; what is good of it is there, only its bytes tell",
    ),
    (
        "mail-parser/thirdparty-017.eml",
        "notes",
        "some of the transfer encoding is broken; what is good of it is there, only its bytes tell",
    ),
    (
        "mail-parser/thirdparty-018.eml",
        "notes",
        "some of the transfer encoding is broken; what is good of it is there, only its bytes tell",
    ),
    (
        "mail-parser/thirdparty-019.eml",
        "notes",
        "some of the transfer encoding is broken; what is good of it is there, only its bytes tell",
    ),
    (
        "mime4j/misplaced-boundary.msg",
        "text",
        "a boundary within a line: where the part ends is a matter of opinion",
    ),
    (
        "ruby-mail/attachment_message_rfc822_inline_image.eml",
        "attachments",
        "the message inside is counted without the line end before the boundary",
    ),
    (
        "ruby-mail/raw_email10.eml",
        "notes",
        "a charset that nobody knows, on ASCII text",
    ),
];

/// Contents that can be had from parts.
const CONTENTS: [Content; 3] = [Content::Metadata, Content::Text, Content::Html];

/// A fake Workspace with one mailbox, and its client.
struct Fixture {
    server: Server,
    gmail: Gmail,
    user: Address,
    _dir: tempfile::TempDir,
}

async fn fixture(messages: usize) -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let mut options = Options::new(dir.path());
    (options.users, options.messages) = (1, messages);
    (options.events, options.files) = (0, 0);
    let server = Server::start(options).await.unwrap();
    let endpoint = Endpoint::parse(server.base()).unwrap();
    let file = Secret::new(std::fs::read_to_string(server.key_path()).unwrap());
    let key = Key::parse(&file, &endpoint).unwrap();
    let quota = QuotaOptions {
        list: PriceList::Off,
        ..QuotaOptions::default()
    };
    let clock = Arc::new(SystemClock);
    let google = Google::open(key, endpoint, clock, Limits::default(), quota, &[]).unwrap();
    let user = Address::parse(&server.users()[0]).unwrap();
    let gmail = google.gmail(&AccountKey::new("key"), &user);
    Fixture {
        server,
        gmail,
        user,
        _dir: dir,
    }
}

impl Fixture {
    async fn ids(&self) -> Vec<ItemId> {
        let mut ids = Vec::new();
        let mut list = ListMessages {
            include_spam_trash: true,
            ..ListMessages::default()
        };
        loop {
            let page = self.gmail.list_messages(&list).await.unwrap();
            ids.extend(page.messages.into_iter().map(|message| message.id));
            list.page_token = page.next_page;
            if list.page_token.is_none() {
                return ids;
            }
        }
    }

    /// The record by either form; of the parts, if they leave no doubt.
    fn records(
        &self,
        content: Content,
        raw: &RawMessage,
        full: &FullMessage,
    ) -> (Normalized, Option<Normalized>) {
        let person = Person {
            email: self.user.clone(),
            aliases: vec![],
        };
        let domain = self
            .user
            .as_str()
            .split('@')
            .next_back()
            .unwrap()
            .to_owned();
        let people = People::try_new(&[person], &[domain]).unwrap();
        let labels: LabelSet = raw.label_ids.iter().collect();
        let context = normalize::Context {
            people: &people,
            user: &self.user,
            account: &AccountKey::new("key"),
            label_names: &LabelNames::default(),
            content,
        };
        let of_bytes = normalize::Raw {
            id: raw.id.as_str(),
            thread_id: raw.thread_id.as_str(),
            snippet: &raw.snippet,
            internal_date: raw.internal_date,
            labels: &labels,
            bytes: &raw.raw,
        };
        let of_parts = normalize::Parts {
            id: full.id.as_str(),
            thread_id: full.thread_id.as_str(),
            snippet: &full.snippet,
            internal_date: full.internal_date,
            labels: &labels,
            size: full.size_estimate,
            payload: &full.payload,
        };
        (
            normalize::email(&of_bytes, &context),
            normalize::email_of_parts(&of_parts, &context),
        )
    }
}

/// The names of the fields in which two mails differ.
fn differing(one: &Email, other: &Email) -> Vec<String> {
    let fields = |email: &Email| serde_json::to_value(email).unwrap();
    let (one, other) = (fields(one), fields(other));
    let names = one.as_object().unwrap().keys();
    names
        .filter(|name| one[*name] != other[*name])
        .cloned()
        .collect()
}

#[tokio::test]
async fn generated_mails_give_the_same_record_from_parts() {
    let fixture = fixture(600).await;
    let (mut n_mails, mut n_doubts) = (0, BTreeMap::new());
    for id in fixture.ids().await {
        let raw = fixture.gmail.message_raw(&id).await.unwrap();
        let full = fixture.gmail.message_full(&id).await.unwrap();
        n_mails += 1;
        for content in CONTENTS {
            let (expected, found) = fixture.records(content, &raw, &full);
            let Some(found) = found else {
                *n_doubts.entry(content.as_str()).or_insert(0) += 1;
                continue;
            };
            assert_eq!(differing(&expected.email, &found.email), [""; 0], "{id}");
            assert_eq!(expected.notes, found.notes);
            assert_eq!(expected.extra, found.extra);
        }
    }
    assert!(n_mails >= 600);
    // One in eleven generated mails names somebody whose encoded name holds a comma: once it is
    // decoded, nobody can tell it from two people.
    for (content, n_doubts) in n_doubts {
        assert!(
            n_doubts * 8 <= n_mails,
            "{n_doubts} of {n_mails} mails were in doubt at {content}"
        );
    }
}

#[tokio::test]
async fn real_mails_give_the_same_record_from_parts_or_none() {
    let fixture = fixture(0).await;
    let user = fixture.user.as_str();
    let (mut different, mut n_same, mut n_doubts) = (Vec::new(), 0, 0);
    for (name, path) in mails() {
        let bytes = std::fs::read(path).unwrap();
        let raw = base64_url(&bytes);
        let inserted = fixture.server.admin(
            "gmail.insert",
            &json!({ "user": user, "raw": raw, "labelIds": ["INBOX"] }),
        );
        let id = ItemId::new(inserted.unwrap()["id"].as_str().unwrap());
        let raw = fixture.gmail.message_raw(&id).await.unwrap();
        let full = fixture.gmail.message_full(&id).await.unwrap();
        for content in CONTENTS {
            match fixture.records(content, &raw, &full) {
                (_, None) => n_doubts += 1,
                (expected, Some(found)) => {
                    let fields = differing(&expected.email, &found.email);
                    let notes = (expected.notes != found.notes).then(|| "notes".to_owned());
                    let all = fields.into_iter().chain(notes);
                    different.extend(all.map(|field| (name.clone(), field)));
                    n_same += 1;
                }
            }
        }
    }
    different.sort();
    different.dedup();
    let found: Vec<(&str, &str)> = different
        .iter()
        .map(|(name, field)| (name.as_str(), field.as_str()))
        .collect();
    let known: Vec<(&str, &str)> = DIFFERENCES
        .iter()
        .map(|(name, field, _)| (*name, *field))
        .collect();
    assert_eq!(found, known);
    assert!(
        n_same > n_doubts,
        "of torture-test mails half are read from parts, but only {n_same} were, {n_doubts} not"
    );
}

/// All mails of the test data, by `origin/file`.
fn mails() -> Vec<(String, PathBuf)> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/mail"));
    let entries = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    let mut mails: Vec<(String, PathBuf)> = entries(root)
        .into_iter()
        .filter(|path| path.is_dir())
        .flat_map(|origin| entries(&origin))
        .map(|path| {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            (name.to_owned(), path)
        })
        .filter(|(name, _)| !name.contains("LICENSE"))
        .collect();
    mails.sort();
    mails
}

/// base64url, which the admin operation takes.
fn base64_url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut three = [0_u8; 3];
        three[..chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        for n in 0..=chunk.len() {
            text.push(char::from(ALPHABET[(bits >> (18 - 6 * n)) as usize & 63]));
        }
    }
    text
}
