"""The Networks tab in a real browser: a user drops a checkpoint, and methods sample from it."""

import json
import re
import shutil

import pytest

from enhancers import settings as settings_room
from enhancers.networks import user_networks
from enhancers.ui import build
from enhancers.warm_up import import_networks
from tests.e2e.conftest import open_page
from tests.e2e.test_queue import noise
from tests.support import restoration_files
from tests.support.compare_browser import panels, run, set_fold, tab, tick, upload, visit
from tests.support.image_files import png
from tests.support.network_files import guided_file

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """The folder of networks, empty at first."""
    return tmp_path_factory.mktemp("networks")


@pytest.fixture(scope="module")
def address(serve, models, tmp_path_factory):
    """The page on a machine without further networks, and without the net."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("READINGROOM_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("READINGROOM_MODELS_DIR", str(models))
        patch.setenv("HF_HOME", str(tmp_path_factory.mktemp("hub")))
        settings_room.get_settings.cache_clear()
        import_networks()
        page = build(settings_room.get_settings())
        options = {**page.launch_options, "run_history": False, "footer_links": []}
        yield serve(page.blocks, *page.routers, **options)
    settings_room.get_settings.cache_clear()


@pytest.fixture
def networks(browser, address, models):
    """A page with the tab open, on an empty shelf."""
    for path in models.iterdir():
        shutil.rmtree(path, ignore_errors=True)
    with open_page(browser) as page:
        visit(page, address)
        page.wait_for_function("document.querySelector('#header').innerText.includes('CPU')")
        tab(page, "Networks")
        page.wait_for_selector("#network-go")
        yield page
        assert page.problems == []


def drop(page, name, data):
    upload(page, name, data, field="#network-upload")


def row(page, key):
    return page.locator(f'.network[data-network="{key}"]')


def notice(page, text):
    """Wait for the notice that says so; what it says."""
    page.locator("#notice .notice", has_text=re.compile(text)).wait_for()
    return page.inner_text("#notice")


def choices(page, method):
    """What the Network field of a method offers; the list is closed again."""
    set_fold(page, method, True)
    page.click(f"#set-{method}-prior input")
    found = page.locator(f"#set-{method}-prior [role=option]").all_inner_texts()
    page.keyboard.press("Escape")
    return [text.replace("✓", "").strip() for text in found]


def choose(page, method, label):
    set_fold(page, method, True)
    page.click(f"#set-{method}-prior input")
    page.locator(f"#set-{method}-prior [role=option]", has_text=label).click()


def checkpoint(tmp_path, name="liver-ct.pt", seed=0):
    return guided_file(tmp_path / name, seed=seed).read_bytes()


def add(page, data, name="liver-ct.pt"):
    """Drop a checkpoint and say what it does not tell."""
    drop(page, name, data)
    notice(page, "does not specify everything")
    page.fill("#network-heads input, #network-heads textarea", "32")
    page.click("#network-order input")
    page.locator("#network-order [role=option]", has_text="Legacy").click()
    page.click("#network-go")
    notice(page, "was added")


@pytest.mark.exhaustive
def test_a_dropped_checkpoint_is_converted_and_sampled_from(networks, tmp_path):
    page = networks
    assert row(page, "adm256").get_by_role("button", name="Download 2.2 GB").is_visible()
    assert "Further networks" not in page.inner_text("#header")
    add(page, checkpoint(tmp_path))
    assert row(page, "liver-ct").get_attribute("data-status") == "present"
    assert page.locator("#header .badge", has_text="Further networks").inner_text().endswith("1")
    for method in ("null_space", "unimie"):
        assert choices(page, method) == [
            "Embedded pixel network", "ADM ImageNet-256, unconditional (not installed)",
            "Abdomen CT DDPM (not installed)", "Heart MR DDPM (not installed)", "liver-ct",
        ]  # fmt: skip
    assert "liver-ct" not in choices(page, "pseudo_label")

    for method in ("null_space", "unimie"):
        choose(page, method, "liver-ct")
    page.fill("#set-null_space-sigma input, #set-null_space-sigma textarea", "0.1")
    page.fill("#set-unimie-steps input[type=number]", "4")
    # Before there is an image: the embedded networks are not even timed.
    tick(page, "null_space", "unimie")
    upload(page, "noise.png", png(noise()))
    page.wait_for_function("document.querySelector('#facts').innerText.includes('64 × 64')")
    tab(page, "Side by side")
    run(page, "null_space", "unimie")
    assert panels(page) == ["input", "null_space", "unimie"]
    tab(page, "Provenance")
    page.wait_for_selector("#provenance :text('liver-ct')")
    text = page.inner_text("#provenance")
    assert text.count("liver-ct") >= 2
    (entry,) = user_networks.read_all().networks
    assert entry.origin.file == "liver-ct.pt"


def test_a_damaged_file_is_told_and_nothing_is_lost(networks, models, tmp_path):
    page = networks
    add(page, checkpoint(tmp_path))
    whole = checkpoint(tmp_path, "second.pt", seed=1)
    drop(page, "half.pt", whole[: len(whole) // 2])
    assert "half.pt" in notice(page, "half.pt")
    assert page.locator("#notice .notice.error").count() == 1
    assert row(page, "half").count() == 0
    assert row(page, "liver-ct").get_attribute("data-status") == "present"
    assert [path.name for path in models.iterdir() if not path.name.startswith(".")] == ["liver-ct"]

    record = models / "liver-ct" / user_networks.NAME
    facts = json.loads(record.read_text())
    record.write_text(json.dumps({**facts, "channels": 7}))
    tab(page, "Study")
    tab(page, "Networks")
    page.wait_for_selector('.network[data-network="liver-ct"][data-status="damaged"]')
    assert "impossible values" in row(page, "liver-ct").inner_text()


@pytest.mark.exhaustive
def test_what_is_here_is_verified_and_removed(networks, models, tmp_path):
    page = networks
    add(page, checkpoint(tmp_path))
    choose(page, "null_space", "liver-ct")
    row(page, "liver-ct").get_by_role("button", name="Verify").click()
    notice(page, "liver-ct is intact")
    remove = row(page, "liver-ct").locator("[data-action=remove]")
    remove.click()
    assert remove.inner_text().startswith("Really remove 3.")
    remove.click()
    notice(page, "liver-ct was removed")
    assert not (models / "liver-ct").exists()
    assert row(page, "liver-ct").count() == 0
    assert page.input_value("#set-null_space-prior input") == "Embedded pixel network"
    assert "Further networks" not in page.inner_text("#header")


def test_a_network_that_restores_is_a_method_until_it_is_removed(networks, tmp_path):
    page = networks
    assert page.locator("#added-methods").count() == 0
    drop(page, "mine.pth", restoration_files.checkpoint(tmp_path / "mine.pth").read_bytes())
    assert "It is a method" in notice(page, "was added")
    upload(page, "noise.png", png(noise()))
    page.wait_for_function("document.querySelector('#facts').innerText.includes('64 × 64')")
    tab(page, "Side by side")
    tick(page)
    page.check("#choose-added1 input")
    page.click("#run")
    page.wait_for_selector('#progress [data-method="mine"].done')
    assert panels(page) == ["input", "mine"]

    page.reload()
    page.wait_for_selector("#choose-added1 input:checked")
    assert page.inner_text("#choose-added1 label") == "mine"
    tab(page, "Networks")
    remove = row(page, "mine").locator("[data-action=remove]")
    remove.click()
    remove.click()
    notice(page, "mine was removed")
    page.wait_for_selector("#choose-added1", state="detached")


@pytest.mark.exhaustive
def test_without_the_net_a_fetch_says_the_two_ways(networks):
    page = networks
    row(page, "adm256").get_by_role("button", name="Download 2.2 GB").click()
    said = notice(page, "not fetched")
    assert "HF_HUB_OFFLINE" in said
    assert "add a copy" in said
    choose(page, "unimie", "ADM ImageNet-256")
    assert "not on this machine" in notice(page, "not on this machine")
    row(page, "ct-abdomen").get_by_role("button", name="Add CT.pt").click()
    page.wait_for_selector("#network-heads")
    page.wait_for_function(
        "document.querySelector('#network-like input').value === 'Abdomen CT DDPM'"
    )
