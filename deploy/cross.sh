# For scripts that build for amd64 or arm64, on either of them: they source this file.

# Prepares for an architecture of Debian. Sets $target to cargo's name of it, $strip to its strip, and $emulator to the
# words before a command that runs its programs. Installs missing packages for an architecture other than this
# machine's.
prepare_for() {
    local machine gnu linker
    case $1 in
        amd64) machine=x86_64 ;;
        arm64) machine=aarch64 ;;
        *) echo "not amd64 or arm64: $1" >&2; return 1 ;;
    esac
    target=$machine-unknown-linux-gnu
    strip=strip
    emulator=()
    [ "$machine" != "$(uname -m)" ] || return 0
    gnu=$machine-linux-gnu
    if ! command -v "$gnu-gcc" >/dev/null || ! command -v "qemu-$machine" >/dev/null; then
        apt-get update -qq >&2
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            "gcc-${gnu/_/-}" "libc6-dev-$1-cross" qemu-user >&2
    fi
    rustup -q target add "$target" >&2
    linker=${target^^}
    export "CARGO_TARGET_${linker//-/_}_LINKER=$gnu-gcc"
    strip=$gnu-strip
    emulator=("qemu-$machine" -L "/usr/$gnu")
}
