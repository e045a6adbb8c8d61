"""The paper's claims judged by this study, and its published numbers beside the measured ones.

Nothing here is written by hand: a verdict follows from tables and tests by the rule of its kind of claim.

| kind | supported | not supported | cannot be tested at this scale |
|---|---|---|---|
| difference: above zero in every cell | p < α and above zero in every cell | in some cell the interval lies below \
zero, or excludes the published effect (the margin, where none is published) and none is shown | otherwise |
| no difference | two one-sided t-tests within the margin, p < α in every cell | a difference is shown, p < α, and \
equivalence is not | otherwise: absence of evidence is no evidence of absence |
| no gain, no cost | a one-sided t-test below the margin, p < α in every cell | an effect in that direction is \
shown, p < α, and is not shown to be below the margin | otherwise |
| range | every estimate lies in the published range | in some cell the 95 % interval lies outside of it | otherwise |
| every pair | every estimate above zero, one-sided signed-rank p < α | in some pair the interval lies below zero; \
or the estimate is not above zero, and the interval excludes the margin | otherwise, as with too few pairs for any p \
below α |
| no correlation | the 95 % interval of r lies within ±.3 | p < α | otherwise |
| one measurement (Table 3) | within a factor of two of the published value | otherwise | on another kind of device; \
memory, which is that of our chunks |
| counts | as claimed | otherwise | |

Whatever the kind: fewer than three folds, a dataset or an autoencoder that is not in the study, and phantom data cannot
test a claim; what was measured is shown all the same. A claim that names datasets is one about the paper's
autoencoders: it needs all of those that it is about, and others have no part in it. A claim that names none is judged
on the datasets and autoencoders of the study, and the row says how these differ from the paper's; what is about FLUX.2
or MedVAE alone is judged on these where the study has them. p is two-sided, of t-tests paired by fold with Nadeau and
Bengio's correction, Holm's over the cells of the test, unless the row says otherwise.
"""
