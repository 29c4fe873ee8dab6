//! Where a secret comes from, and fetching it. A secret is never inline in the config and never
//! in a message; what it is used for is not known here.

use crate::Code;
use crate::codes;
use crate::file::{self, Access};
use crate::raw::Text;
use crate::report::Report;
use nuncio_model::Secret;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// No key or token is larger; a wrong path to something huge must not fill the memory.
const MAX_SECRET_BYTES: usize = 1024 * 1024;

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// `file:/absolute/path`, read anew each time.
    File(PathBuf),
    /// `credential:NAME`: handed over by systemd's
    /// [`LoadCredential=`](https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html#LoadCredential=ID:PATH).
    Credential(String),
}

impl SecretSource {
    /// Fetches the secret; `credentials_dir` is the value of `$CREDENTIALS_DIRECTORY`.
    ///
    /// # Errors
    /// Says which source could not be used and what to do; never holds a part of the content.
    pub fn read(&self, credentials_dir: Option<&Path>) -> Result<Secret, SecretError> {
        let (path, access) = match self {
            SecretSource::File(path) => (path.clone(), Access::Private),
            // systemd made this file and guards it by an ACL, which looks like a group's right.
            SecretSource::Credential(name) => match credentials_dir {
                Some(dir) => (dir.join(name), Access::Any),
                None => return Err(SecretError::NoCredentials { name: name.clone() }),
            },
        };
        let fail = |source| SecretError::Unreadable {
            from: self.clone(),
            path: path.clone(),
            source,
        };
        let named = std::fs::symlink_metadata(&path).map_err(fail)?;
        if access == Access::Private && named.is_symlink() {
            return Err(SecretError::Link { path });
        }
        let mut opened = File::open(&path).map_err(fail)?;
        let metadata = opened.metadata().map_err(fail)?;
        // Put in its place since it was looked at.
        let is_other = (named.dev(), named.ino()) != (metadata.dev(), metadata.ino());
        if access == Access::Private && is_other {
            return Err(SecretError::Link { path });
        }
        if !metadata.is_file() {
            return Err(SecretError::NotAFile { path });
        }
        if let Some(problem) = file::looseness(&metadata, access) {
            return Err(SecretError::Loose { path, problem });
        }
        // Full size from the start: growing would leave copies behind in freed memory.
        let mut bytes = Vec::with_capacity(MAX_SECRET_BYTES.min(file_len(&metadata)) + 1);
        let limit = MAX_SECRET_BYTES as u64 + 1;
        opened
            .by_ref()
            .take(limit)
            .read_to_end(&mut bytes)
            .map_err(fail)?;
        if bytes.len() > MAX_SECRET_BYTES {
            return Err(SecretError::Content {
                path,
                what: "is larger than 1 MiB",
            });
        }
        match String::from_utf8(bytes) {
            Ok(text) if text.trim().is_empty() => Err(SecretError::Content {
                path,
                what: "is empty",
            }),
            Ok(text) => Ok(Secret::new(text)),
            Err(_) => Err(SecretError::Content {
                path,
                what: "is not UTF-8 text",
            }),
        }
    }

    /// Reads `file:/path` or `credential:NAME`. A value of any other form may be the secret
    /// itself, so no message quotes it.
    pub(crate) fn parse(name: &str, text: &Text<'_>, report: &mut Report<'_>) -> Option<Self> {
        if let Some(path) = text.value.strip_prefix("file:") {
            let path = Path::new(path);
            if crate::values::is_plain_absolute(path) {
                return Some(SecretSource::File(path.to_owned()));
            }
            let message = format!("the path in `{name}` is not a plain absolute path");
            let hint = "write \"file:/absolute/path\", without `.` and `..`";
            report.add(codes::MALFORMED, &text.span, message, hint);
            return None;
        }
        if let Some(credential) = text.value.strip_prefix("credential:") {
            if is_credential_name(credential) {
                return Some(SecretSource::Credential(credential.to_owned()));
            }
            let message = format!("the credential's name in `{name}` is not allowed");
            let hint = "write \"credential:NAME\" with the NAME of LoadCredential= in the unit: \
                        letters, digits, `-`, `_` and `.`";
            report.hide(&text.span);
            report.add(codes::MALFORMED, &text.span, message, hint);
            return None;
        }
        report.hide(&text.span);
        let message =
            format!("`{name}` says neither file: nor credential:; secrets are never inline");
        let hint = "write \"file:/absolute/path\" or \"credential:NAME\"; if a secret stood here, \
                    consider it disclosed and replace it";
        report.add(codes::SECRET_INLINE, &text.span, message, hint);
        None
    }
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretSource::File(path) => write!(f, "file:{}", path.display()),
            SecretSource::Credential(name) => write!(f, "credential:{name}"),
        }
    }
}

/// A file name that systemd accepts as credential.
fn is_credential_name(name: &str) -> bool {
    (1..=255).contains(&name.len())
        && !name.starts_with('.')
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

fn file_len(metadata: &std::fs::Metadata) -> usize {
    usize::try_from(metadata.len()).unwrap_or(usize::MAX)
}

/// Why a secret could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be opened or read.
    #[error("cannot read {} ({from})", path.display())]
    Unreadable {
        /// What the config says.
        from: SecretSource,
        /// The file that it means.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A folder or device.
    #[error("{} is not a regular file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// A symbolic link: whoever may set it chooses what is read.
    #[error("{} is a symbolic link, and a secret is never read through one", path.display())]
    Link {
        /// The path.
        path: PathBuf,
    },
    /// Others may read or change the file.
    #[error("{} {problem}", path.display())]
    Loose {
        /// The file.
        path: PathBuf,
        /// Who can do what, with the mode.
        problem: String,
    },
    /// `credential:` outside of a unit with credentials.
    #[error("credential \"{name}\" is named, but $CREDENTIALS_DIRECTORY is not set")]
    NoCredentials {
        /// The credential.
        name: String,
    },
    /// The content cannot be a secret.
    #[error("{} {what}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
}

impl SecretError {
    /// The stable code.
    pub fn code(&self) -> Code {
        match self {
            SecretError::Unreadable { .. } | SecretError::NotAFile { .. } => {
                codes::SECRET_UNREADABLE
            }
            SecretError::Link { .. } => codes::SECRET_LINK,
            SecretError::Loose { .. } => codes::SECRET_LOOSE,
            SecretError::NoCredentials { .. } => codes::NO_CREDENTIALS,
            SecretError::Content { .. } => codes::SECRET_CONTENT,
        }
    }

    /// What to do.
    pub fn hint(&self) -> String {
        match self {
            SecretError::Unreadable {
                from: SecretSource::Credential(name),
                ..
            } => format!(
                "add `LoadCredential={name}:/path/to/file` to nuncio.service and restart it"
            ),
            SecretError::Unreadable {
                from: SecretSource::File(_),
                path,
                source,
            } => match source.kind() {
                io::ErrorKind::NotFound => {
                    format!("put the file at {}, or correct the path", path.display())
                }
                io::ErrorKind::PermissionDenied => format!(
                    "let the daemon's group read it: chgrp nuncio {0} && chmod 0640 {0}",
                    path.display()
                ),
                _ => "see the cause".to_owned(),
            },
            SecretError::Link { .. } => {
                "name the file itself; where a secret is mounted as a link, such as by Kubernetes, \
                 hand it over as credential:NAME ($CREDENTIALS_DIRECTORY names the folder)"
                    .to_owned()
            }
            SecretError::NotAFile { .. } => "name the file itself".to_owned(),
            SecretError::Loose { path, .. } => format!(
                "chmod 0640 {} (or 0600), owned by root or by the daemon's user",
                path.display()
            ),
            SecretError::NoCredentials { name } => format!(
                "run it as nuncio.service with `LoadCredential={name}:/path/to/file`, or write \
                 \"file:/path\" in the config"
            ),
            SecretError::Content { .. } => {
                "check that the path names the right file, such as the key's JSON from Google"
                    .to_owned()
            }
        }
    }
}
