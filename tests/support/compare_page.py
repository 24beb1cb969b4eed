"""A small image, values of the fields, and runs of the compare page."""

import numpy as np

from enhancers.compare import Event, Request
from enhancers.image import from_array
from enhancers.job_queue import QueueStatus
from enhancers.method import Modality
from enhancers.method_interface import Step
from enhancers.registry import METHODS, get, resolve
from enhancers.ui import parameters as fields
from enhancers.ui.run import MethodRun, Run
from enhancers.ui.session import Session

IMAGE = from_array(np.random.default_rng(0).random((32, 40)).astype(np.float32), Modality.US)


def field_values(*chosen, modality=Modality.OTHER, **edited):
    """The values that the page hands to a handler."""
    found = {"seed": 0, "device": "cpu", "confirm": False}
    for method in METHODS:
        found[method.key] = method.key in chosen
        for name, value in resolve(method.key, modality).items():
            shown = fields.field_value(method.parameter(name), value)
            found[fields.FIELD_KEY.format(method=method.key, parameter=name)] = shown
    return found | edited


def step(fraction=0.5, preview=None):
    return Step(fraction, preview, 3.0, "step 5 of 10")


def run_of(*keys):
    session = Session()
    session.replace_image(IMAGE)
    session.start(Run(IMAGE, [MethodRun(Request(key), get(key).label) for key in keys], 0))
    return session


def states(run):
    return [method.state for method in run.methods]


def queued_event(ahead, seconds):
    wait = QueueStatus(ahead, seconds, "the CPU")
    return Event(0, "srad", Step(0.0, None, seconds, wait.text), wait=wait)
