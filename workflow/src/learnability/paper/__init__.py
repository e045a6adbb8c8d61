"""The paper's claims judged by this study, and its published numbers beside the measured ones.

Nothing here is written by hand: a verdict follows from tables and tests by the rule of its kind of claim.

| kind | supported | not supported | cannot be told |
|---|---|---|---|
| difference: above zero in every cell | p < α and above zero in every cell | in some cell the simultaneous interval \
lies below zero; or it lies within what counts as none, and no difference is shown | otherwise |
| no difference | two one-sided t-tests within the margin, p < α in every cell | in some cell the simultaneous \
interval lies beyond the margin | otherwise: absence of evidence is no evidence of absence |
| no gain, no cost | a one-sided t-test below the margin, p < α in every cell | in some cell the simultaneous interval \
lies above the margin | otherwise |
| range | every 95 % interval lies in the published range | in some cell the simultaneous interval lies outside of \
it | otherwise |
| no correlation | the 95 % interval of r lies within ±.3 | p < α | otherwise |
| one measurement (Table 3) | within a factor of two of the published value | otherwise | on another kind of device; \
memory, which is that of our chunks |
| counts | as claimed | otherwise | |

"In every cell" is an intersection-union claim: each of the claim's own cells is tested at the level, and none needs a
correction. "In some cell the opposite" is a union: there the intervals are simultaneous, over the same cells. What
counts as none is the margin for balanced accuracy, half of the published difference for other scores; of "latents are
worse in every pair" nothing does, since the paper itself has gaps of a few thousandths.

Whatever the kind: fewer than three folds, a dataset or an autoencoder that is not in the study, and phantom data cannot
test a claim; what was measured is shown all the same. A claim that names datasets is one about the paper's
autoencoders: it needs all of those that it is about, and others have no part in it. A claim that names none is judged
on the datasets and autoencoders of the study, and the row says how these differ from the paper's; what is about FLUX.2
or MedVAE alone is judged on these where the study has them. Differences of balanced accuracy in Table 1 are tested over
groups of images (significance/group_level.py); those of Table 4, AUC and MCC by t-tests paired by fold with Nadeau and
Bengio's correction. p is two-sided and not corrected, unless the row says otherwise.
"""
