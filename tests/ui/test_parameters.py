"""Fields of the methods' parameters: keywords, values and presets."""

import pytest

from enhancers.errors import ParameterError
from enhancers.method import Modality
from enhancers.registry import METHODS, get, resolve
from enhancers.ui import parameters as fields
from tests.support.compare_page import field_values


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.key)
@pytest.mark.parametrize("modality", list(Modality))
def test_untouched_fields_mean_the_preset(method, modality):
    assert fields.parameter_values(method, field_values(modality=modality)) == resolve(
        method.key, modality
    )


def test_every_parameter_has_a_field_and_every_keyword_is_different(handlers):
    inputs = handlers.layout.method_inputs()
    wanted = {
        fields.FIELD_KEY.format(method=method.key, parameter=parameter.name)
        for method in METHODS
        for parameter in method.parameters
    }
    assert set(inputs) - set(handlers.layout.added.inputs()) == wanted | {
        method.key for method in METHODS
    } | {
        "seed",
        "seeds",
        "device",
        "confirm",
    }


def test_an_empty_automatic_field_is_none_and_text_becomes_a_number():
    keyword = "nlm__sigma"
    assert fields.parameter_values(get("nlm"), field_values(**{keyword: "  "}))["sigma"] is None
    assert fields.parameter_values(get("nlm"), field_values(**{keyword: "0.05"}))["sigma"] == 0.05
    with pytest.raises(ParameterError, match="sigma=7"):
        fields.parameter_values(get("nlm"), field_values(**{keyword: "7"}))


def test_presets_follow_the_modality_but_not_into_edited_fields():
    changes = fields.preset_changes(Modality.OTHER, Modality.MR, field_values())
    assert changes["nlm__noise"] == "rician"
    assert all(value != field_values()[keyword] for keyword, value in changes.items())
    edited = field_values(clahe__clip_limit=5.0)
    lighter = fields.preset_changes(Modality.OTHER, Modality.CT, field_values())
    assert lighter["clahe__clip_limit"] == 1.0
    assert "clahe__clip_limit" not in fields.preset_changes(Modality.OTHER, Modality.CT, edited)


def test_presets_there_and_back_leave_what_was():
    after = field_values() | fields.preset_changes(Modality.OTHER, Modality.CT, field_values())
    back = after | fields.preset_changes(Modality.CT, Modality.OTHER, after)
    assert back == field_values()


def test_only_methods_made_for_the_modality_are_selected():
    for modality in Modality:
        for key in fields.selected_at_first(modality):
            assert modality in get(key).modalities
    for modality in (Modality.CT, Modality.MR):
        assert "unimie" not in fields.selected_at_first(modality)
    assert "unimie" in fields.selected_at_first(Modality.FUNDUS)


def test_the_selection_follows_the_modality_unless_the_user_changed_it():
    chosen = field_values("classical", "denoiser", "pseudo_label", "null_space")
    changes = fields.preset_changes(Modality.MR, Modality.FUNDUS, chosen)
    assert (changes["pseudo_label"], changes["null_space"], changes["unimie"]) == (
        False, False, True,
    )  # fmt: skip
    assert "classical" not in changes
    for edited in (field_values("classical", "unimie"), field_values("clahe"), field_values()):
        changes = fields.preset_changes(Modality.MR, Modality.FUNDUS, edited)
        assert not {"pseudo_label", "null_space", "unimie"} & set(changes)


def test_a_spine_selects_the_method_that_is_made_for_it_and_gives_way_to_others():
    chosen = field_values(*fields.selected_at_first(Modality.US))
    spine = chosen | fields.preset_changes(Modality.US, Modality.US, chosen, spine=True)
    assert [one.key for one in fields.chosen_methods(spine)] == ["srad", "morphology"]
    back = spine | fields.preset_changes(Modality.US, Modality.US, spine)
    assert back == chosen
    edited = field_values("clahe")
    assert fields.preset_changes(Modality.US, Modality.US, edited, spine=True) == {}
