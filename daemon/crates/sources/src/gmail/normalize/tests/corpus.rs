//! Real and torture-test mails of other projects (`tests/data/mail`): each becomes a record, and
//! of each charset one is compared word for word.

use super::{Mailbox, mails};
use nuncio_model::{Content, Email};

/// What is wrong with which mail; all others are whole. A missing `Date` or `From` is common in
/// test mails and left out here.
const WRONG: &[(&str, &[&str])] = &[
    (
        "mail-parser/malformed-001.eml",
        &["the message ends within a multipart"],
    ),
    (
        "mail-parser/malformed-012.eml",
        &["the message ends within a multipart"],
    ),
    (
        "mail-parser/malformed-016.eml",
        &["the message ends within a multipart"],
    ),
    (
        "mail-parser/malformed-018.eml",
        &["part 1: some of its transfer encoding is broken"],
    ),
    (
        "mail-parser/malformed-019.eml",
        &[
            "the message ends within a multipart",
            "part 3: 8-bit text in a part labelled as ASCII, taken as windows-1252",
        ],
    ),
    (
        "mail-parser/malformed-020.eml",
        &["a part has several Content-Type fields, the first counts"],
    ),
    (
        "mail-parser/rfc-000.eml",
        &[
            "part 3.1: some of its transfer encoding is broken",
            "part 3.2: some of its transfer encoding is broken",
        ],
    ),
    (
        "mail-parser/thirdparty-002.eml",
        &[
            "part 2: some bytes are not valid \"utf-8\"",
            "part 3: some of its transfer encoding is broken",
            "part 3: labelled \"utf-8\", but is not, taken as windows-1252",
        ],
    ),
    (
        "mail-parser/thirdparty-004.eml",
        &["part 1: transfer encoding \"6bit\" is not known, content left as it is"],
    ),
    (
        "mail-parser/thirdparty-005.eml",
        &["the message ends within a multipart"],
    ),
    (
        "mail-parser/thirdparty-016.eml",
        &["part 1: some of its transfer encoding is broken"],
    ),
    (
        "mail-parser/thirdparty-017.eml",
        &["part 2.1: some of its transfer encoding is broken"],
    ),
    (
        "mail-parser/thirdparty-018.eml",
        &["part 1.1: some of its transfer encoding is broken"],
    ),
    (
        "mail-parser/thirdparty-019.eml",
        &["part 1.2.1: some of its transfer encoding is broken"],
    ),
    (
        "mime4j/badbound.msg",
        &[
            "the message ends within a multipart",
            "a multipart without parts was taken as text",
        ],
    ),
    (
        "mime4j/double-bound.msg",
        &["an entry of Sender has no address"],
    ),
    (
        "mime4j/missing-inner-boundary.msg",
        &["a multipart without parts was taken as text"],
    ),
    (
        "mime4j/multi-bad.msg",
        &[
            "a part has several Content-Type fields, the first counts",
            "the message ends within a multipart",
        ],
    ),
    (
        "mime4j/obsolete.msg",
        &[
            "8-bit characters in a header without encoding",
            "Date is not a date",
        ],
    ),
    (
        "mime4j/re-fwd.msg",
        &[
            "an entry of From has no address",
            "an entry of To has no address",
        ],
    ),
    (
        "mime4j/uu-zeegee.msg",
        &[
            "an entry of From has no address",
            "an entry of To has no address",
        ],
    ),
    (
        "mime4j/x-gzip64.msg",
        &["part 1: transfer encoding \"x-gzip64\" is not known, content left as it is"],
    ),
    (
        "mimekit/delivery-status.txt",
        &["an entry of To has no address"],
    ),
    (
        "ruby-mail/attachment_pdf_non_ascii.eml",
        &["part 1: labelled \"iso-8859-1\", but is UTF-8"],
    ),
    (
        "ruby-mail/attachment_with_encoded_name.eml",
        &["part 2: some of its file name could not be decoded"],
    ),
    ("ruby-mail/bad_date_header.eml", &["Date is not a date"]),
    (
        "ruby-mail/content_transfer_encoding_empty.eml",
        &[
            "an entry of Bcc has no address",
            "part 1: some bytes are not valid \"big5\"",
        ],
    ),
    (
        "ruby-mail/content_transfer_encoding_x_uuencode.eml",
        &["part 2: some of its transfer encoding is broken"],
    ),
    (
        "ruby-mail/encoding_madness.eml",
        &["an entry of Reply-To has no address"],
    ),
    (
        "ruby-mail/example13.eml",
        &["an entry of To has no address"],
    ),
    (
        "ruby-mail/invalid_subject_characters.eml",
        &["8-bit characters in a header without encoding"],
    ),
    (
        "ruby-mail/missing_body.eml",
        &["the message ends within a multipart"],
    ),
    (
        "ruby-mail/multiple_content_types.eml",
        &["a part has several Content-Type fields, the first counts"],
    ),
    (
        "ruby-mail/raw_email10.eml",
        &["part 1: charset \"x-unknown\" is not known"],
    ),
];

#[test]
fn every_mail_becomes_a_record_and_what_is_wrong_with_it_is_said() {
    let mails = mails();
    assert!(
        mails.len() >= 100,
        "the test data is not all there: {}",
        mails.len()
    );
    let mut wrong = Vec::new();
    for (name, bytes) in &mails {
        let record = Mailbox::new(Content::Raw).record(bytes);
        assert_eq!(record.email.size, bytes.len() as u64, "{name}");
        let notes: Vec<&str> = record
            .notes
            .iter()
            .map(String::as_str)
            .filter(|note| !["Date is missing", "From is missing"].contains(note))
            .collect();
        let n_replaced = record
            .email
            .text
            .iter()
            .chain([&record.email.subject])
            .filter(|text| text.contains('\u{fffd}'))
            .count();
        assert!(
            n_replaced == 0 || !notes.is_empty(),
            "{name} lost characters without a note"
        );
        if !notes.is_empty() {
            wrong.push((
                name.as_str(),
                notes.into_iter().map(str::to_owned).collect::<Vec<_>>(),
            ));
        }
    }
    assert_eq!(wrong.len(), WRONG.len());
    for ((name, notes), (expected_name, expected)) in wrong.iter().zip(WRONG) {
        assert_eq!(name, expected_name);
        assert_eq!(notes, expected, "{name}");
    }
}

#[test]
fn the_record_does_not_depend_on_line_ends() {
    for (name, bytes) in mails() {
        // UTF-16 has line feeds of two bytes.
        if name.contains("thirdparty-005") || name.contains("bad-newlines") {
            continue;
        }
        let bare: Vec<u8> = String::from_utf8_lossy(&bytes)
            .replace("\r\n", "\n")
            .replace('\r', "")
            .into_bytes();
        let full = String::from_utf8_lossy(&bare)
            .replace('\n', "\r\n")
            .into_bytes();
        let mailbox = Mailbox::new(Content::Html);
        let (bare, full) = (mailbox.record(&bare), mailbox.record(&full));
        let essence = |email: &Email| {
            let html = email.html.as_ref().map(|html| html.replace("\r\n", "\n"));
            let parts: Vec<_> = email
                .attachments
                .iter()
                .map(|a| (a.part_id.clone(), a.filename.clone()))
                .collect();
            (
                email.text.clone(),
                html,
                email.subject.clone(),
                email.date,
                email.to.clone(),
                parts,
            )
        };
        assert_eq!(essence(&bare.email), essence(&full.email), "{name}");
        assert_eq!(bare.notes, full.notes, "{name}");
    }
}

/// Compares subject and the beginning of the text.
fn check(name: &str, subject: &str, text: &str) {
    let email = mail(name);
    assert_eq!(email.subject, subject, "{name}");
    let shown = email.text.unwrap();
    assert!(shown.starts_with(text), "{name}: {shown:?}");
}

fn mail(name: &str) -> Email {
    let path = format!(
        "{}/../../../tests/data/mail/{name}",
        env!("CARGO_MANIFEST_DIR")
    );
    Mailbox::new(Content::Text)
        .record(&std::fs::read(path).unwrap())
        .email
}

#[test]
fn every_charset_of_the_corpora_is_decoded() {
    // big5 in the body, bytes that are not among it; the subject is labelled iso-8859-1.
    let email = mail("ruby-mail/content_transfer_encoding_empty.eml");
    assert!(email.text.unwrap().contains('\u{fffd}'));
    // euc-kr
    check(
        "ruby-mail/raw_email.eml",
        "NOTE: 한국말로 하는 것",
        "대부분의 마찬가지로, 우리는 하나님을 믿습니다.",
    );
    // ks_c_5601-1987
    check("ruby-mail/ks_c_5601-1987.eml", "test", "스티해\n");
    // iso-2022-jp, also in neighbouring words
    check(
        "ruby-mail/japanese_iso_2022.eml",
        "まみむめも",
        "すみません。\n",
    );
    check(
        "mimekit/japanese.txt",
        "日本語メールテスト (testing Japanese emails)",
        "Let's see if both subject and body works fine...\n\n日本語が\n正常に\n送れているか\nテスト.\n",
    );
    check(
        "ruby-mail/example14.eml",
        "Re: TEST テストテスト",
        "Hello\n",
    );
    // shift_jis
    check(
        "ruby-mail/japanese_shift_jis.eml",
        "test",
        "あいうえお\n\nこのメールはテスト用のメールです。\n",
    );
    // utf-16le, utf-16be, euc-jp
    check(
        "mail-parser/thirdparty-005.eml",
        "",
        "Test message\nTest message\nTest message\n『世界人権宣言』\n",
    );
    // utf-8, encoded, raw in the header (RFC 6532), and in the name of a long-named file
    check("ruby-mail/japanese.eml", "まみむめも", "かきくえこ\n");
    check("ruby-mail/utf8_headers.eml", "Säying Hello", "body");
    let email = mail("ruby-mail/japanese_attachment_long_name.eml");
    assert_eq!(email.subject, "まみむめも".repeat(10));
    assert_eq!(
        email.attachments[0].filename,
        format!("{}.txt", "かきくけこ".repeat(5))
    );
    // windows-1251
    assert_eq!(
        mail("ruby-mail/raw_email_bad_time.eml")
            .from
            .unwrap()
            .name
            .as_deref(),
        Some("Атиковa")
    );
    // windows-1252
    check(
        "mail-parser/malformed-018.eml",
        "",
        "Best\nEnviado desde mi BlackBerry® de Vodafone",
    );
    check(
        "mail-parser/thirdparty-019.eml",
        "30 plaintext + (HTML + embedded image) + attachment",
        "Search for hähä\n",
    );
    // koi8-r
    assert_eq!(
        mail("mime4j/russian.msg").attachments[0].filename,
        "Список.doc"
    );
    // iso-8859-1 and iso-8859-2, in words
    check(
        "mime4j/intl.msg",
        "If you can read this you understand the example... so, cool!",
        "How's this?\n",
    );
    // iso-8859-15
    check(
        "mime4j/qp-body.msg",
        "subject",
        "7bit content with euro € symbol",
    );
    check(
        "mime4j/german-qp.msg",
        "Testnachricht",
        "\nHallo,\n\ndas ist eine Testnachricht mit 8 Bit Sönderzäichen",
    );
    // iso-8859-1 without any encoding in the header, the label is that of the body
    let subject = "Formação FrenetikPolis: Mega Campanha Final Verão | Cursos de Setembro";
    assert_eq!(
        mail("ruby-mail/invalid_subject_characters.eml").subject,
        subject
    );
    // x-unknown, which is windows-1252
    assert!(
        mail("ruby-mail/raw_email10.eml")
            .text
            .unwrap()
            .contains("\nEnvoyé par le service")
    );
}

#[test]
fn broken_mime_gives_what_is_good_of_it() {
    let numbers = |name: &str| -> Vec<String> {
        mail(name)
            .attachments
            .iter()
            .map(|a| format!("{} {}", a.part_id, a.mime_type))
            .collect()
    };
    assert_eq!(
        numbers("mail-parser/malformed-012.eml"),
        [
            "1.1 message/rfc822",
            "1.2 message/rfc822",
            "2 message/rfc822"
        ]
    );
    assert_eq!(
        numbers("mime4j/multi-digest.msg"),
        ["1 message/rfc822", "2 message/rfc822"]
    );
    // The inner boundary begins with the outer one.
    check("mail-parser/malformed-016.eml", "", "1\n22\n");
    // A boundary of 7,000 characters, with whatever else RFC 2046 allows in it.
    let email = mail("mime4j/very-very-long-boundary.msg");
    assert!(email.text.unwrap().starts_with("Text body\n--0123"));
    // Comments and spaces inside of Date, obsolete forms of addresses.
    let email = mail("ruby-mail/example13.eml");
    assert_eq!(email.date, Some(880_127_706_000));
    assert_eq!(mail("ruby-mail/bad_date_header.eml").date, None);
    // A boundary that never comes: the body is text.
    assert!(!mail("mime4j/badbound.msg").text.unwrap().is_empty());
}
