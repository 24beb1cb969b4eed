"""Puts the ``assets`` folder of the checkout into the package; all else is in pyproject.toml."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["enhancers*", "study*"]), "enhancers.assets"],
    package_dir={"enhancers.assets": "assets"},
    py_modules=["app"],
    include_package_data=False,
    package_data={"": ["py.typed", "templates/*"], "enhancers.assets": ["**/*"]},
)
