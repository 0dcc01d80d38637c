# shellcheck shell=bash
# The images that test jobs run, made without any registry and cached as an archive.
#   localhost/pman-test:1   Debian with Python; an ENTRYPOINT that fails shows whether a backend kept it
#   localhost/pman-chris:1  the same with the ChRIS plugin simpledsapp from the package index
test_image=localhost/pman-test:1
chris_image=localhost/pman-chris:1
image_dir=$STATE/images
# Change it whenever this file makes something else.
recipe=1

give_images() {
    give PMAN_TEST_IMAGE $test_image
    give PMAN_TEST_CHRIS_IMAGE $chris_image
}

# put_images docker|podman: imports what that engine does not have.
put_images() {
    local engine=$1
    has_image "$engine" $test_image || {
        make_base
        put_image "$engine" $test_image 'ENTRYPOINT ["/bin/false"]' <"$image_dir/base-$recipe.tar"
    }
    has_image "$engine" $chris_image || {
        make_base
        make_chris
        put_image "$engine" $chris_image 'CMD ["simpledsapp.py"]' <"$image_dir/chris-$recipe.tar"
    }
}

client() {
    case $1 in
        docker) docker "${@:2}" ;;
        podman) podman --url "$PMAN_PODMAN_HOST" "${@:2}" ;;
    esac
}

has_image() {
    [ "$(client "$1" image inspect --format '{{index .Config.Labels "pman.recipe"}}' "$2" 2>/dev/null)" = $recipe ]
}

put_image() {
    say "importing $2 into $1"
    client "$1" import --change "$3" --change "LABEL pman.recipe=$recipe" \
        --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' - "$2" >/dev/null
}

# Half a minute, once: a minimal Debian (or Ubuntu) of the host's own release and mirror.
make_base() {
    local tar=$image_dir/base-$recipe.tar
    [ ! -f "$tar" ] || return 0
    packages mmdebstrap
    need_root "making $test_image"
    mkdir -p "$image_dir"
    say "making $test_image with mmdebstrap (log: $image_dir/base.log)"
    # shellcheck disable=SC2016 # mmdebstrap gives the new root to its hooks as $1.
    mmdebstrap --quiet --mode=root --format=tar --variant=essential --include=python3 \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
        --customize-hook='rm -rf "$1"/etc/apt/sources.list* "$1"/etc/apt/auth.conf* "$1"/var/lib/dpkg/info/*' \
        --customize-hook='find "$1" -xdev -name __pycache__ -prune -exec rm -rf {} +' \
        "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$tar.part" "$(mirror)" \
        </dev/null >"$image_dir/base.log" 2>&1 3>&- 9>&- ||
        { tail -n 20 "$image_dir/base.log" >&2 && die "mmdebstrap failed"; }
    mv "$tar.part" "$tar"
}

# The plugin is pure Python, so the host's pip may install it for the image's interpreter.
# Left out is what it requires besides chrisapp: the debugger pudb, which it never imports.
# chrisapp from 1.1 on defines --version itself, which this plugin's own --version collides with.
make_chris() {
    local tar=$image_dir/chris-$recipe.tar work python script
    [ ! -f "$tar" ] || return 0
    python3 -c 'import ensurepip, venv' 2>/dev/null || packages python3 python3-venv
    say "making $chris_image with pip (log: $image_dir/chris.log)"
    work=$(mktemp -d "$image_dir/chris.XXXXXX")
    python=$(tar -tf "$image_dir/base-$recipe.tar" | sed -n 's#^\./usr/lib/\(python3\.[0-9]*\)/os\.py$#\1#p')
    {
        python3 -m venv "$work/venv" &&
            "$work/venv/bin/pip" install --no-deps --no-compile --target "$work/packages" simpledsapp==1.0.3 chrisapp==1.0.9
    } >"$image_dir/chris.log" 2>&1 || { tail -n 20 "$image_dir/chris.log" >&2 && die "pip could not install simpledsapp"; }
    [ -z "$(find "$work/packages" -name '*.so' -print -quit)" ] || die "simpledsapp is no longer pure Python"
    mkdir -p "$work/root/usr/local/bin" "$work/root/usr/local/lib/$python"
    for script in "$work/packages/bin"/*; do
        sed -i '1s|^#!.*|#!/usr/bin/python3|' "$script"
    done
    mv "$work/packages/bin"/* "$work/root/usr/local/bin/"
    rm -r "$work/packages/bin"
    mv "$work/packages" "$work/root/usr/local/lib/$python/dist-packages"
    cp "$image_dir/base-$recipe.tar" "$tar.part"
    # Only new files and not the folders themselves, which keep the modes they have in the base.
    (cd "$work/root" && find . ! -type d -print0) |
        tar -rf "$tar.part" -C "$work/root" --owner=0 --group=0 --mode=go=rX,u+rw --null -T -
    rm -r "$work"
    mv "$tar.part" "$tar"
}
