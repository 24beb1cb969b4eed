"""Fetching over a net that drops, lies and stays away."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx
import pytest

from enhancers.errors import FetchFailed, NetworkMissing, ReadingRoomError
from enhancers.networks import catalog, download, installed
from enhancers.networks.entry import Checkpoint, Download, Hub, KnownFile, NetworkEntry
from enhancers.networks.fetch import fetch
from enhancers.networks.lookup import network_entry
from enhancers.networks.progress import finish
from enhancers.networks.verify import verify
from tests.support.file_server import FakeSite, hub_of, serving
from tests.support.network_files import guided_file, guided_tensors, latent_pipeline

CONTENT = bytes(range(256)) * 4000
DIGEST = hashlib.sha256(CONTENT).hexdigest()
REVISION = "c" * 40


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(download, "PIECE", 2**16)


@pytest.fixture
def site() -> FakeSite:
    return FakeSite({"/net.pt": CONTENT})


@pytest.fixture
def address(site: FakeSite) -> Iterator[str]:
    with serving(site) as base:
        yield f"{base}/net.pt"


def bring(address: str, path: Path, size: int = len(CONTENT), sha256: str = DIGEST) -> list[float]:
    return [
        step.fraction for step in download.download(Download(address, size, sha256), path)
    ]  # fmt: skip


def test_a_file_arrives_with_progress(address: str, tmp_path: Path) -> None:
    fractions = bring(address, tmp_path / "deep" / "net.pt")
    assert (tmp_path / "deep" / "net.pt").read_bytes() == CONTENT
    assert fractions[0] > 0
    assert fractions[-1] == 1
    assert len(fractions) > 5


def test_a_dropped_connection_goes_on_where_it_ended(
    address: str, site: FakeSite, tmp_path: Path
) -> None:
    site.drop_after = [300_000, 300_000]
    bring(address, tmp_path / "net.pt")
    assert (tmp_path / "net.pt").read_bytes() == CONTENT
    assert site.asked[1:] == ["GET /net.pt bytes=300000-", "GET /net.pt bytes=600000-"]


def test_a_closed_download_is_kept_for_the_next_time(
    address: str, site: FakeSite, tmp_path: Path
) -> None:
    steps = download.download(Download(address, len(CONTENT), DIGEST), tmp_path / "net.pt")
    next(steps)
    next(steps)
    steps.close()  # type: ignore[attr-defined]
    kept = (tmp_path / "net.pt").stat().st_size
    assert 0 < kept < len(CONTENT)
    bring(address, tmp_path / "net.pt")
    assert (tmp_path / "net.pt").read_bytes() == CONTENT
    assert site.asked[-1] == f"GET /net.pt bytes={kept}-"


def test_a_server_without_ranges_begins_again(address: str, site: FakeSite, tmp_path: Path) -> None:
    site.ranges = False
    (tmp_path / "net.pt").write_bytes(b"\xff" * 1000)
    bring(address, tmp_path / "net.pt")
    assert (tmp_path / "net.pt").read_bytes() == CONTENT


def test_a_rest_that_is_too_long_is_dropped(address: str, tmp_path: Path) -> None:
    (tmp_path / "net.pt").write_bytes(CONTENT + b"more")
    bring(address, tmp_path / "net.pt")
    assert (tmp_path / "net.pt").read_bytes() == CONTENT


def test_a_busy_server_is_asked_again(address: str, site: FakeSite, tmp_path: Path) -> None:
    site.statuses = [503, 429, 500]
    bring(address, tmp_path / "net.pt")
    assert (tmp_path / "net.pt").read_bytes() == CONTENT


def test_a_server_that_stays_busy_is_given_up(address: str, site: FakeSite, tmp_path: Path) -> None:
    site.statuses = [503] * 20
    with pytest.raises(FetchFailed, match=r"503.*is kept"):
        bring(address, tmp_path / "net.pt")
    assert len(site.asked) == download.ATTEMPTS


def test_a_server_that_is_not_there_is_given_up_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def refused(*_: object, **__: object) -> None:
        tries.append(1)
        raise httpx.ConnectError("refused")

    monkeypatch.setattr(httpx, "stream", refused)
    with pytest.raises(FetchFailed, match="cannot be reached"):
        bring("http://127.0.0.1:1", tmp_path / "net.pt")
    assert len(tries) == download.FIRST_ATTEMPTS


def test_a_file_that_is_gone_is_said_at_once(address: str, site: FakeSite, tmp_path: Path) -> None:
    site.files.clear()
    with pytest.raises(FetchFailed, match="404"):
        bring(address, tmp_path / "net.pt")
    assert len(site.asked) == 1


def test_a_wrong_hash_is_said_and_deleted(address: str, site: FakeSite, tmp_path: Path) -> None:
    site.files["/net.pt"] = b"\1" + CONTENT[1:]
    with pytest.raises(FetchFailed, match=DIGEST):
        bring(address, tmp_path / "net.pt")
    assert not (tmp_path / "net.pt").exists()


@pytest.mark.parametrize("length", [10, len(CONTENT) + 1])
def test_a_file_of_another_length_is_not_begun(
    address: str, site: FakeSite, tmp_path: Path, length: int
) -> None:
    site.length = length
    with pytest.raises(FetchFailed, match=f"{length} bytes, not {len(CONTENT)}"):
        bring(address, tmp_path / "net.pt")
    assert not (tmp_path / "net.pt").exists()


def test_a_longer_rest_is_not_taken(address: str, site: FakeSite, tmp_path: Path) -> None:
    (tmp_path / "net.pt").write_bytes(CONTENT[:1000])
    site.length = len(CONTENT) * 2
    with pytest.raises(FetchFailed, match="not the file that was published"):
        bring(address, tmp_path / "net.pt")


def test_a_part_that_was_not_asked_for_is_not_taken(
    address: str, site: FakeSite, tmp_path: Path
) -> None:
    (tmp_path / "net.pt").write_bytes(CONTENT[:1000])
    site.offset = 256
    with pytest.raises(FetchFailed, match="not asked for"):
        bring(address, tmp_path / "net.pt")
    assert (tmp_path / "net.pt").read_bytes() == CONTENT[:1000]


def test_nobody_listening_is_said(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{taken.getsockname()[1]}/net.pt"
        with pytest.raises(FetchFailed, match="cannot be reached"):
            bring(closed, tmp_path / "net.pt")


@pytest.fixture
def published(
    models_folder: Path,
    site: FakeSite,
    address: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> NetworkEntry:
    """A small network at a local address in the place of ADM-256."""
    content = guided_file(tmp_path / "net.pt").read_bytes()
    site.files["/net.pt"] = content
    entry = replace(
        network_entry("adm256"),
        source=Download(address, len(content), hashlib.sha256(content).hexdigest()),
        parameters=sum(tensor.numel() for tensor in guided_tensors().values()),
        checkpoint=Checkpoint(head_channels=32),
    )
    monkeypatch.setattr(catalog, "NETWORKS", (entry,))
    return entry


def test_a_fetched_checkpoint_is_converted(published: NetworkEntry, models_folder: Path) -> None:
    before = installed.state(network_entry("adm256"))
    assert (before.status, before.cost) == ("not here", published.cost)
    notes = {step.note for step in fetch("adm256")}
    assert {"Downloading net.pt", "Checking the download", "Converting net.pt"} <= notes
    assert installed.state(network_entry("adm256")).status == "present"
    assert all(finding.good for finding in finish(verify("adm256")))
    assert not any((models_folder / installed.PARTIAL).iterdir())
    assert list(fetch("adm256")) == []


def test_half_a_fetch_is_shown_and_goes_on(published: NetworkEntry, site: FakeSite) -> None:
    steps = fetch("adm256")
    next(steps)
    steps.close()
    half = installed.state(network_entry("adm256"))
    assert half.status == "incomplete"
    assert 0 < half.cost < published.cost
    list(fetch("adm256"))
    assert network_entry("adm256").present
    assert "bytes=" in site.asked[-1]


def test_half_a_fetch_can_be_thrown_away(published: NetworkEntry) -> None:
    steps = fetch("adm256")
    next(steps)
    steps.close()
    assert installed.remove("adm256") > 0
    assert installed.state(network_entry("adm256")).status == "not here"


def test_nothing_is_fetched_offline(
    published: NetworkEntry, site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(NetworkMissing, match=r"HF_HUB_OFFLINE.*--like adm256"):
        next(fetch("adm256"))
    assert site.asked == []


def test_no_room_is_said_before_the_download(
    published: NetworkEntry, site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "SPARE", 10**18)
    with pytest.raises(ReadingRoomError, match="make room"):
        next(fetch("adm256"))
    assert site.asked == []


@pytest.fixture
def hub(
    models_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[FakeSite, NetworkEntry]]:
    """A small pipeline on a hub of our own in the place of Stable Diffusion."""
    folder = latent_pipeline(tmp_path / "tiny")
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*") if path.is_file()
    }  # fmt: skip
    known = tuple(
        KnownFile(path, len(data), hashlib.sha256(data).hexdigest())
        for path, data in files.items()
    )  # fmt: skip
    site = hub_of("someone/tiny", REVISION, {**files, "unet/huge.bin": b"not wanted"})
    entry = replace(
        network_entry("sd15"), source=Hub("someone/tiny", REVISION, "fp16", known), parameters=1
    )
    monkeypatch.setattr(catalog, "NETWORKS", (entry,))
    with serving(site) as base:
        monkeypatch.setattr(download, "snapshot", partial(download.snapshot, endpoint=base))
        yield site, entry


def test_the_hubs_files_come_into_its_own_cache(
    hub: tuple[FakeSite, NetworkEntry], tmp_path: Path
) -> None:
    site, _ = hub
    assert installed.state(network_entry("sd15")).status == "not here"
    list(fetch("sd15"))
    assert network_entry("sd15").present
    assert network_entry("sd15").folder.is_relative_to(tmp_path / "hub")
    assert not any("huge.bin" in asked for asked in site.asked)
    assert all(finding.good for finding in finish(verify("sd15")))
    asked = len(site.asked)
    assert list(fetch("sd15")) == []
    assert len(site.asked) == asked


def test_a_part_of_the_hubs_files_is_incomplete(hub: tuple[FakeSite, NetworkEntry]) -> None:
    _, entry = hub
    list(fetch("sd15"))
    assert isinstance(entry.source, Hub)
    (entry.folder / "tokenizer" / "vocab.json").unlink()
    state = installed.state(network_entry("sd15"))
    assert state.status == "incomplete"
    assert state.cost == len('{"a": 0}')
    list(fetch("sd15"))
    assert installed.state(network_entry("sd15")).status == "present"


def test_another_file_than_expected_from_the_hub_is_refused(
    hub: tuple[FakeSite, NetworkEntry],
) -> None:
    site, _ = hub
    at = f"/someone/tiny/resolve/{REVISION}/unet/diffusion_pytorch_model.safetensors"
    site.files[at] = site.files[at][:-1] + b"\x7f"
    with pytest.raises(FetchFailed, match="another or a damaged file"):
        list(fetch("sd15"))
    assert installed.state(network_entry("sd15")).status == "incomplete"


def test_a_hub_that_does_not_know_the_repository_is_said(
    hub: tuple[FakeSite, NetworkEntry],
) -> None:
    site, _ = hub
    site.files.clear()
    with pytest.raises(FetchFailed, match="could not be fetched from the hub"):
        list(fetch("sd15"))


def test_the_hubs_threads_end_once_nobody_waits() -> None:
    gone = False
    bar = download.stopping_bar(lambda: gone)(total=3)
    bar.update(1)
    gone = True
    with pytest.raises(download._Stopped):
        bar.update(1)
