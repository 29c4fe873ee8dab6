//! The MIME tree as `payload` shows it: part ids, decoded headers, bodies or attachment ids.
//!
//! Text bodies come in UTF-8 and header values decoded, as Gmail gives them.
//! See <https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.messages#Message.MessagePart>.

use super::Policy;
use mail_parser::parsers::MessageStream;
use mail_parser::{Header, HeaderValue, Message, MessageParser, MimeHeaders, PartType};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::sync::LazyLock;

/// Headers that decide over the tree are parsed, all others only found: that is most of the work of a parse.
static PARSER: LazyLock<MessageParser> = LazyLock::new(|| {
    MessageParser::new()
        .with_mime_headers()
        .default_header_raw()
});

/// Parts that lie deeper are left out.
const MAX_DEPTH: usize = 50;
const SNIPPET_CHARS: usize = 200;
/// Where the text of a snippet is looked for first, in bytes from the start of the mail.
const SNIPPET_HEAD: usize = 4 << 10;

/// `payload` of the format `metadata`: headers without a tree; all of them if none is named.
pub(super) fn metadata(raw: &[u8], wanted: &[&str]) -> Value {
    let Some(message) = PARSER.parse_headers(raw) else {
        return json!({ "mimeType": "text/plain", "headers": [] });
    };
    let headers: Vec<Value> = message
        .parts
        .first()
        .into_iter()
        .flat_map(|part| headers(&message, &part.headers))
        .filter(|(name, _)| {
            wanted.is_empty()
                || wanted
                    .iter()
                    .any(|wanted| wanted.eq_ignore_ascii_case(name))
        })
        .map(pair)
        .collect();
    let mut payload = json!({ "mimeType": mime_type(&message, 0) });
    if !headers.is_empty() {
        payload["headers"] = headers.into();
    }
    payload
}

/// Snippet and `payload` of the format `full`; `attachment_id` makes an id for the n-th part of the walk.
pub(super) fn full(
    raw: &[u8],
    policy: &Policy,
    attachment_id: impl Fn(u32) -> String,
) -> (String, Value) {
    let mut walk = Walk {
        n_parts: 0,
        wanted: None,
        found: None,
        attachment_id: &attachment_id,
        policy,
    };
    match PARSER.parse(raw) {
        Some(message) => {
            let (snippet, _) = shorten(&body_text(&message));
            (snippet, walk.part(&message, 0, String::new(), 0))
        }
        None => {
            let payload = json!({
                "partId": "",
                "mimeType": "text/plain",
                "filename": "",
                "headers": [],
                "body": { "size": raw.len(), "data": policy.encode(raw) },
            });
            (String::new(), payload)
        }
    }
}

/// The `payload` of the format `full`, its attachments named by their number.
pub(crate) fn payload(raw: &[u8]) -> Value {
    full(raw, &Policy::default(), |part| part.to_string()).1
}

/// The decoded bytes of the n-th part of the walk.
pub(super) fn part_body(raw: &[u8], number: u32) -> Option<Vec<u8>> {
    let message = PARSER.parse(raw)?;
    let mut walk = Walk {
        n_parts: 0,
        wanted: Some(number),
        found: None,
        attachment_id: &|_| String::new(),
        policy: &Policy::default(),
    };
    walk.part(&message, 0, String::new(), 0);
    walk.found
}

/// The beginning of the text, HTML-escaped.
pub(super) fn snippet(raw: &[u8]) -> String {
    // It nearly always lies in the first few thousand bytes; the rest may be megabytes.
    if let Some(head) = raw.get(..SNIPPET_HEAD) {
        let (snippet, full) = shorten(&text(head));
        if full == Fill::Full {
            return snippet;
        }
    }
    shorten(&text(raw)).0
}

/// The text of the first body, out of HTML if need be.
pub(super) fn text(raw: &[u8]) -> String {
    PARSER
        .parse(raw)
        .map(|message| body_text(&message).into_owned())
        .unwrap_or_default()
}

fn body_text<'a>(message: &'a Message<'_>) -> Cow<'a, str> {
    message.body_text(0).unwrap_or_default()
}

/// Whether a text had enough words for a whole snippet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fill {
    Full,
    Short,
}

fn shorten(text: &str) -> (String, Fill) {
    let mut snippet = String::new();
    let mut n_chars = 0;
    for word in text.split_whitespace() {
        if n_chars + word.len() > SNIPPET_CHARS {
            return (snippet, Fill::Full);
        }
        if !snippet.is_empty() {
            snippet.push(' ');
        }
        n_chars += word.chars().count() + 1;
        for character in word.chars() {
            match character {
                '&' => snippet.push_str("&amp;"),
                '<' => snippet.push_str("&lt;"),
                '>' => snippet.push_str("&gt;"),
                '"' => snippet.push_str("&quot;"),
                '\'' => snippet.push_str("&#39;"),
                other => snippet.push(other),
            }
        }
    }
    (snippet, Fill::Short)
}

struct Walk<'a> {
    n_parts: u32,
    wanted: Option<u32>,
    found: Option<Vec<u8>>,
    attachment_id: &'a dyn Fn(u32) -> String,
    policy: &'a Policy,
}

impl Walk<'_> {
    fn part(
        &mut self,
        message: &Message<'_>,
        index: usize,
        part_id: String,
        depth: usize,
    ) -> Value {
        let number = self.n_parts;
        self.n_parts += 1;
        let Some(part) = message.parts.get(index) else {
            return json!({ "partId": part_id });
        };
        let filename = part.attachment_name().unwrap_or_default();
        let headers: Vec<Value> = headers(message, &part.headers).map(pair).collect();
        // Moved in: `json!` would copy each of them.
        let mut value = json!({ "partId": part_id, "filename": filename });
        value["mimeType"] = mime_type(message, index).into();
        value["headers"] = headers.into();
        let child_id = |at: usize| match part_id.as_str() {
            "" => at.to_string(),
            parent => format!("{parent}.{at}"),
        };
        match &part.body {
            PartType::Multipart(children) => {
                value["body"] = json!({ "size": 0 });
                if depth < MAX_DEPTH {
                    let parts: Vec<Value> = children
                        .iter()
                        .enumerate()
                        .map(|(at, child)| {
                            self.part(message, *child as usize, child_id(at), depth + 1)
                        })
                        .collect();
                    value["parts"] = parts.into();
                }
            }
            PartType::Message(nested) => {
                let bytes = nested.raw_message();
                value["body"] = self.attached(number, bytes);
                if depth < MAX_DEPTH {
                    value["parts"] = vec![self.part(nested, 0, child_id(0), depth + 1)].into();
                }
            }
            PartType::Text(text) | PartType::Html(text) if filename.is_empty() => {
                value["body"] = json!({ "size": text.len() });
                if !text.is_empty() {
                    value["body"]["data"] = self.policy.encode(text.as_bytes()).into();
                }
            }
            PartType::Text(_)
            | PartType::Html(_)
            | PartType::Binary(_)
            | PartType::InlineBinary(_) => {
                value["body"] = self.attached(number, part.contents());
            }
        }
        value
    }

    fn attached(&mut self, number: u32, bytes: &[u8]) -> Value {
        if self.wanted == Some(number) {
            self.found = Some(bytes.to_vec());
        }
        json!({ "size": bytes.len(), "attachmentId": (self.attachment_id)(number) })
    }
}

fn mime_type(message: &Message<'_>, index: usize) -> String {
    let Some(part) = message.parts.get(index) else {
        return "text/plain".to_owned();
    };
    match (part.content_type(), &part.body) {
        (Some(content_type), _) => match content_type.subtype() {
            Some(subtype) => format!("{}/{subtype}", content_type.ctype()).to_ascii_lowercase(),
            None => content_type.ctype().to_ascii_lowercase(),
        },
        (None, PartType::Message(_)) => "message/rfc822".to_owned(),
        (None, _) => "text/plain".to_owned(),
    }
}

fn pair((name, value): (String, String)) -> Value {
    let members = [("name", name), ("value", value)];
    let members = members.map(|(name, text)| (name.to_owned(), Value::String(text)));
    Value::Object(members.into_iter().collect())
}

/// Names as written, values unfolded and decoded.
fn headers<'a>(
    message: &'a Message<'_>,
    list: &'a [Header<'_>],
) -> impl Iterator<Item = (String, String)> + 'a {
    let slice = |from: u32, to: u32| {
        message
            .raw_message
            .get(from as usize..to as usize)
            .unwrap_or_default()
    };
    list.iter().map(move |header| {
        let name = slice(header.offset_field, header.offset_start).trim_ascii();
        let name = name.strip_suffix(b":").unwrap_or(name).trim_ascii_end();
        let value = slice(header.offset_start, header.offset_end);
        (String::from_utf8_lossy(name).into_owned(), decode(value))
    })
}

fn decode(value: &[u8]) -> String {
    if !value.windows(2).any(|pair| pair == b"=?") {
        return unfold(&String::from_utf8_lossy(value));
    }
    let mut line = value.trim_ascii().to_vec();
    line.push(b'\n');
    match MessageStream::new(&line).parse_unstructured() {
        HeaderValue::Text(text) => unfold(&text),
        _ => unfold(&String::from_utf8_lossy(value)),
    }
}

fn unfold(text: &str) -> String {
    let text = text.trim();
    let mut line = String::with_capacity(text.len());
    line.extend(text.split(['\r', '\n']));
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: &[u8] = b"Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n =?utf-8?Q?_aus?=\r\n\
        Content-Type: multipart/mixed; boundary=a\r\n\r\n\
        --a\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n\
        --b\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\nGr\xfc\xdfe & <x>\r\n\
        --b\r\nContent-Type: text/html\r\n\r\n<p>hi</p>\r\n--b--\r\n\
        --a\r\nContent-Type: text/csv; name=t.csv\r\nContent-Disposition: attachment; filename=t.csv\r\n\
        Content-Transfer-Encoding: base64\r\n\r\nYSxi\r\n--a--\r\n";

    #[test]
    fn tree_has_part_ids_and_either_data_or_an_attachment_id() {
        let policy = Policy::default();
        let (short, payload) = full(MAIL, &policy, |part| format!("part-{part}"));
        assert_eq!(payload["partId"], "");
        assert_eq!(
            payload["headers"][0],
            json!({ "name": "Subject", "value": "Grüße aus" })
        );
        assert_eq!(payload["parts"][0]["parts"][1]["partId"], "0.1");
        let text = &payload["parts"][0]["parts"][0]["body"];
        assert_eq!(text["size"], "Grüße & <x>".len());
        assert_eq!(text["data"], "R3LDvMOfZSAmIDx4Pg==");
        assert_eq!(
            payload["parts"][1]["body"],
            json!({ "size": 3, "attachmentId": "part-4" })
        );
        assert_eq!(part_body(MAIL, 4).unwrap(), b"a,b");
        assert_eq!(part_body(MAIL, 9), None);
        assert_eq!(snippet(MAIL), "Grüße &amp; &lt;x&gt;");
        assert_eq!(short, snippet(MAIL));
    }

    /// The shortcut must not show: words that the cut goes through are looked up in the whole mail.
    #[test]
    fn snippet_of_a_long_mail_is_that_of_its_whole_text() {
        for filler in [0, 3_900, 3_990, 4_050, 5_000] {
            let header = format!("X-Filler: {}\r\n", "x".repeat(filler));
            let body = "word ".repeat(2_000);
            let raw = format!("{header}Content-Type: text/plain\r\n\r\n{body}");
            let expected = "word ".repeat(40).trim_end().to_owned();
            assert_eq!(snippet(raw.as_bytes()), expected, "{filler}");
            let (short, _) = full(raw.as_bytes(), &Policy::default(), |_| String::new());
            assert_eq!(short, expected, "{filler}");
        }
    }

    #[test]
    fn garbage_has_a_payload_too() {
        for raw in [
            &b""[..],
            b"\0\xff\r\n\r\n\n",
            b"no header at all",
            b"Content-Type: multipart/mixed\n\n--",
        ] {
            let (short, payload) = full(raw, &Policy::default(), |_| String::new());
            assert!(payload["mimeType"].is_string());
            assert_eq!(short, snippet(raw));
            assert!(metadata(raw, &[])["mimeType"].is_string());
            snippet(raw);
        }
    }
}
