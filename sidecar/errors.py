"""The errors a person can cause and mend.

    SidecarError
    ├── ConfigurationError   a setting is wrong: key, problem, remedy, place
    └── StateError           the state directory cannot be used: path, problem, remedy

Each one's text is a single line that names the key or path and what to do. Both end the
command with `EXIT_CONFIGURATION`. Faults of CloudWatch or of the volume are no errors of this
kind: they are outcomes and states, and delivery goes on.
"""

EXIT_CONFIGURATION = 2


class SidecarError(Exception):
    """Root of the tree; its text is one line for a person."""

    exit_status = EXIT_CONFIGURATION


class ConfigurationError(SidecarError):
    """A setting that cannot be used.

    `key` is the setting's path as in the file (`logs[0].include`), a variable's name or a file's;
    `place` says where it stands (`sidecar.yaml line 12`), None when it is not from a file.
    """

    def __init__(self, key: str, problem: str, remedy: str, place: str | None = None) -> None:
        self.key = key
        self.problem = problem
        self.remedy = remedy
        self.place = place
        where = f"{place}: " if place else ""
        super().__init__(on_one_line(f"{where}{key}: {problem}; {remedy}"))


class StateError(SidecarError):
    """The state directory, or something in it, cannot be used as it is."""

    def __init__(self, path: str, problem: str, remedy: str) -> None:
        self.path = path
        self.problem = problem
        self.remedy = remedy
        super().__init__(on_one_line(f"{path}: {problem}; {remedy}"))


def on_one_line(text: str) -> str:
    """`text` with every unprintable character escaped, so that it stays one line anywhere."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )
