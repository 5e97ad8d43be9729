"""light-reid from its files: lists of codes of several widths, coarse to fine, against the released rankings."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from ensemble import io
from ensemble import run as command
from ensemble.io.codes import packed
from postproc import coarse_to_fine, coarse_to_fine_codes, code_thresholds, hamming, rank
from tests.support.each import each
from tests.support.golden import load


@pytest.fixture
def golden(shared):
    return load(shared, "lightreid")


def bits(golden, side, length):
    return np.unpackbits(golden[f"bits{length}_{side[0]}_packed"], axis=1, count=length)


def labels(golden, of=("pid", "cam"), end=""):
    return {f"{side}_{one}{end}": golden[f"{side[0]}_{one}"] for side in ("query", "gallery") for one in of}


def released(golden, path):
    """As light-reid's engine stores them: a list of arrays, the longest first."""
    lists = {
        f"{side}_feats": [bits(golden, side, length).astype(np.float32) for length in golden["code_lengths"][::-1]]
        for side in ("query", "gallery")
    }
    content = {**lists, **labels(golden, ("pid",), "s"), **labels(golden, ("cam",), "ids")}
    (path / "Market1501_features.pkl").write_bytes(pickle.dumps(content))


def a_file_a_length(golden, path):
    for length in golden["code_lengths"]:
        codes = {side: bits(golden, side, length) for side in ("query", "gallery")}
        np.savez(path / f"bits{length}.npz", **codes, **labels(golden))


def ours(golden, path):
    lengths = tuple(golden["code_lengths"].tolist())
    codes = {
        side: packed(np.concatenate([bits(golden, side, length) for length in lengths], axis=1), lengths)
        for side in ("query", "gallery")
    }
    np.savez(path / "bits.npz", **codes, **labels(golden), code_lengths=lengths)


def ranking(folder, out, *more):
    """Gallery rows of every query, best first."""
    options = ["--features", str(folder), "--recipe", "lightreid", "--out", str(out), "--set", "top_k=260"]
    assert command.main([*options, *more]) == 0
    lines = [line.split(",") for line in (out / "ranking.csv").read_text().splitlines()]
    place = {name: at for at, name in enumerate(lines[0])}
    return np.array([int(line[place["gallery"]]) for line in lines[1:]]).reshape(40, 260)


@each("write", [released, a_file_a_length, ours])
def test_the_released_ranking_from_its_files(golden, write, tmp_path, capsys):
    write(golden, tmp_path)
    for key, limits in (
        ("c2f_rank_gallery_index", "thresholds_beta2"),
        ("c2f_rank_manual_thresholds", "manual_thresholds"),
    ):
        found = ranking(tmp_path, tmp_path / key, "--set", f"coarse_to_fine.thresholds={golden[limits].tolist()}")
        assert_array_equal(found, golden[key])
    told = capsys.readouterr().out
    assert "is taken" not in told


def test_without_training_images_half_of_the_bits_may_differ(golden, tmp_path, capsys):
    ours(golden, tmp_path)
    found = ranking(tmp_path, tmp_path / "out")
    assert "radius: 0.5 is taken, since there is no train and no train_pid" in capsys.readouterr().out
    codes = [[golden[f"bits{length}_{side}_packed"] for length in golden["code_lengths"]] for side in "qg"]
    half = [length // 2 for length in golden["code_lengths"].tolist()]
    assert_array_equal(found, rank(coarse_to_fine_codes(*codes, half)))


@each("start", ["moments", "half"])
def test_thresholds_from_training_images(golden, tmp_path, start, capsys):
    """The gallery again as the training set: thresholds as the release starts them, and as ours."""
    lengths = golden["code_lengths"][::-1].tolist()
    lists = {
        f"{side}_feats": [bits(golden, of, length) for length in lengths]
        for side, of in (("query", "q"), ("gallery", "g"), ("train", "g"))
    }
    content = {**lists, **labels(golden, ("pid",), "s"), **labels(golden, ("cam",), "ids")}
    content["train_pids"] = golden["g_pid"]
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(content))
    found = ranking(tmp_path, tmp_path / "out", "--set", f"coarse_to_fine.start={start}")
    assert "is taken" not in capsys.readouterr().out
    codes = [[golden[f"bits{length}_{side}_packed"] for length in golden["code_lengths"]] for side in "qg"]
    learned = code_thresholds(codes[1], golden["g_pid"], start=start)
    assert_array_equal(found, rank(coarse_to_fine_codes(*codes, learned)))


def test_hamming_counts_the_longest_code(golden, tmp_path):
    ours(golden, tmp_path)
    (found,) = io.read_folder(tmp_path)
    far = hamming(found.query, found.gallery, code_lengths=found.codes)
    assert_array_equal(far, golden["hamming512"])
    recipe = tmp_path / "hamming.toml"
    recipe.write_text('submission = "csv"\ntop_k = 260\n[[branch]]\nsteps = [{ use = "hamming" }]\n')
    assert_array_equal(
        ranking(tmp_path, tmp_path / "out", "--recipe", str(recipe)), golden["countingsort_longest"]
    )


def test_other_features_are_no_codes_any_more(golden, tmp_path):
    """Whitened, normalised: after such a step lengths of codes would say nothing, and the first numbers count."""
    ours(golden, tmp_path)
    recipe = tmp_path / "power.toml"
    steps = '{ use = "signed_power" }, { use = "coarse_to_fine", radius = 0.5 }'
    recipe.write_text(f'submission = "csv"\ntop_k = 260\n[[branch]]\nsteps = [{steps}]\n')
    (found,) = io.read_folder(tmp_path)
    wanted = rank(coarse_to_fine(found.query, found.gallery, radius=0.5))
    assert_array_equal(ranking(tmp_path, tmp_path / "out", "--recipe", str(recipe)), wanted)
