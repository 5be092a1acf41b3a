"""A client of the app: uploads, looks, downloads, errs and deletes, over HTTP."""

import hashlib
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import httpx

from tests.demo.uploads import SHAPES, Upload

PAUSE_SECONDS = 0.1
READY_SECONDS = 60.0
REQUEST_SECONDS = 30.0
KEPT_DATASETS = 3
"""Of each visitor; older ones are deleted once their artifacts have arrived."""

Digests = dict[str, str]
"""sha256 by name, which is relative to the artifacts' directory."""


class Unexpected(Exception):  # noqa: N818 - the demo's finding, told to a person
    """The app answered otherwise than it must."""


class Leaving(Exception):  # noqa: N818 - the way out of a visit
    """The visitor was asked to stop."""


class Visitor:
    """Goes on until asked to stop, or until the app answers otherwise than it must.

    `arrived` says whether CloudWatch holds artifacts of these names: only then is a dataset
    deleted, since what is gone before it was read cannot be compared.
    """

    def __init__(self, number: int, app_url: str, arrived: Callable[[Digests], bool]) -> None:
        self.requests = 0
        self.uploads = 0
        self.deleted: Digests = {}
        self.trouble: str | None = None
        """What was unexpected; None while all is well."""
        self._chance = random.Random(number)
        self._http = httpx.Client(base_url=app_url, timeout=REQUEST_SECONDS, trust_env=False)
        self._arrived = arrived
        self._leaving = threading.Event()
        self._datasets: deque[tuple[str, Digests]] = deque()
        self._thread = threading.Thread(target=self._stay, name=f"visitor-{number}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def ask_to_leave(self) -> None:
        self._leaving.set()

    def wait(self) -> None:
        """Returns when the request under way, if any, is answered."""
        self._thread.join(2 * REQUEST_SECONDS)

    def _stay(self) -> None:
        shapes = list(SHAPES)
        self._chance.shuffle(shapes)
        try:
            with self._http:
                while True:
                    for shape in shapes:
                        self._visit(shape(self._chance))
        except Leaving:
            pass
        except (httpx.HTTPError, Unexpected) as error:
            self.trouble = f"{type(error).__name__}: {error}"

    def _visit(self, upload: Upload) -> None:
        self._ask("GET", "/", 200)
        dataset = self._upload(upload)
        self._err()
        artifacts = self._until_ready(dataset)
        self._datasets.append((dataset, self._download(dataset, artifacts)))
        self._ask("GET", "/datasets", 200, params={"limit": 20})
        self._delete_oldest()

    def _upload(self, upload: Upload) -> str:
        answer = self._ask(
            "POST",
            "/datasets",
            202,
            params={"name": upload.name},
            content=upload.content,
            headers={"content-type": upload.content_type},
        )
        self.uploads += 1
        return str(answer.json()["id"])

    def _err(self) -> None:
        """What people get wrong."""
        self._ask("GET", "/datasets/no-such-dataset", 404)
        self._ask("GET", "/datasets/no-such-dataset/artifacts/profile.json", 404)
        self._ask("GET", "/datasets", 422, params={"limit": "many"})
        self._ask("POST", "/datasets", 422, content=b"")

    def _until_ready(self, dataset: str) -> dict[str, str]:
        """The addresses of its artifacts."""
        deadline = time.monotonic() + READY_SECONDS
        while True:
            found: dict[str, Any] = self._ask("GET", f"/datasets/{dataset}", 200).json()
            if found["status"] == "ready":
                return dict(found["artifacts"])
            if found["status"] == "failed" or time.monotonic() > deadline:
                raise Unexpected(f"{found['name']} is {found['status']}: {found['reason']}")

    def _download(self, dataset: str, artifacts: dict[str, str]) -> Digests:
        return {
            f"{dataset}/{name}": hashlib.sha256(self._ask("GET", address, 200).content).hexdigest()
            for name, address in artifacts.items()
        }

    def _delete_oldest(self) -> None:
        if len(self._datasets) <= KEPT_DATASETS:
            return
        dataset, artifacts = self._datasets[0]
        if not self._arrived(artifacts):
            return
        self._datasets.popleft()
        self._ask("DELETE", f"/datasets/{dataset}", 204)
        # Noted before the next request, which may be refused because it is time to leave.
        self.deleted |= artifacts
        self._ask("GET", f"/datasets/{dataset}", 404)

    def _ask(self, method: str, address: str, expected: int, **request: Any) -> httpx.Response:
        """One request after a pause; raises Leaving instead once asked to, Unexpected on another
        status than the expected one."""
        if self._leaving.wait(PAUSE_SECONDS):
            raise Leaving
        answer = self._http.request(method, address, **request)
        self.requests += 1
        if answer.status_code != expected:
            raise Unexpected(
                f"{method} {address} gave {answer.status_code}, not {expected}: {answer.text[:200]}"
            )
        return answer
