//! Form: each team's recent matches, decayed, as they were known at the kick-off they are for.
//!
//! One `reduce` per team over its matches within the window and the fixtures that ask for its
//! form. Both are retired by the keyed operator, so a team's group stays at about a season of
//! matches and a month of fixtures, and the group is cheap to walk again when one changes.

use differential_dataflow::VecCollection;
use schema::{FixtureId, FormRow, Span, TeamId, Time};
use serde::{Deserialize, Serialize};

use crate::Config;
use crate::rows::{MatchRow, form_row};
use crate::training::Part;

/// What a team's group holds. Matches sort first, by kick-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
enum Entry {
    /// A finished match.
    Match(MatchRow),
    /// A fixture that wants the form before its kick-off, and on which side the team plays.
    Request(Time, FixtureId, u8),
}

/// Form of both teams, home then away, of every fixture among the parts.
pub(crate) fn forms<'scope>(
    matches: VecCollection<'scope, u64, (TeamId, MatchRow), isize>,
    parts: VecCollection<'scope, u64, (FixtureId, Part), isize>,
    config: &Config,
) -> VecCollection<'scope, u64, (FixtureId, [FormRow; 2]), isize> {
    let (window, half_life) = (config.form_window, config.form_half_life);
    let requests = parts.flat_map(|(id, part)| {
        let sides = match part {
            Part::Fixture(row) => Some([
                (row.home, Entry::Request(row.kick_off, id, 0)),
                (row.away, Entry::Request(row.kick_off, id, 1)),
            ]),
            _ => None,
        };
        sides.into_iter().flatten()
    });
    matches
        .map(|(team, row)| (team, Entry::Match(row)))
        .concat(requests)
        .reduce_named("Form by team", move |_team, entries, forms| {
            for (entry, _) in entries {
                if let Entry::Request(kick_off, fixture, side) = entry {
                    let form = team_form(entries, *kick_off, window, half_life);
                    forms.push(((*fixture, *side, form), 1));
                }
            }
        })
        .map(|(_team, (fixture, side, form))| (fixture, (side, form)))
        .reduce_named("Form by fixture", |_fixture, sides, forms| {
            if let [((0, home), _), ((1, away), _)] = sides {
                forms.push(([*home, *away], 1));
            }
        })
}

fn team_form(
    entries: &[(&Entry, isize)],
    kick_off: Time,
    window: Span,
    half_life: Span,
) -> FormRow {
    let counted = entries.iter().filter_map(|(entry, _)| match entry {
        Entry::Match(played) if played.counts_at(kick_off, window) => Some(played),
        _ => None,
    });
    form_row(kick_off, half_life, counted)
}
