"""What docs/steps.md says of every step is so."""

from postproc import STEPS
from tests.support import tables


def test_every_step_is_in_a_table():
    assert tables.named(tables.PAGE.read_text(encoding="utf-8")) == {step.__name__ for step in STEPS}


def test_the_tables_say_what_the_steps_declare():
    text = tables.PAGE.read_text(encoding="utf-8")
    assert text == tables.page(text), "write it anew: python -m tests.support.tables"
