//! The made-up world: teams whose strengths nobody sees, and what a match between two of them
//! really is. Results and sharp prices come from the same goal rates, so that a sharp consensus is
//! worth something and a book that lags behind it can be beaten.

use schema::{Line, Market, MarketKind, Odds, Outcome, Score, Selection, settle};

use super::random::Random;

/// Scores looked at: nobody scores more than this in the tables.
const GOALS_MAX: usize = 11;
/// Goals of an average team, on the log scale.
const LOG_GOALS: f64 = 0.20;
/// What playing at home adds to it.
const LOG_HOME: f64 = 0.22;
/// Spread of attack and defence between teams.
const STRENGTH_SPREAD: f64 = 0.24;
/// How much strengths drift in a week.
const STRENGTH_DRIFT: f64 = 0.02;

const TOWNS: [&str; 32] = [
    "Ashmere",
    "Brackwater",
    "Caldbeck",
    "Dunmoor",
    "Elstow",
    "Fenwick",
    "Garrowby",
    "Holmfirth",
    "Ivelston",
    "Jarrowdale",
    "Kelsby",
    "Langthorpe",
    "Marbury",
    "Netherfold",
    "Oakhaven",
    "Penrose",
    "Quarrington",
    "Ravensey",
    "Selwick",
    "Thornaby",
    "Ulverby",
    "Vexford",
    "Wensley",
    "Yarmside",
    "Aldermoor",
    "Birchley",
    "Corveston",
    "Draycott",
    "Eastmarch",
    "Farleigh",
    "Grimsdyke",
    "Hexby",
];
const KINDS: [&str; 6] = ["Rovers", "United", "Athletic", "Town", "Albion", "Wanderers"];

/// A team's hidden strengths, on the log scale of goals.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strength {
    attack: f64,
    defence: f64,
}

impl Strength {
    /// Strengths of a team at the start.
    pub fn draw(random: &mut Random) -> Self {
        let attack = random.normal() * STRENGTH_SPREAD;
        Self { attack, defence: 0.5 * attack + random.normal() * STRENGTH_SPREAD * 0.8 }
    }

    /// A week later.
    pub fn drift(&mut self, random: &mut Random) {
        self.attack += random.normal() * STRENGTH_DRIFT;
        self.defence += random.normal() * STRENGTH_DRIFT;
    }
}

/// A name for each team of each league, all different.
pub(super) fn team_name(league: usize, team: usize) -> String {
    let number = league * 32 + team;
    let town = TOWNS[(team * 7 + league * 5) % TOWNS.len()];
    let kind = KINDS[(number / 3 + league) % KINDS.len()];
    // Past the number of towns names repeat, so they get a number as reserve teams do.
    match team / TOWNS.len() {
        0 if league == 0 => format!("{town} {kind}"),
        again => format!("{town} {kind} {}", league + again * 10 + 1),
    }
}

/// Goal rates of a match on the log scale, home and away: what everybody tries to guess.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rates {
    pub home: f64,
    pub away: f64,
}

impl Rates {
    /// The truth about a match.
    pub fn of(home: Strength, away: Strength) -> Self {
        Self {
            home: LOG_GOALS + LOG_HOME + home.attack - away.defence,
            away: LOG_GOALS + away.attack - home.defence,
        }
    }

    /// A guess that is off by `tilt` in who is better and by `pace` in how many goals there are.
    pub fn off(self, tilt: f64, pace: f64) -> Self {
        Self { home: self.home + tilt + pace, away: self.away - tilt + pace }
    }

    /// A score from these rates.
    pub fn score(self, random: &mut Random) -> Score {
        Score {
            home: u16::from(random.poisson(self.home.exp())),
            away: u16::from(random.poisson(self.away.exp())),
        }
    }

    /// Chances of every score, `[home][away]`, independent Poisson (Maher 1982).
    pub fn table(self) -> ScoreTable {
        let column = |log_rate: f64| {
            let rate = log_rate.exp().min(6.0);
            let mut chances = [0.0; GOALS_MAX];
            let mut term = (-rate).exp();
            for (goals, chance) in chances.iter_mut().enumerate() {
                *chance = term;
                term *= rate / (goals + 1) as f64;
            }
            let sum: f64 = chances.iter().sum();
            chances.map(|chance| chance / sum)
        };
        ScoreTable { home: column(self.home), away: column(self.away) }
    }

    /// The handicap that makes the match most even.
    pub fn even_line(self) -> Line {
        let table = self.table();
        let quarters = (-12..=12).min_by(|a, b| {
            let uneven = |quarters: &i16| {
                let line = Line::from_quarters(*quarters);
                let market = Market::with_line(MarketKind::AsianHandicap, line);
                let fair = table.fair(market);
                (fair[0] - fair[1]).abs()
            };
            uneven(a).total_cmp(&uneven(b))
        });
        Line::from_quarters(quarters.unwrap_or(0))
    }
}

/// Chances of goals.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScoreTable {
    home: [f64; GOALS_MAX],
    away: [f64; GOALS_MAX],
}

impl ScoreTable {
    /// Fair chances by selection: one over the fair odds, also where part of a stake can come back.
    pub fn fair(&self, market: Market) -> [f64; 3] {
        let mut fair = [0.0; 3];
        for (index, fair) in fair.iter_mut().enumerate().take(market.selections().len()) {
            let (mut gains, mut losses) = (0.0, 0.0);
            for (home, p) in self.home.iter().enumerate() {
                for (away, q) in self.away.iter().enumerate() {
                    let score = Score { home: home as u16, away: away as u16 };
                    match settle(market, Selection(index as u8), score) {
                        Outcome::Win => gains += p * q,
                        Outcome::HalfWin => gains += p * q / 2.0,
                        Outcome::HalfLoss => losses += p * q / 2.0,
                        Outcome::Loss => losses += p * q,
                        _ => {}
                    }
                }
            }
            *fair = gains / (gains + losses);
        }
        fair
    }
}

/// How a book makes prices.
#[derive(Clone, Debug)]
pub(super) struct Book {
    pub name: String,
    /// Sum of its implied probabilities above one.
    pub margin: f64,
    /// How far it lags behind what is known, in milliseconds.
    pub lag_ms: i64,
    /// How far off its opinion of a match is.
    pub noise: f64,
    /// Mean time between its prices, in milliseconds, far from kick-off.
    pub pause_ms: f64,
    pub kind: BookKind,
}

/// What kind of book it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BookKind {
    Sharp,
    Soft,
    Exchange,
    Average,
}

impl Book {
    /// Odds for fair chances: the margin is spread half evenly and half by chance, so outsiders
    /// carry more of it, as they do.
    pub fn odds(&self, fair: f64, selections: usize) -> Odds {
        let loaded = fair + self.margin * (0.5 / selections as f64 + 0.5 * fair);
        let decimal = 1.0 / loaded.clamp(0.002, 0.985);
        let steps = match (self.kind, decimal) {
            (BookKind::Soft, 10.0..) => 2.0,
            (BookKind::Soft, 4.0..) => 10.0,
            (BookKind::Soft, _) | (_, 6.0..) => 20.0,
            _ => 100.0,
        };
        let stepped = ((decimal * steps).round() / steps).max(1.01);
        Odds::new(stepped).unwrap_or(Odds::NONE)
    }
}

/// The books: a sharp one, an exchange, an average of the bookmakers, and the rest soft.
pub(super) fn books(count: usize) -> Vec<Book> {
    const HOUR_MS: f64 = 3_600_000.0;
    const SOFT: [&str; 8] = [
        "Alderbet",
        "Brightodds",
        "Crownstake",
        "Domino",
        "Eaglebet",
        "Fairwager",
        "Goldline",
        "Harbour",
    ];
    let book = |name: &str, margin, lag_ms, noise, pause_hours: f64, kind| Book {
        name: name.to_owned(),
        margin,
        lag_ms,
        noise,
        pause_ms: pause_hours * HOUR_MS,
        kind,
    };
    let mut books = vec![
        book("Meridian", 0.025, 0, 0.004, 8.0, BookKind::Sharp),
        book("Openbook Exchange", 0.012, 120_000, 0.008, 7.0, BookKind::Exchange),
    ];
    for (index, name) in SOFT.iter().enumerate().take(count.saturating_sub(3)) {
        let rank = index as f64;
        books.push(book(
            name,
            0.045 + 0.006 * rank,
            600_000 + 900_000 * index as i64,
            0.020 + 0.004 * rank,
            12.0 + rank,
            BookKind::Soft,
        ));
    }
    books.push(book("Average", 0.0, 0, 0.0, 16.0, BookKind::Average));
    books
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_all_different() {
        let names: BTreeSet<String> =
            (0..8).flat_map(|league| (0..64).map(move |team| team_name(league, team))).collect();
        assert_eq!(names.len(), 8 * 64);
    }

    #[test]
    fn fair_chances_are_those_of_the_scores() {
        let mut random = Random::of(&[3]);
        let rates = Rates { home: 0.5, away: 0.1 };
        let fair = rates.table().fair(Market::ONE_X_TWO);
        assert!((fair.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        let draws = 20_000;
        let home = (0..draws).filter(|_| {
            let score = rates.score(&mut random);
            score.home > score.away
        });
        let share = home.count() as f64 / f64::from(draws);
        assert!((share - fair[0]).abs() < 0.015, "{share} against {}", fair[0]);
        let line = rates.even_line();
        let market = Market::with_line(MarketKind::AsianHandicap, line);
        let even = rates.table().fair(market);
        assert!((even[0] - 0.5).abs() < 0.06 && (even[0] + even[1] - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_margin_shortens_every_price() {
        for book in books(9).iter().filter(|book| book.kind != BookKind::Average) {
            let odds = [0.5, 0.3, 0.2].map(|fair| book.odds(fair, 3));
            let sum: f64 = odds.iter().map(|odds| odds.implied()).sum();
            assert!((sum - 1.0 - book.margin).abs() < 0.04, "{} {sum}", book.name);
        }
    }
}
