"""What an upload is, by its first bytes; its name and declared type only rule things out."""

import orjson

from app.dataset import Format
from app.errors import RefusedError

# Enough for a verdict on text; a first JSON line may be longer and is then taken on trust.
HEAD_BYTES = 64 << 10
PARQUET_MAGIC = b"PAR1"
BOM = b"\xef\xbb\xbf"
FOREIGN = {
    b"\x1f\x8b": "gzip; upload the file uncompressed",
    b"PK\x03\x04": "a ZIP archive or a spreadsheet; export it as CSV",
    b"%PDF": "a PDF",
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
    b"GIF8": "an image",
    b"\x28\xb5\x2f\xfd": "zstd; upload the file uncompressed",
    b"BZh": "bzip2; upload the file uncompressed",
    b"PARE": "an encrypted Parquet file",
    b"\xff\xfe": "UTF-16; save it as UTF-8",
    b"\xfe\xff": "UTF-16; save it as UTF-8",
}
# Declared types that say nothing; every other `application/…` must be one of ours.
READABLE = ("text/", "application/octet-stream", "application/x-www-form-urlencoded")
OURS = {
    "application/csv",
    "application/vnd.ms-excel",
    "application/json",
    "application/jsonl",
    "application/json-lines",
    "application/jsonlines",
    "application/ndjson",
    "application/x-ndjson",
    "application/x-jsonlines",
    "application/x-json-lines",
    "application/parquet",
    "application/x-parquet",
    "application/vnd.apache.parquet",
}
WANTED = "send CSV, JSON-lines or Parquet"


def check_declared(content_type: str) -> None:
    """Raise RefusedError (415) for a declared type that cannot be a dataset."""
    declared = content_type.partition(";")[0].strip().lower()
    if declared and declared not in OURS and not declared.startswith(READABLE):
        raise RefusedError(415, f"{declared[:100]} is not a dataset; {WANTED}")
    if declared in ("text/html", "text/xml", "text/css", "text/javascript"):
        raise RefusedError(415, f"{declared} is not a dataset; {WANTED}")


def detect(head: bytes) -> Format:
    """The format of a file that begins with `head`; raises RefusedError (415 or 422)."""
    if not head:
        raise RefusedError(422, "the file is empty")
    if head.startswith(PARQUET_MAGIC):
        return Format.PARQUET
    for magic, what in FOREIGN.items():
        if head.startswith(magic):
            raise RefusedError(415, f"the file is {what}; {WANTED}")
    if b"\0" in head:
        raise RefusedError(415, f"the file is binary; {WANTED}")
    text = head.removeprefix(BOM).lstrip()
    if not text:
        raise RefusedError(422, "the file holds nothing but white space")
    if text.startswith(b"{"):
        return _json(text)
    if text.startswith(b"[") and text[1:].lstrip().startswith(b"{"):
        raise RefusedError(415, "the file is a JSON array; send one object a line (JSON-lines)")
    return Format.CSV


def _json(text: bytes) -> Format:
    line, line_feed, _ = text.partition(b"\n")
    if not line_feed and len(text) >= HEAD_BYTES // 2:
        return Format.JSON_LINES
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        raise RefusedError(
            415, "the first line begins like JSON and is not; send one object a line (JSON-lines)"
        ) from None
    return Format.JSON_LINES
