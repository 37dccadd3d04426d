"""What can go wrong with CCC, as one tree, and what each error means to the policies.

Belongs here: the errors, their reasons (stored with UNKNOWN verdicts), and what they tell the
breaker. Does not: what is transient, which :func:`etl_dagster.resilience.is_transient` reads off
``status`` and ``transient``. No message holds a phone, a key, or a part of an answer.

::

    CccError
    |-- CccConfigError           a setting is wrong
    |-- CccAuthError             the key is refused: the run must end
    |-- CccCanaryError           well-formed but wrong answers: the run must end
    |-- CccUnavailableError      the canary could not be asked
    |-- CccRefusedError          no part of a batch gets an intact answer
    `-- CccRequestError          one request got no intact answer
        |-- CccConnectionError   no answer: refused, reset, timed out
        |-- CccMalformedError    an answer that is not exactly about what was asked
        |   `-- CccIncompleteError   it is intact, and leaves phones out
        `-- CccStatusError       an HTTP status other than 200
            |-- CccRejectedError     400: a phone in the batch is not liked, or the request
            `-- CccRateLimitedError  429
"""

from etl_dagster.resilience import Outcome


class CccError(Exception):
    """Root of the tree."""


class CccConfigError(CccError, ValueError):
    """A setting is missing or out of its range."""


class CccAuthError(CccError):
    """CCC refuses the key."""


class CccCanaryError(CccError):
    """CCC answers about its own test numbers, and wrongly."""


class CccUnavailableError(CccError):
    """The test numbers could not be asked about.

    Attributes:
        reason: Why, as stored with UNKNOWN verdicts.
    """

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class CccRefusedError(CccError):
    """No part of a batch gets an intact answer: not the phones are at fault."""


class CccRequestError(CccError):
    """One request got no intact answer.

    Attributes:
        reason: Short code, stored with the UNKNOWN verdicts that follow.
        evidence_hash: SHA-256 of the body, where one arrived.
        document: That body; empty where none arrived or it must not be kept.
        transient: Whether trying again can help, where there is no HTTP status.
    """

    transient: bool = True

    def __init__(
        self, message: str, *, reason: str, evidence_hash: str = "", document: bytes = b""
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.evidence_hash = evidence_hash
        self.document = document


class CccConnectionError(CccRequestError):
    """No answer arrived, or only a part of one."""


class CccMalformedError(CccRequestError):
    """The answer is not JSON of the documented shape about exactly the phones that were sent."""


class CccIncompleteError(CccMalformedError):
    """The answer says nothing of some phones: asked again, it would leave them out again."""

    transient = False


class CccStatusError(CccRequestError):
    """CCC answered with an HTTP status other than 200.

    Attributes:
        status: The HTTP status.
        retry_after: Seconds that CCC asks to be left alone, or None.
    """

    def __init__(
        self, message: str, *, reason: str, status: int, retry_after: float | None = None
    ) -> None:
        super().__init__(message, reason=reason)
        self.status = status
        self.retry_after = retry_after


class CccRejectedError(CccStatusError):
    """CCC refuses the batch (400)."""


class CccRateLimitedError(CccStatusError):
    """CCC wants fewer requests (429).

    Attributes:
        stale: The request left before an earlier refusal was heard: slowing down could not help.
    """

    stale: bool = False


def status_error(status: int, retry_after: float | None) -> CccError:
    """Return the error that stands for an HTTP status other than 200."""
    if status in (401, 403):
        return CccAuthError(
            f"CCC refuses the key (HTTP {status}): set CCC_API_KEY to a key that is in force"
        )
    kind = {400: CccRejectedError, 429: CccRateLimitedError}.get(status, CccStatusError)
    reason = "rejected_400" if status == 400 else f"http_{status}"  # noqa: PLR2004
    message = f"CCC answered with HTTP {status} where 200 was expected"
    return kind(message, reason=reason, status=status, retry_after=retry_after)


def breaker_outcome(error: BaseException | None) -> Outcome:
    """Say what a call tells the breaker of CCC's health: the one place that decides.

    Every status, connection or content error counts, with three exceptions:

    - Of many 429 that answer one burst, only the first counts. The others left before anybody
      could slow down; were they counted, a moment's excess would open the circuit. When slowing
      down does not help, each pause adds one, and the circuit opens.
    - A 400 is an answer, and so is one that leaves phones out: there are phones that CCC does not
      like, and were it counted, a few of them would open the circuit. A batch of which no part is
      accepted counts once.
    - A refused key ends the run; the next one, with the right key, must not find an open circuit.

    What is not about CCC at all (cancellation, a bug of ours) says nothing.
    """
    if error is None:
        return Outcome.SUCCESS
    if isinstance(error, (CccRejectedError, CccIncompleteError)) or getattr(error, "stale", False):
        return Outcome.IGNORED
    if isinstance(error, (CccRequestError, CccRefusedError)):
        return Outcome.FAILURE
    return Outcome.IGNORED
