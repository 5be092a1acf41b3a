"""Which way of looking a mount table asks for."""

import pytest

from sidecar.sources.mounts import Mounts, mount_mode

TABLE = """\
22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
23 22 0:5 / /mnt/efs rw,relatime shared:2 master:1 - nfs4 fs-1.efs.eu-west-1.amazonaws.com:/ rw
24 23 0:6 / /mnt/efs/local rw - tmpfs tmpfs rw
25 22 0:7 / /mnt/with\\040space rw - fuse.sshfs host:/ rw
26 22 0:8 / /mnt/twice rw - ext4 /dev/vdb rw
27 26 0:9 / /mnt/twice rw - nfs 10.0.0.1:/logs rw
28 22 0:10 / /mnt/tls rw - nfs4 127.0.0.1:/ rw
29 22 0:11 / /mnt/new rw - newfs none rw
broken
"""


@pytest.mark.parametrize(
    ("path", "mode", "word"),
    [
        ("/srv/logs", "watch", "ext4 at /"),
        ("/mnt/efs/logs", "revalidate", "nfs4 at /mnt/efs"),
        ("/mnt/efs", "revalidate", "nfs4"),
        ("/mnt/efsx", "watch", "ext4"),
        ("/mnt/efs/local/a", "watch", "tmpfs"),
        ("/mnt/with space/logs", "revalidate", "fuse.sshfs"),
        ("/mnt/twice/logs", "revalidate", "nfs at /mnt/twice"),
        ("/mnt/tls/not/there/yet", "revalidate", "nfs4"),
        ("/mnt/new", "revalidate", "newfs"),
    ],
)
def test_mode_follows_the_nearest_mount(path: str, mode: str, word: str) -> None:
    """The longest mount point above the path decides, the last one mounted there first; what is
    not known to be this machine's own is asked anew. The reason names the file system.

    Catches: comparing paths without their separators; taking the first of two mounts; leaving
    octal escapes in; calling an unknown file system local.
    """
    found = mount_mode(path, mountinfo=TABLE)
    assert (found.mode, found.revalidates) == (mode, mode == "revalidate")
    assert word in found.reason


def test_override_outranks_the_mount() -> None:
    """`poll.mode` decides alone where it is not `auto`, and the reason says so."""
    assert mount_mode("/mnt/efs", "watch", TABLE).mode == "watch"
    assert mount_mode("/srv", "revalidate", TABLE).reason == "poll.mode is revalidate"


def test_an_unknown_table_is_asked_anew() -> None:
    """Without a mount for it a root is revalidated: dearer, never wrong."""
    assert mount_mode("/srv", mountinfo="").revalidates


def test_roots_are_learned_anew() -> None:
    """A root that nobody learned is looked up when it is asked for; `learn` keeps the given ones.

    Catches: answering `watch` for a root that is not known.
    """
    mounts = Mounts("revalidate")
    assert mounts.revalidates("/a")
    mounts.learn(["/b"])
    assert list(mounts.modes) == ["/b"]
