//! Shared drives: the `drives` resource, roles of members, and what differs for items in them.

use super::{ALL, FOLDER, READONLY, empty};
use crate::client::{encode, text};
use serde_json::{Value, json};

#[tokio::test]
async fn drives_are_made_listed_renamed_hidden_and_deleted() {
    let fake = empty().await;
    let (ana, bruno) = (fake.person(0).await, fake.person(1).await);
    assert_eq!(
        ana.refused("POST", "drives", json!({ "name": "D" })).await,
        (400, "required".to_owned())
    );
    let made = ana
        .post("drives?requestId=r1", json!({ "name": "D" }))
        .await;
    let id = text(&made["id"]);
    assert_eq!(
        made,
        json!({ "kind": "drive#drive", "id": id, "name": "D" })
    );
    assert_eq!(
        ana.refused("POST", "drives?requestId=r1", json!({ "name": "D" }))
            .await
            .0,
        409
    );
    for number in 2..5 {
        ana.post(
            &format!("drives?requestId=r{number}"),
            json!({ "name": format!("D{number}") }),
        )
        .await;
    }
    assert_eq!(ana.pages("drives?pageSize=3", "drives").await.len(), 4);
    let found = ana
        .pages(
            &format!("drives?q={}", encode("name contains 'D4'")),
            "drives",
        )
        .await;
    assert_eq!(found.len(), 1);
    assert_eq!(
        ana.refused("GET", "drives?q=nonsense%20~", json!(null))
            .await
            .0,
        400
    );
    // Others do not see them, unless as administrators.
    assert_eq!(bruno.pages("drives?", "drives").await.len(), 0);
    assert_eq!(
        bruno
            .refused("GET", &format!("drives/{id}"), json!(null))
            .await,
        (404, "notFound".to_owned())
    );
    assert_eq!(
        bruno
            .refused("GET", "drives?useDomainAdminAccess=true", json!(null))
            .await
            .0,
        403
    );
    let brunos = bruno
        .post("drives?requestId=r1", json!({ "name": "B" }))
        .await;
    assert_eq!(
        ana.pages("drives?useDomainAdminAccess=true", "drives")
            .await
            .len(),
        5
    );
    let path = format!("drives/{}", text(&brunos["id"]));
    assert_eq!(ana.get(&path).await.status, 404);
    assert_eq!(
        ana.get(&format!("{path}?useDomainAdminAccess=true"))
            .await
            .status,
        200
    );

    let path = format!("drives/{id}");
    assert_eq!(
        ana.patch(&path, json!({ "name": "New" })).await["name"],
        "New"
    );
    let hidden = ana
        .post(&format!("{path}/hide?fields=hidden"), json!({}))
        .await;
    assert_eq!(hidden, json!({ "hidden": true }));
    ana.post(&format!("{path}/unhide"), json!({})).await;
    let file = ana.text_file("a", &id).await;
    assert_eq!(ana.refused("DELETE", &path, json!(null)).await.0, 403);
    ana.delete(&format!("files/{file}?supportsAllDrives=true"))
        .await;
    ana.delete(&path).await;
    assert_eq!(ana.get(&path).await.status, 404);
    let readonly = fake.person_with(0, READONLY).await;
    assert_eq!(readonly.pages("drives?", "drives").await.len(), 3);
}

#[tokio::test]
async fn items_of_shared_drives_have_no_owner_and_hide_without_the_flag() {
    let fake = empty().await;
    let (ana, bruno) = (fake.person(0).await, fake.person(1).await);
    let drive = text(&fake.admin("drive.shared.create", json!({ "name": "D" }))["id"]);
    fake.admin(
        "drive.shared.member.add",
        json!({ "driveId": drive, "email": bruno.address, "role": "reader" }),
    );
    let id = ana.text_file("a.txt", &drive).await;
    let answer = ana.get(&format!("files/{id}")).await;
    assert_eq!(answer.status, 404);
    assert_eq!(
        answer.json()["error"]["message"],
        json!(format!("File not found: {id}."))
    );
    assert_eq!(
        ana.refused("POST", "files", json!({ "name": "x", "parents": [drive] }))
            .await,
        (404, "notFound".to_owned())
    );
    let file = ana.file(&id).await;
    for absent in [
        "owners",
        "ownedByMe",
        "shared",
        "permissions",
        "writersCanShare",
    ] {
        assert!(file[absent].is_null(), "{absent}");
    }
    assert_eq!(
        (&file["driveId"], &file["parents"]),
        (&json!(drive), &json!([drive]))
    );
    assert_eq!(
        (
            &file["hasAugmentedPermissions"],
            &file["permissionIds"].as_array().unwrap().len()
        ),
        (&json!(false), &2)
    );
    let top = ana.file(&drive).await;
    assert_eq!(
        (&top["id"], &top["mimeType"]),
        (&json!(drive), &json!(FOLDER))
    );
    ana.share(&id, &bruno, "writer").await;
    assert_eq!(ana.file(&id).await["hasAugmentedPermissions"], true);
    let list = ana
        .json(&format!(
            "files/{id}/permissions?supportsAllDrives=true&fields=*"
        ))
        .await;
    let of_bruno = list["permissions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["emailAddress"] == json!(bruno.address))
        .unwrap();
    assert_eq!(of_bruno["role"], "writer");
    assert_eq!(
        of_bruno["permissionDetails"],
        json!([
            { "permissionType": "file", "role": "writer", "inherited": false },
            { "permissionType": "member", "role": "reader", "inherited": true, "inheritedFrom": drive },
        ])
    );
}

#[tokio::test]
async fn ranks_of_members_allow_what_they_say() {
    let fake = empty().await;
    let (ana, bruno) = (fake.person(0).await, fake.person(1).await);
    let drive = text(&fake.admin("drive.shared.create", json!({ "name": "D" }))["id"]);
    let folder = ana.folder("F", &drive).await;
    for (role, edits, trashes, deletes, manages) in [
        ("reader", false, false, false, false),
        ("writer", true, false, false, false),
        ("fileOrganizer", true, true, false, false),
        ("organizer", true, true, true, true),
    ] {
        fake.admin(
            "drive.shared.member.add",
            json!({ "driveId": drive, "email": bruno.address, "role": role }),
        );
        let id = ana.text_file("a", &drive).await;
        let path = |id: &str| format!("files/{id}?supportsAllDrives=true");
        let allowed = async |method: &str, path: &str, body: Value| {
            let status = bruno.call(method, path, &body).await.status;
            assert!(matches!(status, 200 | 204 | 403), "{status}");
            status != 403
        };
        assert_eq!(
            allowed("PATCH", &path(&id), json!({ "name": "b" })).await,
            edits,
            "{role}"
        );
        let moves = format!("{}&addParents={folder}&removeParents={drive}", path(&id));
        assert_eq!(allowed("PATCH", &moves, json!({})).await, trashes, "{role}");
        assert_eq!(
            allowed("PATCH", &path(&id), json!({ "trashed": true })).await,
            trashes,
            "{role}"
        );
        assert_eq!(
            allowed("DELETE", &path(&id), json!(null)).await,
            deletes,
            "{role}"
        );
        assert_eq!(
            allowed("PATCH", &format!("drives/{drive}"), json!({ "name": "E" })).await,
            manages,
            "{role}"
        );
        let body =
            json!({ "type": "user", "emailAddress": "x@elsewhere.example", "role": "reader" });
        let members = format!("files/{drive}/permissions?supportsAllDrives=true");
        assert_eq!(allowed("POST", &members, body).await, manages, "{role}");
    }
    // Members of a drive are people.
    let anyone = json!({ "type": "anyone", "role": "reader" });
    let members = format!("files/{drive}/permissions?supportsAllDrives=true");
    assert_eq!(
        ana.refused("POST", &members, anyone).await.1,
        "cannotShareTeamDriveTopFolderWithAnyoneOrDomains"
    );
}

#[tokio::test]
async fn items_shared_beside_the_drive_are_seen_without_membership() {
    let fake = empty().await;
    let (ana, bruno) = (fake.person(0).await, fake.person(1).await);
    let drive = text(&fake.admin("drive.shared.create", json!({ "name": "D" }))["id"]);
    let id = ana.text_file("a.txt", &drive).await;
    let query = format!("corpora=drive&driveId={drive}&{ALL}");
    assert_eq!(
        bruno
            .refused("GET", &format!("files?{query}"), json!(null))
            .await,
        (404, "notFound".to_owned())
    );
    ana.share(&id, &bruno, "reader").await;
    assert_eq!(bruno.names(ALL).await, ["a.txt"]);
    assert!(bruno.names("").await.is_empty());
    assert!(bruno.file(&id).await["parents"].is_null());
    assert!(bruno.file(&id).await["permissionIds"].is_null());
    let refusal = bruno
        .refused("GET", &format!("files?{query}"), json!(null))
        .await;
    assert_eq!(refusal, (403, "teamDriveMembershipRequired".to_owned()));
}

#[tokio::test]
async fn files_move_between_drives_but_folders_only_by_hand() {
    let fake = empty().await;
    let (ana, bruno) = (fake.person(0).await, fake.person(1).await);
    let drive = text(&fake.admin("drive.shared.create", json!({ "name": "D" }))["id"]);
    let root = text(&ana.file("root").await["id"]);
    let id = ana.text_file("a.txt", "root").await;
    ana.share(&id, &bruno, "reader").await;
    let into = format!("supportsAllDrives=true&addParents={drive}&removeParents={root}&fields=*");
    let moved = ana.patch(&format!("files/{id}?{into}"), json!({})).await;
    assert_eq!(
        (&moved["driveId"], &moved["owners"]),
        (&json!(drive), &json!(null))
    );
    assert_eq!(bruno.names(ALL).await, ["a.txt"]);
    let back = format!("supportsAllDrives=true&addParents=root&removeParents={drive}&fields=*");
    let moved = ana.patch(&format!("files/{id}?{back}"), json!({})).await;
    assert_eq!(
        (&moved["driveId"], &moved["ownedByMe"]),
        (&json!(null), &json!(true))
    );

    let folder = ana.folder("F", "root").await;
    let below = ana.text_file("b.txt", &folder).await;
    let refusal = ana
        .refused("PATCH", &format!("files/{folder}?{into}"), json!({}))
        .await;
    assert_eq!(
        refusal,
        (403, "teamDrivesFolderMoveInNotSupported".to_owned())
    );
    fake.admin(
        "drive.move",
        json!({ "user": ana.address, "id": folder, "parent": drive }),
    );
    assert_eq!(ana.file(&below).await["driveId"], json!(drive));
}
