"""Claims: the first member to claim a stream, a file or an artifact wins, by the volume's word.

`claims/<sha256>` is a hard link to a fully written file that names the member. Making a link is
one operation, atomic between hosts, and exactly one of several wins. A claim decides who came
first; who has it now is in the ledgers (`others`), since a take-over moves ledgers, not claims.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal, NamedTuple

from sidecar.registry.file_system import REAL, FileSystem
from sidecar.registry.members import Member
from sidecar.registry.state_directory import CLAIMS

# EFS: at most 177 hard links to a file.
MOST_LINKS = 150

_PREFIX = "claim."
"""In the member's own folder: who takes that over and removes it also ends its claiming."""

_REPLACING = ".replacing"


class Claim(NamedTuple):
    """What is claimed: a stream with all sources that feed it, a file under whichever name two
    members come across it, or an artifact with all its versions."""

    kind: Literal["stream", "file", "artifact"]
    place: str
    """The log group, the root, or the artifact's path."""
    name: str = ""
    """The stream's name, or the inode number."""

    @property
    def file_name(self) -> str:
        text = "\0".join(self)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class Claims:
    """Makes, reads and removes claims for one member. Raises OSError where the volume refuses."""

    def __init__(
        self,
        state_dir: Path,
        member: Member,
        *,
        spend: Callable[[int], None],
        files: FileSystem = REAL,
    ) -> None:
        self._folder = state_dir / CLAIMS
        self._own = member.directory
        self._member = member.id
        self._spend = spend
        self._files = files
        self._token: Path | None = None
        self._links = 0

    def make(self, claim: Claim) -> str:
        """Claim it, unless somebody did; gives whose it is, our own id included."""
        path = self._folder / claim.file_name
        token = self._fresh_token()
        self._spend(1)
        try:
            self._files.link(token, path)
        except FileExistsError:
            # Also where the reply to a link that worked was lost, and the client asked again.
            return self.holder(claim)
        except OSError:
            self._token = None
            raise
        self._links += 1
        return self._member

    def holder(self, claim: Claim) -> str:
        """Which member made it; "" when it is gone again or says nothing."""
        self._spend(2)
        try:
            # Opened anew, so that an NFS client shows what is there now and not what it remembers.
            content = self._files.read_from(self._folder / claim.file_name, 0)
        except FileNotFoundError:
            return ""
        return content.decode("ascii", "replace").strip()

    def replace(self, claim: Claim, dead: str) -> bool:
        """Take a claim over that `dead` made. Only under `replacing`; False when it is not so."""
        if self.holder(claim) != dead:
            return False
        token = self._new_token()
        self._spend(1)
        try:
            self._files.rename(token, self._folder / claim.file_name)
        except OSError:
            with suppress(OSError):
                self._files.remove(token)
            raise
        return True

    def remove(self, claim: Claim) -> None:
        """Give it up: it is ours by our ledger, whoever made it."""
        self._spend(1)
        with suppress(FileNotFoundError):
            self._files.remove(self._folder / claim.file_name)

    @contextmanager
    def replacing(self) -> Iterator[bool]:
        """The one lock under which claims are replaced; gives False while another holds it."""
        self._spend(2)
        descriptor = self._files.open_lock(self._folder / _REPLACING)
        try:
            try:
                self._files.lock(descriptor)
            except (BlockingIOError, PermissionError):
                yield False
                return
            yield True
        finally:
            self._files.close(descriptor)

    def _fresh_token(self) -> Path:
        """A file that names this member, with room for one more link."""
        if self._token is None or self._links >= MOST_LINKS:
            if self._token is not None:
                with suppress(OSError):
                    self._files.remove(self._token)
                self._token = None
            self._token, self._links = self._new_token(), 1
        return self._token

    def _new_token(self) -> Path:
        path = self._own / f"{_PREFIX}{secrets.token_hex(4)}"
        self._spend(2)
        descriptor = self._files.create(path)
        try:
            self._files.write_all(descriptor, self._member.encode("ascii") + b"\n")
            self._files.sync(descriptor)
        except OSError:
            with suppress(OSError):
                self._files.remove(path)
            raise
        finally:
            self._files.close(descriptor)
        return path
