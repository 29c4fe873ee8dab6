//! The consents of users on disk: one file each in the state folder, readable by the daemon's user
//! only. Written by `nuncio login`, read whenever a token is asked for, so that a login counts at
//! once. What a consent is good for is in `nuncio-google`.

use crate::private_file;
use nuncio_google::{Consent, ConsentStore};
use nuncio_model::{Address, Secret};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

/// Far above what is ever kept of one.
const LONGEST_FILE: u64 = 64 << 10;

/// A consent as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    email: String,
    client_id: String,
    refresh_token: String,
    /// When, milliseconds since 1970.
    at: i64,
}

/// The folder of consents.
#[derive(Debug, Clone)]
pub(crate) struct ConsentDir(PathBuf);

impl ConsentDir {
    /// That of a state folder; nothing is made yet.
    pub(crate) fn of(state_dir: &Path) -> Self {
        Self(state_dir.join("consents"))
    }

    /// Keeps a user's consent in place of an earlier one. Where root logs a user in, the daemon's
    /// user gets the file: whoever owns the state folder.
    ///
    /// # Errors
    /// Of the disk; an earlier consent is then still there.
    pub(crate) fn keep(&self, email: &Address, consent: &Consent, at: i64) -> io::Result<()> {
        private_file::make_folder(&self.0)?;
        let kept = Kept {
            email: consent.email.clone(),
            client_id: consent.client_id.clone(),
            refresh_token: consent.refresh_token.expose().to_owned(),
            at,
        };
        let text = Secret::new(serde_json::to_string(&kept)?);
        drop(Secret::new(kept.refresh_token));
        let path = self.path(email.as_str());
        private_file::replace(&path, text.expose().as_bytes(), |new| {
            let Some(state_dir) = self.0.parent() else {
                return Ok(());
            };
            let owner = fs::metadata(state_dir)?;
            let (uid, gid) = (owner.uid(), owner.gid());
            if fs::metadata(new)?.uid() != uid {
                chown(new, Some(uid), Some(gid))?;
                chown(&self.0, Some(uid), Some(gid))?;
            }
            Ok(())
        })
    }

    /// Whether a user has logged in, however good that is now.
    pub(crate) fn has(&self, email: &str) -> bool {
        self.path(email).is_file()
    }

    fn path(&self, email: &str) -> PathBuf {
        let mut name = String::new();
        for byte in email.to_lowercase().bytes() {
            match byte {
                b'a'..=b'z' | b'0'..=b'9' | b'@' | b'.' | b'-' | b'_' | b'+' => {
                    name.push(char::from(byte));
                }
                other => name.push_str(&format!("%{other:02X}")),
            }
        }
        // The suffix keeps an address from being `..`.
        self.0.join(format!("{name}.json"))
    }
}

impl ConsentStore for ConsentDir {
    fn load(&self, email: &str) -> Result<Option<Consent>, String> {
        let path = self.path(email);
        let unreadable = |error: io::Error| format!("{}: {error}", path.display());
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error)),
        };
        let mode = file.metadata().map_err(unreadable)?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(format!(
                "{} is open to others (mode {mode:04o}); chmod 0600",
                path.display()
            ));
        }
        let mut text = String::new();
        let read = file.take(LONGEST_FILE).read_to_string(&mut text);
        let text = Secret::new(text);
        read.map_err(unreadable)?;
        let kept: Kept = serde_json::from_str(text.expose())
            .map_err(|_| format!("{} is damaged", path.display()))?;
        if !kept.email.eq_ignore_ascii_case(email) {
            return Err(format!(
                "{} holds the consent of another user",
                path.display()
            ));
        }
        Ok(Some(Consent {
            email: kept.email,
            refresh_token: Secret::new(kept.refresh_token),
            client_id: kept.client_id,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn consent(email: &str) -> Consent {
        Consent {
            email: email.to_owned(),
            refresh_token: Secret::new("planted".to_owned()),
            client_id: "client".to_owned(),
        }
    }

    #[test]
    fn a_consent_is_kept_for_us_alone_and_found_by_its_address() {
        let state = tempfile::tempdir().unwrap();
        let dir = ConsentDir::of(state.path());
        let ana = Address::parse("o'hara@example.com").unwrap();
        assert!(dir.load(ana.as_str()).unwrap().is_none());
        for _ in 0..2 {
            dir.keep(&ana, &consent("o'hara@example.com"), 7).unwrap();
        }
        let found = dir.load("O'Hara@EXAMPLE.com").unwrap().unwrap();
        assert_eq!(found.refresh_token.expose(), "planted");
        assert!(dir.has(ana.as_str()) && !dir.has("bob@example.com"));
        let path = dir.path(ana.as_str());
        for odd in [
            "../../x@example.com",
            "..",
            "a/b@example.com",
            "a\0b@example.com",
        ] {
            assert_eq!(dir.path(odd).parent(), Some(dir.0.as_path()), "{odd}");
        }
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&dir.0)), (0o600, 0o700));
    }

    #[test]
    fn open_damaged_and_foreign_files_are_refused_without_quoting_them() {
        let state = tempfile::tempdir().unwrap();
        let dir = ConsentDir::of(state.path());
        let ana = Address::parse("ana@example.com").unwrap();
        dir.keep(&ana, &consent("ana@example.com"), 7).unwrap();
        let path = dir.path("ana@example.com");
        let problem = || dir.load("ana@example.com").unwrap_err();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(problem().contains("chmod 0600"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        dir.keep(&ana, &consent("bob@example.com"), 7).unwrap();
        assert!(problem().contains("another user"));
        fs::write(&path, "{\"refresh_token\": \"planted").unwrap();
        assert!(problem().contains("damaged") && !problem().contains("planted"));
    }
}
