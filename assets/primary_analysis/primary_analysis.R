
# What follows needs base R alone. Run: Rscript primary_analysis.R [ratings.csv]

part <- 0.25  # How far the weights of a resample go from all ones to those of a drawn sample.

read_answers <- function(path) {
  table <- read.csv(path, colClasses = "character", na.strings = character(0),
                    check.names = FALSE, encoding = "UTF-8")
  names(table)[1] <- "reader"  # without the byte order mark
  kept <- table$question == QUESTION & table$role == "main" & table$excluded == ""
  table <- table[kept, ]
  table$value <- suppressWarnings(as.numeric(table$value))
  if (RANKS) {  # The number of worse images of a ranking, ties counted half: more is better.
    worse <- function(ranks) sum(!is.na(ranks)) - rank(ranks, na.last = "keep")
    table$value <- ave(table$value, table$reader, table$pair, FUN = worse)
  }
  table
}

# Variance of the mean, with Satterthwaite's degrees of freedom (Hillis 2007).
variance <- function(of_readers, shared, readers, patients) {
  shared <- max(shared, 0)
  if (RANDOM == "readers") return(c(of_readers, readers - 1))
  if (RANDOM == "cases") return(c(shared, patients - 1))
  total <- of_readers + shared
  spread <- of_readers^2 / (readers - 1) + shared^2 / (patients - 1)
  c(total, total^2 / spread)
}

# Mean difference of scores, by Obuchowski and Rockette on means of patients (1995).
scores <- function(table) {
  # A reader may see an image several times: the first rating counts, even where it is missing.
  first <- table[table$counts_for_kappa == "1", ]
  rated <- lapply(PAIR, function(method) first[first$method == method, ])
  key <- function(one) paste(one$case, one$reader, sep = "\r")
  both <- rated[[1]]
  both$difference <- both$value - rated[[2]]$value[match(key(both), key(rated[[2]]))]
  both <- both[!is.na(both$difference), ]
  if (!nrow(both)) return(NULL)
  means <- tapply(both$difference, list(both$patient, both$reader), mean)
  patients <- nrow(means)
  readers <- ncol(means)
  by_reader <- colMeans(means, na.rm = TRUE)
  value <- mean(by_reader)
  if ((RANDOM != "cases" && readers < 2) || (RANDOM != "readers" && patients < 2)) {
    return(list(value = value))
  }
  there <- !is.na(means)
  centred <- sweep(means, 2, by_reader)
  centred[!there] <- 0
  number <- colSums(there)
  pairs <- crossprod(there + 0)
  covariance <- crossprod(centred) * pairs / pmax(pairs - 1, 1) / outer(number, number)
  if (RANDOM == "cases") {
    found <- variance(0, sum(covariance) / readers^2, readers, patients)
  } else {
    shared <- (sum(covariance) - sum(diag(covariance))) / (readers * (readers - 1))
    found <- variance(var(by_reader) / readers, shared, readers, patients)
  }
  list(value = value, variance = found[1], df = found[2])
}

# Share of decided preferences, by a bootstrap over readers and patients (Owen 2007). R draws other
# random numbers than the report: its interval and p value differ from these by their simulation
# error, which many resamples make small here.
preferences <- function(table) {
  shown <- table[table$left %in% PAIR & table$right %in% PAIR & table$left != table$right, ]
  shown <- shown[!is.na(shown$value), ]
  preferred <- ifelse(shown$value < 0, shown$left, ifelse(shown$value > 0, shown$right, ""))
  if (!any(preferred != "")) return(NULL)
  cells <- list(shown$reader, shown$patient)
  total <- function(counted) {
    sums <- tapply(counted + 0, cells, sum)
    sums[is.na(sums)] <- 0
    sums
  }
  wins <- total(preferred == PAIR[1])
  trials <- total(preferred != "")
  value <- sum(wins) / sum(trials)
  readers <- nrow(wins)
  patients <- ncol(wins)
  if ((RANDOM != "cases" && readers < 2) || (RANDOM != "readers" && patients < 2) ||
      value <= 0 || value >= 1) {
    return(list(value = value))
  }
  set.seed(SEED %% 2^31)
  resamples <- 10 * RESAMPLES
  weights <- function(count) {
    t(1 + part * (rmultinom(resamples, count, rep(1 / count, count)) - 1))
  }
  ones <- function(count) matrix(1, resamples, count)
  of_patients <- weights(patients)
  of_readers <- weights(readers)
  draws <- function(r, p) rowSums((r %*% wins) * p) / rowSums((r %*% trials) * p)
  spread <- function(drawn) mean((drawn - mean(drawn))^2)
  factor <- function(count) count / (count - 1) / part^2
  over_readers <- draws(of_readers, ones(patients))
  over_patients <- draws(ones(readers), of_patients)
  from_readers <- factor(readers) * spread(over_readers)
  from_patients <- factor(patients) * spread(over_patients)
  if (RANDOM == "both") {
    # What both draws together add to the two on their own is noise, which counts once.
    noise <- draws(of_readers, of_patients) - over_readers - over_patients
    from_patients <- from_patients - factor(readers) * factor(patients) * spread(noise)
  }
  found <- variance(from_readers, from_patients, readers, patients)
  list(value = value, variance = found[1], df = found[2])
}

# Interval at 1 - ALPHA, and the test of the hypothesis.
conclusion <- function(value, error, df) {
  lower <- -MARGIN
  upper <- MARGIN
  centre <- value
  if (PREFERENCES) {  # On the log odds, where the interval has no ends.
    lower <- qlogis(0.5 - MARGIN)
    upper <- qlogis(0.5 + MARGIN)
    centre <- qlogis(value)
    error <- error / (value * (1 - value))
  }
  ends <- centre + c(-1, 1) * qt(1 - ALPHA / 2, df) * error
  ends <- if (PREFERENCES) plogis(ends) else c(max(ends[1], -SPAN), min(ends[2], SPAN))
  above <- (centre - lower) / error
  below <- (centre - upper) / error
  p_above <- pt(above, df, lower.tail = FALSE)
  p_below <- pt(below, df)
  if (HYPOTHESIS == "difference") {
    t <- centre / error
    p <- 2 * pt(-abs(t), df)
  } else if (HYPOTHESIS == "non-inferiority" || p_above >= p_below) {
    t <- above
    p <- p_above
  } else {
    t <- below
    p <- p_below
  }
  limit <- if (HYPOTHESIS == "difference") ALPHA else ALPHA / 2
  list(low = ends[1], high = ends[2], t = t, df = df, p = p, limit = limit,
       shown = if (p < limit) "yes" else "no")
}

line <- function(name, value) {
  cat(name, ": ", if (is.character(value)) value else format(value, digits = 10), "\n", sep = "")
}

arguments <- commandArgs()
script <- sub("^--file=", "", grep("^--file=", arguments, value = TRUE))
given <- commandArgs(trailingOnly = TRUE)
beside <- if (length(script)) file.path(dirname(script), "ratings.csv") else "ratings.csv"
answers <- read_answers(if (length(given)) given[1] else beside)
found <- if (PREFERENCES) preferences(answers) else scores(answers)
cat(QUESTION, ": ", if (PREFERENCES) "share of wins, " else "mean difference, ", PAIR[1],
    if (PREFERENCES) " over " else " minus ", PAIR[2], "\n", sep = "")
cat("hypothesis: ", HYPOTHESIS, "; random: ", RANDOM, "; interval at ",
    format(100 * (1 - ALPHA)), " %\n", sep = "")
if (is.null(found)) {
  line("result", "undefined: the two methods have no answers to compare")
} else {
  line("value", found$value)
  if (is.null(found$variance) || !(found$variance > 1e-20)) {
    line("result", "undefined: the data do not tell how precise the estimate is")
  } else {
    result <- conclusion(found$value, sqrt(found$variance), found$df)
    for (name in names(result)) line(name, result[[name]])
  }
}
