//! What leaves the keyed operator: the rows of its own collections, and the inputs of the
//! relational ones, all as differential updates of one stream.
//!
//! One stream and not one per collection: every port of an operator costs progress tracking in
//! every step, whether or not anything flows through it.

use std::sync::Arc;

use schema::{FixtureId, FixtureRow, MarketKey, MarketRow, ResultRow, TeamId};

use crate::RefusedReason;
use crate::rows::MatchRow;
use crate::training::Part;

/// A row, and the collection it belongs to. The large and rare kinds are boxed, so that a market row
/// is cheap to pass on.
#[derive(Clone, Debug)]
pub(crate) enum Output {
    /// A live market row.
    Market(MarketKey, Arc<MarketRow>),
    /// A market row as of the lead before kick-off.
    AsOf(MarketKey, Arc<MarketRow>),
    /// A closing line.
    Closing(MarketKey, Arc<MarketRow>),
    /// A fixture.
    Fixture(FixtureId, Box<FixtureRow>),
    /// A standing result.
    Result(FixtureId, Box<ResultRow>),
    /// A finished match, into the forms.
    Match(TeamId, Box<MatchRow>),
    /// Something about a fixture that is not retired, into the forms and the training rows.
    Part(FixtureId, Box<Part>),
    /// Not a row: what the relational collections take back of this fixture in this tick is only
    /// their memory of it.
    Retired(FixtureId),
    /// Not a row: the fact at this place in the tick was refused.
    Refused(usize, RefusedReason),
}

impl Output {
    pub(crate) fn part(fixture: FixtureId, part: Part) -> Self {
        Self::Part(fixture, Box::new(part))
    }
}

/// A row that appears (1) or disappears (-1) at a tick.
pub(crate) type Update = (Output, u64, isize);

/// Replaces an emitted row by another, telling of each what happened to it.
pub(crate) fn replace<V: PartialEq + Clone>(
    emitted: &mut Option<V>,
    new: Option<V>,
    mut emit: impl FnMut(V, isize),
) {
    if *emitted == new {
        return;
    }
    if let Some(old) = emitted.take() {
        emit(old, -1);
    }
    if let Some(new) = &new {
        emit(new.clone(), 1);
    }
    *emitted = new;
}
