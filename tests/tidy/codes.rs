//! The table of error codes and the sources agree: no code without a row, no row without a use,
//! none twice, in order. Rows stand in files named `codes.rs` as `code: "SRC005"`.

use crate::{root, rust_files};
use std::collections::BTreeSet;
use std::path::Path;

/// Where the plugin contract names words that a plugin may end a call with.
const CONTRACT: &str = "plugin-sdk/wit/v0/sink.wit";

fn row(line: &str) -> Option<&str> {
    line.trim().strip_prefix("code: \"")?.strip_suffix("\",")
}

/// The code that rows of `text` are about, in their order.
fn rows(text: &str) -> Vec<String> {
    text.lines().filter_map(row).map(str::to_owned).collect()
}

fn is_table(path: &Path) -> bool {
    path.ends_with("codes.rs") && path.starts_with(root().join("daemon"))
}

/// All tables, file by file.
fn tables() -> Vec<Vec<String>> {
    let tables = rust_files().into_iter().filter(|path| is_table(path));
    let tables = tables.map(|path| rows(&std::fs::read_to_string(path).unwrap()));
    tables.filter(|rows| !rows.is_empty()).collect()
}

/// What looks like a code, such as `SRC005`: three or four capitals and three digits that are a
/// word of their own. With the character before it.
fn lookalikes(text: &str) -> Vec<(char, &str)> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let words = words.filter(|word| {
        let n_letters = word.bytes().take_while(u8::is_ascii_uppercase).count();
        let digits = &word[n_letters..];
        let has_digits = digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit());
        (3..=4).contains(&n_letters) && has_digits
    });
    let before = |word: &str| {
        let at = word.as_ptr() as usize - text.as_ptr() as usize;
        text[..at].chars().next_back().unwrap_or(' ')
    };
    words.map(|word| (before(word), word)).collect()
}

/// The program's own text, without rows and tests.
fn program() -> String {
    let mut program = String::new();
    for path in rust_files() {
        let in_daemon = path.strip_prefix(root().join("daemon"));
        let Ok(inner) = in_daemon else { continue };
        let is_test = inner.ends_with("tests.rs") || !inner.iter().any(|part| part == "src");
        if is_test || inner.iter().any(|part| part == "tests") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap();
        let is_row = |line: &str| is_table(&path) && row(line).is_some();
        for line in text.lines().filter(|line| !is_row(line)) {
            program.push_str(line);
            program.push('\n');
        }
    }
    program
}

/// What people read, and scenarios: a code that they name must be one.
fn told() -> String {
    let mut told = String::new();
    for folder in ["", "docs", "tests/scenarios"] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let is_text = path
                .extension()
                .is_some_and(|end| end == "md" || end == "rs");
            if is_text {
                told.push_str(&std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    told
}

#[test]
fn error_codes_stand_in_the_table_once_and_in_order() {
    let tables = tables();
    assert!(tables.len() >= 7, "only {} tables were found", tables.len());
    for table in &tables {
        let misplaced = table.windows(2).find(|pair| pair[0] >= pair[1]);
        assert_eq!(misplaced, None, "not ascending");
    }
    let codes: Vec<&String> = tables.iter().flatten().collect();
    let once: BTreeSet<&String> = codes.iter().copied().collect();
    assert_eq!(codes.len(), once.len(), "a code stands in two tables");
}

#[test]
fn every_error_code_has_a_row_and_every_row_a_use() {
    let codes: BTreeSet<String> = tables().into_iter().flatten().collect();
    let prefix = |code: &str| {
        code.trim_end_matches(|digit: char| digit.is_ascii_digit())
            .to_owned()
    };
    let prefixes: BTreeSet<String> = codes.iter().map(|code| prefix(code)).collect();
    let program = program();
    let told = told();
    let mut named = lookalikes(&program);
    named.extend(lookalikes(&told));
    let strange: BTreeSet<&str> = named
        .into_iter()
        .filter(|(before, word)| *before == '"' || prefixes.contains(&prefix(word)))
        .map(|(_, word)| word)
        .filter(|word| !codes.contains(*word))
        .collect();
    assert!(strange.is_empty(), "codes without a row: {strange:?}");

    let contract = std::fs::read_to_string(root().join(CONTRACT)).unwrap();
    let unused: Vec<&String> = codes
        .iter()
        .filter(|code| !program.contains(&format!("\"{code}\"")))
        .filter(|code| !contract.contains(&format!("`{code}`")))
        .collect();
    assert!(unused.is_empty(), "rows that nothing raises: {unused:?}");
}
