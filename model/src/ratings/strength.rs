//! Strengths of teams as one Gaussian: a Kalman filter that keeps the covariance of all teams that
//! ever met, directly or not.
//!
//! What is observed of a match (a closing line, a difference or a sum of shots) is a constant of its
//! league, plus the home side, plus or minus the away side, plus noise (Harville 1980; Kalman 1960).
//! A rating that moves by a fixed step forgets whom a team has played; the covariance knows that a
//! result against one side says something about every side that one has played. A promoted team
//! ties two leagues together: until then nothing says how much stronger one is, so the whole of the
//! smaller one gets one shared uncertainty, which the first matches of such teams resolve.
//!
//! Beside observations there is a push: what a match showed (shots, goals beyond what was expected)
//! moves a strength by a known amount, before any new line shows it.

use std::collections::BTreeMap;

use schema::{FixtureRow, LeagueId, Span, TeamId, Time};
use serde::{Deserialize, Serialize};

/// Nodes (teams and leagues) of one pool at most: a step costs their square. Teams beyond it come in
/// with what is known of them, and without their ties.
const POOL_NODES_MAX: usize = 400;
/// A team not seen for so long is forgotten.
const FORGOTTEN_AFTER: Span = Span::days(1_100);
/// A break longer than this is a summer.
const SUMMER: Span = Span::days(45);
/// Teams that played in a league so recently are in it now.
const CURRENT: Span = Span::days(200);
/// Days of noise added at once at most.
const NOISE_DAYS_MAX: f64 = 10.0;
/// Matches of a league from which a newcomer is known to come from below.
const SETTLED_MATCHES: u32 = 150;
/// How much of the first quantity's news counts as that of one that was not counted.
const STANDS_IN: f64 = 0.7;
const DAY_MS: f64 = 86_400_000.0;

/// How a filter behaves. Variances are in the square of what is observed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// -1 where an observation is the difference of two strengths, 1 where it is their sum.
    pub sign: f64,
    /// Variance a strength gains a day.
    pub noise_day: f64,
    /// Variance it gains over a summer; twice as much when the team changes its league.
    pub noise_summer: f64,
    /// Variance a league's constant gains a day.
    pub noise_league_day: f64,
    /// Variance of an observation.
    pub spread: f64,
    /// Variance of a team never seen.
    pub prior: f64,
    /// A newcomer's strength below the mean of its league.
    pub newcomer: f64,
}

/// Everybody tied together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Pool {
    teams: BTreeMap<TeamId, usize>,
    leagues: BTreeMap<LeagueId, usize>,
    /// Nodes x observed quantities.
    means: Vec<f64>,
    /// Nodes x nodes, one for all quantities.
    covariance: Vec<f64>,
    nodes: usize,
    at: Option<Time>,
}

/// Where a team was last.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Seen {
    pool: usize,
    league: LeagueId,
    at: Time,
}

/// The filter, over quantities observed side by side with one covariance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Strengths {
    settings: Settings,
    /// A league's constants before its first match, by quantity.
    levels: Vec<f64>,
    pools: BTreeMap<usize, Pool>,
    pool_next: usize,
    teams: BTreeMap<TeamId, Seen>,
    leagues: BTreeMap<LeagueId, (usize, u32)>,
}

/// What is expected of a match.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Expected {
    /// By quantity.
    pub values: Vec<f64>,
    /// Both strengths together, of the first quantity.
    pub sum: f64,
    /// Variance from not knowing the strengths.
    pub variance: f64,
}

impl Strengths {
    pub fn new(settings: Settings, levels: &[f64]) -> Self {
        Self {
            settings,
            levels: levels.to_vec(),
            pools: BTreeMap::new(),
            pool_next: 0,
            teams: BTreeMap::new(),
            leagues: BTreeMap::new(),
        }
    }

    /// What to expect of a match.
    pub fn expect(&self, row: &FixtureRow) -> Expected {
        let k = self.levels.len();
        let home = self.view(row.home, row.league, row.kick_off);
        let away = self.view(row.away, row.league, row.kick_off);
        let sign = self.settings.sign;
        let league = self.leagues.get(&row.league).and_then(|(pool, _)| {
            let pool = self.pools.get(pool)?;
            let node = *pool.leagues.get(&row.league)?;
            Some(pool.means[node * k..(node + 1) * k].to_vec())
        });
        let level = league.unwrap_or_else(|| self.levels.clone());
        let values = (0..k).map(|at| level[at] + home.mean[at] + sign * away.mean[at]).collect();
        let mut variance = home.variance + away.variance;
        if let (Some((a, i)), Some((b, j))) = (home.node, away.node)
            && a == b
        {
            let pool = &self.pools[&a];
            variance += 2.0 * sign * pool.covariance[i * pool.nodes + j];
        }
        Expected { values, sum: home.mean[0] + away.mean[0], variance: variance.max(0.0) }
    }

    /// Takes a finished match in: what was observed, by quantity (the first stands in for what is
    /// missing, damped; nothing is learned when it is missing itself), and how far what it showed
    /// pushes the home and the away side.
    pub fn played(&mut self, row: &FixtureRow, observed: Option<&[Option<f64>]>, push: [f64; 2]) {
        self.enter(row);
        let id = self.leagues[&row.league].0;
        let (k, settings) = (self.levels.len(), self.settings);
        let Some(pool) = self.pools.get_mut(&id) else { return };
        pool.wait(row.kick_off, &settings);
        let (home, away) = (pool.teams[&row.home], pool.teams[&row.away]);
        if let Some(observed) = observed.filter(|it| it.first().is_some_and(Option::is_some)) {
            pool.observe([home, away, pool.leagues[&row.league]], observed, &settings);
        }
        for at in 0..k {
            pool.means[home * k + at] += push[0];
            pool.means[away * k + at] += push[1];
        }
        if let Some((_, matches)) = self.leagues.get_mut(&row.league) {
            *matches = matches.saturating_add(1);
        }
    }

    fn view(&self, team: TeamId, league: LeagueId, now: Time) -> View {
        let k = self.levels.len();
        if let Some(seen) = self.teams.get(&team)
            && let Some(pool) = self.pools.get(&seen.pool)
            && let Some(&node) = pool.teams.get(&team)
        {
            return View {
                mean: pool.means[node * k..(node + 1) * k].to_vec(),
                variance: pool.covariance[node * pool.nodes + node],
                node: Some((seen.pool, node)),
            };
        }
        View { mean: self.newcomer(league, now), variance: self.settings.prior, node: None }
    }

    /// Strength of a team never seen, in a league: below those who are there, once the league is
    /// known.
    fn newcomer(&self, league: LeagueId, now: Time) -> Vec<f64> {
        let k = self.levels.len();
        let mut mean = vec![0.0; k];
        let Some((id, matches)) = self.leagues.get(&league) else { return mean };
        let Some(pool) = self.pools.get(id) else { return mean };
        if *matches < SETTLED_MATCHES {
            return mean;
        }
        let mut count = 0.0;
        for (team, node) in &pool.teams {
            let here = self
                .teams
                .get(team)
                .is_some_and(|seen| seen.league == league && now.since(seen.at) < CURRENT.ms());
            if here {
                (0..k).for_each(|at| mean[at] += pool.means[node * k + at]);
                count += 1.0;
            }
        }
        for sum in &mut mean {
            *sum = if count > 0.0 { *sum / count } else { 0.0 } + self.settings.newcomer;
        }
        mean
    }

    /// Makes sure that both teams and the league are in one pool.
    fn enter(&mut self, row: &FixtureRow) {
        if !self.leagues.contains_key(&row.league) {
            let id = self.pool_next;
            self.pool_next += 1;
            let mut pool = Pool::default();
            let node = pool.add(&self.levels, self.settings.prior);
            pool.leagues.insert(row.league, node);
            self.pools.insert(id, pool);
            self.leagues.insert(row.league, (id, 0));
        }
        for team in [row.home, row.away] {
            let to = self.leagues[&row.league].0;
            if let Some(seen) = self.teams.get(&team).copied() {
                self.come_back(team, seen, to, row);
            } else {
                let mean = self.newcomer(row.league, row.kick_off);
                self.forget(to, row.kick_off);
                if let Some(pool) = self.pools.get_mut(&to) {
                    let node = pool.add(&mean, self.settings.prior);
                    pool.teams.insert(team, node);
                }
            }
            // Ties may have moved the league's pool.
            let pool = self.leagues[&row.league].0;
            self.teams.insert(team, Seen { pool, league: row.league, at: row.kick_off });
        }
    }

    fn come_back(&mut self, team: TeamId, seen: Seen, to: usize, row: &FixtureRow) {
        if seen.pool != to {
            self.merge(seen.pool, to, team);
        }
        let pool = self.leagues[&row.league].0;
        let Some(pool) = self.pools.get_mut(&pool) else { return };
        if row.kick_off.since(seen.at) > SUMMER.ms() {
            let times = if seen.league == row.league { 1.0 } else { 2.0 };
            let node = pool.teams[&team];
            pool.covariance[node * pool.nodes + node] += times * self.settings.noise_summer;
        }
    }

    /// Ties two pools together, or, where that would make one too large, takes just one team over.
    fn merge(&mut self, from: usize, to: usize, team: TeamId) {
        let k = self.levels.len();
        let (Some(a), Some(b)) = (self.pools.get(&from), self.pools.get(&to)) else { return };
        if a.nodes + b.nodes > POOL_NODES_MAX {
            let node = a.teams[&team];
            let mean = a.means[node * k..(node + 1) * k].to_vec();
            let variance = a.covariance[node * a.nodes + node] + 2.0 * self.settings.prior;
            if let Some(pool) = self.pools.get_mut(&from) {
                pool.teams.remove(&team);
            }
            if let Some(pool) = self.pools.get_mut(&to) {
                let node = pool.add(&mean, variance);
                pool.teams.insert(team, node);
            }
            return;
        }
        let (keep, give) = if a.nodes >= b.nodes { (from, to) } else { (to, from) };
        let Some(mut smaller) = self.pools.remove(&give) else { return };
        let shared = 2.0 * self.settings.prior;
        let members: Vec<usize> = smaller.teams.values().copied().collect();
        for i in &members {
            for j in &members {
                smaller.covariance[i * smaller.nodes + j] += shared;
            }
        }
        if let Some(pool) = self.pools.get_mut(&keep) {
            pool.join(&smaller);
        }
        self.teams.values_mut().filter(|seen| seen.pool == give).for_each(|it| it.pool = keep);
        self.leagues.values_mut().filter(|it| it.0 == give).for_each(|it| it.0 = keep);
    }

    /// Drops teams of a pool that have not been seen for years.
    fn forget(&mut self, id: usize, now: Time) {
        let old: Vec<TeamId> = self
            .teams
            .iter()
            .filter(|(_, seen)| seen.pool == id && now.since(seen.at) > FORGOTTEN_AFTER.ms())
            .map(|(team, _)| *team)
            .collect();
        let Some(pool) = self.pools.get_mut(&id).filter(|_| !old.is_empty()) else { return };
        for team in old {
            self.teams.remove(&team);
            pool.teams.remove(&team);
        }
        pool.shrink(self.levels.len());
    }
}

struct View {
    mean: Vec<f64>,
    variance: f64,
    node: Option<(usize, usize)>,
}

impl Pool {
    /// A node that nothing ties to the others yet.
    fn add(&mut self, mean: &[f64], variance: f64) -> usize {
        let (old, new) = (self.nodes, self.nodes + 1);
        let mut covariance = vec![0.0; new * new];
        for row in 0..old {
            covariance[row * new..row * new + old]
                .copy_from_slice(&self.covariance[row * old..(row + 1) * old]);
        }
        covariance[old * new + old] = variance;
        (self.covariance, self.nodes) = (covariance, new);
        self.means.extend(mean);
        old
    }

    /// Takes all nodes of another pool in.
    fn join(&mut self, other: &Self) {
        let (old, new) = (self.nodes, self.nodes + other.nodes);
        let mut covariance = vec![0.0; new * new];
        for row in 0..old {
            covariance[row * new..row * new + old]
                .copy_from_slice(&self.covariance[row * old..(row + 1) * old]);
        }
        for row in 0..other.nodes {
            let from = &other.covariance[row * other.nodes..(row + 1) * other.nodes];
            covariance[(old + row) * new + old..(old + row + 1) * new].copy_from_slice(from);
        }
        self.means.extend(&other.means);
        self.teams.extend(other.teams.iter().map(|(team, node)| (*team, node + old)));
        self.leagues.extend(other.leagues.iter().map(|(league, node)| (*league, node + old)));
        (self.covariance, self.nodes) = (covariance, new);
        self.at = self.at.max(other.at);
    }

    /// Keeps only nodes that somebody names.
    fn shrink(&mut self, k: usize) {
        let mut kept: Vec<usize> =
            self.teams.values().chain(self.leagues.values()).copied().collect();
        kept.sort_unstable();
        let (old, new) = (self.nodes, kept.len());
        let mut covariance = vec![0.0; new * new];
        let mut means = Vec::with_capacity(new * k);
        for (row, &from) in kept.iter().enumerate() {
            for (column, &other) in kept.iter().enumerate() {
                covariance[row * new + column] = self.covariance[from * old + other];
            }
            means.extend(&self.means[from * k..(from + 1) * k]);
        }
        let place = |node: &mut usize| {
            if let Ok(at) = kept.binary_search(node) {
                *node = at;
            }
        };
        self.teams.values_mut().for_each(place);
        self.leagues.values_mut().for_each(place);
        (self.covariance, self.means, self.nodes) = (covariance, means, new);
    }

    /// Time passes: everybody may have changed a little.
    fn wait(&mut self, now: Time, settings: &Settings) {
        let days = self.at.map_or(0.0, |at| now.since(at) as f64 / DAY_MS);
        let days = days.clamp(0.0, NOISE_DAYS_MAX);
        let n = self.nodes;
        for node in self.teams.values() {
            self.covariance[node * n + node] += settings.noise_day * days;
        }
        for node in self.leagues.values() {
            self.covariance[node * n + node] += settings.noise_league_day * days;
        }
        self.at = self.at.max(Some(now));
    }

    /// Kalman's step.
    fn observe(
        &mut self,
        [home, away, league]: [usize; 3],
        observed: &[Option<f64>],
        by: &Settings,
    ) {
        let (n, k) = (self.nodes, observed.len());
        let row = |node: usize| &self.covariance[node * n..(node + 1) * n];
        let gain: Vec<f64> = row(home)
            .iter()
            .zip(row(away))
            .zip(row(league))
            .map(|((home, away), league)| home + by.sign * away + league)
            .collect();
        let variance = gain[home] + by.sign * gain[away] + gain[league] + by.spread;
        let mean = |node: usize, at: usize| self.means[node * k + at];
        let expected = |at: usize| mean(home, at) + by.sign * mean(away, at) + mean(league, at);
        let first = observed[0].map_or(0.0, |seen| seen - expected(0));
        let news: Vec<f64> = (0..k)
            .map(|at| observed[at].map_or(STANDS_IN * first, |seen| seen - expected(at)))
            .collect();
        for (node, gain) in gain.iter().enumerate() {
            for (at, news) in news.iter().enumerate() {
                self.means[node * k + at] += gain / variance * news;
            }
        }
        for (node, own) in gain.iter().enumerate() {
            let share = own / variance;
            let row = &mut self.covariance[node * n..(node + 1) * n];
            row.iter_mut().zip(&gain).for_each(|(cell, gain)| *cell -= share * gain);
        }
    }
}

#[cfg(test)]
mod tests {
    use schema::FixtureStatus;

    use super::*;

    const SETTINGS: Settings = Settings {
        sign: -1.0,
        noise_day: 0.0,
        noise_summer: 0.0,
        noise_league_day: 0.0,
        spread: 0.1,
        prior: 1.0,
        newcomer: -0.3,
    };

    fn row(league: u64, home: u64, away: u64, day: i64) -> FixtureRow {
        FixtureRow {
            league: LeagueId(league),
            home: TeamId(home),
            away: TeamId(away),
            kick_off: Time::from_ms(day * 86_400_000),
            status: FixtureStatus::Scheduled,
        }
    }

    /// Solves the normal equations of all observations at once: prior and noise as in the filter.
    fn at_once(seen: &[(usize, usize, f64)], nodes: usize) -> Vec<f64> {
        let mut a = vec![0.0; nodes * nodes];
        let mut b = vec![0.0; nodes];
        (0..nodes).for_each(|i| a[i * nodes + i] = 1.0);
        for &(home, away, y) in seen {
            let columns = [(home, 1.0), (away, -1.0), (nodes - 1, 1.0)];
            for (i, x) in columns {
                b[i] += x * y / 0.1;
                for (j, z) in &columns {
                    a[i * nodes + j] += x * z / 0.1;
                }
            }
        }
        assert!(schema::linear::solve(&mut a, &mut b));
        b
    }

    #[test]
    fn step_by_step_equals_least_squares_at_once() {
        let mut strengths = Strengths::new(SETTINGS, &[0.0]);
        let seen = [(0, 1, 0.9), (2, 3, 0.1), (1, 2, -0.4), (3, 0, -1.0), (0, 2, 0.7)];
        for (day, (home, away, y)) in seen.iter().enumerate() {
            strengths.played(&row(1, *home, *away, day as i64), Some(&[Some(*y)]), [0.0; 2]);
        }
        let home = seen.map(|(home, away, y)| (home as usize, away as usize, y));
        let solved = at_once(&home, 5);
        for (a, b) in [(0, 1), (1, 3), (3, 2)] {
            let expected = strengths.expect(&row(1, a, b, 9)).values[0];
            let exact = solved[a as usize] - solved[b as usize] + solved[4];
            assert!((expected - exact).abs() < 1e-9, "{expected} {exact}");
        }
    }

    #[test]
    fn a_team_that_changes_its_league_ties_the_two_together() {
        let mut strengths = Strengths::new(SETTINGS, &[0.0]);
        for day in 0..20 {
            strengths.played(&row(1, 1, 2, day), Some(&[Some(0.0)]), [0.0; 2]);
            strengths.played(&row(2, 11, 12, day), Some(&[Some(0.0)]), [0.0; 2]);
        }
        let apart = |s: &Strengths| s.expect(&row(1, 1, 12, 99)).values[0];
        assert!(apart(&strengths).abs() < 0.1);
        // Team 2, as good as team 1, wins easily in the second league.
        for day in 100..110 {
            strengths.played(&row(2, 2, 11, day), Some(&[Some(1.5)]), [0.0; 2]);
        }
        assert!(apart(&strengths) > 0.7, "{}", apart(&strengths));
        assert_eq!(strengths.pools.len(), 1);
    }

    #[test]
    fn a_push_moves_at_once_and_who_is_gone_for_years_is_forgotten() {
        let mut strengths = Strengths::new(SETTINGS, &[0.0; 2]);
        strengths.played(&row(1, 1, 2, 0), Some(&[Some(0.3), None]), [0.0; 2]);
        let before = strengths.expect(&row(1, 1, 2, 1)).values;
        strengths.played(&row(1, 1, 2, 2), None, [0.2, -0.2]);
        let after = strengths.expect(&row(1, 1, 2, 3)).values;
        assert!((after[0] - before[0] - 0.4).abs() < 1e-12);
        strengths.played(&row(1, 3, 4, 2_000), None, [0.0; 2]);
        strengths.played(&row(1, 5, 6, 4_000), None, [0.0; 2]);
        assert_eq!(strengths.pools[&0].nodes, 3, "the league and the last two");
        assert_eq!(strengths.pools[&0].covariance.len(), 9);
    }
}
