"""What a command answers with exit status 2: the message alone, no traceback."""


class AnalysisError(Exception):
    """The question cannot be answered from these results. The message names the thing and the remedy."""

    def __str__(self) -> str:
        """What is shown on a terminal is text: names in it may come from others, with escape sequences in them."""
        return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in super().__str__())
