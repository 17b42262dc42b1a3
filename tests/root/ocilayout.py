# SPDX-License-Identifier: GPL-3.0-or-later
"""Small OCI layouts, made by hand, for other tools to push: layers of files, a config, a manifest, or a list of several platforms."""
from __future__ import annotations

import gzip
import hashlib
import io
import json
import pathlib
import tarfile
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model import distribution as d

Files = t.Mapping[str, t.Optional[bytes]]       # None is a directory


def layer_tar(files: Files) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.mtime = 1700000000
            if content is None:
                member.type, member.mode = tarfile.DIRTYPE, 0o755
            else:
                member.size, member.mode = len(content), 0o755 if name.startswith("bin/") else 0o644
            archive.addfile(member, io.BytesIO(content or b""))
    return out.getvalue()


class Layout:
    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        (path / "blobs" / "sha256").mkdir(parents=True)
        (path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')

    def blob(self, content: bytes, media_type: str) -> t.Dict[str, t.Any]:
        digest = hashlib.sha256(content).hexdigest()
        (self.path / "blobs" / "sha256" / digest).write_bytes(content)
        return {"mediaType": media_type, "digest": "sha256:" + digest, "size": len(content)}

    def image(self, layers: t.Sequence[Files], *, architecture: str = "amd64", command: t.Sequence[str] = ("/bin/app",)) -> t.Dict[str, t.Any]:
        tars = [layer_tar(files) for files in layers]
        config = {
            "architecture": architecture, "os": "linux", "created": "2024-05-06T07:08:09Z", "author": "somebody",
            "config": {"Cmd": list(command), "Env": ["PATH=/bin", "A=b"], "Labels": {"of": "tests"}},
            "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(tar).hexdigest() for tar in tars]},
            "history": [{"created_by": "layer %d" % place} for place in range(len(tars))],
        }
        value = {
            "schemaVersion": 2, "mediaType": d.OCI_MANIFEST, "config": self.blob(json.dumps(config).encode(), d.OCI_CONFIG),
            "layers": [self.blob(gzip.compress(tar, 1, mtime=0), d.OCI_LAYER_GZIP) for tar in tars],
        }
        return self.blob(json.dumps(value).encode(), d.OCI_MANIFEST)

    def save(self, *images: t.Dict[str, t.Any]) -> str:
        """What skopeo calls it. One image as it is, several with their platforms as a list."""
        entry = dict(images[0])
        if len(images) > 1:
            value = {"schemaVersion": 2, "mediaType": d.OCI_INDEX, "manifests": list(images)}
            entry = self.blob(json.dumps(value).encode(), d.OCI_INDEX)
        entry["annotations"] = {"org.opencontainers.image.ref.name": "it"}
        (self.path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
        return "oci:%s:it" % self.path


def on(image: t.Dict[str, t.Any], architecture: str) -> t.Dict[str, t.Any]:
    return {**image, "platform": {"os": "linux", "architecture": architecture}}
