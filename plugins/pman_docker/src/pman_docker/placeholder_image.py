"""An image that holds nothing, for containers that are never started."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile


def placeholder_image(name: str) -> bytes:
    """The image as an archive of ``docker save``.

    The same name always gives the same bytes, and so, on every engine, the same image: several
    processes may load it at once, and nothing is left dangling, as ``import`` would.
    """
    layer = b"\0" * 1024  # an empty tar
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": {},
            "rootfs": {
                "type": "layers",
                "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"],
            },
        }
    ).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}]
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for member, content in (
            ("layer.tar", layer),
            (config_name, config),
            ("manifest.json", json.dumps(manifest).encode()),
        ):
            info = tarfile.TarInfo(member)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return archive.getvalue()
