//! The feeds of all users: starts them, reads their health, passes commands on. What a feed does
//! is in the crate `nuncio-sources`.

use crate::supervisor::Tree;
use nuncio_config::{Config, Since};
use nuncio_model::{Address, Content};
use nuncio_sources::FeedHealth;
use nuncio_sources::gmail::{MailCommand, MailFeed, MailOptions, Shared};
use std::sync::Arc;
use tokio::sync::{Mutex, mpsc, watch};

/// Commands that wait for one feed; an operator types no faster.
const MAX_COMMANDS: usize = 8;

/// One feed as the rest of the daemon sees it.
pub(crate) struct FeedHandle {
    /// The configured user.
    pub user: Address,
    /// The connected address.
    pub address: Address,
    health: watch::Receiver<FeedHealth>,
    commands: mpsc::Sender<MailCommand>,
}

impl FeedHandle {
    /// What the feed says of itself.
    pub(crate) fn health(&self) -> FeedHealth {
        self.health.borrow().clone()
    }

    /// Passes a command on; whether the feed took it.
    pub(crate) fn command(&self, command: MailCommand) -> bool {
        self.commands.try_send(command).is_ok()
    }
}

/// Starts a feed for each account of each user that is to be synced. `content` is the most that
/// any sink wants.
pub(crate) fn start(
    config: &Config,
    content: Content,
    shared: &Shared,
    tree: &mut Tree,
) -> Vec<FeedHandle> {
    let mut handles = Vec::new();
    for user in config.users.iter().filter(|user| user.sync) {
        for account in &user.accounts {
            let options = MailOptions {
                user: user.email.clone(),
                address: account.address.clone(),
                key: account.key.clone(),
                poll_interval: config.sync.poll_interval,
                since: match user.since {
                    Since::All => None,
                    Since::Within(duration) => Some(duration),
                },
                include_spam_trash: config.sync.include_spam_trash,
                content,
            };
            handles.push(start_one(options, shared.clone(), tree));
        }
    }
    handles
}

fn start_one(options: MailOptions, shared: Shared, tree: &mut Tree) -> FeedHandle {
    let (health_sender, health) = watch::channel(FeedHealth::default());
    let (commands, receiver) = mpsc::channel(MAX_COMMANDS);
    // A feed that starts again after a panic goes on with the same channel.
    let receiver = Arc::new(Mutex::new(receiver));
    let handle = FeedHandle {
        user: options.user.clone(),
        address: options.address.clone(),
        health,
        commands,
    };
    tree.spawn(format!("feed gmail {}", options.address), move |stop| {
        let feed = MailFeed::new(options.clone(), shared.clone(), health_sender.clone());
        let receiver = Arc::clone(&receiver);
        async move {
            let mut commands = receiver.lock_owned().await;
            feed.run(&mut commands, stop).await
        }
    });
    handle
}
