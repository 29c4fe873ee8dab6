//! What operators ordered beside the config: users that are stopped until somebody starts them
//! again. Kept in the state folder over restarts, with who, when and why. What a stopped user's feeds
//! do is in `feeds`.

use crate::private_file;
use nuncio_config::Config;
use nuncio_model::Address;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// That a user was stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stopped {
    /// Who ordered it, as the system names them.
    pub by: String,
    /// When, milliseconds since 1970.
    pub at: i64,
    /// Why, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// All of them, by the user's email.
#[derive(Debug)]
pub(crate) struct Overlays {
    path: PathBuf,
    stopped: BTreeMap<String, Stopped>,
}

impl Overlays {
    /// Those of a state folder.
    ///
    /// # Errors
    /// Of the disk, or if the file is damaged: then nobody knows who is to stay stopped.
    pub(crate) fn load(state_dir: &Path) -> io::Result<Self> {
        let path = state_dir.join("overlays.json");
        let stopped = match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(io::Error::other)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        Ok(Self { path, stopped })
    }

    /// Whether and why a user is stopped.
    pub(crate) fn stopped(&self, email: &Address) -> Option<&Stopped> {
        self.stopped.get(email.as_str())
    }

    /// Stops a user; one that is stopped already keeps the earlier reason.
    ///
    /// # Errors
    /// Of the disk; nothing is changed then.
    pub(crate) fn stop(&mut self, email: &Address, stopped: Stopped) -> io::Result<()> {
        let mut new = self.stopped.clone();
        new.entry(email.as_str().to_owned()).or_insert(stopped);
        self.keep(new)
    }

    /// Lets a user start again; whether it was stopped.
    ///
    /// # Errors
    /// Of the disk; nothing is changed then.
    pub(crate) fn start(&mut self, email: &Address) -> io::Result<bool> {
        let mut new = self.stopped.clone();
        let was_stopped = new.remove(email.as_str()).is_some();
        if was_stopped {
            self.keep(new)?;
        }
        Ok(was_stopped)
    }

    /// The config as it is carried out: stopped users are not synced.
    pub(crate) fn over(&self, config: &Config) -> Config {
        let mut config = config.clone();
        for user in &mut config.users {
            user.sync &= self.stopped(&user.email).is_none();
        }
        config
    }

    /// A line for each user of `config` that is kept from what the config says.
    pub(crate) fn lines(&self, config: &Config) -> Vec<String> {
        let synced = config.users.iter().filter(|user| user.sync);
        let lines = synced.filter_map(|user| {
            let stopped = self.stopped(&user.email)?;
            Some(format!("user {} {stopped}", user.email))
        });
        lines.collect()
    }

    fn keep(&mut self, stopped: BTreeMap<String, Stopped>) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(&stopped)?;
        private_file::replace(&self.path, &text, |_| Ok(()))?;
        self.stopped = stopped;
        Ok(())
    }
}

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let at = jiff::Timestamp::from_millisecond(self.at).unwrap_or_default();
        write!(f, "stays stopped, by {} at {at}", self.by)?;
        match &self.why {
            Some(why) => write!(f, ": {}", nuncio_model::untrusted(why)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stopped_users_stay_stopped_over_a_restart_until_they_are_started() {
        let dir = tempfile::tempdir().unwrap();
        let text = "[google]\nservice_account_key = \"file:/k\"\n[[users]]\nemail = \"ana@example.com\"\n\
                    [[users]]\nemail = \"bob@example.com\"\nsync = false\n[[users]]\nemail = \"cid@example.com\"\n";
        let config = Config::parse("nuncio.toml", text).unwrap();
        let [ana, bob, _cid] = [0, 1, 2].map(|n| config.users[n].email.clone());
        let stopped = |why: &str| Stopped {
            by: "root".into(),
            at: 0,
            why: Some(why.to_owned()),
        };
        let mut overlays = Overlays::load(dir.path()).unwrap();
        overlays.stop(&ana, stopped("left\u{1b}")).unwrap();
        overlays.stop(&ana, stopped("again")).unwrap();
        overlays.stop(&bob, stopped("too")).unwrap();
        let mut overlays = Overlays::load(dir.path()).unwrap();
        let synced = |overlays: &Overlays| -> Vec<bool> {
            let config = overlays.over(&config);
            config.users.iter().map(|user| user.sync).collect()
        };
        assert_eq!(synced(&overlays), [false, false, true]);
        assert_eq!(
            overlays.lines(&config),
            ["user ana@example.com stays stopped, by root at 1970-01-01T00:00:00Z: left\\u{1b}"],
            "sync = false wins"
        );
        assert!(overlays.start(&ana).unwrap());
        assert!(!overlays.start(&ana).unwrap());
        assert_eq!(synced(&overlays), [true, false, true]);
        fs::write(dir.path().join("overlays.json"), "{").unwrap();
        assert!(Overlays::load(dir.path()).is_err());
    }
}
