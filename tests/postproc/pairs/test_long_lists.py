"""When long lists are worth it."""

from postproc.pairs import long_lists


def test_length_by_hand():
    """100 + 8 and the image itself; beside 20,000 queries, 108 gallery images are among 108 * 120 / 100 images."""
    assert long_lists.length(100_000, 100_000, 256, 100, one_set=True) == 109
    assert long_lists.length(20_000, 100_000, 4096, 100, one_set=False) == 130  # 129.6


def test_strips_where_they_are_cheaper():
    assert long_lists.length(100_000, 100_000, 256, None, one_set=True) is None
    assert long_lists.length(1000, 1000, 256, 100, one_set=True) is None
    assert long_lists.length(20, 100_000, 256, 100, one_set=False) is None  # few queries: their strips are few
    assert long_lists.length(100_000, 100_000, 256, 1100, one_set=True) is None  # lists too long


def test_the_rule_by_hand():
    """One set of 80,000 x 256, top_k 100: a strip has 80,000 * 656 = 52.5 million multiply-adds a query; lists of
    109 count 4.4, candidates 50 and 60 * 100 * 256 = 1.5: 55.9 million. At 90,000 a strip has 59."""
    assert not long_lists.cheaper(80_000, 80_000, 256, 100, 80_000 * 109)
    assert long_lists.cheaper(90_000, 90_000, 256, 100, 90_000 * 109)


def test_few_distances_are_kept():
    """8,192^2 * 4 bytes are 256 MiB."""
    assert long_lists.keeps_matrix(8192, 8192, 100)
    assert not long_lists.keeps_matrix(8193, 8193, 100)
    assert not long_lists.keeps_matrix(10, 10, None)
    assert long_lists.beside(1000, 2000, 64, 10, one_set=False) == 4 * 1000 * 2000


def test_the_answer_is_written_into_the_lists_of_one_set():
    """9 entries of 8 bytes an image beyond the answer, and 36 bytes of 1024 queries' 1500 candidates."""
    found = long_lists.beside(10**6, 10**6, 256, 100, one_set=True)
    assert found == 10**6 * 9 * 8 + 36 * 1024 * 1500
    assert long_lists.beside(10**6, 10**6, 256, None, one_set=True) == 0
