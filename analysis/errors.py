"""What a command answers with exit status 2: the message alone, no traceback."""


class AnalysisError(Exception):
    """The question cannot be answered from these results. The message names the thing and the remedy."""
