//! What one mail may cost. A limit that is hit cuts and leaves a note; none stops the feed.

/// Multiparts inside one another; what is deeper stays an unopened attachment. Real mail stays
/// below 10.
pub(super) const MAX_DEPTH: usize = 64;
/// Parts of a message.
pub(super) const MAX_PARTS: usize = 10_000;
/// Bytes of header fields, summed over all parts.
pub(super) const MAX_HEADER_BYTES: usize = 1 << 20;
/// Bytes of plain text in a record.
pub(super) const MAX_TEXT_BYTES: usize = 1 << 20;
/// Bytes of HTML in a record, and what is read of it to make plain text.
pub(super) const MAX_HTML_BYTES: usize = 4 << 20;
/// Ids in `References`; the last ones are kept, since they are the nearest.
pub(super) const MAX_REFERENCES: usize = 50;
/// Broken encoded-words in one header that are handed to the parser: it looks for the end of each
/// up to the end of the header, which is quadratic (100 kB took 1.7 s).
pub(super) const MAX_BROKEN_WORDS: usize = 16;
/// Bytes of a field with parameters (`Content-Type`). The parser compares each continued parameter
/// (RFC 2231) with all before it: a megabyte of them took 28 s, this much takes 2 ms.
pub(super) const MAX_PARAMETER_BYTES: usize = 8 << 10;
