from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from enhancers.asset_files import ASSETS
from enhancers.networks import catalog
from enhancers.networks.training.card import render, render_restorer

NETWORKS = ASSETS / "networks"
CODE = re.compile(r"```python\n(.*?)```", re.DOTALL)


def facts_of(which: str) -> dict[str, Any]:
    text = (NETWORKS / which / "training.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


RESTORERS = [each.key for each in catalog.NETWORKS if each.kind == "restorer"]


@pytest.mark.parametrize("which", ["pixel", "latent", *RESTORERS])
def test_the_card_is_what_the_training_wrote_and_the_hub_reads_it(which: str) -> None:
    written = render_restorer if which in RESTORERS else render
    path = NETWORKS / which / "README.md"
    attribution = (NETWORKS / "ATTRIBUTION.md").read_text(encoding="utf-8")
    assert path.read_text(encoding="utf-8") == written(which, facts_of(which), attribution)
    data = ModelCard.load(path, ignore_metadata_errors=False).data
    assert (data.license, data.library_name) == ("apache-2.0", "diffusers")
    assert "not-for-diagnosis" in data.tags
    found = {(one.task_name, one.metric_name): one.metric_value for one in data.eval_results}
    assert found == {
        (stage["stage"], name): value
        for stage in facts_of(which)["stages"]
        for name, value in stage["validation"].items()
    }


@pytest.mark.parametrize("which", ["pixel", "latent", *RESTORERS])
def test_the_code_of_the_card_loads_the_folder(which: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(NETWORKS / which)
    [code] = CODE.findall(Path("README.md").read_text(encoding="utf-8"))
    loaded: dict[str, Any] = {}
    exec(code, loaded)
    parts = {part.name for part in Path().iterdir() if part.is_dir()}
    assert parts <= loaded.keys()
    channels = {part: loaded[part].config.in_channels for part in parts - {"scheduler"}}
    known = {
        "pixel": {"unet": 1},
        "latent": {"unet": 8, "vae": 1},
        "diffusion_unet": {"restorer": 5},
    }
    assert channels == known.get(which, {"restorer": 4})
    assert loaded["scheduler"].config.num_train_timesteps == 1000
