//! What the fields of a record say, on mails written for it.

use super::Mailbox;
use nuncio_model::{Content, Direction, Who};

const MAIL: &str = "From: \"Ana Souza\" <ana+x@Example.com>\r\n\
    Sender: Bob <bob@example.com>\r\n\
    To: Team: bob@example.com, =?utf-8?q?J=C3=B6?= <joe@else.example>;, Ana@OLD.example\r\n\
    Cc: Carl <carl@example.com>\r\n\
    Subject: =?iso-8859-1?q?caf=E9?=\r\n  time\r\n\
    Date: Tue, 1 Jul 2003 10:52:37 -0330\r\n\
    Message-ID: <one@example.com>\r\n\
    In-Reply-To: <zero@example.com>\r\n\
    References: <a@x> <zero@example.com>\r\n\
    List-Id: The list <l.example.com>\r\n\
    Precedence: bulk\r\n\
    Content-Type: multipart/mixed; boundary=m\r\n\r\n\
    --m\r\nContent-Type: multipart/related; boundary=r\r\n\r\n\
    --r\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n\
    --a\r\nContent-Type: text/plain\r\n\r\nplain\r\n\
    --a\r\nContent-Type: text/html\r\n\r\n<p>rich</p><img src=\"cid:pic@x\">\r\n\
    --a\r\nContent-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR\r\n\
    --a--\r\n\
    --r\r\nContent-Type: image/png\r\nContent-ID: <pic@x>\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n\
    --r--\r\n\
    --m\r\nContent-Type: text/plain; name=notes.txt\r\n\r\nattached\r\n\
    --m\r\nContent-Type: text/html\r\n\r\n<b>footer</b>\r\n\
    --m--\r\n";

#[test]
fn every_field_is_filled() {
    let record = Mailbox::new(Content::Raw).record(MAIL.as_bytes());
    let email = record.email;
    assert!(record.notes.is_empty(), "{:?}", record.notes);
    let from = email.from.unwrap();
    assert_eq!(
        (from.name.as_deref(), from.address.as_str()),
        (Some("Ana Souza"), "ana+x@example.com")
    );
    assert_eq!(from.who, Who::AliasOf("ana@example.com".into()));
    assert_eq!(email.sender.unwrap().who, Who::User);
    let to: Vec<_> = email
        .to
        .iter()
        .map(|person| (person.address.as_str(), person.who.clone()))
        .collect();
    assert_eq!(
        to,
        [
            ("bob@example.com", Who::User),
            ("joe@else.example", Who::External),
            ("Ana@old.example", Who::AliasOf("ana@example.com".into())),
        ]
    );
    assert_eq!(email.to[1].name.as_deref(), Some("Jö"));
    assert_eq!(email.cc[0].who, Who::Internal);
    assert_eq!(
        (email.direction, email.internal),
        (Direction::Outbound, false)
    );
    assert_eq!(email.subject, "café time");
    assert_eq!(email.snippet, "a & b");
    assert_eq!(
        (email.date, email.date_offset, email.internal_date),
        (Some(1_057_069_357_000), -210, 7)
    );
    assert_eq!(
        (email.message_id.as_str(), email.in_reply_to.as_deref()),
        ("one@example.com", Some("zero@example.com"))
    );
    assert_eq!(email.references, ["a@x", "zero@example.com"]);
    assert_eq!(email.list_id.as_deref(), Some("l.example.com"));
    assert_eq!(email.auto_submitted.as_deref(), Some("bulk"));
    assert!(email.has_invite && !email.truncated);
    assert_eq!(email.text.as_deref(), Some("plain\nfooter"));
    assert_eq!(
        email.html.as_deref(),
        Some("<p>rich</p><img src=\"cid:pic@x\">\n<b>footer</b>")
    );
    let attachments: Vec<_> = email
        .attachments
        .iter()
        .map(|a| {
            (
                a.part_id.as_str(),
                a.mime_type.as_str(),
                a.filename.as_str(),
                a.size,
                a.inline,
            )
        })
        .collect();
    assert_eq!(
        attachments,
        [
            ("1.1.3", "text/calendar", "", 15, false),
            ("1.2", "image/png", "", 5, true),
            ("2", "text/plain", "notes.txt", 8, false),
        ]
    );
    assert_eq!(email.size, MAIL.len() as u64);
    let headers = email.headers.unwrap();
    assert_eq!(
        (headers.len(), headers[4].clone()),
        (12, ("Subject".into(), "café time".into()))
    );
    let raw = email.raw.unwrap();
    let blob = record
        .blobs
        .iter()
        .find(|blob| blob.sha256 == raw.sha256)
        .unwrap();
    assert_eq!(blob.bytes.as_slice(), MAIL.as_bytes());
    let picture = email.attachments[1].content.clone().unwrap();
    // printf hello | sha256sum
    assert_eq!(
        picture.sha256,
        "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    );
    assert_eq!(record.blobs.len(), 4);
}

#[test]
fn content_is_a_ladder_and_the_rest_stays_the_same() {
    let full = Mailbox::new(Content::Raw).record(MAIL.as_bytes()).email;
    for content in Content::ALL {
        let record = Mailbox::new(content).record(MAIL.as_bytes());
        let mut email = record.email;
        assert_eq!(email.text.is_some(), content >= Content::Text);
        assert_eq!(email.html.is_some(), content >= Content::Html);
        assert_eq!(email.headers.is_some(), content >= Content::Full);
        assert_eq!(email.raw.is_some(), content >= Content::Raw);
        assert_eq!(
            record.blobs.len(),
            match content {
                Content::Raw => 4,
                Content::Full => 3,
                _ => 0,
            }
        );
        email.text.clone_from(&full.text);
        email.html.clone_from(&full.html);
        email.headers.clone_from(&full.headers);
        email.raw.clone_from(&full.raw);
        for (attachment, whole) in email.attachments.iter_mut().zip(&full.attachments) {
            assert_eq!(attachment.content.is_some(), content >= Content::Full);
            attachment.content.clone_from(&whole.content);
        }
        assert_eq!(email, full, "{content}");
    }
}

#[test]
fn directions() {
    let check = |from: &str, to: &str, label: &str, expected: (Direction, bool)| {
        let mut mailbox = Mailbox::new(Content::Metadata);
        mailbox.labels.insert(label);
        let email = mailbox
            .record(format!("From: {from}\nTo: {to}\nDate: x\n\n").as_bytes())
            .email;
        assert_eq!(
            (email.direction, email.internal),
            expected,
            "{from} {to} {label}"
        );
    };
    check(
        "bob@example.com",
        "ana@example.com",
        "INBOX",
        (Direction::Inbound, true),
    );
    check(
        "x@else.example",
        "ana@example.com",
        "INBOX",
        (Direction::Inbound, false),
    );
    check(
        "ana@old.example",
        "bob@example.com",
        "INBOX",
        (Direction::Outbound, true),
    );
    check(
        "ana@old.example",
        "Ana+tag@example.com",
        "INBOX",
        (Direction::ToSelf, true),
    );
    check("ana@example.com", "", "DRAFT", (Direction::Outbound, true));
    check(
        "delegate@else.example",
        "x@else.example",
        "SENT",
        (Direction::Outbound, false),
    );
    check("", "ana@example.com", "INBOX", (Direction::Inbound, false));
}

#[test]
fn copies_of_a_mail_share_a_key() {
    let key = |mail: &str, account: &str| {
        let mut mailbox = Mailbox::new(Content::Metadata);
        mailbox.account = nuncio_model::AccountKey::new(account);
        mailbox.record(mail.as_bytes()).email.message_key
    };
    let mail = "From: a@b\nDate: 1 Jul 2003 10:52 GMT\nMessage-ID: <i@b>\nTo: x@y\n\n";
    // printf 'message\ni@b\na@b\n1 Jul 2003 10:52 GMT' | sha256sum
    assert_eq!(key(mail, "one"), "4707fcff0776e4961c2419206350a8da");
    assert_eq!(
        key(&mail.replace("To: x@y", "Delivered-To: z@y"), "two"),
        key(mail, "one")
    );
    assert_ne!(key(&mail.replace("i@b", "j@b"), "one"), key(mail, "one"));
    assert_ne!(key(&mail.replace("a@b", "c@b"), "one"), key(mail, "one"));
    let without = mail.replace("Message-ID", "X");
    assert_ne!(key(&without, "one"), key(&without, "two"));
}

#[test]
fn several_authors_and_senders() {
    let record = Mailbox::new(Content::Metadata)
        .record(b"From: A <a@x>, B <b@x>\nFrom: c@x\nSender: a@X\nDate: x\nTo: \"No address\"\n\n");
    assert_eq!(record.email.from.unwrap().address, "a@x");
    assert_eq!(record.email.sender, None);
    assert_eq!(
        record.extra,
        [("email.from.more".to_owned(), "B <b@x>, c@x".to_owned())]
    );
    assert_eq!(record.email.to[0].address, "");
    assert_eq!(
        record.notes,
        ["an entry of To has no address", "Date is not a date"]
    );
}

#[test]
fn text_comes_from_html_where_there_is_no_other() {
    let text = |mail: &str| {
        Mailbox::new(Content::Text)
            .record(mail.as_bytes())
            .email
            .text
            .unwrap()
    };
    assert_eq!(text("Content-Type: text/html\n\n<p>a<p>b"), "a\n\nb");
    let alternative = "Content-Type: multipart/alternative; boundary=a\n\n\
        --a\nContent-Type: text/plain\n\n \n--a\nContent-Type: text/html\n\n<b>c</b>\n--a--";
    assert_eq!(text(alternative), "c");
    assert_eq!(text("A: b\n\n"), "");
}

#[test]
fn an_invitation_may_forget_its_method_in_the_type() {
    let mail = "Content-Type: text/calendar\nContent-Transfer-Encoding: base64\n\nQkVHSU46VkNBTEVOREFSDQpNRVRIT0Q6UkVRVUVTVA0K\n";
    assert!(
        Mailbox::new(Content::Metadata)
            .record(mail.as_bytes())
            .email
            .has_invite
    );
    assert!(
        !Mailbox::new(Content::Metadata)
            .record(b"Content-Type: text/calendar\n\nMETHODS")
            .email
            .has_invite
    );
}

#[test]
fn references_keep_the_last_50() {
    let ids: Vec<String> = (0..80).map(|n| format!("<{n}@x>")).collect();
    let mail = format!("References: {}\n\n", ids.join("\n "));
    let references = Mailbox::new(Content::Metadata)
        .record(mail.as_bytes())
        .email
        .references;
    assert_eq!(
        (
            references.len(),
            references[0].as_str(),
            references[49].as_str()
        ),
        (50, "30@x", "79@x")
    );
}

#[test]
fn a_panic_of_the_parser_costs_the_content_not_the_record() {
    let mailbox = Mailbox::new(Content::Raw);
    let record = super::super::unparsed(&mailbox.raw(b"x"), &mailbox.context());
    assert_eq!(record.notes.len(), 1);
    assert_eq!(
        (
            record.email.id.as_str(),
            record.email.size,
            record.blobs.len()
        ),
        ("m1", 1, 1)
    );
    assert_eq!(record.email.text.as_deref(), Some(""));
}
