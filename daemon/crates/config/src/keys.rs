//! Which keys each section knows: those that are built, and those that are planned and refused
//! by name until they are. What their values may be stands with each section's reader.

/// The keys of one section.
pub(crate) struct Keys {
    pub(crate) built: &'static [&'static str],
    pub(crate) planned: &'static [&'static str],
}

impl Keys {
    pub(crate) fn has(&self, key: &str) -> bool {
        self.built.contains(&key) || self.planned.contains(&key)
    }
}

pub(crate) const TOP: Keys = Keys {
    built: &[
        "google", "sync", "users", "sinks", "spool", "plugins", "log",
    ],
    planned: &["admin", "directory", "network"],
};

/// What a file in `conf.d` may hold.
pub(crate) const DROP_IN: [&str; 2] = ["users", "sinks"];

pub(crate) const GOOGLE: Keys = Keys {
    built: &[
        "mode",
        "service_account_key",
        "admin",
        "domains",
        "quota",
        "quota_share",
        "quota_override",
        "endpoint",
        "fallback",
        "per_user",
        "keyless",
    ],
    planned: &["actions"],
};

pub(crate) const PER_USER: Keys = Keys {
    built: &["client"],
    planned: &[],
};

pub(crate) const KEYLESS: Keys = Keys {
    built: &["service_account", "source"],
    planned: &[],
};

pub(crate) const QUOTA_OVERRIDE: Keys = Keys {
    built: &[
        "gmail_user_minute",
        "gmail_project_minute",
        "gmail_project_day",
        "calendar_user_minute",
        "calendar_project_minute",
        "calendar_project_day",
        "drive_user_minute",
        "drive_project_minute",
        "drive_project_day",
        "directory_user_minute",
    ],
    planned: &[],
};

pub(crate) const SYNC: Keys = Keys {
    built: &[
        "sources",
        "since",
        "poll_interval",
        "include_spam_trash",
        "include_drafts",
        "drive_permissions",
        "subscribed_calendars",
        "holiday_calendars",
    ],
    planned: &[],
};

pub(crate) const USERS: Keys = Keys {
    built: &[
        "email", "aliases", "accounts", "sync", "name", "sources", "since",
    ],
    planned: &["id"],
};

pub(crate) const ACCOUNT: Keys = Keys {
    built: &["address", "key"],
    planned: &[],
};

pub(crate) const SINK: Keys = Keys {
    built: &[
        "plugin", "records", "content", "start", "settings", "batch", "limits", "retry", "grants",
    ],
    planned: &["sha256", "filter", "max_backlog", "on_full"],
};

pub(crate) const BATCH: Keys = Keys {
    built: &["records", "bytes", "delay"],
    planned: &[],
};

pub(crate) const LIMITS: Keys = Keys {
    built: &["memory", "call_time", "in_flight", "log"],
    planned: &[],
};

pub(crate) const RETRY: Keys = Keys {
    built: &["max_attempts", "max_delay"],
    planned: &[],
};

pub(crate) const GRANTS: Keys = Keys {
    built: &["dirs"],
    planned: &["http", "kv", "secrets", "send_as", "calendar_write"],
};

pub(crate) const DIR: Keys = Keys {
    built: &["guest", "host", "mode"],
    planned: &[],
};

pub(crate) const SPOOL: Keys = Keys {
    built: &["max_bytes"],
    planned: &["min_free", "retain", "encryption_key"],
};

pub(crate) const PLUGINS: Keys = Keys {
    built: &["dir"],
    planned: &["require_pins"],
};

pub(crate) const LOG: Keys = Keys {
    built: &["format"],
    planned: &[],
};

/// All sections by the name that a hint gives them.
pub(crate) const SECTIONS: &[(&str, Keys)] = &[
    ("the top of the file", TOP),
    ("[google]", GOOGLE),
    ("[google.quota_override]", QUOTA_OVERRIDE),
    ("[google.per_user]", PER_USER),
    ("[google.keyless]", KEYLESS),
    ("[sync]", SYNC),
    ("[[users]]", USERS),
    ("[[users]] accounts", ACCOUNT),
    ("[sinks.NAME]", SINK),
    ("[sinks.NAME] batch", BATCH),
    ("[sinks.NAME] limits", LIMITS),
    ("[sinks.NAME] retry", RETRY),
    ("[sinks.NAME.grants]", GRANTS),
    ("[sinks.NAME.grants] dirs", DIR),
    ("[spool]", SPOOL),
    ("[plugins]", PLUGINS),
    ("[log]", LOG),
];

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../../../config/example.toml");

    #[test]
    fn the_shipped_example_shows_every_built_key() {
        for (section, keys) in SECTIONS {
            for key in keys.built {
                let is_set = EXAMPLE.contains(&format!("{key} = "));
                let is_section = EXAMPLE.contains(&format!("[{key}]"))
                    || EXAMPLE.contains(&format!(".{key}]"))
                    || EXAMPLE.contains(&format!("[{key}."));
                assert!(
                    is_set || is_section,
                    "example.toml lacks `{key}` of {section}"
                );
            }
        }
    }

    #[test]
    fn no_key_is_both_built_and_planned() {
        for (section, keys) in SECTIONS {
            assert!(
                keys.planned.iter().all(|key| !keys.built.contains(key)),
                "{section}"
            );
        }
    }
}
