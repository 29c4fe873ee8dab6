//! `full` against `raw`: a small reader of MIME, written for this test alone, has to find the same tree.
//! It knows multipart, message/rfc822, base64 and quoted-printable; where a mail is too broken for it, only what
//! holds for every mail is compared.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::client::{Fake, Mailbox, decode, text};
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Mails of the corpus that are broken in a way that two readers may read differently, and how.
const DISPUTED: [(&str, &str); 6] = [
    (
        "mail-parser-malformed-012.eml.eml",
        "the outer delimiter comes while an inner multipart is open",
    ),
    (
        "mail-parser-malformed-016.eml.eml",
        "the inner delimiter is the beginning of the outer one",
    ),
    (
        "mail-parser-thirdparty-005.eml.eml",
        "the last delimiter stands in the middle of a line",
    ),
    (
        "mail-parser-thirdparty-015.eml.eml",
        "an attached mail opens a multipart that it never fills",
    ),
    (
        "mime4j-double-bound.msg.eml",
        "delimiters stand doubled, and headers end in one",
    ),
    (
        "mime4j-misplaced-boundary.msg.eml",
        "a delimiter stands in the middle of a line",
    ),
];

/// A part as the plain reader sees it.
#[derive(Debug)]
struct Part {
    headers: Vec<(String, String)>,
    kind: String,
    charset: String,
    encoding: String,
    body: Vec<u8>,
    children: Vec<Part>,
    /// Whether the header has lines that readers differ about.
    is_odd: bool,
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|byte| *byte == b'\n')
}

fn latin(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn parameter(value: &str, name: &str) -> Option<String> {
    value.split(';').skip(1).find_map(|one| {
        let (own, text) = one.split_once('=')?;
        own.trim()
            .eq_ignore_ascii_case(name)
            .then(|| text.trim().trim_matches('"').to_owned())
    })
}

/// `default` is the kind of a part that does not say its own.
fn read(raw: &[u8], default: &str) -> Part {
    let mut headers: Vec<(String, String)> = Vec::new();
    let mut at = 0;
    let mut is_odd = false;
    for line in lines(raw) {
        is_odd |= line.contains(&0) || line.trim_ascii().is_empty() && line.starts_with(b" ");
        if line.trim_ascii().is_empty() {
            at += line.len();
            break;
        }
        at += line.len();
        let text = latin(line);
        let text = text.trim_end_matches(['\r', '\n']);
        if text.starts_with([' ', '\t']) {
            if let Some((_, value)) = headers.last_mut() {
                value.push_str(text);
            }
        } else if let Some((name, value)) = text.split_once(':') {
            is_odd |= name.trim_end().contains([' ', '\t']);
            headers.push((name.trim_end().to_owned(), value.trim_start().to_owned()));
        } else {
            is_odd = true;
        }
    }
    let find = |wanted: &str| {
        let found = headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.clone())
    };
    let content_type = find("Content-Type").unwrap_or_else(|| default.to_owned());
    let kind = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let encoding = find("Content-Transfer-Encoding")
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let body = &raw[at.min(raw.len())..];
    let children = match parameter(&content_type, "boundary") {
        Some(boundary) if kind.starts_with("multipart/") => {
            let default = match kind.as_str() {
                "multipart/digest" => "message/rfc822",
                _ => "text/plain",
            };
            split(body, &boundary, default)
        }
        _ => Vec::new(),
    };
    Part {
        charset: parameter(&content_type, "charset")
            .unwrap_or_default()
            .to_ascii_lowercase(),
        headers,
        kind,
        encoding,
        body: body.to_vec(),
        children,
        is_odd,
    }
}

fn split(body: &[u8], boundary: &str, default: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut open: Option<Vec<u8>> = None;
    for line in lines(body) {
        let text = latin(line.trim_ascii_end());
        let is_end = text == format!("--{boundary}--");
        if is_end || text == format!("--{boundary}") {
            if let Some(mut part) = open.take() {
                for ending in [b'\n', b'\r'] {
                    if part.last() == Some(&ending) {
                        part.pop();
                    }
                }
                parts.push(read(&part, default));
            }
            if is_end {
                return parts;
            }
            open = Some(Vec::new());
        } else if let Some(part) = &mut open {
            part.extend_from_slice(line);
        }
    }
    // The last part ends with the whole if nothing closes it.
    parts.extend(open.map(|part| read(&part, default)));
    parts
}

/// The body without its transfer encoding; nothing if this reader cannot tell.
fn plain(part: &Part) -> Option<Vec<u8>> {
    match part.encoding.as_str() {
        "base64" => {
            let config = GeneralPurposeConfig::new()
                .with_decode_padding_mode(DecodePaddingMode::Indifferent)
                .with_decode_allow_trailing_bits(true);
            let compact: Vec<u8> = part
                .body
                .iter()
                .copied()
                .filter(|byte| !byte.is_ascii_whitespace())
                .collect();
            GeneralPurpose::new(&alphabet::STANDARD, config)
                .decode(compact)
                .ok()
        }
        "quoted-printable" => Some(quoted_printable(&part.body)),
        "" | "7bit" | "8bit" | "binary" => Some(part.body.clone()),
        _ => None,
    }
}

fn quoted_printable(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in lines(body) {
        let text = line.trim_ascii_end();
        let mut at = 0;
        while at < text.len() {
            let code = text
                .get(at + 1..at + 3)
                .and_then(|code| std::str::from_utf8(code).ok())
                .and_then(|code| u8::from_str_radix(code, 16).ok());
            match (text[at], code) {
                (b'=', Some(byte)) => {
                    out.push(byte);
                    at += 3;
                }
                (b'=', None) if at + 1 == text.len() => at += 1,
                (byte, _) => {
                    out.push(byte);
                    at += 1;
                }
            }
        }
        if !text.ends_with(b"=") {
            // Blanks at the end of a line are not part of it.
            let end = line.len()
                - usize::from(line.ends_with(b"\n"))
                - usize::from(line.ends_with(b"\r\n"));
            out.extend_from_slice(&line[end..]);
        }
    }
    out
}

/// How much of a mail could be compared.
#[derive(Debug, Default)]
struct Compared {
    parts: usize,
    texts: usize,
    attachments: usize,
    headers: usize,
    differences: Vec<String>,
    /// Names of the mails with a difference.
    differing: BTreeSet<String>,
}

impl Compared {
    fn same<T: PartialEq + std::fmt::Debug>(&mut self, actual: T, expected: T, what: &str) {
        if actual != expected {
            let text = format!("{what}: {actual:?} instead of {expected:?}");
            self.differences.push(text.chars().take(400).collect());
        }
    }
}

/// Whether the plain reader may judge: nothing in the mail that readers differ about.
fn is_clean(part: &Part) -> bool {
    let mut seen = BTreeMap::new();
    for (name, _) in &part.headers {
        *seen.entry(name.to_ascii_lowercase()).or_insert(0) += 1;
    }
    let once = |name: &str| seen.get(name).copied().unwrap_or(0) <= 1;
    let is_multipart = part.kind.starts_with("multipart/");
    !part.is_odd
        && once("content-type")
        && once("content-transfer-encoding")
        && part.kind.contains('/')
        && (!is_multipart || !part.children.is_empty())
        && part.children.iter().all(is_clean)
}

async fn compare(
    mailbox: &Mailbox<'_>,
    message: &str,
    part: &Part,
    shown: &Value,
    part_id: &str,
    compared: &mut Compared,
) {
    let place = format!("{message} part {part_id:?}");
    compared.parts += 1;
    compared.same(&shown["partId"], &json!(part_id), &place);
    compared.same(&shown["mimeType"], &json!(part.kind), &place);
    compare_headers(part, shown, &place, compared);
    let children = shown["parts"].as_array().cloned().unwrap_or_default();
    if part.kind.starts_with("multipart/") {
        compared.same(&shown["body"], &json!({ "size": 0 }), &place);
        compared.same(
            children.len(),
            part.children.len(),
            &format!("{place} children"),
        );
        for (at, (own, child)) in part.children.iter().zip(&children).enumerate() {
            let id = child_id(part_id, at);
            Box::pin(compare(mailbox, message, own, child, &id, compared)).await;
        }
        return;
    }
    let body = &shown["body"];
    let bytes = match (body["data"].as_str(), body["attachmentId"].as_str()) {
        (Some(data), None) => decode(data),
        (None, Some(id)) => {
            compared.attachments += 1;
            let found = mailbox
                .json(&format!("messages/{message}/attachments/{id}"))
                .await;
            compared.same(&found["size"], &body["size"], &place);
            decode(&text(&found["data"]))
        }
        _ => Vec::new(),
    };
    compared.same(&body["size"], &json!(bytes.len()), &place);
    let is_plain_charset = matches!(part.charset.as_str(), "" | "us-ascii" | "utf-8");
    if part.kind == "message/rfc822" || part.kind == "message/global" {
        return;
    }
    if let Some(expected) = plain(part)
        && (!part.kind.starts_with("text/")
            || is_plain_charset && std::str::from_utf8(&expected).is_ok())
    {
        compared.texts += 1;
        compared.same(latin(&bytes), latin(&expected), &place);
    }
}

fn compare_headers(part: &Part, shown: &Value, place: &str, compared: &mut Compared) {
    let headers = shown["headers"].as_array().unwrap();
    compared.same(
        headers.len(),
        part.headers.len(),
        &format!("{place} headers"),
    );
    for (actual, (name, value)) in headers.iter().zip(&part.headers) {
        compared.same(text(&actual["name"]), name.clone(), place);
        // Encoded words are decoded, which this reader does not do.
        if value.is_ascii() && !value.contains("=?") {
            let actual = text(&actual["value"]);
            compared.same(actual.trim(), value.trim(), &format!("{place} {name}"));
            compared.headers += 1;
        }
    }
}

fn child_id(parent: &str, at: usize) -> String {
    if parent.is_empty() {
        at.to_string()
    } else {
        format!("{parent}.{at}")
    }
}

/// What holds for every mail, however broken: ids by place, sizes by content, either data or an attachment id.
fn check_shape(shown: &Value, part_id: &str) {
    assert_eq!(shown["partId"], part_id);
    assert!(shown["mimeType"].is_string() && shown["filename"].is_string());
    assert!(shown["headers"].is_array());
    let body = &shown["body"];
    assert!(body["data"].is_null() || body["attachmentId"].is_null());
    if let Some(data) = body["data"].as_str() {
        assert_eq!(body["size"], decode(data).len());
    }
    let children = shown["parts"].as_array().cloned().unwrap_or_default();
    for (at, child) in children.iter().enumerate() {
        let id = child_id(part_id, at);
        check_shape(child, &id);
    }
}

/// Compares every mail of every mailbox; `name` says what a mail is called. Counts the clean ones and all.
async fn compare_all(
    fake: &Fake,
    name: impl Fn(&str, &[u8]) -> String,
) -> (Compared, usize, usize) {
    let mut compared = Compared::default();
    let (mut n_clean, mut n_mails) = (0, 0);
    for number in 0..fake.server.users().len() {
        let mailbox = fake.mailbox(number).await;
        for id in mailbox.list("includeSpamTrash=true&maxResults=500").await {
            let raw = mailbox.json(&format!("messages/{id}?format=raw")).await;
            let bytes = decode(&text(&raw["raw"]));
            assert_eq!(raw["sizeEstimate"], bytes.len());
            let full = mailbox.json(&format!("messages/{id}")).await;
            let metadata = mailbox
                .json(&format!("messages/{id}?format=metadata"))
                .await;
            n_mails += 1;
            check_shape(&full["payload"], "");
            for name in [
                "snippet",
                "internalDate",
                "historyId",
                "threadId",
                "sizeEstimate",
            ] {
                assert_eq!(full[name], raw[name]);
                assert_eq!(metadata[name], raw[name]);
            }
            let shown = &metadata["payload"]["headers"];
            if !shown.is_null() {
                assert_eq!(*shown, full["payload"]["headers"]);
            }
            let part = read(&bytes, "text/plain");
            if is_clean(&part) {
                n_clean += 1;
                let n_before = compared.differences.len();
                compare(&mailbox, &id, &part, &full["payload"], "", &mut compared).await;
                if compared.differences.len() > n_before {
                    compared.differing.insert(name(&id, &bytes));
                }
            }
        }
    }
    (compared, n_clean, n_mails)
}

#[tokio::test]
async fn generated_mail_has_the_same_tree_in_full_and_raw() {
    let fake = Fake::with(|options| options.messages = 400).await;
    let (compared, n_clean, n_mails) = compare_all(&fake, |id, _| id.to_owned()).await;
    assert!(
        compared.differing.is_empty(),
        "{}",
        compared.differences.join("\n")
    );
    assert_eq!((n_clean, n_mails), (400, 400));
    assert!(
        compared.texts > 400 && compared.attachments > 20,
        "{compared:?}"
    );
    assert!(compared.headers > 4000, "{compared:?}");
}

fn copy_mails(from: &Path, to: &Path, only: &[&str]) -> usize {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(from)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let mut n_copied = 0;
    for path in paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            n_copied += copy_mails(&path, to, only);
        } else if !name.starts_with("LICENSE") && only.iter().any(|end| name.ends_with(end)) {
            let folder = from.file_name().unwrap().to_string_lossy();
            std::fs::copy(&path, to.join(format!("{folder}-{name}.eml"))).unwrap();
            n_copied += 1;
        }
    }
    n_copied
}

#[tokio::test]
async fn corpus_mail_has_the_same_tree_in_full_and_raw() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/mail");
    let folder = tempfile::tempdir().unwrap();
    let n_files = copy_mails(&corpus, folder.path(), &[".eml", ".msg", ".txt"]);
    let fake = Fake::with(|options| {
        options.messages = 0;
        options.mail = Some(folder.path().to_owned());
    })
    .await;
    let names: BTreeMap<Vec<u8>, String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().to_string_lossy().into_owned();
            (std::fs::read(entry.path()).unwrap(), name)
        })
        .collect();
    let (compared, n_clean, n_mails) = compare_all(&fake, |_, raw| names[raw].clone()).await;
    let expected: BTreeSet<String> = DISPUTED
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    let differences = compared.differences.join("\n");
    assert_eq!(compared.differing, expected, "{differences}");
    assert!(
        n_files > 100 && n_mails > 100,
        "{n_files} files, {n_mails} mails"
    );
    assert!(n_clean > n_mails / 2, "{n_clean} of {n_mails}");
    assert!(compared.texts > 80, "{compared:?}");
}
