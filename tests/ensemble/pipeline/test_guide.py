"""What is said of steps and joins is what they declare."""

from ensemble.pipeline import guide, joins, steps
from tests.support import tables


def test_every_setting_has_a_meaning():
    said = {
        f"{name}.{setting}": guide.meaning(function, setting)
        for name, function, settings in (
            *((step.name, step.function, step.settings) for step in steps.catalogue().values()),
            *((name, joins.function(name), joins.settings(name)) for name in joins.names()),
        )
        for setting in settings
    }
    assert not [where for where, text in said.items() if len(text) < 6]
    assert said["rerank.k1"].endswith("About as many as an identity has images.")
    assert said["rerank_distances.k1"] == said["rerank.k1"]  # "everything else as in rerank"
    assert said["ca_jaccard.k2_inter"].startswith("0 or more. 1 and 0")  # the second of two in one line


def test_ranges_are_those_that_are_held():
    lines = list(guide.steps_text())
    at = lines.index(next(line for line in lines if line.startswith("rerank: ")))
    assert lines[at + 1] == "    needs query, gallery; gives distances"
    assert "    k1 = 20    (neighbours, 1 or more)" in lines[at:]
    assert "    power = 2.0    (weight, 0.01 to 64)" in lines[at:]
    assert "    normalize = true    (true or false)" in lines[at:]


def test_the_document_is_what_the_steps_declare():
    written = tables.TECHNIQUES.read_text(encoding="utf-8")
    assert written == tables.techniques(), "write it anew: python -m tests.support.tables"
