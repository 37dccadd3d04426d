"""`etl-dagster` with a clock that tells Dagster's seconds from ours.

usage: python -m benchmarks.sampling FILE [--] COMMAND...

A thread looks at the main thread's stack every few milliseconds. The innermost frame of Dagster or
of `etl_dagster` says whose the time since the last look is, whatever it called: SQLite under an
event that Dagster writes is Dagster's, the wait for Snowflake's answer is ours. So Dagster's share
is: importing it, building its definitions, its instance, its events and everything else between and
inside the steps that no code of ours does, also while other threads work on chunks, so that it is
rather too much than too little. Neither's is the interpreter's own start and end.

The clock starts with this module; FILE gets, as JSON, `dagster_seconds`, `own_seconds`,
`other_seconds`, and the seconds by the function of Dagster that the time went to.
"""

import atexit
import importlib.util
import json
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import FrameType

EVERY_SECONDS = 0.005
SHOWN = 15
DAGSTER, OWN, OTHER = "dagster", "own", "other"


def home_of(package: str) -> str:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).parent)


class Sampler(threading.Thread):
    """Adds up whose seconds they are, until it is stopped.

    Attributes:
        seconds: owner to seconds.
        places: function of Dagster, as file and name, to its seconds.
    """

    def __init__(self, watched: int) -> None:
        super().__init__(daemon=True)
        self.seconds: Counter[str] = Counter()
        self.places: Counter[str] = Counter()
        self._watched = watched
        self._homes = {
            **{home_of(name): DAGSTER for name in ("dagster", "dagster_shared")},
            home_of("etl_dagster"): OWN,
        }
        self._owners: dict[str, str | None] = {}
        self._done = threading.Event()

    def run(self) -> None:
        before = time.perf_counter()
        while not self._done.wait(EVERY_SECONDS):
            frame = sys._current_frames().get(self._watched)  # noqa: SLF001  its only door
            now = time.perf_counter()
            owner, place = self._owner(frame)
            self.seconds[owner] += now - before
            if owner == DAGSTER:
                self.places[place] += now - before
            before = now

    def stop(self) -> None:
        self._done.set()
        self.join()

    def _owner(self, frame: FrameType | None) -> tuple[str, str]:
        while frame is not None:
            file = frame.f_code.co_filename
            if file not in self._owners:
                self._owners[file] = next(
                    (who for home, who in self._homes.items() if file.startswith(home + "/")), None
                )
            if owner := self._owners[file]:
                return owner, f"{'/'.join(Path(file).parts[-2:])}:{frame.f_code.co_name}"
            frame = frame.f_back
        return OTHER, ""


def main() -> None:
    file, *command = [argument for argument in sys.argv[1:] if argument != "--"]
    sampler = Sampler(threading.get_ident())
    sampler.start()

    def tell() -> None:
        sampler.stop()
        figures = {f"{who}_seconds": sampler.seconds[who] for who in (DAGSTER, OWN, OTHER)}
        places = dict(sampler.places.most_common(SHOWN))
        Path(file).write_text(json.dumps({**figures, "places": places}), encoding="utf-8")

    atexit.register(tell)
    from etl_dagster.cli import main as program  # noqa: PLC0415  it is what is measured

    program(command, prog_name="etl-dagster")


if __name__ == "__main__":
    main()
