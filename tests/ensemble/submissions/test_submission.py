"""track2.txt: written byte for byte, read back, and every kind of fault found."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ensemble.base.errors import InputError
from ensemble.city import city
from ensemble.submissions import from_matrix, track2
from ensemble.submissions.track2 import doubts, faults
from ensemble.submissions.track2 import read_lines as read_track2
from ensemble.submissions.whole_tracks import whole_track_lines
from ensemble.validate import main
from tests.support.each import each

QUERIES = ["000001.jpg", "000002.jpg", "000003.jpg"]
GALLERY = ["000001.jpg", "000002.jpg", "000003.jpg", "000004.jpg", "000010.jpg"]
GOOD = b"1 2 3\n10 4 1\n3 2 10\n"


def write_track2(
    path: Path, rows: np.ndarray, queries: list[str], gallery: list[str], *, top_k: int = 100
) -> None:
    track2.write(path, from_matrix(rows, queries, gallery, top_k=top_k), top_k=top_k)


def checked(folder: Path, content: bytes, **settings: int) -> list[str]:
    path = folder / "track2.txt"
    path.write_bytes(content)
    return faults(path, QUERIES, GALLERY, **{"top_k": 3, **settings})


# Writing


def test_by_hand(tmp_path: Path) -> None:
    # rows of GALLERY: 0 -> 1, 1 -> 2, 2 -> 3, 3 -> 4, 4 -> 10
    rows = np.array([[0, 1, 2, 3], [4, 3, 0, 1], [2, 1, 4, 0]], np.int32)
    write_track2(tmp_path / "track2.txt", rows, QUERIES, GALLERY, top_k=3)
    assert (tmp_path / "track2.txt").read_bytes() == GOOD
    assert [path.name for path in tmp_path.iterdir()] == ["track2.txt"]


def test_the_number_is_that_of_the_name_not_of_the_row(tmp_path: Path) -> None:
    path = tmp_path / "track2.txt"
    write_track2(path, np.array([[0, 1]]), ["q.jpg"], ["dir/000030.png", "7.jpg"])
    assert path.read_bytes() == b"30 7\n"


def test_a_hundred_a_line_or_all_of_a_smaller_gallery(tmp_path: Path) -> None:
    path = tmp_path / "track2.txt"
    names = [f"{number:06d}.jpg" for number in range(1, 131)]
    write_track2(path, np.arange(130, dtype=np.int32)[None], ["000001.jpg"], names)
    assert path.read_text() == " ".join(str(number) for number in range(1, 101)) + "\n"
    write_track2(path, np.arange(99, dtype=np.int32)[None], ["000001.jpg"], names[:99])
    assert path.read_text() == " ".join(str(number) for number in range(1, 100)) + "\n"


def test_minus_one_is_nothing(tmp_path: Path) -> None:
    path = tmp_path / "track2.txt"
    write_track2(path, np.array([[4, 0, -1], [-1, -1, -1], [1, -1, -1]]), QUERIES, GALLERY, top_k=3)
    assert path.read_bytes() == b"10 1\n\n2\n"
    assert read_track2(path) == [[10, 1], [], [2]]


@each(
    ("rows", "message"),
    [
        (
            np.zeros((2, 3), int),
            r"rows: wanted \(3, 3 or more\) whole numbers, one row a query, got shape \(2, 3\)",
        ),
        (np.zeros((3, 3)), "got shape .* float64"),
        (np.zeros(3, int), r"got shape \(3,\)"),
        (np.array([[0, 1]] * 3), r"rows: wanted \(3, 3 or more\) whole numbers, got shape \(3, 2\)"),
        (np.array([[0, 1, 5]] * 3), "rows: wanted -1 to 4, got 0 to 5"),
        (np.array([[0, -2, 4]] * 3), "rows: wanted -1 to 4, got -2 to 4"),
        (np.array([[0, 1, 2], [3, 1, 3], [0, 1, 2]]), "wanted every image once, got one twice first in row 1"),
    ],
)
def test_bad_rows_are_refused(tmp_path: Path, rows: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write_track2(tmp_path / "track2.txt", rows, QUERIES, GALLERY, top_k=3)
    assert not list(tmp_path.iterdir())


@each(
    ("gallery", "message"),
    [
        (
            ["000001.jpg", "a.jpg", "c001_7.jpg"],
            "wanted names like 000123.jpg, .* found a.jpg, c001_7.jpg; rename",
        ),
        (["1.jpg", "01.png", "2.jpg"], "wanted a number for each image, .* found several with 1; rename"),
        (["-1.jpg"], "found -1.jpg; rename"),
        ([], "wanted at least one image, found none"),
    ],
)
def test_names_without_numbers_of_their_own_are_refused(tmp_path: Path, gallery: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        write_track2(tmp_path / "track2.txt", np.arange(len(gallery))[None], ["000001.jpg"], gallery)
    (tmp_path / "track2.txt").write_bytes(GOOD)
    with pytest.raises(InputError, match=message):
        faults(tmp_path / "track2.txt", QUERIES, gallery)


def test_top_k_of_zero_is_refused(tmp_path: Path) -> None:
    for call in (
        lambda: write_track2(tmp_path / "t", np.zeros((3, 5), int), QUERIES, GALLERY, top_k=0),
        lambda: faults(tmp_path / "t", QUERIES, GALLERY, top_k=0),
    ):
        with pytest.raises(ValueError, match="top_k: wanted a whole number, 1 or more, got 0"):
            call()


# Reading


def test_reading_forgives_what_the_check_does_not(tmp_path: Path) -> None:
    path = tmp_path / "track2.txt"
    path.write_bytes(b"\xef\xbb\xbf 1\t02  3 \r\n\n10")
    assert read_track2(path) == [[1, 2, 3], [], [10]]
    path.write_bytes("1 2\n3 4\n".encode("utf-16"))
    assert read_track2(path) == [[1, 2], [3, 4]]
    path.write_bytes(b"")
    assert read_track2(path) == []


def test_reading_refuses_what_is_no_number(tmp_path: Path) -> None:
    path = tmp_path / "track2.txt"
    path.write_bytes(b"1 2\nx 3 1.5\n" + b"9" * 5000)
    with pytest.raises(InputError, match=r"found x \(line 2\), 1\.5 \(line 2\), 9{17}\.\.\. \(line 3\); remove"):
        read_track2(path)
    with pytest.raises(InputError, match="wanted a submission to read, found: No such file"):
        read_track2(tmp_path / "none.txt")


# Faults


def test_a_good_file_has_none(tmp_path: Path) -> None:
    assert checked(tmp_path, GOOD) == []
    assert checked(tmp_path, b"1 2 3 4 10\n" * 3, top_k=100) == []  # all of a gallery below 100


@each(
    ("content", "fault"),
    [
        (b"", "track2.txt: wanted 3 lines, found an empty file; write it again"),
        (GOOD[:13], "track2.txt: wanted one line a query, found 2 lines for 3 queries;"),
        (GOOD * 2, "track2.txt: wanted one line a query, found 6 lines for 3 queries;"),
        (GOOD + b"1 2 3\n", "track2.txt: wanted one line a query, found 4 lines for 3 queries;"),
        (b"\xef\xbb\xbf" + GOOD, "track2.txt: wanted plain ASCII, found a byte-order mark (utf-8);"),
        (GOOD[:-1], "track2.txt: wanted LF at the end of every line, found none on the last; add it"),
        (GOOD.replace(b"\n", b"\r\n"), "wanted LF at the end of every line, found CR LF (Windows) on 3 lines;"),
        (GOOD.replace(b"\n", b"\r"), "wanted LF at the end of every line, found CR (old Mac) on 3 lines;"),
        (b"1 2 3\n\n3 2 10\n", "track2.txt, line 2: wanted 3 numbers, found none; return the best images"),
        (b"1 2 3\n10 4\n3 2 10\n", "track2.txt, line 2: wanted 3 numbers, found 2; write exactly the best 3"),
        (b"1 2 3\n10 4 1\n3 2 10 1\n", "track2.txt, line 3: wanted 3 numbers, found 4; write exactly the"),
        (b"1 2 3\n10 4 11\n3 2 10\n", "line 2: wanted numbers of gallery images (1 to 10), found 11; write"),
        (b"1 2 3\n10 4 5\n3 2 10\n", "line 2: wanted numbers of gallery images (1 to 10), found 5; write"),
        (b"0 2 3\n10 4 1\n3 2 10\n", "line 1: wanted numbers of gallery images (1 to 10), found 0; write"),
        (b"1 2 1\n10 4 1\n3 2 10\n", "track2.txt, line 1: wanted every image once, found 1 again; remove the"),
        (b"1\t2 3\n10 4 1\n3 2 10\n", "line 1: wanted single spaces between numbers, found '\\t'; replace every"),
        (b"1  2 3\n10 4 1\n3 2 10\n", "wanted single spaces between numbers, found several in a row; remove"),
        (b"1 2 3\n 10 4 1\n3 2 10\n", "line 2: wanted a number first, found a space; remove the spaces before"),
        (b"1 2 3\n10 4 1 \n3 2 10\n", "line 2: wanted a number last, found a space; remove the spaces after"),
        (b"1 02 3\n10 4 1\n3 2 10\n", "line 1: wanted numbers without leading zeros, found 02; write 123, not"),
        (b"1 2 3.0\n10 4 1\n3 2 10\n", "line 1: wanted whole numbers, found 3.0; write the number in the"),
        (b"1 2 -3\n10 4 1\n3 2 10\n", "line 1: wanted whole numbers, found -3; write the number in the"),
        (b"000001.jpg 2 3\n10 4 1\n3 2 10\n", "line 1: wanted whole numbers, found 000001.jpg; write the"),
        ("1\u00a02 3\n10 4 1\n3 2 10\n".encode(), "line 1: wanted digits and spaces only, found '\\xa0'; save"),
    ],
)
def test_each_kind_of_fault_is_found_alone(tmp_path: Path, content: bytes, fault: str) -> None:
    (found,) = checked(tmp_path, content)
    assert fault in found


def test_a_number_in_other_digits_breaks_two_rules(tmp_path: Path) -> None:
    ascii_only, whole = checked(tmp_path, "1 2 \u0663\n10 4 1\n3 2 10\n".encode())
    assert "wanted digits and spaces only, found '\\u0663'" in ascii_only
    assert "wanted whole numbers, found \\u0663" in whole


def test_a_copied_image_with_another_spelling_is_a_copy(tmp_path: Path) -> None:
    zeros, once = checked(tmp_path, b"1 2 02\n10 4 1\n3 2 10\n")
    assert "leading zeros" in zeros
    assert "found 2 again" in once


def test_utf16_is_named_and_the_rest_still_checked(tmp_path: Path) -> None:
    mark, once = checked(tmp_path, "1 2 1\n10 4 1\n3 2 10\n".encode("utf-16"))
    assert "byte-order mark (utf-16-le)" in mark
    assert "line 1: wanted every image once" in once


def test_rubbish_is_no_traceback(tmp_path: Path) -> None:
    noise = np.random.Generator(np.random.PCG64(0)).integers(0, 256, 5000).astype(np.uint8).tobytes()
    for content in (noise, b"\0" * 100, b"9" * 10000, b"\n" * 50, b"\xff\xfe"):
        assert checked(tmp_path, content)
        doubts(tmp_path / "track2.txt", QUERIES, GALLERY)


def test_everything_at_once(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbf 1\t02  2 x\r\n\n0 0 1 \xc3\xa9"
    found = checked(tmp_path, content, top_k=5)
    assert [fault.partition(": wanted ")[2].partition(", found")[0] for fault in found] == [
        "plain ASCII",
        "LF at the end of every line",  # CR LF
        "LF at the end of every line",  # none on the last
        "single spaces between numbers",  # a tab
        "single spaces between numbers",  # two of them
        "a number first",
        "5 numbers",  # four on lines 1 and 3
        "whole numbers",
        "numbers without leading zeros",
        "every image once",
        "5 numbers",  # nothing on line 2
        "digits and spaces only",
        "numbers of gallery images (1 to 10)",
    ]


def test_a_thousand_bad_lines_are_a_short_list(tmp_path: Path) -> None:
    path = tmp_path / "track2.txt"
    names = [f"{number:06d}.jpg" for number in range(1, 1001)]
    path.write_bytes(b"1 2 2 \n" * 999 + b"1 2 3\n")
    found = faults(path, names, GALLERY, top_k=3)
    assert found == [
        "track2.txt, lines 1, 2, 3, 4, 5 and 994 more: wanted a number last, found a space (line 1); "
        "remove the spaces after it",
        "track2.txt, lines 1, 2, 3, 4, 5 and 994 more: wanted every image once, found 2 again (line 1); "
        "remove the copies and fill up with the next best",
    ]


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="wanted a submission to read, found: No such file"):
        faults(tmp_path / "none.txt", QUERIES, GALLERY)


# Doubts


def test_doubts(tmp_path: Path) -> None:
    path, other = tmp_path / "track2.txt", tmp_path / "result.txt"
    gallery = [f"{number:06d}.jpg" for number in range(1, 6)]

    def doubted(content: bytes, names: list[str] = QUERIES, file: Path = path) -> list[str]:
        file.write_bytes(content)
        return doubts(file, names, gallery)

    assert doubted(b"1 2\n3 4\n5 1\n") == []
    assert doubted(b"1 2\n3 1\n2 1\n") == []  # neither the largest nor the one before it
    (zero,) = doubted(b"0 2\n3 4\n1 2\n")
    assert "wanted numbers from 1, found 0; were they counted from 0?" in zero
    (short,) = doubted(b"1 2\n3 4\n2 1\n")
    assert "wanted numbers up to 5, found none above 4; were they counted from 0?" in short
    (name,) = doubted(b"1 2\n3 4\n5 1\n", file=other)
    assert "result.txt: wanted the name track2.txt" in name
    (order,) = doubted(b"1 2\n3 4\n5 1\n", names=["000002.jpg", "000001.jpg", "000010.jpg"])
    assert "query names: wanted the order of their numbers" in order


def test_a_gallery_that_starts_at_zero_is_no_reason_for_doubt(tmp_path: Path) -> None:
    path = tmp_path / "track2.txt"
    path.write_bytes(b"0 1\n")
    assert doubts(path, ["000000.jpg"], ["000000.jpg", "000001.jpg"]) == []
    assert faults(path, ["000000.jpg"], ["000000.jpg", "000001.jpg"]) == []


# Whole tracks


def test_whole_track_lines_by_hand() -> None:
    track_of = {1: 0, 2: 0, 3: 1, 4: 1, 5: 1, 6: 2, 7: -1}  # tracks {1, 2}, {3, 4, 5}, {6}; 7 is in none
    assert whole_track_lines([[2, 1, 4, 3, 5]], track_of) == 1
    assert whole_track_lines([[2, 1, 4, 3]], track_of) == 1  # the last is cut
    assert whole_track_lines([[4, 3, 2, 1]], track_of) == 0  # cut before the end
    assert whole_track_lines([[1, 6, 2]], track_of) == 0  # in two pieces
    assert whole_track_lines([[4, 6, 3, 5]], track_of) == 0
    assert whole_track_lines([[6, 7]], track_of) == 0  # an image of no track
    assert whole_track_lines([[6], [1, 2], [5]], track_of) == 3


# The command


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., int]:
    (tmp_path / "q.txt").write_text("".join(f"{name}\n" for name in QUERIES))
    (tmp_path / "g.txt").write_text("".join(f"{name}\n" for name in GALLERY))

    def run(content: bytes, *more: str) -> int:
        (tmp_path / "track2.txt").write_bytes(content)
        lists = ["--query-names", str(tmp_path / "q.txt"), "--gallery-names", str(tmp_path / "g.txt")]
        return main([str(tmp_path / "track2.txt"), *lists, *more])

    return run


def test_the_command_says_ok(command: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert command(GOOD, "--top-k", "3") == 0
    assert capsys.readouterr().out == "ok: 3 lines x 3 numbers, none twice in a line, 5 of 5 gallery images\n"


def test_the_command_counts_whole_tracks(
    command: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tracks.txt").write_text("1 2 \n3 \n4 10 \n")
    # Lines 1 and 2 are {1 2} {3} and {10 4} {1 cut}; line 3 begins with {3}, {2 cut}.
    assert command(GOOD, "--top-k", "3", "--tracks", str(tmp_path / "tracks.txt")) == 0
    assert "tracks: 2 of 3 lines are whole tracks" in capsys.readouterr().out


def test_the_command_lists_the_faults(command: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert command(b"1 2 3\n0 4 4 \n3 2 10\n", "--top-k", "3") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("warning: track2.txt: wanted numbers from 1, found 0")
    assert lines[1].startswith("not ok: 3 kinds of fault in ")
    assert [line.split(": wanted ")[1].split(",")[0] for line in lines[2:]] == [
        "a number last",
        "numbers of gallery images (1 to 10)",
        "every image once",
    ]


def test_the_command_reports_everything_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError) as raised:
        main(
            [
                str(tmp_path / "t"),
                "--query-names",
                str(tmp_path / "q"),
                "--gallery-names",
                str(tmp_path / "g"),
                "--top-k=0",
            ]
        )
    assert len(raised.value.problems) == 4


def test_the_real_submission_passes(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shared / "aicity2020"
    lists = ["--query-names", str(folder / "name_query.txt"), "--gallery-names", str(folder / "name_test.txt")]
    sample = str(folder / "track2_sample.txt")
    assert main([sample, *lists, "--tracks", str(folder / "test_track_id.txt")]) == 0
    warning, ok, tracks = capsys.readouterr().out.splitlines()
    assert "wanted the name track2.txt" in warning
    assert ok == "ok: 1052 lines x 100 numbers, none twice in a line, 17112 of 18290 gallery images"
    assert tracks.startswith("tracks: 1052 of 1052 lines are whole tracks")


def test_what_is_read_from_the_real_submission_is_written_as_it_was(shared: Path, tmp_path: Path) -> None:
    folder = shared / "aicity2020"
    names = (folder / "name_test.txt").read_text().split()
    queries = (folder / "name_query.txt").read_text().split()
    rows = np.array(read_track2(folder / "track2_sample.txt"), np.int32) - 1  # 000001.jpg is row 0
    write_track2(tmp_path / "track2.txt", rows, queries, names)
    assert (tmp_path / "track2.txt").read_bytes() == (folder / "track2_sample.txt").read_bytes()


def test_a_ranking_of_the_synthetic_city_passes(tmp_path: Path) -> None:
    made = city()
    query, gallery = made.features["densenet"]
    rows = np.argsort(-query @ gallery.T, axis=1, kind="stable")[:, :100].astype(np.int32)
    path = tmp_path / "track2.txt"
    names = made.query["name"].tolist(), made.gallery["name"].tolist()
    write_track2(path, rows, *names)
    assert faults(path, *names) == []
    assert read_track2(path) == (rows + 1).tolist()


def test_one_list_for_all_is_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for side, count in (("q", 3), ("g", 4)):
        (tmp_path / f"{side}.txt").write_text("".join(f"{number:06d}.jpg\n" for number in range(1, count + 1)))
    lists = ["--query-names", str(tmp_path / "q.txt"), "--gallery-names", str(tmp_path / "g.txt")]
    file = tmp_path / "track2.txt"
    for lines, warned in ((["2 1 4 3"] * 3, True), (["2 1 4 3", "2 1 4 3", "1 2 4 3"], False)):
        file.write_text("".join(f"{line}\n" for line in lines))
        assert main([str(file), *lists]) == 0
        assert ("warning: track2.txt: all 3 lines are the same" in capsys.readouterr().out) == warned
