"""Agreement, gold labels, calibration and estimates, as functions of plain arrays."""
