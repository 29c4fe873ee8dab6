//! Repeats, waits, permits, headers: what happens between a call and its answer.

use crate::fixture::{
    PROFILE_PATH, TOKEN, ana, directory, google, limits, mailbox, mailbox_with, profile, refusal,
    shown, token,
};
use crate::server::{Reply, Server};
use nuncio_google::{Error, Fault, Limits};
use nuncio_model::Next;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Barrier;

fn fault(error: &Error) -> Fault {
    match error {
        Error::Status(status) => status.fault,
        other => panic!("no status: {}", shown(other)),
    }
}

#[tokio::test]
async fn every_call_says_who_it_is_and_whose_quota_it_uses() {
    let server = Server::start(|seen| async move {
        match seen.path.as_str() {
            "/token" => token(),
            PROFILE_PATH => profile(),
            _ => Reply::new(200, r#"{"id":"1","primaryEmail":"ana@example.com"}"#),
        }
    })
    .await;
    let google = google(&server, limits());
    ana(&google).profile().await.unwrap();
    ana(&google).profile().await.unwrap();
    directory(&google).user("ana@example.com").await.unwrap();
    let calls = server.calls();
    for call in &calls {
        assert_eq!(call.method, "GET");
        assert_eq!(call.headers["user-agent"], "nuncio/0.1 (gzip)");
        assert_eq!(call.headers["authorization"], format!("Bearer {TOKEN}"));
        assert_eq!(call.query["prettyPrint"], "false");
        let quota_user = &call.query["quotaUser"];
        assert!(
            quota_user.len() <= 40 && !quota_user.contains('@'),
            "{quota_user}"
        );
    }
    assert_eq!(calls[0].query["quotaUser"], calls[1].query["quotaUser"]);
    assert_ne!(calls[0].query["quotaUser"], calls[2].query["quotaUser"]);
}

#[tokio::test]
async fn failures_of_google_are_repeated_until_it_works() {
    let (server, gmail) = mailbox(|seen| match seen.n_before {
        0 => Reply::new(503, "<html>Service Unavailable</html>"),
        1 => Reply::new(500, ""),
        2 => refusal(403, "userRateLimitExceeded", "User Rate Limit Exceeded"),
        3 => Reply::new(200, r#"{"emailAddress":"ana@exa"#).cut(),
        _ => profile(),
    })
    .await;
    assert_eq!(gmail.profile().await.unwrap().history_id, 42);
    assert_eq!(server.calls().len(), 5);
}

#[tokio::test]
async fn repeats_end_and_the_last_error_is_given() {
    let (server, gmail) = mailbox(|_| Reply::new(502, "")).await;
    let error = gmail.profile().await.unwrap_err();
    assert_eq!(
        (fault(&error), error.next()),
        (Fault::Server, Next::Backoff)
    );
    assert_eq!(server.calls().len(), 5);
}

#[tokio::test]
async fn a_body_that_is_always_cut_is_told_as_such() {
    let (server, gmail) = mailbox(|_| Reply::new(200, r#"{"emailAddress":"planted"#).cut()).await;
    let error = gmail.profile().await.unwrap_err();
    assert!(matches!(error, Error::CutBody { .. }), "{}", shown(&error));
    assert_eq!(
        (error.code(), error.next(), server.calls().len()),
        ("GGL021", Next::Backoff, 5)
    );
}

#[tokio::test]
async fn the_cut_body_of_an_error_does_not_hide_its_status() {
    let (server, gmail) = mailbox(|_| Reply::new(404, "{").cut()).await;
    assert_eq!(fault(&gmail.profile().await.unwrap_err()), Fault::NotFound);
    assert_eq!(server.calls().len(), 1);
}

#[tokio::test]
async fn a_short_retry_after_is_waited_for() {
    let (server, gmail) = mailbox(|seen| match seen.n_before {
        0 => refusal(429, "rateLimitExceeded", "slow down").header("retry-after", "1"),
        _ => profile(),
    })
    .await;
    let start = Instant::now();
    gmail.profile().await.unwrap();
    assert!(
        start.elapsed() >= Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(server.calls().len(), 2);
}

#[tokio::test]
async fn a_long_pause_is_given_to_the_caller_and_holds_back_the_mailbox_alone() {
    let server = Server::start(|seen| async move {
        if seen.path == "/token" {
            return token();
        }
        let until = jiff::Timestamp::now() + jiff::SignedDuration::from_mins(10);
        let message = format!("User-rate limit exceeded.  Retry after {until}");
        if seen.n_before == 0 {
            refusal(429, "rateLimitExceeded", &message)
        } else {
            profile()
        }
    })
    .await;
    let google = google(&server, limits());
    let error = ana(&google).profile().await.unwrap_err();
    let Next::RetryAfter(wait) = error.next() else {
        panic!("{}", shown(&error))
    };
    assert!(
        wait > Duration::from_secs(590) && wait <= Duration::from_secs(601),
        "{wait:?}"
    );

    let paused = ana(&google).profile().await.unwrap_err();
    assert!(matches!(paused, Error::Paused { .. }), "{}", shown(&paused));
    assert!(matches!(paused.next(), Next::RetryAfter(left) if left > Duration::from_secs(580)));
    assert_eq!(server.calls().len(), 1);

    let bob = nuncio_model::AccountKey::new("account-bob");
    google
        .gmail(&bob, &crate::fixture::address("bob@example.com"))
        .profile()
        .await
        .unwrap();
}

#[tokio::test]
async fn the_deadline_ends_a_call_that_nobody_answers() {
    let limits = Limits {
        deadline: Duration::from_millis(300),
        ..limits()
    };
    let server = Server::start(|seen| async move {
        if seen.path == "/token" {
            token()
        } else {
            std::future::pending().await
        }
    })
    .await;
    let error = ana(&google(&server, limits)).profile().await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{}", shown(&error));
}

#[tokio::test]
async fn a_silent_attempt_is_repeated_within_the_deadline() {
    let limits = Limits {
        answer_timeout: Duration::from_millis(300),
        ..limits()
    };
    let server = Server::start(|seen| async move {
        match (seen.path.as_str(), seen.n_before) {
            ("/token", _) => token(),
            (_, 0) => std::future::pending().await,
            _ => profile(),
        }
    })
    .await;
    ana(&google(&server, limits)).profile().await.unwrap();
    assert_eq!(server.calls().len(), 2);
}

#[tokio::test]
async fn refusals_are_not_repeated() {
    let cases = [
        (404, "notFound", "Not Found", Fault::NotFound, Next::Reject),
        (
            400,
            "invalidArgument",
            "Invalid id value",
            Fault::Refused,
            Next::Reject,
        ),
        (
            400,
            "failedPrecondition",
            "Mail service not enabled",
            Fault::NoService,
            Next::Reauthorize,
        ),
        (
            403,
            "domainPolicy",
            "disabled",
            Fault::DomainPolicy,
            Next::Reauthorize,
        ),
        (
            403,
            "accessNotConfigured",
            "not used",
            Fault::ApiDisabled,
            Next::Reauthorize,
        ),
        (
            403,
            "insufficientPermissions",
            "Insufficient Permission",
            Fault::MissingScope,
            Next::Reauthorize,
        ),
        (
            403,
            "forbidden",
            "Delegation denied for ana",
            Fault::Forbidden,
            Next::Reauthorize,
        ),
        (302, "", "", Fault::Refused, Next::Reject),
    ];
    for (status, reason, message, expected, next) in cases {
        let elsewhere = "http://127.0.0.1:9/";
        let (server, gmail) =
            mailbox(move |_| refusal(status, reason, message).header("location", elsewhere)).await;
        let error = gmail.profile().await.unwrap_err();
        assert_eq!(
            (fault(&error), error.next()),
            (expected, next),
            "{}",
            shown(&error)
        );
        assert_eq!(server.calls().len(), 1, "{reason}");
    }
}

#[tokio::test]
async fn nobody_listening_is_a_network_error() {
    let (server, gmail) = mailbox(|_| profile()).await;
    gmail.profile().await.unwrap();
    drop(server);
    let error = gmail.profile().await.unwrap_err();
    assert!(matches!(error, Error::Network { .. }), "{}", shown(&error));
    assert_eq!(error.next(), Next::Backoff);
}

#[tokio::test]
async fn a_body_past_the_cap_is_refused() {
    let limits = Limits {
        max_body_bytes: 1000,
        ..limits()
    };
    let (server, gmail) = mailbox_with(limits, |_| Reply::new(200, "x".repeat(1001))).await;
    let error = gmail.profile().await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::TooLarge {
                limit_bytes: 1000,
                ..
            }
        ),
        "{}",
        shown(&error)
    );
    assert_eq!((error.next(), server.calls().len()), (Next::Reject, 1));
}

#[tokio::test]
async fn four_calls_of_a_mailbox_are_in_flight_and_never_five() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let four = Arc::new(Barrier::new(4));
    let most_seen = Arc::clone(&most);
    let server = Server::start(move |seen| {
        let (now, most, four) = (Arc::clone(&now), Arc::clone(&most), Arc::clone(&four));
        async move {
            if seen.path == "/token" {
                return token();
            }
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            // Fewer than four would wait for ever here.
            four.wait().await;
            // Client and server share this thread: a fifth call gets every chance to come.
            for _ in 0..1000 {
                tokio::task::yield_now().await;
            }
            now.fetch_sub(1, Ordering::SeqCst);
            profile()
        }
    })
    .await;
    let gmail = ana(&google(&server, limits()));
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let gmail = gmail.clone();
        calls.spawn(async move { gmail.profile().await });
    }
    for result in calls.join_all().await {
        result.unwrap();
    }
    assert_eq!(most_seen.load(Ordering::SeqCst), 4);
    assert_eq!(server.requests("/token").len(), 1);
}
