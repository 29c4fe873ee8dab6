//! Collects everything that is wrong while the tree is walked, and which parts of the text may
//! be secrets, over all files of a config. Turned into [`Errors`] once, at the end.

use crate::place::SourceText;
use crate::quote::{Masked, quote};
use crate::{Code, Errors, Problem};
use nuncio_model::untrusted;
use std::ops::Range;

/// A byte range of the text.
pub(crate) type Span = Range<usize>;

/// Everything found so far in the files of a config.
pub(crate) struct Report<'a> {
    files: Vec<File<'a>>,
    /// The file that is being walked.
    current: usize,
    found: Vec<Found>,
}

struct File<'a> {
    name: &'a str,
    source: SourceText<'a>,
    hidden: Vec<Span>,
}

/// A place in one of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spot {
    file: usize,
    span: Span,
}

struct Found {
    code: Code,
    file: usize,
    span: Option<Span>,
    /// Whether the file could not be read as TOML.
    is_syntax: bool,
    message: String,
    hint: String,
}

impl<'a> Report<'a> {
    pub(crate) fn new(file: &'a str, text: &'a str) -> Self {
        let mut report = Self {
            files: Vec::new(),
            current: 0,
            found: Vec::new(),
        };
        report.open(file, text);
        report
    }

    /// Goes on with another file: its number.
    pub(crate) fn open(&mut self, name: &'a str, text: &'a str) -> usize {
        self.files.push(File {
            name,
            source: SourceText::new(text),
            hidden: Vec::new(),
        });
        self.current = self.files.len() - 1;
        self.current
    }

    /// Goes back to a file that was opened.
    pub(crate) fn turn_to(&mut self, file: usize) {
        self.current = file;
    }

    /// Something is wrong at `span`.
    pub(crate) fn add(
        &mut self,
        code: Code,
        span: &Span,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.push(code, Some(span), false, message.into(), hint.into());
    }

    /// Something is wrong with the file as a whole.
    pub(crate) fn add_whole(
        &mut self,
        code: Code,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.push(code, None, false, message.into(), hint.into());
    }

    /// The file is not TOML; what follows in it may be misread.
    pub(crate) fn add_syntax(&mut self, span: &Span, message: String, hint: &str) {
        let code = crate::codes::SYNTAX;
        self.push(code, Some(span), true, message, hint.to_owned());
    }

    fn push(
        &mut self,
        code: Code,
        span: Option<&Span>,
        is_syntax: bool,
        message: String,
        hint: String,
    ) {
        self.found.push(Found {
            code,
            file: self.current,
            span: span.cloned(),
            is_syntax,
            message,
            hint,
        });
    }

    /// The text at `span` may hold a secret: no error quotes it.
    pub(crate) fn hide(&mut self, span: &Span) {
        if let Some(file) = self.files.get_mut(self.current) {
            file.hidden.push(span.clone());
        }
    }

    /// `span` of the file that is being walked.
    pub(crate) fn spot(&self, span: &Span) -> Spot {
        Spot {
            file: self.current,
            span: span.clone(),
        }
    }

    /// `file:line:col`, for a message that names a second place.
    pub(crate) fn at(&self, spot: &Spot) -> String {
        let file = &self.files[spot.file];
        let place = file.source.place(spot.span.start);
        format!("{}:{}:{}", untrusted(file.name), place.line, place.col)
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.found.is_empty()
    }

    /// Everything found.
    pub(crate) fn into_errors(mut self) -> Errors {
        for file in &mut self.files {
            // Only single values are hidden, so none of them overlap.
            file.hidden.sort_by_key(|span| span.start);
            file.hidden.dedup();
        }
        let mut found = std::mem::take(&mut self.found);
        found.sort_by_key(|found| {
            let file = &self.files[found.file];
            let place = found
                .span
                .as_ref()
                .map(|span| file.source.place(span.start));
            (found.file, place)
        });
        Errors::new(found.iter().map(|found| self.problem(found)).collect())
    }

    fn problem(&self, found: &Found) -> Problem {
        let file = &self.files[found.file];
        let place = found
            .span
            .as_ref()
            .map(|span| file.source.place(span.start));
        let masked = match found.is_syntax {
            true => Masked::Values,
            false => Masked::Ranges(&file.hidden),
        };
        Problem {
            code: found.code,
            file: file.name.to_owned(),
            line: place.map(|place| place.line),
            col: place.map(|place| place.col),
            message: found.message.clone(),
            hint: found.hint.clone(),
            quote: found
                .span
                .as_ref()
                .map(|span| quote(&file.source, span, &masked)),
        }
    }
}
