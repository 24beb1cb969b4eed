from __future__ import annotations

import getpass
import json
import math
import platform
import re
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from enhancers import provenance
from enhancers.geometry import ImageGeometry
from enhancers.image import MedicalImage, Window, from_array, pixels_digest
from enhancers.input_facts import InputFacts
from enhancers.method import Modality
from enhancers.provenance import PriorFacts, Record, RecordedFigure


def image() -> MedicalImage:
    pixels = np.random.default_rng(0).random((16, 20), np.float32)
    return replace(
        from_array(pixels, Modality.CT),
        window=Window(-160.0, 240.0),
        units="HU",
        spacing=(0.7, 0.8),
        digest="f" * 64,
        tags=(("KVP", "120"),),
        warnings=("a warning",),
    )


def record() -> Record:
    return Record(
        key="k" * 64,
        created="2026-01-02T03:04:05+00:00",
        input=InputFacts.of(image()),
        method="null_space",
        params=(("eta", 0.85), ("preview_every", 5), ("respace", False), ("sigma", None)),
        seed=7,
        device="CPU, 2 threads",
        software=provenance.software("diffusion"),
        prior=PriorFacts("pixel", "a" * 64),
        seconds=1.25,
        calls=20,
        scale=1,
        figures=(RecordedFigure("sigma", "Noise σ", 0.1), RecordedFigure("snr", "SNR", math.inf)),
        notes=("noise estimated",),
        result_digest="b" * 64,
    )


def key(**changes: object) -> str:
    arguments = {
        "facts": InputFacts.of(image()),
        "method": "tv",
        "params": {"weight": None, "iterations": 200},
        "seed": 0,
        "device": "cpu",
        "software": provenance.software("classical"),
        "prior": None,
    }
    arguments.update(changes)
    return provenance.cache_key(**arguments)


def test_the_facts_of_an_image():
    facts = InputFacts.of(image())
    assert facts.pixels_digest == pixels_digest(image().pixels)
    assert facts.file_digest == "f" * 64
    assert (facts.shape, facts.window, facts.units) == ((16, 20), (-160.0, 240.0), "HU")
    assert (facts.modality, facts.spacing) == ("CT", (0.7, 0.8))


def test_json_says_what_a_reader_needs_and_keeps_its_order():
    text = record().to_json()
    plain = json.loads(text)
    assert plain["notice"] == "Not for diagnosis."
    assert plain["project"].startswith("Reading Room ")
    assert plain["params"] == {
        "eta": 0.85, "preview_every": 5, "respace": False, "sigma": None,
    }  # fmt: skip
    assert plain["prior"] == {"name": "pixel", "sha256": "a" * 64}
    assert plain["figures"][1]["value"] == "inf"
    assert {"python", "numpy", "torch", "diffusers"} <= set(plain["software"])
    assert list(plain) == sorted(plain)
    assert text == record().to_json()


def test_a_record_survives_the_way_through_json():
    original = record()
    assert provenance.from_json(original.to_json()) == original
    without = replace(original, prior=None, figures=())
    gray = replace(without, input=replace(without.input, spacing=None))
    assert provenance.from_json(gray.to_json()) == gray


def test_a_record_without_presets_opens_with_a_note_and_keeps_its_parameters():
    params = (("guidance", None), ("output", "residual"), ("steps", 10), ("strength", None))
    earlier = replace(record(), method="pseudo_label", params=params)
    opened = provenance.from_json(earlier.to_json())
    assert "two-call denoiser" in opened.notes[-1]
    assert replace(opened, notes=earlier.notes) == earlier
    assert provenance.from_json(opened.to_json()) == opened
    current = replace(earlier, params=(*params[:2], ("preset", "published"), *params[2:]))
    assert provenance.from_json(current.to_json()) == current


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"input": 3}', "null", "not json"])
def test_what_is_no_record_is_refused(text):
    with pytest.raises(ValueError, match="not a provenance record"):
        provenance.from_json(text)


def test_a_record_tells_nothing_of_the_user_or_the_machine():
    text = record().to_json()
    for secret in (platform.node(), str(Path.home()), str(Path.cwd())):
        # As a word of its own: a machine may be called "vm", and a package llvmlite.
        assert not re.search(rf"(?<!\w){re.escape(secret)}(?!\w)", text)
    fields = set(asdict(record())) | set(asdict(record().input))
    assert not any(word in name for name in fields for word in ("path", "name", "host", "user"))
    assert getpass.getuser() not in json.loads(text).values()


def test_the_key_is_stable_and_ignores_the_order_of_parameters():
    assert key() == key(params={"iterations": 200, "weight": None})
    assert len(key()) == 64


def facts_with(**changes: object) -> InputFacts:
    return replace(InputFacts.of(image()), **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"facts": facts_with(pixels_digest="0" * 64)},
        {"facts": facts_with(file_digest="0" * 64)},
        {"facts": facts_with(window=(-160.0, 241.0))},
        {"facts": facts_with(modality="MR")},
        {"facts": facts_with(spacing=None)},
        {"method": "nlm"},
        {"params": {"weight": 0.1, "iterations": 200}},
        {"seed": 1},
        {"device": "NVIDIA H200"},
        {"software": (("numpy", "1.0"),)},
        {"prior": PriorFacts("pixel", "a" * 64)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_everything_that_determines_the_bytes_changes_the_key(changes):
    assert key(**changes) != key()


def test_changed_code_of_the_method_changes_the_key(monkeypatch):
    before = key()
    monkeypatch.setattr(provenance, "method_digest", lambda method: f"another {method}")
    assert key() != before


def test_versions_are_those_installed():
    import numpy as np
    import skimage

    versions = dict(provenance.software("classical"))
    assert versions["numpy"] == np.__version__
    assert versions["scikit-image"] == skimage.__version__
    assert versions["python"] == platform.python_version()
    assert versions["opencv-python"]
    assert "torch" not in versions


def test_versions_are_found_without_importing():
    code = (
        "import sys; from enhancers import provenance as p; p.software('diffusion'); "
        "p.method_digest('unimie'); "
        "print({'torch', 'diffusers', 'cv2', 'skimage'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_record_says_where_the_image_lies_in_patient_and_file() -> None:
    geometry = ImageGeometry(
        (10.0, -20.0, 30.0), (-1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.5, 0.7), (0.0, 3.0, 0.0),
        (-1, 3, -2),
    )  # fmt: skip
    placed = replace(image(), geometry=geometry, slice_index=4, slice_count=10)
    facts = InputFacts.of(placed).geometry
    assert facts is not None
    assert facts.affine == ((-0.7, 0, 0, 10), (0, 0, 3, -20), (0, -0.5, 0, 30))
    assert facts.edges == ("L", "R", "S", "I")
    assert (facts.voxel_axes, facts.voxel_slice) == ((-1, 3, -2), 5)
    written = replace(record(), input=InputFacts.of(placed)).to_json()
    assert provenance.from_json(written).input.geometry == facts
    earlier = json.loads(record().to_json())
    del earlier["input"]["geometry"]
    assert provenance.from_json(json.dumps(earlier)).input.geometry is None
