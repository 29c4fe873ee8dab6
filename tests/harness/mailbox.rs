//! What a scenario does to mailboxes at Google, and how many calls the daemon made of them.

use crate::World;
use serde_json::{Value, json};

impl World {
    /// Puts a small mail into a user's mailbox: its id.
    pub fn insert(&self, user: &str, subject: &str) -> String {
        self.insert_with(user, subject, json!({}))
    }

    /// As [`World::insert`], with more of what the operation `gmail.insert` takes.
    pub fn insert_with(&self, user: &str, subject: &str, mut question: Value) -> String {
        let text = format!(
            "From: Outsider <a@b.example>\r\nTo: <{user}>\r\nSubject: {subject}\r\n\
             Date: Tue, 03 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{subject}@b.example>\r\n\r\n\
             {subject}\r\n"
        );
        question["user"] = json!(user);
        question["text"] = json!(text);
        let answer = self.google("gmail.insert", &question);
        answer["id"].as_str().expect("a new mail has an id").into()
    }

    /// Adds and removes labels of a message.
    pub fn relabel(&self, user: &str, id: &str, add: &[&str], remove: &[&str]) {
        self.google(
            "gmail.modify",
            &json!({ "user": user, "id": id, "addLabelIds": add, "removeLabelIds": remove }),
        );
    }

    /// Deletes a message for good.
    pub fn delete(&self, user: &str, id: &str) {
        self.google("gmail.delete", &json!({ "user": user, "id": id }));
    }

    /// The ids of a user's messages without spam, trash and drafts, newest first.
    pub fn ids(&self, user: &str) -> Vec<String> {
        let truth = self.google("truth", &json!({ "user": user }));
        let messages = truth["messages"].as_array().cloned().unwrap_or_default();
        messages
            .iter()
            .map(|message| message["id"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// How often the daemon called a method for a user, such as `gmail.users.messages.get`.
    pub fn calls(&self, user: &str, method: &str) -> u64 {
        let stats = self.google("stats", &json!({}));
        stats["calls"][user][method].as_u64().unwrap_or(0)
    }

    /// Counts calls from here on.
    pub fn forget_calls(&self) {
        self.google("stats", &json!({ "reset": true }));
    }
}
