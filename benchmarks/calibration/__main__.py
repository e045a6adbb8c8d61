"""What every test and verdict of the study is worth: runs the project's own functions on simulated studies.

    python -m benchmarks.calibration [--studies 1000] [--seed 0] [--raw results/calibration] [--page FILE]

Writes the page of error rates. Raw results are kept in `--raw`, so that a stopped command continues; results that
changed code would compute differently are computed anew. Uses one core; exits with 1 if a test or verdict does not
hold its level.
"""

import argparse
import sys
import time
from pathlib import Path

from learnability.paper.verdicts import SUPPORTED

from .page import deciding, failing, page, wrong_verdicts
from .rates import encoding, equivalence, false_positives, fidelity, misses, of_controls, of_scores, power, shares
from .raw import controlled_studies, judged_studies, scored_studies, simulated_studies
from .scenarios import CONTROLLED, GAPS, MAIN, OTHERS, POWER, SCORED, in_words
from .simulated import Simulated
from .studies import Scenario
from .verdicts import CASES, CURVES, judged

PAGE = Path("docs/measurements/error_rates.md")
# Shares of `--studies`; a level is estimated from all of them.
OF_POWER, OF_VERDICTS, OF_SCORES = 0.25, 0.15, 0.2
AS_LARGE_AS_THE_MARGIN = 0.06
RATIOS = (0, 1, 2)  # of the spread of autoencoders' own gaps to that of cells
HEADER = """# Error rates and power

    make calibrate

Written by this command on {date}, seed {seed}{note}; {minutes:.0f} minutes of one core. Simulated studies are put
to the project's own tests and claims (`benchmarks/calibration`). Each has four data sets of 400 to 700 images in
groups, in the project's folds, with five autoencoders. A ridge or a nearest-centroid classifier is trained in every
space and fold; no network is. The gap of a study varies with the groups that are tested, with those that are trained
on, and with the seed. The scenarios differ in the last two:

- *centroid*, *ridge*: every training draws its rows anew with replacement, which is its seed. This is the set-up that
  the test's formula was tried in.
- *test groups alone*: the classifiers know the truth, so that nothing varies by training.
- *few*, *fewest training groups*: they train on a quarter or a sixteenth of the groups, the same in every fold.
- *few rows by seed*: every training draws a tenth as many rows."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--raw", type=Path, default=Path("results/calibration"))
    parser.add_argument("--page", type=Path, default=PAGE)
    chosen = parser.parse_args()
    results, seconds = compute(chosen.studies, chosen.seed, chosen.raw)
    note = "" if chosen.studies == 1000 else f", --studies {chosen.studies}"
    date = time.strftime("%-d %B %Y")
    header = HEADER.format(date=date, seed=chosen.seed, minutes=seconds / 60, note=note)
    chosen.page.write_text(page(results, header), encoding="utf-8")
    wrong = failing(deciding(results)) + wrong_verdicts(results["verdicts"])
    print(f"{chosen.page} is written", *wrong, sep="\n")
    return 1 if wrong else 0


def compute(studies: int, seed: int, raw: Path) -> tuple[dict, float]:
    """Compute every rate of the page, and the CPU seconds of all, including those of earlier commands."""
    started, spent = time.process_time(), []

    def simulated(scenario: Scenario, gaps: tuple[float, ...], share: float) -> Simulated:
        found, seconds = simulated_studies(scenario, gaps, round(share * studies), seed, raw)
        spent.append(seconds)
        print(f"{scenario.name}: {len(found.image)} studies", file=sys.stderr)
        return found

    results = {"levels": {}, "like": {}, "power": {}, "misses": {}, "verdicts": {}, "curves": {}}
    results |= {"controls": {}, "scores": {}}

    def without_gap(scenario: Scenario) -> Simulated:
        found = simulated(scenario, GAPS, 1)
        results["levels"][scenario.name], results["like"][scenario.name] = false_positives(found), shares(found)
        return found

    null = {scenario.name: without_gap(scenario) for scenario in MAIN}
    results["fidelity"] = fidelity(null[MAIN[0].name], RATIOS, studies, seed)
    results["encoding"] = encoding(MAIN[0], studies, seed)
    for scenario, gaps in POWER:
        found = simulated(scenario, gaps, OF_POWER)
        results["power"][scenario.name] = {gap: power(found, at) for at, gap in enumerate(gaps)}
        missed = {GAPS[0]: misses(null[scenario.name], 0)} | {gap: misses(found, at) for at, gap in enumerate(gaps)}
        results["misses"][scenario.name] = missed
        if AS_LARGE_AS_THE_MARGIN in gaps:
            results["equivalence"] = equivalence(found, gaps.index(AS_LARGE_AS_THE_MARGIN))
    for scenario in OTHERS:
        without_gap(scenario)
    for scenario, gap, folds, share in CONTROLLED:
        frame, seconds = controlled_studies(scenario, gap, folds, round(share * studies), seed, raw)
        spent.append(seconds)
        results["controls"][in_words(scenario, gap, folds)] = of_controls(frame)
    for scenario in SCORED:
        frame, seconds = scored_studies(scenario, round(OF_SCORES * studies), seed, raw)
        spent.append(seconds)
        results["scores"][scenario.name] = of_scores(frame)
    for case in (*CASES, *CURVES):
        frame, seconds = judged_studies(case, round(OF_VERDICTS * studies), seed, raw)
        spent.append(seconds)
        if case in CASES:
            results["verdicts"][case.name] = judged(frame, case.name)
        else:
            claim = "isic_significant" if "isic2019" in case.gaps else "mimic_significant"
            results["curves"].setdefault(claim, {})[case.noise] = float((frame[claim] == SUPPORTED).mean())
    return results, sum(spent) + time.process_time() - started


if __name__ == "__main__":
    sys.exit(main())
