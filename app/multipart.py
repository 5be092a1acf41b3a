"""The file inside a form, as it streams by: nothing is spooled to memory or to `/tmp`."""

from collections.abc import AsyncIterator

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from app.errors import RefusedError


def header_options(value: bytes) -> dict[str, str]:
    """The parameters of a header such as Content-Disposition."""
    _, options = parse_options_header(value)
    return {
        key.decode("latin-1"): option.decode("utf-8", "replace") for key, option in options.items()
    }


class FormFile:
    """Iterates over the content of the form's first part that has a file name."""

    def __init__(self, body: AsyncIterator[bytes], content_type: str) -> None:
        _, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if not boundary:
            raise RefusedError(422, "the form has no boundary in its Content-Type")
        self.name: str | None = None
        self.content_type = ""
        self._body = body
        self._pieces: list[bytes] = []
        self._inside = False
        self._field = b""
        self._value = b""
        self._headers: dict[bytes, bytes] = {}
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._part_begin,
                    "on_header_field": self._header_field,
                    "on_header_value": self._header_value,
                    "on_header_end": self._header_end,
                    "on_headers_finished": self._headers_finished,
                    "on_part_data": self._part_data,
                    "on_part_end": self._part_end,
                },
            )
        except FormParserError as error:
            raise RefusedError(422, f"the form cannot be read: {error}") from None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._body:
            try:
                self._parser.write(chunk)
            except FormParserError as error:
                raise RefusedError(422, f"the form cannot be read: {error}") from None
            if self._pieces:
                yield b"".join(self._pieces)
                self._pieces.clear()
        if self.name is None:
            raise RefusedError(422, "the form has no file; put it into a field named `file`")
        if self._inside:
            raise RefusedError(422, "the form ends in the middle of the file")

    def _part_begin(self) -> None:
        self._headers = {}
        self._field = self._value = b""

    def _header_field(self, chunk: bytes, start: int, end: int) -> None:
        self._field += chunk[start:end]

    def _header_value(self, chunk: bytes, start: int, end: int) -> None:
        self._value += chunk[start:end]

    def _header_end(self) -> None:
        self._headers[self._field.lower()] = self._value
        self._field = self._value = b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        name = options.get(b"filename")
        if name is not None and self.name is None:
            self.name = name.decode("utf-8", "replace")
            self.content_type = self._headers.get(b"content-type", b"").decode("latin-1")
            self._inside = True

    def _part_data(self, chunk: bytes, start: int, end: int) -> None:
        if self._inside:
            self._pieces.append(chunk[start:end])

    def _part_end(self) -> None:
        self._inside = False
