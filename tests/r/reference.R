# Prints the tables REFERENCE and VECTORS of tests/test_statistics.py.
# Run from the repository root:  Rscript tests/r/reference.R
auc <- read.csv("workflow/reference/ajioka2024_auc.csv", check.names = FALSE)
families <- list(roi_models = "model", roi_window = "half_window_frames",
                 roi_regions_limb = "model", roi_regions_parts = "model", image = "model")

cat(sprintf("# %s\n# family a b W p p_holm\n", R.version.string))
for (family in names(families)) {
  rows <- auc[auc$analysis == family, ]
  group <- as.character(rows[[families[[family]]]])
  values <- unique(group)  # order of first appearance
  holm <- pairwise.wilcox.test(rows$auc, factor(group, values),
                               p.adjust.method = "holm", exact = FALSE)$p.value
  for (pair in combn(values, 2, simplify = FALSE)) {
    test <- wilcox.test(rows$auc[group == pair[1]], rows$auc[group == pair[2]], exact = FALSE)
    cat(sprintf("%s %s %s %g %.12g %.12g\n", family, pair[1], pair[2],
                test$statistic, test$p.value, holm[pair[2], pair[1]]))
  }
}

# The same GRU with exchanged labels and without baseline, each against the published GRU.
gru <- auc$auc[auc$analysis == "roi_models" & auc$model == "GRU"]
for (analysis in c("roi_null", "roi_raw")) {
  test <- wilcox.test(gru, auc$auc[auc$analysis == analysis], exact = FALSE)
  cat(sprintf("%s roi_models %s %g %.12g %.12g\n", analysis, analysis,
              test$statistic, test$p.value, test$p.value))
}

cat("# vectors: W p\n")
vectors <- list(
  list(c(1, 2, 2, 3, 5), c(2, 3, 3, 4, 6, 7)),
  list(c(0.5, 0.5, 0.5, 0.9), c(0.5, 0.5, 0.8, 0.9)),
  list(c(1, 1, 2, 2), c(1, 1, 2, 2)),
  list(c(1, 2), c(3, 4)),
  list(c(5, 5, 5, 6), c(1, 2, 5)),
  list(c(0, 0, 0, 1, 1, 9), c(-3, 0)),
  list(seq(1, 41, 2), c(40, 41, 42, 42, 42)))
for (pair in vectors) {
  test <- wilcox.test(pair[[1]], pair[[2]], exact = FALSE)
  cat(sprintf("%g %.12g\n", test$statistic, test$p.value))
}
