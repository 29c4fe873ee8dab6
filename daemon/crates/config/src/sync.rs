//! Reads `[sync]`, and the two keys of it that a user may set too.

use crate::codes;
use crate::config::{DrivePermissions, Since, Sync};
use crate::keys;
use crate::raw::Table;
use crate::report::Report;
use crate::values::Choice;
use nuncio_model::Source;
use std::time::Duration;

const DEFAULT_SINCE: Duration = Duration::from_secs(90 * 86_400);
/// Beyond that the absolute floor would leave the calendar; `all` is what is meant.
const MAX_SINCE: Duration = Duration::from_secs(36_500 * 86_400);
const DEFAULT_POLL: Duration = Duration::from_secs(60);
/// Faster polling only costs Google's budget.
const MIN_POLL: Duration = Duration::from_secs(1);
/// Tests against a fake need not wait.
const MIN_POLL_WITH_ENDPOINT: Duration = Duration::from_millis(10);
/// Slower than a day would lose cursors: Gmail keeps history for about a week.
const MAX_POLL: Duration = Duration::from_secs(86_400);

/// Reads `[sync]`; `has_endpoint` says whether Google is a fake.
pub(crate) fn read(table: &Table<'_>, has_endpoint: bool, report: &mut Report<'_>) -> Sync {
    table.check_keys(&keys::SYNC, report);
    let least = if has_endpoint {
        MIN_POLL_WITH_ENDPOINT
    } else {
        MIN_POLL
    };
    Sync {
        sources: sources(table, report)
            .unwrap_or_else(|| vec![Source::Gmail, Source::Calendar, Source::Drive]),
        since: since(table, Since::Within(DEFAULT_SINCE), report),
        poll_interval: table.duration("poll_interval", DEFAULT_POLL, least..=MAX_POLL, report),
        include_spam_trash: table.flag("include_spam_trash", false, report),
        include_drafts: table.flag("include_drafts", false, report),
        subscribed_calendars: table.flag("subscribed_calendars", true, report),
        holiday_calendars: table.flag("holiday_calendars", false, report),
        drive_permissions: drive_permissions(table, report),
    }
}

fn drive_permissions(table: &Table<'_>, report: &mut Report<'_>) -> DrivePermissions {
    let choices = [
        ("listed", Choice::Built(DrivePermissions::Listed)),
        ("full", Choice::Built(DrivePermissions::Full)),
    ];
    let chosen = table.choice("drive_permissions", &choices, report);
    chosen.unwrap_or(DrivePermissions::Listed)
}

/// `sources`, if set.
pub(crate) fn sources(table: &Table<'_>, report: &mut Report<'_>) -> Option<Vec<Source>> {
    let choices = [
        (Source::Gmail.as_str(), Choice::Built(Source::Gmail)),
        (Source::Calendar.as_str(), Choice::Built(Source::Calendar)),
        (Source::Drive.as_str(), Choice::Built(Source::Drive)),
    ];
    table.choices("sources", &choices, report)
}

/// `since`: a duration or `all`.
pub(crate) fn since(table: &Table<'_>, default: Since, report: &mut Report<'_>) -> Since {
    table.measure(
        "since",
        default,
        "a duration or \"all\"",
        "\"90d\"",
        report,
        |name, text, report| {
            if text.value == "all" {
                return Some(Since::All);
            }
            let Ok(duration) = humantime::parse_duration(text.value) else {
                let shown = nuncio_model::untrusted(text.value);
                let message = format!("`{name}`: \"{shown}\" is neither a duration nor \"all\"");
                let hint = "write \"all\", or a number and a unit, such as \"90d\" or \"36h\"";
                report.add(codes::MALFORMED, &text.span, message, hint);
                return None;
            };
            if duration.is_zero() || duration > MAX_SINCE {
                let message = format!("`{name}` is out of bounds");
                let hint = "use more than nothing and at most \"36500d\", or \"all\"";
                report.add(codes::OUT_OF_BOUNDS, &text.span, message, hint);
                return None;
            }
            Some(Since::Within(duration))
        },
    )
}
