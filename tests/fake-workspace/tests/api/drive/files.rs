//! files.get, create, update, delete, copy, export, generateIds, emptyTrash, revisions and about.get.

use super::{DOCUMENT, FILE, FOLDER, METADATA, METADATA_READONLY, READONLY, SHORTCUT, empty, with};
use crate::client::text;
use serde_json::json;

#[tokio::test]
async fn about_wants_fields() {
    let fake = with(|_| {}).await;
    let ana = fake.person_with(0, METADATA_READONLY).await;
    let answer = ana.get("about").await;
    assert_eq!((answer.status, answer.reason().as_str()), (400, "required"));
    assert_eq!(answer.json()["error"]["errors"][0]["location"], "fields");
    let about = ana
        .json("about?fields=user,storageQuota,maxUploadSize")
        .await;
    assert_eq!(about["user"]["emailAddress"], json!(ana.address));
    assert_eq!(about["user"]["me"], true);
    assert!(about["storageQuota"]["usage"].is_string() && about["kind"].is_null());
}

#[tokio::test]
async fn without_fields_a_file_is_four_fields() {
    let fake = empty().await;
    let ana = fake.person(0).await;
    let id = ana.text_file("a.txt", "root").await;
    let expected =
        json!({ "kind": "drive#file", "id": id, "name": "a.txt", "mimeType": "text/plain" });
    assert_eq!(ana.json(&format!("files/{id}")).await, expected);
    let list = ana.json("files").await;
    assert_eq!(list["files"], json!([expected]));
    assert_eq!(
        (&list["kind"], &list["incompleteSearch"]),
        (&json!("drive#fileList"), &json!(false))
    );
    let masked = ana
        .json(&format!("files/{id}?fields=name,capabilities/canEdit"))
        .await;
    assert_eq!(
        masked,
        json!({ "name": "a.txt", "capabilities": { "canEdit": true } })
    );
}

#[tokio::test]
async fn fields_that_do_not_exist_are_refused() {
    let fake = empty().await;
    let ana = fake.person(0).await;
    let id = ana.text_file("a.txt", "root").await;
    let token = ana.start_token("").await;
    for path in [
        format!("files/{id}?fields=id,nmae"),
        "files?fields=files(id,nmae)".to_owned(),
        "files?fields=items".to_owned(),
        format!("changes?pageToken={token}&fields=changes/file/title"),
        format!("changes?pageToken={token}&fields=changes(id)"),
    ] {
        let refusal = ana.refused("GET", &path, json!(null)).await;
        assert_eq!(refusal, (400, "invalidParameter".to_owned()), "{path}");
    }
    let refusal = ana
        .refused(
            "PATCH",
            &format!("files/{id}?fields=nmae"),
            json!({ "name": "b" }),
        )
        .await;
    assert_eq!(refusal.0, 400);
    assert_eq!(
        ana.file(&id).await["name"],
        "a.txt",
        "nothing is changed by a refused call"
    );
}

#[tokio::test]
async fn blobs_have_sums_and_documents_have_not() {
    let fake = empty().await;
    let ana = fake.person(0).await;
    fake.admin(
        "drive.create",
        json!({ "user": ana.address, "name": "abc.tar.gz",
        "mimeType": "application/gzip", "content": "abc" }),
    );
    let listed = ana.json("files?fields=*").await;
    let blob = &listed["files"][0];
    assert_eq!(blob["md5Checksum"], "900150983cd24fb0d6963f7d28e17f72");
    assert_eq!(
        blob["sha1Checksum"],
        "a9993e364706816aba3e25717850c26c9cd0d89d"
    );
    assert_eq!(
        blob["sha256Checksum"],
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    assert_eq!(
        (&blob["size"], &blob["version"]),
        (&json!("3"), &json!("1"))
    );
    assert_eq!(
        (&blob["fullFileExtension"], &blob["fileExtension"]),
        (&json!("tar.gz"), &json!("gz"))
    );
    assert!(blob["headRevisionId"].is_string() && blob["webContentLink"].is_string());

    let document = ana
        .create(json!({ "name": "Plan", "mimeType": DOCUMENT }))
        .await;
    let folder = ana.folder("Stuff", "root").await;
    for id in [document, folder] {
        let file = ana.file(&id).await;
        for field in [
            "md5Checksum",
            "sha1Checksum",
            "sha256Checksum",
            "headRevisionId",
            "originalFilename",
        ] {
            assert!(file[field].is_null(), "{field}");
        }
        assert!(file["version"].is_string());
        assert_eq!(file["size"].is_null(), file["mimeType"] == FOLDER);
    }
}

#[tokio::test]
async fn content_comes_with_media_but_not_for_metadata_scopes_or_documents() {
    let fake = empty().await;
    let ana = fake.person(0).await;
    let made = fake.admin(
        "drive.create",
        json!({ "user": ana.address, "name": "a.txt", "content": "hello world" }),
    );
    let id = text(&made["id"]);
    let path = format!("files/{id}?alt=media");
    let answer = ana.get(&path).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, "hello world"));
    assert_eq!(answer.headers["content-type"], "text/plain");
    let part = ana
        .send(
            "GET",
            &format!("/drive/v3/{path}"),
            &[("range", "bytes=6-8")],
            b"",
        )
        .await;
    assert_eq!((part.status, part.text.as_str()), (206, "wor"));
    assert_eq!(part.headers["content-range"], "bytes 6-8/11");
    let reader = fake.person_with(0, READONLY).await;
    assert_eq!(reader.get(&path).await.text, "hello world");
    for scope in [METADATA, METADATA_READONLY] {
        let metadata = fake.person_with(0, scope).await;
        let refusal = metadata.refused("GET", &path, json!(null)).await;
        assert_eq!(refusal, (403, "insufficientPermissions".to_owned()));
        assert_eq!(metadata.json(&format!("files/{id}")).await["name"], "a.txt");
    }
    let document = ana
        .create(json!({ "name": "Plan", "mimeType": DOCUMENT }))
        .await;
    let refusal = ana
        .refused("GET", &format!("files/{document}?alt=media"), json!(null))
        .await;
    assert_eq!(refusal, (403, "fileNotDownloadable".to_owned()));
    let exported = ana
        .get(&format!("files/{document}/export?mimeType=text/plain"))
        .await;
    assert_eq!((exported.status, exported.text.as_str()), (200, ""));
    let refusal = ana
        .refused(
            "GET",
            &format!("files/{id}/export?mimeType=text/plain"),
            json!(null),
        )
        .await;
    assert_eq!(refusal, (403, "fileNotExportable".to_owned()));
    let refusal = ana
        .refused(
            "GET",
            &format!("files/{document}/export?mimeType=image/gif"),
            json!(null),
        )
        .await;
    assert_eq!(refusal, (400, "badRequest".to_owned()));
}

#[tokio::test]
async fn each_method_takes_its_scopes_only() {
    let fake = empty().await;
    let ana = fake.person(0).await;
    let id = ana.text_file("a.txt", "root").await;
    let file = format!("files/{id}");
    for (scope, method, path, allowed) in [
        (METADATA_READONLY, "GET", "drives", false),
        (METADATA, "GET", "drives", false),
        (READONLY, "GET", "drives", true),
        (METADATA_READONLY, "GET", "drives/x", false),
        (METADATA_READONLY, "GET", "changes/startPageToken", true),
        (METADATA_READONLY, "GET", &file, true),
        (METADATA_READONLY, "PATCH", &file, false),
        (METADATA, "PATCH", &file, true),
        (READONLY, "PATCH", &file, false),
        (METADATA, "POST", "files", false),
        (METADATA, "DELETE", &file, false),
        (FILE, "DELETE", "files/trash", false),
        (FILE, "GET", "files/generateIds", true),
    ] {
        let person = fake.person_with(0, scope).await;
        let answer = person.call(method, path, &json!({ "name": "b" })).await;
        let insufficient = answer.status == 403 && answer.reason() == "insufficientPermissions";
        assert_eq!(
            !insufficient, allowed,
            "{scope} {method} {path}: {}",
            answer.text
        );
    }
}

#[tokio::test]
async fn file_scope_sees_what_the_app_made() {
    let fake = empty().await;
    let app = fake.person_with(0, FILE).await;
    let own = app.text_file("own.txt", "root").await;
    let made = fake.admin(
        "drive.create",
        json!({ "user": app.address, "name": "other.txt", "content": "x" }),
    );
    assert_eq!(app.names("").await, ["own.txt"]);
    assert_eq!(
        app.get(&format!("files/{}", text(&made["id"])))
            .await
            .status,
        404
    );
    assert_eq!(app.file(&own).await["isAppAuthorized"], true);
    let wide = fake.person(0).await;
    assert_eq!(wide.names("").await, ["other.txt", "own.txt"]);
}

#[tokio::test]
async fn new_files_go_where_they_are_told() {
    let fake = empty().await;
    let ana = fake.person(0).await;
    let root = text(&ana.file("root").await["id"]);
    let folder = ana.folder("F", "root").await;
    let inside = ana.text_file("in.txt", &folder).await;
    assert_eq!(ana.file(&folder).await["parents"], json!([root]));
    assert_eq!(ana.file(&inside).await["parents"], json!([folder]));
    let file = ana.file(&inside).await;
    assert_eq!(
        (&file["ownedByMe"], &file["owners"][0]["me"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(file["shared"], false);
    for (parents, expected) in [
        (json!([folder, root]), (403, "cannotAddParent")),
        (json!([inside]), (403, "parentNotAFolder")),
        (json!(["1nope"]), (404, "notFound")),
        (json!("root"), (400, "invalid")),
    ] {
        let body = json!({ "name": "x", "parents": parents });
        let (status, reason) = ana.refused("POST", "files", body).await;
        assert_eq!((status, reason.as_str()), expected);
    }
    for body in ["[]", "{", "nonsense"] {
        let answer = fake
            .send("POST", "/drive/v3/files", Some(&ana.token), body)
            .await;
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (400, "parseError")
        );
    }
}

#[tokio::test]
async fn generated_ids_can_be_used_once() {
    let fake = empty().await;
    let ana = fake.person(0).await;
    let ids = ana.json("files/generateIds?count=3").await;
    assert_eq!(
        (&ids["space"], ids["ids"].as_array().unwrap().len()),
        (&json!("drive"), 3)
    );
    let body = json!({ "id": ids["ids"][0], "name": "a" });
    let made = ana.post("files", body.clone()).await;
    assert_eq!(made["id"], ids["ids"][0]);
    assert_eq!(
        ana.refused("POST", "files", body).await,
        (409, "fileIdInUse".to_owned())
    );
    let refusal = ana
        .refused("POST", "files", json!({ "id": "mine", "name": "a" }))
        .await;
    assert_eq!(refusal, (400, "invalid".to_owned()));
    for count in ["0", "1001", "x"] {
        let refusal = ana
            .refused(
                "GET",
                &format!("files/generateIds?count={count}"),
                json!(null),
            )
            .await;
        assert_eq!(refusal, (400, "invalid".to_owned()));
    }
}

#[tokio::test]
async fn unknown_files_are_not_found_by_name() {
    let fake = empty().await;
    let ana = fake.person(0).await;
    let answer = ana.get("files/1unknown").await;
    let error = answer.json()["error"].clone();
    assert_eq!(
        (answer.status, &error["message"]),
        (404, &json!("File not found: 1unknown."))
    );
    assert_eq!(error["errors"][0]["location"], "fileId");
    assert_eq!(error["errors"][0]["locationType"], "parameter");
    // Somebody else's file looks the same.
    let bruno = fake.person(1).await;
    let id = bruno.text_file("secret.txt", "root").await;
    assert_eq!(
        ana.refused("GET", &format!("files/{id}"), json!(null))
            .await,
        (404, "notFound".to_owned())
    );
    assert_eq!(
        ana.refused("DELETE", &format!("files/{id}"), json!(null))
            .await,
        (404, "notFound".to_owned())
    );
}

#[tokio::test]
async fn updates_change_what_they_name() {
    let fake = empty().await;
    let ana = fake.person(0).await;
    let id = ana.text_file("a.txt", "root").await;
    let before = ana.file(&id).await;
    let path = format!("files/{id}?fields=*");
    let after = ana
        .patch(
            &path,
            json!({ "name": "b.txt", "description": "words", "starred": true,
            "properties": { "k": "v", "l": "w" }, "modifiedTime": "2020-01-02T03:04:05.678Z" }),
        )
        .await;
    assert_eq!(
        (&after["name"], &after["description"]),
        (&json!("b.txt"), &json!("words"))
    );
    assert_eq!(after["modifiedTime"], "2020-01-02T03:04:05.678Z");
    assert_eq!(after["createdTime"], before["createdTime"]);
    let version = |file: &serde_json::Value| text(&file["version"]).parse::<u64>().unwrap();
    assert!(version(&after) > version(&before));
    let cleared = ana
        .patch(&path, json!({ "properties": { "k": null } }))
        .await;
    assert_eq!(cleared["properties"], json!({ "l": "w" }));
    for body in [
        json!({ "parents": ["root"] }),
        json!({ "md5Checksum": "x" }),
        json!({ "mimeType": "image/png" }),
        json!({ "id": "other" }),
    ] {
        let refusal = ana.refused("PATCH", &path, body).await;
        assert_eq!(refusal, (403, "fieldNotWritable".to_owned()));
    }
    let refusal = ana
        .refused("PATCH", &path, json!({ "modifiedTime": "yesterday" }))
        .await;
    assert_eq!(refusal, (400, "invalid".to_owned()));
    // A read-only file keeps its name.
    ana.patch(
        &path,
        json!({ "contentRestrictions": [{ "readOnly": true, "reason": "final" }] }),
    )
    .await;
    assert_eq!(
        ana.file(&id).await["contentRestrictions"][0]["reason"],
        "final"
    );
    assert_eq!(
        ana.refused("PATCH", &path, json!({ "name": "c" })).await.0,
        403
    );
}

#[tokio::test]
async fn moving_takes_one_parent_away_and_adds_one() {
    let fake = empty().await;
    let ana = fake.person(0).await;
    let (one, two) = (
        ana.folder("one", "root").await,
        ana.folder("two", "root").await,
    );
    let below = ana.folder("below", &one).await;
    let file = ana.text_file("a.txt", &one).await;
    let moved = ana
        .patch(
            &format!("files/{file}?addParents={two}&removeParents={one}&fields=parents"),
            json!({}),
        )
        .await;
    assert_eq!(moved["parents"], json!([two]));
    for (query, expected) in [
        (format!("addParents={one}"), (403, "cannotAddParent")),
        (
            format!("removeParents={two}"),
            (403, "teamDrivesParentLimit"),
        ),
        (
            "addParents=1nope&removeParents=".to_owned() + &two,
            (404, "notFound"),
        ),
    ] {
        let (status, reason) = ana
            .refused("PATCH", &format!("files/{file}?{query}"), json!({}))
            .await;
        assert_eq!((status, reason.as_str()), expected, "{query}");
    }
    let root = text(&ana.file("root").await["id"]);
    let cycle = format!("files/{one}?addParents={below}&removeParents={root}");
    assert_eq!(
        ana.refused("PATCH", &cycle, json!({})).await,
        (400, "badRequest".to_owned())
    );
}

#[tokio::test]
async fn trash_goes_down_the_tree_and_delete_is_for_ever() {
    let fake = empty().await;
    let ana = fake.person(0).await;
    let folder = ana.folder("F", "root").await;
    let file = ana.text_file("a.txt", &folder).await;
    ana.patch(&format!("files/{folder}"), json!({ "trashed": true }))
        .await;
    let states =
        |file: &serde_json::Value| (file["trashed"].clone(), file["explicitlyTrashed"].clone());
    assert_eq!(states(&ana.file(&folder).await), (json!(true), json!(true)));
    assert_eq!(states(&ana.file(&file).await), (json!(true), json!(false)));
    // Trashed files are still listed.
    assert_eq!(ana.names("").await, ["F", "a.txt"]);
    assert!(ana.find("trashed = false").await.is_empty());
    ana.patch(&format!("files/{folder}"), json!({ "trashed": false }))
        .await;
    assert_eq!(states(&ana.file(&file).await), (json!(false), json!(false)));
    ana.delete(&format!("files/{folder}")).await;
    assert_eq!(ana.get(&format!("files/{file}")).await.status, 404);

    let (kept, gone) = (
        ana.text_file("kept", "root").await,
        ana.text_file("gone", "root").await,
    );
    ana.patch(&format!("files/{gone}"), json!({ "trashed": true }))
        .await;
    ana.delete("files/trash").await;
    assert_eq!(ana.get(&format!("files/{gone}")).await.status, 404);
    assert_eq!(ana.get(&format!("files/{kept}")).await.status, 200);
    assert_eq!(
        ana.refused("DELETE", "files/root", json!(null)).await.0,
        403
    );
}

#[tokio::test]
async fn a_deleted_folder_leaves_what_others_own() {
    let fake = empty().await;
    let (ana, bruno) = (fake.person(0).await, fake.person(1).await);
    let folder = ana.folder("shared", "root").await;
    ana.share(&folder, &bruno, "writer").await;
    let theirs = bruno.text_file("theirs.txt", &folder).await;
    let mine = ana.text_file("mine.txt", &folder).await;
    assert_eq!(ana.file(&theirs).await["ownedByMe"], false);
    ana.delete(&format!("files/{folder}")).await;
    assert_eq!(bruno.get(&format!("files/{mine}")).await.status, 404);
    let root = bruno.file("root").await["id"].clone();
    assert_eq!(bruno.file(&theirs).await["parents"], json!([root]));
    assert_eq!(ana.get(&format!("files/{theirs}")).await.status, 404);
}

#[tokio::test]
async fn copies_and_shortcuts_are_files_of_their_own() {
    let fake = empty().await;
    let ana = fake.person(0).await;
    let made = fake.admin(
        "drive.create",
        json!({ "user": ana.address, "name": "a.txt", "content": "abc" }),
    );
    let id = text(&made["id"]);
    let copy = ana
        .post(&format!("files/{id}/copy?fields=*"), json!({}))
        .await;
    assert_eq!(
        (&copy["name"], &copy["md5Checksum"]),
        (&json!("Copy of a.txt"), &made["md5Checksum"])
    );
    assert_ne!(copy["id"], made["id"]);
    let folder = ana.folder("F", "root").await;
    assert_eq!(
        ana.refused("POST", &format!("files/{folder}/copy"), json!({}))
            .await
            .0,
        403
    );

    let body =
        json!({ "name": "to F", "mimeType": SHORTCUT, "shortcutDetails": { "targetId": folder } });
    let shortcut = ana.post("files?fields=*", body).await;
    assert_eq!(
        shortcut["shortcutDetails"],
        json!({ "targetId": folder, "targetMimeType": FOLDER })
    );
    assert!(shortcut["size"].is_null());
    ana.delete(&format!("files/{folder}")).await;
    // It outlives its target.
    let left = ana.file(&text(&shortcut["id"])).await;
    assert_eq!(left["shortcutDetails"]["targetId"], json!(folder));
    let lost =
        json!({ "name": "x", "mimeType": SHORTCUT, "shortcutDetails": { "targetId": folder } });
    assert_eq!(
        ana.refused("POST", "files", lost).await,
        (404, "notFound".to_owned())
    );
}

#[tokio::test]
async fn revisions_keep_older_content() {
    let fake = empty().await;
    let ana = fake.person(0).await;
    let made = fake.admin(
        "drive.create",
        json!({ "user": ana.address, "name": "a.txt", "content": "one" }),
    );
    let id = text(&made["id"]);
    fake.admin(
        "drive.update",
        json!({ "user": ana.address, "id": id, "content": "two!" }),
    );
    let revisions = ana
        .pages(
            &format!("files/{id}/revisions?fields=*&pageSize=1"),
            "revisions",
        )
        .await;
    let sizes: Vec<&serde_json::Value> =
        revisions.iter().map(|revision| &revision["size"]).collect();
    assert_eq!(sizes, ["3", "4"]);
    let file = ana.file(&id).await;
    assert_eq!(revisions[1]["id"], file["headRevisionId"]);
    let first = text(&revisions[0]["id"]);
    let old = ana
        .get(&format!("files/{id}/revisions/{first}?alt=media"))
        .await;
    assert_eq!(old.text, "one");
    assert_eq!(
        ana.get(&format!("files/{id}/revisions/nope")).await.status,
        404
    );
}
