//! Who an address is: users, their aliases, and the domain's own addresses. A pure table made
//! from the config; where the names come from is not here.

use crate::{Address, Participant, Who};
use std::collections::{HashMap, HashSet};

/// A user's addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The primary address.
    pub email: Address,
    /// All other addresses.
    pub aliases: Vec<Address>,
}

/// Two users claim one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AliasClash {
    /// The address.
    pub address: Address,
    /// Who has it.
    pub first: Address,
    /// Who claims it too.
    pub second: Address,
}

/// Resolves addresses to users.
#[derive(Debug, Clone, Default)]
pub struct People {
    /// Folded address to primary address.
    users: HashMap<String, Address>,
    domains: HashSet<String>,
}

impl People {
    /// Makes the table.
    ///
    /// # Errors
    /// Every address that two users claim.
    pub fn try_new(persons: &[Person], domains: &[String]) -> Result<Self, Vec<AliasClash>> {
        let mut users: HashMap<String, Address> = HashMap::new();
        let mut clashes = Vec::new();
        for person in persons {
            for address in std::iter::once(&person.email).chain(&person.aliases) {
                match users.get(address.as_str()) {
                    Some(first) if *first != person.email => clashes.push(AliasClash {
                        address: address.clone(),
                        first: first.clone(),
                        second: person.email.clone(),
                    }),
                    Some(_) => {}
                    None => {
                        users.insert(address.as_str().to_owned(), person.email.clone());
                    }
                }
            }
        }
        let domains = domains.iter().map(|domain| domain.to_lowercase()).collect();
        if clashes.is_empty() {
            Ok(Self { users, domains })
        } else {
            Err(clashes)
        }
    }

    /// The primary address of the user that has `address`: case-folded, `+tag` stripped.
    pub fn user_of(&self, address: &str) -> Option<&Address> {
        let folded = address.to_lowercase();
        if let Some(user) = self.users.get(&folded) {
            return Some(user);
        }
        let (local, domain) = folded.rsplit_once('@')?;
        let (base, _tag) = local.split_once('+')?;
        self.users.get(&format!("{base}@{domain}"))
    }

    /// What the address is to this installation.
    pub fn who(&self, address: &str) -> Who {
        match self.user_of(address) {
            Some(user) if user.as_str().eq_ignore_ascii_case(address) => Who::User,
            Some(user) => Who::AliasOf(user.as_str().to_owned()),
            None if self.is_own_domain(address) => Who::Internal,
            None => Who::External,
        }
    }

    /// A participant with its name and what it is to this installation.
    pub fn participant(&self, name: Option<String>, address: &str) -> Participant {
        let address = match address.rsplit_once('@') {
            Some((local, domain)) => format!("{local}@{}", domain.to_lowercase()),
            None => address.to_owned(),
        };
        let who = self.who(&address);
        Participant { name, address, who }
    }

    fn is_own_domain(&self, address: &str) -> bool {
        address
            .rsplit_once('@')
            .is_some_and(|(_, domain)| self.domains.contains(&domain.to_lowercase()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    fn ana() -> Person {
        Person {
            email: address("ana@example.com"),
            aliases: vec![address("ana.souza@example.com"), address("ana@old.example")],
        }
    }

    #[test]
    fn addresses_resolve_through_aliases_tags_and_case() {
        let people = People::try_new(&[ana()], &["example.com".into()]).unwrap();
        assert_eq!(people.who("ANA@example.com"), Who::User);
        assert_eq!(
            people.who("Ana@Old.example"),
            Who::AliasOf("ana@example.com".into())
        );
        assert_eq!(
            people.who("ana+shop@example.com"),
            Who::AliasOf("ana@example.com".into())
        );
        assert_eq!(people.who("bob@example.com"), Who::Internal);
        assert_eq!(people.who("bob@elsewhere.example"), Who::External);
        assert_eq!(people.who("not an address"), Who::External);
    }

    #[test]
    fn an_address_of_two_users_is_a_clash() {
        let bob = Person {
            email: address("bob@example.com"),
            aliases: vec![address("ana@old.example")],
        };
        let clashes = People::try_new(&[ana(), bob], &[]).unwrap_err();
        assert_eq!(clashes.len(), 1);
        assert_eq!(clashes[0].address.as_str(), "ana@old.example");
        assert_eq!(clashes[0].second.as_str(), "bob@example.com");
    }
}
