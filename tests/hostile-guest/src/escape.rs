//! Trying to reach what was not granted: files, network, environment. Each attempt is logged
//! (`attempt` at info, with what was tried and whether it was refused); if any works, the
//! call answers `fatal` with the code `escaped`.

use std::fs;
use std::io;
use std::net::TcpStream;
use std::path::Path;

use nuncio_sdk::{WriteError, log};

/// The guest path that is asked for.
pub(crate) const OUT: &str = "/out";

/// Attempts, and those that worked.
#[derive(Default)]
struct Attempts {
    worked: Vec<String>,
}

impl Attempts {
    fn note<T>(&mut self, what: String, result: io::Result<T>) {
        match result {
            Ok(_) => {
                log::info("attempt", &[("what", &what), ("result", "worked")]);
                self.worked.push(what);
            }
            Err(error) => log::info(
                "attempt",
                &[
                    ("what", &what),
                    ("result", "refused"),
                    ("error", &error.to_string()),
                ],
            ),
        }
    }

    fn verdict(self) -> Result<(), WriteError> {
        if self.worked.is_empty() {
            Ok(())
        } else {
            Err(WriteError::fatal("escaped", self.worked.join("; ")))
        }
    }
}

/// Tries to read and write outside of the granted folder.
pub(crate) fn files() -> Result<(), WriteError> {
    let mut attempts = Attempts::default();
    let outside = [
        "/out/../escaped",
        "/out/../../escaped",
        "../escaped",
        "/escaped",
        "/tmp/escaped",
        "/out/./../escaped",
    ];
    for path in outside {
        attempts.note(format!("write {path}"), fs::write(path, "escaped"));
        attempts.note(format!("make the folder {path}"), fs::create_dir(path));
    }
    for path in [
        "/etc/passwd",
        "/out/../etc/passwd",
        "/out/../../../../../../etc/passwd",
        "/proc/self/environ",
        "/out/..",
    ] {
        attempts.note(format!("read {path}"), fs::metadata(path));
    }
    attempts.note("list /".to_owned(), fs::read_dir("/"));
    attempts.note("list /out/..".to_owned(), fs::read_dir("/out/.."));
    // A link may be made, if it only lies there; what must not work is going through it.
    for (name, target) in [
        ("absolute", "/etc"),
        ("relative", "../../../../../../etc"),
        ("parent", ".."),
    ] {
        let link = format!("{OUT}/link-{name}");
        if let Err(error) = make_link(target, &link) {
            log::info(
                "attempt",
                &[
                    ("what", &format!("link to {target}")),
                    ("result", "refused"),
                    ("error", &error.to_string()),
                ],
            );
            continue;
        }
        log::info(
            "attempt",
            &[("what", &format!("link to {target}")), ("result", "made")],
        );
        attempts.note(
            format!("read through the link to {target}"),
            fs::metadata(format!("{link}/passwd")),
        );
        attempts.note(format!("list the link to {target}"), fs::read_dir(&link));
        attempts.note(
            format!("write through the link to {target}"),
            fs::write(format!("{link}/escaped"), "escaped"),
        );
        if let Err(error) = fs::remove_file(&link) {
            log::info("the link stays", &[("error", &error.to_string())]);
        }
    }
    let inside = format!("{OUT}/inside");
    if fs::write(&inside, "inside").is_ok() {
        attempts.note(
            "rename to the outside".to_owned(),
            fs::rename(&inside, "/out/../escaped"),
        );
        attempts.note(
            "hard link to the outside".to_owned(),
            fs::hard_link(&inside, "/out/../escaped"),
        );
        attempts.note(
            "hard link from the outside".to_owned(),
            fs::hard_link("/etc/passwd", format!("{OUT}/passwd")),
        );
        if Path::new(&inside).exists()
            && let Err(error) = fs::remove_file(&inside)
        {
            log::info("the file stays", &[("error", &error.to_string())]);
        }
    }
    attempts.verdict()
}

#[expect(deprecated, reason = "the replacement for WASI is not in stable Rust")]
fn make_link(target: &str, link: &str) -> io::Result<()> {
    fs::soft_link(target, link)
}

/// Tries to connect.
pub(crate) fn socket(address: &str) -> Result<(), WriteError> {
    let mut attempts = Attempts::default();
    attempts.note(format!("connect to {address}"), TcpStream::connect(address));
    attempts.note(
        "listen".to_owned(),
        std::net::TcpListener::bind("127.0.0.1:0"),
    );
    attempts.note(
        "send a datagram".to_owned(),
        std::net::UdpSocket::bind("127.0.0.1:0"),
    );
    attempts.verdict()
}

/// Looks for what a process inherits.
pub(crate) fn environment() -> Result<(), WriteError> {
    let n_variables = std::env::vars_os().count();
    // The host may give the guest its own name as the first argument.
    let n_arguments = std::env::args_os().skip(1).count();
    log::info(
        "environment",
        &[
            ("variables", &n_variables.to_string()),
            ("arguments", &n_arguments.to_string()),
        ],
    );
    if n_variables == 0 && n_arguments == 0 {
        return Ok(());
    }
    Err(WriteError::fatal(
        "escaped",
        format!("{n_variables} variables, {n_arguments} arguments"),
    ))
}
