"""What a judge's probabilities are worth: maps fitted to people's labels of dev prompts."""

from cai.store.calibrated import CalibrationMap, calibrated
from cai.validation.calibration.fit import METHODS, Calibration, MethodChoice, calibrate
from cai.validation.calibration.maps import fit_isotonic, fit_platt, fit_temperature
from cai.validation.calibration.scores import Scores

__all__ = [
    "METHODS",
    "Calibration",
    "CalibrationMap",
    "MethodChoice",
    "Scores",
    "calibrate",
    "calibrated",
    "fit_isotonic",
    "fit_platt",
    "fit_temperature",
]
