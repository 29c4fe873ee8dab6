//! Builds the binaries and the plugins, with the one profile, and says what it does.

use crate::say;
use anyhow::{Context, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What plugins are compiled for: <https://doc.rust-lang.org/rustc/platform-support/wasm32-wasip2.html>
const GUEST_TARGET: &str = "wasm32-wasip2";

/// Packages that become plugins, and the names of their files.
const PLUGINS: [(&str, &str); 2] = [("plugin-archive", "archive"), ("plugin-jsonl", "jsonl")];

/// A plugin that only tests use.
const TEST_PLUGINS: [(&str, &str); 1] = [("hostile-guest", "hostile-guest")];

/// The project's root.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Where cargo builds to.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Where plugins are put, `NAME.wasm` each.
pub(crate) fn plugins() -> PathBuf {
    target().join("plugins")
}

/// Where plugins for tests are put.
pub(crate) fn test_plugins() -> PathBuf {
    target().join("test-plugins")
}

/// A built binary.
pub(crate) fn binary(name: &str) -> PathBuf {
    target().join("release").join(name)
}

/// Builds everything.
pub(crate) fn all() -> anyhow::Result<()> {
    guest_target()?;
    say("building nuncio, fake-workspace (the first time takes some minutes: the wasm compiler)");
    run(cargo().args(["build", "--release", "--workspace"]))?;
    say("building the plugins");
    let mut build = cargo();
    build.args(["build", "--release", "--target", GUEST_TARGET]);
    for (package, _) in PLUGINS.iter().chain(&TEST_PLUGINS) {
        build.args(["--package", package]);
    }
    run(&mut build)?;
    copy(&PLUGINS, &plugins())?;
    copy(&TEST_PLUGINS, &test_plugins())
}

/// Runs a command and fails with its name if it fails.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let name = format!("{command:?}");
    let status = command
        .status()
        .with_context(|| format!("cannot run {name}"))?;
    if !status.success() {
        bail!("{name} failed ({status})");
    }
    Ok(())
}

/// Cargo, in the project's root.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root());
    // What `cargo run` says of this package; build scripts (ring's) look at these names, and would
    // see a change and build all that stands on them anew whenever cargo is called without xtask.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&*name);
        }
    }
    cargo
}

fn guest_target() -> anyhow::Result<()> {
    let installed = Command::new("rustup")
        .current_dir(root())
        .args(["target", "list", "--installed"])
        .output()
        .context("cannot run rustup, which adds the target that plugins are compiled for")?;
    if String::from_utf8_lossy(&installed.stdout)
        .lines()
        .any(|line| line.trim() == GUEST_TARGET)
    {
        return Ok(());
    }
    say(&format!(
        "adding the target {GUEST_TARGET}, which plugins are compiled for"
    ));
    run(Command::new("rustup")
        .current_dir(root())
        .args(["target", "add", GUEST_TARGET]))
}

fn copy(packages: &[(&str, &str)], folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for (package, name) in packages {
        let built = target()
            .join(GUEST_TARGET)
            .join("release")
            .join(format!("{}.wasm", package.replace('-', "_")));
        let placed = folder.join(format!("{name}.wasm"));
        std::fs::copy(&built, &placed)
            .with_context(|| format!("cannot copy {} to {}", built.display(), placed.display()))?;
    }
    Ok(())
}
