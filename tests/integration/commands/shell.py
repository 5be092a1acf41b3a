"""The real command in a process of its own, with an environment that holds only what is given."""

import os
import subprocess
import sys
from collections.abc import Mapping


def sidecar(
    *arguments: str, environ: Mapping[str, str] | None = None, seconds: float = 60
) -> subprocess.CompletedProcess[str]:
    """`sidecar ARGUMENTS`, ended; nothing of AWS is found but what `environ` says."""
    alone = {
        "PATH": os.environ["PATH"],
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    return subprocess.run(
        [sys.executable, "-m", "sidecar", *arguments],
        env={**alone, **(environ or {})},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
