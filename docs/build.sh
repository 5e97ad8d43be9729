#!/bin/sh
# The documentation as a site: sh docs/build.sh [FOLDER]. Warnings are errors; neither the build nor a reader's browser
# asks the network for anything. Without a folder the site is built, looked at, and thrown away.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
. "$here/environment.sh"
make_environment docs
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
site=${1:-$work/site}
cd "$here"
"$python" -m docs.site.gather "$work/pages"
"$python" -m sphinx --fail-on-warning --keep-going --quiet --jobs auto -c docs/site -d "$work/doctrees" "$work/pages" "$site"
"$python" -m docs.site.check "$site"
