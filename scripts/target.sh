# Sourced: lighter_bin PROFILE prints the directory of the built programs.
lighter_bin() {
  printf '%s/%s/%s\n' "${CARGO_TARGET_DIR:-target}" "$(rustc -vV | sed -n 's/^host: //p')" "$1"
}
