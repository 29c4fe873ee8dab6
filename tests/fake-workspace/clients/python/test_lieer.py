"""lieer (`gmi`) between the fake Workspace and a notmuch database: pull, history, push and send.

What is compared is the database against the fake's own store; how lieer talks to Gmail is its own affair.
"""

import base64
import functools
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

import fake
import pytest

USER = fake.USERS[1]
GMI = pathlib.Path(sys.executable).with_name("gmi")

#: lieer's names for Gmail's labels, as its manual gives them.
TAGS = {
    "INBOX": "inbox",
    "SPAM": "spam",
    "TRASH": "trash",
    "UNREAD": "unread",
    "STARRED": "flagged",
    "IMPORTANT": "important",
    "SENT": "sent",
    "DRAFT": "draft",
}
#: Left out by lieer unless it is told otherwise.
IGNORED = {"CATEGORY_PERSONAL", "CATEGORY_SOCIAL", "CATEGORY_PROMOTIONS", "CATEGORY_UPDATES", "CATEGORY_FORUMS"}


class Box:
    """A notmuch database with a lieer repository in it."""

    def __init__(self, folder):
        self.mail = folder / "mail"
        self.repository = self.mail / "account"
        self.repository.mkdir(parents=True)
        config = folder / "notmuch-config"
        config.write_text(
            f"[database]\npath={self.mail}\n[new]\ntags=new\nignore=*.json;.*\n"
            f"[user]\nname=Test\nprimary_email={USER}\n[search]\nexclude_tags=\n"
        )
        self.environment = {**os.environ, "NOTMUCH_CONFIG": str(config), "HOME": str(folder)}
        self.notmuch("new", "--quiet")
        client = folder / "client.json"
        client.write_text(json.dumps(fake.client_file()))
        self.gmi("init", "--credentials", client, USER)

    def run(self, program, *arguments, **options):
        done = subprocess.run(
            [program, *map(str, arguments)],
            cwd=self.repository,
            env=self.environment,
            capture_output=True,
            timeout=60,
            **options,
        )
        assert done.returncode == 0, (arguments, done.stdout.decode(), done.stderr.decode())
        return done.stdout.decode()

    def gmi(self, *arguments, **options):
        return self.run(GMI, *arguments, **options)

    def notmuch(self, *arguments):
        return self.run("notmuch", *arguments)

    def files(self):
        """The bytes of every mail, by Gmail's id, which lieer puts into the name of the file."""
        return {path.name.split(":")[0]: path.read_bytes() for path in (self.repository / "mail").glob("*/*")}

    def tags(self, id):
        return set(self.notmuch("search", "--output=tags", "--format=text", f"path:account/** and id:{id}").split())


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    os.environ["FAKE_BROWSER_USER"] = USER
    assert GMI.exists() and shutil.which("notmuch")
    return Box(tmp_path_factory.mktemp("lieer"))


@functools.cache
def original(id):
    """The bytes of a mail as Gmail has them."""
    answer = fake.gmail(USER).users().messages().get(userId="me", id=id, format="raw").execute()
    return base64.urlsafe_b64decode(answer["raw"])


def check(box):
    """The database holds the mails of the store, byte for byte, with their labels as tags."""
    truth = fake.admin("truth", user=USER, all=True)
    expected = {one["id"]: one for one in truth["messages"] if "CHAT" not in one["labelIds"]}
    files = box.files()
    assert sorted(files) == sorted(expected)
    shown = {}
    for entry in json.loads(box.notmuch("show", "--format=json", "--body=false", "--entire-thread=false", "*")):
        collect(entry, shown)
    for id, message in expected.items():
        raw = original(id)
        assert hashlib.sha256(raw).hexdigest() == message["sha256"]
        # lieer writes mails with the line breaks of the machine.
        assert files[id] == raw.replace(b"\r\n", b"\n"), id
        labels = {TAGS.get(label) or truth["labels"][label] for label in message["labelIds"] if label not in IGNORED}
        assert shown[id] - {"new", "attachment", "signed", "encrypted"} == labels, (id, message["labelIds"])
    return expected


def collect(entry, shown):
    """Goes down the threads that notmuch shows."""
    if isinstance(entry, list):
        for one in entry:
            collect(one, shown)
    elif entry:
        for name in entry["filename"]:
            shown[pathlib.Path(name).name.split(":")[0]] = set(entry["tags"])


def test_the_first_pull_brings_everything(box):
    box.gmi("pull")
    assert len(check(box)) > 50


def test_changes_come_by_history(box):
    kept = sorted(check(box))
    fake.admin("gmail.modify", user=USER, id=kept[0], addLabelIds=["STARRED"], removeLabelIds=["INBOX", "UNREAD"])
    fake.admin("gmail.trash", user=USER, id=kept[1])
    fake.admin("gmail.delete", user=USER, id=kept[2])
    label = fake.admin("gmail.label", user=USER, name="From here")["id"]
    text = f"From: a@example.org\nTo: {USER}\nSubject: New for lieer\nMessage-ID: <new@lieer>\n\nHello\n"
    fake.admin("gmail.insert", user=USER, text=text, labelIds=["INBOX", label])
    fake.admin("churn", user=USER, rounds=60, seed=5)
    fake.admin("stats", reset=True)
    box.gmi("pull")
    check(box)
    calls = fake.admin("stats")["calls"][USER]
    assert calls["gmail.users.history.list"] >= 1 and "gmail.users.messages.list" not in calls
    assert "From here" in "".join(box.notmuch("search", "--output=tags", "id:new@lieer"))


def test_an_expired_history_ends_in_a_full_pull(box):
    fake.admin("gmail.insert", user=USER, text="Subject: Late\nMessage-ID: <late@lieer>\n\nHello\n")
    fake.admin("history.expire", user=USER)
    fake.admin("stats", reset=True)
    box.gmi("pull")
    check(box)
    assert fake.admin("stats")["calls"][USER]["gmail.users.messages.list"] >= 1


def test_tags_go_back(box):
    box.notmuch("tag", "+flagged", "+pushed/by lieer".replace(" ", "-"), "-inbox", "--", "id:new@lieer")
    box.gmi("push")
    truth = fake.admin("truth", user=USER, all=True)
    pushed = next(one for one in truth["messages"] if one["message_id"] == "new@lieer")
    names = {truth["labels"][label] for label in pushed["labelIds"]}
    assert {"STARRED", "pushed/by-lieer"} <= names and "INBOX" not in names
    box.gmi("pull")
    check(box)


def test_a_mail_is_sent(box):
    text = f"From: {USER}\r\nTo: {fake.USERS[2]}\r\nSubject: Sent by lieer\r\nMessage-ID: <sent@lieer>\r\n\r\nHello\r\n"
    box.gmi("send", "-t", input=text.encode())
    there = fake.admin("truth", user=fake.USERS[2])["messages"]
    assert "sent@lieer" in [one["message_id"] for one in there]
    box.gmi("pull")
    check(box)
