//! The table of operations against the documents: ids, places, scopes and parameters.

use super::{DOCUMENTS, Document, EXEMPT, described, is_exempt, texts};
use fake_workspace::{Served, operations};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Pieces of resumable uploads go to the places of uploads with PUT, which the documents do not list: these rows.
///
/// See <https://developers.google.com/workspace/drive/api/guides/manage-uploads#resumable> and
/// <https://developers.google.com/workspace/gmail/api/guides/uploads#resumable>.
const PIECES: [&str; 7] = [
    "upload/drive/v3/files",
    "upload/drive/v3/files/{id}",
    "upload/gmail/v1/users/{userId}/messages",
    "upload/gmail/v1/users/{userId}/messages/import",
    "upload/gmail/v1/users/{userId}/messages/send",
    "upload/gmail/v1/users/{userId}/drafts",
    "upload/gmail/v1/users/{userId}/drafts/send",
];

/// Scopes of the documents that no method of the fake takes, and why.
const UNUSED_SCOPES: &[(&str, &str)] = &[
    (
        "https://www.googleapis.com/auth/calendar.app.created",
        "only calendars that the app made",
    ),
    (
        "https://www.googleapis.com/auth/calendar.events.freebusy",
        "times without events",
    ),
    (
        "https://www.googleapis.com/auth/calendar.events.owned",
        "only calendars that the user owns",
    ),
    (
        "https://www.googleapis.com/auth/calendar.events.owned.readonly",
        "only calendars that the user owns",
    ),
    (
        "https://www.googleapis.com/auth/calendar.events.public.readonly",
        "only public calendars",
    ),
    (
        "https://www.googleapis.com/auth/drive.appdata",
        "the folder of app data is not built",
    ),
    (
        "https://www.googleapis.com/auth/drive.meet.readonly",
        "only files of meetings",
    ),
    (
        "https://www.googleapis.com/auth/drive.photos.readonly",
        "photos are not part of Drive any more",
    ),
    (
        "https://www.googleapis.com/auth/drive.scripts",
        "scripts are not built",
    ),
    (
        "https://www.googleapis.com/auth/gmail.addons.current.action.compose",
        "works in an add-on only",
    ),
    (
        "https://www.googleapis.com/auth/gmail.addons.current.message.action",
        "works in an add-on only",
    ),
    (
        "https://www.googleapis.com/auth/gmail.addons.current.message.metadata",
        "works in an add-on only",
    ),
    (
        "https://www.googleapis.com/auth/gmail.addons.current.message.readonly",
        "works in an add-on only",
    ),
];

/// Methods that take fewer scopes than documented: the method or its beginning, the scope, and why.
const NARROWER: &[(&str, &str, &str)] = &[(
    "drive.files.update",
    "https://www.googleapis.com/auth/drive.metadata",
    "good for metadata, so not at the places of uploads",
)];

/// Methods that take more scopes than the documents say: the method, the scope, and why.
const WIDER: &[(&str, &str, &str)] = &[(
    "iamcredentials.projects.serviceAccounts.signJwt",
    "https://www.googleapis.com/auth/iam",
    "Google's reference of signJwt names it, and Google's client for Python asks for this one alone: \
     <https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts/signJwt>",
)];

/// Query parameters that the fake does not look at: the method or its beginning with `*`, the parameter, and why.
#[rustfmt::skip]
const UNKNOWN_PARAMETERS: &[(&str, &str, &str)] = &[
    ("calendar.acl.*", "sendNotifications", "sharing sends nothing"),
    ("calendar.events.*", "alwaysIncludeEmail", "deprecated and ignored, as documented"),
    ("calendar.events.*", "eventLabelVersion", "no labels of events"),
    ("calendar.events.list", "showHiddenInvitations", "no invitation is hidden"),
    ("directory.users.*", "customFieldMask", "no custom fields"),
    ("drive.*", "includeLabels", "no labels of files"),
    ("drive.*", "includePermissionsForView", "no published views"),
    ("drive.*", "acknowledgeAbuse", "no file is malware"),
    ("drive.*", "enforceSingleParent", "deprecated: a file has one parent"),
    ("drive.files.*", "keepRevisionForever", "revisions never go"),
    ("drive.files.*", "ocrLanguage", "pictures are not read"),
    ("drive.files.*", "ignoreDefaultVisibility", "the domain has no default visibility"),
    ("drive.files.*", "useContentAsIndexableText", "text is always searched"),
    ("drive.files.copy", "copyComments", "no comments"),
    ("drive.permissions.create", "emailMessage", "nobody gets mail"),
    ("drive.permissions.create", "sendNotificationEmail", "nobody gets mail"),
    ("drive.permissions.create", "moveToNewOwnersRoot", "a transferred file stays where it is"),
    ("drive.permissions.*", "enforceExpansiveAccess", "deprecated: always on"),
    ("gmail.users.messages.*", "deleted", "there is no Vault"),
    ("gmail.users.messages.import", "neverMarkSpam", "nothing is taken for spam"),
    ("gmail.users.messages.import", "processForCalendar", "mail makes no events"),
];

fn described_rows() -> impl Iterator<Item = (Served, &'static Document, &'static Value)> {
    operations()
        .filter(|row| !is_exempt(row.name))
        .filter_map(|row| {
            let (document, method) = described(row.name)?;
            Some((row, document, method))
        })
}

/// A path with all variables alike: `files/{id}` and `files/{fileId}` are one place.
fn outline(path: &str) -> String {
    let parts = path.trim_start_matches('/').split('/').map(|part| {
        match part.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            Some((_, verb)) => format!("{{}}{verb}"),
            None => part.to_owned(),
        }
    });
    parts.collect::<Vec<_>>().join("/")
}

#[test]
fn every_operation_is_described_or_exempt() {
    for row in operations() {
        assert!(
            is_exempt(row.name) || described(row.name).is_some(),
            "{} is in no document: run trim.py, or say in EXEMPT why",
            row.name
        );
    }
    for (start, _) in EXEMPT {
        assert!(operations().any(|row| row.name.starts_with(start)));
    }
}

#[test]
fn every_described_method_is_served() {
    for document in DOCUMENTS.iter() {
        for name in document.methods.keys() {
            assert!(
                operations().any(|row| row.name == name),
                "{name} is described for nothing: run trim.py"
            );
        }
    }
}

#[test]
fn every_operation_is_where_google_has_it() {
    let mut n_pieces = 0;
    for (row, document, method) in described_rows() {
        let plain = match method["flatPath"].as_str() {
            Some(path) => path,
            None => method["path"].as_str().expect("a method has a path"),
        };
        let mut places = vec![format!("{}{plain}", document.service_path)];
        places.extend(texts(&method["mediaUpload"]));
        let is_place = places
            .iter()
            .any(|place| outline(place) == outline(row.path));
        assert!(is_place, "{} is not at /{}", row.name, row.path);
        if method["httpMethod"].as_str() != Some(row.method) {
            let is_piece = row.method == "PUT" && PIECES.contains(&row.path);
            assert!(is_piece, "{} is not {}", row.name, row.method);
            n_pieces += 1;
        }
    }
    assert_eq!(n_pieces, PIECES.len());
}

/// Uploads have two places each, and the server takes the second one for the first.
#[test]
fn uploads_are_at_both_places() {
    for (row, _, method) in described_rows().filter(|(row, ..)| row.path.starts_with("upload/")) {
        let other = format!("/resumable/{}", row.path);
        let places = texts(&method["mediaUpload"]);
        let is_place = places.iter().any(|place| outline(place) == outline(&other));
        assert!(is_place, "{other} is no place of {}", row.name);
    }
    let mut n_places = 0;
    for document in DOCUMENTS.iter() {
        for (name, method) in &document.methods {
            let http = method["httpMethod"].as_str().expect("a method of HTTP");
            for place in texts(&method["mediaUpload"]) {
                let row = operations().find(|row| row.fits(http, &place));
                assert_eq!(row.map(|row| row.name), Some(name.as_str()), "{place}");
                n_places += 1;
            }
        }
    }
    assert!(n_places > 0);
}

#[test]
fn every_operation_takes_the_scopes_that_google_names() {
    let mut wrong = BTreeSet::new();
    let mut used = BTreeSet::new();
    for (row, _, method) in described_rows() {
        let documented = texts(&method["scopes"]);
        for scope in row.scopes {
            let is_documented = documented.iter().any(|own| own == scope);
            let wider = WIDER
                .iter()
                .find(|(name, own, _)| *name == row.name && own == scope);
            if let (false, Some((name, own, _))) = (is_documented, wider) {
                used.insert((*name, *own));
            } else if !is_documented {
                wrong.insert(format!("{} takes {scope}, which Google does not", row.name));
            }
        }
        for scope in documented {
            let narrower = NARROWER
                .iter()
                .find(|(name, own, _)| fits(name, row.name) && *own == scope);
            let unused = UNUSED_SCOPES.iter().find(|(own, _)| *own == scope);
            match (narrower, unused) {
                _ if row.scopes.contains(&scope.as_str()) => {}
                (Some((name, own, _)), _) => {
                    used.insert((*name, *own));
                }
                (None, Some((own, _))) => {
                    used.insert(("", *own));
                }
                (None, None) => {
                    wrong.insert(format!("{} does not take {scope}", row.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for (name, scope, _) in NARROWER.iter().chain(WIDER) {
        assert!(
            used.contains(&(name, scope)),
            "{name} {scope}: no exception"
        );
    }
    for (scope, _) in UNUSED_SCOPES {
        assert!(used.contains(&("", scope)), "{scope}: no exception");
        assert!(
            !operations().any(|row| row.scopes.contains(scope)),
            "{scope} is taken somewhere"
        );
    }
}

/// Whether a pattern that may end with `*` fits a name.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => pattern == name,
    }
}

/// Everything below a folder of the sources, as one text.
fn sources(folder: &Path) -> String {
    let mut text = String::new();
    let mut waiting: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            let entries = std::fs::read_dir(&path).expect("the folder can be read");
            waiting.extend(entries.map(|entry| entry.expect("an entry").path()));
        } else {
            text += &std::fs::read_to_string(&path).expect("a source can be read");
        }
    }
    text
}

/// Parameters of all methods that the fake does not look at, and why.
const UNKNOWN_COMMON: &[(&str, &str)] = &[
    ("$.xgafv", "errors have the classic envelope always"),
    ("callback", "no JSONP"),
    ("oauth_token", "the token goes into the header"),
    (
        "upload_protocol",
        "uploads are named by uploadType and their path",
    ),
    ("userIp", "deprecated name of quotaUser"),
];

#[test]
fn every_common_parameter_is_known_or_listed() {
    let text = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let documented: BTreeSet<&String> = DOCUMENTS
        .iter()
        .flat_map(|document| &document.parameters)
        .collect();
    for name in &documented {
        let is_listed = UNKNOWN_COMMON.iter().any(|(own, _)| own == name);
        let is_known = text.contains(&format!("\"{name}\""));
        assert_ne!(is_listed, is_known, "{name}");
    }
    for (name, _) in UNKNOWN_COMMON {
        assert!(documented.iter().any(|own| *own == name), "{name}");
    }
}

/// A parameter that is known is written somewhere in the sources of its API. That it works is for other tests.
#[test]
fn every_documented_parameter_is_known_or_listed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut unknown = BTreeSet::new();
    let mut used = BTreeSet::new();
    for document in DOCUMENTS.iter() {
        let own = match document.api {
            "directory" => "directory.rs",
            "iamcredentials" => "oauth/keyless.rs",
            "pubsub" => "pubsub.rs",
            api => api,
        };
        let text = sources(&root.join(own));
        for (name, method) in &document.methods {
            let parameters = method["parameters"].as_object().expect("parameters");
            let in_query = parameters
                .iter()
                .filter(|(_, parameter)| parameter["location"] == "query");
            for (parameter, _) in in_query {
                let listed = UNKNOWN_PARAMETERS
                    .iter()
                    .find(|(pattern, own, _)| fits(pattern, name) && own == parameter);
                if let Some((pattern, own, _)) = listed {
                    used.insert((*pattern, *own));
                } else if !text.contains(&format!("\"{parameter}\"")) {
                    unknown.insert(format!("{name}: {parameter}"));
                }
            }
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
    for (pattern, parameter, _) in UNKNOWN_PARAMETERS {
        assert!(
            used.contains(&(pattern, parameter)),
            "{pattern} {parameter}"
        );
    }
}
