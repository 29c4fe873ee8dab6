//! The two keys to a directory: a plugin must ask for it in `describe`, and the config must
//! grant it. What the guest may then do with it is enforced by WASI.

use std::fmt;
use std::path::PathBuf;

use nuncio_model::{SinkName, untrusted};
use wasmtime_wasi::FsPerms;

use crate::{Error, MissingRight, RightRequest};

/// A directory that the config grants to a sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirGrant {
    /// The path in the guest, such as `/out`.
    pub guest: String,
    /// The folder; must exist.
    pub host: PathBuf,
    /// What may be done in it.
    pub mode: DirMode,
}

/// What may be done in a granted directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DirMode {
    /// `r`: list and read.
    ReadOnly,
    /// `rw`: and create, write, rename, remove.
    ReadWrite,
}

/// Something that an operator should know and that stops nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// The config grants a directory that the plugin did not ask for; it is not mounted.
    NotAskedFor {
        /// The path in the guest.
        guest: String,
    },
    /// The plugin could use a right that is not granted.
    OptionalRight(MissingRight),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::NotAskedFor { guest } => {
                write!(
                    f,
                    "the plugin did not ask for the granted directory {}; it is not mounted",
                    untrusted(guest)
                )
            }
            Warning::OptionalRight(right) => {
                write!(f, "the plugin works without, but could use: {right}")
            }
        }
    }
}

/// A directory that both keys open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    pub(crate) guest: String,
    pub(crate) host: PathBuf,
    pub(crate) perms: FsPerms,
}

/// Puts both keys together. All that is missing comes in one error.
pub(crate) fn mounts(
    sink: &SinkName,
    requests: &[RightRequest],
    grants: &[DirGrant],
) -> Result<(Vec<Mount>, Vec<Warning>), Error> {
    let (mut mounts, mut warnings, mut missing) = (Vec::<Mount>::new(), Vec::new(), Vec::new());
    for request in requests {
        match opened_by(request, grants) {
            Some(mount) => match mounts.iter_mut().find(|known| known.guest == mount.guest) {
                // Asked twice, as dir-read and as dir-write: the wider one holds.
                Some(known) if mount.perms == FsPerms::ReadWrite => known.perms = mount.perms,
                Some(_) => {}
                None => mounts.push(mount),
            },
            None if request.optional => {
                warnings.push(Warning::OptionalRight(missing_right(sink, request)))
            }
            None => missing.push(missing_right(sink, request)),
        }
    }
    if !missing.is_empty() {
        return Err(Error::MissingRights {
            sink: sink.clone(),
            missing,
        });
    }
    let not_asked = grants.iter().filter(|grant| {
        !requests
            .iter()
            .any(|request| request.right.starts_with("dir-") && request.target == grant.guest)
    });
    warnings.extend(not_asked.map(|grant| Warning::NotAskedFor {
        guest: grant.guest.clone(),
    }));
    Ok((mounts, warnings))
}

/// The mount that a request and the grants make together; a read-only request stays read-only.
fn opened_by(request: &RightRequest, grants: &[DirGrant]) -> Option<Mount> {
    let grant = grants.iter().find(|grant| grant.guest == request.target)?;
    let perms = match (request.right.as_str(), grant.mode) {
        ("dir-read", _) => FsPerms::ReadOnly,
        ("dir-write", DirMode::ReadWrite) => FsPerms::ReadWrite,
        _ => return None,
    };
    Some(Mount {
        guest: grant.guest.clone(),
        host: grant.host.clone(),
        perms,
    })
}

fn missing_right(sink: &SinkName, request: &RightRequest) -> MissingRight {
    let mode = match request.right.as_str() {
        "dir-read" => Some("ro"),
        "dir-write" => Some("rw"),
        _ => None,
    };
    let target = untrusted(&request.target).to_string();
    MissingRight {
        remedy: mode.map(|mode| {
            format!(
                "[sinks.{sink}.grants]\ndirs = [{{ guest = {target:?}, host = \"/path/to/folder\", mode = \"{mode}\" }}]"
            )
        }),
        right: request.right.clone(),
        target,
        reason: untrusted(&request.reason).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(right: &str, target: &str, optional: bool) -> RightRequest {
        RightRequest {
            right: right.into(),
            target: target.into(),
            reason: "to write".into(),
            optional,
        }
    }

    fn grant(guest: &str, mode: DirMode) -> DirGrant {
        DirGrant {
            guest: guest.into(),
            host: "/srv/a".into(),
            mode,
        }
    }

    fn both(
        requests: &[RightRequest],
        grants: &[DirGrant],
    ) -> Result<(Vec<Mount>, Vec<Warning>), Error> {
        mounts(&SinkName::new("copy"), requests, grants)
    }

    #[test]
    fn a_directory_needs_both_keys() {
        let (mounted, warnings) = both(
            &[ask("dir-write", "/out", false)],
            &[grant("/out", DirMode::ReadWrite)],
        )
        .unwrap();
        assert_eq!(
            mounted,
            [Mount {
                guest: "/out".into(),
                host: "/srv/a".into(),
                perms: FsPerms::ReadWrite
            }]
        );
        assert_eq!(warnings, []);

        let (mounted, warnings) = both(&[], &[grant("/out", DirMode::ReadWrite)]).unwrap();
        assert_eq!(mounted, []);
        assert_eq!(
            warnings,
            [Warning::NotAskedFor {
                guest: "/out".into()
            }]
        );

        let (mounted, _) = both(
            &[ask("dir-read", "/out", false)],
            &[grant("/out", DirMode::ReadWrite)],
        )
        .unwrap();
        assert_eq!(mounted[0].perms, FsPerms::ReadOnly);

        let (mounted, warnings) = both(&[ask("dir-write", "/out", true)], &[]).unwrap();
        assert_eq!((mounted.len(), warnings.len()), (0, 1));
    }

    #[test]
    fn what_is_missing_comes_with_the_line_to_add() {
        let requests = [
            ask("dir-write", "/out", false),
            ask("dir-read", "/in", false),
        ];
        let error = both(&requests, &[grant("/out", DirMode::ReadOnly)]).unwrap_err();
        assert_eq!(error.code(), "PLG010");
        assert_eq!(
            error.to_string(),
            "sink copy lacks rights that its plugin needs: dir-write /out (to write); dir-read /in (to write)"
        );
        assert_eq!(
            error.hint(),
            "to allow it, add to the config:\n\
             [sinks.copy.grants]\ndirs = [{ guest = \"/out\", host = \"/path/to/folder\", mode = \"rw\" }]\n\
             [sinks.copy.grants]\ndirs = [{ guest = \"/in\", host = \"/path/to/folder\", mode = \"ro\" }]"
        );
    }

    #[test]
    fn a_right_that_cannot_be_granted_yet_is_said_to_be_so() {
        let error = both(&[ask("http", "*", false)], &[]).unwrap_err();
        assert!(
            error.hint().starts_with("this nuncio cannot grant"),
            "{}",
            error.hint()
        );
    }
}
