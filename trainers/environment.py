"""What a process that trains on a CPU is to be started with. Imports nothing."""

from __future__ import annotations

MEMORY = {
    # glibc gives large arrays back to the kernel at once and gets them anew, page by page, at every step: that took a
    # tenth of the time and more. Here it keeps what it has, in huge pages where the kernel offers them.
    "GLIBC_TUNABLES": ":".join(
        (
            "glibc.malloc.mmap_max=0",
            "glibc.malloc.trim_threshold=68719476736",
            "glibc.malloc.top_pad=67108864",
            "glibc.malloc.arena_max=1",
            "glibc.malloc.hugetlb=1",
        )
    )
}
"""Environment variables. Elsewhere than on Linux with glibc nobody reads them."""
