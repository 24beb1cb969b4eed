"""The stored rows and trained networks of a run, which a later run reuses.

Rows are lines of JSON, each with a key made of everything that determines it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import TypeAdapter, ValidationError
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


@dataclass(frozen=True)
class _Line:
    key: str
    rows: tuple[SegmentationRow, ...]


_LINE = TypeAdapter(_Line)


class RunStore:
    """The folder of a run, used by one process at a time.

    Raises
    ------
    ReadingRoomError
        The folder cannot be written, or another run uses it.
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
            for line in complete_lines(self._path):
                self._read(line)
        except Timeout:
            raise ReadingRoomError(
                f"Another run uses {self.folder}; wait for it, or name another folder."
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
        """The rows with this key, if they are stored."""
        return self._found.get(key)

    def put(self, key: str, rows: Sequence[SegmentationRow]) -> None:
        """Store the rows of a key."""
        line = _Line(key, tuple(rows))
        with open_to_append(self._path) as file:
            append_lines(file, [_LINE.dump_json(line) + b"\n"])
        self._found[key] = line.rows

    def network(self, key: str, name: str, classes: int, size: int) -> nn.Module | None:
        """The trained network with this key, if it is stored and undamaged."""
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

    def put_network(self, key: str, network: nn.Module) -> None:
        """Store the weights of a trained network."""
        from safetensors.torch import save_file

        path = self._weights(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        weights = {name: each.detach().cpu().contiguous().clone()
                   for name, each in network.state_dict().items()}  # fmt: skip
        with atomic_path(path) as part:
            save_file(weights, part)

    def _weights(self, key: str) -> Path:
        return self.folder / "networks" / f"{key}.safetensors"

    def _read(self, text: bytes) -> None:
        try:
            line = _LINE.validate_json(text)
        except ValidationError:
            # It is damaged, and its rows are computed again.
            return
        self._found[line.key] = line.rows
