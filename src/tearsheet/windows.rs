//! Training windows: when each ended, what went live, and how its prices did until the next.

use serde::Serialize;

use super::columns::{CLOSE, Columns, TIDELINE};
use super::record::Record;
use super::scores::log_loss;

/// One model's time in office.
#[derive(Clone, Debug, Serialize)]
pub struct Window {
    /// End of the window it learned from, when it went live; none for what priced before any.
    pub window_end: Option<String>,
    /// The pricer.
    pub pricer: String,
    /// Digest of the artifact, or the pricer's name before there was one.
    pub model: String,
    /// When the next one went live; none for the last.
    pub until: Option<String>,
    /// Fixtures that it priced and that have a result.
    pub fixtures: usize,
    /// Log-loss of its prices.
    pub log_loss: Option<f64>,
    /// Of these fixtures, those that closed.
    pub closed: usize,
    /// Its log-loss on those, less the close's.
    pub difference_to_close: Option<f64>,
}

/// Every model in the order they went live.
pub fn windows(record: &Record, columns: &Columns) -> Vec<Window> {
    let models = record.models();
    // Fixtures, loss; fixtures that closed, difference to the close.
    let mut sums = vec![(0_usize, 0.0, 0_usize, 0.0); models.len()];
    let (tideline, close) = (columns.get(TIDELINE), columns.get(CLOSE));
    for i in 0..columns.len() {
        let Some(p) = tideline.and_then(|column| column.p[i]) else { continue };
        let Some(sum) = columns.models[i].and_then(|model| sums.get_mut(model)) else { continue };
        let loss = log_loss(&p, columns.outcomes[i]);
        sum.0 += 1;
        sum.1 += loss;
        if let Some(close) = close.and_then(|column| column.p[i]) {
            sum.2 += 1;
            sum.3 += loss - log_loss(&close, columns.outcomes[i]);
        }
    }
    let mean = |sum: f64, n: usize| (n > 0).then(|| sum / n as f64);
    let window = |(i, (n, loss, closed, difference)): (usize, &(usize, f64, usize, f64))| Window {
        window_end: models[i].since.map(|time| time.to_string()),
        pricer: models[i].pricer.clone(),
        model: models[i].model.clone(),
        until: models.get(i + 1).and_then(|next| next.since).map(|time| time.to_string()),
        fixtures: *n,
        log_loss: mean(*loss, *n),
        closed: *closed,
        difference_to_close: mean(*difference, *closed),
    };
    sums.iter().enumerate().map(window).collect()
}
