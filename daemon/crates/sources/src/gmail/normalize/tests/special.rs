//! Mails of special kinds: signed and encrypted ones, TNEF, what lists and machines send. They are
//! recognised and listed; nothing inside an attachment is opened.

use super::Mailbox;
use nuncio_model::{Content, Email};

/// The `email` of a mail at a content, which no note may accompany.
fn email(mail: &str, content: Content) -> Email {
    let record = Mailbox::new(content).record(mail.as_bytes());
    let left: Vec<&String> = record
        .notes
        .iter()
        .filter(|note| !["Date is missing", "From is missing"].contains(&note.as_str()))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    record.email
}

/// `part media-type file-name size` of each attachment.
fn listed(email: &Email) -> Vec<String> {
    let attachments = email.attachments.iter();
    attachments
        .map(|a| format!("{} {} {} {}", a.part_id, a.mime_type, a.filename, a.size))
        .collect()
}

/// RFC 8551 section 3.4.2: the whole message is one signed or encrypted blob.
#[test]
fn opaque_smime_is_one_attachment_and_no_text() {
    for kind in [
        "application/pkcs7-mime; smime-type=signed-data; name=smime.p7m",
        "application/x-pkcs7-mime; smime-type=enveloped-data; name=\"smime.p7m\"",
    ] {
        let mail = format!(
            "Subject: s\r\nMIME-Version: 1.0\r\nContent-Type: {kind}\r\n\
             Content-Transfer-Encoding: base64\r\n\
             Content-Disposition: attachment; filename=smime.p7m\r\n\r\nMIIBVgYJ\r\n"
        );
        for content in Content::ALL {
            let email = email(&mail, content);
            let media_type = kind.split(';').next().unwrap();
            assert_eq!(listed(&email), [format!("1 {media_type} smime.p7m 6")]);
            assert_eq!(email.text.as_deref().unwrap_or_default(), "");
            assert_eq!(email.html.as_deref().unwrap_or_default(), "");
        }
        let record = Mailbox::new(Content::Full).record(mail.as_bytes());
        assert_eq!(record.blobs.len(), 1);
        assert_eq!(record.blobs[0].bytes.as_slice(), b"0\x82\x01V\x06\x09");
    }
}

/// RFC 8551 section 3.5.3: the text can be read by everybody, the signature lies beside it.
#[test]
fn a_detached_signature_leaves_the_text_readable() {
    for protocol in ["pkcs7-signature", "pgp-signature"] {
        let mail = format!(
            "Content-Type: multipart/signed; protocol=\"application/{protocol}\"; boundary=s\r\n\r\n\
             --s\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n\
             --a\r\nContent-Type: text/plain\r\n\r\nhello\r\n\
             --a\r\nContent-Type: text/html\r\n\r\n<p>hello</p>\r\n--a--\r\n\
             --s\r\nContent-Type: application/{protocol}; name=sig\r\n\
             Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--s--\r\n"
        );
        let email = email(&mail, Content::Html);
        assert_eq!(email.text.as_deref(), Some("hello"));
        assert_eq!(email.html.as_deref(), Some("<p>hello</p>"));
        assert_eq!(listed(&email), [format!("2 application/{protocol} sig 3")]);
    }
}

/// RFC 3156 section 4.
#[test]
fn an_encrypted_mail_is_two_attachments_and_no_text() {
    let mail = "Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=e\n\n\
        --e\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n\
        --e\nContent-Type: application/octet-stream; name=encrypted.asc\n\n-----BEGIN PGP MESSAGE-----\n--e--\n";
    let email = email(mail, Content::Text);
    assert_eq!(email.text.as_deref(), Some(""));
    assert_eq!(
        listed(&email),
        [
            "1 application/pgp-encrypted  10",
            "2 application/octet-stream encrypted.asc 27"
        ]
    );
}

/// What Outlook makes of a rich text: <https://learn.microsoft.com/en-us/openspecs/exchange_server_protocols/ms-oxtnef/>.
#[test]
fn tnef_is_listed_and_stays_closed() {
    // The signature of TNEF, a key, and an attachment that nobody looks for.
    let mail = "Content-Type: multipart/mixed; boundary=m\n\n\
        --m\nContent-Type: text/plain\n\nsee below\n\
        --m\nContent-Type: application/ms-tnef; name=\"winmail.dat\"\n\
        Content-Transfer-Encoding: base64\n\neJ8+IgAAUEsDBA==\n--m--\n";
    let record = Mailbox::new(Content::Full).record(mail.as_bytes());
    assert_eq!(record.email.text.as_deref(), Some("see below"));
    assert_eq!(
        listed(&record.email),
        ["2 application/ms-tnef winmail.dat 10"]
    );
    assert_eq!(record.blobs.len(), 1, "nothing is unpacked");

    // A mail that is nothing else.
    let mail = "Content-Type: application/ms-tnef\nContent-Disposition: attachment; filename=winmail.dat\n\
        Content-Transfer-Encoding: base64\n\neJ8+Ig==\n";
    let email = email(mail, Content::Text);
    assert_eq!(listed(&email), ["1 application/ms-tnef winmail.dat 4"]);
    assert_eq!(email.text.as_deref(), Some(""));
}

/// RFC 3464: the mail that did not arrive stays closed.
#[test]
fn a_bounce_is_text_and_two_attachments() {
    let mail = "Auto-Submitted: auto-replied\nContent-Type: multipart/report; report-type=delivery-status; boundary=r\n\n\
        --r\n\nIt did not arrive.\n\
        --r\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\
        --r\nContent-Type: message/rfc822\n\nSubject: lost\nContent-Type: text/html\n\n<p>lost\n--r--\n";
    let email = email(mail, Content::Html);
    assert_eq!(email.text.as_deref(), Some("It did not arrive."));
    assert_eq!(email.html.as_deref(), Some(""));
    assert_eq!(email.auto_submitted.as_deref(), Some("auto-replied"));
    let kinds: Vec<&str> = email.attachments.iter().map(|a| &*a.mime_type).collect();
    assert_eq!(kinds, ["message/delivery-status", "message/rfc822"]);
}

#[test]
fn lists_and_machines_are_told_by_their_headers() {
    let told = |header: &str| {
        let email = email(&format!("{header}\r\n\r\nx"), Content::Metadata);
        (email.list_id, email.auto_submitted)
    };
    let some = |text: &str| Some(text.to_owned());
    for (header, expected) in [
        (
            "List-Id: Developers\r\n of it <dev.lists.example.com>\r\nList-Unsubscribe: <mailto:x@y>\r\nPrecedence: list",
            (some("dev.lists.example.com"), some("list")),
        ),
        (
            "List-ID: <=?utf-8?q?a?=.example>",
            (some("=?utf-8?q?a?=.example"), None),
        ),
        // RFC 2919 has no other sign of a list: what can be left is no list by that alone.
        (
            "List-Unsubscribe: <https://shop.example/u>\r\nPrecedence: BULK",
            (None, some("bulk")),
        ),
        (
            "Auto-Submitted: auto-generated; owner-email=\"a@b\"",
            (None, some("auto-generated")),
        ),
        (
            "Auto-Submitted: (vacation, by (a) machine) auto-replied",
            (None, some("auto-replied")),
        ),
        (
            "AUTO-SUBMITTED:\r\n\tauto-notified",
            (None, some("auto-notified")),
        ),
        ("Auto-Submitted: No (a person)", (None, None)),
        ("Auto-Submitted: (a person) no", (None, None)),
        (
            "Auto-Submitted: no\r\nPrecedence: junk",
            (None, some("junk")),
        ),
        ("Precedence: auto_reply", (None, some("auto_reply"))),
        ("Auto-Submitted:\r\nPrecedence:", (None, None)),
    ] {
        assert_eq!(told(header), expected, "{header}");
    }
}

/// Bytes that are the same are one blob, in a mail and, by their name, in the spool.
#[test]
fn equal_attachments_are_one_blob_and_only_where_they_are_wanted() {
    let part = "--m\nContent-Type: image/png; name=logo.png\nContent-Transfer-Encoding: base64\n\naGVsbG8=\n";
    let mail =
        format!("Content-Type: multipart/mixed; boundary=m\n\n{part}{part}--m\n\nhello\n--m--\n");
    for content in Content::ALL {
        let record = Mailbox::new(content).record(mail.as_bytes());
        let wanted = content >= Content::Full;
        let raw = usize::from(content >= Content::Raw);
        assert_eq!(record.blobs.len(), usize::from(wanted) + raw, "{content}");
        let names: Vec<Option<&str>> = record
            .email
            .attachments
            .iter()
            .map(|a| a.content.as_ref().map(|blob| &*blob.sha256))
            .collect();
        // printf hello | sha256sum
        let hello =
            wanted.then_some("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
        assert_eq!(names, [hello, hello]);
    }
}
