"""Documents that are made from declarations. ``python -m tests.support.tables`` writes them anew."""

from pathlib import Path

from ensemble.pipeline import guide

TECHNIQUES = Path(__file__).parents[2] / "docs" / "techniques.md"


def techniques() -> str:
    """docs/techniques.md as it should be."""
    return "\n".join(guide.steps_table()) + "\n"


if __name__ == "__main__":
    TECHNIQUES.write_text(techniques(), encoding="utf-8")
    print(TECHNIQUES)
