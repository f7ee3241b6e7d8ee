//! The arithmetic of prices: coordinates in which books can be averaged, and a row's books in them.
//!
//! Probabilities are averaged as centred logarithms (the logarithmic opinion pool): the mean of two
//! distributions is a distribution again after normalising, and a difference of 0.01 means one
//! percent of the odds for favourites and outsiders alike. On recorded football it scored the same
//! as averaging probabilities to 1e-5 of log-loss, and it makes the corrections below linear.

use schema::{BookId, BookQuote, BookRole, MarketRow, SELECTIONS_MAX};

/// Most books of a row that are looked at; further ones (by id) are left out.
pub(crate) const BOOKS_MAX: usize = 64;
/// Number of corrections to the plain mean beside the books' weights.
pub(crate) const DRIFTS: usize = 4;
/// Differences of a book from the mean beyond this count as this: one mistyped price must not move
/// the consensus far.
const DIFFERENCE_MAX: f64 = 0.2;

/// Centred log-probabilities by selection; zeros behind the last.
pub(crate) type Logs = [f64; SELECTIONS_MAX];

/// One book of a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member {
    pub book: BookId,
    pub role: BookRole,
    pub logs: Logs,
    /// `logs` minus the plain mean of the row, clipped.
    pub difference: Logs,
}

/// The complete books of a row and their plain mean.
#[derive(Clone, Debug)]
pub(crate) struct Members {
    pub books: Vec<Member>,
    pub mean: Logs,
    pub selections: usize,
}

/// Centred log-probabilities of a complete quote; `None` when one is zero.
pub(crate) fn logs(quote: &BookQuote, selections: usize) -> Option<Logs> {
    let mut logs = [0.0; SELECTIONS_MAX];
    let mut sum = 0.0;
    for (log, fair) in logs.iter_mut().zip(quote.fair).take(selections) {
        if fair.scaled() == 0 {
            return None;
        }
        *log = fair.as_f64().ln();
        sum += *log;
    }
    let mean = sum / selections as f64;
    logs.iter_mut().take(selections).for_each(|log| *log -= mean);
    Some(logs)
}

/// Probabilities of centred logarithms.
pub(crate) fn probabilities(logs: &Logs, selections: usize) -> [f64; SELECTIONS_MAX] {
    let mut p = [0.0; SELECTIONS_MAX];
    let most = logs[..selections].iter().copied().fold(f64::NEG_INFINITY, f64::max);
    for (p, log) in p.iter_mut().zip(logs).take(selections) {
        *p = (log - most).exp();
    }
    let sum: f64 = p.iter().sum();
    p.map(|p| p / sum)
}

impl Members {
    /// The complete books of a row that pass the filter; `None` when there is none.
    pub fn of(row: &MarketRow, counts: impl Fn(&BookQuote) -> bool) -> Option<Self> {
        let selections = row.market.selections().len();
        let mut books = Vec::with_capacity(row.books.len().min(BOOKS_MAX));
        let mut mean = [0.0; SELECTIONS_MAX];
        for quote in row.books.iter().filter(|quote| counts(quote)).take(BOOKS_MAX) {
            let Some(logs) = logs(quote, selections) else { continue };
            mean.iter_mut().zip(logs).for_each(|(mean, log)| *mean += log);
            books.push(Member { book: quote.book, role: quote.role, logs, difference: logs });
        }
        if books.is_empty() {
            return None;
        }
        mean = mean.map(|sum| sum / books.len() as f64);
        for member in &mut books {
            for (difference, mean) in member.difference.iter_mut().zip(mean) {
                *difference = (*difference - mean).clamp(-DIFFERENCE_MAX, DIFFERENCE_MAX);
            }
        }
        Some(Self { books, mean, selections })
    }

    /// The corrections that a market as a whole can need, given its mean. Books shade prices the
    /// same way year in, year out (too little on draws of even matches, say), and the close undoes
    /// some of it.
    ///
    /// | | three selections | two |
    /// |---|---|---|
    /// | 0 | home against away | first against second |
    /// | 1 | draw against both | none |
    /// | 2 | favourite against outsider | the same |
    /// | 3 | draw against both, by how uneven the match is | none |
    pub fn drifts(&self) -> [Logs; DRIFTS] {
        const NONE: Logs = [0.0; SELECTIONS_MAX];
        if self.selections < SELECTIONS_MAX {
            let favourite = 0.5 * (self.mean[0] - self.mean[1]);
            return [[0.5, -0.5, 0.0], NONE, [favourite, -favourite, 0.0], NONE];
        }
        let favourite = 0.5 * (self.mean[0] - self.mean[2]);
        let uneven = favourite.abs();
        [
            [0.5, 0.0, -0.5],
            [-0.5, 1.0, -0.5],
            [favourite, 0.0, -favourite],
            [-uneven, 2.0 * uneven, -uneven],
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use schema::{Odds, Probability, Time};

    fn quote(fair: [f64; 3]) -> BookQuote {
        BookQuote {
            book: BookId::of("B"),
            role: BookRole::Bookmaker,
            at: Time::from_ms(0),
            prices: [Odds::NONE; 3],
            fair: fair.map(Probability::clamped),
        }
    }

    proptest! {
        #[test]
        fn there_and_back(a in 0.01_f64..0.97, share in 0.01_f64..0.99) {
            let fair = [a, (1.0 - a) * share, (1.0 - a) * (1.0 - share)];
            let logs = logs(&quote(fair), 3).unwrap();
            prop_assert!(logs.iter().sum::<f64>().abs() < 1e-9);
            for (found, fair) in probabilities(&logs, 3).iter().zip(fair) {
                prop_assert!((found - fair).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn a_zero_is_not_a_price() {
        assert!(logs(&quote([0.5, 0.5, 0.0]), 3).is_none());
        assert!(logs(&quote([0.5, 0.5, 0.0]), 2).is_some());
    }
}
