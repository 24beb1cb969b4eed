"""What pyproject.toml cannot say: ``app.py`` and ``assets`` lie beside the packages."""

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py


class BuildPy(build_py):
    """Takes ``app.py`` alone from the top of the checkout."""

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:
        """The modules of a package as (package, module, file)."""
        found = super().find_package_modules(package, package_dir)
        return [one for one in found if package != "reading_room" or one[1] == "app"]


setup(
    packages=[*find_packages(include=["enhancers*", "study*"]), "enhancers.assets", "reading_room"],
    package_dir={"enhancers.assets": "assets", "reading_room": "."},
    package_data={"": ["py.typed", "templates/*", "triggers.json"], "enhancers.assets": ["**/*"]},
    include_package_data=False,
    cmdclass={"build_py": BuildPy},
)
