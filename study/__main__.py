"""The command `study`, also `python -m study`."""

from study.terminal.starting import run_command


def main() -> int:
    """Run one command; its exit status."""
    return run_command("study.terminal.cli")


if __name__ == "__main__":
    raise SystemExit(main())
