"""The double as tests use it."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from .batch import Event
from .clock import Clock
from .control import Control
from .deferred import Deferred
from .faults import Faults
from .operations import Operations
from .quotas import Quotas
from .record import Call, Record, Violation
from .server import IDLE_SECONDS, Connection, Server
from .service import Answer, Service
from .signature import Identities, Identity
from .store import Store

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

ACCESS_KEY = "AKIASTRICTCLOUDWATCH"
SECRET_KEY = "strict/cloudwatch/secret/key/for+tests"


class StrictCloudWatch:
    """A CloudWatch Logs of one's own, in threads of this process, from `with` to its end."""

    def __init__(
        self,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        region: str = "us-east-1",
        verify_signatures: bool = True,
        strict_span: bool = True,
        quotas: Mapping[str, float] | None = None,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self.region = region
        self.clock = Clock()
        self.store = Store(self.clock)
        self.operations = Operations(self.store, region=region, strict_span=strict_span)
        self.record = Record()
        self.faults = Faults(self._faults_changed)
        self.deferred = Deferred(self.clock)
        self.identities = Identities(self.clock, verify=verify_signatures)
        self.identity = self.identities.add(Identity(ACCESS_KEY, SECRET_KEY))
        self.quotas = Quotas(self.clock, quotas)
        self._service = Service(
            operations=self.operations,
            identities=self.identities,
            faults=self.faults,
            deferred=self.deferred,
            record=self.record,
            quotas=self.quotas,
            clock=self.clock,
        )
        self._control = Control(self)
        self._server = Server(host, port, self._answer, idle_seconds)
        self._stopped = False
        self._changing = threading.RLock()

    def start(self) -> Self:
        """Begins to listen."""
        self._server.listen()
        return self

    def stop(self) -> None:
        """Ends every wait, thread and connection."""
        self._stopped = True
        self.faults.clear()
        self._server.stop()
        self.deferred.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The port it listens on, the same for life."""
        return self._server.port

    @property
    def url(self) -> str:
        """The address for `endpoint_url`."""
        return f"http://{self._server.host}:{self.port}"

    def environment(self, identity: Identity | None = None) -> dict[str, str]:
        """What a subprocess needs in its environment to find the double and be let in."""
        known = identity or self.identity
        found = {
            "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": self.url,
            "AWS_ENDPOINT_URL_STS": self.url,
            "AWS_ACCESS_KEY_ID": known.access_key,
            "AWS_SECRET_ACCESS_KEY": known.secret_key,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        return found | {"AWS_SESSION_TOKEN": known.token} if known.token else found

    def client(
        self, identity: Identity | None = None, *, read_timeout: float = 10.0, **options: Any
    ) -> CloudWatchLogsClient:
        """A boto3 client with the test credentials, that never retries by itself.

        `options` go to botocore's Config.
        """
        import boto3
        from botocore.config import Config

        known = identity or self.identity
        retries = options.pop("retries", {"total_max_attempts": 1})
        config = Config(connect_timeout=5, read_timeout=read_timeout, retries=retries, **options)
        return boto3.client(
            "logs",
            endpoint_url=self.url,
            region_name=self.region,
            aws_access_key_id=known.access_key,
            aws_secret_access_key=known.secret_key,
            aws_session_token=known.token,
            config=config,
        )

    def create(self, group: str, *streams: str) -> None:
        """A group and streams, without a request."""
        if group not in self.store.groups:
            self.store.create_group(group)
        for stream in streams:
            self.store.create_stream(group, stream)

    def events(self, group: str, stream: str) -> list[Event]:
        """What a stream really holds, in order of arrival, whatever can be read of it now."""
        return [e for batch in self.store.batches(group, stream) for e in batch.events()]

    def messages(self, group: str, stream: str) -> list[str]:
        """The texts of `events`."""
        batches = self.store.batches(group, stream)
        return [message.decode() for batch in batches for message in batch.messages()]

    def all_events(self) -> dict[tuple[str, str], list[Event]]:
        """The events of every stream, by (group, stream); streams without any included."""
        return {key: self.events(*key) for key in self.streams()}

    def streams(self) -> list[tuple[str, str]]:
        """Every (group, stream), sorted."""
        return [(group.name, stream.name) for group, stream in self.store.every_stream()]

    def count(self, group: str | None = None, stream: str | None = None) -> int:
        """How many events there are, in all or in a group or stream; cheap."""
        return sum(
            s.count
            for g, s in self.store.every_stream()
            if group in (None, g.name) and stream in (None, s.name)
        )

    def wait_until(self, holds: Callable[[], bool], timeout: float = 10.0) -> bool:
        """Looks after each request until it holds; False when `timeout` seconds are over."""
        return self.record.wait_until(holds, timeout)

    @property
    def requests(self) -> Counter[str]:
        """Requests by operation, whatever became of them."""
        return self.record.requests

    @property
    def calls(self) -> deque[Call]:
        """The latest requests, one by one."""
        return self.record.calls

    @property
    def violations(self) -> list[Violation]:
        """Every unlawful request: a correct client leaves this empty."""
        return self.record.violations

    @property
    def large_messages(self) -> int:
        """Messages stored that are over the practical maximum of 1,000,000 bytes."""
        return self.operations.large_messages

    def _answer(self, connection: Connection, method: str, body: bytes) -> Answer | None:
        if connection.path.startswith("/_control/"):
            return self._control.answer(connection, method, body)
        return self._service.answer(method, connection.path, connection.headers, body)

    def _faults_changed(self) -> None:
        """Brings the sockets in line with the `down` faults in force."""
        with self._changing:
            self._bring_sockets_in_line()

    def _bring_sockets_in_line(self) -> None:
        downs = [fault for fault in self.faults.active() if fault.kind == "down"]
        self._server.resetting = any(fault.mode == "reset" for fault in downs)
        if any(fault.mode == "refuse" for fault in downs):
            self._server.refuse()
        elif self._server.resetting:
            self._server.reset_all()
        if not any(fault.mode == "refuse" for fault in downs) and not self._stopped:
            self._server.listen()
