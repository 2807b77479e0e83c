. tests/docs/before/project.inc
cai generate cai.yaml --run runs/first
