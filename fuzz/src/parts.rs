//! Gmail's parts of a mail (`format=full`), as the fake Workspace makes them, give no record or
//! one with the head that the bytes give. Where words of the header are encoded, how they are
//! decoded is the fake's opinion, so then only that nothing breaks.

use crate::mail::{head, record};
use crate::mailbox::Mailbox;
use nuncio_google::answers;
use nuncio_model::Content;
use nuncio_sources::gmail::normalize::{self, Parts};
use serde_json::json;

/// Checks one mail.
pub fn check(bytes: &[u8]) {
    let payload = fake_workspace::parsers::gmail_payload(bytes);
    let answer = json!({ "id": "m1", "threadId": "t1", "historyId": "1", "internalDate": "7",
        "sizeEstimate": bytes.len(), "snippet": "a &amp; b", "payload": payload });
    // What nests too deep is an error, and its bytes are read instead.
    let Ok(message) = answers::full_message(answer.to_string().as_bytes()) else {
        return;
    };
    let mailbox = Mailbox::new();
    let contents = [Content::Metadata, Content::Text, Content::Html];
    let content = contents[bytes.len() % contents.len()];
    let parts = Parts {
        id: message.id.as_str(),
        thread_id: message.thread_id.as_str(),
        snippet: &message.snippet,
        internal_date: message.internal_date,
        labels: &mailbox.labels,
        size: message.size_estimate,
        payload: &message.payload,
    };
    let Some(found) = normalize::email_of_parts(&parts, &mailbox.context(content)) else {
        return;
    };
    if !bytes.is_ascii() || bytes.windows(2).any(|two| two == b"=?") {
        return;
    }
    let expected = record(&mailbox, bytes, content);
    assert_eq!(head(&expected.email), head(&found.email));
    assert_eq!(expected.extra, found.extra);
}
