"""How an alert reaches people: one request to a webhook or to an ntfy topic.

Belongs here: the requests, and what their failures mean. Does not: which channels there are, and
trying again. The address of a channel lets anybody post to it: it is in no error and no log.
"""

import html
import string
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

import httpx

from etl_dagster.alerts.alert import Alert
from etl_dagster.resilience import parse_retry_after

TIMEOUT: Final = httpx.Timeout(connect=2.0, read=4.0, write=2.0, pool=2.0)
NTFY_BYTES: Final = 4_000
"""Above 4,096 bytes ntfy makes an attachment of a message (its default `message-size-limit`)."""


class AlertError(Exception):
    """An alert was not delivered. The message names channels and reasons, never an address.

    Attributes:
        status: the HTTP status of the answer, if one came.
        retry_after: seconds after which the service would listen again, if it said so.
        transient: whether trying again can help, where there is no status.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        transient: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
        self.transient = transient


@dataclass(frozen=True)
class Channel:
    """A way to people over HTTP.

    Attributes:
        name: what errors call it.
        request: makes the request that delivers an alert; it knows the address.
    """

    name: str
    request: Callable[[Alert], httpx.Request] = field(repr=False)

    def send(self, alert: Alert) -> None:
        """Deliver an alert, in one try.

        Raises:
            AlertError: it was not taken. Redirects are not followed.
        """
        try:
            request = _signed_in(self.request(alert))
            # A bare transport, since an httpx client logs the addresses that it asks.
            with (
                httpx.HTTPTransport() as transport,
                closing(transport.handle_request(request)) as response,
            ):
                status = response.status_code
                wait = parse_retry_after(response.headers.get("Retry-After"), now=time.time())
        except Exception as problem:  # noqa: BLE001  whatever it is must not silence the others
            kinds = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError)
            error = AlertError(
                f"{self.name}: {type(problem).__name__}", transient=isinstance(problem, kinds)
            )
        else:
            if httpx.codes.is_success(status):
                return
            error = AlertError(f"{self.name}: HTTP {status}", status=status, retry_after=wait)
        raise error  # outside of the handler: what httpx raised may quote the address


def _signed_in(request: httpx.Request) -> httpx.Request:
    """The request with the name and password of its address as a header, if it has them."""
    url = request.url
    if not url.userinfo:
        return request
    return next(httpx.BasicAuth(url.username, url.password).auth_flow(request))


def webhook(url: str) -> Channel:
    """Incoming webhooks as Slack, Mattermost and Teams have them, or any program of yours.

    They show the field `text` of a JSON object; the facts are beside it.
    """

    def request(alert: Alert) -> httpx.Request:
        # `text` is markup to all of them: <!channel> in a message must not ring everywhere
        text = html.escape(f"{alert.title}\n{alert.text}", quote=False)
        return _post(url, json={"text": text, **alert.fields})

    return Channel("webhook", request)


def ntfy(url: str) -> Channel:
    """A topic of ntfy.sh or of a server of one's own (docs.ntfy.sh/publish)."""

    def request(alert: Alert) -> httpx.Request:
        headers = {
            "Title": alert.title.encode("ascii", "replace").decode("ascii"),
            "Priority": "high",
            "Tags": "rotating_light",
            "Click": quote(alert.link, safe=string.punctuation),
            "Content-Type": "text/plain; charset=utf-8",
        }
        content = alert.text.encode()[:NTFY_BYTES].decode(errors="ignore").encode()
        return _post(url, headers=headers, content=content)

    return Channel("ntfy", request)


def _post(url: str, *, headers: Mapping[str, str] | None = None, **body: Any) -> httpx.Request:
    return httpx.Request(
        "POST",
        url,
        headers={"User-Agent": "etl-dagster", **(headers or {})},
        extensions={"timeout": TIMEOUT.as_dict()},
        **body,
    )
