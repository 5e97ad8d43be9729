#!/bin/sh
# All tests, those of the CUDA back end in numba's simulator too; arguments go to pytest, which then runs once. The
# environment is made in .venv if it is not there. The tests of the report want a browser: where Debian's can be
# installed (as root), it is, and elsewhere they skip.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
. "$here/environment.sh"
make_environment test
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && ! command -v chromedriver >/dev/null; then
    echo "installing chromium and chromium-driver for the tests of the report ..." >&2
    DEBIAN_FRONTEND=noninteractive timeout 180 apt-get install -y -qq chromium chromium-driver >/dev/null 2>&1 ||
        echo "not installed; these tests will skip" >&2
fi
cd "$here"
if [ $# -gt 0 ]; then
    exec "$python" -m pytest "$@"
fi
# Two processes, one a core: the simulator, then the laws and some more, beside all other tests. The two take as long.
beside="tests/laws tests/extractors tests/ensemble/tune tests/ensemble/report tests/documents"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
others() {
    failed=0
    echo "The CUDA back end in numba's simulator:"
    NUMBA_ENABLE_CUDASIM=1 "$python" -m pytest tests/cuda -p no:cacheprovider || failed=$?
    echo "The laws of every step, the extractors, tuning, reports, the documents:"
    "$python" -m pytest $beside -p no:cacheprovider || failed=$?
    return "$failed"
}
others >"$log" 2>&1 &
aside=$!
trap 'kill "$aside" 2>/dev/null; exit 130' INT TERM
status=0
"$python" -m pytest $(printf -- '--ignore %s ' $beside) || status=$?
wait "$aside" || status=$?
echo
cat "$log"
exit "$status"
