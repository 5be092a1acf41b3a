"""From a request's body to a dataset: streamed, bounded, and gone again when anything fails."""

import asyncio
import re
from collections.abc import AsyncIterator

from anyio import CancelScope, to_thread
from starlette.requests import ClientDisconnect, Request

from app import formats
from app.dataset import Dataset, Format, Record, new_id
from app.datasets import Datasets
from app.errors import RefusedError
from app.log_lines import now
from app.multipart import FormFile, header_options
from app.staging import Stage
from app.units import show_size

BLOCK_BYTES = 1 << 20
# A form adds boundaries, headers and perhaps other fields to its file.
FORM_OVERHEAD = 64 << 10
LONGEST_NAME = 200
# A client that is still sending sees our answer only if the rest of its body is taken off it.
DISCARD_BYTES = 64 << 20
DISCARD_SECONDS = 10.0
UNPRINTABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


class Uploads:
    """`limit` bounds one file in bytes, `idle` the seconds until its next bytes come."""

    def __init__(self, datasets: Datasets, *, limit: int, idle: float) -> None:
        self._datasets = datasets
        self._limit = limit
        self._idle = idle

    async def receive(self, request: Request, name: str | None) -> Dataset:
        """The dataset made from the body. Raises RefusedError, ClientDisconnect or OSError."""
        body = self._awaited(request.stream())
        try:
            return await self._receive(request, body, name)
        except RefusedError as refused:
            if refused.status != 408:
                await _discard(request)
            raise
        except OSError:
            await _discard(request)
            raise

    async def _receive(
        self, request: Request, body: AsyncIterator[bytes], name: str | None
    ) -> Dataset:
        content_type = request.headers.get("content-type", "")
        form = None
        if content_type.lower().startswith("multipart/form-data"):
            form = FormFile(body, content_type)
        else:
            formats.check_declared(content_type)
            disposition = request.headers.get("content-disposition", "")
            name = name or header_options(disposition.encode("latin-1")).get("filename")
        self._check_length(request, FORM_OVERHEAD if form else 0)
        stage = await to_thread.run_sync(self._datasets.stage, new_id())
        try:
            format_ = await self._store(form or body, stage)
            if form is not None:
                formats.check_declared(form.content_type)
                name = name or form.name
            record = Record(
                id=stage.dataset,
                name=clean_name(name or "") or f"upload.{format_.value}",
                format=format_,
                bytes=stage.bytes,
                sha256=stage.sha256,
                created=now(),
                request_id=request.state.request_id,
            )
            # Once complete it is kept, even if the client leaves before it hears of it.
            with CancelScope(shield=True):
                dataset = await to_thread.run_sync(self._datasets.accept, stage, record)
        except BaseException:
            with CancelScope(shield=True):
                await to_thread.run_sync(stage.abandon)
            raise
        return dataset

    async def _store(self, chunks: AsyncIterator[bytes] | FormFile, stage: Stage) -> Format:
        format_: Format | None = None
        block = bytearray()
        async for chunk in aiter(chunks):
            block += chunk
            if stage.bytes + len(block) > self._limit:
                raise self._too_large()
            if format_ is None and len(block) >= formats.HEAD_BYTES:
                format_ = formats.detect(bytes(block[: formats.HEAD_BYTES]))
            if len(block) >= BLOCK_BYTES:
                await to_thread.run_sync(stage.write, bytes(block))
                block.clear()
        if format_ is None:
            format_ = formats.detect(bytes(block))
        await to_thread.run_sync(stage.write, bytes(block))
        return format_

    async def _awaited(self, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        while True:
            try:
                async with asyncio.timeout(self._idle):
                    chunk = await anext(stream)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise RefusedError(408, f"nothing was sent for {self._idle:g} s") from None
            yield chunk

    def _check_length(self, request: Request, overhead: int) -> None:
        declared = request.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > self._limit + overhead:
            raise self._too_large()

    def _too_large(self) -> RefusedError:
        return RefusedError(413, f"the file is larger than {show_size(self._limit)}")


def clean_name(name: str) -> str:
    """The last component of a path of any system, printable, bounded; may be empty."""
    last = re.split(r"[/\\]", name)[-1]
    return UNPRINTABLE.sub("_", last).strip()[:LONGEST_NAME]


async def _discard(request: Request) -> None:
    if request.headers.get("expect", "").lower() == "100-continue":
        return
    discarded = 0
    try:
        async with asyncio.timeout(DISCARD_SECONDS):
            async for chunk in request.stream():
                discarded += len(chunk)
                if discarded > DISCARD_BYTES:
                    return
    except (TimeoutError, ClientDisconnect, RuntimeError):
        # RuntimeError is starlette's word for a body that was read to its end.
        return
