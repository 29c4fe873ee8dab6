//! Who there is: members of the domain with aliases, outsiders, mailing lists. What they write is in `mail.rs`.

use super::mail::Address;
use crate::workspace::UserIndex;
use std::collections::HashMap;
use std::sync::Arc;

/// The domain of all members.
const DOMAIN: &str = "example.com";
/// A second domain for some aliases, as after a change of brand.
const OLD_DOMAIN: &str = "old-brand.example";

pub(super) const ORG_UNITS: [&str; 5] = ["/", "/Sales", "/Sales/North", "/Engineering", "/Support"];

/// Names of the labels `Label_1` to `Label_8` that each mailbox has.
pub(super) const USER_LABELS: [&str; 8] = [
    "Clients",
    "Clients/Northwind",
    "Clients/Northwind/2026",
    "Projects",
    "Projects/Größe & Maß",
    "Receipts",
    "Travel",
    "要返信",
];

const GIVEN: [(&str, &str); 24] = [
    ("Ana", "ana"),
    ("Bruno", "bruno"),
    ("Chloé", "chloe"),
    ("David", "david"),
    ("Emma", "emma"),
    ("François", "francois"),
    ("Grace", "grace"),
    ("Hiroshi", "hiroshi"),
    ("Ingrid", "ingrid"),
    ("José", "jose"),
    ("Kateřina", "katerina"),
    ("Łukasz", "lukasz"),
    ("Mei", "mei"),
    ("Noah", "noah"),
    ("Olga", "olga"),
    ("Priya", "priya"),
    ("Quinn", "quinn"),
    ("Rüdiger", "ruediger"),
    ("Sofía", "sofia"),
    ("Tomás", "tomas"),
    ("Uma", "uma"),
    ("Viktor", "viktor"),
    ("Wen", "wen"),
    ("Yuki", "yuki"),
];
const FAMILY: [(&str, &str); 24] = [
    ("Souza", "souza"),
    ("Müller", "mueller"),
    ("Okafor", "okafor"),
    ("Nakamura", "nakamura"),
    ("Lindqvist", "lindqvist"),
    ("García", "garcia"),
    ("O'Brien", "obrien"),
    ("Nowak", "nowak"),
    ("Dubois", "dubois"),
    ("Chen", "chen"),
    ("Patel", "patel"),
    ("Ivanova", "ivanova"),
    ("Schmidt", "schmidt"),
    ("Rossi", "rossi"),
    ("Haddad", "haddad"),
    ("Kim", "kim"),
    ("Andersen", "andersen"),
    ("Fernandes", "fernandes"),
    ("Weber, Jr.", "weber"),
    ("Novák", "novak"),
    ("Silva", "silva"),
    ("Tanaka", "tanaka"),
    ("van Dijk", "vandijk"),
    ("Smith", "smith"),
];
const COMPANIES: [&str; 8] = [
    "northwind.example",
    "contoso.example",
    "fabrikam.example",
    "umbrella.example.net",
    "globex.example.org",
    "initech.example.net",
    "tailspin.example.org",
    "wingtip.example",
];

/// A member of the domain.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) address: Address,
    pub(crate) given_name: &'static str,
    pub(crate) family_name: &'static str,
    pub(crate) aliases: Vec<String>,
}

/// Everybody whom mails name. Does not change after the start.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) domain: String,
    pub(crate) members: Vec<Member>,
    pub(crate) outsiders: Vec<Address>,
    pub(crate) lists: Vec<Address>,
    by_address: HashMap<Arc<str>, UserIndex>,
}

impl World {
    pub(crate) fn generate(n_members: usize, rng: &mut fastrand::Rng) -> Self {
        let mut members = Vec::with_capacity(n_members);
        let mut by_address = HashMap::new();
        let start = rng.usize(..GIVEN.len());
        for index in 0..n_members {
            // A walk through all pairs; after these a number keeps addresses apart.
            let n_given = GIVEN.len();
            let given = GIVEN[(start + index) % n_given];
            let family = FAMILY[(start + index + index / n_given) % FAMILY.len()];
            let round = index / (n_given * FAMILY.len());
            let number = if round == 0 {
                String::new()
            } else {
                round.to_string()
            };
            let local = format!("{}.{}{number}", given.1, family.1);
            let address: Arc<str> = format!("{local}@{DOMAIN}").into();
            let mut aliases = vec![
                format!("{}{}{number}@{DOMAIN}", &given.1[..1], family.1),
                format!("{local}@{OLD_DOMAIN}"),
                format!("{}-{}{number}@{DOMAIN}", family.1, given.1),
            ];
            aliases.truncate(rng.usize(..4));
            // Two members may be due the same short alias; it belongs to the first.
            aliases.retain(|alias| !by_address.contains_key(alias.as_str()));
            for own in aliases.iter().map(String::as_str).chain([&*address]) {
                by_address.insert(own.into(), UserIndex(index));
            }
            members.push(Member {
                address: Address {
                    name: format!("{} {}", given.0, family.0).into(),
                    address,
                },
                given_name: given.0,
                family_name: family.0,
                aliases,
            });
        }
        let outsiders = (0..40 + n_members / 2)
            .map(|index| {
                let given = GIVEN[rng.usize(..GIVEN.len())];
                let family = FAMILY[rng.usize(..FAMILY.len())];
                let company = COMPANIES[rng.usize(..COMPANIES.len())];
                Address {
                    name: format!("{} {}", given.0, family.0).into(),
                    address: format!("{}.{}{index}@{company}", given.1, family.1).into(),
                }
            })
            .collect();
        let lists = ["rust-users", "gardeners", "announce"]
            .iter()
            .map(|name| Address {
                name: (*name).into(),
                address: format!("{name}@lists.globex.example.org").into(),
            })
            .collect();
        Self {
            domain: DOMAIN.to_owned(),
            members,
            outsiders,
            lists,
            by_address,
        }
    }

    /// The member behind an address or alias.
    pub(crate) fn member(&self, address: &Address) -> Option<UserIndex> {
        self.by_address.get(&address.address).copied()
    }

    /// One to three others whom `owner` writes with, colleagues or outsiders.
    pub(crate) fn correspondents(&self, owner: UserIndex, rng: &mut fastrand::Rng) -> Vec<Address> {
        let n_others = [1, 1, 1, 1, 2, 2, 3][rng.usize(..7)];
        let mut others: Vec<Address> = Vec::with_capacity(n_others);
        while others.len() < n_others {
            let index = rng.usize(..self.members.len());
            let other = if rng.u8(..10) < 5 && index != owner.0 {
                let member = &self.members[index];
                match member.aliases.first() {
                    // Some still write to the alias.
                    Some(alias) if rng.u8(..10) < 2 => Address {
                        name: member.address.name.clone(),
                        address: alias.as_str().into(),
                    },
                    _ => member.address.clone(),
                }
            } else {
                self.outsiders[rng.usize(..self.outsiders.len())].clone()
            };
            if others.iter().all(|seen| seen.address != other.address) {
                others.push(other);
            }
        }
        others
    }
}
