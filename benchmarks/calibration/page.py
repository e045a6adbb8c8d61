"""docs/measurements/error_rates.md: the rates as tables."""

from collections.abc import Mapping, Sequence

from learnability.paper.verdicts import NOT_SUPPORTED, SUPPORTED, UNTESTABLE
from learnability.significance.group_level import LEAST_ALONE

from .controls import CIPHER
from .designs import N_SPLITS
from .rates import ALONE, LEAST_LEFT_OUT, OWN_MEAN, Rate
from .simulated import FEW
from .verdicts import CURVE, NOISE

SHARE, FOLD_SD, CORRELATION = "share of training", "fold sd", "correlation"
# Wanted in the set-up of the first scenario at a gap of 8.2 points, in percent.
GOALS = {"cell": 42, "dataset": 60, "study": 95}
WANTED_AT = 0.082
# Shown for comparison: they decide no verdict, except that on controls of two folds.
DECIDES_NOTHING = (
    OWN_MEAN, LEAST_LEFT_OUT, "sampling only", "signed ranks", "spearman", "TOST over dataset means",
)  # fmt: skip
TRUTH = {True: "true", False: "false", None: "at the margin"}
FAIL = "the controls fail"
OF_FEW = "control found, 2 folds, sampling only"


def page(results: Mapping, header: str) -> str:
    """Write the page from the result of `__main__.compute`."""
    parts = [
        header,
        _in_short(results),
        _levels(results["levels"], results["like"]),
        _power(results["power"]),
        _misses(results["misses"]),
        _controls(results["controls"]),
        _encoding(results["encoding"]),
        _scores(results["scores"]),
        _equivalence(results["equivalence"]),
        _fidelity(results["fidelity"]),
        _verdicts(results["verdicts"]),
        _curves(results["curves"]),
    ]
    return "\n\n".join(parts) + "\n"


def deciding(results: Mapping) -> dict[str, Mapping[str, Rate]]:
    """The rates of all tests and intervals that must hold 5 %, by subject; those of verdicts are elsewhere."""
    intervals = {
        f"interval, {scenario}, {100 * gap:g} points": rates
        for scenario, by_gap in results["misses"].items()
        for gap, rates in by_gap.items()
    }
    others = {"gap_encoding": "encoding", "gap as large as the margin": "equivalence", "PSNR": "fidelity"}
    controls = {name: _wrong_of_controls(name, rates) for name, rates in results["controls"].items()}
    scores = {f"over folds, {name}": rates for name, rates in results["scores"].items()}
    others = {name: results[key] for name, key in others.items()}
    return results["levels"] | intervals | others | controls | scores


def _wrong_of_controls(name: str, rates: Mapping[str, Rate]) -> dict[str, Rate]:
    """Rates for a study with sound controls: that it fails, and with enough folds that a false gap is found."""
    if "has a gap" in name:
        return {}
    told = {FAIL: rates[FAIL]}
    if f"{FEW} folds" in name:
        return told
    return told | {test: of for test, of in rates.items() if test.endswith(" found") and not test.startswith(CIPHER)}


def failing(levels: Mapping[str, Mapping[str, Rate]]) -> list[str]:
    """The tests that decide something and are wrong in more than 5 % of studies."""
    return [
        f"{test} ({scenario}): {100 * of.value:.1f} %"
        for scenario, rates in levels.items()
        for test, of in rates.items()
        if not of.holds and not any(word in test for word in DECIDES_NOTHING)
    ]


def _in_short(results: Mapping) -> str:
    reached = results["power"][next(iter(results["power"]))][WANTED_AT]
    goals = ", ".join(f"{name} {100 * reached[name].value:.0f} % (wanted: {goal})" for name, goal in GOALS.items())
    wrong = failing(deciding(results)) + wrong_verdicts(results["verdicts"])
    isic = results["curves"]["isic_significant"][NOISE]
    lines = [
        "## In short",
        "",
        f"- Level: {'; '.join(wrong) if wrong else 'every test, interval and verdict that decides holds 5 %'}.",
        f"- Power at a gap of {100 * WANTED_AT:g} points, in the set-up of the first row below: {goals}.",
        f"- `isic_significant` is supported in {100 * isic:.0f} % of studies with the published effects where a gap's "
        f"standard deviation over folds is {100 * NOISE:g} points (wanted: 95).",
        "- A data set's test takes the variance of training from the cells of its autoencoders. Taken from the data "
        f"set's own mean alone, a gap that is not there is found in up to {_most(results, OWN_MEAN):.1f} %.",
        "- The cell of a study of one autoencoder has k − 1 degrees of freedom for the variance of training, which is "
        f"then at least 1/{1 / LEAST_ALONE:.0f} of that of sampling within a fold. Without this minimum it is often "
        f"estimated as 0, and a gap that is not there is found in up to {_most(results, LEAST_LEFT_OUT):.1f} %. It "
        f"costs power: {100 * reached[ALONE].value:.0f} % instead of {100 * reached[LEAST_LEFT_OUT].value:.0f} % at "
        f"{100 * WANTED_AT:g} points. Cells of two autoencoders and more hold the level without it.",
        f"- Studies whose controls are sound are said to fail them in up to {_failed(results, N_SPLITS):.1f} % of "
        f"those of five folds, and in up to {_failed(results, FEW):.1f} % of two.",
        "- Signed ranks over 20 pairs take these for independent, and the variance of sampling alone leaves out "
        "training. Neither decides a verdict, but that on the controls of a study of two folds rests on the latter, "
        f"and is wrong in up to {_most(results, OF_FEW):.1f} % of these (a row of the first table).",
    ]
    return "\n".join(lines)


def _most(results: Mapping, test: str) -> float:
    """The largest rate of a test over the scenarios without a gap, in percent."""
    return 100 * max(rates[test].value for rates in results["levels"].values())


def _failed(results: Mapping, folds: int) -> float:
    """The largest share of sound studies, at this number of folds, that are said to fail their controls, in percent."""
    told = {name: rates for name, rates in results["controls"].items() if name.endswith(f"{folds} folds")}
    return 100 * max(rates[FAIL].value for rates in told.values())


def _levels(levels: Mapping[str, Mapping[str, Rate]], like: Mapping[str, Mapping[str, float]]) -> str:
    names = [*levels]
    rows = [["variance of a cell that is training's, %", *(f"{100 * like[name][SHARE]:.0f}" for name in names)]]
    rows += [["fold sd, points", *(f"{100 * like[name][FOLD_SD]:.1f}" for name in names)]]
    rows += [["correlation of cells", *(f"{like[name][CORRELATION]:.2f}" for name in names)]]
    rows += [["studies", *(str(levels[name]["cell"].studies) for name in names)]]
    rows += [[test, *(str(levels[name][test]) for name in names)] for test in levels[names[0]]]
    return (
        "## No gap: how often one is found\n\nPercent; bold where even the lower 95 % Monte Carlo bound lies above 5. "
        "A control is found where its interval lies above 0: in one direction, so that 2.5 is its level. The "
        "cell of one autoencoder takes the variance of training from its own folds alone.\n\n"
        + table(["", *names], rows)
    )


def _power(power: Mapping[str, Mapping[float, Mapping[str, Rate]]]) -> str:
    parts = []
    for scenario, by_gap in power.items():
        tests = next(iter(by_gap.values()))
        rows = [[test, *(f"{100 * rates[test].value:.0f}" for rates in by_gap.values())] for test in tests]
        studies = next(iter(tests.values())).studies
        head = ["gap, points", *(f"{100 * gap:g}" for gap in by_gap)]
        parts.append(f"{scenario}, {studies} studies:\n\n{table(head, rows)}")
    return "## A gap: how often it is found\n\nPercent.\n\n" + "\n\n".join(parts)


def _misses(misses: Mapping[str, Mapping[float, Mapping[str, Rate]]]) -> str:
    rows = [
        [f"{scenario}, {100 * gap:g} points", *map(str, rates.values())]
        for scenario, by_gap in misses.items()
        for gap, rates in by_gap.items()
    ]
    names = next(iter(next(iter(misses.values())).values()))
    return "## 95 % intervals that do not hold the true gap\n\nPercent.\n\n" + table(["", *names], rows)


def _controls(controls: Mapping[str, Mapping[str, Rate]]) -> str:
    names = [*next(iter(controls.values()))]
    rows = [
        [
            studies,
            str(rates[FAIL].studies),
            *(str(rates[test]) if test in wrong else f"{100 * rates[test].value:.0f}" for test in names),
        ]
        for studies, rates in controls.items()
        for wrong in [_wrong_of_controls(studies, rates)]
    ]
    return (
        "## Controls: how often a study is said to fail them, and the verdicts of each\n\nPercent, with the margin at "
        "5 points. The lossless control and the replicate have no gap unless the row says so; the cipher's latents "
        "are at chance. Verdicts are of one data set of four.\n\n" + table(["studies", "number", *names], rows)
    )


def _scores(scores: Mapping[str, Mapping[str, Rate]]) -> str:
    names = [*scores]
    rows = [[test, *(str(scores[name][test]) for name in names)] for test in scores[names[0]]]
    studies = next(iter(scores[names[0]].values())).studies
    return (
        "## Tests over folds: AUC, MCC and Table 4, where there is no difference\n\n"
        f"Percent of {studies} studies of one autoencoder: Nadeau and Bengio's t as Table 4 has it, of each data set, "
        "and of their macro average within a fold. Latents and reconstructions are right about other images; latents "
        "that are trained again differ in their seed alone.\n\n" + table(["", *names], rows)
    )


def _encoding(rates: Mapping[str, Rate]) -> str:
    text = "## The gap less that of a control, where both are zero\n\nPercent, in the set-up of the first scenario."
    return f"{text}\n\n{_table_of(rates, ['`gap_encoding`', 'found', 'studies'])}"


def _equivalence(rates: Mapping[str, Rate]) -> str:
    text = "## A gap as large as the margin: how often it is called smaller\n\nPercent."
    return f"{text}\n\n{_table_of(rates, ['', 'called smaller', 'studies'])}"


def _fidelity(rates: Mapping[str, Rate]) -> str:
    return (
        "## PSNR that says nothing of the gap: how often p < .05\n\nPercent. Correlations within data sets, p by "
        "permutation of the autoencoders jointly over data sets. Autoencoders have gaps of their own, whose spread is "
        f"given in units of that of cells.\n\n{_table_of(rates, ['', 'found', 'studies'])}"
    )


def _table_of(rates: Mapping[str, Rate], head: Sequence[str]) -> str:
    return table(head, [[name, str(of), str(of.studies)] for name, of in rates.items()])


def wrong_verdicts(verdicts: Mapping[str, Mapping[str, Rate]]) -> list[str]:
    """Claims that are refuted although true or supported although false in more than 5 % of studies."""
    said = {NOT_SUPPORTED: "refuted", SUPPORTED: "supported"}
    return [
        f"{claim} is {said[verdict]} although {TRUTH[told['true']]} ({case}): {100 * of.value:.1f} %"
        for case, claims in verdicts.items()
        for claim, told in claims.items()
        for verdict, of in told["wrong"].items()
        if not of.holds
    ]


def _verdicts(verdicts: Mapping[str, Mapping[str, Mapping]]) -> str:
    rows, studies = [], 0
    for case, claims in verdicts.items():
        for claim, told in claims.items():
            wrong = told["wrong"]  # bold if too frequent
            shares = [
                str(wrong.get(name, f"{100 * told[name]:.0f}")) for name in (SUPPORTED, UNTESTABLE, NOT_SUPPORTED)
            ]
            studies = next(iter(wrong.values())).studies
            rows.append([case, claim, TRUTH[told["true"]], *shares])
            case = ""
    wide = f"{100 * NOISE:g} points"
    return (
        f"## Verdicts where the truth is known\n\nPercent of {studies} studies. In at most 5 should a true claim be "
        "refuted, or a false one supported; of an effect as large as the margin, neither in more. A gap's standard "
        f"deviation over folds is {wide} unless the case says otherwise.\n\n"
        + table(["case", "claim", "truth", SUPPORTED, UNTESTABLE, NOT_SUPPORTED], rows)
    )


def _curves(curves: Mapping[str, Mapping[float, float]]) -> str:
    rows = [[claim, *(f"{100 * by_noise[noise]:.0f}" for noise in CURVE)] for claim, by_noise in curves.items()]
    return (
        "## How often the published gaps are found in every one of five autoencoders\n\nPercent `supported`, by the "
        "standard deviation of a gap over folds.\n\n"
        + table(["", *(f"{100 * noise:g} points" for noise in CURVE)], rows)
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Format a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
