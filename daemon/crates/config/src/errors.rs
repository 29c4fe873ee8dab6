//! What the caller gets when a config is refused: all problems at once, sorted by file and place, for a
//! terminal or as JSON. How they are found is not here.

use crate::Code;
use serde::Serialize;
use std::fmt;

/// One thing that is wrong with the config.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The stable code.
    pub code: Code,
    /// The file as it was named by the caller.
    pub file: String,
    /// Line from 1; absent where the file as a whole is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Column from 1, in characters; absent where the file as a whole is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub col: Option<usize>,
    /// What is wrong, in one sentence. Holds no value that may be a secret.
    pub message: String,
    /// What to do.
    pub hint: String,
    /// The quoted line and the line of carets, both ready to print.
    #[serde(skip)]
    pub(crate) quote: Option<(String, String)>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "error[{}]: {}",
            self.code,
            nuncio_model::untrusted(&self.file)
        )?;
        if let (Some(line), Some(col)) = (self.line, self.col) {
            write!(f, ":{line}:{col}")?;
        }
        write!(f, ": {}", self.message)?;
        if let (Some(line), Some((text, carets))) = (self.line, &self.quote) {
            let gutter = line.to_string().len();
            write!(f, "\n  {line} | {text}\n  {:gutter$} | {carets}", "")?;
        }
        write!(f, "\n  hint: {}", self.hint)
    }
}

/// Everything that is wrong with a config; never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Errors {
    problems: Vec<Problem>,
}

impl Errors {
    /// Takes problems in the order in which they are told.
    pub(crate) fn new(problems: Vec<Problem>) -> Self {
        Self { problems }
    }

    /// The problems, file by file and sorted by place; those of a file as a whole come first.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.problems.iter()
    }

    /// How many there are; at least one.
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.problems.len()
    }

    pub(crate) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }
}

impl<'a> IntoIterator for &'a Errors {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}
