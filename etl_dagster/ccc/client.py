"""One request about phones, and whether its answer is intact.

Belongs here: what the protocols of all sources have in common. Does not: a source's own
(:mod:`~etl_dagster.ccc.source`), what the body says (:mod:`~etl_dagster.ccc.answer`), retrying,
bisecting, the breaker (:mod:`~etl_dagster.ccc.asker`). An answer is intact if it is HTTP 200 with
JSON of the documented types about exactly the phones that were sent, each once; anything else is an
error.

Errors are raised apart from what caused them: causes quote what was received, which may be phones.
"""

import hashlib
import re
import time
import zlib
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote

import httpcore
import httpx
import msgspec
import numpy as np
from numpy.typing import NDArray

from etl_dagster.ccc.answer import LEFT_OUT, Answer, reconcile
from etl_dagster.ccc.config import CccConfig
from etl_dagster.ccc.errors import (
    CccAuthError,
    CccCanaryError,
    CccConnectionError,
    CccError,
    CccIncompleteError,
    CccMalformedError,
    status_error,
)
from etl_dagster.ccc.transport import GuardedTransport
from etl_dagster.resilience import parse_retry_after

_BYTES_EXTRA: Final = 65_536
_GZIP_WINDOW: Final = 31
_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_MALFORMED: Final = (httpx.HTTPError, httpx.InvalidURL)
_LOGIN_MARK: Final = b"<title>login"


class CccClient:
    """Asks CCC about one batch at a time; threads may share it.

    Args:
        config: The settings.
        clock: Seconds since the epoch; reads dates in ``Retry-After``.
    """

    def __init__(self, config: CccConfig, *, clock: Callable[[], float] = time.time) -> None:
        self._config = config
        self._clock = clock
        self._endpoint = httpx.URL(config.endpoint)
        tls = self._endpoint.scheme == "https"
        self._transport = GuardedTransport(connections=config.max_workers, tls=tls)
        self._http = httpx.Client(
            transport=self._transport,
            trust_env=False,  # no proxy, no netrc: phones go to the configured host alone
            follow_redirects=False,
            headers={
                "loginId": config.api_key,
                "Content-Type": "application/json",
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                "User-Agent": "etl-dagster",
            },
            timeout=httpx.Timeout(
                connect=config.connect_timeout,
                read=config.read_timeout,
                write=config.write_timeout,
                pool=config.pool_timeout,
            ),
        )

    def ask(self, phones: NDArray[np.int64], *, divisible: bool = True) -> Answer:
        """Send one batch and return its intact answer.

        Args:
            phones: Distinct valid 10-digit numbers, at most 10,000.
            divisible: Parts may be asked about instead, if the answer leaves phones out.

        Raises:
            CccAuthError: The key is refused.
            CccRequestError: There is no intact answer; the class says why.
        """
        phone_list = msgspec.json.encode(phones.tolist())[1:-1]
        source = self._config.source
        most = _BYTES_EXTRA + source.bytes_per_phone * phones.size
        document = self._exchange(source.body % phone_list, most)
        evidence = hashlib.sha256(document).hexdigest()
        problem, verdicts, reasons = reconcile(document, phones, source)
        if problem:
            kind = CccIncompleteError if divisible and problem == LEFT_OUT else CccMalformedError
            raise kind(
                f"CCC's answer about {phones.size} phones {problem}; nothing of it is used",
                reason="malformed_response",
                evidence_hash=evidence,
                document=self._to_keep(document),
            )
        return Answer(verdicts, reasons, evidence, self._to_keep(document))

    def canary(self) -> Answer:
        """Ask about the vendor's test numbers.

        Raises:
            CccCanaryError: The answer is intact and wrong.
            CccAuthError: The key is refused.
            CccRequestError: There is no intact answer.
        """
        canary = self._config.source.canary
        answer = self.ask(np.array([*canary], dtype=np.int64), divisible=False)
        if answer.verdicts.tolist() != [*canary.values()]:
            raise CccCanaryError(
                "CCC's answers about its own two test numbers are wrong: its data or the protocol "
                "has changed; no verdict can be trusted until the vendor explains it"
            )
        return answer

    def abort(self) -> None:
        """End every request that is under way, from any thread."""
        self._transport.abort()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def _exchange(self, body: bytes, most: int) -> bytes:
        error: CccError
        try:
            with (
                self._transport.within(self._config.answer_timeout),
                self._http.stream("POST", self._endpoint, content=body) as response,
            ):
                if response.status_code == httpx.codes.OK:
                    return self._read_json(response, most)
                header = response.headers.get("Retry-After")
                wait = parse_retry_after(header, now=self._clock())
                error = status_error(response.status_code, wait)
        except httpcore.TimeoutException:
            error = CccConnectionError("CCC did not answer in time", reason="timeout")
        # httpx reads where a redirect would lead, also where it does not go there
        except (httpcore.NetworkError, httpcore.ProtocolError, *_MALFORMED) as problem:
            kind = type(problem).__name__
            message = f"the connection to CCC failed ({kind})"
            error = CccConnectionError(message, reason="connection_failed")
        except CccError as problem:
            error = problem
        error.__context__ = None
        raise error

    def _read_json(self, response: httpx.Response, most: int) -> bytes:
        """Return the body, inflated, if it is JSON and not longer than ``most`` bytes."""
        document = _read(response, most)
        content_type = response.headers.get("Content-Type", "application/json").lower()
        if document is not None and _LOGIN_MARK in document[:_BYTES_EXTRA].lower():
            raise CccAuthError(
                "CCC answers with its login page where JSON was expected: it does not know the "
                "key; set CCC_API_KEY to a key that is in force"
            )
        if document is None or "json" not in content_type:
            raise CccMalformedError(
                "CCC's answer is not JSON, too long, or in an unknown encoding",
                reason="malformed_response",
                evidence_hash="" if document is None else hashlib.sha256(document).hexdigest(),
                document=self._to_keep(document or b""),
            )
        return document

    def _to_keep(self, document: bytes) -> bytes:
        """Return the body as evidence; none of it if it repeats the key, which nobody may keep."""
        return b"" if repeats(document, self._config.api_key) else document


def repeats(document: bytes, key: str) -> bool:
    """Tell whether a body has the key in it, however its letters and signs are written.

    Upper and lower case are one, and escapes of JSON and of URLs are undone, also one within the
    other. A body that only looks so is not kept either, which costs no more than its evidence.
    """
    text = document.decode("utf-8", "replace")
    plain = _unescaped(text)
    forms = {text, plain, unquote(text), unquote(plain), _unescaped(unquote(text))}
    wanted = {key.casefold(), key.replace(" ", "+").casefold()}
    return any(one in form.casefold() for form in forms for one in wanted)


def _unescaped(text: str) -> str:
    """A text with its JSON escapes undone, those of line ends and such aside: no key has these."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else found[2], text)


def _read(response: httpx.Response, most: int) -> bytes | None:
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    if encoding not in ("identity", "gzip"):
        return None
    inflate = zlib.decompressobj(_GZIP_WINDOW) if encoding == "gzip" else None
    parts, size = [], 0
    try:
        for chunk in response.iter_raw():
            part = inflate.decompress(chunk, most + 1 - size) if inflate else chunk
            size += len(part)
            if size > most:
                return None
            parts.append(part)
    except zlib.error:
        return None
    return None if inflate and not inflate.eof else b"".join(parts)
