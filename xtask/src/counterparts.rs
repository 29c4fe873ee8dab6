//! Programs and packages of others that tests need: how to see what is missing, what that means
//! for the run, and how what came of it is told. Runs no test and installs nothing.

use std::ffi::OsString;
use std::process::Command;

/// A Debian package, and a command that succeeds where what it brings is there, from wherever.
const PACKAGES: [(&str, &[&str]); 11] = [
    ("python3", &["python3", "--version"]),
    ("python3-venv", &["python3", "-c", "import venv, ensurepip"]),
    ("python3-dev", &["python3", "-c", HAS_PYTHON_HEADERS]),
    ("gcc", &["cc", "--version"]),
    (
        "libc6-dev",
        &["cc", "-E", "-include", "stdio.h", "-xc", NONE],
    ),
    (
        "libnotmuch-dev",
        &["cc", "-E", "-include", "notmuch.h", "-xc", NONE],
    ),
    ("notmuch", &["notmuch", "--version"]),
    ("nodejs", &["node", "--version"]),
    ("npm", &["npm", "--version"]),
    ("curl", &["curl", "--version"]),
    ("jq", &["jq", "--version"]),
];

const NONE: &str = "/dev/null";

const HAS_PYTHON_HEADERS: &str = "import os, sysconfig; \
     os.stat(os.path.join(sysconfig.get_path('include'), 'Python.h'))";

/// Which of these Debian packages are missing.
pub(crate) fn missing(packages: &[&'static str]) -> Vec<&'static str> {
    let is_there = |wanted: &str| {
        let known = PACKAGES.iter().find(|(package, _)| *package == wanted);
        known.is_some_and(|(_, probe)| succeeds(probe))
    };
    packages
        .iter()
        .copied()
        .filter(|package| !is_there(package))
        .collect()
}

fn succeeds(command: &[&str]) -> bool {
    let Some((program, arguments)) = command.split_first() else {
        return false;
    };
    let output = Command::new(program).args(arguments).output();
    output.is_ok_and(|output| output.status.success())
}

/// Whether something missing fails the run: where this, the value of `CI`, is anything.
pub(crate) fn is_strict(ci: Option<OsString>) -> bool {
    ci.is_some_and(|value| !value.is_empty())
}

/// Why a suite cannot run here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// These Debian packages are missing.
    Packages(Vec<&'static str>),
    /// The registry of these packages did not give them, or they could not be built.
    Registry(&'static str),
    /// A checkout that no registry has and that this variable would name.
    Checkout(&'static str),
}

impl Obstacle {
    /// In a strict run everything missing is a failure but a checkout: no registry has that one and
    /// the gate fetches from nothing else, so that it would never be green. Who has the checkout
    /// names it, and then its suite passes or fails like the others.
    fn fails(&self, strict: bool) -> bool {
        strict && !matches!(self, Self::Checkout(_))
    }
}

/// What came of the suites, in the order in which they were tried.
#[derive(Default)]
pub(crate) struct Report {
    ran: Vec<(&'static str, bool)>,
    hindered: Vec<(&'static str, Obstacle)>,
}

impl Report {
    /// A suite ran.
    pub(crate) fn ran(&mut self, suite: &'static str, passed: bool) {
        self.ran.push((suite, passed));
    }

    /// A suite could not run.
    pub(crate) fn hindered(&mut self, suite: &'static str, obstacle: Obstacle) {
        self.hindered.push((suite, obstacle));
    }

    /// Whether nothing fails the run.
    pub(crate) fn is_good(&self, strict: bool) -> bool {
        self.failed(strict).is_empty()
    }

    /// One line for each kind of obstacle: which suites it holds up, and what removes it.
    pub(crate) fn remedies(&self) -> Vec<String> {
        let mut lines: Vec<(String, Vec<&str>)> = Vec::new();
        // All that is missing is one command, whichever suite lacks what.
        let mut packages = self.missing_packages();
        packages.sort_unstable();
        packages.dedup();
        for (suite, obstacle) in &self.hindered {
            let remedy = match obstacle {
                Obstacle::Packages(_) => {
                    format!("install with `apt-get install -y {}`", packages.join(" "))
                }
                Obstacle::Registry(kit) => {
                    format!("the {kit} packages could not be installed (see above)")
                }
                Obstacle::Checkout(variable) => {
                    format!("no registry has it; {variable}=FOLDER names a checkout")
                }
            };
            match lines.iter_mut().find(|(known, _)| *known == remedy) {
                Some((_, suites)) => suites.push(suite),
                None => lines.push((remedy, vec![suite])),
            }
        }
        let told = lines.into_iter();
        told.map(|(remedy, suites)| format!("not run: {}: {remedy}", suites.join(", ")))
            .collect()
    }

    fn missing_packages(&self) -> Vec<&'static str> {
        let obstacles = self.hindered.iter().map(|(_, obstacle)| obstacle);
        let missing = obstacles.map(|obstacle| match obstacle {
            Obstacle::Packages(missing) => missing.as_slice(),
            _ => &[],
        });
        missing.flatten().copied().collect()
    }

    /// All in one line: `3 suites passed (python, node, readme), 1 failed (lieer), 1 skipped (gyb)`.
    pub(crate) fn summary(&self, strict: bool) -> String {
        let ran = self.ran.iter();
        let passed: Vec<&str> = ran.filter(|(_, ok)| *ok).map(|(suite, _)| *suite).collect();
        let what = if passed.len() == 1 { "suite" } else { "suites" };
        let mut parts = vec![counted(&format!("{what} passed"), &passed)];
        let others = [
            ("failed", self.failed(strict)),
            ("skipped", self.skipped(strict)),
        ];
        for (what, suites) in others {
            if !suites.is_empty() {
                parts.push(counted(what, &suites));
            }
        }
        parts.join(", ")
    }

    fn failed(&self, strict: bool) -> Vec<&'static str> {
        let ran = self.ran.iter().filter(|(_, passed)| !passed);
        let hindered = self.hindered.iter().filter(|(_, why)| why.fails(strict));
        let failed = ran.map(|(suite, _)| *suite);
        failed.chain(hindered.map(|(suite, _)| *suite)).collect()
    }

    fn skipped(&self, strict: bool) -> Vec<&'static str> {
        let skipped = self.hindered.iter().filter(|(_, why)| !why.fails(strict));
        skipped.map(|(suite, _)| *suite).collect()
    }
}

/// `2 WHAT (a, b)`.
fn counted(what: &str, names: &[&str]) -> String {
    let number = names.len();
    if names.is_empty() {
        return format!("{number} {what}");
    }
    format!("{number} {what} ({})", names.join(", "))
}

/// The tests that passed, of a line with which Rust's test runner ends one binary's tests.
pub(crate) fn passed_tests(line: &str) -> u64 {
    let counts = line.trim().strip_prefix("test result: ");
    let words: Vec<&str> = counts.unwrap_or_default().split_whitespace().collect();
    let passed = words.windows(2).find(|pair| pair[1] == "passed;");
    passed.and_then(|pair| pair[0].parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSED: &[&str] = &["python", "node"];

    /// A run in which two suites passed and one met this.
    fn met(suite: &'static str, obstacle: Obstacle) -> Report {
        let mut report = Report::default();
        for suite in PASSED {
            report.ran(suite, true);
        }
        report.hindered(suite, obstacle);
        report
    }

    #[test]
    fn a_missing_package_is_skipped_here_and_fails_the_gate() {
        let report = met("lieer", Obstacle::Packages(vec!["notmuch"]));
        assert!(report.is_good(false));
        assert_eq!(
            report.summary(false),
            "2 suites passed (python, node), 1 skipped (lieer)"
        );
        assert!(!report.is_good(true));
        assert_eq!(
            report.summary(true),
            "2 suites passed (python, node), 1 failed (lieer)"
        );
    }

    #[test]
    fn a_registry_out_of_reach_is_skipped_here_and_fails_the_gate() {
        let report = met("lieer", Obstacle::Registry("Python"));
        assert!(report.is_good(false));
        assert!(!report.is_good(true));
    }

    #[test]
    fn a_checkout_that_no_registry_has_is_skipped_everywhere() {
        let report = met("gyb", Obstacle::Checkout("GYB"));
        for strict in [false, true] {
            assert!(report.is_good(strict));
            assert_eq!(
                report.summary(strict),
                "2 suites passed (python, node), 1 skipped (gyb)"
            );
        }
    }

    #[test]
    fn a_suite_that_failed_fails_everywhere() {
        let mut report = met("gyb", Obstacle::Checkout("GYB"));
        report.ran("readme", false);
        for strict in [false, true] {
            assert!(!report.is_good(strict));
            assert_eq!(
                report.summary(strict),
                "2 suites passed (python, node), 1 failed (readme), 1 skipped (gyb)"
            );
        }
    }

    #[test]
    fn what_installs_all_that_is_missing_is_one_command() {
        let mut report = met("python", Obstacle::Packages(vec!["python3-venv", "gcc"]));
        report.hindered("gyb", Obstacle::Checkout("GYB"));
        report.hindered("lieer", Obstacle::Packages(vec!["gcc", "notmuch"]));
        report.hindered("readme", Obstacle::Registry("Python"));
        report.hindered("others", Obstacle::Registry("Python"));
        assert_eq!(
            report.remedies(),
            [
                "not run: python, lieer: install with `apt-get install -y gcc notmuch python3-venv`",
                "not run: gyb: no registry has it; GYB=FOLDER names a checkout",
                "not run: readme, others: the Python packages could not be installed (see above)",
            ]
        );
    }

    #[test]
    fn ci_set_to_anything_but_nothing_is_strict() {
        assert!(is_strict(Some("true".into())));
        assert!(is_strict(Some("1".into())));
        assert!(!is_strict(Some("".into())));
        assert!(!is_strict(None));
    }

    #[test]
    fn a_package_that_cannot_be_looked_for_counts_as_missing() {
        assert_eq!(missing(&["no-such-package"]), ["no-such-package"]);
    }

    #[test]
    fn tests_are_counted_by_the_runner_s_own_words() {
        let line = "test result: ok. 12 passed; 0 failed; 0 ignored; 3 filtered out; in 0.1s\n";
        assert_eq!(passed_tests(line), 12);
        let failed = "test result: FAILED. 11 passed; 1 failed; 0 ignored";
        assert_eq!(passed_tests(failed), 11);
        assert_eq!(passed_tests("test a_test_that_passed; ... ok"), 0);
        assert_eq!(passed_tests("running 12 tests"), 0);
    }
}
