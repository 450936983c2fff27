"""A PostgreSQL for the team's servers."""

from collections.abc import Iterator

import pytest
from team import postgresql


@pytest.fixture(scope="module")
def postgres() -> Iterator[int]:
    """Port of a PostgreSQL server that has what the compose file's one has."""
    with postgresql() as port:
        yield port
