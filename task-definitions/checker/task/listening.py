"""Who listens where, and whether a health check asks there."""

import re

from checker.finding import Problems
from checker.task.reach import DEFAULT_PORT
from checker.task.view import Definition, Task, environment
from checker.values import is_known, listed, number

LOOPBACK = ("127.0.0.1", "::1", "localhost")
ALWAYS_WELL = re.compile(r"\|\|\s*(true|:|exit\s+0)\s*;?\s*$|^\s*(true|exit\s+0|echo\b[^&|;]*)\s*$")
ASKED = re.compile(r"\b(?:localhost|127\.0\.0\.1)\]?:(\d+)")


def health_check_can_fail(task: Task) -> Problems:
    """One that never fails says nothing, and a program's name with a blank in it is none."""
    for container in task.containers:
        words = [str(w) for w in listed((container.get("healthCheck") or {}).get("command"))]
        name = container["name"]
        if words[:1] == ["CMD"] and len(words) == 2 and " " in words[1].strip():
            yield f"{name}: CMD takes a word each, and {words[1]!r} is one; part it, or use CMD-SHELL"
        if words[:1] == ["CMD"] and words[1:] and words[1].startswith("-"):
            yield f"{name}: its health check begins with {words[1]!r}, which is no program; name one"
        if words[:1] == ["CMD-SHELL"] and len(words) > 2:
            yield f"{name}: CMD-SHELL runs {words[1]!r} alone; write the command as one text, or use CMD"
        if words[:1] == ["CMD-SHELL"] and ALWAYS_WELL.search(words[-1]):
            yield f"{name}: its health check never fails ({words[-1]}); end it with || exit 1"


def health_check_port(task: Task) -> Problems:
    """A check of a port where nobody listens replaces a healthy task for ever."""
    for container in task.containers:
        words = " ".join(map(str, listed((container.get("healthCheck") or {}).get("command"))))
        known = _ports(container, sidecar=container in task.sidecars)
        for other in task.containers if task.get("networkMode") == "awsvpc" else ():
            if f"://{other['name']}:" in words or f"://{other['name']}/" in words:
                yield f"{container['name']}: its health check asks {other['name']}, which is no host's name here; ask 127.0.0.1"
        for port in sorted(set(map(int, ASKED.findall(words)))):
            if known and port not in known:
                yield (
                    f"{container['name']}: its health check asks port {port}, and it listens on"
                    f" {', '.join(map(str, sorted(known)))}; make them one"
                )


def _ports(container: Definition, *, sidecar: bool) -> set[int]:
    """The ports that the definition says it has; none where it says nothing or not yet."""
    variables = environment(container)
    told = {m.get("containerPort") for m in listed(container.get("portMappings"))}
    if sidecar:
        told = {variables.get("SIDECAR_HTTP_PORT", DEFAULT_PORT)}
    told |= {value for name, value in variables.items() if name.endswith("PORT")} if told else set()
    ports = {number(each) for each in told}
    return {int(port) for port in ports if port is not None} if all(map(is_known, told)) else set()


def app_port(task: Task) -> Problems:
    """The mapping names the port that the program listens on, to others too."""
    for container in task.others:
        variables = environment(container)
        mapped = {m.get("containerPort") for m in listed(container.get("portMappings"))}
        if not mapped:
            continue
        port = number(variables.get("APP_PORT"))
        if port is not None and port not in mapped:
            yield f"{container['name']}: APP_PORT is {port:.0f}, which portMappings does not name; make them one"
        if variables.get("APP_HOST") in LOOPBACK:
            yield f"{container['name']}: APP_HOST {variables['APP_HOST']} is its own loopback: nobody can call it; make it 0.0.0.0"


def sidecar_page(task: Task) -> Problems:
    """`POST /reload` has no password: it is open on purpose, by a mapping, or not at all."""
    for container in task.sidecars:
        variables = environment(container)
        host = variables.get("SIDECAR_HTTP_HOST", "127.0.0.1")
        port = number(variables.get("SIDECAR_HTTP_PORT", DEFAULT_PORT))
        mapped = port in {m.get("containerPort") for m in listed(container.get("portMappings"))}
        if not is_known(host) or port is None:
            continue
        if host in LOOPBACK and mapped:
            yield f"{container['name']}: maps port {port:.0f} and listens on {host} only; drop the mapping, or set SIDECAR_HTTP_HOST"
        elif host not in LOOPBACK and not mapped:
            yield (
                f"{container['name']}: SIDECAR_HTTP_HOST {host} opens its page, which has no"
                " password, to whoever the security group lets in; make it 127.0.0.1, or map the port"
            )


RULES = (health_check_can_fail, health_check_port, app_port, sidecar_page)
