#!/usr/bin/env bash
# Installs tesseract, which reads pictures back, with its languages: Debian packages, for PyPI has no maintained ones with
# the language data. Does nothing when they are there.
set -euo pipefail
languages=(por eng)

missing() {
  command -v tesseract >/dev/null || return 0
  local known language
  known=$(tesseract --list-langs 2>/dev/null)
  for language in "${languages[@]}"; do
    grep -qx "$language" <<<"$known" || return 0
  done
  return 1
}

missing || exit 0
if ! command -v apt-get >/dev/null || [[ $(id -u) -ne 0 ]]; then
  echo "Tesseract with the languages ${languages[*]} is needed and this script can install it on Debian as root only." >&2
  echo "Please install it: packages tesseract-ocr, tesseract-ocr-por and tesseract-ocr-eng on Debian and Ubuntu," >&2
  echo "tesseract and tesseract-lang with Homebrew." >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends tesseract-ocr "${languages[@]/#/tesseract-ocr-}" >/dev/null
if missing; then
  echo "Tesseract was installed, but not with all of: ${languages[*]}" >&2
  exit 1
fi
