//! Every method of Drive, in the states in which its answers look different. The client checks each answer.

use super::Person;
use crate::client::{Fake, encode, text};
use serde_json::{Value, json};

const FULL: &str = "https://www.googleapis.com/auth/drive";
const FILES: &str = "/drive/v3/files";
const DRIVES: &str = "/drive/v3/drives";
const SHARED: &str = "supportsAllDrives=true&includeItemsFromAllDrives=true";

/// All pages of a list, three items each; returns the token of the end of a change log.
async fn page_through(me: &Person<'_>, path: &str) -> String {
    let sign = if path.contains('?') { '&' } else { '?' };
    let mut token = String::new();
    for _ in 0..1_000 {
        let page = me.get(&format!("{path}{sign}pageSize=3{token}")).await;
        match page["nextPageToken"].as_str() {
            Some(next) if path.contains("/changes") => {
                token = format!("&pageToken={}", encode(next))
            }
            Some(next) => token = format!("&pageToken={}", encode(next)),
            None => {
                return page["newStartPageToken"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned();
            }
        }
    }
    panic!("{path} does not end");
}

async fn changes(me: &Person<'_>, start: &str, query: &str) {
    let mut token = start.to_owned();
    for _ in 0..1_000 {
        let path = format!(
            "/drive/v3/changes?pageSize=3&pageToken={}&{query}",
            encode(&token)
        );
        let page = me.get(&path).await;
        match page["nextPageToken"].as_str() {
            Some(next) => next.clone_into(&mut token),
            None => return,
        }
    }
    panic!("the log does not end");
}

#[tokio::test]
async fn every_method_of_drive_answers_as_described() {
    let fake = Fake::with(|options| options.files = 60).await;
    fake.admin("delegation.grant", json!({ "scope": FULL }));
    let me = Person::with(&fake, 0, FULL).await;
    let other = Person::with(&fake, 1, FULL).await;
    me.get("/drive/v3/about?fields=*").await;
    me.get("/drive/v3/about?fields=user(emailAddress),maxUploadSize")
        .await;
    let start = text(&me.get("/drive/v3/changes/startPageToken").await["startPageToken"]);
    let drive = shared_drive(&me, &other).await;
    let path = format!("/drive/v3/changes/startPageToken?driveId={drive}&{SHARED}");
    let drive_start = text(&me.get(&path).await["startPageToken"]);
    let files = all_kinds_of_files(&me, &drive).await;
    uploads(&me).await;
    sharing(&me, &other, &files).await;
    for file in &files {
        let path = format!("{FILES}/{file}?{SHARED}");
        for mask in [
            "",
            "&fields=*",
            "&fields=id,size,capabilities/canEdit,owners(emailAddress)",
        ] {
            me.get(&format!("{path}{mask}")).await;
        }
        let trash = json!({ "trashed": true });
        me.json("PATCH", &path, trash).await;
        me.get(&format!("{path}&fields=*")).await;
    }
    for query in [
        "fields=*".to_owned(),
        format!("corpora=allDrives&{SHARED}&fields=*"),
        format!("corpora=drive&driveId={drive}&{SHARED}&fields=*"),
        "q=trashed%3Dtrue".to_owned(),
        "q=name%3D'nothing'".to_owned(),
        "fields=nextPageToken,files(id,name,parents)".to_owned(),
    ] {
        page_through(&me, &format!("{FILES}?{query}")).await;
        page_through(&other, &format!("{FILES}?{query}")).await;
    }
    me.delete(&format!("{FILES}/{}?{SHARED}", files[0])).await;
    me.delete(&format!("{FILES}/trash")).await;
    changes(&me, &start, &format!("{SHARED}&fields=*")).await;
    changes(&me, &start, "includeCorpusRemovals=true&fields=*").await;
    changes(&me, &start, "").await;
    changes(
        &me,
        &drive_start,
        &format!("driveId={drive}&{SHARED}&fields=*"),
    )
    .await;
    leave(&me, &drive).await;
    changes(&me, &start, &format!("{SHARED}&fields=*")).await;
    me.get(&format!("{FILES}/generateIds?count=3")).await;
    fake.seen.assert_complete("drive");
}

async fn shared_drive(me: &Person<'_>, other: &Person<'_>) -> String {
    let made = me
        .post(
            &format!("{DRIVES}?requestId=one"),
            json!({ "name": "Shared" }),
        )
        .await;
    let id = text(&made["id"]);
    let path = format!("{DRIVES}/{id}");
    for mask in ["", "?fields=*", "?useDomainAdminAccess=true&fields=*"] {
        me.get(&format!("{path}{mask}")).await;
    }
    let restrictions = json!({ "restrictions": { "domainUsersOnly": true }, "name": "Shared 2" });
    me.json("PATCH", &path, restrictions).await;
    me.post(&format!("{path}/hide"), json!(null)).await;
    me.post(&format!("{path}/unhide"), json!(null)).await;
    page_through(me, &format!("{DRIVES}?fields=*")).await;
    page_through(me, &format!("{DRIVES}?useDomainAdminAccess=true")).await;
    for role in ["reader", "organizer"] {
        let member = json!({ "type": "user", "role": role, "emailAddress": other.address });
        let path = format!("{FILES}/{id}/permissions?supportsAllDrives=true");
        let made = me.post(&path, member).await;
        let own = text(&made["id"]);
        me.get(&format!(
            "{FILES}/{id}/permissions/{own}?supportsAllDrives=true&fields=*"
        ))
        .await;
    }
    page_through(
        me,
        &format!("{FILES}/{id}/permissions?supportsAllDrives=true&fields=*"),
    )
    .await;
    id
}

async fn leave(me: &Person<'_>, drive: &str) {
    let listed = me
        .get(&format!(
            "{FILES}?corpora=drive&driveId={drive}&{SHARED}&pageSize=1000"
        ))
        .await;
    for file in listed["files"].as_array().expect("files") {
        let path = format!("{FILES}/{}?{SHARED}", text(&file["id"]));
        me.delete(&path).await;
    }
    me.delete(&format!("{DRIVES}/{drive}")).await;
}

/// A folder, files of several types in it, a shortcut, and two files in a shared drive.
async fn all_kinds_of_files(me: &Person<'_>, drive: &str) -> Vec<String> {
    let folder = json!({ "name": "F", "mimeType": "application/vnd.google-apps.folder", "folderColorRgb": "#ff0000" });
    let folder = text(&me.post(FILES, folder).await["id"]);
    let mut ids = Vec::new();
    for body in [
        json!({ "name": "plain.txt", "mimeType": "text/plain", "description": "d", "starred": true }),
        json!({ "name": "Doc", "mimeType": "application/vnd.google-apps.document" }),
        json!({ "name": "pic.tar.gz", "mimeType": "image/png", "properties": { "a": "b" }, "appProperties": { "c": "d" } }),
        json!({ "name": "short", "mimeType": "application/vnd.google-apps.shortcut", "shortcutDetails": { "targetId": folder } }),
        json!({ "name": "locked", "mimeType": "text/plain", "contentRestrictions": [{ "readOnly": true, "reason": "r" }] }),
    ] {
        let mut body = body;
        body["parents"] = json!([folder]);
        ids.push(text(
            &me.post(&format!("{FILES}?fields=*"), body).await["id"],
        ));
    }
    let open = json!({ "contentRestrictions": [{ "readOnly": false }] });
    let locked = ids.pop().expect("the locked file");
    me.json("PATCH", &format!("{FILES}/{locked}?fields=*"), open)
        .await;
    for kind in ["text/plain", "application/vnd.google-apps.folder"] {
        let body = json!({ "name": "in the drive", "mimeType": kind, "parents": [drive] });
        let made = me.post(&format!("{FILES}?{SHARED}&fields=*"), body).await;
        ids.push(text(&made["id"]));
    }
    let copy = json!({ "name": "copy" });
    me.post(&format!("{FILES}/{}/copy?fields=*", ids[0]), copy)
        .await;
    let doc = &ids[1];
    me.call(
        "GET",
        &format!("{FILES}/{doc}/export?mimeType=text/plain"),
        "",
        b"",
    )
    .await;
    me.get(&format!("{FILES}/{doc}/revisions?fields=*")).await;
    ids.push(folder);
    ids
}

async fn uploads(me: &Person<'_>) {
    let url = format!("/upload{FILES}?uploadType=media&fields=*");
    let id = text(&me.ok("POST", &url, "text/plain", b"one").await["id"]);
    let url = format!("/upload{FILES}/{id}?uploadType=media&fields=*");
    me.ok("PATCH", &url, "text/plain", b"two").await;
    let bytes = me
        .call("GET", &format!("{FILES}/{id}?alt=media"), "", b"")
        .await;
    assert_eq!(bytes.text, "two");
    let headers = [("range", "bytes=1-1")];
    let part = me
        .call_with("GET", &format!("{FILES}/{id}?alt=media"), &headers, b"")
        .await;
    assert_eq!((part.status, part.text.as_str()), (206, "w"));
    for (method, path) in [
        ("POST", FILES.to_owned()),
        ("PATCH", format!("{FILES}/{id}")),
    ] {
        for prefix in ["/upload", "/resumable/upload"] {
            let url = format!("{prefix}{path}?uploadType=resumable&fields=*");
            let place = me
                .begin_upload(method, &url, json!({ "name": "r.txt" }))
                .await;
            me.ok("PUT", &place, "text/plain", b"three").await;
        }
    }
    let revisions = me.get(&format!("{FILES}/{id}/revisions?fields=*")).await;
    for revision in revisions["revisions"].as_array().expect("revisions") {
        let path = format!("{FILES}/{id}/revisions/{}", text(&revision["id"]));
        me.get(&path).await;
        me.get(&format!("{path}?fields=*")).await;
    }
    page_through(me, &format!("{FILES}/{id}/revisions")).await;
}

async fn sharing(me: &Person<'_>, other: &Person<'_>, files: &[String]) {
    let path = format!("{FILES}/{}/permissions", files[0]);
    let own = |body: Value| async {
        let made = me.post(&format!("{path}?fields=*"), body).await;
        text(&made["id"])
    };
    let domain = me.address.split('@').nth(1).expect("a domain").to_owned();
    own(json!({ "type": "domain", "role": "commenter", "domain": domain, "allowFileDiscovery": true })).await;
    own(json!({ "type": "group", "role": "reader", "emailAddress": format!("team@{domain}") }))
        .await;
    let anyone = own(json!({ "type": "anyone", "role": "reader" })).await;
    let user =
        own(json!({ "type": "user", "role": "reader", "emailAddress": other.address })).await;
    for mask in ["", "?fields=*"] {
        me.get(&format!("{path}{mask}")).await;
        me.get(&format!("{path}/{user}{mask}")).await;
        other.get(&format!("{FILES}/{}{mask}", files[0])).await;
    }
    page_through(me, &path).await;
    me.json(
        "PATCH",
        &format!("{path}/{user}?fields=*"),
        json!({ "role": "writer" }),
    )
    .await;
    other.get(&format!("{FILES}/{}?fields=*", files[0])).await;
    me.delete(&format!("{path}/{anyone}")).await;
    for file in files.iter().take(4) {
        let path = format!("{FILES}/{file}/permissions?fields=*");
        me.get(&path).await;
    }
}
