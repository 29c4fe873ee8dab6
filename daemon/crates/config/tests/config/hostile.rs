//! Whatever stands in the file: no panic, and no secret in an error.

use crate::parse;
use nuncio_config::CODES;
use proptest::prelude::*;

const SECRET: &str = "Hunter2Hunter2";

/// A config with a secret at each place where one may stand by mistake or by right.
const PLANTED: &str = r#"token = "Hunter2Hunter2"
[google]
service_account_key = "{ \"private_key\": \"Hunter2Hunter2\" }"
service_acount_key = "Hunter2Hunter2"
endpoint = "http://ana:Hunter2Hunter2@example.com"
admin = 1
[google.per_user]
client = "Hunter2Hunter2"
[spool]
encryption_key = "Hunter2Hunter2"
max_bytes = "0B"
[sinks]
inline = { plugin = 1, settings = { password = "Hunter2Hunter2" }, sha = 2 }
direct = "Hunter2Hunter2"
[sinks.a]
plugin = "a"
settings = { url = "x", password = ["Hunter2Hunter2", nan] }
setings = { password = "Hunter2Hunter2" }
[sinks.a.grants]
secrets = { token = "Hunter2Hunter2" }
[[sinks.a.grants.http]]
header = { authorization = "Hunter2Hunter2" }
[admni]
view_token = """
Hunter2Hunter2
"""
"#;

fn shown(text: &str) -> String {
    match parse(text) {
        Ok(config) => format!("{config:?}"),
        Err(errors) => {
            assert!(errors.len() > 0, "refused without a reason");
            for problem in &errors {
                let known = CODES.iter().any(|row| row.code == problem.code.as_str());
                assert!(known, "{} is not in the table", problem.code);
                assert!(problem.line.is_some_and(|line| line >= 1), "{problem:?}");
            }
            let json = serde_json::to_string(&errors).expect("errors are plain data");
            format!("{errors}\n{errors:?}\n{json}")
        }
    }
}

#[test]
fn no_error_tells_a_secret() {
    let shown = shown(PLANTED);
    assert!(shown.matches("error[").count() >= 12, "{shown}");
    assert!(!shown.contains(SECRET), "{shown}");
}

#[test]
fn no_slip_of_the_pen_tells_a_secret() {
    for at in 0..PLANTED.len() {
        let (before, after) = PLANTED.split_at(at);
        if !SECRET.contains(&after[..1]) || !before.ends_with(|last: char| SECRET.contains(last)) {
            let shown = shown(&format!("{before}{}", &after[1..]));
            assert!(!shown.contains(SECRET), "without byte {at}:\n{shown}");
        }
        for slip in ["\"", "'", "=", "#", "\n", "[", "]", "x", ".", "\u{1b}", "ä"] {
            let shown = shown(&format!("{before}{slip}{after}"));
            assert!(
                !shown.contains(SECRET),
                "with {slip:?} at byte {at}:\n{shown}"
            );
            assert!(
                !shown.contains('\u{1b}'),
                "an escape character reached the output"
            );
        }
    }
}

#[test]
fn deep_nesting_is_refused_and_not_followed() {
    for open in ["[", "{a=", "a."] {
        let text = format!("[sinks.a.settings]\nx = {}", open.repeat(100_000));
        assert!(parse(&text).is_err());
    }
    assert!(parse(&format!("{}=1", "a.".repeat(5_000) + "a")).is_err());
}

#[test]
fn ten_thousand_users_are_read_and_their_errors_all_reported() {
    let users: String = (0..10_000)
        .map(|n| {
            format!("[[users]]\nemail = \"u{n}@example.com\"\naliases = [\"a{n}@example.com\"]\n")
        })
        .collect();
    let config = parse(&crate::with_google(&users)).unwrap();
    assert_eq!(config.users.len(), 10_000);
    // The same with an error in each: every one is reported.
    let errors = parse(&crate::with_google(&users.replace("aliases", "alias"))).unwrap_err();
    assert_eq!(errors.len(), 10_000);
}

proptest! {
    #[test]
    fn any_text_is_judged_without_a_panic(text in "\\PC{0,200}") {
        shown(&text);
    }

    #[test]
    fn any_bytes_that_are_text_are_judged_without_a_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        shown(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_value_at_any_key_is_judged_without_a_panic(
        section in prop::sample::select(vec![
            "[google]", "[sync]", "[[users]]", "[sinks.a]", "[sinks.a.grants]", "[spool]",
            "[plugins]", "[log]", "[sinks.a.batch]", "[sinks.a.limits]", "[sinks.a.settings]", "",
        ]),
        key in prop::sample::select(vec![
            "mode", "service_account_key", "admin", "domains", "quota", "endpoint", "sources",
            "since", "poll_interval", "include_spam_trash", "include_drafts", "drive_permissions", "email", "aliases", "accounts", "sync",
            "plugin", "records", "content", "settings", "batch", "limits", "dirs", "memory", "log",
            "subscribed_calendars", "holiday_calendars", "in_flight", "bytes", "delay", "max_bytes", "dir", "format", "users", "sinks", "google",
        ]),
        text in "[ -~äß\u{202e}]{0,20}",
        shape in 0..8,
    ) {
        let text = text.replace(['"', '\\'], "");
        let value = match shape {
            0 => format!("\"{text}\""),
            1 => format!("[\"{text}\", 1]"),
            2 => format!("{{ key = \"{text}\", address = \"{text}\" }}"),
            3 => format!("[{{ guest = \"{text}\", host = \"/{text}\" }}]"),
            4 => "-9223372036854775808".to_owned(),
            5 => "1979-05-27T07:32:00Z".to_owned(),
            6 => "nan".to_owned(),
            _ => text,
        };
        shown(&format!("{section}\n{key} = {value}\n"));
    }
}
