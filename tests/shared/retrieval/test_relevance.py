"""From features to a probability."""

import pytest

from shared.retrieval.relevance import Calibration, Features, Logistic, load_calibration

NOTHING = Features(0, 0, 0)
ALL = Features(1, 1, 0.9)


def test_relevance_is_between_0_and_100_and_grows_with_each_feature():
    relevance = load_calibration().relevance
    assert 0 <= relevance(NOTHING) < 10
    assert 90 < relevance(ALL) <= 100
    assert relevance(Features(0.5, 0.5, 0.2)) < relevance(Features(0.5, 0.5, 0.5)) < relevance(Features(0.5, 1, 0.5))
    assert relevance(Features(0.5, 0.5, 0.5)) < relevance(Features(1, 0.5, 0.5))


def test_without_embeddings_words_alone_decide():
    relevance = load_calibration().relevance
    assert relevance(Features(1, 1, None)) > 70
    assert relevance(Features(0.3, 0, None)) < 30


def test_odds_that_are_sure_do_not_overflow():
    sure = Logistic(intercept=1e9, weights={})
    never = Logistic(intercept=-1e9, weights={})
    calibration = Calibration(fitted="test", hybrid=sure, lexical=never)
    assert calibration.relevance(ALL) == 100
    assert calibration.relevance(Features(1, 1, None)) == 0


def test_a_calibration_for_other_features_is_refused():
    with pytest.raises(KeyError):
        Logistic(intercept=0, weights={"colour": 1}).probability(ALL.values())
