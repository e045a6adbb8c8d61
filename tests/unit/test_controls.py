"""Both kinds of controls: which runs they are, when a gap counts as found or absent, and what is said first."""

import numpy as np
import pandas as pd
import pytest

from learnability.paper.findings import read_numbers
from learnability.significance.controls import (
    CONTROL_COLUMNS,
    LARGEST_MARGIN,
    control_verdicts,
    margin_of,
    verdict,
)
from learnability.significance.group_level import GroupTest
from learnability.significance.predictions import Images
from learnability.storage.contracts import write_csv, write_json
from learnability.study.cells import all_cells, cells, columns, scope
from learnability.study.controls import comparisons
from learnability.study.recipes import spaces_of
from learnability.study.refusals import check_study
from learnability.study.study_lists import refuse_smaller_study, study_lists
from learnability.summary.controls import NOT_RUN, as_rst, controls_in_words, controls_of, failures
from learnability.tables.controls import render_controls
from learnability.tables.labels import Labels
from tests.published import PUBLISHED, message_of, published

BOTH = ["pixel_unshuffle_8", "enciphered_8"]
CONTROLLED = published(study={"controls": BOTH})


# ---- Which runs ----


def test_a_study_without_controls_trains_none():
    assert columns(PUBLISHED, "controls") == cells(PUBLISHED, "controls") == []
    assert scope(PUBLISHED, "controls") == {"datasets": [], "autoencoders": []}


def test_controls_are_compared_with_the_images_which_are_what_they_decode_to():
    assert columns(CONTROLLED, "controls") == [
        ("original", "image", "matched"),
        ("pixel_unshuffle_8", "latent", "matched"),
        ("enciphered_8", "latent", "matched"),
        ("original", "image", "image_again"),
        ("original", "image", "image"),
        ("pixel_unshuffle_8", "latent", "latent"),
    ]
    assert {tuple(cell.values()) for cell in cells(CONTROLLED, "controls")} <= {
        tuple(cell.values()) for cell in all_cells(CONTROLLED)
    }
    new = [cell for cell in all_cells(CONTROLLED) if cell not in all_cells(PUBLISHED)]
    # Per fold and dataset: the cipher's latents, the replicate, and the lossless control by the paper's latent recipe.
    assert len(new) == 3 * 4 * 5


def test_a_second_recipe_judges_the_controls_too_each_with_its_own_replicates():
    again = {"tuned_again": {"base": "matched_tuned", "replicate": 1}}
    recipes = ["matched", "matched_tuned", "image_again", "tuned_again"]
    config = published(study={"controls": BOTH, "recipes": {"controls": recipes}}, recipes=again)
    check_study(config)
    found = [(entry["control"], entry["recipe"], *entry["second"][1:]) for entry in comparisons(config)]
    assert found == [
        ("pixel_unshuffle_8", "matched", "latent", "matched"),
        ("enciphered_8", "matched", "latent", "matched"),
        ("image_again", "matched", "image", "image_again"),
        ("pixel_unshuffle_8", "matched_tuned", "latent", "matched_tuned"),
        ("enciphered_8", "matched_tuned", "latent", "matched_tuned"),
        ("tuned_again", "matched_tuned", "image", "tuned_again"),
        ("pixel_unshuffle_8", "table1", "latent", "latent"),
    ]
    assert all(entry["first"][2] in (entry["recipe"], "image") for entry in comparisons(config))


def test_every_run_of_a_control_is_in_a_space_of_its_recipe():
    """It holds too if Table 1 has a recipe for reconstructions only, as decoding on the fly needs."""
    alone = {
        "image_only": {"base": "image", "spaces": ["image"]},
        "on_the_fly": {"base": "image", "spaces": ["reconstruction"], "reconstructions": "on_the_fly"},
    }
    table1 = ["image_only", "on_the_fly", "latent"]
    config = published(study={"controls": BOTH, "recipes": {"table1": table1}}, recipes=alone)
    check_study(config)
    assert all(space in spaces_of(config, recipe) for _, space, recipe in columns(config, "controls"))
    assert ("original", "image", "image_only") in columns(config, "controls")


def test_what_is_known_of_each_stands_beside_it():
    known = {(entry["control"], entry["recipe"]): entry for entry in comparisons(CONTROLLED)}
    assert {key: (entry["expected"], entry["at_chance"]) for key, entry in known.items()} == {
        ("pixel_unshuffle_8", "matched"): ("no gap", False),
        ("enciphered_8", "matched"): ("gap", True),
        ("image_again", "matched"): ("no gap", False),
        ("pixel_unshuffle_8", "table1"): ("n/a", False),
    }


@pytest.mark.parametrize(("share", "expected"), [(0.5, ("gap", False)), (0, ("no gap", False))])
def test_a_dose_has_a_gap_whose_size_is_not_known_and_no_dose_has_none(share, expected):
    config = published(study={"controls": BOTH}, autoencoders={"enciphered_8": {"options": {"share": share}}})
    (entry,) = [entry for entry in comparisons(config) if entry["control"] == "enciphered_8"]
    assert (entry["expected"], entry["at_chance"]) == expected


def test_controls_may_be_on_fewer_datasets_and_need_not_be_in_the_study():
    config = published(study={"controls": BOTH, "limited_to": {"controls": {"datasets": ["cardium"]}}})
    assert {cell["dataset"] for cell in cells(config, "controls")} == {"cardium"}
    assert scope(config, "controls") == {"datasets": ["cardium"], "autoencoders": BOTH}
    assert not set(BOTH) & {cell["autoencoder"] for cell in cells(config)}
    check_study(config)


def test_controls_can_be_added_to_a_study_that_has_tables_and_not_taken_away(tmp_path):
    write_csv(pd.DataFrame({"dataset": ["cardium"]}), tmp_path / "tables/table1.csv")
    write_json(study_lists(PUBLISHED), tmp_path / "study.json")
    refuse_smaller_study(CONTROLLED, str(tmp_path))
    write_json(study_lists(CONTROLLED), tmp_path / "study.json")
    assert "controls of cardium" in message_of(refuse_smaller_study, PUBLISHED, str(tmp_path))
    fewer = published(study={"controls": BOTH[:1]})
    assert "without controls of enciphered_8 rows" in message_of(refuse_smaller_study, fewer, str(tmp_path))


@pytest.mark.parametrize(
    ("study", "recipes", "message"),
    [
        ({"controls": ["nothing"]}, {}, r"study.controls: 'nothing' is not defined under autoencoders; known are "),
        ({"controls": ["random_init_8"]}, {}, "no truth is known for random_init_8; take controls of class pixel_"),
        ({"controls": ["flux2"]}, {}, "study.controls: no truth is known for flux2"),
        ({"controls": BOTH, "recipes": {"controls": []}}, {}, "study.recipes.controls: names no recipe, and study.con"),
        ({"controls": BOTH, "recipes": {"controls": ["latent"]}}, {}, "latent is used in ['latent']"),
        ({"controls": BOTH}, {"image_again": {"mask": 0.2}}, "image_again is not a replicate of matched: it has"),
        ({"controls": BOTH, "recipes": {"controls": ["matched", "matched_too"]}},
         {"matched_too": {"base": "matched"}}, "matched_too has the seeds of matched; give it another `replicate`"),
        ({"controls": BOTH}, {"image_again": {"spaces": ["latent"]}}, "image_again is compared in image space; add it"),
        ({"controls": BOTH, "recipes": {"controls": ["matched", "image"]}}, {}, "image is not a replicate of matched"),
    ],
)  # fmt: skip
def test_controls_that_cannot_be_judged_are_refused_by_their_key(study, recipes, message):
    assert message in message_of(check_study, published(study=study, recipes=recipes))


# ---- Verdicts ----

RATES = {"image": 0.9, "lossless": 0.9, "cipher": 1 / 3, "again": 0.9}
SIDES = {
    "image": ("original", "image", "matched"),
    "lossless": ("pixel_unshuffle_8", "latent", "matched"),
    "cipher": ("enciphered_8", "latent", "matched"),
    "again": ("original", "image", "image_again"),
}
COMPARED = [
    {"control": "pixel_unshuffle_8", "recipe": "matched", "expected": "no gap", "at_chance": False,
     "first": SIDES["image"], "second": SIDES["lossless"]},
    {"control": "enciphered_8", "recipe": "matched", "expected": "gap", "at_chance": True,
     "first": SIDES["image"], "second": SIDES["cipher"]},
    {"control": "image_again", "recipe": "matched", "expected": "no gap", "at_chance": False,
     "first": SIDES["image"], "second": SIDES["again"]},
]  # fmt: skip


def study(groups: int, folds=range(5), rates=RATES, alike=False) -> tuple[pd.DataFrame, dict[str, Images]]:
    """Runs with `right` on one dataset of three classes, two images a group; a side is right at its rate.

    `alike`: the replicate answers as the first training does.
    """
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(groups), 2)
    fold, label = group % 5, group // 5 % 3
    images = Images(pd.Index([f"{i}" for i in range(len(group))]), label, fold, group, 5)
    rows = []
    for name, side in SIDES.items():
        for k in folds:
            right = rng.random((fold == k).sum()) < rates[name]
            if alike and name == "again":
                right = next(row["right"] for row in rows if row["recipe"] == "matched" and row["fold"] == k)
            score = np.mean([right[label[fold == k] == c].mean() for c in range(3)])
            identity = dict(zip(("autoencoder", "space", "recipe"), side, strict=True))
            rows.append({"dataset": "cardium", **identity, "fold": k, "balanced_accuracy": score, "right": right})
    return pd.DataFrame(rows), {"cardium": images}


def judged(*arguments, **named) -> pd.DataFrame:
    runs, images = study(*arguments, **named)
    return control_verdicts(runs, images, COMPARED).set_index("control")


def interval_of(low, high) -> GroupTest:
    return GroupTest(0.0, low, high, 0.0, 0.5, 9.0, 0.1, 9.0, None, 10, 2, "sampling only")


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.01, 0.40, "found"),
        (0.001, 0.02, "found"),  # small, and there
        (-0.02, 0.03, "absent"),
        (-0.03, 0.03, "absent"),
        (-0.02, 0.031, "cannot be told"),
        (-0.40, -0.01, "cannot be told"),  # no gap, and not nothing
        (0.0, 0.5, "cannot be told"),
        (None, None, "cannot be told"),
    ],
)
def test_a_verdict_follows_from_the_interval_and_the_margin(low, high, expected):
    assert verdict(interval_of(low, high), margin=0.03) == expected


def test_with_enough_images_the_gap_is_found_and_where_there_is_none_it_is_absent():
    table = judged(6000)
    assert table["verdict"].to_dict() == {
        "pixel_unshuffle_8": "absent", "enciphered_8": "found", "image_again": "absent",
    }  # fmt: skip
    assert set(table["method"]) == {"sampling and training"}
    assert set(table["n_folds"]) == {5}


@pytest.mark.parametrize("folds", [(0, 1), (0,)])
def test_with_few_images_and_folds_a_large_gap_is_found_and_absence_cannot_be_told(folds):
    table = judged(300, folds=folds)
    assert table["verdict"].to_dict() == {
        "pixel_unshuffle_8": "cannot be told", "enciphered_8": "found", "image_again": "cannot be told",
    }  # fmt: skip
    assert set(table["method"]) == {"sampling only"}


def test_a_gap_is_the_difference_of_the_scores_and_the_cipher_has_its_own_beside_chance():
    runs, images = study(100)
    table = control_verdicts(runs, images, COMPARED).set_index("control")
    scores = runs.groupby(["autoencoder", "space", "recipe"])["balanced_accuracy"].mean()
    for entry in COMPARED:
        expected = scores[tuple(entry["first"])] - scores[tuple(entry["second"])]
        assert table.loc[entry["control"], "effect"] == pytest.approx(expected, abs=1e-12)
    cipher = table.loc["enciphered_8"]
    assert cipher["score"] == pytest.approx(scores[SIDES["cipher"]], abs=1e-12)
    assert cipher["score_ci_low"] < 1 / 3 < cipher["score_ci_high"]
    assert cipher["chance"] == pytest.approx(1 / 3)
    assert cipher["expected_effect"] == pytest.approx(scores[SIDES["image"]] - 1 / 3, abs=1e-12)
    assert (table.loc[["pixel_unshuffle_8", "image_again"], "chance"] == "n/a").all()


def test_who_says_one_class_to_all_images_is_at_chance_though_folds_lack_another():
    """Of two classes that are tested it is right about one, whatever the number of all: no sign of repeated images."""
    runs, images = study(600)
    only, rng = images["cardium"], np.random.default_rng(1)
    shown = ~((only.fold < 3) & (only.label == 2))
    lacking = {"cardium": only._replace(fold=np.where(shown, only.fold, -1))}
    runs["right"] = [right[shown[only.fold == fold]] for right, fold in zip(runs["right"], runs["fold"], strict=True)]
    of_cipher = runs["autoencoder"] == "enciphered_8"
    for i, fold in runs.loc[of_cipher & (runs["fold"] < 3), "fold"].items():
        label = only.label[shown & (only.fold == fold)]
        runs.at[i, "right"] = np.where(rng.random(len(label)) < 0.98, 0, 1) == label
    for folds, chance in ((3, 1 / 2), (5, (3 / 2 + 2 / 3) / 5)):
        table = control_verdicts(runs[runs["fold"] < folds], lacking, COMPARED)
        row = table.replace("n/a", np.nan).set_index("control").loc["enciphered_8"].to_dict() | {"where": "it"}
        assert row["chance"] == pytest.approx(chance)
        assert row["score"] == pytest.approx(chance, abs=0.02)
        assert failures([row]) == [None]


def test_what_the_protocol_makes_is_measured_and_not_judged():
    protocol = COMPARED[0] | {"recipe": "table1", "expected": "n/a"}
    (row,) = control_verdicts(*study(100), [protocol]).to_dict("records")
    assert (row["verdict"], row["margin"], row["expected"]) == ("n/a", "n/a", "n/a")
    assert row["ci_low"] < row["effect"] < row["ci_high"]


def test_each_kind_of_control_has_a_variance_of_training_of_its_own():
    """A replicate varies by its seed alone; two lossless controls share their variance."""
    runs, images = study(300)
    second = {**COMPARED[0], "control": "pixel_unshuffle_4", "second": ("pixel_unshuffle_4", "latent", "matched")}
    again = runs[runs["autoencoder"] == "pixel_unshuffle_8"].assign(autoencoder="pixel_unshuffle_4")
    again["right"] = [right & (fold > 0) for fold, right in again[["fold", "right"]].itertuples(index=False)]

    def widths(compared) -> dict:
        table = control_verdicts(pd.concat([runs, again]), images, compared).set_index("control")
        return (table["ci_high"] - table["ci_low"]).to_dict()

    together, alone = widths(COMPARED), {}
    for entry in COMPARED:
        alone |= widths([entry])
    assert together == alone
    shared = widths([COMPARED[0], second])
    assert shared["pixel_unshuffle_8"] > alone["pixel_unshuffle_8"]


def test_two_trainings_that_answer_alike_everywhere_tell_nothing():
    row = judged(100, alike=True).loc["image_again"]
    assert (row["effect"], row["p"], row["ci_low"], row["verdict"]) == (0.0, 1.0, "n/a", "cannot be told")


@pytest.mark.parametrize(("gaps", "margin"), [([0.04, 0.06], 0.025), ([0.3, 0.3], 0.05), ([-0.02, -0.02], 0.01)])
def test_the_margin_is_half_of_what_the_study_measures_and_at_most_five_points(gaps, margin):
    rows = [{"role": "family", "metric": "balanced_accuracy", "gap_matched": str(gap)} for gap in gaps]
    rows += [{"role": "control", "metric": "balanced_accuracy", "gap_matched": "0.9"}]
    rows += [{"role": "family", "metric": "auc", "gap_matched": "0.9"}]
    table = pd.DataFrame(rows).assign(recipe="matched", autoencoder="flux2")
    mean = table.head(1).assign(autoencoder="n/a", gap_matched="0.001")  # over the families, and none of them
    assert margin_of(pd.concat([table, mean]), "matched") == pytest.approx(margin)


def test_the_margin_of_a_recipe_is_of_its_own_gap_and_of_the_first_where_it_has_none():
    rows = [("matched", "0.04"), ("matched_tuned", "0.02")]
    table = pd.DataFrame(rows, columns=["recipe", "gap_matched"]).assign(role="family", metric="balanced_accuracy")
    table["autoencoder"] = "flux2"
    margins = {name: margin_of(table, name) for name in ("matched", "matched_tuned", "another")}
    assert margins == pytest.approx({"matched": 0.02, "matched_tuned": 0.01, "another": 0.02})
    runs, images = study(100)
    tuned = runs.assign(recipe=runs["recipe"].replace({"matched": "matched_tuned"}))
    compared = [COMPARED[0], *(entry | {"recipe": "matched_tuned"} for entry in COMPARED[:1])]
    for side in ("first", "second"):
        compared[1][side] = (*compared[1][side][:2], "matched_tuned")
    both = pd.concat([runs, tuned[tuned["recipe"] == "matched_tuned"]])
    found = control_verdicts(both, images, compared, table)
    assert found.set_index("recipe")["margin"].to_dict() == pytest.approx({"matched": 0.02, "matched_tuned": 0.01})


def test_a_study_that_measures_no_matched_gap_has_the_largest_margin():
    assert margin_of(None, "matched") == LARGEST_MARGIN
    empty = pd.DataFrame({"recipe": [], "autoencoder": [], "role": [], "metric": [], "gap_matched": []})
    assert margin_of(empty, "matched") == LARGEST_MARGIN


# ---- In words ----


def row(control: str, expected: str, low: float, high: float, verdict: str, **more) -> dict:
    numbers = {"effect": (low + high) / 2, "ci_low": low, "ci_high": high, "p": 0.5, "margin": 0.05, "df": 20.0}
    cell = {"control": control, "dataset": "skin", "recipe": "matched", "expected": expected, "verdict": verdict}
    return dict.fromkeys(CONTROL_COLUMNS, np.nan) | numbers | cell | {"method": "sampling and training"} | more


LOSSLESS = row("pixel_unshuffle_8", "no gap", -0.01, 0.02, "absent")
AT_CHANCE = {"expected_effect": 0.34, "score": 0.26, "score_ci_low": 0.2, "score_ci_high": 0.31, "chance": 0.25}
AT_CHANCE |= {"score_df": 20.0}
CIPHER = row("enciphered_8", "gap", 0.25, 0.41, "found", **AT_CHANCE)
AGAIN = row("image_again", "no gap", -0.12, 0.1, "cannot be told", method="sampling only")
PROTOCOL = row("pixel_unshuffle_8", "n/a", 0.05, 0.15, "n/a", recipe="table1", margin=np.nan)
NAMES = {"pixel_unshuffle_8": "Pixel unshuffle 8", "enciphered_8": "Enciphered 8"}


def said(*rows):
    return controls_in_words(pd.DataFrame(rows), {"skin": "Skin phantom"}.__getitem__, NAMES)


def test_controls_that_come_out_as_they_must_are_reported_as_such():
    found = said(LOSSLESS, CIPHER, PROTOCOL)
    assert found.kind == "supported"
    assert found.lead == ("Controls: a known gap is found; where there is none it is absent, within ±5.0 points.")
    assert [line.text for line in found.lines] == [
        "Pixel unshuffle 8 on Skin phantom, no gap by construction: 0.5 points [−1.0, 2.0]; absent means within ±5.0 "
        "points.",
        "Enciphered 8 on Skin phantom, a gap of 34.0 points by construction: 33.0 points [25.0, 41.0]. Its latents "
        "score 0.260 [0.200, 0.310]; chance is 0.250.",
        "Pixel unshuffle 8 on Skin phantom, by the recipes of Table 1: 10.0 points [5.0, 15.0]. The protocol alone "
        "causes this gap.",
    ]
    assert [(line.verdict, line.kind) for line in found.lines] == [
        ("absent", "supported"), ("found", "supported"), ("protocol", ""),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.05, 0.15, "The protocol alone causes this gap."),
        (-0.15, -0.05, "The protocol alone causes this advantage of latents."),
        (-0.15, 0.05, "No gap is shown that the protocol alone causes."),
        (np.nan, np.nan, "No gap is shown that the protocol alone causes."),
    ],
)
def test_what_the_protocol_causes_has_the_sign_of_the_interval(low, high, expected):
    protocol = PROTOCOL | {"effect": -0.1, "ci_low": low, "ci_high": high}
    assert said(LOSSLESS, CIPHER, protocol).lines[-1].text.endswith(expected)


def test_a_margin_of_about_nothing_is_not_blamed_on_the_images():
    """The margin is half of the gap that the study measures, and at chance there is none."""
    found = said(CIPHER, LOSSLESS | {"verdict": "cannot be told", "margin": 0.0004}, AGAIN)
    assert "±0.0" not in "".join([found.lead, *(line.text for line in found.lines)])
    assert found.lines[1].text.endswith(
        "; absent means within half of the gap of the study's autoencoders, which is about 0 itself."
    )
    assert found.lead == (
        "Controls: a known gap is found; whether this study sees a gap where there is none cannot be told from so few "
        "images (1 of 2 controls without a gap); whether this study sees a gap where there is none cannot be told "
        "because its own gap, of which the margin is half, is about 0 (1 of 2 controls without a gap)."
    )


def test_of_several_recipes_the_widest_margin_is_the_one_that_all_lie_within():
    narrow = LOSSLESS | {"recipe": "matched_tuned", "margin": 0.02}
    assert said(narrow, LOSSLESS, CIPHER).lead.endswith("where there is none it is absent, within ±5.0 points.")


def test_what_cannot_be_told_is_never_called_absent():
    found = said(LOSSLESS, CIPHER, AGAIN)
    assert found.kind == "open"
    assert found.lead == (
        "Controls: a known gap is found; whether this study sees a gap where there is none cannot be told from "
        "so few images (1 of 2 controls without a gap)."
    )
    line = found.lines[-1]
    assert (line.verdict, line.kind) == ("cannot be told", "open")
    assert line.text == (
        "Same training with another seed on Skin phantom, no gap by construction: −1.0 points "
        "[−12.0, 10.0] (sampling only); absent means within ±5.0 points."
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (row("enciphered_8", "gap", -0.02, 0.3, "cannot be told", **AT_CHANCE),
         "the gap of Enciphered 8 on Skin phantom exists and was not found (cannot be told)"),
        (row("enciphered_8", "gap", -0.02, 0.03, "absent", **AT_CHANCE), "exists and was not found (absent)"),
        (row("enciphered_8", "gap", -0.2, 0.1, "cannot be told", expected_effect=0.01),
         "the images themselves are scored at chance, so Enciphered 8 on Skin phantom has no gap to find"),
        (row("pixel_unshuffle_8", "no gap", 0.05, 0.3, "found"),
         "Pixel unshuffle 8 on Skin phantom shows a gap where there is none"),
        (row("image_again", "no gap", -0.3, -0.1, "cannot be told"), "shows the opposite of a gap where there is none"),
        (CIPHER | {"score": 0.4, "score_ci_low": 0.3, "score_ci_high": 0.5},
         "Enciphered 8 on Skin phantom scores above chance, as it would if images were repeated across folds"),
    ],
)  # fmt: skip
def test_a_study_whose_controls_fail_says_that_first(wrong, message):
    found = said(LOSSLESS, wrong, AGAIN)
    assert found.lead.startswith("The controls of this study fail. Trust no gap from it until the reason is known: ")
    assert message in found.lead
    assert (found.kind, found.lines[1].kind) == ("refuted", "refuted")
    assert "absent, within" not in found.lead


@pytest.mark.parametrize(
    ("low", "high", "verdict", "absent", "note"),
    [
        (-0.03, -0.01, "absent", "absent, ", "; absent means within ±5.0 points."),
        (0.01, 0.03, "found", "", "; found, and within ±5.0 points."),
    ],
)
def test_a_small_difference_within_the_margin_is_no_failure_though_its_interval_excludes_zero(
    low, high, verdict, absent, note
):
    found = said(CIPHER, row("image_again", "no gap", low, high, verdict))
    assert found.kind == "supported"
    assert found.lead.endswith(f"; where there is none it is {absent}within ±5.0 points.")
    assert (found.lines[1].verdict, found.lines[1].kind) == (verdict, "supported")
    assert found.lines[1].text.endswith(note)


@pytest.mark.parametrize(
    ("low", "high", "verdict", "note"),
    [
        (0.01, 0.2, "found", "found by its own interval, and not by an interval over all controls without a gap."),
        (-0.2, -0.01, "cannot be told", "absent means within ±5.0 points."),
    ],
)
def test_one_interval_of_many_that_excludes_zero_is_no_failure(low, high, verdict, note):
    """If it is the only one, it fails. Among four, each at the level, one fails by chance in a tenth of studies."""
    doubtful = row("image_again", "no gap", low, high, verdict)
    assert said(CIPHER, doubtful).kind == "refuted"
    found = said(CIPHER, doubtful, *[LOSSLESS] * 3)
    assert found.kind == "open"
    assert "cannot be told from so few images (1 of 4 controls without a gap)" in found.lead
    assert (found.lines[1].kind, found.lines[1].text.endswith(note)) == ("open", True)


def test_from_two_folds_a_failure_needs_an_interval_that_has_room_for_training():
    few = {"method": "sampling only"}
    for wrong in (
        row(
            "image_again", "no gap", 0.01, 0.2, "found"
        ),  # 10.5 points, half the interval 9.5 of sampling, 13.4 of both
        row("enciphered_8", "gap", -0.02, 0.32, "cannot be told", **AT_CHANCE),
        CIPHER | {"score": 0.3, "score_ci_low": 0.26, "score_ci_high": 0.34},
    ):
        assert said(LOSSLESS | {"expected": "gap"}, wrong).kind == "refuted"
        assert said(LOSSLESS | {"expected": "gap"}, wrong | few).kind == "open"
    assert said(row("image_again", "no gap", 0.06, 0.2, "found", **few)).kind == "refuted"


def test_one_score_of_many_above_chance_is_no_failure():
    above = CIPHER | {"score": 0.3, "score_ci_low": 0.255, "score_ci_high": 0.345}
    assert said(above, LOSSLESS).kind == "refuted"
    assert said(above, CIPHER, CIPHER, CIPHER, LOSSLESS).kind == "supported"


def test_a_gap_of_known_size_that_its_interval_still_holds_cannot_be_told():
    """With few images the interval reaches from below 0 to beyond the gap; with many controls it is wider."""
    wide = row("enciphered_8", "gap", -0.02, 0.38, "cannot be told", **AT_CHANCE)
    found = said(CIPHER, wide, LOSSLESS)
    assert (found.kind, found.lines[1].kind) == ("open", "open")
    assert "whether this study finds a gap of known size cannot be told from so few images (1 of 2" in found.lead
    below = row("enciphered_8", "gap", -0.02, 0.33, "cannot be told", **AT_CHANCE)
    assert said(below, LOSSLESS).kind == "refuted"
    assert said(below, CIPHER, CIPHER, CIPHER, LOSSLESS).kind == "open"


@pytest.mark.parametrize("verdict", ["cannot be told", "absent"])
def test_a_gap_of_unknown_size_that_is_not_found_is_no_failure(verdict):
    dose = row("enciphered_8", "gap", -0.02, 0.03, verdict)
    found = said(CIPHER, dose, LOSSLESS)
    assert (found.kind, found.lines[1].kind) == ("open", "open")
    assert found.lead.startswith(
        "Controls: a known gap is found; whether this study finds a gap of unknown size cannot be told from so "
        "few images (1 of 2 controls with a gap); "
    )
    assert said(dose).lead.startswith("Controls: whether this study finds a gap of unknown size cannot be told")


def test_the_freedom_of_the_intervals_is_written_for_those_over_many(tmp_path):
    write_csv(judged(300).reset_index(), tmp_path / "controls.csv")
    table = read_numbers(tmp_path / "controls.csv").set_index("control")
    assert (table["df"] > 1).all()
    assert table["score_df"].gt(1).to_dict() == {"pixel_unshuffle_8": False, "enciphered_8": True, "image_again": False}


def test_several_replicates_are_numbered_and_no_recipe_is_named():
    found = said(AGAIN, CIPHER, AGAIN | {"control": "third"}, PROTOCOL)
    names = [line.text.split(" on ")[0] for line in found.lines]
    assert names == [
        "Same training with another seed (1)", "Enciphered 8", "Same training with another seed (2)",
        "Pixel unshuffle 8",
    ]  # fmt: skip


def test_of_several_recipes_each_is_named_with_its_controls():
    found = said(LOSSLESS, CIPHER, LOSSLESS | {"recipe": "matched_tuned"}, PROTOCOL)
    assert [line.text.split(", ")[0] for line in found.lines] == [
        "Pixel unshuffle 8 on Skin phantom by matched", "Enciphered 8 on Skin phantom by matched",
        "Pixel unshuffle 8 on Skin phantom by matched tuned", "Pixel unshuffle 8 on Skin phantom",
    ]  # fmt: skip


def test_a_study_without_controls_says_so():
    assert controls_in_words(None, str, {}) == ("open", NOT_RUN, [])


def test_the_first_lines_of_the_report_are_the_same_and_no_markup_of_a_label_counts():
    text = as_rst(controls_in_words(pd.DataFrame([LOSSLESS, CIPHER]), "a_*{}*".format, NAMES))
    assert text.startswith("**Controls: a known gap is found;")
    assert "\n- **absent**: Pixel unshuffle 8 on a\\_\\*skin\\*, no gap" in text


def test_the_words_of_a_folder_wait_for_the_verdicts(tmp_path):
    assert controls_of(tmp_path).lead == NOT_RUN
    write_json(study_lists(CONTROLLED), tmp_path / "study.json")
    assert "not judged yet" in controls_of(tmp_path).lead
    write_csv(control_verdicts(*study(6000), COMPARED), tmp_path / "significance/controls.csv")
    found = controls_of(tmp_path)
    assert found.kind == "supported"
    assert found.lines[1].text.startswith("enciphered 8 on cardium, a gap of ")
    assert found.lines[2].text.startswith("Same training with another seed on cardium, no gap by construction: ")
    write_json(study_lists(PUBLISHED), tmp_path / "study.json")  # the files there belong to another study
    assert controls_of(tmp_path).lead == NOT_RUN


def test_the_page_has_every_row_with_its_interval(tmp_path):
    path = tmp_path / "controls.csv"
    write_csv(control_verdicts(*study(100, folds=(0, 1)), COMPARED), path)
    labels = Labels({"cardium": "Cardium"}, NAMES, synthetic=frozenset({"cardium"}))
    page = render_controls(pd.read_csv(path, keep_default_na=False, dtype=str), labels)
    effects = read_numbers(path).set_index("control")["effect"]
    assert "image_again" not in page
    for name, shown in {**NAMES, "image_again": "Same training with another seed"}.items():
        assert shown in page
        assert f"{100 * effects[name]:.1f} [".replace("-", "−") in page
    assert "synthetic images, not patients" in page
    assert page.count("cannot be told") == 2
