"""What another user of this machine can do below a folder: run as a program, it becomes `nobody` first.

Prints a line for each thing that it could do. Needs root to be started.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path


def deeds_of_another_user(*places: Path) -> list[str]:
    """What `nobody` could do with what is in these places, whose names it is told one by one, as if it had guessed."""
    names = [str(path) for place in places for path in (place, *sorted(place.rglob("*")))]
    done = subprocess.run(
        [sys.executable, "-I", "-S", __file__], input="\n".join(names), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    tried, *deeds = done.stdout.splitlines()
    assert int(tried) == len(names) > 0
    return deeds


def _deeds(path: Path) -> Iterator[str]:
    """Everything is tried; what is changed is changed back."""
    renamed = path.with_name(path.name + ".renamed")
    with contextlib.suppress(OSError):
        path.rename(renamed)
        renamed.rename(path)
        yield "moved"
    with contextlib.suppress(OSError):
        kind = path.lstat().st_mode
        yield "seen"
        if stat.S_ISDIR(kind):
            yield from _deeds_in_a_folder(path)
        elif stat.S_ISSOCK(kind):
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
                connection.connect(str(path))
                yield "connected to"
        else:
            for flag, deed in ((os.O_RDONLY, "read"), (os.O_WRONLY, "written")):
                with contextlib.suppress(OSError):
                    os.close(os.open(path, flag | os.O_NONBLOCK))
                    yield deed


def _deeds_in_a_folder(folder: Path) -> Iterator[str]:
    with contextlib.suppress(OSError):
        os.listdir(folder)
        yield "listed"
    with contextlib.suppress(OSError):
        (folder / "planted.py").write_text("raise SystemExit")
        (folder / "planted.py").unlink()
        yield "planted in"


def main() -> None:
    nobody = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)
    paths = [Path(line) for line in sys.stdin.read().splitlines()]
    print(len(paths))
    for path in paths:
        for deed in _deeds(path):
            print(f"{deed}: {path}")


if __name__ == "__main__":
    main()
