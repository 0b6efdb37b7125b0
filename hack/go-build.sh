# Read by the scripts of this folder that build Go programs and cache them. Not run by itself.

# need_go NAME ELSE WHAT: ends the script with 3 where there is no Go (nor what ELSE names), and says which tests are skipped.
need_go() {
  command -v go >/dev/null 2>&1 && return
  echo "hack/$1: there is no Go toolchain$2: $3 are SKIPPED" >&2
  exit 3
}

# begin_build PREFIX: makes the folder $build beside PREFIX, which goes when the script ends, however it does.
begin_build() {
  build=$(mktemp -d "$1.XXXXXX")
  trap 'rm -rf "$build"' EXIT
  # dash runs no EXIT trap when a signal ends it.
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  export CGO_ENABLED=0 GOFLAGS=-mod=readonly
}
