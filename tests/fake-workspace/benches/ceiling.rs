//! How fast and how large the fake can be: the ceiling of every benchmark that runs against it.
//!
//! It starts the binary with one worker thread and a domain of 10,000 users and 1,000,000 messages, and prints the
//! time until it is ready, its memory, and `messages.get` per second over one HTTP/2 connection: by the wall clock,
//! and per second of the server's own CPU time, which does not depend on what else the machine does.
//! `--users N --messages M --seconds S` change the size.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use std::cell::Cell;
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

type Result<T> = std::result::Result<T, Box<dyn Error>>;
type Sender = http2::SendRequest<Full<Bytes>>;

/// Mailboxes that the gets are spread over.
const N_MAILBOXES: usize = 20;
/// Open requests on the connection.
const N_STREAMS: usize = 32;
/// Clock ticks per second in `/proc`, the same on every Linux.
const TICKS: f64 = 100.0;
const SCOPE: &str = "https://www.googleapis.com/auth/gmail.readonly";

/// Stops the server when the benchmark ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing left to do.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn main() -> Result<()> {
    let option = |name: &str, default: &str| {
        let mut arguments = std::env::args().skip_while(|argument| argument != name);
        arguments.nth(1).unwrap_or_else(|| default.to_owned())
    };
    let (users, messages) = (option("--users", "10000"), option("--messages", "1000000"));
    let seconds: u64 = option("--seconds", "5").parse()?;
    let dir = tempfile::tempdir()?;
    let begin = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_fake-workspace"))
        .args(["serve", "--listen", "127.0.0.1:0", "--users", &users])
        .args(["--messages", &messages, "--dir"])
        .arg(dir.path())
        // All calls are answered by one thread.
        .env("TOKIO_WORKER_THREADS", "1")
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
    let ready = begin.elapsed();
    let running = Running(child);
    let line: Value = serde_json::from_str(&line)?;
    let pid = running.0.id();
    say(&format!(
        "{users} users, {messages} messages: ready after {:.1} s ({:.1} s of CPU), {} MB resident",
        ready.as_secs_f64(),
        cpu_seconds(pid)?,
        resident_mb(pid)?
    ))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, measure(&line, pid, Duration::from_secs(seconds)))
}

fn say(text: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{text}")?;
    Ok(())
}

async fn measure(line: &Value, pid: u32, length: Duration) -> Result<()> {
    let address = text(&line["base"])?
        .trim_start_matches("http://")
        .to_owned();
    let control = text(&line["admin"])?
        .trim_start_matches("http://")
        .to_owned();
    let mut tasks = JoinSet::new();
    let stream = TcpStream::connect(&control).await?;
    let (mut admin, connection) = http1::handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await?;
    tasks.spawn_local(async move { drop(connection.await) });
    let decree = Request::post("/oauth.consent")
        .header("host", "control")
        .body(Full::from(json!({ "mode": "auto" }).to_string()))?;
    admin.send_request(decree).await?;

    let stream = TcpStream::connect(&address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(8 << 20)
        .handshake::<_, Full<Bytes>>(TokioIo::new(stream))
        .await?;
    tasks.spawn_local(async move { drop(connection.await) });
    let client = std::fs::read(text(&line["oauth_client"])?)?;
    let client: Value = serde_json::from_slice(&client)?;
    let mut paths = Vec::new();
    for user in line["users"]
        .as_array()
        .into_iter()
        .flatten()
        .take(N_MAILBOXES)
    {
        let token = log_in(&sender, &address, &client["installed"], text(user)?).await?;
        let list = format!("http://{address}/gmail/v1/users/me/messages?maxResults=500");
        let page = call(&sender, Request::get(list), Some(&token), String::new()).await?;
        let page: Value = serde_json::from_slice(&page.1)?;
        for message in page["messages"].as_array().into_iter().flatten() {
            let id = text(&message["id"])?;
            paths.push((
                format!("http://{address}/gmail/v1/users/me/messages/{id}"),
                format!("Bearer {token}"),
            ));
        }
    }
    fastrand::Rng::with_seed(1).shuffle(&mut paths);
    let paths: Rc<[(String, String)]> = paths.into();
    for query in [
        "format=raw&prettyPrint=false",
        "format=full&prettyPrint=false",
        "format=full",
        "format=minimal&prettyPrint=false",
    ] {
        run(&sender, pid, &paths, query, length).await?;
    }
    say(&format!("{} MB resident at the end", resident_mb(pid)?))
}

/// Keeps the connection full for `length` and prints what came back.
async fn run(
    sender: &Sender,
    pid: u32,
    paths: &Rc<[(String, String)]>,
    query: &'static str,
    length: Duration,
) -> Result<()> {
    let next = Rc::new(Cell::new(0_usize));
    let n_bytes = Rc::new(Cell::new(0_usize));
    let (begin, cpu) = (Instant::now(), cpu_seconds(pid)?);
    let mut streams = JoinSet::new();
    for _ in 0..N_STREAMS {
        let (sender, paths) = (sender.clone(), paths.clone());
        let (next, n_bytes) = (next.clone(), n_bytes.clone());
        streams.spawn_local(async move {
            while begin.elapsed() < length {
                let (path, bearer) = &paths[next.get() % paths.len()];
                next.set(next.get() + 1);
                let request =
                    Request::get(format!("{path}?{query}")).header("authorization", bearer);
                let (status, body) = call(&sender, request, None, String::new())
                    .await
                    .map_err(|error| error.to_string())?;
                if status != 200 {
                    return Err(format!("{path}: {status}"));
                }
                n_bytes.set(n_bytes.get() + body.len());
            }
            Ok(())
        });
    }
    while let Some(stream) = streams.join_next().await {
        stream??;
    }
    let (wall, cpu) = (begin.elapsed().as_secs_f64(), cpu_seconds(pid)? - cpu);
    let n_gets = next.get() as f64;
    say(&format!(
        "messages.get?{query}: {:.0}/s by the clock, {:.0}/s of the server's CPU, {:.1} kB each",
        n_gets / wall,
        n_gets / cpu,
        n_bytes.get() as f64 / n_gets / 1000.0
    ))
}

/// A token of `user`, by a consent that nobody is asked for.
async fn log_in(sender: &Sender, address: &str, client: &Value, user: &str) -> Result<String> {
    let redirect = "http://127.0.0.1:1/";
    let query = form(&[
        ("client_id", text(&client["client_id"])?),
        ("redirect_uri", redirect),
        ("response_type", "code"),
        ("scope", SCOPE),
        ("login_hint", user),
    ]);
    let place = format!("http://{address}/o/oauth2/v2/auth?{query}");
    let mut sender_own = sender.clone();
    let asked = sender_own
        .send_request(Request::get(place).body(Full::default())?)
        .await?;
    let location = asked.headers()["location"].to_str()?.to_owned();
    let code = form_urlencoded::parse(location.split('?').nth(1).unwrap_or_default().as_bytes())
        .find(|(name, _)| name == "code")
        .map(|(_, code)| code.into_owned())
        .ok_or("no code")?;
    let body = form(&[
        ("grant_type", "authorization_code"),
        ("client_id", text(&client["client_id"])?),
        ("client_secret", text(&client["client_secret"])?),
        ("redirect_uri", redirect),
        ("code", &code),
    ]);
    let request = Request::post(format!("http://{address}/token"));
    let (_, answer) = call(sender, request, None, body).await?;
    let answer: Value = serde_json::from_slice(&answer)?;
    Ok(text(&answer["access_token"])?.to_owned())
}

async fn call(
    sender: &Sender,
    mut request: http::request::Builder,
    token: Option<&str>,
    body: String,
) -> Result<(u16, Bytes)> {
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let mut sender = sender.clone();
    sender.ready().await?;
    let response = sender.send_request(request.body(Full::from(body))?).await?;
    let status = response.status().as_u16();
    Ok((status, response.into_body().collect().await?.to_bytes()))
}

fn form(parameters: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(parameters)
        .finish()
}

fn text(value: &Value) -> Result<&str> {
    value
        .as_str()
        .ok_or_else(|| format!("no string: {value}").into())
}

/// CPU time of a process with all its threads.
fn cpu_seconds(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in parentheses may hold spaces; user and system time are the 12th and 13th field after it.
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
    let (user, system) = (
        ticks(11).ok_or("no user time")?,
        ticks(12).ok_or("no system time")?,
    );
    Ok((user + system) / TICKS)
}

fn resident_mb(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kilobytes: u64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().strip_suffix(" kB"))
        .ok_or("no VmRSS")?
        .parse()?;
    Ok(kilobytes / 1024)
}
