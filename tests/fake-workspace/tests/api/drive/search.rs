//! files.list: the search language, order, pages and corpora.

use super::{ALL, DOCUMENT, FOLDER, empty, with};
use crate::client::{encode, text};
use serde_json::json;
use std::collections::BTreeSet;

#[tokio::test]
async fn queries_that_clients_send_find_what_they_say() {
    let fake = empty().await;
    let (ana, bruno) = (fake.person(0).await, fake.person(1).await);
    let folder = ana.folder("Plans", "root").await;
    ana.create(
        json!({ "name": "Budget 2026.txt", "mimeType": "text/plain", "parents": [folder],
        "modifiedTime": "2024-05-06T07:08:09Z", "properties": { "dept": "sales" } }),
    )
    .await;
    ana.create(
        json!({ "name": "O'Brien \\ sons", "mimeType": DOCUMENT, "starred": true,
        "modifiedTime": "2025-01-01T00:00:00Z" }),
    )
    .await;
    let trashed = ana.text_file("old.txt", "root").await;
    ana.patch(&format!("files/{trashed}"), json!({ "trashed": true }))
        .await;
    let theirs = bruno.text_file("from bruno.txt", "root").await;
    bruno.share(&theirs, &ana, "reader").await;
    fake.admin(
        "drive.create",
        json!({ "user": ana.address, "name": "letter.txt", "content": "dear hello world" }),
    );
    fake.admin(
        "drive.share",
        json!({ "user": ana.address, "id": folder, "role": "reader" }),
    );

    let all_text = ["Budget 2026.txt", "from bruno.txt", "letter.txt", "old.txt"];
    let by_bruno = format!("'{}' in owners", bruno.address);
    let in_folder = format!("'{folder}' in parents and trashed=false");
    for (q, expected) in [
        ("name = 'Plans'", &["Plans"][..]),
        ("name = 'plan'", &[]),
        ("name contains 'bud'", &["Budget 2026.txt"]),
        ("name contains 'udget'", &[]),
        (r"name = 'O\'Brien \\ sons'", &[r"O'Brien \ sons"]),
        (
            "mimeType = 'application/vnd.google-apps.folder'",
            &["Plans"],
        ),
        ("mimeType contains 'text/'", &all_text),
        ("trashed = true", &["old.txt"]),
        ("trashed=true or starred", &[r"O'Brien \ sons", "old.txt"]),
        (
            "not mimeType contains 'text/' and not starred = true",
            &["Plans"],
        ),
        (
            "(trashed = true or starred = true) and name contains 'old'",
            &["old.txt"],
        ),
        (&in_folder, &["Budget 2026.txt"]),
        (
            "'root' in parents and mimeType != 'text/plain'",
            &[r"O'Brien \ sons", "Plans"],
        ),
        (&by_bruno, &["from bruno.txt"]),
        ("not 'me' in owners", &["from bruno.txt"]),
        (
            "'me' in readers and not 'me' in writers",
            &["from bruno.txt"],
        ),
        ("sharedWithMe", &["from bruno.txt"]),
        ("modifiedTime < '2024-06-01'", &["Budget 2026.txt"]),
        (
            "modifiedTime >= '2024-05-06T07:08:09' and modifiedTime <= '2025-01-01T01:00:00+01:00'",
            &["Budget 2026.txt", r"O'Brien \ sons"],
        ),
        ("fullText contains 'hello'", &["letter.txt"]),
        ("fullText contains '\"hello world\"'", &["letter.txt"]),
        ("fullText contains '\"world hello\"'", &[]),
        (
            "properties has { key='dept' and value='sales' }",
            &["Budget 2026.txt"],
        ),
        (
            "visibility = 'anyoneWithLink'",
            &["Budget 2026.txt", "Plans"],
        ),
    ] {
        assert_eq!(ana.find(q).await, expected, "{q}");
    }
    for q in [
        "name",
        "name ~ 'x'",
        "name = 'x",
        "colour = 'red'",
        "trashed = maybe",
        "modifiedTime > 'soon'",
        "parents in 'x'",
        "'x' in name",
    ] {
        let refusal = ana.get(&format!("files?q={}", encode(q))).await;
        assert_eq!(
            (refusal.status, refusal.reason().as_str()),
            (400, "invalid"),
            "{q}"
        );
        assert_eq!(refusal.json()["error"]["errors"][0]["location"], "q");
    }
}

#[tokio::test]
async fn order_is_kept_over_pages() {
    let fake = empty().await;
    let ana = fake.person(0).await;
    for (name, time) in [
        ("b 12", "2024-01-03"),
        ("a", "2024-01-01"),
        ("b 2", "2024-01-02"),
    ] {
        ana.create(json!({ "name": name, "modifiedTime": format!("{time}T00:00:00Z") }))
            .await;
    }
    ana.folder("z", "root").await;
    for (order, expected) in [
        ("name", ["a", "b 12", "b 2", "z"]),
        ("name_natural", ["a", "b 2", "b 12", "z"]),
        ("folder,name desc", ["z", "b 2", "b 12", "a"]),
        ("modifiedTime desc", ["z", "b 12", "b 2", "a"]),
    ] {
        let path = format!("files?pageSize=1&orderBy={}", encode(order));
        let found = ana.pages(&path, "files").await;
        let names: Vec<String> = found.iter().map(|file| text(&file["name"])).collect();
        assert_eq!(names, expected, "{order}");
    }
    assert_eq!(
        ana.refused("GET", "files?orderBy=colour", json!(null))
            .await,
        (400, "invalid".to_owned())
    );
    let answer = ana
        .get(&format!(
            "files?orderBy=name&q={}",
            encode("fullText contains 'a'")
        ))
        .await;
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (400, "badRequest")
    );
    assert_eq!(answer.json()["error"]["errors"][0]["location"], "orderBy");
}

#[tokio::test]
async fn pages_hold_every_file_once_though_files_come_and_go() {
    let fake = with(|options| options.files = 60).await;
    let ana = fake.person(0).await;
    let mut expected: BTreeSet<String> = fake.admin("drive.truth", json!({ "user": ana.address }))
        ["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| text(&file["id"]))
        .collect();
    assert!(expected.len() > 10);
    let mut seen = Vec::new();
    let mut next = String::new();
    loop {
        let page = ana.json(&format!("files?pageSize=4{next}")).await;
        for file in page["files"].as_array().unwrap() {
            seen.push(text(&file["id"]));
        }
        // One that was shown goes away, a new one comes.
        if let Some(first) = seen.first().filter(|_| next.is_empty()) {
            let answer = ana
                .call("DELETE", &format!("files/{first}"), &json!(null))
                .await;
            assert!(answer.status == 204 || answer.status == 403);
        }
        match page["nextPageToken"].as_str() {
            Some(token) => next = format!("&pageToken={token}"),
            None => break,
        }
    }
    let unique: BTreeSet<String> = seen.iter().cloned().collect();
    assert_eq!(unique.len(), seen.len());
    // What was below a deleted folder may be missing now.
    let left = fake.admin("drive.truth", json!({ "user": ana.address }));
    let left: BTreeSet<String> = left["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| text(&file["id"]))
        .collect();
    expected.retain(|id| left.contains(id));
    assert!(expected.is_subset(&unique));
}

#[tokio::test]
async fn page_tokens_are_opaque_bound_and_go_stale() {
    let fake = with(|_| {}).await;
    let ana = fake.person(0).await;
    let token = text(&ana.json("files?pageSize=2").await["nextPageToken"]);
    assert_eq!(
        ana.get(&format!("files?pageSize=3&pageToken={token}"))
            .await
            .status,
        200
    );
    let other = format!("files?q={}&pageToken={token}", encode("trashed=false"));
    for path in [other.as_str(), "files?pageToken=!!", "files?pageToken=abcd"] {
        assert_eq!(
            ana.refused("GET", path, json!(null)).await,
            (400, "invalid".to_owned())
        );
    }
    fake.admin("drive.expire", json!({}));
    let stale = ana.get(&format!("files?pageToken={token}")).await;
    assert_eq!((stale.status, stale.reason().as_str()), (400, "invalid"));
    assert_eq!(stale.json()["error"]["errors"][0]["location"], "pageToken");
    for size in ["0", "-1", "x"] {
        assert_eq!(
            ana.refused("GET", &format!("files?pageSize={size}"), json!(null))
                .await
                .0,
            400
        );
    }
    assert_eq!(ana.get("files?pageSize=5000").await.status, 200);
}

#[tokio::test]
async fn an_empty_page_leads_to_the_right_one() {
    let fake = with(|_| {}).await;
    let ana = fake.person(0).await;
    let expected = ana.names("").await;
    fake.admin("fault.on", json!({ "user": ana.address, "method": "drive.files.list", "body": "empty_page", "count": 1 }));
    assert_eq!(ana.names("").await, expected);
}

#[tokio::test]
async fn corpora_and_their_parameters_go_together_or_are_refused() {
    let fake = empty().await;
    let ana = fake.person(0).await;
    let drive = text(&fake.admin("drive.shared.create", json!({ "name": "D" }))["id"]);
    ana.text_file("in drive", &drive).await;
    ana.text_file("mine", "root").await;
    let in_drive = format!("corpora=drive&driveId={drive}&{ALL}");
    assert_eq!(ana.names(&in_drive).await, ["in drive"]);
    assert_eq!(ana.names(&format!("corpora=user&{ALL}")).await, ["mine"]);
    assert_eq!(
        ana.names(&format!("corpora=allDrives&{ALL}")).await,
        ["in drive", "mine"]
    );
    assert_eq!(ana.names("").await, ["mine"]);
    let children = encode(&format!("'{drive}' in parents"));
    assert_eq!(
        ana.names(&format!("{ALL}&q={children}")).await,
        ["in drive"]
    );
    // Without the flag there is nothing of shared drives.
    assert!(
        ana.names(&format!("supportsAllDrives=true&q={children}"))
            .await
            .is_empty()
    );
    for (query, expected) in [
        (
            format!("corpora=drive&{ALL}"),
            (403, "teamDriveIdRequiresTeamDriveCorpora"),
        ),
        (
            format!("corpora=user&driveId={drive}&{ALL}"),
            (403, "teamDriveIdRequiresTeamDriveCorpora"),
        ),
        (
            format!("driveId={drive}&{ALL}"),
            (403, "teamDriveIdRequiresTeamDriveCorpora"),
        ),
        (
            format!("corpora=drive&driveId={drive}&supportsAllDrives=true"),
            (403, "includeTeamDriveItemsRequired"),
        ),
        (
            "corpora=allDrives&supportsAllDrives=true".to_owned(),
            (403, "includeTeamDriveItemsRequired"),
        ),
        (
            "includeItemsFromAllDrives=true".to_owned(),
            (403, "teamDrivesNotSupported"),
        ),
        (format!("corpora=nonsense&{ALL}"), (400, "invalid")),
        ("corpora=user&corpus=user".to_owned(), (400, "badRequest")),
        (
            format!("corpora=drive&driveId=0Anope&{ALL}"),
            (404, "notFound"),
        ),
        ("spaces=nonsense".to_owned(), (400, "invalid")),
        (
            "spaces=appDataFolder".to_owned(),
            (403, "insufficientScopes"),
        ),
    ] {
        let (status, reason) = ana
            .refused("GET", &format!("files?{query}"), json!(null))
            .await;
        assert_eq!((status, reason.as_str()), expected, "{query}");
    }
    fake.admin("drive.incomplete", json!({ "on": true }));
    let list = ana.json(&format!("files?corpora=allDrives&{ALL}")).await;
    assert_eq!(list["incompleteSearch"], true);
    assert_eq!(
        ana.json(&format!("files?{in_drive}")).await["incompleteSearch"],
        false
    );
}

#[tokio::test]
async fn domain_corpus_holds_what_the_domain_can_find() {
    let fake = empty().await;
    let (ana, bruno) = (fake.person(0).await, fake.person(1).await);
    let (found, linked) = (
        ana.text_file("found", "root").await,
        ana.text_file("linked", "root").await,
    );
    for (id, discoverable) in [(&found, true), (&linked, false)] {
        fake.admin("drive.share", json!({ "user": ana.address, "id": id, "domain": "example.com", "discoverable": discoverable }));
    }
    assert_eq!(bruno.names("corpora=domain").await, ["found"]);
    assert!(bruno.names("").await.is_empty());
    // The link is enough for who has it.
    assert_eq!(bruno.file(&linked).await["name"], "linked");
    assert_eq!(bruno.file(&linked).await["parents"], json!(null));
}

#[tokio::test]
async fn the_generated_domain_has_trees_sharing_and_shared_drives() {
    let fake = with(|options| {
        options.users = 6;
        options.files = 400;
    })
    .await;
    let ana = fake.person(0).await;
    let truth = fake.admin("truth", json!({ "user": ana.address, "source": "drive" }));
    let files = truth["files"].as_array().unwrap();
    let count =
        |test: &dyn Fn(&serde_json::Value) -> bool| files.iter().filter(|file| test(file)).count();
    assert!(count(&|file| file["mimeType"] == FOLDER) > 3);
    assert!(count(&|file| file["mimeType"] == DOCUMENT) > 3);
    assert!(count(&|file| file["mimeType"] == "application/pdf") > 3);
    assert!(count(&|file| file["ownedByMe"] == false) > 3);
    assert!(count(&|file| file["shared"] == true && file["ownedByMe"] == true) > 3);
    let drives = truth["drives"].as_object().unwrap();
    assert_eq!(drives.len(), 3);
    assert!(
        drives
            .values()
            .all(|drive| drive["files"].as_array().unwrap().len() > 10)
    );
    // Listings say the same.
    let listed = ana.pages("files?pageSize=50&fields=*", "files").await;
    let own: Vec<&serde_json::Value> = files
        .iter()
        .filter(|file| file["driveId"].is_null())
        .collect();
    assert_eq!(listed.iter().collect::<Vec<_>>(), own);
}
