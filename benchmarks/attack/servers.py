"""The servers that are attacked: started on copies of a study, or one that runs already."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import exists, func, select

from benchmarks.attack.attack import NotTried
from benchmarks.attack.copies import StudyCopy
from study.accounts import readers, staff
from study.accounts.staff import StaffRole
from study.domain.errors import StudyError
from study.domain.terms import Status
from study.storage.models import Consent, Presentation, RatingEvent, Reader, ReadingSession
from study.storage.store import Store
from tests.support.program import free_port

ROOT = Path(__file__).parents[2]
LOOPBACK = "127.0.0.1"
STRANGER = "127.0.0.2"
"""Another address of this machine, as a stranger's."""
_START_SECONDS = 120.0


@dataclass
class Server:
    """A server that is attacked.

    Parameters
    ----------
    name : str
        In the table.
    address : str
        Its root.
    compares : bool
        Whether it has the compare page.
    copy : StudyCopy, optional
        The study that it serves; None for a server that others use.
    process : Popen, optional
    log, temporary, cookie_key : Path
        What it wrote, where it keeps temporary files, and the key of its cookies.
    """

    name: str
    address: str
    compares: bool = False
    copy: StudyCopy | None = None
    process: subprocess.Popen[bytes] | None = None
    log: Path = Path()
    temporary: Path = Path()
    cookie_key: Path = Path()
    _secrets: dict[str, str] = field(default_factory=dict)
    _codes: list[str] = field(default_factory=list)

    def client(self, address: str = LOOPBACK, **options: Any) -> httpx.Client:
        """A program or browser at an address of this machine."""
        transport = httpx.HTTPTransport(local_address=address, retries=1, verify=False)
        return httpx.Client(base_url=self.address, transport=transport, timeout=30.0, **options)

    def code(self, place: int = 0) -> str:
        """The code of a reader who may read, those with most pairs left first."""
        if not self._codes:
            with self.own.opened(read_only=True) as store:
                self._codes = readers_left(store)
        if not self._codes:
            raise NotTried("the study has no reader who may read")
        return self._codes[place % len(self._codes)]

    def reader(self, code: str) -> str:
        """The secret of a reader, who was invited."""
        if code not in self._secrets:
            with self.own.opened() as store:
                self._secrets[code] = readers.invite(store, code, actor="attack").secret
        return self._secrets[code]

    def administrator(self) -> dict[str, str]:
        """The sign-in form of a new administrator, whose name the study does not know yet."""
        with self.own.opened() as store:
            name = f"attack-{secrets.token_hex(4)}"
            made = staff.add(store, name, StaffRole.ADMIN, actor="attack")
        return {"name": made.code, "secret": made.secret}

    @property
    def own(self) -> StudyCopy:
        """The copy that it serves."""
        assert self.copy is not None
        return self.copy

    def memory(self) -> int:
        """Bytes of memory of the process and those that it started; 0 where it is not known."""
        return 0 if self.process is None else sum(map(_resident, _family(self.process.pid)))


@contextlib.contextmanager
def study_server(copy: StudyCopy, home: Path) -> Iterator[Server]:
    """``python -m study serve`` on a copy."""
    command = ["-m", "study", "serve", str(copy.folder), "--port", "0"]
    if copy.url:
        command += ["--database", copy.url]
    with _started("study server", command, home, {}, "Readers: ", copy) as server:
        server.address = server.address.removesuffix("/reader")
        yield server


@contextlib.contextmanager
def combined_app(
    copy: StudyCopy, home: Path, *, temporary: Path | None = None, **settings: str
) -> Iterator[Server]:
    """``python app.py``: the compare page with a copy of the study next to it."""
    named = {
        "port": free_port(), "study_dir": str(copy.folder), "study_database": copy.url or "",
        "cache_dir": str(home / "cache"), "models_dir": str(home / "networks"), "device": "cpu",
        "memory_cache_mb": "0", **settings,
    }  # fmt: skip
    variables = {f"READINGROOM_{name.upper()}": value for name, value in named.items()}
    with _started(
        "combined app", ["app.py"], home, variables, "Reading Room is at ", copy, temporary
    ) as server:
        server.compares = True
        yield server


@contextlib.contextmanager
def _started(
    name: str, command: list[str], home: Path, variables: Mapping[str, str], says: str,
    copy: StudyCopy, temporary: Path | None = None,
) -> Iterator[Server]:  # fmt: skip
    home.mkdir(parents=True)
    log, key = home / "log", home / "cookie.key"
    temporary = temporary or home / "temporary"
    temporary.mkdir(exist_ok=True)
    environment = {
        **os.environ, "HF_HUB_OFFLINE": "1", "TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1",
        "READINGROOM_COOKIE_KEY": str(key), **variables,
    }  # fmt: skip
    environment.pop("GRADIO_TEMP_DIR", None)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, env=environment, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
    try:
        address = _address(process, log, says)
        yield Server(name, address, False, copy, process, log, temporary, key)
    finally:
        end(process)


def end(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM) -> None:
    """End a server and what it started, at the latest after ten seconds."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, how)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def _address(process: subprocess.Popen[bytes], log: Path, says: str) -> str:
    begun = time.monotonic()
    while time.monotonic() - begun < _START_SECONDS:
        for line in log.read_text(errors="replace").splitlines():
            if line.startswith(says):
                return line.removeprefix(says).strip().rstrip("/")
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise StudyError(f"A server did not start: {log.read_text(errors='replace')[-300:]}")


def running(port: int, host: str = LOOPBACK) -> Server:
    """A server of this machine that runs already.

    Raises
    ------
    StudyError
        It is not on this machine, or does not answer.
    """
    if host not in (LOOPBACK, "localhost", "::1"):
        raise StudyError(f"{host} is not this machine: attacks are made on 127.0.0.1 only.")
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    try:
        compares = httpx.get(f"{address}/config", timeout=30.0).status_code == 200
    except httpx.HTTPError as error:
        raise StudyError(f"No server answers at {address}: {error}.") from None
    return Server(f"port {port}", address, compares)


def readers_left(store: Store) -> list[str]:
    """Codes of the active readers who have not withdrawn, those with most pairs left first."""
    if store.status() is not Status.OPEN:
        raise NotTried(f"the study is {store.status()}")
    rated = exists().where(RatingEvent.presentation_id == Presentation.id)
    gone = exists().where(Consent.reader_id == Reader.id, Consent.action == "withdrawn")
    left = func.count(Presentation.id).filter(~rated)
    wanted = (
        select(Reader.code)
        .join(ReadingSession, ReadingSession.reader_id == Reader.id)
        .join(Presentation, Presentation.session_id == ReadingSession.id)
        .where(Reader.active, ~gone)
        .group_by(Reader.code)
        .order_by(left.desc(), Reader.code)
    )
    with store.read() as session:
        return list(session.scalars(wanted))


def random_text(length: int = 24) -> str:
    """Letters that nobody has chosen before."""
    return secrets.token_urlsafe(length)[:length]


def _family(pid: int) -> list[int]:
    found = [pid]
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            if int(fields[1]) in found:
                found.append(int(process.name))
    return found


def _resident(pid: int) -> int:
    with contextlib.suppress(OSError, ValueError, IndexError):
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    return 0
