//! From sums to scores: what classifiers and regressors do last.
//!
//! # Source
//! ONNX, `ai.onnx.ml`, attribute `post_transform`; the arithmetic, and what happens to a single score, is onnxruntime's.

/// The last step of a classifier or regressor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PostTransform {
    None,
    Logistic,
    Softmax,
    SoftmaxZero,
    Probit,
}

impl PostTransform {
    pub(crate) fn read(text: Option<&str>) -> Option<Self> {
        Some(match text {
            None | Some("NONE") => Self::None,
            Some("LOGISTIC") => Self::Logistic,
            Some("SOFTMAX") => Self::Softmax,
            Some("SOFTMAX_ZERO") => Self::SoftmaxZero,
            Some("PROBIT") => Self::Probit,
            _ => return None,
        })
    }

    /// Transforms the scores of one row.
    pub(crate) fn apply(self, scores: &mut [f32]) {
        match self {
            Self::None => {}
            Self::Logistic => scores.iter_mut().for_each(|score| *score = logistic(*score)),
            Self::Probit => scores.iter_mut().for_each(|score| *score = probit(*score)),
            Self::Softmax => softmax(scores, false),
            Self::SoftmaxZero => softmax(scores, true),
        }
    }
}

/// How one score becomes two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SecondScore {
    /// The score is a probability, or becomes one by the logistic function if that is the transform: the other class
    /// has the rest.
    Rest,
    /// The score is a distance: the other class is on the other side.
    Opposite,
}

impl SecondScore {
    /// Returns the scores of both classes.
    pub(crate) fn expand(self, score: f32, transform: PostTransform) -> [f32; 2] {
        match (self, transform) {
            (Self::Rest, PostTransform::Logistic) => [1.0 - logistic(score), logistic(score)],
            (Self::Rest, _) => [1.0 - score, score],
            (Self::Opposite, PostTransform::Logistic) => [logistic(-score), logistic(score)],
            (Self::Opposite, _) => [-score, score],
        }
    }
}

pub(crate) fn logistic(value: f32) -> f32 {
    let positive = 1.0 / (1.0 + (-value.abs()).exp());
    if value < 0.0 { 1.0 - positive } else { positive }
}

fn probit(value: f32) -> f32 {
    std::f32::consts::SQRT_2 * inverse_erf(2.0 * value - 1.0)
}

/// Returns the inverse of the error function, by Winitzki's approximation.
fn inverse_erf(value: f32) -> f32 {
    const A: f32 = 0.147;
    // The reference counts with this many digits, and its answers are what ours are held to.
    #[expect(clippy::approx_constant, reason = "the reference's own constant")]
    const PI: f32 = 3.14159;
    let sign = if value < 0.0 { -1.0 } else { 1.0 };
    let log = ((1.0 - value) * (1.0 + value)).ln();
    let half = 2.0 / (PI * A) + 0.5 * log;
    sign * (-half + (half * half - log / A).sqrt()).sqrt()
}

/// Turns scores into shares; scores of zero have none when `skips_zero`.
fn softmax(scores: &mut [f32], skips_zero: bool) {
    const ZERO: f32 = 0.000_000_1;
    let most = scores.iter().copied().fold(-f32::MAX, f32::max);
    let mut sum = 0.0;
    for score in scores.iter_mut() {
        if !skips_zero || score.abs() > ZERO {
            *score = (*score - most).exp();
            sum += *score;
        } else {
            *score *= (-most).exp();
        }
    }
    scores.iter_mut().for_each(|score| *score /= sum);
}

/// Returns the place of the largest score, the first of equals.
pub(crate) fn largest(scores: &[f32]) -> usize {
    let mut best = 0;
    for (index, score) in scores.iter().enumerate() {
        if scores.get(best).is_some_and(|most| score > most) {
            best = index;
        }
    }
    best
}
