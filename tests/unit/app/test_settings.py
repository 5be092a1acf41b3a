"""Settings, sizes and the task's name."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from app.errors import SettingsError
from app.settings import load
from app.task import task_id
from app.units import parse_duration, parse_size, show_size


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for key in list(os.environ):
        if key.startswith(("APP_", "ECS_")):
            monkeypatch.delenv(key)


def test_the_defaults_are_the_contracts(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without settings; an empty variable counts as unset."""
    monkeypatch.setenv("APP_PORT", "")
    settings = load({})
    assert (settings.volume, settings.port) == (Path("/mnt/efs"), 8000)
    assert settings.log_max_bytes == 32 << 20
    assert settings.task


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4096", 4096),
        ("256KiB", 262144),
        ("10MB", 10_000_000),
        ("1.5 GiB", 1_610_612_736),
        ("1kb", 1000),
    ],
)
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    """Binary and decimal units, a fraction, a space, either case."""
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MB", "10XB", "-1", "1,5MB", "ten", "1e3"])
def test_what_is_no_size_is_refused(text: str) -> None:
    """The message shows what was given and what is wanted."""
    with pytest.raises(ValueError, match="is not a size such as"):
        parse_size(text)


def test_durations_and_sizes_for_people() -> None:
    """Units of both."""
    assert (parse_duration("50ms"), parse_duration("2m"), parse_duration("3")) == (0.05, 120.0, 3.0)
    assert [show_size(size) for size in (12, 1_500, 268_435_456)] == [
        "12 bytes",
        "1.5 kB",
        "268.4 MB",
    ]


def test_an_unusable_setting_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is one line, and its key is the variable."""
    monkeypatch.setenv("APP_MAX_UPLOAD", "much")
    with pytest.raises(SettingsError, match=r"^APP_MAX_UPLOAD: 'much' is not a size") as caught:
        load({})
    assert caught.value.key == "APP_MAX_UPLOAD"
    assert "\n" not in str(caught.value)


class Metadata(BaseHTTPRequestHandler):
    """ECS's task metadata, version 4."""

    answer = b""

    def do_GET(self) -> None:
        assert self.path == "/v4/abc/task"
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def metadata() -> Iterator[str]:
    """The base address of an endpoint that answers with `Metadata.answer`."""
    server = HTTPServer(("127.0.0.1", 0), Metadata)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v4/abc"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_task_is_the_last_part_of_its_arn(metadata: str) -> None:
    """In ECS the log directory is the task's id."""
    arn = "arn:aws:ecs:eu-west-1:123456789012:task/cluster/0f9de17a6465404e8b1b2356dc13c2f8"
    Metadata.answer = json.dumps({"TaskARN": arn}).encode()
    assert task_id({"ECS_CONTAINER_METADATA_URI_V4": metadata}) == arn.rpartition("/")[2]


@pytest.mark.parametrize("answer", [b"", b"[]", b"null", b'{"TaskARN": 7}', b'{"TaskARN": "/"}'])
def test_without_a_usable_answer_the_task_is_the_host(metadata: str, answer: bytes) -> None:
    """A broken endpoint costs the name, not the start."""
    Metadata.answer = answer
    here = task_id({})
    assert here
    assert task_id({"ECS_CONTAINER_METADATA_URI_V4": metadata}) == here
    assert task_id({"ECS_CONTAINER_METADATA_URI_V4": "http://127.0.0.1:1/v4/x"}) == here


def test_the_task_given_by_hand_needs_no_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """`APP_TASK` wins."""
    monkeypatch.setenv("APP_TASK", "mine.1")
    assert load({"ECS_CONTAINER_METADATA_URI_V4": "http://127.0.0.1:1/v4/x"}).task == "mine.1"
