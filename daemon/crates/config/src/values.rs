//! Reads single values: names, durations, sizes, addresses, absolute paths. Each reader reports
//! what is wrong and answers `None`. Secrets are not read here, so values may be quoted.

use crate::codes;
use crate::raw::Text;
use crate::report::Report;
use bytesize::ByteSize;
use nuncio_model::{Address, untrusted};
use std::ops::RangeInclusive;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

/// What stands behind a name that a key knows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Choice<T> {
    Built(T),
    /// Refused by name until a release has it.
    Planned,
}

/// How alike a name must be to be suggested, from 0 to 1.
const LIKENESS: f64 = 0.8;

/// The name nearest to `typed`, if one is near enough to be meant.
pub(crate) fn nearest<'n>(typed: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    // Comparing costs the product of both lengths, and no name is that long.
    if typed.len() > 64 {
        return None;
    }
    let folded = typed.to_lowercase().replace('-', "_");
    names
        .map(|name| (name, strsim::jaro_winkler(&folded, name)))
        .filter(|(_, likeness)| *likeness >= LIKENESS)
        .max_by(|left, right| left.1.total_cmp(&right.1))
        .map(|(name, _)| name)
}

/// The choice that `text` names.
pub(crate) fn choice<T: Copy>(
    name: &str,
    text: &Text<'_>,
    choices: &[(&str, Choice<T>)],
    report: &mut Report<'_>,
) -> Option<T> {
    match choices.iter().find(|(choice, _)| *choice == text.value) {
        Some((_, Choice::Built(value))) => return Some(*value),
        Some((_, Choice::Planned)) => {
            let message = format!(
                "`{name}`: \"{}\" is not built yet in this release; remove it",
                text.value
            );
            report.add(codes::NOT_BUILT, &text.span, message, allowed(choices));
        }
        None => {
            let built = choices
                .iter()
                .filter(|(_, choice)| matches!(choice, Choice::Built(_)));
            let hint = match nearest(text.value, built.map(|(name, _)| *name)) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => allowed(choices),
            };
            let message = format!("`{name}` does not know \"{}\"", untrusted(text.value));
            report.add(codes::UNKNOWN_VALUE, &text.span, message, hint);
        }
    }
    None
}

fn allowed<T>(choices: &[(&str, Choice<T>)]) -> String {
    let built: Vec<String> = choices
        .iter()
        .filter(|(_, choice)| matches!(choice, Choice::Built(_)))
        .map(|(name, _)| format!("\"{name}\""))
        .collect();
    format!("allowed: {}", built.join(", "))
}

/// A duration such as `30s`, `200ms`, `36h`, `90d`.
pub(crate) fn duration(
    name: &str,
    text: &Text<'_>,
    bounds: RangeInclusive<Duration>,
    report: &mut Report<'_>,
) -> Option<Duration> {
    let Ok(duration) = humantime::parse_duration(text.value) else {
        let message = format!("`{name}`: \"{}\" is not a duration", untrusted(text.value));
        let hint =
            "write a number and a unit, such as \"200ms\", \"30s\", \"5m\", \"36h\", \"90d\"";
        report.add(codes::MALFORMED, &text.span, message, hint);
        return None;
    };
    if !bounds.contains(&duration) {
        let message = format!("`{name}` is out of bounds");
        let (least, most) = (shown(*bounds.start()), shown(*bounds.end()));
        report.add(
            codes::OUT_OF_BOUNDS,
            &text.span,
            message,
            format!("use \"{least}\" to \"{most}\""),
        );
        return None;
    }
    Some(duration)
}

/// A duration as the config writes it.
pub(crate) fn shown(duration: Duration) -> String {
    let millis = duration.as_millis();
    let units = [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "m"),
        (1000, "s"),
    ];
    let unit = units
        .iter()
        .find(|(size, _)| millis > 0 && millis.is_multiple_of(*size));
    match unit {
        Some((size, unit)) => format!("{}{unit}", millis / size),
        None => format!("{millis}ms"),
    }
}

/// A size in bytes such as `512KiB` or `10GiB`.
pub(crate) fn size(
    name: &str,
    text: &Text<'_>,
    bounds: RangeInclusive<u64>,
    report: &mut Report<'_>,
) -> Option<u64> {
    // A bare number would be taken for bytes, which is hardly ever meant.
    let has_unit = text
        .value
        .ends_with(|last: char| last.is_ascii_alphabetic());
    let Some(ByteSize(bytes)) = text.value.parse().ok().filter(|_| has_unit) else {
        let message = format!("`{name}`: \"{}\" is not a size", untrusted(text.value));
        let hint = "write a number and a unit, such as \"512KiB\", \"64MiB\", \"10GiB\"";
        report.add(codes::MALFORMED, &text.span, message, hint);
        return None;
    };
    if !bounds.contains(&bytes) {
        let message = format!("`{name}` is out of bounds");
        let (least, most) = (ByteSize(*bounds.start()), ByteSize(*bounds.end()));
        let hint = format!(
            "use \"{}\" to \"{}\"",
            without_space(least),
            without_space(most)
        );
        report.add(codes::OUT_OF_BOUNDS, &text.span, message, hint);
        return None;
    }
    Some(bytes)
}

/// A size as the file may have it.
pub(crate) fn shown_size(bytes: u64) -> String {
    without_space(ByteSize(bytes))
}

fn without_space(size: ByteSize) -> String {
    size.to_string().replace(' ', "").replace(".0", "")
}

/// A mail address.
pub(crate) fn address(name: &str, text: &Text<'_>, report: &mut Report<'_>) -> Option<Address> {
    let address = Address::parse(text.value);
    if address.is_none() {
        let message = format!(
            "`{name}`: \"{}\" is not a mail address",
            untrusted(text.value)
        );
        let hint = "write it as local@domain, such as \"ana@example.com\"";
        report.add(codes::MALFORMED, &text.span, message, hint);
    }
    address
}

/// An absolute path without `.`, `..` and control characters.
pub(crate) fn is_plain_absolute(path: &Path) -> bool {
    let mut components = path.components();
    let text = path.to_string_lossy();
    components.next() == Some(Component::RootDir)
        && components.all(|component| matches!(component, Component::Normal(_)))
        // `components` passes over `/./`.
        && !text.split('/').any(|part| part == ".")
        && !text.chars().any(char::is_control)
}

/// An absolute path at `key`, or `None` with a report.
pub(crate) fn absolute_path(
    name: &str,
    text: &Text<'_>,
    report: &mut Report<'_>,
) -> Option<PathBuf> {
    let path = Path::new(text.value);
    if is_plain_absolute(path) {
        return Some(path.to_owned());
    }
    let message = format!(
        "`{name}`: \"{}\" is not a plain absolute path",
        untrusted(text.value)
    );
    let hint = "start with `/`, without `.` and `..`";
    report.add(codes::MALFORMED, &text.span, message, hint);
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Text<'_> {
        Text { value, span: 0..0 }
    }

    #[test]
    fn near_names_are_suggested_and_far_ones_are_not() {
        let names = || ["poll_interval", "sources", "since"].into_iter();
        assert_eq!(nearest("poll-interval", names()), Some("poll_interval"));
        assert_eq!(nearest("Source", names()), Some("sources"));
        assert_eq!(nearest("colour", names()), None);
        assert_eq!(nearest(&"s".repeat(100_000), names()), None);
    }

    #[test]
    fn sizes_need_a_unit() {
        let mut report = Report::new("f", "");
        assert_eq!(
            size("k", &text("512KiB"), 1..=u64::MAX, &mut report),
            Some(512 * 1024)
        );
        assert_eq!(
            size("k", &text("10 GiB"), 1..=u64::MAX, &mut report),
            Some(10 << 30)
        );
        for bad in ["", "512", "KiB", "-1KiB", "1 parsec", "5%"] {
            assert_eq!(
                size("k", &text(bad), 0..=u64::MAX, &mut report),
                None,
                "{bad}"
            );
        }
        assert_eq!(size("k", &text("1KiB"), 2048..=4096, &mut report), None);
    }

    #[test]
    fn durations_read_and_print_alike() {
        let mut report = Report::new("f", "");
        for good in ["200ms", "30s", "5m", "36h", "90d"] {
            let bounds = Duration::ZERO..=Duration::MAX;
            let read = duration("k", &text(good), bounds, &mut report).unwrap();
            assert_eq!(shown(read), good);
        }
        assert_eq!(
            duration(
                "k",
                &text("60"),
                Duration::ZERO..=Duration::MAX,
                &mut report
            ),
            None
        );
    }

    #[test]
    fn plain_absolute_paths() {
        for good in ["/", "/srv", "/srv/a b"] {
            assert!(is_plain_absolute(Path::new(good)), "{good}");
        }
        for bad in [
            "",
            "srv",
            "./srv",
            "/srv/../etc",
            "/srv/./x",
            "/a\0b",
            "/a\u{1b}b",
        ] {
            assert!(!is_plain_absolute(Path::new(bad)), "{bad}");
        }
    }
}
