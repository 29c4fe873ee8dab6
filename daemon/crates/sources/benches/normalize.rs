//! From a message's bytes to the record, against mail-parser's bare parse of the same bytes in the
//! same run. Prints microseconds per mail and the ratio; times are of this machine, ratios last.
//! A mailbox of 100,000 mails costs a tenth of a second of CPU per microsecond.

#![expect(clippy::print_stdout, reason = "a benchmark's output is its result")]

use mail_parser::MessageParser;
use nuncio_model::{AccountKey, Address, Content, LabelNames, LabelSet, People, Person};
use nuncio_sources::gmail::normalize::{Context, Raw, email};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Long enough for a stable mean of the fastest case.
const TIME_PER_CASE: Duration = Duration::from_millis(400);

fn main() {
    let user = Address::parse("ana@example.com").expect("an address");
    let persons = [Person {
        email: user.clone(),
        aliases: Vec::new(),
    }];
    let people = People::try_new(&persons, &["example.com".into()]).expect("no clash");
    let labels: LabelSet = ["INBOX", "UNREAD", "CATEGORY_PERSONAL"]
        .into_iter()
        .collect();
    let account = AccountKey::new("key");
    let names = LabelNames::default();
    println!(
        "{:34} {:>8} {:>10} {:>10} {:>7}",
        "mail", "bytes", "parse us", "record us", "ratio"
    );
    for (name, mails) in cases() {
        let n_bytes = mails.iter().map(Vec::len).sum::<usize>() / mails.len();
        let parse = mean(&mails, |bytes| {
            black_box(MessageParser::default().parse(bytes));
        });
        for content in [
            Content::Metadata,
            Content::Text,
            Content::Html,
            Content::Raw,
        ] {
            let context = Context {
                people: &people,
                user: &user,
                account: &account,
                label_names: &names,
                content,
            };
            let record = mean(&mails, |bytes| {
                let raw = Raw {
                    id: "18c2a9b7d1e4f065",
                    thread_id: "18c2a9b7d1e4f065",
                    snippet: "It&#39;s about the plan &amp; the rest",
                    internal_date: 1_700_000_000_000,
                    labels: &labels,
                    bytes,
                };
                black_box(email(&raw, &context));
            });
            println!(
                "{:34} {n_bytes:>8} {parse:>10.1} {record:>10.1} {:>7.2}",
                format!("{name} ({content})"),
                record / parse
            );
        }
    }
}

/// Mean microseconds per mail, over as many rounds as fit into the time.
fn mean(mails: &[Vec<u8>], mut work: impl FnMut(&[u8])) -> f64 {
    mails.iter().for_each(|bytes| work(bytes));
    let began = Instant::now();
    let mut n_mails = 0;
    while began.elapsed() < TIME_PER_CASE {
        mails.iter().for_each(|bytes| work(bytes));
        n_mails += mails.len();
    }
    began.elapsed().as_secs_f64() * 1e6 / n_mails as f64
}

/// What the mails of a company look like, and the torture set.
fn cases() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let paragraph = "It was agreed that the plan for the third quarter needs =C3=A4nother look, \r\nsince two of the numbers do not fit the report from Tuesday.\r\n\r\n";
    let quoted_printable = "Content-Transfer-Encoding: quoted-printable\r\n\r\n";
    let plain = format!(
        "Content-Type: text/plain; charset=utf-8\r\n{quoted_printable}{}",
        paragraph.repeat(20)
    );
    let html = format!(
        "Content-Type: text/html; charset=utf-8\r\n{quoted_printable}<html><body>{}</body></html>",
        format!(
            "<p style=3D\"margin:0\">{paragraph}<a href=3D\"https://example.com/\">more</a></p>"
        )
        .repeat(12)
    );
    let alternative = |boundary: &str| {
        format!(
            "Content-Type: multipart/alternative; boundary={boundary}\r\n\r\n--{boundary}\r\n{plain}\r\n--{boundary}\r\n{html}\r\n--{boundary}--\r\n"
        )
    };
    let base64 = format!(
        "{}\r\n",
        "SGVsbG8gd29ybGQhIEhlbGxvIHdvcmxkISBIZWxsbyB3b3JsZCEgSGVsbG8gd29ybGQhIEhl"
    )
    .repeat(14_000);
    let attached = format!(
        "Content-Type: multipart/mixed; boundary=mix\r\n\r\n--mix\r\n{}--mix\r\nContent-Type: application/pdf; name=a.pdf\r\n\
         Content-Disposition: attachment; filename=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n{base64}--mix--\r\n",
        alternative("alt")
    );
    let one = |body: &str| vec![format!("{HEADER}{body}").into_bytes()];
    vec![
        ("plain", one(&plain)),
        ("plain and HTML", one(&alternative("alt"))),
        ("HTML only", one(&html)),
        ("1 MB attached", one(&attached)),
        ("torture set", torture_set()),
    ]
}

fn torture_set() -> Vec<Vec<u8>> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/data/mail");
    let mut mails = Vec::new();
    for origin in std::fs::read_dir(root)
        .expect("the test data is there")
        .flatten()
    {
        for file in std::fs::read_dir(origin.path())
            .into_iter()
            .flatten()
            .flatten()
        {
            if !file.file_name().to_string_lossy().starts_with("LICENSE") {
                mails.push(std::fs::read(file.path()).expect("a readable file"));
            }
        }
    }
    mails
}

/// As Gmail hands a mail on, signatures and hops included.
const HEADER: &str = "Delivered-To: ana@example.com\r\n\
    Received: by 2002:a05:6402:1f0a with SMTP id ab10csp123456; Mon, 1 Jan 2024 10:00:01 -0800 (PST)\r\n\
    X-Received: by 2002:a17:906:c18c with SMTP id g12-20020a170906c18c; Mon, 01 Jan 2024 10:00:01 -0800 (PST)\r\n\
    ARC-Seal: i=1; a=rsa-sha256; t=1704132001; cv=none; d=google.com; s=arc-20160816;\r\n\
    \tb=AbCdEfGhIjKlMnOpQrStUvWxYz0123456789AbCdEfGhIjKlMnOpQrStUvWxYz0123456789\r\n\
    \t AbCdEfGhIjKlMnOpQrStUvWxYz0123456789AbCdEfGhIjKlMnOpQrStUvWxYz0123456789==\r\n\
    DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=else.example; s=s1;\r\n\
    \th=to:subject:message-id:date:from:mime-version:from:to:cc:subject:date;\r\n\
    \tbh=AbCdEfGhIjKlMnOpQrStUvWxYz0123456789=; b=AbCdEfGhIjKlMnOpQrStUvWxYz0123456789\r\n\
    Return-Path: <joe@else.example>\r\n\
    Authentication-Results: mx.google.com; dkim=pass header.i=@else.example; spf=pass; dmarc=pass\r\n\
    MIME-Version: 1.0\r\n\
    From: =?utf-8?q?J=C3=B6_Doe?= <joe@else.example>\r\n\
    To: Ana Souza <ana@example.com>, Bob <bob@example.com>, carl@example.com\r\n\
    Cc: \"Team, the\" <team@example.com>\r\n\
    Subject: =?utf-8?b?UXVhcnRlcmx5IHBsw6RuLCBzZWNvbmQ=?= =?utf-8?b?IHJvdW5k?=\r\n\
    Date: Mon, 1 Jan 2024 19:00:00 +0100\r\n\
    Message-ID: <CAKx9=abc123@mail.else.example>\r\n\
    In-Reply-To: <CAKx9=abc122@mail.example.com>\r\n\
    References: <CAKx9=abc120@mail.example.com> <CAKx9=abc121@mail.example.com>\r\n\
    \t<CAKx9=abc122@mail.example.com>\r\n";
