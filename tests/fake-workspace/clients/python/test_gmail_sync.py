"""How a Python client keeps up with Gmail: history, watch and Pub/Sub, batches, limits and retries."""

import base64
import hashlib
import json

import fake
import pytest
from googleapiclient.errors import HttpError
from googleapiclient.discovery import build
from google.oauth2 import service_account

CHANGES = ("messagesAdded", "messagesDeleted", "labelsAdded", "labelsRemoved")


def text_mail(subject):
    return f"From: a@example.org\nTo: b@example.org\nSubject: {subject}\n\nHello\n"


def test_history_leads_from_one_state_to_the_next():
    user = fake.USERS[3]
    gmail = fake.gmail(user)
    start = gmail.users().getProfile(userId="me").execute()["historyId"]
    before = {one["id"]: one["labelIds"] for one in fake.admin("truth", user=user, all=True)["messages"]}
    fake.admin("churn", user=user, rounds=120, seed=3)

    history = gmail.users().history()
    records, n_pages = fake.pages(history, history.list(userId="me", startHistoryId=start, maxResults=20), "history")
    assert n_pages > 3
    state = {id: set(labels) for id, labels in before.items()}
    for record in records:
        for added in record.get("messagesAdded", []):
            state[added["message"]["id"]] = set(added["message"].get("labelIds", []))
        for change in record.get("labelsAdded", []):
            state.setdefault(change["message"]["id"], set()).update(change["labelIds"])
        for change in record.get("labelsRemoved", []):
            state.setdefault(change["message"]["id"], set()).difference_update(change["labelIds"])
        for deleted in record.get("messagesDeleted", []):
            state.pop(deleted["message"]["id"], None)
    expected = {one["id"]: set(one["labelIds"]) for one in fake.admin("truth", user=user, all=True)["messages"]}
    assert state == expected

    filtered = history.list(userId="me", startHistoryId=start, historyTypes=["messageDeleted"])
    kinds = {kind for record in fake.pages(history, filtered, "history")[0] for kind in CHANGES if kind in record}
    assert kinds <= {"messagesDeleted"}


def test_an_old_start_is_not_found():
    user = fake.USERS[3]
    history = fake.gmail(user).users().history()
    start = fake.admin("history.expire", user=user)["startHistoryId"]
    with pytest.raises(HttpError) as gone:
        history.list(userId="me", startHistoryId=str(int(start) - 1)).execute()
    assert gone.value.status_code == 404 and gone.value.error_details[0]["reason"] == "notFound"
    assert "historyId" in history.list(userId="me", startHistoryId=start).execute()


def test_watch_tells_of_a_change_by_pub_sub():
    user = fake.USERS[3]
    names = fake.admin("pubsub.setup", topic="python", subscription="python-pull", publisher=True)
    own = service_account.Credentials.from_service_account_info(fake.key_file(), scopes=[fake.CLOUD])
    queue = build("pubsub", "v1", credentials=own, cache_discovery=False).projects().subscriptions()
    name = f"projects/{fake.key_file()['project_id']}/subscriptions/python-pull"
    assert name in json.dumps(names)
    gmail = fake.gmail(user)
    topic = name.replace("/subscriptions/python-pull", "/topics/python")
    watch = gmail.users().watch(userId="me", body={"topicName": topic, "labelIds": ["INBOX"]}).execute()
    assert int(watch["expiration"]) > 0

    def pull():
        answer = queue.pull(subscription=name, body={"maxMessages": 10}).execute()
        received = answer.get("receivedMessages", [])
        if received:
            ids = [one["ackId"] for one in received]
            queue.acknowledge(subscription=name, body={"ackIds": ids}).execute()
        return [json.loads(base64.b64decode(one["message"]["data"])) for one in received]

    pull()
    fake.admin("gmail.insert", user=user, text=text_mail("News"), labelIds=["INBOX"])
    told = pull()
    assert told and told[-1]["emailAddress"] == user
    assert int(told[-1]["historyId"]) > int(watch["historyId"])
    gmail.users().stop(userId="me").execute()
    fake.admin("gmail.insert", user=user, text=text_mail("Silence"), labelIds=["INBOX"])
    assert pull() == []


def test_a_batch_of_a_hundred_fails_part_by_part():
    user = fake.USERS[3]
    gmail = fake.gmail(user)
    messages = gmail.users().messages()
    ids = [one["id"] for one in messages.list(userId="me", maxResults=99).execute()["messages"]]
    ids = (ids * 99)[:99]
    answers = {}
    batch = gmail.new_batch_http_request(lambda id, answer, error: answers.update({id: (answer, error)}))
    for number, id in enumerate(ids):
        batch.add(messages.get(userId="me", id=id, format="minimal"), request_id=str(number))
    batch.add(messages.get(userId="me", id="ffffffffffffff"), request_id="missing")
    batch.execute()
    assert len(answers) == 100
    assert all(answers[str(number)][0]["id"] == id for number, id in enumerate(ids))
    assert answers["missing"][1].status_code == 404

    too_large = gmail.new_batch_http_request()
    for _ in range(101):
        too_large.add(messages.get(userId="me", id=ids[0], format="minimal"))
    with pytest.raises(HttpError) as refused:
        too_large.execute()
    assert refused.value.status_code == 400


def test_a_batch_fetches_a_new_token_for_parts_that_were_refused():
    user = fake.USERS[3]
    gmail = fake.gmail(user)
    assert gmail.users().getProfile(userId="me").execute()
    answers = []
    batch = gmail.new_batch_http_request(lambda id, answer, error: answers.append(error or answer))
    for _ in range(5):
        batch.add(gmail.users().getProfile(userId="me"))
    fake.admin("tokens.expire", user=user)
    batch.execute()
    assert [answer["emailAddress"] for answer in answers] == [user] * 5


@pytest.mark.parametrize(
    "status, reason",
    [(403, "rateLimitExceeded"), (403, "userRateLimitExceeded"), (429, "rateLimitExceeded"), (503, "backendError")],
)
def test_what_may_pass_is_tried_again(status, reason):
    user = fake.USERS[3]
    profile = fake.gmail(user).users().getProfile(userId="me")
    fault = fake.admin("fault.on", user=user, method="gmail.users.getProfile", status=status, reason=reason, count=2)
    try:
        with pytest.raises(HttpError) as refused:
            profile.execute()
        assert refused.value.status_code == status
        assert refused.value.error_details[0]["reason"] == reason
        assert fake.without_waiting(profile).execute(num_retries=1)["emailAddress"] == user
    finally:
        fake.admin("fault.off", fault=fault["fault"])


def test_what_does_not_pass_is_not_tried_again():
    user = fake.USERS[3]
    profile = fake.without_waiting(fake.gmail(user).users().getProfile(userId="me"))
    fault = fake.admin("fault.on", user=user, method="gmail.users.getProfile", status=403, reason="forbidden")
    fake.admin("stats", reset=True)
    try:
        with pytest.raises(HttpError):
            profile.execute(num_retries=5)
    finally:
        fake.admin("fault.off", fault=fault["fault"])
    assert fake.admin("stats")["calls"][user]["gmail.users.getProfile"] == 1


def test_a_real_quota_slows_a_client_down_and_lets_it_through():
    user = fake.USERS[3]
    fake.admin("quota.set", prices="2026-05", time_scale=60, reset=True)
    try:
        messages = fake.gmail(user).users().messages()
        id = messages.list(userId="me", maxResults=1).execute()["messages"][0]["id"]
        fake.admin("quota.spend", api="gmail", limit="user_minute", user=user, units=5990)
        with pytest.raises(HttpError) as refused:
            messages.get(userId="me", id=id).execute()
        assert refused.value.error_details[0]["reason"] == "rateLimitExceeded"
        assert messages.get(userId="me", id=id).execute(num_retries=5)["id"] == id
    finally:
        fake.admin("quota.set", prices="off", time_scale=1, reset=True)


def test_compressed_answers_are_read():
    # googleapiclient says "(gzip)" in its User-Agent, as Google wants it.
    user = fake.USERS[3]
    gmail = fake.gmail(user)
    headers = {}
    request = gmail.users().labels().list(userId="me")
    request.add_response_callback(lambda answer: headers.update(answer))
    assert request.execute()["labels"]
    assert headers["-content-encoding"] == "gzip"


def test_a_backup_and_a_restore_as_got_your_back_makes_them():
    owner, heir = fake.USERS[1], fake.USERS[4]
    source, target = fake.gmail(owner), fake.gmail(heir)
    messages = source.users().messages()
    listing = messages.list(
        userId="me", maxResults=500, q="-is:chat", fields="nextPageToken,messages/id", prettyPrint=False
    )
    ids = [one["id"] for one in fake.pages(messages, listing, "messages")[0]]
    saved = []
    for start in range(0, len(ids), 100):
        batch = source.new_batch_http_request()
        for id in ids[start : start + 100]:
            batch.add(
                messages.get(userId="me", id=id, format="raw", fields="id,labelIds,internalDate,raw"),
                callback=lambda id, answer, error: saved.append(answer),
            )
        batch.execute()
    assert len(saved) == len(ids) > 50 and set(saved[0]) <= {"id", "labelIds", "internalDate", "raw"}

    names = fake.admin("truth", user=owner)["labels"]
    known = {one["name"]: one["id"] for one in target.users().labels().list(userId="me").execute()["labels"]}
    already = len(fake.admin("truth", user=heir, all=True)["messages"])
    done = []
    for start in range(0, len(saved), 5):
        batch = target.new_batch_http_request(lambda id, answer, error: done.append((id, error or answer)))
        for number, one in enumerate(saved[start : start + 5], start):
            wanted = []
            for name in (names.get(label, label) for label in one.get("labelIds", [])):
                if name not in known:
                    body = {"labelListVisibility": "labelShow", "messageListVisibility": "show", "name": name}
                    made = target.users().labels().create(userId="me", body=body, fields="id").execute()
                    known[name] = made["id"]
                wanted.append(known[name])
            body = {"raw": one["raw"], "labelIds": wanted}
            batch.add(
                target.users().messages().import_(userId="me", body=body, fields="id", neverMarkSpam=True),
                request_id=str(number),
            )
        batch.execute()
    assert [id for id, _ in done] == [str(number) for number in range(len(saved))]
    assert all(set(answer) == {"id"} for _, answer in done)
    restored = {one["id"]: one for one in fake.admin("truth", user=heir, all=True)["messages"]}
    assert len(restored) == already + len(saved)
    for (_, answer), one in zip(done, saved):
        there = restored[answer["id"]]
        assert there["sha256"] == hashlib.sha256(base64.urlsafe_b64decode(one["raw"])).hexdigest()
        assert len(there["labelIds"]) == len(one.get("labelIds", []))
