//! The panel: all lenses look, their scores are combined, and the gates decide.
//!
//! The combination is a weighted geometric mean, so that one very low score cannot be outvoted by
//! high ones, as an arithmetic mean would let it.

use schema::LensReading;

use crate::error::Error;
use crate::gates::refusal;
use crate::weights::LENSES_MAX;
use crate::{Case, Config, Lens, LensConfig, Refusal, Result, SignalKind, Weights};

/// What the panel says about a case.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Every lens's reading, in the order of the topology.
    pub readings: Vec<LensReading>,
    /// Combined score in 0..=1.
    pub confidence: f64,
    /// The signals that agree.
    pub signals: Vec<SignalKind>,
    /// Why not, when a gate refuses.
    pub refusal: Option<Refusal>,
}

impl Verdict {
    /// One sentence for the suggestion: which signals agree and what the strongest and the weakest
    /// lens say, or why the bet was refused.
    pub fn reason(&self) -> String {
        if let Some(refusal) = &self.refusal {
            return refusal.reason.clone();
        }
        let signals: Vec<_> = self.signals.iter().map(|signal| signal.name()).collect();
        let by_score = |a: &&LensReading, b: &&LensReading| a.score.total_cmp(&b.score);
        let weakest = self.readings.iter().min_by(by_score);
        let strongest = self.readings.iter().max_by(by_score);
        let (Some(weakest), Some(strongest)) = (weakest, strongest) else {
            return signals.join(", ");
        };
        format!(
            "Confidence {:.2}; {} agree; strongest {} ({:.2}), weakest {} ({:.2}).",
            self.confidence,
            signals.join(", "),
            strongest.lens,
            strongest.score,
            weakest.lens,
            weakest.score,
        )
    }
}

/// The lenses of a topology, ready to judge.
pub struct Panel {
    lenses: Vec<(usize, Box<dyn Lens>)>,
    config: Config,
}

impl std::fmt::Debug for Panel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Panel").field("lenses", &self.names()).finish_non_exhaustive()
    }
}

impl Panel {
    /// Checks the settings and opens the lenses.
    ///
    /// # Errors
    /// [`Error::Setting`] for a figure out of range, [`Error::Twice`] and [`Error::Empty`] for the
    /// list of lenses.
    pub fn open(config: &Config) -> Result<Self> {
        config.check()?;
        let mut lenses: Vec<(usize, Box<dyn Lens>)> = Vec::with_capacity(LENSES_MAX);
        for lens in &config.panel {
            let lens = lens.open()?;
            let position = LensConfig::names().iter().position(|name| *name == lens.name());
            debug_assert!(position.is_some(), "every lens of the registry has a place in `names`");
            let position = position.unwrap_or(0);
            if lenses.iter().any(|(taken, _)| *taken == position) {
                return Err(Error::Twice(lens.name()));
            }
            lenses.push((position, lens));
        }
        if lenses.is_empty() {
            return Err(Error::Empty);
        }
        Ok(Self { lenses, config: config.clone() })
    }

    /// Names of the lenses that sit on it.
    pub fn names(&self) -> Vec<&'static str> {
        self.lenses.iter().map(|(_, lens)| lens.name()).collect()
    }

    /// The settings it was opened with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Judges a case. Pure: weights come from [`crate::TrackRecord::weights`].
    pub fn judge(&self, case: &Case<'_>, weights: &Weights) -> Verdict {
        let mut scores = [None; LENSES_MAX];
        let mut readings = Vec::with_capacity(self.lenses.len());
        for (position, lens) in &self.lenses {
            let reading = lens.read(case);
            debug_assert!(
                (0.0..=1.0).contains(&reading.score),
                "{} scored outside 0..=1",
                lens.name()
            );
            scores[*position] = Some(reading.score);
            readings.push(LensReading {
                lens: lens.name().to_owned(),
                score: reading.score,
                reason: reading.reason,
            });
        }
        let confidence = weights.combine(&scores);
        let signals = SignalKind::agreeing(case, &self.config);
        let refusal = refusal(case, &self.config, &signals, confidence);
        Verdict { readings, confidence, signals, refusal }
    }
}
