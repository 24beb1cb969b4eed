from __future__ import annotations

import io
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save, save_file
from torch import Tensor

from enhancers.errors import CheckpointError
from enhancers.networks.checkpoint import differences, read_tensors

WEIGHTS = {"a.weight": torch.arange(600.0).reshape(20, 30), "a.bias": torch.ones(20).half()}


def _same(found: Any) -> bool:
    return set(found) == set(WEIGHTS) and all(torch.equal(found[k], WEIGHTS[k]) for k in WEIGHTS)


def _zipped(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def _old(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=False)
    return buffer.getvalue()


@pytest.mark.parametrize("write", [_zipped, _old, save], ids=["zip", "old pickle", "safetensors"])
@pytest.mark.parametrize("name", ["w.pt", "w.safetensors", "w"])
def test_formats_are_told_by_content(
    write: Callable[[Any], bytes], name: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(write(WEIGHTS))
    assert _same(read_tensors(path))


@pytest.mark.parametrize(
    "envelope",
    [
        {"state_dict": WEIGHTS, "epoch": 3, "ema": 0.999},
        {"model": {"state_dict": WEIGHTS}},
        {"model": {"a.weight": torch.zeros(1)}, "ema": WEIGHTS},
        {f"module.{name}": tensor for name, tensor in WEIGHTS.items()},
        {"state_dict": {f"module.model.{k}": v for k, v in WEIGHTS.items()}},
        {**WEIGHTS, "step": 12},
    ],
    ids=["lightning", "nested", "averaged", "parallel", "both", "beside a number"],
)
def test_envelopes_are_taken_off(envelope: object, tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    torch.save(envelope, path)
    assert _same(read_tensors(path))


class _Command:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch here",)


@pytest.mark.parametrize("write", [_zipped, _old, pickle.dumps], ids=["zip", "old", "plain pickle"])
def test_code_is_refused_by_name_and_not_run(
    write: Callable[[Any], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "w.pt"
    path.write_bytes(write({"a.weight": torch.ones(2), "hook": _Command()}))
    with pytest.raises(CheckpointError, match=r"w\.pt was refused: .* import posix\.system"):
        read_tensors(path)
    assert not (tmp_path / "here").exists()


def _bytes_of(write: Callable[[Any], bytes], share: float) -> bytes:
    whole = write(WEIGHTS)
    return whole[: int(len(whole) * share)]


@pytest.mark.parametrize("share", [0.001, 0.05, 0.3, 0.9, 0.999])
@pytest.mark.parametrize("write", [_zipped, _old, save], ids=["zip", "old pickle", "safetensors"])
def test_truncated_files(write: Callable[[Any], bytes], share: float, tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    path.write_bytes(_bytes_of(write, share))
    with pytest.raises(CheckpointError, match=r"truncated|damaged|not a checkpoint") as caught:
        read_tensors(path)
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("write", [_zipped, _old, save], ids=["zip", "old pickle", "safetensors"])
def test_any_damaged_byte_is_a_sentence_or_a_readable_file(
    write: Callable[[Any], bytes], tmp_path: Path
) -> None:
    path, whole = tmp_path / "w.pt", write({"a": torch.ones(2)})
    refused, loaded = [], 0
    for place in range(0, len(whole), max(1, len(whole) // 150)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            tensors = read_tensors(path)
        except CheckpointError as error:
            refused.append(str(error))
        else:
            loaded += 1
            assert tensors
            assert all(isinstance(tensor, Tensor) for tensor in tensors.values())
    # Damage to the table of contents is noticed; a changed number is a number all the same.
    assert min(len(refused), loaded) > 5
    assert all(said.startswith("w.pt ") and "\n" not in said for said in refused)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\x00" * 100, "is not a checkpoint"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "Git LFS"),
        (b"<!DOCTYPE html><html>", "page of the web"),
        (b"\n  <html>", "page of the web"),
        (b"\x89HDF\r\n\x1a\n" + b"\x00" * 50, "HDF5"),
        (b"\x1f\x8b\x08" + b"\x00" * 50, "gzip"),
        (b"PK\x03\x04" + b"\x00" * 50, "truncated"),
        (struct.pack("<Q", 2**60) + b'{"a":1}', "truncated or damaged"),
        (struct.pack("<Q", 2) + b"{}", "no named tensors"),
    ],
)
def test_foreign_files(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=words):
        read_tensors(path)


def test_what_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is a folder"):
        read_tensors(tmp_path)
    with pytest.raises(CheckpointError, match="There is no file"):
        read_tensors(tmp_path / "absent.pt")


@pytest.mark.parametrize("content", [torch.ones(3), [torch.ones(3)], {"a": 1}, {1: torch.ones(1)}])
def test_nothing_to_load(content: object, tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    torch.save(content, path)
    with pytest.raises(CheckpointError, match="no named tensors"):
        read_tensors(path)


def _archive(path: Path, entries: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)


def test_archives_that_are_no_checkpoints(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    _archive(path, {"a.txt": b"text"})
    with pytest.raises(CheckpointError, match="zip archive and not a checkpoint"):
        read_tensors(path)
    _archive(path, {"w/data.pkl": b"\x80" + bytes(10**6)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(CheckpointError, match="unpacks to more than its size"):
        read_tensors(path)


def test_a_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    _archive(path, {"w/data.pkl": b"\x80\x02}.", "w/code/__torch__.py": b"x = 1"})
    with pytest.raises(CheckpointError, match="a program"):
        read_tensors(path)


def test_a_tensor_larger_than_its_data(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    torch.save({"a": torch.ones(1).expand(10**6, 10**6)}, path)
    with pytest.raises(CheckpointError, match="1000000x1000000 and has data for less"):
        read_tensors(path)


def test_sparse_tensors_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    torch.save({"a": torch.eye(3).to_sparse()}, path)
    with pytest.raises(CheckpointError, match="dense tensors"):
        read_tensors(path)


def test_a_large_checkpoint_is_mapped_and_not_read(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    torch.save({"a": torch.zeros(64 * 2**18)}, path)
    before = _resident()
    tensors = read_tensors(path)
    assert _resident() - before < 32 * 2**20
    assert float(tensors["a"][-1]) == 0.0


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_differences_in_words() -> None:
    a, b = torch.zeros(2, 3), torch.zeros(3)
    assert differences({"a": a}, {"a": a}) == ""
    text = differences(
        {"a": a, "b": b, "c": b, "d": b, "e": b}, {"a": a.T, "f": b, "e": torch.tensor(1)}
    )
    assert text == (
        "3 missing (b, c, d); 1 unexpected (f); "
        "2 of another shape (a: 3x2, not 2x3, e: a single number, not 3)"
    )
    many = differences({}, {f"name{index}": b for index in range(9)})
    assert many == "9 unexpected (name0, name1, name2, ...)"
    assert len(differences({}, {"x" * 10**6: b})) < 200


def test_a_safetensors_file_of_other_names(tmp_path: Path) -> None:
    save_file({"x": torch.ones(1)}, tmp_path / "w.bin")
    assert list(read_tensors(tmp_path / "w.bin")) == ["x"]
