//! The discovery service: descriptions of the APIs, as clients that build their calls at run time ask for them.
//!
//! The documents are not ours: [`crate::Options::discovery`] names a folder that has them, such as the one that
//! comes with Google's client for Python. They are given as they are, Google's addresses included.
//! See <https://developers.google.com/discovery/v1/reference/apis/getRest>.

use crate::call::{Body, Call, Reply};
use crate::error::ApiError;
use crate::routes::{Operation, open};
use crate::workspace::Workspace;
use std::path::Path;

pub(crate) const OPERATIONS: &[Operation] = &[open(
    "discovery.apis.getRest",
    "GET",
    "discovery/v1/apis/{api}/{version}/rest",
    get_rest,
)];

fn get_rest(workspace: &Workspace, call: &Call) -> Reply {
    let document = match call.segments.as_slice() {
        [_, _, _, api, version, _] => read(workspace.discovery.as_deref(), api, version),
        _ => None,
    };
    let Some(document) = document else {
        return ApiError::new(404, "notFound", "Requested entity was not found.").to_reply();
    };
    Reply {
        body: Body::Bytes(document.into()),
        ..Reply::json(serde_json::Value::Null)
    }
}

/// The file `API.VERSION.json`; names come from the network, so they may be nothing but names.
fn read(folder: Option<&Path>, api: &str, version: &str) -> Option<Vec<u8>> {
    let is_name = |text: &str| {
        let mut characters = text.chars();
        characters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
    };
    if !is_name(api) || !is_name(version) {
        return None;
    }
    std::fs::read(folder?.join(format!("{api}.{version}.json"))).ok()
}
