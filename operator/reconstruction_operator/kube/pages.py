"""Pages: a list in pages that are bounded in bytes, whatever tenants stored. No I/O: the caller sends the requests.

pages = Pages()
while not pages.complete:
    try:
        page = pages.add(read(path, pages.query, pages.max_bytes))
    except ApiError as error:
        pages.failed(error)
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from reconstruction_operator.kube import parsing
from reconstruction_operator.kube.errors import ApiError, TooLargeError

_log = logging.getLogger(__name__)

PAGE: Final = 500  # maximum objects
_FIRST_PAGE: Final = 50
_SMALLEST_PAGE: Final = 5
_PAGE_BYTES: Final = 8 << 20  # a larger page is requested again with fewer objects; one object has at most 1.5 MiB
_LARGEST_BYTES: Final = 64 << 20  # of the smallest page: more than its objects can have
_AIMED_BYTES: Final = _PAGE_BYTES // 4
_RENEWALS: Final = 3  # consecutive renewals of an expired page token


class Pages:
    """One list. `selection`: the query that selects its objects.

    If the token of the next page has expired (410 Gone: etcd has compacted its version), the list continues with the
    token in that response. Its later pages are of a newer version, but every object that exists the whole time is in
    the list.
    """

    def __init__(self, selection: Mapping[str, str] | None = None, report: parsing.Report = parsing.warn) -> None:
        self._selection = dict(selection or {})
        self._report = report
        self._limit = _FIRST_PAGE
        self._token = ""
        self._renewals = 0
        self.version = 0
        """The version of the first page, to watch from: later pages may be newer."""
        self.complete = False

    @property
    def query(self) -> dict[str, str]:
        """The query of the next request."""
        return {"limit": str(self._limit), **({"continue": self._token} if self._token else {}), **self._selection}

    @property
    def max_bytes(self) -> int:
        """How many bytes the next page may have; with more, `read` must raise TooLargeError."""
        return _PAGE_BYTES if self._limit > _SMALLEST_PAGE else _LARGEST_BYTES

    def restart(self) -> None:
        """Begin again with the first page, as large as the last one."""
        self._token, self._renewals, self.version, self.complete = "", 0, 0, False

    def add(self, text: bytes) -> parsing.Page:
        """Divide the response into objects, and choose the size of the next page.

        Raises ApiError if it is not a page.
        """
        try:
            page = parsing.page(text, self._report)
        except ValueError as error:
            raise ApiError(0, "NotJson", "the response is not a list") from error
        fitting = self._limit * _AIMED_BYTES // max(len(text), 1)
        self._limit = max(min(fitting, 2 * self._limit, PAGE), _SMALLEST_PAGE)
        self._token, self._renewals = page.token, 0
        self.version = self.version or page.version
        self.complete = not page.token
        return page

    def failed(self, error: ApiError) -> None:
        """Choose the next request after an error. Raise the error if the list cannot continue at once.

        After a request without a response, the next one is smaller: a busy API server may never complete so large a
        page.
        """
        if error.status == 0:
            smaller = max(self._limit // 4, _SMALLEST_PAGE)
            can_shrink, self._limit = smaller < self._limit, smaller
            if isinstance(error, TooLargeError) and can_shrink:
                return
        elif error.status == HTTPStatus.GONE and error.continue_token and self._renewals < _RENEWALS:
            _log.info("A list outlasted its version in the API server, and continues with a newer one")
            self._token = error.continue_token
            self._renewals += 1
            return
        raise error
