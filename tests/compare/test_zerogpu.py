"""On ZeroGPU: what asks for a GPU and for how long, and how steps come from another process."""

from __future__ import annotations

import ast
import importlib.machinery
import pickle
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from enhancers import devices
from enhancers.compare import Request, compare, estimate, estimate_seconds, runs, zerogpu
from enhancers.devices.spaces import LOADING, MAX_SECONDS
from enhancers.errors import ParameterError
from enhancers.image import from_array
from enhancers.registry import resolve

ROOT = Path(__file__).parents[2]
IMAGE = from_array(np.random.default_rng(0).random((32, 32)).astype(np.float32))


class Refused(Exception):
    """As gradio's errors are: the words are in an attribute."""

    message = "You have exceeded your <b>GPU quota</b> (60s requested vs. 3s left)."


@pytest.fixture
def spaces(monkeypatch):
    """A Space with ZeroGPU whose other process is as far away as pickle makes it."""
    package = ModuleType("spaces")
    package.__spec__ = importlib.machinery.ModuleSpec("spaces", None)
    package.asked, package.refuses, package.closed = [], False, 0

    def borrow(duration):
        def decorate(task):
            def inside(*args):
                package.asked.append(duration(*args))
                if package.refuses:
                    raise Refused
                steps = task(*pickle.loads(pickle.dumps(args)))
                try:
                    for step in steps:
                        yield pickle.loads(pickle.dumps(step))
                except GeneratorExit:
                    package.closed += 1
                    steps.close()
                    raise

            return inside

        return decorate

    package.GPU = borrow
    monkeypatch.setitem(sys.modules, "spaces", package)
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    monkeypatch.setattr(zerogpu, "run_on_gpu", devices.gpu(zerogpu.seconds)(zerogpu.run_on_gpu))
    return package


@pytest.fixture
def lent_gpu(monkeypatch):
    """The CPU goes for a GPU, as far as it is asked which of the two it is."""
    monkeypatch.setattr(devices, "device_type", lambda device: "cuda")


def outcome(method, **params):
    *_, last = compare(IMAGE, [Request(method, params)], device="cpu")
    return last


def test_a_diffusion_method_asks_for_as_long_as_its_work_takes(spaces, lent_gpu, monkeypatch):
    bare = outcome("null_space", sigma=0.1).outcome
    assert bare is not None
    (asked,) = spaces.asked
    params = resolve("null_space", IMAGE.modality, {"sigma": 0.1})
    expected = zerogpu.seconds("null_space", IMAGE, params, 0, "cuda")
    assert asked == devices.spaces.request_seconds(expected)
    assert LOADING <= expected < MAX_SECONDS
    monkeypatch.delenv("SPACES_ZERO_GPU")
    here = outcome("null_space", sigma=0.1).outcome
    assert np.array_equal(bare.result.pixels, here.result.pixels)
    assert len(spaces.asked) == 1


def test_more_steps_ask_for_longer(spaces):
    large = from_array(np.zeros((1024, 1024), np.float32))
    params = [
        resolve("unimie", large.modality, {"steps": steps, "sigma": 0.3}) for steps in (10, 40)
    ]
    few, many = (zerogpu.seconds("unimie", large, given, 0, "cuda") for given in params)
    assert LOADING < few < many


def test_classical_methods_and_the_cpu_ask_for_nothing(spaces):
    assert outcome("clahe").outcome is not None
    assert outcome("null_space", sigma=0.1).outcome is not None
    assert spaces.asked == []


def test_a_sentence_comes_across(spaces, lent_gpu, monkeypatch):
    class Failing:
        @staticmethod
        def run(*args, **options):
            raise ParameterError("The image is too strange; take another.")
            yield

        @staticmethod
        def work(image, params):
            return 1.0

    monkeypatch.setattr(zerogpu, "load_method", lambda key: Failing)
    assert outcome("null_space").error == "The image is too strange; take another."


def test_a_refusal_is_told_in_plain_words(spaces, lent_gpu):
    spaces.refuses = True
    told = outcome("null_space", sigma=0.1).error
    assert "You have exceeded your GPU quota (60s requested vs. 3s left)" in told
    assert told.endswith("Choose the CPU.")


def test_a_stopped_run_gives_the_gpu_back(spaces, lent_gpu):
    events = compare(IMAGE, [Request("null_space", {"sigma": 0.3})], device="cpu")
    next(events)
    events.close()
    assert spaces.closed == 1


def test_no_gpu_is_borrowed_to_estimate_the_time(spaces, lent_gpu, monkeypatch):
    monkeypatch.setattr(estimate, "PATCH_COSTS", {})
    assert estimate_seconds(IMAGE, "null_space", {"sigma": 0.1}, "cuda") is None
    assert spaces.asked == []


def test_the_decorator_is_there_before_the_page_is_served():
    """ZeroGPU looks for decorated functions when the page is launched."""
    source = Path(zerogpu.__file__).read_text(encoding="utf-8")
    (function,) = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef) and node.name == "run_on_gpu"
    ]
    assert [ast.unparse(each) for each in function.decorator_list] == ["devices.gpu(seconds)"]
    assert runs.zerogpu is zerogpu


def test_the_package_is_imported_in_one_place():
    found = []
    for path in [*(ROOT / "enhancers").rglob("*.py"), *(ROOT / "study").rglob("*.py"),
                 ROOT / "app.py"]:  # fmt: skip
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            if any(name.split(".")[0] == "spaces" for name in names):
                found.append(path.relative_to(ROOT).as_posix())
    assert found == ["enhancers/devices/spaces.py"]


def test_work_that_would_be_cut_off_is_not_begun(spaces, lent_gpu, monkeypatch):
    monkeypatch.setattr(zerogpu, "seconds", lambda *_: MAX_SECONDS + 30.0)
    ended = outcome("null_space", sigma=0.1)
    assert ended.outcome is None
    assert f"for {MAX_SECONDS + 30} s, and it is lent for {MAX_SECONDS} s at most" in ended.error
    assert spaces.asked == []
