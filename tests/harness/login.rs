//! A person who logs in: `nuncio login` in a terminal, and a browser that follows Google's page.

use crate::World;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

/// How a login went.
#[derive(Debug)]
pub struct LoggedIn {
    /// The exit code.
    pub code: i32,
    /// What stdout got.
    pub out: String,
    /// What stderr got.
    pub said: String,
}

impl World {
    /// Logs `address` in, by a browser that follows each redirect; what the consent page does is
    /// set with the operation `oauth.consent`. `headless`: by pasting where the page leads.
    ///
    /// # Panics
    /// If nuncio shows no page.
    pub fn login(&self, address: &str, headless: bool) -> LoggedIn {
        self.login_by(address, headless, location)
    }

    /// Logs `address` in, but the person at the page chooses the account of `user`.
    ///
    /// # Panics
    /// As [`World::login`].
    pub fn login_as(&self, address: &str, user: &str) -> LoggedIn {
        self.login_by(address, false, |url| chosen(url, user))
    }

    fn login_by(
        &self,
        address: &str,
        headless: bool,
        page: impl FnOnce(&str) -> String,
    ) -> LoggedIn {
        let mut command = self.nuncio_at(&self.path("state"), &self.path("admin.sock"));
        command.args(["login", address, "--json"]);
        if headless {
            command.arg("--headless");
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("nuncio can be started");
        let mut stderr = BufReader::new(child.stderr.take().expect("stderr is a pipe"));
        let mut said = String::new();
        let mut url = None;
        while url.is_none() && stderr.read_line(&mut said).expect("stderr can be read") > 0 {
            let last = said.lines().last().unwrap_or_default().trim();
            url = last.starts_with("http").then(|| last.to_owned());
        }
        if let Some(url) = url {
            let back = page(&url);
            match headless {
                true => {
                    let mut stdin = child.stdin.take().expect("stdin is a pipe");
                    writeln!(stdin, "{back}").expect("it takes a line");
                }
                false => drop(fetch(&back)),
            }
        }
        stderr
            .read_to_string(&mut said)
            .expect("stderr can be read");
        let mut out = String::new();
        let stdout = child.stdout.take();
        stdout
            .expect("stdout is a pipe")
            .read_to_string(&mut out)
            .expect("stdout can be read");
        let status = child.wait().expect("it ends");
        LoggedIn {
            code: status.code().unwrap_or(-1),
            out,
            said,
        }
    }
}

/// Where Google's page sends the browser.
fn location(url: &str) -> String {
    redirect(&fetch(url))
}

/// Where it sends the browser when the person chooses this account and allows.
fn chosen(url: &str, user: &str) -> String {
    let (page, query) = url.split_once('?').expect("a question");
    let user: String = user.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let form = format!("{query}&user={user}&decision=allow");
    let more = format!(
        "content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n",
        form.len()
    );
    redirect(&exchange("POST", page, &more, &form))
}

fn redirect(answer: &str) -> String {
    let line = answer
        .lines()
        .find_map(|line| line.strip_prefix("location: "));
    line.unwrap_or_else(|| panic!("no redirect: {answer}"))
        .to_owned()
}

fn fetch(url: &str) -> String {
    exchange("GET", url, "", "")
}

/// One exchange over plain HTTP/1.1: the whole answer.
fn exchange(method: &str, url: &str, headers: &str, body: &str) -> String {
    let rest = url.strip_prefix("http://").expect("plain http");
    let (host, path) = rest.split_once('/').expect("a path");
    let mut stream = TcpStream::connect(host).expect("it listens");
    let request = format!(
        "{method} /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{headers}\r\n{body}"
    );
    stream
        .write_all(request.as_bytes())
        .expect("it takes a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}
