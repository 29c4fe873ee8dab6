//! From the description of a mail to its bytes: headers as Gmail stores them, then the body of its style.

use super::charsets::{Language, Transfer, base64_lines, header_text};
use super::mail::{Address, Attachment, Mail, Style, View};
use super::texts;
use crate::wire::rfc2822;
use std::io::Write;

/// Writes into the buffer; a `Vec` takes everything.
macro_rules! put {
    ($out:expr, $($arg:tt)*) => {
        write!($out, $($arg)*).expect("writing to a Vec cannot fail")
    };
}

/// Appends the bytes of `mail` as they lie in a mailbox.
pub(super) fn render(mail: &Mail, view: &View, out: &mut Vec<u8>) {
    let mut rng = fastrand::Rng::with_seed(mail.seed);
    let date = rfc2822(mail.date);
    if let View::Received(recipient) = view {
        journey(mail, recipient, &date, &mut rng, out);
    }
    put!(out, "MIME-Version: 1.0\r\n");
    addresses("From", std::slice::from_ref(&mail.from), out);
    addresses("To", &mail.to, out);
    if !mail.cc.is_empty() {
        addresses("Cc", &mail.cc, out);
    }
    put!(
        out,
        "Date: {date}\r\nMessage-ID: <{}>\r\nSubject: ",
        mail.summary.message_id
    );
    let language = match mail.style {
        Style::Foreign(language) => language,
        _ => Language::Emoji,
    };
    // A reply to a foreign mail keeps its subject, which another charset may not hold.
    header_text(&mail.summary.subject, language, out);
    put!(out, "\r\n");
    references(mail, out);
    extra_headers(mail, &mut rng, out);
    // The journey draws from the generator too; the body has to be the same in all copies.
    let mut rng = fastrand::Rng::with_seed(mail.seed.rotate_left(17));
    body(mail, &mut rng, out);
}

/// What the mail servers on the way have added.
fn journey(mail: &Mail, recipient: &str, date: &str, rng: &mut fastrand::Rng, out: &mut Vec<u8>) {
    let host = mail.from.address.rsplit('@').next().unwrap_or_default();
    let id = rng.u64(..);
    put!(out, "Delivered-To: {recipient}\r\n");
    put!(
        out,
        "Received: by 2002:a05:6a10:{:x}:b0:{:x} with SMTP id {id:x}csp{};\r\n        {date}\r\n",
        rng.u16(..),
        rng.u16(..),
        rng.u32(..)
    );
    put!(out, "X-Google-Smtp-Source: ");
    signature(80, rng, out);
    put!(
        out,
        "\r\nX-Received: by 2002:a05:600c:{:x} with SMTP id {id:x};\r\n        {date}\r\n",
        rng.u16(..)
    );
    put!(
        out,
        "ARC-Seal: i=1; a=rsa-sha256; t={}; cv=none;\r\n        d=google.com; s=arc-20240605;\r\n        b=",
        mail.date / 1000
    );
    signature(344, rng, out);
    put!(out, "\r\nReturn-Path: <{}>\r\n", mail.from.address);
    put!(
        out,
        "Received: from mail.{host} (mail.{host}. [192.0.2.{}])\r\n        by mx.google.com with ESMTPS id {id:016x}\r\n        for <{recipient}>\r\n        (version=TLS1_3 cipher=TLS_AES_256_GCM_SHA384 bits=256/256);\r\n        {date}\r\n",
        rng.u8(1..254)
    );
    put!(
        out,
        "Received-SPF: pass (google.com: domain of {} designates 192.0.2.1 as permitted sender) client-ip=192.0.2.1;\r\n",
        mail.from.address
    );
    put!(
        out,
        "Authentication-Results: mx.google.com;\r\n       dkim=pass header.i=@{host} header.s=20230601;\r\n       spf=pass smtp.mailfrom={};\r\n       dmarc=pass (p=NONE sp=QUARANTINE dis=NONE) header.from={host}\r\n",
        mail.from.address
    );
    put!(
        out,
        "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n        d={host}; s=20230601; t={};\r\n        h=to:subject:message-id:date:from:mime-version:from:to:cc:subject;\r\n        bh=",
        mail.date / 1000
    );
    signature(44, rng, out);
    put!(out, ";\r\n        b=");
    signature(344, rng, out);
    put!(out, "\r\n");
}

/// Random base64 characters, folded.
fn signature(length: usize, rng: &mut fastrand::Rng, out: &mut Vec<u8>) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bits = 0;
    for at in 0..length {
        if at % 10 == 0 {
            bits = rng.u64(..);
        }
        if at > 0 && at % 60 == 0 {
            out.extend_from_slice(b"\r\n         ");
        }
        out.push(ALPHABET[usize::from(bits as u8 & 63)]);
        bits >>= 6;
    }
}

fn addresses(name: &str, list: &[Address], out: &mut Vec<u8>) {
    put!(out, "{name}: ");
    for (at, address) in list.iter().enumerate() {
        if at > 0 {
            put!(out, ",\r\n ");
        }
        let plain = address
            .name
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || " -'".contains(character));
        if plain {
            put!(out, "{}", address.name);
        } else if address.name.is_ascii() {
            put!(out, "\"{}\"", address.name);
        } else {
            header_text(&address.name, Language::German, out);
        }
        put!(out, " <{}>", address.address);
    }
    put!(out, "\r\n");
}

fn references(mail: &Mail, out: &mut Vec<u8>) {
    let Some(last) = mail.summary.references.last() else {
        return;
    };
    put!(out, "In-Reply-To: <{last}>\r\nReferences:");
    for reference in &mail.summary.references {
        put!(out, " <{reference}>\r\n");
    }
}

fn extra_headers(mail: &Mail, rng: &mut fastrand::Rng, out: &mut Vec<u8>) {
    match mail.style {
        Style::List => {
            let list = mail
                .to
                .first()
                .map(|list| &*list.address)
                .unwrap_or_default();
            put!(
                out,
                "List-Id: {}\r\nList-Post: <mailto:{list}>\r\nList-Unsubscribe: <mailto:{list}?subject=unsubscribe>\r\nPrecedence: list\r\nSender: {list}\r\n",
                mail.summary.list_id
            );
        }
        Style::Newsletter => {
            let token = rng.u64(..);
            put!(
                out,
                "List-Unsubscribe: <https://news.example.net/u/{token:x}>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nFeedback-ID: {token:x}:campaign\r\n"
            );
        }
        Style::AutoReply => {
            put!(
                out,
                "Auto-Submitted: auto-replied\r\nX-Autoreply: yes\r\nPrecedence: bulk\r\n"
            );
        }
        Style::Plain
        | Style::Alternative
        | Style::Attachment(_)
        | Style::Foreign(_)
        | Style::Invite => {}
    }
}

fn body(mail: &Mail, rng: &mut fastrand::Rng, out: &mut Vec<u8>) {
    let is_reply = !mail.summary.references.is_empty();
    let boundary = format!("000000000000{:016x}", rng.u64(..));
    match mail.style {
        Style::Plain => {
            let text = texts::paragraphs(None, rng.usize(200..3_500), rng) + &quote(mail, rng);
            put!(
                out,
                "Content-Type: text/plain; charset=\"UTF-8\"\r\n\r\n{text}"
            );
        }
        Style::AutoReply => {
            let text = texts::paragraphs(None, 200, rng);
            put!(
                out,
                "Content-Type: text/plain; charset=us-ascii\r\n\r\nI am out of the office until Monday.\r\n\r\n{text}"
            );
        }
        Style::Foreign(language) => {
            let text = texts::paragraphs(Some(language), rng.usize(200..3_000), rng);
            put!(
                out,
                "Content-Type: text/plain; charset={}\r\nContent-Transfer-Encoding: {}\r\n\r\n",
                language.charset(),
                language.transfer().name()
            );
            language.transfer().write(&language.encode(&text), out);
        }
        Style::List => {
            let text = texts::paragraphs(None, rng.usize(500..6_000), rng);
            put!(
                out,
                "Content-Type: text/plain; charset=utf-8; format=flowed\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{text}_______________________________________________\r\n{} mailing list\r\n",
                mail.summary.list_id
            );
        }
        Style::Alternative => alternative(mail, &boundary, rng.usize(300..2_200), rng, out),
        Style::Newsletter => alternative(mail, &boundary, rng.usize(2_500..9_000), rng, out),
        // Replies do not carry the file again.
        Style::Attachment(_) if is_reply => {
            alternative(mail, &boundary, rng.usize(200..1_500), rng, out)
        }
        Style::Attachment(attachment) => {
            put!(
                out,
                "Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n\r\n--{boundary}\r\n"
            );
            alternative(
                mail,
                &format!("{boundary}a"),
                rng.usize(200..1_500),
                rng,
                out,
            );
            attach(attachment, &boundary, rng, out);
            put!(out, "--{boundary}--\r\n");
        }
        Style::Invite => invite(mail, &boundary, rng, out),
    }
}

fn quote(mail: &Mail, rng: &mut fastrand::Rng) -> String {
    if mail.summary.references.is_empty() {
        return String::new();
    }
    let to = mail.to.first().map(ToString::to_string).unwrap_or_default();
    let quoted = texts::paragraphs(None, rng.usize(200..800), rng).replace("\r\n", "\r\n> ");
    format!(
        "\r\nOn {} {to} wrote:\r\n\r\n> {}\r\n",
        rfc2822(mail.date - 7_200_000),
        quoted.trim_end_matches("> ")
    )
}

/// `multipart/alternative` with a plain and an HTML part, the latter in quoted-printable as Gmail sends it.
fn alternative(
    mail: &Mail,
    boundary: &str,
    length: usize,
    rng: &mut fastrand::Rng,
    out: &mut Vec<u8>,
) {
    put!(
        out,
        "Content-Type: multipart/alternative; boundary=\"{boundary}\"\r\n\r\n"
    );
    alternative_parts(mail, boundary, length, rng, out);
    put!(out, "--{boundary}--\r\n");
}

fn alternative_parts(
    mail: &Mail,
    boundary: &str,
    length: usize,
    rng: &mut fastrand::Rng,
    out: &mut Vec<u8>,
) {
    let text = texts::paragraphs(None, length, rng) + &quote(mail, rng);
    put!(
        out,
        "--{boundary}\r\nContent-Type: text/plain; charset=\"UTF-8\"\r\n\r\n{text}\r\n"
    );
    put!(
        out,
        "--{boundary}\r\nContent-Type: text/html; charset=\"UTF-8\"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    );
    let mut html = String::with_capacity(text.len() * 2);
    html.push_str("<div dir=\"ltr\">");
    if mail.style == Style::Newsletter {
        html.push_str("<table width=\"600\" style=\"border:0;font-family:Arial,sans-serif\"><tr><td><img src=\"https://news.example.net/open.gif\" width=\"1\" height=\"1\" alt=\"\"></td></tr>");
    }
    for paragraph in text.split("\r\n\r\n") {
        html.push_str("<div style=\"margin:0 0 12px 0;color:#222222\">");
        html.push_str(
            &paragraph
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;")
                .replace("\r\n", "<br>\r\n"),
        );
        html.push_str("</div>\r\n");
    }
    html.push_str("<div><br></div><div>Grüße / Regards –<br><a href=\"https://example.com/\">example.com</a></div></div>\r\n");
    Transfer::QuotedPrintable.write(html.as_bytes(), out);
    put!(out, "\r\n");
}

fn attach(attachment: Attachment, boundary: &str, rng: &mut fastrand::Rng, out: &mut Vec<u8>) {
    let length = if rng.u8(..100) < 2 {
        rng.usize(200 << 10..900 << 10)
    } else {
        rng.usize(2 << 10..40 << 10)
    };
    let mut content = Vec::with_capacity(length + 64);
    let disposition = match attachment {
        Attachment::Pdf => {
            content.extend_from_slice(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n");
            // RFC 2231, for the name is not ASCII.
            "filename*=UTF-8''Angebot%20f%C3%BCr%20M%C3%A4rz.pdf".to_owned()
        }
        Attachment::Png => {
            content.extend_from_slice(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR");
            format!("filename=\"{}\"", attachment.filename())
        }
        Attachment::Csv => {
            content.extend_from_slice(b"month,amount\r\n");
            format!("filename=\"{}\"", attachment.filename())
        }
    };
    let start = content.len();
    if attachment == Attachment::Csv {
        while content.len() < length.min(20 << 10) {
            put!(
                &mut content,
                "2026-{:02},{}\r\n",
                rng.u8(1..13),
                rng.u32(..1_000_000)
            );
        }
    } else {
        content.resize(start + length, 0);
        rng.fill(&mut content[start..]);
    }
    let mime_type = match attachment {
        Attachment::Pdf => "application/pdf",
        Attachment::Png => "image/png",
        Attachment::Csv => "text/csv; charset=\"US-ASCII\"",
    };
    put!(
        out,
        "--{boundary}\r\nContent-Type: {mime_type}\r\nContent-Disposition: attachment; {disposition}\r\nContent-Transfer-Encoding: base64\r\nX-Attachment-Id: f_{:x}\r\n\r\n",
        rng.u64(..)
    );
    base64_lines(&content, out);
}

fn invite(mail: &Mail, boundary: &str, rng: &mut fastrand::Rng, out: &mut Vec<u8>) {
    let day = jiff::Timestamp::from_millisecond(mail.date + 3 * super::DAY_MS).map_or_else(
        |_| "20260101".to_owned(),
        |time| time.strftime("%Y%m%d").to_string(),
    );
    let attendees: String = mail
        .to
        .iter()
        .chain(&mail.cc)
        .map(|to| {
            format!(
                "ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{}\r\n",
                to.address
            )
        })
        .collect();
    let calendar = format!(
        "BEGIN:VCALENDAR\r\nPRODID:-//Google Inc//Google Calendar 70.9054//EN\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\n\
         BEGIN:VEVENT\r\nDTSTART:{day}T100000Z\r\nDTEND:{day}T110000Z\r\nDTSTAMP:{day}T080000Z\r\n\
         UID:{:016x}@google.com\r\nORGANIZER:mailto:{}\r\n{attendees}SUMMARY:{}\r\nSEQUENCE:0\r\nSTATUS:CONFIRMED\r\n\
         END:VEVENT\r\nEND:VCALENDAR\r\n",
        rng.u64(..),
        mail.from.address,
        mail.summary.subject,
    );
    let inner = format!("{boundary}a");
    put!(
        out,
        "Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n\r\n--{boundary}\r\nContent-Type: multipart/alternative; boundary=\"{inner}\"\r\n\r\n"
    );
    alternative_parts(mail, &inner, 400, rng, out);
    put!(
        out,
        "--{inner}\r\nContent-Type: text/calendar; charset=\"UTF-8\"; method=REQUEST\r\nContent-Transfer-Encoding: 7bit\r\n\r\n{calendar}\r\n--{inner}--\r\n"
    );
    put!(
        out,
        "--{boundary}\r\nContent-Type: application/ics; name=\"invite.ics\"\r\nContent-Disposition: attachment; filename=\"invite.ics\"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    );
    base64_lines(calendar.as_bytes(), out);
    put!(out, "--{boundary}--\r\n");
}
