"""The server side of the viewer: store, route and payload."""

import json
import threading

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from enhancers.display import raw_buffer
from enhancers.image import Window
from enhancers.method import Modality
from enhancers.ui.viewer import MAX_PANELS, Panel, PixelStore, Viewer, payload, router
from enhancers.windows import Preset, presets_for

WINDOW = Window(-1024.0, 3071.0)


def picture(seed, shape=(12, 16)):
    return np.random.default_rng(seed).random(shape).astype(np.float32)


def test_a_stored_image_comes_back_as_its_buffer():
    store = PixelStore()
    token = store.put(picture(1))
    assert len(token) == 32
    assert store.get(token) == raw_buffer(picture(1))
    assert store.get("0" * 32) is None


def test_the_same_pixels_have_new_tokens_unless_reuse_is_asked_for():
    store = PixelStore()
    assert store.put(picture(1)) != store.put(picture(1))
    token = store.put(picture(1), reuse=True)
    assert store.put(picture(1), reuse=True) == token
    assert store.put(picture(2), reuse=True) != token
    assert store.put(picture(1).reshape(16, 12), reuse=True) != token


def test_the_least_recently_used_buffer_makes_room():
    one = len(raw_buffer(picture(0)))
    store = PixelStore(budget=3 * one)
    first, second, third = (store.put(picture(seed), reuse=True) for seed in range(3))
    assert store.get(first) is not None
    fourth = store.put(picture(3), reuse=True)
    assert store.get(second) is None
    assert all(store.get(token) for token in (first, third, fourth))
    assert store.size == 3 * one
    assert store.put(picture(1), reuse=True) != second


def test_a_buffer_larger_than_the_budget_is_kept_until_the_next():
    store = PixelStore(budget=10)
    token = store.put(picture(1))
    assert store.get(token) is not None
    store.put(picture(2))
    assert store.get(token) is None


def test_the_store_counts_right_under_many_threads():
    store = PixelStore(budget=20 * len(raw_buffer(picture(0))))

    def work(start):
        for seed in range(start, start + 40):
            store.get(store.put(picture(seed % 50), reuse=seed % 2 == 0))

    threads = [threading.Thread(target=work, args=(10 * i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.size == sum(len(buffer) for buffer in store._buffers.values()) <= store.budget
    assert set(store._tokens.values()) == set(store._digests) <= set(store._buffers)


def test_the_route_serves_raw_bytes_that_nobody_keeps():
    store = PixelStore()
    app = FastAPI()
    app.include_router(router(store))
    client = TestClient(app)
    answer = client.get(f"/readingroom/pixels/{store.put(picture(1))}")
    assert answer.content == raw_buffer(picture(1))
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "etag" not in answer.headers
    assert client.get("/readingroom/pixels/unknown").status_code == 404


def test_a_payload_is_plain_json_without_pixels():
    store = PixelStore()
    pixels = picture(1, (20, 30))
    panels = [
        Panel("input", "Input", pixels),
        Panel("sr", "Twice", picture(2, (40, 60, 3)), "9 s"),
        Panel("later", "Later", pending=True, progress=0.25),
    ]
    value = payload(
        panels,
        store,
        window=WINDOW,
        units="HU",
        spacing=(0.5, 0.25),
        presets=presets_for(Modality.CT, WINDOW, "HU", pixels),
        input_key="input",
    )
    value = json.loads(json.dumps(value))
    assert value["size"] == [30, 20]
    assert value["window"] == [-1024.0, 3071.0]
    assert value["spacing"] == value["aspect"] == [0.5, 0.25]
    assert value["presets"][0]["ends"] == [-1024.0, 3071.0]
    enlarged = value["panels"][1]
    assert (enlarged["width"], enlarged["height"], enlarged["channels"]) == (60, 40, 3)
    assert store.get(enlarged["token"]) == raw_buffer(panels[1].pixels)
    assert value["panels"][2]["token"] is None


def test_unchanged_panels_keep_their_token_and_the_image_its_identity():
    store = PixelStore()
    given = [Panel("input", "Input", picture(1)), Panel("a", "A", picture(2))]
    first = payload(given, store, window=WINDOW, input_key="input")
    changed = [Panel("input", "Input", picture(1)), Panel("a", "A", picture(3))]
    second = payload(changed, store, window=WINDOW, input_key="input")
    assert first["image_id"] == second["image_id"]
    assert first["panels"][0]["token"] == second["panels"][0]["token"]
    assert first["panels"][1]["token"] != second["panels"][1]["token"]
    other = payload([Panel("input", "Input", picture(9))], store, window=WINDOW)
    assert other["image_id"] != first["image_id"]
    assert payload(given, store, window=WINDOW, image_id="mine")["image_id"] == "mine"


def test_without_presets_the_whole_window_is_shown():
    value = payload([], PixelStore(), window=WINDOW)
    assert [preset["ends"] for preset in value["presets"]] == [[WINDOW.low, WINDOW.high]]
    assert value["size"] is None
    narrow = payload([], PixelStore(), window=WINDOW, presets=[Preset("x", "X", 0.0, 80.0)])
    assert [preset["label"] for preset in narrow["presets"]] == ["X"]


def test_panels_that_cannot_be_told_apart_or_counted_are_refused():
    with pytest.raises(ValueError, match="different keys"):
        payload([Panel("a", "A"), Panel("a", "B")], PixelStore(), window=WINDOW)
    with pytest.raises(ValueError, match=f"at most {MAX_PANELS}"):
        payload([Panel(str(i), "A") for i in range(MAX_PANELS + 1)], PixelStore(), window=WINDOW)


def test_the_component_can_be_sent_to_a_browser():
    import gradio as gr

    value = payload([Panel("a", "A", picture(1))], PixelStore(), window=WINDOW)
    with gr.Blocks() as blocks:
        viewer = Viewer(value, elem_id="viewer")
        viewer.window_change(lambda: None)
    config = json.loads(json.dumps(viewer.get_config()))
    assert config["elem_id"] == "viewer"
    assert json.loads(json.dumps(blocks.config))["components"]
    assert viewer.postprocess(None) is None
