//! How fast and how large the fake can be: the ceiling of every benchmark that runs against it.
//!
//! It starts the binary with one worker thread and a domain of 10,000 users and 1,000,000 messages, and prints the
//! time until it is ready, its memory, and what it answers per second: by the wall clock, and per second of the
//! server's own CPU time, which does not depend on what else the machine does. Server and client have a core each,
//! where `taskset` is there to give them one. Gets over HTTP/2 are measured with a client of its own as well, which
//! needs so little time that the server is what the clock measures.
//! `--users N --messages M --files F --seconds S` change the size and the length of each measurement,
//! `--only WORD` measures only what has the word in its name, `--binary PATH` measures another build of the server.

mod frames;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::Request;
use http::header::HeaderMap;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::DecodePrivateKey;
use rsa::sha2::Sha256;
use rsa::signature::{SignatureEncoding, Signer};
use serde_json::{Value, json};
use std::cell::Cell;
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Users whose mail, events and files are asked for.
const N_USERS: usize = 20;
/// Open requests: streams of one HTTP/2 connection, or connections of HTTP/1.1.
const N_STREAMS: usize = 32;
/// Open requests of the cheapest client: as many as a server of hyper takes by default.
const N_OPEN: usize = 200;
/// Spans of the cheapest client, of which the best and the mean are told: the best is one in which nobody else took
/// the server's core away. Each is a tenth of the length of the other measurements.
const N_SPANS: usize = 40;
/// The members of a file that a client of Drive asks for.
const FILE_FIELDS: &str = "nextPageToken,files(id,name,mimeType,driveId,parents,version,modifiedTime,size,md5Checksum,\
    trashed,capabilities(canReadDrive,canShare),permissions(id,type,role,emailAddress))";
/// Clock ticks per second in `/proc`, the same on every Linux.
const TICKS: f64 = 100.0;
const SCOPES: &str = "https://www.googleapis.com/auth/gmail.readonly https://www.googleapis.com/auth/calendar \
    https://www.googleapis.com/auth/drive.metadata.readonly";

/// What a client that wants gzip says.
const GZIP: &[(&str, &str)] = &[
    ("accept-encoding", "gzip"),
    ("user-agent", "ceiling (gzip)"),
];

/// Stops the server when the benchmark ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing left to do.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// What one connection, or one stream of it, sends with.
enum Sender {
    H1(http1::SendRequest<Full<Bytes>>),
    H2(http2::SendRequest<Full<Bytes>>),
}

/// A request that can be sent again and again.
#[derive(Clone)]
struct Ask {
    method: &'static str,
    path: String,
    bearer: String,
    body: String,
    /// How many things the answer holds.
    n_items: usize,
}

impl Ask {
    fn get(path: &str, token: &str) -> Self {
        Self {
            method: "GET",
            path: path.to_owned(),
            bearer: format!("Bearer {token}"),
            body: String::new(),
            n_items: 1,
        }
    }
}

/// The server and how to reach it.
struct Bench {
    pid: u32,
    address: String,
    length: Duration,
    only: String,
    /// Connections live as long as the benchmark.
    tasks: JoinSet<()>,
}

fn main() -> Result<()> {
    let option = |name: &str, default: &str| {
        let mut arguments = std::env::args().skip_while(|argument| argument != name);
        arguments.nth(1).unwrap_or_else(|| default.to_owned())
    };
    let (users, messages) = (option("--users", "10000"), option("--messages", "1000000"));
    let files = option("--files", "100000");
    let seconds: u64 = option("--seconds", "3").parse()?;
    let dir = tempfile::tempdir()?;
    let begin = Instant::now();
    let mut child = Command::new(option("--binary", env!("CARGO_BIN_EXE_fake-workspace")))
        .args(["serve", "--listen", "127.0.0.1:0", "--users", &users])
        .args(["--messages", &messages, "--files", &files, "--dir"])
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
        "{users} users, {messages} messages, {files} files: ready after {:.1} s ({:.1} s of CPU), {} MB resident",
        ready.as_secs_f64(),
        cpu_seconds(pid)?,
        resident_mb(pid)?
    ))?;
    let pinned = pin(pid, 0) && pin(std::process::id(), 1);
    say(match pinned {
        true => "the server has core 0 for itself, the client core 1",
        false => "server and client share the cores",
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let bench = Bench {
        pid,
        address: text(&line["base"])?
            .trim_start_matches("http://")
            .to_owned(),
        length: Duration::from_secs(seconds),
        only: option("--only", ""),
        tasks: JoinSet::new(),
    };
    tokio::task::LocalSet::new().block_on(&runtime, measure(bench, &line))
}

/// Gives a process a core, all its threads.
fn pin(pid: u32, core: usize) -> bool {
    let done = Command::new("taskset")
        .args(["-a", "-c", "-p", &core.to_string(), &pid.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    done.is_ok_and(|status| status.success())
}

fn say(text: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{text}")?;
    Ok(())
}

async fn measure(mut bench: Bench, line: &Value) -> Result<()> {
    let key: Value = serde_json::from_slice(&std::fs::read(text(&line["key"])?)?)?;
    let users: Vec<&str> = line["users"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .take(N_USERS)
        .collect();
    let mints = mints(&key, &users)?;
    let mut sender = bench.h2().await?;
    let mut plan = Plan::default();
    for mint in &mints {
        let (_, answer) = bench.call(&mut sender, mint, &[]).await?;
        let answer: Value = serde_json::from_slice(&answer)?;
        plan.add_user(&bench, &mut sender, text(&answer["access_token"])?)
            .await?;
    }
    fastrand::Rng::with_seed(1).shuffle(&mut plan.messages);

    for format in ["raw", "full", "metadata", "minimal"] {
        let asks = with_query(
            &plan.messages,
            &format!("format={format}&prettyPrint=false"),
        );
        let name = format!("messages.get {format}, compact");
        bench.run_cheapest(&name, &asks)?;
        bench.run(&name, &asks, "gets", &[]).await?;
    }
    let pretty = with_query(&plan.messages, "format=full");
    bench.run("messages.get full", &pretty, "gets", &[]).await?;
    bench
        .run("messages.get full, gzip", &pretty, "gets", GZIP)
        .await?;
    bench.run("messages.list", &plan.lists, "ids", &[]).await?;
    bench
        .run("history.list", &plan.histories, "records", &[])
        .await?;
    bench.run("token", &mints, "tokens", &[]).await?;
    bench
        .run("events.list", &plan.events, "events", &[])
        .await?;
    bench.run("files.list", &plan.files, "files", &[]).await?;
    bench
        .run("files.list of a shared drive", &plan.drives, "files", &[])
        .await?;
    say(&format!(
        "{} MB resident at the end",
        resident_mb(bench.pid)?
    ))
}

/// All that is asked for.
#[derive(Default)]
struct Plan {
    messages: Vec<Ask>,
    lists: Vec<Ask>,
    histories: Vec<Ask>,
    events: Vec<Ask>,
    files: Vec<Ask>,
    drives: Vec<Ask>,
}

impl Plan {
    async fn add_user(&mut self, bench: &Bench, sender: &mut Sender, token: &str) -> Result<()> {
        const GMAIL: &str = "/gmail/v1/users/me";
        let list = Ask::get(&format!("{GMAIL}/messages?maxResults=500"), token);
        let page = bench.json(sender, &list).await?;
        for message in page["messages"].as_array().into_iter().flatten() {
            let path = format!("{GMAIL}/messages/{}", text(&message["id"])?);
            self.messages.push(Ask::get(&path, token));
        }
        let profile = Ask::get(&format!("{GMAIL}/profile"), token);
        let newest: u64 = text(&bench.json(sender, &profile).await?["historyId"])?.parse()?;
        // As far back as the log reaches.
        let mut back = 4096;
        let history = loop {
            let from = newest.saturating_sub(back);
            let ask = Ask::get(
                &format!("{GMAIL}/history?maxResults=500&startHistoryId={from}"),
                token,
            );
            let (status, _) = bench.call(sender, &ask, &[]).await?;
            if status == 200 || back == 0 {
                break ask;
            }
            back /= 2;
        };
        for (list, ask, items) in [
            (&mut self.lists, list, "messages"),
            (&mut self.histories, history, "history"),
            (
                &mut self.events,
                Ask::get(
                    "/calendar/v3/calendars/primary/events?maxResults=250",
                    token,
                ),
                "items",
            ),
            (
                &mut self.files,
                Ask::get("/drive/v3/files?pageSize=100&fields=*", token),
                "files",
            ),
        ] {
            let page = bench.json(sender, &ask).await?;
            let n_items = page[items].as_array().map_or(0, Vec::len);
            list.push(Ask { n_items, ..ask });
        }
        let everywhere = "/drive/v3/files?pageSize=1000&corpora=allDrives&supportsAllDrives=true\
             &includeItemsFromAllDrives=true&fields=files(driveId)";
        let page = bench.json(sender, &Ask::get(everywhere, token)).await?;
        let files = page["files"].as_array().into_iter().flatten();
        if let Some(drive) = files.filter_map(|file| file["driveId"].as_str()).next() {
            let ask = Ask::get(
                &format!(
                    "/drive/v3/files?pageSize=1000&corpora=drive&driveId={drive}&supportsAllDrives=true\
                     &includeItemsFromAllDrives=true&prettyPrint=false&fields={FILE_FIELDS}"
                ),
                token,
            );
            let page = bench.json(sender, &ask).await?;
            let n_items = page["files"].as_array().map_or(0, Vec::len);
            self.drives.push(Ask { n_items, ..ask });
        }
        Ok(())
    }
}

fn with_query(asks: &[Ask], query: &str) -> Vec<Ask> {
    let add = |ask: &Ask| Ask {
        path: format!("{}?{query}", ask.path),
        ..ask.clone()
    };
    asks.iter().map(add).collect()
}

/// Requests for tokens, one for each user; Google takes an assertion more than once, too.
fn mints(key: &Value, users: &[&str]) -> Result<Vec<Ask>> {
    let signer = SigningKey::<Sha256>::new(rsa::RsaPrivateKey::from_pkcs8_pem(text(
        &key["private_key"],
    )?)?);
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let encode = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let mint = |user: &&str| {
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": key["private_key_id"] });
        let claims = json!({
            "iss": key["client_email"], "sub": user, "scope": SCOPES,
            "aud": "https://oauth2.googleapis.com/token", "iat": now, "exp": now + 3600,
        });
        let signed = format!("{}.{}", encode(header), encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(signer.sign(signed.as_bytes()).to_bytes());
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
            .append_pair("assertion", &format!("{signed}.{signature}"))
            .finish();
        Ask {
            method: "POST",
            body,
            ..Ask::get("/token", "")
        }
    };
    Ok(users.iter().map(mint).collect())
}

impl Bench {
    async fn h2(&mut self) -> Result<Sender> {
        let stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(1 << 20)
            .initial_connection_window_size(8 << 20)
            .handshake(TokioIo::new(stream))
            .await?;
        self.tasks
            .spawn_local(async move { drop(connection.await) });
        Ok(Sender::H2(sender))
    }

    async fn h1(&mut self) -> Result<Sender> {
        let stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        self.tasks
            .spawn_local(async move { drop(connection.await) });
        Ok(Sender::H1(sender))
    }

    async fn call(
        &self,
        sender: &mut Sender,
        ask: &Ask,
        headers: &[(&'static str, &'static str)],
    ) -> Result<(u16, Bytes)> {
        send(&self.address, sender, ask, headers).await
    }

    async fn json(&self, sender: &mut Sender, ask: &Ask) -> Result<Value> {
        let (status, body) = self.call(sender, ask, &[]).await?;
        if status != 200 {
            return Err(format!("{}: {status}", ask.path).into());
        }
        Ok(serde_json::from_slice(&body)?)
    }

    /// Measures over one HTTP/2 connection with the client that costs least.
    fn run_cheapest(&self, name: &str, asks: &[Ask]) -> Result<()> {
        if !name.contains(&self.only) || asks.is_empty() {
            return Ok(());
        }
        let cpu = cpu_seconds(self.pid)?;
        let spans = frames::measure(&self.address, asks, N_OPEN, (N_SPANS, self.length / 10))?;
        let cpu = cpu_seconds(self.pid)? - cpu;
        let best = spans.iter().map(frames::Span::per_second);
        let best = best.fold(0.0, f64::max);
        let mut all = frames::Span::default();
        for span in &spans {
            all.n_answers += span.n_answers;
            all.n_bytes += span.n_bytes;
            all.length += span.length;
        }
        let seconds = all.length.as_secs_f64();
        say(&format!(
            "{name}, h2, cheapest client: {:.0}/s by the clock, {best:.0}/s in the best of {N_SPANS} spans, \
             server busy {:.0} % of the time, {:.1} kB each",
            all.per_second(),
            100.0 * cpu / seconds,
            all.n_bytes as f64 / all.n_answers as f64 / 1000.0
        ))
    }

    /// Measures over one HTTP/2 connection, then over many of HTTP/1.1.
    async fn run(
        &mut self,
        name: &str,
        asks: &[Ask],
        unit: &str,
        headers: &'static [(&'static str, &'static str)],
    ) -> Result<()> {
        if !name.contains(&self.only) || asks.is_empty() {
            return Ok(());
        }
        for version in ["h2", "h1"] {
            let mut senders = Vec::new();
            let first = match version {
                "h2" => Some(self.h2().await?),
                _ => None,
            };
            for _ in 0..N_STREAMS {
                senders.push(match &first {
                    Some(Sender::H2(sender)) => Sender::H2(sender.clone()),
                    _ => self.h1().await?,
                });
            }
            self.fill(&format!("{name}, {version}"), senders, asks, unit, headers)
                .await?;
        }
        Ok(())
    }

    /// Keeps all senders busy for a while and prints what came back.
    async fn fill(
        &self,
        name: &str,
        senders: Vec<Sender>,
        asks: &[Ask],
        unit: &str,
        headers: &'static [(&'static str, &'static str)],
    ) -> Result<()> {
        let asks: Rc<[Ask]> = asks.into();
        let count = || Rc::new(Cell::new(0_usize));
        let (next, n_items, n_bytes) = (count(), count(), count());
        let (begin, cpu, length) = (Instant::now(), cpu_seconds(self.pid)?, self.length);
        let mut streams = JoinSet::new();
        for mut sender in senders {
            let (asks, address) = (asks.clone(), self.address.clone());
            let (next, n_items, n_bytes) = (next.clone(), n_items.clone(), n_bytes.clone());
            streams.spawn_local(async move {
                while begin.elapsed() < length {
                    let ask = &asks[next.get() % asks.len()];
                    next.set(next.get() + 1);
                    let (status, body) = send(&address, &mut sender, ask, headers)
                        .await
                        .map_err(|error| error.to_string())?;
                    if status != 200 {
                        return Err(format!("{}: {status}", ask.path));
                    }
                    n_items.set(n_items.get() + ask.n_items);
                    n_bytes.set(n_bytes.get() + body.len());
                }
                Ok(())
            });
        }
        while let Some(stream) = streams.join_next().await {
            stream??;
        }
        let (wall, cpu) = (begin.elapsed().as_secs_f64(), cpu_seconds(self.pid)? - cpu);
        let (n_calls, n_items) = (next.get() as f64, n_items.get() as f64);
        let items = match n_items == n_calls {
            true => String::new(),
            false => format!(" ({:.0} {unit}/s of CPU)", n_items / cpu),
        };
        say(&format!(
            "{name}: {:.0}/s by the clock, {:.0}/s of the server's CPU{items}, {:.1} kB each",
            n_calls / wall,
            n_calls / cpu,
            n_bytes.get() as f64 / n_calls / 1000.0
        ))
    }
}

async fn send(
    address: &str,
    sender: &mut Sender,
    ask: &Ask,
    headers: &[(&'static str, &'static str)],
) -> Result<(u16, Bytes)> {
    let builder = Request::builder()
        .method(ask.method)
        .header("authorization", &ask.bearer);
    let mut request = match sender {
        Sender::H1(_) => builder.uri(&ask.path).header("host", address),
        Sender::H2(_) => builder.uri(format!("http://{address}{}", ask.path)),
    }
    .body(Full::from(ask.body.clone()))?;
    let extra = headers
        .iter()
        .map(|(name, value)| Ok((name.parse()?, value.parse()?)))
        .collect::<Result<HeaderMap>>()?;
    request.headers_mut().extend(extra);
    let response = match sender {
        Sender::H1(sender) => {
            sender.ready().await?;
            sender.send_request(request).await?
        }
        Sender::H2(sender) => {
            sender.ready().await?;
            sender.send_request(request).await?
        }
    };
    let status = response.status().as_u16();
    Ok((status, response.into_body().collect().await?.to_bytes()))
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
