"""Releasing a constitution: from a draft that people edit to a version that never changes."""

from cai.constitution.release.bump import fact_lines
from cai.constitution.release.folder import Released
from cai.constitution.release.run import release

__all__ = ["Released", "fact_lines", "release"]
