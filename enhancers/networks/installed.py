"""The shelf: which networks are here, fetching, checking and removing them."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from enhancers.errors import CheckpointError, NetworkMissing, ParameterError
from enhancers.method import PRIOR_KEY
from enhancers.networks import download, user_networks
from enhancers.networks.digests import Progress, sha256_of
from enhancers.networks.entry import (
    Download,
    Embedded,
    FromUser,
    Hub,
    Kind,
    KnownFile,
    NetworkEntry,
    bytes_text,
)
from enhancers.networks.identify import NetworkImport
from enhancers.networks.import_network import adding
from enhancers.networks.lookup import entries, missing, network_entry
from enhancers.networks.staging import discard, locked
from enhancers.settings import get_settings

PARTIAL = ".partial"

Status = Literal["present", "not here", "incomplete", "damaged"]


@dataclass(frozen=True)
class State:
    """One network on the shelf, or missing from it.

    Parameters
    ----------
    entry : NetworkEntry or None
        None for a folder that is no network.
    size : int
        Bytes of its weights here.
    cost : int
        Bytes that a fetch downloads now; 0 where there is nothing to fetch.
    note : str
        A sentence where something is missing or wrong, else empty.
    """

    key: str
    entry: NetworkEntry | None
    status: Status
    size: int
    cost: int
    note: str

    @property
    def kind(self) -> Kind | None:
        """Of the entry."""
        return self.entry.kind if self.entry else None


@dataclass(frozen=True)
class Finding:
    """What `verify` found of one file or fact."""

    what: str
    good: bool
    says: str


def states() -> tuple[State, ...]:
    """Every network of the catalogue and of the user, then the folders that are damaged."""
    broken = user_networks.read_all().damages
    damaged = (State(each.key, None, "damaged", 0, 0, each.says) for each in broken)
    return (*(state(entry) for entry in entries()), *damaged)


def state(entry: NetworkEntry) -> State:
    """Where one network stands, from the names and sizes of its files."""
    wrong = _misfits(entry)
    if not wrong:
        return State(entry.key, entry, "present", entry.size, 0, "")
    told = missing(entry)
    if entry.origin is not None or isinstance(entry.source, Embedded):
        status: Status = "damaged" if entry.present else "incomplete"
        note = f"Of {entry.label}, {', '.join(wrong[:3])}. {told}"
        return State(entry.key, entry, status, entry.size, 0, note)
    source = entry.source
    arrived = 0
    if isinstance(source, Hub):
        arrived = sum(file.size for file in source.files if _fits(entry.folder, file))
    elif isinstance(source, Download):
        partial = _partial(source)
        arrived = partial.stat().st_size if partial.is_file() else 0
    begun = bool(arrived) or entry.folder.is_dir()
    note = (
        f"{bytes_text(arrived)} of {bytes_text(entry.cost)} are here. {told}" if arrived else told
    )
    cost = max(0, entry.cost - arrived)
    return State(entry.key, entry, "incomplete" if begun else "not here", arrived, cost, note)


def _misfits(entry: NetworkEntry) -> list[str]:
    """What is missing of a network, or not of the size it was written with."""
    files = entry.stored
    if not files and isinstance(entry.source, Hub) and entry.folder == entry.source.folder:
        files = entry.source.files
    wrong = [
        f"{file.path} is missing or changed" for file in files if not _fits(entry.folder, file)
    ]
    gone = [path for path in entry.files if not path.is_file()]
    return wrong or [f"{path.parent.name}/{path.name} is missing" for path in gone]


def _known(entry: NetworkEntry) -> tuple[KnownFile, ...]:
    """The files whose digests are known: as added, or as the hub has them."""
    if entry.stored or not isinstance(entry.source, Hub):
        return entry.stored
    # A plain folder put there by hand may have them in another precision.
    return entry.source.files if entry.folder == entry.source.folder else ()


def _fits(folder: Path, file: KnownFile) -> bool:
    path = folder / file.path
    return path.is_file() and path.stat().st_size == file.size


def fetch(key: str) -> Generator[Progress, None, None]:
    """Download a network of the catalogue, from where an earlier try left off, and put it there.

    Closing the iterator stops it; what has arrived is kept for the next time.

    Raises
    ------
    PriorMissing
        It cannot be fetched: the user must supply it, or the net is switched off.
    FetchFailed
        No connection, no room on the disk, or another file than was published.
    """
    entry = network_entry(key)
    source = entry.source
    now = state(entry)
    if now.status == "present":
        return
    if not isinstance(source, Hub | Download) or entry.origin is not None:
        raise NetworkMissing(now.note)
    if download.offline():
        raise NetworkMissing(
            f"{entry.label} is not fetched, because HF_HUB_OFFLINE forbids the net: unset it, or "
            f"add a copy you have with python -m enhancers networks add PATH --like {key}."
        )
    if isinstance(source, Hub):
        download.check_space(source.folder, now.cost, entry.label, setting="HF_HOME")
        yield from download.snapshot(source)
        return
    # The converted network is as large as the download and lies beside it for a moment.
    models = get_settings().models_dir
    download.check_space(models, now.cost + source.size, entry.label)
    partial = _partial(source)
    with locked(f"{key}.download"):
        yield from download.download(source, partial)
        yield from adding(NetworkImport(partial, like=key, digest=source.sha256))
        shutil.rmtree(partial.parent)


def _partial(source: Download) -> Path:
    name = source.address.rpartition("/")[2]
    return get_settings().models_dir / PARTIAL / source.sha256[:12] / name


def verify(key: str) -> list[Finding]:
    """Check every byte that is known of a network, and that its weights fit its configuration.

    Raises
    ------
    ParameterError
        There is no such network.
    PriorMissing
        It is not on this machine.
    """
    steps = verifying(key)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            findings: list[Finding] = end.value
            return findings


def verifying(key: str) -> Generator[Progress, None, list[Finding]]:
    """`verify`, with progress on the way."""
    damage = next((each for each in user_networks.read_all().damages if each.key == key), None)
    if damage is not None:
        return [Finding(str(damage.folder), False, damage.says)]
    entry = network_entry(key)
    if not entry.present and not entry.stored:
        raise NetworkMissing(state(entry).note)
    findings = []
    for file in _known(entry):
        finding = yield from _compared(entry.folder, file)
        findings.append(finding)
    findings += [_structure(entry, part) for part in range(len(entry.parts))]
    origin = _as_published(entry)
    return [*findings, origin] if origin else findings


def _compared(folder: Path, file: KnownFile) -> Generator[Progress, None, Finding]:
    path = folder / file.path
    if not path.is_file():
        return Finding(file.path, False, "is missing")
    size = path.stat().st_size
    if size != file.size:
        return Finding(file.path, False, f"has {size:,} bytes, not {file.size:,}")
    digest = yield from sha256_of(path)
    if digest != file.sha256:
        return Finding(file.path, False, f"has SHA-256 {digest}, not {file.sha256}")
    return Finding(file.path, True, f"SHA-256 {digest}")


def _structure(entry: NetworkEntry, index: int) -> Finding:
    from enhancers.networks.folder_structure import check_weights

    part = entry.parts[index]
    try:
        count = check_weights(entry.folder / part, part, entry.weights(part))
    except CheckpointError as error:
        return Finding(part, False, str(error))
    return Finding(part, True, f"{count:,} parameters, as its config.json tells")


def _as_published(entry: NetworkEntry) -> Finding | None:
    """Whether what was added is the file that was published, where its digest is known."""
    if entry.origin is None or not isinstance(entry.source, Download):
        return None
    same = entry.origin.sha256 == entry.source.sha256
    says = "is the published file" if same else (
        f"has SHA-256 {entry.origin.sha256 or 'unknown'}: not the published file, which has "
        f"{entry.source.sha256}"
    )  # fmt: skip
    # A copy in another format has another digest and may well be the same network.
    return Finding(f"made from {entry.origin.file}", True, says)


def remove(key: str) -> int:
    """Take a network off the shelf; bytes that came free. What was added in place stays there.

    Raises
    ------
    ParameterError
        There is none of this key, or it is not this program's to delete.
    """
    folder = get_settings().models_dir / key
    broken = any(each.key == key for each in user_networks.read_all().damages)
    if broken or (PRIOR_KEY.fullmatch(key) and (folder / user_networks.NAME).is_file()):
        freed = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
        discard(key)
        return freed
    entry = network_entry(key)
    if isinstance(entry.source, Download) and (partial := _partial(entry.source)).is_file():
        freed = partial.stat().st_size
        with locked(f"{key}.download"):
            shutil.rmtree(partial.parent)
        return freed
    if isinstance(entry.source, Embedded):
        raise ParameterError(f"{key} comes with the project and is not removed.")
    if not entry.folder.is_dir():
        raise ParameterError(f"{entry.label} is not on this machine; there is nothing to remove.")
    shared = isinstance(entry.source, Hub) and entry.folder == entry.source.folder
    whose = (
        "the hub's cache, which other programs share"
        if shared
        else "a folder that was put there by hand"
    )
    raise ParameterError(f"{entry.label} lies in {whose}: delete {entry.folder} yourself.")


def how_to_mend(key: str) -> str:
    """What to do about a network with a fault."""
    folder = get_settings().models_dir / key
    if (folder / user_networks.NAME).is_file():
        return f"remove it (python -m enhancers networks remove {key}) and add or fetch it again"
    entry = network_entry(key)
    if isinstance(entry.source, Embedded):
        return f"take {entry.folder} from the project again"
    return f"delete {entry.folder}, then python -m enhancers networks fetch {key}"


def describe_source(entry: NetworkEntry) -> str:
    """Where a network comes from, in words."""
    source = entry.source
    if isinstance(source, Embedded):
        return "comes with the project"
    if isinstance(source, Hub):
        return f"huggingface.co/{source.repository} at {source.revision[:12]}, {source.variant}"
    if isinstance(source, Download):
        return source.address
    assert isinstance(source, FromUser)
    return f"{source.file}: {source.where}"
