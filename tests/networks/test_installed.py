"""Adding, verifying and removing networks that a user brings."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import UNet2DModel
from safetensors.torch import load_file, save_file

from enhancers.errors import CheckpointError, NetworkMissing, ParameterError, ReadingRoomError
from enhancers.networks import catalog, import_network, installed, staging
from enhancers.networks.catalog import NETWORKS
from enhancers.networks.entry import Download, FromUser, NetworkEntry
from enhancers.networks.fetch import fetch
from enhancers.networks.identify import NetworkImport
from enhancers.networks.lookup import network_entry
from enhancers.networks.progress import finish
from enhancers.networks.verify import how_to_mend, verify
from tests.support.network_files import (
    guided_file,
    guided_tensors,
    install,
    latent_pipeline,
    pixel_pipeline,
    tiny_unet,
)

PARAMETERS = sum(tensor.numel() for tensor in guided_tensors().values())


def asked(path: Path, **facts: Any) -> NetworkImport:
    return replace(NetworkImport(path, head_channels=32, qkv_order="legacy"), **facts)


def mine(path: Path, **facts: Any) -> NetworkEntry:
    return install(asked(path, **facts))


def left_over(folder: Path) -> list[str]:
    """Names below the folder of networks, without the locks."""
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    )  # fmt: skip


@pytest.fixture
def small_catalogue(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[NetworkEntry, ...]:
    """The catalogue with the published networks shrunk to the size of the tests' own."""
    from dataclasses import replace

    published = guided_file(tmp_path / "published" / "adm.pt").read_bytes()
    small = []
    for entry in NETWORKS:
        if entry.checkpoint:
            entry = replace(entry, parameters=PARAMETERS)  # noqa: PLW2901
        if isinstance(entry.source, Download):
            digest = hashlib.sha256(published).hexdigest()
            source = replace(entry.source, size=len(published), sha256=digest)
            entry = replace(entry, source=source)  # noqa: PLW2901
        small.append(entry)
    monkeypatch.setattr(catalog, "NETWORKS", tuple(small))
    return tuple(small)


@pytest.mark.parametrize("name", ["My Network 2.pt", "other.safetensors"])
def test_a_checkpoint_becomes_a_diffusers_folder(
    models_folder: Path, tmp_path: Path, name: str
) -> None:
    file = guided_file(tmp_path / name)
    made = mine(file, native=128, label="Mine", licence="CC0")
    assert made.key in ("my-network-2", "other")
    assert (made.label, made.licence, made.native, made.channels) == ("Mine", "CC0", 128, 3)
    assert not made.tiles
    assert made.parameters == PARAMETERS
    assert made.origin
    assert made.origin.file == name
    assert made.origin.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    network = UNet2DModel.from_pretrained(made.folder / "unet", use_safetensors=True)
    assert network.config.out_channels == 6
    assert all(finding.good for finding in finish(verify(made.key)))
    assert len(left_over(models_folder)) == 4


def test_what_the_tensors_do_not_tell_is_asked_for(models_folder: Path, tmp_path: Path) -> None:
    file = guided_file(tmp_path / "a.pt")
    with pytest.raises(ParameterError, match="--head-channels"):
        install(NetworkImport(file))
    with pytest.raises(ParameterError, match="--qkv-order"):
        install(NetworkImport(file, head_channels=32))
    one_head = install(NetworkImport(file, head_channels=0))
    assert one_head.checkpoint
    assert one_head.checkpoint.head_channels is None


def test_the_order_of_the_rows_changes_the_network(models_folder: Path, tmp_path: Path) -> None:
    file = guided_file(tmp_path / "a.pt")
    legacy, new = (
        load_file(mine(file, key=order, qkv_order=order).weights("unet"))
        for order in ("legacy", "new")
    )
    assert any(not torch.equal(legacy[name], new[name]) for name in legacy)


@pytest.mark.usefixtures("small_catalogue")
def test_the_catalogues_facts_hold_with_like(models_folder: Path, tmp_path: Path) -> None:
    file = guided_file(tmp_path / "CT.pt", seed=1)
    made = install(NetworkImport(file, like="ct-abdomen"))
    assert made.key == "ct-abdomen"
    assert made.label == "Abdomen CT DDPM"
    assert network_entry("ct-abdomen", "pixel").present
    assert installed.state(made).status == "present"
    with pytest.raises(ParameterError, match="remove it first"):
        install(NetworkImport(file, like="ct-abdomen"))
    own = install(NetworkImport(file, like="ct-abdomen", key="ct-mine", tiles=True))
    assert own.key == "ct-mine"
    assert own.checkpoint == made.checkpoint
    assert own.tiles
    assert own.native == 256


@pytest.mark.usefixtures("small_catalogue")
def test_a_network_is_recognised_by_digest_and_by_name_and_size(
    models_folder: Path, tmp_path: Path
) -> None:
    file = (tmp_path / "published" / "adm.pt").rename(tmp_path / "whatever.pt")
    assert install(NetworkImport(file)).key == "adm256"
    finding = finish(verify("adm256"))[-1]
    assert "is the published file" in finding.says
    assert install(NetworkImport(guided_file(tmp_path / "MR.pt", seed=1))).key == "mr-heart"


@pytest.mark.usefixtures("small_catalogue")
def test_another_file_than_the_published_is_said(models_folder: Path, tmp_path: Path) -> None:
    install(NetworkImport(guided_file(tmp_path / "x.pt", seed=1), like="adm256"))
    assert "not the published file" in finish(verify("adm256"))[-1].says


def test_a_network_of_another_size_does_not_become_the_catalogues(
    models_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match="552,814,086"):
        install(NetworkImport(guided_file(tmp_path / "x.pt"), like="adm256", head_channels=32))
    assert left_over(models_folder) == []


class _Hostile:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch /tmp/never",)


def _truncated(path: Path) -> None:
    data = guided_file(path).read_bytes()
    path.write_bytes(data[: len(data) // 2])


def _incomplete(path: Path) -> None:
    tensors = guided_tensors()
    del tensors["out.0.weight"]
    torch.save(tensors, path)


def _diffusers(path: Path) -> None:
    torch.save(tiny_unet().state_dict(), path)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path.write_bytes(b""), "empty"),
        (lambda path: path.write_text("hello, this is text"), "not a checkpoint"),
        (lambda path: path.write_bytes(pickle.dumps(_Hostile())), "refused"),
        (lambda path: path.mkdir(), "neither unet/config.json"),
        (lambda path: torch.save({"a": torch.zeros(3)}, path), "guided-diffusion"),
        (_truncated, "truncated"),
        (_incomplete, "1 missing"),
        (_diffusers, "config.json"),
    ],
)
def test_a_file_that_is_no_network_is_told_and_leaves_nothing(
    models_folder: Path, tmp_path: Path, make: object, says: str
) -> None:
    path = tmp_path / "bad.pt"
    make(path)  # type: ignore[operator]
    with pytest.raises(CheckpointError, match=says) as error:
        install(NetworkImport(path, head_channels=0))
    assert "\n" not in str(error.value)
    assert left_over(models_folder) == []


def test_an_absent_file_is_told(models_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no file"):
        install(NetworkImport(tmp_path / "none.pt"))


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"key": "Größe"}, "not possible"),
        ({"key": "../up"}, "not possible"),
        ({"key": "pixel"}, "of the catalogue"),
        ({"key": "adm256"}, "--like adm256"),
        ({"like": "adm25"}, "did you mean adm256"),
        ({"like": "pixel"}, "no --like pixel"),
        ({"like": "sd15"}, "give the folder"),
        ({"like": "adm256", "native": 64}, "--native does not apply"),
        ({"native": 1}, "no side"),
    ],
)
def test_an_impossible_wish_is_told(
    models_folder: Path, tmp_path: Path, facts: dict[str, object], says: str
) -> None:
    with pytest.raises(ParameterError, match=says):
        mine(guided_file(tmp_path / "x.pt"), **facts)
    assert left_over(models_folder) == []


def test_an_interrupted_addition_leaves_nothing(models_folder: Path, tmp_path: Path) -> None:
    steps = import_network.import_network(asked(guided_file(tmp_path / "x.pt")))
    for step in steps:
        if step.note.startswith("Checking config"):
            break
    assert left_over(models_folder)
    steps.close()
    assert left_over(models_folder) == []
    assert mine(tmp_path / "x.pt").key == "x"


def test_what_a_killed_process_left_is_cleared(models_folder: Path, tmp_path: Path) -> None:
    rest = models_folder / staging.WORK / "x" / "unet"
    rest.mkdir(parents=True)
    (rest / "half.safetensors").write_bytes(b"half")
    assert installed.states()[-1].status != "damaged"
    mine(guided_file(tmp_path / "x.pt"))
    assert not (models_folder / staging.WORK / "x").exists()


def test_two_at_once_do_not_disturb_each_other(models_folder: Path, tmp_path: Path) -> None:
    with (
        staging.locked("x"),
        pytest.raises(ParameterError, match="is being fetched, added or removed"),
    ):
        mine(guided_file(tmp_path / "x.pt"))


def test_a_shelf_that_cannot_be_written_is_told(models_folder: Path, tmp_path: Path) -> None:
    models_folder.write_text("a file where the folder should be")
    with pytest.raises(ParameterError, match="READINGROOM_MODELS_DIR"):
        mine(guided_file(tmp_path / "x.pt"))


def test_no_room_on_the_disk_is_said_beforehand(
    models_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("enhancers.networks.download.SPARE", 10**18)
    with pytest.raises(ReadingRoomError, match="make room"):
        mine(guided_file(tmp_path / "x.pt"))


def test_a_folder_of_a_network_is_copied(models_folder: Path, tmp_path: Path) -> None:
    source = pixel_pipeline(tmp_path / "p") / "unet"
    made = install(NetworkImport(source, key="copied"))
    assert made.folder == models_folder / "copied"
    assert (made.channels, made.native, made.kind) == (1, 32, "pixel")
    scheduler = json.loads((made.folder / "scheduler" / "scheduler_config.json").read_text())
    assert scheduler["beta_schedule"] == "squaredcos_cap_v2"
    other = install(NetworkImport(source, key="other", schedule="linear", tiles=True))
    scheduler = json.loads((other.folder / "scheduler" / "scheduler_config.json").read_text())
    assert scheduler["beta_schedule"] == "linear"
    assert all(finding.good for finding in finish(verify("copied")))


def test_a_pipeline_stays_in_its_place(models_folder: Path, tmp_path: Path) -> None:
    folder = latent_pipeline(tmp_path / "tiny-sd")
    made = install(NetworkImport(folder))
    assert (made.key, made.kind, made.channels, made.native) == ("tiny-sd", "latent", 3, 32)
    assert made.parts == ("vae", "unet", "text_encoder")
    assert made.folder == folder
    assert left_over(models_folder) == ["tiny-sd/prior.json"]
    assert all(finding.good for finding in finish(verify("tiny-sd")))
    installed.remove("tiny-sd")
    assert (folder / "unet" / "config.json").is_file()
    with pytest.raises(ParameterError, match="No network tiny-sd"):
        network_entry("tiny-sd")


def test_half_precision_and_early_names_are_read(models_folder: Path, tmp_path: Path) -> None:
    folder = latent_pipeline(tmp_path / "tiny")
    for part, stem in (("vae", "diffusion_pytorch_model"), ("text_encoder", "model")):
        path = folder / part / f"{stem}.safetensors"
        tensors = load_file(path)
        path.unlink()
        early = {
            name.replace(".to_q.", ".query.").replace(".to_out.0.", ".proj_attn.")
            if part == "vae" else name: tensor.half()
            for name, tensor in tensors.items()
        }  # fmt: skip
        assert part == "text_encoder" or early.keys() != tensors.keys()
        save_file(early, folder / part / f"{stem}.fp16.safetensors")
    assert (
        install(NetworkImport(folder)).weights("vae").name
        == "diffusion_pytorch_model.fp16.safetensors"
    )


def _config(path: Path, **changes: object) -> None:
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | changes))


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda f: (f / "tokenizer" / "vocab.json").unlink(), "no tokenizer"),
        (lambda f: (f / "text_encoder_2").mkdir(), "two text encoders"),
        (lambda f: (f / "vae" / "config.json").write_text("{"), "cannot be read as JSON"),
        (lambda f: (f / "vae" / "config.json").write_text("[]"), "not a configuration"),
        (lambda f: (f / "scheduler" / "scheduler_config.json").unlink(), "no scheduler/"),
        (
            lambda f: _config(f / "scheduler" / "scheduler_config.json", prediction_type="sample"),
            "'sample'",
        ),
        (lambda f: _config(f / "vae" / "config.json", _class_name="VQModel"), "VQModel"),
        (lambda f: _config(f / "vae" / "config.json", in_channels=4), "4 channels"),
        (lambda f: _config(f / "unet" / "config.json", in_channels=9), "inpainting"),
        (lambda f: _config(f / "unet" / "config.json", num_class_embeds=10), "conditions"),
        (lambda f: _config(f / "unet" / "config.json", layers_per_block=10**9), "larger than any"),
        (lambda f: _config(f / "unet" / "config.json", block_out_channels=[8] * 99), "larger"),
        (lambda f: _config(f / "unet" / "config.json", block_out_channels=[8, 24]), "shape"),
        (lambda f: _config(f / "unet" / "config.json", norm_num_groups=7), "describes no network"),
        (
            lambda f: (f / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"\0" * 99),
            "damaged",
        ),
        (
            lambda f: (f / "unet" / "diffusion_pytorch_model.safetensors").rename(
                f / "unet" / "diffusion_pytorch_model.bin"
            ),
            "another format",
        ),
        (lambda f: (f / "unet" / "diffusion_pytorch_model.safetensors").unlink(), "missing"),
    ],
)
def test_a_pipeline_that_cannot_be_used_is_told(
    models_folder: Path, tmp_path: Path, harm: object, says: str
) -> None:
    folder = latent_pipeline(tmp_path / "tiny")
    harm(folder)  # type: ignore[operator]
    with pytest.raises(CheckpointError, match=says):
        install(NetworkImport(folder))
    assert left_over(models_folder) == []


def test_changed_files_are_found(models_folder: Path, tmp_path: Path) -> None:
    made = mine(guided_file(tmp_path / "x.pt"))
    path = made.weights("unet")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert installed.state(made).status == "present"
    wrong = [finding for finding in finish(verify("x")) if not finding.good]
    assert [finding.what for finding in wrong] == ["unet/diffusion_pytorch_model.safetensors"]
    path.write_bytes(data[:-1])
    assert installed.state(made).status == "damaged"
    path.unlink()
    assert installed.state(made).status == "incomplete"
    assert "networks remove x" in installed.state(made).note
    assert any("is missing" in finding.says for finding in finish(verify("x")))


def test_removing_is_for_what_was_put_there(models_folder: Path, tmp_path: Path) -> None:
    mine(guided_file(tmp_path / "x.pt"))
    assert installed.remove("x") > 0
    assert left_over(models_folder) == []
    with pytest.raises(ParameterError, match="No network x"):
        installed.remove("x")
    with pytest.raises(ParameterError, match="comes with the project"):
        installed.remove("pixel")
    with pytest.raises(ParameterError, match="nothing to remove"):
        installed.remove("adm256")
    outside = tmp_path / "prior.json"
    outside.write_text("{}")
    with pytest.raises(ParameterError, match="No network"):
        installed.remove("..")
    assert outside.is_file()


def test_a_plain_folder_put_there_by_hand_is_used(models_folder: Path, tmp_path: Path) -> None:
    latent_pipeline(models_folder / "sd15")
    entry = network_entry("sd15")
    assert entry.present
    assert entry.folder == models_folder / "sd15"
    assert installed.state(entry).status == "present"
    with pytest.raises(ParameterError, match="by hand"):
        installed.remove("sd15")


def test_what_is_not_here_is_not_verified(models_folder: Path) -> None:
    with pytest.raises(NetworkMissing, match="fetch adm256"):
        finish(verify("adm256"))


def test_what_a_user_must_supply_is_not_fetched(models_folder: Path) -> None:
    entry = network_entry("mr-heart")
    assert isinstance(entry.source, FromUser)
    with pytest.raises(NetworkMissing, match=r"networks add MR\.pt --like mr-heart"):
        next(fetch("mr-heart"))


def test_every_network_with_a_fault_has_a_way_to_mend_it() -> None:
    assert "from the project again" in how_to_mend("pixel")
    way = how_to_mend("sd15")
    assert str(network_entry("sd15").folder) in way
    assert way.endswith("networks fetch sd15")
