"""What a rank list does not name was not found: it is not scored, and no answer."""

import csv
import json

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ensemble import evaluate, run, submissions
from ensemble.scores import PROTOCOLS, score_ranking
from tests.support.each import each
from tests.support.folders import listed


def folder(place, pids, lists, *, query=(7,)):
    """Tables of queries q0, q1, … and images g0, g1, … with these identities, and rank lists as JSON."""
    place.mkdir(exist_ok=True)
    listed(place / "query.csv", ["name,pid,cam", *(f"q{i},{pid},0" for i, pid in enumerate(query))])
    listed(place / "gallery.csv", ["name,pid,cam", *(f"g{i},{pid},1" for i, pid in enumerate(pids))])
    for name, lines in lists.items():
        (place / f"{name}.json").write_text(json.dumps({f"q{i}": line for i, line in enumerate(lines)}))
    return place


def scored(place, *options):
    assert evaluate.main(["--rankings", str(place), "--json", *options]) == 0


@each(
    ("pids", "lines", "protocol", "wanted"),
    [
        ([9, 7, 9], [["g0"]], "market1501", 0),  # the match, g1, is not named; as the second it would be 1/2
        ([9, 7, 9], [["g1"]], "market1501", 1),
        ([9, 7, 7], [["g0", "g2"]], "market1501", 1 / 4),  # (1/2 + 0) / 2
        ([9, 7, 9], [[]], "market1501", 0),
        ([7] + [9] * 199, [["g1", "g2", "g3", "g4", "g5"]], "landmarks", 0),
        ([7, 7] + [9] * 198, [["g2", "g0", "g4", "g5", "g6"]], "aicity", 1 / 4),
    ],
)
def test_what_is_not_named_is_missed(tmp_path, capsys, pids, lines, protocol, wanted):
    place = folder(tmp_path / "lists", pids, {"mine": lines})
    scored(place, "--protocol", protocol)
    assert json.loads(capsys.readouterr().out)["mAP"] == wanted
    assert run.main(["--rankings", str(place), "--set", "submission=csv", "--out", str(tmp_path / "out")]) == 0
    rows = list(csv.DictReader((tmp_path / "out" / "ranking.csv").read_text().splitlines()))
    assert [row["gallery"] for row in rows] == lines[0]


@given(data=st.data())
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_list_is_scored_as_its_rows_are(tmp_path, capsys, data):
    pids = [*data.draw(st.lists(st.integers(1, 3), min_size=2, max_size=8)), 1]
    protocol = data.draw(st.sampled_from(["market1501", "aicity", "landmarks", "naic"]))
    rows = np.full((2, len(pids)), -1)
    for line in rows:
        found = data.draw(st.permutations(range(len(pids))))[: data.draw(st.integers(0, len(pids)))]
        line[: len(found)] = found
    lines = [[f"g{row}" for row in line if row >= 0] for line in rows.tolist()]
    place = folder(tmp_path / "lists", pids, {"mine": lines}, query=(1, 1))
    capsys.readouterr()
    scored(place, "--protocol", protocol)
    given_rows = score_ranking(rows, [1, 1], pids, [0, 0], [1] * len(pids), protocol=PROTOCOLS[protocol])
    assert json.loads(capsys.readouterr().out)["mAP"] == given_rows.mAP


def test_a_join_names_what_any_list_names(tmp_path, capsys):
    place = folder(tmp_path / "lists", [7, 9, 7, 7], {"a": [["g1"]], "b": [["g0", "g1"]]})
    scored(place)
    # g1 1/61 + 1/62, g0 1/61: 1/2 for g0, nothing for g2 and g3
    assert json.loads(capsys.readouterr().out)["mAP"] == 1 / 2 / 3


def test_a_track_that_is_pulled_up_is_found(tmp_path, capsys):
    place = folder(tmp_path / "lists", [7, 9, 9, 7, 7], {"a": [["g0", "g1"]]})
    listed(place / "test_track.txt", ["g0 g3", "g1", "g2", "g4"])
    own = tmp_path / "own.toml"
    own.write_text('top_k = 9\nsubmission = "csv"\nsteps = [{ use = "rewrite_tracks" }]\n[[branch]]\n')
    scored(place, "--recipe", str(own))
    # g0, g3, g1; g4 is of another track: (1 + 1 + 0) / 3
    assert json.loads(capsys.readouterr().out)["mAP"] == 2 / 3
    scored(place)
    assert json.loads(capsys.readouterr().out)["mAP"] == 1 / 3  # nobody has pulled anything up


def test_a_full_line_is_filled_up_and_that_is_said(tmp_path, capsys):
    place = folder(tmp_path / "lists", [7, 9, 7], {"a": [["g2"], []]}, query=(7, 9))
    for name, file, wanted in (
        ("naic", "result.json", {"q0": ["g2", "g0", "g1"], "q1": ["g0", "g1", "g2"]}),
        ("npz", "ranking.npz", {"q0": ["g2"], "q1": []}),
    ):
        options = ["--rankings", str(place), "--set", f"submission={name}", "--out", str(tmp_path / "out")]
        assert run.main(options) == 0
        printed = capsys.readouterr().out
        read = submissions.read(tmp_path / "out" / file)
        lines = [[read.gallery_names[row] for row in line] for line in read.lines()]
        assert dict(zip(read.query_names, lines, strict=True)) == wanted
        said = "found too few images in the rank lists of 2 (q0, q1); filled up behind"
        assert (said in printed) == (name == "naic")
        assert "mAP 0.2500" in printed  # q0: (1 + 0) / 2; q1: 0
