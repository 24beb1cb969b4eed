"""Networks that users bring for restoration: what is accepted, what is refused, and why."""

from __future__ import annotations

import argparse
import io
import os
import struct
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from enhancers import registry
from enhancers.compare import Request, compare, enhance
from enhancers.errors import CheckpointError, NetworkMissing, ParameterError, UnknownMethod
from enhancers.image import from_array
from enhancers.networks import import_restoration, installed
from enhancers.networks.bounded import Bounded, LimitExceeded
from enhancers.networks.identify import NetworkImport
from enhancers.networks.load import identity
from enhancers.networks.lookup import network_entry
from enhancers.networks.progress import finish
from enhancers.networks.restoration_card import restoration_card
from enhancers.networks.verify import verify
from enhancers.phantoms import phantom
from enhancers.provenance import Record
from tests.support.network_files import install
from tests.support.restoration_files import added, checkpoint, weights

pytestmark = pytest.mark.usefixtures("models_folder")
IMAGE = from_array(phantom("ct", size=64, seed=1).pixels)


def add(path: Path, **facts: Any) -> str:
    return install(NetworkImport(path, **facts)).key


@pytest.mark.parametrize(
    ("architecture", "scale", "noise_level", "channels"),
    [("DnCNN", 1, False, 1), ("DRUNet", 1, True, 1), ("SwinIR", 2, False, 3)],
)
@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_a_checkpoint_is_recognised_and_written_as_tensors(
    architecture: str, scale: int, noise_level: bool, channels: int, ending: str, tmp_path: Path
) -> None:
    path = checkpoint(tmp_path / f"Some Net.{ending}", architecture)
    entry = install(NetworkImport(path, licence="MIT.", source="https://example.org/net"))
    assert entry.key == "some-net"
    facts = entry.restoration
    assert facts is not None
    assert (facts.architecture, facts.scale, facts.noise_level) == (
        architecture, scale, noise_level,
    )  # fmt: skip
    assert (entry.channels, entry.licence, facts.source) == (
        channels, "MIT", "https://example.org/net",
    )  # fmt: skip
    found = load_file(entry.weights("network"))
    assert all(torch.equal(found[name], tensor) for name, tensor in weights(architecture).items())
    assert all(finding.good for finding in finish(verify("some-net")))
    method = registry.get("some-net")
    assert method.family == "trained"
    assert method in registry.methods()
    assert {parameter.name for parameter in method.parameters} == (
        {"prior", "sigma", "unclip"} if noise_level else {"prior"}
    )


class _Command:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch here",)


def _damaged(tensors: dict[str, Tensor], value: float) -> dict[str, Tensor]:
    name = "model.2.weight"
    return {**tensors, name: torch.full_like(tensors[name], value)}


def _hostile(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Sentence and content of files that are refused."""
    tensors = weights("DnCNN")

    def saved(content: object) -> bytes:
        buffer = io.BytesIO()
        torch.save(content, buffer)
        return buffer.getvalue()

    whole = saved(tensors)
    yield r"was refused: .* import posix\.system", saved({"params": tensors, "hook": _Command()})
    yield "is truncated", whole[: len(whole) // 2]
    yield "not finite", saved(_damaged(tensors, float("nan")))
    yield "not finite", saved(_damaged(tensors, float("inf")))
    yield "of no known architecture", saved({"layer.weight": torch.ones(3, 3)})
    yield "truncated or damaged", struct.pack("<Q", 2**60) + b'{"a":1}'
    yield "has data for less", saved({"w": torch.ones(1).expand(10**6, 10**6)})
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("net/data.pkl", b"\0" * 10**7)
    yield "unpacks to more than its size", packed.getvalue()
    script = io.BytesIO()
    with zipfile.ZipFile(script, "w") as archive:
        archive.writestr("net/code/__torch__.py", "import os")
    yield "TorchScript", script.getvalue()
    missing = {name: tensor for name, tensor in tensors.items() if name != "model.2.bias"}
    yield "of no known architecture|cannot be used as one", saved(missing)


def test_what_is_refused_runs_nothing_and_leaves_nothing(
    tmp_path: Path, models_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "net.pth"
    for sentence, content in _hostile(tmp_path):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=sentence) as caught:
            add(path)
        assert str(caught.value).startswith("net.pth")
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "here").exists()
    assert [folder for folder in models_folder.glob("*") if folder.name != ".work"] == []
    assert registry.methods() == registry.METHODS


def test_settings_of_a_training_may_lie_beside_the_tensors(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    settings = argparse.Namespace(lr=1e-4, patches=[64, 64])
    torch.save({"model_state_dict": weights("RED-CNN"), "args": settings}, path)
    assert network_entry(add(path)).restoration is not None


def test_a_file_above_the_limit_is_refused_by_its_table(tmp_path: Path) -> None:
    size = import_restoration.LARGEST + 4
    header = b'{"model.0.weight":{"dtype":"F32","shape":[%d],"data_offsets":[0,%d]}}' % (
        size // 4, size,
    )  # fmt: skip
    path = tmp_path / "huge.safetensors"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.truncate(8 + len(header) + size)
    with pytest.raises(CheckpointError, match=r"huge.safetensors has 2\.0 GB of weights"):
        add(path)


def test_shapes_that_describe_a_network_beyond_the_memory_are_refused(tmp_path: Path) -> None:
    tensors = weights("SwinIR")
    # The library makes a table with the square of this many entries.
    index = "layers.0.residual_group.blocks.0.attn.relative_position_index"
    tensors[index] = torch.zeros(10**6, 1, dtype=torch.int8)
    path = tmp_path / "large.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
    with pytest.raises(CheckpointError, match=r"large\.safetensors .*memory"):
        add(path)


def test_many_tables_that_are_possible_one_by_one_are_refused(tmp_path: Path) -> None:
    tensors = weights("SwinIR")
    # Ten blocks, each of which makes a table of 0.1 GB from this one.
    block = "layers.0.residual_group.blocks."
    for number in range(2, 12):
        copied = {name: one for name, one in tensors.items() if name.startswith(f"{block}0.")}
        tensors |= {name.replace("blocks.0", f"blocks.{number}"): copied[name] for name in copied}
    tensors[f"{block}0.attn.relative_position_index"] = torch.zeros(3721, 1, dtype=torch.int8)
    path = tmp_path / "many.safetensors"
    save_file({name: tensor.clone() for name, tensor in tensors.items()}, path)
    with pytest.raises(CheckpointError, match=r"many\.safetensors was refused: .*memory"):
        add(path)


def test_limits_hold_before_memory_is_taken() -> None:
    with Bounded(10**6, seconds=60):
        kept = torch.ones(100) + 1
        for _ in range(10):
            # What is not kept, and views, take nothing.
            torch.ones(10**5).view(10, -1).add_(1)
        with pytest.raises(LimitExceeded, match="memory"):
            kept[:, None, None] * kept[:, None] * kept
        with pytest.raises(LimitExceeded, match="memory"):
            torch.empty(10**12)
        with pytest.raises(LimitExceeded, match="memory"):
            torch.ops.aten.zeros([10**12])
        with pytest.raises(LimitExceeded, match="memory"):
            [kept.repeat(100) for _ in range(30)]
    with Bounded(10**5, seconds=60), pytest.raises(LimitExceeded):
        [torch.ones(10**4) for _ in range(10)]
    with Bounded(10**6, seconds=-1), pytest.raises(LimitExceeded, match="too long"):
        torch.ones(1)


def test_operations_of_an_unknown_size_are_refused_unless_a_mask_gives_it() -> None:
    with Bounded(10**6, seconds=60):
        numbers = torch.arange(6.0).reshape(2, 3)
        assert numbers.sum().item() == 15.0
        assert numbers.to("cpu").tolist() == numbers.tolist()
        assert numbers[numbers > 3].tolist() == [4.0, 5.0]
        assert numbers[torch.tensor([True, False])].tolist() == [[0.0, 1.0, 2.0]]
        with pytest.raises(LimitExceeded, match="not known beforehand"):
            torch.repeat_interleave(torch.tensor([10**12]))
        with pytest.raises(LimitExceeded, match="not known beforehand"):
            numbers.nonzero()


def test_a_network_that_draws_random_numbers_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spandrel.architectures.DnCNN import DnCNN

    usual = DnCNN.forward
    monkeypatch.setattr(DnCNN, "forward", lambda self, x: usual(self, x + torch.rand_like(x)))
    with pytest.raises(CheckpointError, match="random numbers"):
        add(checkpoint(tmp_path / "net.pth"))


def test_keys_are_free_ones_and_no_paths(tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "net.pth")
    add(path)
    with pytest.raises(ParameterError, match="There is a network net"):
        add(path)
    assert add(path, key="second") == "second"
    for key in ("nlm", "input", "truth", "denoiser"):
        with pytest.raises(ParameterError, match=f"{key} is a method"):
            add(path, key=key)
    for key in ("../up", "a/b", "pixel", ".."):
        with pytest.raises(ParameterError, match="key"):
            add(path, key=key)
    assert add(checkpoint(tmp_path / "..--%2e%2e..pth")) == "2e-2e"
    nameless = checkpoint(tmp_path / "\u7f51\u7edc.pth")
    with pytest.raises(ParameterError, match=r"has no letters .*; give --key"):
        add(nameless)
    assert add(nameless, key="named") == "named"
    with pytest.raises(CheckpointError, match=r"There is no file .*~nobody-here"):
        add(Path("~nobody-here/net.pth"))
    for option in ({"native": 64}, {"tiles": True}, {"hu": (5.0, 5.0)}):
        with pytest.raises(ParameterError, match="--"):
            add(path, key="third", **option)


def test_removal_ends_the_method(tmp_path: Path) -> None:
    key = added(tmp_path).key
    assert key == "dncnn"
    installed.remove(key)
    with pytest.raises(UnknownMethod, match="No method dncnn"):
        registry.get(key)
    [event] = compare(IMAGE, [Request(key)])
    assert "No method dncnn" in event.error


def record_of(key: str) -> Record:
    *_, event = compare(IMAGE, [Request(key)])
    assert event.outcome is not None, event.error
    return event.outcome.record


def test_results_name_the_file_and_follow_its_weights(tmp_path: Path) -> None:
    facts = {"licence": "CC-BY-4.0", "source": "https://example.org", "key": "mine"}
    path = checkpoint(tmp_path / "net.pth")
    add(path, **facts)
    first = identity("mine")
    record = record_of("mine")
    prior, origin = record.prior, network_entry("mine").origin
    assert prior is not None
    assert origin is not None
    assert (prior.name, prior.file, prior.architecture) == ("mine", "net.pth", "DnCNN")
    assert (prior.licence, prior.source) == ("CC-BY-4.0", "https://example.org")
    assert prior.file_sha256 == origin.sha256
    installed.remove("mine")
    add(checkpoint(path, seed=1), **facts)
    assert identity("mine") != first
    assert record_of("mine").key != record.key


def test_the_card_states_licence_and_source_and_nothing_that_acts(tmp_path: Path) -> None:
    entry = added(
        tmp_path,
        "DRUNet",
        licence="MIT ![x](http://a/b)",
        source="<script>x</script>",
        hu=(-1000, 0),
    )
    card = restoration_card(entry)
    assert "MIT" in card
    assert "![x]" not in card
    assert "<script" not in card.replace("\\<", "")
    assert all(f"`{each.name}`" in card for each in registry.get(entry.key).parameters)
    assert "-1000 and 0 HU" in card
    assert entry.origin is not None
    assert entry.origin.sha256 in card


def test_without_spandrel_a_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = added(tmp_path).key
    monkeypatch.setitem(sys.modules, "spandrel", None)
    for asked in (lambda: add(checkpoint(tmp_path / "b.pth")), lambda: enhance(IMAGE, key)):
        with pytest.raises(NetworkMissing, match=r"spandrel.*requirements-restoration\.txt"):
            asked()


def test_the_published_red_cnn_works_in_hounsfield_units(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = checkpoint(tmp_path / "redcnn.pt", "RED-CNN")
    [facts] = import_restoration.PUBLISHED.values()
    own = install(NetworkImport(path, key="own")).origin
    assert own is not None
    monkeypatch.setattr(import_restoration, "PUBLISHED", {own.sha256: facts})
    entry = install(NetworkImport(path))
    assert (entry.key, entry.licence) == ("redcnn", "MIT")
    known = entry.restoration
    assert known is not None
    assert known.range == (-1024.0, 3072.0)
    assert np.isclose(known.normalisation[0] * 4096, 481.454, atol=1e-3)
