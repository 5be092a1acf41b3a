"""An independent witness: the whole command against moto's CloudWatch, read back with boto3."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.integration.delivering.stepped import append
from tests.support.running_sidecar import RunningSidecar, wait_for

WITNESSED = "/ecs/witnessed"
"""A group of its own: moto's servers of one process share what they hold."""


@pytest.fixture
def endpoint() -> Iterator[str]:
    """moto's server on a free port."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def test_moto_holds_every_line_after_a_restart(tmp_path: Path, endpoint: str) -> None:
    """Somebody else's idea of CloudWatch holds every line once, over a kill and a restart.

    Catches: a request that only our own double understands.
    """
    path = tmp_path / "logs" / "a.log"
    lines = [f"line {number:05d} é" for number in range(3000)]
    append(path, "".join(f"{line}\n" for line in lines[:2000]))
    settings = {
        "state_dir": str(tmp_path / "state"),
        "log_group": WITNESSED,
        "logs": [{"include": [f"{tmp_path}/logs/*.log"]}],
        "poll": {"hot": "100ms", "cold": "1s"},
        "drain": {"quiet": "100ms", "deadline": "60s"},
    }
    environment = {
        "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": endpoint,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    sidecar = RunningSidecar(tmp_path, settings, environment)

    def acknowledged() -> int:
        return sum(source["acknowledged"] for source in sidecar.status()["sources"])

    with sidecar:
        wait_for(lambda: acknowledged() == path.stat().st_size)
    append(path, "".join(f"{line}\n" for line in lines[2000:]))
    with sidecar:
        wait_for(lambda: acknowledged() == path.stat().st_size)
        assert sidecar.terminate() == 0

    client = boto3.client(
        "logs",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    pages = client.get_paginator("filter_log_events").paginate(logGroupName=WITNESSED)
    events = [event for page in pages for event in page["events"]]
    assert [event["message"] for event in events] == lines
    assert {event["logStreamName"] for event in events} == {"a.log"}
    [group] = client.describe_log_groups(logGroupNamePrefix=WITNESSED)["logGroups"]
    assert group["retentionInDays"] == 30
