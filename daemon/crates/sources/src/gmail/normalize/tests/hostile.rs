//! Mails made to hurt: each gives a record within the bounds, in time that grows with the size
//! and no faster. The time limits are wide, a quadratic way through these inputs takes minutes.

use super::super::limits::{
    MAX_DEPTH, MAX_HEADER_BYTES, MAX_HTML_BYTES, MAX_PARTS, MAX_TEXT_BYTES,
};
use super::super::{Normalized, email};
use super::Mailbox;
use nuncio_model::Content;
use std::time::{Duration, Instant};

/// Far above what any of these takes in a debug build, far below what a quadratic way would.
const PATIENCE: Duration = Duration::from_secs(20);

/// Half of what a thread of the runtime has.
const STACK_BYTES: usize = 1 << 20;

/// The record of a mail, made in time and on a small stack.
fn record(mail: impl AsRef<[u8]>) -> Normalized {
    let mail = mail.as_ref();
    std::thread::scope(|scope| {
        let run = || {
            let began = Instant::now();
            let record = Mailbox::new(Content::Raw).record(mail);
            let took = began.elapsed();
            assert!(took < PATIENCE, "took {took:?}");
            record
        };
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        thread.spawn_scoped(scope, run).unwrap().join().unwrap()
    })
}

fn has_note(record: &Normalized, words: &str) -> bool {
    record.notes.iter().any(|note| note.contains(words))
}

#[test]
fn ten_thousand_parts_and_more() {
    let mut mail = "Content-Type: multipart/mixed; boundary=b\n\n".to_owned();
    mail.push_str(&"--b\n\nx\n".repeat(MAX_PARTS - 1));
    let all = record(format!("{mail}--b--\n"));
    assert_eq!(all.email.text.unwrap().len(), (MAX_PARTS - 1) * 2 - 1);
    let more = record(format!(
        "{}--b--\n",
        mail + &"--b\nContent-Type: image/png\n\ny\n".repeat(20_000)
    ));
    assert!(has_note(&more, "only the first 10000 parts were read"));
    assert_eq!(more.email.attachments.len(), 0);
}

#[test]
fn multiparts_nested_5_000_deep() {
    let mut mail = String::new();
    for n in 0..5_000 {
        mail.push_str(&format!(
            "Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n"
        ));
    }
    let record = record(mail + "\ndeep");
    assert!(has_note(&record, &format!("deeper than {MAX_DEPTH}")));
    assert_eq!(record.email.attachments.len(), 1);
    assert_eq!(
        record.email.attachments[0].part_id.split('.').count(),
        MAX_DEPTH
    );
}

#[test]
fn messages_in_messages_stay_closed() {
    let record_of = record("Content-Type: message/rfc822\n\n".repeat(100_000));
    assert_eq!(record_of.email.attachments.len(), 1);
    let encoded = "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n";
    assert_eq!(record(encoded.repeat(50_000)).email.attachments.len(), 1);
}

#[test]
fn multiparts_whose_boundary_never_comes() {
    let part = "--b\nContent-Type: multipart/mixed; boundary=never\n\n";
    let record = record(format!(
        "Content-Type: multipart/mixed; boundary=b\n\n{}",
        part.repeat(9_000)
    ));
    assert!(!record.notes.is_empty());
}

#[test]
fn lines_that_look_like_boundaries() {
    let mut mail = String::new();
    for n in 0..60 {
        mail.push_str(&format!(
            "Content-Type: multipart/mixed; boundary={}{n}\n\n--{}{n}\n",
            "-".repeat(60),
            "-".repeat(60)
        ));
    }
    mail.push('\n');
    mail.push_str(&format!("{}\n", "-".repeat(62)).repeat(100_000));
    assert!(record(mail).email.truncated);
}

#[test]
fn headers_of_a_megabyte_and_more() {
    let long = format!("Subject: {}\n\nbody", "x".repeat(2 << 20));
    let record_of = record(long);
    assert!(has_note(&record_of, "header fields beyond"));
    assert!(record_of.email.subject.len() < MAX_HEADER_BYTES);
    assert_eq!(record_of.email.text.as_deref(), Some("body"));

    let many = format!("{}\nbody", "A: b\n".repeat(500_000));
    assert!(has_note(&record(many), "header fields beyond"));

    let parts = format!("--b\nX: {}\n\nx\n", "y".repeat(1_000)).repeat(2_000);
    assert!(has_note(
        &record(format!(
            "Content-Type: multipart/mixed; boundary=b\n\n{parts}"
        )),
        "header fields beyond"
    ));
}

#[test]
fn a_hundred_thousand_recipients() {
    let record = record(format!("To: {}x@y\n\n", "a@bc.de, ".repeat(100_000)));
    assert!(record.email.to.len() > 90_000);
    assert_eq!(record.email.to[0].address, "a@bc.de");
}

#[test]
fn hostile_header_fields() {
    let size = MAX_HEADER_BYTES - 1_000;
    for unit in [
        "=?bb?q?x ",
        "=?utf-8?q?",
        "=?",
        "=?utf-8?b?gA==?= ",
        "=?utf-8?q?=C3?= ",
        "=?iso-2022-jp?b?GyRC?= ",
        "\"",
        "(",
        "<",
        "\\",
        "a:",
        "a:b@c;",
        ";",
        ",",
        "a*1=b;",
        "a=b;x*1=c;",
        "a*0*=b'c'%20;",
        "a*1*=''%;",
        "a=\"b\";",
        "a\n ",
        "\0",
        "\r",
        "\u{1b}$B",
        "\u{e9}",
        "<a@b>",
    ] {
        let value = unit.repeat(size / unit.len() / 6);
        let mut mail = String::new();
        for name in [
            "From",
            "Subject",
            "Content-Type: text/plain;",
            "Date",
            "References",
            "Content-Disposition: inline;",
        ] {
            mail.push_str(&format!("{name}: {value}\n"));
        }
        record(mail + "\nbody");
    }
}

#[test]
fn a_field_of_too_many_parameters_keeps_its_type() {
    let record = record(format!(
        "Content-Type: text/html; {}charset=x\n\n<p>a",
        "x=y;".repeat(4_000)
    ));
    assert!(has_note(&record, "lost its parameters"));
    assert_eq!(record.email.html.as_deref(), Some("<p>a"));
}

#[test]
fn an_encoded_word_of_a_megabyte() {
    let record = record(format!(
        "Subject: =?utf-8?b?{}?=\n\n",
        "w6Tw".repeat(200_000)
    ));
    assert!(record.email.subject.starts_with("ä"));
}

#[test]
fn odd_bytes_in_odd_places() {
    for mail in [
        &b""[..],
        b"\0",
        b"\n",
        b"\r",
        b":",
        b"\n\n\n",
        b"--",
        b"--\n--",
        b"\xff\xfe",
        b" \n a",
        b"From: \0\nTo\0: x\n\n\0",
        b"Content-Type: multipart/mixed; boundary=\"\"\n\n--\n\n--",
        b"Content-Type: multipart/mixed; boundary=a\n--a",
        b"Content-Type: multipart/mixed; boundary=a\r\r--a\r\rtext\r--a--\r",
        b"Date: 0 0 0 0:0:0 +0000\n\n",
        b"Date: 31 Feb 0000 24:60:61 -9999\n\n",
        b"Date: (((((\n\n",
    ] {
        record(mail);
    }
    let bare = record(b"Subject: a\rContent-Type: text/plain\r\rbody\r".as_slice());
    assert_eq!(
        (bare.email.subject.as_str(), bare.email.text.as_deref()),
        ("a", Some("body\n"))
    );
    assert!(has_note(&bare, "bare carriage return"));
}

#[test]
fn text_and_html_are_cut_at_their_limits() {
    let text = record(format!(
        "Content-Type: text/plain; charset=utf-8\n\n{}",
        "ä".repeat(MAX_TEXT_BYTES)
    ));
    assert!(text.email.truncated && has_note(&text, "part 1: the text was cut"));
    assert_eq!(text.email.text.unwrap().len(), MAX_TEXT_BYTES);

    let html = record(format!(
        "Content-Type: text/html\n\n{}",
        "<p>word</p>\n".repeat(1 << 20)
    ));
    assert!(html.email.truncated && has_note(&html, "part 1: the HTML was cut"));
    let (page, text) = (html.email.html.unwrap(), html.email.text.unwrap());
    assert!(
        page.len() <= MAX_HTML_BYTES && text.len() <= MAX_TEXT_BYTES && text.starts_with("word\n")
    );
}

#[test]
fn hostile_html() {
    for (unit, size) in [
        ("<div>", 100_000),
        ("<div>", 4 << 20),
        ("<b>", 250_000),
        ("<table><tr><td>", 250_000),
        ("<font size=1>x<p>", 250_000),
        ("<a href=x><p>", 4 << 20),
        ("</div>", 250_000),
        ("<!--", 4 << 20),
        ("<!-- x", 200_000),
        ("<", 4 << 20),
        ("&", 4 << 20),
        ("&#x110000;", 250_000),
        ("<td colspan=99999999>x", 250_000),
        ("<table><td rowspan=9999999>x", 2_500),
        ("<ol start=-9999999999999><li>x</ol>", 250_000),
        ("<style>", 4 << 20),
        ("<script>", 250_000),
        ("<svg><math>", 2_500),
        ("<pre>\u{200b}\t", 2_500),
        ("<img alt='x' width=99999999>", 250_000),
        ("<li>x<ul>", 2_000),
        ("<blockquote>", 2_400),
        ("<h1><h2>", 1_600),
        ("\u{1F468}\u{200D}", 250_000),
        ("<hr>", 250_000),
        ("<template><svg>", 2_500),
        ("<select><option>", 250_000),
        ("<frameset>", 250_000),
        ("<table>x", 2_000),
    ] {
        let mail = format!(
            "Content-Type: text/html; charset=utf-8\n\n{}",
            unit.repeat(size / unit.len())
        );
        let record = record(mail);
        assert!(record.email.text.unwrap().len() <= MAX_TEXT_BYTES, "{unit}");
    }
}

#[test]
fn the_outer_function_never_panics_either() {
    let mailbox = Mailbox::new(Content::Raw);
    let normalized = email(&mailbox.raw(b"Subject: x\n\nbody"), &mailbox.context());
    assert_eq!(normalized.email.subject, "x");
}
