//! Results: the greatest (event time, sequence, content) stands, so a correction is simply a later
//! fact. The earlier ones are kept too, because a form must know a match as it was known at the
//! kick-off it belongs to: a correction made after that must not reach back into it.

use schema::{FixtureId, FixtureRow, ResultFact, ResultRow, ResultStatus, TeamId, Time};

use crate::RefusedReason;
use crate::rows::MatchRow;

/// Results kept of one fixture.
pub(crate) const RESULTS_MAX: usize = 16;

/// All results given for one fixture, in order.
#[derive(Debug, Default)]
pub(crate) struct Results(Vec<(Time, u64, ResultFact)>);

impl Results {
    /// Takes a result in; tells whether it was new.
    pub(crate) fn insert(
        &mut self,
        time: Time,
        sequence: u64,
        fact: ResultFact,
    ) -> Result<bool, RefusedReason> {
        let Err(at) = self.0.binary_search(&(time, sequence, fact)) else { return Ok(false) };
        if self.0.len() == RESULTS_MAX {
            if at == 0 {
                return Err(RefusedReason::TooManyResults);
            }
            self.0.remove(0);
            self.0.insert(at - 1, (time, sequence, fact));
        } else {
            self.0.insert(at, (time, sequence, fact));
        }
        Ok(true)
    }

    /// The one that stands.
    pub(crate) fn row(&self) -> Option<ResultRow> {
        self.0.last().map(row)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The match as both teams' forms know it: one row a team for each span of event time in which
    /// a final score stood.
    pub(crate) fn matches(&self, id: FixtureId, fixture: &FixtureRow) -> Vec<(TeamId, MatchRow)> {
        let mut matches = Vec::new();
        for (i, result) in self.0.iter().enumerate() {
            let until = self.0.get(i + 1).map_or(Time::MAX, |next| next.0);
            let row = row(result);
            if row.status != ResultStatus::Final || until == row.at {
                continue;
            }
            for (side, team) in [fixture.home, fixture.away].into_iter().enumerate() {
                matches.push((team, MatchRow::of(id, fixture.kick_off, &row, until, side)));
            }
        }
        matches
    }
}

fn row((time, _, fact): &(Time, u64, ResultFact)) -> ResultRow {
    ResultRow { status: fact.status, score: fact.score, statistics: fact.statistics, at: *time }
}
