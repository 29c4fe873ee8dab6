//! changes.getStartPageToken and changes.list.

use super::{ALL, METADATA_READONLY, empty, outline};
use crate::client::{encode, text};
use serde_json::{Value, json};

#[tokio::test]
async fn a_change_is_the_current_state_and_comes_once() {
    let fake = empty().await;
    let ana = fake.person(0).await;
    let token = ana.start_token("").await;
    assert_eq!(ana.changes(&token, "").await, (Vec::new(), token.clone()));
    let (one, two) = (
        ana.text_file("one", "root").await,
        ana.text_file("two", "root").await,
    );
    ana.patch(&format!("files/{one}"), json!({ "name": "uno" }))
        .await;
    let (changes, next) = ana.changes(&token, "").await;
    // Both changes of the first collapse into its latest.
    assert_eq!(
        outline(&changes),
        [(two.clone(), false), (one.clone(), false)]
    );
    assert_eq!(changes[1]["file"]["name"], "uno");
    assert_eq!(
        (&changes[1]["changeType"], &changes[1]["kind"]),
        (&json!("file"), &json!("drive#change"))
    );
    assert!(changes[1]["time"].as_str().unwrap().ends_with('Z'));
    // Tokens do not expire: the old one still gives the same, the new one nothing.
    assert_eq!(ana.changes(&token, "").await.0, changes);
    assert_eq!(ana.changes(&next, "").await, (Vec::new(), next));
}

#[tokio::test]
async fn only_the_last_page_has_the_new_start() {
    let fake = empty().await;
    let reader = fake.person_with(0, METADATA_READONLY).await;
    let ana = fake.person(0).await;
    let token = reader.start_token("").await;
    for number in 0..5 {
        ana.text_file(&format!("{number}"), "root").await;
    }
    let page = reader
        .json(&format!("changes?pageSize=2&pageToken={token}"))
        .await;
    assert!(page["nextPageToken"].is_string() && page["newStartPageToken"].is_null());
    assert_eq!(page["changes"].as_array().unwrap().len(), 2);
    // Without fields a file is only four of them.
    assert_eq!(page["changes"][0]["file"].as_object().unwrap().len(), 4);
    let (changes, _) = reader.changes(&token, "pageSize=2").await;
    assert_eq!(changes.len(), 5);
    // A mask without tokens hides them, as many clients have found out.
    let masked = reader
        .json(&format!(
            "changes?pageSize=2&pageToken={token}&fields=changes(fileId)"
        ))
        .await;
    assert_eq!(masked.as_object().unwrap().len(), 1);
    fake.admin("fault.on", json!({ "user": ana.address, "method": "drive.changes.list", "body": "empty_page", "count": 1 }));
    assert_eq!(reader.changes(&token, "").await.0.len(), 5);
}

#[tokio::test]
async fn trash_is_a_change_and_loss_is_a_removal() {
    let fake = empty().await;
    let (ana, bruno) = (fake.person(0).await, fake.person(1).await);
    let id = ana.text_file("a", "root").await;
    let before = bruno.start_token("").await;
    let permission = ana.share(&id, &bruno, "reader").await;
    let (changes, token) = bruno.changes(&before, "").await;
    assert_eq!(outline(&changes), [(id.clone(), false)]);
    ana.patch(&format!("files/{id}"), json!({ "trashed": true }))
        .await;
    let (changes, token) = bruno.changes(&token, "").await;
    assert_eq!(outline(&changes), [(id.clone(), false)]);
    assert_eq!(
        (
            &changes[0]["file"]["trashed"],
            &changes[0]["file"]["explicitlyTrashed"]
        ),
        (&json!(true), &json!(true))
    );

    let mine = ana.start_token("").await;
    ana.delete(&format!("files/{id}/permissions/{permission}"))
        .await;
    let (changes, token) = bruno.changes(&token, "").await;
    assert_eq!(outline(&changes), [(id.clone(), true)]);
    assert!(changes[0]["file"].is_null());
    assert!(
        bruno
            .changes(&before, "includeRemoved=false")
            .await
            .0
            .is_empty()
    );
    // For the owner it is a plain change.
    let (changes, mine) = ana.changes(&mine, "").await;
    assert_eq!(outline(&changes), [(id.clone(), false)]);
    ana.delete(&format!("files/{id}")).await;
    assert_eq!(outline(&ana.changes(&mine, "").await.0), [(id, true)]);
    assert!(
        bruno.changes(&token, "").await.0.is_empty(),
        "what is out of sight makes no changes"
    );
}

#[tokio::test]
async fn folders_speak_for_what_is_below_when_shared_but_not_when_trashed() {
    let fake = empty().await;
    let (ana, bruno) = (fake.person(0).await, fake.person(1).await);
    let folder = ana.folder("F", "root").await;
    let file = ana.text_file("a", &folder).await;
    let (mine, theirs) = (ana.start_token("").await, bruno.start_token("").await);
    ana.share(&folder, &bruno, "reader").await;
    assert_eq!(
        outline(&ana.changes(&mine, "").await.0),
        [(folder.clone(), false)]
    );
    let (changes, theirs) = bruno.changes(&theirs, "").await;
    assert_eq!(outline(&changes), [(folder.clone(), false)]);
    assert_eq!(bruno.names("").await, ["F", "a"]);
    let other = ana.folder("G", "root").await;
    let mine = ana.start_token("").await;
    let root = text(&ana.file("root").await["id"]);
    ana.patch(
        &format!("files/{folder}?addParents={other}&removeParents={root}"),
        json!({}),
    )
    .await;
    let (changes, mine) = ana.changes(&mine, "").await;
    assert_eq!(outline(&changes), [(folder.clone(), false)]);
    assert_eq!(changes[0]["file"]["parents"], json!([other]));
    ana.patch(&format!("files/{folder}"), json!({ "trashed": true }))
        .await;
    let (changes, _) = ana.changes(&mine, "").await;
    assert_eq!(
        outline(&changes),
        [(folder.clone(), false), (file.clone(), false)]
    );
    assert_eq!(changes[1]["file"]["trashed"], true);
    assert_eq!(bruno.changes(&theirs, "").await.0.len(), 2);
}

#[tokio::test]
async fn stars_are_in_the_own_log_only() {
    let fake = empty().await;
    let (ana, bruno) = (fake.person(0).await, fake.person(1).await);
    let id = ana.text_file("a", "root").await;
    ana.share(&id, &bruno, "reader").await;
    let (mine, theirs) = (ana.start_token("").await, bruno.start_token("").await);
    bruno
        .patch(&format!("files/{id}"), json!({ "starred": true }))
        .await;
    assert!(ana.changes(&mine, "").await.0.is_empty());
    assert_eq!(outline(&bruno.changes(&theirs, "").await.0), [(id, false)]);
}

#[tokio::test]
async fn restrict_to_my_drive_leaves_out_what_is_only_shared() {
    let fake = empty().await;
    let (ana, bruno) = (fake.person(0).await, fake.person(1).await);
    let token = bruno.start_token("").await;
    let shared = ana.text_file("shared", "root").await;
    ana.share(&shared, &bruno, "writer").await;
    let own = bruno.text_file("own", "root").await;
    assert_eq!(
        outline(&bruno.changes(&token, "restrictToMyDrive=true").await.0),
        [(own.clone(), false)]
    );
    ana.delete(&format!("files/{shared}")).await;
    bruno.delete(&format!("files/{own}")).await;
    assert_eq!(
        outline(&bruno.changes(&token, "restrictToMyDrive=true").await.0),
        [(own.clone(), true)]
    );
    assert_eq!(
        outline(&bruno.changes(&token, "").await.0),
        [(shared, true), (own, true)]
    );
}

#[tokio::test]
async fn each_shared_drive_has_its_own_log_and_tokens() {
    let fake = empty().await;
    let (ana, bruno) = (fake.person(0).await, fake.person(1).await);
    let drive = text(&fake.admin("drive.shared.create", json!({ "name": "D" }))["id"]);
    let feed = format!("driveId={drive}&supportsAllDrives=true");
    let feed_all = format!("driveId={drive}&{ALL}");
    let user = bruno.start_token("").await;
    let of_drive = ana.start_token(&feed).await;
    let before = ana.text_file("before", &drive).await;
    // Joining is one entry for the drive, and none for its files.
    fake.admin(
        "drive.shared.member.add",
        json!({ "driveId": drive, "email": bruno.address, "role": "writer" }),
    );
    let (changes, user) = bruno.changes(&user, ALL).await;
    assert_eq!(outline(&changes), [(drive.clone(), false)]);
    assert_eq!(
        (&changes[0]["changeType"], &changes[0]["drive"]["name"]),
        (&json!("drive"), &json!("D"))
    );
    assert!(bruno.changes(&user, "").await.0.is_empty());
    let after = ana.text_file("after", &drive).await;
    let (in_drive, _) = bruno.changes(&of_drive, &feed_all).await;
    assert_eq!(
        outline(&in_drive),
        [
            (before, false),
            (drive.clone(), false),
            (after.clone(), false)
        ]
    );
    assert_eq!(in_drive[2]["file"]["driveId"], json!(drive));
    assert!(
        bruno.changes(&user, ALL).await.0.is_empty(),
        "files of the drive are in its log"
    );
    // What one does oneself may be in one's own log as well, if asked for.
    bruno
        .patch(
            &format!("files/{after}?supportsAllDrives=true"),
            json!({ "name": "x" }),
        )
        .await;
    assert_eq!(
        outline(&bruno.changes(&user, ALL).await.0),
        [(after, false)]
    );
    assert!(bruno.changes(&user, "").await.0.is_empty());

    for (token, query, expected) in [
        (&user, feed_all.as_str(), (400, "invalid")),
        (&of_drive, ALL, (400, "invalid")),
        (
            &of_drive,
            feed.as_str(),
            (403, "includeTeamDriveItemsRequired"),
        ),
        (
            &of_drive,
            &format!("driveId={drive}"),
            (403, "teamDrivesNotSupported"),
        ),
        (
            &of_drive,
            &format!("driveId=0Anope&{ALL}"),
            (404, "notFound"),
        ),
        (&"99999999".to_owned(), "", (400, "invalid")),
        (&"!".to_owned(), "", (400, "invalid")),
        (&user, "pageSize=0", (400, "invalid")),
    ] {
        let path = format!("changes?pageToken={}&{query}", encode(token));
        let (status, reason) = bruno.refused("GET", &path, json!(null)).await;
        assert_eq!((status, reason.as_str()), expected, "{path}");
    }
    assert_eq!(
        bruno.refused("GET", "changes", json!(null)).await,
        (400, "required".to_owned())
    );

    fake.admin(
        "drive.shared.rename",
        json!({ "driveId": drive, "name": "E" }),
    );
    let (changes, user) = bruno.changes(&user, ALL).await;
    assert_eq!(
        changes.last().map(|change| &change["drive"]["name"]),
        Some(&json!("E"))
    );
    fake.admin(
        "drive.shared.member.remove",
        json!({ "driveId": drive, "email": bruno.address }),
    );
    let (changes, user) = bruno.changes(&user, ALL).await;
    assert!(outline(&changes).contains(&(drive.clone(), true)));
    let path = format!("changes?pageToken={}&{feed_all}", encode(&of_drive));
    assert_eq!(
        bruno.refused("GET", &path, json!(null)).await,
        (404, "notFound".to_owned())
    );
    fake.admin("drive.shared.delete", json!({ "driveId": drive }));
    assert!(bruno.changes(&user, ALL).await.0.is_empty());
    assert_eq!(
        ana.refused("GET", &path, json!(null)).await,
        (404, "notFound".to_owned())
    );
}

#[tokio::test]
async fn a_move_between_corpora_is_a_removal_that_can_carry_the_file() {
    let fake = empty().await;
    let ana = fake.person(0).await;
    let drive = text(&fake.admin("drive.shared.create", json!({ "name": "D" }))["id"]);
    let feed = format!("driveId={drive}&{ALL}");
    let id = ana.text_file("a", "root").await;
    let (user, of_drive) = (ana.start_token("").await, ana.start_token(&feed).await);
    fake.admin(
        "drive.move",
        json!({ "user": ana.address, "id": id, "parent": drive }),
    );
    let (changes, _) = ana.changes(&user, ALL).await;
    assert_eq!(outline(&changes), [(id.clone(), true)]);
    assert!(changes[0]["file"].is_null());
    let (changes, user) = ana
        .changes(&user, &format!("{ALL}&includeCorpusRemovals=true"))
        .await;
    assert_eq!(
        (&changes[0]["removed"], &changes[0]["file"]["driveId"]),
        (&json!(true), &json!(drive))
    );
    let (changes, of_drive) = ana.changes(&of_drive, &feed).await;
    assert_eq!(outline(&changes), [(id.clone(), false)]);
    // And back.
    fake.admin(
        "drive.move",
        json!({ "user": ana.address, "id": id, "parent": "root" }),
    );
    assert_eq!(
        outline(&ana.changes(&user, "").await.0),
        [(id.clone(), false)]
    );
    assert_eq!(
        outline(&ana.changes(&of_drive, &feed).await.0),
        [(id, true)]
    );
}

#[tokio::test]
async fn items_shared_beside_the_drive_are_in_the_user_log() {
    let fake = empty().await;
    let (ana, bruno) = (fake.person(0).await, fake.person(1).await);
    let drive = text(&fake.admin("drive.shared.create", json!({ "name": "D" }))["id"]);
    let id = ana.text_file("a", &drive).await;
    let token = bruno.start_token("").await;
    let permission = ana.share(&id, &bruno, "reader").await;
    let (changes, token) = bruno.changes(&token, ALL).await;
    assert_eq!(outline(&changes), [(id.clone(), false)]);
    ana.patch(
        &format!("files/{id}?supportsAllDrives=true"),
        json!({ "name": "b" }),
    )
    .await;
    let (changes, token) = bruno.changes(&token, ALL).await;
    assert_eq!(changes[0]["file"]["name"], "b");
    ana.delete(&format!(
        "files/{id}/permissions/{permission}?supportsAllDrives=true"
    ))
    .await;
    assert_eq!(outline(&bruno.changes(&token, ALL).await.0), [(id, true)]);
}

#[tokio::test]
async fn tokens_can_be_made_to_expire() {
    let fake = empty().await;
    let ana = fake.person(0).await;
    let token = ana.start_token("").await;
    fake.admin("drive.expire", json!({ "user": ana.address }));
    assert_eq!(ana.changes(&token, "").await.0, Vec::<Value>::new());
    fake.admin(
        "drive.expire",
        json!({ "user": ana.address, "changes": true }),
    );
    let path = format!("changes?pageToken={token}");
    assert_eq!(
        ana.refused("GET", &path, json!(null)).await,
        (400, "invalid".to_owned())
    );
    let fresh = ana.start_token("").await;
    assert!(ana.changes(&fresh, "").await.0.is_empty());
}
