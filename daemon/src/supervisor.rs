//! The task tree: starts tasks with a name, restarts one that panicked, and ends all in order
//! under one deadline. What the tasks do is not known here.

use futures_util::FutureExt;
use nuncio_model::Chain;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The first wait before a task that panicked is started again; doubled at each panic.
const FIRST_RESTART: Duration = Duration::from_secs(1);

/// The longest such wait.
const MAX_RESTART: Duration = Duration::from_secs(60);

/// Why the whole process cannot go on.
#[derive(Debug, thiserror::Error)]
#[error("{task} failed")]
pub(crate) struct Fatal {
    task: String,
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// A task that was started, to be stopped by itself.
#[derive(Debug, Clone)]
pub(crate) struct Running {
    stop: CancellationToken,
    ended: CancellationToken,
}

impl Running {
    /// Asks the task to stop; it ends by itself.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// Whether the task has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.is_cancelled()
    }

    /// Waits until the task has ended.
    ///
    /// # Cancel safety
    /// Changes nothing.
    pub(crate) async fn ended(&self) {
        self.ended.cancelled().await;
    }
}

/// A group of tasks that start and stop together.
pub(crate) struct Tree {
    tasks: JoinSet<Result<(), Fatal>>,
    stop: CancellationToken,
}

impl Tree {
    /// An empty group below `parent`.
    pub(crate) fn new(parent: &CancellationToken) -> Self {
        Self {
            tasks: JoinSet::new(),
            stop: parent.child_token(),
        }
    }

    /// Starts a task. `make` is called again after a panic, so it must build all that the task
    /// owns; an error of the task is fatal for the process.
    pub(crate) fn spawn<M, F, E>(&mut self, name: String, make: M) -> Running
    where
        M: FnMut(CancellationToken) -> F + Send + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: std::error::Error + Send + Sync + 'static,
    {
        self.spawn_after(name, Vec::new(), make)
    }

    /// As [`Tree::spawn`], once all of `before` have ended.
    pub(crate) fn spawn_after<M, F, E>(
        &mut self,
        name: String,
        before: Vec<Running>,
        mut make: M,
    ) -> Running
    where
        M: FnMut(CancellationToken) -> F + Send + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: std::error::Error + Send + Sync + 'static,
    {
        let running = Running {
            stop: self.stop.child_token(),
            ended: CancellationToken::new(),
        };
        let stop = running.stop.clone();
        let ended = running.ended.clone().drop_guard();
        self.tasks.spawn(async move {
            // Told however the task ends, also where it is cut off.
            let _ended = ended;
            for earlier in before {
                earlier.ended().await;
            }
            let mut wait = FIRST_RESTART;
            while !stop.is_cancelled() {
                match AssertUnwindSafe(make(stop.clone())).catch_unwind().await {
                    Ok(Ok(())) => return Ok(()),
                    Ok(Err(error)) => {
                        return Err(Fatal { task: name, source: Box::new(error) });
                    }
                    Err(_panic) => {
                        // The panic hook has printed what and where.
                        tracing::error!(task = %name, "a task panicked, which is a bug; it starts again");
                    }
                }
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(wait) => wait = (wait * 2).min(MAX_RESTART),
                }
            }
            Ok(())
        });
        running
    }

    /// Waits until a task fails for good. Never returns while all goes well.
    pub(crate) async fn failed(&mut self) -> Fatal {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(Err(fatal))) => return fatal,
                Some(Ok(Ok(()))) => {}
                Some(Err(error)) => {
                    tracing::error!(error = %Chain(&error), "a task was lost, which is a bug");
                }
                None => std::future::pending().await,
            }
        }
    }

    /// Waits for all tasks to end by themselves, their token being cancelled. Returns the first
    /// failure.
    pub(crate) async fn ended(mut self) -> Result<(), Fatal> {
        let mut first = Ok(());
        while let Some(ended) = self.tasks.join_next().await {
            if let Ok(Err(fatal)) = ended {
                first = first.and(Err(fatal));
            }
        }
        first
    }

    /// Asks all tasks to stop and waits for them; what is left at `deadline` is cut off. Returns
    /// the first failure.
    pub(crate) async fn shut_down(mut self, deadline: Instant) -> Result<(), Fatal> {
        self.stop.cancel();
        let mut first = Ok(());
        loop {
            match tokio::time::timeout_at(deadline, self.tasks.join_next()).await {
                Ok(None) => return first,
                Ok(Some(Ok(Err(fatal)))) => {
                    if first.is_ok() {
                        first = Err(fatal);
                    }
                }
                Ok(Some(_)) => {}
                Err(_elapsed) => {
                    tracing::warn!(n_tasks = self.tasks.len(), "tasks cut off at the deadline");
                    self.tasks.shutdown().await;
                    return first;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test(start_paused = true)]
    async fn a_panic_is_that_tasks_failure_and_it_starts_again() {
        let n_starts = Arc::new(AtomicU32::new(0));
        let mut tree = Tree::new(&CancellationToken::new());
        let counted = Arc::clone(&n_starts);
        tree.spawn("task".into(), move |_stop| {
            let n = counted.fetch_add(1, Ordering::SeqCst);
            async move {
                assert!(n >= 2, "planned panic");
                Err::<(), std::io::Error>(std::io::Error::other("for good"))
            }
        });
        assert_eq!(tree.failed().await.to_string(), "task failed");
        assert_eq!(n_starts.load(Ordering::SeqCst), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_waits_until_the_one_that_it_replaces_has_ended() {
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        let mut tree = Tree::new(&CancellationToken::new());
        let task = |name: &'static str| {
            let order = Arc::clone(&order);
            move |stop: CancellationToken| {
                let order = Arc::clone(&order);
                async move {
                    order.lock().unwrap().push((name, "begins"));
                    stop.cancelled().await;
                    tokio::time::sleep(Duration::from_secs(3)).await;
                    order.lock().unwrap().push((name, "ends"));
                    Ok::<(), std::io::Error>(())
                }
            }
        };
        let other = tree.spawn("other".into(), task("other"));
        let old = tree.spawn("old".into(), task("old"));
        tokio::task::yield_now().await;
        old.stop();
        let new = tree.spawn_after("new".into(), vec![old.clone()], task("new"));
        old.ended().await;
        tokio::task::yield_now().await;
        let told = order.lock().unwrap().clone();
        let expected = [
            ("other", "begins"),
            ("old", "begins"),
            ("old", "ends"),
            ("new", "begins"),
        ];
        assert_eq!(told, expected, "and the other one goes on");
        drop((other, new));
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_is_stopped_before_its_turn_never_begins() {
        let mut tree = Tree::new(&CancellationToken::new());
        let old = tree.spawn("old".into(), |stop| async move {
            stop.cancelled().await;
            Ok::<(), std::io::Error>(())
        });
        let new = tree.spawn_after("new".into(), vec![old.clone()], |_stop| {
            std::future::ready(Err::<(), _>(std::io::Error::other("it has begun")))
        });
        new.stop();
        old.stop();
        let ended = tree
            .shut_down(Instant::now() + Duration::from_secs(20))
            .await;
        assert!(ended.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn shutdown_cuts_what_does_not_stop() {
        let mut tree = Tree::new(&CancellationToken::new());
        tree.spawn("good".into(), |stop| async move {
            stop.cancelled().await;
            Ok::<(), std::io::Error>(())
        });
        tree.spawn("stubborn".into(), |_stop| {
            std::future::pending::<Result<(), std::io::Error>>()
        });
        // A task that was not begun when it is stopped never begins.
        tokio::task::yield_now().await;
        let begun = Instant::now();
        assert!(
            tree.shut_down(begun + Duration::from_secs(20))
                .await
                .is_ok()
        );
        assert_eq!(begun.elapsed(), Duration::from_secs(20));
    }
}
