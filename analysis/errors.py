"""What a command answers with exit status 2: the message alone, no traceback."""

from study.errors import StudyError


class AnalysisError(StudyError):
    """The question cannot be answered from these results. The message names the thing and the remedy."""
