"""Got Your Back backs a mailbox up, keeps the backup fresh and restores it into another mailbox.

Got Your Back is no package of any registry: GYB names the folder of its sources, else these tests are left out.
What is compared is the backup and the restored mailbox against the fake's own store.
"""

import collections
import hashlib
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys

import fake
import pytest

SOURCES = os.environ.get("GYB")
OWNER, OTHER = fake.USERS[1], fake.USERS[2]

pytestmark = pytest.mark.skipif(not SOURCES, reason="GYB does not name the folder of Got Your Back")


@pytest.fixture(scope="module")
def gyb(tmp_path_factory):
    """Runs the program, which looks for its key beside itself."""
    folder = tmp_path_factory.mktemp("gyb")
    program = folder / "program"
    shutil.copytree(SOURCES, program)
    (program / "oauth2service.json").write_text(json.dumps(fake.key_file()))

    def run(user, action, *arguments):
        command = [sys.executable, program / "gyb.py", "--email", user, "--action", action, "--service-account"]
        done = subprocess.run(
            [*command, "--local-folder", folder / "backup", *arguments], cwd=folder, capture_output=True, timeout=240
        )
        assert done.returncode == 0, (done.stdout.decode(), done.stderr.decode())
        assert b"ERROR" not in done.stdout and b"Giving up" not in done.stderr, (done.stdout, done.stderr)
        return done.stdout.decode().replace("\r", "\n")

    run.folder = folder / "backup"
    return run


def mails(user):
    """What a backup holds: everything but spam and trash."""
    truth = fake.admin("truth", user=user, all=True)
    hidden = {"SPAM", "TRASH", "CHAT"}
    found = {one["id"]: one for one in truth["messages"] if not hidden & set(one["labelIds"])}
    for one in found.values():
        one["names"] = sorted(truth["labels"].get(label, label) for label in one["labelIds"])
    return found


def backed_up(folder):
    return {path.stem: hashlib.sha256(path.read_bytes()).hexdigest() for path in pathlib.Path(folder).rglob("*.eml")}


def labels(folder):
    """The labels of each mail in the backup's database."""
    rows = sqlite3.connect(folder / "msg-db.sqlite").execute(
        "SELECT uid, label FROM uids LEFT JOIN labels USING (message_num)"
    )
    found = collections.defaultdict(list)
    for uid, label in rows:
        found[uid] += [label] if label else []
    return {uid: sorted(names) for uid, names in found.items()}


def test_counts_and_labels_are_the_store_s(gyb):
    expected = mails(OWNER)
    assert f"{OWNER},{len(expected)}" in gyb(OWNER, "count")
    assert f"{len(expected)}/{len(expected)} messages" in gyb(OWNER, "estimate")
    shown = gyb(OWNER, "print-labels")
    for id, name in fake.admin("truth", user=OWNER)["labels"].items():
        assert f"({id})" in shown, name


def test_a_backup_holds_every_byte_and_label(gyb):
    gyb(OWNER, "backup")
    expected = mails(OWNER)
    assert backed_up(gyb.folder) == {id: one["sha256"] for id, one in expected.items()}
    assert labels(gyb.folder) == {id: one["names"] for id, one in expected.items()}


def test_the_second_backup_brings_what_is_new(gyb):
    before = backed_up(gyb.folder)
    fake.admin("churn", user=OWNER, rounds=100, seed=9)
    big = "Subject: Big\n\n" + "0123456789abcdef\n" * 100_000
    fake.admin("gmail.insert", user=OWNER, text=big, labelIds=["INBOX"])
    said = gyb(OWNER, "backup")
    expected = mails(OWNER)
    new = set(expected) - set(before)
    assert new and f"GYB needs to backup {len(new)} messages" in said
    after = backed_up(gyb.folder)
    # What is deleted in the mailbox stays in the backup.
    assert after == {**before, **{id: one["sha256"] for id, one in expected.items()}}
    kept = labels(gyb.folder)
    # A mail that lost its last label keeps it in the backup: so the program does it.
    assert {id: kept[id] for id, one in expected.items() if one["names"]} == {
        id: one["names"] for id, one in expected.items() if one["names"]
    }


def test_a_restore_brings_all_back_elsewhere(gyb):
    # 1.80 does not read the fractions of seconds that it writes, whoever gave them: GAM-team/got-your-back#448, #456.
    with sqlite3.connect(gyb.folder / "msg-db.sqlite") as database:
        database.execute("UPDATE messages SET message_internaldate = substr(message_internaldate, 1, 19)")
    before = collections.Counter(one["sha256"] for one in mails(OTHER).values())
    gyb(OTHER, "restore", "--label-restored", "restored/by gyb")
    now = mails(OTHER)
    assert collections.Counter(one["sha256"] for one in now.values()) - before == collections.Counter(
        backed_up(gyb.folder).values()
    )
    restored = [one for one in now.values() if "restored/by gyb" in one["names"]]
    assert len(restored) == len(backed_up(gyb.folder))
