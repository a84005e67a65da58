# Kaplan-Meier with log-log intervals and Aalen-Johansen by R's package survival. A row at time 0 is added where a curve has none.
suppressMessages(library(survival))
out <- commandArgs(trailingOnly = TRUE)[1]

write <- function(rows, name) {
  text <- rows
  for (column in names(rows)) if (is.double(rows[[column]])) {
    text[[column]] <- ifelse(is.na(rows[[column]]), "", sprintf("%.17g", rows[[column]]))
  }
  con <- file(file.path(out, name), "wb")
  write.csv(text, con, row.names = FALSE, quote = TRUE, na = "")
  close(con)
}

curve <- function(rows) {
  fit <- survfit(Surv(time, event) ~ 1, data = rows, conf.type = "log-log")
  # survfit keeps the error of the cumulative hazard; that of S is S times it, and no number where S is 0.
  std_err <- ifelse(fit$surv == 0, NA, fit$surv * fit$std.err)
  out <- data.frame(time = fit$time, n_risk = fit$n.risk, n_event = fit$n.event, n_censor = fit$n.censor,
                    survival = fit$surv, std_err = std_err, ci_low = fit$lower, ci_high = fit$upper)
  if (min(out$time) > 0) {
    out <- rbind(data.frame(time = 0, n_risk = nrow(rows), n_event = 0, n_censor = 0, survival = 1, std_err = 0, ci_low = NA, ci_high = NA), out)
  }
  out
}

incidence <- function(rows) {
  causes <- sort(setdiff(unique(rows$event), 0))
  fit <- survfit(Surv(time, factor(event, levels = c(0, causes))) ~ 1, data = rows)
  states <- match(as.character(causes), fit$states)
  out <- NULL
  for (at in seq_along(fit$time)) for (k in seq_along(causes)) {
    here <- rows$time == fit$time[at]
    out <- rbind(out, data.frame(time = fit$time[at], cause = causes[k], n_risk = sum(rows$time >= fit$time[at]),
                                 n_event = sum(here & rows$event == causes[k]), n_censor = sum(here & rows$event == 0),
                                 incidence = fit$pstate[at, states[k]]))
  }
  if (min(fit$time) > 0) {
    out <- rbind(data.frame(time = 0, cause = causes, n_risk = nrow(rows), n_event = 0, n_censor = 0, incidence = 0), out)
  }
  out
}

grouped <- function(rows, f) {
  groups <- sort(unique(rows$group), method = "radix")
  do.call(rbind, lapply(groups, function(g) cbind(data.frame(group = g), f(rows[rows$group == g, ]))))
}

read <- function(name) read.csv(file.path(out, name), colClasses = c(group = "character"))
write(grouped(read("durations.csv"), curve), "survival.csv")
write(grouped(read("competing.csv"), incidence), "incidence.csv")
for (definition in c("last_visit", "first_lapse")) {
  rows <- read.csv(file.path(out, paste0(definition, "_durations.csv")))
  write(curve(rows), paste0("survival_", definition, ".csv"))
}
