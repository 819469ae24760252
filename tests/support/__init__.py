"""What tests share: fakes, made-up studies, small networks, processes that start warm."""

from pathlib import Path

import pytest

pytest.register_assert_rewrite(
    *(f"support.{path.stem}" for path in Path(__file__).parent.glob("[a-z]*.py"))
)
