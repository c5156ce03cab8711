"""A program that runs another, `tied.py PARENT COMMAND...`: the kernel kills that one as soon as the parent ends."""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Become the command; it keeps this process's number, and the tie. Does not return."""
    parent, *command = sys.argv[1:]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() == int(os.environ[parent]):  # else it has ended before the tie was made
        os.execv(command[0], command)


if __name__ == "__main__":
    main()
