//! Finished matches in the order in which they became known: what a forecast from results may use.
//!
//! Every baseline here is asked about a fixture at the midnight (UTC) before the lead before its
//! kick-off, and knows the results that stood then, nothing of the same day and nothing corrected
//! later. That is a little less than a decision may know, and what published baselines use.

use schema::{Span, TeamId, Time};

use super::record::Fixture;

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// A fixture as the baselines see it.
#[derive(Clone, Copy, Debug)]
pub struct Played {
    /// Number of its league, from 0.
    pub league: usize,
    /// The home side.
    pub home: TeamId,
    /// The away side.
    pub away: TeamId,
    /// Day of kick-off since 1970, UTC.
    pub day: i64,
    /// Day before which a result has to be known to count for its forecast.
    pub cutoff_day: i64,
    /// Goals and when they were known; none without a result.
    pub result: Option<Goals>,
    /// Whether a forecast is wanted.
    pub is_scored: bool,
}

/// A result and when it was known.
#[derive(Clone, Copy, Debug)]
pub struct Goals {
    /// Of the home side.
    pub home: u16,
    /// Of the away side.
    pub away: u16,
    /// When it was known as it stands.
    pub known_at: Time,
}

impl Goals {
    /// 0 home, 1 draw, 2 away.
    pub const fn outcome(self) -> u8 {
        if self.home > self.away {
            0
        } else if self.home == self.away {
            1
        } else {
            2
        }
    }

    /// Whether it was known before a day began.
    pub const fn is_known_before(self, day: i64) -> bool {
        self.known_at.ms() < day.saturating_mul(DAY_MS)
    }
}

impl Played {
    /// A fixture of the league with this number.
    pub fn of(fixture: &Fixture, league: usize, lead: Span, from: Time) -> Self {
        let goals = |known: super::record::Known| Goals {
            home: known.score.home,
            away: known.score.away,
            known_at: known.at,
        };
        Self {
            league,
            home: fixture.home,
            away: fixture.away,
            day: fixture.kick_off.day(),
            cutoff_day: fixture.kick_off.minus(lead).day(),
            result: fixture.result.map(goals),
            is_scored: fixture.kick_off >= from,
        }
    }
}

/// One step of a walk through time.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// The fixture with this number is to be forecast.
    Forecast(usize),
    /// The result of the fixture with this number is known.
    Result(usize, Goals),
}

/// Everything that happens, in order: results that became known at a forecast's very moment come
/// after it.
pub fn walk(played: &[Played]) -> Vec<Step> {
    let mut steps: Vec<(i64, u8, usize)> = Vec::with_capacity(2 * played.len());
    for (i, fixture) in played.iter().enumerate() {
        steps.push((fixture.cutoff_day.saturating_mul(DAY_MS), 0, i));
        if let Some(goals) = fixture.result {
            steps.push((goals.known_at.ms(), 1, i));
        }
    }
    steps.sort_unstable();
    let step = |(_, kind, i): (i64, u8, usize)| match (kind, played[i].result) {
        (1, Some(goals)) => Step::Result(i, goals),
        _ => Step::Forecast(i),
    };
    steps.into_iter().map(step).collect()
}

/// The season of a day since 1970, by the year in which it begins: seasons begin on 1 July.
pub fn season_of(day: i64) -> i64 {
    // Days from civil, backwards (Hinnant 2013), for years that begin in March.
    let z = day + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    // March is 0: July to December are 4 to 9, January and February 10 and 11 of the year before.
    let march_year = year_of_era + era * 400;
    if month_from_march >= 4 { march_year } else { march_year - 1 }
}

/// A season as people write it: `2019/20`.
pub fn season_name(season: i64) -> String {
    format!("{season}/{:02}", (season + 1).rem_euclid(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seasons_begin_in_july() {
        let season = |text: &str| season_of(text.parse::<Time>().unwrap().day());
        assert_eq!(season("2019-06-30"), 2018);
        assert_eq!(season("2019-07-01"), 2019);
        assert_eq!(season("2019-12-31"), 2019);
        assert_eq!(season("2020-01-01"), 2019);
        assert_eq!(season("2020-02-29"), 2019);
        assert_eq!(season("2020-03-01"), 2019);
        assert_eq!(season_of(0), 1969);
        assert_eq!(season_name(2019), "2019/20");
        assert_eq!(season_name(1999), "1999/00");
    }

    #[test]
    fn a_result_of_the_same_day_comes_after_the_forecast() {
        let noon = |day: i64, hour: i64| Time::from_ms(day * DAY_MS + hour * 3_600_000);
        let fixture = |day: i64, hour: i64| Played {
            league: 0,
            home: TeamId(1),
            away: TeamId(2),
            day,
            cutoff_day: day,
            result: Some(Goals { home: 1, away: 0, known_at: noon(day, hour) }),
            is_scored: true,
        };
        let played = [fixture(10, 14), fixture(10, 22), fixture(11, 16)];
        let order: Vec<(bool, usize)> = walk(&played)
            .into_iter()
            .map(|step| match step {
                Step::Forecast(i) => (true, i),
                Step::Result(i, _) => (false, i),
            })
            .collect();
        let expected = [(true, 0), (true, 1), (false, 0), (false, 1), (true, 2), (false, 2)];
        assert_eq!(order, expected);
        assert!(!played[0].result.unwrap().is_known_before(10));
        assert!(played[0].result.unwrap().is_known_before(11));
    }
}
