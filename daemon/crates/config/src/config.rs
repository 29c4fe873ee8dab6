//! The validated config: what every part of the daemon is told. Made by [`Config::load`] and
//! [`Config::parse`] only; how the file is read and judged stands in the readers of the sections.

use crate::raw::Table;
use crate::report::Report;
use crate::{Errors, Files, SecretSource, keys};
use nuncio_model::{AccountKey, Address, Content, People, Person, SinkName, Source};
use std::collections::HashMap;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::Spanned;
use toml::de::DeTable;

/// A config without a single error.
#[derive(Debug, Clone)]
pub struct Config {
    /// How Google is reached.
    pub google: Google,
    /// What is synced and how often.
    pub sync: Sync,
    /// The users, in the order of the files; may be empty.
    pub users: Vec<User>,
    /// The sinks, sorted by name; may be empty.
    pub sinks: Vec<Sink>,
    /// The durable store.
    pub spool: Spool,
    /// Where plugins are found.
    pub plugins: Plugins,
    /// How the daemon logs.
    pub log: Log,
    /// Where the files name an address of a user: `file:line:column`.
    pub address_places: HashMap<Address, String>,
    /// Also what keeps anybody else from building a `Config` that was not judged.
    people: People,
}

/// `[google]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Google {
    /// On whose word users are read.
    pub mode: Mode,
    /// The service account that the domain delegated to; always there in the mode
    /// [`Mode::ServiceAccount`].
    pub service_account: Option<ServiceAccount>,
    /// `[google.per_user] client`: the OAuth client that users consent to; always there in the mode
    /// [`Mode::PerUser`] and with the fallback.
    pub oauth_client: Option<SecretSource>,
    /// `fallback = "per_user"`: users whom the delegation does not cover are read by their own
    /// consent.
    pub falls_back: bool,
    /// The administrator as whom the Directory is read; without one it is not read.
    pub admin: Option<Address>,
    /// The own domains in lower case, sorted; if the file names none, those of all addresses of
    /// all users.
    pub domains: Vec<String>,
    /// How calls are budgeted.
    pub quota: Quota,
    /// Stands for all of Google's hosts; for the fake Workspace. `None`: Google itself.
    pub endpoint: Option<Endpoint>,
}

impl Google {
    /// The files that hold what nuncio shows Google, whether the mode uses them or not.
    pub fn files(&self) -> Vec<PathBuf> {
        let of_account = match &self.service_account {
            Some(ServiceAccount::Key(SecretSource::File(path))) => Some(path),
            Some(ServiceAccount::Keyless(keyless)) => keyless.external_account.as_ref(),
            Some(ServiceAccount::Key(SecretSource::Credential(_))) | None => None,
        };
        let of_client = match &self.oauth_client {
            Some(SecretSource::File(path)) => Some(path),
            Some(SecretSource::Credential(_)) | None => None,
        };
        of_account.into_iter().chain(of_client).cloned().collect()
    }
}

/// `[google] mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// `"service_account"`: the domain's delegation.
    ServiceAccount,
    /// `"per_user"`: each user's own consent.
    PerUser,
}

impl Mode {
    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ServiceAccount => "service_account",
            Self::PerUser => "per_user",
        }
    }
}

/// How nuncio signs for the service account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceAccount {
    /// `service_account_key`: with its key.
    Key(SecretSource),
    /// `[google.keyless]`: Google signs.
    Keyless(Keyless),
}

impl std::fmt::Display for ServiceAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Key(source) => source.fmt(f),
            Self::Keyless(keyless) => {
                write!(f, "keyless {}", keyless.service_account)?;
                match &keyless.external_account {
                    Some(file) => write!(f, " by file:{}", file.display()),
                    None => f.write_str(" by the metadata server"),
                }
            }
        }
    }
}

/// `[google.keyless]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyless {
    /// The service account's address.
    pub service_account: Address,
    /// A file of the type `external_account`; none: the metadata server.
    pub external_account: Option<PathBuf>,
}

/// How calls are budgeted: `quota`, `quota_share` and `[google.quota_override]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Quota {
    /// Google's price list of the project.
    pub list: PriceList,
    /// The part of the project's budgets that this instance may use.
    pub share: f64,
    /// Single numbers in place of the list's: the key, such as `gmail_user_minute`, and units.
    pub overrides: Vec<(String, u64)>,
}

/// `[google] quota`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PriceList {
    /// `"off"`: no budget; only with an endpoint.
    Off,
    /// `"2026-05"`: of projects that began on 2026-05-01 or later.
    May2026,
    /// `"legacy"`: of older projects.
    Legacy,
}

impl PriceList {
    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::May2026 => "2026-05",
            Self::Legacy => "legacy",
        }
    }
}

/// The base URL of a stand-in for Google, such as `http://127.0.0.1:8087`: `https`, or `http` on
/// a loopback host; no user, path, query or trailing slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(pub(crate) String);

impl Endpoint {
    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// `[sync]`: the defaults of every user, and how feeds are polled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sync {
    /// What is synced for a user that names no sources; not empty.
    pub sources: Vec<Source>,
    /// How far back the first walk goes for a user that does not say.
    pub since: Since,
    /// The wished time between two polls of a feed.
    pub poll_interval: Duration,
    /// Whether mail in spam and trash counts as existing.
    pub include_spam_trash: bool,
    /// Whether drafts are records of their own.
    pub include_drafts: bool,
    /// Whether calendars are read that no synced user owns.
    pub subscribed_calendars: bool,
    /// Whether Google's own calendars (holidays, birthdays of contacts and the like) are read.
    pub holiday_calendars: bool,
    /// Which permissions of files are told.
    pub drive_permissions: DrivePermissions,
}

/// `[sync] drive_permissions`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DrivePermissions {
    /// `"listed"`: those that listings tell.
    Listed,
    /// `"full"`: all, asked for file by file.
    Full,
}

impl DrivePermissions {
    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Listed => "listed",
            Self::Full => "full",
        }
    }
}

/// How far back a feed's first walk goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// `"all"`.
    All,
    /// So long before the walk begins; fixed to an absolute time then.
    Within(Duration),
}

/// `[[users]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The primary address, unique over all users and their aliases.
    pub email: Address,
    /// A name for people to read.
    pub name: Option<String>,
    /// The other addresses, unique over all users.
    pub aliases: Vec<Address>,
    /// The mailboxes to sync; not empty. Each address is the email or an alias.
    pub accounts: Vec<Account>,
    /// The toggle: whether this user is synced at all.
    pub sync: bool,
    /// What is synced, the default from `[sync]` applied; not empty.
    pub sources: Vec<Source>,
    /// How far back, the default from `[sync]` applied.
    pub since: Since,
}

/// One of `accounts`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The mailbox's address.
    pub address: Address,
    /// The frozen key, set by hand to rebuild a lost spool; unique over all accounts.
    pub key: Option<AccountKey>,
}

/// `[sinks.NAME]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Sink {
    /// The name: 1 to 64 of `a-z`, `0-9`, `-`, `_`.
    pub name: SinkName,
    /// The component to load, as absolute path.
    pub plugin: PathBuf,
    /// Which kinds of record it gets; not empty.
    pub records: Vec<RecordKind>,
    /// The most content it gets, whatever the plugin asks; `None`: what it asks.
    pub content: Option<Content>,
    /// Passed to the plugin: always a JSON object. May hold secrets: never log it.
    pub settings: serde_json::Value,
    /// How records are grouped.
    pub batch: Batch,
    /// What one instance of the plugin may use.
    pub limits: Limits,
    /// How records that failed come again.
    pub retry: Retry,
    /// The rights; none by default.
    pub grants: Grants,
}

/// A kind of record, as in `records`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKind {
    /// Mails and their label changes.
    Email,
    /// Calendar events.
    Event,
    /// Files of Drive.
    File,
}

impl RecordKind {
    /// The kind of what comes of a source.
    pub fn of(source: Source) -> Self {
        match source {
            Source::Gmail => RecordKind::Email,
            Source::Calendar => RecordKind::Event,
            Source::Drive => RecordKind::File,
        }
    }
}

/// `batch`: a batch is sent as soon as one of the three is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// Records, 1 to 1,000.
    pub records: NonZeroUsize,
    /// Bytes of content; a single larger record is sent alone.
    pub bytes: u64,
    /// How long the first record waits for others.
    pub delay: Duration,
}

/// `limits`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of linear memory of an instance.
    pub memory_bytes: u64,
    /// Wall-clock time of one call.
    pub call_time: Duration,
    /// Calls at the same time, each in an instance of its own; 1 to 64.
    pub in_flight: NonZeroUsize,
    /// Log lines of the guest that are kept.
    pub log: Rate,
}

/// So many in each period, such as `"200/min"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many; 0 is none at all.
    pub count: u32,
    /// The period: a second, a minute or an hour.
    pub per: Duration,
}

/// `retry`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// A record that failed so often becomes a dead letter.
    pub max_attempts: NonZeroU32,
    /// The longest pause between two attempts.
    pub max_delay: Duration,
}

/// `[sinks.NAME.grants]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grants {
    /// Directories; no two with the same guest path.
    pub dirs: Vec<DirGrant>,
}

/// A directory that a plugin may reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirGrant {
    /// Where the guest sees it: absolute, normalized, without trailing slash.
    pub guest: String,
    /// The directory here: absolute, without `.` and `..`. Symbolic links are not resolved.
    pub host: PathBuf,
    /// What may be done in it.
    pub mode: DirMode,
}

/// `mode` of a granted directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DirMode {
    /// `"ro"`: read only.
    ReadOnly,
    /// `"rw"`: read and write.
    ReadWrite,
}

/// `[spool]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spool {
    /// Bytes that the spool may take; at the bound sources pause.
    pub max_bytes: u64,
}

/// `[plugins]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plugins {
    /// The folder in which a plugin named without a path is looked for; absolute.
    pub dir: PathBuf,
}

/// `[log]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// The form of a line.
    pub format: LogFormat,
}

/// `[log] format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// `"auto"`: pretty on a terminal, plain lines for the journal under systemd.
    Auto,
    /// `"pretty"`: for people.
    Pretty,
    /// `"json"`: one object a line.
    Json,
}

impl LogFormat {
    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Pretty => "pretty",
            Self::Json => "json",
        }
    }
}

impl Config {
    /// Reads the file at `path` and its drop-ins, and hands out the files as they were read.
    ///
    /// # Errors
    /// Everything that is wrong with the files (readable, closed to other writers) and with their
    /// content, at once.
    pub fn load(path: &Path) -> Result<(Self, Files), Errors> {
        let (files, mut problems) = Files::read(path);
        let judged = files.as_ref().map(Self::of);
        match (judged, files) {
            (Some(Ok(config)), Some(files)) if problems.is_empty() => Ok((config, files)),
            (judged, _) => {
                if let Some(Err(errors)) = judged {
                    problems.extend(errors.into_problems());
                }
                Err(Errors::new(problems))
            }
        }
    }

    /// Reads `text`; `file_name` is what errors call it. No file is touched.
    ///
    /// # Errors
    /// As [`Config::of`].
    pub fn parse(file_name: &str, text: &str) -> Result<Self, Errors> {
        Self::of(&Files::of_text(file_name, text))
    }

    /// Judges files that were read.
    ///
    /// # Errors
    /// Everything that is wrong, sorted by place; of a file that is not TOML the first error only,
    /// for what follows it may be misread.
    pub fn of(files: &Files) -> Result<Self, Errors> {
        let mut files = files.iter();
        let (main_name, main_text) = files.next().unwrap_or_default();
        let mut report = Report::new(main_name, main_text);
        let main = tree(main_text, &mut report);
        let mut drop_ins = Vec::new();
        for (name, text) in files {
            let number = report.open(name, text);
            drop_ins.extend(tree(text, &mut report).map(|tree| (number, tree)));
        }
        report.turn_to(0);
        let Some(main) = main else {
            return Err(report.into_errors());
        };
        let main = Table::new("", main.get_ref(), 0..0);
        let drop_ins: Vec<(usize, Table<'_>)> = drop_ins
            .iter()
            .map(|(number, tree)| (*number, Table::new("", tree.get_ref(), 0..0)))
            .collect();
        match read(&main, &drop_ins, main_name, &mut report) {
            Some(config) if report.is_clean() => Ok(config),
            _ => Err(report.into_errors()),
        }
    }

    /// Resolves addresses to users, with the own domains.
    pub fn people(&self) -> People {
        self.people.clone()
    }
}

/// The tree of one file, or `None` with a report.
fn tree<'a>(text: &'a str, report: &mut Report<'_>) -> Option<Spanned<DeTable<'a>>> {
    match DeTable::parse(text) {
        Ok(tree) => Some(tree),
        Err(error) => {
            let span = error.span().unwrap_or(0..0);
            let message = format!("not valid TOML: {}", error.message().replace('\n', ", "));
            let hint = "correct the marked place; the rest of the file is judged after that";
            report.add_syntax(&span, message, hint);
            None
        }
    }
}

/// Reads all sections; `None` only after a report.
fn read(
    main: &Table<'_>,
    drop_ins: &[(usize, Table<'_>)],
    main_name: &str,
    report: &mut Report<'_>,
) -> Option<Config> {
    main.check_keys(&keys::TOP, report);
    let google = crate::google::read(main, report);
    let endpoint = main
        .value("google")
        .and_then(|google| google.get_ref().get("endpoint"));
    let sync = crate::sync::read(&main.table("sync", report), endpoint.is_some(), report);
    let plugins = crate::storage::plugins(&main.table("plugins", report), report);
    let guarded = crate::sinks::Guarded {
        config: Path::new(main_name),
        plugins: &plugins.dir,
        secrets: google.as_ref().map(Google::files).unwrap_or_default(),
    };
    let spool = crate::storage::spool(&main.table("spool", report), report);
    let log = crate::storage::log(&main.table("log", report), report);

    let mut seen_users = crate::users::Seen::default();
    let mut seen_sinks = crate::sinks::Seen::default();
    let mut users = crate::users::read(main, &sync, &mut seen_users, report);
    let sinks = main.table("sinks", report);
    let mut sinks = crate::sinks::read(&sinks, &guarded, &mut seen_sinks, report);
    for (number, top) in drop_ins {
        report.turn_to(*number);
        top.check_drop_in(report);
        users.extend(crate::users::read(top, &sync, &mut seen_users, report));
        let table = top.table("sinks", report);
        sinks.extend(crate::sinks::read(
            &table,
            &guarded,
            &mut seen_sinks,
            report,
        ));
    }
    if !report.is_clean() {
        return None;
    }
    sinks.sort_by(|one, other| one.name.cmp(&other.name));
    let address_places = seen_users.places(report);
    let mut google = google?;
    if google.domains.is_empty() {
        google.domains = domains_of(&users);
    }
    let persons: Vec<Person> = users
        .iter()
        .map(|user| Person {
            email: user.email.clone(),
            aliases: user.aliases.clone(),
        })
        .collect();
    let people = People::try_new(&persons, &google.domains)
        .expect("an address of two users was reported while the users were read");
    Some(Config {
        google,
        sync,
        users,
        sinks,
        spool,
        plugins,
        log,
        address_places,
        people,
    })
}

fn domains_of(users: &[User]) -> Vec<String> {
    let mut domains: Vec<String> = users
        .iter()
        .flat_map(|user| std::iter::once(&user.email).chain(&user.aliases))
        .map(|address| address.domain().to_owned())
        .collect();
    domains.sort();
    domains.dedup();
    domains
}
