"""What the containers print themselves, and where it goes."""

import re

from checker.finding import Problems
from checker.task.view import Definition, Task, environment, is_sidecar
from checker.values import is_known

AWSLOGS_OPTIONS = ("awslogs-group", "awslogs-region", "awslogs-stream-prefix")
KNOWN_OPTIONS = (
    *AWSLOGS_OPTIONS,
    *("awslogs-create-group", "awslogs-datetime-format", "awslogs-multiline-pattern"),
    *("max-buffer-size", "mode"),
)
# API reference, LogConfiguration.
BUFFER_SIZE = re.compile(r"\d+(\.\d+)? ?[kmg]?i?b?", re.I)
FARGATE_DRIVERS = ("awslogs", "splunk", "awsfirelens")


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
        size = str(options.get("max-buffer-size", "1m"))
        if is_known(size) and not BUFFER_SIZE.fullmatch(size):
            yield f"{name}: max-buffer-size {size!r} is no size such as 4m; the container does not start"
        if str(options.get("awslogs-create-group")).lower() == "true":
            yield (
                f"{name}: awslogs-create-group makes a group that is kept, and billed, for ever, and"
                " needs logs:CreateLogGroup; make it first, with a retention"
            )
        if not task.get("executionRoleArn"):
            yield f"{name}: awslogs needs an executionRoleArn, which writes for it"


def log_drivers(task: Task) -> Problems:
    """Fargate has three; and awslogs ignores an option it does not know."""
    for container in task.containers:
        logging = container.get("logConfiguration") or {}
        name, driver, options = (
            container["name"],
            logging.get("logDriver"),
            logging.get("options") or {},
        )
        if task.for_fargate and is_known(driver) and driver not in FARGATE_DRIVERS:
            yield f"{name}: logDriver {driver} is not to be had on Fargate; it has {', '.join(FARGATE_DRIVERS)}"
        routers = [each for each in task.containers if each.get("firelensConfiguration")]
        if driver == "awsfirelens" and not routers:
            yield f"{name}: awsfirelens needs a container with a firelensConfiguration; add it, or use awslogs"
        for option in options:
            if driver == "awslogs" and option not in KNOWN_OPTIONS:
                yield f"{name}: awslogs knows no option {option}; it has {', '.join(KNOWN_OPTIONS)}"


def groups_apart(task: Task) -> Problems:
    """What is shipped and what is printed, each in its group, and both where the sidecar is."""
    for container in task.sidecars:
        options = (container.get("logConfiguration") or {}).get("options") or {}
        variables = environment(container)
        group = variables.get("SIDECAR_LOG_GROUP")
        for each in task.containers:
            if group and _options(each).get("awslogs-group") in (group, f"{group}/artifacts"):
                yield (
                    f"{each['name']}: prints into the group that {container['name']} ships to; give"
                    " awslogs-group another name"
                )
        here, there = variables.get("AWS_REGION"), options.get("awslogs-region")
        if is_known(here) and is_known(there) and here != there:
            yield f"{container['name']}: AWS_REGION is {here} and awslogs-region {there}; make them one"
    regions = {_options(each).get("awslogs-region") for each in task.containers} - {None}
    if len(regions) > 1 and all(map(is_known, regions)):
        names = " and ".join(sorted(map(str, regions)))
        yield f"the containers' awslogs-region are {names}; make them one"


def _options(container: Definition) -> dict[str, str]:
    logging = container.get("logConfiguration") or {}
    return (logging.get("options") or {}) if logging.get("logDriver") == "awslogs" else {}


RULES = (printed_lines_are_kept, awslogs, log_drivers, groups_apart)
