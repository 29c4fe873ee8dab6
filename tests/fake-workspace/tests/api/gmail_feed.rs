//! The change log tells the whole truth: a state that is kept through history.list alone equals a fresh listing
//! after each of many rounds of drafts, labels, threads, sends and the generator's own churn.

use crate::client::{Fake, Mailbox, text};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

type State = BTreeMap<String, BTreeSet<String>>;

fn labels(value: &Value) -> BTreeSet<String> {
    value.as_array().into_iter().flatten().map(text).collect()
}

/// What a client sees that lists everything and gets each message.
async fn listing(mailbox: &Mailbox<'_>) -> State {
    let mut state = State::new();
    for id in mailbox.list("includeSpamTrash=true&maxResults=500").await {
        let message = mailbox.json(&format!("messages/{id}?format=minimal")).await;
        state.insert(id, labels(&message["labelIds"]));
    }
    state
}

/// Applies all records after `cursor`, read through pages of `size`; returns the id to go on from.
async fn follow(mailbox: &Mailbox<'_>, state: &mut State, cursor: &str, size: u64) -> String {
    let mut token = String::new();
    loop {
        let path = format!("history?startHistoryId={cursor}&maxResults={size}{token}");
        let page = mailbox.json(&path).await;
        for record in page["history"].as_array().into_iter().flatten() {
            fold(state, record);
        }
        match page["nextPageToken"].as_str() {
            Some(next) => token = format!("&pageToken={next}"),
            None => return text(&page["historyId"]),
        }
    }
}

fn fold(state: &mut State, record: &Value) {
    let list = |name: &str| record[name].as_array().cloned().unwrap_or_default();
    for one in list("messagesAdded") {
        let message = &one["message"];
        let old = state.insert(text(&message["id"]), labels(&message["labelIds"]));
        assert_eq!(old, None, "a message is added once");
    }
    for one in list("labelsAdded") {
        let own = state.get_mut(&text(&one["message"]["id"]));
        own.expect("labels go onto known mail")
            .extend(labels(&one["labelIds"]));
    }
    for one in list("labelsRemoved") {
        let own = state.get_mut(&text(&one["message"]["id"]));
        let gone = labels(&one["labelIds"]);
        own.expect("labels go off known mail")
            .retain(|label| !gone.contains(label));
    }
    for one in list("labelsAdded").iter().chain(&list("labelsRemoved")) {
        let own = &state[&text(&one["message"]["id"])];
        let after = labels(&one["message"]["labelIds"]);
        assert_eq!(*own, after, "a record shows the labels after the change");
    }
    for one in list("messagesDeleted") {
        let old = state.remove(&text(&one["message"]["id"]));
        assert!(old.is_some(), "deleted mail was known");
    }
}

/// A client that changes a mailbox through the official methods.
struct Actor<'a> {
    mailbox: &'a Mailbox<'a>,
    rng: fastrand::Rng,
    labels: Vec<String>,
    drafts: Vec<String>,
    n_done: BTreeMap<&'static str, usize>,
}

impl Actor<'_> {
    async fn act(&mut self, known: &State) {
        let ids: Vec<&String> = known.keys().collect();
        let id = self
            .rng
            .choice(&ids)
            .map_or("1", |id| id.as_str())
            .to_owned();
        let n = self.rng.u16(..1000);
        let mail = json!({ "raw": URL_SAFE.encode(format!("To: a@x.example, {}\r\nSubject: s{}\r\n\r\nx {n}\r\n", self.mailbox.address, n % 5)) });
        let draft = self.rng.choice(&self.drafts).cloned().unwrap_or_default();
        let label = self.rng.choice(&self.labels).cloned();
        let (deed, method, path, body) = match self.rng.u8(..13) {
            0..=1 => (
                "create draft",
                "POST",
                "drafts".to_owned(),
                json!({ "message": mail }),
            ),
            2..=3 => (
                "edit draft",
                "PUT",
                format!("drafts/{draft}"),
                json!({ "message": mail }),
            ),
            4 => (
                "delete draft",
                "DELETE",
                format!("drafts/{draft}"),
                json!({}),
            ),
            5 => (
                "send draft",
                "POST",
                "drafts/send".to_owned(),
                json!({ "id": draft }),
            ),
            6 => ("send", "POST", "messages/send".to_owned(), mail),
            7 => (
                "create label",
                "POST",
                "labels".to_owned(),
                json!({ "name": format!("L{n}") }),
            ),
            8 => match &label {
                None => return,
                Some(label) if self.rng.bool() => (
                    "delete label",
                    "DELETE",
                    format!("labels/{label}"),
                    json!({}),
                ),
                Some(label) => (
                    "rename label",
                    "PATCH",
                    format!("labels/{label}"),
                    json!({ "name": format!("R{n}") }),
                ),
            },
            9 => (
                "modify",
                "POST",
                format!("messages/{id}/modify"),
                json!({ "addLabelIds": [label.unwrap_or_else(|| "STARRED".to_owned())] }),
            ),
            10 => (
                "modify thread",
                "POST",
                format!("threads/{id}/modify"),
                json!({ "removeLabelIds": ["INBOX", "UNREAD"] }),
            ),
            11 => (
                "trash thread",
                "POST",
                format!("threads/{id}/trash"),
                json!({}),
            ),
            _ => (
                "delete thread",
                "DELETE",
                format!("threads/{id}"),
                json!({}),
            ),
        };
        let answer = self.mailbox.call(method, &path, &body.to_string()).await;
        if answer.status >= 400 {
            // Gone in the meantime, or a name that is taken.
            assert!(
                [400, 404, 409].contains(&answer.status),
                "{deed}: {}",
                answer.text
            );
            return;
        }
        *self.n_done.entry(deed).or_default() += 1;
        match deed {
            "create draft" => self.drafts.push(text(&answer.json()["id"])),
            "create label" => self.labels.push(text(&answer.json()["id"])),
            "delete label" => self.labels.retain(|own| !path.ends_with(own)),
            "delete draft" | "send draft" => self.drafts.retain(|own| *own != draft),
            _ => {}
        }
    }
}

#[tokio::test]
async fn history_alone_equals_a_fresh_listing_after_each_round() {
    let fake = Fake::with(|options| options.messages = 240).await;
    keep_up(&fake).await;
}

#[tokio::test]
async fn history_is_as_true_when_every_page_may_fail() {
    for seed in [1, 2] {
        let fake = Fake::with(|options| options.messages = 120).await;
        let methods = [
            "gmail.users.history.list",
            "gmail.users.messages.list",
            "gmail.users.messages.get",
        ];
        fake.trouble(&methods, seed);
        keep_up(&fake).await;
        assert!(fake.n_hits() > 500, "{} faults", fake.n_hits());
    }
}

async fn keep_up(fake: &Fake) {
    let mailbox = fake.mailbox(0).await;
    let mut actor = Actor {
        mailbox: &mailbox,
        rng: fastrand::Rng::with_seed(11),
        labels: Vec::new(),
        drafts: Vec::new(),
        n_done: BTreeMap::new(),
    };
    let mut cursor = mailbox.history_id().await;
    let mut state = listing(&mailbox).await;
    for round in 0..40 {
        for _ in 0..1 + round % 17 {
            actor.act(&state).await;
        }
        if round % 3 == 0 {
            fake.admin(
                "churn",
                json!({ "user": mailbox.address, "seed": round, "rounds": 9 }),
            );
        }
        let size = [1, 2, 7, 500][round as usize % 4];
        cursor = follow(&mailbox, &mut state, &cursor, size).await;
        assert_eq!(state, listing(&mailbox).await, "round {round}");
    }
    assert_eq!(
        actor.n_done.len(),
        12,
        "every deed was done: {:?}",
        actor.n_done
    );
}
