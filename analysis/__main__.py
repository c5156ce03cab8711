"""The command `analysis`, also `python -m analysis`."""

from study.terminal.starting import run_command


def main() -> int:
    """Run one command; its exit status."""
    return run_command("analysis.cli")


if __name__ == "__main__":
    raise SystemExit(main())
