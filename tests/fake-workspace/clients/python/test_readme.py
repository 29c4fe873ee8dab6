"""What the fake's README says about driving it by hand works when it is followed to the letter.

Only the folder and the port are others, so that it can run beside anything.
"""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys

import pytest

README = pathlib.Path(__file__).parents[2] / "README.md"


def blocks(language):
    """The listings of a language in the section, in their order."""
    section = README.read_text().split("\n## By hand\n")[1].split("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```", section, re.MULTILINE | re.DOTALL)


@pytest.fixture
def place(tmp_path):
    """Puts a listing to the folder and the port of this test; ends what it started."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    def put(text):
        assert text
        return text.replace("/tmp/fake", str(tmp_path)).replace("8087", str(port))

    yield put
    line = tmp_path / "line"
    if line.exists() and line.read_text():
        os.kill(json.loads(line.read_text())["pid"], signal.SIGTERM)


def shell(text):
    """Runs lines in one shell; what they print."""
    binary = pathlib.Path(os.environ["FAKE_WORKSPACE"])
    environment = {**os.environ, "PATH": f"{binary.parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_listings_do_what_they_say(place, monkeypatch):
    first, second = map(place, blocks("sh"))
    # The server outlives the shell, as it does for a person who goes on typing.
    first = re.sub(r"> (\S+/line) &", r"> \1 2> /dev/null &", first)
    out = shell(f"{first}\necho; echo ===\n{second}")
    by_hand, consent = out.split("\n===\n")
    assert int(by_hand.split()[0]) > 0
    assert '"calls"' in by_hand and '"UNAUTHENTICATED"' in by_hand
    assert '"refresh_token"' in consent and '"emailAddress"' in consent

    # The fake of this listing speaks plain HTTP on this machine.
    for name in ("REQUESTS_CA_BUNDLE", "HTTPLIB2_CA_CERTS", "SSL_CERT_FILE"):
        monkeypatch.delenv(name)
    text = "\n".join(map(place, blocks("python")))
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "'resultSizeEstimate'" in done.stdout
    assert "'emailAddress'" in done.stdout and "'labels'" in done.stdout
