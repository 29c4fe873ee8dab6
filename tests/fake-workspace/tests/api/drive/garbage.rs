//! Bad input gives Google's envelope, never a panic or a 5xx.

use super::{empty, with};
use crate::client::{encode, text};
use serde_json::{Value, json};

const PARAMETERS: [&str; 18] = [
    "q",
    "pageToken",
    "pageSize",
    "fields",
    "corpora",
    "driveId",
    "orderBy",
    "spaces",
    "supportsAllDrives",
    "includeItemsFromAllDrives",
    "alt",
    "addParents",
    "removeParents",
    "uploadType",
    "upload_id",
    "count",
    "mimeType",
    "useDomainAdminAccess",
];
const VALUES: [&str; 16] = [
    "",
    "!",
    "0",
    "-1",
    "99999999999999999999",
    "true",
    "*",
    "[]",
    "{}",
    "\u{0}",
    "é",
    "root",
    "'",
    "\\",
    "files(id",
    "media",
];
const FIELDS: [&str; 14] = [
    "name",
    "mimeType",
    "parents",
    "trashed",
    "properties",
    "contentRestrictions",
    "shortcutDetails",
    "id",
    "modifiedTime",
    "type",
    "role",
    "emailAddress",
    "restrictions",
    "expirationTime",
];

/// Picks by a number that is different at each call.
fn pick<'a, T>(items: &'a [T], number: &mut u64) -> &'a T {
    *number = number
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    &items[(*number >> 33) as usize % items.len()]
}

#[tokio::test]
async fn garbage_is_answered_with_errors_in_their_envelope() {
    let fake = with(|_| {}).await;
    let ana = fake.person(0).await;
    let file = text(&ana.json("files").await["files"][0]["id"]);
    let drive = text(&fake.admin("drive.shared.create", json!({ "name": "D" }))["id"]);
    let mut paths: Vec<String> = [
        "about",
        "files",
        "files/generateIds",
        "changes",
        "changes/startPageToken",
        "drives",
    ]
    .map(str::to_owned)
    .to_vec();
    for id in [file.as_str(), drive.as_str(), "root", "x"] {
        for end in [
            "",
            "/permissions",
            "/permissions/1",
            "/revisions",
            "/revisions/head",
            "/copy",
            "/export",
        ] {
            paths.push(format!("files/{id}{end}"));
        }
        paths.push(format!("drives/{id}"));
    }
    let bodies = [
        json!(null),
        json!(true),
        json!(-1),
        json!("x"),
        json!([]),
        json!({}),
        json!(["root"]),
        json!(file),
    ];
    let mut number = 7;
    for _ in 0..2_000 {
        let method = *pick(&["GET", "POST", "PATCH", "PUT"], &mut number);
        let prefix = *pick(
            &["/drive/v3/", "/drive/v3/", "/upload/drive/v3/"],
            &mut number,
        );
        let query: Vec<String> = (0..3)
            .map(|_| {
                let name = pick(&PARAMETERS, &mut number);
                let value = *pick(&VALUES, &mut number);
                format!("{name}={}", encode(value))
            })
            .collect();
        let url = format!("{prefix}{}?{}", pick(&paths, &mut number), query.join("&"));
        let body: Value = (0..2)
            .map(|_| {
                (
                    (*pick(&FIELDS, &mut number)).to_owned(),
                    pick(&bodies, &mut number).clone(),
                )
            })
            .collect();
        let header = *pick(
            &[
                "bytes 0-0/1",
                "bytes */9",
                "bytes 0-18446744073709551615/*",
                "bytes=5-2",
            ],
            &mut number,
        );
        let headers = [("content-range", header), ("range", header)];
        let answer = ana
            .send(method, &url, &headers, body.to_string().as_bytes())
            .await;
        assert!(
            answer.status < 500,
            "{method} {url} {body}: {}",
            answer.text
        );
        if answer.status >= 400 {
            assert!(!answer.reason().is_empty());
        }
    }
    // Nobody is left behind a broken lock.
    assert_eq!(ana.get("about?fields=user").await.status, 200);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_not_found() {
    let fake = empty().await;
    let ana = fake.person(0).await;
    for (method, path) in [
        ("GET", "nothing"),
        ("PUT", "files/root"),
        ("GET", "files/1/comments"),
        ("POST", "about"),
    ] {
        assert_eq!(
            ana.refused(method, path, json!(null)).await,
            (404, "notFound".to_owned())
        );
    }
}
