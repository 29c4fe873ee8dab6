"""A browser for installed apps: opens the consent page, presses Allow and follows the way back to the app.

`BROWSER="python browser.py %s"` makes Python's own `webbrowser` use it. Whom it logs in is the `login_hint`, or
FAKE_BROWSER_USER.
"""

import html.parser
import os
import sys
import urllib.parse
import urllib.request


class Form(html.parser.HTMLParser):
    """The first form of a page: its address, its method and its hidden fields."""

    def __init__(self):
        super().__init__()
        self.action, self.method, self.fields, self.users = None, "get", {}, []

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if tag == "form" and self.action is None:
            self.action, self.method = found.get("action"), found.get("method", "get").lower()
        elif tag == "input" and found.get("type") == "hidden":
            self.fields[found["name"]] = found.get("value", "")


def consent(url):
    """Says yes on the page behind `url`; returns what the app shows to the person in the end."""
    hint = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query).get("login_hint")
    user = hint[0] if hint else os.environ["FAKE_BROWSER_USER"]
    with urllib.request.urlopen(url) as page:
        form = Form()
        form.feed(page.read().decode())
    fields = {**form.fields, "user": user, "decision": "allow"}
    address = urllib.parse.urljoin(url, form.action)
    assert form.method == "post", form.method
    with urllib.request.urlopen(address, urllib.parse.urlencode(fields).encode()) as shown:
        return shown.read().decode()


if __name__ == "__main__":
    consent(sys.argv[1])
