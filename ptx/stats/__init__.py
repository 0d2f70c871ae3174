"""Intervals and comparisons: every number of a report passes through here.

Pure functions; nothing is read or written. All intervals are two-sided, at 95 % by default. What each
function is for:

=========================  ====================================  ==========================================
function                   for                                   source
=========================  ====================================  ==========================================
proportion                 right or wrong, counted               Clopper and Pearson 1934
mean_interval              the mean of measured scores           Student 1908, Hall 1992; clusters: CR2 (Bell
                                                                 and McCaffrey 2002)
score_interval             either of the two, by the values      clusters of counted scores: Korn and
                                                                 Graubard 1998
quantile_interval          medians, p95 of latencies             order statistics, distribution-free
                                                                 (David and Nagaraja 2003, 7.1)
bootstrap                  statistics without a formula          Efron 1979, percentiles expanded as in
                                                                 Hesterberg 2015; by cluster
unscored_bounds            the effect of unscored items          Manski 1989 (worst case, best case)
paired_difference          model against baseline, item by item  Student's paired t; Bonett and Price 2012
                                                                 for right/wrong
mcnemar                    right/wrong pairs, an exact test      McNemar 1947, binomial
unpaired_difference        metrics without shared items          Zou and Donner 2008
across_seeds               the same run under several seeds      two variance components, Satterthwaite
                                                                 1946
holm                       many comparisons, one baseline        Holm 1979
minimum_detectable_effect  the power of a comparison             Miller 2024, eq. 9; items_needed is its
                                                                 inverse
cohen_kappa                two raters, no missing ratings        Cohen 1960; Fleiss, Cohen and Everitt 1969
fleiss_kappa               several raters, no missing ratings    Fleiss 1971; Gwet 2021
krippendorff_alpha         several raters, missing ratings       Krippendorff 2011; jackknife over items
=========================  ====================================  ==========================================

``clusters`` names the group in which each item was drawn (a passage, a user); without it, intervals of
grouped items are too narrow. :attr:`Difference.verdict` applies one rule everywhere: a difference whose
interval contains zero is "same" (:attr:`Difference.tied`), never a win; one over fewer than
:data:`FEWEST` items is "too few".
"""

from ptx.stats.agreement import cohen_kappa, fleiss_kappa, krippendorff_alpha
from ptx.stats.distributions import LEVEL, normal_quantile, t_quantile, t_tail
from ptx.stats.intervals import (
    bootstrap,
    mean_interval,
    proportion,
    quantile_interval,
    score_interval,
    unscored_bounds,
)
from ptx.stats.multiple import corrected, holm, items_needed, minimum_detectable_effect
from ptx.stats.paired import (
    Difference,
    JoinError,
    Verdict,
    join,
    mcnemar,
    paired_across_seeds,
    paired_difference,
)
from ptx.stats.seeds import FRACTIONS, across_seeds, span_of
from ptx.stats.skewness import FEWEST
from ptx.stats.unpaired import unpaired_difference

__all__ = [
    "FEWEST",
    "FRACTIONS",
    "LEVEL",
    "Difference",
    "JoinError",
    "Verdict",
    "across_seeds",
    "bootstrap",
    "cohen_kappa",
    "corrected",
    "fleiss_kappa",
    "holm",
    "items_needed",
    "join",
    "krippendorff_alpha",
    "mcnemar",
    "mean_interval",
    "minimum_detectable_effect",
    "normal_quantile",
    "paired_across_seeds",
    "paired_difference",
    "proportion",
    "quantile_interval",
    "score_interval",
    "span_of",
    "t_quantile",
    "t_tail",
    "unpaired_difference",
    "unscored_bounds",
]
