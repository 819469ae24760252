"""Before the jobs of another launcher begin, the client has filled the cache that they share."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.command import QUICK, Cli, records


def test_the_first_job_finds_its_fragments_made(cli: Cli, tmp_path: Path) -> None:
    pytest.importorskip("joblib", reason="needs the extra joblib")
    joblib = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=1", "hydra.sweep.dir=out")
    done = cli("-m", "batch=1,2", "dataset.length_s=5", *joblib, *QUICK)
    assert done.returncode == 0, done.stderr
    assert "preparing 1 dataset(s) and 1 model(s) for the jobs" in done.stdout + done.stderr
    found = records(tmp_path / "out")
    assert len(found) == 2
    assert all(record.dataset["cached"] for record in found)
    assert list((tmp_path / "cache").glob("weights/*")) == []  # engine=fake reads none
