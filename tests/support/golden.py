"""Reading the outputs of released code: keys say kind, function and settings."""

import re
from pathlib import Path

import numpy as np


def load(shared: Path, name: str) -> dict[str, np.ndarray]:
    """All arrays of a file."""
    with np.load(shared / "golden" / f"{name}.npz") as file:
        return dict(file)


def settings_in(key: str) -> dict[str, float]:
    """``dist__x__k1=20_lam=0.3`` -> {"k1": 20, "lam": 0.3}; whole numbers as int."""
    found = re.findall(r"([A-Za-z][A-Za-z0-9]*)=(-?[\d.]+(?:e-?\d+)?)", key)
    return {name: float(text) if "." in text or "e" in text else int(text) for name, text in found}
