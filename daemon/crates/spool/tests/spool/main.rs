//! The spool's promises, through its public API: one binary, since each link of SQLite takes
//! seconds. Tests of single functions are in the files of the functions.

#[cfg(test)]
mod append;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod dead_letters;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod index;
#[cfg(test)]
mod known_failures;
#[cfg(test)]
mod lanes;
#[cfg(test)]
mod model;
