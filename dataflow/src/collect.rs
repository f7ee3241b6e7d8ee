//! From differential updates to deltas: merged per key, sorted, one delta a tick.

use std::sync::Arc;

use rustc_hash::FxHashSet;
use schema::{
    Change, Delta, FixtureId, FixtureRow, FormRow, MarketKey, MarketRow, ResultRow, Tick,
    TrainingRow,
};

use crate::output::{Output, Update};
use crate::{Refused, RefusedReason};

/// Updates of one collection: row with its key, tick, and whether it appears or disappears.
pub(crate) type Updates<K, V> = Vec<((K, V), u64, isize)>;

/// What the workers brought out of one step.
#[derive(Default)]
pub(crate) struct Collected {
    pub(crate) keyed: Vec<Update>,
    pub(crate) forms: Updates<FixtureId, [FormRow; 2]>,
    pub(crate) training: Updates<FixtureId, TrainingRow>,
}

impl Collected {
    /// Adds what another worker brought.
    pub(crate) fn append(&mut self, mut other: Self) {
        self.keyed.append(&mut other.keyed);
        self.forms.append(&mut other.forms);
        self.training.append(&mut other.training);
    }

    /// The deltas of the step's ticks, and the facts it refused.
    pub(crate) fn into_deltas(
        mut self,
        ticks: &[Arc<Tick>],
        refused: &mut Vec<Refused>,
    ) -> Vec<Delta> {
        let mut deltas: Vec<Delta> = ticks
            .iter()
            .map(|tick| Delta { tick: tick.number, time: tick.time, ..Delta::default() })
            .collect();
        let mut retired = FxHashSet::default();
        let mut refusals = Vec::new();
        let mut split = Split::default();
        for (output, tick, diff) in self.keyed.drain(..) {
            match output {
                Output::Market(key, row) => split.markets.push(((key, row), tick, diff)),
                Output::AsOf(key, row) => split.as_of.push(((key, row), tick, diff)),
                Output::Closing(key, row) => split.closing.push(((key, row), tick, diff)),
                Output::Fixture(id, row) => split.fixtures.push(((id, *row), tick, diff)),
                Output::Result(id, row) => split.results.push(((id, *row), tick, diff)),
                Output::Match(..) | Output::Part(..) => {}
                Output::Retired(id) => {
                    retired.insert((id, tick));
                }
                Output::Refused(place, reason) => refusals.push((tick, place, reason)),
            }
        }
        refuse(ticks, refusals, refused);
        let forms =
            self.forms.drain(..).filter(|((id, _), tick, _)| !retired.contains(&(*id, *tick)));
        let forms = forms.collect();
        let training = self.training.drain(..);
        let training = training.filter(|((id, _), tick, _)| !retired.contains(&(*id, *tick)));
        let training = training.collect();
        distribute(&mut deltas, split.markets, |delta| &mut delta.markets);
        distribute(&mut deltas, split.as_of, |delta| &mut delta.as_of);
        distribute(&mut deltas, split.closing, |delta| &mut delta.closing);
        distribute(&mut deltas, split.fixtures, |delta| &mut delta.fixtures);
        distribute(&mut deltas, split.results, |delta| &mut delta.results);
        distribute(&mut deltas, forms, |delta| &mut delta.forms);
        distribute(&mut deltas, training, |delta| &mut delta.training);
        deltas
    }
}

/// Updates of the keyed operator by collection.
#[derive(Default)]
struct Split {
    markets: Updates<MarketKey, Arc<MarketRow>>,
    as_of: Updates<MarketKey, Arc<MarketRow>>,
    closing: Updates<MarketKey, Arc<MarketRow>>,
    fixtures: Updates<FixtureId, FixtureRow>,
    results: Updates<FixtureId, ResultRow>,
}

/// Puts each update into the delta of its tick: what disappears and what appears under one key
/// becomes one change.
fn distribute<K: Ord + Copy, V: PartialEq>(
    deltas: &mut [Delta],
    mut updates: Updates<K, V>,
    field: impl Fn(&mut Delta) -> &mut Vec<Change<K, V>>,
) {
    fn order<K: Copy, V>(((key, _), tick, diff): &((K, V), u64, isize)) -> (u64, K, isize) {
        (*tick, *key, *diff)
    }
    if !updates.is_sorted_by_key(order) {
        updates.sort_unstable_by_key(order);
    }
    let mut at = 0;
    for ((key, row), tick, diff) in updates {
        while deltas[at].tick != tick {
            at += 1;
        }
        let changes = field(&mut deltas[at]);
        if changes.last().is_none_or(|last| last.key != key) {
            changes.push(Change { key, before: None, after: None });
        }
        let Some(last) = changes.last_mut() else { continue };
        let side = if diff < 0 { &mut last.before } else { &mut last.after };
        debug_assert!(diff.abs() == 1 && side.is_none(), "one row a key and tick");
        *side = Some(row);
    }
}

/// Turns places in ticks into the facts that were there.
fn refuse(
    ticks: &[Arc<Tick>],
    mut refusals: Vec<(u64, usize, RefusedReason)>,
    refused: &mut Vec<Refused>,
) {
    refusals.sort_unstable();
    for (number, place, reason) in refusals {
        let tick = ticks.binary_search_by_key(&number, |tick| tick.number);
        if let Some(event) = tick.ok().and_then(|at| ticks[at].events.get(place)) {
            refused.push(Refused { tick: number, event: event.clone(), reason });
        }
    }
}
