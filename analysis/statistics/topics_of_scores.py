"""The topics that scores alone can answer."""

from __future__ import annotations

import pandas as pd

from analysis.axes import each_axis
from analysis.shown import MOST_PAIRS, pairs_of
from analysis.statistics import comparison, lacking, paired, ranks
from analysis.statistics.causes import causes_of_spread
from analysis.statistics.gap_curve import gap_changes, gap_curves
from analysis.statistics.luck_of_choice import luck_of_best
from analysis.statistics.material import Material
from analysis.statistics.more_images import learning_curves, more_images
from analysis.statistics.on_these_images import compare_on_images
from analysis.statistics.other_splits import other_splits
from analysis.statistics.purchases import purchases
from analysis.statistics.shift import shift_or_fewer
from analysis.statistics.spread import spread
from analysis.statistics.topic import Statistic, Topic
from analysis.statistics.variance import variance_shares

NUM_WORST = 20


def _scores(material: Material) -> pd.DataFrame:
    return material.of_all_splits.assign(simulated=int(material.scores.simulated))


def _pairs(material: Material) -> pd.DataFrame:
    """`paired.compare` of each pair that is shown."""
    ratio = material.scores.test_to_train
    frames = []
    for a, b in pairs_of(material.table):
        rows = pd.concat([material.by_configuration[each] for each in (a, b)])
        frame = each_axis(
            rows,
            lambda part, a=a, b=b: paired.compare(  # type: ignore[misc]
                part, a, b, test_to_train=ratio, rope=material.rope, seed=material.seed
            ),
        )
        names = {"model": a[0], "loss": a[1], "less_model": b[0], "less_loss": b[1]}
        frames.append(pd.DataFrame(names, index=frame.index).join(frame))
    return pd.concat(frames) if frames else pd.DataFrame()


def _pairs_on_images(material: Material) -> pd.DataFrame:
    """`on_these_images.compare_on_images` of each pair that is shown."""
    if isinstance(material.by_image, str):
        return pd.DataFrame()
    frames = []
    for a, b in pairs_of(material.table):
        frame = compare_on_images(material.by_image[0], a, b, material.by_image[1], material.seed)
        names = {"model": a[0], "loss": a[1], "less_model": b[0], "less_loss": b[1]}
        frames.append(pd.DataFrame(names, index=frame.index).join(frame))
    return pd.concat(frames) if frames else pd.DataFrame()


OF_SCORES = (
    Topic(
        "scores",
        "Scores by split and class",
        "Which class fails on which split?",
        "All figures share one colour scale. The worst score of each class is outlined.",
        "Each number is the {metric} of a class on a split's test images. The worst of each class is bold; of equal "
        "ones, all are. Splits of different kinds are set apart. A class that is low on every split is a hard class; a "
        "split on which every class is low is a hard split.",
        (Statistic("Scores, the worst of each column marked", "scores", _scores, report_only=True),),
    ),
    Topic(
        "spread",
        "Spread over random splits",
        "How far does {again} move a score?",
        "Each dot is a random split, {score}; the bar is their mean with its 95 % interval (from four splits on). "
        "Every {split} is a marker: what its name ends in, or a diamond where many words would cover each other.",
        "Means and SDs over random splits come with two-sided 95 % intervals (from four splits on). mean is over "
        "splits, and over the seeds of a split; sd is of one training on one random split, and so is expected_within: "
        "one more training should come out within so much of the mean (95 %). If that is more than the difference you "
        "care about, one training is not enough to see it. The intervals allow for skewed and heavy-tailed scores, but "
        "no interval knows of a failure that no split has shown.",
        (
            Statistic(
                "Scores over random splits, and on each held-out split", "spread", lambda m: each_axis(m.table, spread)
            ),
            Statistic(
                "Scores on {others}",
                "other_splits",
                lambda m: other_splits(m.of_all_splits),
                lacks=lacking.other_splits,
            ),
        ),
    ),
    Topic(
        "held_out",
        "From random to held-out splits",
        "Which classes lose on {samples}?",
        "Left: random splits, a dot each, and their mean. Right: the same of each {split}. A line that ends lower "
        "than its bar on the left is a class that loses more than random splits differ.",
        "The difference is the mean on random splits minus the mean on held-out splits. p is an exact one-sided "
        "permutation p-value (over all ways to exchange the names of the splits): how often a difference this large, "
        "or larger, would come up if held-out splits were like random ones in every respect. Held-out splits that "
        "only vary more, with the same mean, get a p below 0.05 in up to 20 % of cases instead of 5 %. p-values of "
        "many columns are exploratory: some are small by chance; holm is p after Holm's correction for all of them. "
        "A column is a class of a configuration.",
        (
            Statistic(
                "Are held-out splits harder? All columns together",
                "held_out",
                lambda m: each_axis(m.table, lambda part: comparison.random_against_held_out(part, m.seed)),
            ),
            Statistic(
                "Are held-out splits harder? Each column by itself: exploratory",
                "held_out_columns",
                lambda m: each_axis(m.table, lambda part: comparison.columns_against_held_out(part, m.seed)),
            ),
            Statistic(
                "The drop divided: fewer training images, and the shift itself",
                "shift_or_fewer",
                lambda m: shift_or_fewer(m.of_all_splits),
                lacks=lacking.matched_splits,
            ),
            Statistic(
                "In how many columns is the lowest score on a held-out split?",
                "lowest_of_columns",
                lambda m: each_axis(m.table, lambda part: ranks.where_the_lowest_lie(part, m.seed)),
                unfolded=True,
            ),
        ),
        lacking.held_out_splits,
    ),
    Topic(
        "learning_curve",
        "How many more images?",
        "Would more training images help, and which class?",
        "A dot is a random split trained on a share of its training images, the line their mean. After the last dot, "
        "dashed: how the curve goes on by a power law, with the 95 % interval of its end. A curve of the gap (random "
        "less held-out, mean of the classes) has its 95 % interval at each share.",
        "Every split is tested on the same images whatever its share. The error, 1 - {metric}, is taken to fall as a + "
        "b n^-c with the number n of training images; the interval covers every c from 0.1 to 2 that the curvature "
        "does not rule out, allows for splits that share images, and speaks of more images like these. A smaller share "
        "takes fewer steps, as the epochs are the same. Of the gap, change is below 0 where it shrinks; seen is 0 "
        "where it goes on to more images than there are, by such a law for random splits and one for held-out ones.",
        (
            Statistic(
                "What more training images would add to the mean {metric}",
                "more_images",
                lambda m: more_images(m.shares, m.scores.num_trained, m.scores.test_to_train),
                unfolded=True,
            ),
            Statistic(
                "Scores by share of the training images",
                "learning_curves",
                lambda m: learning_curves(m.shares, m.scores.num_trained),
            ),
            Statistic(
                "How the gap to held-out splits changes with the training images",
                "gap_changes",
                lambda m: gap_changes(m.shares, m.scores.num_trained, m.scores.test_to_train),
                unfolded=True,
                lacks=lacking.held_out_shares,
            ),
            Statistic(
                "The gap to held-out splits by share of the training images",
                "gap_curves",
                lambda m: gap_curves(m.shares, m.scores.num_trained),
                lacks=lacking.held_out_shares,
            ),
        ),
        lacking.shares,
    ),
    Topic(
        "profiles",
        "Performance profiles",
        "How many of the scores are above what you need?",
        "Find the {metric} that you need on the x axis and read the share of (split, class) scores above it. Of two "
        "lines the higher is the better; where they cross, the better one depends on what you need. Thin lines are "
        "single splits: so few splits cannot give a band.",
        "",
    ),
    Topic(
        "pairs",
        "Configurations compared",
        "Does the loss, or the network, make a difference that lasts over splits?",
        "A dot is the difference on a random split (a score is {score}); the bar is their mean with its 95 % interval, "
        "the band around zero the differences that count as none (±{rope:g}). An interval wholly beyond the band says "
        "that one is better; an interval wholly within it says that they are practically equal; any other leaves it "
        "open.",
        f"The pairs differ in the network or in the loss, not in both. Where there are more than {MOST_PAIRS}, the "
        "configuration with the highest mean is compared with those next to it in the ranking. `analysis compare` does "
        f"the same for any two. {paired.HOW_TO_READ} On the same "
        "test images it is asked what other images like these would give with the same trained models: interval and p "
        "are of a studentised bootstrap over the images (or their units), holm is p allowing for so many classes. "
        "Of the best: left_out_mean is the score, on each split left out in turn, of what the other splits choose; "
        "optimism is how much higher the choice of all splits scores. By so much, on average over studies, the rule "
        "makes scores too high, for other splits of these images. lead_luck is the part of the lead over the second "
        "that is estimated (by shrinkage) to be luck.",
        (
            Statistic("Each pair, by averaging and class", "pairs", _pairs, report_only=True, of_all=True),
            Statistic(
                "The best on random splits: how much of its score, and of its lead, is luck",
                "luck_of_best",
                lambda m: luck_of_best(m.table, m.scores.test_to_train),
                of_all=True,
            ),
            Statistic(
                "Each pair on the same test images: the trained models, on images like these",
                "pairs_on_images",
                _pairs_on_images,
                report_only=True,
                of_all=True,
                lacks=lacking.images,
            ),
        ),
        lacking.pairs,
    ),
    Topic(
        "ranks",
        "Ranks",
        "Do the splits agree on which configuration is best, and on which class is hardest?",
        "Lines that run level mean that any split would have told you the same; lines that cross mean that the winner "
        "depends on the split.",
        "Rank 1 is the highest score. w is Kendall's W: 1 where all splits agree; w_by_chance is what splits that have "
        "nothing in common would give. The splits share images, so their agreement is described, not tested.",
        (
            Statistic(
                "Ranks of the configurations",
                "configuration_ranks",
                lambda m: each_axis(m.table, ranks.configuration_ranks),
                unfolded=True,
                lacks=lacking.comparable,
            ),
            Statistic(
                "Ranks of the classes",
                "class_ranks",
                lambda m: each_axis(m.table, ranks.class_ranks),
                report_only=True,
                lacks=lacking.several_classes,
            ),
            Statistic(
                "Agreement of the splits on the order of the classes",
                "class_agreement",
                lambda m: each_axis(m.table, ranks.class_agreement),
                lacks=lacking.several_classes,
            ),
            Statistic(
                "How often a class is the hardest, the easiest: over all splits, random and held-out",
                "extremes",
                lambda m: ranks.extreme_classes(m.table),
                lacks=lacking.several_classes,
            ),
        ),
        lacking.comparable_or_several_classes,
    ),
    Topic(
        "variance",
        "What moves the scores",
        "Is it the split, the seed, or the configuration?",
        "",
        "Shares of the variance over random splits, by analysis of variance. If the split's share is near zero, no "
        "split is hard or easy in itself: scores differ by the training's own chance, and comparing configurations on "
        "the same splits gains little. p_split, of an F test of the split's share, is exploratory.",
        (
            Statistic(
                "Shares of the variance over random splits: split, configuration, rest",
                "variance_shares",
                lambda m: variance_shares(m.table),
                unfolded=True,
            ),
        ),
        lacking.variance,
    ),
    Topic(
        "causes",
        "What the spread is made of",
        "Is it the split, the test images, training chance or the search, and what should be added next?",
        "",
        "Standard deviations of the score of one training on one more random split (sd), and of its parts. The test "
        "images are part of the split; what training chance does, two seeds of one split show. The intervals are wide: "
        "they allow for scores with heavy tails, but not for a training in twenty that fails outright. What a purchase "
        "would do to the mean's standard error (se; se_elsewhere: for other images like these) is predicted from these "
        "estimates.",
        (
            Statistic(
                "One training's score: standard deviation by cause",
                "causes",
                lambda m: causes_of_spread(m.table, m.image_parts, m.default_table),
            ),
            Statistic(
                "The mean of classes: what one more split, one more seed, or more images would do for it",
                "purchases",
                lambda m: purchases(m.table, m.image_parts),
                unfolded=True,
            ),
        ),
        lacking.two_seeds,
    ),
    Topic(
        "worst",
        "The worst scores",
        "How low did a single score get?",
        "",
        "The lowest of many scores is always low: it says what can happen, not what to expect.",
        (
            Statistic(
                f"The {NUM_WORST} lowest scores",
                "worst_cells",
                lambda m: ranks.worst_cells(m.table, NUM_WORST),
                unfolded=True,
                of_all=True,
            ),
        ),
    ),
)
"""In the order of reading."""
