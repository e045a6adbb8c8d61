"""A recipe as one typed object: its keys are those of the schema, and a misspelt key is refused."""

from dataclasses import FrozenInstanceError, fields, is_dataclass
from types import NoneType
from typing import Literal, get_args, get_origin

import pytest
import yaml

from learnability.errors import InputError
from learnability.study.configuration import SCHEMA, wrong_in_recipe
from learnability.study.recipe import CONFOUNDS, DESCRIBED, KEYS, SAME_NETWORK, Distill, Recipe, Search, Teacher
from learnability.study.recipes import PLACE, resolve_recipe
from tests.published import PUBLISHED, published
from tests.recipes import DISTILL, IMAGE, recipe_of

SEARCH = {"space": {"lr": {"choices": [0.1]}}, "trials": 2, "workers": 3, "scope": "fold0"}
FULL = IMAGE | {"distill": DISTILL, "search": SEARCH, "noise": {"family": "vp", "draw": "uniform"}}
NAMES = {str: "string", int: "integer", float: "number", bool: "boolean", dict: "object", NoneType: "null"}
RECIPE_SCHEMA = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))["$defs"]["recipe"]


def of_annotation(annotation) -> set:
    """What a field may be: names of JSON's types, the values of a choice, and the same of a list's items."""
    if get_origin(annotation) is Literal:
        return {("value", value) for value in get_args(annotation)}
    if get_origin(annotation) is list:
        return {("items", kind) for kind in of_annotation(*get_args(annotation))}
    if get_origin(annotation):  # a union
        return set().union(*map(of_annotation, get_args(annotation)))
    return {"object"} if is_dataclass(annotation) else {NAMES[annotation]}


def of_schema(content: dict) -> set:
    """The same of a property of the schema."""
    if "enum" in content:
        return {"null" if value is None else ("value", value) for value in content["enum"]}
    if "anyOf" in content:
        return set().union(*map(of_schema, content["anyOf"]))
    if content["type"] == "array":
        return {("items", kind) for kind in of_schema(content["items"])}
    return {content["type"]} if isinstance(content["type"], str) else set(content["type"])


def objects(kind: type, schema: dict, path: str = ""):
    """Every dataclass of a recipe with the schema of its keys."""
    yield path, kind, schema
    for item in fields(kind):
        for part in filter(is_dataclass, (item.type, *get_args(item.type))):
            yield from objects(part, schema["properties"][item.name], f"{path}.{item.name}")


OBJECTS = {path: (kind, schema) for path, kind, schema in objects(Recipe, RECIPE_SCHEMA)}


def test_every_part_of_a_recipe_is_compared_with_the_schema():
    assert list(OBJECTS) == ["", ".drw", ".distill", ".distill.teacher", ".search", ".views"]
    parts = {name for name, content in RECIPE_SCHEMA["properties"].items() if content.get("properties")}
    # study/options.py has the keys of the last two.
    assert parts == {"drw", "distill", "search", "views", "noise", "transform"}


@pytest.mark.parametrize("path", OBJECTS)
def test_the_keys_of_the_schema_are_the_fields_of_the_recipe(path):
    kind, schema = OBJECTS[path]
    keys = {item.name for item in fields(kind)}
    assert set(schema["properties"]) == keys | (PLACE if kind is Recipe else set())
    assert kind is Recipe or set(schema["required"]) == keys


@pytest.mark.parametrize("path", OBJECTS)
def test_the_types_of_the_schema_are_those_of_the_fields(path):
    kind, schema = OBJECTS[path]
    types = {item.name: of_annotation(item.type) for item in fields(kind)}
    assert {name: of_schema(schema["properties"][name]) for name in types} == types


@pytest.mark.parametrize("name", PUBLISHED["recipes"])
def test_plain_values_make_a_recipe_and_a_recipe_gives_them_back(name):
    recipe = resolve_recipe(PUBLISHED, name)
    assert Recipe.from_values(recipe.values()) == recipe
    assert {key: recipe.values()[key] for key in PUBLISHED["recipes"][name].keys() - PLACE} == {
        key: value for key, value in PUBLISHED["recipes"][name].items() if key not in PLACE
    }


def test_parts_of_a_recipe_are_typed_too():
    recipe = recipe_of(FULL)
    assert recipe.values() == FULL
    assert isinstance(recipe.search, Search)
    teacher = Teacher(space="image", recipe="image")
    assert recipe.distill == Distill(teacher=teacher, hard_weight=0.5, loss="mse", temperature=2)
    assert recipe.drw.after_epoch == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"learning_rate": 0.1}, r"^recipe\.learning_rate: no such key; it has \['augment', "),
        ({"drw": IMAGE["drw"] | {"afterepoch": 3}}, r"^recipe\.drw\.afterepoch: no such key; it has \['after_epoch'"),
        ({"distill": DISTILL | {"teacher": {"space": "image"}}}, r"^recipe\.distill\.teacher: missing \['recipe'\]"),
        ({"search": {"space": {}}}, r"^recipe\.search: missing \['scope', 'trials'\]"),
        ({"drw": None}, r"^recipe\.drw is None; expected its keys, \['after_epoch'"),
        ({"search": 20}, r"^recipe\.search is 20; expected its keys"),
    ],
)
def test_a_misspelt_or_missing_key_is_named(changes, message):
    with pytest.raises(InputError, match=message):
        recipe_of(FULL, **changes)


def test_a_misspelt_key_of_the_configuration_is_named_with_its_recipe():
    with pytest.raises(InputError, match=r"^recipes\.latent\.epoch: no such key"):
        resolve_recipe(published(recipes={"latent": {"epoch": 3}}), "latent")


def test_a_misspelt_attribute_is_an_error_and_a_recipe_is_not_changed():
    recipe = recipe_of(FULL)
    with pytest.raises(AttributeError, match="learning_rate"):
        _ = recipe.learning_rate
    with pytest.raises(AttributeError, match="afterepoch"):
        _ = recipe.drw.afterepoch
    for part, name in ((recipe, "lr"), (recipe.drw, "beta"), (recipe.search, "trials")):
        with pytest.raises(FrozenInstanceError):
            setattr(part, name, 1)


def test_values_are_put_into_a_copy_of_the_recipe():
    recipe = recipe_of(FULL)
    changed = recipe.with_values({"lr": 5e-4, "distill.hard_weight": 0.3, "model_options.channels": [4, 4, 4, 4]})
    assert (changed.lr, changed.distill.hard_weight, changed.model_options["channels"]) == (5e-4, 0.3, [4, 4, 4, 4])
    assert changed.unlike(recipe, KEYS) == ["model_options", "lr", "distill"]
    assert changed.distill.teacher == recipe.distill.teacher
    assert recipe.values() == FULL
    for key in ("dropout", "distill.dropout", "lr.high", "noise.rho"):
        with pytest.raises(InputError, match=f"{key}: the recipe has no such value"):
            recipe.with_values({key: 1})


def test_how_many_workers_share_a_search_is_no_part_of_what_results_depend_on():
    recorded = recipe_of(FULL).recorded()
    assert recorded == FULL | {"search": {key: SEARCH[key] for key in ("space", "trials", "scope")}}
    assert recipe_of(recorded).search.workers == 1
    assert recipe_of(recorded).recorded() == recorded
    assert recipe_of().recorded() == IMAGE


def test_what_is_said_of_the_keys():
    network = ("model", "model_options", "stem_patch", "head")
    assert (*network, "transform") == SAME_NETWORK
    assert set(DESCRIBED) == {*network, "init", "film", "noise_space", "latent_std"}
    assert {said: set(keys) for said, keys in CONFOUNDS.items()} == {
        "network": set(network),
        "starting weights": {"init", "start_from"},
        "loss": {"loss", "max_margin", "scale", "drw"},
        "optimisation": {"lr", "weight_decay", "batch_size", "epochs", "patience", "budget_seconds", "search"},
        "augmentation": {"augment", "views"},
        "masking": {"mask"},
        "noise": {"noise", "film"},
        "distillation": {"distill"},
        "training images": {"train_share"},
        "transform": {"transform"},
    }


def test_logits_of_ldam_are_at_one_over_s_and_those_of_cross_entropy_are_not():
    assert recipe_of(loss="ldam_drw", scale=30).logit_scale == 30.0
    assert recipe_of(loss="cross_entropy", scale=30).logit_scale == 1.0


def test_a_search_is_of_each_fold_or_of_the_first():
    tuned = resolve_recipe(PUBLISHED, "tuned")
    assert [tuned.search.fold_of(fold) for fold in (0, 4)] == [0, 4]
    shared = tuned.with_values({"search.scope": "fold0"})
    assert [shared.search.fold_of(fold) for fold in (0, 4)] == [0, 0]


def test_a_replicate_is_its_base_with_another_seed_and_says_so_in_its_values():
    again = resolve_recipe(published(recipes={"again": {"base": "matched", "replicate": 2}}), "again")
    matched = resolve_recipe(PUBLISHED, "matched")
    assert again.unlike(matched, KEYS) == ["replicate"]
    assert again.recorded() == matched.recorded() | {"replicate": 2}
    assert (matched.seed_of(7, 3), again.seed_of(7, 3)) == (10, 2010)


def test_a_first_training_has_the_values_that_it_had_before_there_were_replicates():
    assert "replicate" in KEYS
    later = {"replicate", "train_share", "transform", "decoder_blocks", "views"}
    assert resolve_recipe(PUBLISHED, "matched").recorded().keys() == set(KEYS) - later
    assert recipe_of(replicate=0) == recipe_of()


@pytest.mark.parametrize("value", [0, 1.5, True])
def test_a_replicate_that_is_none_is_refused(value):
    assert wrong_in_recipe("replicate", value)
    assert not wrong_in_recipe("replicate", 1)
