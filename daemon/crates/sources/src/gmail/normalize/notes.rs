//! Notes of a record: what could not be decoded or was cut, in words. They name parts, fields
//! and encodings, never the content itself.

/// More notes than this say nothing new; a hostile mail could ask for thousands.
const MAX_NOTES: usize = 32;
/// Names of charsets and encodings come from the mail; so much of one is shown.
const MAX_NAME_CHARS: usize = 40;

/// Collects notes; equal ones count once.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    notes: Vec<String>,
    n_left_out: usize,
}

impl Notes {
    /// Adds a note.
    pub(crate) fn add(&mut self, note: impl Into<String>) {
        let note = note.into();
        if self.notes.contains(&note) {
            return;
        }
        if self.notes.len() < MAX_NOTES {
            self.notes.push(note);
        } else {
            self.n_left_out += 1;
        }
    }

    /// What was noted so far.
    pub(crate) fn as_slice(&self) -> &[String] {
        &self.notes
    }

    /// All notes; the last one tells how many were left out.
    pub(crate) fn into_vec(mut self) -> Vec<String> {
        if self.n_left_out > 0 {
            self.notes.push(format!("and {} more", self.n_left_out));
        }
        self.notes
    }
}

/// A name that the mail chose (charset, encoding), made fit for a note.
pub(crate) fn quoted(name: &str) -> String {
    let shown: String = name
        .chars()
        .take(MAX_NAME_CHARS)
        .map(|c| {
            if c.is_ascii_graphic() && c != '"' {
                c
            } else {
                '?'
            }
        })
        .collect();
    format!("\"{shown}\"")
}
