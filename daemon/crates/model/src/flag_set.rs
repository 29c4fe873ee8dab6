//! Small sets of flags that are the list of their set names in JSON, in the contract's order.

/// Declares a set of flags: each with its bit and its name in the contract.
macro_rules! flag_set {
    ($(#[$doc:meta])* $set:ident { $($(#[$flag_doc:meta])* $flag:ident = $bit:literal, $name:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub struct $set(u8);

        impl $set {
            $($(#[$flag_doc])* pub const $flag: Self = Self(1 << $bit);)+

            /// All flags with their names in the contract.
            pub const NAMED: &'static [(Self, &'static str)] = &[$((Self::$flag, $name)),+];

            /// These and `other`.
            #[must_use]
            pub fn with(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// These and `other` where `is_set`.
            #[must_use]
            pub fn with_if(self, is_set: bool, other: Self) -> Self {
                if is_set { self.with(other) } else { self }
            }

            /// Whether all of `other` are set.
            pub fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// The names of the set flags.
            pub fn names(self) -> impl Iterator<Item = &'static str> {
                Self::NAMED
                    .iter()
                    .filter(move |(flag, _)| self.contains(*flag))
                    .map(|(_, name)| *name)
            }
        }

        impl std::fmt::Debug for $set {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_set().entries(self.names()).finish()
            }
        }

        impl serde::Serialize for $set {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_seq(self.names())
            }
        }

        impl<'de> serde::Deserialize<'de> for $set {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let names = Vec::<std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                // A newer release may know more flags; what this one does not know it leaves out.
                Ok(Self::NAMED
                    .iter()
                    .filter(|(_, name)| names.iter().any(|n| n == name))
                    .fold(Self::default(), |flags, (flag, _)| flags.with(*flag)))
            }
        }
    };
}

pub(crate) use flag_set;
