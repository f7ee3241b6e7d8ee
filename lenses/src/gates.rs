//! The gates: conditions without which no bet is suggested, however high the lenses score.

use crate::{Case, Config};

/// A second opinion that can agree with a bet.
///
/// | signal | agrees when |
/// |---|---|
/// | pricer | the fair price gives an edge of at least `edge_min` |
/// | other books | the mean fair price of the other books gives at least `signal_edge_min` |
/// | sharpest book | the fair price of the book that the pricer weighs most, if it is not the one bet with, gives at least `signal_edge_min` |
/// | movement | the consensus probability has risen by at least `signal_movement_min` since the open |
/// | external | the external signals about the selection sum to more than zero |
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SignalKind {
    /// The pricer against the price.
    Pricer,
    /// The other books against the price.
    OtherBooks,
    /// The sharpest book against the price.
    SharpestBook,
    /// The market moved toward the selection.
    Movement,
    /// Signals from elsewhere.
    External,
}

impl SignalKind {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pricer => "pricer",
            Self::OtherBooks => "other books",
            Self::SharpestBook => "sharpest book",
            Self::Movement => "movement",
            Self::External => "external signal",
        }
    }

    /// The signals that agree with a case.
    pub fn agreeing(case: &Case<'_>, config: &Config) -> Vec<Self> {
        let gives = |fair: Option<f64>| {
            fair.is_some_and(|fair| crate::edge(fair, case.net_odds) >= config.signal_edge_min)
        };
        let found = [
            (Self::Pricer, case.edge() >= config.edge_min),
            (Self::OtherBooks, gives(case.consensus_others)),
            (Self::SharpestBook, gives(case.sharp)),
            (Self::Movement, case.movement >= config.signal_movement_min),
            (Self::External, case.signal_micros > 0),
        ];
        found.into_iter().filter_map(|(signal, agrees)| agrees.then_some(signal)).collect()
    }
}

/// Which gate refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Gate {
    /// Too little edge.
    Edge,
    /// Odds too long.
    LongOdds,
    /// A price too good to be true.
    SuspectPrice,
    /// The price is the sharpest book's own.
    SharpestPrice,
    /// The market moves away from the selection.
    FallingPrice,
    /// Too few agreeing signals.
    Signals,
    /// Too low a combined score.
    Confidence,
}

impl Gate {
    /// The name used in metrics and output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::LongOdds => "long_odds",
            Self::SuspectPrice => "suspect_price",
            Self::SharpestPrice => "sharpest_price",
            Self::FallingPrice => "falling_price",
            Self::Signals => "signals",
            Self::Confidence => "confidence",
        }
    }
}

/// Why a bet is not suggested.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// The gate that refused.
    pub gate: Gate,
    /// One sentence with the numbers.
    pub reason: String,
}

/// The first gate that refuses, in the order of [`Gate`].
pub(crate) fn refusal(
    case: &Case<'_>,
    config: &Config,
    signals: &[SignalKind],
    confidence: f64,
) -> Option<Refusal> {
    let refuse = |gate, reason| Some(Refusal { gate, reason });
    let percent = |x: f64| x * 100.0;
    if case.edge().is_nan() || case.edge() < config.edge_min {
        let (edge, least) = (percent(case.edge()), percent(config.edge_min));
        return refuse(Gate::Edge, format!("The edge of {edge:+.2}% is below {least:.2}%."));
    }
    if case.odds.decimal() > config.odds_max {
        let reason = format!("The price of {} is longer than {}.", case.odds, config.odds_max);
        return refuse(Gate::LongOdds, reason);
    }
    let median = case.median_others;
    if median.is_some() && case.odds.decimal() > config.odds_suspect_ratio * median.decimal() {
        let above = percent(case.odds.decimal() / median.decimal() - 1.0);
        let reason = format!(
            "The price of {} is {above:.0}% above the other books' median of {median}, as errors are.",
            case.odds
        );
        return refuse(Gate::SuspectPrice, reason);
    }
    if case.is_sharpest && !config.bet_sharpest {
        let reason =
            "The price is the sharpest book's own: where the others disagree with it, they lag.";
        return refuse(Gate::SharpestPrice, reason.to_owned());
    }
    if case.movement < -config.falling_max {
        let reason = format!(
            "The market has moved {:.1} points away from the selection since the open.",
            percent(-case.movement)
        );
        return refuse(Gate::FallingPrice, reason);
    }
    if signals.len() < usize::from(config.signals_min) {
        let names: Vec<_> = signals.iter().map(|signal| signal.name()).collect();
        let found = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let reason = format!("{} agreeing signals are needed, found {found}.", config.signals_min);
        return refuse(Gate::Signals, reason);
    }
    if confidence < config.confidence_min {
        let least = config.confidence_min;
        let reason = format!("The combined score of {confidence:.2} is below {least:.2}.");
        return refuse(Gate::Confidence, reason);
    }
    None
}
