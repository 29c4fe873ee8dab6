//! Whose mails and events they are: one user with a colleague, the same for all targets.

use nuncio_model::{AccountKey, Address, Content, LabelNames, LabelSet, People, Person};
use nuncio_sources::gmail::normalize::Context;

/// A user's mailbox.
pub(crate) struct Mailbox {
    people: People,
    user: Address,
    account: AccountKey,
    names: LabelNames,
    /// No labels.
    pub(crate) labels: LabelSet,
}

impl Mailbox {
    /// Ana at example.com, with a colleague Bob.
    pub(crate) fn new() -> Self {
        let address = |text: &str| Address::parse(text).expect("a fixed address");
        let person = |email: &str| Person {
            email: address(email),
            aliases: vec![],
        };
        let persons = [person("ana@example.com"), person("bob@example.com")];
        let people = People::try_new(&persons, &["example.com".to_owned()]);
        Self {
            people: people.ok().expect("two different people"),
            user: address("ana@example.com"),
            account: AccountKey::new("ana-key"),
            names: LabelNames::default(),
            labels: LabelSet::default(),
        }
    }

    /// What a message is seen from.
    pub(crate) fn context(&self, content: Content) -> Context<'_> {
        Context {
            people: &self.people,
            user: &self.user,
            account: &self.account,
            label_names: &self.names,
            content,
        }
    }

    /// Who is who.
    pub(crate) fn people(&self) -> &People {
        &self.people
    }
}
