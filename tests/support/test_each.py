"""The loop over the variants of a test sees all of them."""

import pytest

from tests.support.each import each


def test_every_case_runs_and_those_that_fail_are_named():
    seen = []

    @each("one", [1, 2, 3])
    @each(("other", "word"), [(1, "a"), pytest.param(2, "b", id="second")])
    def test(one, other, word):
        seen.append((one, other, word))
        assert one != other, f"{word} is wrong"

    with pytest.raises(AssertionError) as told:
        test()
    assert seen == [(one, *rest) for one in (1, 2, 3) for rest in ((1, "a"), (2, "b"))]
    assert "2 of 3 cases fail" in str(told.value)
    assert "[1] AssertionError: 1 of 2 cases fail:\n[1, 'a'] AssertionError: a is wrong" in str(told.value)
    assert "[second] AssertionError: b is wrong" in str(told.value)


@each("again", [0, 1])
def test_every_case_has_fixtures_of_its_own(again, tmp_path, capsys, monkeypatch):
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    monkeypatch.setenv("SEEN_BY_A_CASE", "yes", prepend=":" if again else None)
    import os

    assert os.environ["SEEN_BY_A_CASE"] == "yes"
    print("once")
    assert capsys.readouterr().out == "once\n"


def test_a_case_that_skips_is_no_failure():
    @each("skips", [True, False])
    def some(skips):
        if skips:
            pytest.skip("not here")

    @each("skips", [True])
    def every(skips):
        pytest.skip("not here")

    some()
    with pytest.raises(pytest.skip.Exception):
        every()
