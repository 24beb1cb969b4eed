"""The catalogue: what it says of each network, and the user's own beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from enhancers.errors import ParameterError
from enhancers.method import PRIOR_KEY
from enhancers.networks import installed, user_networks
from enhancers.networks.catalog import NETWORKS
from enhancers.networks.entry import Download, FromUser, Hub, NetworkEntry, bytes_text
from enhancers.networks.identify import NetworkImport
from enhancers.networks.lookup import entries, missing, network_entry
from enhancers.networks.progress import finish
from enhancers.networks.verify import verify
from tests.support.network_files import guided_file, install


@pytest.mark.parametrize("entry", NETWORKS, ids=lambda entry: entry.key)
def test_an_entry_says_what_a_user_must_know(entry: NetworkEntry) -> None:
    assert PRIOR_KEY.fullmatch(entry.key)
    assert entry.label
    assert entry.summary.endswith(".")
    assert entry.licence
    assert entry.values == (-1.0, 1.0)
    known = entry.source.files if isinstance(entry.source, Hub) else ()
    digests = [file.sha256 for file in known]
    if isinstance(entry.source, Download):
        digests.append(entry.source.sha256)
    assert all(len(digest) == 64 and int(digest, 16) for digest in digests)
    if isinstance(entry.source, FromUser):
        assert "without a licence" in entry.source.where
        assert entry.cost == 0


def test_the_published_networks_have_their_published_sizes() -> None:
    assert network_entry("adm256").cost == 2_211_383_297
    assert network_entry("adm256").parameters == 552_814_086
    assert (
        network_entry("ct-abdomen").parameters == network_entry("mr-heart").parameters == 41_123_331
    )
    assert bytes_text(network_entry("sd15").cost) == "2.1 GB"
    assert network_entry("sd15").schedule.start == 0.00085


def test_every_part_of_a_hub_entry_is_among_its_files() -> None:
    for entry in NETWORKS:
        if isinstance(entry.source, Hub):
            files = {file.path for file in entry.source.files}
            for path in entry.files:
                part = path.relative_to(entry.folder)
                assert part.as_posix() in files
                assert f"{part.parent}/config.json" in files


def test_an_unknown_key_is_told_with_the_nearest(models_folder: Path) -> None:
    with pytest.raises(ParameterError, match="did you mean adm256"):
        network_entry("adm265")
    with pytest.raises(ParameterError, match="is a latent network"):
        network_entry("sd15", "pixel")


def test_a_missing_network_is_a_sentence_with_the_two_ways(models_folder: Path) -> None:
    told = missing(network_entry("adm256"))
    assert "networks fetch adm256" in told
    assert "networks add FILE --like adm256" in told
    assert "2.2 GB" in told
    assert "prior=pixel" in told
    told = missing(network_entry("ct-abdomen"))
    assert "cannot be fetched" in told
    assert "networks add CT.pt --like ct-abdomen" in told
    assert "fetch ct" not in told


def test_an_added_network_is_in_the_catalogue(models_folder: Path, tmp_path: Path) -> None:
    assert [entry.key for entry in entries()] == [entry.key for entry in NETWORKS]
    made = install(
        NetworkImport(guided_file(tmp_path / "mine.pt"), head_channels=32, qkv_order="legacy")
    )
    assert [entry.key for entry in entries()][-1] == "mine"
    assert network_entry("mine", "pixel") == made == entries()[-1]
    assert made.present
    assert made.folder == models_folder / "mine"


WHOLE = {
    "format": 1, "key": "broken", "catalogued": False, "label": "x", "summary": "", "kind": "pixel",
    "parts": ["unet"], "licence": "", "channels": 1, "tiles": False, "native": 64,
    "schedule": {}, "checkpoint": None, "parameters": 1, "place": None,
    "origin": {"file": "a", "sha256": "", "when": "2026"}, "stored": [],
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "cannot be read"),
        ("{", "cannot be read"),
        ("[" * 100_000, "cannot be read"),
        ("\x00\xff", "cannot be read"),
        (json.dumps(WHOLE | {"parts": ["../../etc"]}), "parts"),
        (json.dumps(WHOLE | {"key": "../pixel"}), "key"),
        (json.dumps(WHOLE | {"channels": 7}), "impossible"),
        (json.dumps(WHOLE | {"native": 10**9}), "impossible"),
        (json.dumps(WHOLE | {"catalogued": True}), "catalogue"),
        (json.dumps(WHOLE | {"format": 2}), "format 2"),
        (json.dumps(WHOLE | {"more": 1}), "more"),
        (
            json.dumps(WHOLE | {"stored": [{"path": "../x", "size": 1, "sha256": ""}]}),
            "outside its folder",
        ),
        (" " * (user_networks.MAX_BYTES + 1), "larger"),
    ],
)
def test_a_damaged_prior_json_is_told_and_stops_nothing(
    models_folder: Path, text: str, says: str
) -> None:
    folder = models_folder / "broken"
    folder.mkdir(parents=True)
    (folder / "prior.json").write_text(text, encoding="latin-1")
    assert [entry.key for entry in entries()] == [entry.key for entry in NETWORKS]
    (damage,) = user_networks.read_all().damages
    assert says in damage.says
    (state,) = [each for each in installed.states() if each.status == "damaged"]
    assert state.note == damage.says
    assert not finish(verify("broken"))[0].good
    installed.remove("broken")
    assert not folder.exists()


def test_a_whole_record_is_read(models_folder: Path) -> None:
    """So that the damaged ones above are refused for their damage alone."""
    (models_folder / "broken").mkdir(parents=True)
    (models_folder / "broken" / "prior.json").write_text(json.dumps(WHOLE))
    assert entries()[-1].key == "broken"


def test_an_embedded_network_cannot_be_replaced_from_the_shelf(models_folder: Path) -> None:
    (models_folder / "pixel").mkdir(parents=True)
    (models_folder / "pixel" / "prior.json").write_text(json.dumps(WHOLE | {"key": "pixel"}))
    assert network_entry("pixel") == NETWORKS[0]
    assert "an embedded network has this key" in user_networks.read_all().damages[0].says
