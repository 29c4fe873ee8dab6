//! The feeds of what belongs to the domain, started as accounts find calendars and shared drives.
//! Who reads which is not decided here.

use super::desired::DomainWishes;
use super::{FeedHandle, Feeds};
use crate::supervisor::{Fatal, Tree};
use nuncio_model::{FeedSpec, Source};
use nuncio_sources::Shared;
use nuncio_sources::calendar::{self, SharedOptions};
use nuncio_sources::drive::{self, SharedDriveOptions};
use std::collections::HashSet;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Starts the feeds of the domain as accounts find calendars and shared drives.
#[derive(Clone)]
pub(super) struct Domain {
    feeds: Feeds,
    wishes: DomainWishes,
    shared: Shared,
    /// What was read before this process.
    stored: Vec<(Source, String)>,
}

impl Domain {
    /// Nothing is started yet; `stored` are the feeds that the store knows.
    pub(super) fn new(
        feeds: Feeds,
        wishes: DomainWishes,
        shared: Shared,
        stored: &[FeedSpec],
    ) -> Self {
        let of_domain = stored
            .iter()
            .filter(|spec| spec.account.as_str().is_empty());
        Self {
            feeds,
            wishes,
            shared,
            stored: of_domain
                .map(|spec| (spec.source, spec.collection.clone()))
                .collect(),
        }
    }

    /// Runs them until `stop`.
    ///
    /// # Errors
    /// Of a feed that cannot go on.
    pub(super) async fn run(self, stop: CancellationToken) -> Result<(), Fatal> {
        let mut changes = self.shared.commons.changes();
        let mut tree = Tree::new(&stop);
        self.feeds.forget_domain();
        let mut started = HashSet::new();
        let commons = Arc::clone(&self.shared.commons);
        let all_answered = async {
            commons.all_answered(Source::Calendar).await;
            commons.all_answered(Source::Drive).await;
        };
        tokio::pin!(all_answered);
        let mut are_all_known = false;
        loop {
            changes.mark_unchanged();
            let told = commons.collections().into_iter();
            // What nobody sees any more is shown as orphaned, once all have told what they see.
            let stored = self.stored.iter().filter(|_| are_all_known).cloned();
            for (source, collection) in told.chain(stored) {
                if started.insert((source, collection.clone())) {
                    self.start_one(source, &collection, &mut tree);
                }
            }
            tokio::select! {
                () = &mut all_answered, if !are_all_known => are_all_known = true,
                () = stop.cancelled() => return tree.ended().await,
                fatal = tree.failed() => return Err(fatal),
                changed = changes.changed() => if changed.is_err() {
                    return tree.ended().await;
                },
            }
        }
    }

    /// Starts a feed of the domain.
    fn start_one(&self, source: Source, collection: &str, tree: &mut Tree) {
        match source {
            Source::Gmail => {}
            Source::Calendar => {
                let (handle, ends) = FeedHandle::new(source, collection, None);
                self.feeds.add(handle);
                let options = SharedOptions {
                    calendar: collection.to_owned(),
                    poll_interval: self.wishes.poll_interval,
                    since: self.wishes.since,
                    content: self.wishes.content,
                };
                let shared = self.shared.clone();
                let name = format!("feed calendar {}", nuncio_model::untrusted(collection));
                tree.spawn(name, move |stop| {
                    let (ends, options, shared) = (ends.clone(), options.clone(), shared.clone());
                    async move {
                        let mut commands = ends.commands.lock_owned().await;
                        calendar::run_shared(options, shared, ends.health, &mut commands, stop)
                            .await
                    }
                });
            }
            Source::Drive => {
                let (handle, ends) = FeedHandle::new(source, collection, None);
                let options = SharedDriveOptions {
                    drive_id: collection.to_owned(),
                    poll_interval: self.wishes.poll_interval,
                    permissions: self.wishes.permissions,
                };
                let shared = self.shared.clone();
                let name = format!("feed drive {}", nuncio_model::untrusted(collection));
                tree.spawn(name, move |stop| {
                    let (ends, options, shared) = (ends.clone(), options.clone(), shared.clone());
                    async move {
                        let mut commands = ends.commands.lock_owned().await;
                        drive::run_shared(options, shared, ends.health, &mut commands, stop).await
                    }
                });
                self.feeds.add(handle);
            }
        }
    }
}
