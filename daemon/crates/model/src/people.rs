//! Who an address is: users, their aliases, and the domain's own addresses. A pure table made
//! from the config; where the names come from is not here.

use crate::{Address, Participant, Who};
use std::collections::{BTreeMap, HashMap, HashSet};

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

/// Who says that an address is a user's; the earlier beats the later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AliasOrigin {
    /// The config.
    Config,
    /// The Directory.
    Directory,
    /// Gmail's send-as settings.
    SendAs,
}

/// That an address is said to be a user's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AliasClaim {
    /// The user.
    pub user: Address,
    /// The address.
    pub address: Address,
    /// Who says so.
    pub origin: AliasOrigin,
    /// Where, for people.
    pub place: String,
}

/// An address that several users claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contest {
    /// The address.
    pub address: Address,
    /// Who has it; none where the best claims are equally good.
    pub holder: Option<Address>,
    /// All claims, the best first.
    pub claims: Vec<AliasClaim>,
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

    /// These and what others claim: the config beats the Directory, which beats send-as settings.
    /// Two users with equally good claims get neither, since a wrong name is worse than none.
    pub fn with(&self, claims: &[AliasClaim]) -> (Self, Vec<Contest>) {
        let mut by_address: BTreeMap<&Address, Vec<AliasClaim>> = BTreeMap::new();
        for claim in claims {
            let all = by_address.entry(&claim.address).or_default();
            if !all.contains(claim) {
                all.push(claim.clone());
            }
        }
        let (mut merged, mut contests) = (self.clone(), Vec::new());
        for (address, mut all) in by_address {
            if let Some(user) = self.users.get(address.as_str()) {
                all.push(AliasClaim {
                    user: user.clone(),
                    address: address.clone(),
                    origin: AliasOrigin::Config,
                    place: "config".to_owned(),
                });
            }
            all.sort_by(|a, b| (a.origin, &a.user, &a.place).cmp(&(b.origin, &b.user, &b.place)));
            let Some(best) = all.first() else { continue };
            let is_shared = all
                .iter()
                .any(|claim| claim.origin == best.origin && claim.user != best.user);
            let holder = (!is_shared).then(|| best.user.clone());
            if let Some(holder) = &holder {
                merged
                    .users
                    .insert(address.as_str().to_owned(), holder.clone());
            }
            if all.iter().any(|claim| claim.user != best.user) {
                contests.push(Contest {
                    address: address.clone(),
                    holder,
                    claims: all,
                });
            }
        }
        (merged, contests)
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

    fn claim(user: &str, alias: &str, origin: AliasOrigin) -> AliasClaim {
        AliasClaim {
            user: address(user),
            address: address(alias),
            origin,
            place: format!("{origin:?} of {user}"),
        }
    }

    #[test]
    fn config_beats_directory_beats_send_as_and_equals_get_nothing() {
        use AliasOrigin::{Directory, SendAs};
        let (ana_email, bob) = ("ana@example.com", "bob@example.com");
        let bob_person = Person {
            email: address(bob),
            aliases: Vec::new(),
        };
        let people = People::try_new(&[ana(), bob_person], &["example.com".into()]).unwrap();
        let claims = [
            claim(bob, "ana@old.example", Directory),
            claim(bob, "b@example.com", SendAs),
            claim(ana_email, "b@example.com", Directory),
            claim(ana_email, "info@example.com", SendAs),
            claim(bob, "info@example.com", SendAs),
            claim(bob, "bobby@example.com", SendAs),
            claim(bob, "bobby@example.com", SendAs),
            claim(ana_email, "bob@example.com", Directory),
        ];
        let (merged, contests) = people.with(&claims);
        let user_of = |text: &str| merged.user_of(text).map(Address::to_string);
        assert_eq!(user_of("ana@old.example").as_deref(), Some(ana_email));
        assert_eq!(user_of("b+x@example.com").as_deref(), Some(ana_email));
        assert_eq!(user_of("Bobby@example.com").as_deref(), Some(bob));
        assert_eq!(user_of("bob@example.com").as_deref(), Some(bob));
        assert_eq!(user_of("info@example.com"), None);
        assert_eq!(merged.who("info@example.com"), Who::Internal);
        let told: Vec<_> = contests
            .iter()
            .map(|contest| (contest.address.to_string(), contest.claims.len()))
            .collect();
        let expected = [
            "ana@old.example",
            "b@example.com",
            "bob@example.com",
            "info@example.com",
        ];
        assert_eq!(told, expected.map(|alias| (alias.to_owned(), 2)));
        assert_eq!(contests[0].holder, Some(address(ana_email)));
        assert_eq!(contests[3].holder, None);
        // What was merged in is no part of the config's own.
        assert_eq!(people.user_of("bobby@example.com"), None);
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
