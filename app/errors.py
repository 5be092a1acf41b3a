"""Everything the service can go wrong about on purpose.

AppError
├── SettingsError            a person must change the environment; the process ends with status 2
├── RefusedError             the request cannot be served; carries the HTTP status and the reason
├── DatasetGoneError         the dataset was deleted while something worked on it
└── ProfileError             the file cannot be read; the reason is shown to whoever uploaded it
    └── ProfileStoppedError  the process is shutting down, or the time limit was reached
"""

import errno

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class AppError(Exception):
    """Root of the tree above."""


class SettingsError(AppError):
    """One setting is unusable. `str()` is one line that names it and what to do."""

    def __init__(self, key: str, problem: str, remedy: str) -> None:
        self.key = key
        self.problem = problem
        self.remedy = remedy
        super().__init__(" ".join(f"{key}: {problem}; {remedy}".split()))


class RefusedError(AppError):
    """The request ends with `status` and `reason`."""

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        self.reason = reason
        super().__init__(f"{status} {reason}")


class DatasetGoneError(AppError):
    """The dataset's directory is no longer there."""


class ProfileError(AppError):
    """`reason` is written for the person who uploaded the file."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class ProfileStoppedError(ProfileError):
    """The profile was interrupted from outside; nothing is wrong with the file."""


def is_full(error: OSError) -> bool:
    """Whether the volume refused for want of room (space, quota, or the largest file it takes)."""
    return error.errno in FULL
