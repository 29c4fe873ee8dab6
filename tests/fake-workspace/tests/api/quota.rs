//! Quota as a client meets it: who is charged, what is refused, in which words, and what is counted.

use crate::client::{Answer, DIRECTORY, Fake, Mailbox, text};
use fake_workspace::{ChargeTo, PriceList};
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

async fn with(prices: PriceList, charge: ChargeTo) -> Fake {
    Fake::with(|options| {
        options.quota = prices;
        options.charge = charge;
    })
    .await
}

/// The path of the newest message; costs one listing, 5 units.
async fn a_message(mailbox: &Mailbox<'_>) -> String {
    let page = mailbox.json("messages?maxResults=1").await;
    format!("messages/{}", text(&page["messages"][0]["id"]))
}

fn stats(fake: &Fake) -> Value {
    fake.admin("stats", json!({}))["quota"].clone()
}

fn error(answer: &Answer) -> Value {
    answer.json()["error"].clone()
}

#[tokio::test]
async fn user_minute_holds_exactly_what_the_list_allows() {
    for (prices, cost, minute) in [
        (PriceList::May2026, 20, 6_000),
        (PriceList::Legacy, 5, 15_000),
    ] {
        let fake = with(prices, ChargeTo::Mailbox).await;
        let mailbox = fake.mailbox(1).await;
        let path = a_message(&mailbox).await;
        // The listing cost 5. Leave room for two gets and a little more.
        let units = minute - 5 - 2 * cost - 4;
        let spend = json!({ "api": "gmail", "limit": "user_minute", "user": mailbox.address, "units": units });
        fake.admin("quota.spend", spend);
        for _ in 0..2 {
            assert_eq!(mailbox.get(&path).await.status, 200);
        }
        let refused = mailbox.get(&path).await;
        assert_eq!(refused.status, 403);
        assert_eq!(
            error(&refused),
            json!({
                "code": 403,
                "message": "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute per user' of service 'gmail.googleapis.com' for consumer 'project_number:618394720156'.",
                "errors": [{
                    "domain": "usageLimits",
                    "reason": "rateLimitExceeded",
                    "message": "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute per user' of service 'gmail.googleapis.com' for consumer 'project_number:618394720156'.",
                }],
                "status": "PERMISSION_DENIED",
            })
        );
        assert!(refused.headers.get("retry-after").is_none());
        // What is cheap still fits, and others have budgets of their own.
        assert_eq!(mailbox.get("profile").await.status, 200);
        let other = fake.mailbox(2).await;
        assert_eq!(other.get(&a_message(&other).await).await.status, 200);

        let stats = stats(&fake);
        let user = &mailbox.address;
        assert_eq!(stats["units_by_user"][user]["gmail"], 5 + 2 * cost + 1);
        assert_eq!(stats["allowed"][user]["gmail.users.messages.get"], 2);
        assert_eq!(
            stats["refused"][user]["gmail.users.messages.get"]["user_minute"],
            1
        );
        assert_eq!(
            stats["budgets"]["gmail"]["user_minute"][user],
            minute - 4 + 1
        );
        assert_eq!(stats["budgets"]["gmail"]["limits"]["user_minute"], minute);
    }
}

#[tokio::test]
async fn spent_units_come_back_with_the_window() {
    let fake = Fake::with(|options| {
        options.quota = PriceList::May2026;
        options.time_scale = 120.0;
    })
    .await;
    let mailbox = fake.mailbox(1).await;
    let spend =
        json!({ "api": "gmail", "limit": "user_minute", "user": mailbox.address, "units": 6_000 });
    fake.admin("quota.spend", spend);
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match mailbox.get("profile").await.status {
            200 => break,
            status => assert_eq!(status, 403),
        }
        assert!(Instant::now() < deadline, "half a second became thirty");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn project_limits_stop_everybody_and_the_day_has_its_own_words() {
    let fake = with(PriceList::May2026, ChargeTo::Mailbox).await;
    let (one, two) = (fake.mailbox(1).await, fake.mailbox(2).await);
    let minute = json!({ "api": "gmail", "limit": "project_minute", "units": 1_199_999 });
    fake.admin("quota.spend", minute);
    assert_eq!(one.get("profile").await.status, 200);
    for mailbox in [&one, &two] {
        let refused = mailbox.get("profile").await;
        assert_eq!(
            (refused.status, refused.reason().as_str()),
            (403, "rateLimitExceeded")
        );
        assert!(
            text(&error(&refused)["message"]).contains("limit 'Queries per minute' of service")
        );
    }
    fake.admin("quota.set", json!({ "reset": true }));
    assert_eq!(two.get("profile").await.status, 200);
    // The day's figure is what Google bills from; only a cap of the project's owner refuses.
    let day = json!({ "api": "gmail", "limit": "project_day", "units": 80_000_000 });
    fake.admin("quota.spend", day);
    assert_eq!(one.get("profile").await.status, 200);
    let cap = json!({ "api": "gmail", "limit": "project_day", "value": 80_000_000 });
    fake.admin("quota.set", cap);
    let refused = one.get("profile").await;
    assert_eq!(
        (refused.status, refused.reason().as_str()),
        (403, "dailyLimitExceeded")
    );
    let stats = stats(&fake);
    assert_eq!(
        stats["refused"][&one.address]["gmail.users.getProfile"]["project_day"],
        1
    );
    assert_eq!(stats["budgets"]["gmail"]["billing_threshold"], 80_000_000);
}

#[tokio::test]
async fn gmail_charges_the_mailbox_or_the_service_account() {
    let path = |quota_user: &str| format!("profile?quotaUser={quota_user}");
    for (charge, key) in [
        (ChargeTo::Mailbox, None),
        (ChargeTo::ServiceAccount, Some("service-account")),
    ] {
        let fake = with(PriceList::May2026, charge).await;
        let (one, two) = (fake.mailbox(1).await, fake.mailbox(2).await);
        let key = key.unwrap_or(&one.address).to_owned();
        let spend =
            json!({ "api": "gmail", "limit": "user_minute", "quota_user": key, "units": 6_000 });
        fake.admin("quota.spend", spend);
        // Neither reading of Google's page lets `quotaUser` out of it.
        for quota_user in ["a", "b"] {
            assert_eq!(one.get(&path(quota_user)).await.status, 403, "{charge:?}");
        }
        let expected = if charge == ChargeTo::Mailbox {
            200
        } else {
            403
        };
        assert_eq!(two.get(&path("a")).await.status, expected, "{charge:?}");
        fake.admin("quota.set", json!({ "quota_user": "honoured" }));
        for quota_user in ["a", "b"] {
            assert_eq!(one.get(&path(quota_user)).await.status, 200, "{charge:?}");
        }
        let long = one.get(&path(&"x".repeat(41))).await;
        assert_eq!(
            (long.status, long.reason().as_str()),
            (400, "invalidParameter")
        );
    }
}

#[tokio::test]
async fn other_apis_charge_the_service_account_unless_told_a_quota_user() {
    let fake = with(PriceList::May2026, ChargeTo::Mailbox).await;
    let token = fake.token(&fake.server.admin_user(), DIRECTORY).await;
    let spend = json!({ "api": "directory", "limit": "user_minute", "units": 2_400 });
    fake.admin("quota.spend", spend);
    let place = format!(
        "{}/admin/directory/v1/users?customer=my_customer",
        fake.server.base()
    );
    let ask = async |query: &str, header: Option<&str>| {
        let mut request = Request::get(format!("{place}{query}"))
            .header("authorization", format!("Bearer {token}"));
        if let Some(header) = header {
            request = request.header("x-goog-quota-user", header);
        }
        let request = request.body(Full::default()).expect("well-formed");
        fake.request(request).await.expect("an answer comes")
    };
    let refused = ask("", None).await;
    assert_eq!(
        (refused.status, refused.reason().as_str()),
        (403, "userRateLimitExceeded")
    );
    assert_eq!(ask("&quotaUser=abc", None).await.status, 200);
    assert_eq!(ask("", Some("def")).await.status, 200);
    let budgets = stats(&fake)["budgets"]["directory"]["user_minute"].clone();
    assert_eq!(
        budgets,
        json!({ "abc": 1, "def": 1, "service-account": 2_400 })
    );
}

#[tokio::test]
async fn bodies_and_retry_after_are_as_the_test_wants_them() {
    let fake = with(PriceList::May2026, ChargeTo::Mailbox).await;
    let mailbox = fake.mailbox(1).await;
    let spend =
        json!({ "api": "gmail", "limit": "user_minute", "user": mailbox.address, "units": 6_000 });
    fake.admin("quota.spend", spend);
    for (bodies, status, reason, domain, message) in [
        (
            "classic",
            403,
            "userRateLimitExceeded",
            "usageLimits",
            "User Rate Limit Exceeded",
        ),
        (
            "exhausted",
            429,
            "rateLimitExceeded",
            "global",
            "Resource has been exhausted (e.g. check quota).",
        ),
    ] {
        fake.admin(
            "quota.set",
            json!({ "bodies": bodies, "retry_after": true }),
        );
        let refused = mailbox.get("profile").await;
        let item = &error(&refused)["errors"][0];
        assert_eq!(refused.status, status);
        assert_eq!(
            item,
            &json!({ "domain": domain, "reason": reason, "message": message })
        );
        let seconds = refused.headers["retry-after"].to_str().expect("plain text");
        let seconds: u64 = seconds.parse().expect("a number of seconds");
        assert!((1..=60).contains(&seconds), "{seconds}");
    }
}

#[tokio::test]
async fn shut_mailbox_says_until_when() {
    let fake = with(PriceList::May2026, ChargeTo::Mailbox).await;
    let mailbox = fake.mailbox(1).await;
    fake.admin(
        "quota.shut",
        json!({ "user": mailbox.address, "seconds": 900 }),
    );
    fake.admin("quota.set", json!({ "quota_user": "honoured" }));
    let refused = mailbox.get("profile?quotaUser=another").await;
    assert_eq!(
        (refused.status, refused.reason().as_str()),
        (429, "rateLimitExceeded")
    );
    let message = text(&error(&refused)["message"]);
    let until = message
        .strip_prefix("User-rate limit exceeded.  Retry after ")
        .expect("the words of the field");
    let until: jiff::Timestamp = until.parse().expect("RFC 3339");
    let wait = until.as_millisecond() - jiff::Timestamp::now().as_millisecond();
    assert!((800_000..=900_000).contains(&wait), "{wait}");
    let other = fake.mailbox(2).await;
    assert_eq!(other.get("profile").await.status, 200);

    // Whoever does not stop is shut out as well.
    fake.admin(
        "quota.set",
        json!({ "penalty_after": 3, "penalty_seconds": 600 }),
    );
    let spend =
        json!({ "api": "gmail", "limit": "user_minute", "user": other.address, "units": 6_000 });
    fake.admin("quota.spend", spend);
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(other.get("profile").await.status);
    }
    assert_eq!(statuses, [403, 403, 403, 429, 429]);
    let refused = stats(&fake)["refused"][&other.address].clone();
    assert_eq!(
        refused["gmail.users.getProfile"],
        json!({ "user_minute": 3, "mailbox": 2 })
    );
}

#[tokio::test]
async fn too_many_open_calls_of_one_mailbox_are_refused() {
    let fake = with(PriceList::May2026, ChargeTo::Mailbox).await;
    fake.admin("quota.set", json!({ "concurrent": 2 }));
    let (one, two) = (fake.mailbox(1).await, fake.mailbox(2).await);
    let hold = json!({ "user": one.address, "latency_ms": 60_000, "count": 2 });
    fake.admin("fault.on", hold);
    let until = async |wanted: u64| {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let stats = fake.admin("stats", json!({}));
            let open = stats["in_flight"][&one.address].as_u64().unwrap_or(0);
            if open == wanted {
                return;
            }
            assert!(Instant::now() < deadline, "{open} open calls, not {wanted}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        _ = one.get("profile") => panic!("a held call came back"),
        _ = one.get("profile") => panic!("a held call came back"),
        () = async {
            until(2).await;
            let refused = one.get("profile").await;
            assert_eq!((refused.status, refused.reason().as_str()), (429, "rateLimitExceeded"));
            assert_eq!(error(&refused)["message"], "Too many concurrent requests for user");
            assert_eq!(error(&refused)["status"], "RESOURCE_EXHAUSTED");
            assert_eq!(two.get("profile").await.status, 200);
        } => {}
    }
    // The held calls are given up; their places are free again.
    until(0).await;
    assert_eq!(one.get("profile").await.status, 200);
}

#[tokio::test]
async fn quota_is_switched_for_all_or_for_some() {
    let fake = Fake::start().await;
    let (one, two) = (fake.mailbox(1).await, fake.mailbox(2).await);
    for mailbox in [&one, &two] {
        let spend = json!({ "api": "gmail", "limit": "user_minute", "user": mailbox.address, "units": 6_000 });
        fake.admin("quota.spend", spend);
    }
    let both = async || {
        (
            one.get("profile").await.status,
            two.get("profile").await.status,
        )
    };
    assert_eq!(
        both().await,
        (200, 200),
        "nothing is refused without a list"
    );
    assert_eq!(stats(&fake)["units"]["gmail"], 2, "but all is counted");
    fake.admin("quota.on", json!({ "user": one.address, "api": "gmail" }));
    assert_eq!(both().await, (403, 200));
    fake.admin("quota.on", json!({}));
    assert_eq!(both().await, (403, 403));
    fake.admin("quota.off", json!({ "user": one.address }));
    assert_eq!(both().await, (200, 403));
    fake.admin("quota.off", json!({ "api": "gmail" }));
    assert_eq!(both().await, (200, 200));
    fake.admin("quota.on", json!({}));
    assert_eq!(both().await, (403, 403));
    fake.admin("quota.set", json!({ "prices": "legacy" }));
    assert_eq!(both().await, (200, 200), "the old list allows more");
    fake.admin("stats", json!({ "reset": true }));
    assert_eq!(stats(&fake)["units"], json!({}));
}
