#!/bin/sh
# All tests; arguments go to pytest. The environment is made in .venv if it is not there. The tests of the report want
# a browser: where Debian's can be installed (as root), it is, and elsewhere they skip.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
. "$here/environment.sh"
make_environment "[test]"
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && ! command -v chromedriver >/dev/null; then
    echo "installing chromium and chromium-driver for the tests of the report ..." >&2
    DEBIAN_FRONTEND=noninteractive timeout 180 apt-get install -y -qq chromium chromium-driver >/dev/null 2>&1 ||
        echo "not installed; these tests will skip" >&2
fi
cd "$here"
exec "$python" -m pytest "$@"
