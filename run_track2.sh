#!/bin/sh
# From feature files to track2.txt.
#   sh run_track2.sh                                the embedded demo city, from nothing
#   sh run_track2.sh --features DIR [options]       your files; options: sh run_track2.sh --help
# The environment is made in .venv on the first call. PYTHON=python3.12 chooses the interpreter.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
. "$here/environment.sh"
make_environment ""
if [ "$#" -gt 0 ]; then
    exec "$python" -m ensemble.run "$@"
fi
"$python" -m ensemble.demo "$here/demo"
exec "$python" -m ensemble.run --features "$here/demo" --recipe aicity2020_5th --out "$here/runs/demo"
