//! In which words a call beyond the quota is refused: as documented, and as seen in the field.
//!
//! See <https://developers.google.com/workspace/gmail/api/guides/handle-errors>.

use super::Settings;
use super::prices::{Api, Limit};
use crate::error::ApiError;
use crate::wire::rfc3339;

/// The project number in messages.
const PROJECT_NUMBER: &str = "618394720156";

/// Which of the bodies a spent minute gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bodies {
    /// As seen for Gmail and Calendar: 403 `rateLimitExceeded`, the limit's name in the message.
    Metric,
    /// As documented: 403 `userRateLimitExceeded` and `rateLimitExceeded`.
    Classic,
    /// As seen before the first: 429 "Resource has been exhausted".
    Exhausted,
}

impl Bodies {
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "metric" => Self::Metric,
            "classic" => Self::Classic,
            "exhausted" => Self::Exhausted,
            _ => return None,
        })
    }
}

/// Why a call is refused.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cause {
    Spent {
        limit: Limit,
        wait_us: u64,
    },
    Concurrent,
    /// The mailbox is shut after too many calls beyond the limit.
    Shut {
        wait_us: u64,
    },
}

impl Cause {
    /// Its name in the counters.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Spent { limit, .. } => limit.name(),
            Self::Concurrent => "concurrent",
            Self::Shut { .. } => "mailbox",
        }
    }

    pub(super) fn into_error(self, api: Api, settings: &Settings, clock_ms: i64) -> ApiError {
        let (mut error, wait_us) = match self {
            Self::Spent { limit, wait_us } => (spent(api, limit, settings.bodies), Some(wait_us)),
            Self::Concurrent => {
                let words = "Too many concurrent requests for user";
                (usage(429, "rateLimitExceeded", words), None)
            }
            Self::Shut { wait_us } => {
                let wait_ms = i64::try_from(wait_us.div_ceil(1000)).unwrap_or(i64::MAX);
                let until = rfc3339(clock_ms.saturating_add(wait_ms));
                let words = format!("User-rate limit exceeded.  Retry after {until}");
                (usage(429, "rateLimitExceeded", words), Some(wait_us))
            }
        };
        if settings.retry_after {
            let seconds = wait_us.unwrap_or(1_000_000).div_ceil(1_000_000);
            error.extra.retry_after = Some(seconds.to_string());
        }
        error
    }
}

fn usage(status: u16, reason: &str, message: impl Into<String>) -> ApiError {
    let mut error = ApiError::new(status, reason, message);
    error.domain = "usageLimits";
    error
}

fn spent(api: Api, limit: Limit, bodies: Bodies) -> ApiError {
    if limit == Limit::ProjectDay {
        return usage(403, "dailyLimitExceeded", "Daily Limit Exceeded");
    }
    let seen = matches!(api, Api::Gmail | Api::Calendar);
    match bodies {
        Bodies::Metric if seen => {
            let name = match limit {
                Limit::UserMinute => "Queries per minute per user",
                Limit::ProjectMinute | Limit::ProjectDay => "Queries per minute",
            };
            let message = format!(
                "Quota exceeded for quota metric 'Queries' and limit '{name}' of service '{}' for \
                 consumer 'project_number:{PROJECT_NUMBER}'.",
                api.service()
            );
            usage(403, "rateLimitExceeded", message)
        }
        Bodies::Metric | Bodies::Classic => match limit {
            Limit::UserMinute => usage(403, "userRateLimitExceeded", "User Rate Limit Exceeded"),
            Limit::ProjectMinute | Limit::ProjectDay => {
                usage(403, "rateLimitExceeded", "Rate Limit Exceeded")
            }
        },
        Bodies::Exhausted => ApiError::new(
            429,
            "rateLimitExceeded",
            "Resource has been exhausted (e.g. check quota).",
        ),
    }
}
