"""The morphology method with untrained networks: its input, steps, notes, figures and maps."""

from __future__ import annotations

import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from torch import nn

from enhancers.compare import Outcome, Request, compare
from enhancers.compare.maps import bundle_maps, result_maps
from enhancers.curve_angle import SpineAngles, spine_angles
from enhancers.depths import depth_weights
from enhancers.diffusion import morphology
from enhancers.diffusion.morphology_pictures import COLOURS, overlay
from enhancers.image import MedicalImage, from_array
from enhancers.load import load
from enhancers.method import Modality
from enhancers.networks import catalog
from enhancers.networks.entry import Embedded, NetworkEntry
from enhancers.networks.morphology.enhance import Enhanced
from enhancers.networks.morphology.tuner import MorphologyTuner
from enhancers.networks.morphology.unet import MorphologyUNet
from enhancers.phantoms.spine import Curves, spine_volume
from enhancers.registry import get, resolve

WIDTHS = (16, 16, 24, 32)
SIDE, SIZE = 64, 96
STEPS = 3


@pytest.fixture(autouse=True)
def networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    folder = tmp_path / "morphology"
    parts = {
        "diffusion": MorphologyUNet(block_out_channels=WIDTHS, sample_size=SIDE),
        "segmentation": MorphologyUNet(
            block_out_channels=WIDTHS, out_channels=4, timed=False, sample_size=SIDE
        ),
        "tuner_published": MorphologyTuner(WIDTHS),
        "tuner_residual": MorphologyTuner(WIDTHS, variant="residual"),
        "tuner_tuned": MorphologyTuner(WIDTHS, variant="tuned"),
    }
    for name, part in parts.items():
        for layer in [part.conv_out] if "tuner" not in name else part.up:
            nn.init.normal_(layer.weight, std=0.2)
        part.save_pretrained(folder / name)
    entry = NetworkEntry(
        "morphology", "Morphology", "Untrained.", "morphology", tuple(parts), "", Embedded(),
        tiles=False, native=SIDE, place=folder,
    )  # fmt: skip
    others = [one for one in catalog.NETWORKS if one.key != "morphology"]
    monkeypatch.setattr(catalog, "NETWORKS", (*others, entry))


@pytest.fixture
def volume(tmp_path: Path) -> MedicalImage:
    depths = spine_volume(size=SIZE, seed=1).depths
    tifffile.imwrite(tmp_path / "v.tif", np.round(depths * 255).astype(np.uint8),
                     photometric="minisblack")  # fmt: skip
    return load(tmp_path / "v.tif", slice_index=2).with_modality(Modality.US)


def outcome(image: MedicalImage, seed: int = 0, **params: Any) -> Outcome:
    given = {"steps": STEPS, "samples": 1} | params
    *_, last = compare(image, [Request("morphology", given)], seed=seed, device="cpu")
    assert last.outcome is not None, last.error
    return last.outcome


def test_every_slice_of_the_file_counts_and_no_slice_is_special(
    volume: MedicalImage, tmp_path: Path
) -> None:
    one = outcome(volume)
    assert one.result.calls == STEPS
    assert one.result.notes[0] == "All 5 slices of the file are the input."
    other = load(tmp_path / "v.tif", slice_index=4).with_modality(Modality.US)
    np.testing.assert_array_equal(outcome(other).result.pixels, one.result.pixels)
    assert volume.depths is not None
    changed = replace(volume, depths=volume.depths[::-1].copy())
    flipped = outcome(changed)
    assert np.abs(flipped.result.pixels - one.result.pixels).max() > 1e-3
    back = outcome(changed, order="deep first")
    np.testing.assert_array_equal(back.result.pixels, one.result.pixels)
    assert len({each.record.key for each in (one, flipped, back)}) == 3


def test_seeds_weights_starts_and_variants_change_the_result(volume: MedicalImage) -> None:
    one = outcome(volume)
    for changed in (
        outcome(volume, seed=1), outcome(volume, weight_1=1.0), outcome(volume, start="inversion"),
        outcome(volume, variant="published"),
    ):  # fmt: skip
        assert np.abs(changed.result.pixels - one.result.pixels).max() > 1e-3
    assert outcome(volume, start="inversion", samples=3).result.calls == 2 * STEPS


def test_samples_are_averaged_and_their_angles_summed_up(volume: MedicalImage) -> None:
    assert outcome(volume, samples=2).result.calls == 2 * STEPS
    each = tuple(spine_angles(spine_volume(Curves(35, lumbar), size=128, seed=2).mask)
                 for lumbar in (-30, -25, -38))  # fmt: skip
    flat = np.zeros((8, 8), np.uint8)
    found = Enhanced(flat.astype(np.float32), flat, flat, each, 0.9)
    told = {one.name: one.value for one in morphology.figures(found)}
    assert told["uca_l"] == pytest.approx(-30, abs=1.0)
    assert told["uca_l_sd"] == pytest.approx(statistics.stdev((-30, -25, -38)), abs=1.0)
    assert told["uca_t_sd"] == pytest.approx(0, abs=1.0)
    # A sample without an angle leaves its spread unknown, and one sample has none.
    lost = SpineAngles(None, each[0].lumbar, (), ())
    told = {one.name for one in morphology.figures(replace(found, each=(lost, each[1])))}
    assert told == {"uca_t", "uca_l", "uca_l_sd", "structure_kept"}
    alone = {one.name for one in morphology.figures(replace(found, each=each[:1]))}
    assert alone == {"uca_t", "uca_l", "structure_kept"}


def test_a_single_image_serves_for_all_depths_and_is_told(volume: MedicalImage) -> None:
    alone = outcome(replace(volume, depths=None, slice_count=1))
    assert alone.result.notes[0].startswith("One image was given")
    assert len(result_maps(replace(volume, depths=None), alone)) == 2
    one_of_many = outcome(replace(volume, depths=None))
    assert one_of_many.result.notes[0].startswith("Of the file's 5 slices this one alone")
    ct = outcome(replace(volume, modality=Modality.CT))
    assert "this is CT" in " ".join(ct.result.notes)


def test_constant_depths_are_returned() -> None:
    flat = from_array(np.full((SIZE, SIZE), 0.4, np.float32), Modality.US)
    assert "constant" in outcome(flat).result.notes[0]


def test_a_blank_depth_is_told(volume: MedicalImage) -> None:
    assert volume.depths is not None
    depths = volume.depths.copy()
    depths[3] = 0
    _, said, *_ = outcome(replace(volume, depths=depths)).result.notes
    assert said == "Slice 4 has the same value everywhere and shows nothing."


def test_work_is_counted_without_the_image_size(volume: MedicalImage) -> None:
    for given, calls in (
        ({"samples": 1}, 10 + 2 * 5 + 1), ({"samples": 3}, 3 * 10 + 2 * 5 + 1 + 3),
        ({"start": "inversion"}, 2 * 10 + 2 * 5 + 1),
    ):  # fmt: skip
        params = resolve("morphology", Modality.US, {"steps": 10} | given)
        assert morphology.work(volume, params) == pytest.approx(calls * SIDE**2 / 256**2)


def test_maps_show_structures_and_depths_with_weights(volume: MedicalImage) -> None:
    made = outcome(volume)
    structures, *depths = result_maps(volume, made)
    assert structures.values.shape == (SIZE, SIZE, 3)
    assert [one.label for one in depths] == [
        f"Depth {number}, weight {weight:.2f}"
        for number, weight in enumerate(depth_weights(5), start=1)
    ]
    np.testing.assert_array_equal(depths[2].values, volume.pixels)
    files = bundle_maps(volume, made)
    assert files[0].units == "RGB (0 to 1)"
    # The method maps values anew: a depth is in gray levels of the window too.
    assert files[3].values.max() <= 255


def test_the_overlay_has_colours_and_lines_of_the_angles() -> None:
    volume = spine_volume(Curves(35, -30), size=128, seed=2)
    drawn, said = overlay(volume.clean, volume.mask)
    thoracic, lumbar = (float(part.split()[1].rstrip("°")) for part in said.split(", "))
    assert thoracic == pytest.approx(35, abs=2)
    assert lumbar == pytest.approx(-30, abs=2)
    lines = (drawn[..., 0] > 0.9) & (drawn[..., 1] > 0.9) & (drawn[..., 2] < 0.6)
    assert 40 < lines.sum() < 600
    plain, said = overlay(volume.clean, np.where(volume.mask == 2, 2, 0).astype(np.uint8))
    assert said == "Structures, no angle"
    ribs = volume.mask == 2
    green = np.float32(COLOURS["rib"]) * 0.55
    np.testing.assert_allclose(plain[ribs], 0.45 * volume.clean[ribs][:, None] + green, atol=1e-6)
    np.testing.assert_allclose(plain[~ribs], volume.clean[~ribs][:, None].repeat(3, 1), atol=1e-6)


def test_it_is_the_only_method_whose_input_is_a_volume() -> None:
    assert get("morphology").depths
    assert get("morphology").result_units("HU", {}) == "gray level, not HU"
