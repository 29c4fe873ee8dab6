//! `nuncio explain`: what an error code means, how it comes about, what to do and where it shows
//! up. The same table as a page is `docs/errors.md`.

use super::print;
use crate::codes::{self, Group};
use crate::exit::{Failure, USAGE};
use clap::Args;
use nuncio_model::{CodeInfo, untrusted};

/// Text for a person is broken before this column.
const WIDTH: usize = 96;

/// What an error code means, and what to do about it.
#[derive(Args)]
pub(super) struct Explain {
    /// A code such as SRC005, or a word such as `trap`. Without one: all codes.
    code: Option<String>,
    /// As JSON: `{code, title, cause, remedy, seen}`, or a list of these; the form is stable.
    #[arg(long)]
    json: bool,
    /// The whole table as a page.
    #[arg(long, conflicts_with_all = ["code", "json"])]
    markdown: bool,
}

impl Explain {
    pub(super) fn run(self) -> Result<(), Failure> {
        if self.markdown {
            return print(page().trim_end());
        }
        let Some(asked) = self.code else {
            return match self.json {
                true => print_json(&ordered()),
                false => print(list().trim_end()),
            };
        };
        let row = find(&asked).ok_or_else(|| unknown(&asked))?;
        match self.json {
            true => print_json(row),
            false => print(text(row).trim_end()),
        }
    }
}

fn print_json(answer: &impl serde::Serialize) -> Result<(), Failure> {
    print(&serde_json::to_string_pretty(answer).map_err(anyhow::Error::from)?)
}

fn ordered() -> Vec<&'static CodeInfo> {
    let groups = codes::groups();
    groups.into_iter().flat_map(|group| group.rows).collect()
}

/// The row of a code, however it was copied: `SRC005`, `src005`, `error[SRC005]`.
fn find(asked: &str) -> Option<&'static CodeInfo> {
    let bare = bare(asked);
    codes::all().find(|row| row.code.eq_ignore_ascii_case(bare))
}

fn bare(asked: &str) -> &str {
    let asked = asked.trim();
    let asked = asked.strip_prefix("error").unwrap_or(asked);
    asked.trim_start_matches('[').trim_end_matches([']', ':'])
}

fn unknown(asked: &str) -> Failure {
    let hint = match nearest(bare(asked)) {
        Some(near) => format!("did you mean `{near}`? `nuncio explain` lists all codes"),
        None => "`nuncio explain` lists all codes; words that it does not know are said by a \
                 plugin, and its README tells what they mean"
            .to_owned(),
    };
    let text = format!(
        "error: there is no code `{}`\nhint: {hint}",
        untrusted(asked)
    );
    Failure::new(USAGE, text)
}

/// The one code that is a slip of the pen away.
fn nearest(typed: &str) -> Option<&'static str> {
    let n_slips = |code: &str| match code.as_bytes().first() {
        Some(b'A'..=b'Z') => strsim::damerau_levenshtein(&typed.to_ascii_uppercase(), code),
        _ => strsim::damerau_levenshtein(&typed.to_ascii_lowercase(), code),
    };
    // Comparing costs the product of both lengths, and no code is that long.
    let codes = codes::all().filter(|_| typed.len() <= 64);
    codes
        .map(|row| (n_slips(row.code), row.code))
        .min()
        .filter(|(n_slips, _)| *n_slips <= 1)
        .map(|(_, code)| code)
}

fn text(row: &CodeInfo) -> String {
    let mut text = format!("{}: {}\n", row.code, row.title);
    let parts = [
        ("cause", row.cause),
        ("remedy", row.remedy),
        ("seen in", row.seen),
    ];
    for (name, part) in parts {
        let mut lead = format!("  {name:<9}");
        for line in wrapped(part, WIDTH - lead.len()) {
            text.push_str(&format!("{lead}{line}\n"));
            lead = " ".repeat(lead.len());
        }
    }
    text
}

/// `text` in lines of at most `width` characters; a longer word stands alone.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.len() - 1;
        let line = &mut lines[last];
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

fn list() -> String {
    let mut text = String::new();
    for Group { title, rows, .. } in codes::groups() {
        text.push_str(&format!("{title}\n"));
        let width = rows.iter().map(|row| row.code.len()).max().unwrap_or(0);
        for row in rows {
            text.push_str(&format!("  {:width$}  {}\n", row.code, row.title));
        }
        text.push('\n');
    }
    text
}

/// The table as `docs/errors.md` has it.
fn page() -> String {
    let mut page = String::from(
        "# Errors\n\n\
         Every error that nuncio can tell an operator, by its stable code. `nuncio explain CODE` prints one of them.\n\
         This page is made by `nuncio explain --markdown`; a test holds it to the sources.\n",
    );
    for Group {
        prefix,
        title,
        rows,
    } in codes::groups()
    {
        let prefix = match prefix {
            "" => String::new(),
            prefix => format!(" ({prefix})"),
        };
        page.push_str(&format!("\n## {title}{prefix}\n\n"));
        page.push_str("| code | what it means | cause | what to do | where it shows up |\n");
        page.push_str("|---|---|---|---|---|\n");
        for row in rows {
            let cells = [row.title, row.cause, row.remedy, row.seen];
            let cells = cells.map(|cell| cell.replace('|', "\\|"));
            page.push_str(&format!("| `{}` | {} |\n", row.code, cells.join(" | ")));
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_in_docs_is_this_table() {
        let docs = include_str!("../../../docs/errors.md");
        assert!(
            docs == page(),
            "docs/errors.md is not what the sources say; make it anew: \
             nuncio explain --markdown > docs/errors.md"
        );
    }

    #[test]
    fn codes_are_found_however_they_were_copied() {
        for asked in ["SRC005", "src005", " [SRC005]", "error[SRC005]:"] {
            assert_eq!(find(asked).map(|row| row.code), Some("SRC005"), "{asked}");
        }
        assert_eq!(find("Trap").map(|row| row.code), Some("trap"));
        for asked in ["", "SRC", "SRC0050", "error", "[]"] {
            assert!(find(asked).is_none(), "{asked}");
        }
    }

    #[test]
    fn a_slip_of_the_pen_is_understood_and_anything_else_is_not() {
        for (typed, meant) in [
            ("SCR005", "SRC005"),
            ("spl0012", "SPL001"),
            ("AUTH10", "AUTH010"),
            ("tarp", "trap"),
            ("wrong_length", "wrong-length"),
        ] {
            assert_eq!(nearest(typed), Some(meant), "{typed}");
        }
        for typed in ["", "CFG999", "XYZ001", "oops"] {
            assert_eq!(nearest(typed), None, "{typed}");
        }
        assert_eq!(nearest(&"S".repeat(100_000)), None);
    }

    #[test]
    fn lines_are_broken_between_words() {
        assert_eq!(wrapped("a bc def", 4), ["a bc", "def"]);
        assert_eq!(wrapped("abcdef g", 3), ["abcdef", "g"]);
        for row in codes::all() {
            for line in text(row).lines() {
                let is_one_word = !line.trim().contains(' ');
                assert!(line.chars().count() <= WIDTH || is_one_word, "{line}");
            }
        }
    }
}
