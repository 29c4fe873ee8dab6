"""Settings of all tests of Python clients."""

import os
import pathlib
import sys

import fake

_SCRIPT = pathlib.Path(__file__).with_name("browser.py")
# The ampersand keeps Python from waiting for the browser, which itself waits for the app.
os.environ["BROWSER"] = f"{sys.executable} {_SCRIPT} %s &"

# The administrator delegated the metadata of Drive only.
fake.admin("delegation.grant", scope=fake.DRIVE)
