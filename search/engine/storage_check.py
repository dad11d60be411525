"""Where databases must not lie: SQLite's locks do not hold on file systems of a network."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import psutil

from search.engine.study import StudyError

# Names as the kernel and FUSE give them.
NETWORK_FILE_SYSTEMS = frozenset(
    {
        "9p", "afs", "auristorfs", "beegfs", "ceph", "cifs", "fhgfs", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs",
        "nfs", "nfs4", "ocfs2", "orangefs", "panfs", "pvfs2", "smb3", "smbfs", "wekafs",
        "fuse.beegfs", "fuse.ceph", "fuse.eosxd", "fuse.eosxd3", "fuse.gcsfuse", "fuse.glusterfs", "fuse.juicefs",
        "fuse.mount-s3", "fuse.rclone", "fuse.s3fs", "fuse.sshfs",
    }
)  # fmt: skip


def network_file_system(path: Path) -> str | None:
    """The type of the network file system on which a path lies, or will lie; None on a local one."""
    path = path.resolve()
    mounts = {Path(mount.mountpoint): mount.fstype for mount in psutil.disk_partitions(all=True)}
    holding = next((folder for folder in (path, *path.parents) if folder in mounts), None)
    kind = None if holding is None else mounts[holding]
    return kind if kind in NETWORK_FILE_SYSTEMS else None


def refuse_sqlite_on_network(uri: str) -> None:
    """Raises: StudyError for an SQLite database on a network file system, with what to use instead."""
    if not uri.startswith("sqlite:"):
        return
    path = Path(uri.removeprefix("sqlite:///"))
    kind = network_file_system(path)
    if kind is not None:
        raise StudyError(
            f"{uri}: {path.parent} is on a network file system ({kind}), where SQLite's locks do not hold. Give an "
            "MLflow server (http://…) or PostgreSQL (postgresql://…), or an SQLite file on a local disk. Optuna's own "
            "tools take PostgreSQL, its journal file, or its gRPC proxy"
        )


def refuse_password(uri: str) -> None:
    """Raises: StudyError for an address that holds a password: it would end up in records and on screens."""
    if urlsplit(uri).password:
        raise StudyError(
            "the tracking URI holds a password, which would be written to the search's records. Leave it out: "
            "PostgreSQL reads PGPASSWORD or ~/.pgpass, an MLflow server MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD"
        )
