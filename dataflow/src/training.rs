//! Training rows: everything known before kick-off and the two things to learn, put together by
//! fixture once its result stands.
//!
//! The parts of a fixture meet in one `reduce`: one coarse row per fixture, where a chain of joins
//! would arrange every part several times.

use std::sync::Arc;

use differential_dataflow::VecCollection;
use schema::{FixtureId, FixtureRow, FormRow, MarketRow, ResultRow, TrainingRow};
use serde::{Deserialize, Serialize};

/// One thing known of a fixture that is to be played.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum Part {
    /// The fixture itself.
    Fixture(FixtureRow),
    /// Its final result.
    Result(ResultRow),
    /// Its 1X2 market as of the lead before kick-off.
    AsOf(Arc<MarketRow>),
    /// Its 1X2 closing line.
    Closing(Arc<MarketRow>),
    /// Form of both teams.
    Forms([FormRow; 2]),
}

/// The training row of every fixture whose parts suffice: itself, its forms, a final result.
pub(crate) fn training<'scope>(
    parts: VecCollection<'scope, u64, (FixtureId, Part), isize>,
    forms: VecCollection<'scope, u64, (FixtureId, [FormRow; 2]), isize>,
) -> VecCollection<'scope, u64, (FixtureId, TrainingRow), isize> {
    parts.concat(forms.map(|(fixture, forms)| (fixture, Part::Forms(forms)))).reduce_named(
        "Training row",
        |_fixture, parts, rows| {
            if let Some(row) = assemble(parts) {
                rows.push((row, 1));
            }
        },
    )
}

fn assemble(parts: &[(&Part, isize)]) -> Option<TrainingRow> {
    let (mut fixture, mut result, mut forms) = (None, None, None);
    let (mut as_of, mut closing) = (None, None);
    for (part, _) in parts {
        match part {
            Part::Fixture(row) => fixture = Some(*row),
            Part::Result(row) => result = Some(*row),
            Part::AsOf(row) => as_of = Some(Arc::clone(row)),
            Part::Closing(row) => closing = Some(Arc::clone(row)),
            Part::Forms(rows) => forms = Some(*rows),
        }
    }
    Some(TrainingRow { fixture: fixture?, as_of, closing, forms: forms?, result: result? })
}
