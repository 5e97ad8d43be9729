"""Distance files of released code by one command, and lists that are turned round."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ensemble import evaluate, run
from ensemble.pipeline import directions
from ensemble.submissions import candidates, from_matrix, merged
from tests.support import golden
from tests.support.folders import problems

FILES = {"Rank_dist_tA": "dist_rank", "MGN_dist_tA": "dist_mgn", "MHN_dist_tA": "sim_mhn"}


def dumps(folder: Path, found: dict[str, np.ndarray], **called: str) -> Path:
    """The three files as the released writer prints them: queries by their keys, the gallery by its files."""
    keys = {
        side: [
            f"{pid}_{cam}_{number}.png"
            for pid, cam, number in zip(
                *(found[f"{side}_{what}"] for what in ("pid", "cam", "number")), strict=True
            )
        ]
        for side in "qg"
    }
    folder.mkdir(exist_ok=True)
    for file, matrix in FILES.items():
        lists = []
        for row in found["row_order_of_text"]:
            pairs = (f"({keys['g'][at]!r}, {found[matrix][row, at]!r})" for at in found["col_order_of_text"])
            lists.append(f"({keys['q'][row]!r}, OrderedDict([{', '.join(pairs)}]))")
        (folder / f"{called.get(file, file)}.txt").write_text(f"[{', '.join(lists)}]")
    return folder


def lists_of(out: Path) -> dict[str, list[str]]:
    found = json.loads((out / "result.json").read_text())
    assert isinstance(found, dict)
    return found


def settings(found: dict[str, np.ndarray]) -> list[str]:
    (key,) = [key for key in found if key.startswith("weights_")]
    references, top = re.search(r"ref(\d+)_top(\d+)", key).groups()
    use = "released_query_adaptive"
    return ["--recipe", "naic2019_ivyyz", "--set", f"{use}.references={references}", "--set", f"{use}.top={top}"]


def test_released_files_alone_end_in_the_released_lists(shared: Path, tmp_path: Path, capsys) -> None:
    found = golden.load(shared, "s2_fusion")
    folder, out = dumps(tmp_path / "in", found), tmp_path / "out"
    assert run.main(["--rankings", str(folder), *settings(found), "--out", str(out)]) == 0
    images = [f"{number}.png" for number in found["g_number"]]
    queries = [f"{found['q_number'][row]}.png" for row in found["row_order_of_text"]]
    wanted = [[images[at] for at in rows] for rows in found["fused_top200_gallery_row"]]
    assert lists_of(out) == dict(zip(queries, wanted, strict=True))
    told = capsys.readouterr().out
    assert "leader: Rank_dist_tA is the main one of MGN_dist_tA, MHN_dist_tA, Rank_dist_tA" in told
    assert "turned" not in told
    assert "is far in the other lists" not in told
    #  the numbers too, and labels that the keys hold
    as_table = ["--set", "submission=csv", "--set", "top_k=1000", "--pattern", r"(?P<pid>\d+)_(?P<cam>\d)_"]
    assert run.main(["--rankings", str(folder), *settings(found), *as_table, "--out", str(out)]) == 0
    assert "mAP" in capsys.readouterr().out
    table = np.genfromtxt(out / "ranking.csv", delimiter=",", skip_header=1, dtype=str)
    places = {name: at for at, name in enumerate(np.array(images)[found["col_order_of_text"]])}
    fused = np.full((len(queries), len(images)), np.nan)
    for query, _, image, distance in table:
        fused[queries.index(query), places[image]] = float(distance)
    (key,) = [key for key in found if key.startswith("fused_") and key.endswith("text_order")]
    assert_allclose(fused, found[key], rtol=0, atol=1e-6)


def test_any_name_can_lead_and_be_a_similarity(shared: Path, tmp_path: Path, capsys) -> None:
    found = golden.load(shared, "s2_fusion")
    folder, out = dumps(tmp_path / "in", found, Rank_dist_tA="z", MHN_dist_tA="a"), tmp_path / "out"
    chosen = ["--rankings", str(folder), *settings(found), "--set", "released_query_adaptive.leader=z"]
    assert run.main([*chosen, "--similarity", "a", "--out", str(out)]) == 0
    images = [f"{number}.png" for number in found["g_number"]]
    assert [*lists_of(out).values()] == [[images[at] for at in rows] for rows in found["fused_top200_gallery_row"]]
    assert "is far in the other lists" not in capsys.readouterr().out
    assert evaluate.main([*chosen, "--pattern", r"(?P<pid>\d+)_(?P<cam>\d)_"]) == 0
    assert "a.txt: what is near in it is far in the other lists (correlation -0." in (
        told := capsys.readouterr().out
    )
    assert "say --similarity a" in told
    assert "MGN_dist_tA.txt: what" not in told
    #  a resolved recipe says the same again
    again = tmp_path / "again"
    assert run.main(["--rankings", str(folder), "--recipe", str(out / "recipe.toml"), "--out", str(again)]) == 0
    assert (again / "result.json").read_bytes() == (out / "result.json").read_bytes()


def test_names_that_are_no_list_are_refused(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("[('q', OrderedDict([('a', 1.0), ('b', 2.0)]))]")
    (tmp_path / "two.txt").write_text("[('q', OrderedDict([('a', 1.0), ('b', 2.0)]))]")
    start = ["--rankings", str(tmp_path), "--recipe", "naic2019_ivyyz", "--out", str(tmp_path / "out")]
    (said,) = problems(run.main, [*start, "--similarity", "onne"])
    assert "--similarity: wanted one of one, two, found 'onne'; did you mean 'one'?" in said
    (said,) = problems(run.main, [*start, "--set", "released_query_adaptive.leader=tow"])
    assert "leader: wanted one of one, two, found 'tow'; did you mean 'two'?" in said
    (said,) = problems(run.main, [*start, "--set", "released_query_adaptive.leader=2"])
    assert "leader: wanted the number of a part, 0 to 1, got 2" in said


@pytest.mark.parametrize("turned", [None, 0, 1, 2])
def test_the_list_that_goes_against_the_others_is_named(turned: int | None) -> None:
    random = np.random.default_rng(0)
    truth = random.normal(size=(20, 30))
    names = ["a", "b", "c"]
    images = [str(at) for at in range(30)]
    lists = []
    for at in range(3):
        far = (truth + random.normal(size=truth.shape)) * (-1 if at == turned else 1)
        rows = np.argsort(far, axis=1)[:, :25]
        lists.append(from_matrix(rows, images[:20], images, np.take_along_axis(far, rows, axis=1)))
    assert len(candidates(lists)[1]) == 3
    files = {f"{name}.txt": name for name in names}
    said = directions.doubts(files, merged(lists), ["a"])
    assert len(said) == (turned is not None)
    if turned is not None:
        assert said[0].startswith(f"{names[turned]}.txt: ")
        assert ("declare similarities without a" in said[0]) == (turned == 0)
