"""The boto3 client that all senders share: made late, made anew, never on stale connections."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, cast

from botocore.config import Config

from sidecar.delivery import carrier
from sidecar.delivery.credentials import open_session

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

# For connecting to each address of the endpoint, then once more for sending all of the body.
CONNECT_SECONDS: Final = 5.0
# For each piece of the answer; together a request ends within 30 s.
READ_SECONDS: Final = 15.0
# CloudWatch closes connections that were idle for about 6 s. A request that meets the closing is
# lost without anybody knowing whether it was read, so what was idle for longer is not used again.
IDLE_SECONDS: Final = 4.0
# Making a client costs tens of milliseconds and may ask the host's metadata service.
RENEW_SECONDS: Final = 2.0
# A closed connection forgets what the network did not take. Otherwise the kernel of a host that was
# cut off sends a request of long ago when the link is back, though its process be dead, and it is
# stored after others have found that it is not.
FORGET: Final = (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
# A process that is frozen closes nothing. So the kernel gives up by itself what the network did not
# take for as long as a request may last.
GIVE_UP: Final = (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)


class Client:
    """Lends a client to any number of threads.

    It is made at the first use and, after `renew`, at the next one: boto3 remembers for good that
    it found no credentials. What cannot be made is tried again, at most once in RENEW_SECONDS.
    """

    def __init__(
        self,
        *,
        region: str | None = None,
        role_arn: str | None = None,
        connections: int = 10,
        connect_seconds: float = CONNECT_SECONDS,
        read_seconds: float = READ_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._region = region
        self._role_arn = role_arn
        self._longest_ms = round(1000 * (connect_seconds + read_seconds))
        self._config = Config(
            connect_timeout=connect_seconds,
            read_timeout=read_seconds,
            max_pool_connections=connections,
            # botocore's own retry after a lost reply stores a batch twice, unseen. The number of
            # attempts is pinned together with the mode, whose default has changed before.
            retries={"total_max_attempts": 1, "mode": "standard"},
            parameter_validation=False,
            tcp_keepalive=True,
            user_agent_extra="efs-cloudwatch-sidecar",
        )
        self._clock = clock
        self._lock = threading.Lock()
        self._client: CloudWatchLogsClient | None = None
        self._problem: Exception | None = None
        self._made_at = float("-inf")
        self._idle_since = float("-inf")
        self._lent = 0
        self._here = threading.local()

    @contextmanager
    def lend(self) -> Iterator[CloudWatchLogsClient]:
        """The client, for one request; raises whatever keeps boto3 from making one."""
        self._here.sent = False
        with self._lock:
            client = self._ready()
            self._lent += 1
        try:
            yield client
        finally:
            with self._lock:
                self._lent -= 1
                self._idle_since = self._clock()

    @property
    def sent(self) -> bool:
        """Whether this thread's latest request was handed to the network."""
        return bool(getattr(self._here, "sent", False))

    def renew(self) -> None:
        """Have the next request made with region and credentials that are looked for anew."""
        with self._lock:
            if self._clock() - self._made_at >= RENEW_SECONDS:
                self._client = None

    def close(self) -> None:
        """Let idle connections go; the next request opens one."""
        with self._lock:
            if self._client is not None:
                self._client.close()

    def _ready(self) -> CloudWatchLogsClient:
        now = self._clock()
        if self._client is None:
            if self._problem is not None and now - self._made_at < RENEW_SECONDS:
                raise self._problem.with_traceback(None)
            self._made_at = now
            try:
                self._client = self._make()
            except Exception as problem:
                self._problem = problem
                raise
            self._problem = None
        elif self._lent == 0 and now - self._idle_since > IDLE_SECONDS:
            self._client.close()
        return self._client

    def _make(self) -> CloudWatchLogsClient:
        session = open_session(self._region, self._role_arn)
        client = session.client("logs", config=self._config)
        # There is no setting for it; connections take these options when they are made.
        options = cast(Any, client)._endpoint.http_session._socket_options
        options += [FORGET, (*GIVE_UP, self._longest_ms)]
        carrier.attach(client.meta.events)
        client.meta.events.register("before-send.cloudwatch-logs", self._note_sent)
        return client

    def _note_sent(self, **_: Any) -> None:
        # botocore calls its listeners in the thread of the request.
        self._here.sent = True
