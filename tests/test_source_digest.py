from __future__ import annotations

from pathlib import Path

import pytest

from enhancers.source_digest import definitions, method_digest, source_digest, statements


class Package:
    """A package ``enhancers`` in a folder of its own for every state that is asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: dict[str, str] = {}
        self.states = 0

    def digest(self, module: str = "enhancers.method_a", **changes: str) -> str:
        """The digest of a module after some files were changed; ``a__b`` is ``a/b.py``."""
        self.files |= changes
        self.states += 1
        root = self.folder / str(self.states)
        for name, text in self.files.items():
            path = root.joinpath("enhancers", *name.split("__")).with_suffix(".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return source_digest(module, root=root)


@pytest.fixture
def package(tmp_path: Path) -> Package:
    return Package(tmp_path)


def test_it_follows_what_a_module_imports(package: Package) -> None:
    method = "def run():\n    from enhancers.helper import g\n    return g()\n"
    first = package.digest(method_a=method, helper="X = 1\n", other="Y = 1\n")
    assert package.digest(other="Y = 2\n") == first
    assert package.digest(helper="X = 2\n") != first
    assert package.digest(helper="X = 1\n") == first


USES = {
    "a name": "from enhancers.helper import g as h\n\n\ndef run():\n    return h()\n",
    "a module": "from enhancers import helper\n\n\ndef run():\n    return helper.g()\n",
    "what another passes on": "from enhancers.door import g\n\n\ndef run():\n    return g()\n",
    "a base class": "from enhancers.helper import C\n\n\nclass Run(C):\n    pass\n",
    "all it passes on": "from enhancers.helper import g\n",
}
HELPER = (
    "def g():\n    return LIMIT\n\n\nclass C:\n    size = LIMIT\n\n\n"
    "def other():\n    return OTHER\n\n\nLIMIT: int = {}\nOTHER = {}\n{}"
)


@pytest.mark.parametrize("use", USES)
def test_of_a_file_only_what_is_used_counts(package: Package, use: str) -> None:
    door = "from enhancers.helper import g\n\nX = 1\n"
    first = package.digest(method_a=USES[use], door=door, helper=HELPER.format(1, 2, ""))
    assert package.digest(helper=HELPER.format(1, 3, "")) == first
    assert package.digest(helper=HELPER.format(2, 2, "")) != first
    # What a file does beside defining may change anything in it.
    assert package.digest(helper=HELPER.format(1, 2, "globals().clear()\n")) != first


def test_a_module_that_is_handed_on_counts_as_a_whole(package: Package) -> None:
    method = "from enhancers import helper\n\n\ndef run(name):\n    return getattr(helper, name)\n"
    first = package.digest(method_a=method, helper=HELPER.format(1, 2, ""))
    assert package.digest(helper=HELPER.format(1, 3, "")) != first


def test_it_follows_what_is_loaded_by_name(package: Package) -> None:
    method = "def run(kind):\n    return import_module(f'enhancers.drawn.{kind}').draw()\n"
    first = package.digest(method_a=method, drawn__ct="X = 1\n", drawn__mr="X = 2\n")
    assert package.digest(drawn__ct="X = 3\n") != first
    whole = "def run():\n    return import_module('enhancers.drawn.ct').draw()\n"
    first = package.digest(method_a=whole)
    assert package.digest(drawn__mr="X = 4\n") == first
    assert package.digest(drawn__ct="X = 4\n") != first
    stage = "def run():\n    return load_method('srad').run()\n"
    first = package.digest(method_a=stage, classical__srad="X = 1\n")
    assert package.digest(classical__srad="X = 2\n") != first


def test_a_moved_or_renamed_file_counts_as_the_same(package: Package) -> None:
    method = "from enhancers.{0} import g\n\n\ndef run():\n    return g()\n"
    first = package.digest(method_a=method.format("helper"), helper="X = 1\n")
    moved = package.digest(method_a=method.format("room.helpers"), room__helpers="X = 1\n")
    assert moved == first
    assert package.digest("enhancers.method_b", method_b=method.format("helper")) == first


def test_which_module_is_asked_for_counts(package: Package) -> None:
    package.files |= {"method_a": "from enhancers import helper\n", "helper": "X = 1\n"}
    assert package.digest() != package.digest(
        "enhancers.helper", helper="from enhancers import method_a\nX = 1\n", method_a=""
    )


def test_texts_of_errors_do_not_count_but_their_classes_do(package: Package) -> None:
    method = "def run(x):\n    if x:\n        raise {}\n    return 'a'\n"
    first = package.digest(method_a=method.format("ValueError(f'{x} is wrong')"))
    assert package.digest(method_a=method.format("ValueError(f'{x} will not do')")) == first
    assert package.digest(method_a=method.format("ValueError('wrong') from None")) == first
    assert package.digest(method_a=method.format("TypeError(f'{x} is wrong')")) != first
    assert package.digest(method_a="def run(x):\n    return 'b'\n") != first


def test_words_do_not_count_and_code_does() -> None:
    bare = 'def f(x):\n    if x:\n        return "# x"\n    return 2\n'
    told = (
        '"""A room."""\nimport os\n# Why.\ndef f(x):\n    """What.\n\n    More.\n    """\n'
        '    if x:\n\n        return "# x"  # Because.\n    return 2\n'
    )
    assert statements(told) == statements(bare)
    moved = 'def f(x):\n    if x:\n        return "# x"\n        return 2\n'
    assert statements(moved) != statements(bare)
    apart, together = ('X = """a\n\nb"""', 'X = """a\nb"""')
    assert statements(apart) != statements(together)
    assert statements("X = 1") == statements('"""a"""; X = 1')


@pytest.mark.parametrize("name", ["enhancers.nothing", "enhancers.room.nothing"])
def test_what_has_no_source_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "enhancers" / "room").mkdir(parents=True)
    (tmp_path / "enhancers" / "room" / "__init__.py").write_text("")
    with pytest.raises(ModuleNotFoundError, match=f"{name} has no source"):
        source_digest(name, root=tmp_path)


def test_a_pipeline_rests_on_the_filters_it_runs() -> None:
    names = _files("enhancers.classical.pipelines")
    assert {"srad.py", "n4.py", "nlm.py", "clahe.py"} <= names
    assert "unimie.py" not in names
    assert {"ct.py", "echo.py", "canvas.py"} <= _files("enhancers.phantoms")
    assert {"nlm.py", "null_space.py", "morphology.py"} & _files(
        "enhancers.classical.srad"
    ) == set()
    assert method_digest("nlm") != method_digest("tv")


def _files(module: str) -> set[str]:
    return {path.name for path, _ in definitions(module)}
