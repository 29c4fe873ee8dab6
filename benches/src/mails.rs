//! Generated mails of about 6 kB as Gmail gives them, hops and signatures included: half of them
//! with text and HTML, a quarter text only, a quarter HTML only.

use fastrand::Rng;

/// Bytes of a mail, about.
const SIZE: usize = 6_000;

/// Words in no order compress about as mail does.
const WORDS: &str = "meeting invoice tomorrow please regards project the and of attached review \
    agreed plan quarter numbers report since Tuesday another look which two fit call notes \
    B=C3=BCro caf=C3=A9 customer offer contract draft until Friday thanks team for with from";

/// So many mails; the same seed makes the same ones.
pub fn mails(n_mails: usize, seed: u64) -> Vec<Vec<u8>> {
    let mut random = Rng::with_seed(seed);
    (0..n_mails).map(|n| mail(n, &mut random)).collect()
}

fn mail(n: usize, random: &mut Rng) -> Vec<u8> {
    let header = header(n, random);
    let left = SIZE - header.len();
    let body = match n % 4 {
        0 => part("plain", &plain(random, left)),
        1 => part("html", &html(random, left)),
        _ => {
            let text = part("plain", &plain(random, left / 3));
            let html = part("html", &html(random, left * 2 / 3));
            format!(
                "Content-Type: multipart/alternative; boundary=\"000000000000a1b2c3\"\r\n\r\n\
                 --000000000000a1b2c3\r\n{text}\r\n--000000000000a1b2c3\r\n{html}\r\n\
                 --000000000000a1b2c3--\r\n"
            )
        }
    };
    format!("{header}{body}").into_bytes()
}

fn part(subtype: &str, content: &str) -> String {
    format!(
        "Content-Type: text/{subtype}; charset=\"UTF-8\"\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\r\n{content}"
    )
}

/// Paragraphs in quoted-printable, lines below 76 characters.
fn plain(random: &mut Rng, n_bytes: usize) -> String {
    let mut text = String::new();
    while text.len() < n_bytes {
        paragraph(random, &mut text);
        text.push_str("\r\n\r\n");
    }
    text
}

/// As mail programs write it: a style for each paragraph, a link here and there, a table.
fn html(random: &mut Rng, n_bytes: usize) -> String {
    let mut text =
        "<html><head><style>p{margin:0}</style></head><body dir=3D\"ltr\">\r\n".to_owned();
    while text.len() < n_bytes {
        text.push_str("<p style=3D\"margin:0cm;font-family:Calibri,sans-serif\">");
        paragraph(random, &mut text);
        text.push_str("&nbsp;<a href=3D\"https://example.com/?a=3D1\">more</a></p>\r\n");
        text.push_str("<table><tr><td>One</td><td>2&nbsp;EUR</td></tr></table><div><br></div>\r\n");
    }
    text.push_str("</body></html>");
    text
}

fn paragraph(random: &mut Rng, text: &mut String) {
    let words: Vec<&str> = WORDS.split_ascii_whitespace().collect();
    let mut column = 0;
    for _ in 0..random.usize(20..40) {
        let Some(word) = random.choice(&words) else {
            return;
        };
        column += word.len() + 1;
        text.push_str(word);
        if column > 60 {
            column = 0;
            text.push_str(" =\r\n");
        } else {
            text.push(' ');
        }
    }
}

fn header(n: usize, random: &mut Rng) -> String {
    let mut token =
        |n_bytes: usize| -> String { (0..n_bytes).map(|_| random.alphanumeric()).collect() };
    let (seal, signature, hash) = (token(340), token(340), token(43));
    format!(
        "Delivered-To: ana@example.com\r\n\
         Received: by 2002:a05:6402:1f0a with SMTP id ab10csp{n:06}; Mon, 1 Jan 2024 10:00:01 -0800 (PST)\r\n\
         X-Received: by 2002:a17:906:c18c with SMTP id g12-{n:06}; Mon, 01 Jan 2024 10:00:01 -0800 (PST)\r\n\
         ARC-Seal: i=1; a=rsa-sha256; t=1704132001; cv=none; d=google.com; s=arc-20160816;\r\n b={seal}==\r\n\
         DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=else.example; s=s1;\r\n\
         \th=to:subject:message-id:date:from:mime-version:from:to:cc:subject:date;\r\n\
         \tbh={hash}=; b={signature}==\r\n\
         Return-Path: <joe@else.example>\r\n\
         Authentication-Results: mx.google.com; dkim=pass header.i=@else.example; spf=pass; dmarc=pass\r\n\
         MIME-Version: 1.0\r\n\
         From: =?utf-8?q?J=C3=B6_Doe?= <joe@else.example>\r\n\
         To: Ana Souza <ana@example.com>, Bob <bob@example.com>, carl@example.com\r\n\
         Cc: \"Team, the\" <team@example.com>\r\n\
         Subject: =?utf-8?b?UXVhcnRlcmx5IHBsw6RuLCBzZWNvbmQ=?= round {n}\r\n\
         Date: Mon, 1 Jan 2024 19:00:00 +0100\r\n\
         Message-ID: <CAKx9=abc{n:06}@mail.else.example>\r\n\
         In-Reply-To: <CAKx9=abc122@mail.example.com>\r\n\
         References: <CAKx9=abc120@mail.example.com> <CAKx9=abc121@mail.example.com>\r\n\
         \t<CAKx9=abc122@mail.example.com>\r\n"
    )
}
