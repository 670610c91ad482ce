# Prints the tests of paired AUCs that tests/test_inference.py holds:
#   Rscript tests/r/inference.R > tests/r/inference.tsv
auc <- read.csv("workflow/reference/ajioka2024_auc.csv", check.names = FALSE)
auc <- auc[order(auc$test_mouse, auc$valid_mouse), ]
families <- list(image = "model", roi_models = "model", roi_window = "half_window_frames",
                 roi_regions_limb = "model", roi_regions_parts = "model")

icc <- function(x, mouse) {  # ICC(1), all mice with the same number of values
  square <- summary(aov(x ~ factor(mouse)))[[1]][["Mean Sq"]]
  k <- length(x) / length(unique(mouse))
  (square[1] - square[2]) / (square[1] + (k - 1) * square[2])
}

cat("family\ta\tb\tp_signed_rank\tp_mouse_t\tci_low\tci_high\ticc_a\ticc_b\ticc\n")
for (family in names(families)) {
  rows <- auc[auc$analysis == family, ]
  group <- as.character(rows[[families[[family]]]])
  for (pair in combn(unique(group), 2, simplify = FALSE)) {
    a <- rows$auc[group == pair[1]]
    b <- rows$auc[group == pair[2]]
    mouse <- rows$test_mouse[group == pair[1]]
    difference <- round(a - b, 9)  # so that equal differences tie
    signed <- wilcox.test(difference, exact = FALSE)
    t <- t.test(tapply(difference, mouse, mean))
    cat(family, pair, sprintf("%.12g", c(signed$p.value, t$p.value, t$conf.int,
        icc(a, mouse), icc(b, mouse), icc(difference, mouse))), sep = "\t")
    cat("\n")
  }
}
