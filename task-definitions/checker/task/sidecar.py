"""What the sidecar is told: paths, state, group, variables."""

import difflib
import re

from checker.finding import Problems
from checker.task.view import Definition, Task, environment, lies_in, mount_of, mounts
from checker.values import is_known

# sidecar/CONFIGURATION.md; a test holds the two together.
VARIABLES = (
    "SIDECAR_ARTIFACTS",
    "SIDECAR_CONFIG",
    "SIDECAR_HTTP_HOST",
    "SIDECAR_HTTP_PORT",
    "SIDECAR_LOGS",
    "SIDECAR_LOG_GROUP",
    "SIDECAR_LOG_LEVEL",
    "SIDECAR_STATE_DIR",
    "SIDECAR_TASK",
)
GLOBS = ("SIDECAR_LOGS", "SIDECAR_ARTIFACTS")
DEFAULT_STATE = "/mnt/efs/.sidecar"
# CreateLogGroup, API reference.
LOG_GROUP = re.compile(r"(?!aws/)[.\-_/#A-Za-z0-9]{1,512}")


def _told_by_a_file(container: Definition) -> bool:
    return bool(environment(container).get("SIDECAR_CONFIG")) or "--config" in (
        container.get("command") or ()
    )


def globs(container: Definition) -> list[tuple[str, str]]:
    """(variable, glob); a comma within braces belongs to its glob."""
    variables = environment(container)
    found = []
    for name in GLOBS:
        found += [
            (name, each.strip()) for each in re.split(r",(?![^{]*\})", variables.get(name, ""))
        ]
    return [(name, glob) for name, glob in found if glob]


def sidecar_variables(task: Task) -> Problems:
    """A misspelt variable is ignored without a word."""
    for container in task.sidecars:
        for name in environment(container):
            if name.upper().startswith("SIDECAR_") and name not in VARIABLES:
                near = difflib.get_close_matches(name.upper(), VARIABLES, 1)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(VARIABLES)}"
                yield f"{container['name']}: the sidecar knows no {name}; {hint}"


def sidecar_name(task: Task) -> Problems:
    """Tasks of one name take each other for dead ones, and write to each other's streams."""
    for container in task.sidecars:
        name = environment(container).get("SIDECAR_TASK")
        if name and is_known(name):
            yield f"{container['name']}: SIDECAR_TASK {name} is every task's name; leave it out: ECS tells it the task's own"


def sidecar_has_work(task: Task) -> Problems:
    """Without a path and a group it ends with status 2."""
    for container in task.sidecars:
        variables = environment(container)
        if _told_by_a_file(container):
            continue
        if not any(variables.get(name) for name in GLOBS):
            yield f"{container['name']}: set SIDECAR_LOGS (or SIDECAR_ARTIFACTS): which files to ship"
        group = variables.get("SIDECAR_LOG_GROUP")
        if not group:
            yield f"{container['name']}: set SIDECAR_LOG_GROUP: where to ship to"
        elif is_known(group) and not LOG_GROUP.fullmatch(group):
            yield f"{container['name']}: SIDECAR_LOG_GROUP {group!r} is no name of a log group"


def sidecar_paths(task: Task) -> Problems:
    """What it looks for must lie in a volume it mounts."""
    for container in task.sidecars:
        for name, glob in globs(container):
            fixed = re.split(r"[*?\[{]", glob)[0].rpartition("/")[0] or "/"
            within = any(lies_in(str(m.get("containerPath")), fixed) for m in mounts(container))
            if not glob.startswith("/"):
                yield f"{container['name']}: {name} {glob!r} must begin with /"
            elif ".." in glob.split("/"):
                yield f"{container['name']}: {name} {glob!r} must not hold .."
            elif glob.endswith("/"):
                yield f"{container['name']}: {name} {glob!r} is a directory, and a glob is of files; write {glob}**/*"
            elif glob.count("[") != glob.count("]") or glob.count("{") != glob.count("}"):
                yield f"{container['name']}: {name} {glob!r} has a bracket that is not closed"
            elif re.search(r"[;:]\s*/", glob):
                yield f"{container['name']}: {name} {glob!r} is one glob; part several with a comma"
            elif not within and mount_of(container, fixed) is None:
                yield (
                    f"{container['name']}: {name} {glob!r} lies in none of its mounts; mount the"
                    " volume there or correct the path"
                )


def sidecar_config(task: Task) -> Problems:
    """Where it ships to and what it takes out is not the app's to change."""
    for container in task.sidecars:
        path = environment(container).get("SIDECAR_CONFIG")
        if not path or not is_known(path):
            continue
        mount = mount_of(container, path)
        writers = task.writers(str(mount.get("sourceVolume"))) if mount else []
        if not path.startswith("/"):
            yield f"{container['name']}: SIDECAR_CONFIG {path!r} must begin with /"
        elif writers:
            yield (
                f"{container['name']}: SIDECAR_CONFIG {path} lies on the volume that"
                f" {writers[0]['name']} writes to; put it into an image of your own"
            )


def sidecar_state(task: Task) -> Problems:
    """What survives the task must be on a volume that only sidecars mount."""
    for container in task.sidecars:
        name, variables = container["name"], environment(container)
        if _told_by_a_file(container) and "SIDECAR_STATE_DIR" not in variables:
            continue
        directory = variables.get("SIDECAR_STATE_DIR", DEFAULT_STATE)
        mount = mount_of(container, directory)
        if mount is None or mount.get("sourceVolume") not in task.efs_volumes:
            yield (
                f"{name}: SIDECAR_STATE_DIR {directory} is on no EFS volume: the next task would"
                " ship everything again; mount a volume of its own there"
            )
            continue
        if mount.get("readOnly"):
            yield f"{name}: the state directory's volume is mounted read-only; it must be written"
        others = task.writers(mount["sourceVolume"])
        if others:
            yield (
                f"{name}: its state lies on the volume that {others[0]['name']} writes to; give it"
                " an access point of its own, mounted by sidecars only"
            )
        state = task.efs_volumes[mount["sourceVolume"]]
        for volume in task.efs_volumes.values():
            if volume.name != state.name and volume.root == state.root:
                yield f"{name}: its state and volume {volume.name} share one access point; part them"
        for variable, glob in globs(container):
            fixed, star, _ = glob.partition("**")
            if lies_in(glob, mount["containerPath"]) or (star and lies_in(directory, fixed)):
                yield f"{name}: {variable} {glob!r} looks into its own state; name the app's volume"


def sidecar_reads_only(task: Task) -> Problems:
    """The sidecar cannot touch the app's files where its mount does not let it."""
    for container in task.sidecars:
        for mount in task.data_mounts(container):
            if not mount.get("readOnly"):
                yield (
                    f"{container['name']}: mount {mount.get('containerPath')} read-only (readOnly"
                    " true): it only reads there"
                )


def sidecar_shares_the_volume(task: Task) -> Problems:
    """App and sidecar meet on one volume entry; another is another mount, without inotify."""
    written = {
        m.get("sourceVolume")
        for each in task.others
        for m in mounts(each)
        if m.get("sourceVolume") in task.efs_volumes
    }
    for container in task.sidecars:
        read = {m.get("sourceVolume") for m in task.data_mounts(container)}
        if not read:
            yield f"{container['name']}: mounts no EFS volume to read from; share the app's volume"
        elif written and not written & read:
            yield (
                f"{container['name']}: reads {', '.join(sorted(map(str, read)))}, and the app writes"
                f" to {', '.join(sorted(map(str, written)))}; mount the app's volume entry in both"
            )
        elif task.others and not written and len(task.containers) > len(task.sidecars):
            yield f"{task.others[0]['name']}: shares no volume with the sidecar; mount it there too"


def one_reader(task: Task) -> Problems:
    """Two sidecars that read one volume ship each line twice."""
    readers: dict[str, list[str]] = {}
    for container in task.sidecars:
        for mount in task.data_mounts(container):
            readers.setdefault(str(mount.get("sourceVolume")), []).append(container["name"])
    for volume, names in readers.items():
        if len(names) > 1:
            yield f"volume {volume}: is read by {' and '.join(names)}; one sidecar a volume"


RULES = (
    sidecar_variables,
    sidecar_name,
    sidecar_has_work,
    sidecar_paths,
    sidecar_config,
    sidecar_state,
    sidecar_reads_only,
    sidecar_shares_the_volume,
    one_reader,
)
