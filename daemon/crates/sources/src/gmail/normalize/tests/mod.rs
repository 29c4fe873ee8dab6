//! Tests of the whole way, from bytes to record: what is shared by them is here, the cases are in
//! the files below.

mod corpus;
mod hostile;
mod html;
mod properties;
mod records;
mod special;

use super::{Context, Normalized, Raw, parsed};
use nuncio_model::{AccountKey, Address, Content, LabelNames, LabelSet, People, Person};
use std::path::PathBuf;

/// A mailbox of Ana at example.com, with a colleague Bob.
struct Mailbox {
    people: People,
    user: Address,
    account: AccountKey,
    names: LabelNames,
    labels: LabelSet,
    content: Content,
}

impl Mailbox {
    fn new(content: Content) -> Self {
        let address = |text: &str| Address::parse(text).unwrap();
        let user = address("ana@example.com");
        let persons = [
            Person {
                email: user.clone(),
                aliases: vec![address("ana@old.example")],
            },
            Person {
                email: address("bob@example.com"),
                aliases: vec![],
            },
        ];
        Self {
            people: People::try_new(&persons, &["example.com".into()]).unwrap(),
            user,
            account: AccountKey::new("ana-key"),
            names: LabelNames::default(),
            labels: LabelSet::default(),
            content,
        }
    }

    /// The record of a message. A panic of the parser is a failure here, not a note.
    fn record(&self, bytes: &[u8]) -> Normalized {
        parsed(&self.raw(bytes), &self.context())
    }

    fn raw<'a>(&'a self, bytes: &'a [u8]) -> Raw<'a> {
        Raw {
            id: "m1",
            thread_id: "t1",
            snippet: "a &amp; b",
            internal_date: 7,
            labels: &self.labels,
            bytes,
        }
    }

    fn context(&self) -> Context<'_> {
        Context {
            people: &self.people,
            user: &self.user,
            account: &self.account,
            label_names: &self.names,
            content: self.content,
        }
    }
}

/// All mails of the test data, by `origin/file`.
fn mails() -> Vec<(String, Vec<u8>)> {
    let root = PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../tests/data/mail"
    ));
    let mut mails = Vec::new();
    for origin in std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
    {
        if !origin.is_dir() {
            continue;
        }
        for file in std::fs::read_dir(&origin)
            .unwrap()
            .map(|entry| entry.unwrap().path())
        {
            let name = file.file_name().unwrap().to_str().unwrap();
            if !name.starts_with("LICENSE") {
                let origin = origin.file_name().unwrap().to_str().unwrap();
                mails.push((format!("{origin}/{name}"), std::fs::read(&file).unwrap()));
            }
        }
    }
    mails.sort();
    mails
}
