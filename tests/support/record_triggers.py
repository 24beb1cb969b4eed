"""Write the digests of the present triggers: `python -m tests.support.record_triggers`."""

from __future__ import annotations

import json
from pathlib import Path

import study.storage.migrations as room
from study.storage.migrations.recorded import DIALECTS, Changes, changes, recorded
from study.storage.models import SCHEMA_VERSION
from study.storage.triggers import bodies, digest_of


def present() -> Changes:
    """What the file should say: the present triggers where they differ from the version before."""
    before = [recorded(SCHEMA_VERSION - 1, name) for name in DIALECTS]
    now = {name: [text and digest_of(text) for text in texts] for name, *texts in bodies()}
    found: Changes = {key: was for key, was in changes().items() if int(key) < SCHEMA_VERSION}
    changed: dict[str, list[str] | None] = {}
    for name in sorted({*now, *before[0], *before[1]}):
        if now.get(name) != [one.get(name, "") for one in before]:
            changed[name] = now.get(name)
    return {**found, str(SCHEMA_VERSION): changed}


if __name__ == "__main__":
    file = Path(room.__file__).with_name("triggers.json")
    file.write_text(json.dumps(present(), indent=1) + "\n", "utf-8")
