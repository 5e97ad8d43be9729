"""Two runs compared: what they leave behind, the table, and what cannot be compared."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from ensemble import compare, evaluate, run
from ensemble.base.errors import InputError
from ensemble.scores import queries
from tests.support import cities
from tests.support.each import each


@pytest.fixture(scope="session")
def runs(tmp_path_factory) -> Path:
    """Two runs of the demo city, ``a`` (baseline) and ``b`` (re-ranked)."""
    folder = tmp_path_factory.mktemp("compare")
    cities.few(folder / "city")
    for name, recipe in (("a", "baseline"), ("b", "default")):
        command = ["--features", str(folder / "city"), "--recipe", recipe, "--protocol", "market1501"]
        assert run.main([*command, "--out", str(folder / name)]) == 0
    return folder


def table(path: Path, lines: dict[str, object], header: str = "query,ap") -> str:
    path.write_text("\n".join([header, *(f"{name},{value}" for name, value in lines.items())]) + "\n")
    return str(path)


def refused(arguments: list[str]) -> str:
    with pytest.raises(InputError) as caught:
        compare.main(arguments)
    return "\n".join(caught.value.problems)


def as_json(capsys, *arguments: str) -> dict:
    assert compare.main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_run_leaves_every_querys_scores(runs, capsys):
    found = queries.read(runs / "a" / "queries.csv")
    record = json.loads((runs / "a" / "run.json").read_text())
    assert np.nanmean(found.ap) == pytest.approx(record["scores"]["mAP"], abs=1e-12)
    with (runs / "a" / "queries.csv").open() as stream:
        lines = list(csv.DictReader(stream))
    assert list(lines[0]) == ["query", "pid", "ap", "inp", "first_hit"]
    assert [line["query"] for line in lines] == found.names == [f"{i:06d}.jpg" for i in range(1, 41)]
    assert np.mean([line["first_hit"] == "1" for line in lines]) == pytest.approx(record["scores"]["rank1"])
    assert np.mean([float(line["inp"]) for line in lines]) == pytest.approx(record["scores"]["mINP"])
    labels = [line.split(",")[1] for line in (runs / "city" / "query.csv").read_text().splitlines()[1:]]
    assert found.pid is not None
    assert [str(pid) for pid in found.pid] == labels


def test_a_run_without_labels_leaves_none_and_takes_old_ones_away(runs, tmp_path):
    bare = tmp_path / "bare"
    shutil.copytree(runs / "city", bare, ignore=shutil.ignore_patterns("*.csv"))
    out = tmp_path / "out"
    shutil.copytree(runs / "a", out)
    assert run.main(["--features", str(bare), "--recipe", "baseline", "--out", str(out)]) == 0
    assert not (out / "queries.csv").exists()
    assert "wanted a run's folder with queries.csv" in refused([str(runs / "a"), str(out)])
    assert "run it again with labels" in refused([str(runs / "a"), str(out)])


def test_two_runs(runs, capsys):
    assert compare.main([str(runs / "a"), str(runs / "b")]) == 0
    printed = capsys.readouterr().out
    record = {name: json.loads((runs / name / "run.json").read_text())["scores"]["mAP"] for name in "ab"}
    assert f"{record['a']:.4f}" in printed
    assert f"{record['b'] - record['a']:+.4f}" in printed
    assert "BCa bootstrap by identity" in printed
    assert "junk market" in printed
    assert printed.count(" -> ") == 20
    found = as_json(capsys, str(runs / "a"), str(runs / "b"))
    first, second = found["runs"]
    assert first["difference"] is None
    assert second["difference"] == pytest.approx(record["b"] - record["a"])
    assert second["low"] < second["difference"] < second["high"]
    assert second["better"] + second["worse"] + second["equal"] == second["queries"] == 40
    assert second["p"] == second["p_corrected"] < 0.01
    gains = [one["second"] - one["first"] for one in found["changed"][0]["gained"]]
    assert gains == sorted(gains, reverse=True)
    assert gains[-1] > 0
    assert found["protocol"]["junk"] == "market"


def test_the_same_run_is_no_better(runs, capsys):
    (_, same) = as_json(capsys, str(runs / "a"), str(runs / "a"))["runs"]
    assert (same["difference"], same["low"], same["high"], same["p"]) == (0, 0, 0, 1)
    assert compare.main([str(runs / "a"), str(runs / "a")]) == 0
    assert "no query gained" in capsys.readouterr().out


def test_several_are_compared_with_the_first_and_corrected(runs, tmp_path, capsys):
    a, b = str(runs / "a"), str(runs / "b")
    files = ["--csv", str(tmp_path / "t.csv"), "--queries", str(tmp_path / "q.csv")]
    found = as_json(capsys, a, b, a, *files)
    assert [line["run"] for line in found["runs"]] == [a, b, a]
    assert found["runs"][1]["p_corrected"] == pytest.approx(2 * found["runs"][1]["p"])
    assert found["runs"][2]["p_corrected"] == 1
    assert "corrected for 2 comparisons" in found["method"]
    with (tmp_path / "t.csv").open() as stream:
        lines = list(csv.DictReader(stream))
    assert [line["run"] for line in lines] == [a, b, a]
    assert float(lines[1]["difference"]) == found["runs"][1]["difference"]
    with (tmp_path / "q.csv").open() as stream:
        rows = list(csv.reader(stream))
    assert rows[0] == ["query", "pid", a, b, a]
    assert_array_equal([float(row[3]) for row in rows[1:]], queries.read(runs / "b" / "queries.csv").ap)


def test_tables_of_other_programs_in_any_order(tmp_path, capsys):
    one = table(tmp_path / "one.csv", {"q1": 0.5, "q2": 0.25, "q3": ""})
    two = table(tmp_path / "two.csv", {"q3": "", "q2": 0.5, "q1": 1})
    found = as_json(capsys, one, two)
    assert found["protocol"] is None
    assert [line["mAP"] for line in found["runs"]] == [0.375, 0.75]
    assert found["runs"][1]["queries"] == 2
    assert found["changed"][0]["gained"] == [
        {"query": "q1", "pid": None, "first": 0.5, "second": 1.0},
        {"query": "q2", "pid": None, "first": 0.25, "second": 0.5},
    ]
    assert found["changed"][0]["lost"] == []
    assert compare.main([one, two]) == 0
    assert "no record says how they were scored" in capsys.readouterr().out


def test_identities_or_queries(tmp_path, capsys):
    random = np.random.default_rng(0)
    gain = np.repeat(random.normal(0.05, 0.1, 10), 4) + 0.02 * random.random(40)
    names = [f"q{i},{i // 4}" for i in range(40)]
    one = table(tmp_path / "one.csv", dict.fromkeys(names, 0.5), "query,pid,ap")
    two = table(tmp_path / "two.csv", dict(zip(names, 0.5 + gain, strict=True)), "query,pid,ap")
    together = as_json(capsys, one, two)
    apart = as_json(capsys, one, two, "--independent")
    assert (together["runs"][1]["groups"], apart["runs"][1]["groups"]) == (10, 40)
    assert together["runs"][1]["p"] > apart["runs"][1]["p"]
    assert "by identity" in together["method"]
    assert "by query" in apart["method"]
    assert as_json(capsys, one, two, "--seed", "1")["runs"][1]["low"] != together["runs"][1]["low"]


def test_refuses_other_queries_protocols_and_labels_at_once(runs, tmp_path, capsys):
    other = tmp_path / "aicity"
    options = ["--features", str(runs / "city"), "--recipe", "baseline", "--protocol", "aicity"]
    assert run.main([*options, "--out", str(other)]) == 0
    fewer = tmp_path / "fewer"
    shutil.copytree(runs / "a", fewer)
    lines = (fewer / "queries.csv").read_text().splitlines()
    (fewer / "queries.csv").write_text("\n".join([*lines[:-2], "new.jpg,1,0.5,0.5,1"]) + "\n")
    relabelled = tmp_path / "relabelled"
    shutil.copytree(runs / "a", relabelled)
    (relabelled / "queries.csv").write_text("\n".join([lines[0], "000001.jpg,999,0.5,0.5,1", *lines[2:]]) + "\n")
    found = refused([str(runs / "a"), str(other), str(fewer), str(relabelled)])
    assert "aicity: wanted the protocol of" in found
    assert "junk market" in found
    assert "junk none" in found
    assert "run both with the same --protocol" in found
    assert "fewer: wanted the 40 queries of" in found
    assert "2 missing (000039.jpg, 000040.jpg) and 1 others (new.jpg)" in found
    assert "relabelled: wanted the labels of" in found
    assert "in 1 queries (000001.jpg)" in found


@each(
    ("content", "message"),
    [
        ("", "wanted the columns query and ap"),
        ("query,ap\n", "and a line a query"),
        ("name,ap\nx,1\n", "found the columns name, ap"),
        ("query,ap\nx,1\nx,0\n", "wanted every query once, found again x"),
        ("query,ap\nx,1.5\n", "line 2, ap: wanted 0 to 1"),
        ("query,ap\nx,nan\ny,-1\nz,inf\n", "line 4, ap: wanted 0 to 1"),
        ("query,ap\nx\n", "line 2: wanted 2 values, found 1"),
        ("query,ap\nx,\n", "wanted a query with a match"),
        ('query,ap\n"x,1\n', "wanted a table of queries as text"),
        ("query,ap\n" + "x,2\n" * 50, "more problems like these"),
    ],
)
def test_refuses_broken_tables(tmp_path, content, message):
    (tmp_path / "bad.csv").write_text(content)
    good = table(tmp_path / "good.csv", {"x": 0.5})
    assert message in refused([good, str(tmp_path / "bad.csv")])


def test_refuses_what_is_no_run(runs, tmp_path):
    (tmp_path / "bytes.csv").write_bytes(b"query,ap\n\xff\xfe,1\n")
    found = refused([str(runs / "nothing"), str(tmp_path), str(tmp_path / "bytes.csv")])
    assert found.count("wanted a run's folder with queries.csv or such a table, found none") == 2
    assert "wanted a table of queries as text" in found
    broken = tmp_path / "broken"
    shutil.copytree(runs / "a", broken)
    for content in ("{", "[]", '{"scores": 1}', '{"scores": {"protocol": {"denominator": "x"}}}'):
        (broken / "run.json").write_text(content)
        assert "run.json: wanted the record of a run" in refused([str(runs / "a"), str(broken)])
    assert "wanted two or more, found 1" in refused([str(runs / "a")])
    found = refused([str(runs / "a"), str(runs / "b"), "--seed", "-1", "--resamples", "5", "--level", "2"])
    assert all(f"--{name}: wanted" in found for name in ("seed", "resamples", "level"))


def test_names_with_commas_and_quotes_come_back(tmp_path):
    from ensemble.scores import score

    scores = score(np.array([[0.1, 0.2], [0.2, 0.1]], np.float32), [1, 2], [1, 3])
    names = ['a,"b"', "ü ñ"]
    queries.write(tmp_path / "queries.csv", names, scores, np.array([1, 2]))
    found = queries.read(tmp_path / "queries.csv")
    assert found.names == names
    assert_array_equal(found.ap, scores.ap)
    assert (tmp_path / "queries.csv").read_text().splitlines()[2] == "ü ñ,2,,,"


def test_a_table_of_a_run_may_be_named_itself(runs, capsys):
    found = as_json(capsys, str(runs / "a" / "queries.csv"), str(runs / "b"))
    assert found["protocol"]["ap"] == "rectangle"
    assert evaluate.main(["--features", str(runs / "city"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mAP"] == pytest.approx(found["runs"][0]["mAP"])
