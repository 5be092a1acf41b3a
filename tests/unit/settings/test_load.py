"""What sound files and variables mean."""

from pathlib import Path

import pytest

from sidecar.settings import Settings, TimestampKey, TimestampPattern, load

TOP = "log_group: /g\nlogs:\n  - include: ['/v/logs/**/*.log']\n"


def loaded(path: Path, text: str, environ: dict[str, str] | None = None) -> Settings:
    """The settings of a file with this text."""
    file = path / "sidecar.yaml"
    file.write_text(text, encoding="utf-8")
    return load(file, environ or {})


def test_defaults_are_those_of_the_contract(tmp_path: Path) -> None:
    """Durations are seconds, sizes are bytes, and nothing is guessed from the machine."""
    settings = loaded(tmp_path, TOP + "artifacts:\n  - include: ['/v/a/**/*']\n")

    assert settings.state_dir == Path("/mnt/efs/.sidecar")
    assert (settings.poll.hot, settings.poll.cold, settings.poll.budget) == (1.0, 60.0, 50.0)
    assert (settings.delivery.in_flight, settings.delivery.linger) == (8, 0.05)
    assert (settings.delivery.memory, settings.delivery.reconcile_wait) == (32 * 1024**2, 30.0)
    assert (settings.drain.deadline, settings.drain.quiet) == (110.0, 2.0)
    assert (settings.http.host, settings.http.port) == ("127.0.0.1", 9464)
    assert (settings.create.groups, settings.create.retention_days) == (True, 30)
    log, artifact = settings.logs[0], settings.artifacts[0]
    assert (log.log_group, log.log_stream, log.partial) == ("/g", "{path}", 60.0)
    assert (log.max_event_bytes, log.timestamp, log.rotated) == (1_000_000, "auto", "auto")
    assert (artifact.log_group, artifact.settle) == ("/g/artifacts", 5.0)
    assert artifact.inline_limit == 256 * 1024


def test_simple_case_needs_no_file() -> None:
    """Variables alone make an entry of logs and one of artifacts; braces keep their commas."""
    settings = load(
        None,
        {
            "SIDECAR_LOGS": "/v/{a,b}/*.log, /w/*.log",
            "SIDECAR_ARTIFACTS": "/v/artifacts/**/*",
            "SIDECAR_LOG_GROUP": "/ecs/reports",
            "SIDECAR_STATE_DIR": "/state",
            "SIDECAR_TASK": "blue",
            "SIDECAR_HTTP_HOST": "0.0.0.0",
            "SIDECAR_HTTP_PORT": "0",
            "SIDECAR_LOG_LEVEL": "DEBUG",
        },
    )

    assert settings.logs[0].include == ("/v/{a,b}/*.log", "/w/*.log")
    assert settings.artifacts[0].log_group == "/ecs/reports/artifacts"
    assert (settings.state_dir, settings.task) == (Path("/state"), "blue")
    assert (settings.http.host, settings.http.port) == ("0.0.0.0", 0)
    assert settings.log_level == "debug"


def test_environment_wins_over_the_file(tmp_path: Path) -> None:
    """A variable replaces the key it stands for and leaves its neighbours; an empty one nothing."""
    settings = loaded(
        tmp_path,
        TOP + "http: {host: 10.0.0.1, port: 1}\ntask: green\n",
        {"SIDECAR_HTTP_PORT": "2", "SIDECAR_TASK": "", "SIDECAR_LOG_GROUP": "/other"},
    )

    assert (settings.http.host, settings.http.port) == ("10.0.0.1", 2)
    assert settings.task == "green"
    assert settings.logs[0].log_group == "/other"


def test_file_is_found_by_the_variable(tmp_path: Path) -> None:
    """SIDECAR_CONFIG names the file where no path is given; a given path wins."""
    named, given = tmp_path / "named.yaml", tmp_path / "given.yaml"
    named.write_text(TOP + "task: named\n", encoding="utf-8")
    given.write_text(TOP + "task: given\n", encoding="utf-8")
    environ = {"SIDECAR_CONFIG": str(named)}

    assert load(None, environ).task == "named"
    assert load(given, environ).task == "given"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("${NAME}", "n"),
        ("a-${NAME}-b", "a-n-b"),
        ("${MISSING:-d}", "d"),
        ("${EMPTY:-d}", "d"),
        ("${NAME:-d}", "n"),
        ("${MISSING:-}", None),
        ("${EMPTY}", None),
        ("$${NAME}", "${NAME}"),
        ("$NAME", "$NAME"),
    ],
)
def test_variables_expand_in_values(written: str, meant: str | None, tmp_path: Path) -> None:
    """${NAME} and ${NAME:-default} expand; what comes to nothing is as if it were not there."""
    text = TOP + f"task: '{written}'\n"

    assert loaded(tmp_path, text, {"NAME": "n", "EMPTY": ""}).task == meant


def test_variables_expand_to_numbers_and_within_lists(tmp_path: Path) -> None:
    """An expanded value is read as its key is: a port, a duration, a glob of a list."""
    text = (
        "log_group: /g\nlogs:\n  - include: ['${V}/*.log']\n"
        "http: {port: '${P}'}\npoll: {hot: '${H}'}\n"
        "create: {groups: '${G}', retention_days: '${R}'}"
    )
    settings = loaded(tmp_path, text, {"V": "/v", "P": "80", "H": "2s", "G": "false", "R": "7"})

    assert settings.logs[0].include == ("/v/*.log",)
    assert (settings.http.port, settings.poll.hot) == (80, 2.0)
    assert (settings.create.groups, settings.create.retention_days) == (False, 7)


def test_off_and_none_are_words(tmp_path: Path) -> None:
    """YAML reads a plain `off` as false; `rotated: off` is meant all the same."""
    settings = loaded(tmp_path, TOP + "    rotated: off\ndelivery: {compression: none}\n")

    assert settings.logs[0].rotated == "off"
    assert settings.delivery.compression == "none"


def test_ways_to_find_a_time(tmp_path: Path) -> None:
    """A timestamp is a word, a key or a pattern with a format."""
    key = loaded(tmp_path, TOP + "    timestamp: {key: ts}\n")
    pattern = loaded(tmp_path, TOP + "    timestamp: {pattern: '^(.*?) ', format: '%d %b'}\n")

    assert key.logs[0].timestamp == TimestampKey(key="ts")
    assert pattern.logs[0].timestamp == TimestampPattern(pattern="^(.*?) ", format="%d %b")


def test_key_without_a_value_has_its_default(tmp_path: Path) -> None:
    """A key left empty is as if it were not there, except that a retention can be none."""
    settings = loaded(
        tmp_path,
        TOP
        + "    exclude:\n    partial:\nhttp:\npoll: {hot: null}\ncreate: {retention_days: null}\n",
    )

    assert settings.logs[0].exclude == ()
    assert settings.logs[0].partial == 60.0
    assert settings.http.port == 9464
    assert settings.poll.hot == 1.0
    assert settings.create.retention_days is None


def test_defaults_make_room_for_what_was_set(tmp_path: Path) -> None:
    """A short deadline or a long hot interval alone is no contradiction."""
    settings = loaded(tmp_path, TOP + "drain: {deadline: 1s}\npoll: {hot: 2m}\n")

    assert settings.drain.quiet == 0.5
    assert settings.poll.cold == 120.0


def test_merge_keys_and_anchors_work(tmp_path: Path) -> None:
    """YAML's own means against repetition work, and are no key that stands twice."""
    settings = loaded(
        tmp_path,
        "log_group: /g\nlogs:\n  - &a {include: ['/v/*'], partial: 1s}\n"
        "  - {<<: *a, partial: 2s}\n",
    )

    assert [entry.partial for entry in settings.logs] == [1.0, 2.0]


def test_relative_patterns_have_a_root(tmp_path: Path) -> None:
    """A pattern without a leading slash is sound with a root; an exclude needs none."""
    text = (
        "log_group: /g\nlogs:\n  - {root: /v/, include: ['**/*.log', '/v/a/*'], exclude: ['*.gz']}"
    )
    entry = loaded(tmp_path, text).logs[0]

    assert entry.root == "/v"
    assert entry.include == ("**/*.log", "/v/a/*")


def test_settings_compare_and_do_not_change(tmp_path: Path) -> None:
    """Two loads of one file are equal, which a reload relies on, and fields cannot be set."""
    settings = loaded(tmp_path, TOP)

    assert settings == loaded(tmp_path, TOP)
    with pytest.raises(ValueError, match="frozen"):
        settings.poll.hot = 2.0  # type: ignore[misc]
