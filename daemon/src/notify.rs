//! What the service manager is told, by the protocol of `sd_notify(3)`: that the daemon is ready,
//! reloads, ends, and that it is not stuck. Without `NOTIFY_SOCKET` nothing is told. The daemon
//! starts no processes and gives guests no environment, so nobody else sees the socket.

use nuncio_model::untrusted;
use rustix::time::{ClockId, clock_gettime};
use std::cell::Cell;
use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;
use tokio::time::Instant;

/// An order may take this long before the main loop counts as stuck: compiling many plugins on a
/// slow machine takes minutes.
const MAX_ORDER: Duration = Duration::from_secs(10 * 60);

/// The spool's writer may be silent this long before it counts as stuck. Its transactions take
/// milliseconds; a disk that others keep busy may hold one for a minute.
const MAX_SILENCE: Duration = Duration::from_secs(5 * 60);

/// The service manager takes a message at once unless it is stuck itself; nothing here waits for
/// that.
const SEND_TIME: Duration = Duration::from_secs(1);

/// The service manager that started this process, if one did.
pub(crate) struct Manager {
    socket: Option<SocketAddr>,
    /// After so long without a sign of life it ends the daemon.
    watchdog: Option<Duration>,
}

impl Manager {
    /// That of the environment.
    pub(crate) fn of_environment() -> Self {
        Self::of(|name| std::env::var_os(name))
    }

    fn of(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let socket = variable("NOTIFY_SOCKET").filter(|name| !name.is_empty());
        let socket = socket.and_then(|name| match address(&name) {
            Ok(address) => Some(address),
            Err(error) => {
                tracing::warn!(%error, "NOTIFY_SOCKET is no unix socket; the service manager is told nothing");
                None
            }
        });
        let number = |name| variable(name)?.to_str()?.parse::<u64>().ok();
        let is_ours = match variable("WATCHDOG_PID") {
            Some(_) => number("WATCHDOG_PID") == Some(u64::from(std::process::id())),
            None => true,
        };
        let watchdog = number("WATCHDOG_USEC").filter(|usec| *usec > 0 && is_ours);
        Self {
            socket,
            watchdog: watchdog.map(Duration::from_micros),
        }
    }

    /// The daemon runs, or runs on after a reload; `status` is one line for people.
    pub(crate) fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={}", untrusted(status)));
    }

    /// A reload begins; [`Manager::ready`] ends it, however it went.
    pub(crate) fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let usec = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000;
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={usec}"));
    }

    /// The end begins. It has a deadline of its own, so that it is not watched any longer.
    pub(crate) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=stopping\nWATCHDOG=1");
    }

    /// Tells for as long as it is polled that the daemon is not stuck: that the task which polls
    /// this goes on, that no order takes for ever, and that `ping` is answered, which asks the
    /// spool's writer and says whether it lives.
    pub(crate) async fn watch<P>(&self, order: &OrderTime, ping: P) -> Infallible
    where
        P: AsyncFn() -> bool,
    {
        let (Some(patience), Some(_)) = (self.watchdog, &self.socket) else {
            return std::future::pending().await;
        };
        // Twice in that time, as sd_watchdog_enabled(3) asks for.
        let pause = patience / 2;
        let answered = Cell::new(Instant::now());
        // An unanswered ping is never given up: behind a long queue it still comes.
        let pings = async {
            loop {
                if ping().await {
                    answered.set(Instant::now());
                }
                tokio::time::sleep(pause).await;
            }
        };
        let signs = async {
            loop {
                match stuck(order, answered.get()) {
                    None => self.tell("WATCHDOG=1"),
                    Some(what) => {
                        tracing::error!(
                            what,
                            "stuck, which is a bug or a broken disk; the watchdog is not fed any longer"
                        );
                    }
                }
                tokio::time::sleep(pause).await;
            }
        };
        // Neither ends.
        tokio::join!(pings, signs).0
    }

    fn tell(&self, message: &str) {
        let Some(socket) = &self.socket else {
            return;
        };
        if let Err(error) = send(socket, message) {
            tracing::warn!(%error, "the service manager could not be told");
        }
    }
}

/// What is stuck, if anything is.
fn stuck(order: &OrderTime, answered: Instant) -> Option<&'static str> {
    if order
        .0
        .get()
        .is_some_and(|begun| begun.elapsed() > MAX_ORDER)
    {
        return Some("main loop");
    }
    (answered.elapsed() > MAX_SILENCE).then_some("spool writer")
}

/// Since when an order is carried out, if one is.
#[derive(Default)]
pub(crate) struct OrderTime(Cell<Option<Instant>>);

impl OrderTime {
    /// One begins.
    pub(crate) fn begin(&self) {
        self.0.set(Some(Instant::now()));
    }

    /// It is done.
    pub(crate) fn end(&self) {
        self.0.set(None);
    }
}

/// The socket of that name: a path, or behind an `@` a name in the abstract namespace.
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    match name.as_bytes() {
        [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest),
        [b'/', ..] => SocketAddr::from_pathname(name),
        _ => Err(io::Error::other("neither a path nor an abstract name")),
    }
}

fn send(to: &SocketAddr, message: &str) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(SEND_TIME))?;
    socket.send_to_addr(message.as_bytes(), to)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// A service manager that listens in the abstract namespace.
    struct Listening {
        manager: Manager,
        socket: UnixDatagram,
    }

    impl Listening {
        fn new(more: &[(&str, &str)]) -> Self {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let n = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("nuncio-notify-{}-{n}", std::process::id());
            let address = SocketAddr::from_abstract_name(&name).unwrap();
            let socket = UnixDatagram::bind_addr(&address).unwrap();
            socket.set_nonblocking(true).unwrap();
            let manager = Manager::of(|variable| match variable {
                "NOTIFY_SOCKET" => Some(format!("@{name}").into()),
                _ => {
                    let found = more.iter().find(|(name, _)| *name == variable);
                    found.map(|(_, value)| (*value).into())
                }
            });
            Self { manager, socket }
        }

        /// The message that waits, if one does.
        fn heard(&self) -> Option<String> {
            let mut buffer = [0; 1_024];
            let n = self.socket.recv(&mut buffer).ok()?;
            Some(String::from_utf8(buffer[..n].to_vec()).unwrap())
        }

        /// How many signs of life come within `time` of the paused clock.
        async fn signs_within(
            &self,
            time: Duration,
            order: &OrderTime,
            ping: impl AsyncFn() -> bool,
        ) -> usize {
            let signs = Cell::new(0);
            // Read at once: a socket's queue is short.
            let listens = async {
                loop {
                    while let Some(sign) = self.heard() {
                        assert_eq!(sign, "WATCHDOG=1");
                        signs.set(signs.get() + 1);
                    }
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            };
            let watched = async { tokio::join!(self.manager.watch(order, ping), listens) };
            let ended: Result<(Infallible, Infallible), _> =
                tokio::time::timeout(time, watched).await;
            assert!(ended.is_err());
            signs.get()
        }
    }

    const MINUTE: Duration = Duration::from_secs(60);
    const WATCHDOG: [(&str, &str); 1] = [("WATCHDOG_USEC", "60000000")];

    #[test]
    fn what_others_wrote_stays_within_its_line() {
        let listening = Listening::new(&[]);
        listening.manager.ready("2 users\nWATCHDOG=trigger");
        let told = listening.heard().unwrap();
        assert_eq!(told.lines().count(), 2, "{told}");
        assert!(told.starts_with("READY=1\nSTATUS=2 users"), "{told}");
    }

    #[test]
    fn a_reload_is_told_with_its_time() {
        let listening = Listening::new(&[]);
        listening.manager.reloading();
        listening.manager.reloading();
        let mut times = std::iter::from_fn(|| listening.heard()).map(|told| {
            let time = told.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
            time.parse::<u64>().unwrap()
        });
        let (first, second) = (times.next().unwrap(), times.next().unwrap());
        assert!(0 < first && first <= second);
    }

    #[test]
    fn a_socket_that_is_none_is_not_told_anything() {
        for name in ["", "nuncio", "vsock:2:1234"] {
            let manager = Manager::of(|_| Some(name.into()));
            assert!(manager.socket.is_none(), "{name}");
            manager.ready("");
        }
    }

    #[test]
    fn a_watchdog_for_another_process_is_not_fed() {
        let ours = std::process::id().to_string();
        let of = |pid: &str, usec: &str| {
            let more = [("WATCHDOG_PID", pid), ("WATCHDOG_USEC", usec)];
            Listening::new(&more).manager.watchdog
        };
        assert_eq!(of(&ours, "2000000"), Some(Duration::from_secs(2)));
        assert_eq!(of("1", "2000000"), None);
        assert_eq!(of("", "2000000"), None);
        assert_eq!(of(&ours, "0"), None);
        assert_eq!(of(&ours, "often"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn who_goes_on_is_fed_twice_in_the_time() {
        let listening = Listening::new(&WATCHDOG);
        let order = OrderTime::default();
        let n = listening
            .signs_within(10 * MINUTE, &order, async || true)
            .await;
        assert!((20..=21).contains(&n), "{n}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_busy_is_fed_and_an_order_without_an_end_is_not() {
        let listening = Listening::new(&WATCHDOG);
        let order = OrderTime::default();
        order.begin();
        // Each answer of the spool takes long, too.
        let slow = async || {
            tokio::time::sleep(4 * MINUTE).await;
            true
        };
        let n = listening.signs_within(MAX_ORDER, &order, slow).await;
        assert!((20..=21).contains(&n), "{n}");
        let n = listening
            .signs_within(10 * MINUTE, &order, async || true)
            .await;
        assert!(n <= 1, "{n}");
        order.end();
        let n = listening
            .signs_within(10 * MINUTE, &order, async || true)
            .await;
        assert!((20..=21).contains(&n), "{n}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_writer_that_does_not_answer_or_is_gone_is_not_fed() {
        let order = OrderTime::default();
        let bound = usize::try_from(MAX_SILENCE.as_secs() / 30).unwrap() + 1;
        let listening = Listening::new(&WATCHDOG);
        let never = async || std::future::pending().await;
        let n = listening.signs_within(60 * MINUTE, &order, never).await;
        assert!((1..=bound).contains(&n), "{n}");
        let gone = async || false;
        let n = listening.signs_within(60 * MINUTE, &order, gone).await;
        assert!((1..=bound).contains(&n), "{n}");
    }
}
