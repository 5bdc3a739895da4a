# SPDX-License-Identifier: Apache-2.0
"""Checks of this computer: room, permissions, ports, proxies of the surroundings."""

import errno
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from portineria.doctor.finding import Finding, fault, ok, warning

_MIB = 1 << 20
_PROXIES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "http_proxy")
_ROOM = "What is done cannot be recorded when the disk is full, and what is not recorded is not done."


def room(folder: Path, *, fault_mib: int, warning_mib: int) -> Finding:
    free = shutil.disk_usage(folder).free // _MIB
    seen, remedy = f"{folder}: {free} MiB free", "Make room there, or move the folder to a larger disk."
    if free < fault_mib:
        return fault("disk", seen, _ROOM, remedy, free)
    return warning("disk", seen, _ROOM, remedy, free) if free < warning_mib else ok("disk", seen, free)


def private(path: Path, *, check: str = "permissions") -> Iterator[Finding]:
    """A secret, or a folder of them: ours, and closed to everybody else. Nothing where it does not exist."""
    try:
        found = path.stat()
        closed = not os.access(path, os.R_OK)
    except FileNotFoundError:
        return
    except PermissionError:
        closed, found = True, None
    if closed or found is None:
        yield fault(
            check, f"{path} cannot be read by this user", "The service runs as another user than the file belongs to.",
            "Run this as the user of the service (sudo -u USER …), or give it the file: chown USER PATH.",
        )  # fmt: skip
    elif found.st_mode & 0o077:
        yield fault(
            check, f"{path} has mode {found.st_mode & 0o777:o}", "Everybody on this computer can read a secret.",
            "chmod go= PATH, and consider whether the secret has to be changed.",
        )  # fmt: skip
    else:
        yield ok(check, f"{path} is closed to others")


def writable(folder: Path, *, check: str = "permissions") -> Finding:
    if os.access(folder, os.W_OK | os.X_OK):
        return ok(check, f"{folder} can be written")
    return fault(
        check, f"{folder} cannot be written by this user", "Nothing could be kept there.",
        "Run this as the user of the service, or give it the folder: chown -R USER FOLDER.",
    )  # fmt: skip


def port(host: str, number: int, *, ours: bool) -> Finding:
    """Whether somebody could listen there. ``ours``: it is known that a process of ours does."""
    where = f"{host}:{number}"
    if ours:
        return ok("port", f"{where}: this installation listens there")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what waits in TIME_WAIT is no obstacle
        try:
            probe.bind((host, number))
        except OSError as error:
            return _not_bound(where, error)
    return ok("port", f"{where} is free")


def _not_bound(where: str, error: OSError) -> Finding:
    if error.errno == errno.EADDRINUSE:
        return fault(
            "port", f"{where} is taken", "Another program listens there already, and nobody can come in.",
            "See which one: sudo ss -ltnp. Stop it, or choose another port in relays and public_url.",
        )  # fmt: skip
    if error.errno in (errno.EACCES, errno.EPERM):
        return fault(
            "port", f"{where} is closed to this user", "Ports below 1024 need a permission.",
            "AmbientCapabilities=CAP_NET_BIND_SERVICE in the unit, or a port above 1023.",
        )  # fmt: skip
    return fault(
        "port", f"{where}: {error.strerror}", "This computer has no such address.",
        "Write an address of this computer into relays: ip addr shows them.",
    )  # fmt: skip


def proxies(surroundings: Mapping[str, str], *, used: bool) -> Finding:
    """``used``: this part goes out through what the surroundings name."""
    found = [name for name in _PROXIES if surroundings.get(name)]
    if not found:
        return ok("proxy.surroundings", "no proxy in the surroundings")
    named = [f"{name}={_without_password(surroundings[name])}" for name in found]
    if used:
        return ok("proxy.surroundings", f"{', '.join(named)}: used for everything that goes out")
    return warning(
        "proxy.surroundings", ", ".join(named), "The settings say otherwise than the surroundings.",
        "Nothing, if that is meant. To use the surroundings' proxy take `proxy` out of the settings.",
    )  # fmt: skip


def _without_password(url: str) -> str:
    parts = urlsplit(url if "//" in url else f"http://{url}")
    return f"{parts.scheme}://{parts.hostname or ''}:{parts.port or ''}".rstrip(":")
