//! Sinks that left the config: they keep position and backlog for a while, so that one that was
//! taken out by mistake goes on where it stood; then what only they waited for is released.

use nuncio_config::Sink;
use nuncio_model::{SinkName, StoreError};
use nuncio_spool::Spool;
use std::collections::BTreeMap;

/// Under this name the spool keeps since when they are out, in milliseconds since 1970.
const KEPT_AS: &str = "retired_sinks";

/// So long they are kept, in milliseconds.
const KEEP_MS: i64 = 60 * 60 * 1_000;

/// Notes which registered sinks are not `wanted`, and removes those that have not been for long.
///
/// # Errors
/// Of the spool.
pub(crate) async fn look(spool: &Spool, wanted: &[Sink], now: i64) -> Result<(), StoreError> {
    let kept = spool.recall(KEPT_AS).await?.unwrap_or_default();
    // What cannot be read counts from now on again.
    let before: BTreeMap<String, i64> = serde_json::from_str(&kept).unwrap_or_default();
    let mut retired = BTreeMap::new();
    for sink in spool.sinks().await? {
        if wanted.iter().any(|wanted| wanted.name == sink.name) {
            continue;
        }
        let name = sink.name.as_str().to_owned();
        let since = before.get(&name).copied();
        match since {
            Some(since) if now - since >= KEEP_MS => {
                remove(spool, &sink.name, sink.n_pending, sink.n_dead_letters).await?;
                continue;
            }
            Some(_) => {}
            None => tracing::warn!(
                sink = %sink.name,
                n_pending = sink.n_pending,
                n_dead_letters = sink.n_dead_letters,
                "the sink is not in the config any more; what waits for it is kept for an hour"
            ),
        }
        retired.insert(name, since.unwrap_or(now));
    }
    if retired != before {
        let text = serde_json::to_string(&retired).unwrap_or_default();
        spool.remember(KEPT_AS, &text).await?;
    }
    Ok(())
}

async fn remove(
    spool: &Spool,
    name: &SinkName,
    n_pending: u64,
    n_dead_letters: u64,
) -> Result<(), StoreError> {
    tracing::warn!(
        sink = %name,
        n_pending,
        n_dead_letters,
        "the sink left the config an hour ago; what waited for it is released"
    );
    spool.remove_sink(name).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use nuncio_model::SystemClock;
    use std::sync::Arc;

    fn wanted(names: &[&str]) -> Vec<Sink> {
        let mut text = "[google]\nservice_account_key = \"file:/etc/nuncio/key.json\"\n".to_owned();
        for name in names {
            text.push_str(&format!("[sinks.{name}]\nplugin = \"x.wasm\"\n"));
        }
        nuncio_config::Config::parse("nuncio.toml", &text)
            .unwrap()
            .sinks
    }

    #[tokio::test]
    async fn a_sink_that_left_is_kept_for_an_hour_and_may_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(nuncio_spool::Options {
            dir: dir.path().to_owned(),
            max_bytes: 1 << 30,
            clock: Arc::new(SystemClock),
        })
        .await
        .unwrap();
        for name in ["a", "b"] {
            spool.register_sink(&SinkName::new(name)).await.unwrap();
        }
        let names = async || -> Vec<String> {
            let sinks = spool.sinks().await.unwrap();
            sinks
                .into_iter()
                .map(|sink| sink.name.to_string())
                .collect()
        };
        let (both, one) = (wanted(&["a", "b"]), wanted(&["a"]));
        look(&spool, &both, 1).await.unwrap();
        look(&spool, &one, 10).await.unwrap();
        look(&spool, &one, 9 + KEEP_MS).await.unwrap();
        assert_eq!(names().await, ["a", "b"], "not for long enough");
        // It comes back, and leaves again.
        look(&spool, &both, 10 + KEEP_MS).await.unwrap();
        look(&spool, &one, 11 + KEEP_MS).await.unwrap();
        look(&spool, &one, 10 + 2 * KEEP_MS).await.unwrap();
        assert_eq!(names().await, ["a", "b"], "the time counts anew");
        look(&spool, &one, 11 + 2 * KEEP_MS).await.unwrap();
        assert_eq!(names().await, ["a"]);
        spool.close().await;
    }
}
