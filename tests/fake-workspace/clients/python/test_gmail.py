"""The Gmail API through google-api-python-client: every kind of resource, uploads and errors.

How a client keeps up with changes is in `test_gmail_sync.py`.
"""

import base64
import email
import email.message
import email.policy
import hashlib
import io

import fake
import pytest
from googleapiclient.errors import HttpError
from googleapiclient.http import MediaInMemoryUpload, MediaIoBaseUpload


def mail(subject, body="Hello\n", **headers):
    """A small mail."""
    message = email.message.EmailMessage(policy=email.policy.SMTP)
    message["From"] = headers.pop("sender", fake.USERS[0])
    message["To"] = headers.pop("to", f"somebody@{fake.DOMAIN}")
    message["Subject"] = subject
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(body)
    return message.as_bytes()


def encoded(raw):
    return base64.urlsafe_b64encode(raw).decode()


def decoded(text):
    return base64.urlsafe_b64decode(text)


def raw_of(messages, id):
    return decoded(messages.get(userId="me", id=id, format="raw").execute()["raw"])


def truth(user):
    """All mails of a mailbox as the store has them, by their ids."""
    return {message["id"]: message for message in fake.admin("truth", user=user, all=True)["messages"]}


def test_profile_and_every_mail_byte_for_byte():
    user = fake.USERS[1]
    gmail, expected = fake.gmail(user), truth(user)
    profile = gmail.users().getProfile(userId="me").execute()
    assert (profile["emailAddress"], profile["messagesTotal"]) == (user, len(expected))

    messages = gmail.users().messages()
    listed, n_pages = fake.pages(
        messages, messages.list(userId="me", maxResults=100, includeSpamTrash=True), "messages"
    )
    assert sorted(message["id"] for message in listed) == sorted(expected)
    assert n_pages == (len(expected) + 99) // 100

    seen = {}
    for start in range(0, len(listed), 100):
        batch = gmail.new_batch_http_request(lambda id, answer, error: seen.update({id: error or answer}))
        for message in listed[start : start + 100]:
            batch.add(messages.get(userId="me", id=message["id"], format="raw"), request_id=message["id"])
        batch.execute()
    for id, message in expected.items():
        raw = decoded(seen[id]["raw"])
        assert (len(raw), hashlib.sha256(raw).hexdigest()) == (message["raw_size"], message["sha256"])
        assert sorted(seen[id].get("labelIds", [])) == message["labelIds"]


def test_formats_show_what_they_are_for():
    messages = fake.gmail(fake.USERS[1]).users().messages()
    id = messages.list(userId="me", maxResults=1).execute()["messages"][0]["id"]
    minimal = messages.get(userId="me", id=id, format="minimal").execute()
    assert not {"payload", "raw"} & set(minimal) and minimal["snippet"]
    metadata = messages.get(userId="me", id=id, format="metadata", metadataHeaders=["Subject", "From"]).execute()
    assert sorted(header["name"] for header in metadata["payload"]["headers"]) == ["From", "Subject"]
    full = messages.get(userId="me", id=id, format="full").execute()
    assert full["payload"]["mimeType"] and "raw" not in full
    assert email.message_from_bytes(raw_of(messages, id))["Message-ID"]
    masked = messages.get(userId="me", id=id, fields="id,payload/headers").execute()
    assert sorted(masked) == ["id", "payload"] and sorted(masked["payload"]) == ["headers"]


def test_attachments_are_the_bytes_that_another_reader_finds():
    messages = fake.gmail(fake.USERS[1]).users().messages()
    found = messages.list(userId="me", q="has:attachment", maxResults=20).execute()["messages"]
    n_seen = 0
    for message in found:
        full = messages.get(userId="me", id=message["id"]).execute()
        reader = email.message_from_bytes(raw_of(messages, message["id"]), policy=email.policy.default)
        expected = {
            part.get_filename(): part.get_payload(decode=True)
            for part in reader.walk()
            if part.get_filename() and not part.is_multipart()
        }
        parts = [full["payload"]]
        while parts:
            part = parts.pop()
            parts += part.get("parts", [])
            id = part.get("body", {}).get("attachmentId")
            if id and part["filename"] in expected:
                body = messages.attachments().get(userId="me", messageId=message["id"], id=id).execute()
                assert decoded(body["data"]) == expected[part["filename"]]
                assert body["size"] == part["body"]["size"] == len(expected[part["filename"]])
                n_seen += 1
    assert n_seen >= 5


def test_labels_live_and_die():
    user = fake.USERS[2]
    labels = fake.gmail(user).users().labels()
    made = labels.create(
        userId="me",
        body={"name": "Clients/Python", "labelListVisibility": "labelShow", "messageListVisibility": "show"},
    ).execute()
    assert made["type"] == "user"
    with pytest.raises(HttpError) as twice:
        labels.create(userId="me", body={"name": "Clients/Python"}).execute()
    assert twice.value.status_code == 409
    color = {"textColor": "#ffffff", "backgroundColor": "#fb4c2f"}
    assert labels.patch(userId="me", id=made["id"], body={"color": color}).execute()["color"] == color
    renamed = labels.update(userId="me", id=made["id"], body={"id": made["id"], "name": "Clients/Snake"}).execute()
    assert renamed["name"] == "Clients/Snake"
    assert labels.get(userId="me", id=made["id"]).execute()["messagesTotal"] == 0
    labels.delete(userId="me", id=made["id"]).execute()
    assert made["id"] not in [label["id"] for label in labels.list(userId="me").execute()["labels"]]
    with pytest.raises(HttpError) as fixed:
        labels.delete(userId="me", id="INBOX").execute()
    assert fixed.value.status_code == 400


def test_mails_come_and_go():
    user = fake.USERS[2]
    messages = fake.gmail(user).users().messages()
    raw = mail("Inserted", Date="Tue, 1 Jan 2019 00:00:00 +0000")
    body = {"raw": encoded(raw), "labelIds": ["INBOX", "UNREAD"]}
    inserted = messages.insert(userId="me", body=body, internalDateSource="dateHeader").execute()
    assert raw_of(messages, inserted["id"]) == raw
    assert messages.get(userId="me", id=inserted["id"]).execute()["internalDate"] == "1546300800000"
    imported = messages.import_(
        userId="me", body={"raw": encoded(mail("Imported"))}, neverMarkSpam=True, processForCalendar=False
    ).execute()

    changed = messages.modify(
        userId="me", id=inserted["id"], body={"addLabelIds": ["STARRED"], "removeLabelIds": ["UNREAD"]}
    ).execute()
    assert sorted(changed["labelIds"]) == ["INBOX", "STARRED"]
    assert "TRASH" in messages.trash(userId="me", id=inserted["id"]).execute()["labelIds"]
    assert "TRASH" not in messages.untrash(userId="me", id=inserted["id"]).execute()["labelIds"]
    ids = [inserted["id"], imported["id"]]
    messages.batchModify(userId="me", body={"ids": ids, "addLabelIds": ["IMPORTANT"]}).execute()
    assert all("IMPORTANT" in truth(user)[id]["labelIds"] for id in ids)
    messages.delete(userId="me", id=ids[0]).execute()
    messages.batchDelete(userId="me", body={"ids": ids[1:]}).execute()
    assert not set(ids) & set(truth(user))
    with pytest.raises(HttpError) as gone:
        messages.get(userId="me", id=ids[0]).execute()
    assert gone.value.status_code == 404 and gone.value.error_details[0]["reason"] == "notFound"
    assert gone.value.reason == "Requested entity was not found."


def test_a_sent_mail_arrives():
    sender, receiver = fake.USERS[2], fake.USERS[3]
    there = fake.gmail(receiver).users().messages()
    raw = mail("To you from a client", sender=sender, to=receiver)
    sent = fake.gmail(sender).users().messages().send(userId="me", body={"raw": encoded(raw)}).execute()
    assert "SENT" in sent["labelIds"]
    found = there.list(userId="me", q='subject:"To you from a client"').execute()
    assert [message["id"] for message in found["messages"]]
    arrived = there.get(userId="me", id=found["messages"][0]["id"]).execute()
    assert {"INBOX", "UNREAD"} <= set(arrived["labelIds"])


@pytest.mark.parametrize("resumable", [False, True])
@pytest.mark.parametrize("size", [100, 1_500_000])
def test_uploads_keep_the_bytes(resumable, size):
    messages = fake.gmail(fake.USERS[2]).users().messages()
    raw = mail("Uploaded", body=("x" * 70 + "\n") * (size // 71))
    media = MediaIoBaseUpload(io.BytesIO(raw), "message/rfc822", chunksize=256 * 1024, resumable=resumable)
    body = {"labelIds": ["INBOX"]}
    request = messages.insert(userId="me", body=body, media_body=media, internalDateSource="dateHeader")
    n_pieces, answer = 0, None if resumable else request.execute()
    while answer is None:
        _, answer = request.next_chunk()
        n_pieces += 1
    assert n_pieces == (-(-len(raw) // (256 * 1024)) if resumable else 0)
    assert answer["labelIds"] == ["INBOX"]
    assert raw_of(messages, answer["id"]) == raw
    messages.delete(userId="me", id=answer["id"]).execute()


def test_a_broken_resumable_upload_goes_on_where_it_was():
    user = fake.USERS[2]
    messages = fake.gmail(user).users().messages()
    raw = mail("Broken off", body=("y" * 70 + "\n") * 10_000)
    media = MediaInMemoryUpload(raw, "message/rfc822", chunksize=256 * 1024, resumable=True)
    request = messages.import_(userId="me", body={}, media_body=media)
    _, answer = request.next_chunk()
    assert answer is None
    fake.admin("fault.on", user=user, method="gmail.users.messages.import", status=503, count=1)
    # The client takes up the piece that failed only after it has asked how far the upload came: so not by itself.
    with pytest.raises(HttpError) as broken:
        request.next_chunk()
    assert broken.value.status_code == 503
    while answer is None:
        _, answer = request.next_chunk()
    assert raw_of(messages, answer["id"]) == raw
    messages.delete(userId="me", id=answer["id"]).execute()


def test_an_uploaded_mail_is_sent():
    media = MediaInMemoryUpload(mail("Sent in pieces", sender=fake.USERS[2]), "message/rfc822", resumable=True)
    sent = fake.gmail(fake.USERS[2]).users().messages().send(userId="me", media_body=media).execute()
    assert sent["labelIds"] == ["SENT"]


def test_threads_are_one_thing():
    user = fake.USERS[2]
    gmail = fake.gmail(user)
    messages, threads = gmail.users().messages(), gmail.users().threads()
    first = messages.insert(userId="me", body={"raw": encoded(mail("Talk", Message_ID="<talk@x>"))}).execute()
    reply = mail("Re: Talk", In_Reply_To="<talk@x>", References="<talk@x>")
    second = messages.insert(userId="me", body={"raw": encoded(reply), "threadId": first["threadId"]}).execute()
    thread = threads.get(userId="me", id=first["threadId"], format="minimal").execute()
    assert [message["id"] for message in thread["messages"]] == [first["id"], second["id"]]
    threads.modify(userId="me", id=first["threadId"], body={"addLabelIds": ["STARRED"]}).execute()
    assert all("STARRED" in truth(user)[one["id"]]["labelIds"] for one in (first, second))
    listed, _ = fake.pages(threads, threads.list(userId="me", labelIds=["STARRED"], maxResults=1), "threads")
    assert first["threadId"] in [one["id"] for one in listed]
    threads.trash(userId="me", id=first["threadId"]).execute()
    threads.untrash(userId="me", id=first["threadId"]).execute()
    threads.delete(userId="me", id=first["threadId"]).execute()
    assert not {first["id"], second["id"]} & set(truth(user))


def test_a_draft_becomes_a_mail():
    user = fake.USERS[2]
    gmail = fake.gmail(user)
    drafts = gmail.users().drafts()
    made = drafts.create(userId="me", body={"message": {"raw": encoded(mail("Draft one", sender=user))}}).execute()
    better = mail("Draft two", sender=user, to=fake.USERS[3])
    changed = drafts.update(userId="me", id=made["id"], body={"message": {"raw": encoded(better)}}).execute()
    assert changed["id"] == made["id"] and changed["message"]["id"] != made["message"]["id"]
    seen = drafts.get(userId="me", id=made["id"], format="raw").execute()
    assert email.message_from_bytes(decoded(seen["message"]["raw"]))["Subject"] == "Draft two"
    listed, _ = fake.pages(drafts, drafts.list(userId="me", maxResults=1), "drafts")
    assert made["id"] in [draft["id"] for draft in listed]
    sent = drafts.send(userId="me", body={"id": made["id"]}).execute()
    assert "SENT" in sent["labelIds"]
    other = drafts.create(userId="me", body={"message": {"raw": encoded(mail("Draft three"))}}).execute()
    drafts.delete(userId="me", id=other["id"]).execute()
    left = [draft["id"] for draft in drafts.list(userId="me").execute().get("drafts", [])]
    assert not {made["id"], other["id"]} & set(left)


def test_settings_tell_how_a_user_sends():
    answer = fake.gmail(fake.USERS[1]).users().settings().sendAs().list(userId="me").execute()
    assert [one["sendAsEmail"] for one in answer["sendAs"] if one.get("isPrimary")] == [fake.USERS[1]]


def test_refusals_say_why():
    user = fake.USERS[2]
    with pytest.raises(HttpError) as scope:
        fake.gmail(user, fake.GMAIL_READONLY).users().messages().trash(userId="me", id="1").execute()
    assert scope.value.status_code == 403
    assert scope.value.reason == "Request had insufficient authentication scopes."
    with pytest.raises(HttpError) as stranger:
        fake.gmail(user).users().getProfile(userId=fake.USERS[3]).execute()
    assert (stranger.value.status_code, stranger.value.reason) == (403, f"Delegation denied for {user}")
    with pytest.raises(HttpError) as bad:
        fake.gmail(user).users().messages().insert(userId="me", body={"raw": ""}).execute()
    assert bad.value.status_code == 400
    with pytest.raises(HttpError) as unreadable:
        fake.gmail(user).users().messages().get(userId="me", id="not an id").execute()
    assert unreadable.value.status_code == 400
