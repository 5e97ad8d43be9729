"""What the kept table says of others: each agrees with ours before anything is quoted."""

import doctest
import json

import pytest

import postproc
from bench import peers, record, techniques
from bench.worlds import SIZES
from tests.support.each import each


def corner(name: str) -> dict:
    """60 queries and 600 gallery images: a shortlist has 400, and to whiten takes more than 512."""
    return techniques.world("S", name)[0]


def test_peers_are_steps_that_the_table_has() -> None:
    assert peers.PEERS.keys() <= set(techniques.techniques())
    assert all(set(peer.sizes) <= SIZES.keys() for peer in peers.PEERS.values())


@each("name", peers.PEERS)
def test_a_peer_says_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if peers.lacking([name]):
        pytest.skip(f"{peers.PEERS[name].package} is not installed")
    monkeypatch.setattr(peers, "ENOUGH", 0)
    found = peers.compared(name, corner(name), corner(name))
    assert found["peer"] > 0
    assert found["ratio"] > 0


def test_of_a_peer_that_says_something_else_nothing_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    def other(query, gallery):  # the peers are functions of the data that they name
        return postproc.hamming(query[::-1], gallery)

    monkeypatch.setitem(peers.PEERS, "hamming", peers.Peer(other, "numpy"))
    with pytest.raises(ValueError, match=r"^hamming: \d+ % of ours and of numpy's differ; nothing is compared$"):
        peers.compared("hamming", corner("hamming"), corner("hamming"))


def test_a_package_that_is_not_there_is_named_once_and_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("hamming", "lbr"):
        monkeypatch.setitem(peers.PEERS, name, peers.PEERS[name]._replace(package="nobody-has-this"))
    assert peers.lacking(["hamming", "lbr", "cas", "whiten"]) == ["nobody-has-this"]
    assert record.beside("S", "hamming", limit=1) == {}


def test_a_row_says_how_many_times_ours_a_peer_takes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    answers = [json.dumps({"peer": 3.0, "ratio": 1.5}), "hamming: 9 % of ours and of numpy's differ"]

    def child(*_: object, **__: object) -> object:
        class Done:
            stdout = stderr = answers.pop(0)
            returncode = 0 if stdout[0] == "{" else 1

        return Done

    monkeypatch.setattr(record, "child", child)
    row = {"seconds": 1.0, "processor": 2.0, "megabytes": 30.0}
    found = record.line("hamming", row | record.beside("S", "hamming", limit=9), None, paired=False)
    assert found.split() == ["hamming", "1.00", "2.00", "30", "3.00", "1.50", "-", "of", "numpy"]
    assert record.beside("S", "hamming", limit=9) == {}
    assert capsys.readouterr().out == "hamming: 9 % of ours and of numpy's differ\n"


def test_examples() -> None:
    for module in (peers, record):
        failed, tried = doctest.testmod(module)
        assert (failed, tried > 0) == (0, True)
