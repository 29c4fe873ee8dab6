//! One instance of a plugin: its store and the calls into it, each bounded in time from inside
//! (epochs) and from outside (a timeout, since epochs do not end a wait in a host call). After
//! a broken call or a dropped one the instance must not be used again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bumpalo::Bump;
use nuncio_model::{Content, Outcome, Record};
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use wasmtime::component::InstancePre;
use wasmtime::{PoolConcurrencyLimitError, Store, Trap, UpdateDeadline};

use crate::Engine;
use crate::api::from_guest::{self, OpenError, RawInfo};
use crate::api::{to_guest, v0};
use crate::broken::{Broken, TimeIsOver, explain};
use crate::host::{MountError, State, Surroundings};

/// Bytes that a guest may hand to one host call, and in one answer.
const HOST_CALL_BYTES: usize = 16 << 20;

/// How much later the outer timeout fires: the inner one can say in which function.
const GRACE: Duration = Duration::from_millis(100);

/// A plugin that is instantiated.
pub(crate) struct Instance {
    store: Store<State>,
    sink: v0::Sink,
}

/// Why there is no instance.
pub(crate) enum StartError {
    Dir(MountError),
    Full(String),
    /// What the plugin exports or imports does not fit.
    Incompatible(String),
    /// Its memory does not fit, or a start function of its language did not end well.
    Broken(Broken),
}

/// How a call ended that answered for no record.
#[derive(Debug)]
pub(crate) enum CallFailure {
    /// The guest's own answer; it goes on living.
    Answer(nuncio_model::CallError),
    Broken(Broken),
}

impl Instance {
    /// Instantiates; nothing of the contract is called yet. `time` bounds the guest's start
    /// functions.
    pub(crate) async fn start(
        engine: &Engine,
        component: &InstancePre<State>,
        given: &Surroundings,
        time: Duration,
    ) -> Result<Self, StartError> {
        let state = State::new(given).map_err(StartError::Dir)?;
        let mut store = Store::new(engine.wasmtime(), state);
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(HOST_CALL_BYTES);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|store| {
            if Instant::now() >= store.data().deadline {
                Err(TimeIsOver.into())
            } else {
                Ok(UpdateDeadline::Yield(1))
            }
        });
        store.data_mut().begin_call(time);
        let started = Box::pin(timeout(
            time + GRACE,
            component.instantiate_async(&mut store),
        ))
        .await;
        let instance = match started {
            Ok(Ok(instance)) => instance,
            Ok(Err(error)) if error.is::<PoolConcurrencyLimitError>() => {
                return Err(StartError::Full(said(&error)));
            }
            Ok(Err(error)) => {
                let memory = &store.data().memory;
                let denied = memory.was_denied().then(|| memory.max_bytes());
                let is_broken = denied.is_some() || error.is::<Trap>() || error.is::<TimeIsOver>();
                return Err(if is_broken {
                    StartError::Broken(explain(&error, denied))
                } else {
                    StartError::Incompatible(said(&error))
                });
            }
            Err(Elapsed { .. }) => {
                let reason = "its start function does not end".into();
                return Err(StartError::Broken(Broken {
                    code: "timeout",
                    reason,
                }));
            }
        };
        let sink = v0::Sink::new(&mut store, &instance)
            .map_err(|error| StartError::Incompatible(said(&error)))?;
        Ok(Self { store, sink })
    }

    /// Asks the plugin what it is.
    pub(crate) async fn describe(&mut self, time: Duration) -> Result<RawInfo, Broken> {
        self.store.data_mut().begin_call(time);
        let call = self
            .sink
            .nuncio_sink_lifecycle()
            .call_describe(&mut self.store);
        let answer = Box::pin(timeout(time + GRACE, call)).await;
        self.end(answer).map(RawInfo::from)
    }

    /// Starts the plugin with its settings, a JSON object.
    pub(crate) async fn open(
        &mut self,
        settings: &str,
        time: Duration,
    ) -> Result<Result<(), OpenError>, Broken> {
        self.store.data_mut().begin_call(time);
        let call = self
            .sink
            .nuncio_sink_lifecycle()
            .call_open(&mut self.store, settings);
        let answer = Box::pin(timeout(time + GRACE, call)).await;
        Ok(self.end(answer)?.map_err(from_guest::open_error))
    }

    /// Hands over a batch. Exactly one outcome for each record, or a failure.
    pub(crate) async fn write(
        &mut self,
        batch: &[Arc<Record>],
        content: Content,
        time: Duration,
    ) -> Result<Vec<Outcome>, CallFailure> {
        self.store.data_mut().begin_call(time);
        let arena = Bump::new();
        let mut records = Vec::with_capacity(batch.len());
        let mut lender = to_guest::Lender {
            state: self.store.data_mut(),
            content,
        };
        for record in batch {
            let record = to_guest::record(&arena, record, &mut lender)
                .map_err(|error| CallFailure::Broken(explain(&error, None)))?;
            records.push(record);
        }
        let call = self
            .sink
            .nuncio_sink_writer()
            .call_write(&mut self.store, &records);
        let answer = Box::pin(timeout(time + GRACE, call)).await;
        let answer = self.end(answer).map_err(CallFailure::Broken)?;
        let outcomes =
            answer.map_err(|error| CallFailure::Answer(from_guest::write_error(error)))?;
        if outcomes.len() != batch.len() {
            let reason = format!("{} outcomes for {} records", outcomes.len(), batch.len());
            return Err(CallFailure::Broken(Broken {
                code: "wrong-length",
                reason,
            }));
        }
        Ok(outcomes.into_iter().map(from_guest::outcome).collect())
    }

    /// Ends the instance in order.
    pub(crate) async fn close(mut self, time: Duration) -> Result<(), Broken> {
        self.store.data_mut().begin_call(time);
        let call = self
            .sink
            .nuncio_sink_lifecycle()
            .call_close(&mut self.store);
        let answer = Box::pin(timeout(time + GRACE, call)).await;
        self.end(answer)
    }

    /// Whether the instance should be replaced although its calls went well.
    pub(crate) fn is_worn(&self) -> bool {
        self.store.data().is_worn()
    }

    fn end<T>(&mut self, answer: Result<wasmtime::Result<T>, Elapsed>) -> Result<T, Broken> {
        let state = self.store.data_mut();
        state.end_call();
        let denied = state.memory.was_denied().then(|| state.memory.max_bytes());
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(explain(&error, denied)),
            Err(Elapsed { .. }) => Err(Broken {
                code: "timeout",
                reason: "still waiting for the host (a file, an attachment, a timer) when its time was over".into(),
            }),
        }
    }
}

/// wasmtime's words with all their causes; names in it come from the guest.
pub(crate) fn said(error: &wasmtime::Error) -> String {
    let text = format!("{error:#}");
    // Longer than one escaped text, since the end of the chain is what tells.
    text.split(": ")
        .map(|part| nuncio_model::untrusted(part).to_string())
        .collect::<Vec<_>>()
        .join(": ")
}
