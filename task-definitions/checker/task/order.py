"""The sidecar's life beside the app's: which starts, stops and counts when."""

from checker.finding import Problems
from checker.task.view import Definition, Task, environment, mounts

# sidecar/CONFIGURATION.md, drain.deadline, and what the process takes to end after it.
DRAIN_DEADLINE = 110
DRAIN_END = 2
# API reference, stopTimeout: what an absent one means.
DEFAULT_STOP = 30
# Seconds: a mount and the first look at a large volume; and what a stalled sidecar may cost.
LEAST_START = 20
LONGEST_STALL = 600


def sidecar_health(task: Task) -> Problems:
    """ECS ignores the image's health check."""
    for container in task.sidecars:
        check = container.get("healthCheck")
        words = " ".join(map(str, (check or {}).get("command") or ()))
        if not check:
            yield (
                f"{container['name']}: has no healthCheck (ECS ignores the image's); add"
                ' ["CMD", "sidecar", "healthcheck"], or a stalled sidecar is never replaced'
            )
        elif not any(word in words for word in ("healthcheck", "healthz", "readyz")):
            yield f'{container["name"]}: its healthCheck must ask it: ["CMD", "sidecar", "healthcheck"]'
        elif words.startswith("CMD healthcheck"):
            yield f'{container["name"]}: healthcheck is no program but the sidecar\'s command; write ["CMD", "sidecar", "healthcheck"]'
        elif "readyz" in words:
            yield f"{container['name']}: check /healthz: /readyz fails while it drains, as it should"


def sidecar_health_pace(task: Task) -> Problems:
    """Replaced before it could start, or never while it stalls: the numbers together decide."""
    for container in task.sidecars:
        check = container.get("healthCheck") or {}
        interval, retries = check.get("interval", 30), check.get("retries", 3)
        start = check.get("startPeriod", 0)
        if not check or not all(isinstance(n, int) for n in (interval, retries, start)):
            continue
        if start + interval * retries < LEAST_START:
            yield (
                f"{container['name']}: its health check gives it {start + interval * retries} s to"
                f" mount and start; make startPeriod {LEAST_START}"
            )
        if interval * retries > LONGEST_STALL:
            yield (
                f"{container['name']}: its health check takes {interval * retries} s to see that it"
                f" stalls; keep interval times retries within {LONGEST_STALL}"
            )


def sidecar_stop(task: Task) -> Problems:
    """Killed before its deadline it cannot say what is left, nor ship the app's last line."""
    needed = DRAIN_DEADLINE + DRAIN_END
    for container in task.sidecars:
        if environment(container).get("SIDECAR_CONFIG"):
            continue  # drain.deadline may stand there
        if container.get("stopTimeout", DEFAULT_STOP) < needed:
            given = container.get("stopTimeout", f"left out, {DEFAULT_STOP}")
            yield (
                f"{container['name']}: stopTimeout is {given}: the drain may take {DRAIN_DEADLINE} s;"
                " make it 120"
            )


def app_stops_first(task: Task) -> Problems:
    """ECS stops in the reverse of the order of start; without one, both at once."""
    names = {container["name"] for container in task.sidecars}
    if not names:
        return
    for writer in _writers(task):
        waits = {d["containerName"] for d in writer.get("dependsOn") or ()}
        if not waits & names:
            yield (
                f"{writer['name']}: make it depend on {min(names)} being HEALTHY (dependsOn), or both"
                " are stopped at once and its last lines are shipped by the next task only"
            )
    for container in task.sidecars:
        for dependency in container.get("dependsOn") or ():
            if dependency["containerName"] in {writer["name"] for writer in _writers(task)}:
                yield (
                    f"{container['name']}: waits for {dependency['containerName']}, so it is stopped"
                    " first; turn it round"
                )


def essential_and_healthy(task: Task) -> Problems:
    """Essential and waited for until healthy, or neither: a half of each helps nobody."""
    for container in task.sidecars:
        essential = container.get("essential", True)
        for writer in _writers(task):
            for dependency in writer.get("dependsOn") or ():
                if dependency["containerName"] != container["name"]:
                    continue
                if essential and dependency["condition"] == "START":
                    yield (
                        f"{writer['name']}: wait for {container['name']} to be HEALTHY, not START:"
                        " it would write before anybody can ship"
                    )
                elif not essential and dependency["condition"] == "HEALTHY":
                    yield (
                        f"{container['name']}: is not essential, so ECS never replaces it when it is"
                        f" unhealthy, and yet {writer['name']} waits for its health; make it"
                        " essential, or the condition START"
                    )
        if not essential and not (container.get("restartPolicy") or {}).get("enabled"):
            yield (
                f"{container['name']}: is not essential and has no restartPolicy: when it ends"
                " nobody ships; make it essential or enable the policy"
            )


def app_is_essential(task: Task) -> Problems:
    """A task whose app has ended must end, or the service counts it as running."""
    if task.sidecars and task.others and not any(c.get("essential", True) for c in task.others):
        yield f"{task.others[0]['name']}: make it essential, or the task lives on without it"


def log_level(task: Task) -> Problems:
    """The alarms are fed by lines of level info."""
    for container in task.sidecars:
        level = environment(container).get("SIDECAR_LOG_LEVEL", "info").lower()
        if level in ("warning", "error"):
            yield (
                f"{container['name']}: SIDECAR_LOG_LEVEL {level} leaves out the progress lines that"
                " the alarms read; make it info"
            )
        elif level not in ("debug", "info") and "${" not in level:
            yield f"{container['name']}: SIDECAR_LOG_LEVEL {level!r} is none of debug, info, warning, error"


def _writers(task: Task) -> list[Definition]:
    """The containers whose volumes a sidecar reads."""
    read = {m.get("sourceVolume") for s in task.sidecars for m in task.data_mounts(s)}
    return [c for c in task.others if any(m.get("sourceVolume") in read for m in mounts(c))]


RULES = (
    sidecar_health,
    sidecar_health_pace,
    sidecar_stop,
    app_stops_first,
    essential_and_healthy,
    app_is_essential,
    log_level,
)
