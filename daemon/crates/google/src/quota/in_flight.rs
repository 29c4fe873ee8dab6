//! How many calls of one user may be under way at once. Google has a ceiling that it does not
//! publish and that all clients of a mailbox share: it is found by growing slowly and halving at
//! each refusal. <https://developers.google.com/workspace/gmail/api/guides/handle-errors>

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Never more at once.
const MOST: usize = 16;

/// Good answers after which one more is tried, for each call that is allowed now.
const GROW_AFTER: usize = 16;

/// The calls of one user.
#[derive(Debug)]
pub(crate) struct InFlight {
    slots: Arc<Semaphore>,
    /// Slots to take away when they come back.
    surplus: AtomicUsize,
    state: Mutex<State>,
    /// Whether a wish was ever made to wait: growing helps only then.
    is_wanted: AtomicBool,
}

#[derive(Debug)]
struct State {
    allowed: usize,
    n_good: usize,
}

/// The right to have one call under way; given back on drop.
#[derive(Debug)]
pub(crate) struct Slot {
    owner: Arc<InFlight>,
    permit: Option<OwnedSemaphorePermit>,
}

impl InFlight {
    /// Begins with `allowed` calls at once, at least one.
    pub(crate) fn new(allowed: usize) -> Self {
        let allowed = allowed.clamp(1, MOST);
        Self {
            slots: Arc::new(Semaphore::new(allowed)),
            surplus: AtomicUsize::new(0),
            state: Mutex::new(State { allowed, n_good: 0 }),
            is_wanted: AtomicBool::new(false),
        }
    }

    /// Waits for a slot, in the order of arrival.
    ///
    /// # Cancel safety
    /// Dropped early, nothing is taken.
    pub(crate) async fn acquire(self: Arc<Self>) -> Slot {
        let free = Arc::clone(&self.slots).try_acquire_owned();
        let permit = match free {
            Ok(permit) => Some(permit),
            Err(_) => {
                self.is_wanted.store(true, Ordering::Relaxed);
                // The semaphore is never closed, so there always is a permit.
                Arc::clone(&self.slots).acquire_owned().await.ok()
            }
        };
        Slot {
            owner: self,
            permit,
        }
    }

    /// A call was answered well.
    pub(crate) fn good(&self) {
        let mut state = self.lock();
        if state.allowed >= MOST || !self.is_wanted.load(Ordering::Relaxed) {
            return;
        }
        state.n_good += 1;
        if state.n_good >= GROW_AFTER * state.allowed {
            state.n_good = 0;
            state.allowed += 1;
            self.is_wanted.store(false, Ordering::Relaxed);
            self.slots.add_permits(1);
        }
    }

    /// Google says that too many calls are under way.
    pub(crate) fn too_many(&self) {
        let mut state = self.lock();
        let fewer = (state.allowed / 2).max(1);
        self.surplus
            .fetch_add(state.allowed - fewer, Ordering::Relaxed);
        (state.allowed, state.n_good) = (fewer, 0);
    }

    #[cfg(test)]
    fn allowed(&self) -> usize {
        self.lock().allowed
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let surplus = &self.owner.surplus;
        let taken =
            surplus.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        if taken.is_ok()
            && let Some(permit) = self.permit.take()
        {
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_grows_where_it_is_wanted_and_halves_at_a_refusal() {
        let calls = Arc::new(InFlight::new(4));
        for _ in 0..10_000 {
            calls.good();
        }
        assert_eq!(calls.allowed(), 4, "nobody had to wait");
        while calls.allowed() < MOST {
            let mut held = Vec::new();
            for _ in 0..calls.allowed() {
                held.push(Arc::clone(&calls).acquire().await);
            }
            let mut waiting = tokio::task::JoinSet::new();
            waiting.spawn(Arc::clone(&calls).acquire());
            tokio::task::yield_now().await;
            held.clear();
            drop(waiting.join_next().await.unwrap().unwrap());
            for _ in 0..GROW_AFTER * calls.allowed() {
                calls.good();
            }
        }
        let mut held = Vec::new();
        for _ in 0..MOST {
            held.push(Arc::clone(&calls).acquire().await);
        }
        calls.too_many();
        calls.too_many();
        assert_eq!(calls.allowed(), 4);
        held.clear();
        assert_eq!(calls.slots.available_permits(), 4);
        for _ in 0..5 {
            calls.too_many();
        }
        assert_eq!(calls.allowed(), 1);
    }
}
