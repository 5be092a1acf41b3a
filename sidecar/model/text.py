"""Encodings: where lines end in them, and text out of bytes with invalid ones replaced."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from functools import cached_property
from typing import Self

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
UTF_32_MARKS = ((codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"))

# The byte order of text without a mark: little-endian, as the WHATWG Encoding Standard reads it.
WITHOUT_MARK = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}

STATEFUL = ("iso2022", "hz", "utf-7")

# A cut is searched in steps of these sizes: one long line is decoded about once, and only its
# last block byte by byte.
STEPS = (4096, 64, 1)


def checked_encoding(name: str) -> str:
    """The codec's own name for ``name``; ValueError where lines cannot be told apart in it."""
    try:
        codec = codecs.lookup(name).name
        line_feed = "\n".encode(WITHOUT_MARK.get(codec, codec))
    except (LookupError, ValueError):
        raise ValueError(f"{name!r} is no known text encoding") from None
    if codec.startswith(STATEFUL):
        raise ValueError(f"{name!r} carries a shift state from character to character")
    # Python's own escapes (unicode_escape, punycode…) are codecs, and no encoding of a log.
    if line_feed.strip(b"\0") != b"\n" and len(line_feed) != 1:
        raise ValueError(f"{name!r} has no line feed")
    if codec in ("raw-unicode-escape", "idna", "undefined", "mbcs", "oem"):
        raise ValueError(f"{name!r} is no encoding of text in files")
    return codec


def _marks(configured: str) -> tuple[tuple[bytes, str], ...]:
    # UTF-16's little-endian mark begins UTF-32's: the wider is looked for only where configured.
    return UTF_32_MARKS if configured.startswith("utf-32") else BYTE_ORDER_MARKS


@dataclass(frozen=True)
class Encoding:
    """One encoding with a fixed byte order."""

    name: str

    @classmethod
    def of(cls, head: bytes, configured: str) -> tuple[Self, int]:
        """The encoding of a source that begins with ``head``, and the length of its mark.

        A byte-order mark outranks the configuration, as in the WHATWG Encoding Standard. Only
        four bytes of ``head`` count.
        """
        for mark, name in _marks(configured):
            if head.startswith(mark):
                return cls(name), len(mark)
        return cls(WITHOUT_MARK.get(configured, configured)), 0

    @staticmethod
    def may_become_mark(head: bytes, configured: str) -> bool:
        """Whether ``head`` is too short to say that it is no byte-order mark."""
        return any(
            len(head) < len(mark) and mark.startswith(head) for mark, _ in _marks(configured)
        )

    @cached_property
    def line_feed(self) -> bytes:
        """The bytes that end a line."""
        return "\n".encode(self.name)

    @cached_property
    def carriage_return(self) -> bytes:
        """What is stripped before a line feed."""
        return "\r".encode(self.name)

    @cached_property
    def unit(self) -> int:
        """Bytes of a code unit: line feeds stand at multiples of it."""
        return len(self.line_feed)

    @cached_property
    def holds_ascii(self) -> bool:
        """Whether ASCII bytes are ASCII characters here."""
        ascii_bytes = bytes(range(128))
        return self.unit == 1 and ascii_bytes.decode(self.name, "replace") == ascii_bytes.decode()

    def last_line_end(self, data: bytes, start: int, origin: int) -> int:
        """Where the last complete line of ``data`` from ``start`` on ends, or ``start``.

        ``origin`` is the offset of ``data`` in the source, which the code units are aligned to.
        """
        at = data.rfind(self.line_feed, start)
        while at >= 0 and (at + origin) % self.unit:
            at = data.rfind(self.line_feed, start, at + self.unit - 1)
        return start if at < 0 else at + self.unit

    def next_line_end(self, data: bytes, start: int, origin: int) -> int:
        """Where the line that begins at ``start`` ends, its line feed included; -1 if nowhere."""
        at = data.find(self.line_feed, start)
        while at >= 0 and (at + origin) % self.unit:
            at = data.find(self.line_feed, at + 1)
        return -1 if at < 0 else at + self.unit

    def decode(self, raw: bytes) -> tuple[str, bool]:
        """The text of ``raw`` and whether all of it was valid."""
        try:
            text = raw.decode(self.name)
            if not self.name.startswith("utf-"):
                text.encode()
        except UnicodeDecodeError:
            return scrubbed(raw.decode(self.name, "replace")), False
        except UnicodeEncodeError:
            return scrubbed(text), False
        return text, True

    def prefix(self, raw: bytes, room: int, *, final: bool) -> tuple[str, int, bool]:
        """The characters at the beginning of ``raw`` that need at most ``room`` bytes of UTF-8.

        Returns their text, their bytes in ``raw``, and whether there was more than fits. The
        answer with "more" depends on nothing behind the first character that does not fit; with
        ``final`` an incomplete character at the end is an invalid one, else it is left.
        """
        decoder = codecs.getincrementaldecoder(self.name)("replace")
        texts: list[str] = []
        at = used = kept_bytes = 0
        step = 0
        while at < len(raw):
            before = decoder.getstate()
            block = raw[at : at + STEPS[step]]
            text = scrubbed(decoder.decode(block))
            size = len(text.encode())
            if used + size > room:
                if step == len(STEPS) - 1:
                    return "".join(texts), kept_bytes, True
                decoder.setstate(before)
                step += 1
                continue
            texts.append(text)
            used += size
            at += len(block)
            kept_bytes = at - len(decoder.getstate()[0])
        rest = scrubbed(decoder.decode(b"", final)) if final else ""
        if used + len(rest.encode()) > room:
            return "".join(texts), kept_bytes, True
        if final:
            return "".join(texts) + rest, len(raw), False
        return "".join(texts), kept_bytes, False


def scrubbed(text: str) -> str:
    """``text`` without lone surrogates, which no UTF-8 and no JSON body can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in text)
    return text


def cut_to(text: str, room: int) -> str:
    """The longest beginning of ``text`` that needs at most ``room`` bytes of UTF-8."""
    return text.encode()[:room].decode(errors="ignore")
