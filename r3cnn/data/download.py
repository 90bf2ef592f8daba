"""Download a file over HTTP: resumes, and keeps the file only if size and checksum are right."""

import http.client
import logging
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ..core.errors import UserError
from ..core.files import NO_ACCESS, NO_SPACE, sha256_of, writing
from ..core.progress import Pace

log = logging.getLogger(__name__)

TRIES = 5  # in a row that brought nothing new
PAUSE = 2.0  # seconds before the second of them; each next one waits twice as long
SILENCE = 60.0  # seconds without a byte after which a connection counts as broken off
CHUNK = 2**20
PARTIAL, WHOLE, PAST_THE_END = 206, 200, 416


@dataclass(frozen=True)
class Wanted:
    """A file as its publisher states it; `size` in bytes, `sha256` whole or its first digits."""

    address: str
    size: int | None
    sha256: str


class _BrokenOff(Exception):
    """The connection ended early; the downloaded part is kept."""


def require_right(path: Path, wanted: Wanted) -> None:
    """Raise UserError where a file has not the size or the checksum that is stated."""
    size = path.stat().st_size
    if wanted.size is not None and size != wanted.size:
        raise UserError(
            f"{path}: {size} bytes found, expected {wanted.size}; it is cut off or another file: "
            "remove it and fetch it again, or from another mirror"
        )
    digest = sha256_of(path)
    if not digest.startswith(wanted.sha256.lower()):
        raise UserError(
            f"{path}: sha256 {digest} found, expected {wanted.sha256}; it is another file: "
            "remove it and fetch it again, or from another mirror"
        )


def download(wanted: Wanted, path: Path) -> None:
    """Write the file at an address to `path`; a broken download resumes from its part next to `path`.

    Raises UserError where the server gives up, says no, or sends another file: then nothing is kept.
    """
    if path.is_file():
        require_right(path, wanted)
        return
    part = path.with_name(f"{path.name}.part")
    with writing(part, NO_ACCESS | NO_SPACE):
        part.parent.mkdir(parents=True, exist_ok=True)
        part.touch()
        try:
            _fetch_all(wanted, part)
        except UserError:
            if part.stat().st_size == 0:
                part.unlink()
            raise
    try:
        require_right(part, wanted)
    except UserError as error:
        part.unlink()
        raise UserError(f"{wanted.address}: the wrong file: {error}") from None
    part.replace(path)
    log.info("%s: %d bytes, checksum verified", path, path.stat().st_size)


def _fetch_all(wanted: Wanted, part: Path) -> None:
    """Ask for what is missing until nothing is."""
    fruitless = 0
    while True:
        before = part.stat().st_size
        if wanted.size is not None and before >= wanted.size:
            return
        try:
            _fetch_rest(wanted, part)
            return
        except _BrokenOff as broken:
            fruitless = 0 if part.stat().st_size > before else fruitless + 1
            if fruitless == TRIES:
                raise UserError(
                    f"{wanted.address}: interrupted after {part.stat().st_size} bytes, {TRIES} times in a "
                    f"row without a new byte ({broken}); run the same command again later, or give "
                    "another --mirror: the downloaded part is kept"
                ) from None
            log.warning("%s: %s; resuming", wanted.address, broken)
            if fruitless:
                time.sleep(PAUSE * 2 ** (fruitless - 1))


def _fetch_rest(wanted: Wanted, part: Path) -> None:
    """One request for all that is missing. Raises _BrokenOff where it ends early."""
    have = part.stat().st_size
    headers = {"Range": f"bytes={have}-"} if have else {}
    request = urllib.request.Request(wanted.address, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=SILENCE) as answer:
            if have and answer.status != PARTIAL:
                log.info(
                    "%s: the server cannot resume the download; starting from scratch",
                    wanted.address,
                )
                have = 0
            _require_size(wanted, have, answer.headers.get("Content-Length"))
            with open(part, "ab" if have else "wb") as file:
                _copy(wanted, answer, file, have)
    except urllib.error.HTTPError as error:
        if error.code == PAST_THE_END:  # all of it is there, or too much: the checksum tells
            return
        if error.code >= 500:
            raise _BrokenOff(f"the server answers {error.code}") from None
        raise UserError(
            f"{wanted.address}: the server answers {error.code} ({error.reason}); check the address, or "
            "give another --mirror"
        ) from None
    except (
        urllib.error.URLError,
        http.client.HTTPException,
        ConnectionError,
        TimeoutError,
    ) as error:
        reason = getattr(error, "reason", None) or error
        raise _BrokenOff(f"{reason or type(error).__name__}") from None


def _require_size(wanted: Wanted, have: int, stated: str | None) -> None:
    """Before gigabytes come: the server must mean the file that is wanted."""
    if wanted.size is None or not (stated or "").isdigit():
        return
    if have + int(stated) != wanted.size:
        raise UserError(
            f"{wanted.address}: the server offers {have + int(stated)} bytes, expected {wanted.size}: "
            "the wrong file; give another --mirror"
        )


def _copy(wanted: Wanted, answer: http.client.HTTPResponse, file, have: int) -> None:
    pace = Pace()
    stated = answer.headers.get("Content-Length")
    end = have + int(stated) if stated else wanted.size
    while block := answer.read(CHUNK):
        file.write(block)
        have += len(block)
        if pace.due():
            share = f"{100 * have / end:.0f} % of " if end else ""
            name = urlsplit(wanted.address).path.rpartition("/")[2]
            log.info("%s: %.0f MB, %s%s", name, have / 1e6, share, end or "an unknown size")
    if end is not None and have < end:
        raise _BrokenOff(f"{have} of {end} bytes came")
