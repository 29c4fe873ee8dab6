//! The price lists: what a call costs and what may be spent, by API. Spending itself is in `mod.rs`.
//!
//! Read 2026-11 from <https://developers.google.com/workspace/gmail/api/reference/quota>,
//! <https://developers.google.com/workspace/calendar/api/guides/quota>,
//! <https://developers.google.com/workspace/drive/api/guides/limits> and
//! <https://developers.google.com/workspace/admin/directory/v1/limits>.

/// Which price list is in force for the project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PriceList {
    /// Nothing is refused; units are counted by the list of 2026-05.
    #[default]
    Off,
    /// Of projects that began on 2026-05-01 or later.
    May2026,
    /// Of projects that used the APIs before.
    Legacy,
}

impl PriceList {
    /// Reads the word of the command line: `off`, `2026-05` or `legacy`.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "off" => Self::Off,
            "2026-05" => Self::May2026,
            "legacy" => Self::Legacy,
            _ => return None,
        })
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::May2026 => "2026-05",
            Self::Legacy => "legacy",
        }
    }
}

/// An API with budgets of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Api {
    Gmail,
    Calendar,
    Drive,
    Directory,
}

impl Api {
    pub(super) const ALL: [Self; 4] = [Self::Gmail, Self::Calendar, Self::Drive, Self::Directory];

    /// The API of a method id, if it has a quota here.
    pub(super) fn of_method(method: &str) -> Option<Self> {
        Self::parse(method.split_once('.')?.0)
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|api| api.name() == text)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gmail => "gmail",
            Self::Calendar => "calendar",
            Self::Drive => "drive",
            Self::Directory => "directory",
        }
    }

    /// The service as quota messages name it.
    pub(super) fn service(self) -> &'static str {
        match self {
            Self::Gmail => "gmail.googleapis.com",
            Self::Calendar => "calendar-json.googleapis.com",
            Self::Drive => "drive.googleapis.com",
            Self::Directory => "admin.googleapis.com",
        }
    }
}

/// A budget that can run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Limit {
    UserMinute,
    ProjectMinute,
    ProjectDay,
}

impl Limit {
    pub(super) const ALL: [Self; 3] = [Self::UserMinute, Self::ProjectMinute, Self::ProjectDay];

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|limit| limit.name() == text)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::UserMinute => "user_minute",
            Self::ProjectMinute => "project_minute",
            Self::ProjectDay => "project_day",
        }
    }
}

/// Units that may be spent per window; `None` is no limit.
///
/// The daily figures of the new list are billing thresholds, beyond which nothing is refused, so they are no limits.
pub(super) fn budget(list: PriceList, api: Api, limit: Limit) -> Option<u64> {
    let legacy = list == PriceList::Legacy;
    Some(match (api, limit) {
        (_, Limit::ProjectDay) => return None,
        (Api::Gmail, Limit::ProjectMinute) => 1_200_000,
        (Api::Gmail, Limit::UserMinute) if legacy => 15_000,
        (Api::Gmail, Limit::UserMinute) => 6_000,
        // The old numbers of Calendar were those of the console, and were never published.
        (Api::Calendar, Limit::ProjectMinute) => 10_000,
        (Api::Calendar, Limit::UserMinute) => 600,
        (Api::Drive, _) if legacy => 12_000,
        (Api::Drive, Limit::ProjectMinute) => 1_000_000,
        (Api::Drive, Limit::UserMinute) => 325_000,
        (Api::Directory, Limit::ProjectMinute) => return None,
        (Api::Directory, Limit::UserMinute) => 2_400,
    })
}

/// Units per day beyond which Google bills, for the counters.
pub(super) fn billing_threshold(api: Api) -> Option<u64> {
    match api {
        Api::Gmail => Some(80_000_000),
        Api::Calendar => Some(1_000_000),
        Api::Drive => Some(400_000_000),
        Api::Directory => None,
    }
}

/// What a call costs; a download costs more than a look. A method that no list names costs what a plain read does.
pub(super) fn price(list: PriceList, api: Api, method: &str, download: bool) -> u64 {
    let unlisted = match api {
        Api::Drive if list == PriceList::Legacy => 1,
        Api::Gmail | Api::Drive => 5,
        Api::Calendar | Api::Directory => 1,
    };
    listed(list, api, method, download).unwrap_or(unlisted)
}

/// What the lists say of a method, if anything.
fn listed(list: PriceList, api: Api, method: &str, download: bool) -> Option<u64> {
    match api {
        Api::Gmail => {
            let (new, old) = gmail(method.strip_prefix("gmail.users.")?)?;
            Some(if list == PriceList::Legacy { old } else { new })
        }
        // Every call counts one.
        Api::Drive if list == PriceList::Legacy => Some(1),
        Api::Calendar | Api::Directory => Some(1),
        Api::Drive => drive(method, download),
    }
}

/// The price on the new and on the old list. The format of a message does not change it.
fn gmail(method: &str) -> Option<(u64, u64)> {
    Some(match method {
        "getProfile" | "labels.list" | "labels.get" => (1, 1),
        "history.list" => (2, 2),
        "messages.list" | "messages.modify" | "messages.untrash" | "drafts.list"
        | "labels.create" | "labels.update" | "labels.delete" => (5, 5),
        "messages.get" | "messages.attachments.get" | "drafts.get" | "messages.trash" => (20, 5),
        "threads.list" | "threads.modify" | "threads.untrash" | "messages.delete"
        | "drafts.create" | "drafts.delete" => (10, 10),
        "drafts.update" => (15, 15),
        "threads.trash" => (20, 10),
        "threads.delete" => (20, 20),
        "threads.get" => (40, 10),
        "messages.insert" | "messages.import" => (25, 25),
        "messages.batchModify" | "messages.batchDelete" | "stop" => (50, 50),
        "messages.send"
        | "drafts.send"
        | "watch"
        | "settings.sendAs.create"
        | "settings.sendAs.update"
        | "settings.sendAs.patch"
        | "settings.sendAs.verify"
        | "settings.delegates.create"
        | "settings.forwardingAddresses.create" => (100, 100),
        _ if is_settings_read(method) => (1, 1),
        _ => return None,
    })
}

fn is_settings_read(method: &str) -> bool {
    method
        .strip_prefix("settings.")
        .and_then(|rest| rest.rsplit('.').next())
        .is_some_and(|verb| verb.starts_with("get") || verb == "list")
}

/// The list names kinds of calls, not methods: reads, lists, edits, downloads and others.
fn drive(method: &str, download: bool) -> Option<u64> {
    let verb = method.rsplit('.').next().unwrap_or_default();
    Some(match verb {
        "get" if download => 200,
        "export" | "download" => 200,
        "list" => 100,
        "create" | "update" | "copy" | "delete" | "emptyTrash" | "hide" | "unhide"
        | "modifyLabels" => 50,
        "get" | "getStartPageToken" | "generateIds" => 5,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Methods of APIs with a quota that Google's page does not name.
    const UNLISTED: [&str; 1] = ["gmail.users.labels.patch"];

    fn methods() -> impl Iterator<Item = &'static str> {
        crate::routes::operations().map(|operation| operation.name)
    }

    #[test]
    fn every_method_has_its_price_in_both_lists() {
        let mut unlisted = Vec::new();
        let mut n_methods = 0;
        for method in methods() {
            let Some(api) = Api::of_method(method) else {
                continue;
            };
            n_methods += 1;
            for list in [PriceList::May2026, PriceList::Legacy] {
                match listed(list, api, method, false) {
                    Some(cost) => assert!(cost > 0, "{method}"),
                    None => unlisted.push(method),
                }
            }
        }
        unlisted.dedup();
        assert_eq!(unlisted, UNLISTED);
        assert!(n_methods > 80, "{n_methods}");
    }

    /// Neither budgets nor prices are to be had without a quota.
    #[test]
    fn what_has_no_quota_is_known() {
        let mut free: Vec<&str> = methods()
            .filter(|method| Api::of_method(method).is_none())
            .filter_map(|method| method.split('.').next())
            .collect();
        free.sort_unstable();
        free.dedup();
        assert_eq!(
            free,
            ["discovery", "iamcredentials", "metadata", "oauth", "pubsub"]
        );
    }

    #[test]
    fn a_get_costs_four_times_as_much_on_the_new_list() {
        let cost = |list, method| price(list, Api::Gmail, method, false);
        for (method, new, old) in [
            ("gmail.users.messages.get", 20, 5),
            ("gmail.users.threads.get", 40, 10),
            ("gmail.users.messages.list", 5, 5),
            ("gmail.users.history.list", 2, 2),
            ("gmail.users.getProfile", 1, 1),
            ("gmail.users.settings.sendAs.list", 1, 1),
            ("gmail.users.settings.getVacation", 1, 1),
            ("gmail.users.settings.updateVacation", 5, 5),
            ("gmail.users.messages.send", 100, 100),
            ("gmail.users.nonsense", 5, 5),
        ] {
            assert_eq!(cost(PriceList::May2026, method), new, "{method}");
            assert_eq!(cost(PriceList::Legacy, method), old, "{method}");
        }
        let drive = |method, download| price(PriceList::May2026, Api::Drive, method, download);
        assert_eq!(drive("drive.files.get", false), 5);
        assert_eq!(drive("drive.files.get", true), 200);
        assert_eq!(drive("drive.changes.list", false), 100);
        assert_eq!(drive("drive.files.update", false), 50);
        assert_eq!(drive("drive.changes.getStartPageToken", false), 5);
        assert_eq!(Api::of_method("oauth.token"), None);
        assert_eq!(Api::of_method("directory.users.list"), Some(Api::Directory));
    }
}
