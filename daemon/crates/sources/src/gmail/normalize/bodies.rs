//! The content of a mail: its text, its HTML, and what is attached. Which part is which:
//! a `text/plain` or `text/html` part is body unless it is called an attachment, has a file name,
//! or merely accompanies a page; everything else is an attachment, so that nothing is lost.

use super::charset;
use super::content::Disposition;
use super::html;
use super::identity::hex;
use super::limits::{MAX_HTML_BYTES, MAX_TEXT_BYTES};
use super::notes::Notes;
use super::transfer::Sound;
use super::tree::{Leaf, LeafBody};
use nuncio_model::{Attachment, Blob, BlobRef, Content};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

/// What a mail holds.
#[derive(Default)]
pub(super) struct Bodies {
    pub(super) text: Option<String>,
    pub(super) html: Option<String>,
    pub(super) truncated: bool,
    pub(super) attachments: Vec<Attachment>,
    pub(super) blobs: Vec<Blob>,
    pub(super) has_invite: bool,
}

/// Text parts that say the same in several forms, or one part alone.
struct Passage {
    alternative: Option<usize>,
    plain: String,
    html: String,
}

impl Bodies {
    /// Reads the parts, as much of them as `wanted` asks for.
    pub(super) fn read(leaves: &[Leaf<'_>], wanted: Content, notes: &mut Notes) -> Self {
        let mut bodies = Self::default();
        let (texts, attached): (Vec<_>, Vec<_>) = {
            let n_leaves = leaves.len();
            leaves.iter().partition(|leaf| is_body(leaf, n_leaves))
        };
        let is_referred_to = attached
            .iter()
            .any(|leaf| leaf.content.content_id.is_some());
        let passages = if wanted >= Content::Text || is_referred_to {
            bodies.read_passages(&texts, wanted, notes)
        } else {
            Vec::new()
        };
        let referred = content_ids(passages.iter().map(|passage| passage.html.as_str()));
        for leaf in attached {
            bodies.attach(leaf, wanted, &referred, notes);
        }
        if wanted >= Content::Text {
            bodies.text = Some(bodies.joined_text(&passages, notes));
        }
        if wanted >= Content::Html {
            let mut html = String::new();
            passages
                .iter()
                .for_each(|passage| append(&mut html, &passage.html));
            bodies.html = Some(html);
        }
        bodies
    }

    fn read_passages(
        &mut self,
        texts: &[&Leaf<'_>],
        wanted: Content,
        notes: &mut Notes,
    ) -> Vec<Passage> {
        let mut passages: Vec<Passage> = Vec::new();
        let mut text_left = MAX_TEXT_BYTES;
        let mut html_left = MAX_HTML_BYTES;
        for leaf in texts {
            if leaf.content.is_plain() && wanted < Content::Text {
                continue;
            }
            let is_same = leaf.alternative.is_some()
                && passages
                    .last()
                    .is_some_and(|passage| passage.alternative == leaf.alternative);
            if !is_same {
                let alternative = leaf.alternative;
                passages.push(Passage {
                    alternative,
                    plain: String::new(),
                    html: String::new(),
                });
            }
            let passage = passages
                .last_mut()
                .expect("one was pushed if there was none");
            if leaf.content.is_html() {
                let html = self.decode(leaf, &mut html_left, "HTML", notes);
                append(&mut passage.html, &html);
            } else {
                let text = self.decode(leaf, &mut text_left, "text", notes);
                append(&mut passage.plain, &with_line_feeds(text));
            }
        }
        passages
    }

    /// Transfer encoding and charset undone; at most `left` bytes.
    fn decode(
        &mut self,
        leaf: &Leaf<'_>,
        left: &mut usize,
        what: &str,
        notes: &mut Notes,
    ) -> String {
        let (bytes, sound) = decoded(leaf);
        note_encoding(leaf, sound, notes);
        // No charset needs more than 4 bytes a character, and none makes less than one of it, so
        // what is beyond cannot be needed; the escapes of 7-bit charsets come on top.
        let n_needed = left.saturating_mul(4).saturating_add(64);
        let enough = &bytes[..bytes.len().min(n_needed)];
        let mut decoded = charset::decode(enough, leaf.content.charset.as_deref());
        if let Some(note) = decoded.note {
            notes.add(format!("part {}: {note}", leaf.number));
        }
        if decoded.text.len() > *left || enough.len() < bytes.len() {
            self.truncated = true;
            notes.add(format!("part {}: the {what} was cut", leaf.number));
            decoded
                .text
                .truncate(decoded.text.floor_char_boundary(*left));
        }
        *left -= decoded.text.len();
        decoded.text
    }

    /// Each passage in plain text; where it has none, or an empty one, made from its HTML.
    fn joined_text(&mut self, passages: &[Passage], notes: &mut Notes) -> String {
        let mut text = String::new();
        for passage in passages {
            if passage.plain.trim().is_empty() && !passage.html.is_empty() {
                append(&mut text, &html::text(&passage.html));
            } else {
                append(&mut text, &passage.plain);
            }
        }
        if text.len() > MAX_TEXT_BYTES {
            self.truncated = true;
            notes.add("the text was cut");
            text.truncate(text.floor_char_boundary(MAX_TEXT_BYTES));
        }
        text
    }

    fn attach(
        &mut self,
        leaf: &Leaf<'_>,
        wanted: Content,
        referred: &HashSet<String>,
        notes: &mut Notes,
    ) {
        let content = &leaf.content;
        let is_calendar = content.media_type == "text/calendar";
        let (size, blob) = if wanted >= Content::Full {
            let (bytes, sound) = decoded(leaf);
            note_encoding(leaf, sound, notes);
            (bytes.len(), Some(self.keep(bytes)))
        } else {
            let (size, sound) = match leaf.body {
                LeafBody::Bytes(body) => content.encoding.decoded_len(body),
                LeafBody::Size(size) => (size, Sound::Yes),
            };
            note_encoding(leaf, sound, notes);
            (size, None)
        };
        if content.filename.contains('\u{fffd}') {
            notes.add(format!(
                "part {}: some of its file name could not be decoded",
                leaf.number
            ));
        }
        self.has_invite |= is_calendar && (content.has_method || has_method_line(leaf));
        let is_referred_to = content
            .content_id
            .as_ref()
            .is_some_and(|id| referred.contains(id));
        self.attachments.push(Attachment {
            part_id: leaf.number.clone(),
            filename: content.filename.clone(),
            mime_type: content.media_type.clone(),
            size: size as u64,
            content_id: content.content_id.clone(),
            inline: content.disposition == Disposition::Inline || is_referred_to,
            content: blob,
        });
    }

    /// Keeps bytes as a blob, equal ones once.
    pub(super) fn keep(&mut self, bytes: Cow<'_, [u8]>) -> BlobRef {
        let reference = BlobRef {
            sha256: hex(&Sha256::digest(&bytes)),
            size: bytes.len() as u64,
        };
        if self
            .blobs
            .iter()
            .all(|blob| blob.sha256 != reference.sha256)
        {
            let sha256 = reference.sha256.clone();
            self.blobs.push(Blob {
                sha256,
                bytes: Arc::new(bytes.into_owned()),
            });
        }
        reference
    }
}

/// The content without its transfer encoding; nothing where only the size is known, and then
/// nobody asks.
fn decoded<'a>(leaf: &Leaf<'a>) -> (Cow<'a, [u8]>, Sound) {
    match leaf.body {
        LeafBody::Bytes(body) => leaf.content.encoding.decode(body),
        LeafBody::Size(_) => (Cow::Borrowed(&[]), Sound::Yes),
    }
}

/// Whether a part is text of the message itself, of which `n_leaves` parts there are.
pub(super) fn is_body(leaf: &Leaf<'_>, n_leaves: usize) -> bool {
    let content = &leaf.content;
    (content.is_plain() || content.is_html())
        && content.disposition != Disposition::Attachment
        && !leaf.is_companion
        && (content.filename.is_empty() || n_leaves == 1)
}

fn note_encoding(leaf: &Leaf<'_>, sound: Sound, notes: &mut Notes) {
    if let Some(note) = leaf.content.encoding.note() {
        notes.add(format!("part {}: {note}", leaf.number));
    }
    if sound == Sound::No {
        notes.add(format!(
            "part {}: some of its transfer encoding is broken",
            leaf.number
        ));
    }
}

/// Whether a calendar has a method in its first lines (RFC 5546); some mailers forget to say so
/// in the type.
fn has_method_line(leaf: &Leaf<'_>) -> bool {
    let LeafBody::Bytes(body) = leaf.body else {
        return false;
    };
    let head = &body[..body.len().min(4_096)];
    let (head, _) = leaf.content.encoding.decode(head);
    head.split(|&byte| byte == b'\n')
        .any(|line| line.len() > 7 && line[..7].eq_ignore_ascii_case(b"METHOD:"))
}

/// Joins texts, each beginning on a line of its own.
fn append(text: &mut String, more: &str) {
    if !text.is_empty() && !more.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(more);
}

/// Lines end with a line feed in text; HTML stays as sent.
fn with_line_feeds(text: String) -> String {
    if text.contains('\r') {
        text.replace("\r\n", "\n").replace('\r', "\n")
    } else {
        text
    }
}

/// The content ids that HTML refers to (RFC 2392).
fn content_ids<'a>(pages: impl Iterator<Item = &'a str>) -> HashSet<String> {
    let mut ids = HashSet::new();
    for page in pages {
        for (n, _) in page.match_indices(':') {
            if n < 3 || !page.as_bytes()[n - 3..n].eq_ignore_ascii_case(b"cid") {
                continue;
            }
            let rest = &page[n + 1..];
            let id = rest
                .split(['"', '\'', ')', '>', ' ', '\r', '\n'])
                .next()
                .unwrap_or_default();
            ids.insert(percent_decoded(id));
        }
    }
    ids
}

fn percent_decoded(id: &str) -> String {
    let mut pieces = id.split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        match piece
            .get(..2)
            .and_then(|pair| u8::from_str_radix(pair, 16).ok())
        {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend_from_slice(&piece.as_bytes()[2..]);
            }
            None => {
                bytes.push(b'%');
                bytes.extend_from_slice(piece.as_bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ids_are_found_in_html() {
        let page = "<img src=\"cid:a%40b\"><img src=CID:c@d><div style='background:url(cid:e)'> :x cid:%zz";
        let ids = content_ids(std::iter::once(page));
        assert_eq!(
            ids,
            HashSet::from(["a@b", "c@d", "e", "%zz"].map(str::to_owned))
        );
    }
}
