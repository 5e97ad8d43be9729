"""What the README says of every step is so."""

import re
from pathlib import Path

from postproc import ON_CUDA, STEPS

README = Path(__file__).parent.parent / "README.md"
ROW = re.compile(r"(?<!\\)\|")


def steps() -> dict[str, bool]:
    """Every step that the tables name, and whether they say that it takes CUDA tensors."""
    known, said = {step.__name__ for step in STEPS}, {}
    within = False
    for line in README.read_text(encoding="utf-8").splitlines():
        within = line.startswith("| step |") or (within and line.startswith("|"))
        if within:
            first, _, _, cuda, _ = (cell.strip() for cell in ROW.split(line)[1:-1])
            named = set(re.findall(r"`(\w+)`", first)) & known
            said |= {name: cuda == "yes" or f"`{name}`" in cuda for name in named}
    return said


def test_every_step_is_in_a_table():
    assert set(steps()) == {step.__name__ for step in STEPS}


def test_the_tables_say_which_steps_take_cuda_tensors():
    assert {name for name, cuda in steps().items() if cuda} == {step.__name__ for step in ON_CUDA}
