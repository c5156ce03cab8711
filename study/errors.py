"""What a command answers with exit status 2: the message alone, no traceback."""


class StudyError(Exception):
    """The command could not be carried out. The message names the thing and the remedy."""
