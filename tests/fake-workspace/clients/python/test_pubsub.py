"""google-cloud-pubsub over REST: topics, subscriptions, policies, pulling what Gmail tells.

Streaming pull is gRPC and not tested. Watching a mailbox through the REST client is in `test_gmail_sync.py`.
"""

import json

import fake
import pytest
from google.api_core import exceptions
from google.cloud import pubsub_v1
from google.oauth2 import service_account

USER = fake.USERS[2]
PUBLISHER = "serviceAccount:gmail-api-push@system.gserviceaccount.com"


@pytest.fixture
def place():
    """A topic that Gmail may publish to, and a subscription to it."""
    # Without a subject this client signs for itself instead of asking for tokens.
    account = service_account.Credentials.from_service_account_info(fake.key_file())
    publisher = pubsub_v1.PublisherClient(credentials=account, transport="rest")
    subscriber = pubsub_v1.SubscriberClient(credentials=account, transport="rest")
    project = fake.key_file()["project_id"]
    topic = publisher.create_topic(name=publisher.topic_path(project, "cloud")).name
    bindings = [{"role": "roles/pubsub.publisher", "members": [PUBLISHER]}]
    publisher.set_iam_policy(request={"resource": topic, "policy": {"bindings": bindings}})
    name = subscriber.subscription_path(project, "cloud-pull")
    subscriber.create_subscription(name=name, topic=topic)
    yield publisher, subscriber, topic, name
    subscriber.delete_subscription(subscription=name)
    publisher.delete_topic(topic=topic)


def test_what_gmail_tells_is_pulled_once(place):
    publisher, subscriber, topic, name = place
    assert publisher.get_topic(topic=topic).name == topic
    assert subscriber.get_subscription(subscription=name).topic == topic
    gmail = fake.gmail(USER)
    gmail.users().watch(userId="me", body={"topicName": topic}).execute()
    fake.admin("gmail.insert", user=USER, text="Subject: Told\n\nHello\n", labelIds=["INBOX"])

    def pull():
        received = subscriber.pull(subscription=name, max_messages=10).received_messages
        return [(one.ack_id, json.loads(one.message.data)) for one in received]

    told = pull()
    assert {data["emailAddress"] for _, data in told} == {USER}
    subscriber.modify_ack_deadline(subscription=name, ack_ids=[told[0][0]], ack_deadline_seconds=0)
    again = pull()
    assert [data for _, data in again] == [told[0][1]]
    subscriber.acknowledge(subscription=name, ack_ids=[id for id, _ in told + again])
    assert pull() == []
    gmail.users().stop(userId="me").execute()


def test_errors_have_their_classes(place):
    publisher, subscriber, topic, name = place
    with pytest.raises(exceptions.Conflict):
        publisher.create_topic(name=topic)
    with pytest.raises(exceptions.NotFound):
        subscriber.pull(subscription=f"{name}-other", max_messages=1)
