"""A function in a process of its own, run by the runtime interface client as Lambda does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .endpoint import Invocation, RuntimeEndpoint

LAUNCHER = (
    # Everything is imported before: the interpreter may lie where only root may read.
    "import os, pkgutil, http.client, traceback, encodings.idna, encodings.utf_8_sig;"
    " import awslambdaric, function;"
    " [__import__(each.name) for each in pkgutil.walk_packages(awslambdaric.__path__,"
    " 'awslambdaric.') if not each.name.endswith('__main__')];"
    " import awslambdaric.__main__ as m;"
    " os.setgroups([]); os.setgid({user}); os.setuid({user}); os.umask(0o027)"
)


class RunningFunction:
    """One environment of a function, from `with` to its end.

    `user` is the number of the user and group that the process takes, where this one is root: what
    an access point does to whoever mounts through it.
    """

    def __init__(
        self,
        code: Path,
        environment: Mapping[str, str],
        *,
        name: str = "function",
        stream: str = "2026/11/27/[1]0123456789abcdef",
        user: int | None = None,
    ) -> None:
        self._endpoint = RuntimeEndpoint()
        launched = (
            LAUNCHER.format(user=user) if user is not None else "import awslambdaric.__main__ as m"
        )
        program = f"{launched}; import sys; m.main(['awslambdaric', 'function.profile'])"
        self._command = [sys.executable, "-c", program]
        self._code = code
        self._environment = {
            **os.environ,
            "AWS_LAMBDA_RUNTIME_API": self._endpoint.address,
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": stream,
            "LAMBDA_TASK_ROOT": str(code),
            "PYTHONPATH": str(code),
            "PYTHONDONTWRITEBYTECODE": "1",
            **environment,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> RunningFunction:
        self._endpoint.__enter__()
        self._process = subprocess.Popen(
            self._command,
            cwd=self._code,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.communicate()
        self._endpoint.__exit__()

    def invoke(self, event: Any) -> Invocation:
        """One invocation; its `answer`, or its `error` as Lambda would give it."""
        return self._endpoint.invoke(event)

    @property
    def init_error(self) -> dict[str, Any] | None:
        return self._endpoint.init_error
