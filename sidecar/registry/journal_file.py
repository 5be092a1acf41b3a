"""A member's journal and snapshots in its folder.

`journal.<n>` is appended to; `snapshot.<n>` holds all that was known before `journal.<n>` began.
The pair before is kept, so that one broken file costs nothing. `journal_recovery.load`
reads everything from the newest whole snapshot on.

A volume that is full, read-only or broken never stops delivery: writing then returns False, the
journal says why in `problem`, and everything is written again once the volume takes it.
"""

from contextlib import suppress
from pathlib import Path

from sidecar.model.journal import Entry, Header, Trailer, encode
from sidecar.model.ledger import Ledger
from sidecar.registry.file_system import REAL, FileSystem
from sidecar.registry.state_directory import unusable

BUFFER_LIMIT = 4 * 1024 * 1024
"""Bytes of lines kept while the volume takes none; past it a compaction replaces them."""

COMPACT_BYTES = 8 * 1024 * 1024
"""The length at which a journal is due to be compacted, or the last snapshot's when longer."""

WRITE_RETRY_SECONDS = 1.0
"""The pause after a write that failed."""

COMPACT_RETRY_SECONDS = 5.0
"""The pause after a compaction that failed: it writes everything there is."""

_CHUNK = 1024 * 1024


def journal_name(generation: int) -> str:
    """The name of a generation's journal."""
    return f"journal.{generation}"


def snapshot_name(generation: int) -> str:
    """The name of a generation's snapshot."""
    return f"snapshot.{generation}"


def generation_of(name: str) -> int | None:
    """The generation of a journal's or snapshot's name; None for any other name."""
    kind, _, number = name.partition(".")
    if kind in ("journal", "snapshot") and number.isascii() and number.isdigit():
        return int(number)
    return None


class JournalFile:
    """Writes one member's journal.

    The ledger must hold every entry that was appended, since a compaction writes the ledger
    in their place. `failures` counts what the volume refused; `problem` is the last refusal in
    a person's words, None once writing works again. `now` is in seconds of one monotonic clock.
    """

    def __init__(
        self,
        directory: Path,
        *,
        member: str,
        at_ms: int,
        compact_bytes: int = COMPACT_BYTES,
        files: FileSystem = REAL,
    ) -> None:
        """Begin the first journal of a new member. Raises StateError when it cannot."""
        self.failures = 0
        self.syncs = 0
        """How often the volume was made to wait for: each is billed."""
        self.problem: str | None = None
        self._directory = directory
        self._member = member
        self._compact_bytes = compact_bytes
        self._files = files
        self._buffer = bytearray()
        self._bytes = 0
        self._torn = False
        self._unsynced = False
        self._in_doubt = False
        self._write_at = self._compact_at = float("-inf")
        self._generation = 1
        self._snapshot = 0
        self._snapshot_bytes = 0
        try:
            self._descriptor = self._begin(at_ms)
            self._files.sync_directory(directory)
        except OSError as error:
            raise unusable(directory, "begin a journal", error) from error

    @property
    def bytes(self) -> int:
        """The length of the journal now written to."""
        return self._bytes

    def append(self, entry: Entry) -> None:
        """Keep the entry's line for the next flush."""
        if self._in_doubt:
            return
        self._buffer += encode(entry)
        if self.problem and len(self._buffer) > BUFFER_LIMIT:
            self._doubt()

    def flush(self, now: float) -> bool:
        """Hand the kept lines to the volume in one write; False when it did not take them all.

        They outlive this process then, not this host; that is what `sync` is for.
        """
        if self._in_doubt:
            return False
        if not self._buffer:
            return True
        if now < self._write_at:
            return False
        content = b"\n" + self._buffer if self._torn else bytes(self._buffer)
        self._unsynced = True
        try:
            self._files.write_all(self._descriptor, content)
        except OSError as error:
            # Some of it may be there. The next write starts on a fresh line and repeats all of
            # it; a ledger takes a line twice without counting it twice.
            self._torn = True
            self._write_at = now + WRITE_RETRY_SECONDS
            return self._refused("append to", error)
        self._torn = False
        self._bytes += len(content)
        self._buffer.clear()
        return self._worked()

    def sync(self, now: float) -> bool:
        """Flush, and wait until it is durable; costs nothing when nothing was written."""
        if not self.flush(now):
            return False
        if not self._unsynced:
            return True
        try:
            self._files.sync(self._descriptor)
        except OSError as error:
            # After a failed fsync the kernel has forgotten what it could not write, and the next
            # fsync succeeds. Only writing everything anew brings it back.
            self._doubt()
            return self._refused("sync", error)
        self._unsynced = False
        self.syncs += 1
        return self._worked()

    def compaction_due(self, now: float) -> bool:
        """Whether to compact: the journal is long, or lacks lines which the ledger has."""
        due_bytes = max(self._compact_bytes, self._snapshot_bytes)
        return now >= self._compact_at and (self._in_doubt or self._bytes > due_bytes)

    def compact(self, ledger: Ledger, now: float, at_ms: int) -> bool:
        """Write the ledger as a snapshot and begin the journal that follows it.

        False when the volume refused: all that was on it still is, and writing goes on.
        """
        # The journal so far must be whole too: it counts again should the snapshot ever be damaged.
        self.sync(now)
        self._generation += 1
        beside = self._directory / f".{snapshot_name(self._generation)}.tmp"
        self._compact_at = now + COMPACT_RETRY_SECONDS
        written = self._bytes
        try:
            snapshot_bytes = self._write_snapshot(beside, ledger, at_ms)
            following = self._begin(at_ms)
        except OSError as error:
            self._bytes = written
            self._discard(beside)
            return self._refused("compact", error)
        # The new journal is the one to write to from here on, whatever becomes of the snapshot:
        # a rename whose reply was lost may have happened.
        previous, self._descriptor = self._descriptor, following
        try:
            self._files.rename(beside, self._directory / snapshot_name(self._generation))
            self._files.sync_directory(self._directory)
        except OSError as error:
            self._discard(beside)
            self._leave(previous)
            return self._refused("compact", error)
        self._buffer.clear()
        self._torn = self._unsynced = self._in_doubt = False
        with suppress(OSError):
            self._files.close(previous)
        self._remove_older_than(self._snapshot)
        self._snapshot, self._snapshot_bytes = self._generation, snapshot_bytes
        self._compact_at = self._write_at = float("-inf")
        return self._worked()

    def close(self) -> None:
        """Let the file go; what was not flushed is lost."""
        with suppress(OSError):
            self._files.close(self._descriptor)

    def _begin(self, at_ms: int) -> int:
        path = self._directory / journal_name(self._generation)
        descriptor = self._files.open_append(path)
        try:
            header = encode(Header(self._member, self._generation, at_ms))
            self._files.write_all(descriptor, header)
            self._files.sync(descriptor)
        except OSError:
            with suppress(OSError):
                self._files.close(descriptor)
            self._discard(path)
            raise
        self._bytes = len(header)
        return descriptor

    def _write_snapshot(self, path: Path, ledger: Ledger, at_ms: int) -> int:
        """Write it whole and durably; its length in bytes."""
        descriptor = self._files.create(path)
        written = 0
        try:
            chunk = bytearray(encode(Header(self._member, self._generation, at_ms)))
            count = 0
            for entry in ledger.entries():
                chunk += encode(entry)
                count += 1
                if len(chunk) >= _CHUNK:
                    self._files.write_all(descriptor, bytes(chunk))
                    written += len(chunk)
                    chunk.clear()
            chunk += encode(Trailer(count))
            self._files.write_all(descriptor, bytes(chunk))
            self._files.sync(descriptor)
        finally:
            self._files.close(descriptor)
        return written + len(chunk)

    def _leave(self, previous: int) -> None:
        """Go on in the new journal although its snapshot is missing: the old one must be whole."""
        try:
            if self._unsynced:
                self._files.sync(previous)
            self._files.close(previous)
        except OSError:
            self._doubt()
        self._torn = self._unsynced = False

    def _doubt(self) -> None:
        self._in_doubt = True
        self._buffer.clear()

    def _remove_older_than(self, generation: int) -> None:
        with suppress(OSError):
            for name in self._files.names(self._directory):
                number = generation_of(name)
                if number is not None and number < generation:
                    self._discard(self._directory / name)

    def _discard(self, path: Path) -> None:
        with suppress(OSError):
            self._files.remove(path)

    def _refused(self, act: str, error: OSError) -> bool:
        self.failures += 1
        self.problem = f"cannot {act} the journal in {self._directory}: {error.strerror or error}"
        return False

    def _worked(self) -> bool:
        self.problem = None
        return True
