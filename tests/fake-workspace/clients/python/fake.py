"""What the tests of Python clients need of the fake Workspace: its control port and its credentials.

No test lives here, and nothing that stands between a client and the fake.
"""

import json
import os
import pathlib
import urllib.request

from google.oauth2 import service_account
from googleapiclient.discovery import build

GMAIL = "https://mail.google.com/"
GMAIL_READONLY = "https://www.googleapis.com/auth/gmail.readonly"
CALENDAR = "https://www.googleapis.com/auth/calendar"
DRIVE = "https://www.googleapis.com/auth/drive"
DIRECTORY = "https://www.googleapis.com/auth/admin.directory.user.readonly"
CLOUD = "https://www.googleapis.com/auth/cloud-platform"
EMAIL = "https://www.googleapis.com/auth/userinfo.email"

LINE = json.loads(pathlib.Path(os.environ["FAKE_LINE"]).read_text())
ADMIN_USER = LINE["admin_user"]
#: Everybody who can log in; the first is the administrator.
USERS = [user for user in LINE["users"] if user not in LINE["suspended"]]
SUSPENDED = LINE["suspended"]
DOMAIN = ADMIN_USER.split("@")[1]


def admin(operation, **fields):
    """Runs an operation of the control port."""
    request = urllib.request.Request(f"{LINE['admin']}/{operation}", json.dumps(fields).encode())
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def key_file():
    """The service account's key, with the addresses that Google writes into such a file."""
    info = json.loads(pathlib.Path(LINE["key"]).read_text())
    return {**info, "token_uri": "https://oauth2.googleapis.com/token"}


def client_file():
    """The installed client, with the addresses that Google writes into such a file."""
    installed = json.loads(pathlib.Path(LINE["oauth_client"]).read_text())["installed"]
    addresses = {
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    return {"installed": {**installed, **addresses}}


def credentials(user, *scopes):
    """The service account in the name of a user."""
    account = service_account.Credentials.from_service_account_info(key_file(), scopes=scopes)
    return account.with_subject(user)


def service(api, version, user, *scopes):
    """A client made from the discovery document that Google's library ships."""
    return build(api, version, credentials=credentials(user, *scopes), cache_discovery=False)


def gmail(user, *scopes):
    """Gmail of a user, with full access if nothing is said."""
    return service("gmail", "v1", user, *(scopes or (GMAIL,)))


def calendar(user):
    """Calendar of a user."""
    return service("calendar", "v3", user, CALENDAR)


def drive(user):
    """Drive of a user."""
    return service("drive", "v3", user, DRIVE)


def pages(collection, request, items):
    """All items of a listing, page after page, as the client's own `list_next` leads."""
    found, n_pages = [], 0
    while request is not None:
        answer = request.execute()
        found += answer.get(items, [])
        n_pages += 1
        request = collection.list_next(request, answer)
    return found, n_pages


def without_waiting(request):
    """The same request, whose retries do not sleep; how often and why it retries is the client's."""
    request._sleep = lambda _seconds: None
    return request
