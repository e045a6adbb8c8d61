"""Placeholder."""

import argparse
from pathlib import Path

from .raw import simulated_studies
from .scenarios import GAPS, MAIN, OTHERS, POWER_GAPS

parser = argparse.ArgumentParser()
parser.add_argument("--studies", type=int, default=1000)
parser.add_argument("--raw", type=Path, default=Path("results/calibration"))
chosen = parser.parse_args()
for scenario in MAIN:
    simulated_studies(scenario, GAPS, chosen.studies, 0, chosen.raw)
simulated_studies(MAIN[0], POWER_GAPS, round(0.3 * chosen.studies), 0, chosen.raw)
simulated_studies(MAIN[1], POWER_GAPS[-2:-1], round(0.4 * chosen.studies), 0, chosen.raw)
for scenario in OTHERS:
    simulated_studies(scenario, GAPS[:1], round(0.5*chosen.studies), 0, chosen.raw)
