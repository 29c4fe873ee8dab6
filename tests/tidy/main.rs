//! Rules that no compiler checks: file headers, file sizes, and which crate may import which.
//! The table of edges is that of ARCHITECTURE.md; a new edge is a commit of its own.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod codes;

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file longer than this does too much.
const MAX_LINES: usize = 800;

/// Package, and the packages of ours that it may depend on (dev-dependencies included).
const EDGES: [(&str, &[&str]); 16] = [
    ("nuncio-model", &[]),
    ("nuncio-config", &["nuncio-model"]),
    ("nuncio-google", &["nuncio-model"]),
    ("nuncio-sources", &["nuncio-model", "nuncio-google"]),
    ("nuncio-spool", &["nuncio-model"]),
    ("nuncio-dispatch", &["nuncio-model", "nuncio-spool"]),
    ("nuncio-plugin-host", &["nuncio-model", "nuncio-dispatch"]),
    (
        "nuncio",
        &[
            "nuncio-config",
            "nuncio-dispatch",
            "nuncio-google",
            "nuncio-model",
            "nuncio-plugin-host",
            "nuncio-sources",
            "nuncio-spool",
        ],
    ),
    ("nuncio-sdk", &[]),
    ("plugin-archive", &["nuncio-sdk"]),
    ("plugin-jsonl", &["nuncio-sdk"]),
    ("hostile-guest", &["nuncio-sdk"]),
    ("fake-workspace", &[]),
    (
        "nuncio-tests",
        &["fake-workspace", "nuncio-model", "nuncio-sdk"],
    ),
    (
        "nuncio-benches",
        &[
            // Budgets are measured against a server that counts as Google does.
            "fake-workspace",
            "nuncio-google",
            "nuncio-model",
            "nuncio-sources",
            // Records pass through the spool on their way to a guest.
            "nuncio-spool",
            "nuncio-dispatch",
            "nuncio-plugin-host",
        ],
    ),
    ("xtask", &[]),
];

/// Heavy crates and the only packages whose manifest may name them.
const FENCED: [(&str, &[&str]); 4] = [
    ("wasmtime", &["nuncio-plugin-host"]),
    ("wasmtime-wasi", &["nuncio-plugin-host"]),
    ("rusqlite", &["nuncio-spool"]),
    ("hyper-rustls", &["nuncio-google"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

fn rust_files() -> Vec<PathBuf> {
    fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !name.starts_with('.') && name != "target" {
                    collect(&path, files);
                }
            } else if name.ends_with(".rs") {
                files.push(path);
            }
        }
    }
    let mut files = Vec::new();
    collect(&root(), &mut files);
    assert!(
        files.len() > 50,
        "the walk found only {} files",
        files.len()
    );
    files
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Package name to the names it depends on.
fn dependencies() -> BTreeMap<String, Vec<String>> {
    metadata()["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| {
            let names = package["dependencies"].as_array().unwrap().iter();
            let names = names.map(|dependency| dependency["name"].as_str().unwrap().to_owned());
            (
                package["name"].as_str().unwrap().to_owned(),
                names.collect(),
            )
        })
        .collect()
}

#[test]
fn every_file_says_what_lives_in_it() {
    let silent: Vec<PathBuf> = rust_files()
        .into_iter()
        .filter(|path| !std::fs::read_to_string(path).unwrap().starts_with("//! "))
        .collect();
    assert!(silent.is_empty(), "files without a //! header: {silent:#?}");
}

#[test]
fn no_file_is_too_long() {
    let long: Vec<(PathBuf, usize)> = rust_files()
        .into_iter()
        .map(|path| {
            let n_lines = std::fs::read_to_string(&path).unwrap().lines().count();
            (path, n_lines)
        })
        .filter(|(_, n_lines)| *n_lines > MAX_LINES)
        .collect();
    assert!(long.is_empty(), "files over {MAX_LINES} lines: {long:#?}");
}

#[test]
fn crates_import_only_what_the_table_allows() {
    let table: BTreeMap<&str, &[&str]> = EDGES.into_iter().collect();
    let packages = dependencies();
    let ours: Vec<String> = packages.keys().cloned().collect();
    let mut wrong = Vec::new();
    for (package, names) in &packages {
        let Some(allowed) = table.get(package.as_str()) else {
            wrong.push(format!("{package} is not in the table"));
            continue;
        };
        for name in names.iter().filter(|name| ours.contains(name)) {
            if !allowed.contains(&name.as_str()) {
                wrong.push(format!("{package} -> {name}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "edges that the table does not allow: {wrong:#?}"
    );
}

#[test]
fn heavy_crates_stay_behind_their_fence() {
    let mut wrong = Vec::new();
    for (package, names) in dependencies() {
        for (heavy, allowed) in FENCED {
            if names.iter().any(|name| name == heavy) && !allowed.contains(&package.as_str()) {
                wrong.push(format!("{package} -> {heavy}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_crate_has_the_shared_lints_and_licence() {
    for package in metadata()["packages"].as_array().unwrap() {
        let manifest = std::fs::read_to_string(package["manifest_path"].as_str().unwrap()).unwrap();
        let name = &package["name"];
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{name} has lints of its own"
        );
        assert_eq!(package["license"], "Apache-2.0 OR MIT", "{name}");
    }
}

#[test]
fn no_test_is_switched_off() {
    let marker = ["#[", "ignore"].concat();
    let stub = ["todo", "!("].concat();
    let wrong: Vec<PathBuf> = rust_files()
        .into_iter()
        .filter(|path| {
            let text = std::fs::read_to_string(path).unwrap();
            text.contains(&marker) || text.contains(&stub)
        })
        .collect();
    assert!(wrong.is_empty(), "ignored tests or stubs: {wrong:#?}");
}

#[test]
fn the_toolchain_is_pinned_exactly() {
    let toolchain = std::fs::read_to_string(root().join("rust-toolchain.toml")).unwrap();
    assert!(toolchain.contains("channel = \"1.95.0\""), "{toolchain}");
}

/// The numbered rows of a table in `docs`: each number, and the tests that its last cell names.
fn rows(file: &str) -> Vec<(u32, Vec<String>)> {
    let text = std::fs::read_to_string(root().join("docs").join(file)).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| "));
    rows.filter_map(|row| {
        let cells: Vec<&str> = row.trim_end_matches(" |").split(" | ").collect();
        let number = cells[0].parse().ok()?;
        let tests = cells[3].split(", ");
        Some((
            number,
            tests
                .map(|test| test.trim_matches('`').to_owned())
                .collect(),
        ))
    })
    .collect()
}

/// The tables of traps and of bad input name the tests that guard each; a renamed test must not
/// leave one empty.
#[test]
fn every_trap_and_bad_input_has_tests_that_are_there() {
    let code: String = rust_files()
        .iter()
        .map(|file| std::fs::read_to_string(file).unwrap())
        .collect();
    for (file, n_rows) in [("traps.md", 26), ("bad-input.md", 9)] {
        let rows = rows(file);
        for (number, tests) in &rows {
            assert!(!tests.is_empty());
            for test in tests {
                assert!(
                    code.contains(&format!("fn {test}(")),
                    "{file} {number}: there is no test {test}"
                );
            }
        }
        let numbers: Vec<u32> = rows.into_iter().map(|(number, _)| number).collect();
        assert_eq!(numbers, (1..=n_rows).collect::<Vec<_>>(), "{file}");
    }
}
