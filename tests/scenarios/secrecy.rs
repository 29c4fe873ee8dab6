//! Secrets and mail content never reach the log, however much of it is asked for.

use nuncio_tests::World;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Everything, and by name what is known to print what it handles.
const ALL: &str = "trace,hyper=trace,hyper::proto=trace,hyper_util::client=trace,h2::codec=trace,\
                   rustls::client=trace,yup_oauth2=trace,wasmtime_wasi::p2=trace,mail_parser=trace";

/// A mail with words of its own in every part that a log could quote.
const PLANTED: &str = "From: Planted-Name <planted-sender@outside.example>\r\n\
    To: Planted-To <planted-to@outside.example>\r\nSubject: planted-subject\r\n\
    Message-ID: <planted-message-id@outside.example>\r\nX-Own: planted-header\r\n\
    MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=planted-boundary\r\n\r\n\
    --planted-boundary\r\nContent-Type: text/plain\r\n\r\nplanted-body\r\n\
    --planted-boundary\r\nContent-Type: text/html\r\n\r\n<p>planted-html</p>\r\n\
    --planted-boundary\r\nContent-Type: text/plain; name=planted-file.txt\r\n\
    Content-Disposition: attachment; filename=planted-file.txt\r\n\r\nplanted-attachment\r\n\
    --planted-boundary--\r\n";

/// Broken in several ways, with words that an error could quote.
const BROKEN: &str = "From planted-broken-from\r\nDate: planted-broken-date\r\n\
    Subject: =?planted-charset?Q?planted-broken-subject?=\r\n\
    Content-Type: multipart/planted-broken; boundary\r\n\
    Content-Transfer-Encoding: planted-encoding\r\n\r\nplanted-broken-body\r\n";

/// Lines of a mail that are long enough not to be in a log by chance.
fn telling_lines(mail: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(mail);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let of_head = head.lines().filter_map(|line| {
        let (name, value) = line.split_once(": ")?;
        let is_telling = name.eq_ignore_ascii_case("subject") && value.trim().len() >= 8;
        is_telling.then(|| value.trim().to_owned())
    });
    let is_long = |line: &&str| line.trim().len() >= 24;
    let of_body = body
        .lines()
        .filter(is_long)
        .take(6)
        .map(|line| line.trim().to_owned());
    of_head.chain(of_body).collect()
}

/// Puts a mail into the user's mailbox; its id.
fn plant(world: &World, user: &str, text: &str) -> String {
    let inserted = world.google("gmail.insert", &json!({ "user": user, "text": text }));
    inserted["id"].as_str().unwrap().to_owned()
}

/// The secrets of the service account's key file.
fn key_material(world: &World) -> Vec<String> {
    let text = std::fs::read_to_string(world.workspace.key_path()).unwrap();
    let key: Value = serde_json::from_str(&text).unwrap();
    let pem = key["private_key"].as_str().unwrap();
    pem.lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_and_no_content_is_in_the_log_at_any_level() {
    let mut world = World::start(2, 40, 41).await;
    world.configure();
    let users = world.users();
    let rejected = plant(&world, &users[0], PLANTED);
    let settings = format!("{{ do = \"outcomes\", reject_key = \"/{rejected}\" }}");
    world.append_config(&world.hostile_lines("picky", &settings));
    world.start_daemon_logging(ALL);
    let is_whole = |status: &Value| {
        let sinks = status["sinks"].as_array().unwrap();
        sinks.iter().all(|sink| sink["pending"] == 0)
            && users.iter().all(|user| world.holds_all_mail(user, user))
    };
    world.wait("the first sync", is_whole).await;

    // What makes words in a log: broken mail, refusals, lost positions, dead letters, churn.
    plant(&world, &users[0], BROKEN);
    let fault = json!({ "user": users[1], "method": "gmail.users.messages.get", "status": 500, "count": 3 });
    world.google("fault.on", &fault);
    for (n, user) in users.iter().enumerate() {
        world.google("churn", &json!({ "user": user, "seed": n, "rounds": 10 }));
    }
    world.google("tokens.expire", &json!({}));
    world.google("history.expire", &json!({ "user": users[0] }));
    world.wait("the changes", is_whole).await;
    let (exit, letters, _) = world.run(&["deadletters", "list", "--json"]);
    assert_eq!(exit, 0);
    let (_, _, said) = world.run(&["deadletters", "retry", "--all"]);
    assert!(said.contains("1 dead letter"), "{said}");
    let (_, human, _) = world.run(&["status"]);
    let status = world.status().unwrap().to_string();
    assert_eq!(world.stop_daemon().await, 0);

    let log = world.log();
    for sign in [
        "TRACE nuncio_spool",
        "guest write begins",
        "connected",
        "stopped",
    ] {
        assert!(log.contains(sign), "the log is not full, it lacks {sign}");
    }
    let mut forbidden: BTreeSet<String> = key_material(&world).into_iter().collect();
    // Access tokens, assertions, and headers that carry them; any planted word.
    forbidden.extend(["ya29.", "eyJ", "Bearer ", "bearer "].map(str::to_owned));
    forbidden.extend(["planted", "Planted"].map(str::to_owned));
    let mut n_mails = 0;
    for user in &users {
        for mail in world.maildir(user).into_values() {
            forbidden.extend(telling_lines(&mail));
            n_mails += 1;
        }
    }
    assert!(
        n_mails > 20 && forbidden.len() > 60,
        "{n_mails} mails, {} words",
        forbidden.len()
    );
    for word in &forbidden {
        for (what, text) in [
            ("log", &log),
            ("dead letters", &letters),
            ("status", &human),
            ("status --json", &status),
        ] {
            if let Some(at) = text.find(word.as_str()) {
                let line = text[..at].rfind('\n').map_or(0, |begin| begin + 1);
                let end = text[at..].find('\n').map_or(text.len(), |end| at + end);
                panic!("{word:?} is in the {what}: {}", &text[line..end]);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_state_nor_socket_is_open_to_others() {
    use std::os::unix::fs::PermissionsExt;
    let mut world = World::start(1, 5, 42).await;
    world.configure();
    std::fs::remove_dir(world.path("state")).unwrap();
    world.start_daemon();
    let user = world.users()[0].clone();
    world
        .wait("the first sync", |_| world.holds_all_mail(&user, &user))
        .await;
    let mode = |name: &str| {
        let metadata = std::fs::metadata(world.path(name)).unwrap();
        metadata.permissions().mode() & 0o777
    };
    assert_eq!(mode("state"), 0o700, "mail content lives there");
    for entry in std::fs::read_dir(world.path("state")).unwrap() {
        let entry = entry.unwrap();
        let shown = entry.metadata().unwrap().permissions().mode() & 0o077;
        assert_eq!(shown, 0, "{} is open to others", entry.path().display());
    }
    assert_eq!(mode("admin.sock"), 0o660);
}
