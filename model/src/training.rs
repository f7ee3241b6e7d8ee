//! A training that can go on beside the stream.
//!
//! It owns all it needs, so that whoever runs the stream may run it on another thread, or wait for
//! it; either way what it comes to is handed back to the pricer.

use crate::Result;

/// How far a training is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Steps taken.
    pub step: usize,
    /// Steps at most.
    pub steps_max: usize,
    /// Loss on what is fitted.
    pub train_loss: f64,
    /// Loss on what says when to stop.
    pub validate_loss: f64,
}

/// What a training came to, judged on fixtures that neither it nor the live model had seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Challenger {
    /// The artifact with it in place.
    pub artifact: Vec<u8>,
    /// Whether it was better than what is live, and goes live.
    pub promoted: bool,
}

type Work = dyn FnOnce(&mut dyn FnMut(Progress)) -> Result<Vec<u8>> + Send;

/// A training, ready to be run.
pub struct Training {
    key: String,
    work: Box<Work>,
}

impl Training {
    pub(crate) fn new(
        key: String,
        work: impl FnOnce(&mut dyn FnMut(Progress)) -> Result<Vec<u8>> + Send + 'static,
    ) -> Self {
        Self { key, work: Box::new(work) }
    }

    /// A name made of all that it depends on: trainings of one key come to the same.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Runs it: what it came to, for [`Pricer::trained`](crate::Pricer::trained).
    ///
    /// # Errors
    /// [`Error::Training`](crate::Error::Training).
    pub fn run(self, progress: &mut dyn FnMut(Progress)) -> Result<Vec<u8>> {
        (self.work)(progress)
    }
}

impl std::fmt::Debug for Training {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Training")
    }
}
