//! The daemon under a service manager: what it tells and when, with a socket of the test's own in
//! the manager's place; and the units that are shipped, judged by systemd's own tools where they
//! are there.

use nuncio_tests::{World, binary};
use std::fs;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use tokio::net::UnixDatagram;

/// A message may take as long as a start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// The service manager's end.
struct Manager {
    socket: UnixDatagram,
    /// What `NOTIFY_SOCKET` says.
    name: String,
}

impl Manager {
    /// It listens at a path.
    fn at(path: &Path) -> Self {
        Self {
            socket: UnixDatagram::bind(path).unwrap(),
            name: path.to_str().unwrap().to_owned(),
        }
    }

    /// It listens in the abstract namespace.
    fn of_name(name: &str) -> Self {
        let address = SocketAddr::from_abstract_name(name).unwrap();
        let socket = std::os::unix::net::UnixDatagram::bind_addr(&address).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self {
            socket: UnixDatagram::from_std(socket).unwrap(),
            name: format!("@{name}"),
        }
    }

    /// Starts the world's daemon, as a service that is ended after `watchdog` without a sign.
    fn start(&self, world: &mut World, watchdog: Duration) {
        world.start_daemon_with(|command| {
            command
                .env("NOTIFY_SOCKET", &self.name)
                .env("WATCHDOG_USEC", watchdog.as_micros().to_string());
        });
    }

    /// The next message.
    async fn hears(&self, world: &World) -> String {
        let mut buffer = [0; 4_096];
        let received = tokio::time::timeout(PATIENCE, self.socket.recv(&mut buffer)).await;
        let Ok(received) = received else {
            panic!("nothing was told:\n{}", world.log_tail());
        };
        String::from_utf8(buffer[..received.unwrap()].to_vec()).unwrap()
    }

    /// The next message that is no sign of life, and how many of those came before.
    async fn hears_more(&self, world: &World) -> (String, usize) {
        let mut n_signs = 0;
        loop {
            match self.hears(world).await {
                sign if sign == "WATCHDOG=1" => n_signs += 1,
                told => return (told, n_signs),
            }
        }
    }

    /// Whether nothing was told so far.
    fn heard_nothing(&self) -> bool {
        self.socket.try_recv(&mut [0; 4_096]).is_err()
    }
}

fn is_status(told: &str, what: &str) -> bool {
    told.strip_prefix("READY=1\nSTATUS=")
        .is_some_and(|status| status.contains(what))
}

/// Follows a reload; its end, and the signs of life that came meanwhile.
async fn reload_is_told(manager: &Manager, world: &World) -> (String, usize) {
    let (told, _) = manager.hears_more(world).await;
    let time = told.strip_prefix("RELOADING=1\nMONOTONIC_USEC=");
    time.and_then(|time| time.parse::<u64>().ok())
        .unwrap_or_else(|| panic!("{told}"));
    manager.hears_more(world).await
}

#[tokio::test(flavor = "multi_thread")]
async fn ready_comes_when_all_runs_reloads_are_told_and_the_end_is_in_time() {
    let mut world = World::start(2, 5, 91).await;
    world.configure();
    let manager = Manager::at(&world.path("notify"));
    manager.start(&mut world, Duration::from_secs(1));

    let told = manager.hears(&world).await;
    assert!(is_status(&told, "2 users, 2 sinks, config "), "{told}");
    assert!(world.path("state/spool.db").exists());
    let status = world.status().expect("it answers once it is ready");
    assert!(told.contains(&status["config"]["hash"].as_str().unwrap()[..12]));
    for _ in 0..3 {
        assert_eq!(manager.hears(&world).await, "WATCHDOG=1");
    }

    // By its watch.
    world.change_config(
        &format!("[[users]]\nemail = \"{}\"\n", world.users()[1]),
        "",
    );
    let (told, _) = reload_is_told(&manager, &world).await;
    assert!(is_status(&told, "1 user, 2 sinks"), "{told}");

    // By command, as ExecReload= does: it fails loudly, and the daemon goes on.
    world.append_config("[sync]\nsince = \"soon\"\n");
    let (told, _) = reload_is_told(&manager, &world).await;
    assert!(is_status(&told, "1 user, 2 sinks"), "{told}");
    assert!(is_status(&told, "refused: the config has "), "{told}");
    let (code, _, said) = world.run(&["reload", "--wait"]);
    assert_eq!(code, 78, "{said}");
    assert!(said.contains("nuncio.toml:"), "{said}");
    let (told, _) = reload_is_told(&manager, &world).await;
    assert!(is_status(&told, "refused"), "{told}");

    // By signal, as Type=notify-reload does.
    world.signal("HUP");
    let (told, _) = reload_is_told(&manager, &world).await;
    assert!(is_status(&told, "refused"), "{told}");

    let begun = Instant::now();
    world.signal("TERM");
    let (told, _) = manager.hears_more(&world).await;
    assert!(told.starts_with("STOPPING=1\n"), "{told}");
    assert_eq!(world.ended().await, 0);
    let allowed = seconds(&unit("nuncio.service"), "TimeoutStopSec");
    assert!(begun.elapsed() < Duration::from_secs(allowed));
    assert!(manager.heard_nothing());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_config_and_a_broken_spool_are_never_ready() {
    let mut world = World::start(1, 1, 92).await;
    let manager = Manager::of_name(&format!("nuncio-test-{}", std::process::id()));
    let watchdog = Duration::from_millis(100);

    world.write_config("[google]\nservice_acount_key = \"file:/k\"\n");
    manager.start(&mut world, watchdog);
    assert_eq!(world.ended().await, 78);
    assert!(manager.heard_nothing());

    world.configure();
    fs::write(world.path("state/spool.db"), "no database").unwrap();
    manager.start(&mut world, watchdog);
    assert_eq!(world.ended().await, 70);
    assert!(manager.heard_nothing());

    fs::remove_file(world.path("state/spool.db")).unwrap();
    manager.start(&mut world, watchdog);
    let told = manager.hears(&world).await;
    assert!(is_status(&told, "1 user"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_that_compiles_plugins_for_long_is_no_reason_to_end_the_daemon() {
    let mut world = World::start(1, 1, 93).await;
    world.configure();
    let manager = Manager::at(&world.path("notify"));
    manager.start(&mut world, Duration::from_millis(100));
    assert!(is_status(&manager.hears(&world).await, "2 sinks"));
    let sinks: Vec<String> = (0..4)
        .map(|n| world.hostile_lines(&format!("more{n}"), "{ do = \"ok\" }"))
        .collect();
    world.append_config(&sinks.concat());
    let (told, n_signs) = reload_is_told(&manager, &world).await;
    assert!(is_status(&told, "6 sinks"), "{told}");
    assert!(n_signs > 1, "{n_signs} signs of life in a long reload");
}

/// The folder of the units.
fn units() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../systemd")
}

fn unit(name: &str) -> String {
    fs::read_to_string(units().join(name)).unwrap()
}

/// The lines of a unit that mean something.
fn lines(unit: &str) -> Vec<&str> {
    unit.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect()
}

/// A number of seconds that a unit sets.
fn seconds(unit: &str, key: &str) -> u64 {
    let mut lines = unit.lines();
    let found = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    found.unwrap().parse().unwrap()
}

/// Runs one of systemd's tools; none where it is not installed, which no gate may be.
#[expect(clippy::print_stdout, reason = "a test that skips something says so")]
fn tool(command: &mut Command) -> Option<Output> {
    match command.env("SYSTEMD_COLORS", "0").output() {
        Ok(output) => Some(output),
        Err(error) => {
            let name = command.get_program().to_string_lossy().into_owned();
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{name}");
            assert!(std::env::var_os("CI").is_none(), "{name} is not installed");
            println!("skipped: {name} is not installed");
            None
        }
    }
}

fn said(output: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

/// Puts the units into a folder, with the binary that was built, and gives their paths there: that
/// of the template with an instance.
fn installed(folder: &Path) -> [PathBuf; 2] {
    let nuncio = binary("nuncio");
    let nuncio = nuncio.to_str().unwrap();
    for name in ["nuncio.service", "nuncio@.service"] {
        let text = unit(name);
        assert_eq!(text.matches("/usr/bin/nuncio ").count(), 2, "{name}");
        let text = text.replace("/usr/bin/nuncio ", &format!("{nuncio} "));
        fs::write(folder.join(name), text).unwrap();
    }
    ["nuncio.service", "nuncio@my-domain.example.service"].map(|name| folder.join(name))
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units_and_little_exposed() {
    let folder = tempfile::tempdir().unwrap();
    for unit in installed(folder.path()) {
        let mut verify = Command::new("systemd-analyze");
        let Some(output) = tool(verify.arg("verify").arg(&unit)) else {
            return;
        };
        // It tells of unknown keys and wrong values, but does not fail for them.
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!(said(&output), "", "{}", unit.display());
        let mut security = Command::new("systemd-analyze");
        let security = security.args(["security", "--offline=true", "--threshold=15"]);
        let output = tool(security.arg(&unit)).unwrap();
        let said = said(&output);
        assert!(output.status.success(), "{said}");
        assert!(said.contains("Overall exposure level"), "{said}");
    }
}

#[test]
fn the_unit_of_a_domain_differs_from_the_one_only_by_its_places() {
    let (one, domain) = (unit("nuncio.service"), unit("nuncio@.service"));
    let (one, domain) = (lines(&one), lines(&domain));
    assert_eq!(one.len(), domain.len());
    let others = domain.iter().zip(&one).filter(|(own, one)| own != one);
    let others: Vec<&str> = others.map(|(own, _)| *own).collect();
    let places = "--config /etc/nuncio/%i/nuncio.toml --socket /run/nuncio/%i.sock";
    assert_eq!(
        others,
        [
            "Description=nuncio, keeps the Google Workspace domain %i in sync",
            &format!("ExecStart=/usr/bin/nuncio run {places}"),
            &format!("ExecReload=/usr/bin/nuncio reload --wait {places}"),
            "StateDirectory=nuncio-%i",
        ]
    );
}

#[test]
fn the_unit_says_what_the_daemon_needs() {
    let unit = unit("nuncio.service");
    for line in [
        "Type=notify",
        "ExecReload=/usr/bin/nuncio reload --wait",
        "Restart=on-failure",
        "RestartPreventExitStatus=78",
        "User=nuncio",
        "StateDirectory=nuncio",
        "StateDirectoryMode=0700",
        "LimitCORE=0",
        // /run is read-only else, and the daemon makes its socket there.
        "ReadWritePaths=/run/nuncio",
    ] {
        assert!(lines(&unit).contains(&line), "{line}");
    }
    assert!(!unit.contains("DynamicUser"));
    assert!(!unit.contains("\nMemoryDenyWriteExecute"));
    // The daemon's own bound is 20 s, and signs of life come twice in the time.
    assert!(seconds(&unit, "TimeoutStopSec") > 20);
    assert!(seconds(&unit, "WatchdogSec") >= 30);
}

#[test]
fn the_user_and_the_folders_are_made_as_the_unit_needs_them() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    fs::create_dir(root.join("etc")).unwrap();
    let option = format!("--root={}", root.display());
    let of = |name: &str| {
        let folder = format!("usr/lib/{name}.d");
        fs::create_dir_all(root.join(&folder)).unwrap();
        let from = units().join(format!("{name}.d/nuncio.conf"));
        fs::copy(from, root.join(folder).join("nuncio.conf")).unwrap();
        let mut command = Command::new(format!("systemd-{name}"));
        command.arg(&option);
        command
    };
    let Some(output) = tool(&mut of("sysusers")) else {
        return;
    };
    assert!(output.status.success(), "{}", said(&output));
    let id = |file: &str, name: &str| -> u32 {
        let text = fs::read_to_string(root.join("etc").join(file)).unwrap();
        let mut lines = text.lines().map(|line| line.split(':'));
        let mut line = lines.find(|line| line.clone().next() == Some(name));
        line.as_mut().unwrap().nth(2).unwrap().parse().unwrap()
    };
    let (user, group) = (id("passwd", "nuncio"), id("group", "nuncio"));
    let admins = id("group", "nuncio-admin");
    assert!(user > 0 && group > 0 && admins > 0 && admins != group);

    // Who is not root cannot give folders away.
    if fs::metadata(root).unwrap().uid() != 0 {
        println!("skipped: systemd-tmpfiles needs root");
        return;
    }
    let output = tool(of("tmpfiles").arg("--create")).expect("it comes with the other");
    assert_eq!(said(&output), "");
    assert!(output.status.success());
    let made = |path: &str| {
        let found = fs::metadata(root.join(path)).unwrap();
        let mode = found.permissions().mode() & 0o7777;
        (mode, found.uid(), found.gid())
    };
    assert_eq!(made("etc/nuncio"), (0o750, 0, group));
    assert_eq!(made("etc/nuncio/conf.d"), (0o750, 0, group));
    assert_eq!(made("run/nuncio"), (0o2750, user, admins));
}
