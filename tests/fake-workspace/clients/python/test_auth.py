"""google-auth and google-auth-oauthlib: all ways to a token, and what happens when one ends.

What the tokens open is in the files of the APIs.
"""

import datetime
import json
import urllib.request

import fake
import google.auth.exceptions
import google.oauth2.credentials
import google.oauth2.id_token
import pytest
from google.auth import compute_engine, impersonated_credentials
from google.auth.transport.requests import AuthorizedSession, Request
from google_auth_oauthlib.flow import InstalledAppFlow
from googleapiclient.discovery import build

SCOPES = ["openid", fake.EMAIL, fake.GMAIL_READONLY]


def profile(credentials):
    """Whose mailbox the credentials open."""
    gmail = build("gmail", "v1", credentials=credentials, cache_discovery=False)
    return gmail.users().getProfile(userId="me").execute()["emailAddress"]


def test_one_service_account_stands_for_many_users():
    account = fake.credentials(fake.USERS[0], fake.GMAIL_READONLY)
    for user in fake.USERS:
        assert profile(account.with_subject(user)) == user


def test_no_such_user_and_no_such_scope_are_told_apart():
    with pytest.raises(google.auth.exceptions.RefreshError, match="invalid_grant: Invalid email or User ID"):
        profile(fake.credentials(f"nobody@{fake.DOMAIN}", fake.GMAIL_READONLY))
    insert = "https://www.googleapis.com/auth/gmail.insert"
    fake.admin("delegation.revoke", scope=insert)
    try:
        with pytest.raises(google.auth.exceptions.RefreshError, match="unauthorized_client"):
            fake.credentials(fake.USERS[1], insert).refresh(Request())
    finally:
        fake.admin("delegation.grant", scope=insert)
    fake.credentials(fake.USERS[1], insert).refresh(Request())


def test_an_expired_token_is_fetched_anew():
    user = fake.USERS[1]
    credentials = fake.credentials(user, fake.GMAIL_READONLY)
    assert profile(credentials) == user
    first = credentials.token
    assert fake.admin("tokens.expire", user=user)["expired"] >= 1
    assert profile(credentials) == user
    assert credentials.token != first


def test_an_installed_app_asks_in_a_browser_with_pkce():
    user = fake.USERS[1]
    flow = InstalledAppFlow.from_client_config(fake.client_file(), SCOPES, autogenerate_code_verifier=True)
    credentials = flow.run_local_server(port=0, login_hint=user, prompt="consent", timeout_seconds=60)
    assert flow.code_verifier and credentials.refresh_token
    assert profile(credentials) == user

    claims = google.oauth2.id_token.verify_oauth2_token(
        credentials.id_token, Request(), fake.client_file()["installed"]["client_id"]
    )
    assert (claims["email"], claims["hd"]) == (user, fake.DOMAIN)
    oauth2 = build("oauth2", "v2", credentials=credentials, cache_discovery=False)
    assert oauth2.userinfo().get().execute()["email"] == user

    kept = google.oauth2.credentials.Credentials.from_authorized_user_info(json.loads(credentials.to_json()))
    kept.expiry = datetime.datetime(2020, 1, 1)
    assert kept.expired and profile(kept) == user
    assert kept.token != credentials.token

    # https://developers.google.com/identity/protocols/oauth2/native-app#tokenrevoke
    body = f"token={kept.refresh_token}".encode()
    with urllib.request.urlopen("https://oauth2.googleapis.com/revoke", body) as answer:
        assert answer.status == 200
    with pytest.raises(google.auth.exceptions.RefreshError, match="invalid_grant"):
        kept.refresh(Request())


def test_a_wrong_verifier_gets_no_token():
    flow = InstalledAppFlow.from_client_config(fake.client_file(), SCOPES)
    right = flow.fetch_token

    def wrong(**fields):
        flow.code_verifier = "x" * 43
        return right(**fields)

    flow.fetch_token = wrong
    with pytest.raises(Exception, match="invalid_grant"):
        flow.run_local_server(port=0, login_hint=fake.USERS[1], timeout_seconds=60)


def test_the_metadata_server_gives_the_workload_a_token():
    credentials = compute_engine.Credentials()
    credentials.refresh(Request())
    assert credentials.token and credentials.service_account_email.endswith(".iam.gserviceaccount.com")
    default, project = google.auth.default(scopes=[fake.CLOUD])
    assert isinstance(default, compute_engine.Credentials) and project == fake.key_file()["project_id"]


def test_delegation_without_a_key_goes_by_sign_jwt():
    user = fake.USERS[1]
    credentials = impersonated_credentials.Credentials(
        source_credentials=compute_engine.Credentials(),
        target_principal=fake.key_file()["client_email"],
        target_scopes=[fake.GMAIL_READONLY],
        subject=user,
    )
    assert profile(credentials) == user
    fake.admin("iam.revoke")
    try:
        with pytest.raises(google.auth.exceptions.RefreshError, match="iam.serviceAccounts.signJwt"):
            credentials.refresh(Request())
    finally:
        fake.admin("iam.grant")


def test_an_authorized_session_speaks_to_any_address():
    session = AuthorizedSession(fake.credentials(fake.USERS[0], fake.GMAIL_READONLY))
    answer = session.get("https://gmail.googleapis.com/gmail/v1/users/me/profile")
    assert answer.status_code == 200 and answer.json()["emailAddress"] == fake.USERS[0]
