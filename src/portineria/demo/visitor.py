# SPDX-License-Identifier: Apache-2.0
"""A person at a browser, without the browser: signs in with password and second factor, fills in the real forms."""

import base64
import contextlib
import hashlib
import hmac
import http.cookiejar
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

from portineria.core.errors import Unavailable

_TIMEOUT_S = 20.0
_PAGE_BYTES = 4 << 20


def totp(secret: str, at: float) -> str:
    """The six digits that an authenticator shows at Unix second ``at``: RFC 6238, SHA-1, 30 s."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.digest(key, int(at // 30).to_bytes(8, "big"), hashlib.sha1)
    start = digest[-1] & 15
    return f"{(int.from_bytes(digest[start : start + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06d}"


@dataclass
class Form:
    action: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._open: Form | None = None
        self._choice = ""
        self._text = ""  # name of the field whose text is being read

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(values.get("action", ""))
            self.forms.append(self._open)
        elif self._open is None:
            return
        elif tag == "select":
            self._choice = values.get("name", "")
        elif tag == "option" and self._choice and ("selected" in values or self._choice not in self._open.fields):
            self._open.fields[self._choice] = values.get("value", "")
        elif tag == "textarea":
            self._text = values.get("name", "")
            self._open.fields[self._text] = ""
        elif tag in ("input", "button") and "name" in values:
            self._take(tag, values)

    def handle_data(self, data: str) -> None:
        if self._open is not None and self._text:
            self._open.fields[self._text] += data

    def _take(self, tag: str, values: dict[str, str]) -> None:
        assert self._open is not None  # noqa: S101
        kind = values.get("type", "submit" if tag == "button" else "text")
        if kind in ("submit", "button"):
            self._open.buttons.append((values["name"], values.get("value", "")))
        elif kind not in ("checkbox", "radio") or "checked" in values:
            self._open.fields[values["name"]] = values.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        elif tag == "select":
            self._choice = ""
        elif tag == "textarea":
            self._text = ""


@dataclass(frozen=True)
class Page:
    url: str
    status: int
    text: str

    def form(self, holding: str) -> Form:
        """The form that has this field or whose action contains this text; raise Unavailable when there is none."""
        reader = _Forms()
        reader.feed(self.text)
        for form in reader.forms:
            if holding in form.fields or holding in form.action or holding in dict(form.buttons):
                return form
        raise Unavailable(f"{self.url} ({self.status}) has no form with {holding}")


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows redirects inside the console; one to another origin is the answer itself."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]
        if urllib.parse.urlsplit(newurl).netloc != urllib.parse.urlsplit(req.full_url).netloc:
            return None
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class Visitor:
    def __init__(self, console: str) -> None:
        self._console = console.rstrip("/")
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # the demo's own self-made certificate
        self._cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPCookieProcessor(self._cookies),
            urllib.request.HTTPSHandler(context=context),
            _Stay(),
        )
        self.redirected: str | None = None

    def get(self, path: str) -> Page:
        return self._open(self._absolute(path), None, {})

    @contextlib.contextmanager
    def listening(self, path: str) -> Iterator[Iterator[str]]:
        """The lines of a stream of events, as they come. Raise Unavailable when it does not begin."""
        try:
            with self._opener.open(self._absolute(path), timeout=_TIMEOUT_S) as answer:
                yield (line.decode("utf-8", "replace").rstrip("\n") for line in answer)
        except OSError as error:
            raise Unavailable(f"the console does not answer: {error}") from error

    def submit(self, page: Page, form: Form, **values: str) -> Page:
        data = urllib.parse.urlencode(form.fields | values).encode()
        target = urllib.parse.urljoin(page.url, form.action or page.url)
        return self._open(target, data, {"Referer": page.url, "Origin": self._console})

    def sign_in(self, mail: str, password: str, secret: str) -> None:
        """Raise Unavailable when the console does not let this person in. A code is good once: waits for the next."""
        page = self.get("/accounts/login/")
        page = self.submit(page, page.form("login"), login=mail, password=password)
        deadline = time.monotonic() + 70
        used = ""
        while "/2fa/" in page.url or "authenticate" in page.url:
            code = totp(secret, time.time())
            if code == used:
                if time.monotonic() > deadline:
                    raise Unavailable(f"{mail} cannot sign in: the second factor was refused")
                time.sleep(1)
                continue
            used = code
            page = self.submit(page, page.form("code"), code=code)
        if "/accounts/login" in page.url or page.status >= 400:
            raise Unavailable(f"{mail} cannot sign in ({page.status} at {page.url})")

    def _absolute(self, path: str) -> str:
        return path if "://" in path else self._console + path

    def _open(self, url: str, data: bytes | None, headers: dict[str, str]) -> Page:
        if not url.startswith(("http://", "https://")):
            raise Unavailable(f"{url} is no address of a console")
        request = urllib.request.Request(url, data=data, headers={"Accept-Language": "en", **headers})  # noqa: S310
        self.redirected = None
        try:
            with self._opener.open(request, timeout=_TIMEOUT_S) as answer:
                text = answer.read(_PAGE_BYTES).decode("utf-8", "replace")
                return Page(answer.geturl(), answer.status, text)
        except urllib.error.HTTPError as error:
            with error:
                if 300 <= error.code < 400:
                    self.redirected = error.headers.get("Location")
                return Page(error.geturl() or url, error.code, error.read(_PAGE_BYTES).decode("utf-8", "replace"))
        except OSError as error:
            raise Unavailable(f"the console does not answer: {error}") from error
