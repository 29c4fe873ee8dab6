//! `nuncio setup`: what has to be done at Google and under systemd for this config, step by step,
//! with the values filled in. Nothing is contacted and nothing is changed.

use super::{Common, print};
use crate::exit::{CONFIG, Failure};
use clap::Args;
use nuncio_config::{Config, DirMode, Mode, SecretSource, ServiceAccount};
use nuncio_google::{SCOPES_DIRECTORY, Scopes};
use nuncio_model::Source;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Show what has to be done at Google for this config: APIs, client id, scopes.
#[derive(Args)]
pub(super) struct Setup {
    /// Print the drop-in for nuncio.service that this config needs, and nothing else.
    #[arg(long)]
    systemd: bool,
    /// As JSON: `{client_id, project, scopes, apis, delegation_url}`.
    #[arg(long, conflicts_with = "systemd")]
    json: bool,
}

/// What the steps are made of.
struct Plan {
    mode: Mode,
    /// The service account's numeric id, as its key tells it.
    client_id: Option<String>,
    project: Option<String>,
    scopes: Vec<&'static str>,
    apis: Vec<&'static str>,
}

impl Setup {
    pub(super) fn run(self, common: &Common) -> Result<(), Failure> {
        let config = match Config::load(&common.config) {
            Ok((config, _)) => config,
            Err(errors) => return Err(Failure::new(CONFIG, errors.to_string())),
        };
        if self.systemd {
            return print(drop_in(&config).trim_end());
        }
        let plan = Plan::of(&config);
        match self.json {
            true => {
                print(&serde_json::to_string_pretty(&plan.json()).map_err(anyhow::Error::from)?)
            }
            false => print(&plan.steps(&config)),
        }
    }
}

impl Plan {
    fn of(config: &Config) -> Self {
        let key = read_key(config);
        let text = |name: &str| {
            let value = key.as_ref().and_then(|key| key.get(name));
            value.and_then(Value::as_str).map(str::to_owned)
        };
        let synced = config.users.iter().filter(|user| user.sync);
        let used: Vec<Source> = synced.flat_map(|user| user.sources.clone()).collect();
        let mut sources = vec![Source::Gmail, Source::Calendar, Source::Drive];
        match used.is_empty() {
            true => sources.retain(|source| config.sync.sources.contains(source)),
            false => sources.retain(|source| used.contains(source)),
        }
        let (mut scopes, mut apis): (Vec<&str>, Vec<&str>) = sources
            .iter()
            .map(|source| {
                let scopes: Scopes = crate::reload::scopes(*source);
                let api = match source {
                    Source::Gmail => "gmail.googleapis.com",
                    Source::Calendar => "calendar-json.googleapis.com",
                    Source::Drive => "drive.googleapis.com",
                };
                (scopes.urls()[0], api)
            })
            .unzip();
        if config.google.admin.is_some() {
            scopes.push(SCOPES_DIRECTORY.urls()[0]);
            apis.push("admin.googleapis.com");
        }
        if let Some(ServiceAccount::Keyless(_)) = config.google.service_account {
            apis.push("iamcredentials.googleapis.com");
        }
        Self {
            mode: config.google.mode,
            client_id: text("client_id"),
            project: text("project_id"),
            scopes,
            apis,
        }
    }

    /// The page of the Admin console with both fields filled in.
    fn delegation_url(&self) -> Option<String> {
        let client_id = self.client_id.as_ref()?;
        let scopes = self.scopes.join(",");
        Some(format!(
            "https://admin.google.com/ac/owl/domainwidedelegation?overwriteClientId=true&clientIdToAdd={client_id}&clientScopeToAdd={scopes}"
        ))
    }

    fn json(&self) -> Value {
        json!({
            "mode": self.mode.as_str(),
            "client_id": self.client_id,
            "project": self.project,
            "scopes": self.scopes,
            "apis": self.apis,
            "delegation_url": self.delegation_url(),
        })
    }

    fn steps(&self, config: &Config) -> String {
        let mut lines = vec!["1. Switch these APIs on in the Cloud project:".to_owned()];
        let project = self.project.as_deref();
        for api in &self.apis {
            let project = project.map_or_else(String::new, |p| format!("?project={p}"));
            lines.push(format!(
                "     https://console.cloud.google.com/apis/library/{api}{project}"
            ));
        }
        match self.mode {
            Mode::ServiceAccount => self.push_delegation(config, &mut lines),
            Mode::PerUser => lines.extend(
                [
                    "2. Make an OAuth client of the type \"Desktop app\", with the consent screen",
                    "   \"Internal\" and these scopes, and name its JSON file in [google.per_user] client:",
                ]
                .map(str::to_owned),
            ),
        }
        if self.mode == Mode::PerUser {
            lines.extend(self.scopes.iter().map(|scope| format!("     {scope}")));
            lines.push("3. Let each user log in: nuncio login ADDRESS [--headless]".to_owned());
        }
        lines.push("4. See whether Google agrees: nuncio check --online".to_owned());
        lines.join("\n")
    }

    fn push_delegation(&self, config: &Config, lines: &mut Vec<String>) {
        let client_id = match &self.client_id {
            Some(id) => id.clone(),
            None => "(the unique ID of the service account: Cloud console > IAM & Admin > Service Accounts)".to_owned(),
        };
        lines.extend([
            "2. As a super administrator: Admin console > Security > Access and data control >"
                .to_owned(),
            "   API controls > Domain-wide delegation > Add new, with".to_owned(),
            format!("     client ID  {client_id}"),
            format!("     scopes     {}", self.scopes.join(",")),
        ]);
        lines.extend(
            self.delegation_url()
                .map(|url| format!("   or open: {url}")),
        );
        lines.push(
            "3. Wait: a grant reaches most users in minutes, some only after up to 24 hours."
                .to_owned(),
        );
        if config.google.admin.is_none() {
            lines.push(
                "   (With [google] admin = \"...\" nuncio also reads the Directory: aliases, ids that"
                    .to_owned(),
            );
            lines.push(
                "   survive renames. It needs one more scope, which this then prints.)".to_owned(),
            );
        }
        lines.push(
            "   Know what it is: the delegation opens every user of the domain to whoever has the key;"
                .to_owned(),
        );
        lines.push(
            "   the list of users in the config is nuncio's own limit, not Google's.".to_owned(),
        );
    }
}

/// The key's file, if it is one and can be read here.
fn read_key(config: &Config) -> Option<Value> {
    let Some(ServiceAccount::Key(source)) = &config.google.service_account else {
        return None;
    };
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let text = source.read(folder.as_deref()).ok()?;
    serde_json::from_str(text.expose()).ok()
}

/// What the unit needs beside what is shipped.
fn drop_in(config: &Config) -> String {
    let mut text = "# /etc/systemd/system/nuncio.service.d/config.conf, made by `nuncio setup --systemd`\n[Service]\n"
        .to_owned();
    let key = match &config.google.service_account {
        Some(ServiceAccount::Key(source)) => Some(source),
        _ => None,
    };
    for source in key.into_iter().chain(&config.google.oauth_client) {
        if let SecretSource::Credential(name) = source {
            text.push_str(&format!(
                "LoadCredential={name}:/etc/nuncio/credentials/{name}\n"
            ));
        }
    }
    for sink in &config.sinks {
        for dir in &sink.grants.dirs {
            let key = match dir.mode {
                DirMode::ReadOnly => "ReadOnlyPaths",
                DirMode::ReadWrite => "ReadWritePaths",
            };
            text.push_str(&format!("{key}={}\n", dir.host.display()));
        }
    }
    text
}
