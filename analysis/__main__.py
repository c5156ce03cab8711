"""The command `analysis`, also `python -m analysis`."""

from study.terminal.starting import start


def main() -> int:
    """Run one command; its exit status."""
    start()
    from analysis.cli import main as command

    return command()


if __name__ == "__main__":
    raise SystemExit(main())
