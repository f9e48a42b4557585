"""A dataset's videos brought into the annotation server's database, as a server does when it starts."""

from __future__ import annotations

from pathlib import Path

from annotation import projects
from annotation.database import Database
from annotation.intake import Intake


def bring_in(database: Database, folder: Path) -> None:
    """Make a project of a dataset, and check its videos."""
    made = projects.make(database, [folder])
    Intake(database, lambda: made).look()
