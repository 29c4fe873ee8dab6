//! HTTP/1.1 and HTTP/2, plain and over TLS, chunked bodies and connections that stay.

use crate::client::Fake;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const PROFILE: &str = "/gmail/v1/users/me/profile";

fn address(fake: &Fake) -> String {
    let base = fake.server.base();
    base.rsplit("//")
        .next()
        .expect("a URL has an authority")
        .to_owned()
}

async fn tls(
    fake: &Fake,
    name: &'static str,
    protocols: &[&[u8]],
) -> std::io::Result<TlsStream<TcpStream>> {
    let path = fake.server.ca_path().expect("TLS writes an authority");
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).expect("ca.pem is PEM") {
        let certificate = certificate.expect("ca.pem holds certificates");
        roots.add(certificate).expect("the authority is good");
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has both versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let stream = TcpStream::connect(address(fake)).await?;
    let name = ServerName::try_from(name).expect("a good name");
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

fn get(fake: &Fake, path: &str) -> Request<Full<Bytes>> {
    Request::get(format!("{}{path}", fake.server.base()))
        .header("host", address(fake))
        .body(Full::default())
        .expect("well-formed")
}

async fn json_of(response: Response<Incoming>) -> Value {
    let body = response.into_body().collect().await.expect("a whole body");
    serde_json::from_slice(&body.to_bytes()).expect("the body is JSON")
}

#[tokio::test]
async fn tls_offers_both_versions_and_is_good_for_googles_names() {
    let fake = Fake::with(|options| options.tls = true).await;
    assert!(fake.server.base().starts_with("https://"));
    let mut tasks = JoinSet::new();
    for name in ["localhost", "127.0.0.1", "gmail.googleapis.com"] {
        let stream = tls(&fake, name, &[b"h2", b"http/1.1"])
            .await
            .expect("trusted");
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .expect("HTTP/2");
        tasks.spawn(async move { drop(connection.await) });
        let response = sender
            .send_request(get(&fake, PROFILE))
            .await
            .expect("an answer");
        assert_eq!(
            (response.status().as_u16(), response.version()),
            (401, Version::HTTP_2)
        );
    }
    let stream = tls(&fake, "localhost", &[b"http/1.1"])
        .await
        .expect("trusted");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .expect("HTTP/1.1");
    tasks.spawn(async move { drop(connection.await) });
    for _ in 0..3 {
        let response = sender
            .send_request(get(&fake, PROFILE))
            .await
            .expect("the connection stays");
        assert_eq!(response.status(), 401);
        assert_eq!(json_of(response).await["error"]["code"], 401);
    }
    let wrong = tls(&fake, "example.com", &[b"h2"]).await;
    assert!(wrong.is_err(), "a name that is not in the certificate");
    // Plain text on the TLS port gets nothing, and hurts nobody.
    let mut plain = TcpStream::connect(address(&fake)).await.expect("a port");
    plain
        .write_all(b"GET / HTTP/1.1\r\n\r\n")
        .await
        .expect("sent");
    let mut rest = Vec::new();
    drop(plain.read_to_end(&mut rest).await);
    assert!(!rest.starts_with(b"HTTP/"));
    assert!(tls(&fake, "localhost", &[b"h2"]).await.is_ok());
}

#[tokio::test]
async fn h2_only_takes_no_other_version() {
    let fake = Fake::with(|options| {
        options.h2 = true;
        options.tls = true;
    })
    .await;
    assert!(tls(&fake, "localhost", &[b"http/1.1"]).await.is_err());
    assert!(tls(&fake, "localhost", &[b"h2"]).await.is_ok());

    let fake = Fake::with(|options| options.h2 = true).await;
    let mut stream = TcpStream::connect(address(&fake)).await.expect("a port");
    stream
        .write_all(b"GET /gmail/v1/users/me/profile HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .expect("sent");
    let mut rest = Vec::new();
    drop(stream.read_to_end(&mut rest).await);
    assert!(!rest.starts_with(b"HTTP/1.1 "), "no answer in HTTP/1.1");
    let stream = TcpStream::connect(address(&fake)).await.expect("a port");
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .expect("HTTP/2 by prior knowledge");
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { drop(connection.await) });
    let response = sender
        .send_request(get(&fake, PROFILE))
        .await
        .expect("an answer");
    assert_eq!(response.status(), 401);
}

/// A body in pieces, without a length: chunked in HTTP/1.1, plain frames in HTTP/2.
#[tokio::test]
async fn bodies_in_pieces_are_put_together() {
    let fake = Fake::start().await;
    let mailbox = fake.mailbox(1).await;
    let raw = format!("Subject: pieces\r\n\r\n{}\r\n", "x".repeat(200_000));
    let body = json!({ "raw": URL_SAFE.encode(&raw) }).to_string();
    let request = || {
        let pieces: Vec<Result<Frame<Bytes>, std::io::Error>> = body
            .as_bytes()
            .chunks(7_001)
            .map(|piece| Ok(Frame::data(Bytes::copy_from_slice(piece))))
            .collect();
        Request::post(format!("{}/gmail/v1/users/me/messages", fake.server.base()))
            .header("host", address(&fake))
            .header("authorization", format!("Bearer {}", mailbox.token))
            .header("content-type", "application/json")
            .body(StreamBody::new(futures_util::stream::iter(pieces)))
            .expect("well-formed")
    };
    let mut tasks = JoinSet::new();
    let stream = TcpStream::connect(address(&fake)).await.expect("a port");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .expect("HTTP/1.1");
    tasks.spawn(async move { drop(connection.await) });
    let first = json_of(sender.send_request(request()).await.expect("an answer")).await;
    let stream = TcpStream::connect(address(&fake)).await.expect("a port");
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .expect("HTTP/2");
    tasks.spawn(async move { drop(connection.await) });
    let second = json_of(sender.send_request(request()).await.expect("an answer")).await;
    for inserted in [first, second] {
        let id = inserted["id"].as_str().expect("an id");
        let stored = mailbox.json(&format!("messages/{id}?format=raw")).await;
        let stored = crate::client::decode(stored["raw"].as_str().expect("raw"));
        assert_eq!(stored, raw.as_bytes());
    }
}

/// Garbage on the wire ends its own connection only.
#[tokio::test]
async fn broken_connections_hurt_nobody() {
    let fake = Fake::start().await;
    for garbage in [
        &b"\x00\x01\x02\x03\r\n\r\n"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\ngarbage that is no frame at all",
        b"POST /token HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"POST /token HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nshort",
    ] {
        let mut stream = TcpStream::connect(address(&fake)).await.expect("a port");
        stream.write_all(garbage).await.expect("sent");
        stream.shutdown().await.expect("closed");
        let mut rest = Vec::new();
        drop(stream.read_to_end(&mut rest).await);
    }
    let response = fake.send("GET", PROFILE, None, "").await;
    assert_eq!(response.status, 401);
}

/// Both headers have to ask, and the bytes really get fewer.
#[tokio::test]
async fn answers_come_in_gzip_to_who_asks_twice() {
    let fake = Fake::start().await;
    let token = fake.mailbox(0).await.token;
    let stream = TcpStream::connect(address(&fake)).await.expect("connects");
    let (mut sender, connection) = http1::handshake::<_, Full<Bytes>>(TokioIo::new(stream))
        .await
        .expect("HTTP/1.1 is spoken");
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { drop(connection.await) });
    let mut plain = Bytes::new();
    for (accept, agent, coding) in [
        ("identity", "tool (gzip)", None),
        ("gzip", "tool", None),
        ("br, gzip", "tool (gzip)", Some("gzip")),
    ] {
        let request = Request::get("/gmail/v1/users/me/messages")
            .header("host", address(&fake))
            .header("authorization", format!("Bearer {token}"))
            .header("accept-encoding", accept)
            .header("user-agent", agent)
            .body(Full::default())
            .expect("the request is well-formed");
        let response = sender.send_request(request).await.expect("an answer");
        let found = response.headers().get("content-encoding").cloned();
        assert_eq!(
            found,
            coding.map(http::HeaderValue::from_static),
            "{accept} {agent}"
        );
        let body = response.into_body().collect().await.expect("a body");
        let body = body.to_bytes();
        if coding.is_none() {
            plain = body;
            continue;
        }
        assert!(
            body.len() < plain.len() / 2,
            "{} of {}",
            body.len(),
            plain.len()
        );
        let mut back = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&*body), &mut back)
            .expect("the body is gzip");
        assert_eq!(back, plain);
    }
}
