"""The Directory API through google-api-python-client: paging, single users, errors."""

import fake
import pytest
from googleapiclient.errors import HttpError


def users():
    """The users of the domain as its administrator sees them."""
    return fake.service("admin", "directory_v1", fake.ADMIN_USER, fake.DIRECTORY).users()


def test_pages_hold_every_user_once():
    directory = users()
    found, n_pages = fake.pages(directory, directory.list(customer="my_customer", maxResults=2), "users")
    assert sorted(user["primaryEmail"] for user in found) == sorted(fake.USERS + fake.SUSPENDED)
    assert n_pages == (len(found) + 1) // 2
    assert [user["primaryEmail"] for user in found if user["suspended"]] == fake.SUSPENDED


def test_a_search_and_a_mask():
    directory = users()
    answer = directory.list(
        domain=fake.DOMAIN, query="isSuspended=true", fields="users(id,primaryEmail)", orderBy="email"
    ).execute()
    assert [sorted(user) for user in answer["users"]] == [["id", "primaryEmail"]] * len(fake.SUSPENDED)
    one = directory.get(userKey=answer["users"][0]["id"]).execute()
    assert one["primaryEmail"] == answer["users"][0]["primaryEmail"]


def test_errors_are_google_s():
    with pytest.raises(HttpError) as missing:
        users().get(userKey=f"nobody@{fake.DOMAIN}").execute()
    assert missing.value.status_code == 404
    assert missing.value.error_details[0]["reason"] == "notFound"
    plain = fake.service("admin", "directory_v1", fake.USERS[1], fake.DIRECTORY)
    with pytest.raises(HttpError) as refused:
        plain.users().list(customer="my_customer").execute()
    assert refused.value.status_code == 403
    assert refused.value.reason == "Not Authorized to access this resource/api"
