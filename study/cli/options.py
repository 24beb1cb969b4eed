"""Options that commands share, and the study and key they open."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from study.domain.errors import ProtocolError, StudyError

if TYPE_CHECKING:
    from study.domain.protocol import Protocol
    from study.storage.key import Key
    from study.storage.signature import SigningKey
    from study.storage.store import Store

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of the study.")]
KeyPath = Annotated[
    Path,
    typer.Option(
        "--key",
        envvar="READINGROOM_STUDY_KEY",
        help="The key file (names and seed); it must lie outside DIR.",
    ),
]
MaybeKey = Annotated[
    Path | None,
    typer.Option(
        "--key",
        envvar="READINGROOM_STUDY_KEY",
        help="The key file (names and seed); it must lie outside DIR.",
    ),
]
StudyKeys = Annotated[
    list[Path] | None,
    typer.Option(
        "--key",
        envvar="READINGROOM_STUDY_KEY",
        help="The key file (names and seed), outside DIR. Of several studies each one's, or the "
        "folder of all.",
    ),
]
Database = Annotated[
    str | None,
    typer.Option(
        envvar="READINGROOM_STUDY_DATABASE",
        help="SQLAlchemy URL of the database; the default is SQLite in DIR.",
    ),
]
MirrorPath = Annotated[
    Path | None, typer.Option("--mirror", help="The append-only log, best on another disk.")
]
ProtocolPath = Annotated[
    Path | None, typer.Option("--protocol", help="Protocol as JSON, as written by plan --write.")
]
SigningKeyPath = Annotated[
    Path | None,
    typer.Option(
        "--signing-key",
        help="A file of 32 or more random bytes outside DIR, which signs chain heads.",
    ),
]
Readers = Annotated[int | None, typer.Option(min=1, help="Number of readers.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
HOST, PORT = "127.0.0.1", 7861
URL = f"http://{HOST}:{PORT}"
DiskMayVanish = Annotated[
    bool,
    typer.Option(
        "--disk-may-vanish",
        envvar="READINGROOM_DISK_MAY_VANISH",
        help="Go on although the study is in memory or in a container, and would be lost with it.",
    ),
]
RandomEffects = Annotated[
    str | None,
    typer.Option(
        metavar="readers|cases|both",
        help="What p values and intervals take as random; by default both.",
    ),
]
HypothesisOfPrimary = Annotated[
    str | None,
    typer.Option(
        metavar="difference|non-inferiority|equivalence",
        help="What the primary comparison is to show; by default a difference.",
    ),
]
MarginOfPrimary = Annotated[
    float | None,
    typer.Option(
        min=0,
        help="Margin of non-inferiority or equivalence, in points of the scale; for a preference "
        "the distance of the share of wins from one half.",
    ),
]


def _or_login(name: str) -> str:
    """The given name, or else the login name."""
    try:
        return name.strip() or getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "coordinator"


Actor = Annotated[
    str,
    typer.Option(
        callback=_or_login,
        show_default=False,
        help="Your name in the audit log; the default is your login name.",
    ),
]


def read_protocol(path: Path | None) -> Protocol:
    """The protocol in a file, or the default one."""
    from study.domain.protocol import Protocol
    from study.domain.protocol_json import from_json

    if path is None:
        return Protocol()
    try:
        return from_json(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError:
        raise ProtocolError(f"{path} is not a text in UTF-8: give a protocol as JSON.") from None


def read_texts(path: Path) -> dict[str, str]:
    """The texts of the readers' pages in a file."""
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise ProtocolError(f"{path} is not JSON in UTF-8: {error}.") from None
    if not isinstance(found, dict):
        raise ProtocolError(f"{path} must be a JSON object of names and texts.")
    return found


@contextmanager
def opened(folder: Path, database: str | None, mirror: Path | None = None) -> Iterator[Store]:
    """An open study; a warning is printed if its append log is behind."""
    from study.storage.store import Store

    store = Store.open(folder, url=database, mirror=mirror)
    try:
        yield store
    finally:
        if store.log_problem:
            typer.echo(f"Note: {store.log_problem}", err=True)
        store.close()


def read_key(path: Path, store: Store) -> Key:
    """Read the key file of a study."""
    from study.storage import key_file
    from study.storage.models import Study

    with store.read() as session:
        seed = session.get_one(Study, store.study_id).seed_sha256
    return key_file.load(path, store.folder, study_id=store.study_id, seed_sha256=seed)


def read_signing_key(path: Path | None, folder: Path) -> SigningKey | None:
    """Read the key that signs chain heads."""
    from study.storage.signature import SigningKey

    return None if path is None else SigningKey.read(path, folder)


def write_letters(folder: Path, texts: Mapping[str, str]) -> None:
    """Write letters into a folder, for the owner only; one of the same name is replaced."""
    from enhancers.files import write_atomic

    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, text in texts.items():
            write_atomic(folder / name, text.encode(), mode=0o600)
    except OSError as error:
        raise StudyError(f"{folder} cannot be written: {error.strerror}.") from None


@contextmanager
def progress_bar() -> Iterator[Callable[[float, str], None]]:
    """A progress bar on a terminal; the function it yields takes the share done and a text."""
    from tqdm.auto import tqdm

    layout = "{percentage:3.0f}%|{bar:30}| {elapsed}<{remaining} {desc}"
    with tqdm(total=1.0, bar_format=layout, disable=None, leave=False) as bar:

        def update(share: float, what: str) -> None:
            bar.set_description_str(what, refresh=False)
            bar.update(share - bar.n)

        yield update
