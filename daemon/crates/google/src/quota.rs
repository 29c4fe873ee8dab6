//! The permit that every request needs before it leaves, one seam for all limits. Today a
//! permit bounds the calls in flight per mailbox and waits for pauses that Google asked for;
//! budgets by method and price will stand behind the same two functions.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

/// A hint pauses at most so long: Google's own are about 15 minutes, and a nonsense one must
/// not silence a mailbox for a day.
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);

/// Hands out permits.
#[derive(Debug)]
pub(crate) struct Governor {
    in_flight: usize,
    /// One small entry per mailbox that was ever called; bounded by the configured users.
    mailboxes: Mutex<HashMap<Box<str>, Arc<Mailbox>>>,
}

#[derive(Debug)]
struct Mailbox {
    slots: Arc<Semaphore>,
    paused_until: Mutex<Option<Instant>>,
}

/// The right to one request; given back on drop, after the body was read.
#[must_use]
#[derive(Debug)]
pub(crate) struct Permit {
    _slot: OwnedSemaphorePermit,
}

/// The mailbox is paused for longer than the caller would wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paused {
    pub(crate) left: Duration,
}

impl Governor {
    /// `in_flight` calls at once per mailbox, at least one.
    pub(crate) fn new(in_flight: usize) -> Self {
        Self {
            in_flight: in_flight.max(1),
            mailboxes: Mutex::default(),
        }
    }

    /// Waits for the right to send one `method` for `mailbox`. Waits are in the order of arrival.
    ///
    /// # Errors
    /// [`Paused`] if Google asked for a pause that lasts longer than `patience`.
    /// # Cancel safety
    /// Dropped early, nothing is taken.
    pub(crate) async fn permit(
        &self,
        mailbox: &str,
        method: &'static str,
        patience: Duration,
    ) -> Result<Permit, Paused> {
        // Every method costs the same until budgets come.
        tracing::trace!(account = mailbox, method, "asking for a permit");
        let mailbox = self.mailbox(mailbox);
        loop {
            mailbox.wait_for_pause(patience).await?;
            let slot = Arc::clone(&mailbox.slots).acquire_owned().await;
            let slot = slot.expect("the semaphore is never closed");
            // A call that was in flight meanwhile may have brought a new pause.
            if mailbox.pause_left().is_none() {
                return Ok(Permit { _slot: slot });
            }
        }
    }

    /// Google asks to leave `mailbox` alone for `pause`: permits wait. Never shortens a pause.
    pub(crate) fn hint(&self, mailbox: &str, pause: Duration) {
        let until = Instant::now() + pause.min(LONGEST_PAUSE);
        let mailbox = self.mailbox(mailbox);
        let mut paused_until = lock(&mailbox.paused_until);
        *paused_until = Some(paused_until.map_or(until, |current| current.max(until)));
    }

    fn mailbox(&self, name: &str) -> Arc<Mailbox> {
        let mut mailboxes = lock(&self.mailboxes);
        if let Some(mailbox) = mailboxes.get(name) {
            return Arc::clone(mailbox);
        }
        let mailbox = Arc::new(Mailbox {
            slots: Arc::new(Semaphore::new(self.in_flight)),
            paused_until: Mutex::default(),
        });
        mailboxes.insert(name.into(), Arc::clone(&mailbox));
        mailbox
    }
}

impl Mailbox {
    fn pause_left(&self) -> Option<Duration> {
        let until = (*lock(&self.paused_until))?;
        let left = until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    async fn wait_for_pause(&self, patience: Duration) -> Result<(), Paused> {
        while let Some(left) = self.pause_left() {
            if left > patience {
                return Err(Paused { left });
            }
            sleep_until(Instant::now() + left).await;
        }
        Ok(())
    }
}

/// A panic elsewhere cannot leave these maps and numbers half-written.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    const PATIENCE: Duration = Duration::from_secs(30);

    fn is_pending<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> bool {
        matches!(
            future.poll(&mut Context::from_waker(Waker::noop())),
            Poll::Pending
        )
    }

    #[tokio::test(start_paused = true)]
    async fn the_fifth_call_of_a_mailbox_waits_and_others_do_not() {
        let governor = Governor::new(4);
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(governor.permit("ana", "m", PATIENCE).await.unwrap());
        }
        let mut fifth = pin!(governor.permit("ana", "m", PATIENCE));
        assert!(is_pending(fifth.as_mut()));
        let _other = governor.permit("bob", "m", PATIENCE).await.unwrap();
        held.pop();
        let _fifth = fifth.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_hint_pauses_only_its_mailbox_and_never_gets_shorter() {
        let governor = Governor::new(4);
        let start = Instant::now();
        governor.hint("ana", Duration::from_secs(20));
        governor.hint("ana", Duration::from_secs(1));
        let _bob = governor.permit("bob", "m", PATIENCE).await.unwrap();
        assert_eq!(start.elapsed(), Duration::ZERO);
        let _ana = governor.permit("ana", "m", PATIENCE).await.unwrap();
        assert!(
            start.elapsed() >= Duration::from_secs(20),
            "{:?}",
            start.elapsed()
        );
        assert!(
            start.elapsed() < Duration::from_secs(21),
            "{:?}",
            start.elapsed()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_clamped_and_a_long_one_is_the_callers_to_wait() {
        let governor = Governor::new(4);
        governor.hint("ana", Duration::from_secs(86_400));
        let paused = governor.permit("ana", "m", PATIENCE).await.unwrap_err();
        assert_eq!(paused.left, LONGEST_PAUSE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_that_comes_while_waiting_for_a_slot_is_obeyed() {
        let governor = Governor::new(1);
        let first = governor.permit("ana", "m", PATIENCE).await.unwrap();
        let mut second = pin!(governor.permit("ana", "m", PATIENCE));
        assert!(is_pending(second.as_mut()));
        governor.hint("ana", Duration::from_secs(10));
        drop(first);
        let start = Instant::now();
        let _second = second.await.unwrap();
        assert!(
            start.elapsed() >= Duration::from_secs(10),
            "{:?}",
            start.elapsed()
        );
    }
}
