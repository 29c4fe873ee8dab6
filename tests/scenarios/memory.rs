//! Memory of the daemon while large mails go through it, to a sink that wants the bytes.

use nuncio_tests::{World, is_idle};
use serde_json::json;

/// Gmail takes mails of 50 MB from outside: <https://support.google.com/a/answer/1366776>.
const MAIL_BYTES: usize = 50 << 20;

/// Mails of that size in each mailbox.
const N_LARGE: usize = 2;

/// Two mails at a time, three times their size each, and what the daemon takes without any.
const MOST_BYTES: u64 = 700 << 20;

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
