//! What Gmail and the Directory answer, read into values; requests are checked on the way.

use crate::fixture::{directory, google, limits, mailbox, ok, refusal, shown, token};
use crate::server::{Reply, Server};
use nuncio_google::{
    BadItem, DirectoryUser, Error, Fault, Label, ListMessages, ListedMessage, Profile,
};
use nuncio_model::{AccountKey, ItemId, Next, ThreadId};
use serde_json::json;

#[tokio::test]
async fn a_profile_is_read() {
    let (_server, gmail) = mailbox(|_| {
        ok(&json!({"emailAddress": "Ana@example.com", "messagesTotal": 3, "historyId": "42"}))
    })
    .await;
    let expected = Profile {
        email_address: "Ana@example.com".into(),
        messages_total: 3,
        history_id: 42,
    };
    assert_eq!(gmail.profile().await.unwrap(), expected);
    let (_server, gmail) = mailbox(|_| ok(&json!({"emailAddress": "planted"}))).await;
    let error = gmail.profile().await.unwrap_err();
    assert!(matches!(error, Error::Decode { .. }), "{}", shown(&error));
}

#[tokio::test]
async fn labels_are_read_and_a_bad_one_costs_only_itself() {
    let (_server, gmail) = mailbox(|_| {
        ok(
            &json!({"labels": [{"id": "INBOX", "name": "INBOX", "type": "system"}, 7,
            {"id": "Label_1", "name": "Clients/Acme", "type": "user"}]}),
        )
    })
    .await;
    let label = |id: &str, name: &str, is_system| Label {
        id: id.into(),
        name: name.into(),
        is_system,
    };
    let expected = [
        label("INBOX", "INBOX", true),
        label("Label_1", "Clients/Acme", false),
    ];
    assert_eq!(gmail.labels().await.unwrap(), expected);
}

#[tokio::test]
async fn a_listing_sends_its_wishes_and_tells_of_bad_items() {
    let (server, gmail) = mailbox(|_| {
        ok(&json!({"messages": [{"id": "a", "threadId": "t"}, {"id": "b"}, {"id": "c", "threadId": ["planted"]}, {"threadId": "t"}],
            "nextPageToken": "next", "resultSizeEstimate": 4}))
    })
    .await;
    let list = ListMessages {
        q: "after:1 larger:5M &#?".into(),
        label_ids: vec!["INBOX".into()],
        include_spam_trash: true,
        max_results: 999,
        page_token: Some("p+/=".into()),
    };
    let page = gmail.list_messages(&list).await.unwrap();
    let listed = |id: &str, thread: &str| ListedMessage {
        id: ItemId::new(id),
        thread_id: ThreadId::new(thread),
    };
    assert_eq!(page.messages, [listed("a", "t"), listed("b", "b")]);
    assert_eq!(page.next_page.as_deref(), Some("next"));
    let told: Vec<_> = page
        .bad
        .iter()
        .map(|bad| (bad.position, bad.id.clone()))
        .collect();
    assert_eq!(told, [(2, Some(ItemId::new("c"))), (3, None)]);
    let quotes = |bad: &BadItem| bad.reason.contains("planted");
    assert!(!page.bad.iter().any(quotes), "{:?}", page.bad);
    let sent = &server.calls()[0].query;
    assert_eq!(sent["q"], "after:1 larger:5M &#?");
    assert_eq!(
        (sent["labelIds"].as_str(), sent["maxResults"].as_str()),
        ("INBOX", "500")
    );
    assert_eq!(
        (
            sent["includeSpamTrash"].as_str(),
            sent["pageToken"].as_str()
        ),
        ("true", "p+/=")
    );
    assert!(sent["fields"].contains("nextPageToken"));
}

#[tokio::test]
async fn an_empty_listing_has_no_list_at_all() {
    let (server, gmail) = mailbox(|_| ok(&json!({"resultSizeEstimate": 0}))).await;
    let page = gmail.list_messages(&ListMessages::default()).await.unwrap();
    assert_eq!(
        (page.messages.len(), page.bad.len(), page.next_page),
        (0, 0, None)
    );
    let sent = &server.calls()[0].query;
    assert!(
        !sent.contains_key("q") && !sent.contains_key("includeSpamTrash"),
        "{sent:?}"
    );
}

#[tokio::test]
async fn raw_messages_come_padded_and_unpadded() {
    for raw in [
        "RnJvbTogYUBiCgpo_w==",
        "RnJvbTogYUBiCgpo_w",
        "RnJvbTogYUBiCgpo/w",
    ] {
        let (server, gmail) = mailbox(move |_| {
            ok(
                &json!({"id": "m1", "threadId": "t1", "labelIds": ["INBOX"], "historyId": "9",
                "internalDate": "1700000000000", "sizeEstimate": 17, "snippet": "h", "raw": raw}),
            )
        })
        .await;
        let message = gmail.message_raw(&ItemId::new("m1")).await.unwrap();
        assert_eq!(message.raw, b"From: a@b\n\nh\xff");
        assert_eq!(
            (message.history_id, message.internal_date),
            (9, 1_700_000_000_000)
        );
        assert_eq!(server.calls()[0].query["format"], "raw");
    }
}

#[tokio::test]
async fn a_bad_body_is_an_error_that_quotes_nothing() {
    let bodies = [
        r#"{"id":"m","raw":"planted!"}"#,
        r#"{"id":"m","raw":{"planted":1}}"#,
        "planted",
        "",
        "<p>planted</p>",
    ];
    for body in bodies {
        let (server, gmail) = mailbox(move |_| Reply::new(200, body)).await;
        let error = gmail.message_raw(&ItemId::new("m")).await.unwrap_err();
        assert!(matches!(error, Error::Decode { .. }), "{}", shown(&error));
        assert_eq!((error.code(), error.next()), ("GGL025", Next::Backoff));
        assert_eq!(server.calls().len(), 1);
        shown(&error);
    }
}

#[tokio::test]
async fn ids_cannot_leave_their_place_in_the_path() {
    let (server, gmail) = mailbox(|_| ok(&json!({"id": "m"}))).await;
    for id in ["a#b", "a?b=c", "a/b", "../labels", "ä %2F"] {
        gmail.message_minimal(&ItemId::new(id)).await.unwrap();
    }
    for id in ["", ".", ".."] {
        let error = gmail.message_minimal(&ItemId::new(id)).await.unwrap_err();
        assert!(matches!(error, Error::Request { .. }), "{}", shown(&error));
    }
    let paths: Vec<_> = server
        .calls()
        .iter()
        .map(|call| call.path.clone())
        .collect();
    let expected = [
        "a%23b",
        "a%3Fb%3Dc",
        "a%2Fb",
        "..%2Flabels",
        "%C3%A4%20%252F",
    ]
    .map(|id| format!("/gmail/v1/users/me/messages/{id}"));
    assert_eq!(paths, expected);
    assert!(
        server
            .calls()
            .iter()
            .all(|call| call.query["format"] == "minimal")
    );
}

#[tokio::test]
async fn a_page_token_past_all_bounds_is_refused_before_it_is_sent() {
    let (server, gmail) = mailbox(|_| ok(&json!({}))).await;
    let error = gmail
        .history(1, Some(&"x".repeat(70_000)), 0)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Request { .. }), "{}", shown(&error));
    assert_eq!(server.calls().len(), 0);
}

#[tokio::test]
async fn history_is_read_and_its_loss_is_a_resync() {
    let (server, gmail) = mailbox(|seen| match seen.n_before {
        0 => ok(&json!({"history": [{"id": "8", "messagesAdded": [{"message": {"id": "a", "threadId": "t"}}]}, {"id": "9", "messagesDeleted": [{"message": {"id": ["x"]}}]}],
            "nextPageToken": "n", "historyId": "12"})),
        _ => refusal(404, "notFound", "Requested entity was not found."),
    })
    .await;
    let page = gmail.history(7, None, 100).await.unwrap();
    assert_eq!((page.records.len(), page.bad.len()), (2, 1));
    assert_eq!(
        (page.next_page.as_deref(), page.history_id),
        (Some("n"), Some(12))
    );
    let error = gmail.history(7, Some("n"), 100).await.unwrap_err();
    assert!(matches!(&error, Error::Status(status) if status.fault == Fault::PositionLost));
    assert_eq!((error.next(), error.code()), (Next::Resync, "GGL011"));
    let calls = server.calls();
    assert_eq!(calls.len(), 2);
    assert_eq!(
        (
            calls[0].query["startHistoryId"].as_str(),
            calls[0].query["maxResults"].as_str()
        ),
        ("7", "100")
    );
    assert_eq!(calls[1].query["pageToken"], "n");
}

#[tokio::test]
async fn a_user_is_looked_up_with_all_aliases() {
    let server = Server::start(|seen| async move {
        match seen.path.as_str() {
            "/token" => token(),
            "/admin/directory/v1/users/ana%2Bx%40example.com" => ok(&json!({"id": "117", "primaryEmail": "ana@example.com",
                "aliases": ["a@example.com"], "nonEditableAliases": ["ana@example.test"], "suspended": true})),
            _ => refusal(404, "notFound", "Resource Not Found: userKey"),
        }
    })
    .await;
    let directory = directory(&google(&server, limits()));
    let expected = DirectoryUser {
        id: AccountKey::new("117"),
        primary_email: "ana@example.com".into(),
        aliases: vec!["a@example.com".into(), "ana@example.test".into()],
        suspended: true,
        archived: false,
        is_mailbox_setup: true,
    };
    assert_eq!(directory.user("ana+x@example.com").await.unwrap(), expected);
    let error = directory.user("nobody@example.com").await.unwrap_err();
    assert!(matches!(&error, Error::Status(status) if status.fault == Fault::NotFound));
}
