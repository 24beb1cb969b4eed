"""Parsing of device names."""

from __future__ import annotations


def device_type(device: str) -> str:
    """The kind of device without its index: "cpu", "cuda" or "mps"."""
    return device.partition(":")[0]


def numbered(device: str) -> str:
    """The unambiguous name of a device: "cuda" becomes "cuda:0"."""
    return "cuda:0" if device == "cuda" else device
