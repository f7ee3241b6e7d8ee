//! Dixon and Coles 1997, walking forward: attack and defence of every side of a league from the
//! goals of the last three years, the recent ones counting more.
//!
//! Goals are Poisson with means `exp(c + h + a_home + b_away)` and `exp(c + a_away + b_home)`,
//! corrected by `tau(rho)` for scores up to 1-1; a match counts `exp(-xi age)`; attack and defence
//! are drawn to their priors (a ridge). Refitted on Mondays, each fit from the last one's solution,
//! which is why eighteen seasons of fourteen leagues take seconds.

use std::collections::BTreeMap;

use schema::TeamId;

use super::history::Played;
use super::record::Triple;

/// Weight lost per day of age.
const XI: f64 = 0.001_9;
/// Standard deviation of attack and defence around their priors.
const RIDGE_DEVIATION: f64 = 0.35;
/// Days of matches a fit looks back on.
const WINDOW_DAYS: i64 = 1_100;
/// Fewest matches of a fit.
const FIT_MIN: usize = 60;
/// A side back in the league after so many days counts as new to it.
const ABSENCE_DAYS: i64 = 420;
/// Sides that begin with the league are not new to it: its first days.
const FIRST_DAYS: i64 = 300;
/// Attack and defence at which new sides start.
const NEWCOMER: Strength = Strength { attack: -0.15, defence: 0.15 };
/// Greatest magnitude of the correction for low scores.
const RHO_MAX: f64 = 0.2;
/// Goals of one side that a forecast looks at.
const GOALS_MAX: usize = 10;
/// Newton steps of a fit; four are usual from a week before.
const STEPS_MAX: usize = 40;
/// A fit is done when no parameter moves more.
const TOLERANCE: f64 = 1e-6;
/// Greatest change of a parameter in a step.
const STEP_MAX: f64 = 0.5;

/// Attack and defence of a side, on the scale of log goals; a good defence is negative.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Strength {
    attack: f64,
    defence: f64,
}

/// A match of a fit.
#[derive(Clone, Copy, Debug)]
struct Match {
    home: usize,
    away: usize,
    goals: [f64; 2],
    weight: f64,
}

/// A league as fitted.
#[derive(Clone, Debug)]
struct Fit {
    base: f64,
    advantage: f64,
    rho: f64,
    strengths: Vec<Strength>,
}

/// Forecasts of every fixture that is to be scored; none where a league has too few matches.
pub fn forecasts(played: &[Played], leagues: usize) -> Vec<Option<Triple>> {
    let mut out = vec![None; played.len()];
    for league in 0..leagues {
        let mut of_league: Vec<usize> =
            (0..played.len()).filter(|i| played[*i].league == league).collect();
        of_league.sort_by_key(|i| (played[*i].cutoff_day, *i));
        forecast_league(played, &of_league, &mut out);
    }
    out
}

fn forecast_league(played: &[Played], fixtures: &[usize], out: &mut [Option<Triple>]) {
    let mut walker = Walker::default();
    let mut results: Vec<&Played> = fixtures.iter().map(|i| &played[*i]).collect();
    results.retain(|fixture| fixture.result.is_some());
    for week in fixtures.chunk_by(|a, b| monday(&played[*a]) == monday(&played[*b])) {
        let monday = monday(&played[week[0]]);
        for i in week {
            walker.see(&played[*i]);
        }
        let wanted: Vec<usize> = week.iter().copied().filter(|i| played[*i].is_scored).collect();
        if wanted.is_empty() {
            continue;
        }
        let first = results.partition_point(|fixture| fixture.cutoff_day < monday - WINDOW_DAYS);
        let last = results.partition_point(|fixture| fixture.cutoff_day < monday);
        let sides = wanted.iter().flat_map(|i| [played[*i].home, played[*i].away]);
        if let Some((sides, fit)) = walker.fit(&results[first..last], sides, monday) {
            for i in wanted {
                let side = |team: TeamId| sides.get(&team).copied();
                let pair = side(played[i].home).zip(side(played[i].away));
                out[i] = pair.map(|(home, away)| fit.forecast(home, away));
            }
        }
    }
}

/// The Monday on or before the cut-off of a fixture.
const fn monday(fixture: &Played) -> i64 {
    super::chance::week_of(fixture.cutoff_day) * 7 + 4
}

/// What one league's fits leave to the next.
#[derive(Default)]
struct Walker {
    first_day: Option<i64>,
    /// When each side came into the league, and when it was last seen in it.
    spells: BTreeMap<TeamId, (i64, i64)>,
    strengths: BTreeMap<TeamId, Strength>,
    common: Option<[f64; 3]>,
}

impl Walker {
    fn see(&mut self, fixture: &Played) {
        self.first_day.get_or_insert(fixture.day);
        for team in [fixture.home, fixture.away] {
            let spell = self.spells.entry(team).or_insert((fixture.day, fixture.day));
            if fixture.day - spell.1 > ABSENCE_DAYS {
                spell.0 = fixture.day;
            }
            spell.1 = spell.1.max(fixture.day);
        }
    }

    /// Whether a side came into the league within the window, and not with the league itself.
    fn is_new(&self, team: TeamId, monday: i64) -> bool {
        let first = self.first_day.unwrap_or(i64::MAX);
        self.spells.get(&team).is_some_and(|(entry, _)| {
            *entry > first.saturating_add(FIRST_DAYS) && monday - entry <= WINDOW_DAYS
        })
    }

    /// Fits the league as known on a Monday; gives the index of each side and the fit.
    fn fit(
        &mut self,
        results: &[&Played],
        wanted: impl Iterator<Item = TeamId>,
        monday: i64,
    ) -> Option<(BTreeMap<TeamId, usize>, Fit)> {
        let known =
            |fixture: &&&Played| fixture.result.is_some_and(|goals| goals.is_known_before(monday));
        let results: Vec<&&Played> = results.iter().filter(known).collect();
        if results.len() < FIT_MIN {
            return None;
        }
        let played = results.iter().flat_map(|fixture| [fixture.home, fixture.away]);
        let mut sides: BTreeMap<TeamId, usize> = played.chain(wanted).map(|t| (t, 0)).collect();
        sides.values_mut().enumerate().for_each(|(i, index)| *index = i);
        let prior = |team: &TeamId| {
            if self.is_new(*team, monday) { NEWCOMER } else { Strength::default() }
        };
        let priors: Vec<Strength> = sides.keys().map(prior).collect();
        let start = |(team, prior)| self.strengths.get(team).copied().unwrap_or(prior);
        let strengths = sides.keys().zip(priors.iter().copied()).map(start).collect();
        let matches: Vec<Match> = results
            .iter()
            .filter_map(|fixture| {
                let goals = fixture.result?;
                Some(Match {
                    home: sides[&fixture.home],
                    away: sides[&fixture.away],
                    goals: [f64::from(goals.home), f64::from(goals.away)],
                    weight: (-XI * (monday - fixture.day) as f64).exp(),
                })
            })
            .collect();
        let [base, advantage, rho] = self.common.unwrap_or([0.1, 0.25, -0.05]);
        let mut fit = Fit { base, advantage, rho, strengths };
        fit.improve(&matches, &priors);
        self.common = Some([fit.base, fit.advantage, fit.rho]);
        for (team, i) in &sides {
            self.strengths.insert(*team, fit.strengths[*i]);
        }
        Some((sides, fit))
    }
}

/// First and second derivatives of the penalised negative log-likelihood.
struct Derivatives {
    gradient: Vec<f64>,
    hessian: Vec<f64>,
    rho: f64,
    rho_curvature: f64,
}

impl Fit {
    /// Means of the goals of both sides.
    fn means(&self, home: usize, away: usize) -> [f64; 2] {
        let (home, away) = (self.strengths[home], self.strengths[away]);
        [
            (self.base + self.advantage + home.attack + away.defence).exp(),
            (self.base + away.attack + home.defence).exp(),
        ]
    }

    /// Newton's method. The curvature is that of the Poisson part, which is convex and outweighs
    /// the correction's; `rho`, in which the likelihood is concave, moves beside it.
    fn improve(&mut self, matches: &[Match], priors: &[Strength]) {
        for _ in 0..STEPS_MAX {
            let mut d = self.derivatives(matches, priors);
            if !schema::linear::solve(&mut d.hessian, &mut d.gradient) {
                debug_assert!(false, "the ridge makes the curvature positive definite");
                return;
            }
            let largest = d.gradient.iter().fold(0.0_f64, |most, step| most.max(step.abs()));
            let share = (STEP_MAX / largest.max(STEP_MAX)).min(1.0);
            self.base -= share * d.gradient[0];
            self.advantage -= share * d.gradient[1];
            for (strength, step) in self.strengths.iter_mut().zip(d.gradient[2..].chunks(2)) {
                strength.attack -= share * step[0];
                strength.defence -= share * step[1];
            }
            let before = self.rho;
            if d.rho_curvature > 0.0 {
                self.rho = (self.rho - d.rho / d.rho_curvature).clamp(-RHO_MAX, RHO_MAX);
            }
            if largest < TOLERANCE && (self.rho - before).abs() < TOLERANCE {
                return;
            }
        }
    }

    /// Parameters in the order base, advantage, then attack and defence side by side.
    fn derivatives(&self, matches: &[Match], priors: &[Strength]) -> Derivatives {
        let n = 2 + 2 * self.strengths.len();
        let mut d = Derivatives {
            gradient: vec![0.0; n],
            hessian: vec![0.0; n * n],
            rho: 0.0,
            rho_curvature: 0.0,
        };
        for game in matches {
            let means = self.means(game.home, game.away);
            let tau = Tau::of(game.goals, means, self.rho);
            let w = game.weight;
            d.rho -= w * tau.rho;
            d.rho_curvature += w * tau.rho * tau.rho;
            let (home, away) = (2 + 2 * game.home, 2 + 2 * game.away);
            let at_home = [0, 1, home, away + 1];
            let pull = -w * (game.goals[0] - means[0] + tau.means[0]);
            d.add(&at_home, pull, w * means[0]);
            let pull = -w * (game.goals[1] - means[1] + tau.means[1]);
            d.add(&[0, away, home + 1], pull, w * means[1]);
        }
        let ridge = 1.0 / (RIDGE_DEVIATION * RIDGE_DEVIATION);
        for (i, (strength, prior)) in self.strengths.iter().zip(priors).enumerate() {
            let at = 2 + 2 * i;
            d.gradient[at] += ridge * (strength.attack - prior.attack);
            d.gradient[at + 1] += ridge * (strength.defence - prior.defence);
            d.hessian[at * n + at] += ridge;
            d.hessian[(at + 1) * n + at + 1] += ridge;
        }
        d
    }

    /// Probabilities of home win, draw and away win.
    fn forecast(&self, home: usize, away: usize) -> Triple {
        let means = self.means(home, away);
        let [at_home, at_away] = means.map(poisson);
        let mut p = [0.0; 3];
        for (x, px) in at_home.iter().enumerate() {
            for (y, py) in at_away.iter().enumerate() {
                let tau = Tau::of([x as f64, y as f64], means, self.rho).value;
                let outcome = if x > y { 0 } else { 1 + usize::from(x < y) };
                p[outcome] += (px * py * tau).max(0.0);
            }
        }
        let sum: f64 = p.iter().sum();
        p.map(|p| p / sum)
    }
}

impl Derivatives {
    /// Adds what one side's goals say about the parameters their mean is the exponential sum of.
    /// Only the lower triangle is kept: it is all the solver reads.
    fn add(&mut self, parameters: &[usize], pull: f64, curvature: f64) {
        let n = self.gradient.len();
        for i in parameters {
            self.gradient[*i] += pull;
            for j in parameters.iter().filter(|j| *j <= i) {
                self.hessian[i * n + j] += curvature;
            }
        }
    }
}

/// The correction of a low score, and the derivatives of its logarithm.
struct Tau {
    value: f64,
    /// By the logarithm of each mean.
    means: [f64; 2],
    /// By `rho`.
    rho: f64,
}

impl Tau {
    fn of(goals: [f64; 2], [home, away]: [f64; 2], rho: f64) -> Self {
        // The value is 1 + rho * factor; `on` says which means the factor is a product of.
        let (factor, on) = if goals == [0.0, 0.0] {
            (-home * away, [true, true])
        } else if goals == [0.0, 1.0] {
            (home, [true, false])
        } else if goals == [1.0, 0.0] {
            (away, [false, true])
        } else if goals == [1.0, 1.0] {
            (-1.0, [false, false])
        } else {
            return Self { value: 1.0, means: [0.0; 2], rho: 0.0 };
        };
        let value = (1.0 + rho * factor).max(1e-6);
        let by_mean = rho * factor / value;
        Self { value, means: on.map(|on| if on { by_mean } else { 0.0 }), rho: factor / value }
    }
}

fn poisson(mean: f64) -> [f64; GOALS_MAX + 1] {
    let mut p = [0.0; GOALS_MAX + 1];
    p[0] = (-mean).exp();
    for k in 1..=GOALS_MAX {
        p[k] = p[k - 1] * mean / k as f64;
    }
    p
}

#[cfg(test)]
mod tests;
