import numpy as np
import pytest

from enhancers import registry
from enhancers.classical.pipelines import run, stages
from enhancers.image import Pixels, from_array
from enhancers.method import Modality
from enhancers.method_interface import Result, Step, load_method
from enhancers.phantoms import phantom
from tests.support.classical_images import colour_photograph, last, noisy, psnr, rician, speckled


def steps(pixels: Pixels, modality: Modality, **given: object) -> list[Step]:
    params = registry.resolve("classical", modality, given)
    return list(run(from_array(pixels, modality), params, seed=0, device="cpu"))


def enhance(pixels: Pixels, modality: Modality, **given: object) -> Result:
    return last(steps(pixels, modality, **given))


@pytest.mark.parametrize(
    ("modality", "keys"),
    [
        (Modality.US, ["srad", "clahe"]),
        (Modality.MR, ["n4", "nlm", "clahe"]),
        (Modality.CT, ["nlm", "clahe"]),
        (Modality.XR, ["nlm", "clahe"]),
        (Modality.FUNDUS, ["nlm", "clahe"]),
        (Modality.OTHER, ["nlm", "clahe"]),
    ],
)
def test_stages_of_each_modality(modality: Modality, keys: list[str]) -> None:
    chosen = stages(modality, contrast=True, sigma=0.1, clip_limit=3.0)
    assert [stage.key for stage in chosen] == keys
    assert chosen[-1].given == {"clip_limit": 3.0}
    without = stages(modality, contrast=False, sigma=None, clip_limit=3.0)
    assert [stage.key for stage in without] == keys[:-1]
    for stage in chosen:
        registry.resolve(stage.key, modality, stage.given)


def test_it_is_its_stages_one_after_the_other() -> None:
    pixels = rician(phantom("cardiac_mr", size=96, seed=2).pixels, 0.03)
    current = from_array(pixels, Modality.MR)
    for key, given in (("n4", {}), ("nlm", {"sigma": 0.03}), ("clahe", {"clip_limit": 3.0})):
        values = registry.resolve(key, Modality.MR, given)
        result = last(load_method(key).run(current, values, seed=0, device="cpu"))
        current = current.with_pixels(result.pixels)
    found = enhance(pixels, Modality.MR, sigma=0.03, clip_limit=3.0)
    assert np.array_equal(found.pixels, current.pixels)
    assert [figure.name for figure in found.figures] == ["n4.field", "nlm.sigma"]


def test_without_contrast_it_comes_closer_to_the_truth() -> None:
    ct = phantom("ct", size=128, seed=1).pixels
    degraded = noisy(ct, 0.05)
    assert psnr(enhance(degraded, Modality.CT, contrast=False).pixels, ct) > psnr(degraded, ct) + 2
    colour = colour_photograph()
    degraded = noisy(colour, 0.05)
    result = enhance(degraded, Modality.ENDOSCOPY, contrast=False).pixels
    assert psnr(result, colour) > psnr(degraded, colour)


def test_contrast_and_its_limit_act() -> None:
    pixels = speckled(phantom("echo", size=128, seed=1).pixels, 0.2)
    plain = enhance(pixels, Modality.US, contrast=False).pixels
    light = enhance(pixels, Modality.US, clip_limit=1.0).pixels
    strong = enhance(pixels, Modality.US, clip_limit=4.0).pixels
    assert psnr(strong, plain) < psnr(light, plain) < 30.0


def test_sigma_of_ultrasound_is_the_speckle_scale() -> None:
    pixels = speckled(phantom("echo", size=96, seed=1).pixels, 0.2)
    figures = {f.name: f.value for f in enhance(pixels, Modality.US, sigma=0.2).figures}
    assert figures["srad.q0"] == pytest.approx(0.2)


def test_stages_are_named_and_end_with_a_preview() -> None:
    taken = steps(rician(phantom("cardiac_mr", size=64, seed=2).pixels, 0.03), Modality.MR)
    notes = [step.note.split(":")[0] for step in taken[:-1]]
    assert list(dict.fromkeys(notes)) == ["N4 bias correction", "Non-local means", "CLAHE"]
    assert taken[-2].preview is not None
