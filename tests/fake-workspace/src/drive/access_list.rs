//! The access list of one item: its permissions in the order in which they were given, at most one for each grantee.
//! What it means for an item and for what is below it is in `store.rs`.

use super::model::{Grantee, Permission};
use crate::workspace::UserIndex;
use std::collections::HashMap;
use std::ops::Deref;

/// Up to so many permissions are looked through one by one. The root of a shared drive has hundreds, and each look at
/// anything in the drive asks it for one user.
const SHORT: usize = 8;

/// Read like a slice; changed by [`AccessList::edit`] only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AccessList {
    list: Vec<Permission>,
    /// Places of users' permissions and of all others; absent for a short list.
    places: Option<Box<Places>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Places {
    members: HashMap<UserIndex, usize>,
    others: Vec<usize>,
}

impl AccessList {
    /// Changes the list.
    pub(crate) fn edit<R>(&mut self, act: impl FnOnce(&mut Vec<Permission>) -> R) -> R {
        let done = act(&mut self.list);
        self.places = (self.list.len() > SHORT).then(|| Box::new(Places::of(&self.list)));
        done
    }

    /// The permission that names a user.
    pub(crate) fn of_member(&self, user: UserIndex) -> Option<&Permission> {
        match &self.places {
            Some(places) => places.members.get(&user).and_then(|at| self.list.get(*at)),
            None => {
                let named = Grantee::Member(user);
                self.list.iter().find(|own| own.grantee == named)
            }
        }
    }

    /// Permissions that name no user of the domain.
    pub(crate) fn of_others(&self) -> impl Iterator<Item = &Permission> {
        let (all, some): (&[Permission], &[usize]) = match &self.places {
            Some(places) => (&[], &places.others),
            None => (&self.list, &[]),
        };
        let some = some.iter().filter_map(|at| self.list.get(*at));
        some.chain(all)
            .filter(|own| !matches!(own.grantee, Grantee::Member(_)))
    }
}

impl Places {
    fn of(list: &[Permission]) -> Self {
        let mut places = Self::default();
        for (at, permission) in list.iter().enumerate() {
            match permission.grantee {
                Grantee::Member(user) => {
                    places.members.insert(user, at);
                }
                _ => places.others.push(at),
            }
        }
        places
    }
}

impl Deref for AccessList {
    type Target = [Permission];
    fn deref(&self) -> &[Permission] {
        &self.list
    }
}

impl From<Vec<Permission>> for AccessList {
    fn from(list: Vec<Permission>) -> Self {
        let mut made = Self::default();
        made.edit(|own| *own = list);
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::model::Role;

    #[test]
    fn short_and_long_lists_find_the_same() {
        for n in [0, 1, SHORT, SHORT + 1, 600] {
            let mut list = AccessList::default();
            for user in 0..n {
                let member = Grantee::Member(UserIndex(2 * user));
                list.edit(|own| own.push(Permission::new(member, Role::Reader, 0, None)));
            }
            let anyone = Permission::new(Grantee::Anyone, Role::Reader, 0, None);
            list.edit(|own| own.insert(n / 2, anyone.clone()));
            assert_eq!(list.of_others().collect::<Vec<_>>(), [&anyone], "{n}");
            for user in 0..2 * n + 1 {
                let found = list.of_member(UserIndex(user));
                assert_eq!(
                    found.is_some(),
                    user % 2 == 0 && user < 2 * n,
                    "{user} of {n}"
                );
                let named = Grantee::Member(UserIndex(user));
                assert!(found.is_none_or(|found| found.grantee == named));
            }
        }
    }
}
