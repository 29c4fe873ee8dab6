//! Memory of the daemon while what is large goes through it, to sinks that want all of it: large
//! mails, mails of many parts or recipients, a calendar of many events.

use nuncio_tests::{World, domain_is_live, is_idle};
use serde_json::{Value, json};
use std::fmt::Write;

/// Gmail takes mails of 50 MB from outside: <https://support.google.com/a/answer/1366776>.
const MAIL_BYTES: usize = 50 << 20;

/// Mails of that size in each mailbox.
const N_LARGE: usize = 2;

/// Two mails at a time, three times their size each, and what the daemon takes without any: 384
/// to 414 MB were measured. Without the slots it was 520 MB and more, and 494 MB and more where
/// nobody knew which mails are large.
const MOST_BYTES: u64 = 460 << 20;

/// Parts of a mail that has more than are read.
const MANY_PARTS: usize = 10_100;

/// Recipients of a mail.
const MANY_RECIPIENTS: usize = 100_000;

/// Events of a calendar.
const MANY_EVENTS: usize = 50_000;

/// What the daemon takes while it reads any of these; 151 to 201 MB were measured.
const MOST_BYTES_FOR_MANY: u64 = 300 << 20;

/// A mail with one attachment of 7-bit text, of [`MAIL_BYTES`] in all.
fn large_mail(user: &str, n: usize) -> String {
    let line = format!("{n:076}\r\n");
    let head = format!(
        "From: Outsider <a@b.example>\r\nTo: <{user}>\r\nSubject: large {n}\r\n\
         Date: Tue, 03 Nov 2026 10:00:00 +0000\r\nMessage-ID: <large-{n}@b.example>\r\n\
         Content-Type: multipart/mixed; boundary=m\r\n\r\n\
         --m\r\nContent-Type: text/plain\r\n\r\nsee the file\r\n\
         --m\r\nContent-Type: application/octet-stream; name=large.bin\r\n\r\n"
    );
    let n_lines = (MAIL_BYTES - head.len()) / line.len();
    format!("{head}{}--m--\r\n", line.repeat(n_lines))
}

#[tokio::test(flavor = "multi_thread")]
async fn large_mails_in_five_mailboxes_take_bounded_memory() {
    let mut world = World::start(5, 50, 51).await;
    world.configure();
    for user in world.users() {
        for n in 0..N_LARGE {
            let text = large_mail(&user, n);
            world.google("gmail.insert", &json!({ "user": user, "text": text }));
        }
        // A walk begins with the listing of what is large, which has several pages here.
        let list = "gmail.users.messages.list";
        let fault = json!({ "user": user, "method": list, "body": "empty_page", "count": 1 });
        world.google("fault.on", &fault);
    }
    world.start_daemon();
    // To compare them takes seconds, so first wait for what costs nothing.
    world.wait("all is read and delivered", is_idle).await;
    world.wait_settled().await;
    let peak = world.daemon_peak_bytes();
    println!(
        "peak memory with {N_LARGE} mails of {} MB in each of 5 mailboxes: {} MB",
        MAIL_BYTES >> 20,
        peak >> 20
    );
    assert!(peak < MOST_BYTES, "{} MB", peak >> 20);
}

/// The head of a mail to the user, with these fields beside.
fn head(user: &str, subject: &str, fields: &str) -> String {
    format!(
        "From: Outsider <a@b.example>\r\nTo: <{user}>\r\nSubject: {subject}\r\n\
         Date: Tue, 03 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{subject}@b.example>\r\n{fields}\r\n"
    )
}

/// The record of the mail with this subject, once it is delivered.
fn told(world: &World, user: &str, subject: &str) -> Value {
    let lines = world.lines(user).into_iter();
    let mut lines = lines.filter(|line| line["email"]["subject"] == subject);
    lines.next().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_of_ten_thousand_parts_and_of_a_hundred_thousand_recipients_arrive() {
    let mut world = World::start(1, 20, 53).await;
    world.configure();
    let user = world.users().remove(0);
    let mut parts = head(
        &user,
        "parts",
        "Content-Type: multipart/mixed; boundary=m\r\n",
    );
    for n in 0..MANY_PARTS {
        let kind = match n % 2 {
            0 => format!("text/plain\r\n\r\npart {n}"),
            _ => format!("application/octet-stream; name=f{n}.bin\r\n\r\nfile {n}"),
        };
        write!(parts, "--m\r\nContent-Type: {kind}\r\n").unwrap();
    }
    parts.push_str("--m--\r\n");
    // Short addresses in few lines, for header fields beyond a megabyte are not read.
    let many: Vec<String> = (0..MANY_RECIPIENTS).map(|n| format!("{n:x}@b.c")).collect();
    let lines: Vec<String> = many.chunks(50).map(|line| line.join(",")).collect();
    let many = format!("Cc: {}\r\n", lines.join(",\r\n "));
    let recipients = head(&user, "recipients", &many) + "to all\r\n";
    for text in [parts, recipients] {
        world.google("gmail.insert", &json!({ "user": user, "text": text }));
    }
    world.start_daemon();
    world.wait("all is read and delivered", is_idle).await;
    world.wait_settled().await;
    let parts = told(&world, &user, "parts");
    assert!(
        parts["notes"].to_string().contains("parts were read"),
        "{}",
        parts["notes"]
    );
    let n_files = parts["email"]["attachments"].as_array().unwrap().len();
    assert!((4_990..=5_000).contains(&n_files), "{n_files} attachments");
    let recipients = told(&world, &user, "recipients");
    let n_read = recipients["email"]["cc"].as_array().unwrap().len();
    assert_eq!(n_read, MANY_RECIPIENTS, "{}", recipients["notes"]);
    let peak = world.daemon_peak_bytes();
    println!(
        "peak memory with many parts and recipients: {} MB",
        peak >> 20
    );
    assert!(peak < MOST_BYTES_FOR_MANY, "{} MB", peak >> 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_calendar_of_fifty_thousand_events_takes_bounded_memory() {
    let mut world = World::start_with(|options| {
        (options.users, options.seed) = (1, 54);
        (options.messages, options.events, options.files) = (0, MANY_EVENTS, 0);
    })
    .await;
    let users = world.users();
    world.configure_calendars(&users);
    world.start_daemon();
    world
        .wait("all is read and delivered", |status| {
            is_idle(status) && domain_is_live(status)
        })
        .await;
    let status = world.wait_calendars(&users).await;
    assert_eq!(status["failed_items"], 0);
    let n_lines = world.calendar_lines().len();
    let peak = world.daemon_peak_bytes();
    println!("peak memory with {n_lines} events: {} MB", peak >> 20);
    assert!(n_lines >= MANY_EVENTS, "{n_lines} events");
    assert!(peak < MOST_BYTES_FOR_MANY, "{} MB", peak >> 20);
}
