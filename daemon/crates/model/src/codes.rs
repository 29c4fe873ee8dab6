//! The form of the table of errors that an operator can meet. Its rows stand in the `codes.rs` of
//! the crates that raise them; the daemon joins them for `nuncio explain`.

use serde::Serialize;

/// One error: a row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CodeInfo {
    /// The stable code, such as `SPL002`, or a word of the plugin contract, such as `trap`. Once
    /// released it keeps its meaning.
    pub code: &'static str,
    /// What it means.
    pub title: &'static str,
    /// How it comes about.
    pub cause: &'static str,
    /// What to do.
    pub remedy: &'static str,
    /// Where an operator sees it.
    pub seen: &'static str,
}

impl CodeInfo {
    /// The remedy of a code, for a hint that says the same. Empty without a row, which the tidy
    /// test rules out.
    pub fn remedy(table: &[Self], code: &str) -> &'static str {
        let row = table.iter().find(|row| row.code == code);
        row.map_or("", |row| row.remedy)
    }
}
