//! Where a byte of the text stands: line and column. Nothing about what is wrong there.

use std::ops::Range;

/// A place in a text; both count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) col: usize,
}

/// A text with its line starts, so that a large file is scanned once.
#[derive(Debug)]
pub(crate) struct SourceText<'a> {
    text: &'a str,
    line_starts: Vec<usize>,
}

impl<'a> SourceText<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let line_starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        Self { text, line_starts }
    }

    /// The place of the byte at `offset`; past the end means the end.
    pub(crate) fn place(&self, offset: usize) -> Place {
        let offset = self.text.floor_char_boundary(offset.min(self.text.len()));
        let index = self.line_index(offset);
        let before = &self.text[self.line_starts[index]..offset];
        Place {
            line: index + 1,
            col: before.chars().count() + 1,
        }
    }

    /// The bytes of the line around `offset`, without its end of line.
    pub(crate) fn line_span(&self, offset: usize) -> Range<usize> {
        let index = self.line_index(offset.min(self.text.len()));
        let start = self.line_starts[index];
        let end = self
            .line_starts
            .get(index + 1)
            .map_or(self.text.len(), |next| next - 1);
        let line = &self.text[start..end];
        start..start + line.strip_suffix('\r').unwrap_or(line).len()
    }

    pub(crate) fn text(&self) -> &'a str {
        self.text
    }

    fn line_index(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset) - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters_from_one() {
        let source = SourceText::new("a\r\nbä c\n");
        assert_eq!(source.place(0), Place { line: 1, col: 1 });
        assert_eq!(source.place(3), Place { line: 2, col: 1 });
        assert_eq!(source.place(6), Place { line: 2, col: 3 });
        assert_eq!(
            source.place(5),
            Place { line: 2, col: 2 },
            "inside a character"
        );
        assert_eq!(source.place(999), Place { line: 3, col: 1 });
        assert_eq!(source.line_span(1), 0..1);
        assert_eq!(&source.text()[source.line_span(4)], "bä c");
        assert_eq!(source.line_span(999), 9..9);
    }
}
