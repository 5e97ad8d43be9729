#!/bin/sh
# What a user installs: wheel and source archive are built and checked, and the wheel goes into an empty environment
# outside the checkout, with base dependencies alone, where a city is drawn and ranked. Not part of run_tests.sh; .ci/run calls it.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
base=${PYTHON:-python3}
pip() { "$1/bin/python" -m pip --quiet --disable-pip-version-check install --constraint "$here/constraints.txt" "$2" ${3+"$3"} ${4+"$4"}; }

"$base" -m venv "$work/tools"
pip "$work/tools" build twine check-wheel-contents
"$work/tools/bin/python" -m build --outdir "$work/dist" "$here" >"$work/build.log" 2>&1 || { cat "$work/build.log"; exit 1; }
"$work/tools/bin/twine" check --strict "$work"/dist/*
"$work/tools/bin/check-wheel-contents" --ignore W009 "$work"/dist/*.whl

"$base" -m venv "$work/user"
pip "$work/user" "$work"/dist/*.whl
cd "$work"
PYTHONWARNINGS=error user/bin/python -c "
import ensemble, extractors, postproc
for package in (ensemble, extractors, postproc):
    assert package.__file__.startswith('$work/user/'), package.__file__
import numpy
x = numpy.eye(6, dtype=numpy.float32)
print(postproc.rerank(x[:2], x[2:]).shape)
"
user/bin/python -m ensemble.demo city >/dev/null
user/bin/python -m ensemble.run --features city --recipe aicity2020_5th --out run >run.log 2>&1 || { cat run.log; exit 1; }
grep mAP run.log | tail -1
test -s run/track2.txt
