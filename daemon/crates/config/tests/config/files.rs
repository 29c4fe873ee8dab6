//! The config and its secrets as files: who may write them, what lies beside them, what of them
//! is told.

use crate::{GOOGLE, parse};
use nuncio_config::{CODES, Config, SecretSource};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn write(dir: &TempDir, name: &str, content: impl AsRef<[u8]>, mode: u32) -> PathBuf {
    let path = dir.path().join(name);
    fs::write(&path, content).expect("the temporary folder takes a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("the file is ours");
    path
}

fn codes(path: &Path) -> Vec<&'static str> {
    match Config::load(path) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(|problem| problem.code.as_str()).collect(),
    }
}

#[test]
fn a_closed_file_is_loaded() {
    let dir = TempDir::new().unwrap();
    let path = write(&dir, "nuncio.toml", GOOGLE, 0o640);
    assert_eq!(codes(&path), [""; 0]);
}

#[test]
fn a_file_that_others_may_write_is_refused_together_with_its_content() {
    let dir = TempDir::new().unwrap();
    let path = write(&dir, "nuncio.toml", "colour = 1\n", 0o664);
    assert_eq!(codes(&path), ["CFG002", "CFG010", "CFG012"]);
    let shown = Config::load(&path).unwrap_err().to_string();
    let first = format!(
        "error[CFG002]: {0}: the file is writable by its group (mode 0664)\n  \
         hint: chmod go-w {0}, and chown root {0} if another user owns it",
        path.display()
    );
    assert!(shown.starts_with(&first), "{shown}");

    let path = write(&dir, "nuncio.toml", GOOGLE, 0o646);
    assert_eq!(codes(&path), ["CFG002"]);
}

#[test]
fn a_missing_file_a_folder_and_bytes_are_explained() {
    let dir = TempDir::new().unwrap();
    assert_eq!(codes(&dir.path().join("none.toml")), ["CFG001"]);
    assert_eq!(codes(dir.path()), ["CFG001"]);
    let path = write(&dir, "nuncio.toml", b"# ok\n\xff\n", 0o600);
    assert_eq!(codes(&path), ["CFG004"]);
    assert!(
        Config::load(&path)
            .unwrap_err()
            .to_string()
            .contains("line 2")
    );
}

/// A folder with a main file and drop-ins.
fn folder(main: &str, drop_ins: &[(&str, &str)]) -> (TempDir, PathBuf) {
    let dir = TempDir::new().expect("a temporary folder can be made");
    let path = write(&dir, "nuncio.toml", main, 0o600);
    fs::create_dir(dir.path().join("conf.d")).expect("a folder can be made");
    for (name, text) in drop_ins {
        write(&dir, &format!("conf.d/{name}"), text, 0o600);
    }
    (dir, path)
}

#[test]
fn drop_ins_add_users_and_sinks_in_lexical_order() {
    let main = format!("{GOOGLE}[[users]]\nemail = \"ana@example.com\"\n");
    let sink = |name: &str| format!("[sinks.{name}]\nplugin = \"x.wasm\"\n");
    let late = format!("{}[[users]]\nemail = \"zoe@example.com\"\n", sink("a"));
    let early = format!("[[users]]\nemail = \"ben@example.com\"\n{}", sink("b"));
    let left_behind = [
        ("README", "no TOML"),
        (".50-x.toml", "no TOML"),
        ("50-x.toml~", "no TOML"),
    ];
    let mut drop_ins = vec![("20-late.toml", late.as_str()), ("10-early.toml", &early)];
    drop_ins.extend(left_behind);
    let (dir, path) = folder(&main, &drop_ins);
    let (config, files) = Config::load(&path).unwrap();
    let users: Vec<&str> = config
        .users
        .iter()
        .map(|user| user.email.as_str())
        .collect();
    assert_eq!(
        users,
        ["ana@example.com", "ben@example.com", "zoe@example.com"]
    );
    let sinks: Vec<&str> = config.sinks.iter().map(|sink| sink.name.as_str()).collect();
    assert_eq!(sinks, ["a", "b"], "by name, wherever they stand");
    let names: Vec<&str> = files.iter().map(|(name, _)| name).collect();
    let named = ["nuncio.toml", "conf.d/10-early.toml", "conf.d/20-late.toml"];
    assert_eq!(
        names,
        named.map(|name| dir.path().join(name).display().to_string())
    );

    let (_other, elsewhere) = folder(&main, &drop_ins);
    let (_, same) = Config::load(&elsewhere).unwrap();
    assert_eq!(files.hash(), same.hash());
    write(&dir, "conf.d/20-late.toml", format!("{late} "), 0o600);
    let (_, changed) = Config::load(&path).unwrap();
    assert_ne!(files.hash(), changed.hash());
}

#[test]
fn errors_of_all_files_come_together_with_both_places() {
    let main = format!(
        "{GOOGLE}[[users]]\nemail = \"ana@example.com\"\n[sinks.a]\nplugin = \"x.wasm\"\n[log]\nformat = \"loud\"\n"
    );
    let (dir, path) = folder(
        &main,
        &[
            ("10.toml", "[[users]]\nemail = \"ana@example.com\"\n"),
            (
                "20.toml",
                "[sinks.a]\nplugin = \"y.wasm\"\n[log]\n[snks.b]\n",
            ),
            ("30.toml", "[[users]\n"),
        ],
    );
    fs::set_permissions(
        dir.path().join("conf.d/10.toml"),
        fs::Permissions::from_mode(0o622),
    )
    .unwrap();
    let at = dir.path().display();
    let errors = Config::load(&path).unwrap_err();
    let told: Vec<String> = errors
        .iter()
        .map(|problem| {
            let file = problem.file.rsplit('/').next().unwrap();
            format!("{} {file}:{}", problem.code, problem.line.unwrap_or(0))
        })
        .collect();
    assert_eq!(
        told,
        [
            "CFG002 10.toml:0",
            "CFG014 nuncio.toml:9",
            "CFG031 10.toml:2",
            "CFG033 20.toml:1",
            "CFG003 20.toml:3",
            "CFG003 20.toml:4",
            "CFG005 30.toml:1",
        ],
        "{errors}"
    );
    let shown = errors.to_string();
    for text in [
        format!("the user `ana@example.com` is already listed at {at}/nuncio.toml:5:9"),
        format!("the sink `a` is already there at {at}/nuncio.toml:6:8"),
        "did you mean `sinks`?".to_owned(),
        "move it into the main file".to_owned(),
    ] {
        assert!(shown.contains(&text), "{text} is not in {shown}");
    }
}

#[test]
fn drop_ins_without_a_main_file_are_not_judged_alone() {
    let (dir, path) = folder(
        GOOGLE,
        &[("10.toml", "[[users]]\nemail = \"ana@example.com\"\n")],
    );
    fs::remove_file(&path).unwrap();
    assert_eq!(codes(&path), ["CFG001"]);
    drop(dir);
}

#[test]
fn errors_are_json_for_scripts() {
    let errors = parse("log = 1\n").unwrap_err();
    assert_eq!(
        serde_json::to_value(&errors).unwrap(),
        serde_json::json!([
            {
                "code": "CFG012", "file": "nuncio.toml", "line": 1, "col": 1,
                "message": "the section `[google]` is missing",
                "hint": "add a section `[google]` with `service_account_key = \"file:/path\"`",
            },
            {
                "code": "CFG013", "file": "nuncio.toml", "line": 1, "col": 7,
                "message": "`log` must be a table, but is a whole number",
                "hint": "write a section `[log]`",
            },
        ])
    );
    let missing = Config::load(Path::new("/nonexistent/nuncio.toml")).unwrap_err();
    let missing = serde_json::to_value(&missing).unwrap();
    assert_eq!(
        (missing[0].get("line"), missing[0].get("col")),
        (None, None)
    );
}

#[test]
fn a_secret_is_read_from_a_closed_file_or_a_credential() {
    let dir = TempDir::new().unwrap();
    let path = write(&dir, "key", "hunter2", 0o640);
    let file = SecretSource::File(path);
    assert_eq!(file.read(None).unwrap().expose(), "hunter2");
    // systemd guards credentials by an ACL, whose mask reads as a group's right.
    write(&dir, "api-key", "hunter3", 0o440);
    let credential = SecretSource::Credential("api-key".into());
    assert_eq!(
        credential.read(Some(dir.path())).unwrap().expose(),
        "hunter3"
    );
}

#[test]
fn a_secret_that_cannot_be_used_is_explained_and_never_told() {
    let dir = TempDir::new().unwrap();
    let file =
        |name: &str, content: &[u8], mode| SecretSource::File(write(&dir, name, content, mode));
    let cases = [
        (
            SecretSource::File(dir.path().join("none")),
            "CFG050",
            "put the file at",
        ),
        (
            SecretSource::File(dir.path().to_owned()),
            "CFG050",
            "name the file itself",
        ),
        (file("open", b"hunter2", 0o644), "CFG051", "chmod 0640"),
        (file("shared", b"hunter2", 0o660), "CFG051", "chmod 0640"),
        (
            file("empty", b" \n", 0o600),
            "CFG053",
            "names the right file",
        ),
        (
            file("bytes", b"hunter2\xff", 0o600),
            "CFG053",
            "names the right file",
        ),
        (
            file("huge", &vec![b'a'; (1 << 20) + 1], 0o600),
            "CFG053",
            "names the right file",
        ),
        (
            SecretSource::Credential("none".into()),
            "CFG050",
            "LoadCredential=none:",
        ),
    ];
    for (source, code, hint) in cases {
        let error = source.read(Some(dir.path())).unwrap_err();
        let shown = format!("{} {} {error:?}", nuncio_model::Chain(&error), error.hint());
        assert_eq!(error.code().as_str(), code, "{shown}");
        assert!(error.hint().contains(hint), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(
            CODES.iter().any(|row| row.code == error.code().as_str()),
            "{code} is in the table"
        );
    }
    let error = SecretSource::Credential("api-key".into())
        .read(None)
        .unwrap_err();
    assert_eq!(error.code().as_str(), "CFG052");
    assert!(
        error.hint().contains("LoadCredential=api-key:"),
        "{}",
        error.hint()
    );
}
