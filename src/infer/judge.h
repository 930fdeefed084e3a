/* Verdicts: whether a law is that of its rows and whether they tell its coefficients, and how far beyond the data an answer lies. */
#pragma once

#include "infer/analysis.h"

/* Verdict and status of an arm's law by its minimum, its groups, its intervals and its residuals. Wants the arm's coefficients
 * with their spread; what is not identified is for the caller to forget. */
void judge_law(ArmFit *arm);

/* What other methods and the reference allocation add to it, and how few its groups are. Wants both. */
void judge_reference(ArmFit *arm);

/* Verdict and status of an allocation under a law; what is refused loses its numbers. */
void judge_budget(BudgetFit *out, const ArmFit *arm, const CurrencyFit *currency, const FitOptions *options);

/* Status of a prediction: whether the arm's runs have sampled what its law takes. */
void judge_prediction(Prediction *at, const ArmFit *arm);
