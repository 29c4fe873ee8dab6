//! The committed seeds and the mails of the test data hold all that the targets promise, so that
//! a run begins with inputs that pass. Runs with any compiler: `cargo test`.

use std::path::{Path, PathBuf};

fn files(folder: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut open = vec![root];
    let mut files = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder of seeds") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else {
                files.push(path);
            }
        }
    }
    assert!(!files.is_empty());
    files
}

fn check_all(folder: &str, check: impl Fn(&[u8])) {
    for path in files(folder) {
        println!("{}", path.display());
        check(&std::fs::read(&path).expect("a seed"));
    }
}

#[test]
fn mails() {
    check_all("../tests/data/mail", crate::mail::check);
    check_all("../tests/data/mail", crate::parts::check);
}

#[test]
fn seeds() {
    check_all("seeds/answers", crate::answers::check);
    check_all("seeds/batch", crate::batch::check);
    check_all("seeds/events", crate::events::check);
    check_all("seeds/times", crate::times::check);
}
