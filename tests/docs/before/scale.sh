. tests/docs/before/project.inc
