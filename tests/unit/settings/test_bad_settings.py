"""Each way to get the configuration wrong: one line that names the key and what to do."""

from pathlib import Path
from typing import NamedTuple

import pytest

from sidecar.errors import ConfigurationError
from sidecar.settings import load


class Bad(NamedTuple):
    """A file, and words its error must hold."""

    text: str
    key: str
    words: str


TOP = "log_group: /g\nlogs:\n  - include: ['/v/logs/**/*.log']\n"


def top(line: str, key: str, words: str) -> Bad:
    """A sound file with one more line at the top level."""
    return Bad(f"{TOP}{line}\n", key, words)


def entry(line: str, key: str, words: str) -> Bad:
    """A sound file with one more line in the entry of logs."""
    return Bad(f"{TOP}    {line}\n", f"logs[0].{key}", words)


def artifact(line: str, key: str, words: str) -> Bad:
    """A sound file with one more line in an entry of artifacts."""
    text = f"log_group: /g\nartifacts:\n  - include: ['/v/a/*']\n    {line}\n"
    return Bad(text, f"artifacts[0].{key}", words)


BAD = {
    "unknown key": top("delivry: {}", "delivry", "did you mean delivery?"),
    "unknown key of a section": top("poll: {hott: 1s}", "poll.hott", "did you mean hot?"),
    "unknown key of an entry": entry("encodign: utf-8", "encodign", "did you mean encoding?"),
    "known key in the wrong section": top(
        "retention_days: 3", "retention_days", "did you mean create.retention_days?"
    ),
    "unknown key like nothing known": top("zzz: 1", "zzz", "did you mean "),
    "capital letter": top("Drain: {}", "Drain", "did you mean drain?"),
    "attribute's name for a key": top("create: {class_: STANDARD}", "create.class_", "mean class?"),
    "key twice": top("task: a\ntask: b", "task", "first in line 4"),
    "key twice in an entry": Bad(
        f"{TOP}    partial: 1s\n    partial: 2s\n", "partial", "first in line 4"
    ),
    "key that is no text": top("1: a", "1", "a key must be text"),
    "tab": Bad("log_group: /g\n\tlogs: []\n", "line 2 column 1", "use spaces"),
    "bracket not closed": Bad("logs: [\n", "line 2 column 1", "correct the file"),
    "value that begins with a percent sign": Bad("task: %x\n", "line 1 column 7", "in quotes"),
    "tag that would make an object": top("task: !!python/name:os.system", "line 4 column 7", "tag"),
    "two documents": Bad(TOP + "---\n" + TOP, "line 4 column 1", "document"),
    "alias within itself": top("task: &a [*a]", "bad.yaml", "refers to itself"),
    "nested too deeply": top("task: " + "[" * 3000, "bad.yaml", "correct the file"),
    "top level is a list": Bad("- a\n", "bad.yaml", "not a mapping"),
    "top level is text": Bad("hello\n", "bad.yaml", "not a mapping"),
    "nothing to ship": Bad("log_group: /g\n", "logs", "nothing to ship"),
    "empty file": Bad("", "logs", "nothing to ship"),
    "no log group": Bad("logs:\n  - include: ['/v/*']\n", "logs[0].log_group", "no log group"),
    "no log group for artifacts": Bad(
        "artifacts:\n  - include: ['/v/*']\n", "artifacts[0].log_group", "no log group"
    ),
    "no include": Bad("log_group: /g\nlogs:\n  - exclude: []\n", "logs[0].include", "missing"),
    "empty include": Bad(
        "log_group: /g\nlogs: [{include: []}]\n", "logs[0].include", "not be empty"
    ),
    "include is text": Bad("log_group: /g\nlogs: [{include: /v}]\n", "logs[0].include", "a list"),
    "include holds a number": Bad(
        "log_group: /g\nlogs: [{include: [1]}]\n", "logs[0].include[0]", "in quotes"
    ),
    "logs is a mapping": Bad("log_group: /g\nlogs: {include: [/v]}\n", "logs", "must be a list"),
    "entry is text": Bad("log_group: /g\nlogs: [/v]\n", "logs[0]", "must be a mapping"),
    "relative include without root": Bad(
        "log_group: /g\nlogs: [{include: ['*.log']}]\n", "logs[0].include[0]", "set root"
    ),
    "include not below root": entry("root: /w", "include[0]", "root above every include"),
    "include with two dots": Bad(
        "log_group: /g\nlogs: [{include: ['/v/../w/*']}]\n", "logs[0].include[0]", "'..'"
    ),
    "double star within a name": Bad(
        "log_group: /g\nlogs: [{include: ['/v/**.log']}]\n", "logs[0].include[0]", "stand alone"
    ),
    "bracket of a glob not closed": entry("exclude: ['a[b']", "exclude[0]", "not closed"),
    "brace of a glob not closed": entry("exclude: ['a{b']", "exclude[0]", "not closed"),
    "relative root": entry("root: v/logs", "root", "absolute"),
    "group with a space": Bad(
        TOP.replace("/g", "'a b'"), "log_group", "use 1 to 512 letters, digits"
    ),
    "AWS's own group": Bad(TOP.replace("/g", "aws/g"), "log_group", "AWS's own"),
    "group too long": Bad(TOP.replace("/g", "g" * 513), "log_group", "at most 512"),
    "group is a list": Bad(TOP.replace("/g", "[a]"), "log_group", "must be text"),
    "group of an entry": entry("log_group: 'a:b'", "log_group", "':'"),
    "unknown placeholder": entry("log_stream: '{pth}'", "log_stream", "did you mean {path}?"),
    "brace of a template not closed": entry("log_stream: '{path'", "log_stream", "no partner"),
    "colon in a template": entry("log_stream: 'a:{path}'", "log_stream", "cannot contain ':'"),
    "start_at": entry("start_at: middle", "start_at", "use beginning or end"),
    "rotated": entry("rotated: sometimes", "rotated", "auto, off or a list"),
    "rotated holds a bad glob": entry("rotated: ['a[']", "rotated[0]", "not closed"),
    "unknown encoding": entry("encoding: klingon", "encoding", "'klingon'"),
    "encoding that is none of text": entry("encoding: base64", "encoding", "utf-8"),
    "timestamp": entry("timestamp: guess", "timestamp", "{key: NAME}"),
    "timestamp without format": entry("timestamp: {pattern: x}", "timestamp.format", "missing"),
    "timestamp with a bad pattern": entry(
        "timestamp: {pattern: 'a(', format: '%Y'}", "timestamp.pattern", "position 1"
    ),
    "timestamp with a bad format": entry(
        "timestamp: {pattern: a, format: '%Q'}", "timestamp.format", "bad directive"
    ),
    "timestamp with an unknown key": entry("timestamp: {kee: x}", "timestamp.kee", "unknown key"),
    "multiline without start": entry("multiline: {wait: 1s}", "multiline.start", "missing"),
    "multiline with a bad start": entry("multiline: {start: '['}", "multiline.start", "position 0"),
    "multiline of no lines": entry(
        "multiline: {start: a, max_lines: 0}", "multiline.max_lines", "at least 1"
    ),
    "bad keep": entry("keep: [a, '*']", "keep[1]", "position 0"),
    "empty drop": entry("drop: ['']", "drop[0]", "matches everything"),
    "bad redact": entry("redact: [{pattern: 'a)'}]", "redact[0].pattern", "position 1"),
    "replacement by a group that is not there": entry(
        "redact: [{pattern: a, replace: '\\1'}]", "redact[0].replace", "groups that the pattern has"
    ),
    "event too small": entry("max_event_bytes: 255", "max_event_bytes", "at least 256"),
    "event too large": entry("max_event_bytes: 1048551", "max_event_bytes", "at most 1048550"),
    "negative duration": entry("partial: -1s", "partial", "cannot be negative"),
    "duration without a unit": entry("delete_after: 7", "delete_after", "7d"),
    "unknown unit of a duration": top("drain: {deadline: 2min}", "drain.deadline", "'min'"),
    "duration that is true": top("drain: {deadline: true}", "drain.deadline", "not a duration"),
    "unknown unit of a size": top("delivery: {memory: 1Mb}", "delivery.memory", "'Mb'"),
    "inline limit too large": artifact("inline_limit: 513KiB", "inline_limit", "at most 524288"),
    "negative size": artifact("inline_limit: -1", "inline_limit", "cannot be negative"),
    "bucket": artifact("bucket: s3://reports", "bucket", "name alone"),
    "retention": top("create: {retention_days: 2}", "create.retention_days", "one of 1 3 5 7"),
    "class": top("create: {class: CHEAP}", "create.class", "STANDARD or INFREQUENT_ACCESS"),
    "tag that is a number": top("create: {tags: {a: 1}}", "create.tags.a", "in quotes"),
    "tag of AWS's": top("create: {tags: {'aws:a': b}}", "create.tags", "aws:"),
    "KMS key": top("create: {kms_key: alias/x}", "create.kms_key", "arn:aws:kms"),
    "groups": top("create: {groups: perhaps}", "create.groups", "true or false"),
    "role": top("role_arn: role/x", "role_arn", "arn:aws:iam::"),
    "state_dir relative": top("state_dir: state", "state_dir", "starts with /"),
    "cold shorter than hot": top("poll: {hot: 2s, cold: 1s}", "poll.cold", "at least as long"),
    "hot is nothing": top("poll: {hot: 0}", "poll.hot", "at least 0.01"),
    "hot is a week": top("poll: {hot: 7d, cold: 7d}", "poll.hot", "at most 3600"),
    "cold is a week": top("poll: {cold: 7d}", "poll.cold", "at most 86400"),
    "mode of polling": top("poll: {mode: sometimes}", "poll.mode", "auto, watch or revalidate"),
    "budget is a billion": top("poll: {budget: 1e9}", "poll.budget", "at most 1"),
    "budget is negative": top("poll: {budget: -1}", "poll.budget", "at least 0.1"),
    "budget is endless": top("poll: {budget: .inf}", "poll.budget", "at most 1"),
    "budget is no number": top("poll: {budget: .nan}", "poll.budget", "poll.budget"),
    "deadline is nothing": top("drain: {deadline: 0}", "drain.deadline", "more than 0"),
    "deadline is negative": top("drain: {deadline: -5s}", "drain.deadline", "negative"),
    "deadline is a year": top("drain: {deadline: 365d}", "drain.deadline", "at most 86400"),
    "budget is nothing": top("poll: {budget: 0}", "poll.budget", "at least 0.1"),
    "nothing in flight": top("delivery: {in_flight: 0}", "delivery.in_flight", "at least 1"),
    "compression": top("delivery: {compression: zip}", "delivery.compression", "none or gzip"),
    "memory under a batch": top("delivery: {memory: 1MB}", "delivery.memory", "1048576"),
    "quiet over deadline": top("drain: {deadline: 2s, quiet: 3s}", "drain.quiet", "shorter"),
    "port too large": top("http: {port: 65536}", "http.port", "at most 65535"),
    "port negative": top("http: {port: -1}", "http.port", "at least 0"),
    "port is text": top("http: {port: web}", "http.port", "whole number"),
    "section is text": top("http: web", "http", "must be a mapping"),
    "log_level": top("log_level: loud", "log_level", "debug, info, warning or error"),
    "task with a slash": top("task: a/b", "task", "without /"),
    "task is a number": top("task: 5", "task", "in quotes"),
    "variable not set": top("task: '${NOT_SET}'", "task", "${NOT_SET:-"),
    "variable without a name": top("task: '${}'", "task", "${NAME}"),
    "control characters in a value": top('task: "a\\nb\\e[2J"', "task", "without /"),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_bad_setting_is_one_line_that_names_key_and_remedy(bad: Bad, tmp_path: Path) -> None:
    """A wrong file raises ConfigurationError whose one line names file, key and what to do."""
    path = tmp_path / "bad.yaml"
    path.write_text(bad.text, encoding="utf-8")

    with pytest.raises(ConfigurationError) as caught:
        load(path, {})

    message = str(caught.value)
    assert message.isprintable()
    assert bad.key in message
    assert bad.words in message
    assert caught.value.remedy
    assert caught.value.exit_status == 2


SOUND = {"SIDECAR_LOGS": "/v/*", "SIDECAR_LOG_GROUP": "/g"}


@pytest.mark.parametrize(
    ("environ", "key", "words"),
    [
        ({}, "logs", "SIDECAR_LOGS"),
        ({"SIDECAR_LOGS": "/v/*"}, "SIDECAR_LOGS", "SIDECAR_LOG_GROUP"),
        (SOUND | {"SIDECAR_LOGS": "*.log"}, "SIDECAR_LOGS", "start the pattern"),
        (SOUND | {"SIDECAR_LOG_GROUP": "a b"}, "SIDECAR_LOG_GROUP", "letters"),
        (SOUND | {"SIDECAR_HTTP_PORT": "http"}, "SIDECAR_HTTP_PORT", "whole number"),
        (SOUND | {"SIDECAR_LOG_LEVEL": "loud"}, "SIDECAR_LOG_LEVEL", "debug"),
        (SOUND | {"SIDECAR_STATE_DIR": "state"}, "SIDECAR_STATE_DIR", "starts with /"),
        (SOUND | {"SIDECAR_TASK": "a/b"}, "SIDECAR_TASK", "without /"),
        ({"SIDECAR_CONFIG": "/not/there.yaml"}, "/not/there.yaml", "SIDECAR_CONFIG"),
    ],
)
def test_bad_variable_is_named_itself(environ: dict[str, str], key: str, words: str) -> None:
    """What is wrong with a variable is said of the variable, not of a key nobody wrote."""
    with pytest.raises(ConfigurationError) as caught:
        load(None, environ)

    assert str(caught.value).startswith(f"{key}: ")
    assert words in str(caught.value)


def test_error_names_the_line(tmp_path: Path) -> None:
    """The error says in which line of which file the key stands."""
    path = tmp_path / "sidecar.yaml"
    path.write_text(TOP + "poll:\n  hot: 1s\n  cold: 5\n", encoding="utf-8")

    with pytest.raises(ConfigurationError, match=r"sidecar\.yaml line 6: poll\.cold: "):
        load(path, {})


@pytest.mark.parametrize("content", [b"\xff\xfe\x00l", b"log_group: \xe9\n", b"a: \x00\n"])
def test_file_that_is_no_text_is_one_line(content: bytes, tmp_path: Path) -> None:
    """Bytes that are no UTF-8 text give one line that names the file."""
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)

    with pytest.raises(ConfigurationError) as caught:
        load(path, {})

    assert str(path) in str(caught.value)
    assert str(caught.value).isprintable()


def test_directory_for_a_file(tmp_path: Path) -> None:
    """A directory given as the file is named as one."""
    with pytest.raises(ConfigurationError, match="this is a directory"):
        load(tmp_path, {})
