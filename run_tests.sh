#!/bin/sh
# All tests; arguments go to pytest. The environment is made in .venv if it is not there.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
. "$here/environment.sh"
make_environment "[test]"
cd "$here"
exec "$python" -m pytest "$@"
