"""`python -m cai` is `cai`; launchers such as `accelerate launch -m cai` start it so."""

from cai.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
