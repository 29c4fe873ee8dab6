//! Plugins and sinks that must not start: each with a message that names the thing and the
//! remedy.

mod common;

use std::path::Path;

use common::{engine, guest, guest_path, hostile, open, options};
use nuncio_model::{Chain, Content};
use nuncio_plugin_host::{DirGrant, DirMode, Error, Kind, LabelChanges, Plugin, Warning};
use serde_json::json;

async fn refused(name: &str, bytes: Vec<u8>) -> Error {
    match Plugin::from_bytes(engine(), Path::new(name), bytes).await {
        Ok(plugin) => panic!("{name} was accepted: {:?}", plugin.info()),
        Err(error) => error,
    }
}

#[tokio::test]
async fn a_plugin_says_what_it_is() {
    let plugin = hostile().await;
    let info = plugin.info();
    assert_eq!(info.name, "hostile-guest");
    assert_eq!(info.kinds, [Kind::Email, Kind::Event, Kind::File]);
    assert_eq!(
        (info.content, info.label_changes),
        (Content::Raw, LabelChanges::Light)
    );
    assert_eq!(
        (
            info.rights[0].right.as_str(),
            info.rights[0].target.as_str()
        ),
        ("dir-write", "/out")
    );
    assert!(info.wants(&common::mail("a")));
    assert_eq!(plugin.sha256().len(), 64);
}

#[tokio::test]
async fn files_that_are_no_plugin_are_named_for_what_they_are() {
    for (bytes, code, says) in [
        (
            b"".to_vec(),
            "PLG002",
            "x.wasm is not a plugin: it is empty, not a WebAssembly component",
        ),
        (
            b"hello".to_vec(),
            "PLG002",
            "x.wasm is not a plugin: it is text, not a WebAssembly component",
        ),
        (
            b"\0asm\x01\0\0\0".to_vec(),
            "PLG002",
            "x.wasm is not a plugin: it is a WebAssembly core module, not a WebAssembly component",
        ),
        (
            b"\0asm\x0d\0\x01\0".to_vec(),
            "PLG004",
            "x.wasm is a WebAssembly component, but no nuncio sink: it exports nothing",
        ),
    ] {
        let error = refused("x.wasm", bytes).await;
        assert_eq!((error.code(), error.to_string().as_str()), (code, says));
        assert!(!error.hint().is_empty());
    }
}

#[tokio::test]
async fn a_file_that_is_not_there_is_named() {
    let error = Plugin::load(engine(), Path::new("/nowhere/x.wasm"))
        .await
        .err()
        .unwrap();
    assert_eq!(error.code(), "PLG001");
    assert_eq!(
        Chain(&error).to_string(),
        "the plugin /nowhere/x.wasm cannot be read: No such file or directory (os error 2)"
    );
}

#[tokio::test]
async fn a_cut_component_is_damaged() {
    let whole = guest("hostile-guest");
    for share in [3, 50, 99] {
        let error = refused("x.wasm", whole[..whole.len() * share / 100].to_vec()).await;
        assert_eq!(error.code(), "PLG003", "{share} %: {error}");
        assert!(
            error
                .to_string()
                .starts_with("the plugin x.wasm is damaged or incomplete: "),
            "{error}"
        );
    }
}

#[tokio::test]
async fn another_contract_version_is_named() {
    let mut bytes = guest("hostile-guest");
    let n_changed = replace(&mut bytes, b"nuncio:sink/", b"@0.1.0", b"@0.9.0");
    assert!(n_changed > 0);
    let error = refused("x.wasm", bytes).await;
    assert_eq!(error.code(), "PLG005");
    assert_eq!(
        error.to_string(),
        "the plugin x.wasm was built for contract version 0.9.0, this nuncio speaks 0.1.0"
    );
    assert!(error.hint().contains("contract version 0.1.0"));
}

/// Changes what follows a name that begins with `prefix`, at the same length.
fn replace(bytes: &mut [u8], prefix: &[u8], from: &[u8], to: &[u8]) -> usize {
    let mut n_changed = 0;
    for at in 0..bytes.len() {
        if bytes[at..].starts_with(from)
            && bytes[at.saturating_sub(32)..at]
                .windows(prefix.len())
                .any(|window| window == prefix)
        {
            bytes[at..at + to.len()].copy_from_slice(to);
            n_changed += 1;
        }
    }
    n_changed
}

#[tokio::test]
async fn settings_are_checked_with_their_place() {
    let error = open(options("s", json!({ "do": "sing", "ms": -1, "extra": 1 })))
        .await
        .unwrap_err();
    let Error::Settings { problems, .. } = &error else {
        panic!("{error}")
    };
    let pointers: Vec<&str> = problems
        .iter()
        .map(|problem| problem.pointer.as_str())
        .collect();
    assert!(
        pointers.contains(&"/do") && pointers.contains(&"/ms") && pointers.contains(&""),
        "{error}"
    );
    assert_eq!(
        (error.code(), error.hint().as_str()),
        ("PLG009", "correct `settings` of [sinks.s]")
    );

    let error = open(options("s", json!([]))).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the settings of sink s are wrong: settings must be a table"
    );

    let error = open(options("s", json!({ "do": "open_invalid" })))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the settings of sink s are wrong: /do: refused as asked"
    );
}

#[tokio::test]
async fn a_right_needs_both_keys() {
    let archive = Plugin::load(engine(), &guest_path("plugin-archive"))
        .await
        .unwrap();
    let error = nuncio_plugin_host::open(engine(), &archive, options("copy", json!({})))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "PLG010", "{error}");
    assert_eq!(
        error.hint(),
        "to allow it, add to the config:\n[sinks.copy.grants]\n\
         dirs = [{ guest = \"/out\", host = \"/path/to/folder\", mode = \"rw\" }]"
    );

    let dir = tempfile::tempdir().unwrap();
    let grant = |guest: &str, host: &Path| DirGrant {
        guest: guest.into(),
        host: host.into(),
        mode: DirMode::ReadWrite,
    };
    let mut asked_too_little = options("copy", json!({ "do": "ok" }));
    asked_too_little.dirs = vec![grant("/elsewhere", dir.path())];
    let opened = open(asked_too_little).await.unwrap();
    assert!(
        opened.warnings.contains(&Warning::NotAskedFor {
            guest: "/elsewhere".into()
        }),
        "{:?}",
        opened.warnings
    );
    assert!(
        matches!(opened.warnings[0], Warning::OptionalRight(_)),
        "{:?}",
        opened.warnings
    );

    let mut not_there = options("copy", json!({ "do": "ok" }));
    not_there.dirs = vec![grant("/out", Path::new("/nowhere/out"))];
    let error = open(not_there).await.unwrap_err();
    assert_eq!(error.code(), "PLG011");
    assert_eq!(
        Chain(&error).to_string(),
        "sink copy cannot use the granted folder /nowhere/out (guest path /out): No such file or directory (os error 2)"
    );
}
