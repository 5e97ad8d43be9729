"""The synthetic city on the command line."""

from pathlib import Path

import pytest

from ensemble.base.errors import InputError
from ensemble.city import ABOUT, KINDS
from ensemble.demo import main


def test_the_command_says_that_it_is_synthetic(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "city"), "--seed", "5"]) == 0
    printed = capsys.readouterr().out
    assert "synthetic" in printed
    assert "150 queries, 2500 gallery images in 110 tracks, 46 vehicles, 12 cameras, 4 models x 128" in printed
    assert str(tmp_path / "city") in printed
    readme = (tmp_path / "city" / "README.txt").read_text()
    assert "not real data" in readme
    assert "seed 5" in readme
    assert str(tmp_path) not in readme


def test_the_help_says_what_each_kind_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    assert list(ABOUT) == list(KINDS)
    lines = capsys.readouterr().out.splitlines()
    assert all(f"    {kind:<12}{about}" in lines for kind, about in ABOUT.items())


def test_bad_settings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="--size: wanted one of small, market1501 for --kind people, found aicity"
    ):
        main([str(tmp_path), "--kind", "people", "--size", "aicity2020"])
    with pytest.raises(InputError, match="--unknown: wanted"):
        main([str(tmp_path), "--unknown", "2"])
    with pytest.raises(InputError, match="--seed: wanted 0 or more, found -1"):
        main([str(tmp_path), "--seed", "-1"])
    with pytest.raises(InputError, match="--size: wanted one of small, "):
        main([str(tmp_path), "--size", "huge"])
    assert list(tmp_path.iterdir()) == []


def test_pictures_are_of_vehicles(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--kind people"):
        main([str(tmp_path / "city"), "--images", "--kind", "people"])
