//! Fixtures: of all that was announced about one, the greatest (event time, sequence, content)
//! holds. From it follow the moments at which its other rows appear and its state is dropped.

use schema::{FixtureFact, FixtureRow, FixtureStatus, Time};

use crate::Config;
use crate::history::Cutoff;

/// The announcement that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Announcement {
    time: Time,
    sequence: u64,
    fact: FixtureFact,
}

/// The announcements of one fixture, reduced to the one that holds.
#[derive(Debug, Default)]
pub(crate) struct Announced(Option<Announcement>);

impl Announced {
    /// Takes an announcement in; tells whether it holds now and did not before.
    pub(crate) fn insert(&mut self, time: Time, sequence: u64, fact: FixtureFact) -> bool {
        let new = Some(Announcement { time, sequence, fact });
        let holds = new > self.0;
        if holds {
            self.0 = new;
        }
        holds
    }

    /// The fixture as it stands.
    pub(crate) fn row(&self) -> Option<FixtureRow> {
        self.0.map(|Announcement { fact, .. }| FixtureRow {
            league: fact.league,
            home: fact.home,
            away: fact.away,
            kick_off: fact.kick_off,
            status: fact.status,
        })
    }
}

/// When what becomes due for a fixture that is to be played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moments {
    /// Its as-of rows.
    pub(crate) as_of: Time,
    /// Its closing lines.
    pub(crate) closing: Time,
}

impl Moments {
    pub(crate) fn of(row: &FixtureRow, config: &Config) -> Option<Self> {
        (row.status == FixtureStatus::Scheduled)
            .then(|| Self { as_of: row.kick_off.minus(config.as_of_lead), closing: row.kick_off })
    }

    /// Whether a row of a moment could show prices stamped at this time.
    pub(crate) fn can_show(self, stamped: Time) -> bool {
        self.cutoffs().iter().any(|cutoff| cutoff.includes(stamped))
    }

    /// As-of rows know prices through their moment; a closing line those before kick-off.
    pub(crate) fn cutoffs(self) -> [Cutoff; 2] {
        [Cutoff::Through(self.as_of), Cutoff::Before(self.closing)]
    }
}

/// First time at which a fixture's prices are dropped. A postponed one may come back months later,
/// so it is kept for the whole form window; one that was never announced is kept as long after its
/// newest fact as others after kick-off.
pub(crate) fn retire_at(row: Option<&FixtureRow>, newest_fact: Time, config: &Config) -> Time {
    let (from, kept) = match row {
        Some(row) if row.status == FixtureStatus::Postponed => (row.kick_off, config.form_window),
        Some(row) => (row.kick_off, config.retain_after_kick_off),
        None => (newest_fact, config.retain_after_kick_off),
    };
    Time::from_ms(from.plus(kept).ms().saturating_add(1))
}

/// First time at which no form can count a fixture any more and its corrections are refused.
pub(crate) fn forget_at(retire_at: Time, config: &Config) -> Time {
    retire_at.plus(config.form_window)
}
