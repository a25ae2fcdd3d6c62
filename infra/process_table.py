"""What the system says of its processes: which are there, since when, with what command line, listening where.

On Linux read from /proc; elsewhere asked of `ps`, which shows less. Nothing here starts or ends anything.
"""

from __future__ import annotations

import functools
import os
import re
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
FINISHED_STATES = "ZX"
"""States of a process that has ended and waits to be reaped: it holds no file, port or memory any more."""
LISTENING = "0A"
"""How /proc/net/tcp writes the state of a listening socket."""


def instance() -> str:
    """Return what tells this process from any other, here or elsewhere, now or later: `host:pid:starttime`."""
    return f"{socket.gethostname()}:{os.getpid()}:{start_time(os.getpid())}"


def alive(of: str) -> bool:
    """Return whether the process that called `instance()` is there. One of another host is taken to be: we cannot see it."""
    try:
        host, pid, started = of.rsplit(":", 2)
        number = int(pid)
    except ValueError:
        return False
    return host != socket.gethostname() or start_time(number) == started


def start_time(pid: int) -> str | None:
    """Return when a process was started, in a form to compare and not to read; None if there is none, or it has ended."""
    if (PROC / "self/stat").exists():
        return _linux_start_time(pid)
    shown = _ps("lstart=,stat=", pid)
    if not shown or shown.split()[-1][0] in FINISHED_STATES:
        return None
    return re.sub(r"\W+", "-", " ".join(shown.split()[:-1]))


def command_of(pid: int) -> tuple[str, ...]:
    """Return the command line of a process; empty if it is gone or is not shown to us."""
    try:
        return tuple((PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0"))
    except OSError:
        return tuple(_ps("command=", pid).split()) if not PROC.is_dir() else ()


def running_with(argument: str) -> list[int]:
    """Return the processes whose command line holds this argument: how one is found whose record was never written."""
    if PROC.is_dir():
        return [pid for pid in _pids() if pid != os.getpid() and argument in command_of(pid)]
    lines = _run_ps("-axww", "-o", "pid=,command=").splitlines()
    return sorted(int(line.split()[0]) for line in lines if line.rstrip().endswith(" " + argument))


def port_free(port: int, host: str = "127.0.0.1") -> bool:
    """Return whether a server could listen on the port now."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError:
            return False
    return True


def port_holder(port: int) -> int | None:
    """Return the pid of the process that listens on a TCP port; None if the system does not show it to us."""
    inodes = set()
    for table in (PROC / "net/tcp", PROC / "net/tcp6"):
        with suppress(OSError):
            inodes |= {
                f"socket:[{row[9]}]" for row in map(str.split, table.read_text("ascii").splitlines()[1:]) if _listens(row, port)
            }
    return next((pid for pid in _pids() if inodes & _open_sockets(pid)), None) if inodes else None


def _listens(row: list[str], port: int) -> bool:
    return row[3] == LISTENING and int(row[1].rpartition(":")[2], 16) == port


def _open_sockets(pid: int) -> set[str]:
    names = set()
    with suppress(OSError):  # it ended meanwhile, or is another user's
        for entry in (PROC / str(pid) / "fd").iterdir():
            with suppress(OSError):
                names.add(str(entry.readlink()))
    return names


def _pids() -> list[int]:
    return sorted(int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()) if PROC.is_dir() else []


def _linux_start_time(pid: int) -> str | None:
    try:
        after_name = (PROC / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if after_name[0] in FINISHED_STATES else f"{_boot()}.{after_name[19]}"


@functools.cache
def _boot() -> str:
    """Return what this boot is called: the kernel counts start times from it."""
    return (PROC / "sys/kernel/random/boot_id").read_text("ascii")[:8]


def _ps(columns: str, pid: int) -> str:
    return _run_ps("-ww", "-o", columns, "-p", str(pid)).strip()


def _run_ps(*arguments: str) -> str:
    shown = subprocess.run(["ps", *arguments], capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}, check=False)
    return shown.stdout
