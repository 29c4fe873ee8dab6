//! Google's budgets between the parts: from the config to the governor, and what was spent of the
//! day over a restart. What a budget is and who waits for it is in `nuncio-google`.

use crate::admin::wire;
use nuncio_config::Google as GoogleConfig;
use nuncio_google::{ApiName, DayUsage, Google, Limit, PriceList, QuotaOptions};
use nuncio_model::StoreError;
use nuncio_spool::Spool;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Under this name the spool keeps what was spent of the day.
const KEPT_AS: &str = "quota_days";

/// How often it is kept. What is spent between and then lost in a crash is far below the part
/// of a day's budget that walks leave unused.
const KEEP_EVERY: Duration = Duration::from_secs(30);

/// [`DayUsage`] as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    api: String,
    began_at: i64,
    used: u64,
}

/// What the config says of budgets.
pub(crate) fn options(config: &GoogleConfig) -> QuotaOptions {
    let quota = &config.quota;
    let overrides = quota
        .overrides
        .iter()
        .filter_map(|(key, units)| {
            let (api, limit) = key.split_once('_')?;
            let api = ApiName::ALL.into_iter().find(|a| a.as_str() == api)?;
            let limit = Limit::ALL.into_iter().find(|l| l.as_str() == limit)?;
            Some((api, limit, *units))
        })
        .collect();
    QuotaOptions {
        list: match quota.list {
            nuncio_config::PriceList::Off => PriceList::Off,
            nuncio_config::PriceList::May2026 => PriceList::May2026,
            nuncio_config::PriceList::Legacy => PriceList::Legacy,
        },
        share: quota.share,
        overrides,
    }
}

/// What was spent of the day before this process.
pub(crate) async fn load(spool: &Spool) -> Result<Vec<DayUsage>, StoreError> {
    let Some(text) = spool.recall(KEPT_AS).await? else {
        return Ok(Vec::new());
    };
    let kept: Vec<Kept> = serde_json::from_str(&text).unwrap_or_else(|_| {
        tracing::warn!("what was spent of the day's budget cannot be read; it counts as nothing");
        Vec::new()
    });
    let days = kept.into_iter().filter_map(|kept| {
        let api = ApiName::ALL.into_iter().find(|a| a.as_str() == kept.api)?;
        Some(DayUsage {
            api,
            began_at: kept.began_at,
            used: kept.used,
        })
    });
    Ok(days.collect())
}

/// Keeps what was spent of the day, now and then and at the end.
pub(crate) async fn keep(
    google: Google,
    spool: Spool,
    stop: CancellationToken,
) -> Result<(), StoreError> {
    let mut last = String::new();
    loop {
        let stopped = tokio::select! {
            () = stop.cancelled() => true,
            () = tokio::time::sleep(KEEP_EVERY) => false,
        };
        let days = google.days().into_iter().map(|day| Kept {
            api: day.api.as_str().to_owned(),
            began_at: day.began_at,
            used: day.used,
        });
        let text = serde_json::to_string(&days.collect::<Vec<_>>()).unwrap_or_default();
        if text != last {
            spool.remember(KEPT_AS, &text).await?;
            last = text;
        }
        if stopped {
            return Ok(());
        }
    }
}

/// The budgets as status shows them.
pub(crate) fn wire(google: &Google) -> Vec<wire::Quota> {
    google
        .usage()
        .into_iter()
        .filter(|usage| usage.used > 0 || usage.forecast.is_some_and(|units| units > 0))
        .map(|usage| wire::Quota {
            api: usage.api.as_str().to_owned(),
            scope: match usage.limit {
                // Told of all users together only: Google charges the service account.
                Limit::UserMinute => "service_account_minute".to_owned(),
                limit => limit.as_str().to_owned(),
            },
            used: usage.used,
            limit: usage.allowed,
            forecast: usage.forecast,
        })
        .collect()
}
