"""Fetch the items of a request one after the other; a failure of one does not stop the others."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from features.alternative.fetch.base import FetchRequest, FetchSpec
from features.alternative.fetch.http import Http, SourceError

_MOST_UNANSWERED = 3


def fetched(spec: FetchSpec, request: FetchRequest, http: Http) -> Iterator[tuple[str, pd.DataFrame | SourceError]]:
    """Yield each item with its frames as they arrive, or with the reason why it has no further ones.

    A refused key or a reached limit ends the run, as do three items in a row that the source does not answer: the
    remaining items are not requested, and each is yielded with that reason.
    """
    unanswered = 0
    for position, item in enumerate(request.items):
        try:
            for frame in spec.fetch(item, request, http):
                if len(frame):
                    yield item, frame.assign(retrieved_at=request.now)
            unanswered = 0
        except SourceError as error:
            yield item, error
            unanswered = 0 if error.is_answered else unanswered + 1
            if error.stops or unanswered == _MOST_UNANSWERED:
                for other in request.items[position + 1 :]:
                    yield other, SourceError(f"not requested, as {item} failed: {error}")
                return
