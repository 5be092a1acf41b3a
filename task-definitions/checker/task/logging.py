"""What the containers print themselves, and where it goes."""

from checker.finding import Problems
from checker.task.view import Task, is_sidecar

AWSLOGS_OPTIONS = ("awslogs-group", "awslogs-region", "awslogs-stream-prefix")


def printed_lines_are_kept(task: Task) -> Problems:
    """On Fargate there is no host to look at afterwards."""
    for container in task.containers:
        if not container.get("logConfiguration"):
            yield (
                f"{container['name']}: without a logConfiguration what it prints is lost, the reason"
                " of a failed start first; use the awslogs driver"
            )


def awslogs(task: Task) -> Problems:
    """What the driver needs, and who signs in for it."""
    for container in task.containers:
        logging = container.get("logConfiguration") or {}
        if logging.get("logDriver") != "awslogs":
            continue
        name, options = container["name"], logging.get("options") or {}
        for key in AWSLOGS_OPTIONS:
            if not options.get(key):
                yield f"{name}: awslogs needs {key} on Fargate"
        if options.get("mode", "non-blocking") not in ("blocking", "non-blocking"):
            yield f"{name}: the awslogs mode is blocking or non-blocking, not {options['mode']}"
        if options.get("mode") == "blocking" and "max-buffer-size" in options:
            yield f"{name}: max-buffer-size is for non-blocking mode only"
        if options.get("mode") == "blocking":
            who = "it must go on reading" if is_sidecar(container) else "the app must go on serving"
            yield (
                f"{name}: mode blocking stops the program while CloudWatch is away, just when"
                f" {who}; make it non-blocking"
            )
        if not task.get("executionRoleArn"):
            yield f"{name}: awslogs needs an executionRoleArn, which writes for it"


RULES = (printed_lines_are_kept, awslogs)
