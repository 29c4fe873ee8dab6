//! What one config changes against another, for people and scripts: `nuncio plan`, the log of a
//! reload and its history. What follows for feeds and sinks is the daemon's business.

use crate::config::{Config, DirGrant, DirMode, Since, Sink, User};
use crate::values;
use nuncio_model::{Address, Content, SinkName};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

/// Everything that a config changes; empty if nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Diff {
    /// Users, sorted by email.
    pub users: Vec<UserChange>,
    /// Sinks, sorted by name.
    pub sinks: Vec<SinkChange>,
    /// Everything else, in the order of the sections.
    pub settings: Vec<SettingChange>,
}

/// What becomes of one user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserChange {
    /// The email in the new config, in the old one if it is removed.
    pub email: String,
    /// In which way.
    pub change: UserChangeKind,
    /// The email before, if that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What is other than before, in words; for a new user what it is made of.
    pub details: Vec<String>,
}

/// In which way a user changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserChangeKind {
    /// New.
    Added,
    /// Not there any more.
    Removed,
    /// There, but not synced any more.
    Paused,
    /// Synced again.
    Resumed,
    /// Another email, the old one among the aliases.
    Renamed,
    /// Something else.
    Changed,
}

/// What becomes of one sink.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkChange {
    /// The name.
    pub name: String,
    /// In which way.
    pub change: SinkChangeKind,
    /// What is other than before, in words; never a value of `settings`.
    pub details: Vec<String>,
    /// What the sink may do or get beyond what it did before.
    pub widened: Vec<String>,
}

/// In which way a sink changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SinkChangeKind {
    /// New.
    Added,
    /// Not there any more.
    Removed,
    /// Goes on otherwise.
    Changed,
}

/// A value that is other than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingChange {
    /// Such as `[sync] poll_interval`.
    pub key: String,
    /// Before.
    pub from: String,
    /// Now.
    pub to: String,
    /// Whether it needs a restart of the daemon.
    pub needs_restart: bool,
}

impl UserChangeKind {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::Renamed => "renamed",
            Self::Changed => "changed",
        }
    }
}

impl SinkChangeKind {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }
}

impl Diff {
    /// What `new` changes against `old`; without an old one everything is new.
    pub fn between(old: Option<&Config>, new: &Config) -> Self {
        Self {
            users: users(old.map_or(&[], |old| &old.users), &new.users),
            sinks: sinks(old.map_or(&[], |old| &old.sinks), &new.sinks),
            settings: old.map_or_else(Vec::new, |old| settings(old, new)),
        }
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.sinks.is_empty() && self.settings.is_empty()
    }

    /// How many users change in this way.
    pub fn n_users(&self, change: UserChangeKind) -> usize {
        let users = self.users.iter();
        users.filter(|user| user.change == change).count()
    }

    /// One line: how many of what change.
    pub fn summary(&self) -> String {
        let mut parts = Vec::new();
        let mut add = |n: usize, what: &str, how: &str| {
            if n > 0 {
                let plural = if n == 1 { "" } else { "s" };
                parts.push(format!("{n} {what}{plural} {how}"));
            }
        };
        for change in [
            UserChangeKind::Added,
            UserChangeKind::Removed,
            UserChangeKind::Paused,
            UserChangeKind::Resumed,
            UserChangeKind::Renamed,
            UserChangeKind::Changed,
        ] {
            add(self.n_users(change), "user", change.as_str());
        }
        for change in [
            SinkChangeKind::Added,
            SinkChangeKind::Removed,
            SinkChangeKind::Changed,
        ] {
            let sinks = self.sinks.iter();
            let n = sinks.filter(|sink| sink.change == change).count();
            add(n, "sink", change.as_str());
        }
        add(self.settings.len(), "setting", "changed");
        match parts.is_empty() {
            true => "nothing changes".to_owned(),
            false => parts.join(", "),
        }
    }
}

impl fmt::Display for Diff {
    /// A line for each change: `+` new, `-` gone, `~` other than before.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for user in &self.users {
            let mark = match user.change {
                UserChangeKind::Added => '+',
                UserChangeKind::Removed => '-',
                _ => '~',
            };
            write!(f, "{mark} user {} {}", user.email, user.change.as_str())?;
            if let Some(from) = &user.from {
                write!(f, " from {from}")?;
            }
            end_line(f, &user.details)?;
        }
        for sink in &self.sinks {
            let mark = match sink.change {
                SinkChangeKind::Added => '+',
                SinkChangeKind::Removed => '-',
                SinkChangeKind::Changed => '~',
            };
            write!(f, "{mark} sink {} {}", sink.name, sink.change.as_str())?;
            end_line(f, &sink.details)?;
            for widened in &sink.widened {
                writeln!(f, "    ! {widened}")?;
            }
        }
        for setting in &self.settings {
            write!(f, "~ {}: {} -> {}", setting.key, setting.from, setting.to)?;
            writeln!(
                f,
                "{}",
                if setting.needs_restart {
                    " (needs a restart)"
                } else {
                    ""
                }
            )?;
        }
        Ok(())
    }
}

fn end_line(f: &mut fmt::Formatter<'_>, details: &[String]) -> fmt::Result {
    match details.is_empty() {
        true => writeln!(f),
        false => writeln!(f, ": {}", details.join("; ")),
    }
}

fn users(old: &[User], new: &[User]) -> Vec<UserChange> {
    let old_by_email: BTreeMap<&Address, &User> =
        old.iter().map(|user| (&user.email, user)).collect();
    let new_emails: BTreeSet<&Address> = new.iter().map(|user| &user.email).collect();
    // Who has the old email of a user that is gone is that user.
    let mut heirs: HashMap<&Address, &User> = HashMap::new();
    for user in new
        .iter()
        .filter(|user| !old_by_email.contains_key(&user.email))
    {
        for alias in &user.aliases {
            if let Some(former) = old_by_email.get(alias)
                && !new_emails.contains(alias)
            {
                heirs.entry(&user.email).or_insert(former);
            }
        }
    }
    let inherited: BTreeSet<&Address> = heirs.values().map(|former| &former.email).collect();
    let mut changes: Vec<UserChange> = new
        .iter()
        .filter_map(|user| match old_by_email.get(&user.email) {
            Some(before) => changed(before, user, None),
            None => match heirs.get(&user.email) {
                Some(before) => changed(before, user, Some(before.email.as_str())),
                None => Some(added(user)),
            },
        })
        .collect();
    let gone = old
        .iter()
        .filter(|user| !new_emails.contains(&user.email) && !inherited.contains(&user.email));
    changes.extend(gone.map(|user| UserChange {
        email: user.email.to_string(),
        change: UserChangeKind::Removed,
        from: None,
        details: Vec::new(),
    }));
    changes.sort_by(|one, other| one.email.cmp(&other.email));
    changes
}

fn added(user: &User) -> UserChange {
    let sources: Vec<&str> = user.sources.iter().map(|source| source.as_str()).collect();
    let mut details = vec![sources.join(", ")];
    if !user.sync {
        details = vec!["not synced".to_owned()];
    }
    if user.accounts.len() != 1 || user.accounts[0].address != user.email {
        let accounts = user.accounts.iter().map(|account| account.address.as_str());
        details.push(format!(
            "accounts {}",
            accounts.collect::<Vec<_>>().join(", ")
        ));
    }
    UserChange {
        email: user.email.to_string(),
        change: UserChangeKind::Added,
        from: None,
        details,
    }
}

fn changed(before: &User, after: &User, from: Option<&str>) -> Option<UserChange> {
    let mut details = Vec::new();
    let texts = |addresses: &[Address]| -> BTreeSet<String> {
        addresses.iter().map(Address::to_string).collect()
    };
    let accounts = |user: &User| -> BTreeSet<String> {
        let accounts = user.accounts.iter();
        accounts
            .map(|account| account.address.to_string())
            .collect()
    };
    let sources = |user: &User| -> BTreeSet<String> {
        let sources = user.sources.iter();
        sources.map(|source| source.as_str().to_owned()).collect()
    };
    set_change(
        "aliases",
        &texts(&before.aliases),
        &texts(&after.aliases),
        &mut details,
    );
    set_change(
        "accounts",
        &accounts(before),
        &accounts(after),
        &mut details,
    );
    set_change("sources", &sources(before), &sources(after), &mut details);
    let keys = |user: &User| -> Vec<_> {
        let accounts = user.accounts.iter();
        accounts
            .map(|a| (a.address.clone(), a.key.clone()))
            .collect()
    };
    if accounts(before) == accounts(after) && keys(before) != keys(after) {
        details.push("account keys; they count for accounts that are new".to_owned());
    }
    if before.since != after.since {
        details.push(format!(
            "since {} -> {}; it counts for feeds that are new",
            since(before.since),
            since(after.since)
        ));
    }
    if before.name != after.name {
        details.push("name".to_owned());
    }
    let change = match (before.sync, after.sync, from) {
        (true, false, _) => UserChangeKind::Paused,
        (_, _, Some(_)) => UserChangeKind::Renamed,
        (false, true, None) => UserChangeKind::Resumed,
        _ if details.is_empty() => return None,
        _ => UserChangeKind::Changed,
    };
    Some(UserChange {
        email: after.email.to_string(),
        change,
        from: from.map(str::to_owned),
        details,
    })
}

/// `aliases +a -b`.
fn set_change(
    name: &str,
    before: &BTreeSet<String>,
    after: &BTreeSet<String>,
    details: &mut Vec<String>,
) {
    let new = after.difference(before).map(|text| format!(" +{text}"));
    let gone = before.difference(after).map(|text| format!(" -{text}"));
    let changes: String = new.chain(gone).collect();
    if !changes.is_empty() {
        details.push(format!("{name}{changes}"));
    }
}

fn sinks(old: &[Sink], new: &[Sink]) -> Vec<SinkChange> {
    let names: BTreeSet<_> = old.iter().chain(new).map(|sink| &sink.name).collect();
    let find =
        |sinks: &[Sink], name: &SinkName| sinks.iter().find(|sink| sink.name == *name).cloned();
    let changes = names.into_iter().filter_map(|name| {
        let (before, after) = (find(old, name), find(new, name));
        let (change, details, widened) = match (&before, &after) {
            (Some(_), None) => (SinkChangeKind::Removed, Vec::new(), Vec::new()),
            (None, Some(after)) => (SinkChangeKind::Added, Vec::new(), widened(None, after)),
            (Some(before), Some(after)) if before != after => (
                SinkChangeKind::Changed,
                sink_details(before, after),
                widened(Some(before), after),
            ),
            _ => return None,
        };
        Some(SinkChange {
            name: name.to_string(),
            change,
            details,
            widened,
        })
    });
    changes.collect()
}

fn sink_details(before: &Sink, after: &Sink) -> Vec<String> {
    // Compared by destructuring, so that a new member is not forgotten here.
    let Sink {
        name: _,
        plugin,
        records,
        content,
        settings,
        batch,
        limits,
        retry,
        grants,
    } = before;
    let is_other = [
        ("plugin", *plugin != after.plugin),
        ("records", *records != after.records),
        ("content", *content != after.content),
        ("settings", *settings != after.settings),
        ("batch", *batch != after.batch),
        ("limits", *limits != after.limits),
        ("retry", *retry != after.retry),
        ("grants", *grants != after.grants),
    ];
    let other = is_other.into_iter().filter(|(_, is_other)| *is_other);
    other.map(|(name, _)| name.to_owned()).collect()
}

/// What `after` may beyond what `before` might: grants, and more content.
fn widened(before: Option<&Sink>, after: &Sink) -> Vec<String> {
    let mut widened = Vec::new();
    // Without a cap the plugin alone decides.
    let content = |sink: &Sink| sink.content.unwrap_or(Content::Raw);
    if let Some(before) = before
        && content(after) > content(before)
    {
        let shown = |sink: &Sink| sink.content.map_or("what the plugin asks", Content::as_str);
        widened.push(format!("content {} -> {}", shown(before), shown(after)));
    }
    let had: &[DirGrant] = before.map_or(&[], |sink| &sink.grants.dirs);
    for dir in &after.grants.dirs {
        let covers = |other: &DirGrant| {
            other.host == dir.host && (other.mode == DirMode::ReadWrite || dir.mode == other.mode)
        };
        if !had.iter().any(covers) {
            let mode = match dir.mode {
                DirMode::ReadOnly => "read",
                DirMode::ReadWrite => "read and write",
            };
            widened.push(format!("may {mode} {}", dir.host.display()));
        }
    }
    widened
}

fn since(since: Since) -> String {
    match since {
        Since::All => "all".to_owned(),
        Since::Within(duration) => values::shown(duration),
    }
}

fn settings(old: &Config, new: &Config) -> Vec<SettingChange> {
    let mut changes = Vec::new();
    let mut add = |key: &str, from: String, to: String, needs_restart: bool| {
        if from != to {
            changes.push(SettingChange {
                key: key.to_owned(),
                from,
                to,
                needs_restart,
            });
        }
    };
    let option = |text: Option<&str>| text.unwrap_or("none").to_owned();
    let (one, other) = (&old.google, &new.google);
    let mode = |google: &crate::Google| google.mode.as_str().to_owned();
    add("[google] mode", mode(one), mode(other), false);
    let account = |google: &crate::Google| match &google.service_account {
        Some(account) => account.to_string(),
        None => "none".to_owned(),
    };
    add(
        "[google] service account",
        account(one),
        account(other),
        false,
    );
    let client = |google: &crate::Google| match &google.oauth_client {
        Some(client) => client.to_string(),
        None => "none".to_owned(),
    };
    add(
        "[google.per_user] client",
        client(one),
        client(other),
        false,
    );
    let fallback = |google: &crate::Google| match google.falls_back {
        true => crate::Mode::PerUser.as_str().to_owned(),
        false => "none".to_owned(),
    };
    add("[google] fallback", fallback(one), fallback(other), false);
    let admin = |google: &crate::Google| option(google.admin.as_ref().map(Address::as_str));
    add("[google] admin", admin(one), admin(other), false);
    let domains = |google: &crate::Google| google.domains.join(", ");
    add("[google] domains", domains(one), domains(other), false);
    let endpoint =
        |google: &crate::Google| option(google.endpoint.as_ref().map(|endpoint| endpoint.as_str()));
    add("[google] endpoint", endpoint(one), endpoint(other), true);
    let quota = |google: &crate::Google| {
        let quota = &google.quota;
        let overrides = quota.overrides.iter();
        let overrides: String = overrides
            .map(|(key, units)| format!(", {key} {units}"))
            .collect();
        format!("{}, share {}{overrides}", quota.list.as_str(), quota.share)
    };
    add("[google] quota", quota(one), quota(other), false);
    let (one, other) = (&old.sync, &new.sync);
    add(
        "[sync] poll_interval",
        values::shown(one.poll_interval),
        values::shown(other.poll_interval),
        false,
    );
    // Users show what becomes of the defaults; this is for what belongs to the domain.
    add("[sync] since", since(one.since), since(other.since), false);
    for (name, from, to) in [
        (
            "include_spam_trash",
            one.include_spam_trash,
            other.include_spam_trash,
        ),
        ("include_drafts", one.include_drafts, other.include_drafts),
        (
            "subscribed_calendars",
            one.subscribed_calendars,
            other.subscribed_calendars,
        ),
        (
            "holiday_calendars",
            one.holiday_calendars,
            other.holiday_calendars,
        ),
    ] {
        add(
            &format!("[sync] {name}"),
            from.to_string(),
            to.to_string(),
            false,
        );
    }
    let permissions = |sync: &crate::Sync| sync.drive_permissions.as_str().to_owned();
    add(
        "[sync] drive_permissions",
        permissions(one),
        permissions(other),
        false,
    );
    let bytes = |config: &Config| values::shown_size(config.spool.max_bytes);
    add("[spool] max_bytes", bytes(old), bytes(new), true);
    let format = |config: &Config| config.log.format.as_str().to_owned();
    add("[log] format", format(old), format(new), true);
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOGLE: &str = "[google]\nservice_account_key = \"file:/etc/nuncio/key.json\"\n";

    fn config(text: &str) -> Config {
        Config::parse("nuncio.toml", &format!("{GOOGLE}{text}")).unwrap()
    }

    fn user(email: &str, more: &str) -> String {
        format!("[[users]]\nemail = \"{email}\"\n{more}\n")
    }

    fn shown(old: &str, new: &str) -> String {
        Diff::between(Some(&config(old)), &config(new)).to_string()
    }

    #[test]
    fn the_same_config_changes_nothing_wherever_its_parts_stand() {
        let (ana, ben) = (
            user("ana@example.com", ""),
            user("ben@example.com", "name = \"B\""),
        );
        let diff = Diff::between(
            Some(&config(&format!("{ana}{ben}"))),
            &config(&format!("{ben}{ana}")),
        );
        assert!(diff.is_empty(), "{diff}");
        assert_eq!(diff.summary(), "nothing changes");
    }

    #[test]
    fn each_change_of_a_user_has_its_word() {
        let old = [
            user("ana@example.com", "aliases = [\"a@example.com\"]"),
            user("ben@example.com", ""),
            user("cid@example.com", ""),
            user("dan@example.com", "sync = false"),
            user("eva@example.com", "since = \"30d\"\nsources = [\"gmail\"]"),
        ]
        .concat();
        let new = [
            user("ana@example.com", "aliases = [\"an@example.com\"]"),
            user("cid@example.com", "sync = false"),
            user("dan@example.com", ""),
            user("eve@example.com", "aliases = [\"eva@example.com\"]\nsince = \"all\"\nsources = [\"gmail\", \"drive\"]"),
            user("new@example.com", "sources = [\"calendar\"]"),
        ]
        .concat();
        assert_eq!(
            shown(&old, &new),
            "~ user ana@example.com changed: aliases +an@example.com -a@example.com\n\
             - user ben@example.com removed\n\
             ~ user cid@example.com paused\n\
             ~ user dan@example.com resumed\n\
             ~ user eve@example.com renamed from eva@example.com: aliases +eva@example.com; \
             accounts +eve@example.com -eva@example.com; sources +drive; \
             since 30d -> all; it counts for feeds that are new\n\
             + user new@example.com added: calendar\n"
        );
        let diff = Diff::between(Some(&config(&old)), &config(&new));
        assert_eq!(
            diff.summary(),
            "1 user added, 1 user removed, 1 user paused, 1 user resumed, 1 user renamed, 1 user changed"
        );
    }

    #[test]
    fn an_alias_that_is_still_a_user_makes_nobody_its_heir() {
        let old = user("ana@example.com", "");
        let new = user("new@example.com", "aliases = [\"old@example.com\"]");
        assert_eq!(
            shown(&old, &new),
            "- user ana@example.com removed\n+ user new@example.com added: gmail, calendar, drive\n"
        );
    }

    #[test]
    fn sinks_tell_what_widens_and_never_a_setting() {
        let sink = |more: &str| format!("[sinks.a]\nplugin = \"a.wasm\"\n{more}");
        let old = sink(
            "content = \"text\"\nsettings = { token = \"hunter2\" }\n[sinks.a.grants]\n\
             dirs = [{ guest = \"/a\", host = \"/srv/a\", mode = \"ro\" }, { guest = \"/b\", host = \"/srv/b\", mode = \"rw\" }]",
        );
        let new = sink(
            "settings = { token = \"hunter3\" }\n[sinks.a.grants]\n\
             dirs = [{ guest = \"/a\", host = \"/srv/a\", mode = \"rw\" }, { guest = \"/b\", host = \"/srv/b\", mode = \"ro\" }]\n\
             [sinks.b]\nplugin = \"b.wasm\"",
        );
        let text = shown(&old, &new);
        assert_eq!(
            text,
            "~ sink a changed: content; settings; grants\n    ! content text -> what the plugin asks\n    \
             ! may read and write /srv/a\n+ sink b added\n"
        );
        let back = shown(&new, &old);
        assert_eq!(
            back,
            "~ sink a changed: content; settings; grants\n    ! may read and write /srv/b\n- sink b removed\n"
        );
    }

    #[test]
    fn settings_tell_both_values_and_whether_a_restart_is_needed() {
        let old = "[sync]\npoll_interval = \"30s\"\n[spool]\nmax_bytes = \"1GiB\"\n";
        let new = "[sync]\ninclude_drafts = true\n";
        assert_eq!(
            shown(old, new),
            "~ [sync] poll_interval: 30s -> 1m\n~ [sync] include_drafts: false -> true\n\
             ~ [spool] max_bytes: 1GiB -> 10GiB (needs a restart)\n"
        );
    }
}
