"""What a run keeps so that it can go on where it stopped: rows, and trained networks.

Rows are lines of JSON, added and never changed, each under a key made of all that determines it;
a second run finds them and computes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from torch import nn

from benchmarks.segmentation.networks import build
from enhancers.errors import ReadingRoomError
from enhancers.files import append_lines, atomic_path, complete_lines, open_to_append


@dataclass(frozen=True)
class SegmentationRow:
    """One structure of one test image, segmented by one network; distances are in pixels.

    ``level`` is that of the degradation, 0 for a clean image. The four measures are None where
    neither the truth nor the prediction has the structure.
    """

    cohort: str
    network: str
    seed: int
    degradation: str
    variant: str
    subject: str
    level: float
    structure: str
    dice: float | None
    iou: float | None
    hd95: float | None
    asd: float | None


class RunStore:
    """A folder with what is done; one process at a time may work in it.

    Raises
    ------
    ReadingRoomError
        The folder cannot be written, or another run is at work in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / "rows.jsonl"
        self._found: dict[str, tuple[SegmentationRow, ...]] = {}
        self._lock: FileLock | None = None

    def __enter__(self) -> RunStore:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(self.folder / ".lock", timeout=0)
            self._lock.acquire()
            self._found = self._read()
        except Timeout:
            raise ReadingRoomError(
                f"Another run is at work in {self.folder}; wait for it, or name another folder."
            ) from None
        except OSError as error:
            raise ReadingRoomError(
                f"{self.folder} cannot be written: {error.strerror}; name another folder."
            ) from error
        return self

    def __exit__(self, *error: object) -> None:
        if self._lock is not None:
            self._lock.release()

    def get(self, key: str) -> tuple[SegmentationRow, ...] | None:
        """The rows under a key, if they are done."""
        return self._found.get(key)

    def put(self, key: str, rows: Sequence[SegmentationRow]) -> None:
        """Keep the rows of a key."""
        line = {"key": key, "rows": [asdict(row) for row in rows]}
        text = f"{json.dumps(line, sort_keys=True, allow_nan=False)}\n"
        with open_to_append(self._path) as file:
            append_lines(file, [text.encode()])
        self._found[key] = tuple(rows)

    def network(self, key: str, name: str, classes: int, size: int) -> nn.Module | None:
        """The trained network under a key, if it is there and unharmed."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        path = self._weights(key)
        if not path.is_file():
            return None
        network = build(name, classes, size, 0)
        try:
            network.load_state_dict(load_file(path))
        except (SafetensorError, RuntimeError, OSError, ValueError):
            path.unlink(missing_ok=True)
            return None
        return network.eval()

    def keep_network(self, key: str, network: nn.Module) -> None:
        """Write the weights of a trained network, whole or not at all."""
        from safetensors.torch import save_file

        path = self._weights(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        weights = {name: each.detach().cpu().contiguous().clone()
                   for name, each in network.state_dict().items()}  # fmt: skip
        with atomic_path(path) as part:
            save_file(weights, part)

    def _weights(self, key: str) -> Path:
        return self.folder / "networks" / f"{key}.safetensors"

    def _read(self) -> dict[str, tuple[SegmentationRow, ...]]:
        found: dict[str, tuple[SegmentationRow, ...]] = {}
        for line in complete_lines(self._path):
            try:
                plain = json.loads(line)
                found[str(plain["key"])] = tuple(SegmentationRow(**row) for row in plain["rows"])
            except (ValueError, TypeError, KeyError):
                continue
        return found
