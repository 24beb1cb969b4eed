"""A batch on a local Ray cluster of two actors, one of them killed while it works."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from enhancers.batch import BatchPlan, LocalBackend, Status, SummaryRow, listed, requests, run
from enhancers.batch.cluster import RayBackend, connected
from enhancers.errors import ParameterError, ReadingRoomError
from tests.support import image_files
from tests.support.batch_folders import fill, results


class Fake:
    """What `RayBackend` asks Ray about: a cluster of these machines."""

    def __init__(self, *machines: dict[str, float]) -> None:
        self.machines = machines

    def cluster_resources(self) -> dict[str, float]:
        return {"GPU": sum(machine.get("GPU", 0) for machine in self.machines)}

    def nodes(self) -> list[dict[str, object]]:
        dead = {"Alive": False, "Resources": {"CPU": 99.0}}
        return [dead, *({"Alive": True, "Resources": machine} for machine in self.machines)]


def plan(folder: Path, methods: str = "srad", out: str = "out", **given: str) -> BatchPlan:
    asked = requests(methods.split(","), {key.replace("__", "."): v for key, v in given.items()})
    return BatchPlan(folder, folder.parent / out, asked, slices="all")


@pytest.mark.parametrize(
    ("device", "jobs", "methods", "expected"),
    [
        ("auto", None, "null_space", ("cuda", 3)),
        ("cuda", 2, "null_space", ("cuda", 2)),
        ("auto", 9, "null_space", ("cuda", 3)),
        ("cpu", None, "null_space", ("cpu", 2)),
        ("auto", None, "srad", ("cpu", 2)),
        ("auto", 5, "srad", ("cpu", 5)),
    ],
)
def test_one_actor_a_device(
    tmp_path: Path, device: str, jobs: int | None, methods: str, expected: tuple[str, int]
) -> None:
    fake = Fake({"CPU": 8.0, "GPU": 2.0}, {"CPU": 4.0, "GPU": 1.0})
    cluster = RayBackend(fake, plan(tmp_path, methods), device, jobs)
    workers = cluster.workers()
    assert (cluster.device_type, len(workers)) == expected
    needs = [worker.options.get("num_gpus", 0) for worker in workers]
    assert needs == [int(expected[0] == "cuda")] * len(workers)


def test_devices_that_a_cluster_cannot_give_are_refused(tmp_path: Path) -> None:
    asked = plan(tmp_path, "null_space")
    with pytest.raises(ParameterError, match="cuda:1 is not possible"):
        RayBackend(Fake({"CPU": 2.0}), asked, "cuda:1")
    with pytest.raises(ParameterError, match="no GPU"):
        RayBackend(Fake({"CPU": 2.0}), asked, "cuda")


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "[::1]:1"])
def test_a_cluster_that_does_not_answer_is_told_at_once(tmp_path: Path, address: str) -> None:
    pytest.importorskip("ray")
    with pytest.raises(ReadingRoomError, match="Nothing answers"), connected(
        plan(tmp_path), address
    ):  # fmt: skip
        pass


class Watched:
    """The backend of a cluster whose first actor is killed a moment after the batch began."""

    def __init__(self, cluster: RayBackend) -> None:
        self.retries = cluster.retries
        self.device_type = cluster.device_type
        self._cluster = cluster
        self.first = 0

    def workers(self) -> Sequence[object]:
        self.made = list(self._cluster.workers())
        return self.made

    def kill_soon(self) -> None:
        self.first = self.made[0].info.result(60).pid
        threading.Timer(0.1, os.kill, (self.first, signal.SIGKILL)).start()


@pytest.mark.exhaustive
def test_an_actor_is_killed_and_the_bytes_are_those_of_one_machine(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    folder = fill(tmp_path / "in")
    rng = np.random.default_rng(0)
    for index in range(2):
        noise = rng.integers(0, 4096, (320, 320)).astype(np.uint16)
        (folder / f"noise{index}.png").write_bytes(image_files.png(noise))
    broken = image_files.bad_files()["truncated_png"]
    (folder / "z.png").write_bytes(broken.data)
    far = plan(folder, "srad,clahe", "far", srad__steps="300")
    here = plan(folder, "srad,clahe", "here", srad__steps="300")

    with connected(far, jobs=2) as cluster:
        watched = Watched(cluster)
        rows: list[SummaryRow] = []
        for row in run(far, listed(far), watched):
            if not any(found.status == Status.DONE for found in rows) and row.result:
                watched.kill_soon()
            rows.append(row)
        assert watched.made[0].info.result(60).pid != watched.first
    assert {row.message for row in rows if row.status == Status.FAILED} == {
        "The PNG file is truncated: its end is missing."
    }
    again = [row.status for row in run(far, listed(far), LocalBackend(far, "cpu"))]
    assert again.count(Status.KEPT) == 14
    assert Status.DONE not in again
    list(run(here, listed(here), LocalBackend(here, "cpu")))
    assert len(results(here.out)) == 14
    assert results(far.out) == results(here.out)
