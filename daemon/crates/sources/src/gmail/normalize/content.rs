//! What a part's header says of its content: type, charset, name, disposition, encoding.

use super::header::Headers;
use super::limits::MAX_PARAMETER_BYTES;
use super::notes::Notes;
use super::transfer::Encoding;

/// The `Content-*` fields of a part.
#[derive(Debug, Clone)]
pub(super) struct Content {
    /// Lower case, without parameters.
    pub(super) media_type: String,
    pub(super) charset: Option<String>,
    pub(super) boundary: Option<String>,
    /// Decoded, without path; empty where there is none.
    pub(super) filename: String,
    pub(super) disposition: Disposition,
    /// Without angle brackets.
    pub(super) content_id: Option<String>,
    pub(super) encoding: Encoding,
    /// Whether the type has a parameter `method` (RFC 6047: an invitation).
    pub(super) has_method: bool,
}

/// RFC 2183.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disposition {
    /// Not said.
    None,
    Inline,
    /// `attachment`, and whatever is not known.
    Attachment,
}

/// What a part without Content-Type is (RFC 2046 sections 5.1 and 5.1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DefaultType {
    Text,
    /// In a `multipart/digest`.
    Message,
}

impl Content {
    pub(super) fn parse(headers: &Headers<'_>, default: DefaultType, notes: &mut Notes) -> Self {
        if headers.all("content-type").nth(1).is_some() {
            notes.add("a part has several Content-Type fields, the first counts");
        }
        for name in ["content-type", "content-disposition"] {
            if headers
                .all(name)
                .next()
                .is_some_and(|value| value.len() > MAX_PARAMETER_BYTES)
            {
                notes.add(format!(
                    "a {name} of more than {MAX_PARAMETER_BYTES} bytes lost its parameters"
                ));
            }
        }
        let content_type = headers.content_type("content-type");
        let disposition = headers.content_type("content-disposition");
        let parameter = |name: &str| {
            content_type
                .as_ref()
                .and_then(|content_type| content_type.attribute(name))
                .map(str::to_owned)
        };
        let filename = disposition
            .as_ref()
            .and_then(|disposition| disposition.attribute("filename"))
            .or_else(|| {
                content_type
                    .as_ref()
                    .and_then(|content_type| content_type.attribute("name"))
            })
            .map(file_name)
            .unwrap_or_default();
        Self {
            media_type: media_type(
                content_type
                    .as_ref()
                    .map(|content_type| (content_type.ctype(), content_type.subtype())),
                default,
            ),
            charset: parameter("charset"),
            boundary: parameter("boundary").filter(|boundary| !boundary.is_empty()),
            filename,
            disposition: match disposition.as_ref().map(|disposition| disposition.ctype()) {
                None | Some("") => Disposition::None,
                Some("inline") => Disposition::Inline,
                Some(_) => Disposition::Attachment,
            },
            content_id: headers
                .raw("content-id")
                .map(|id| id.trim_matches(['<', '>', ' ']).to_owned())
                .filter(|id| !id.is_empty()),
            encoding: headers
                .raw("content-transfer-encoding")
                .map_or(Encoding::Identity, |value| Encoding::parse(&value)),
            has_method: parameter("method").is_some(),
        }
    }

    pub(super) fn is_multipart(&self) -> bool {
        self.media_type.starts_with("multipart/")
    }

    pub(super) fn is_plain(&self) -> bool {
        self.media_type == "text/plain"
    }

    pub(super) fn is_html(&self) -> bool {
        self.media_type == "text/html"
    }
}

fn media_type(parsed: Option<(&str, Option<&str>)>, default: DefaultType) -> String {
    let is_token = |text: &str| {
        !text.is_empty()
            && text.len() <= 127
            && text.bytes().all(|b| b.is_ascii_graphic() && b != b'/')
    };
    match parsed {
        Some((kind, Some(subtype))) if is_token(kind) && is_token(subtype) => {
            format!(
                "{}/{}",
                kind.to_ascii_lowercase(),
                subtype.to_ascii_lowercase()
            )
        }
        Some((kind, _)) if kind.eq_ignore_ascii_case("multipart") => "multipart/mixed".into(),
        Some((kind, _)) if kind.eq_ignore_ascii_case("text") => "text/plain".into(),
        // Old and broken forms; RFC 2045 section 5.2 asks for plain text.
        Some(_) => "text/plain".into(),
        None if default == DefaultType::Message => "message/rfc822".into(),
        None => "text/plain".into(),
    }
}

/// The last part of a path, without control characters.
pub(super) fn file_name(name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    name.chars()
        .filter(|c| !c.is_control())
        .collect::<String>()
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(block: &str) -> Content {
        let notes = &mut Notes::default();
        Content::parse(
            &Headers::parse(block.as_bytes(), notes),
            DefaultType::Text,
            notes,
        )
    }

    #[test]
    fn file_names_in_all_their_forms() {
        for (block, name) in [
            (
                "Content-Disposition: attachment; filename=\"a b.txt\"\n",
                "a b.txt",
            ),
            (
                "Content-Disposition: attachment; filename*=utf-8''caf%C3%A9.txt\n",
                "café.txt",
            ),
            (
                "Content-Disposition: attachment;\n filename*0*=iso-8859-1''caf%E9;\n filename*1=\".txt\"\n",
                "café.txt",
            ),
            (
                "Content-Disposition: attachment; filename=\"=?utf-8?q?caf=C3=A9?=.txt\"\n",
                "café.txt",
            ),
            (
                "Content-Type: image/png; name=\"../..\\\\x/evil.png\"\n",
                "evil.png",
            ),
            ("Content-Type: image/png; name=\"..\"\n", ".."),
            ("Content-Type: image/png\n", ""),
        ] {
            assert_eq!(content(block).filename, name, "{block}");
        }
    }

    #[test]
    fn media_types_are_plain_words() {
        for (block, media_type) in [
            ("Content-Type: TEXT/HTML; charset=x\n", "text/html"),
            ("Content-Type: text\n", "text/plain"),
            ("Content-Type: multipart; boundary=x\n", "multipart/mixed"),
            ("Content-Type: \n", "text/plain"),
            ("Content-Type: ;;;\n", "text/plain"),
            ("X: y\n", "text/plain"),
        ] {
            assert_eq!(content(block).media_type, media_type, "{block}");
        }
    }
}
