//! Whatever the bytes, there is a record within its bounds: random bytes, random pieces of mail,
//! and real mails with random damage.

use super::super::limits::{
    MAX_HEADER_BYTES, MAX_HTML_BYTES, MAX_PARTS, MAX_REFERENCES, MAX_TEXT_BYTES,
};
use super::{Mailbox, mails};
use nuncio_model::{BlobRef, Content};
use proptest::collection::vec;
use proptest::prelude::*;
use std::sync::LazyLock;

static MAILS: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(mails);

/// Pieces that the parser looks for.
const PIECES: [&str; 30] = [
    "Content-Type: multipart/mixed; boundary=b\n",
    "Content-Type: multipart/alternative; boundary=\"a b\"\r\n",
    "Content-Type: text/html\n",
    "Content-Type: message/rfc822\n",
    "Content-Transfer-Encoding: base64\r\n",
    "Content-Transfer-Encoding: quoted-printable\n",
    "Content-Disposition: attachment; filename*0*=utf-8''%C3\n",
    "; charset=iso-2022-jp",
    "\n",
    "\r\n",
    "\r",
    "--b\n",
    "--b--\n",
    "--a b\r\n",
    "--",
    "=",
    "=?utf-8?q?=C3?= ",
    "=?utf-8?b?8J+Y?=",
    "=?",
    "?=",
    "From: ",
    "To: a <b@c>, \"",
    "Date: 1 Jan 2000 ",
    "<",
    ">",
    "&#",
    "<p><b>",
    "\0",
    "begin 644 x\n",
    "aGVsbG8=",
];

/// A record of these bytes, checked.
fn check(bytes: &[u8], content: Content) -> Result<(), TestCaseError> {
    let record = Mailbox::new(content).record(bytes);
    let email = record.email;
    let text_len = email.text.as_ref().map_or(0, String::len);
    let html_len = email.html.as_ref().map_or(0, String::len);
    prop_assert!(text_len <= MAX_TEXT_BYTES && html_len <= MAX_HTML_BYTES);
    // No charset makes more than three bytes of one, and the text of HTML adds white space only.
    prop_assert!(
        html_len <= bytes.len() * 3 + MAX_PARTS,
        "html of {html_len} bytes from {}",
        bytes.len()
    );
    prop_assert!(email.references.len() <= MAX_REFERENCES && email.attachments.len() <= MAX_PARTS);
    prop_assert!(record.notes.len() <= 33);
    prop_assert!(email.subject.len() <= MAX_HEADER_BYTES * 3);
    let n_attached: u64 = email
        .attachments
        .iter()
        .map(|attachment| attachment.size)
        .sum();
    prop_assert!(
        n_attached <= bytes.len() as u64,
        "attachments larger than the message"
    );
    let known = |blob: &BlobRef| {
        record
            .blobs
            .iter()
            .any(|kept| kept.sha256 == blob.sha256 && kept.bytes.len() as u64 == blob.size)
    };
    prop_assert!(
        email
            .attachments
            .iter()
            .filter_map(|attachment| attachment.content.as_ref())
            .all(known)
    );
    prop_assert!(email.raw.iter().all(known));
    prop_assert_eq!(email.size, bytes.len() as u64);
    Ok(())
}

fn content() -> impl Strategy<Value = Content> {
    proptest::sample::select(Content::ALL.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..2_000), content in content()) {
        check(&bytes, content)?;
    }

    #[test]
    fn any_pieces_of_mail(pieces in vec(proptest::sample::select(PIECES.to_vec()), 0..60), content in content()) {
        check(pieces.concat().as_bytes(), content)?;
    }

    #[test]
    fn damaged_mails(
        mail in any::<prop::sample::Index>(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
        cut in any::<prop::sample::Index>(),
        doubled in any::<prop::sample::Index>(),
        content in content(),
    ) {
        let mut bytes = mail.get(&MAILS).1.clone();
        bytes.push(b'\n');
        for (at, byte) in changes {
            let n = at.index(bytes.len());
            bytes[n] = byte;
        }
        let doubled = doubled.index(bytes.len());
        bytes.extend_from_within(doubled..);
        check(&bytes, content)?;
        bytes.truncate(cut.index(bytes.len()));
        check(&bytes, content)?;
    }
}
