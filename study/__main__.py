"""The command `study`, also `python -m study`."""

from study.terminal.starting import start


def main() -> int:
    """Run one command; its exit status."""
    start()
    from study.terminal.cli import main as command

    return command()


if __name__ == "__main__":
    raise SystemExit(main())
