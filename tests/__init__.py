"""The tests, as a package: another one of this name may lie among the installed ones."""
