//! Turns the end of a broken call into words: which bound or trap it was, and in which of the
//! guest's functions. A guest's own message stays out of it, since it may quote a mail; the
//! guest's log has it.

use std::fmt;

use nuncio_model::{CallError, untrusted};
use wasmtime::{Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

/// Functions of the guest that are named.
const MAX_FRAMES: usize = 5;

/// Parts of names that tell nothing about where the plugin's own code went wrong.
const PLUMBING: [&str; 14] = [
    "core::",
    "std::",
    "alloc::",
    "__rust",
    "rust_",
    "dlmalloc",
    "abort",
    "panic",
    "cabi_",
    "_cabi",
    "wit_bindgen",
    "__wasilibc",
    "_start",
    "nuncio:sink/",
];

/// A guest ended its instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    /// `trap`, `memory`, `timeout` or `wrong-length`.
    pub(crate) code: &'static str,
    /// For the operator; no content of records.
    pub(crate) reason: String,
}

impl From<Broken> for CallError {
    fn from(broken: Broken) -> Self {
        CallError::Broken {
            code: broken.code,
            reason: broken.reason,
        }
    }
}

/// Raised in a guest that still runs at its call's deadline.
#[derive(Debug, thiserror::Error)]
#[error("the call's time is over")]
pub(crate) struct TimeIsOver;

/// Why a call ended; `memory` is set if the guest was denied memory in it.
pub(crate) fn explain(error: &wasmtime::Error, memory: Option<usize>) -> Broken {
    let place = Place::of(error);
    if error.is::<TimeIsOver>() {
        return Broken {
            code: "timeout",
            reason: format!("still running when its time was over{place}"),
        };
    }
    if let Some(max_bytes) = memory {
        let reason = format!(
            "needs more than its {} MiB of memory{place}",
            max_bytes >> 20
        );
        return Broken {
            code: "memory",
            reason,
        };
    }
    let what = if let Some(exit) = error.downcast_ref::<I32Exit>() {
        format!("called exit({})", exit.0)
    } else if let Some(trap) = error.downcast_ref::<Trap>() {
        match trap {
            Trap::StackOverflow => "stack overflow (endless recursion?)".to_owned(),
            // Languages keep a second stack at the lower end of memory; it overflows like this.
            Trap::MemoryOutOfBounds => {
                "out-of-bounds memory access (stack overflow by endless recursion?)".to_owned()
            }
            Trap::UnreachableCodeReached => {
                "panic or `unreachable` (its log may say why)".to_owned()
            }
            other => other.to_string(),
        }
    } else {
        // wasmtime's own words on a call that could not be carried out; no content in them.
        untrusted(&error.root_cause().to_string()).to_string()
    };
    Broken {
        code: "trap",
        reason: format!("{what}{place}"),
    }
}

/// The guest's innermost functions, outermost last.
struct Place(Vec<String>);

impl Place {
    fn of(error: &wasmtime::Error) -> Self {
        let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else {
            return Self(Vec::new());
        };
        // Only its Display has the names as they stand in the source, one `module!function` a line.
        let text = backtrace.to_string();
        let names = text
            .lines()
            .filter_map(|line| line.split_once('!').map(|(_, name)| name.trim()));
        let mut names: Vec<String> = names
            .filter(|name| !PLUMBING.iter().any(|part| name.contains(part)))
            .map(|name| untrusted(without_hash(name)).to_string())
            .collect();
        names.dedup();
        names.truncate(MAX_FRAMES);
        Self(names)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            Ok(())
        } else {
            write!(f, ", in {}", self.0.join(" < "))
        }
    }
}

/// A Rust function's name without the compiler's hash at its end.
fn without_hash(name: &str) -> &str {
    match name.rsplit_once("::h") {
        Some((name, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
            name
        }
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_has_its_code() {
        let explained = |error: wasmtime::Error, memory| {
            let broken = explain(&error, memory);
            format!("{}: {}", broken.code, broken.reason)
        };
        assert_eq!(
            explained(TimeIsOver.into(), None),
            "timeout: still running when its time was over"
        );
        assert_eq!(
            explained(Trap::UnreachableCodeReached.into(), Some(64 << 20)),
            "memory: needs more than its 64 MiB of memory"
        );
        assert_eq!(
            explained(Trap::StackOverflow.into(), None),
            "trap: stack overflow (endless recursion?)"
        );
        assert_eq!(explained(I32Exit(3).into(), None), "trap: called exit(3)");
    }

    #[test]
    fn hashes_are_left_out() {
        assert_eq!(
            without_hash("guest::spin::h0123456789abcdef"),
            "guest::spin"
        );
        assert_eq!(without_hash("guest::help"), "guest::help");
    }
}
