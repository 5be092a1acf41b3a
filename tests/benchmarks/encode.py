"""What encoding a batch costs, as ratios in one run: `python -m tests.benchmarks.encode`.

Compares `encode.body` with boto3's own json.dumps, and with gluing encoded messages together,
which is why there is no such trick in the product.
"""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Callable

import orjson

from sidecar.delivery import encode

ROUNDS = 25
TIME = 1_700_000_000_000


def main() -> None:
    """Print one line a kind of message and way."""
    plain = [f"GET /datasets/{n} took a while ".ljust(100, ".") for n in range(8_000)]
    quoted = [orjson.dumps({"n": n, "event": text[:70]}).decode() for n, text in enumerate(plain)]
    for kind, messages in (("plain text", plain), ("JSON lines", quoted)):
        times = [TIME] * len(messages)
        body = encode.body("g", "s", times, messages)
        assert glued(messages) == body
        ways: dict[str, Callable[[], object]] = {
            "encode.body": lambda t=times, m=messages: encode.body("g", "s", t, m),  # type: ignore[misc]
            "glued": lambda m=messages: glued(m),  # type: ignore[misc]
            "json.dumps": lambda t=times, m=messages: by_json(t, m),  # type: ignore[misc]
            "encode.crc": lambda b=body: encode.crc(b),  # type: ignore[misc]
            "encode.decode": lambda b=body: encode.decode(b),  # type: ignore[misc]
            "gzip level 1": lambda b=body: zlib.compress(b, 1),  # type: ignore[misc]
        }
        seconds = {name: best(way) for name, way in ways.items()}
        base = seconds["encode.body"]
        for name, taken in seconds.items():
            speed = len(body) / taken / 1e6
            print(f"{kind}: {name:<14} {taken / base:6.2f} x encode.body, {speed:7.0f} MB/s")


def best(way: Callable[[], object]) -> float:
    """Seconds of the fastest round."""
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        way()
        taken.append(time.perf_counter() - began)
    return min(taken)


def glued(messages: list[str]) -> bytes:
    """Encodes all messages at once, then puts the rest of the events between them."""
    texts = orjson.dumps(messages)[2:-2]
    # Right only where no message ends in a quote and a comma, which a product would have to check.
    start = b'{"timestamp":%d,"message":"' % TIME
    return (
        b'{"logGroupName":"g","logStreamName":"s","logEvents":['
        + start
        + texts.replace(b'","', b'"},' + start)
        + b'"}]}'
    )


def by_json(times: list[int], messages: list[str]) -> bytes:
    """As boto3 does it."""
    events = [{"timestamp": t, "message": m} for t, m in zip(times, messages, strict=True)]
    return json.dumps({"logGroupName": "g", "logStreamName": "s", "logEvents": events}).encode()


if __name__ == "__main__":
    main()
