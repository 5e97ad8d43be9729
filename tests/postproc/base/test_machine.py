"""How many threads there are where nobody says how many."""

import os
import subprocess
import sys

import pytest

from postproc import using
from postproc.base import machine
from postproc.base.runtime import current
from tests.support.each import each


@pytest.fixture
def variables(monkeypatch):
    """Set the two variables; None is not set."""

    def change(own, common):
        for name, value in ((machine.OWN, own), (machine.COMMON, common)):
            monkeypatch.delenv(name, raising=False)
            if value is not None:
                monkeypatch.setenv(name, value)

    return change


@each(
    ("own", "common", "wanted"),
    [
        ("3", None, 3), ("3", "5", 3), (None, "5", 5), ("", "5", 5), (" 3 ", None, 3), (None, "6,2", 6),
        (None, "", None), (None, None, None),
    ],
)  # fmt: skip
def test_variables_say_how_many(own, common, wanted, variables):
    variables(own, common)
    assert current().threads == (machine.processors() if wanted is None else wanted)
    with using(threads=2):
        assert current().threads == 2


@each("bad", ["0", "-1", "many", "2.0", "1e3", "²", "0x2"])
def test_a_variable_of_ours_that_is_no_number_is_refused(bad, variables):
    variables(bad, "5")
    with pytest.raises(machine.BadVariable, match=rf"^REID_NUM_THREADS: wanted a whole .* found '{bad}'; mend"):
        current()
    with using(threads=2):  # who says how many is not asked
        assert current().threads == 2


def test_one_of_everybody_is_not_heeded_and_said_once(variables):
    variables(None, "lots")
    machine._ignored.cache_clear()
    with pytest.warns(
        machine.MachineWarning, match="^OMP_NUM_THREADS: wanted a whole .* found 'lots'; not heeded"
    ):
        assert current().threads == machine.processors()
    assert current().threads == machine.processors()  # and no second warning, which would be an error here


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinities")
def test_the_affinity_of_the_process_counts():
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
    code += "from postproc.base.runtime import current; print(current().threads)"
    rest = {name: value for name, value in os.environ.items() if name not in (machine.OWN, machine.COMMON)}
    done = subprocess.run([sys.executable, "-c", code], env=rest, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("1\n", "")


@each(
    ("membership", "files", "wanted"),
    [
        ("0::/\n", {"cpu.max": "max 100000"}, None),
        ("0::/\n", {"cpu.max": "150000 100000"}, 2),  # a container that sees itself as the root
        ("0::/a/b\n", {"a/cpu.max": "100000 100000", "a/b/cpu.max": "400000 100000"}, 1),  # the parent's holds too
        ("0::/a/b\n", {"a/cpu.max": "max 100000", "a/b/cpu.max": "300000 100000"}, 3),
        ("0::/../of/the/host\n", {"cpu.max": "50000 100000"}, 1),
        ("0::/a\n", {"b/cpu.max": "100000 100000"}, None),  # another group's
        ("0::/\n", {"cpu.max": "not a limit"}, None),
        ("0::/\n", {}, None),
        ("", {"cpu.max": "100000 100000"}, None),
        ("4:cpu,cpuacct:/a\n", {"cpu,cpuacct/a/cpu.cfs_quota_us": "250000",
                                "cpu,cpuacct/a/cpu.cfs_period_us": "100000"}, 3),
        ("4:cpu:/docker/1\n", {"cpu/cpu.cfs_quota_us": "200000", "cpu/cpu.cfs_period_us": "100000"}, 2),
        ("4:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ("3:memory:/a\n", {"cpu/a/cpu.cfs_quota_us": "100000", "cpu/a/cpu.cfs_period_us": "100000"}, None),
        ("4:cpu:/a\n0::/a\n", {"unified/a/cpu.max": "100000 100000"}, 1),
        ("no colons\n0::/\n", {"cpu.max": "100000 100000"}, 1),
    ],
)  # fmt: skip
def test_a_quota_of_control_groups_counts(membership, files, wanted, tmp_path):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    assert machine.quota(membership, tmp_path) == wanted


def test_fewer_processors_than_the_affinity_where_there_is_a_quota(monkeypatch):
    everybody = machine.processors()
    monkeypatch.setattr(machine, "_quota", lambda: 1)
    assert machine.processors() == 1
    monkeypatch.setattr(machine, "_quota", lambda: everybody + 50)
    assert machine.processors() == everybody


MEMINFO = "MemTotal:  9000 kB\nMemAvailable:  4000 kB\n"


@each(
    ("membership", "files", "wanted"),
    [
        ("", {}, []),
        ("0::/a/b\n", {"a/memory.max": "max", "a/memory.current": "5", "a/memory.stat": ""}, []),
        # what files are kept of makes room: 1000 - 700 + 200
        ("0::/a/b\n", {"a/memory.max": "1000", "a/memory.current": "700",
                       "a/memory.stat": "anon 5\ninactive_file 200\n"}, [500]),
        ("0::/a\n", {"memory.max": "10", "memory.current": "30", "memory.stat": ""}, [0]),
        ("4:memory:/a\n", {"memory/a/memory.limit_in_bytes": "1000", "memory/a/memory.usage_in_bytes": "600",
                           "memory/a/memory.stat": "cache 1\ntotal_inactive_file 50\n"}, [450]),
        ("4:memory:/gone\n", {"memory/memory.limit_in_bytes": "1000", "memory/memory.usage_in_bytes": "600",
                              "memory/memory.stat": ""}, [400]),
        ("4:cpu:/a\n", {"memory/a/memory.limit_in_bytes": "1000"}, []),
    ],
)  # fmt: skip
def test_what_is_left_of_a_limit_of_memory(membership, files, wanted, tmp_path):
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    assert list(machine._left(membership, tmp_path)) == wanted


def test_free_memory():
    assert list(machine._available(MEMINFO)) == [4000 * 1024]
    assert list(machine._available("nothing here")) == []
    found = machine.free_memory()
    assert found is None or found > 1 << 20
