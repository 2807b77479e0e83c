"""Constitutional AI and RLAIF data generation: written principles in, aligned models out."""
