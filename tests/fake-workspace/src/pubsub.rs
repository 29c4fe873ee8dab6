//! As much of Pub/Sub as a pull subscription to Gmail's notifications needs: topics, subscriptions, pull, acknowledge.
//!
//! Notifications are made when somebody looks: a pull first asks each watched mailbox for its news, so several
//! changes between two pulls are one notification, as under Google's limit of one a second.
//! See <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions>.

use crate::admin::{Error, failed, text};
use crate::call::Reply;
use crate::error::ApiError;
use crate::gmail::watch::Watch;
use crate::routes::{Context, Operation, api};
use crate::server::PROJECT;
use crate::wire;
use crate::workspace::{UserIndex, Workspace, now_ms};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

const SCOPES: &[&str] = &[
    "https://www.googleapis.com/auth/pubsub",
    "https://www.googleapis.com/auth/cloud-platform",
];
/// Who has to be allowed to publish before a watch works.
const GMAIL: &str = "serviceAccount:gmail-api-push@system.gserviceaccount.com";
/// Seconds until a message that was not acknowledged comes again; Pub/Sub's default.
const ACK_DEADLINE_SECS: i64 = 10;
/// Largest `ackDeadlineSeconds`.
const MAX_ACK_DEADLINE_SECS: i64 = 600;

const TOPIC: &str = "v1/projects/{project}/topics/{topic}";
const SUBSCRIPTION: &str = "v1/projects/{project}/subscriptions/{subscription}";

/// Pub/Sub v1.
pub(crate) const OPERATIONS: &[Operation] = &[
    api(
        "pubsub.projects.topics.create",
        "PUT",
        TOPIC,
        SCOPES,
        create_topic,
    ),
    api("pubsub.projects.topics.get", "GET", TOPIC, SCOPES, topic),
    api(
        "pubsub.projects.topics.delete",
        "DELETE",
        TOPIC,
        SCOPES,
        delete_topic,
    ),
    api(
        "pubsub.projects.topics.setIamPolicy",
        "POST",
        "v1/projects/{project}/topics/{topic}:setIamPolicy",
        SCOPES,
        set_policy,
    ),
    api(
        "pubsub.projects.subscriptions.create",
        "PUT",
        SUBSCRIPTION,
        SCOPES,
        create_subscription,
    ),
    api(
        "pubsub.projects.subscriptions.get",
        "GET",
        SUBSCRIPTION,
        SCOPES,
        subscription,
    ),
    api(
        "pubsub.projects.subscriptions.delete",
        "DELETE",
        SUBSCRIPTION,
        SCOPES,
        delete_subscription,
    ),
    api(
        "pubsub.projects.subscriptions.pull",
        "POST",
        "v1/projects/{project}/subscriptions/{subscription}:pull",
        SCOPES,
        pull,
    ),
    api(
        "pubsub.projects.subscriptions.acknowledge",
        "POST",
        "v1/projects/{project}/subscriptions/{subscription}:acknowledge",
        SCOPES,
        acknowledge,
    ),
    api(
        "pubsub.projects.subscriptions.modifyAckDeadline",
        "POST",
        "v1/projects/{project}/subscriptions/{subscription}:modifyAckDeadline",
        SCOPES,
        modify_deadline,
    ),
];

/// Topics, subscriptions and the watches that feed them.
#[derive(Debug, Default)]
pub(crate) struct PubSub {
    /// Full names, each with whether Gmail may publish.
    topics: BTreeMap<String, bool>,
    subscriptions: BTreeMap<String, Subscription>,
    watches: BTreeMap<usize, Watch>,
    last_number: u64,
    unreliable: Unreliable,
}

#[derive(Debug)]
struct Subscription {
    topic: String,
    ack_deadline_secs: i64,
    waiting: VecDeque<Notification>,
    /// Handed out, by ack id, until the time in milliseconds.
    outstanding: BTreeMap<String, (i64, Notification)>,
}

#[derive(Debug, Clone)]
struct Notification {
    id: u64,
    data: String,
    publish_ms: i64,
}

/// What Pub/Sub and Gmail do now and then, each with its probability.
#[derive(Debug, Default)]
struct Unreliable {
    duplicate: f64,
    lose: f64,
    reorder: f64,
    rng: Option<fastrand::Rng>,
}

impl Unreliable {
    fn strikes(rng: &mut Option<fastrand::Rng>, probability: f64) -> bool {
        probability > 0.0 && rng.as_mut().is_some_and(|rng| rng.f64() < probability)
    }
}

impl PubSub {
    /// Asks every watched mailbox for its news and publishes them. The caller holds the lock.
    fn gather(&mut self, workspace: &Workspace) {
        let now = now_ms();
        self.watches.retain(|_, watch| watch.expires_ms > now);
        let mut news = Vec::new();
        for (index, watch) in &mut self.watches {
            let mailbox = workspace.mailbox(UserIndex(*index));
            if let Some(history_id) = watch.news(&mailbox) {
                news.push((*index, watch.topic.clone(), history_id));
            }
            watch.told = mailbox.history_id();
        }
        for (index, topic, history_id) in news {
            self.publish(&topic, &data(workspace, UserIndex(index), history_id));
        }
    }

    fn publish(&mut self, topic: &str, data: &str) {
        if Unreliable::strikes(&mut self.unreliable.rng, self.unreliable.lose) {
            return;
        }
        let copies = 1 + usize::from(Unreliable::strikes(
            &mut self.unreliable.rng,
            self.unreliable.duplicate,
        ));
        self.last_number += 1;
        let notification = Notification {
            id: self.last_number,
            data: data.to_owned(),
            publish_ms: now_ms(),
        };
        for own in self.subscriptions.values_mut() {
            if own.topic != topic {
                continue;
            }
            for _ in 0..copies {
                if Unreliable::strikes(&mut self.unreliable.rng, self.unreliable.reorder) {
                    own.waiting.push_front(notification.clone());
                } else {
                    own.waiting.push_back(notification.clone());
                }
            }
        }
    }

    fn subscription(&mut self, name: &str) -> Result<&mut Subscription, ApiError> {
        self.subscriptions
            .get_mut(name)
            .ok_or_else(|| not_found(name))
    }
}

/// Begins or renews the watch of a mailbox and publishes the first notification.
pub(crate) fn watch(workspace: &Workspace, user: UserIndex, watch: Watch) -> Result<(), ApiError> {
    let mut pubsub = workspace.pubsub();
    let prefix = format!("Error sending test message to Cloud PubSub {}", watch.topic);
    match pubsub.topics.get(&watch.topic) {
        None => {
            let text = format!(
                "{prefix} : Resource not found (resource={}).",
                short(&watch.topic)
            );
            return Err(ApiError::new(404, "notFound", text));
        }
        Some(false) => {
            return Err(ApiError::forbidden(format!(
                "{prefix} : User not authorized to perform this action."
            )));
        }
        Some(true) => {}
    }
    pubsub.gather(workspace);
    let other = pubsub.watches.get(&user.0);
    if other.is_some_and(|own| own.topic != watch.topic) {
        return Err(ApiError::invalid_argument(
            "Only one user push notification client allowed per developer (call /stop then try again)",
        ));
    }
    let topic = watch.topic.clone();
    let told = watch.told;
    pubsub.watches.insert(user.0, watch);
    pubsub.publish(&topic, &data(workspace, user, told));
    Ok(())
}

/// Ends the watch of a mailbox, if there is one.
pub(crate) fn unwatch(workspace: &Workspace, user: UserIndex) {
    let mut pubsub = workspace.pubsub();
    pubsub.gather(workspace);
    pubsub.watches.remove(&user.0);
}

/// Operations of the control port.
pub(crate) fn admin(workspace: &Workspace, operation: &str, input: &Value) -> Result<Value, Error> {
    match operation {
        "pubsub.setup" => {
            let topic = format!("projects/{PROJECT}/topics/{}", text(input, "topic")?);
            let mut pubsub = workspace.pubsub();
            pubsub.gather(workspace);
            let publisher = input["publisher"].as_bool().unwrap_or(true);
            pubsub.topics.insert(topic.clone(), publisher);
            let mut answer = json!({ "topic": topic });
            if let Some(name) = input["subscription"].as_str() {
                let name = format!("projects/{PROJECT}/subscriptions/{name}");
                answer["subscription"] = json!(name);
                let fresh = Subscription::new(topic, ACK_DEADLINE_SECS);
                pubsub.subscriptions.insert(name, fresh);
            }
            Ok(answer)
        }
        "pubsub.unreliable" => {
            let number = |name: &str| match &input[name] {
                Value::Null => Ok(0.0),
                value => value
                    .as_f64()
                    .filter(|share| (0.0..=1.0).contains(share))
                    .ok_or_else(|| failed(format!("`{name}` is a probability from 0 to 1"))),
            };
            workspace.pubsub().unreliable = Unreliable {
                duplicate: number("duplicate")?,
                lose: number("lose")?,
                reorder: number("reorder")?,
                rng: Some(fastrand::Rng::with_seed(
                    input["seed"].as_u64().unwrap_or(1),
                )),
            };
            Ok(json!({}))
        }
        _ => Err(Error::Unknown(operation.to_owned())),
    }
}

impl Subscription {
    fn new(topic: String, ack_deadline_secs: i64) -> Self {
        Self {
            topic,
            ack_deadline_secs,
            waiting: VecDeque::new(),
            outstanding: BTreeMap::new(),
        }
    }

    fn to_json(&self, name: &str) -> Value {
        json!({
            "name": name,
            "topic": self.topic,
            "pushConfig": {},
            "ackDeadlineSeconds": self.ack_deadline_secs,
            "messageRetentionDuration": "604800s",
            "expirationPolicy": { "ttl": "2678400s" },
            "state": "ACTIVE",
        })
    }

    /// What was not acknowledged in time waits again, before all others.
    fn give_back(&mut self, now: i64) {
        let late: Vec<String> = self
            .outstanding
            .iter()
            .filter(|(_, (until, _))| *until <= now)
            .map(|(id, _)| id.clone())
            .collect();
        for id in late {
            if let Some((_, notification)) = self.outstanding.remove(&id) {
                self.waiting.push_front(notification);
            }
        }
    }
}

fn data(workspace: &Workspace, user: UserIndex, history_id: u64) -> String {
    let address = workspace.user(user).primary;
    STANDARD
        .encode(json!({ "emailAddress": address, "historyId": history_id.to_string() }).to_string())
}

/// The full name of what the path names; refused for users, since only the service account has rights here.
fn resource(context: &Context<'_>, kind: &str) -> Result<String, ApiError> {
    let project = context.path("project");
    if context.caller.is_some() || project != PROJECT {
        return Err(ApiError::forbidden(
            "User not authorized to perform this action.",
        ));
    }
    let name = match kind {
        "topics" => context.path("topic"),
        _ => context.path("subscription"),
    };
    Ok(format!("projects/{project}/{kind}/{name}"))
}

fn short(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

fn not_found(name: &str) -> ApiError {
    let text = format!("Resource not found (resource={}).", short(name));
    ApiError::new(404, "notFound", text)
}

fn check_new(name: &str, is_taken: bool) -> Result<(), ApiError> {
    let short = short(name);
    let is_good = (3..=255).contains(&short.len())
        && short.starts_with(|first: char| first.is_ascii_alphabetic())
        && !short.starts_with("goog")
        && short
            .chars()
            .all(|one| one.is_ascii_alphanumeric() || "-._~%+".contains(one));
    if !is_good {
        let text = format!("Invalid resource name given (name={name}).");
        return Err(ApiError::new(400, "badRequest", text));
    }
    if is_taken {
        let text = format!("Resource already exists in the project (resource={short}).");
        return Err(ApiError::new(409, "alreadyExists", text));
    }
    Ok(())
}

fn body(context: &Context<'_>) -> Result<Value, ApiError> {
    wire::object(&context.call.body)
        .map_err(|_| ApiError::new(400, "parseError", "Invalid JSON payload received."))
}

fn create_topic(context: &Context<'_>) -> Result<Reply, ApiError> {
    let name = resource(context, "topics")?;
    body(context)?;
    let mut pubsub = context.workspace.pubsub();
    check_new(&name, pubsub.topics.contains_key(&name))?;
    pubsub.topics.insert(name.clone(), false);
    Ok(Reply::json(json!({ "name": name })))
}

fn topic(context: &Context<'_>) -> Result<Reply, ApiError> {
    let name = resource(context, "topics")?;
    if context.workspace.pubsub().topics.contains_key(&name) {
        Ok(Reply::json(json!({ "name": name })))
    } else {
        Err(not_found(&name))
    }
}

/// Its subscriptions stay and say that their topic is gone.
fn delete_topic(context: &Context<'_>) -> Result<Reply, ApiError> {
    let name = resource(context, "topics")?;
    let mut pubsub = context.workspace.pubsub();
    pubsub
        .topics
        .remove(&name)
        .ok_or_else(|| not_found(&name))?;
    for own in pubsub.subscriptions.values_mut() {
        if own.topic == name {
            own.topic = "_deleted-topic_".to_owned();
        }
    }
    Ok(Reply::json(json!({})))
}

/// Only one right is looked at: whether Gmail may publish.
fn set_policy(context: &Context<'_>) -> Result<Reply, ApiError> {
    let name = resource(context, "topics")?;
    let body = body(context)?;
    let bindings = bindings(&body["policy"])?;
    let gmail_publishes = bindings.iter().any(|(role, members)| {
        role == "roles/pubsub.publisher" && members.iter().any(|member| member == GMAIL)
    });
    let mut pubsub = context.workspace.pubsub();
    *pubsub
        .topics
        .get_mut(&name)
        .ok_or_else(|| not_found(&name))? = gmail_publishes;
    let mut policy = json!({ "version": 1, "etag": "BwYAAAAAAAA=" });
    // An empty list is left out.
    if !bindings.is_empty() {
        policy["bindings"] = bindings
            .iter()
            .map(|(role, members)| json!({ "role": role, "members": members }))
            .collect();
    }
    Ok(Reply::json(policy))
}

/// Roles and their members; conditions are not built.
fn bindings(policy: &Value) -> Result<Vec<(String, Vec<String>)>, ApiError> {
    let refused = |place: &str| {
        ApiError::invalid_argument(format!("Invalid value at 'policy.bindings{place}'"))
    };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let items = match &policy["bindings"] {
        Value::Null => return Ok(Vec::new()),
        value => value.as_array().ok_or_else(|| refused(""))?,
    };
    let read = |binding: &Value| {
        let role = text(&binding["role"]).ok_or_else(|| refused(".role"))?;
        let members = match &binding["members"] {
            Value::Null => Some(Vec::new()),
            members => members
                .as_array()
                .and_then(|members| members.iter().map(text).collect()),
        };
        Ok((role, members.ok_or_else(|| refused(".members"))?))
    };
    items.iter().map(read).collect()
}

fn create_subscription(context: &Context<'_>) -> Result<Reply, ApiError> {
    let name = resource(context, "subscriptions")?;
    let body = body(context)?;
    let deadline = deadline(&body["ackDeadlineSeconds"])?;
    let mut pubsub = context.workspace.pubsub();
    check_new(&name, pubsub.subscriptions.contains_key(&name))?;
    let topic = body["topic"].as_str().unwrap_or_default().to_owned();
    if !pubsub.topics.contains_key(&topic) {
        return Err(not_found(&topic));
    }
    // News from before it was made are not for it.
    pubsub.gather(context.workspace);
    let deadline = if deadline == 0 {
        ACK_DEADLINE_SECS
    } else {
        deadline
    };
    let fresh = Subscription::new(topic, deadline);
    let answer = fresh.to_json(&name);
    pubsub.subscriptions.insert(name, fresh);
    Ok(Reply::json(answer))
}

fn subscription(context: &Context<'_>) -> Result<Reply, ApiError> {
    let name = resource(context, "subscriptions")?;
    let mut pubsub = context.workspace.pubsub();
    let answer = pubsub.subscription(&name)?.to_json(&name);
    Ok(Reply::json(answer))
}

fn delete_subscription(context: &Context<'_>) -> Result<Reply, ApiError> {
    let name = resource(context, "subscriptions")?;
    let mut pubsub = context.workspace.pubsub();
    pubsub
        .subscriptions
        .remove(&name)
        .map(|_| Reply::json(json!({})))
        .ok_or_else(|| not_found(&name))
}

/// Answers at once, whether there is something or not.
fn pull(context: &Context<'_>) -> Result<Reply, ApiError> {
    let name = resource(context, "subscriptions")?;
    let most = match body(context)?["maxMessages"].as_u64() {
        None | Some(0) => {
            return Err(ApiError::invalid_argument(
                "The value for max_messages is too small. You passed 0 in the request, but the minimum value is 1.",
            ));
        }
        Some(most) => usize::try_from(most).unwrap_or(usize::MAX).min(1000),
    };
    let now = now_ms();
    let mut pubsub = context.workspace.pubsub();
    pubsub.gather(context.workspace);
    pubsub.last_number += 1;
    let batch = pubsub.last_number;
    let own = pubsub.subscription(&name)?;
    own.give_back(now);
    let n_taken = most.min(own.waiting.len());
    let until = now + own.ack_deadline_secs * 1000;
    let mut received = Vec::with_capacity(n_taken);
    let taken: Vec<Notification> = own.waiting.drain(..n_taken).collect();
    for (at, notification) in taken.into_iter().enumerate() {
        let ack_id = STANDARD.encode(format!("ack:{batch}:{at}"));
        received.push(json!({
            "ackId": ack_id,
            "message": {
                "data": notification.data,
                "messageId": notification.id.to_string(),
                "publishTime": wire::rfc3339(notification.publish_ms),
            },
        }));
        own.outstanding.insert(ack_id, (until, notification));
    }
    Ok(Reply::json(if received.is_empty() {
        json!({})
    } else {
        json!({ "receivedMessages": received })
    }))
}

/// Ids that are unknown, late or acknowledged already are passed over.
fn acknowledge(context: &Context<'_>) -> Result<Reply, ApiError> {
    let name = resource(context, "subscriptions")?;
    let ids = ack_ids(&body(context)?)?;
    let now = now_ms();
    let mut pubsub = context.workspace.pubsub();
    let own = pubsub.subscription(&name)?;
    own.give_back(now);
    own.outstanding.retain(|id, _| !ids.contains(id));
    Ok(Reply::json(json!({})))
}

/// A deadline of 0 gives the messages back at once.
fn modify_deadline(context: &Context<'_>) -> Result<Reply, ApiError> {
    let name = resource(context, "subscriptions")?;
    let body = body(context)?;
    let ids = ack_ids(&body)?;
    let until = now_ms() + deadline(&body["ackDeadlineSeconds"])? * 1000;
    let mut pubsub = context.workspace.pubsub();
    let own = pubsub.subscription(&name)?;
    for (id, (own_until, _)) in &mut own.outstanding {
        if ids.contains(id) {
            *own_until = until;
        }
    }
    own.give_back(now_ms());
    Ok(Reply::json(json!({})))
}

/// Clients leave a zero out, as the JSON of protocol buffers has it.
fn deadline(value: &Value) -> Result<i64, ApiError> {
    if value.is_null() {
        return Ok(0);
    }
    value
        .as_i64()
        .filter(|seconds| (0..=MAX_ACK_DEADLINE_SECS).contains(seconds))
        .ok_or_else(|| {
            ApiError::invalid_argument(format!(
                "Invalid ack deadline given (ack_deadline_seconds={value})."
            ))
        })
}

fn ack_ids(body: &Value) -> Result<BTreeSet<String>, ApiError> {
    let ids: Option<BTreeSet<String>> = body["ackIds"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default()
        .iter()
        .map(|id| id.as_str().map(str::to_owned))
        .collect();
    ids.filter(|ids| !ids.is_empty())
        .ok_or_else(|| ApiError::invalid_argument("No ack ids specified."))
}
