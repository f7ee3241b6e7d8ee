//! A digest of the final views: what the facts come to, whatever order they came in.
//!
//! The sha256 of the suggestion stream says that two runs did the same; this says that two runs
//! know the same. It is a sum over the rows that stand, so it is kept up row by row, does not
//! depend on the order in which they came, and needs no memory of them.

use schema::{Change, Delta, EventId};
use serde::Serialize;

/// Rows that stand in each collection, and the digest of all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ViewsDigest {
    /// Fixtures.
    pub fixtures: u64,
    /// Live markets.
    pub markets: u64,
    /// Markets as of the lead before kick-off.
    pub as_of: u64,
    /// Closing lines.
    pub closing: u64,
    /// Standing results.
    pub results: u64,
    /// Form of both sides before a fixture.
    pub forms: u64,
    /// Training rows.
    pub training: u64,
    /// Sum over all rows of the XXH3-128 of collection, key and row.
    pub digest: EventId,
}

impl ViewsDigest {
    /// Takes over what a tick changed.
    pub fn apply(&mut self, delta: &Delta) {
        let sum = &mut self.digest.0;
        take(sum, &mut self.fixtures, 1, &delta.fixtures);
        take(sum, &mut self.markets, 2, &delta.markets);
        take(sum, &mut self.as_of, 3, &delta.as_of);
        take(sum, &mut self.closing, 4, &delta.closing);
        take(sum, &mut self.results, 5, &delta.results);
        take(sum, &mut self.forms, 6, &delta.forms);
        take(sum, &mut self.training, 7, &delta.training);
    }
}

fn take<K: Serialize, V: Serialize>(
    sum: &mut u128,
    rows: &mut u64,
    collection: u8,
    changes: &[Change<K, V>],
) {
    let mut bytes = Vec::new();
    let mut hash = |key: &K, row: &V| {
        bytes.clear();
        // Plain data into a vector: writing it cannot fail.
        let _ = postcard::to_io(&(collection, key, row), &mut bytes);
        EventId::of(&bytes).0
    };
    for change in changes {
        if let Some(before) = &change.before {
            *sum = sum.wrapping_sub(hash(&change.key, before));
            *rows -= 1;
        }
        if let Some(after) = &change.after {
            *sum = sum.wrapping_add(hash(&change.key, after));
            *rows += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schema::{FixtureId, ResultRow, ResultStatus, Score, Time};

    fn result(home: u16) -> ResultRow {
        let score = Score { home, away: 0 };
        ResultRow { status: ResultStatus::Final, score, statistics: None, at: Time::from_ms(5) }
    }

    fn delta(key: u64, before: Option<u16>, after: Option<u16>) -> Delta {
        let (before, after) = (before.map(result), after.map(result));
        let results = vec![Change { key: FixtureId(key), before, after }];
        Delta { results, ..Delta::default() }
    }

    #[test]
    fn only_what_stands_counts() {
        let digest = |deltas: &[Delta]| {
            let mut digest = ViewsDigest::default();
            for delta in deltas {
                digest.apply(delta);
            }
            digest
        };
        let straight = digest(&[delta(1, None, Some(2)), delta(2, None, Some(1))]);
        let roundabout = digest(&[
            delta(2, None, Some(7)),
            delta(1, None, Some(2)),
            delta(2, Some(7), None),
            delta(2, None, Some(1)),
        ]);
        assert_eq!(straight, roundabout);
        assert_ne!(straight, digest(&[delta(1, None, Some(1)), delta(2, None, Some(2))]));
        assert_eq!(straight.results, 2);
    }
}
