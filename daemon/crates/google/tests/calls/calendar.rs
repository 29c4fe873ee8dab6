//! Calendar: what is asked for, and with which of the two scopes.

use crate::auth::assertion;
use crate::fixture::{address, google, limits, ok, refusal, shown, token};
use crate::server::{Reply, Seen, Server};
use nuncio_google::{Calendar, Fault, ListEvents};
use nuncio_model::{AccountKey, ItemId, Next};
use serde_json::json;

const READONLY: &str = "https://www.googleapis.com/auth/calendar.readonly";
const WHOLE: &str = "https://www.googleapis.com/auth/calendar";

/// A server that delegates these scopes only, and calendars of two accounts on it.
async fn calendars(delegated: &'static [&'static str]) -> (Server, Calendar, Calendar) {
    let server = Server::start(move |seen: Seen| {
        let reply = match seen.path.as_str() {
            "/token" if delegated.iter().any(|scope| assertion(&seen).1["scope"] == *scope) => token(),
            "/token" => {
                let body = json!({ "error": "unauthorized_client", "error_description": "Unauthorized client or scope in request." });
                Reply::new(401, body.to_string())
            }
            "/calendar/v3/calendars/primary/events/gone" => refusal(410, "deleted", "Resource has been deleted"),
            "/calendar/v3/calendars/c%23x%2Fy/events" if seen.query.contains_key("syncToken") => {
                refusal(410, "fullSyncRequired", "Sync token is no longer valid")
            }
            _ => ok(&json!({ "items": [], "nextSyncToken": "t" })),
        };
        async { reply }
    })
    .await;
    let google = google(&server, limits());
    let calendar = |name: &str| {
        google.calendar(
            &AccountKey::new(name),
            &address(&format!("{name}@example.com")),
        )
    };
    let (ana, ben) = (calendar("ana"), calendar("ben"));
    (server, ana, ben)
}

fn scopes(server: &Server) -> Vec<String> {
    let tokens = server.requests("/token");
    tokens
        .iter()
        .map(|seen| assertion(seen).1["scope"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn the_lesser_scope_is_asked_for_and_the_other_one_only_where_it_must() {
    let list = ListEvents {
        calendar: "primary".into(),
        ..ListEvents::default()
    };
    let (server, ana, ben) = calendars(&[READONLY, WHOLE]).await;
    ana.events(&list).await.unwrap();
    ben.events(&list).await.unwrap();
    assert_eq!(scopes(&server), [READONLY, READONLY]);
    let (server, ana, ben) = calendars(&[WHOLE]).await;
    ana.events(&list).await.unwrap();
    ben.events(&list).await.unwrap();
    assert_eq!(
        scopes(&server),
        [READONLY, WHOLE, WHOLE],
        "it is remembered for all"
    );
    let (server, ana, _) = calendars(&[]).await;
    let error = ana.events(&list).await.unwrap_err();
    assert_eq!((error.next(), error.code()), (Next::Reauthorize, "AUTH010"));
    assert_eq!(scopes(&server), [READONLY, WHOLE], "{}", shown(&error));
}

#[tokio::test]
async fn listings_ask_for_what_is_stored_and_410_is_told_apart() {
    let (server, ana, _) = calendars(&[READONLY]).await;
    let list = ListEvents {
        calendar: "c#x/y".into(),
        updated_min: Some(1_772_323_200_500),
        page_token: Some("p".into()),
        ..ListEvents::default()
    };
    let page = ana.events(&list).await.unwrap();
    assert_eq!(page.next_sync_token.as_deref(), Some("t"));
    let seen = server.requests("/calendar/v3/calendars/c%23x%2Fy/events");
    let query = &seen.last().unwrap().query;
    for (name, value) in [
        ("singleEvents", "false"),
        ("showDeleted", "true"),
        ("maxResults", "2500"),
        ("updatedMin", "2026-03-01T00:00:00.500Z"),
        ("pageToken", "p"),
    ] {
        assert_eq!(query[name], value);
    }
    assert!(!query.contains_key("syncToken"));
    assert_eq!(query["quotaUser"].len(), 32);
    let increment = ListEvents {
        updated_min: None,
        page_token: None,
        sync_token: Some("old".into()),
        ..list
    };
    let error = ana.events(&increment).await.unwrap_err();
    assert_eq!(error.next(), Next::Resync, "{}", shown(&error));
    let error = ana
        .event("primary", &ItemId::new("gone"))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, nuncio_google::Error::Status(status) if status.fault == Fault::PositionLost),
        "{}",
        shown(&error)
    );
}
