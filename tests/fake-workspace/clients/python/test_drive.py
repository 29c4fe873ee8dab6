"""The Drive API through google-api-python-client: files, uploads, downloads, sharing, shared drives and changes."""

import io

import fake
import pytest
from googleapiclient.errors import HttpError
from googleapiclient.http import MediaInMemoryUpload, MediaIoBaseDownload, MediaIoBaseUpload

FOLDER = "application/vnd.google-apps.folder"
CHUNK = 256 * 1024


def truth(user):
    return fake.admin("truth", user=user, source="drive")


def content(files, id):
    """A file's bytes, fetched in pieces."""
    out = io.BytesIO()
    download = MediaIoBaseDownload(out, files.get_media(fileId=id), chunksize=100_000)
    done = False
    while not done:
        _, done = download.next_chunk()
    return out.getvalue()


def test_a_listing_is_the_store_s():
    user = fake.USERS[1]
    files = fake.drive(user).files()
    listed, n_pages = fake.pages(
        files, files.list(pageSize=20, fields="nextPageToken,files(id,name,md5Checksum)"), "files"
    )
    expected = {file["id"]: file["name"] for file in truth(user)["files"] if not file.get("driveId")}
    mine = {file["id"]: file["name"] for file in listed}
    assert expected and n_pages > 1
    assert {id: mine.get(id) for id in expected} == expected
    about = fake.drive(user).about().get(fields="user,storageQuota").execute()
    assert about["user"]["emailAddress"] == user


def test_a_search_finds_what_it_says():
    files = fake.drive(fake.USERS[1]).files()
    folders, _ = fake.pages(files, files.list(q=f"mimeType = '{FOLDER}' and trashed = false"), "files")
    assert folders and {folder["mimeType"] for folder in folders} == {FOLDER}
    with pytest.raises(HttpError) as bad:
        files.list(q="name is what").execute()
    assert (bad.value.status_code, bad.value.error_details[0]["reason"]) == (400, "invalid")


@pytest.mark.parametrize("size", [0, 1_000, 1_000_000])
@pytest.mark.parametrize("resumable", [False, True])
def test_uploads_and_downloads_keep_the_bytes(resumable, size):
    files = fake.drive(fake.USERS[1]).files()
    data = bytes(number * 7 % 251 for number in range(size))
    media = MediaIoBaseUpload(io.BytesIO(data), "application/x-test", chunksize=CHUNK, resumable=resumable)
    request = files.create(body={"name": "up.bin"}, media_body=media, fields="id,size,mimeType,md5Checksum")
    answer = None if resumable else request.execute()
    while answer is None:
        _, answer = request.next_chunk()
    assert (answer["size"], answer["mimeType"]) == (str(size), "application/x-test")
    if size:
        assert content(files, answer["id"]) == data
    changed = files.update(
        fileId=answer["id"], body={"name": "down.bin"}, media_body=MediaInMemoryUpload(b"new", "text/plain")
    ).execute()
    assert changed["name"] == "down.bin" and content(files, answer["id"]) == b"new"
    files.delete(fileId=answer["id"]).execute()


def test_files_move_copy_and_go_to_the_trash():
    files = fake.drive(fake.USERS[1]).files()
    folder = files.create(body={"name": "Folder", "mimeType": FOLDER}).execute()
    file = files.create(
        body={"name": "a.txt", "parents": ["root"]}, media_body=MediaInMemoryUpload(b"text", "text/plain")
    ).execute()
    parents = files.get(fileId=file["id"], fields="parents").execute()["parents"]
    moved = files.update(
        fileId=file["id"], addParents=folder["id"], removeParents=",".join(parents), fields="parents"
    ).execute()
    assert moved["parents"] == [folder["id"]]
    copy = files.copy(fileId=file["id"], body={"name": "b.txt"}).execute()
    assert content(files, copy["id"]) == b"text"
    inside, _ = fake.pages(files, files.list(q=f"'{folder['id']}' in parents", orderBy="name"), "files")
    assert [one["name"] for one in inside] == ["a.txt", "b.txt"]
    assert files.update(fileId=folder["id"], body={"trashed": True}, fields="trashed").execute()["trashed"]
    assert files.get(fileId=file["id"], fields="trashed,explicitlyTrashed").execute() == {
        "trashed": True,
        "explicitlyTrashed": False,
    }
    files.delete(fileId=folder["id"]).execute()
    with pytest.raises(HttpError) as gone:
        files.get(fileId=file["id"]).execute()
    assert (gone.value.status_code, gone.value.error_details[0]["reason"]) == (404, "notFound")
    ids = files.generateIds(count=3).execute()["ids"]
    assert files.create(body={"id": ids[0], "name": "named"}).execute()["id"] == ids[0]


def test_a_document_is_exported():
    files = fake.drive(fake.USERS[1]).files()
    document = files.create(
        body={"name": "Doc", "mimeType": "application/vnd.google-apps.document"},
        media_body=MediaInMemoryUpload(b"Some words", "text/plain"),
    ).execute()
    assert b"Some words" in files.export(fileId=document["id"], mimeType="text/plain").execute()
    with pytest.raises(HttpError) as refused:
        files.get_media(fileId=document["id"]).execute()
    assert refused.value.error_details[0]["reason"] == "fileNotDownloadable"
    files.delete(fileId=document["id"]).execute()


def test_sharing_lets_others_in():
    owner, other = fake.drive(fake.USERS[1]), fake.drive(fake.USERS[2])
    file = owner.files().create(body={"name": "Shared"}).execute()
    with pytest.raises(HttpError):
        other.files().get(fileId=file["id"]).execute()
    person = {"type": "user", "role": "reader", "emailAddress": fake.USERS[2]}
    made = owner.permissions().create(fileId=file["id"], body=person, sendNotificationEmail=False).execute()
    assert other.files().get(fileId=file["id"], fields="capabilities/canEdit").execute() == {
        "capabilities": {"canEdit": False}
    }
    owner.permissions().update(fileId=file["id"], permissionId=made["id"], body={"role": "writer"}).execute()
    other.files().update(fileId=file["id"], body={"name": "Renamed"}).execute()
    listed, _ = fake.pages(owner.permissions(), owner.permissions().list(fileId=file["id"], pageSize=1), "permissions")
    assert sorted(one["role"] for one in listed) == ["owner", "writer"]
    owner.permissions().delete(fileId=file["id"], permissionId=made["id"]).execute()
    with pytest.raises(HttpError):
        other.files().get(fileId=file["id"]).execute()
    owner.files().delete(fileId=file["id"]).execute()


def test_shared_drives_have_members_and_a_log():
    client = fake.drive(fake.USERS[1])
    drive = client.drives().create(requestId="python-clients-1", body={"name": "Team"}).execute()
    start = client.changes().getStartPageToken(driveId=drive["id"], supportsAllDrives=True).execute()
    file = client.files().create(
        body={"name": "Ours", "parents": [drive["id"]]}, supportsAllDrives=True, fields="id,driveId"
    ).execute()
    assert file["driveId"] == drive["id"]
    found = client.files().list(
        corpora="drive", driveId=drive["id"], includeItemsFromAllDrives=True, supportsAllDrives=True
    ).execute()
    assert [one["id"] for one in found["files"]] == [file["id"]]
    changes = client.changes().list(
        pageToken=start["startPageToken"],
        driveId=drive["id"],
        includeItemsFromAllDrives=True,
        supportsAllDrives=True,
    ).execute()
    assert file["id"] in [one.get("fileId") for one in changes["changes"]]
    listed, _ = fake.pages(client.drives(), client.drives().list(pageSize=1), "drives")
    assert drive["id"] in [one["id"] for one in listed]
    client.files().delete(fileId=file["id"], supportsAllDrives=True).execute()
    client.drives().delete(driveId=drive["id"]).execute()


def test_changes_lead_from_one_state_to_the_next():
    user = fake.USERS[2]
    client = fake.drive(user)
    changes = client.changes()
    token = changes.getStartPageToken().execute()["startPageToken"]
    state = {file["id"]: file for file in truth(user)["files"]}
    for seed in range(3):
        fake.admin("churn", user=user, source="drive", rounds=25, seed=seed)
        request = changes.list(
            pageToken=token,
            pageSize=7,
            includeItemsFromAllDrives=True,
            supportsAllDrives=True,
            fields="nextPageToken,newStartPageToken,changes(changeType,removed,fileId,file(id,name,version))",
        )
        while request is not None:
            answer = request.execute()
            for change in answer["changes"]:
                if change["changeType"] == "file":
                    if change["removed"]:
                        state.pop(change["fileId"], None)
                    else:
                        state[change["fileId"]] = change["file"]
            request = changes.list_next(request, answer)
        token = answer["newStartPageToken"]
    expected = truth(user)["files"]
    names = {file["id"]: file["name"] for file in expected if not file.get("driveId")}
    assert {id: state[id]["name"] for id in names} == names


def test_limits_are_tried_again():
    user = fake.USERS[2]
    fault = fake.admin(
        "fault.on", user=user, method="drive.files.list", status=403, reason="userRateLimitExceeded", count=1
    )
    try:
        request = fake.without_waiting(fake.drive(user).files().list(pageSize=1))
        assert "files" in request.execute(num_retries=2)
        stats = fake.admin("stats")
        assert stats["calls"][user]["drive.files.list"] >= 2
    finally:
        fake.admin("fault.off", fault=fault["fault"])
