"""Sends Google's host names to the fake Workspace, so that clients run as they are.

Python loads this file by itself when its folder is on PYTHONPATH. It changes where names lead to, and the one port
that a sign-in listens on; certificates, URLs and protocols are the client's. Any other host but this machine is
refused, so a test cannot reach the world by mistake.
"""

import os
import socket

_PORT = os.environ.get("FAKE_PORT")
_HERE = ("localhost", "127.0.0.1", "::1", "", None)
_resolve = socket.getaddrinfo
_socket_connect = socket.socket.connect
_socket_bind = socket.socket.bind
#: Where google-auth-oauthlib waits for the browser if nobody says otherwise, as lieer does not.
_SIGN_IN_PORT = 8080


def _is_google(name):
    return name == "accounts.google.com" or name.endswith(".googleapis.com")


def _place(host, port):
    """Where a name leads to."""
    name = host.decode() if isinstance(host, bytes) else host
    if name in _HERE:
        return host, port
    if _is_google(name):
        return "127.0.0.1", int(_PORT)
    raise socket.gaierror(socket.EAI_NONAME, f"tests reach Google's names only, not {name}")


def _getaddrinfo(host, port, *args, **kwargs):
    return _resolve(*_place(host, port), *args, **kwargs)


def _connect(self, address):
    # httplib2 gives the name itself to the socket.
    if isinstance(address, tuple):
        address = (*_place(*address[:2]), *address[2:])
    return _socket_connect(self, address)


def _bind(self, address):
    # The port may be in use on this machine, and any free one does: the app tells the browser which it got.
    if isinstance(address, tuple) and address[1] == _SIGN_IN_PORT:
        address = (address[0], 0)
    return _socket_bind(self, address)


if _PORT:
    socket.getaddrinfo = _getaddrinfo
    socket.socket.connect = _connect
    socket.socket.bind = _bind
