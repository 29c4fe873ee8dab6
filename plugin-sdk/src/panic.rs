//! A panic is told to the operator before it becomes a trap. Only the panic's message and
//! place are told, and never what Rust itself quotes from a text.

use std::sync::Once;

use crate::log;

/// Longest message that is told, in characters.
const MESSAGE_CHARS: usize = 500;

/// Sets the hook, once in an instance.
pub(crate) fn report_before_trap() {
    // Natively this is a test, whose own hook must stay.
    if cfg!(target_family = "wasm") {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| std::panic::set_hook(Box::new(report)));
    }
}

fn report(panic: &std::panic::PanicHookInfo<'_>) {
    let message = without_quoted_text(panic.payload_as_str().unwrap_or("a value that is not text"));
    let place = panic
        .location()
        .map(ToString::to_string)
        .unwrap_or_default();
    log::error("panic", &[("message", &message), ("place", &place)]);
}

/// The message without the text that a failed slice of a `str` quotes: that text may be mail.
fn without_quoted_text(message: &str) -> String {
    let slices_text = message.contains("char boundary")
        || message.contains("of `")
        || message.contains("when slicing");
    let end = if slices_text {
        message
            .find("; it is inside")
            .or_else(|| message.find('`'))
            .unwrap_or(message.len())
    } else {
        message.len()
    };
    message[..end]
        .trim_end()
        .chars()
        .take(MESSAGE_CHARS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::string_slice, reason = "wrong slices are what is tested")]
    fn a_failed_slice_of_a_text_does_not_quote_it() {
        let text = "s\u{e9}cret of the mail".to_owned();
        for (from, to) in [(0, 2), (2, 5), (5, 900), (900, 901), (9, 3)] {
            let text = text.clone();
            let (told, quoted) = std::thread::spawn(move || {
                let caught = std::panic::catch_unwind(move || text[from..to].len()).unwrap_err();
                let message = caught.downcast_ref::<String>().cloned().unwrap_or_default();
                (without_quoted_text(&message), message.contains("cret"))
            })
            .join()
            .unwrap();
            assert!(!told.contains("cret") && !told.contains('\u{e9}'), "{told}");
            assert!(
                !told.is_empty() || !quoted,
                "nothing is told of {from}..{to}"
            );
        }
    }

    #[test]
    fn an_ordinary_message_is_kept_and_cut() {
        assert_eq!(
            without_quoted_text("called `Option::unwrap()` on a `None` value"),
            "called `Option::unwrap()` on a `None` value"
        );
        assert_eq!(without_quoted_text(&"x".repeat(600)).len(), MESSAGE_CHARS);
    }
}
