//! Permissions: who may see and change what, and who sees the permissions themselves.

use super::{FOLDER, empty};
use crate::client::text;
use serde_json::{Value, json};

fn names(permissions: &Value) -> Vec<(String, String)> {
    permissions
        .as_array()
        .expect("permissions are a list")
        .iter()
        .map(|one| {
            let who = one["emailAddress"].as_str().or(one["domain"].as_str());
            (who.unwrap_or("anyone").to_owned(), text(&one["role"]))
        })
        .collect()
}

#[tokio::test]
async fn roles_allow_what_they_say() {
    let fake = empty().await;
    let (ana, bruno) = (fake.person(0).await, fake.person(1).await);
    let id = ana.text_file("a.txt", "root").await;
    let path = format!("files/{id}");
    for (role, edits, comments) in [
        ("reader", false, false),
        ("commenter", false, true),
        ("writer", true, true),
    ] {
        ana.share(&id, &bruno, role).await;
        let seen = bruno.file(&id).await;
        let can = &seen["capabilities"];
        assert_eq!(
            (&can["canEdit"], &can["canComment"]),
            (&json!(edits), &json!(comments)),
            "{role}"
        );
        assert_eq!(
            (&can["canDelete"], &can["canTrash"]),
            (&json!(false), &json!(false))
        );
        let answer = bruno.call("PATCH", &path, &json!({ "name": role })).await;
        assert_eq!(answer.status == 200, edits, "{role}");
        if !edits {
            assert_eq!(answer.reason(), "insufficientFilePermissions");
        }
        // A star is one's own affair.
        assert_eq!(
            bruno
                .call("PATCH", &path, &json!({ "starred": true }))
                .await
                .status,
            200
        );
    }
    assert_eq!(ana.file(&id).await["starred"], false);
    assert_eq!(bruno.refused("DELETE", &path, json!(null)).await.0, 403);
    assert_eq!(
        bruno
            .refused("PATCH", &path, json!({ "trashed": true }))
            .await
            .0,
        403
    );
    let seen = bruno.file(&id).await;
    assert_eq!(
        (&seen["ownedByMe"], &seen["shared"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(seen["sharingUser"]["emailAddress"], json!(ana.address));
    assert!(seen["sharedWithMeTime"].is_string());
}

#[tokio::test]
async fn permissions_are_shown_to_who_may_share() {
    let fake = empty().await;
    let (ana, bruno) = (fake.person(0).await, fake.person(1).await);
    let id = ana.text_file("a.txt", "root").await;
    let permission = ana.share(&id, &bruno, "reader").await;
    let own = ana.file(&id).await;
    assert_eq!(own["permissions"].as_array().unwrap().len(), 2);
    assert_eq!(own["permissionIds"].as_array().unwrap().len(), 2);
    let seen = bruno.file(&id).await;
    assert!(seen["permissions"].is_null() && seen["permissionIds"].is_null());
    let list = format!("files/{id}/permissions");
    assert_eq!(
        bruno.refused("GET", &list, json!(null)).await,
        (403, "insufficientFilePermissions".to_owned())
    );
    // One's own can be read.
    let mine = bruno.json(&format!("{list}/{permission}")).await;
    assert_eq!(
        mine,
        json!({ "kind": "drive#permission", "id": permission, "type": "user", "role": "reader" })
    );
    let all = ana.json(&format!("{list}?fields=*")).await;
    assert_eq!(
        names(&all["permissions"]),
        [
            (ana.address.clone(), "owner".to_owned()),
            (bruno.address.clone(), "reader".to_owned())
        ]
    );
    let paged = ana
        .pages(&format!("{list}?pageSize=1"), "permissions")
        .await;
    assert_eq!(paged.len(), 2);
    // Writers share unless the owner says no.
    ana.share(&id, &bruno, "writer").await;
    assert!(bruno.file(&id).await["permissions"].is_array());
    ana.patch(&format!("files/{id}"), json!({ "writersCanShare": false }))
        .await;
    let seen = bruno.file(&id).await;
    assert!(seen["permissions"].is_null());
    assert_eq!(seen["capabilities"]["canShare"], false);
}

#[tokio::test]
async fn what_lies_below_a_shared_folder_is_shared() {
    let fake = empty().await;
    let (ana, bruno) = (fake.person(0).await, fake.person(1).await);
    let folder = ana.folder("F", "root").await;
    let below = ana.folder("G", &folder).await;
    let file = ana.text_file("a.txt", &below).await;
    ana.share(&folder, &bruno, "writer").await;
    assert_eq!(bruno.names("").await, ["F", "G", "a.txt"]);
    // The folder above is out of sight.
    assert!(bruno.file(&folder).await["parents"].is_null());
    assert_eq!(bruno.file(&file).await["parents"], json!([below]));
    assert_eq!(bruno.find("sharedWithMe").await, ["F"]);
    let permissions = ana
        .json(&format!("files/{file}/permissions?fields=*"))
        .await;
    let inherited = &permissions["permissions"][1];
    assert_eq!(
        inherited["permissionDetails"],
        json!([{ "permissionType": "file", "role": "writer", "inherited": true }])
    );
    let id = text(&inherited["id"]);
    let refusal = ana
        .refused(
            "DELETE",
            &format!("files/{file}/permissions/{id}"),
            json!(null),
        )
        .await;
    assert_eq!(refusal, (403, "cannotDeleteInheritedPermission".to_owned()));
    ana.delete(&format!("files/{folder}/permissions/{id}"))
        .await;
    assert!(bruno.names("").await.is_empty());
}

#[tokio::test]
async fn limited_folders_keep_out_who_only_inherits() {
    let fake = empty().await;
    let (ana, bruno, chloe) = (
        fake.person(0).await,
        fake.person(1).await,
        fake.person(2).await,
    );
    let folder = ana.folder("F", "root").await;
    let closed = ana.folder("closed", &folder).await;
    let file = ana.text_file("a.txt", &closed).await;
    ana.share(&folder, &bruno, "writer").await;
    ana.share(&folder, &chloe, "writer").await;
    ana.share(&closed, &chloe, "reader").await;
    assert_eq!(
        bruno
            .refused(
                "PATCH",
                &format!("files/{closed}"),
                json!({ "inheritedPermissionsDisabled": true })
            )
            .await
            .0,
        403
    );
    ana.patch(
        &format!("files/{closed}"),
        json!({ "inheritedPermissionsDisabled": true }),
    )
    .await;
    // The folder is there, but closed.
    assert_eq!(bruno.names("").await, ["F", "closed"]);
    let seen = bruno.file(&closed).await;
    assert_eq!(
        (
            &seen["inheritedPermissionsDisabled"],
            &seen["capabilities"]["canListChildren"]
        ),
        (&json!(true), &json!(false))
    );
    assert_eq!(bruno.get(&format!("files/{file}")).await.status, 404);
    // Who was let in by name has that role, not the inherited one.
    assert_eq!(chloe.names("").await, ["F", "a.txt", "closed"]);
    assert_eq!(chloe.file(&file).await["capabilities"]["canEdit"], false);
    let permissions = ana
        .json(&format!("files/{closed}/permissions?fields=*"))
        .await;
    let views: Vec<&Value> = permissions["permissions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["view"])
        .collect();
    assert_eq!(views, [&json!(null), &json!(null), &json!("metadata")]);
    ana.patch(
        &format!("files/{closed}"),
        json!({ "inheritedPermissionsDisabled": false }),
    )
    .await;
    assert_eq!(bruno.names("").await, ["F", "a.txt", "closed"]);
    assert_eq!(bruno.file(&folder).await["mimeType"], FOLDER);
}

#[tokio::test]
async fn ownership_changes_hands_only_knowingly() {
    let fake = empty().await;
    let (ana, bruno) = (fake.person(0).await, fake.person(1).await);
    let id = ana.text_file("a.txt", "root").await;
    let body = json!({ "type": "user", "emailAddress": bruno.address, "role": "owner" });
    let path = format!("files/{id}/permissions");
    assert_eq!(
        ana.refused("POST", &path, body.clone()).await,
        (403, "forbidden".to_owned())
    );
    let outside = json!({ "type": "user", "emailAddress": "x@elsewhere.example", "role": "owner" });
    assert_eq!(
        ana.refused("POST", &format!("{path}?transferOwnership=true"), outside)
            .await
            .0,
        400
    );
    ana.post(&format!("{path}?transferOwnership=true"), body)
        .await;
    assert_eq!(bruno.file(&id).await["ownedByMe"], true);
    let seen = ana.file(&id).await;
    assert_eq!(
        (&seen["ownedByMe"], &seen["capabilities"]["canEdit"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(seen["owners"][0]["emailAddress"], json!(bruno.address));
}

#[tokio::test]
async fn grants_name_somebody_and_a_role_that_fits() {
    let fake = empty().await;
    let (ana, bruno) = (fake.person(0).await, fake.person(1).await);
    let id = ana.text_file("a.txt", "root").await;
    let path = format!("files/{id}/permissions");
    for (body, expected) in [
        (
            json!({ "type": "user", "role": "reader" }),
            (400, "invalidSharingRequest"),
        ),
        (
            json!({ "type": "user", "emailAddress": "a@b.example" }),
            (400, "required"),
        ),
        (json!({ "role": "reader" }), (400, "required")),
        (
            json!({ "type": "robot", "role": "reader" }),
            (400, "invalid"),
        ),
        (
            json!({ "type": "anyone", "role": "emperor" }),
            (400, "invalid"),
        ),
        (
            json!({ "type": "domain", "role": "reader" }),
            (400, "required"),
        ),
        (
            json!({ "type": "anyone", "role": "organizer" }),
            (400, "invalidSharingRequest"),
        ),
    ] {
        let (status, reason) = ana.refused("POST", &path, body.clone()).await;
        assert_eq!((status, reason.as_str()), expected, "{body}");
    }
    // By alias it is the same person; a second grant changes the first.
    let first = ana.share(&id, &bruno, "reader").await;
    let alias = json!({ "type": "user", "emailAddress": format!("{}.test-google-a.com", bruno.address), "role": "writer" });
    assert_eq!(text(&ana.post(&path, alias).await["id"]), first);
    let updated = ana
        .patch(&format!("{path}/{first}"), json!({ "role": "commenter" }))
        .await;
    assert_eq!(updated["role"], "commenter");
    assert_eq!(
        ana.refused("PATCH", &format!("{path}/123"), json!({ "role": "reader" }))
            .await,
        (404, "notFound".to_owned())
    );
    let anyone = ana
        .post(&path, json!({ "type": "anyone", "role": "reader" }))
        .await;
    assert_eq!(anyone["id"], "anyoneWithLink");
    let list = ana.json(&format!("{path}?fields=*")).await;
    assert_eq!(
        names(&list["permissions"])[1],
        (bruno.address.clone(), "commenter".to_owned())
    );
    // One may leave by oneself.
    bruno.delete(&format!("{path}/{first}")).await;
    ana.delete(&format!("{path}/anyoneWithLink")).await;
    assert_eq!(bruno.get(&format!("files/{id}")).await.status, 404);
    let owner = text(&list["permissions"][0]["id"]);
    assert_eq!(
        ana.refused("DELETE", &format!("{path}/{owner}"), json!(null))
            .await
            .0,
        403
    );
}
