"""The summary needs no other file, is escaped, and draws its sentences from the numbers."""

import base64
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure
from scipy import stats

from learnability.figures.style import save
from learnability.paper.claims import judge_claims
from learnability.paper.layouts import render_claims, render_published
from learnability.paper.published_numbers import compare_published
from learnability.significance.controls import CONTROL_COLUMNS
from learnability.storage.contracts import write_json
from learnability.study.configuration import fill_in, read_config
from learnability.study.presentation import changed_values, config_digest, confounds, not_shareable
from learnability.study.truths import TABLE1
from learnability.summary.answer import answer
from learnability.summary.conclusions import conclusions, described
from learnability.summary.controls import NOT_RUN, Said
from learnability.summary.headline import gap_matrix, tiles
from learnability.summary.page import CAPTIONS, Material, caption, render_summary
from learnability.summary.searched import at_the_ends, end_of
from learnability.tables.caveats import Spoiled
from learnability.tables.labels import Labels
from learnability.tables.table1 import render_table1
from tests.findings import GAPS, card_of, decomposition_of, made_up, metrics_of, with_means
from tests.published import STUDIES, published

DIFFERING = confounds(published())
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"></svg>'
NASTY = '<script>alert("x")</script>'


def material_of(folder: Path, findings) -> Material:
    """The material of a page with a table and a figure; the config is the published one."""
    (folder / "tables").mkdir(parents=True, exist_ok=True)
    html = {"table1": render_table1(findings.frames["table1"], findings.labels)["html"]}
    html["published"] = render_published(compare_published(findings), findings)["html"]
    for name, text in html.items():
        (folder / "tables" / f"{name}.html").write_text(text, encoding="utf-8")
    (folder / "figure2.svg").write_text(SVG)
    weights = {"source": "medvae", "channels": 3, "factor": 4, "parameters": 10, "licence": "MIT"}
    cards = [
        {"autoencoder": "medvae", "dataset": name, "weights_digest": 64 * "a", **weights}
        for name in findings.datasets()
    ]
    return Material(
        config=published(),
        config_digest=config_digest(published()),
        differing=DIFFERING,
        metrics=metrics_of(),
        autoencoders=cards,
        claims=judge_claims(findings),
        tables=[folder / "tables" / "table1.html"],
        published=folder / "tables" / "published.html",
        figures=[folder / "figure2.svg", folder / "figure2.png"],
        results=folder,
        parameters={},
        not_shareable=(),
    )


@pytest.fixture(scope="module")
def findings():
    return made_up()


@pytest.fixture(scope="module")
def page(tmp_path_factory, findings):
    folder = tmp_path_factory.mktemp("study")
    write_json({"repository": "owner/name", "revision": "abc", "files": {}}, folder / "weights/flux1/source.json")
    lines = folder / "benchmarks" / "make_folds"
    lines.mkdir(parents=True)
    (lines / "isic2019.jsonl").write_text('{"s": 7200, "rule_name": "make_folds", "cpu_time": 3600, "max_rss": 1}\n')
    return render_summary(findings, material_of(folder, findings))


def test_the_page_needs_nothing_from_elsewhere(page):
    assert "<script" not in page
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)[^"']*""", page)
    assert "url(" not in page
    assert "@import" not in page
    assert len(page.encode()) < 200_000


def test_the_page_has_everything_that_it_lists(page):
    targets = re.findall(r'href="#([^"]+)"', page)
    assert {"measured", "conclusions", "claims", "published", "tables", "table-1", "figures", "provenance"} <= {
        *targets
    }
    assert all(f'id="{target}"' in page for target in targets)


def test_what_the_controls_say_is_the_first_thing_in_the_page(tmp_path, page, findings):
    assert NOT_RUN in page.partition(">What was measured</h2>")[0]
    cell = {
        "control": "sd14",
        "dataset": "isic2019",
        "recipe": "matched",
        "expected": "gap",
        "verdict": "cannot be told",
    }
    missed = cell | {"effect": 0.1, "ci_low": -0.1, "ci_high": 0.3, "margin": 0.05, "expected_effect": 0.9}
    frame = pd.DataFrame([missed]).reindex(columns=CONTROL_COLUMNS)
    with_controls = replace(findings, frames=findings.frames | {"controls": frame})
    first = render_summary(with_controls, material_of(tmp_path, with_controls)).partition(">What was measured</h2>")[0]
    assert "The controls of this study fail. Trust no gap from it" in first
    assert "SD 1.4 on ISIC-2019, a gap of 90.0 points by construction: 10.0 points [−10.0, 30.0]" in first
    assert NOT_RUN not in first


def test_table_1_and_the_gap_stand_in_the_page(page, findings):
    first = findings.rows("table1", dataset="isic2019", autoencoder="sd14", space="latent", metric="mcc").iloc[0]
    assert f"{first['mean']:.3f}"[1:] in page
    assert "27.8" in page
    assert 'src="data:image/svg+xml;base64,' in page
    assert "Reconstruction fidelity" in page or "figure2" in page


def test_what_the_study_cannot_speak_of_is_one_folded_line(tmp_path):
    """Claims about other data sets and autoencoders, and published numbers where none of the paper's data is there."""
    phantom = made_up(
        {"ct_rate": [0.1]}, autoencoders=("sd14",), psnr=(40.0,), synthetic=("ct_rate",), without=("table3",)
    )
    phantom.cards.pop("imagenet")
    for found, compared in ((phantom, False), (made_up(gaps={"cardium": GAPS["cardium"]}), True)):
        material = material_of(tmp_path, found)
        text = render_summary(found, material)
        absent = material.claims[material.claims["measured"] == "n/a"]
        folded = text[text.index("<details>") : text.index("</details>")]
        assert f"<summary>{len(absent)} more claims are about what is not in this study</summary>" in folded
        assert folded.count("<li>") == len(absent) > 5
        assert text.count("On ISIC-2019 the gap is significant for every autoencoder.") == 1
        assert ("Published and measured" in text, 'href="#published"' in text) == (compared, compared)
        shown = len(material.claims) - len(absent)
        assert f"Of {shown} claims" in text
        rendered = render_claims(material.claims)
        assert f"{shown} claims: " in rendered["md"]
        assert f"{len(absent)} more claims are about what is not in this study" in rendered["html"]
        assert "On ISIC-2019 the gap is significant" not in rendered["html"]


def test_a_study_with_everything_folds_nothing(page):
    assert page.count("<details>") == 1  # the one claim for which the study has no runs
    assert "Published and measured" in page


def test_where_the_numbers_come_from(page):
    assert 64 * "a" in page  # weights
    assert 64 * "d" in page  # data
    assert config_digest(published()) in page
    assert "owner/name" in page
    assert "GPU" in page
    assert re.search(r"make_folds</th><td>1</td><td>2.0</td><td>1.0<", page)


def test_the_digest_of_the_configuration_is_of_what_is_recorded_alone():
    moved = published(results="elsewhere", datasets={"isic2019": {"root": "/other", "label": "ISIC"}})
    assert config_digest(moved) == config_digest(published())
    assert config_digest(published(seed=1)) != config_digest(published())


def test_labels_are_escaped(tmp_path):
    found = made_up()
    names = {"datasets": found.names["datasets"] | {"isic2019": NASTY}, "autoencoders": found.names["autoencoders"]}
    labels = Labels(**names)
    nasty = type(found)(found.frames, found.cards, labels, found.margin, found.n_splits, found.published, names)
    assert "<script" not in render_summary(nasty, material_of(tmp_path, nasty))


def test_phantoms_are_announced(tmp_path, page):
    assert "hantom" not in page
    found = made_up(synthetic=("cardium",))
    text = render_summary(found, material_of(tmp_path, found))
    assert "<strong>Phantom data.</strong> Synthetic images, not patients." in text
    assert any("Cardium (phantom): synthetic images" in line for line in conclusions(found, DIFFERING)["may_not"])


def test_images_that_must_not_be_passed_on_are_not_in_the_page(tmp_path, findings):
    figures = [tmp_path / f"{name}.{extension}" for name in ("figure2", "figure3") for extension in ("svg", "png")]
    for path in figures:
        path.write_text(SVG.replace("</svg>", f"<title>{path.stem}</title></svg>"))
    material = replace(material_of(tmp_path, findings), figures=figures)
    pages = {
        names: render_summary(findings, replace(material, not_shareable=names))
        for names in ((), ("MIMIC-LT", "Cardium"))
    }
    assert all('<figure id="figure2">' in page for page in pages.values())
    assert ['<figure id="figure3">' in page for page in pages.values()] == [True, False]
    pixels = base64.b64encode((tmp_path / "figure3.svg").read_bytes()).decode()
    assert [pixels in page for page in pages.values()] == [True, False]
    assert ["it shows images of MIMIC-LT, Cardium, which" in page for page in pages.values()] == [False, True]
    assert f"{tmp_path.name}/figures/figure3.svg" in pages["MIMIC-LT", "Cardium"]


def test_only_phantoms_and_what_is_declared_may_be_passed_on():
    config = published(study={"datasets": ["isic2019", "cardium", "doll"]})
    config["datasets"]["doll"] = read_config(STUDIES[0])["datasets"]["phantom_echo"]
    fill_in(config)
    assert not_shareable(config) == ["Cardium"]
    config["datasets"]["isic2019"]["shareable"] = False
    assert not_shareable(config) == ["ISIC-2019", "Cardium"]


def test_the_headline_is_of_families_and_the_gap_of_every_pair(findings):
    shown = {tile["label"]: tile["value"] for tile in tiles(findings)}
    gaps = [gap for values in GAPS.values() for gap in values]
    assert shown["Image space"] == ".700"
    assert shown["Learnability gap"] == f"{100 * sum(gaps) / 20:.1f}"
    matrix = gap_matrix(findings)
    assert [row["label"] for row in matrix["rows"]] == ["SD 1.4", "Flux.1", "Flux.2", "MedVAE", "MedVAE-FT"]
    shown = {"value": "27.8*", "interval": "27 to 28", "tint": 42, "sign": "gap", "spoiled": ""}
    assert matrix["rows"][0]["cells"][1] == shown


def searched(space: str, autoencoder: str = "flux2", **values) -> dict:
    """What a search found; its space has three learning rates, a range on a log scale, and two of no order."""
    tried = {
        "lr": {"choices": [3e-4, 1e-3, 3e-3]},
        "noise.high": {"low": 1.0, "high": 100.0, "log": True},
        "mask": {"choices": [0.0, 0.2]},
        "loss": {"choices": ["ldam_drw", "cross_entropy", "other"]},
    }
    cell = {"recipe": "matched_tuned", "space": space, "autoencoder": autoencoder}
    return cell | {"values": values, "searched_space": {key: tried[key] for key in values}}


def test_searches_that_end_at_an_end_are_named_by_side(findings):
    highest = [searched("latent", lr=3e-3, mask=0.2, loss="other")] * 2
    latents = [*highest, searched("latent", lr=1e-3, mask=0.0, loss="other")]
    pixels = [searched("image", lr=3e-4), searched("image", lr=3e-4), searched("reconstruction", lr=1e-3)]
    ciphers = [searched("latent", "enciphered_8", lr=3e-4)] * 9
    controls = pd.DataFrame({"control": ["enciphered_8", "unshuffle"], "expected": ["gap", "no gap"]})
    found = replace(findings, frames=findings.frames | {"controls": controls})
    said = conclusions(found, DIFFERING, [*latents, *pixels, *ciphers])["may_not"]
    assert [line for line in said if "an end of" in line] == [
        "The best lr of matched tuned is often at or near an end of what was tried: the highest in 2 of 3 searches on "
        "latents, the lowest in 2 of 3 searches on images and reconstructions. A wider "
        "recipes.matched_tuned.search.space.lr may change these scores, and the gap."
    ]
    assert at_the_ends([*highest[:1], *[searched("latent", lr=1e-3)] * 2]) == []  # a third of them
    assert at_the_ends(highest) == at_the_ends([]) == []  # too few


@pytest.mark.parametrize(
    ("value", "end"), [(1.0, "lowest"), (1.58, "lowest"), (1.6, None), (63.0, None), (63.2, "highest")]
)
def test_the_ends_of_a_range_are_its_tenths_on_its_scale(value, end):
    declared = searched("latent", **{"noise.high": 1.0})["searched_space"]["noise.high"]
    assert end_of(value, declared) == end  # 10 ** .2 is 1.585, 10 ** 1.8 is 63.1
    assert end_of(value, declared | {"log": False}) == ("lowest" if value < 11 else None)


def test_what_may_be_concluded_depends_on_the_numbers(findings):
    found = conclusions(findings, DIFFERING)
    assert any(line.startswith("In 15 of 20 pairs") for line in found["may"])
    assert any("equal within 2 points" in line for line in found["may"])  # on Cardium the gap is a few thousandths
    error = 0.2 / 3**0.5  # in points, of four degrees of freedom
    alone, corrected = (error * (stats.t.isf(0.025 / tests, 4) + stats.t.ppf(0.8, 4)) for tests in (1, 20))
    (line,) = (line for line in found["may_not"] if "would not have been seen" in line)
    assert f"below about {alone:.1f} points" in line
    assert f"and {corrected:.1f} points with the correction over 20 pairs" in line
    few = conclusions(made_up(folds=2, spread=0.02, gaps={"ct_rate": GAPS["ct_rate"]}), DIFFERING)
    assert any("2 folds: the variance of training is not known" in line for line in few["may_not"])
    assert not any("significantly" in line for line in few["may"])
    assert any("ISIC-2019, MIMIC-LT, Cardium." in line for line in few["may_not"])


def test_the_gap_without_confounds_is_told_where_it_was_measured():
    frame = decomposition_of(["isic2019"], matched=0.08, encoding=0.06)
    text = " ".join(conclusions(made_up(decomposition=frame), DIFFERING)["may"])
    assert "of the encoding itself 6.0 points [4.0, 8.0]" in text
    assert "Gap, Flux.2 on ISIC-2019: " in text
    means = made_up(decomposition=with_means(frame))
    assert " ".join(conclusions(means, DIFFERING)["may"]) == text
    of_one, of_both = (answer(found, Said("open", NOT_RUN, []), []) for found in (made_up(decomposition=frame), means))
    assert of_one == of_both
    tuned = decomposition_of(["isic2019"], matched=0.05, encoding=0.01, recipe="matched_tuned")
    both = made_up(decomposition=pd.concat([tuned, frame]))
    gaps = [line for line in conclusions(both, DIFFERING)["may"] if line.startswith("Gap, ")]
    assert [line.split(":")[0] for line in gaps] == [
        "Gap, Flux.2 on ISIC-2019, matched tuned", "Gap, Flux.2 on ISIC-2019, matched",
    ]  # fmt: skip
    assert "of the encoding itself 1.0 points" in gaps[0]
    said = answer(both, Said("open", NOT_RUN, []), [])[1]
    assert "With one recipe in every space (matched tuned) the gap is 5.0 points" in said
    without = conclusions(made_up(without=("gap_decomposition",)), DIFFERING)["may_not"]
    assert any("was not measured in this study" in line for line in without)


def test_what_the_classifiers_of_the_gap_differ_in_follows_from_their_recipes(findings):
    assert confounds(published()) == ["network", "grid", "augmentation", "masking"]
    demo = read_config(next(path for path in STUDIES if path.stem == "demo"))
    assert confounds(demo) == ["network", "grid", "optimisation", "masking"]
    alike = {"study": {"recipes": {"table1": ["matched"]}, "autoencoders": ["flux2"]}, "image_size": 2048}
    same = published(**alike)  # a latent of factor 8 has 256 rows, as many as classifier_size
    assert confounds(same) == []
    sides = {"pixels": {"spaces": ["image", "reconstruction"]}, "codes": {"spaces": ["latent"], "mask": 0.2}}
    masked = published(**alike, recipes={name: {"base": "matched", **side} for name, side in sides.items()})
    masked["study"]["recipes"]["table1"] = [*sides]
    for config, said in (
        (published(), "differ in network, grid, augmentation and masking, so the gap"),
        (masked, "differ in masking, so the gap"),
        (same, None),
    ):
        found = " ".join(conclusions(findings, confounds(config))["may_not"])
        assert said in found if said else "Classifiers of" not in found


def test_what_is_said_of_a_study_of_latents_alone(findings):
    """None of its autoencoders has a decoder: no gap, no confounds of it, no space that was not run."""
    table = findings.frames["table1"]
    latents = replace(findings, frames={"table1": table[table["space"] == "latent"]})
    text = described(latents, published()["study"], 100)
    assert "(CT-RATE, ISIC-2019, MIMIC-LT, Cardium): in the latent space of 5 autoencoders (SD 1.4, Flux.1," in text
    assert "The gap is not measured" in text
    found = str(conclusions(latents, DIFFERING))
    assert "Classifiers of" not in found
    assert "gap" not in found
    whole = described(findings, published()["study"], 220)
    assert ": in image space, and in the latent and the reconstruction space of 5 autoencoders (SD 1.4," in whole
    assert "minus that on the latent codes" in whole
    assert "5 of 5 folds were run" in whole
    assert "Scores are means over folds" in whole


def test_with_one_fold_no_mean_is_promised_and_intervals_cover_only_sampling(findings):
    config = published()
    config["study"]["folds"] = [0]
    text = described(findings, config["study"], 44)
    assert "1 of 5 folds was run" in text
    assert "Scores are of that fold; 95 % intervals of the gap come from a paired t over groups of images" in text
    assert text.endswith("whose variance is that of sampling alone.")


@pytest.mark.parametrize("folds", [2, 5])
def test_a_loss_with_a_wide_interval_is_not_said_to_lie_within_the_margin(folds):
    found = conclusions(made_up(gaps={"ct_rate": GAPS["ct_rate"]}, spread=0.1, folds=folds), DIFFERING)
    assert not any("as good as images" in line for line in found["may"])
    lines = [line for line in found["may_not"] if "autoencoders lose nothing" in line]
    assert len(lines) == int(folds == 5)
    assert all("not shown to be within 2 points" in line for line in lines)


def test_what_cards_say_against_the_data_is_said(findings):
    seven = {"across_groups": 7, "groups_merged": 0, "with_conflicting_labels": 0}
    cards = findings.cards | {
        "cardium": card_of("cardium", grouped=False, groups=3999, duplicates=seven, subset={"images": 4000}),
        # Of a set with one image per patient, whose equal images are in one group by now, there is nothing to say.
        "ct_rate": card_of("ct_rate", groups=4000, duplicates=seven | {"groups_merged": 3}),
        "isic2019": card_of("isic2019", published={"differences": {"NV": {"published": 1, "found": 2}}}),
        "mimic_cxr_lt": card_of(
            "mimic_cxr_lt",
            duplicates={"across_groups": 0, "groups_merged": 0, "with_conflicting_labels": 4},
            names={"look_alikes": {"group": 2}},
            largest_group={"images": 1000, "share": 0.25, "most_folds": 4},
        ),
    }
    lines = conclusions(type(findings)(**vars(findings) | {"cards": cards}), DIFFERING)["may_not"]
    assert any("Cardium: no groups are known" in line for line in lines)
    assert any("Cardium: 7 images have an identical copy in another group" in line for line in lines)
    assert any("Cardium: a part of the data" in line for line in lines)
    assert any("ISIC-2019: 1 count differs" in line for line in lines)
    assert any("MIMIC-LT: 4 images have an identical copy with another label" in line for line in lines)
    assert any("MIMIC-LT: one group has 25% of the images" in line for line in lines)
    assert any("MIMIC-LT: in 2 sets of groups the names are so alike" in line for line in lines)
    assert not any("CT-RATE:" in line for line in lines)


def test_a_caption_is_filled_in_from_the_configuration():
    text = caption("claims", published(significance={"equivalence_margin": 0.031}), {})
    assert "0.031" in text
    assert caption("no_such_figure", published(), {}) == ""


@pytest.mark.parametrize("name", sorted(path.stem for path in CAPTIONS.glob("*.rst")))
def test_every_caption_can_stand_in_the_page(name):
    config = published()
    fill_in(config)
    text = caption(name, config, {"reweighting": {"image": 10, "latent": 10}, "not_shareable": ["Cardium"]})
    assert not any(mark in text for mark in ("{{", "``", "\\", "{%"))


def test_claims_from_their_file_read_the_same(findings, tmp_path):
    """The rule reads claims.csv, where every number is text."""
    material = material_of(tmp_path, findings)
    material.claims.to_csv(tmp_path / "claims.csv", index=False)
    read = pd.read_csv(tmp_path / "claims.csv", keep_default_na=False)
    again = Material(**vars(material) | {"claims": read})
    assert render_summary(findings, again) == render_summary(findings, material)


# ---- What is read first ----


def test_the_first_sentence_is_the_answer(page, findings):
    first = page.partition('<section id="controls"')[0]
    assert re.search(
        r"<strong>The learnability gap is [\d.]+ points \[[\d.]+, [\d.]+\] on average over 20 pairs of autoencoder and "
        r"data set \(95 % interval in brackets\); it is significantly above 0 in 15 of 20 pairs \(p &lt; \.05, Holm\)\."
        "</strong>",
        first,
    )
    assert (
        "With one recipe in every space the gap is 8.0 points over 4 pairs; that of the lossless control is 2.0"
        in first
    )
    assert "Look at this first: no controls were run." in first


def test_the_answer_of_one_pair_and_two_folds_says_so():
    few = made_up({"ct_rate": [0.1]}, autoencoders=("sd14",), psnr=(40.0,), folds=2, synthetic=("ct_rate",))
    frames = {name: frame for name, frame in few.frames.items() if name != "gap_decomposition"}
    alone = replace(few, frames=frames)
    said = answer(alone, Said("open", NOT_RUN, []), [])
    assert said[0].startswith("The learnability gap is 9.8 points for")
    assert "SD 1.4 on CT-RATE (phantom)" in said[0]
    assert said[0].endswith("from 2 folds no gap is tested.")
    assert said[1] == "The study did not measure how much of it a lossless control has too."
    assert "CT-RATE (phantom): synthetic images, not patients" in said[2]
    measured = decomposition_of(["ct_rate"], matched=0.08, encoding=0.06)
    with_one = replace(few, frames=frames | {"gap_decomposition": measured.replace("n/a", float("nan"))})
    assert (
        "the gap is 8.0 points [6.0, 10.0] for Flux.2 on CT-RATE (phantom); that of the lossless control is 2.0"
        in (answer(with_one, Said("open", NOT_RUN, []), [])[1])
    )


def test_what_spoils_the_answer_is_named_with_it(findings):
    found = [Spoiled("at chance", "cardium", name, "latent", ".5") for name in ("sd14", "flux1")]
    found += [Spoiled(kind, "cardium", "sd14", "reconstruction", "") for kind in ("at chance", "below 20 dB")]
    wrong = Said("refuted", "The controls of this study fail. Read no gap from it before the reason is known: x.", [1])
    said = answer(findings, wrong, found)[2]
    assert said == (
        "Look at this first: the controls of this study fail; latents at chance in 2 cells; "
        "reconstructions at chance in 1 cell; reconstruction below 20 dB in 1 cell."
    )
    assert answer(findings, Said("supported", "Controls: fine.", [1]), [])[2].startswith("Nothing was found that makes")


def test_a_range_says_that_it_is_one(findings):
    notes = {tile["label"]: tile["note"] for tile in tiles(findings)}
    assert notes["Learnability gap"] == "points, the mean; range 0.2 to 27.8 over 20 pairs"


def test_figures_are_numbered_that_of_the_gaps_first_and_have_one_caption(tmp_path, findings):
    paths = [tmp_path / f"{name}.svg" for name in ("figure2", "gaps")]
    for path in paths:
        figure = Figure(figsize=(1, 1))
        figure.set_label(f"Note of {path.stem} < 3.")
        save(figure, path, path.with_suffix(".png"))
    text = render_summary(findings, replace(material_of(tmp_path / "study", findings), figures=paths))
    captions = re.findall(r"<figcaption><b>(Figure \d)\.</b>(.*?)</figcaption>", text, flags=re.DOTALL)
    assert [number for number, _ in captions] == ["Figure 1", "Figure 2"]
    assert captions[0][1].endswith("Note of gaps &lt; 3.")
    assert "<em>Matched</em>" in captions[0][1]
    assert text.index('<figure id="gaps">') < text.index('<section id="controls"') < text.index('<figure id="figure2">')


def test_the_parts_of_the_gap_lead_where_a_study_has_them(tmp_path, findings):
    paths = [tmp_path / f"{name}.svg" for name in ("figure2", "gap_decomposition", "gaps")]
    for path in paths:
        save(Figure(figsize=(1, 1)), path, path.with_suffix(".png"))
    text = render_summary(findings, replace(material_of(tmp_path / "study", findings), figures=paths))
    places = [text.index(f'<figure id="{name}">') for name in ("gap_decomposition", "gaps", "figure2")]
    assert places[0] < text.index('<section id="controls"') < places[1] < places[2]
    assert text.count("<figure ") == 3


def test_date_command_and_what_was_changed_are_in_the_provenance(tmp_path, findings):
    material = material_of(tmp_path, findings)
    changed = changed_values(published(seed=3, datasets={"isic2019": {"root": "/x"}, "new": {}}), published())
    assert changed == ["seed: 3 (published: 0)", "datasets.new: new"]
    told = replace(material, changed=changed, written="2030-01-01 10:00 UTC", command="snakemake --cores 2")
    text = render_summary(findings, told).partition("<h2>Provenance</h2>")[2]
    assert all(word in text for word in ("2030-01-01 10:00 UTC", "snakemake --cores 2", *changed))
    assert "the published study's" in render_summary(findings, material)


def test_a_control_without_an_interval_has_none_in_the_answer():
    few = made_up({"ct_rate": [0.1]}, autoencoders=("sd14",), psnr=(40.0,), folds=1)
    nan = float("nan")
    row = {"dataset": "ct_rate", "recipe": TABLE1, "effect": -0.02, "ci_low": nan, "ci_high": nan, "expected": "no gap"}
    frames = {name: frame for name, frame in few.frames.items() if name != "gap_decomposition"}
    said = answer(replace(few, frames=frames | {"controls": pd.DataFrame([row])}), Said("open", NOT_RUN, []), [])[1]
    assert said == "With the recipes of Table 1 a lossless control has a gap of −2.0 points on CT-RATE."


def test_latents_that_do_better_than_reconstructions_are_said_to():
    reverse = made_up({"ct_rate": [-0.1, 0.1]}, autoencoders=("sd14", "flux1"), psnr=(40.0, 40.0))
    first = answer(reverse, Said("open", NOT_RUN, []), [])[0]
    assert first.endswith("it is significantly above 0 in 1 of 2 pairs, and below 0 in 1 (p < .05, Holm).")
    may = conclusions(reverse, DIFFERING)["may"]
    assert "latents are significantly worse than reconstructions, in 1 significantly better (p < .05" in may[0]


@pytest.mark.parametrize(
    ("gap", "side", "of_latents"),
    [
        (0.1, "significantly above 0 (p < .05)", "significantly worse than reconstructions (p < .05, paired t"),
        (-0.1, "significantly below 0 (p < .05)", "significantly better than reconstructions (p < .05, paired t"),
        (0.0001, "not significantly different from 0", "not significantly different from reconstructions (paired t"),
    ],
)
def test_one_gap_is_not_counted(gap, side, of_latents):
    one = made_up({"ct_rate": [gap]}, autoencoders=("sd14",), psnr=(40.0,))
    assert answer(one, Said("open", NOT_RUN, []), [])[0].endswith(f"; it is {side}.")
    said = f"For SD 1.4 on CT-RATE latents are {of_latents} over groups of images)."
    assert conclusions(one, DIFFERING)["may"][0] == said


def test_no_gap_of_several_is_none():
    none = made_up({"ct_rate": [0.0001, -0.0001]}, autoencoders=("sd14", "flux1"), psnr=(40.0, 40.0))
    assert answer(none, Said("open", NOT_RUN, []), [])[0].endswith("above 0 in none of 2 pairs (p < .05, Holm).")
    assert conclusions(none, DIFFERING)["may"][0].startswith(
        "In none of 2 pairs of autoencoder and data set latents are"
    )


def test_no_part_of_a_gap_is_taken_from_it_where_the_control_has_more():
    """A control's gap of 8 points is no part of a gap of 2."""
    more = made_up(decomposition=decomposition_of(["ct_rate"], matched=0.02, encoding=-0.06))
    said = answer(more, Said("open", NOT_RUN, []), [])[1]
    assert "8.0 points [6.0, 10.0], and the difference, which is the encoding's own, −6.0 points [−8.0, −4.0]." in said
    assert " of it" not in said


def test_of_one_pair_no_correction_is_named():
    one = made_up({"ct_rate": [0.1]}, autoencoders=("sd14",), psnr=(40.0,))
    (seen,) = [text for text in conclusions(one, DIFFERING)["may_not"] if "would not have been seen" in text]
    assert "correction" not in seen


def test_weights_from_a_folder_are_said_to_be(tmp_path):
    changed = changed_values(published(autoencoders={"flux2": {"source": f"{tmp_path}/flux"}}), published())
    (line,) = [each for each in changed if ".source" in each]
    assert line.startswith("autoencoders.flux2.source: a folder (published: ")


def test_one_of_a_thing_is_singular():
    one = made_up({"ct_rate": [0.1]}, autoencoders=("sd14",), psnr=(40.0,))
    assert described(one, published()["study"], 1).startswith("1 classifier on ")
    assert {tile["note"] for tile in tiles(one)} >= {"points, the gap of 1 pair"}
