"""A small endpoint of the Lambda runtime API, and the runtime interface client run against it.

`awslambdaric` is the program that runs a Python function inside Lambda: it asks this endpoint for
the next invocation, calls the function, and posts what came of it. Standard library only, since it
runs in the function's test image too: `python -m lambda_runtime` serves `POST /` like AWS's own
emulator.
"""

from .endpoint import Invocation, RuntimeEndpoint
from .function import RunningFunction

__all__ = ["Invocation", "RunningFunction", "RuntimeEndpoint"]
