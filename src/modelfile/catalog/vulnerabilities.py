"""Published vulnerabilities of Ollama servers, and the release that fixes each.

Only those with a known first fixed release are listed. Advisories without one would mark every server: CVE-2024-8063,
CVE-2024-12055, CVE-2025-0312, CVE-2025-0315, CVE-2025-0317, CVE-2025-1975, CVE-2025-63389, CVE-2026-7020. Those that no
source at hand confirms are not listed either: CVE-2024-7773, CVE-2024-39719, CVE-2024-39721, CVE-2024-39722.

Source: the Go vulnerability database (golang/vulndb at 2026-08-21), whose entry `source` is; where the release is from
elsewhere, a comment says so.
"""

from __future__ import annotations

from typing import Final

from modelfile.catalog.versions import Version
from modelfile.immutable import record


@record()
class Vulnerability:
    """A vulnerability of Ollama servers before a release."""

    cve: str
    """Its number, as in `CVE-2024-37032`."""
    fixed: Version
    """The first release without it."""
    effect: str
    """The gain of an attacker."""
    source: str
    """URL of the entry that names the release."""


_DATABASE: Final = "https://pkg.go.dev/vuln/"

VULNERABILITIES: Final = (
    Vulnerability(
        "CVE-2024-28224",
        Version(0, 1, 29),
        "a web page in your browser can use the server (DNS rebinding)",
        f"{_DATABASE}GO-2024-2699",
    ),
    Vulnerability(
        "CVE-2024-37032",
        Version(0, 1, 34),
        "a registry can write files outside the store and so run code",
        f"{_DATABASE}GO-2024-2901",
    ),
    Vulnerability(
        "CVE-2025-44779", Version(0, 1, 34), "a request can delete files outside the store", f"{_DATABASE}GO-2025-3851"
    ),
    Vulnerability(
        "CVE-2024-39720", Version(0, 1, 46), "an uploaded GGUF file can crash the server", f"{_DATABASE}GO-2024-3245"
    ),
    Vulnerability(
        "CVE-2024-45436",
        Version(0, 1, 47),
        "an uploaded ZIP archive can write files outside its folder",
        f"{_DATABASE}GO-2024-3104",
    ),
    Vulnerability(
        "CVE-2024-12886",
        Version(0, 4, 0),
        "a gzip-compressed answer of a registry can exhaust memory",
        f"{_DATABASE}GO-2025-3548",
    ),
    Vulnerability(  # fixed by commit 7601f0e (ollama/ollama#13738), whose first release tag is v0.14.3
        "CVE-2025-51471",
        Version(0, 14, 3),
        "a registry can obtain the server's token for another registry",
        "https://github.com/ollama/ollama/pull/13738",
    ),
    Vulnerability(
        "CVE-2026-7482",
        Version(0, 17, 1),
        "an uploaded GGUF file can read the server's memory",
        f"{_DATABASE}GO-2026-5748",
    ),
)
"""The vulnerabilities, by the release that fixes them."""


def vulnerabilities_of(version: Version) -> tuple[Vulnerability, ...]:
    """Return the vulnerabilities of a release.

    >>> [item.cve for item in vulnerabilities_of(Version.parse("0.14.0"))]
    ['CVE-2025-51471', 'CVE-2026-7482']
    """
    return tuple(item for item in VULNERABILITIES if version < item.fixed)
