//! All collections as maps: what a reader of the deltas holds after accumulating them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use schema::{
    Change, Delta, FixtureId, FixtureRow, FormRow, MarketKey, MarketRow, ResultRow, TrainingRow,
};

/// Every collection, accumulated.
///
/// ```
/// use schema::Delta;
/// use tideline_dataflow::Views;
/// let mut views = Views::default();
/// views.apply(&Delta::default())?;
/// assert!(views.markets.is_empty());
/// # Ok::<(), tideline_dataflow::Mismatch>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Views {
    /// Fixtures as they stand.
    pub fixtures: BTreeMap<FixtureId, FixtureRow>,
    /// Live market rows.
    pub markets: BTreeMap<MarketKey, Arc<MarketRow>>,
    /// Market rows as of the lead before kick-off.
    pub as_of: BTreeMap<MarketKey, Arc<MarketRow>>,
    /// Closing lines.
    pub closing: BTreeMap<MarketKey, Arc<MarketRow>>,
    /// Standing results.
    pub results: BTreeMap<FixtureId, ResultRow>,
    /// Form before each fixture, home then away.
    pub forms: BTreeMap<FixtureId, [FormRow; 2]>,
    /// Training rows.
    pub training: BTreeMap<FixtureId, TrainingRow>,
}

/// A delta did not fit what came before it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "delta of tick {tick} does not follow in `{collection}` at {key}: apply every delta once, in \
     order"
)]
pub struct Mismatch {
    /// Tick of the delta.
    pub tick: u64,
    /// Which collection.
    pub collection: &'static str,
    /// Which row.
    pub key: String,
}

impl Views {
    /// Applies a delta.
    ///
    /// # Errors
    /// [`Mismatch`] when a row was not what the delta says it was before, or when a change changes
    /// nothing.
    pub fn apply(&mut self, delta: &Delta) -> Result<(), Mismatch> {
        let tick = delta.tick;
        accumulate(&mut self.fixtures, &delta.fixtures, tick, "fixtures")?;
        accumulate(&mut self.markets, &delta.markets, tick, "markets")?;
        accumulate(&mut self.as_of, &delta.as_of, tick, "as_of")?;
        accumulate(&mut self.closing, &delta.closing, tick, "closing")?;
        accumulate(&mut self.results, &delta.results, tick, "results")?;
        accumulate(&mut self.forms, &delta.forms, tick, "forms")?;
        accumulate(&mut self.training, &delta.training, tick, "training")
    }
}

fn accumulate<K: Ord + Copy + fmt::Debug, V: Clone + PartialEq>(
    rows: &mut BTreeMap<K, V>,
    changes: &[Change<K, V>],
    tick: u64,
    collection: &'static str,
) -> Result<(), Mismatch> {
    for Change { key, before, after } in changes {
        if rows.get(key) != before.as_ref() || before == after {
            return Err(Mismatch { tick, collection, key: format!("{key:?}") });
        }
        match after {
            Some(row) => rows.insert(*key, row.clone()),
            None => rows.remove(key),
        };
    }
    Ok(())
}
