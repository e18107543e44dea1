#!/bin/sh
# Chromium and its driver for the test of the page, where they can be installed without asking; else that test skips.
set -eu
if command -v chromedriver >/dev/null 2>&1 && command -v chromium >/dev/null 2>&1; then
    exit 0
fi
line="apt-get update && apt-get install -y --no-install-recommends chromium chromium-driver"
sudo=""
[ "$(id -u)" = 0 ] || sudo="sudo -n"
if [ -n "${SPATIALMEM_NO_BROWSER:-}" ] || ! command -v apt-get >/dev/null 2>&1; then
    :
elif [ -z "$sudo" ] || { command -v sudo >/dev/null 2>&1 && $sudo true 2>/dev/null; }; then
    $sudo env DEBIAN_FRONTEND=noninteractive sh -c "$line" && exit 0
fi
printf 'no Chromium here, so the test of the page in a browser will skip; to have it: sudo sh -c "%s"\n' "$line" >&2
