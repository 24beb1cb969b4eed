"""``enhancers metrics`` as a user types it: files fetched from a server, parameters fitted."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from enhancers import metrics
from enhancers.cli import metric_files
from enhancers.errors import FetchFailed
from enhancers.metrics import catalog, niqe_model, pyiqa_metrics
from enhancers.networks import download
from enhancers.phantoms import phantom
from enhancers.save import save_png16
from tests.support.file_server import FakeSite, serving
from tests.test_cli import call, fails

NAME = "niqe_modelparameters.mat"
OLD, PINNED = f"/weights/resolve/main/{NAME}", f"/weights/resolve/{'c' * 40}/{NAME}"


def parameters(scale: float = 1.0) -> bytes:
    file: Any = io.BytesIO()
    content = {"mu_prisparam": np.zeros((1, 36)), "cov_prisparam": scale * np.eye(36)}
    scipy.io.savemat(file, content)
    return bytes(file.getvalue())


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(download, "offline", lambda: False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    pyiqa_metrics.create_metric.cache_clear()
    return pyiqa_metrics.files_folder()


@contextmanager
def published(monkeypatch: pytest.MonkeyPatch, site: FakeSite, sha256: str = "") -> Iterator[None]:
    """The file of NIQE at a local server."""
    with serving(site) as address:
        niqe = metrics.get("niqe")
        assert niqe.file is not None
        file = replace(niqe.file, address=address + OLD, sha256=sha256)
        others = tuple(metric for metric in metrics.METRICS if metric is not niqe)
        monkeypatch.setattr(catalog, "METRICS", (replace(niqe, file=file), *others))
        yield


def test_a_file_is_shown_fetched_checked_and_used(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = parameters()
    digest = hashlib.sha256(data).hexdigest()
    site = FakeSite({OLD: data, PINNED: data}, drop_after=[100])
    monkeypatch.setattr(download, "PAUSE_SECONDS", 0.01)
    assert "python -m enhancers metrics fetch niqe" in metrics.available("niqe")
    assert f"needs the file {NAME} in {folder}" in metrics.available("niqe")
    with published(monkeypatch, site):
        told = fails(monkeypatch, capsys, "metrics", "fetch", "niqe")
        assert "give --yes" in told
        assert not folder.exists()
        assert call(monkeypatch, "metrics", "fetch", "niqe", "--yes") == 0
        out = capsys.readouterr().out
    assert f"{NAME}: {len(data) / 1e3:.1f} kB from http://127.0.0.1" in out
    assert PINNED in out
    assert f"SHA-256: {digest}" in out
    assert "Licence: " in out
    assert "Noncommercial" in out
    assert f"{folder / NAME}, SHA-256 {digest}" in out
    assert f"GET {PINNED} bytes=100-" in site.asked
    assert [path.name for path in folder.iterdir()] == [NAME]
    image = phantom("ct", size=200, seed=1).pixels
    [score] = metrics.score(image, keys=["niqe"])
    assert score.value is not None
    assert call(monkeypatch, "metrics", "fetch", "niqe") == 0
    assert "is here already" in capsys.readouterr().out


def test_a_small_file_is_checked_by_the_digest_of_git(folder: Path) -> None:
    data = parameters()
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    with serving(FakeSite({PINNED: data})) as address:
        file = metrics.get("niqe").file
        assert file is not None
        offer = metric_files.Offer(address + PINNED, len(data), metric_files.Digest(blob))
        assert offer.digest.label == "SHA-1 as a git object"
        assert list(metric_files.fetch(file, offer))
        assert (folder / NAME).read_bytes() == data
        (folder / NAME).unlink()
        other = replace(offer, digest=metric_files.Digest("0" * 40))
        with pytest.raises(FetchFailed, match="SHA-1 as a git object"):
            list(metric_files.fetch(file, other))
        assert not list(folder.glob("*.mat"))


@pytest.mark.parametrize(
    ("content", "sha256", "told"),
    [
        (parameters(2.0), "0" * 64, "it is another or a damaged file, and was deleted"),
        (b"<html>Sign in</html>" * 20, "", "does not hold the parameters of the metric"),
        (b"", "", "states no size or no digest"),
    ],
)
def test_another_file_is_refused_and_not_kept(
    content: bytes,
    sha256: str,
    told: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with published(monkeypatch, FakeSite({OLD: content, PINNED: content}), sha256):
        assert told in fails(monkeypatch, capsys, "metrics", "fetch", "niqe", "--yes")
    assert not [path for path in folder.rglob("*") if path.is_file()]
    assert metrics.available("niqe")


def test_what_cannot_be_fetched_says_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "niqe and brisque do" in fails(monkeypatch, capsys, "metrics", "fetch", "psnr")
    assert "needs no download" in fails(monkeypatch, capsys, "metrics", "fetch", "niqe_open")
    assert "did you mean niqe" in fails(monkeypatch, capsys, "metrics", "fetch", "niqee")
    with published(monkeypatch, FakeSite({})):
        assert "cannot be reached" in fails(monkeypatch, capsys, "metrics", "fetch", "niqe", "-y")
    monkeypatch.setattr(download, "offline", lambda: True)
    assert "HF_HUB_OFFLINE" in fails(monkeypatch, capsys, "metrics", "fetch", "niqe", "-y")


def test_the_list_names_what_is_needed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "metrics", "list") == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert list(lines) == [metric.key for metric in metrics.METRICS]
    assert lines["psnr"].endswith("needs a reference")
    assert NAME in lines["niqe"]
    assert "needs" not in lines["niqe_open"]


def test_the_own_niqe_works_offline_and_prefers_a_clean_image() -> None:
    assert metrics.available("niqe_open") == ""
    clean = phantom("ct", size=256, seed=10_000).pixels
    noisy = clean + np.random.default_rng(0).normal(0, 0.1, clean.shape).astype(np.float32)
    found = [
        metrics.score(pixels, keys=["niqe_open"])[0].value
        for pixels in (clean, np.clip(noisy, 0, 1).astype(np.float32))
    ]
    assert found[0] is not None
    assert found[1] is not None
    assert found[0] < found[1]


def textured(side: int = 192) -> np.ndarray:
    rng = np.random.default_rng(5)
    return rng.random((40, side, side), np.float32)


def test_parameters_are_fitted_to_the_sharp_blocks_and_read_back(tmp_path: Path) -> None:
    images = textured()
    features, sharpness = niqe_model.block_features(images[0])
    assert features.shape == (4, 36)
    assert sharpness.shape == (4,)
    half = images[0].copy()
    half[:, 96:] = 0.5
    assert np.argsort(niqe_model.block_features(half)[1]).tolist()[:2] in ([2, 3], [3, 2])
    mean, covariance, blocks = niqe_model.fit([*images, images[0][:90]])
    assert blocks == 160
    assert mean == pytest.approx(
        np.concatenate([niqe_model.block_features(one)[0] for one in images]).mean(0)
    )
    model = niqe_model.NiqeModel(mean, covariance, blocks, 40, {"images": (40, 40)})
    niqe_model.write(model, tmp_path / "own" / "own.mat")
    read = pyiqa_metrics.create_metric("niqe", str(tmp_path / "own" / "own.mat")).net
    assert read.mu_pris_param.numpy() == pytest.approx(mean)
    assert read.cov_pris_param.numpy() == pytest.approx(covariance)


def test_held_out_subjects_are_left_out_of_a_fit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    images = (textured() * 255).astype(np.uint8)
    np.savez(tmp_path / "ct.npz", images=images, subject_id=[f"s{n}" for n in range(40)])
    out = tmp_path / "own.mat"
    assert call(monkeypatch, "metrics", "fit", tmp_path, "--out", out) == 0
    assert "ct: 32 images of 32 subjects" in capsys.readouterr().out
    assert "ct: 32 images of 32 subjects" in str(scipy.io.loadmat(out)["material"])
    (tmp_path / "few" / "a").mkdir(parents=True)
    save_png16(tmp_path / "few" / "a" / "one.png", textured()[0])
    told = fails(monkeypatch, capsys, "metrics", "fit", tmp_path / "few", "--out", out)
    assert "give more or larger images" in told
    assert "use .mat" in fails(monkeypatch, capsys, "metrics", "fit", tmp_path, "--out", "x.npz")
