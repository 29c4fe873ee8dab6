//! Answers: by record key, of a wrong number, of a wrong size.

use std::collections::HashMap;

use nuncio_sdk::{Failure, Outcome, Payload, Record, Wait};

use crate::Settings;

/// As many `delivered` as records.
pub(crate) fn delivered(n_records: usize) -> Vec<Outcome> {
    vec![Outcome::Delivered; n_records]
}

/// The name of a record's payload in the contract.
pub(crate) fn kind_of(record: &Record) -> &'static str {
    match record.payload {
        Payload::Email(_) => "email",
        Payload::Event(_) => "event",
        Payload::File(_) => "file",
        Payload::Labels(_) => "labels",
        Payload::Deleted(_) => "deleted",
        Payload::Other(_) => "other",
    }
}

pub(crate) fn wait(settings: &Settings) -> Wait {
    Wait {
        after_ms: settings.after_ms,
        reason: "not now, as asked".to_owned(),
    }
}

pub(crate) fn code(settings: &Settings) -> &str {
    settings.code.as_deref().unwrap_or("as-asked")
}

/// Adds outcomes, or takes some away where `count` is negative.
pub(crate) fn change_count(answer: &mut Vec<Outcome>, count: i64) {
    let wanted = i64::try_from(answer.len())
        .unwrap_or(i64::MAX)
        .saturating_add(count)
        .max(0);
    answer.resize(
        usize::try_from(wanted).unwrap_or(usize::MAX),
        Outcome::Delivered,
    );
}

/// A retry whose reason is of the asked size, with what a terminal must not get.
pub(crate) fn huge_reason(settings: &Settings) -> Outcome {
    let n_bytes = usize::try_from(settings.count).unwrap_or_default();
    let reason: String = "\u{1b}[31mred\u{202e}\n"
        .chars()
        .cycle()
        .scan(0, |length, character| {
            *length += character.len_utf8();
            (*length <= n_bytes).then_some(character)
        })
        .collect();
    Outcome::Retry(Wait {
        after_ms: settings.after_ms,
        reason,
    })
}

/// An outcome for each record by what is in its key.
pub(crate) fn by_key(
    settings: &Settings,
    retries: &mut HashMap<String, u32>,
    batch: &[Record],
) -> Vec<Outcome> {
    let has =
        |part: &Option<String>, key: &str| part.as_ref().is_some_and(|part| key.contains(part));
    batch
        .iter()
        .map(|record| {
            let key = record.key.as_str();
            if has(&settings.reject_key, key) {
                return Outcome::Rejected(Failure::new(code(settings), "rejected as asked"));
            }
            if has(&settings.defer_key, key) {
                return Outcome::Deferred(wait(settings));
            }
            if has(&settings.retry_key, key) {
                let n_retries = retries.entry(key.to_owned()).or_default();
                if settings.retry_times.is_none_or(|times| *n_retries < times) {
                    *n_retries += 1;
                    return Outcome::Retry(wait(settings));
                }
            }
            Outcome::Delivered
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use nuncio_sdk::{Change, DeleteCause, Deleted, Origin, Source};

    use super::*;

    fn record(key: &str) -> Record {
        let deleted = Deleted {
            cause: DeleteCause::Removed,
            thread_id: None,
            ical_uid: None,
            name: None,
        };
        Record {
            key: key.to_owned(),
            revision: 1,
            source_version: 0,
            change: Change::Deleted,
            source: Source::Gmail,
            origin: Origin::Live,
            lane: 1,
            user: String::new(),
            account: String::new(),
            collection: String::new(),
            observed_at: 0,
            notes: None,
            extra: None,
            payload: Payload::Deleted(deleted),
        }
    }

    fn words(outcomes: &[Outcome]) -> Vec<&'static str> {
        let word = |outcome: &Outcome| match outcome {
            Outcome::Delivered => "delivered",
            Outcome::Retry(_) => "retry",
            Outcome::Deferred(_) => "deferred",
            Outcome::Rejected(_) => "rejected",
        };
        outcomes.iter().map(word).collect()
    }

    #[test]
    fn keys_choose_the_outcome_and_retries_end() {
        let text = r#"{"do": "outcomes", "reject_key": "bad", "retry_key": "again", "retry_times": 2, "defer_key": "late"}"#;
        let settings: Settings = serde_json::from_str(text).unwrap();
        let batch = ["gmail/1/a", "gmail/1/bad", "gmail/1/again", "gmail/1/late"].map(record);
        let mut retries = HashMap::new();
        let first = by_key(&settings, &mut retries, &batch);
        assert_eq!(
            words(&first),
            ["delivered", "rejected", "retry", "deferred"]
        );
        by_key(&settings, &mut retries, &batch);
        assert_eq!(
            words(&by_key(&settings, &mut retries, &batch[2..3])),
            ["delivered"]
        );
    }

    #[test]
    fn counts_and_sizes_are_as_asked() {
        for (count, expected) in [(0, 3), (2, 5), (-1, 2), (-9, 0)] {
            let mut answer = delivered(3);
            change_count(&mut answer, count);
            assert_eq!(answer.len(), expected);
        }
        let settings = Settings {
            count: 5000,
            ..Settings::default()
        };
        let Outcome::Retry(wait) = huge_reason(&settings) else {
            panic!("not a retry")
        };
        assert!((4998..=5000).contains(&wait.reason.len()));
    }
}
