"""What every page is filled with: templates, data for its script, and the digest that lets the script run."""

import base64
import hashlib
import json
from collections.abc import Mapping
from importlib import resources
from typing import Any


def template(name: str) -> str:
    """The text of a template."""
    return (resources.files("ensemble.report") / "templates" / name).read_text("utf-8")


def embedded(data: Mapping[str, Any]) -> str:
    """JSON that cannot end the element that it stands in."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def digest(script: str) -> str:
    """What the page's policy allows to run, and nothing else."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
