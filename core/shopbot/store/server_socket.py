"""Where the embedded server of a data directory listens, computed alike by every process."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
from pathlib import Path
from urllib.parse import quote

from shopbot.store.errors import StoreError

_SOCKET_NAME = "valkey.sock"
# sun_path holds 104 bytes on macOS and 108 on Linux, the final zero included
# (https://man7.org/linux/man-pages/man7/unix.7.html).
_LONGEST_PATH_BYTES = 100
# Not tempfile.gettempdir(): TMPDIR may differ between the host's service and an operator's shell.
_SHORT_ROOT = Path("/tmp")  # noqa: S108 - the directory made there is verified before each use
_CONNECT_SECONDS = 1.0


def socket_path(data_dir: Path) -> Path:
    """Say where the server of *data_dir* listens; touches nothing.

    Inside `data_dir`, or, where that path is too long for a socket, in a directory under /tmp that is named
    after it. The name leaves out the user, so that root finds the server of a service's user.
    """
    resolved = data_dir.resolve()
    path = resolved / _SOCKET_NAME
    if len(os.fsencode(path)) <= _LONGEST_PATH_BYTES:
        return path
    digest = hashlib.sha256(os.fsencode(resolved)).hexdigest()[:24]
    return _SHORT_ROOT / f"shopbot-{digest}" / _SOCKET_NAME


def url_for(data_dir: Path) -> str:
    """Give the `unix://` URL, as redis-py reads it, of the server of *data_dir*, whether or not it runs.

    Raises:
        StoreError: somebody else owns, or may write to, the directory under /tmp that holds the socket.
    """
    path = socket_path(data_dir)
    if not _is_inside(path, data_dir):
        owners = {os.geteuid()}
        if data_dir.exists():
            owners.add(data_dir.stat().st_uid)
        _verify_private(path.parent, owners)
    return f"unix://{quote(os.fsencode(path))}"


def is_running(data_dir: Path) -> bool:
    """Say whether a server listens for *data_dir*; it may still be loading.

    Raises:
        StoreError: this user may not ask, or the directory under /tmp that holds the socket is not to be
            trusted.
    """
    url_for(data_dir)
    path = socket_path(data_dir)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(_CONNECT_SECONDS)
        try:
            client.connect(os.fsencode(path))
        except (BlockingIOError, TimeoutError):
            return True  # somebody listens, and is too busy to accept
        except PermissionError as error:
            raise StoreError(f"cannot reach {path}: run this as the user that runs shopbot") from error
        except OSError:
            return False
    return True


def is_ready(path: Path) -> bool:
    """Say whether the server at *path* has loaded its data and answers commands."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(_CONNECT_SECONDS)
            client.connect(os.fsencode(path))
            client.sendall(b"PING\r\n")
            return client.recv(64).startswith(b"+PONG")
    except OSError:
        return False


def make_socket_directory(data_dir: Path) -> None:
    """Make the directory under /tmp, where the socket does not fit into *data_dir*, for this user alone.

    Raises:
        StoreError: it cannot be made, or somebody else made it first.
    """
    path = socket_path(data_dir)
    if _is_inside(path, data_dir):
        return
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"cannot make {path.parent} for the store's socket: {error.strerror}; use a shorter data_dir"
        ) from error
    _verify_private(path.parent, {os.geteuid()})


def remove_socket_directory(data_dir: Path) -> None:
    """Remove what `make_socket_directory` made, unless something else is in it."""
    path = socket_path(data_dir)
    if _is_inside(path, data_dir):
        return
    try:
        _verify_private(path.parent, {os.geteuid()})
        path.unlink(missing_ok=True)  # a server that was killed left it
        path.parent.rmdir()
    except (OSError, StoreError):
        return  # harmless: the next owner uses it again, or says what is wrong with it


def _is_inside(path: Path, data_dir: Path) -> bool:
    return path.parent == data_dir.resolve()


def _verify_private(directory: Path, owners: set[int]) -> None:
    try:
        status = directory.lstat()
    except FileNotFoundError:
        return
    if stat.S_ISDIR(status.st_mode) and status.st_uid in owners and not status.st_mode & 0o077:
        return
    raise StoreError(
        f"{directory} should hold the store's socket but is not a private directory of the user that runs "
        "shopbot; find out who made it and remove it, or use a shorter data_dir"
    )
