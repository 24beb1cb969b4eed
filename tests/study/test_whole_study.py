"""A whole study from `init` to the report: 12 cases, 4 methods, 5 readers over HTTP."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from study.robot import Robot
from study.screens import Kind
from tests.study import outcome, whole

pytestmark = pytest.mark.slow


def test_a_whole_study_over_http(tmp_path: Path) -> None:
    study = whole.make(tmp_path)
    with whole.server(study) as root:
        whole.read(study, root, outcome.CODES)
        whole.study("verify", study.folder)
        whole.study("close", study.folder)
        with httpx.Client(base_url=root) as late:
            robot = Robot(late)
            robot.join(late_link(study))
            assert robot.page().kind is Kind.CLOSED
    outcome.check_masked(study, tmp_path)
    outcome.check_named(study, tmp_path)
    outcome.check_complete(study)


def late_link(study: whole.Whole) -> str:
    """A new invitation for a reader who is through."""
    told = whole.study("invite", study.folder, "R05")
    return told.rstrip().split("\t")[2]
