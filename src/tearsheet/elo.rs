//! Elo ratings and an ordered logit on their gap, and the base rate of a league: what results alone
//! say about a match in the simplest terms.
//!
//! Elo 1978 with the goal-difference weight `log2(1 + margin)`; from rating gaps to probabilities
//! by an ordered logit (Walker and Duncan 1967), refitted every 1 July on all earlier matches.

use std::collections::BTreeMap;

use schema::TeamId;

use super::history::{Goals, Played, Step, season_of, walk};
use super::record::Triple;

/// Rating a win moves, at an even expectation and a margin of one.
const K: f64 = 20.0;
/// Rating points that playing at home is worth.
const HOME: f64 = 60.0;
/// Rating of the first teams.
const START: f64 = 1_500.0;
/// A league's newcomer starts at this quantile of the league...
const NEWCOMER: f64 = 0.25;
/// ... when at least so many of its teams are rated...
const POOL_MIN: usize = 10;
/// ... and were seen in it so many days ago at most.
const POOL_DAYS: i64 = 400;
/// Fewest matches the ordered logit is fitted on.
const FIT_MIN: usize = 500;
/// Scoring steps of a fit; six are usual.
const STEPS_MAX: usize = 50;

/// Matches of the general rate that a league's own begins with.
const PRIOR_MATCHES: f64 = 50.0;
/// The general rate of home wins, draws and away wins.
const PRIOR: Triple = [0.44, 0.26, 0.30];

/// Each league's share of home wins, draws and away wins so far, shrunk by fifty matches.
pub fn base_rates(played: &[Played], leagues: usize) -> Vec<Option<Triple>> {
    let mut counts = vec![[0.0; 3]; leagues];
    let mut out = vec![None; played.len()];
    for step in walk(played) {
        match step {
            Step::Forecast(i) => {
                let count = counts[played[i].league];
                let n: f64 = count.iter().sum();
                let rate = |c: usize| (count[c] + PRIOR_MATCHES * PRIOR[c]) / (n + PRIOR_MATCHES);
                out[i] = Some([rate(0), rate(1), rate(2)]);
            }
            Step::Result(i, goals) => {
                counts[played[i].league][usize::from(goals.outcome())] += 1.0;
            }
        }
    }
    out
}

/// Elo forecasts of every fixture; none before there are matches enough to fit on.
pub fn forecasts(played: &[Played], leagues: usize) -> Vec<Option<Triple>> {
    let mut ratings = Ratings { of: BTreeMap::new(), seen: vec![BTreeMap::new(); leagues] };
    let mut gaps: Vec<Option<f64>> = vec![None; played.len()];
    let mut known: Vec<(f64, u8)> = Vec::new();
    let (mut logit, mut fitted_in) = (None, i64::MIN);
    let mut out = vec![None; played.len()];
    for step in walk(played) {
        match step {
            Step::Forecast(i) => {
                let season = season_of(played[i].cutoff_day);
                if season > fitted_in && known.len() >= FIT_MIN {
                    logit = Some(OrderedLogit::fit(&known, logit.unwrap_or_default()));
                    fitted_in = season;
                }
                let gap = ratings.gap(&played[i]);
                gaps[i] = Some(gap);
                out[i] = logit.map(|logit: OrderedLogit| logit.probabilities(gap));
            }
            Step::Result(i, goals) => {
                let gap = gaps[i].unwrap_or_else(|| ratings.gap(&played[i]));
                known.push((gap, goals.outcome()));
                ratings.learn(&played[i], gap, goals);
            }
        }
    }
    out
}

struct Ratings {
    of: BTreeMap<TeamId, f64>,
    /// For each league, its teams and the day they were last seen in it.
    seen: Vec<BTreeMap<TeamId, i64>>,
}

impl Ratings {
    /// Rating of the home side with its advantage over that of the away side. Teams never seen
    /// before get a rating.
    fn gap(&mut self, fixture: &Played) -> f64 {
        let [home, away] = [fixture.home, fixture.away].map(|team| {
            let rating = self.of.get(&team).copied();
            let rating = rating.unwrap_or_else(|| self.newcomer(fixture));
            self.of.insert(team, rating);
            self.seen[fixture.league].insert(team, fixture.day);
            rating
        });
        home + HOME - away
    }

    fn newcomer(&self, fixture: &Played) -> f64 {
        let recent =
            self.seen[fixture.league].iter().filter(|(_, d)| fixture.day - **d < POOL_DAYS);
        let mut pool: Vec<f64> =
            recent.filter_map(|(team, _)| self.of.get(team).copied()).collect();
        if pool.len() < POOL_MIN {
            return START;
        }
        pool.sort_by(f64::total_cmp);
        super::chance::quantile(&pool, NEWCOMER)
    }

    fn learn(&mut self, fixture: &Played, gap: f64, goals: Goals) {
        let expected = 1.0 / (1.0 + 10_f64.powf(-gap / 400.0));
        let scored = [1.0, 0.5, 0.0][usize::from(goals.outcome())];
        let margin = f64::from(goals.home.abs_diff(goals.away).max(1));
        let change = K * (1.0 + margin).log2() * (scored - expected);
        *self.of.entry(fixture.home).or_insert(START) += change;
        *self.of.entry(fixture.away).or_insert(START) -= change;
    }
}

/// `P(home) = s(slope x - home)`, `P(home or draw) = s(slope x + away)`, `s` the logistic function
/// and `x` the rating gap in hundreds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct OrderedLogit {
    slope: f64,
    home: f64,
    away: f64,
}

impl Default for OrderedLogit {
    fn default() -> Self {
        Self { slope: 0.5, home: 0.1, away: 1.1 }
    }
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

impl OrderedLogit {
    fn probabilities(self, gap: f64) -> Triple {
        let x = self.slope * gap / 100.0;
        let (home, not_away) = (logistic(x - self.home), logistic(x + self.away));
        [home, not_away - home, 1.0 - not_away]
    }

    /// Maximum likelihood by Fisher scoring; the likelihood is concave, so the start only saves
    /// steps. A step that would cross the thresholds is halved.
    fn fit(known: &[(f64, u8)], start: Self) -> Self {
        let mut now = start;
        for _ in 0..STEPS_MAX {
            let (mut information, mut score) = now.scores(known);
            if !schema::linear::solve(&mut information, &mut score) {
                break;
            }
            let [slope, home, away] = score;
            let mut share = 1.0;
            while now.home + now.away + share * (home + away) <= 0.0 {
                share /= 2.0;
            }
            now.slope += share * slope;
            now.home += share * home;
            now.away += share * away;
            if score.iter().all(|step| step.abs() < 1e-9) {
                break;
            }
        }
        now
    }

    /// Expected information and gradient of the log-likelihood in (slope, home, away).
    fn scores(self, known: &[(f64, u8)]) -> ([f64; 9], [f64; 3]) {
        let (mut information, mut gradient) = ([0.0; 9], [0.0; 3]);
        for (gap, outcome) in known {
            let x = gap / 100.0;
            let a = logistic(self.slope * x - self.home);
            let b = logistic(self.slope * x + self.away);
            let (da, db) = (a * (1.0 - a), b * (1.0 - b));
            let p = [a, (b - a).max(1e-12), 1.0 - b];
            // Derivatives of each probability.
            let slopes = [[da * x, -da, 0.0], [(db - da) * x, da, db], [-db * x, 0.0, -db]];
            for (class, d) in slopes.iter().enumerate() {
                for i in 0..3 {
                    for j in 0..3 {
                        information[i * 3 + j] += d[i] * d[j] / p[class].max(1e-12);
                    }
                    if class == usize::from(*outcome) {
                        gradient[i] += d[i] / p[class].max(1e-12);
                    }
                }
            }
        }
        (information, gradient)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tearsheet::chance::Random;
    use schema::Time;

    #[test]
    fn the_logit_is_found_again_from_what_it_made() {
        let truth = OrderedLogit { slope: 0.55, home: 0.15, away: 1.05 };
        let mut random = Random::new(5);
        let known: Vec<_> = (0..40_000)
            .map(|_| {
                let gap = 600.0 * random.unit() - 240.0;
                let (p, u) = (truth.probabilities(gap), random.unit());
                (gap, u8::from(u > p[0]) + u8::from(u > p[0] + p[1]))
            })
            .collect();
        let found = OrderedLogit::fit(&known, OrderedLogit::default());
        for (found, truth) in [(found.slope, 0.55), (found.home, 0.15), (found.away, 1.05)] {
            assert!((found - truth).abs() < 0.04, "{found} {truth}");
        }
        let (_, gradient) = found.scores(&known);
        assert!(gradient.iter().all(|g| g.abs() < 1e-5), "{gradient:?}");
    }

    fn game(day: i64, home: u64, away: u64, goals: (u16, u16)) -> Played {
        let known_at = Time::from_ms(day * 86_400_000 + 61_000_000);
        Played {
            league: 0,
            home: TeamId(home),
            away: TeamId(away),
            day,
            cutoff_day: day,
            result: Some(Goals { home: goals.0, away: goals.1, known_at }),
            is_scored: true,
        }
    }

    #[test]
    fn a_rating_by_hand() {
        let mut ratings = Ratings { of: BTreeMap::new(), seen: vec![BTreeMap::new()] };
        let game = game(1, 1, 2, (3, 1));
        let gap = ratings.gap(&game);
        assert_eq!(gap, 60.0);
        ratings.learn(&game, gap, game.result.unwrap());
        // 20 log2(3) (1 - 1 / (1 + 10^-0.15)) = 31.699 x 0.414501.
        assert!((ratings.of[&TeamId(1)] - 1_513.139_4).abs() < 1e-3, "{:?}", ratings.of);
        assert!((ratings.of[&TeamId(1)] + ratings.of[&TeamId(2)] - 3_000.0).abs() < 1e-9);
    }

    #[test]
    fn base_rates_by_hand() {
        let played = [game(1, 1, 2, (1, 0)), game(2, 3, 4, (0, 0)), game(3, 1, 3, (0, 0))];
        let rates = base_rates(&played, 1);
        assert_eq!(rates[0], Some(PRIOR));
        assert_eq!(rates[1].unwrap()[0], (1.0 + 22.0) / 51.0);
        assert_eq!(rates[2].unwrap()[1], (1.0 + 13.0) / 52.0);
    }

    #[test]
    fn later_results_do_not_move_earlier_forecasts() {
        let mut random = Random::new(9);
        let mut played: Vec<_> = (0..1_500_i64)
            .map(|i| {
                let (home, away) = ((i % 12) as u64, ((i * 5 + 1) % 12) as u64);
                let goals = |u: f64| (u * 3.9) as u16;
                game(i / 4, home, away + 20, (goals(random.unit()), goals(random.unit())))
            })
            .collect();
        let before = forecasts(&played, 1);
        assert!(before[1_000].is_some() && before[0].is_none());
        for later in &mut played[1_000..] {
            later.result =
                later.result.map(|goals| Goals { home: goals.away + 5, away: 0, ..goals });
        }
        let after = forecasts(&played, 1);
        assert_eq!(before[..1_004], after[..1_004], "the day of fixture 1,000 included");
        assert_ne!(before[1_100], after[1_100]);
    }
}
