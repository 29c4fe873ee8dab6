//! The versions of the contract that the host speaks, one file each, and the conversions
//! between a version's types and our own. There is no policy here.

pub(crate) mod from_guest;
pub(crate) mod to_guest;
pub(crate) mod v0;
