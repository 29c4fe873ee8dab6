//! Google's price lists: what a call costs and what may be spent, by API. Read 2026-11 from
//! <https://developers.google.com/workspace/gmail/api/reference/quota>,
//! <https://developers.google.com/workspace/calendar/api/guides/quota>,
//! <https://developers.google.com/workspace/drive/api/guides/limits> and
//! <https://developers.google.com/workspace/admin/directory/v1/limits>.
//! Spending itself is in `mod.rs`.

/// Which of Google's price lists is in force for the project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PriceList {
    /// Nothing is budgeted; for stand-ins of Google only.
    Off,
    /// Of projects that began on 2026-05-01 or later.
    #[default]
    May2026,
    /// Of projects that used the APIs before.
    Legacy,
}

/// What bounds the use of Google's budgets.
#[derive(Debug, Clone, PartialEq)]
pub struct QuotaOptions {
    /// The list.
    pub list: PriceList,
    /// The part of the project's budgets that this instance may use, above 0, at most 1.
    pub share: f64,
    /// Single numbers in place of the list's, in units.
    pub overrides: Vec<(ApiName, Limit, u64)>,
}

impl Default for QuotaOptions {
    fn default() -> Self {
        Self {
            list: PriceList::default(),
            share: 1.0,
            overrides: Vec::new(),
        }
    }
}

/// An API with budgets of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ApiName {
    /// Gmail.
    Gmail,
    /// Calendar.
    Calendar,
    /// Drive.
    Drive,
    /// The Directory.
    Directory,
}

impl ApiName {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Gmail, Self::Calendar, Self::Drive, Self::Directory];

    /// The name in method ids and in the config.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gmail => "gmail",
            Self::Calendar => "calendar",
            Self::Drive => "drive",
            Self::Directory => "directory",
        }
    }

    /// The API of a method id; none for tokens, which have no budget.
    pub(crate) fn of_method(method: &str) -> Option<Self> {
        let name = method.split_once('.')?.0;
        Self::ALL.into_iter().find(|api| api.as_str() == name)
    }
}

/// A budget that can run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Limit {
    /// Of one user in a minute.
    UserMinute,
    /// Of the whole project in a minute.
    ProjectMinute,
    /// Of the whole project in a day, which begins at midnight in Pacific time.
    ProjectDay,
}

impl Limit {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::UserMinute, Self::ProjectMinute, Self::ProjectDay];

    /// The name in the config and in status.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UserMinute => "user_minute",
            Self::ProjectMinute => "project_minute",
            Self::ProjectDay => "project_day",
        }
    }
}

impl QuotaOptions {
    /// Units that may be spent; none is no limit.
    ///
    /// The daily numbers of the new list are what Google begins to bill at. They are kept as
    /// limits: a mirror of a domain must not run up a bill by itself. An override lifts them.
    pub(crate) fn budget(&self, api: ApiName, limit: Limit) -> Option<u64> {
        let own = self
            .overrides
            .iter()
            .rev()
            .find(|(of, which, _)| (*of, *which) == (api, limit));
        let units = match own {
            Some((_, _, units)) => *units,
            None => listed(self.list, api, limit)?,
        };
        Some(match limit {
            Limit::UserMinute => units,
            Limit::ProjectMinute | Limit::ProjectDay => share_of(units, self.share),
        })
    }

    /// What a call costs.
    pub(crate) fn price(&self, method: &str) -> u64 {
        let legacy = self.list == PriceList::Legacy;
        match ApiName::of_method(method) {
            Some(ApiName::Gmail) => gmail(method, legacy),
            Some(ApiName::Drive) if !legacy => drive(method),
            Some(ApiName::Drive | ApiName::Calendar | ApiName::Directory) => 1,
            None => 0,
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "budgets are far below 2^53"
)]
fn share_of(units: u64, share: f64) -> u64 {
    ((units as f64) * share.clamp(0.0, 1.0)) as u64
}

fn listed(list: PriceList, api: ApiName, limit: Limit) -> Option<u64> {
    let legacy = match list {
        PriceList::Off => return None,
        PriceList::May2026 => false,
        PriceList::Legacy => true,
    };
    match (api, limit) {
        (ApiName::Gmail, Limit::UserMinute) => Some(if legacy { 15_000 } else { 6_000 }),
        (ApiName::Gmail, Limit::ProjectMinute) => Some(1_200_000),
        // The old numbers of Calendar are those of the console and were never published.
        (ApiName::Calendar, Limit::UserMinute) => Some(600),
        (ApiName::Calendar, Limit::ProjectMinute) => Some(10_000),
        (ApiName::Drive, Limit::UserMinute) => Some(if legacy { 12_000 } else { 325_000 }),
        (ApiName::Drive, Limit::ProjectMinute) => Some(if legacy { 12_000 } else { 1_000_000 }),
        (ApiName::Directory, Limit::UserMinute) => Some(2_400),
        (ApiName::Gmail, Limit::ProjectDay) if !legacy => Some(80_000_000),
        (ApiName::Calendar, Limit::ProjectDay) if !legacy => Some(1_000_000),
        (ApiName::Drive, Limit::ProjectDay) if !legacy => Some(400_000_000),
        (_, Limit::ProjectMinute | Limit::ProjectDay) => None,
    }
}

/// The format of a message does not change its price.
fn gmail(method: &str, legacy: bool) -> u64 {
    let (new, old) = match method {
        "gmail.users.getProfile"
        | "gmail.users.labels.list"
        | "gmail.users.labels.get"
        | "gmail.users.settings.sendAs.list" => (1, 1),
        "gmail.users.history.list" => (2, 2),
        "gmail.users.messages.list" | "gmail.users.drafts.list" => (5, 5),
        "gmail.users.threads.list" => (10, 10),
        "gmail.users.threads.get" => (40, 10),
        "gmail.users.messages.send" => (100, 100),
        // messages.get, attachments.get and drafts.get; and so that nothing is underpriced, what
        // is not listed here.
        _ => (20, 5),
    };
    if legacy { old } else { new }
}

fn drive(method: &str) -> u64 {
    match method.rsplit('.').next() {
        Some("list") => 100,
        Some("create" | "update" | "copy" | "delete") => 50,
        _ => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(list: PriceList) -> QuotaOptions {
        QuotaOptions {
            list,
            ..QuotaOptions::default()
        }
    }

    #[test]
    fn prices_are_googles() {
        for (method, new, old) in [
            ("gmail.users.messages.get", 20, 5),
            ("gmail.users.threads.get", 40, 10),
            ("gmail.users.messages.list", 5, 5),
            ("gmail.users.history.list", 2, 2),
            ("gmail.users.getProfile", 1, 1),
            ("calendar.events.list", 1, 1),
            ("drive.changes.list", 100, 1),
            ("drive.files.get", 5, 1),
            ("drive.changes.getStartPageToken", 5, 1),
            ("directory.users.get", 1, 1),
            ("oauth2.token", 0, 0),
        ] {
            assert_eq!(options(PriceList::May2026).price(method), new, "{method}");
            assert_eq!(options(PriceList::Legacy).price(method), old, "{method}");
        }
    }

    #[test]
    fn overrides_and_share_change_the_listed_budgets() {
        let mut options = options(PriceList::May2026);
        let gmail = |options: &QuotaOptions, limit| options.budget(ApiName::Gmail, limit);
        assert_eq!(gmail(&options, Limit::UserMinute), Some(6_000));
        options.share = 0.5;
        options.overrides = vec![(ApiName::Gmail, Limit::UserMinute, 60)];
        assert_eq!(gmail(&options, Limit::UserMinute), Some(60));
        assert_eq!(gmail(&options, Limit::ProjectMinute), Some(600_000));
        assert_eq!(gmail(&options, Limit::ProjectDay), Some(40_000_000));
        options.list = PriceList::Off;
        options.overrides.clear();
        for limit in Limit::ALL {
            assert_eq!(gmail(&options, limit), None);
        }
    }
}
