//! Collects everything that is wrong while the tree is walked, and which parts of the text may
//! be secrets. Turned into [`Errors`] once, at the end.

use crate::place::SourceText;
use crate::quote::{Masked, quote};
use crate::{Code, Errors, Problem};
use nuncio_model::untrusted;
use std::ops::Range;

/// A byte range of the text.
pub(crate) type Span = Range<usize>;

pub(crate) struct Report<'a> {
    file: &'a str,
    source: SourceText<'a>,
    found: Vec<Found>,
    hidden: Vec<Span>,
}

struct Found {
    code: Code,
    span: Option<Span>,
    message: String,
    hint: String,
}

impl<'a> Report<'a> {
    pub(crate) fn new(file: &'a str, text: &'a str) -> Self {
        Self {
            file,
            source: SourceText::new(text),
            found: Vec::new(),
            hidden: Vec::new(),
        }
    }

    /// Something is wrong at `span`.
    pub(crate) fn add(
        &mut self,
        code: Code,
        span: &Span,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let (message, hint) = (message.into(), hint.into());
        self.found.push(Found {
            code,
            span: Some(span.clone()),
            message,
            hint,
        });
    }

    /// Something is wrong with the file as a whole.
    pub(crate) fn add_whole(
        &mut self,
        code: Code,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.found.push(Found {
            code,
            span: None,
            message: message.into(),
            hint: hint.into(),
        });
    }

    /// The text at `span` may hold a secret: no error quotes it.
    pub(crate) fn hide(&mut self, span: &Span) {
        self.hidden.push(span.clone());
    }

    /// `file:line:col`, for a message that names a second place.
    pub(crate) fn at(&self, span: &Span) -> String {
        let place = self.source.place(span.start);
        format!("{}:{}:{}", untrusted(self.file), place.line, place.col)
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.found.is_empty()
    }

    /// Everything found in a text that is TOML.
    pub(crate) fn into_errors(mut self) -> Errors {
        // Only single values are hidden, so none of them overlap.
        self.hidden.sort_by_key(|span| span.start);
        self.hidden.dedup();
        let problems = self
            .found
            .iter()
            .map(|found| self.problem(found, &Masked::Ranges(&self.hidden)));
        Errors::new(problems.collect())
    }

    /// The one error of a text that is not TOML.
    pub(crate) fn into_syntax_error(mut self, span: &Span, message: String, hint: &str) -> Errors {
        self.found.clear();
        self.add(crate::codes::SYNTAX, span, message, hint);
        let problems = self
            .found
            .iter()
            .map(|found| self.problem(found, &Masked::Values));
        Errors::new(problems.collect())
    }

    fn problem(&self, found: &Found, masked: &Masked<'_>) -> Problem {
        let place = found
            .span
            .as_ref()
            .map(|span| self.source.place(span.start));
        Problem {
            code: found.code,
            file: self.file.to_owned(),
            line: place.map(|place| place.line),
            col: place.map(|place| place.col),
            message: found.message.clone(),
            hint: found.hint.clone(),
            quote: found
                .span
                .as_ref()
                .map(|span| quote(&self.source, span, masked)),
        }
    }
}
