#!/bin/sh
# Writes static/vendor/mediabunny-*.min.js anew, the same bytes every time: what the comparer needs
# of mediabunny (reading of MP4 and WebM) in one minified ES module. Needs npm; for the author of a
# change only. After a change of version: VENDORED in release/licences.py, then `make licences`.
set -eu
MEDIABUNNY=1.61.0 ESBUILD=0.28.2
here=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
echo '{"private":true,"type":"module"}' > package.json
npm install --no-audit --no-fund --silent --ignore-scripts \
  "mediabunny@$MEDIABUNNY" "esbuild@$ESBUILD"
echo "export { EncodedPacketSink, Input, MATROSKA, MP4, QTFF, UrlSource, WEBM } from 'mediabunny';" \
  > entry.js
npx esbuild entry.js --bundle --minify --format=esm --platform=browser --target=es2022 \
  --legal-comments=none --banner:js="/* mediabunny v$MEDIABUNNY, MPL-2.0, (c) Vanilagy and \
contributors: the parts that read MP4 and WebM, bundled and minified by release/mediabunny.sh. \
Source: src/ in the npm package mediabunny@$MEDIABUNNY, github.com/Vanilagy/mediabunny */" \
  --outfile="$here/static/vendor/mediabunny-$MEDIABUNNY.min.js"
cp node_modules/mediabunny/LICENSE "$here/static/vendor/mediabunny-LICENSE.txt"
