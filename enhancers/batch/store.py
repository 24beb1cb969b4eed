"""Storage of results: their paths, lookup of existing ones, and atomic writing.

``images/<method>/<file>.png`` is a result and ``records/<method>/<file>.png.json`` its record; a
slice of a volume is ``<file>/slice-012.png``. The record is a provenance record with one more
entry, ``batch``, by which a later run recognises existing results.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from enhancers import provenance
from enhancers.batch.plan import BatchTask
from enhancers.batch.worker import TaskResult
from enhancers.files import remove_leftovers, write_atomic
from enhancers.provenance import Record

SUMMARY = "summary.csv"


@dataclass(frozen=True)
class Entry:
    """A stored result: its record, the SHA-256 of its file, and the reader's warnings."""

    record: Record
    sha256: str
    warnings: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        """Warnings and notes about the result, in one line."""
        return " ".join((*self.warnings, *self.record.notes))


class ResultStore:
    """The folder of the results."""

    def __init__(self, out: Path) -> None:
        self.out = out

    def image(self, name: str, task: BatchTask) -> PurePosixPath:
        """The path of a result relative to the folder."""
        return _place("images", name, task, task.form)

    def find(self, name: str, task: BatchTask, digest: str) -> Entry | None:
        """The intact result with this `request_digest`, or None."""
        try:
            text = (self.out / _place("records", name, task, f"{task.form}.json")).read_text(
                encoding="utf-8"
            )
            facts = json.loads(text)
            batch = facts.pop("batch")
            record = provenance.from_json(json.dumps(facts))
            if batch["request"] != digest:
                return None
            found = hashlib.sha256((self.out / self.image(name, task)).read_bytes()).hexdigest()
            warnings = tuple(str(line) for line in batch["warnings"])
            return Entry(record, found, warnings) if found == batch["sha256"] else None
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def put(self, name: str, task: BatchTask, digest: str, product: TaskResult) -> Entry:
        """Write a result, then its record, so that a record implies a complete result."""
        sha256 = hashlib.sha256(product.data).hexdigest()
        entry = Entry(product.record, sha256, product.warnings)
        facts = product.record.as_dict()
        facts["batch"] = {"request": digest, "sha256": sha256, "warnings": list(product.warnings)}
        text = json.dumps(facts, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
        self._write(self.image(name, task), product.data)
        self._write(_place("records", name, task, f"{task.form}.json"), f"{text}\n".encode())
        return entry

    def summarise(self, csv: str) -> None:
        """Write the table of the batch."""
        self._write(PurePosixPath(SUMMARY), csv.encode())

    def clear_leftovers(self) -> None:
        """Remove temporary files of processes that died."""
        for folder in ("images", "records"):
            remove_leftovers(self.out / folder)

    def _write(self, below: PurePosixPath, data: bytes) -> None:
        path = self.out / below
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, data)


def _place(room: str, name: str, task: BatchTask, ending: str) -> PurePosixPath:
    # The name keeps its extension, so that no two files share a result.
    base = PurePosixPath(room, task.method, name)
    if task.slice_index is None or task.place is not None:
        return base.with_name(f"{base.name}.{ending}")
    return base / f"slice-{task.slice_index:03d}.{ending}"
