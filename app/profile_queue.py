"""Which dataset is to be profiled, and by whom: empty files that are renamed.

`queue/ID.N` waits, `running/ID.N` in a process's own directory is being profiled, N counts the
processes that died of it. A rename has one winner, also between hosts, so no dataset is profiled
by two.
"""

from dataclasses import dataclass
from pathlib import Path

from app.volume import names_in

# A file that kills its process (memory, a crash of the engine) would otherwise do so for ever.
MOST_DEATHS = 2


@dataclass(frozen=True)
class Turn:
    """One dataset's place in the queue."""

    dataset: str
    deaths: int = 0

    @property
    def name(self) -> str:
        return f"{self.dataset}.{self.deaths}"

    @property
    def hopeless(self) -> bool:
        return self.deaths >= MOST_DEATHS

    @classmethod
    def parse(cls, name: str) -> "Turn":
        dataset, _, deaths = name.rpartition(".")
        return cls(dataset, int(deaths) if deaths.isdigit() else 0)


class ProfileQueue:
    """Every method is a few calls to the file system; OSError passes through."""

    def __init__(self, waiting: Path, running: Path) -> None:
        self._waiting = waiting
        self._running = running
        self._mine: set[str] = set()

    def announce(self, turn: Turn) -> None:
        """Note the turn as ours before its dataset exists: if we die, nothing is forgotten."""
        (self._running / turn.name).touch()

    def offer(self, turn: Turn) -> None:
        """Let any process take the turn."""
        self._mine.discard(turn.name)
        (self._running / turn.name).rename(self._waiting / turn.name)

    def take(self) -> Turn | None:
        """The oldest turn that nobody else took first, or None."""
        for name in sorted(names_in(self._waiting)):
            try:
                (self._waiting / name).rename(self._running / name)
            except FileNotFoundError:
                # Taken by another, unless it was ours and the file server's reply was lost.
                if name in self._mine or not (self._running / name).exists():
                    continue
            self._mine.add(name)
            return Turn.parse(name)
        return None

    def done(self, turn: Turn) -> None:
        self._mine.discard(turn.name)
        (self._running / turn.name).unlink(missing_ok=True)

    def waiting(self) -> set[str]:
        """The ids of all datasets that wait."""
        return {Turn.parse(name).dataset for name in names_in(self._waiting)}

    def forget(self, dataset: str) -> None:
        """Drop a waiting turn, where the dataset is deleted."""
        for deaths in range(MOST_DEATHS + 1):
            (self._waiting / Turn(dataset, deaths).name).unlink(missing_ok=True)

    def adopt(self, dead: Path) -> list[Turn]:
        """The turns a dead process had; they are the caller's until offered or done."""
        adopted = []
        for name in sorted(names_in(dead / "running")):
            turn = Turn.parse(name)
            turn = Turn(turn.dataset, turn.deaths + 1)
            (dead / "running" / name).rename(self._running / turn.name)
            self._mine.add(turn.name)
            adopted.append(turn)
        return adopted
