//! The binary: its one line, its exit codes, and `admin` against a running one.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Output, Stdio};

const BINARY: &str = env!("CARGO_BIN_EXE_fake-workspace");

struct Running {
    child: Child,
    line: Value,
    _dir: tempfile::TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing left to do.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn serve(arguments: &[&str]) -> Running {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut child = Command::new(BINARY)
        .args(["serve", "--listen", "127.0.0.1:0", "--dir"])
        .arg(dir.path())
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().expect("stdout is piped"))
        .read_line(&mut line)
        .expect("a line comes");
    Running {
        child,
        line: serde_json::from_str(&line).expect("the line is JSON"),
        _dir: dir,
    }
}

fn admin(url: &str, operation: &str, input: &str) -> Output {
    let mut child = Command::new(BINARY)
        .args(["admin", operation, "--url", url])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    stdin
        .write_all(input.as_bytes())
        .expect("the input is taken");
    drop(stdin);
    child.wait_with_output().expect("the binary ends")
}

#[test]
fn serve_says_where_it_is_and_stops_at_sigterm() {
    let mut running = serve(&[
        "--users",
        "4",
        "--suspended",
        "1",
        "--messages",
        "40",
        "--quota",
        "off",
        "--latency",
        "1ms",
    ]);
    let line = &running.line;
    assert_eq!(line["users"].as_array().unwrap().len(), 4);
    assert_eq!(line["suspended"], json!([line["users"][3]]));
    assert_eq!(line["admin_user"], line["users"][0]);
    assert_eq!(line["pid"], running.child.id());
    let path = line["key"].as_str().unwrap();
    let key: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(key["type"], "service_account");
    assert_eq!(
        key["token_uri"],
        format!("{}/token", line["base"].as_str().unwrap())
    );
    assert_eq!(
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let killed = Command::new("kill")
        .arg(running.child.id().to_string())
        .status()
        .unwrap();
    assert!(killed.success());
    assert!(running.child.wait().unwrap().success());
    let mut rest = String::new();
    running
        .child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut rest)
        .unwrap();
    assert_eq!(rest, "", "one line only");
}

#[test]
fn admin_has_three_ends() {
    let running = serve(&["--users", "2", "--messages", "20"]);
    let url = running.line["admin"].as_str().unwrap();
    let user = &running.line["users"][1];
    let inserted = admin(
        url,
        "gmail.insert",
        &json!({ "user": user, "text": "Subject: hi\n\nthere\n" }).to_string(),
    );
    assert_eq!(inserted.status.code(), Some(0));
    let inserted: Value = serde_json::from_slice(&inserted.stdout).unwrap();
    assert!(inserted["historyId"].is_string());
    let id = json!({ "user": user, "id": inserted["id"] }).to_string();
    for operation in ["gmail.trash", "gmail.untrash", "gmail.delete"] {
        assert_eq!(
            admin(url, operation, &id).status.code(),
            Some(0),
            "{operation}"
        );
    }
    let gone = admin(url, "gmail.trash", &id);
    assert_eq!(gone.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&gone.stderr).contains("no such message"));
    assert_eq!(admin(url, "stats", "").status.code(), Some(0));
    assert_eq!(admin(url, "stats", "[]").status.code(), Some(1));
    assert_eq!(admin(url, "truth", "{").status.code(), Some(1));
    assert_eq!(admin(url, "nothing.insert", "{}").status.code(), Some(3));
    assert_eq!(
        admin("http://127.0.0.1:1", "stats", "{}").status.code(),
        Some(1)
    );
}

#[test]
fn options_that_are_not_built_are_usage_errors() {
    for arguments in [
        &["--quota", "2026-05"][..],
        &["--charge", "mailbox"],
        &["--time-scale", "60"],
        &["--h2"],
        &["--tls"],
        &["--nonsense"],
    ] {
        let dir = tempfile::tempdir().unwrap();
        let output = Command::new(BINARY)
            .args(["serve", "--dir"])
            .arg(dir.path())
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty());
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            text.contains("not built yet") || arguments == ["--nonsense"],
            "{text}"
        );
    }
    let output = Command::new(BINARY)
        .args(["serve", "--dir", "/dev/null/x", "--listen", "127.0.0.1:0"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/dev/null/x"));
}
