"""The works that a study's methods may rest on, for its report and as BibTeX.

A text cites by key, as pandoc does: ``[@holm1979]`` or ``[@cho2014; @hochreiter1997]``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

CITATION = re.compile(r"\[(@\w+(?:; @\w+)*)\]")
MOST_AUTHORS = 6  # in a reference; of more, the first six and "et al."
_WHERE = {"article": "journal", "inproceedings": "booktitle", "book": "publisher"}


@dataclass(frozen=True)
class Work:
    """One work: BibTeX's `kind`, authors as "Family, I. J.", title, where and when it appeared.

    `venue` is the journal, the proceedings or the publisher; for `misc` how it was published.
    """

    kind: str
    authors: str
    title: str
    venue: str
    year: int
    volume: str = ""
    number: str = ""
    pages: str = ""
    doi: str = ""
    url: str = ""

    @property
    def families(self) -> list[str]:
        """Family names; "others" stands for those that are not listed."""
        return [author.split(",")[0] for author in self.authors.split(" and ")]

    def cited(self) -> str:
        """Return the work as a text cites it, such as ``Lundberg & Lee 2017``."""
        names = self.families
        who = " & ".join(names) if len(names) < 3 else f"{names[0]} et al."
        return f"{who} {self.year}"

    def formatted(self) -> str:
        """Return the work as a list of references has it, without its DOI or address."""
        people = [_short(author) for author in self.authors.split(" and ")]
        listed = [name for name in people[:MOST_AUTHORS] if name != "others"]
        who = ", ".join([*listed, *(["et al."] if listed != people else [])])
        issue = f"{self.volume}({self.number})" if self.number else self.volume
        place = f" {issue}" if issue else ""
        if self.pages:
            place += f"{':' if issue else ','} {self.pages}"
        return f"{who} ({self.year}) {self.title}. {self.venue}{place}."

    def link(self) -> str:
        """Return the address of the work; empty if it has none."""
        return f"https://doi.org/{self.doi}" if self.doi else self.url


WORKS: Mapping[str, Work] = {
    "ajioka2024": Work(
        "article",
        "Ajioka, T. and Nakai, N. and Yamashita, O. and Takumi, T.",
        "End-to-end deep learning approach to mouse behavior classification from cortex-wide "
        "calcium imaging",
        *("PLOS Computational Biology", 2024, "20", "3", "e1011074"),
        doi="10.1371/journal.pcbi.1011074",
    ),
    "baayen2008": Work(
        "article",
        "Baayen, R. H. and Davidson, D. J. and Bates, D. M.",
        "Mixed-effects modeling with crossed random effects for subjects and items",
        *("Journal of Memory and Language", 2008, "59", "4", "390-412"),
        doi="10.1016/j.jml.2007.12.005",
    ),
    "bai2018": Work(
        "misc",
        "Bai, S. and Kolter, J. Z. and Koltun, V.",
        "An empirical evaluation of generic convolutional and recurrent networks for sequence "
        "modeling",
        *("arXiv:1803.01271", 2018),
        doi="10.48550/arXiv.1803.01271",
    ),
    "benjamini1995": Work(
        "article",
        "Benjamini, Y. and Hochberg, Y.",
        "Controlling the false discovery rate: a practical and powerful approach to multiple "
        "testing",
        *("Journal of the Royal Statistical Society B", 1995, "57", "1", "289-300"),
        doi="10.1111/j.2517-6161.1995.tb02031.x",
    ),
    "campbell2008": Work(
        "article",
        "Campbell, J. Y. and Thompson, S. B.",
        "Predicting excess stock returns out of sample: can anything beat the historical average?",
        *("Review of Financial Studies", 2008, "21", "4", "1509-1531"),
        doi="10.1093/rfs/hhm055",
    ),
    "chen2013": Work(
        "article",
        "Chen, T.-W. and Wardill, T. J. and Sun, Y. and Pulver, S. R. and Renninger, S. L. and "
        "Baohan, A. and others",
        "Ultrasensitive fluorescent proteins for imaging neuronal activity",
        *("Nature", 2013, "499", "", "295-300"),
        doi="10.1038/nature12354",
    ),
    "chen2022": Work(
        "article",
        "Chen, H. and Lundberg, S. M. and Lee, S.-I.",
        "Explaining a series of models by propagating Shapley values",
        *("Nature Communications", 2022, "13", "", "4512"),
        doi="10.1038/s41467-022-31384-3",
    ),
    "chelba2004": Work(
        "inproceedings",
        "Chelba, C. and Acero, A.",
        "Adaptation of maximum entropy capitalizer: little data can help a lot",
        "Proceedings of the 2004 Conference on Empirical Methods in Natural Language Processing",
        *(2004, "", "", "285-292"),
        url="https://aclanthology.org/W04-3237",
    ),
    "cho2014": Work(
        "inproceedings",
        "Cho, K. and van Merriënboer, B. and Gulcehre, C. and Bahdanau, D. and Bougares, F. and "
        "Schwenk, H. and Bengio, Y.",
        "Learning phrase representations using RNN encoder-decoder for statistical machine "
        "translation",
        "Proceedings of the 2014 Conference on Empirical Methods in Natural Language Processing",
        *(2014, "", "", "1724-1734"),
        doi="10.3115/v1/D14-1179",
    ),
    "cortes1995": Work(
        "article",
        "Cortes, C. and Vapnik, V.",
        "Support-vector networks",
        *("Machine Learning", 1995, "20", "3", "273-297"),
        doi="10.1007/BF00994018",
    ),
    "couto2021": Work(
        "article",
        "Couto, J. and Musall, S. and Sun, X. R. and Khanal, A. and Gluf, S. and Saxena, S. and "
        "Kinsella, I. and Abe, T. and Cunningham, J. P. and Paninski, L. and Churchland, A. K.",
        "Chronic, cortex-wide imaging of specific cell populations during behavior",
        *("Nature Protocols", 2021, "16", "7", "3241-3263"),
        doi="10.1038/s41596-021-00527-z",
    ),
    "deng2009": Work(
        "inproceedings",
        "Deng, J. and Dong, W. and Socher, R. and Li, L.-J. and Li, K. and Fei-Fei, L.",
        "ImageNet: a large-scale hierarchical image database",
        "2009 IEEE Conference on Computer Vision and Pattern Recognition",
        *(2009, "", "", "248-255"),
        doi="10.1109/CVPR.2009.5206848",
    ),
    "devries2020": Work(
        "article",
        "de Vries, S. E. J. and Lecoq, J. A. and Buice, M. A. and Groblewski, P. A. and "
        "Ocker, G. K. and Oliver, M. and others",
        "A large-scale standardized physiological survey reveals functional organization of the "
        "mouse visual cortex",
        *("Nature Neuroscience", 2020, "23", "1", "138-151"),
        doi="10.1038/s41593-019-0550-9",
    ),
    "elman1990": Work(
        "article",
        "Elman, J. L.",
        "Finding structure in time",
        *("Cognitive Science", 1990, "14", "2", "179-211"),
        doi="10.1207/s15516709cog1402_1",
    ),
    "erion2021": Work(
        "article",
        "Erion, G. and Janizek, J. D. and Sturmfels, P. and Lundberg, S. M. and Lee, S.-I.",
        "Improving performance of deep learning models with axiomatic attribution priors and "
        "expected gradients",
        *("Nature Machine Intelligence", 2021, "3", "", "620-631"),
        doi="10.1038/s42256-021-00343-w",
    ),
    "fisher1935": Work(
        "book", "Fisher, R. A.", "The Design of Experiments", "Oliver and Boyd, Edinburgh", 1935
    ),
    "friedman2001": Work(
        "article",
        "Friedman, J. H.",
        "Greedy function approximation: a gradient boosting machine",
        *("Annals of Statistics", 2001, "29", "5", "1189-1232"),
        doi="10.1214/aos/1013203451",
    ),
    "glorot2010": Work(
        "inproceedings",
        "Glorot, X. and Bengio, Y.",
        "Understanding the difficulty of training deep feedforward neural networks",
        "Proceedings of the 13th International Conference on Artificial Intelligence and "
        "Statistics (PMLR 9)",
        *(2010, "", "", "249-256"),
        url="https://proceedings.mlr.press/v9/glorot10a.html",
    ),
    "golub1973": Work(
        "article",
        "Golub, G. H. and Pereyra, V.",
        "The differentiation of pseudo-inverses and nonlinear least squares problems whose "
        "variables separate",
        *("SIAM Journal on Numerical Analysis", 1973, "10", "2", "413-432"),
        doi="10.1137/0710036",
    ),
    "guizar2008": Work(
        "article",
        "Guizar-Sicairos, M. and Thurman, S. T. and Fienup, J. R.",
        "Efficient subpixel image registration algorithms",
        *("Optics Letters", 2008, "33", "2", "156-158"),
        doi="10.1364/OL.33.000156",
    ),
    "hanley1982": Work(
        "article",
        "Hanley, J. A. and McNeil, B. J.",
        "The meaning and use of the area under a receiver operating characteristic (ROC) curve",
        *("Radiology", 1982, "143", "1", "29-36"),
        doi="10.1148/radiology.143.1.7063747",
    ),
    "harris2020": Work(
        "misc",
        "Harris, K. D.",
        "Nonsense correlations in neuroscience",
        *("bioRxiv 2020.11.29.402719", 2020),
        doi="10.1101/2020.11.29.402719",
    ),
    "he2015": Work(
        "inproceedings",
        "He, K. and Zhang, X. and Ren, S. and Sun, J.",
        "Delving deep into rectifiers: surpassing human-level performance on ImageNet "
        "classification",
        "2015 IEEE International Conference on Computer Vision",
        *(2015, "", "", "1026-1034"),
        doi="10.1109/ICCV.2015.123",
    ),
    "hedges1981": Work(
        "article",
        "Hedges, L. V.",
        "Distribution theory for Glass's estimator of effect size and related estimators",
        *("Journal of Educational Statistics", 1981, "6", "2", "107-128"),
        doi="10.3102/10769986006002107",
    ),
    "hochreiter1997": Work(
        "article",
        "Hochreiter, S. and Schmidhuber, J.",
        "Long short-term memory",
        *("Neural Computation", 1997, "9", "8", "1735-1780"),
        doi="10.1162/neco.1997.9.8.1735",
    ),
    "hoerl1970": Work(
        "article",
        "Hoerl, A. E. and Kennard, R. W.",
        "Ridge regression: biased estimation for nonorthogonal problems",
        *("Technometrics", 1970, "12", "1", "55-67"),
        doi="10.1080/00401706.1970.10488634",
    ),
    "holm1979": Work(
        "article",
        "Holm, S.",
        "A simple sequentially rejective multiple test procedure",
        *("Scandinavian Journal of Statistics", 1979, "6", "2", "65-70"),
    ),
    "kingma2015": Work(
        "inproceedings",
        "Kingma, D. P. and Ba, J.",
        "Adam: a method for stochastic optimization",
        *("3rd International Conference on Learning Representations", 2015),
        url="https://arxiv.org/abs/1412.6980",
    ),
    "kish1965": Work("book", "Kish, L.", "Survey Sampling", "Wiley, New York", 1965),
    "klindt2017": Work(
        "inproceedings",
        "Klindt, D. and Ecker, A. S. and Euler, T. and Bethge, M.",
        "Neural system identification for large populations separating what and where",
        *("Advances in Neural Information Processing Systems 30", 2017, "", "", "3506-3516"),
        url="https://arxiv.org/abs/1711.02653",
    ),
    "lee2001": Work(
        "article",
        "Lee, A. B. and Mumford, D. and Huang, J.",
        "Occlusion models for natural images: a statistical study of a scale-invariant dead leaves "
        "model",
        *("International Journal of Computer Vision", 2001, "41", "", "35-59"),
        doi="10.1023/A:1011109015675",
    ),
    "lundberg2017": Work(
        "inproceedings",
        "Lundberg, S. M. and Lee, S.-I.",
        "A unified approach to interpreting model predictions",
        *("Advances in Neural Information Processing Systems", 2017, "30", "", "4765-4774"),
        url="https://arxiv.org/abs/1705.07874",
    ),
    "ma2016": Work(
        "article",
        "Ma, Y. and Shaik, M. A. and Kim, S. H. and Kozberg, M. G. and Thibodeaux, D. N. and "
        "Zhao, H. T. and Yu, H. and Hillman, E. M. C.",
        "Wide-field optical mapping of neural activity and brain haemodynamics: considerations and "
        "novel approaches",
        *("Philosophical Transactions of the Royal Society B", 2016, "371", "", "20150360"),
        doi="10.1098/rstb.2015.0360",
    ),
    "molder2021": Work(
        "article",
        "Mölder, F. and Jablonski, K. P. and Letcher, B. and Hall, M. B. and Tomkins-Tinch, C. H. "
        "and Sochat, V. and Forster, J. and Lee, S. and Twardziok, S. O. and Kanitz, A. and "
        "Wilm, A. and Holtgrewe, M. and Rahmann, S. and Nahnsen, S. and Köster, J.",
        "Sustainable data analysis with Snakemake",
        *("F1000Research", 2021, "10", "", "33"),
        doi="10.12688/f1000research.29032.2",
    ),
    "nadeau2003": Work(
        "article",
        "Nadeau, C. and Bengio, Y.",
        "Inference for the generalization error",
        *("Machine Learning", 2003, "52", "3", "239-281"),
        doi="10.1023/A:1024068626366",
    ),
    "paszke2019": Work(
        "inproceedings",
        "Paszke, A. and Gross, S. and Massa, F. and Lerer, A. and Bradbury, J. and Chanan, G. and "
        "others",
        "PyTorch: an imperative style, high-performance deep learning library",
        *("Advances in Neural Information Processing Systems", 2019, "32", "", "8024-8035"),
        url="https://arxiv.org/abs/1912.01703",
    ),
    "pedregosa2011": Work(
        "article",
        "Pedregosa, F. and Varoquaux, G. and Gramfort, A. and Michel, V. and Thirion, B. and "
        "Grisel, O. and others",
        "Scikit-learn: machine learning in Python",
        *("Journal of Machine Learning Research", 2011, "12", "", "2825-2830"),
        url="https://www.jmlr.org/papers/v12/pedregosa11a.html",
    ),
    "phipson2010": Work(
        "article",
        "Phipson, B. and Smyth, G. K.",
        "Permutation p-values should never be zero: calculating exact p-values when permutations "
        "are randomly drawn",
        "Statistical Applications in Genetics and Molecular Biology",
        *(2010, "9", "1", "39"),
        doi="10.2202/1544-6115.1585",
    ),
    "sahani2003": Work(
        "inproceedings",
        "Sahani, M. and Linden, J. F.",
        "How linear are auditory cortical responses?",
        *("Advances in Neural Information Processing Systems 15", 2003, "", "", "125-132"),
    ),
    "saravanan2020": Work(
        "article",
        "Saravanan, V. and Berman, G. J. and Sober, S. J.",
        "Application of the hierarchical bootstrap to multi-level data in neuroscience",
        *("Neurons, Behavior, Data Analysis, and Theory", 2020, "3", "5"),
    ),
    "schneider2020": Work(
        "inproceedings",
        "Schneider, S. and Rusak, E. and Eck, L. and Bringmann, O. and Brendel, W. and Bethge, M.",
        "Improving robustness against common corruptions by covariate shift adaptation",
        "Advances in Neural Information Processing Systems 33",
        *(2020, "", "", "11539-11551"),
        url="https://arxiv.org/abs/2006.16971",
    ),
    "schoppe2016": Work(
        "article",
        "Schoppe, O. and Harper, N. S. and Willmore, B. D. B. and King, A. J. and "
        "Schnupp, J. W. H.",
        "Measuring the performance of neural models",
        *("Frontiers in Computational Neuroscience", 2016, "10", "", "10"),
        doi="10.3389/fncom.2016.00010",
    ),
    "schuster1997": Work(
        "article",
        "Schuster, M. and Paliwal, K. K.",
        "Bidirectional recurrent neural networks",
        *("IEEE Transactions on Signal Processing", 1997, "45", "11", "2673-2681"),
        doi="10.1109/78.650093",
    ),
    "seabold2010": Work(
        "inproceedings",
        "Seabold, S. and Perktold, J.",
        "Statsmodels: econometric and statistical modeling with Python",
        *("Proceedings of the 9th Python in Science Conference", 2010, "", "", "92-96"),
        doi="10.25080/Majora-92bf1922-011",
    ),
    "shrikumar2017": Work(
        "inproceedings",
        "Shrikumar, A. and Greenside, P. and Kundaje, A.",
        "Learning important features through propagating activation differences",
        "Proceedings of the 34th International Conference on Machine Learning (PMLR 70)",
        *(2017, "", "", "3145-3153"),
        url="https://proceedings.mlr.press/v70/shrikumar17a.html",
    ),
    "shrout1979": Work(
        "article",
        "Shrout, P. E. and Fleiss, J. L.",
        "Intraclass correlations: uses in assessing rater reliability",
        *("Psychological Bulletin", 1979, "86", "2", "420-428"),
        doi="10.1037/0033-2909.86.2.420",
    ),
    "simonyan2015": Work(
        "inproceedings",
        "Simonyan, K. and Zisserman, A.",
        "Very deep convolutional networks for large-scale image recognition",
        *("International Conference on Learning Representations", 2015),
        url="https://arxiv.org/abs/1409.1556",
    ),
    "smith2017": Work(
        "inproceedings",
        "Smith, L. N.",
        "Cyclical learning rates for training neural networks",
        "2017 IEEE Winter Conference on Applications of Computer Vision",
        *(2017, "", "", "464-472"),
        doi="10.1109/WACV.2017.58",
    ),
    "smith2019": Work(
        "inproceedings",
        "Smith, L. N. and Topin, N.",
        "Super-convergence: very fast training of neural networks using large learning rates",
        "Artificial Intelligence and Machine Learning for Multi-Domain Operations Applications "
        "(Proceedings of SPIE 11006)",
        *(2019, "", "", "1100612"),
        doi="10.1117/12.2520589",
    ),
    "sundararajan2017": Work(
        "inproceedings",
        "Sundararajan, M. and Taly, A. and Yan, Q.",
        "Axiomatic attribution for deep networks",
        "Proceedings of the 34th International Conference on Machine Learning (PMLR 70)",
        *(2017, "", "", "3319-3328"),
        url="https://proceedings.mlr.press/v70/sundararajan17a.html",
    ),
    "szegedy2016": Work(
        "inproceedings",
        "Szegedy, C. and Vanhoucke, V. and Ioffe, S. and Shlens, J. and Wojna, Z.",
        "Rethinking the Inception architecture for computer vision",
        "2016 IEEE Conference on Computer Vision and Pattern Recognition",
        *(2016, "", "", "2818-2826"),
        doi="10.1109/CVPR.2016.308",
    ),
    "sun2016": Work(
        "inproceedings",
        "Sun, B. and Feng, J. and Saenko, K.",
        "Return of frustratingly easy domain adaptation",
        "Proceedings of the 30th AAAI Conference on Artificial Intelligence",
        *(2016, "", "", "2058-2065"),
        url="https://arxiv.org/abs/1511.05547",
    ),
    "tan2019": Work(
        "inproceedings",
        "Tan, M. and Le, Q. V.",
        "EfficientNet: rethinking model scaling for convolutional neural networks",
        "Proceedings of the 36th International Conference on Machine Learning (PMLR 97)",
        *(2019, "", "", "6105-6114"),
        url="https://proceedings.mlr.press/v97/tan19a.html",
    ),
    "valley2020": Work(
        "article",
        "Valley, M. T. and Moore, M. G. and Zhuang, J. and Mesa, N. and Castelli, D. and "
        "Sullivan, D. and Reimers, M. and Waters, J.",
        "Separation of hemodynamic signals from GCaMP fluorescence measured with wide-field "
        "imaging",
        *("Journal of Neurophysiology", 2020, "123", "1", "356-366"),
        doi="10.1152/jn.00304.2019",
    ),
    "vanderwalt2014": Work(
        "article",
        "van der Walt, S. and Schönberger, J. L. and Nunez-Iglesias, J. and Boulogne, F. and "
        "Warner, J. D. and Yager, N. and Gouillart, E. and Yu, T.",
        "scikit-image: image processing in Python",
        *("PeerJ", 2014, "2", "", "e453"),
        doi="10.7717/peerj.453",
    ),
    "virtanen2020": Work(
        "article",
        "Virtanen, P. and Gommers, R. and Oliphant, T. E. and Haberland, M. and Reddy, T. and "
        "Cournapeau, D. and others",
        "SciPy 1.0: fundamental algorithms for scientific computing in Python",
        *("Nature Methods", 2020, "17", "3", "261-272"),
        doi="10.1038/s41592-019-0686-2",
    ),
    "varma2006": Work(
        "article",
        "Varma, S. and Simon, R.",
        "Bias in error estimation when using cross-validation for model selection",
        *("BMC Bioinformatics", 2006, "7", "", "91"),
        doi="10.1186/1471-2105-7-91",
    ),
    "akiba2019": Work(
        "inproceedings",
        "Akiba, T. and Sano, S. and Yanase, T. and Ohta, T. and Koyama, M.",
        "Optuna: a next-generation hyperparameter optimization framework",
        *("Proceedings of KDD 2019", 2019, "", "", "2623-2631"),
        doi="10.1145/3292500.3330701",
    ),
    "bergstra2011": Work(
        "inproceedings",
        "Bergstra, J. and Bardenet, R. and Bengio, Y. and Kegl, B.",
        "Algorithms for hyper-parameter optimization",
        *("Advances in Neural Information Processing Systems 24", 2011, "", "", "2546-2554"),
    ),
    "wightman2019": Work(
        "misc",
        "Wightman, R.",
        "PyTorch image models",
        *("GitHub repository", 2019),
        doi="10.5281/zenodo.4414861",
    ),
    "wilcoxon1945": Work(
        "article",
        "Wilcoxon, F.",
        "Individual comparisons by ranking methods",
        *("Biometrics Bulletin", 1945, "1", "6", "80-83"),
        doi="10.2307/3001968",
    ),
    "zeiler2014": Work(
        "inproceedings",
        "Zeiler, M. D. and Fergus, R.",
        "Visualizing and understanding convolutional networks",
        *("Computer Vision - ECCV 2014 (LNCS 8689)", 2014, "", "", "818-833"),
        doi="10.1007/978-3-319-10590-1_53",
    ),
}


def cited_in(texts: Iterable[str]) -> dict[str, Work]:
    """Return the works that texts cite by key, sorted by author and year."""
    groups = (group for text in texts for group in CITATION.findall(text))
    keys = {key.removeprefix("@") for group in groups for key in group.split("; ")}
    works = {key: WORKS[key] for key in keys}
    order = sorted(works, key=lambda key: (works[key].families[0].lower(), works[key].year, key))
    return {key: works[key] for key in order}


def bibtex(works: Mapping[str, Work]) -> str:
    """Return works by key as a BibTeX file (UTF-8)."""
    return "\n".join(_entry(key, work) for key, work in works.items())


def _short(author: str) -> str:
    """Return "Family, I. J." as "Family IJ"."""
    family, _, initials = author.partition(", ")
    return f"{family} {re.sub('[. ]', '', initials)}".strip()


def _entry(key: str, work: Work) -> str:
    fields = {
        "author": work.authors,
        "title": f"{{{work.title}}}",  # a second pair of braces keeps its capitals
        _WHERE.get(work.kind, "howpublished"): work.venue,
        "year": str(work.year),
        "volume": work.volume,
        "number": work.number,
        "pages": work.pages.replace("-", "--"),
        "doi": work.doi,
        "url": work.url,
    }
    lines = [f"  {name} = {{{value}}},\n" for name, value in fields.items() if value]
    return f"@{work.kind}{{{key},\n{''.join(lines)}}}\n"
